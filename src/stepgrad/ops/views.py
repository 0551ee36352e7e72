"""Views and joins: the same numbers in another arrangement."""

from __future__ import annotations

from stepgrad.ops import onnx_forms as forms
from stepgrad.ops.record import gather, view
from stepgrad.ops.samples import Sample, real


@view
class reshape:
    """The same numbers, in row-major order, in another shape."""

    def forward(np, x, *, shape):
        return x.reshape(shape)

    def vjp(xp, g, y, x, *, needs, shape):
        return (xp.reshape(g, shape=tuple(x.shape)),)

    def put(xp, x, value, *, shape):
        return xp.reshape(value, shape=tuple(x.shape))

    def onnx(g, x, *, shape):
        return g("Reshape", x, g.new_shape(shape), allowzero=int(0 in shape))

    samples = [
        Sample(real(), shape=(2, 6)),
        Sample(real(shape=()), shape=(1, 1)),
        Sample(real(), shape=(12,)),
    ]


@view
class detach:
    """x itself, through which no gradient flows."""

    def forward(np, x):
        return x

    def put(xp, x, value):
        return value

    def onnx(g, x):
        return x

    samples = [Sample(real())]


@view
class permute:
    """The dimensions in another order."""

    def forward(np, x, *, dims):
        return x.transpose(dims)

    def vjp(xp, g, y, x, *, needs, dims):
        return (permute.put(xp, x, g, dims=dims),)

    def put(xp, x, value, *, dims):
        return xp.permute(value, dims=tuple(dims.index(i) for i in range(len(dims))))

    def onnx(g, x, *, dims):
        return g("Transpose", x, perm=list(dims))

    samples = [Sample(real(shape=(2, 3, 4)), dims=(2, 0, 1)), Sample(real(), dims=(1, 0))]


@view
class expand:
    """Dimensions of length 1, and new ones in front, repeated."""

    def forward(np, x, *, shape):
        extra = len(shape) - x.ndim
        # Where nothing is repeated the result can be written to, unlike what NumPy broadcasts.
        is_whole = tuple(shape) == (1,) * extra + x.shape
        return x[(None,) * extra + (Ellipsis,)] if is_whole else np.broadcast_to(x, shape)

    def vjp(xp, g, y, x, *, needs, shape):
        return (xp.sum_to(g, shape=tuple(x.shape)),)

    def put(xp, x, value, *, shape):
        return xp.reshape(value, shape=tuple(x.shape))

    def onnx(g, x, *, shape):
        return g("Expand", x, g.sizes(shape))

    samples = [
        Sample(real(shape=(3, 1)), shape=(2, 3, 4)),
        Sample(real(shape=()), shape=(2,)),
        Sample(real(shape=(3,)), shape=(1, 3)),
    ]


@view
class flip:
    """Dimensions in reverse, as a copy: strides of tensors are not negative."""

    is_view = False

    def seen(np, x, *, dims):
        return np.flip(x, dims) if x.ndim else x

    def forward(np, x, *, dims):
        return flip.seen(np, x, dims=dims).copy()

    def vjp(xp, g, y, x, *, needs, dims):
        return (xp.flip(g, dims=dims),)

    def onnx(g, x, *, dims):
        reverse = [slice(None, None, -1) if i in dims else slice(None) for i in range(x.ndim)]
        return forms.sliced(g, x, tuple(reverse))

    samples = [Sample(real(), dims=(1,)), Sample(real(), dims=(0, 1))]


@view
class slice_:
    """A part of a tensor by integers, slices, None (a new dimension) and Ellipsis."""

    def forward(np, x, *, index):
        y = x[index]
        # NumPy hands out a lone element as a copy; with an Ellipsis it is a view like any other.
        return y if isinstance(y, np.ndarray) else x[(*index, Ellipsis)]

    def vjp(xp, g, y, x, *, needs, index):
        return (xp.place(g, shape=tuple(x.shape), index=index),)

    def put(xp, x, value, *, index):
        return xp.index_put(x, value, spec=index, accumulate=False)

    def onnx(g, x, *, index):
        return forms.sliced(g, x, index)

    samples = [
        Sample(real(), index=(slice(1, None), slice(None, None, 2))),
        Sample(real(), index=(0,)),
        Sample(real(), index=(Ellipsis, None, 1)),
    ]


@gather
class place:
    """Zeros of `shape`, or the number `fill`, with x at `index`: what a slice takes, put back."""

    promotes, reads = None, ()

    def forward(np, x, *, shape, index, fill=0):
        y = np.full(shape, fill, dtype=x.dtype) if fill else np.zeros(shape, dtype=x.dtype)
        y[index] = x
        return y

    def vjp(xp, g, y, x, *, needs, shape, index, fill=0):
        return (xp.slice(g, index=index),)

    def onnx(g, x, *, shape, index, fill=0):
        return forms.placed(g, x, shape, index, g.number(fill, x.dtype))

    samples = [
        Sample(real(shape=(2, 2)), shape=(3, 4), index=(slice(1, None), slice(None, None, 2))),
        Sample(real(shape=(2, 2)), shape=(3, 4), index=(slice(1, None), slice(1, 3)), fill=1.5),
    ]


@gather
class cat:
    """Tensors joined along the dimension `dim`."""

    promotes, reads = "same", ()

    def forward(np, *parts, dim):
        return np.concatenate(parts, axis=dim)

    def vjp(xp, g, y, *parts, needs, dim):
        gradients, start = [], 0
        for part, need in zip(parts, needs, strict=True):
            stop = start + part.shape[dim]
            index = (slice(None),) * dim + (slice(start, stop),)
            gradients.append(xp.slice(g, index=index) if need else None)
            start = stop
        return tuple(gradients)

    def onnx(g, *parts, dim):
        return g("Concat", *parts, axis=dim)

    samples = [Sample(real(shape=(3, 1)), real(shape=(3, 2)), dim=1), Sample(real(), dim=0)]
