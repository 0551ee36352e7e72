"""What the evaluator knows of arrays as a whole: folds, shapes, positions, windows.

Each works on arrays of decimals and on arrays of floats. Nothing here is shared with the operations whose
lines are checked: windows, for one, are laid out here by their positions.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import numpy


def _folded(fold: Callable[..., Any]) -> Callable[..., Any]:
    """Return a fold of an array along dimensions, all of them if none is given."""

    def over(array: Any, *dims: Any) -> Any:
        return fold(_array(array), axis=_whole(dims) if dims else None)

    return over


def _array(array: Any) -> numpy.ndarray:
    return array if isinstance(array, numpy.ndarray) else numpy.asarray(array, dtype=object)


def _whole(numbers: Any) -> tuple[int, ...]:
    """Return numbers of the text as whole ones."""
    return tuple(int(x) for x in numpy.ravel(numbers))


def _zeros(shape: Sequence[int], like: numpy.ndarray) -> numpy.ndarray:
    return numpy.full(shape, Decimal(0) if like.dtype == object else 0.0, dtype=like.dtype)


def _mean(array: numpy.ndarray, axis: tuple[int, ...] | None) -> Any:
    total = numpy.add.reduce(array, axis=axis)
    return total / (array.size // max(numpy.size(total), 1))


def _sum_to(array: Any, *shape: Any) -> Any:
    """Return the sum over the dimensions in which `shape` is 1 or missing."""
    sizes = _whole(shape)
    extra = numpy.ndim(array) - len(sizes)
    own = [i for i, n in enumerate(sizes, extra) if n == 1 and array.shape[i] != 1]
    return numpy.add.reduce(array, axis=(*range(extra), *own), keepdims=True).reshape(sizes)


def _running(fold: numpy.ufunc) -> Callable[..., Any]:
    return lambda array, dim: fold.accumulate(_array(array), axis=int(dim))


# --------------------------------------------------------------------------------------------- positions


def _positions(places: Any) -> numpy.ndarray:
    return numpy.asarray(places, dtype=object).astype(numpy.int64)


def _taken(array: Any, places: Any) -> Any:
    return _array(array).reshape(-1)[_positions(places)]


def _put(array: Any, places: Any, *shape: Any) -> Any:
    """Return zeros of `shape` with numbers added at flat positions; those at −1 go nowhere."""
    made = _zeros(_whole(shape), _array(array))
    flat = made.reshape(-1)
    for number, place in zip(_array(array).reshape(-1), _positions(places).reshape(-1).tolist(), strict=True):
        if place >= 0:
            flat[place] += number
    return made


def _placed(array: Any, shape: Any, *index: Any) -> Any:
    """Return zeros of `shape` with an array at the index."""
    made = _zeros(_whole(shape), _array(array))
    made[tuple(part if isinstance(part, slice) else int(part) for part in index)] = array
    return made


def _one_hot(numbers: Any, count: Any) -> Any:
    """Return for each number a row of zeros with a 1 in its place; for −1 zeros alone."""
    places = _positions(numbers)
    made = numpy.full((*places.shape, int(count)), Decimal(0), dtype=object)
    for place in numpy.ndindex(places.shape):
        if places[place] >= 0:
            made[(*place, int(places[place]))] = Decimal(1)
    return made


# ----------------------------------------------------------------------------------------------- windows


def _windows(array: Any, size: Any, stride: Any = 1, dilation: Any = 1) -> Any:
    """Return windows over the last dimensions, (…, L…) → (…, O…, K…)."""
    array, size = _array(array), _whole(size)
    d = len(size)
    steps, spread = _each_dim(stride, d), _each_dim(dilation, d)
    lead = array.ndim - d
    index: list[Any] = [slice(None)] * lead
    for i, (n, k, s, e) in enumerate(zip(array.shape[lead:], size, steps, spread, strict=True)):
        starts = numpy.arange(0, n - e * (k - 1), s)
        own = starts[:, None] + e * numpy.arange(k)[None, :]
        index.append(own.reshape([len(starts) if j == i else k if j == d + i else 1 for j in range(2 * d)]))
    return array[tuple(index)]


def _add_windows(array: Any, shape: Any, stride: Any = 1, dilation: Any = 1) -> Any:
    """Return zeros with windows (…, O…, K…) added where `_windows` takes them from; `shape` is that of L…."""
    array, lengths = _array(array), _whole(shape)
    d = len(lengths)
    steps, spread = _each_dim(stride, d), _each_dim(dilation, d)
    lead, counts, size = array.shape[: -2 * d], array.shape[-2 * d : -d], array.shape[-d:]
    made = _zeros((*lead, *lengths), array)
    for window in itertools.product(*map(range, counts)):
        for place in itertools.product(*map(range, size)):
            at = (o * s + k * e for o, s, k, e in zip(window, steps, place, spread, strict=True))
            here: Any = (..., *at)
            made[here] = made[here] + array[(..., *window, *place)]
    return made


def _each_dim(numbers: Any, count: int) -> tuple[int, ...]:
    whole = _whole(numbers)
    return whole * count if len(whole) == 1 else whole


def _pads(padding: Any, count: int) -> list[tuple[int, int]]:
    """Return how many zeros stand before and after, for each dimension: [1, 2] is (1, 1), (2, 2)."""
    if numpy.ndim(padding) == 2:
        return [(int(before), int(after)) for before, after in padding]
    return [(n, n) for n in _each_dim(padding, count)]


def _patches(image: Any, size: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1) -> Any:
    """Return the windows of images (N, C, L…) as rows: (N, windows, C · K…), zeros around the images."""
    image, d = _array(image), len(_whole(size))
    pads = _pads(padding, d)
    padded = _zeros(
        (*image.shape[:2], *(n + a + b for n, (a, b) in zip(image.shape[2:], pads, strict=True))), image
    )
    inner: Any = (..., *(slice(a, a + n) for n, (a, _) in zip(image.shape[2:], pads, strict=True)))
    padded[inner] = image
    every = _windows(padded, size, stride, dilation)
    rows = every.transpose(0, *range(2, 2 + d), 1, *range(2 + d, 2 + 2 * d))
    return rows.reshape(len(image), math.prod(rows.shape[1 : 1 + d]), -1)


def _add_patches(
    rows: Any, shape: Any, size: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1
) -> Any:
    """Return images of the sizes `shape`, (C, L…), with rows added where `_patches` takes them from."""
    rows, lengths, size = _array(rows), _whole(shape), _whole(size)
    d = len(size)
    pads, steps, spread = _pads(padding, d), _each_dim(stride, d), _each_dim(dilation, d)
    whole = [n + a + b for n, (a, b) in zip(lengths[1:], pads, strict=True)]
    counts = [(n - e * (k - 1) - 1) // s + 1 for n, k, s, e in zip(whole, size, steps, spread, strict=True)]
    every = rows.reshape(len(rows), *counts, lengths[0], *size)
    order = (0, 1 + d, *range(1, 1 + d), *range(2 + d, 2 + 2 * d))
    made = _add_windows(every.transpose(order), whole, steps, spread)
    inner: Any = (..., *(slice(a, a + n) for n, (a, _) in zip(lengths[1:], pads, strict=True)))
    return made[inner]


ARRAY_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sum": _folded(numpy.add.reduce),
    "prod": _folded(numpy.multiply.reduce),
    "amax": _folded(numpy.maximum.reduce),
    "amin": _folded(numpy.minimum.reduce),
    "mean": _folded(_mean),
    "sumto": _sum_to,
    "cumsum": _running(numpy.add),
    "cumprod": _running(numpy.multiply),
    "reshape": lambda array, *shape: _array(array).reshape(_whole(shape)),
    "expand": lambda array, *shape: numpy.broadcast_to(array, _whole(shape)),
    "permute": lambda array, *dims: numpy.transpose(array, _whole(dims)),
    "cat": lambda *arrays: numpy.concatenate(arrays[:-1], axis=int(arrays[-1])),
    "take": _taken,
    "put": _put,
    "place": _placed,
    "onehot": _one_hot,
    "windows": _windows,
    "addwindows": _add_windows,
    "patches": _patches,
    "addpatches": _add_patches,
}
"""The functions that take an array as a whole; `take` and `put` name positions in the flattened array."""
