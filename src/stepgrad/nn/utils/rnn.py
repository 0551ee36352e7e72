"""Sequences of different lengths: padded into one tensor, or packed without the padding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy

from stepgrad.errors import ArgumentError, ShapeError
from stepgrad.functions.creation import from_numpy, full
from stepgrad.functions.joining import cat
from stepgrad.names import teller
from stepgrad.tensor import Tensor


class PackedSequence(NamedTuple):
    """Sequences one time step after the other: first all that have a step 0, then all with a step 1, …

    `data` (total steps, …); `batch_sizes` (longest): how many sequences have each step; `sorted_indices`:
    where each of the sequences, now from long to short, stood before; `unsorted_indices`: the way back. The
    last two are None where the order did not change. Made by `pack_padded_sequence` and `pack_sequence`,
    taken by RNN, LSTM and GRU.
    """

    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None = None
    unsorted_indices: Tensor | None = None

    def lengths(self) -> numpy.ndarray:
        """Return the length of each sequence, from long to short (int64)."""
        sizes = self.batch_sizes.numpy()
        return (sizes[None, :] > numpy.arange(sizes[0] if sizes.size else 0)[:, None]).sum(1)

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """Return the sequences with the data in another dtype or on another device."""
        return self._replace(data=self.data.to(*args, **kwargs))


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """Return the permutation that undoes another; None for None."""
    return None if permutation is None else from_numpy(numpy.argsort(permutation.numpy(), kind="stable"))


def places(lengths: numpy.ndarray) -> numpy.ndarray:
    """Return where each step of packed sequences stands in a padded batch (longest, sequences), flattened.

    `lengths` from long to short, int64.
    """
    steps = int(lengths[0]) if lengths.size else 0
    return numpy.flatnonzero(numpy.arange(steps)[:, None] < lengths[None, :])


def pack_padded_sequence(
    input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Return sequences without their padding.

    `input` (longest, sequences, …), or (sequences, longest, …) with `batch_first`; `lengths`: how many steps
    of each count, from long to short unless `enforce_sorted` is False. In a compiled step, lengths are
    numbers, not a tensor that changes from call to call. Raises `ArgumentError` for lengths that do not fit.

    >>> import stepgrad as sg
    >>> packed = pack_padded_sequence(sg.tensor([[1, 2, 3], [4, 0, 0]]), [3, 1], batch_first=True)
    >>> packed.data, packed.batch_sizes
    (tensor([1, 4, 2, 3]), tensor([2, 1, 1]))
    """
    given = numpy.asarray(lengths.numpy() if isinstance(lengths, Tensor) else lengths, "int64")
    count, longest = (input.shape[0], input.shape[1]) if batch_first else (input.shape[1], input.shape[0])
    if given.shape != (count,) or (given < 1).any() or (given > longest).any():
        raise ArgumentError(
            f"pack_padded_sequence needs a length from 1 to {longest} for each of {count} sequences, not "
            f"{given.tolist()}."
        )
    order = None
    if enforce_sorted and (given[1:] > given[:-1]).any():
        raise ArgumentError(
            "pack_padded_sequence takes sequences from long to short; use enforce_sorted=False for others."
        )
    if not enforce_sorted:
        order = numpy.argsort(-given, kind="stable")
        given = given[order]
    x = input.transpose(0, 1) if batch_first else input
    found = numpy.flatnonzero(numpy.arange(longest)[:, None] < given[None, :])
    steps, rows = numpy.divmod(found, count)
    rows = rows if order is None else order[rows]
    data = x[from_numpy(steps), from_numpy(rows)]
    sizes = (numpy.arange(int(given[0]))[:, None] < given[None, :]).sum(1)
    there = None if order is None else from_numpy(order)
    return PackedSequence(data, from_numpy(sizes), there, invert_permutation(there))


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Return sequences with padding, (longest, sequences, …), and their lengths.

    This is `pack_padded_sequence` undone.
    `total_length`: pad to so many steps. Raises `ArgumentError` if that is less than the longest has.

    >>> import stepgrad as sg
    >>> packed = pack_sequence([sg.tensor([1, 2, 3]), sg.tensor([4])])
    >>> pad_packed_sequence(packed, batch_first=True)
    (tensor([[1, 2, 3],
            [4, 0, 0]]), tensor([3, 1]))
    """
    lengths = sequence.lengths()
    steps = int(lengths[0])
    if total_length is not None:
        if total_length < steps:
            raise ArgumentError(
                f"total_length {total_length} is less than the longest sequence has, {steps}."
            )
        steps = total_length
    x = sequence.data
    index = numpy.full((steps, len(lengths)), len(x), "int64")
    index.reshape(-1)[: int(lengths[0]) * len(lengths)][places(lengths)] = numpy.arange(len(x))
    if sequence.unsorted_indices is not None:
        back = sequence.unsorted_indices.numpy()
        index, lengths = index[:, back], lengths[back]
    padding = full((1, *x.shape[1:]), padding_value, dtype=x.dtype, device=x.device)
    padded = cat([x, padding])[from_numpy(index)]
    return padded.transpose(0, 1) if batch_first else padded, from_numpy(lengths.copy())


def pad_sequence(
    sequences: Tensor | Iterable[Tensor],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Return sequences (length, …) of any lengths in one tensor (longest, sequences, …).

    With `batch_first` (sequences, longest, …). `padding_side`: "right" or "left".

    >>> import stepgrad as sg
    >>> pad_sequence([sg.tensor([1, 2, 3]), sg.tensor([4])], batch_first=True)
    tensor([[1, 2, 3],
            [4, 0, 0]])
    """
    if padding_side not in ("right", "left"):
        raise ArgumentError(f"padding_side is 'right' or 'left', not {padding_side!r}.")
    given = list(sequences)
    if not given:
        raise ArgumentError("pad_sequence needs at least one sequence.")
    rest = given[0].shape[1:]
    for i, x in enumerate(given):
        if x.shape[1:] != rest:
            raise ShapeError(
                f"pad_sequence takes sequences that differ in their first dimension alone; sequence {i} has "
                f"shape {list(x.shape)}, the first {list(given[0].shape)}."
            )
    longest = max(x.shape[0] for x in given)
    rows = []
    for x in given:
        missing = longest - x.shape[0]
        padding = full((missing, *rest), padding_value, dtype=x.dtype, device=x.device)
        parts = [x, padding] if padding_side == "right" else [padding, x]
        rows.append(cat(parts) if missing else x)
    dim = 0 if batch_first else 1
    return cat([row.unsqueeze(dim) for row in rows], dim)


def unpad_sequence(padded_sequences: Tensor, lengths: Any, batch_first: bool = False) -> list[Tensor]:
    """Return the sequences of a padded tensor, each as long as it is: `pad_sequence` undone."""
    given = lengths.tolist() if isinstance(lengths, Tensor) else list(lengths)
    x = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [row[: int(n)] for row, n in zip(x.unbind(0), given, strict=True)]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Return sequences (length, …) packed; from long to short unless `enforce_sorted` is False."""
    lengths = [x.shape[0] for x in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """Return the sequences of a packed one: `pack_sequence` undone."""
    return unpad_sequence(*pad_packed_sequence(packed_sequences, batch_first=True), batch_first=True)


__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]

if not TYPE_CHECKING:
    __getattr__ = teller(__name__, globals())
