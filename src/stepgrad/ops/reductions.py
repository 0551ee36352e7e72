"""Reductions: many numbers to one, along dimensions. `dim` is a tuple of them (≥ 0), or None for all."""

from __future__ import annotations

import math

from stepgrad.ops.record import composite, reduce
from stepgrad.ops.samples import Sample, boolean, real


def _each(**attrs):
    return [
        Sample(real(shape=(3, 4)), dim=None, keepdim=False, **attrs),
        Sample(real(shape=(3, 4)), dim=(0,), keepdim=False, **attrs),
        Sample(real(shape=(2, 3, 4)), dim=(0, 2), keepdim=True, **attrs),
        Sample(real(shape=()), dim=None, keepdim=False, **attrs),
    ]


def kept_shape(shape, dim):
    """Return the shape that a reduction along `dim` has with keepdim."""
    if dim is None:
        return (1,) * len(shape)
    return tuple(1 if i in dim else n for i, n in enumerate(shape))


def count(shape, dim):
    """Return how many numbers go into each result of a reduction along `dim`."""
    return math.prod(shape if dim is None else (shape[i] for i in dim))


def spread(xp, g, shape, dim, keepdim):
    """Return `g`, a value per result, repeated over the elements that went into each result."""
    if not keepdim:
        g = xp.reshape(g, shape=kept_shape(shape, dim))
    return xp.expand(g, shape=tuple(shape))


def _total(np, x, dim, keepdim):
    # float16 is summed in float32, as in PyTorch: its own sums stop growing at 2048.
    return np.add.reduce(x, axis=dim, keepdims=keepdim, dtype=np.float32 if x.dtype.char == "e" else None)


def _reduced(operator):
    """Return the ONNX form of a reduction; of booleans and small integers as that of larger ones."""

    def onnx(g, x, *, dim, keepdim):
        axes = tuple(range(x.ndim)) if dim is None else dim
        if not axes:
            return x
        wide = x.dtype if x.dtype.kind == "f" or x.dtype.itemsize > 2 else "int32"
        y = g(operator, g.as_type(x, wide), g.integers(*axes), keepdims=int(keepdim))
        return y if wide is x.dtype else g.as_type(y, x.dtype)

    return onnx


def _of_booleans(operator):
    """Return the ONNX form of `any` or `all`."""

    def onnx(g, x, *, dim, keepdim):
        axes = tuple(range(x.ndim)) if dim is None else dim
        holds = g.as_type(x, bool)
        if not axes:
            return holds
        return g.as_type(
            g(operator, g.as_type(holds, "int32"), g.integers(*axes), keepdims=int(keepdim)), bool
        )

    return onnx


def _place_of(operator):
    """Return the ONNX form of an argmax or argmin."""

    def onnx(g, x, *, dim, keepdim):
        if dim is not None:
            return g(operator, x, axis=dim, keepdims=int(keepdim))
        place = g(operator, g.reshape(x, shape=(-1,)), axis=0, keepdims=0)
        return g("Reshape", place, g.integers(*[1] * x.ndim)) if keepdim else place

    return onnx


@reduce
class sum_:
    """Σ x."""

    init = 0.0

    def combine(m, total, x):
        return total + x

    def forward(np, x, *, dim, keepdim):
        return _total(np, x, dim, keepdim).astype(x.dtype, copy=False)

    def vjp(xp, g, y, x, *, needs, dim, keepdim):
        return (spread(xp, g, x.shape, dim, keepdim),)

    reads = ()
    onnx = _reduced("ReduceSum")
    samples = _each()


@reduce
class mean:
    """Σ x / N; NaN when N = 0."""

    promotes = "floating"
    init = 0.0

    def combine(m, total, x):
        return total + x

    def finish(m, total, count):
        return total / count

    def forward(np, x, *, dim, keepdim):
        n = count(x.shape, dim)
        return (_total(np, x, dim, keepdim) / (n if n else math.nan)).astype(x.dtype, copy=False)

    def vjp(xp, g, y, x, *, needs, dim, keepdim):
        return (spread(xp, g / count(x.shape, dim), x.shape, dim, keepdim),)

    reads = ()
    onnx = _reduced("ReduceMean")
    samples = _each()


@reduce
class amax:
    """The largest; elements that tie share the gradient equally."""

    init = -math.inf

    def combine(m, total, x):
        return m.maximum(total, x)

    def forward(np, x, *, dim, keepdim):
        return np.maximum.reduce(x, axis=dim, keepdims=keepdim)

    def vjp(xp, g, y, x, *, needs, dim, keepdim):
        return (_shared(xp, g, y, x, dim, keepdim),)

    onnx = _reduced("ReduceMax")
    samples = _each()


@reduce
class amin:
    """The smallest; elements that tie share the gradient equally."""

    init = math.inf

    def combine(m, total, x):
        return m.minimum(total, x)

    def forward(np, x, *, dim, keepdim):
        return np.minimum.reduce(x, axis=dim, keepdims=keepdim)

    def vjp(xp, g, y, x, *, needs, dim, keepdim):
        return (_shared(xp, g, y, x, dim, keepdim),)

    onnx = _reduced("ReduceMin")
    samples = _each()


def _shared(xp, g, y, x, dim, keepdim):
    chosen = xp.cast(x == spread(xp, y, x.shape, dim, keepdim), dtype=x.dtype)
    ties = xp.sum(chosen, dim=dim, keepdim=True)
    return chosen * spread(xp, g, x.shape, dim, keepdim) / ties


@reduce
class prod:
    """The product. Its derivative is the product of the others, also where some are 0."""

    init = 1.0

    def combine(m, total, x):
        return total * x

    def forward(np, x, *, dim, keepdim):
        return np.multiply.reduce(x, axis=dim, keepdims=keepdim)

    def vjp(xp, g, y, x, *, needs, dim, keepdim):
        # The reduced dimensions side by side in the last one, then for each element the product with a 1 in
        # its place.
        dims = tuple(range(x.ndim)) if dim is None else dim
        others = tuple(i for i in range(x.ndim) if i not in dims)
        n, rest = count(x.shape, dims), tuple(x.shape[i] for i in others)
        rows = xp.reshape(xp.permute(x, dims=others + dims), shape=(*rest, 1, n))
        own = xp.eye(x, n=n)
        products = xp.prod(xp.where(own, 1.0, rows), dim=(len(rest) + 1,), keepdim=False)
        order = others + dims
        back = tuple(order.index(i) for i in range(x.ndim))
        products = xp.reshape(products, shape=rest + tuple(x.shape[i] for i in dims))
        return (xp.permute(products, dims=back) * spread(xp, g, x.shape, dim, keepdim),)

    reads = ("x",)
    onnx = _reduced("ReduceProd")
    samples = _each()


@reduce
class any_:
    """Whether one differs from 0."""

    init = False

    def combine(m, total, x):
        return m.logical_or(total, x)

    def forward(np, x, *, dim, keepdim):
        return np.any(x, axis=dim, keepdims=keepdim)

    onnx = _of_booleans("ReduceMax")
    samples = [Sample(boolean(), dim=None, keepdim=False), Sample(boolean(), dim=(1,), keepdim=True)]


@reduce
class all_:
    """Whether all differ from 0."""

    init = True

    def combine(m, total, x):
        return m.logical_and(total, x)

    def forward(np, x, *, dim, keepdim):
        return np.all(x, axis=dim, keepdims=keepdim)

    onnx = _of_booleans("ReduceMin")
    samples = [Sample(boolean(), dim=None, keepdim=False), Sample(boolean(), dim=(1,), keepdim=True)]


@reduce
class argmax:
    """The index (int64) of the first largest along one dimension, or of the flattened array (`dim` None)."""

    def forward(np, x, *, dim, keepdim):
        return np.argmax(x, axis=dim, keepdims=keepdim).astype("int64")

    onnx = _place_of("ArgMax")
    samples = [Sample(real(), dim=None, keepdim=False), Sample(real(), dim=1, keepdim=True)]


@reduce
class argmin:
    """The index (int64) of the first smallest along one dimension, or of the flattened array (`dim` None)."""

    def forward(np, x, *, dim, keepdim):
        return np.argmin(x, axis=dim, keepdims=keepdim).astype("int64")

    onnx = _place_of("ArgMin")
    samples = [Sample(real(), dim=None, keepdim=False), Sample(real(), dim=1, keepdim=True)]


@reduce
class sum_to:
    """Σ x over the dimensions in which `shape` is 1 or missing: the derivative of a broadcast."""

    init = 0.0

    def combine(m, total, x):
        return total + x

    def forward(np, x, *, shape):
        extra = x.ndim - len(shape)
        dims = tuple(range(extra)) + tuple(
            extra + i for i, n in enumerate(shape) if n == 1 and x.shape[extra + i] != 1
        )
        return _total(np, x, dims, True).astype(x.dtype, copy=False).reshape(shape)

    def vjp(xp, g, y, x, *, needs, shape):
        return (xp.expand(g, shape=tuple(x.shape)),)

    reads = ()

    def onnx(g, x, *, shape):
        extra = x.ndim - len(shape)
        dims = [extra + i for i, n in enumerate(shape) if n == 1 and x.shape[extra + i] != 1]
        return g.reshape(g.sum(x, dim=(*range(extra), *dims), keepdim=True), shape=shape)

    samples = [
        Sample(real(shape=(2, 3, 4)), shape=(3, 1)),
        Sample(real(), shape=()),
        Sample(real(), shape=(3, 4)),
    ]


@composite
class var:
    """Σ (x − mean)² / (N − `correction`)."""

    promotes = "floating"

    def expand(xp, x, *, dim, keepdim, correction):
        centred = x - xp.mean(x, dim=dim, keepdim=True)
        n = count(x.shape, dim) - correction
        return xp.sum(centred * centred, dim=dim, keepdim=keepdim) * (1 / n if n > 0 else math.nan)

    def vjp(xp, g, y, x, *, needs, dim, keepdim, correction):
        centred = x - xp.mean(x, dim=dim, keepdim=True)
        n = count(x.shape, dim) - correction
        return (spread(xp, g, x.shape, dim, keepdim) * (centred * (2 / n if n > 0 else math.nan)),)

    reads = ("x",)
    samples = _each(correction=0)[:3] + _each(correction=1)[:3]


@composite
class std:
    """The root of the variance `var`; where it is 0, so is the gradient, as in PyTorch."""

    promotes = "floating"

    def expand(xp, x, *, dim, keepdim, correction):
        return xp.sqrt(xp.var(x, dim=dim, keepdim=keepdim, correction=correction))

    def vjp(xp, g, y, x, *, needs, dim, keepdim, correction):
        n = count(x.shape, dim) - correction
        scale = xp.where(y == 0, 0.0, g / y) * (1 / n if n > 0 else math.nan)
        return (spread(xp, scale, x.shape, dim, keepdim) * (x - xp.mean(x, dim=dim, keepdim=True)),)

    samples = _each(correction=0)[:3] + _each(correction=1)[:3]


@composite
class norm:
    """√Σ x², the Euclidean norm; where it is 0, so is the gradient, as in PyTorch."""

    promotes = "floating"

    def expand(xp, x, *, dim, keepdim):
        return xp.sqrt(xp.sum(xp.square(x), dim=dim, keepdim=keepdim))

    def vjp(xp, g, y, x, *, needs, dim, keepdim):
        return (spread(xp, xp.where(y == 0, 0.0, g / y), x.shape, dim, keepdim) * x,)

    samples = _each()[:3]


@composite
class logsumexp:
    """ln Σ eˣ, computed without overflow by taking the maximum out."""

    promotes = "floating"

    def expand(xp, x, *, dim, keepdim):
        if not count(x.shape, dim):
            return xp.log(xp.sum(x, dim=dim, keepdim=keepdim))
        largest = xp.amax(x, dim=dim, keepdim=True)
        largest = xp.where(xp.isinf(largest), 0.0, largest)
        total = xp.log(xp.sum(xp.exp(x - largest), dim=dim, keepdim=keepdim))
        return total + (largest if keepdim else xp.reshape(largest, shape=tuple(total.shape)))

    def written(xp, x, *, dim, keepdim):
        return xp.log(xp.sum(xp.exp(x), dim=dim, keepdim=keepdim))

    def vjp(xp, g, y, x, *, needs, dim, keepdim):
        share = xp.exp(x - spread(xp, y, x.shape, dim, keepdim))
        return (share * spread(xp, g, x.shape, dim, keepdim),)

    samples = _each()
