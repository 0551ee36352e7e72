"""Convolutions: sums of products over sliding windows. Three that are each other's derivatives.

x (N, C, L…), weight (O, C / groups, K…), y (N, O, windows…). `stride` and `dilation` have an entry per
sliding dimension, `padding` a pair: how many zeros before and after.
"""

from __future__ import annotations

import math

from stepgrad.ops.record import contract
from stepgrad.ops.samples import Sample, real
from stepgrad.ops.windowing import add_windows, count_windows, windows

# The windows of so many elements are laid out at a time: they stay in the cache, and memory stays small.
_COLUMNS = 1 << 18


def padded_lengths(lengths, padding):
    """Return sizes with the zeros before and after."""
    return tuple(n + before + after for n, (before, after) in zip(lengths, padding, strict=True))


def _padded(np, x, padding):
    if not any(map(any, padding)):
        return x
    lengths = padded_lengths(x.shape[2:], padding)
    y = np.zeros((*x.shape[:2], *lengths), dtype=x.dtype)
    y[_inner(x.shape[2:], padding)] = x
    return y


def _inner(lengths, padding):
    """Return the index of what the padding surrounds."""
    return (Ellipsis, *(slice(b, b + n) for n, (b, _) in zip(lengths, padding, strict=True)))


def _columns(np, x, size, stride, dilation, groups):
    """Return the windows of padded images as matrices: (N, groups, C / groups · K…, windows)."""
    d = len(size)
    every = windows.forward(np, x, size=size, stride=stride, dilation=dilation)
    order = (0, 1, *range(2 + d, 2 + 2 * d), *range(2, 2 + d))
    rows = x.shape[1] // groups * math.prod(size)
    return every.transpose(order).reshape(x.shape[0], groups, rows, -1)


def _parts(count, each):
    """Return slices of `count` images whose columns, `each` elements per image, are laid out together."""
    step = max(1, _COLUMNS // max(each, 1))
    return [slice(i, min(i + step, count)) for i in range(0, count, step)]


def _attrs(dims=2, stride=1, padding=0, dilation=1, groups=1):
    pairs = padding if isinstance(padding, tuple) else ((padding, padding),) * dims
    return {"stride": (stride,) * dims, "padding": pairs, "dilation": (dilation,) * dims, "groups": groups}


def _onnx_attrs(weight, stride, padding, dilation, groups):
    before, after = zip(*padding, strict=True)
    attrs = {"strides": stride, "pads": (*before, *after), "dilations": dilation, "group": groups}
    return attrs | {"kernel_shape": tuple(weight.shape[2:])}


@contract
class convolution:
    """yₙₒₚ = Σ over c and k of xₙ,c,(p · stride + k · dilation) wₒ,c,ₖ + bₒ, bias (O) or None."""

    def forward(np, x, weight, bias, *, stride, padding, dilation, groups):
        x = _padded(np, x, padding)
        size, outputs = weight.shape[2:], weight.shape[0]
        counts = count_windows(x.shape[2:], size, stride, dilation)
        matrix = weight.reshape(groups, outputs // groups, -1)
        y = np.empty((x.shape[0], groups, outputs // groups, math.prod(counts)), dtype=x.dtype)
        for part in _parts(x.shape[0], groups * matrix.shape[2] * y.shape[3]):
            np.matmul(matrix, _columns(np, x[part], size, stride, dilation, groups), out=y[part])
        if bias is not None:
            y += bias.reshape(groups, outputs // groups, 1)
        return y.reshape(x.shape[0], outputs, *counts)

    def vjp(xp, g, y, x, weight, bias, *, needs, **attrs):
        gx = gw = gb = None
        if needs[0]:
            gx = xp.convolution_input(g, weight, shape=tuple(x.shape[2:]), **attrs)
        if needs[1]:
            gw = xp.convolution_weight(g, x, size=tuple(weight.shape[2:]), **attrs)
        if needs[2]:
            gb = xp.sum(g, dim=(0, *range(2, g.ndim)), keepdim=False)
        return gx, gw, gb

    def onnx(g, x, weight, bias, *, stride, padding, dilation, groups):
        return g("Conv", x, weight, bias, **_onnx_attrs(weight, stride, padding, dilation, groups))

    reads = {"x": ("weight",), "weight": ("x",), "bias": ()}
    samples = [
        Sample(real(shape=(2, 3, 5, 6)), real(shape=(4, 3, 3, 2)), real(shape=(4,)), **_attrs(padding=1)),
        Sample(real(shape=(2, 4, 7)), real(shape=(6, 2, 3)), None, **_attrs(1, 2, ((1, 2),), 1, 2)),
        Sample(real(shape=(1, 2, 6, 5)), real(shape=(3, 2, 2, 2)), None, **_attrs(dilation=2, stride=2)),
        Sample(real(shape=(1, 2, 3, 4, 3)), real(shape=(2, 2, 2, 2, 2)), real(shape=(2,)), **_attrs(3)),
        Sample(real(shape=(2, 3, 4, 4)), real(shape=(6, 1, 3, 3)), None, **_attrs(padding=1, groups=3)),
        Sample(real(shape=(2, 3, 5, 6)), real(shape=(3, 1, 3, 2)), None, **_attrs(stride=2, groups=3)),
        Sample(real(shape=(3, 3, 4, 2)), real(shape=(2, 3, 1, 1)), real(shape=(2,)), **_attrs()),
    ]


@contract
class convolution_input:
    """The derivative of a convolution by x, from that by y: sizes `shape`. A transposed convolution."""

    def forward(np, g, weight, *, shape, stride, padding, dilation, groups):
        count, outputs, *counts = g.shape
        size, channels = weight.shape[2:], weight.shape[1] * groups
        matrix = weight.reshape(groups, outputs // groups, -1).swapaxes(1, 2)
        lengths = padded_lengths(shape, padding)
        x = np.empty((count, channels, *shape), dtype=g.dtype)
        rows = g.reshape(count, groups, outputs // groups, math.prod(counts))
        d = len(size)
        order = (0, 1, *range(2 + d, 2 + 2 * d), *range(2, 2 + d))
        for part in _parts(count, groups * matrix.shape[1] * rows.shape[3]):
            columns = np.matmul(matrix, rows[part]).reshape(-1, channels, *size, *counts).transpose(order)
            whole = add_windows.forward(np, columns, shape=lengths, stride=stride, dilation=dilation)
            x[part] = whole[_inner(shape, padding)]
        return x

    def vjp(xp, g, y, x, weight, *, needs, shape, **attrs):
        gx = gw = None
        if needs[0]:
            gx = xp.convolution(g, weight, None, **attrs)
        if needs[1]:
            gw = xp.convolution_weight(x, g, size=tuple(weight.shape[2:]), **attrs)
        return gx, gw

    def onnx(g, upstream, weight, *, shape, stride, padding, dilation, groups):
        parts = zip(upstream.shape[2:], weight.shape[2:], stride, padding, dilation, strict=True)
        reached = tuple((n - 1) * s + d * (k - 1) + 1 - p for n, k, s, (p, _), d in parts)
        cut = [(p, max(r - n, 0)) for (p, _), r, n in zip(padding, reached, shape, strict=True)]
        attrs = _onnx_attrs(weight, stride, cut, dilation, 1)
        # Group by group, since not every reader of ONNX gets them right together.
        each = upstream.shape[1] // groups
        names = []
        for first in range(0, upstream.shape[1], each):
            own = slice(first, first + each)
            x = g.slice(upstream, index=(slice(None), own)) if groups > 1 else upstream
            names.append(g("ConvTranspose", x, g.slice(weight, index=(own,)), **attrs))
        y = g("Concat", *names, axis=1) if groups > 1 else names[0]
        # What no window reaches is padding.
        rest = [max(n - r, 0) for r, n in zip(reached, shape, strict=True)]
        return g("Pad", y, g.integers(*(0,) * (len(shape) + 4), *rest)) if any(rest) else y

    reads = {"g": ("weight",), "weight": ("g",)}
    samples = [
        Sample(real(shape=(2, 4, 5, 7)), real(shape=(4, 3, 3, 2)), shape=(5, 6), **_attrs(padding=1)),
        Sample(real(shape=(2, 6, 4)), real(shape=(6, 2, 3)), shape=(7,), **_attrs(1, 2, ((1, 2),), 1, 2)),
        Sample(
            real(shape=(1, 3, 2, 2)), real(shape=(3, 2, 2, 2)), shape=(6, 5), **_attrs(dilation=2, stride=2)
        ),
        Sample(real(shape=(2, 3, 2, 3)), real(shape=(3, 2, 2, 2)), shape=(4, 6), **_attrs(stride=2)),
        Sample(
            real(shape=(1, 6, 4, 4)), real(shape=(6, 1, 3, 3)), shape=(4, 4), **_attrs(padding=1, groups=3)
        ),
    ]


@contract
class convolution_weight:
    """The derivative of a convolution by the weight, from that by y and x: windows of `size`."""

    def forward(np, g, x, *, size, stride, padding, dilation, groups):
        x = _padded(np, x, padding)
        count, outputs, *counts = g.shape
        rows = g.reshape(count, groups, outputs // groups, math.prod(counts))
        depth = x.shape[1] // groups * math.prod(size)
        y = np.zeros((groups, outputs // groups, depth), dtype=g.dtype)
        for part in _parts(count, groups * max(depth * rows.shape[3], depth * rows.shape[2])):
            columns = _columns(np, x[part], size, stride, dilation, groups)
            y += np.matmul(rows[part], columns.swapaxes(2, 3)).sum(0)
        return y.reshape(outputs, x.shape[1] // groups, *size)

    def vjp(xp, g, y, upstream, x, *, needs, size, **attrs):
        gg = gx = None
        if needs[0]:
            gg = xp.convolution(x, g, None, **attrs)
        if needs[1]:
            gx = xp.convolution_input(upstream, g, shape=tuple(x.shape[2:]), **attrs)
        return gg, gx

    no_onnx = "it is the derivative of a convolution by its weight, and ONNX has none"

    reads = {"g": ("x",), "x": ("g",)}
    samples = [
        Sample(real(shape=(2, 4, 5, 7)), real(shape=(2, 3, 5, 6)), size=(3, 2), **_attrs(padding=1)),
        Sample(real(shape=(2, 6, 4)), real(shape=(2, 4, 7)), size=(3,), **_attrs(1, 2, ((1, 2),), 1, 2)),
        Sample(
            real(shape=(1, 3, 2, 2)), real(shape=(1, 2, 6, 5)), size=(2, 2), **_attrs(dilation=2, stride=2)
        ),
        Sample(
            real(shape=(1, 6, 4, 4)), real(shape=(1, 3, 4, 4)), size=(3, 3), **_attrs(padding=1, groups=3)
        ),
    ]
