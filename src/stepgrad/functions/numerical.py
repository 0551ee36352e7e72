"""Numerical functions: integrals and slopes of samples, sorted search, grids of indices, powers."""

from __future__ import annotations

from typing import Any

import numpy

from stepgrad.arrays import dtypes
from stepgrad.arrays.conversion import array_of
from stepgrad.errors import ArgumentError, ShapeError
from stepgrad.functions.creation import placed
from stepgrad.functions.joining import cat, stack
from stepgrad.methods.base import one_dim
from stepgrad.methods.ordering import readable
from stepgrad.methods.running import spread_with_mean
from stepgrad.tensor import Tensor


def var_mean(input: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
    """Return (variance, mean); the arguments are those of `Tensor.var`.

    >>> import stepgrad as sg
    >>> variance, mean = sg.var_mean(sg.tensor([1.0, 2.0, 3.0]))
    >>> variance, mean
    (tensor(1.), tensor(2.))
    """
    return spread_with_mean("var", input, args, kwargs)


def std_mean(input: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
    """Return (standard deviation, mean); the arguments are those of `Tensor.std`.

    >>> import stepgrad as sg
    >>> sg.std_mean(sg.tensor([1.0, 3.0]), correction=0)
    (tensor(1.), tensor(2.))
    """
    return spread_with_mean("std", input, args, kwargs)


def _between_neighbours(y: Tensor, x: Any, dx: Any, dim: int) -> Tensor:
    """Return the areas of the trapezoids between neighbours."""
    if not y.ndim:
        raise ShapeError("trapezoid takes at least 1 dimension.")
    d = one_dim(dim, y.ndim)
    length = y.shape[d]
    if not length:
        return y
    width = dx
    if x is not None:
        if x.ndim == 1:
            x = x.reshape((-1,) + (1,) * (y.ndim - 1 - d))
        width = x.diff(dim=d - y.ndim)
    return (y.narrow(d, 1, length - 1) + y.narrow(d, 0, length - 1)) * width / 2


def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: Any = 1, dim: int = -1) -> Tensor:
    """Return the integral of samples along a dimension by trapezoids, at places `x` or `dx` apart.

    >>> import stepgrad as sg
    >>> sg.trapezoid(sg.tensor([1.0, 2.0, 4.0]))
    tensor(4.5000)
    """
    return _between_neighbours(y, x, dx, dim).sum(dim)


trapz = trapezoid


def cumulative_trapezoid(y: Tensor, x: Tensor | None = None, *, dx: Any = 1, dim: int = -1) -> Tensor:
    """Return the integrals up to each sample but the first: see `trapezoid`.

    >>> import stepgrad as sg
    >>> sg.cumulative_trapezoid(sg.tensor([1.0, 2.0, 3.0]))
    tensor([1.5000, 4.0000])
    """
    return _between_neighbours(y, x, dx, dim).cumsum(dim)


def gradient(input: Tensor, *, spacing: Any = 1, dim: Any = None, edge_order: int = 1) -> tuple[Tensor, ...]:
    """Return the slopes of samples along dimensions, by central differences, at the ends by one-sided ones.

    `spacing`: the distance of samples, or their coordinates (a vector), for all dimensions or for each.
    `edge_order` 2 takes three samples at the ends.

    >>> import stepgrad as sg
    >>> sg.gradient(sg.tensor([1.0, 4.0, 9.0, 16.0]))
    (tensor([3., 4., 6., 7.]),)
    """
    spacing = 1 if spacing is None else spacing
    dims = list(range(input.ndim)) if dim is None else [dim] if isinstance(dim, int) else list(dim)
    single = isinstance(spacing, (int, float)) or (isinstance(spacing, Tensor) and not spacing.ndim)
    spaces = [spacing] * len(dims) if single else list(spacing)
    if len(spaces) != len(dims):
        raise ArgumentError(
            f"gradient takes a spacing for each of {len(dims)} dimensions, not {len(spaces)}."
        )
    return tuple(
        _slope(input, one_dim(d, input.ndim), s, edge_order) for d, s in zip(dims, spaces, strict=True)
    )


def _slope(y: Tensor, d: int, spacing: Any, edge_order: int) -> Tensor:
    n = y.shape[d]
    if edge_order not in (1, 2) or n < edge_order + 1:
        raise ArgumentError(f"gradient of order {edge_order} at the ends needs more than {n} samples.")
    shape = (-1,) + (1,) * (y.ndim - 1 - d)
    is_place = isinstance(spacing, Tensor) and spacing.ndim == 1
    steps = spacing.diff().reshape(shape) if is_place else spacing

    def step(first: int, count: int) -> Any:
        return steps.narrow(0, first, count) if is_place else steps

    def part(first: int, count: int) -> Tensor:
        return y.narrow(d, first, count)

    before, after = step(0, n - 2), step(1, n - 2)
    low, middle, high = part(0, n - 2), part(1, n - 2), part(2, n - 2)
    inside = (before / after * (high - middle) + after / before * (middle - low)) / (before + after)
    if edge_order == 1:
        first = (part(1, 1) - part(0, 1)) / step(0, 1)
        last = (part(n - 1, 1) - part(n - 2, 1)) / step(n - 2, 1)
        return cat([first, inside, last], d)
    a, b = step(0, 1), step(1, 1)
    first = _parabola(part(0, 1), part(1, 1), part(2, 1), a, b)
    a, b = step(n - 2, 1), step(n - 3, 1)
    last = -_parabola(part(n - 1, 1), part(n - 2, 1), part(n - 3, 1), a, b)
    return cat([first, inside, last], d)


def _parabola(y0: Tensor, y1: Tensor, y2: Tensor, a: Any, b: Any) -> Tensor:
    """Return the slope at the first of three samples, a and then b apart."""
    return -(2 * a + b) / (a * (a + b)) * y0 + (a + b) / (a * b) * y1 - a / (b * (a + b)) * y2


def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """Return the powers of a vector's elements as columns, from the N-1st down to 1, or the other way.

    >>> import stepgrad as sg
    >>> sg.vander(sg.tensor([1, 2, 3]))
    tensor([[1, 1, 1],
            [4, 2, 1],
            [9, 3, 1]])
    """
    x = x if x.is_floating_point() else x.to(dtypes.int64)
    count = x.shape[0] if N is None else N
    columns = [x**i for i in range(count)]
    columns = columns if increasing else columns[::-1]
    return stack(columns, 1) if columns else x.reshape(-1, 1)[:, :0]


def searchsorted(
    sorted_sequence: Tensor, values: Any, *, out_int32: bool = False, right: bool = False,
    side: str | None = None, sorter: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Return where to insert values into a sorted last dimension, before equal ones or (`right`) after.

    The sequence is a vector, or has the leading dimensions of `values`.

    >>> import stepgrad as sg
    >>> sg.searchsorted(sg.tensor([1, 3, 5]), sg.tensor([0, 3, 9]))
    tensor([0, 1, 3])
    """
    array = readable(sorted_sequence)
    if sorter is not None:
        array = numpy.take_along_axis(array, readable(sorter), -1)
    wanted = readable(values) if isinstance(values, Tensor) else array_of(values, None)
    how: Any = "right" if right or side == "right" else "left"
    if array.ndim == 1:
        found = numpy.searchsorted(array, wanted, side=how)
    else:
        found = numpy.empty(wanted.shape, "int64")
        for where in numpy.ndindex(*array.shape[:-1]):
            found[where] = numpy.searchsorted(array[where], wanted[where], side=how)
    return Tensor._of(numpy.asarray(found).astype("int32" if out_int32 else "int64"))


def bucketize(input: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False) -> Tensor:
    """Return between which sorted boundaries each element lies; `right`: boundaries belong above.

    >>> import stepgrad as sg
    >>> sg.bucketize(sg.tensor([0.5, 2.5]), sg.tensor([1.0, 2.0]))
    tensor([0, 2])
    """
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


def tril_indices(
    row: int, col: int, offset: int = 0, *, dtype: Any = dtypes.int64, device: Any = None
) -> Tensor:
    """Return the (row, column) places of the lower triangle of a matrix: (2, number of places).

    >>> import stepgrad as sg
    >>> sg.tril_indices(2, 2)
    tensor([[0, 1, 1],
            [0, 0, 1]])
    """
    return _triangle(numpy.tril_indices(row, offset, col), dtype, device)


def triu_indices(
    row: int, col: int, offset: int = 0, *, dtype: Any = dtypes.int64, device: Any = None
) -> Tensor:
    """Return the (row, column) places of the upper triangle of a matrix: (2, number of places).

    >>> import stepgrad as sg
    >>> sg.triu_indices(2, 2)
    tensor([[0, 0, 1],
            [0, 1, 1]])
    """
    return _triangle(numpy.triu_indices(row, offset, col), dtype, device)


def _triangle(places: Any, dtype: Any, device: Any) -> Tensor:
    return placed(Tensor._of(numpy.stack(places).astype(dtypes.as_dtype(dtype).numpy)), device, False)


def logspace(
    start: float, end: float, steps: int, base: float = 10.0, *, dtype: Any = None, device: Any = None
) -> Tensor:
    """Return `steps` numbers from base^start to base^end, whose logarithms are equally apart.

    >>> import stepgrad as sg
    >>> sg.logspace(0, 2, 3)
    tensor([  1.,  10., 100.])
    """
    kind = dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype)
    made = numpy.logspace(start, end, steps, base=base).astype(kind.numpy)
    return placed(Tensor._of(made), device, False)


__all__ = [
    "bucketize", "cumulative_trapezoid", "gradient", "logspace", "searchsorted", "std_mean", "trapezoid",
    "trapz", "tril_indices", "triu_indices", "vander", "var_mean",
]  # fmt: skip
