"""Views by strides: diagonals, and elements at fixed distances in memory."""

from __future__ import annotations

import math

from stepgrad.errors import ArgumentError, ShapeError
from stepgrad.ops.record import gather, view
from stepgrad.ops.samples import Sample, real


def _on_diagonal(shape, offset):
    """Return how many elements a diagonal of the last two dimensions has, and the slice that takes them
    where these two are one.
    """
    rows, columns = shape[-2:]
    count = max(min(rows + min(offset, 0), columns - max(offset, 0)), 0)
    first = max(-offset, 0) * columns + max(offset, 0)
    return count, slice(first, first + (count - 1) * (columns + 1) + 1, columns + 1) if count else slice(0, 0)


@view
class diagonal:
    """The diagonals of the last two dimensions, `offset` above the main one: yᵢ = x[…, i, i + offset]."""

    def forward(np, x, *, offset):
        count, _ = _on_diagonal(x.shape, offset)
        start = x[..., max(-offset, 0) :, max(offset, 0) :] if count else x
        *between, row, column = x.strides
        shape, strides = (*x.shape[:-2], count), (*between, row + column)
        return np.lib.stride_tricks.as_strided(start, shape, strides)

    def vjp(xp, g, y, x, *, needs, offset):
        shape = tuple(x.shape)
        flat = (*shape[:-2], shape[-2] * shape[-1])
        placed = xp.place(g, shape=flat, index=(Ellipsis, _on_diagonal(shape, offset)[1]))
        return (xp.reshape(placed, shape=shape),)

    def put(xp, x, value, *, offset):
        shape = tuple(x.shape)
        flat = xp.reshape(x, shape=(*shape[:-2], shape[-2] * shape[-1]))
        spec = (Ellipsis, _on_diagonal(shape, offset)[1])
        return xp.reshape(xp.index_put(flat, value, spec=spec, accumulate=False), shape=shape)

    def onnx(g, x, *, offset):
        shape = tuple(x.shape)
        flat = g.reshape(x, shape=(*shape[:-2], shape[-2] * shape[-1]))
        return g.slice(flat, index=(Ellipsis, _on_diagonal(shape, offset)[1]))

    samples = [
        Sample(real(shape=(3, 4)), offset=0),
        Sample(real(shape=(2, 4, 3)), offset=-1),
        Sample(real(shape=(2, 4, 3)), offset=2),
    ]


def _at_strides(np, flat, size, stride, offset):
    """Return the elements of a vector `stride` apart, from `offset` on, in shape `size`."""
    if len(size) != len(stride) or offset < 0 or any(n < 0 for n in (*size, *stride)):
        raise ArgumentError(
            f"as_strided takes a size and a stride, 0 or more, for each dimension, not {size} and {stride}, "
            f"from {offset}."
        )
    last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    if 0 not in size and last >= flat.size:
        raise ShapeError(
            f"as_strided with size {list(size)} and stride {list(stride)} from {offset} reaches element "
            f"{last} of {flat.size}."
        )
    start = flat[offset:] if offset < flat.size else flat
    return np.lib.stride_tricks.as_strided(start, size, tuple(s * flat.strides[0] for s in stride))


def ones_like(xp, x):
    """Return ones in the shape of x, where x is."""
    return xp.cast(xp.logical_or(xp.isnan(x), xp.eq(x, x)), dtype="int64")


@view
class as_strided:
    """The elements of x, counted in row-major order, `stride` apart, from `offset` on, in shape `size`."""

    def forward(np, x, *, size, stride, offset):
        return _at_strides(np, x.reshape(-1), size, stride, offset)

    def vjp(xp, g, y, x, *, needs, size, stride, offset):
        return (xp.add_strided(g, shape=tuple(x.shape), stride=stride, offset=offset),)

    def put(xp, x, value, *, size, stride, offset):
        where = {"shape": tuple(x.shape), "stride": stride, "offset": offset}
        return xp.where(xp.add_strided(ones_like(xp, value), **where) > 0, xp.add_strided(value, **where), x)

    def onnx(g, x, *, size, stride, offset):
        import numpy

        places = _at_strides(numpy, numpy.arange(math.prod(x.shape)), size, stride, offset)
        return g("Gather", g.reshape(x, shape=(math.prod(x.shape),)), places, axis=0)

    samples = [
        Sample(real(shape=(3, 4)), size=(2, 3), stride=(5, 1), offset=1),
        Sample(real(shape=(7,)), size=(3, 3), stride=(2, 1), offset=0),
    ]


@gather
class add_strided:
    """Zeros of `shape` with x added where `as_strided` takes: its adjoint."""

    promotes, reads = None, ()

    def forward(np, x, *, shape, stride, offset):
        y = np.zeros(math.prod(shape), dtype=x.dtype)
        np.add.at(y, _at_strides(np, np.arange(y.size), x.shape, stride, offset), x)
        return y.reshape(shape)

    def vjp(xp, g, y, x, *, needs, shape, stride, offset):
        return (xp.as_strided(g, size=tuple(x.shape), stride=stride, offset=offset),)

    no_onnx = "it is an operation of derivatives"
    samples = [
        Sample(real(shape=(2, 3)), shape=(3, 4), stride=(5, 1), offset=1),
        Sample(real(shape=(3, 3)), shape=(7,), stride=(2, 1), offset=0),
    ]
