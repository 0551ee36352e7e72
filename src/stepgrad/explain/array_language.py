"""Expressions of arrays: parts of an array, other shapes, products element by element."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stepgrad.explain.expressions import STATED, Expression, Number, Operation

_OPEN = Operation("", ())
_ALL = Operation(":", (_OPEN, _OPEN))
_SIGNS = {"+", "-", "neg", "*", "/", "cast"}


def applied(head: str, operands: list[Expression], is_elementwise: bool = False) -> Expression:
    """Return an operation on arrays; `is_elementwise`: a product of several arrays, element by element."""
    if head == "-":
        return Operation("+", (operands[0], applied("neg", [operands[1]])))
    if head == "*":
        kept = [x for x in operands if x != Number(1)]
        if len(kept) < 2:
            return kept[0] if kept else Number(1)
        if len(kept) == 2 and kept[0] == kept[1]:
            return Operation("**", (kept[0], Number(2)))
        return Operation("⊙" if is_elementwise else "*", tuple(kept))
    if head == "/" and operands[1] == Number(1):
        return operands[0]
    if head == "cast":
        return operands[0]
    if head == "where" and isinstance(operands[0], Number):
        return operands[1 if operands[0].value else 2]
    if head == "+" and Number(0) in operands:
        rest = [x for x in operands if x != Number(0)]
        return rest[0] if rest else Number(0)
    if head in STATED and head not in _SIGNS:
        return STATED[head](*operands)
    return Operation(head, tuple(operands))


def transposed(x: Expression) -> Expression:
    """Return xᵀ."""
    return x.operands[0] if isinstance(x, Operation) and x.head == "ᵀ" else Operation("ᵀ", (x,))


def permuted(x: Expression, dims: Sequence[int]) -> Expression:
    """Return x with its dimensions in another order."""
    count = len(dims)
    dims = tuple(dim % count for dim in dims)
    if dims == tuple(range(count)):
        return x
    if dims == (*range(count - 2), count - 1, count - 2):
        return transposed(x)
    return Operation("permute", (x, *map(Number, dims)))


def reshaped(x: Expression, shape: Sequence[int], known: Sequence[int]) -> Expression:
    """Return x in another shape; it has the shape `known`, () if that is not known."""
    if tuple(shape) == tuple(known):
        return x
    if isinstance(x, Operation) and x.head == "reshape":
        x = x.operands[0]
    return Operation("reshape", (x, *map(Number, shape)))


def list_of(numbers: Sequence[int]) -> Operation:
    """Return whole numbers as a list."""
    return Operation("list", tuple(map(Number, numbers)))


def without_defaults(
    operands: list[Operation], defaults: Sequence[Operation | None]
) -> tuple[Operation, ...]:
    """Return operands without the last ones that are their defaults."""
    kept = list(zip(operands, defaults, strict=True))
    while kept and kept[-1][0] == kept[-1][1]:
        kept.pop()
    return tuple(operand for operand, _ in kept)


Ranges = list[int | range]
"""Which places of each dimension are picked: one, or several."""


def ranges_of(index: Sequence[Any], shape: Sequence[int]) -> Ranges:
    """Return what an index of whole numbers, slices and an Ellipsis picks from an array of that shape."""
    return picked([range(n) for n in shape], index)


def picked(ranges: Ranges, index: Sequence[Any]) -> Ranges:
    """Return what an index picks from what is already picked.

    >>> picked([0, range(1, 4), range(2)], (-1,))
    [0, 3, range(0, 2)]
    """
    count = sum(isinstance(each, range) for each in ranges)
    rest = count - sum(part is not Ellipsis for part in index)
    parts: list[Any] = []
    for part in index:
        parts += [slice(None)] * rest if part is Ellipsis else [part]
    parts += [slice(None)] * (count - len(parts))
    left = iter(parts)
    return [each if isinstance(each, int) else each[next(left)] for each in ranges]


def entries_of(ranges: Ranges, shape: Sequence[int]) -> list[Expression]:
    """Return what is picked from an array of that shape as operands, the last dimensions left out that are
    whole.
    """
    entries = [
        Number(each) if isinstance(each, int) else _entry(each, n)
        for each, n in zip(ranges, shape, strict=True)
    ]
    while entries and entries[-1] == _ALL:
        entries.pop()
    return entries


def _entry(places: range, length: int) -> Expression:
    if places == range(length):
        return _ALL
    if places.step > 0:
        start, stop = places.start, places.stop
        ends = [Number(start) if start else _OPEN, _OPEN if stop >= length else Number(stop)]
    else:
        start, stop = places.start, places.stop
        ends = [_OPEN if start == length - 1 else Number(start), _OPEN if stop < 0 else Number(stop)]
    return Operation(":", (*ends, Number(places.step)) if places.step != 1 else tuple(ends))


def indexed(x: Expression, entries: list[Expression]) -> Expression:
    """Return a part of x."""
    return Operation("[]", (x, *entries)) if entries else x
