"""Values: the arrays that a program computes, each of known shape and dtype."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy

from stepgrad.ops.record import Op
from stepgrad.ops.registry import find

if TYPE_CHECKING:
    from stepgrad.compile.program.builder import Builder


class Value:
    """An array that the program computes.

    `kind`: "leaf", "number", "map" (elementwise, over inputs that broadcast), "reduce" (`attrs["how"]` over
    `attrs["dims"]`, which leave the shape), "view" (`op` rearranges), "contract" (matrix product), or
    "special" (`op`).
    """

    __slots__ = ("attrs", "builder", "dtype", "inputs", "key", "kind", "op", "shape")

    def __init__(
        self, builder: Builder, kind: str, op: Op | None, inputs: tuple[Value, ...], attrs: dict[str, Any],
        shape: tuple[int, ...], dtype: Any,
    ) -> None:  # fmt: skip
        self.builder, self.kind, self.op, self.inputs, self.attrs = builder, kind, op, inputs, attrs
        self.shape, self.dtype = tuple(shape), numpy.dtype(dtype)
        self.key = len(builder.values)

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        total = 1
        for n in self.shape:
            total *= n
        return total

    @property
    def number(self) -> Any:
        """The Python number that a "number" stands for."""
        return self.attrs["number"]

    def __repr__(self) -> str:
        name = self.op.name if self.op else self.kind
        inputs = ", ".join(f"%{x.key}" if x.kind != "number" else f"{x.number}" for x in self.inputs)
        attrs = ", ".join(f"{k}={v}" for k, v in self.attrs.items() if k not in ("leaf",))
        kind = f"{self.dtype.name}{list(self.shape)}"
        return f"%{self.key} = {name}({inputs}{'; ' if attrs else ''}{attrs}) : {kind}"

    def _binary(name: str) -> Callable[[Value, Any], Value]:  # type: ignore[misc]
        return lambda self, other: self.builder.apply(find(name), self, other)

    def _reflected(name: str) -> Callable[[Value, Any], Value]:  # type: ignore[misc]
        return lambda self, other: self.builder.apply(find(name), other, self)

    __add__, __radd__ = _binary("add"), _reflected("add")
    __sub__, __rsub__ = _binary("sub"), _reflected("sub")
    __mul__, __rmul__ = _binary("mul"), _reflected("mul")
    __truediv__, __rtruediv__ = _binary("div"), _reflected("div")
    __pow__, __rpow__ = _binary("pow"), _reflected("pow")
    __lt__, __le__, __gt__, __ge__ = _binary("lt"), _binary("le"), _binary("gt"), _binary("ge")
    __eq__, __ne__ = _binary("eq"), _binary("ne")  # type: ignore[assignment]
    __and__, __or__, __xor__ = _binary("logical_and"), _binary("logical_or"), _binary("logical_xor")
    __hash__ = object.__hash__

    def __neg__(self) -> Value:
        return self.builder.apply(find("neg"), self)


class NotCompiled(Exception):
    """An operation that the compiler does not lower; the step then runs eagerly."""


class Constant:
    """An array known beforehand; compared by identity."""

    def __init__(self, array: numpy.ndarray) -> None:
        self.array = numpy.ascontiguousarray(array)


def base_of(value: Value) -> Value:
    """Return the value whose memory a view shows: the value itself if it is no view."""
    while value.kind == "view":
        value = value.inputs[0]
    return value
