"""Putting samples together into a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy

from stepgrad.errors import DtypeError, ShapeError
from stepgrad.functions.creation import from_numpy
from stepgrad.functions.creation import tensor as make_tensor
from stepgrad.functions.joining import stack
from stepgrad.tensor import Tensor


def default_collate(batch: Sequence[Any]) -> Any:
    """Return a batch made of samples of the same structure.

    Tensors and arrays of shape S become one tensor of shape (B, *S); floats a float64 tensor of shape (B,),
    integers int64, booleans bool; strings and bytes stay as they are, a list of them, or a tuple where they
    are an entry of tuples or lists; dicts, tuples, named tuples and lists are put together entry by entry,
    tuples as a list, as in PyTorch. Raises `ShapeError` for shapes or lengths that
    differ between the samples, `DtypeError` for other types.

    >>> import numpy
    >>> x, y = default_collate([(numpy.zeros(3), 0), (numpy.ones(3), 1)])
    >>> tuple(x.shape), y.tolist()
    ((2, 3), [0, 1])
    >>> default_collate([{"name": "a"}, {"name": "b"}])
    {'name': ['a', 'b']}
    """
    return _collate(batch if isinstance(batch, tuple) else list(batch), "")


_KINDS: tuple[type | tuple[type, ...], ...] = (
    Tensor, (numpy.ndarray, numpy.generic, int, float), (str, bytes), Mapping, Sequence,
)  # fmt: skip


def _collate(batch: Sequence[Any], where: str) -> Any:
    if not batch:
        raise ShapeError("default_collate got 0 samples; it needs at least 1.")
    first = batch[0]
    _same_kind(batch, where)
    if isinstance(first, Tensor):
        _same((tuple(sample.shape) for sample in batch), where)
        return stack(batch)
    if isinstance(first, (numpy.ndarray, numpy.generic)) and first.dtype.kind not in "SUO":
        _same((numpy.shape(sample) for sample in batch), where)
        return from_numpy(numpy.stack(batch))
    if isinstance(first, float):
        return make_tensor(batch, dtype="float64")
    if isinstance(first, int):
        return make_tensor(batch)
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, Mapping):
        return _collate_mapping(batch, where)
    if isinstance(first, Sequence):
        _same((len(sample) for sample in batch), where, "lengths")
        columns = [_collate(c, f"{where}[{i}]") for i, c in enumerate(zip(*batch, strict=True))]
        return type(first)(*columns) if hasattr(first, "_fields") else columns
    kind = type(first).__name__ + (f" of {first.dtype}" if hasattr(first, "dtype") else "")
    raise DtypeError(
        f"default_collate cannot put samples{_at(where)} of type {kind} into a batch; it "
        "takes tensors, NumPy arrays, numbers, strings, and dicts, tuples and lists of them. Convert them in "
        "the dataset, or give the DataLoader a collate_fn of your own."
    )


def _same_kind(batch: Sequence[Any], where: str) -> None:
    """Raise `DtypeError` where samples of different kinds meet, such as a tuple and None."""
    kind = next((each for each in _KINDS if isinstance(batch[0], each)), object)
    for i, sample in enumerate(batch):
        if not isinstance(sample, kind):
            raise DtypeError(
                f"samples{_at(where)} must be of one kind to make a batch: the first is a "
                f"{type(batch[0]).__name__}, number {i} of the batch a {type(sample).__name__}. Make them "
                "alike in the dataset, or give the DataLoader a collate_fn of your own."
            )


def _collate_mapping(batch: Sequence[Any], where: str) -> Any:
    first = batch[0]
    for i, sample in enumerate(batch):
        if sample.keys() != first.keys():
            raise ShapeError(
                f"samples{_at(where)} must have the same keys to make a batch: the first has {list(first)}, "
                f"number {i} of the batch has {list(sample)}."
            )
    columns = {key: _collate([sample[key] for sample in batch], f"{where}[{key!r}]") for key in first}
    # A mapping of another type keeps its type if it can be made from a dict.
    return columns if type(first) is dict else _like(first, columns)


def _like(first: Any, columns: Any) -> Any:
    try:
        return type(first)(columns)
    except TypeError:
        return columns


def _same(sizes: Any, where: str, what: str = "shapes") -> None:
    listed = list(sizes)
    for i, size in enumerate(listed):
        if size != listed[0]:
            raise ShapeError(
                f"samples{_at(where)} must have equal {what} to make a batch: the first has {listed[0]}, "
                f"number {i} of the batch has {size}. Make them equal in the dataset, or give the DataLoader "
                "a collate_fn that pads them."
            )


def _at(where: str) -> str:
    return f" (part {where})" if where else ""


def default_convert(sample: Any) -> Any:
    """Return `sample` with its NumPy arrays turned into tensors, which share their memory; what else it holds
    is kept.

    This is what a `DataLoader` with ``batch_size=None`` does to each sample.

    >>> import numpy
    >>> x, name = default_convert((numpy.zeros(3), "a"))
    >>> type(x).__name__, name
    ('Tensor', 'a')
    """
    if isinstance(sample, (numpy.ndarray, numpy.generic)) and sample.dtype.kind not in "SUO":
        return from_numpy(numpy.asarray(sample))
    if isinstance(sample, Mapping):
        columns = {key: default_convert(value) for key, value in sample.items()}
        return columns if type(sample) is dict else _like(sample, columns)
    if isinstance(sample, tuple):
        parts = [default_convert(part) for part in sample]
        return type(sample)(*parts) if hasattr(sample, "_fields") else parts
    if isinstance(sample, list):
        return [default_convert(part) for part in sample]
    return sample
