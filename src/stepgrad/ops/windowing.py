"""Sliding windows over the last dimensions: what convolutions and pooling are made of.

With sizes L, windows of size K, `stride` s and `dilation` d there are O = ⌊(L − d (K − 1) − 1) / s⌋ + 1
windows;
element k of window o is element o s + k d. Each is a tuple with an entry per dimension that is slid over.
"""

from __future__ import annotations

import itertools
import math

import numpy as np

from stepgrad.ops.record import composite, gather, view
from stepgrad.ops.samples import Sample, integer, real
from stepgrad.ops.strided import ones_like

# From so many elements in a window on, they are searched at once instead of one after the other.
_LARGE_WINDOW = 64


def count_windows(lengths, size, stride, dilation):
    """Return how many windows there are in each dimension."""
    return tuple(
        max((length - d * (k - 1) - 1) // s + 1, 0)
        for length, k, s, d in zip(lengths, size, stride, dilation, strict=True)
    )


def places_in(size):
    """Return the places of a window in row-major order, each as a tuple."""
    return list(itertools.product(*map(range, size)))


def elements_at(place, counts, stride, dilation):
    """Return the index that takes, of every window, the element at one place of it."""
    slices = zip(place, counts, stride, dilation, strict=True)
    return (Ellipsis, *(slice(k * d, k * d + (n - 1) * s + 1, s) for k, n, s, d in slices))


def _slid(x, size):
    return x.shape[x.ndim - len(size) :]


@view
class windows:
    """Windows over the last dimensions: x (…, L…) → (…, O…, K…). Windows that overlap share elements."""

    def forward(np, x, *, size, stride, dilation):
        lead = x.ndim - len(size)
        counts = count_windows(x.shape[lead:], size, stride, dilation)
        steps = x.strides[lead:]
        between = tuple(n * s for n, s in zip(steps, stride, strict=True))
        within = tuple(n * d for n, d in zip(steps, dilation, strict=True))
        shape, strides = (*x.shape[:lead], *counts, *size), (*x.strides[:lead], *between, *within)
        return np.lib.stride_tricks.as_strided(x, shape, strides)

    def vjp(xp, g, y, x, *, needs, size, stride, dilation):
        return (xp.add_windows(g, shape=tuple(_slid(x, size)), stride=stride, dilation=dilation),)

    def put(xp, x, value, *, size, stride, dilation):
        where = {"shape": tuple(_slid(x, size)), "stride": stride, "dilation": dilation}
        return xp.where(xp.add_windows(ones_like(xp, value), **where) > 0, xp.add_windows(value, **where), x)

    def onnx(g, x, *, size, stride, dilation):
        lead = x.ndim - len(size)
        counts = count_windows(_slid(x, size), size, stride, dilation)
        y = x
        for i in reversed(range(len(size))):
            starts = np.arange(counts[i])[:, None] * stride[i]
            y = g("Gather", y, starts + np.arange(size[i]) * dilation[i], axis=lead + i)
        pairs = range(lead, lead + 2 * len(size))
        return g("Transpose", y, perm=[*range(lead), *pairs[::2], *pairs[1::2]])

    samples = [
        Sample(real(shape=(2, 7)), size=(3,), stride=(2,), dilation=(1,)),
        Sample(real(shape=(2, 5, 6)), size=(2, 3), stride=(1, 2), dilation=(2, 1)),
        Sample(real(shape=(4, 6)), size=(2, 2), stride=(2, 2), dilation=(1, 1)),
    ]


@gather
class add_windows:
    """Zeros of sizes `shape` with windows (…, O…, K…) added where they lie: the adjoint of `windows`."""

    promotes, reads = None, ()

    def forward(np, x, *, shape, stride, dilation):
        d = len(shape)
        counts, size = x.shape[x.ndim - 2 * d : x.ndim - d], x.shape[x.ndim - d :]
        y = np.zeros((*x.shape[: x.ndim - 2 * d], *shape), dtype=x.dtype)
        if 0 not in counts:
            for place in places_in(size):
                y[elements_at(place, counts, stride, dilation)] += x[(Ellipsis, *place)]
        return y

    def vjp(xp, g, y, x, *, needs, shape, stride, dilation):
        size = tuple(x.shape[x.ndim - len(shape) :])
        return (xp.windows(g, size=size, stride=stride, dilation=dilation),)

    def onnx(g, x, *, shape, stride, dilation):
        d = len(shape)
        counts, size = x.shape[x.ndim - 2 * d : x.ndim - d], x.shape[x.ndim - d :]
        whole, y = (*x.shape[: x.ndim - 2 * d], *shape), None
        for place in places_in(size):
            part = g.slice(x, index=(Ellipsis, *place))
            part = g.place(part, shape=whole, index=elements_at(place, counts, stride, dilation))
            y = part if y is None else y + part
        return y

    samples = [
        Sample(real(shape=(2, 3, 3)), shape=(8,), stride=(2,), dilation=(1,)),
        Sample(real(shape=(2, 3, 2, 2, 3)), shape=(5, 6), stride=(1, 2), dilation=(2, 1)),
        Sample(real(shape=(2, 3, 2, 2)), shape=(4, 6), stride=(2, 2), dilation=(1, 1)),
    ]


@gather
class window_argmax:
    """The place (int64, row-major in the window) of the largest element of each window: the first of them;
    or of the last NaN.
    """

    promotes = None

    def forward(np, x, *, size, stride, dilation):
        if math.prod(size) >= _LARGE_WINDOW:
            every = _flat_windows(np, x, size, stride, dilation)
            return np.argmax(every, axis=-1).astype("int64")
        counts = count_windows(_slid(x, size), size, stride, dilation)
        every = [x[elements_at(p, counts, stride, dilation)] for p in places_in(size)]
        largest = max_pool.forward(np, x, size=size, stride=stride, dilation=dilation)
        at = np.zeros(largest.shape, "uint8")
        # How many elements come before the first that is the largest; of NaNs the last counts, as in PyTorch.
        for here in reversed(every[:-1]):
            at += 1
            at *= here != largest
        if x.dtype.kind == "f" and np.isnan(np.min(largest, initial=0)):
            for k, here in enumerate(every):
                np.copyto(at, k, where=here != here)
        return at.astype("int64")

    def onnx(g, x, *, size, stride, dilation):
        every = _onnx_windows(g, x, size, stride, dilation)
        return g.argmax(every, dim=x.ndim, keepdim=False)

    samples = [
        Sample(real(shape=(2, 7)), size=(3,), stride=(2,), dilation=(1,)),
        Sample(real(shape=(2, 5, 6)), size=(2, 3), stride=(1, 2), dilation=(2, 1)),
        Sample(real(shape=(1, 8, 9)), size=(8, 8), stride=(1, 1), dilation=(1, 1)),
    ]


def _onnx_windows(g, x, size, stride, dilation):
    every = g.windows(x, size=size, stride=stride, dilation=dilation)
    return g.reshape(every, shape=(*every.shape[: x.ndim], math.prod(size)))


def _flat_windows(np, x, size, stride, dilation):
    every = windows.forward(np, x, size=size, stride=stride, dilation=dilation)
    return every.reshape(*every.shape[: x.ndim], math.prod(size))


@gather
class window_pick:
    """Of each window the element at the place `index` (…, O…)."""

    promotes = None

    def forward(np, x, index, *, size, stride, dilation):
        if math.prod(size) >= _LARGE_WINDOW:
            every = _flat_windows(np, x, size, stride, dilation)
            return np.take_along_axis(every, index[..., None], axis=-1)[..., 0]
        counts = count_windows(_slid(x, size), size, stride, dilation)
        first, *rest = (x[elements_at(p, counts, stride, dilation)] for p in places_in(size))
        y = first.copy()
        for k, here in enumerate(rest, 1):
            np.copyto(y, here, where=index == k)
        return y

    def vjp(xp, g, y, x, index, *, needs, size, stride, dilation):
        shape = tuple(_slid(x, size))
        return xp.window_put(g, index, shape=shape, size=size, stride=stride, dilation=dilation), None

    def onnx(g, x, index, *, size, stride, dilation):
        every = _onnx_windows(g, x, size, stride, dilation)
        picked = g.take_along(every, g.reshape(index, shape=(*index.shape, 1)), dim=x.ndim)
        return g.reshape(picked, shape=index.shape)

    reads = ("index",)
    samples = [
        Sample(real(shape=(2, 7)), integer(0, 3, (2, 3)), size=(3,), stride=(2,), dilation=(1,)),
        Sample(real(shape=(2, 5, 6)), integer(0, 6, (2, 3, 2)), size=(2, 3), stride=(1, 2), dilation=(2, 1)),
        Sample(real(shape=(2, 4, 6)), integer(0, 4, (2, 2, 3)), size=(2, 2), stride=(2, 2), dilation=(1, 1)),
    ]


@gather
class window_put:
    """Zeros of sizes `shape` with x (…, O…) added at the place `index` of each window."""

    promotes = None

    def forward(np, x, index, *, shape, size, stride, dilation):
        counts = x.shape[x.ndim - len(shape) :]
        y = np.zeros((*x.shape[: x.ndim - len(shape)], *shape), dtype=x.dtype)
        if 0 in counts:
            return y
        apart = all(s >= d * (k - 1) + 1 for k, s, d in zip(size, stride, dilation, strict=True))
        index = index.astype("uint8") if math.prod(size) <= 256 else index
        for k, place in enumerate(places_in(size)):
            here = elements_at(place, counts, stride, dilation)
            chosen = np.where(index == k, x, x.dtype.type(0))
            if apart:
                y[here] = chosen
            else:
                y[here] += chosen
        return y

    def vjp(xp, g, y, x, index, *, needs, shape, size, stride, dilation):
        return xp.window_pick(g, index, size=size, stride=stride, dilation=dilation), None

    def onnx(g, x, index, *, shape, size, stride, dilation):
        ones = (1,) * len(size)
        places = g.leaf(np.arange(math.prod(size)).reshape(size))
        chosen = g.reshape(index, shape=(*index.shape, *ones)) == places
        every = g.where(chosen, g.reshape(x, shape=(*x.shape, *ones)), g.number(0, x.dtype))
        return g.add_windows(every, shape=shape, stride=stride, dilation=dilation)

    reads = ("index",)
    samples = [
        Sample(real(shape=(2, 3)), integer(0, 3, (2, 3)), shape=(7,), size=(3,), stride=(2,), dilation=(1,)),
        Sample(
            real(shape=(2, 3, 2)), integer(0, 6, (2, 3, 2)),
            shape=(5, 6), size=(2, 3), stride=(1, 2), dilation=(2, 1),
        ),
        Sample(
            real(shape=(2, 2, 3)), integer(0, 4, (2, 2, 3)),
            shape=(4, 6), size=(2, 2), stride=(2, 2), dilation=(1, 1),
        ),
    ]  # fmt: skip


@composite
class max_pool:
    """The largest element of each window; of several the first has the gradient, as in PyTorch."""

    promotes = None

    def expand(xp, x, *, size, stride, dilation):
        index = xp.window_argmax(x, size=size, stride=stride, dilation=dilation)
        return xp.window_pick(x, index, size=size, stride=stride, dilation=dilation)

    def forward(np, x, *, size, stride, dilation):
        if math.prod(size) >= _LARGE_WINDOW:
            return np.maximum.reduce(_flat_windows(np, x, size, stride, dilation), axis=-1)
        counts = count_windows(_slid(x, size), size, stride, dilation)
        first, *rest = (x[elements_at(p, counts, stride, dilation)] for p in places_in(size))
        y = first.copy()
        for here in rest:
            np.maximum(y, here, out=y)
        return y

    def vjp(xp, g, y, x, *, needs, size, stride, dilation):
        index = xp.window_argmax(x, size=size, stride=stride, dilation=dilation)
        shape = tuple(_slid(x, size))
        return (xp.window_put(g, index, shape=shape, size=size, stride=stride, dilation=dilation),)

    def onnx(g, x, *, size, stride, dilation):
        if x.ndim - len(size) == 2 and len(size) <= 3:
            return g("MaxPool", x, kernel_shape=size, strides=stride, dilations=dilation)
        return max_pool.expand(g, x, size=size, stride=stride, dilation=dilation)

    reads = ("x",)
    samples = [
        Sample(real(shape=(2, 7)), size=(3,), stride=(2,), dilation=(1,)),
        Sample(real(shape=(2, 3, 5, 6)), size=(2, 3), stride=(1, 2), dilation=(2, 1)),
        Sample(real(shape=(2, 3, 4, 6)), size=(2, 2), stride=(2, 2), dilation=(1, 1)),
    ]


@composite
class sum_pool:
    """The sum of each window."""

    promotes = None

    def expand(xp, x, *, size, stride, dilation):
        every = xp.windows(x, size=size, stride=stride, dilation=dilation)
        return xp.sum(every, dim=tuple(range(x.ndim, x.ndim + len(size))), keepdim=False)

    def forward(np, x, *, size, stride, dilation):
        wide = x.astype(np.float32) if x.dtype.char == "e" else x
        if math.prod(size) >= _LARGE_WINDOW:
            every = windows.forward(np, wide, size=size, stride=stride, dilation=dilation)
            return np.add.reduce(every, axis=tuple(range(x.ndim, every.ndim))).astype(x.dtype, copy=False)
        counts = count_windows(_slid(x, size), size, stride, dilation)
        first, *rest = (wide[elements_at(p, counts, stride, dilation)] for p in places_in(size))
        y = first.copy()
        for here in rest:
            y += here
        return y.astype(x.dtype, copy=False)

    def vjp(xp, g, y, x, *, needs, size, stride, dilation):
        ones = (1,) * len(size)
        every = xp.expand(xp.reshape(g, shape=(*g.shape, *ones)), shape=(*g.shape, *size))
        return (xp.add_windows(every, shape=tuple(_slid(x, size)), stride=stride, dilation=dilation),)

    reads = ()
    samples = max_pool.samples
