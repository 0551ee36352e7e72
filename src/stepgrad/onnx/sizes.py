"""Sizes that depend on the batch, found by running a model on batches of several sizes.

A model is recorded at three batch sizes. What differs between the records is a size that depends on the
batch; where it is a · batch + c for integers a and c, which two records give and the third confirms, it
becomes a `Size`, with which shapes are computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stepgrad.errors import ExportError

BATCHES = (5, 7, 10)
"""The batch sizes. None is 1, which would broadcast."""


class Size:
    """The size `factor` · batch + `offset`.

    >>> 3 * Size(1, 0) + 2
    3 * batch + 2
    >>> Size(2, 1).at(5)
    11
    """

    __slots__ = ("factor", "offset")

    def __init__(self, factor: int, offset: int) -> None:
        self.factor, self.offset = factor, offset

    def at(self, batch: int) -> int:
        """Return the size for a batch size."""
        return self.factor * batch + self.offset

    def __add__(self, other: Any) -> Any:
        if isinstance(other, Size):
            return size(self.factor + other.factor, self.offset + other.offset)
        return Size(self.factor, self.offset + other) if type(other) is int else NotImplemented

    __radd__ = __add__

    def __neg__(self) -> Size:
        return Size(-self.factor, -self.offset)

    def __sub__(self, other: Any) -> Any:
        return self + -other

    def __rsub__(self, other: Any) -> Any:
        return -self + other

    def __mul__(self, other: Any) -> Any:
        return size(self.factor * other, self.offset * other) if type(other) is int else NotImplemented

    __rmul__ = __mul__

    def __floordiv__(self, other: Any) -> Any:
        if type(other) is int and other and not self.factor % other and not self.offset % other:
            return size(self.factor // other, self.offset // other)
        return NotImplemented

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Size) and (self.factor, self.offset) == (other.factor, other.offset)

    def __hash__(self) -> int:
        return hash((self.factor, self.offset))

    def __repr__(self) -> str:
        factor = "batch" if self.factor == 1 else f"{self.factor} * batch"
        return f"{factor} + {self.offset}" if self.offset else factor


def size(factor: int, offset: int) -> int | Size:
    """Return a size; an integer where it does not depend on the batch."""
    return Size(factor, offset) if factor else offset


def at(value: Any, batch: int) -> Any:
    """Return a value (an attribute, a shape) with its sizes as integers, for a batch size."""
    if isinstance(value, Size):
        return value.at(batch)
    if isinstance(value, (tuple, list)):
        return type(value)(at(part, batch) for part in value)
    if isinstance(value, slice):
        return slice(*at((value.start, value.stop, value.step), batch))
    return value


def merged(values: Sequence[Any], where: str) -> Any:
    """Return a value that was `values` at the batch sizes, with sizes for what depends on them.

    Raises ExportError naming `where` for values that differ in another way.

    >>> merged([(5, 3), (7, 3), (10, 3)], "the shape")
    (batch, 3)
    """
    first = values[0]
    if all(value is first or (type(value) is type(first) and value == first) for value in values):
        return first
    if all(type(value) is int for value in values):
        found = _line(values)
        if all(at(found, batch) == value for batch, value in zip(BATCHES, values)):
            return found
    elif all(isinstance(value, (tuple, list)) and len(value) == len(first) for value in values):
        return type(first)(merged(parts, where) for parts in zip(*values))
    elif all(isinstance(value, slice) for value in values):
        return slice(*merged([(s.start, s.stop, s.step) for s in values], where))
    raise ExportError(
        f"{where} depends on the batch size in a way that a graph for any batch cannot say: it is "
        f"{', '.join(map(repr, values))} for {', '.join(map(str, BATCHES))}. Export with batch_dim=None, for "
        f"the example's size alone."
    )


def _line(values: Sequence[int]) -> int | Size:
    factor = (values[1] - values[0]) // (BATCHES[1] - BATCHES[0])
    return size(factor, values[0] - factor * BATCHES[0])
