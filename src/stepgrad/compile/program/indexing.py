"""How a program states indexing by integers: picking, putting, adding at places.

Each rule takes the Builder and what the record of the same name takes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy

from stepgrad.compile.program.value import NotCompiled, Value
from stepgrad.ops.registry import find

if TYPE_CHECKING:
    from stepgrad.compile.program.builder import Builder

_BY_MASK = "indexing by a boolean mask has a shape that depends on values, so it is not compiled"


def _index(b: Builder, x: Value, *indices: Value, spec: tuple[Any, ...]) -> Value:
    basic, indices, attrs = _advanced(b, x.ndim, indices, spec)
    if basic is not None:
        x = b.slice(x, index=basic)
    if x.kind == "number":
        return b.number(x.number, x.dtype, _picked_shape(x.shape, attrs))
    return b.made("special", find("index"), (x, *indices), attrs, _picked_shape(x.shape, attrs), x.dtype)


def _index_add(b: Builder, x: Value, *indices: Value, spec: Any, shape: tuple[int, ...]) -> Value:
    zeros = b.number(0, x.dtype, shape)
    return _index_put(b, zeros, x, *indices, spec=spec, accumulate=True)


def _index_put(
    b: Builder, x: Value, value: Any, *indices: Value, spec: tuple[Any, ...], accumulate: bool
) -> Value:
    value = b.cast(value, dtype=x.dtype) if isinstance(value, Value) else b.number(value, x.dtype)
    if len(indices) == 1 and indices[0].dtype.kind == "b":
        return _masked(b, x, value, indices[0], spec, accumulate)
    basic, indices, attrs = _advanced(b, x.ndim, indices, spec)
    window = x.shape if basic is None else b.slice(x, index=basic).shape
    shape = _picked_shape(window, attrs)
    if value.ndim > len(shape):
        value = b.reshape(value, shape=value.shape[value.ndim - len(shape) :])
    value = b.stored(value) if accumulate else value
    attrs |= {"basic": basic, "window": window, "shape": shape, "accumulate": accumulate}
    return b.made("special", find("index_put"), (x, value, *indices), attrs, x.shape, x.dtype)


def _masked(
    b: Builder, x: Value, value: Value, mask: Value, spec: tuple[Any, ...], accumulate: bool
) -> Value:
    """Return x with `value`, the same for all, where a mask over its first dimensions is set."""
    rest = x.ndim - mask.ndim
    value = b.reshape(value, shape=()) if value.size == 1 else value
    if (
        spec[0] != "tensor"
        or any(part != slice(None) for part in spec[1:])
        or value.ndim > rest
        or accumulate
    ):
        raise NotCompiled(_BY_MASK)
    return b.where(b.reshape(mask, shape=mask.shape + (1,) * rest), value, x)


def _advanced(
    b: Builder, ndim: int, indices: tuple[Value, ...], spec: tuple[Any, ...]
) -> tuple[Any, tuple[Value, ...], dict[str, Any]]:
    """Take an index apart: the part by slices (None if it takes all), then index values and where
    they point.

    `where`: the dimensions that are picked from, after the slices. `picked`: the shape in which,
    which stands in the result from dimension `before` on.
    """
    if any(i.dtype.kind == "b" for i in indices) or any(isinstance(part, bool) for part in spec):
        raise NotCompiled(_BY_MASK)
    if not indices:
        return spec, (), {"where": (), "before": 0, "picked": ()}
    rest = iter(indices)
    # Beside a tensor an integer is one too.
    values = tuple(
        b.number(p, "int64") if isinstance(p, int) else next(rest) for p in spec if isinstance(p, (int, str))
    )
    basic = tuple(slice(None) if isinstance(part, (int, str)) else part for part in spec)
    # Where NumPy puts them and finds them is asked of NumPy, with a length that nothing else has.
    stand_in = numpy.zeros((1,) * ndim, "int8")
    filled = (numpy.zeros(7919, "int64") if isinstance(part, str) else _first(part) for part in spec)
    before = stand_in[tuple(filled)].shape.index(7919)
    taken, where, at = sum(part is not None and part is not Ellipsis for part in spec), [], 0
    for part in spec:
        if isinstance(part, (int, str)):
            where.append(at)
        at += ndim - taken if part is Ellipsis else 1
    picked = numpy.broadcast_shapes(*(i.shape for i in values))
    plain = all(part == slice(None) for part in basic)
    return None if plain else basic, values, {"where": tuple(where), "before": before, "picked": picked}


def _embedding(b: Builder, weight: Value, index: Value, *, padding_idx: int | None) -> Value:
    return _index(b, weight, index, spec=("tensor",))


def _add_rows(b: Builder, x: Value, index: Value, *, count: int, padding_idx: int | None) -> Value:
    total = _index_add(b, x, index, spec=("tensor",), shape=(count, x.shape[-1]))
    if padding_idx is None:
        return total
    keep = numpy.ones((count, 1), dtype=x.dtype)
    keep[padding_idx] = 0
    return total * b.constant(keep)


def _take_along(b: Builder, x: Value, index: Value, *, dim: int) -> Value:
    spec, indices = _along(b, x.ndim, index, dim)
    return _index(b, x, *indices, spec=spec)


def _add_along(b: Builder, x: Value, index: Value, *, dim: int, shape: tuple[int, ...]) -> Value:
    spec, indices = _along(b, x.ndim, index, dim)
    return _index_add(b, x, *indices, spec=spec, shape=shape)


def _add_strided(b: Builder, x: Value, *, shape: tuple[int, ...], **where: Any) -> Value:
    count = math.prod(shape)
    places = find("as_strided").forward(numpy, numpy.arange(count), size=x.shape, **where)
    total = _index_add(b, x, b.constant(places.copy()), spec=("tensor",), shape=(count,))
    return b.reshape(total, shape=shape)


def _along(b: Builder, ndim: int, index: Value, dim: int) -> tuple[tuple[str, ...], list[Value]]:
    places = []
    for d, n in enumerate(index.shape):
        shape = tuple(n if i == d else 1 for i in range(ndim))
        places.append(index if d == dim else b.constant(numpy.arange(n).reshape(shape)))
    return ("tensor",) * ndim, places


def _picked_shape(shape: tuple[int, ...], attrs: dict[str, Any]) -> tuple[int, ...]:
    """Return the shape of what an index picks from an array of a shape."""
    rest = tuple(n for d, n in enumerate(shape) if d not in attrs["where"])
    return (*rest[: attrs["before"]], *attrs["picked"], *rest[attrs["before"] :])


def _first(part: Any) -> Any:
    """Return an integer, slice, None or Ellipsis of an index as one that takes all there is of a
    dimension of length 1.
    """
    return 0 if isinstance(part, int) else slice(None) if isinstance(part, slice) else part


RULES: dict[str, Callable[..., Value]] = {
    "index": _index, "index_add": _index_add, "index_put": _index_put,
    "embedding": _embedding, "add_rows": _add_rows,
    "take_along": _take_along, "add_along": _add_along, "add_strided": _add_strided,
}  # fmt: skip
