"""Pooling to a given size, and pooling with windows at random places."""

from __future__ import annotations

import math
from typing import Any

import numpy

from stepgrad.autograd.engine import apply
from stepgrad.errors import ArgumentError, ShapeError
from stepgrad.functions.creation import tensor
from stepgrad.functions.sampling import rand
from stepgrad.nn.functional.pooling import _averaged, _largest
from stepgrad.nn.functional.sliding import check_input, sizes
from stepgrad.ops.registry import REGISTRY
from stepgrad.tensor import Tensor


def _wanted(name: str, dims: int, x: Tensor, output_size: Any) -> tuple[int, ...]:
    """Return the output sizes; None stands for the size of the input."""
    check_input(name, x, dims)
    lengths = x.shape[x.ndim - dims :]
    given = output_size if isinstance(output_size, (tuple, list)) else (output_size,)
    given = tuple(given) * dims if len(given) == 1 else tuple(given)
    if len(given) == dims:
        given = tuple(n if wanted is None else wanted for n, wanted in zip(lengths, given, strict=True))
    found = sizes(name, "output_size", given, dims, 0)
    if any(n < 1 for n in lengths):
        raise ShapeError(f"{name} needs elements to pool; this input has the shape {list(x.shape)}.")
    return found


def _bounds(length: int, count: int) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Return where each of `count` windows that cover a dimension starts and stops."""
    i = numpy.arange(count)
    return i * length // max(count, 1), -(-(i + 1) * length // max(count, 1))


def along(input: Tensor, matrix: numpy.ndarray, dim: int) -> Tensor:
    """Return x with its dimension `dim` multiplied by a constant matrix (new length, old length)."""
    factor = tensor(numpy.ascontiguousarray(matrix.T).astype(input._array.dtype), device=input.device)
    if dim == input.ndim - 1:
        return input @ factor
    return (input.transpose(dim, -1) @ factor).transpose(dim, -1)


def mean_along(input: Tensor, count: int, dim: int) -> Tensor:
    """Return means over `count` windows that cover a dimension."""
    length = input.shape[dim]
    if count == length:
        return input
    start, stop = _bounds(length, count)
    places = numpy.arange(length)
    inside = (places >= start[:, None]) & (places < stop[:, None])
    return along(input, inside / (stop - start)[:, None], dim)


def _adaptive_mean(name: str, dims: int, x: Tensor, output_size: Any) -> Tensor:
    counts = _wanted(name, dims, x, output_size)
    lengths = x.shape[x.ndim - dims :]
    if counts == lengths:
        return x.clone()
    if all(c and n % c == 0 for n, c in zip(lengths, counts, strict=True)):
        size = tuple(n // c for n, c in zip(lengths, counts, strict=True))
        return _averaged(name, dims, x, size, size, 0, False, True, None)
    for i, count in enumerate(counts):
        x = mean_along(x, count, x.ndim - dims + i)
    return x


def adaptive_avg_pool1d(input: Tensor, output_size: Any) -> Tensor:
    """Return means of x (N, C, L) or (C, L) over `output_size` windows that cover L evenly.

    Window i goes from ⌊i L / O⌋ to ⌈(i + 1) L / O⌉. None as a size keeps that of the input.

    >>> import stepgrad as sg
    >>> adaptive_avg_pool1d(sg.tensor([[1.0, 2.0, 3.0]]), 2)
    tensor([[1.5000, 2.5000]])
    """
    return _adaptive_mean("adaptive_avg_pool1d", 1, input, output_size)


def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """Return means of x (N, C, H, W) or (C, H, W) over windows that cover H and W; see
    `adaptive_avg_pool1d`.

    >>> import stepgrad as sg
    >>> adaptive_avg_pool2d(sg.zeros(1, 3, 7, 5), 2).shape
    (1, 3, 2, 2)
    """
    return _adaptive_mean("adaptive_avg_pool2d", 2, input, output_size)


def adaptive_avg_pool3d(input: Tensor, output_size: Any) -> Tensor:
    """Return means of x (N, C, D, H, W) over windows that cover D, H and W; see `adaptive_avg_pool1d`.

    >>> import stepgrad as sg
    >>> adaptive_avg_pool3d(sg.arange(8.0).reshape(1, 2, 2, 2), 1)
    tensor([[[[3.5000]]]])
    """
    return _adaptive_mean("adaptive_avg_pool3d", 3, input, output_size)


def _adaptive_largest(name: str, dims: int, x: Tensor, output_size: Any, return_indices: bool) -> Any:
    counts = _wanted(name, dims, x, output_size)
    lengths = x.shape[x.ndim - dims :]
    if all(c and n % c == 0 for n, c in zip(lengths, counts, strict=True)):
        size = tuple(n // c for n, c in zip(lengths, counts, strict=True))
        return _largest(name, dims, x, size, size, 0, 1, False, return_indices)
    flat = numpy.zeros((), "int64")
    for length, count in zip(lengths, counts, strict=True):
        start, stop = _bounds(length, count)
        # Windows that are shorter than the longest repeat their last element, which changes no maximum.
        most = int((stop - start).max()) if count else 1
        places = numpy.minimum(start[:, None] + numpy.arange(most), stop[:, None] - 1)
        flat = (flat[..., :, None, :, None] * length + places[:, None, :]).reshape(
            *flat.shape[:-1], count, -1
        ) if flat.ndim else places  # fmt: skip
    return _picked(x, tensor(flat.reshape(math.prod(counts), -1)), counts, return_indices)


def _picked(x: Tensor, places: Tensor, counts: tuple[int, ...], return_indices: bool) -> Any:
    """Return the largest of each row of places (windows, size) in the flattened last dimensions of x."""
    lead = x.shape[: x.ndim - len(counts)]
    every = x.reshape(*lead, -1)[..., places]
    chosen = every.detach().argmax(-1, keepdim=True)
    y = every.gather(-1, chosen).reshape(*lead, *counts)
    if not return_indices:
        return y
    return y, places.expand(*every.shape).gather(-1, chosen).reshape(*lead, *counts)


def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Return the largest of x (N, C, L) or (C, L) in `output_size` windows that cover L evenly.

    The windows are those of `adaptive_avg_pool1d`. With `return_indices` a pair, the second int64: where the
    largest lies in L.

    >>> import stepgrad as sg
    >>> adaptive_max_pool1d(sg.tensor([[1.0, 2.0, 3.0]]), 2)
    tensor([[2., 3.]])
    """
    return _adaptive_largest("adaptive_max_pool1d", 1, input, output_size, return_indices)


def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Return the largest of x (N, C, H, W) in windows that cover H and W; see `adaptive_max_pool1d`.

    >>> import stepgrad as sg
    >>> adaptive_max_pool2d(sg.arange(6.0).reshape(1, 2, 3), 1)
    tensor([[[5.]]])
    """
    return _adaptive_largest("adaptive_max_pool2d", 2, input, output_size, return_indices)


def adaptive_max_pool3d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Return the largest of x (N, C, D, H, W) in windows that cover D, H and W; see `adaptive_max_pool1d`.

    >>> import stepgrad as sg
    >>> adaptive_max_pool3d(sg.arange(8.0).reshape(1, 2, 2, 2), 1)
    tensor([[[[7.]]]])
    """
    return _adaptive_largest("adaptive_max_pool3d", 3, input, output_size, return_indices)


def _fractional(
    name: str, dims: int, x: Tensor, kernel_size: Any, output_size: Any, output_ratio: Any,
    return_indices: bool, samples: Tensor | None,
) -> Any:  # fmt: skip
    check_input(name, x, dims)
    lengths = x.shape[x.ndim - dims :]
    size = sizes(name, "kernel_size", kernel_size, dims)
    if (output_size is None) == (output_ratio is None):
        raise ArgumentError(f"{name} needs either output_size or output_ratio.")
    if output_size is None:
        ratios = output_ratio if isinstance(output_ratio, (tuple, list)) else (output_ratio,) * dims
        output_size = [int(n * r) for n, r in zip(lengths, ratios, strict=True)]
    counts = sizes(name, "output_size", output_size, dims)
    if any(c + k - 1 > n for c, k, n in zip(counts, size, lengths, strict=True)):
        raise ShapeError(
            f"{name} has no {list(counts)} different windows of {list(size)} in {list(x.shape)}."
        )
    rows = x if x.ndim == dims + 2 else x.unsqueeze(0)
    if samples is None:
        samples = rand(rows.shape[0], rows.shape[1], dims, dtype=x.dtype)
    places: Any = None
    for i, (n, k, c) in enumerate(zip(lengths, size, counts, strict=True)):
        # PyTorch's samples of images are in the order (W, H), those of volumes in the order (D, H, W).
        starts = _starts(samples[: rows.shape[0], :, 1 - i if dims == 2 else i], n, k, c)
        here = starts.unsqueeze(-1) + tensor(numpy.arange(k))
        if places is None:
            places = here
        else:
            one = places.reshape(*places.shape[:3], 1, places.shape[3], 1) * n
            both = one + here.reshape(*here.shape[:2], 1, c, 1, k)
            places = both.reshape(*both.shape[:2], both.shape[2] * c, both.shape[4] * k)
    every = rows.flatten(2).gather(2, places.flatten(2)).reshape(*places.shape)
    chosen = every.detach().argmax(-1, keepdim=True)
    shape = (*x.shape[: x.ndim - dims], *counts)
    y = every.gather(-1, chosen).reshape(shape)
    return (y, places.gather(-1, chosen).reshape(shape)) if return_indices else y


def _starts(u: Tensor, length: int, size: int, count: int) -> Tensor:
    """Return where the windows start: (N, C, count), int64 (Graham, 2014, section 2.3)."""
    last = tensor(numpy.full(1, length - size)).expand(*u.shape, 1)
    if count == 1:
        return last
    alpha = (length - size) / (count - 1)
    i = tensor(numpy.arange(count - 1).astype(u._array.dtype))
    u = u.unsqueeze(-1)
    first = ((i + u) * alpha).floor() - (u * alpha).floor()
    return apply(REGISTRY["cat"], first.long(), last, dim=u.ndim - 1)


def fractional_max_pool2d(
    input: Tensor, kernel_size: Any, output_size: Any = None, output_ratio: Any = None,
    return_indices: bool = False, _random_samples: Tensor | None = None,
) -> Any:  # fmt: skip
    """Return the largest of windows at random places of x (N, C, H, W) or (C, H, W) (Graham, 2014).

    As many windows as `output_size` says, or that part of H and W that `output_ratio` says. The places are
    drawn from the default stream, for each image and channel, and grow from window to window.

    >>> import stepgrad as sg
    >>> fractional_max_pool2d(sg.rand(1, 2, 9, 9), 2, output_ratio=0.7).shape
    (1, 2, 6, 6)
    """
    return _fractional(
        "fractional_max_pool2d",
        2,
        input,
        kernel_size,
        output_size,
        output_ratio,
        return_indices,
        _random_samples,
    )


def fractional_max_pool3d(
    input: Tensor, kernel_size: Any, output_size: Any = None, output_ratio: Any = None,
    return_indices: bool = False, _random_samples: Tensor | None = None,
) -> Any:  # fmt: skip
    """Return the largest of windows at random places of x (N, C, D, H, W); see `fractional_max_pool2d`.

    >>> import stepgrad as sg
    >>> fractional_max_pool3d(sg.rand(1, 4, 4, 4), 2, output_size=2).shape
    (1, 2, 2, 2)
    """
    return _fractional(
        "fractional_max_pool3d",
        3,
        input,
        kernel_size,
        output_size,
        output_ratio,
        return_indices,
        _random_samples,
    )


__all__ = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d",
    "adaptive_max_pool2d", "adaptive_max_pool3d", "fractional_max_pool2d", "fractional_max_pool3d",
]  # fmt: skip
