"""Expressions as MathML, each number and name a place that can be clicked."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from stepgrad.explain.expressions import Expression, Number, Operation, Ref
from stepgrad.explain.names import Name
from stepgrad.explain.notation import is_of_elements, is_open, parts_of_array
from stepgrad.markup import Html, join, tag

Shown = Callable[[Ref | Number], Html]

_SUM, _PRODUCT, _FRACTION, _POWER, _ATOM = range(1, 6)
_COMPARISONS = {"==": "=", "!=": "≠", "<": "<", "<=": "≤", ">": ">", ">=": "≥"}
_PRODUCTS = {"@": "·", "⊙": "⊙"}
_NAMES = {
    "log": "ln", "maximum": "max", "minimum": "min", "logical_not": "not", "logical_and": "and",
    "logical_or": "or", "logical_xor": "xor", "&": "and", "|": "or", "^": "xor", "%": "mod",
}  # fmt: skip


def math_element(*content: object) -> Html:
    """Return a formula of its own."""
    return tag("math", tag("mrow", *content), displaystyle="true")


def name_element(name: Name) -> Html:
    """Return the name of a number."""
    if name.kind != "value":
        upper = tag("mi", "L") if name.of is None else name_element(name.of)
        lower = name_element(Name(name.base, name.layer, name.index, name.prime))
        return tag("mfrac", tag("mrow", _operator("∂"), upper), tag("mrow", _operator("∂"), lower))
    base, _, of = name.base.partition("_")
    plain = unicodedata.normalize("NFD", base)
    if len(plain) == 2 and plain[1] == "\u0302":
        letter = tag("mover", tag("mi", plain[0]), _operator("^"), accent="true")
    else:
        letter = tag("mi", base, mathvariant="normal" if len(base) > 1 else None)
    places = [str(i + 1) for i in name.index]
    below = ([of] if of else []) + (
        places if any(len(p) > 1 for p in places) else ["".join(places)] * bool(places)
    )
    above = (f"({name.layer})" if name.layer else "") + "′" * name.prime
    lower, upper = tag("mtext", ",".join(below)), tag("mtext", above)
    if below and above:
        return tag("msubsup", letter, lower, upper)
    if below:
        return tag("msub", letter, lower)
    return tag("msup", letter, upper) if above else letter


def number_element(text: str) -> Html:
    """Return a number, a power of ten written as one; an array as a table."""
    if text.startswith("["):
        return _array_element(text)
    if text in ("…", "⋮"):
        return _operator(text.replace("…", "⋯"))
    mantissa, mark, exponent = text.partition("e")
    minus = mantissa.startswith("−")
    digits = tag("mn", mantissa.removeprefix("−"))
    number = tag("mrow", _operator("−"), digits) if minus else digits
    if not mark:
        return number
    power = tag("msup", tag("mn", "10"), tag("mrow", tag("mn", exponent.replace("-", "−"))))
    return tag("mrow", number, _operator("·"), power)


def _array_element(text: str) -> Html:
    """Return an array: a vector as a row, a matrix as rows, one of more dimensions as rows of arrays."""
    rows = parts_of_array(text)
    if not any(row.startswith("[") for row in rows):
        rows = [text]
    cells = [parts_of_array(row) if row.startswith("[") else ["⋮"] for row in rows]
    table = tag("mtable", *(tag("mtr", *(tag("mtd", number_element(cell)) for cell in row)) for row in cells))
    return tag("mrow", table, class_="array")


def expression_elements(x: Expression, shown: Shown, text: Callable[[Ref | Number], str]) -> list[Html]:
    """Return an expression in parts between which a line can be broken: terms of a sum, factors of arrays.

    `text` gives what is shown for a leaf as text.
    """
    writer = _Writer(shown, text)
    if isinstance(x, Operation) and x.head == "+":
        return writer.terms(x.operands)
    if isinstance(x, Operation) and x.head in _PRODUCTS:
        return writer.factors(x)
    return [writer.whole(x)]


class _Writer:
    def __init__(self, shown: Shown, text: Callable[[Ref | Number], str]) -> None:
        self._shown, self._text = shown, text

    def whole(self, x: Expression) -> Html:
        """Return an expression as it stands alone."""
        return self._shown(x) if not isinstance(x, Operation) else self._written(x)[0]

    def _written(self, x: Expression) -> tuple[Html, int]:
        if not isinstance(x, Operation):
            return self._leaf(x)
        head, operands = x.head, x.operands
        if head == "+":
            return tag("mrow", *self.terms(operands)), _SUM
        if head == "*":
            factors = [self._within(y, _PRODUCT + (i > 0)) for i, y in enumerate(operands)]
            return _separated(factors, "·"), _PRODUCT
        if head == "/":
            return tag("mfrac", *(tag("mrow", self.whole(y)) for y in operands)), _FRACTION
        if head == "neg":
            return tag("mrow", _operator("−"), self._within(operands[0], _PRODUCT)), _SUM
        if head == "**":
            base, exponent = self._base(operands[0]), self.whole(operands[1])
            return tag("msup", tag("mrow", base), tag("mrow", exponent)), _POWER
        if head == "exp":
            return tag("msup", tag("mi", "e"), tag("mrow", self.whole(operands[0]))), _POWER
        if head == "sqrt":
            return tag("msqrt", self.whole(operands[0])), _ATOM
        if head == "abs":
            return tag("mrow", _operator("|"), self.whole(operands[0]), _operator("|")), _ATOM
        if head in _PRODUCTS:
            return tag("mrow", *self.factors(x)), _PRODUCT
        if head == "ᵀ":
            return tag(
                "msup", tag("mrow", self._base(operands[0])), tag("mi", "T", mathvariant="normal")
            ), _ATOM
        if head in _COMPARISONS:
            sides = _separated([self.whole(y) for y in operands], _COMPARISONS[head])
            return tag("mrow", _operator("["), sides, _operator("]")), _ATOM
        if head == "…":
            return _operator("⋯"), _ATOM
        if head == "[]":
            places = _separated([self.whole(y) for y in operands[1:]], ",")
            part = tag("mrow", _operator("["), places, _operator("]"))
            return tag("mrow", self._base(operands[0]), part, class_="part"), _ATOM
        if head == "list":
            inside = _separated([self.whole(y) for y in operands], ",")
            return tag("mrow", _operator("["), inside, _operator("]")), _ATOM
        if head == ":":
            return _separated([self.whole(y) for y in operands], ":"), _ATOM
        if head == "":
            return Html(""), _ATOM
        name = tag("mi", "if" if head == "where" else _NAMES.get(head, head))
        return tag("mrow", name, _parentheses(_separated([self.whole(y) for y in operands], ","))), _ATOM

    def _leaf(self, x: Ref | Number) -> tuple[Html, int]:
        shown = self._shown(x)
        return (_parentheses(shown), _ATOM) if self._text(x).startswith("−") else (shown, _ATOM)

    def _within(self, x: Expression, least: int) -> Html:
        written, strength = self._written(x)
        return written if strength >= least else _parentheses(written)

    def _base(self, x: Expression) -> Html:
        """Return what has a power, a transpose or an index."""
        written = self._within(x, _ATOM)
        return _parentheses(written) if not isinstance(x, Operation) and is_open(self._text(x)) else written

    def factors(self, x: Operation) -> list[Html]:
        """Return the factors of a product of arrays, each with the sign before it."""
        first, *rest = [
            self._within(y, _PRODUCT + (i > 0 or is_of_elements(x.head, y))) for i, y in enumerate(x.operands)
        ]
        sign = tag("mo", _PRODUCTS[x.head], form="infix")
        return [first, *(tag("mrow", sign, factor) for factor in rest)]

    def terms(self, terms: tuple[Expression, ...]) -> list[Html]:
        """Return the terms of a sum, each with its sign."""
        parts: list[Html] = []
        for i, term in enumerate(terms):
            sign = "+"
            if isinstance(term, Operation) and term.head == "neg":
                sign, term = "−", term.operands[0]
            elif isinstance(term, Number) and term.value < 0 and i:
                sign, term = "−", Number(-term.value)
            is_first = not i and sign == "+"
            is_leaf = is_first and not isinstance(term, Operation)
            written = self.whole(term) if is_leaf else self._within(term, _PRODUCT)
            between = tag("mo", sign, form="infix" if i else "prefix")
            parts.append(written if is_first else tag("mrow", between, written))
        return parts


def _operator(sign: str) -> Html:
    return tag("mo", sign)


def _parentheses(content: Html) -> Html:
    return tag("mrow", _operator("("), content, _operator(")"))


def _separated(parts: list[Html], sign: str) -> Html:
    made: list[Html] = []
    for i, part in enumerate(parts):
        if i:
            made.append(_operator(sign))
        made.append(part)
    return tag("mrow", join(made))
