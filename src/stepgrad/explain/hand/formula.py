"""What a person's expression gives: the text is brought to the language of `evaluate`, and its numbers looked
up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from decimal import Decimal

from stepgrad.errors import ArgumentError
from stepgrad.explain.evaluate import FUNCTIONS, evaluate
from stepgrad.explain.hand.latex import without_latex
from stepgrad.explain.hand.spelling import canonical

Lookup = Callable[[str], float | None]
"""Returns what a name stands for, None for a name that is not known."""

_SIGMOID = {"sigmoid", "σ", "sig", "Sigmoid", "시그모이드"}
_SPELLED = {"log": "ln", "Log": "ln", "sqrt": "√", "tanh": "tanh", "exp": "exp", "ln": "ln", "max": "max"}
_NAME = (
    r"(?:[d∂]\s*[^\W\d][^\s+\-−·×*/^()=]*\s*/\s*[d∂]\s*)?(?:[^\W\d]|ŷ|\d+\.(?=[a-z]))[\w.']*"
    r"(?:\^?[({\[]?\(\d+\)[)}\]]?|\^\{\(\d+\)\}|[⁽⁾⁰¹²³⁴⁵⁶⁷⁸⁹₀-₉′]|\[[\d,]+\]|_\{?[\d,]+\}?|_[a-z]+|')*"
)
_TOKEN = re.compile(rf"\s*(?:(\d+\.?\d*(?:[eE][-−+]?\d+)?(?![.\w])|\.\d+)|({_NAME})|(.))")


class Computed:
    """The value of an expression, and how far it may be off because its numbers were rounded: `slack`."""

    def __init__(self, value: float, slack: float) -> None:
        self.value, self.slack = value, slack


def computed(text: str, lookup: Lookup, exact: Collection[Decimal] = ()) -> Computed | None:
    """Return the value of an expression as a person writes it, ∞ for a number divided by 0; None if it cannot
    be read.

    Numbers that stand in `exact` are taken for what they are, others as rounded. Names are looked up;
    ``σ(…)`` and ``sigmoid(…)`` are known, a product needs no sign in front of a parenthesis.

    >>> computed(r"\\frac{1}{1 + e^{-z_1}}", {"z1": 0.6478}.get).value
    0.6565145265936446
    >>> computed("2(3 + w)", {}.get) is None
    True
    """
    values: dict[str, float] = {}
    numbers: dict[str, str] = {}
    plain = _plain(text, lookup, values, numbers)
    if plain is None:
        return None
    written = {name: Decimal(number) for name, number in numbers.items()}
    known = {**{name: Decimal(repr(value)) for name, value in values.items()}, **written}
    try:
        value = evaluate(plain, known)
        slack = sum(
            abs(evaluate(plain, {**known, name: number + _half(number)}) - value)
            for name, number in written.items()
            if number not in exact and _half(number)
        )
    except (ArgumentError, ArithmeticError):
        return None
    if value.is_nan():
        return None
    return Computed(float(value), float(slack) if value.is_finite() else 0.0)


def _half(number: Decimal) -> Decimal:
    """Return half of one in the last digit of a number that was rounded: of one with two decimals or more."""
    exponent = number.as_tuple().exponent
    return Decimal(5).scaleb(exponent - 1) if isinstance(exponent, int) and exponent <= -2 else Decimal(0)


def _plain(text: str, lookup: Lookup, values: dict[str, float], numbers: dict[str, str]) -> str | None:
    """Return an expression in the language of `evaluate`, its names replaced by v0, v1, … and its numbers by
    n0, n1, …; None where a name is not known.
    """
    text = without_latex(text.strip().strip("$"))
    text = text.replace("**", "^").replace("×", "·").replace("*", "·").replace("⋅", "·").replace("∙", "·")
    parts: list[str] = []
    for number, name, sign in _TOKEN.findall(text):
        if number:
            piece = f"n{len(numbers)}"
            numbers[piece] = number.replace("−", "-")
        elif name:
            found = _name_or_function(name.strip(), lookup, values)
            if found is None:
                return None
            piece = found
        else:
            piece = sign
        if parts and _multiplies(parts[-1], piece):
            parts.append("·")
        parts.append(piece)
    return _without_sigmoid("".join(parts))


def _name_or_function(name: str, lookup: Lookup, values: dict[str, float]) -> str | None:
    if name in _SIGMOID:
        return "sigmoid"
    if name in _SPELLED or name in FUNCTIONS or name in ("e", "π"):
        return _SPELLED.get(name, name)
    value = lookup(name)
    if value is None:
        value = lookup(canonical(name))
    if value is None:
        return None
    piece = f"v{len(values)}"
    values[piece] = value
    return piece


def _multiplies(before: str, after: str) -> bool:
    """Whether a product sign was left out between two pieces."""
    ends = before == ")" or re.fullmatch(r"[nv]\d+|e|π", before) is not None
    begins = after == "(" or re.fullmatch(r"[nv]\d+|e|π|sigmoid|exp|ln|tanh|√", after) is not None
    return ends and begins


def _without_sigmoid(text: str) -> str:
    """Return the text with each ``sigmoid(x)`` written out."""
    while (place := text.find("sigmoid(")) >= 0:
        depth, start = 0, place + len("sigmoid")
        for end in range(start, len(text)):
            depth += (text[end] == "(") - (text[end] == ")")
            if not depth:
                break
        inside = text[start + 1 : end]
        text = f"{text[:place]}(1/(1 + e^(−({inside})))){text[end + 1 :]}"
    return text
