"""The formulas of a worked step as trees over ids, which can be computed with a person's own numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from stepgrad.explain.expressions import Expression, Number, Operation, Ref, refs, value_of
from stepgrad.explain.hand.derived import Quantities
from stepgrad.explain.line import Line
from stepgrad.explain.notation import number_text, text_of


@dataclass(frozen=True)
class Named:
    """The number with this id."""

    id: str


@dataclass(frozen=True)
class Applied:
    """An operator or function with its operands."""

    head: str
    operands: tuple[Term, ...]


Term = Number | Named | Applied
_MOST_INLINED = 200
_DIGITS = 6


def term_of(line: Line) -> Term | None:
    """Return the formula of a line as a tree; None if it has none."""
    if line.expression is None:
        return None
    found = refs(line.expression)
    if len(found) != len(line.references):
        return None
    return _with_ids(line.expression, dict(zip(found, line.references)))


def _with_ids(x: Expression, ids: Mapping[Ref, str]) -> Term:
    if isinstance(x, Ref):
        return Named(ids[x])
    if isinstance(x, Operation):
        return Applied(x.head, tuple(_with_ids(y, ids) for y in x.operands))
    return x


def value(
    term: Term, values: Callable[[str], float], shorter: Callable[[float], float] | None = None
) -> float:
    """Return what a tree gives with the values of its ids; `shorter` is applied to each result on the way."""
    return value_of(_with_numbers(term, values, shorter))


def _with_numbers(
    term: Term, values: Callable[[str], float], shorter: Callable[[float], float] | None
) -> Expression:
    if isinstance(term, Named):
        return Number(values(term.id))
    if not isinstance(term, Applied):
        return term
    operands = [_with_numbers(y, values, shorter) for y in term.operands]
    if shorter is not None:
        results = [value_of(y) if isinstance(y, Operation) else None for y in operands]
        short = [None if x is None or not math.isfinite(x) else Number(shorter(x)) for x in results]
        operands = [y if other is None else other for y, other in zip(operands, short)]
    return Operation(term.head, tuple(operands))


def text(term: Term, symbol: Callable[[str], str]) -> str:
    """Return a tree as text, with the symbols of its ids."""

    def shown(leaf: Any) -> str:
        return symbol(leaf.id) if isinstance(leaf, Named) else number_text(leaf.value, _DIGITS)

    return text_of(_as_expression(term), shown)


def _as_expression(term: Term) -> Any:
    if isinstance(term, Applied):
        return Operation(term.head, tuple(_as_expression(y) for y in term.operands))
    return term


def ids_in(term: Term) -> list[str]:
    """Return the ids in a tree, each once, in order."""
    if isinstance(term, Named):
        return [term.id]
    if isinstance(term, Applied):
        return list(dict.fromkeys(id for y in term.operands for id in ids_in(y)))
    return []


def numbers_in(term: Term) -> set[Decimal]:
    """Return the numbers that stand in a tree, such as β₁ and 1 − β₁, without their signs."""
    if isinstance(term, Number):
        return {abs(Decimal(number_text(term.value, _DIGITS).replace("−", "-")))}
    if isinstance(term, Applied):
        return set().union(*map(numbers_in, term.operands))
    return set()


def replaced(term: Term, change: Callable[[Term], Term | None]) -> Term:
    """Return a tree in which every part for which `change` gives another one is replaced by that."""
    other = change(term)
    if other is not None:
        return other
    if isinstance(term, Applied):
        return Applied(term.head, tuple(replaced(y, change) for y in term.operands))
    return term


def variants(term: Term, change: Callable[[Term], Iterator[Term]]) -> Iterator[Term]:
    """Yield the trees that have exactly one part replaced by one that `change` yields for it."""
    yield from change(term)
    if isinstance(term, Applied):
        for i, operand in enumerate(term.operands):
            for other in variants(operand, change):
                operands = (*term.operands[:i], other, *term.operands[i + 1 :])
                yield Applied(term.head, operands)


def inlined(term: Term, quantities: Quantities, written: Callable[[str], bool]) -> Term:
    """Return a tree in which numbers that a person has not written are replaced by their own formulas."""
    count = 0

    def change(part: Term) -> Term | None:
        nonlocal count
        if not isinstance(part, Named) or written(part.id):
            return None
        line = quantities[part.id]
        if not isinstance(line, Line):
            return None
        inside = term_of(line)
        count += 1
        if inside is None or count > _MOST_INLINED:
            return None
        return _flat(replaced(inside, change))

    return _flat(replaced(term, change))


def _flat(term: Term) -> Term:
    """Return a product of products as one product."""
    if not isinstance(term, Applied):
        return term
    operands: list[Term] = []
    for operand in map(_flat, term.operands):
        if isinstance(operand, Applied) and operand.head == term.head and term.head in ("*", "+"):
            operands.extend(operand.operands)
        else:
            operands.append(operand)
    return Applied(term.head, tuple(operands))
