"""References of scans, sorting, and reductions at places that indices name."""

import math
from typing import Any

import numpy

from tests.registry.references.filing import REFERENCES, Array, each, reference


def running(name: str, function: Any, dtype: str = "float64") -> None:
    """File a function of the elements so far, a list, as a reference along `dim`."""

    def on_arrays(x: Array, *, dim: int) -> Array:
        rows = numpy.moveaxis(x, dim, -1)
        y = numpy.empty(rows.shape, dtype)
        for place in numpy.ndindex(*rows.shape):
            y[place] = function(rows[place[:-1]][: place[-1] + 1].tolist())
        return numpy.moveaxis(y, -1, dim)

    REFERENCES[name] = on_arrays


def last_of(extreme: Any) -> Any:
    return lambda row: max(i for i, v in enumerate(row) if v == extreme(row))


running("cumsum", math.fsum)
running("cumprod", math.prod)
running("logcumsumexp", lambda row: math.log(math.fsum(map(math.exp, row))))
running("cumargmax", last_of(max), "int64")
running("cumargmin", last_of(min), "int64")


@reference
def argsort(x: Array, *, dim: int, descending: bool) -> Array:
    rows = numpy.moveaxis(x, dim, -1)
    y = numpy.empty(rows.shape, "int64")
    for where in numpy.ndindex(*rows.shape[:-1]):
        row = rows[where].tolist()
        y[where] = sorted(range(len(row)), key=lambda i: (-row[i] if descending else row[i], i))
    return numpy.moveaxis(y, -1, dim)


@reference
def argmode(x: Array, *, dim: int) -> Array:
    rows = numpy.moveaxis(x, dim, -1)
    y = numpy.empty((*rows.shape[:-1], 1), "int64")
    for where in numpy.ndindex(*rows.shape[:-1]):
        row = rows[where].tolist()
        best = min(row, key=lambda v: (-row.count(v), v))
        y[where] = max(i for i, v in enumerate(row) if v == best)
    return numpy.moveaxis(y, -1, dim)


@reference
def reduce_along(x: Array, source: Array, index: Array, *, dim: int, how: str) -> Array:
    y = x.copy()
    combine = {"prod": lambda a, b: a * b, "amax": max, "amin": min}[how]
    for place in numpy.ndindex(*index.shape):
        target = (*place[:dim], index[place], *place[dim + 1 :])
        y[target] = combine(y[target], source[place])
    return y


each("angle", lambda x: math.pi if x < 0 else 0.0)
