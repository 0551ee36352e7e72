"""Images in other sizes, and channels in other places."""

from __future__ import annotations

import math
from typing import Any

import numpy

from stepgrad.errors import ArgumentError, ShapeError
from stepgrad.functions.creation import tensor
from stepgrad.nn.functional.adaptive_pooling import along, mean_along
from stepgrad.nn.functional.checks import no_tensor
from stepgrad.tensor import Tensor

_DIMS = {"linear": (1,), "bilinear": (2,), "bicubic": (2,), "trilinear": (3,)}
_MODES = ("nearest", "nearest-exact", "area", *_DIMS)


def interpolate(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """Return x (N, C, L…) with its 1 to 3 last dimensions in another `size`, or multiplied by `scale_factor`.

    `mode`: "nearest", "nearest-exact", "linear" (L), "bilinear" or "bicubic" (H, W), "trilinear" (D, H, W) or
    "area" (means). `align_corners`: the first and last elements stay where they are, instead of the edges.
    `antialias`: when an image becomes smaller, all elements that a new one covers count (bilinear, bicubic).

    >>> import stepgrad as sg
    >>> interpolate(sg.tensor([[[1.0, 3.0]]]), scale_factor=2, mode="linear")
    tensor([[[1.0000, 1.5000, 2.5000, 3.0000]]])
    """
    if not isinstance(input, Tensor):
        raise no_tensor("interpolate", input)
    dims = input.ndim - 2
    if mode not in _MODES or dims not in _DIMS.get(mode, (1, 2, 3)):
        raise ArgumentError(
            f"interpolate has the modes {', '.join(_MODES)}, each for its number of dimensions after (N, C); "
            f"not {mode!r} for an input {list(input.shape)}."
        )
    if align_corners is not None and mode not in _DIMS:
        raise ArgumentError(f"interpolate takes align_corners for {', '.join(_DIMS)}, not for {mode!r}.")
    if antialias and mode not in ("bilinear", "bicubic"):
        raise ArgumentError(f"interpolate takes antialias for bilinear and bicubic, not for {mode!r}.")
    counts, scales = _counts(input, dims, size, scale_factor, bool(recompute_scale_factor))
    if any(n < 1 for n in (*counts, *input.shape[2:])):
        raise ShapeError(f"interpolate of {list(input.shape)} to {list(counts)}: every size is 1 or more.")
    y = input
    for i, (count, scale) in enumerate(zip(counts, scales, strict=True)):
        y = _resized(y, 2 + i, count, scale, mode, bool(align_corners), antialias)
    return input._copied(y)


def _counts(
    x: Tensor, dims: int, size: Any, scale_factor: Any, recompute: bool
) -> tuple[tuple[int, ...], tuple[float | None, ...]]:
    """Return the new sizes, and the scale that was given for each, or None."""
    if (size is None) == (scale_factor is None):
        raise ArgumentError("interpolate needs either size or scale_factor.")
    given = scale_factor if size is None else size
    parts = tuple(given) if isinstance(given, (tuple, list)) else (given,) * dims
    if len(parts) != dims:
        raise ShapeError(f"interpolate of {list(x.shape)} needs {dims} sizes or scales, not {list(parts)}.")
    if size is not None:
        if recompute:
            raise ArgumentError("recompute_scale_factor goes with scale_factor, not with size.")
        return tuple(int(n) for n in parts), (None,) * dims
    counts = tuple(math.floor(n * float(s)) for n, s in zip(x.shape[2:], parts, strict=True))
    return counts, (None,) * dims if recompute else tuple(float(s) for s in parts)


def _resized(
    x: Tensor, dim: int, count: int, scale: float | None, mode: str, align_corners: bool, antialias: bool
) -> Tensor:
    """Return x with one dimension in another size."""
    length = x.shape[dim]
    if mode == "area":
        return mean_along(x, count, dim)
    if mode.startswith("nearest"):
        return _nearest(x, dim, count, scale, mode == "nearest-exact")
    step = length / count if scale is None or scale <= 0 else 1 / scale
    if align_corners:
        step = (length - 1) / (count - 1) if count > 1 else 0.0
    if antialias:
        return along(x, _covering(length, count, step, mode), dim)
    if count == length and step == 1:
        return x
    place = numpy.arange(count) * step if align_corners else (numpy.arange(count) + 0.5) * step - 0.5
    return along(x, (_cubic if mode == "bicubic" else _linear)(length, place), dim)


def _nearest(x: Tensor, dim: int, count: int, scale: float | None, is_exact: bool) -> Tensor:
    length = x.shape[dim]
    if count == length and scale in (None, 1.0):
        return x
    if count % length == 0 and (scale is None or scale == count // length):
        # A whole number of copies of each element.
        shape = x.shape
        each = x.unsqueeze(dim + 1).expand(*shape[: dim + 1], count // length, *shape[dim + 1 :])
        return each.reshape(*shape[:dim], count, *shape[dim + 1 :])
    # PyTorch works these places out in float32.
    step = numpy.float32(length / count if scale is None or scale <= 0 else 1 / scale)
    start = numpy.float32(0.5 if is_exact else 0)
    places = numpy.floor((numpy.arange(count, dtype=numpy.float32) + start) * step).astype("int64")
    return x.index_select(dim, tensor(numpy.minimum(places, length - 1)))


def _linear(length: int, place: numpy.ndarray) -> numpy.ndarray:
    """Return the matrix of linear interpolation at places between 0 and length − 1."""
    place = numpy.maximum(place, 0.0)
    low = numpy.minimum(place.astype("int64"), length - 1)
    high = numpy.minimum(low + 1, length - 1)
    part = numpy.clip(place - low, 0.0, 1.0)
    return _matrix(length, [(low, 1 - part), (high, part)])


def _cubic(length: int, place: numpy.ndarray) -> numpy.ndarray:
    """Return the matrix of cubic convolution (Keys, 1981, with a = −0.75)."""
    low = numpy.floor(place).astype("int64")
    part = place - low
    taps = [(low + i, cubic_weight(part - i, -0.75)) for i in (-1, 0, 1, 2)]
    return _matrix(length, [(numpy.clip(at, 0, length - 1), weight) for at, weight in taps])


def cubic_weight(t: Any, a: float) -> Any:
    """Return Keys' kernel at distances t, for NumPy arrays."""
    t = abs(t)
    near = ((a + 2) * t - (a + 3)) * t * t + 1
    far = ((a * t - 5 * a) * t + 8 * a) * t - 4 * a
    return numpy.where(t <= 1, near, numpy.where(t < 2, far, 0.0))


def _covering(length: int, count: int, step: float, mode: str) -> numpy.ndarray:
    """Return the matrix in which each new element weighs all that it covers."""
    reach = 2.0 if mode == "bicubic" else 1.0
    wide = max(step, 1.0)
    matrix = numpy.zeros((count, length))
    for i in range(count):
        centre = step * (i + 0.5)
        first = max(int(centre - reach * wide + 0.5), 0)
        last = min(int(centre + reach * wide + 0.5), length)
        t = (numpy.arange(first, last) - centre + 0.5) / wide
        weight = cubic_weight(t, -0.5) if mode == "bicubic" else numpy.maximum(1 - abs(t), 0.0)
        matrix[i, first:last] = weight / weight.sum()
    return matrix


def _matrix(length: int, taps: list[tuple[numpy.ndarray, numpy.ndarray]]) -> numpy.ndarray:
    """Return the matrix with these weights in these columns, added where they meet."""
    rows = numpy.arange(len(taps[0][0]))
    matrix = numpy.zeros((len(rows), length))
    for columns, weights in taps:
        numpy.add.at(matrix, (rows, columns), weights)
    return matrix


def upsample(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: Any = None,
) -> Tensor:
    """Return `interpolate` with the same arguments.

    >>> import stepgrad as sg
    >>> upsample(sg.tensor([[[1.0, 2.0]]]), scale_factor=2)
    tensor([[[1., 1., 2., 2.]]])
    """
    return interpolate(input, size, scale_factor, mode, align_corners)


def _images(name: str, x: Tensor, dims: int = 3) -> None:
    if not isinstance(x, Tensor):
        raise no_tensor(name, x)
    if x.ndim < dims:
        raise ShapeError(f"{name} takes (…, C, H, W), not {list(x.shape)}.")


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """Return (…, C r², H, W) as (…, C, H r, W r), r = `upscale_factor` (Shi and others, 2016).

    >>> import stepgrad as sg
    >>> pixel_shuffle(sg.tensor([1.0, 2.0, 3.0, 4.0]).reshape(4, 1, 1), 2)
    tensor([[[1., 2.],
             [3., 4.]]])
    """
    _images("pixel_shuffle", input)
    *lead, channels, height, width = input.shape
    r = upscale_factor
    if r < 1 or channels % (r * r):
        raise ShapeError(
            f"pixel_shuffle by {r} takes a multiple of {r * r} channels, not {list(input.shape)}."
        )
    n = len(lead)
    parts = input.reshape(*lead, channels // (r * r), r, r, height, width)
    order = parts.permute(*range(n), n, n + 3, n + 1, n + 4, n + 2)
    return input._copied(order.reshape(*lead, channels // (r * r), height * r, width * r))


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """Return (…, C, H r, W r) as (…, C r², H, W), r = `downscale_factor`: the inverse of `pixel_shuffle`.

    >>> import stepgrad as sg
    >>> pixel_unshuffle(sg.zeros(1, 6, 4), 2).shape
    (4, 3, 2)
    """
    _images("pixel_unshuffle", input)
    *lead, channels, height, width = input.shape
    r = downscale_factor
    if r < 1 or height % r or width % r:
        raise ShapeError(
            f"pixel_unshuffle by {r} takes sizes that are multiples of it, not {list(input.shape)}."
        )
    n = len(lead)
    parts = input.reshape(*lead, channels, height // r, r, width // r, r)
    order = parts.permute(*range(n), n, n + 2, n + 4, n + 1, n + 3)
    return input._copied(order.reshape(*lead, channels * r * r, height // r, width // r))


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Return x (N, C, …) with the channels of its groups taken in turn (Zhang and others, 2018).

    >>> import stepgrad as sg
    >>> channel_shuffle(sg.arange(4.0).reshape(1, 4, 1), 2).flatten()
    tensor([0., 2., 1., 3.])
    """
    _images("channel_shuffle", input)
    if groups < 1 or input.shape[1] % groups:
        raise ShapeError(f"channel_shuffle needs channels in {groups} equal groups, not {list(input.shape)}.")
    parts = input.reshape(input.shape[0], groups, input.shape[1] // groups, *input.shape[2:])
    return input._copied(parts.transpose(1, 2).reshape(input.shape))


__all__ = ["channel_shuffle", "interpolate", "pixel_shuffle", "pixel_unshuffle", "upsample"]
