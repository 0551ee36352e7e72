"""Pooling: the largest or the mean of sliding windows."""

from __future__ import annotations

import math
from typing import Any

import numpy

from stepgrad.autograd.engine import apply
from stepgrad.errors import ArgumentError, ShapeError
from stepgrad.functions.creation import tensor, zeros
from stepgrad.nn.functional.padding import pad_zeros
from stepgrad.nn.functional.sliding import check_input, check_lengths, sizes
from stepgrad.ops.registry import REGISTRY
from stepgrad.tensor import Tensor


class _Windows:
    """The windows of a pooling: checked arguments, how many there are, and the padding that they need."""

    def __init__(
        self, name: str, dims: int, x: Tensor, kernel_size: Any, stride: Any, padding: Any, dilation: Any,
        ceil_mode: bool,
    ) -> None:  # fmt: skip
        check_input(name, x, dims)
        self.dims = dims
        self.size = sizes(name, "kernel_size", kernel_size, dims)
        empty = stride is None or (isinstance(stride, (tuple, list)) and not stride)
        self.stride = self.size if empty else sizes(name, "stride", stride, dims)
        self.padding = sizes(name, "padding", padding, dims, 0)
        self.dilation = sizes(name, "dilation", dilation, dims)
        self.lengths = x.shape[x.ndim - dims :]
        reach = [d * (k - 1) + 1 for k, d in zip(self.size, self.dilation, strict=True)]
        if any(p > r // 2 for p, r in zip(self.padding, reach, strict=True)):
            raise ArgumentError(
                f"{name} needs a padding of at most half a window {list(self.size)}, not "
                f"{list(self.padding)}."
            )
        padded = tuple(n + 2 * p for n, p in zip(self.lengths, self.padding, strict=True))
        if not ceil_mode:
            check_lengths(name, x, padded, self.size, self.dilation)
        steps = zip(padded, reach, self.stride, strict=True)
        self.counts = tuple((-((r - n) // s) if ceil_mode else (n - r) // s) + 1 for n, r, s in steps)
        if ceil_mode:
            # A window starts in the input or in the zeros before it, not in those after.
            ends = zip(self.counts, self.stride, self.lengths, self.padding, strict=True)
            self.counts = tuple(c - ((c - 1) * s >= n + p) for c, s, n, p in ends)
        if any(c < 1 for c in self.counts):
            raise ShapeError(f"{name} of {list(x.shape)} has no windows of {list(self.size)}.")
        # So that exactly these windows fit.
        parts = zip(self.counts, self.stride, reach, self.lengths, self.padding, strict=True)
        self.pairs = [(p, (c - 1) * s + r - n - p) for c, s, r, n, p in parts]
        self.attrs = {"size": self.size, "stride": self.stride, "dilation": self.dilation}


def _largest(
    name: str, dims: int, x: Tensor, kernel_size: Any, stride: Any, padding: Any, dilation: Any,
    ceil_mode: bool, return_indices: bool,
) -> Any:  # fmt: skip
    w = _Windows(name, dims, x, kernel_size, stride, padding, dilation, ceil_mode)
    kind = x._array.dtype
    lowest = -math.inf if kind.kind == "f" else numpy.iinfo(kind).min
    padded = pad_zeros(x, w.pairs, lowest)
    y = apply(REGISTRY["max_pool"], padded, **w.attrs)
    return (y, _flat_indices(w, padded)) if return_indices else y


def _flat_indices(w: _Windows, padded: Tensor) -> Tensor:
    """Return where each largest element lies in the flattened sliding dimensions of the unpadded input."""
    place = apply(REGISTRY["window_argmax"], padded.detach(), **w.attrs)
    steps = [math.prod(w.lengths[i + 1 :]) for i in range(w.dims)]
    within = numpy.zeros(w.size, "int64")
    first = numpy.zeros(w.counts, "int64")
    for i, step in enumerate(steps):
        along = tuple(-1 if j == i else 1 for j in range(w.dims))
        within = within + (numpy.arange(w.size[i]) * w.dilation[i] * step).reshape(along)
        first = first + ((numpy.arange(w.counts[i]) * w.stride[i] - w.padding[i]) * step).reshape(along)
    return tensor(within.reshape(-1))[place] + tensor(first)


def max_pool1d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
    ceil_mode: bool = False, return_indices: bool = False,
) -> Any:  # fmt: skip
    """Return the largest of each window of x (N, C, L) or (C, L).

    `stride`: the size of a window if not given. `padding`: so many −∞ at both ends. `ceil_mode`: also a last
    window that the input does not fill. With `return_indices` a pair, the second int64: where the largest
    lies in L. Raises `ArgumentError` or `ShapeError` for sizes that do not fit.

    >>> import stepgrad as sg
    >>> max_pool1d(sg.tensor([[1.0, 3.0, 2.0, 0.0]]), 2)
    tensor([[3., 2.]])
    """
    return _largest("max_pool1d", 1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool2d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
    ceil_mode: bool = False, return_indices: bool = False,
) -> Any:  # fmt: skip
    """Return the largest of each window of x (N, C, H, W) or (C, H, W). As `max_pool1d`; indices in H · W.

    >>> import stepgrad as sg
    >>> max_pool2d(sg.arange(16.0).reshape(1, 4, 4), 2)
    tensor([[[ 5.,  7.],
             [13., 15.]]])
    """
    return _largest("max_pool2d", 2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool3d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
    ceil_mode: bool = False, return_indices: bool = False,
) -> Any:  # fmt: skip
    """Return the largest of each window of x (N, C, D, H, W) or (C, D, H, W). As `max_pool1d`.

    >>> import stepgrad as sg
    >>> max_pool3d(sg.arange(8.0).reshape(1, 2, 2, 2), 2)
    tensor([[[[7.]]]])
    """
    return _largest("max_pool3d", 3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def _averaged(
    name: str, dims: int, x: Tensor, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool,
    count_include_pad: bool, divisor: int | None,
) -> Tensor:  # fmt: skip
    w = _Windows(name, dims, x, kernel_size, stride, padding, 1, ceil_mode)
    total = apply(REGISTRY["sum_pool"], pad_zeros(x, w.pairs), **w.attrs)
    if divisor is not None:
        if not divisor:
            raise ArgumentError(f"{name} needs a divisor_override that is not 0.")
        return total / divisor
    counts: numpy.ndarray = numpy.ones((), x._array.dtype)
    for i in range(dims):
        n, p = w.lengths[i], w.padding[i]
        start = numpy.arange(w.counts[i]) * w.stride[i]
        stop = start + w.size[i]
        low, high = (0, n + 2 * p) if count_include_pad else (p, n + p)
        here = numpy.minimum(stop, high) - numpy.maximum(start, low)
        counts = counts * here.reshape(-1, *(1,) * (dims - 1 - i))
    if (counts == counts.flat[0]).all():
        return total / float(counts.flat[0])
    return total / tensor(counts.astype(x._array.dtype))


def avg_pool1d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:  # fmt: skip
    """Return the mean of each window of x (N, C, L) or (C, L).

    `stride`: the size of a window if not given. `padding`: zeros at both ends, which count unless
    `count_include_pad` is False. `ceil_mode`: also a last window that the input does not fill.

    >>> import stepgrad as sg
    >>> avg_pool1d(sg.tensor([[1.0, 3.0, 2.0, 0.0]]), 2)
    tensor([[2., 1.]])
    """
    return _averaged("avg_pool1d", 1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


def avg_pool2d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Tensor:  # fmt: skip
    """Return the mean of each window of x (N, C, H, W) or (C, H, W); as `avg_pool1d`.

    With `divisor_override` the sum divided by that number.

    >>> import stepgrad as sg
    >>> avg_pool2d(sg.arange(16.0).reshape(1, 4, 4), 2)
    tensor([[[ 2.5000,  4.5000],
             [10.5000, 12.5000]]])
    """
    return _averaged(
        "avg_pool2d", 2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


def avg_pool3d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Tensor:  # fmt: skip
    """Return the mean of each window of x (N, C, D, H, W) or (C, D, H, W); as `avg_pool2d`.

    >>> import stepgrad as sg
    >>> avg_pool3d(sg.arange(8.0).reshape(1, 2, 2, 2), 2)
    tensor([[[[3.5000]]]])
    """
    return _averaged(
        "avg_pool3d", 3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


def _powered(
    name: str, dims: int, x: Tensor, norm_type: float, kernel_size: Any, stride: Any, ceil_mode: bool
) -> Tensor:
    size = sizes(name, "kernel_size", kernel_size, dims)
    mean = _averaged(name, dims, x**norm_type, size, stride, 0, ceil_mode, True, None)
    return ((mean.sign() * mean.abs().relu()) * float(math.prod(size))) ** (1.0 / norm_type)


def lp_pool1d(
    input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
) -> Tensor:
    """Return (Σ xᵖ)^(1/p), p = `norm_type`, of each window of x (N, C, L) or (C, L).

    >>> import stepgrad as sg
    >>> lp_pool1d(sg.tensor([[3.0, 4.0]]), 2, 2)
    tensor([[5.]])
    """
    return _powered("lp_pool1d", 1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(
    input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
) -> Tensor:
    """Return (Σ xᵖ)^(1/p), p = `norm_type`, of each window of x (N, C, H, W) or (C, H, W).

    >>> import stepgrad as sg
    >>> lp_pool2d(sg.tensor([[[3.0, 4.0], [0.0, 0.0]]]), 2, 2)
    tensor([[[5.]]])
    """
    return _powered("lp_pool2d", 2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(
    input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
) -> Tensor:
    """Return (Σ xᵖ)^(1/p), p = `norm_type`, of each window of x (N, C, D, H, W) or (C, D, H, W).

    >>> import stepgrad as sg
    >>> lp_pool3d(sg.tensor([[[[3.0, 4.0], [0.0, 0.0]]]]), 2, (1, 2, 2))
    tensor([[[[5.]]]])
    """
    return _powered("lp_pool3d", 3, input, norm_type, kernel_size, stride, ceil_mode)


def _unpooled(
    name: str, dims: int, x: Tensor, indices: Tensor, kernel_size: Any, stride: Any, padding: Any,
    output_size: Any,
) -> Tensor:  # fmt: skip
    check_input(name, x, dims)
    if indices.shape != x.shape:
        raise ShapeError(f"{name} needs an index per element of {list(x.shape)}, not {list(indices.shape)}.")
    size = sizes(name, "kernel_size", kernel_size, dims)
    stride = size if stride is None else sizes(name, "stride", stride, dims)
    padding = sizes(name, "padding", padding, dims, 0)
    parts = zip(x.shape[x.ndim - dims :], size, stride, padding, strict=True)
    shape = tuple((n - 1) * s - 2 * p + k for n, k, s, p in parts)
    if output_size is not None:
        given = tuple(output_size)[-dims:]
        if any(abs(g - n) >= s for g, n, s in zip(given, shape, stride, strict=True)):
            raise ShapeError(
                f"{name} makes sizes of {list(shape)} ± less than a stride {list(stride)}, not {list(given)}."
            )
        shape = given
    lead = x.shape[: x.ndim - dims]
    rows = math.prod(lead)
    empty = zeros(rows, math.prod(shape), dtype=x.dtype, device=x.device)
    row = tensor(numpy.arange(rows).reshape(-1, 1))
    values, places = x.reshape(rows, -1), indices.reshape(rows, -1)
    spec = ("tensor", "tensor")
    y = apply(REGISTRY["index_put"], empty, values, row, places, spec=spec, accumulate=False)
    return y.reshape(*lead, *shape)


def max_unpool1d(
    input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0,
    output_size: Any = None,
) -> Tensor:  # fmt: skip
    """Return zeros with x put where `indices` (from `max_pool1d`) point.

    >>> import stepgrad as sg
    >>> y, i = max_pool1d(sg.tensor([[1.0, 3.0, 2.0, 0.0]]), 2, return_indices=True)
    >>> max_unpool1d(y, i, 2)
    tensor([[0., 3., 2., 0.]])
    """
    return _unpooled("max_unpool1d", 1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(
    input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0,
    output_size: Any = None,
) -> Tensor:  # fmt: skip
    """Return zeros with x put where `indices` (from `max_pool2d`) point.

    >>> import stepgrad as sg
    >>> pooled, indices = max_pool2d(sg.tensor([[[1.0, 2.0], [4.0, 3.0]]]), 2, return_indices=True)
    >>> max_unpool2d(pooled, indices, 2)
    tensor([[[0., 0.],
             [4., 0.]]])
    """
    return _unpooled("max_unpool2d", 2, input, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(
    input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0,
    output_size: Any = None,
) -> Tensor:  # fmt: skip
    """Return zeros with x put where `indices` (from `max_pool3d`) point.

    >>> import stepgrad as sg
    >>> pooled, indices = max_pool3d(sg.arange(8.0).reshape(1, 2, 2, 2), 2, return_indices=True)
    >>> max_unpool3d(pooled, indices, 2).flatten()
    tensor([0., 0., 0., 0., 0., 0., 0., 7.])
    """
    return _unpooled("max_unpool3d", 3, input, indices, kernel_size, stride, padding, output_size)


def local_response_norm(
    input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """Return x / (k + α/size Σ x²)^β, summed over `size` neighbouring channels (Krizhevsky, Sutskever and
    Hinton, 2012). x (N, C, …) → the same shape.

    >>> import stepgrad as sg
    >>> local_response_norm(sg.ones(1, 3, 1), 3, alpha=3.0)
    tensor([[[0.4387],
             [0.3536],
             [0.4387]]])
    """
    if input.ndim < 3:
        raise ShapeError(
            f"local_response_norm takes (N, C, …) of 3 or more dimensions, not {list(input.shape)}."
        )
    squares = (input * input).transpose(1, -1)
    padded = pad_zeros(squares, [(size // 2, (size - 1) // 2)])
    attrs = {"size": (size,), "stride": (1,), "dilation": (1,)}
    total = apply(REGISTRY["sum_pool"], padded, **attrs).transpose(1, -1)
    return input / (total * (alpha / size) + k) ** beta


__all__ = [
    "avg_pool1d", "avg_pool2d", "avg_pool3d", "local_response_norm", "lp_pool1d", "lp_pool2d", "lp_pool3d",
    "max_pool1d", "max_pool2d", "max_pool3d", "max_unpool1d", "max_unpool2d", "max_unpool3d",
]  # fmt: skip
