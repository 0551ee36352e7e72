"""What a person's expression gives: the text is brought to the language of `evaluate`, and its names looked
up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal

from stepgrad.errors import ArgumentError
from stepgrad.explain.evaluate import FUNCTIONS, evaluate_array
from stepgrad.explain.hand.latex import with_lists, without_latex
from stepgrad.explain.hand.numbers import with_powers
from stepgrad.explain.hand.spelling import canonical
from stepgrad.explain.hand.sums import with_sums

Lookup = Callable[[str], float | None]
"""Returns what a name stands for, `Rounded` where that is not known exactly; None for an unknown name."""

_SIGMOID, _SLOPE = "(1/(1 + e^(−({x}))))", "({f}·(1 − {f}))"
_WRITTEN_OUT = {
    "sigmoid": _SIGMOID,
    "sigmoid'": _SLOPE.format(f=_SIGMOID),
    "tanh'": "(1 − tanh({x})^2)",
    "relu": "max({x}, 0)",
    "relu'": "if({x} > 0, 1, 0)",
    "square": "({x})^2",
    "log2": "(ln({x})/ln(2))",
    "log10": "(ln({x})/ln(10))",
}
"""Functions of people's that `evaluate` has not, by what they are."""
_SPELLED = {
    **dict.fromkeys(("σ", "sig", "sigm", "logistic", "시그모이드"), "sigmoid"),
    **dict.fromkeys(("log", "loge", "log_e"), "ln"), "log_2": "log2", "log_10": "log10", "lg": "log10",
    "sqrt": "√", "sq": "square", "th": "tanh",
}  # fmt: skip
_PART = r"(?:[^\W\d]\u0302?|\d+\.(?=[a-z]))[\w.'\u0302]*"
_PLACE = (
    r"\^?[({\[]?\(\d+\)[)}\]]?|\^\{\(\d+\)\}|[⁽⁾⁰¹²³⁴⁵⁶⁷⁸⁹₀-₉′]|\[[\d,]+\]|_\{?[\d,]+\}?|_[a-z]+|\^?'"
    r"|\^[+*](?=\s|$)"
)
_NAME = rf"(?:[d∂]\s*{_PART}(?:{_PLACE})*\s*/\s*[d∂]\s*)?{_PART}(?:{_PLACE})*"
_TOKEN = re.compile(rf"\s*(?:(?!\d+\.[a-z])(\d+\.?\d*(?:[eE][-−+]?\d+)?(?![.\d])|\.\d+)|({_NAME})|(.))")
_SAME = {"×": "·", "*": "·", "⋅": "·", "∙": "·", "•": "·", "∗": "·", "÷": "/", "–": "−", "**": "^"}


class Rounded(float):
    """A number that may be off by `slack`, because it was rounded."""

    slack: float = 0.0

    @classmethod
    def of(cls, value: float, slack: float) -> Rounded:
        """Return a value that may be off by so much."""
        made = cls(value)
        made.slack = slack
        return made


class Computed:
    """The value of an expression, and how far it may be off because its numbers were rounded: `slack`."""

    def __init__(self, value: float, slack: float) -> None:
        self.value, self.slack = value, slack


def computed(
    text: str, lookup: Lookup, exact: Collection[Decimal] = (), element: tuple[int, int] = (0, 1)
) -> Computed | None:
    """Return the value of an expression as a person writes it, ∞ for a number divided by 0 and NaN for 0/0;
    None if it cannot be read.

    Numbers that stand in `exact` are taken for what they are, others as rounded. Names are looked up;
    ``σ(…)`` and ``sigmoid(…)`` are known, a product needs no sign in front of a parenthesis. `element` says
    which number of how many is wanted of a list.

    >>> computed(r"\\frac{1}{1 + e^{-z_1}}", {"z1": 0.6478}.get).value
    0.6565145265936446
    >>> computed("2(3 + w)", {}.get) is None
    True
    """
    named: dict[str, float] = {}
    numbers: dict[str, str] = {}
    plain = _plain(text, lookup, named, numbers)
    if plain is None:
        return None
    written = {name: Decimal(number) for name, number in numbers.items()}
    known = {**{name: Decimal(repr(float(value))) for name, value in named.items()}, **written}
    try:
        slacks = {name: _half(number) for name, number in written.items() if number not in exact}
        slacks |= {name: Decimal(getattr(value, "slack", 0.0)) for name, value in named.items()}
        value = _evaluated(plain, known, element)
        if value is None or value.is_nan():
            return None if value is None else Computed(float("nan"), 0.0)
        others = (
            _evaluated(plain, {**known, name: known[name] + by}, element) for name, by in slacks.items() if by
        )
        slack = sum(abs(other - value) for other in others if other is not None and other.is_finite())
    except (ArgumentError, ArithmeticError, ValueError, TypeError):
        return None
    return Computed(float(value), float(slack) if value.is_finite() else 0.0)


def _evaluated(plain: str, known: Mapping[str, Decimal], element: tuple[int, int]) -> Decimal | None:
    """Return the wanted number of what a text gives, None if it gives another number of them."""
    found = evaluate_array(plain, known)
    place, count = element
    if found.size != count:
        return None
    wanted: Decimal = found.reshape(-1)[place]
    return wanted


def _half(number: Decimal) -> Decimal:
    """Return half of one in the last digit of a number that was rounded: of one with two decimals or more."""
    exponent = number.as_tuple().exponent
    return Decimal(5).scaleb(exponent - 1) if isinstance(exponent, int) and exponent <= -2 else Decimal(0)


def _plain(text: str, lookup: Lookup, named: dict[str, float], numbers: dict[str, str]) -> str | None:
    """Return an expression in the language of `evaluate`, its names replaced by v0, v1, … and its numbers by
    n0, n1, …; None where a name is not known.
    """
    text = with_powers(without_latex(with_lists(text.strip().strip("$"))))
    if "Σ" in text or "∑" in text:
        text = with_sums(text.replace("∑", "Σ"), lambda name: lookup(canonical(name)) is not None)
    text = re.sub(r"(?<=[\d)])\s+[xX]\s+(?=[\d(.−-])", "·", re.sub(r"\]\s*\^\(?T\)?", "]ᵀ", text))
    text = re.sub(r"(?<!\w)(ln|log|exp|tanh|sqrt)(?!10\(|2\()(?=\d)", r"\1 ", text)
    for sign, same in reversed(_SAME.items()):
        text = text.replace(sign, same)
    parts: list[str] = []
    for number, name, sign in _TOKEN.findall(text):
        pieces: list[str] | None = [sign]
        if number:
            pieces = [f"n{len(numbers)}"]
            numbers[pieces[0]] = number.replace("−", "-")
        elif name:
            pieces = _known(name.strip(), lookup, named)
        if pieces is None:
            return None
        for piece in pieces:
            if parts and _is_function(parts[-1]) and re.fullmatch(r"[nv]\d+|e|π", piece):
                parts.append(f"({piece})")  # ln 0.5
                continue
            if parts and _multiplies(parts[-1], piece):
                parts.append("·")
            parts.append(piece)
    return _written_out(re.sub(r"\[([^\[\],]*)\]", r"(\1)", "".join(parts)))


def _known(name: str, lookup: Lookup, named: dict[str, float]) -> list[str] | None:
    """Return what stands for a name: a function, a value, or the values of which it is a product, w11x1."""
    prime = "'" if name.endswith(("'", "′")) else ""
    function = name.rstrip("'′").removesuffix("^")
    function = _SPELLED.get(function, _SPELLED.get(function.lower(), function.lower())) + prime
    if function in _WRITTEN_OUT or function in FUNCTIONS or function == "√" or name in ("e", "π"):
        return [function]
    value = lookup(name)
    if value is None:
        value = lookup(canonical(name))
    if value is not None:
        piece = f"v{len(named)}"
        named[piece] = value
        return [piece]
    if len(name) > 2 and not re.search(r"\d|[₀-₉]", name):
        return None
    for end in range(len(name) - 1, 0, -1):
        rest = name[end:]
        if rest[0].isalpha() and name[:end] != "e" and (first := lookup(name[:end])) is not None:
            others = _known(rest, lookup, named)
            if others is not None:
                piece = f"v{len(named)}"
                named[piece] = first
                return [piece, *others]
    return None


def _multiplies(before: str, after: str) -> bool:
    """Whether a product sign was left out between two pieces."""
    ends = before.endswith(")") or re.fullmatch(r"[nv]\d+|e|π", before) is not None
    return ends and (after == "(" or _is_function(after) or re.fullmatch(r"[nv]\d+|e|π", after) is not None)


def _is_function(piece: str) -> bool:
    return piece in _WRITTEN_OUT or piece in FUNCTIONS or piece == "√"


def _written_out(text: str) -> str:
    """Return the text with the functions that `evaluate` has not written out."""
    pattern = re.compile(rf"\b({'|'.join(map(re.escape, sorted(_WRITTEN_OUT, key=len, reverse=True)))})\(")
    while (match := pattern.search(text)) is not None:
        start, depth, end = match.end(), 1, match.end()
        while depth and end < len(text):
            depth += (text[end] == "(") - (text[end] == ")")
            end += 1
        inside = text[start : end - 1] if not depth else text[start:]
        text = f"{text[: match.start()]}{_WRITTEN_OUT[match[1]].replace('{x}', f'({inside})')}{text[end:]}"
    return text
