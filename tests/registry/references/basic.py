"""References of arithmetic, reductions, contractions, views, gathering and creation."""

import math
import statistics
from collections.abc import Callable
from typing import Any

import numpy
import scipy.special

from tests.registry import philox
from tests.registry.references.filing import REFERENCES, Array, each, reference

# ------------------------------------------------------------------------------- arithmetic, comparison

each("add", lambda a, b: a + b)
each("sub", lambda a, b: a - b)
each("mul", lambda a, b: a * b)
each("div", lambda a, b: a / b)
each("neg", lambda x: -x)
each("reciprocal", lambda x: 1 / x)
each("pow", lambda a, b: math.pow(a, b))
each("square", lambda x: x * x)
each("exp", math.exp)
each("expm1", math.expm1)
each("log", math.log)
each("log1p", math.log1p)
each("sqrt", math.sqrt)
each("rsqrt", lambda x: 1 / math.sqrt(x))
each("sin", math.sin)
each("cos", math.cos)
each("erf", math.erf)
each("abs", math.fabs)
each("sign", lambda x: (x > 0) - (x < 0))
each("floor", math.floor)
each("ceil", math.ceil)
each("round", round)
each("trunc", math.trunc)
each("floor_divide", lambda a, b: a // b)
each("remainder", lambda a, b: a % b)
each("maximum", max)
each("minimum", min)
each("where", lambda condition, a, b: a if condition else b)
each("cast", lambda x, dtype: x)
each("detach", lambda x: x)
each(
    "clamp",
    lambda x, low, high: min(max(x, -math.inf if low is None else low), math.inf if high is None else high),
)
each("eq", lambda a, b: a == b, "bool")
each("ne", lambda a, b: a != b, "bool")
each("lt", lambda a, b: a < b, "bool")
each("le", lambda a, b: a <= b, "bool")
each("gt", lambda a, b: a > b, "bool")
each("ge", lambda a, b: a >= b, "bool")
each("logical_and", lambda a, b: bool(a) and bool(b), "bool")
each("logical_or", lambda a, b: bool(a) or bool(b), "bool")
each("logical_xor", lambda a, b: bool(a) != bool(b), "bool")
each("logical_not", lambda x: not x, "bool")
each("isnan", math.isnan, "bool")
each("isinf", math.isinf, "bool")

# --------------------------------------------------------------------------------------------- reductions


def folded(name: str, function: Callable[..., Any], dtype: str = "float64") -> None:
    """File a function of a list of numbers as a reference that reduces dimensions."""

    def reduced(x: Array, *, dim: Any, keepdim: bool, **attrs: Any) -> Array:
        dims = tuple(range(x.ndim)) if dim is None else (dim,) if isinstance(dim, int) else dim
        kept = [i for i in range(x.ndim) if i not in dims]
        rows = x.transpose(*kept, *dims).reshape(math.prod(x.shape[i] for i in kept), -1)
        values = numpy.array([function(row.tolist(), **attrs) for row in rows], dtype=dtype)
        return values.reshape([1 if i in dims else n for i, n in enumerate(x.shape) if keepdim or i in kept])

    REFERENCES[name] = reduced


def variance(row: list[float], correction: int) -> float:
    middle = math.fsum(row) / len(row)
    return math.fsum((x - middle) ** 2 for x in row) / (len(row) - correction)


folded("sum", math.fsum)
folded("mean", statistics.fmean)
folded("amax", max)
folded("amin", min)
folded("prod", math.prod)
folded("any", any, "bool")
folded("all", all, "bool")
folded("argmax", lambda row: row.index(max(row)), "int64")
folded("argmin", lambda row: row.index(min(row)), "int64")
folded("var", variance)
folded("std", lambda row, correction: math.sqrt(variance(row, correction)))
folded("norm", lambda row: math.hypot(*row))
folded("logsumexp", lambda row: math.log(math.fsum(map(math.exp, row))))


@reference
def sum_to(x: Array, *, shape: tuple[int, ...]) -> Array:
    y = numpy.zeros((1,) * (x.ndim - len(shape)) + shape)
    for place in numpy.ndindex(*x.shape):
        y[tuple(i if n > 1 else 0 for i, n in zip(place, y.shape))] += x[place]
    return y.reshape(shape)


def along(name: str, function: Callable[..., Array]) -> None:
    """File a function from the entries along `dim` to as many entries."""

    def on_arrays(x: Array, *, dim: Any, **attrs: Any) -> Array:
        dims = (dim,) if isinstance(dim, int) else dim
        others = [i for i in range(x.ndim) if i not in dims]
        order = [*others, *dims]
        sizes = [x.shape[i] for i in order]
        rows = x.transpose(order).reshape(math.prod(sizes[: len(others)]), -1)
        y = numpy.array([function(row, **attrs) for row in rows]).reshape(sizes)
        return y.transpose(numpy.argsort(order))

    REFERENCES[name] = on_arrays


along("softmax", scipy.special.softmax)
along("log_softmax", scipy.special.log_softmax)
along("normalize", lambda row, eps: (row - row.mean()) / math.sqrt(statistics.pvariance(row.tolist()) + eps))
along("rms_normalize", lambda row, eps: row / math.sqrt(math.fsum(row**2) / len(row) + eps))

# ------------------------------------------------------------------------------------------- contractions


@reference
def matmul(a: Array, b: Array) -> Array:
    return numpy.einsum("...ik,...kj->...ij", a, b)


@reference
def linear(x: Array, weight: Array, bias: Array) -> Array:
    return numpy.einsum("...i,oi->...o", x, weight) + (0 if bias is None else bias)


@reference
def bilinear(a: Array, b: Array, weight: Array, bias: Array) -> Array:
    return numpy.einsum("...i,kij,...j->...k", a, weight, b) + (0 if bias is None else bias)


# ------------------------------------------------------------------------------- views, joins, gathering


@reference
def reshape(x: Array, *, shape: tuple[int, ...]) -> Array:
    y = numpy.empty(shape)
    y.flat = [x[place] for place in numpy.ndindex(*x.shape)]
    return y


@reference
def permute(x: Array, *, dims: tuple[int, ...]) -> Array:
    y = numpy.empty([x.shape[d] for d in dims])
    for place in numpy.ndindex(*x.shape):
        y[tuple(place[d] for d in dims)] = x[place]
    return y


@reference
def expand(x: Array, *, shape: tuple[int, ...]) -> Array:
    y = numpy.empty(shape)
    for place in numpy.ndindex(*shape):
        own = place[len(shape) - x.ndim :]
        y[place] = x[tuple(i if n > 1 else 0 for i, n in zip(own, x.shape))]
    return y


@reference
def flip(x: Array, *, dims: tuple[int, ...]) -> Array:
    y = numpy.empty(x.shape)
    for place in numpy.ndindex(*x.shape):
        y[tuple(x.shape[d] - 1 - i if d in dims else i for d, i in enumerate(place))] = x[place]
    return y


def places(shape: tuple[int, ...], index: tuple[Any, ...]) -> Array:
    """Where the elements that an index picks stand in the flattened array."""
    return numpy.arange(math.prod(shape)).reshape(shape)[index]


def filled(spec: tuple[Any, ...], indices: tuple[Array, ...]) -> tuple[Any, ...]:
    rest = iter(indices)
    return tuple(next(rest) if part == "tensor" else part for part in spec)


@reference
def slice_(x: Array, *, index: tuple[Any, ...]) -> Array:
    where = places(x.shape, index)
    return numpy.array([x.flat[i] for i in where.flat]).reshape(where.shape)


@reference
def place(x: Array, *, shape: tuple[int, ...], index: tuple[Any, ...], fill: float = 0) -> Array:
    return index_put(numpy.full(shape, float(fill)), x, spec=index, accumulate=False)


@reference
def cat(*parts: Array, dim: int) -> Array:
    return numpy.array([row for part in parts for row in numpy.moveaxis(part, dim, 0)]).swapaxes(0, dim)


@reference
def index(x: Array, *indices: Array, spec: tuple[Any, ...]) -> Array:
    return slice_(x, index=filled(spec, indices))


@reference
def index_add(x: Array, *indices: Array, spec: tuple[Any, ...], shape: tuple[int, ...]) -> Array:
    y = numpy.zeros(shape)
    for i, value in zip(places(shape, filled(spec, indices)).flat, x.flat):
        y.flat[i] += value
    return y


@reference
def index_put(x: Array, value: Array, *indices: Array, spec: tuple[Any, ...], accumulate: bool) -> Array:
    y = x.copy()
    where = places(x.shape, filled(spec, indices))
    value = value.reshape(value.shape[max(0, value.ndim - where.ndim) :])
    for i, v in zip(where.flat, numpy.broadcast_to(value, where.shape).flat):
        y.flat[i] = y.flat[i] + v if accumulate else v
    return y


@reference
def take_along(x: Array, index: Array, *, dim: int) -> Array:
    y = numpy.empty(index.shape)
    for place in numpy.ndindex(*index.shape):
        y[place] = x[(*place[:dim], index[place], *place[dim + 1 :])]
    return y


@reference
def add_along(x: Array, index: Array, *, dim: int, shape: tuple[int, ...]) -> Array:
    y = numpy.zeros(shape)
    for place in numpy.ndindex(*index.shape):
        y[(*place[:dim], index[place], *place[dim + 1 :])] += x[place]
    return y


@reference
def embedding(weight: Array, index: Array, *, padding_idx: int | None) -> Array:
    return numpy.array([weight[i] for i in index.flat]).reshape(*index.shape, weight.shape[1])


@reference
def add_rows(x: Array, index: Array, *, count: int, padding_idx: int | None) -> Array:
    y = numpy.zeros((count, x.shape[-1]))
    for place in numpy.ndindex(*index.shape):
        if index[place] != padding_idx:
            y[index[place]] += x[place]
    return y


# --------------------------------------------------------------------------------------- made from nothing


@reference
def full(*, shape: tuple[int, ...], value: float, dtype: str) -> Array:
    return numpy.array([value] * math.prod(shape), dtype=dtype).reshape(shape)


@reference
def arange(*, start: int, stop: int, step: int, dtype: str) -> Array:
    return numpy.array(list(range(start, stop, step)), dtype=dtype)


@reference
def eye(like: Array, *, n: int) -> Array:
    return numpy.array([[i == j for j in range(n)] for i in range(n)])


@reference
def one_hot(x: Array, *, classes: int, dtype: str) -> Array:
    return numpy.array([[float(i == c) for c in range(classes)] for i in x.flat]).reshape(*x.shape, classes)


@reference
def rand(*, shape: tuple[int, ...], dtype: str, seed: int, stream: int, position: int) -> Array:
    return numpy.array(philox.doubles(seed, stream, position, math.prod(shape))).reshape(shape)


@reference
def randn(*, shape: tuple[int, ...], dtype: str, seed: int, stream: int, position: int) -> Array:
    pairs = -(-math.prod(shape) // 2)
    u = philox.doubles(seed, stream, position, 2 * pairs)
    radius = [math.sqrt(-2 * math.log(1 - r)) for r in u[:pairs]]
    angle = [2 * math.pi * a for a in u[pairs:]]
    both = [r * math.cos(a) for r, a in zip(radius, angle)] + [r * math.sin(a) for r, a in zip(radius, angle)]
    return numpy.array(both[: math.prod(shape)]).reshape(shape)


@reference
def dropout_mask(x: Array, *, p: float, seed: int, stream: int, position: int) -> Array:
    u = philox.doubles(seed, stream, position, x.size)
    return numpy.array([0 if v < p else 1 / (1 - p) for v in u]).reshape(x.shape)
