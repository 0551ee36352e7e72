"""Rows picked by integers, alone and in bags."""

from __future__ import annotations

from math import inf
from typing import Any

from stepgrad.arrays import devices
from stepgrad.autograd.engine import apply, state
from stepgrad.autograd.modes import no_grad
from stepgrad.autograd.recording import check_readable
from stepgrad.errors import ArgumentError, DtypeError, IndexShapeError, ShapeError
from stepgrad.functions.creation import arange, as_tensor, full_like, ones, ones_like, zeros_like
from stepgrad.functions.joining import cat
from stepgrad.nn.functional.checks import no_tensor
from stepgrad.ops.registry import REGISTRY
from stepgrad.tensor import Tensor


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Return rows of `weight` (count, features) for integer `input` of any shape → (…, features).

    The row `padding_idx` gets no gradient. `max_norm`: rows that are picked and whose `norm_type`-norm is
    larger are scaled down to it, in place, before. `scale_grad_by_freq`: each gradient is divided by how
    often its row is picked. `sparse` is accepted and makes no difference: gradients are dense.

    Raises `IndexShapeError` for an index outside 0 … count-1.

    >>> import stepgrad as sg
    >>> embedding(sg.tensor([2, 0]), sg.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
    tensor([[5., 6.],
            [1., 2.]])
    """
    count = _check_rows("embedding", input, weight)
    padding_idx = _padding_row(padding_idx, count)
    if max_norm is not None:
        _limit_rows(input, weight, max_norm, norm_type)
    y = apply(REGISTRY["embedding"], weight, input, padding_idx=padding_idx)
    return _scaled_by_frequency(y, input, count) if scale_grad_by_freq else y


def _check_rows(name: str, indices: Any, weight: Tensor) -> int:
    """Raise an error for indices that are not integers or no row; return how many rows there are."""
    if not isinstance(indices, Tensor):
        raise no_tensor(name, indices)
    if indices._array.dtype.kind not in "iu":
        raise DtypeError(f"{name} takes integer indices, not {indices.dtype.name}. Convert with .long().")
    count = weight.shape[0]
    if indices._array.size and not 0 <= int(indices._array.min()) <= int(indices._array.max()) < count:
        raise IndexShapeError(
            f"{name} has {count} rows, numbered from 0; the indices go from "
            f"{int(indices._array.min())} to {int(indices._array.max())}."
        )
    return count


def _padding_row(padding_idx: int | None, count: int) -> int | None:
    if padding_idx is None:
        return None
    if not -count <= padding_idx < count:
        raise ArgumentError(f"padding_idx {padding_idx} is none of the {count} rows.")
    return padding_idx % count


def _limit_rows(indices: Tensor, weight: Tensor, max_norm: float, norm_type: float) -> None:
    """Scale rows that are picked, in place, so that their norms are at most `max_norm`."""
    if not max_norm >= 0:
        raise ArgumentError(f"embedding needs max_norm >= 0, not {max_norm}.")
    with no_grad():
        flat = indices.reshape(-1)
        rows = weight.detach()[flat]
        norms = rows.norm(norm_type, 1, keepdim=True)
        # The small number is PyTorch's, too.
        weight[flat] = rows * (max_norm / (norms + 1e-7)).where(norms > max_norm, ones_like(norms))


def _scaled_by_frequency(y: Tensor, indices: Tensor, count: int) -> Tensor:
    """Return y, whose gradient is going to be divided by how often each row was picked."""

    def scaled(g: Tensor) -> Tensor:
        flat = indices.reshape(-1)
        each = ones(flat.shape[0], 1, dtype=g.dtype, device=g.device)
        counts = apply(REGISTRY["add_rows"], each, flat, count=count, padding_idx=None)
        return g / apply(REGISTRY["embedding"], counts, indices, padding_idx=None)

    if y.requires_grad:
        y.register_hook(scaled)
    return y


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """Return the mean, sum or maximum (`mode`) of the rows in each bag → (bags, features).

    `input` (bags, size): each row is a bag; or (n), cut into bags at the `offsets` (bags); the last of
    them is the end with `include_last_offset`. `per_sample_weights`, shaped as the indices: what each row is
    multiplied by before it is summed. Rows `padding_idx` count for nothing; an empty bag is 0. The other
    options as in `embedding`.

    >>> import stepgrad as sg
    >>> weight = sg.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    >>> embedding_bag(sg.tensor([[0, 1], [2, 2]]), weight, mode="sum")
    tensor([[ 4.,  6.],
            [10., 12.]])
    """
    count = _check_rows("embedding_bag", input, weight)
    if mode not in ("mean", "sum", "max"):
        raise ArgumentError(f"mode is 'mean', 'sum' or 'max', not {mode!r}.")
    if per_sample_weights is not None and (mode != "sum" or per_sample_weights.shape != input.shape):
        raise ArgumentError(
            f"embedding_bag takes per_sample_weights with mode='sum' and in the shape of the indices "
            f"{list(input.shape)}, not mode={mode!r} and {list(per_sample_weights.shape)}."
        )
    padding_idx = _padding_row(padding_idx, count)
    if input.ndim == 2 and offsets is not None:
        raise ArgumentError("embedding_bag of indices (bags, size) takes no offsets: each row is a bag.")
    if input.ndim != 2 and mode == "max":
        input, inside = _as_rows(input, *_ends(input, offsets, include_last_offset))
    else:
        inside = None
    if padding_idx is not None:
        inside = (input != padding_idx) if inside is None else inside & (input != padding_idx)
    rows = embedding(input, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.unsqueeze(-1)
    if mode == "max":
        return _largest(rows, inside)
    weights = ones_like(rows[..., :1]) if inside is None else inside.unsqueeze(-1).to(rows.dtype)
    both = cat([rows if inside is None else rows * weights, weights], -1)
    if input.ndim == 2:
        both = both.sum(1)
    else:
        starts, _ = _ends(input, offsets, include_last_offset)
        bag = _bag_of(input.shape[0], starts)
        both = apply(REGISTRY["add_rows"], both, bag, count=starts.shape[0], padding_idx=None)
    total = both[:, :-1]
    return total if mode == "sum" else total / both[:, -1:].clamp(min=1)


def _ends(indices: Tensor, offsets: Tensor | None, include_last_offset: bool) -> tuple[Tensor, Tensor]:
    """Return where each bag starts and ends."""
    if indices.ndim != 1 or offsets is None or offsets.ndim != 1:
        given = "no offsets" if offsets is None else f"offsets {list(offsets.shape)}"
        raise ShapeError(
            f"embedding_bag takes indices (bags, size), or (n) with offsets, not {list(indices.shape)} "
            f"with {given}."
        )
    if offsets.shape[0] and int(offsets._array[0]) != 0:
        raise ArgumentError(f"the offsets of embedding_bag begin with 0, not {int(offsets._array[0])}.")
    if include_last_offset:
        return offsets[:-1], offsets[1:]
    return offsets, cat([offsets[1:], full_like(offsets[:1], indices.shape[0])])


def _hidden() -> bool:
    """Whether a step is being captured, whose values may differ from call to call."""
    return state.recorder is not None and state.recorder.values_hidden


def _bag_of(n: int, starts: Tensor) -> Tensor:
    """Return the number of the bag in which each of n indices is."""
    places = arange(n, device=starts.device)
    if _hidden():
        return (places.unsqueeze(1) >= starts).sum(1) - 1
    found = devices.module_of(starts._array).searchsorted(starts._array, places._array, side="right") - 1
    return as_tensor(found)


def _as_rows(indices: Tensor, starts: Tensor, ends: Tensor) -> tuple[Tensor, Tensor]:
    """Return the indices of each bag as a row, and which places of the rows are filled."""
    n = indices.shape[0]
    longest = n if _hidden() or not starts.numel() else int((ends._array - starts._array).max())
    places = starts.unsqueeze(1) + arange(longest, device=starts.device)
    inside = places < ends.unsqueeze(1)
    return (indices[places.clamp(max=n - 1)] if n else places), inside


def _largest(rows: Tensor, inside: Tensor | None) -> Tensor:
    """Return the largest number of each column of rows (bags, size, features); 0 of an empty bag."""
    if not rows.shape[1]:
        return rows.sum(1)
    if inside is None:
        return rows.amax(1)
    found = rows.where(inside.unsqueeze(2), full_like(rows[:1, :1], -inf)).amax(1)
    return found.where(inside.any(1, keepdim=True), zeros_like(found))


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Return int64 (…, classes): 1 in the column that each integer names, else 0.

    >>> import stepgrad as sg
    >>> one_hot(sg.tensor([0, 2]))
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    if tensor._array.dtype.kind not in "iu":
        raise DtypeError(f"one_hot takes integers, not {tensor.dtype.name}.")
    if num_classes == -1:
        check_readable(tensor)
    highest = int(tensor._array.max()) if tensor.numel() else -1
    classes = highest + 1 if num_classes == -1 else num_classes
    if tensor.numel() and (highest >= classes or int(tensor._array.min()) < 0):
        wrong = highest if highest >= classes else int(tensor._array.min())
        raise ArgumentError(f"one_hot of {classes} classes, numbered from 0, does not take {wrong}.")
    return apply(REGISTRY["one_hot"], tensor, classes=classes, dtype="int64")


__all__ = ["embedding", "embedding_bag", "one_hot"]
