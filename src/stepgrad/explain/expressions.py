"""Expressions: what the text of a line says, as a tree.

A leaf is a `Number`, which is written out, or a `Ref`, one number of a quantity that has a name. An
`Operation` has a head and operands: the operators and functions of the scalar language in which the records
state their formulas (`ops/symbol.py`), sums and products of any length among them. The functions below build
operations and leave out what says nothing: ``1 · x`` is x, ``x + 0`` is x.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Number:
    """A number that is written out."""

    value: float


@dataclass(frozen=True, slots=True, eq=False)
class Ref:
    """One number of a quantity: `source` (a `Value`) at the flat position `place`."""

    source: Any
    place: int

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ref) and other.source is self.source and other.place == self.place

    def __hash__(self) -> int:
        return hash((id(self.source), self.place))

    @property
    def value(self) -> float:
        """The number."""
        return float(self.source.array.reshape(-1)[self.place])


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator or function with its operands."""

    head: str
    operands: tuple[Expression, ...]


Expression = Number | Ref | Operation

COMPARISONS = {"==", "!=", "<", "<=", ">", ">="}
ZERO, ONE = Number(0), Number(1)


def plus(*terms: Expression) -> Expression:
    """Return the sum of the terms, without zeros and without sums within the sum."""
    flat: list[Expression] = []
    for term in terms:
        flat.extend(term.operands if isinstance(term, Operation) and term.head == "+" else (term,))
    kept = [term for term in flat if not (isinstance(term, Number) and term.value == 0)]
    if all(isinstance(term, Number) for term in kept):
        return Number(math.fsum(term.value for term in kept if isinstance(term, Number)))
    return kept[0] if len(kept) == 1 else Operation("+", tuple(kept))


def negative(x: Expression) -> Expression:
    """Return −x."""
    if isinstance(x, Number):
        return Number(-x.value)
    if isinstance(x, Operation) and x.head == "neg":
        return x.operands[0]
    return Operation("neg", (x,))


def times(*factors: Expression) -> Expression:
    """Return the product of the factors: without ones, without products within it, the sign in front."""
    flat: list[Expression] = []
    minus = False
    for factor in factors:
        if isinstance(factor, Operation) and factor.head == "neg":
            minus, factor = not minus, factor.operands[0]
        if factor == Number(-1):
            minus = not minus
        elif isinstance(factor, Operation) and factor.head == "*":
            flat.extend(factor.operands)
        elif factor != ONE:
            flat.append(factor)
    if any(factor == ZERO for factor in flat):
        return ZERO
    if all(isinstance(factor, Number) for factor in flat):
        product = Number(math.prod(factor.value for factor in flat if isinstance(factor, Number)))
        return negative(product) if minus else product
    flat = _with_squares(flat)
    result = flat[0] if len(flat) == 1 else Operation("*", tuple(flat))
    return negative(result) if minus else result


def _with_squares(factors: list[Expression]) -> list[Expression]:
    """Return factors with x · x as the square of x."""
    made: list[Expression] = []
    for factor in factors:
        if made and made[-1] == factor and not isinstance(factor, Number):
            made[-1] = Operation("**", (factor, Number(2)))
        else:
            made.append(factor)
    return made


def over(a: Expression, b: Expression) -> Expression:
    """Return a / b."""
    if b == ONE or (a == ZERO and b != ZERO):
        return a
    if isinstance(a, Operation) and a.head == "neg":
        return negative(over(a.operands[0], b))
    return Operation("/", (a, b))


def function(head: str, *operands: Expression) -> Expression:
    """Return an operator or a function of the scalar language."""
    if head in STATED:
        return STATED[head](*operands)
    if head == "**" and operands[1] == ONE:
        return operands[0]
    if head == "where" and isinstance(operands[0], Number):
        return operands[1 if operands[0].value else 2]
    made = Operation(head, operands)
    if all(isinstance(x, Number) for x in operands) and head in COMPARISONS | {"logical_not"}:
        return Number(value_of(made))
    return made


def _exp(x: Expression) -> Expression:
    return Operation("exp", (x,))


def _log(x: Expression) -> Expression:
    return Operation("log", (x,))


def _sqrt(x: Expression) -> Expression:
    return Operation("sqrt", (x,))


def _square(x: Expression) -> Expression:
    return Operation("**", (x, Number(2)))


# What is written in others.
STATED: dict[str, Callable[..., Expression]] = {
    "+": plus,
    "-": lambda a, b: plus(a, negative(b)),
    "neg": negative,
    "*": times,
    "/": over,
    "cast": lambda x: x,
    "log1p": lambda x: _log(plus(ONE, x)),
    "expm1": lambda x: plus(_exp(x), Number(-1)),
    "exp2": lambda x: Operation("**", (Number(2), x)),
    "log2": lambda x: over(_log(x), _log(Number(2))),
    "log10": lambda x: over(_log(x), _log(Number(10))),
    "tan": lambda x: over(Operation("sin", (x,)), Operation("cos", (x,))),
    "sinh": lambda x: over(plus(_exp(x), negative(_exp(negative(x)))), Number(2)),
    "cosh": lambda x: over(plus(_exp(x), _exp(negative(x))), Number(2)),
    "asinh": lambda x: _log(plus(x, _sqrt(plus(_square(x), ONE)))),
    "acosh": lambda x: _log(plus(x, _sqrt(plus(_square(x), Number(-1))))),
    "atanh": lambda x: over(_log(over(plus(ONE, x), plus(ONE, negative(x)))), Number(2)),
    "hypot": lambda a, b: _sqrt(plus(_square(a), _square(b))),
    "erfc": lambda x: plus(ONE, negative(Operation("erf", (x,)))),
    "fmax": lambda a, b: Operation("maximum", (a, b)),
    "fmin": lambda a, b: Operation("minimum", (a, b)),
}


def without_guards(x: Expression) -> Expression:
    """Return `x` with each choice replaced by what was chosen, where the numbers make it clear.

    A `where` is replaced by its branch, a bound that is a plain number by what it bounds, if that is within.
    """
    if not isinstance(x, Operation):
        return x
    if x.head == "where":
        condition, a, b = x.operands
        return without_guards(a if value_of(condition) else b)
    operands = [without_guards(operand) for operand in x.operands]
    if x.head in ("maximum", "minimum") and len(operands) == 2:
        chosen = value_of(x)
        for one, other in (operands, reversed(operands)):
            if isinstance(other, Number) and not isinstance(one, Number) and value_of(one) == chosen:
                return one
    return function(x.head, *operands)


# ---------------------------------------------------------------------------------------------- reading


def leaves(x: Expression) -> Iterator[Ref | Number]:
    """Yield the leaves in the order in which they are written."""
    stack = [x]
    while stack:
        part = stack.pop()
        if isinstance(part, Operation):
            stack.extend(reversed(part.operands))
        else:
            yield part


def refs(x: Expression) -> list[Ref]:
    """Return the numbers of quantities that occur, each once, in order."""
    return list(dict.fromkeys(part for part in leaves(x) if isinstance(part, Ref)))


def size(x: Expression) -> int:
    """Return the number of operations."""
    return 1 + sum(map(size, x.operands)) if isinstance(x, Operation) else 0


def _safe(f: Callable[..., float]) -> Callable[..., float]:
    def computed(*operands: float) -> float:
        try:
            return f(*operands)
        except (ValueError, ZeroDivisionError):
            return math.nan
        except OverflowError:
            return math.inf

    return computed


_FUNCTIONS: dict[str, Callable[..., float]] = {
    "+": lambda *x: math.fsum(x), "*": lambda *x: math.prod(x), "neg": lambda x: -x,
    "/": _safe(lambda a, b: a / b), "**": _safe(lambda a, b: a**b), "%": _safe(lambda a, b: a % b),
    "==": lambda a, b: a == b, "!=": lambda a, b: a != b, "<": lambda a, b: a < b, "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
    "&": lambda a, b: bool(a) and bool(b), "|": lambda a, b: bool(a) or bool(b),
    "^": lambda a, b: bool(a) != bool(b),
    "logical_and": lambda a, b: bool(a) and bool(b), "logical_or": lambda a, b: bool(a) or bool(b),
    "logical_xor": lambda a, b: bool(a) != bool(b), "logical_not": lambda x: not x,
    "exp": _safe(math.exp), "log": _safe(lambda x: math.log(x) if x else -math.inf),
    "sqrt": _safe(math.sqrt), "sin": _safe(math.sin), "cos": _safe(math.cos), "tanh": math.tanh,
    "erf": math.erf, "abs": abs, "sign": lambda x: (x > 0) - (x < 0),
    "floor": _safe(math.floor), "ceil": _safe(math.ceil), "round": _safe(round), "trunc": _safe(math.trunc),
    "maximum": max, "minimum": min, "isnan": math.isnan, "isinf": math.isinf,
}  # fmt: skip

LANGUAGE = {*_FUNCTIONS, *STATED, "where"}
"""The operators and functions that lines are written with."""


def value_of(x: Expression) -> float:
    """Return the value in float64."""
    if not isinstance(x, Operation):
        return float(x.value)
    if x.head == "where":
        condition, a, b = x.operands
        return value_of(a if value_of(condition) else b)
    return float(_FUNCTIONS[x.head](*map(value_of, x.operands)))
