"""Expressions and numbers as text, the form that `evaluate` reads, and as LaTeX."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal

import numpy

from stepgrad.explain.expressions import Expression, Number, Operation, Ref

Shown = Callable[[Ref | Number], str]
"""What stands for a leaf: its name or its value, as text or as LaTeX."""

_SURE_DIGITS = 14
_MEANT_DIGITS = 15  # to which a decimal that somebody wrote comes out of float64 as it was
_ROUNDED_OFF = Decimal("1e-15")  # of the numbers in a sum, in float64
_POWER_OF_TEN = re.compile(r"[\d.]+e[-−]?\d+")
_ENDS = 3  # numbers that are left at either end of a dimension that is cut

# How tightly an operator binds.
_COMPARED, _SUM, _PRODUCT, _SIGN, _POWER, _ATOM = range(1, 7)
_PRODUCTS = {"@": "·", "⊙": " ⊙ "}  # of matrices, and of arrays element by element
_COMPARISONS = {"==": "=", "!=": "≠", "<": "<", "<=": "≤", ">": ">", ">=": "≥"}
_NAMES = {
    "exp": "exp", "log": "ln", "sqrt": "sqrt", "maximum": "max", "minimum": "min", "where": "if",
    "logical_not": "not", "logical_and": "and", "logical_or": "or", "logical_xor": "xor", "&": "and",
    "|": "or", "^": "xor", "%": "mod",
}  # fmt: skip


def number_text(value: float, digits: int) -> str:
    """Return a number with `digits` significant digits; with fewer if they say exactly what it is.

    >>> [number_text(x, 6) for x in (0.6477999999999999, 0.4352, 1 / 3e9, 2.0)]
    ['0.6478', '0.4352', '3.33333e-10', '2']
    """
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "−∞"
    # What float64 adds behind the fifteenth digit is no part of the number.
    exact = Context(prec=max(digits, _SURE_DIGITS), rounding=ROUND_HALF_EVEN).plus(
        Decimal(repr(float(value)))
    )
    rounded = Context(prec=digits, rounding=ROUND_HALF_EVEN).plus(exact)
    if rounded == exact:
        rounded = rounded.normalize()
    return decimal_text(rounded)


def literal_text(value: float, digits: int) -> str:
    """Return a number that is written out in a formula: one that is short is what it is meant to be.

    >>> literal_text(1 - 0.9, 17), literal_text(1 / 3, 17)
    ('0.1', '0.3333333333333333')
    """
    meant = number_text(value, _MEANT_DIGITS)
    return meant if len(meant) < _SURE_DIGITS else number_text(value, digits)


def array_text(array: numpy.ndarray, digits: int, most: int | None = None) -> str:
    """Return an array as text, rows in brackets; one of more than `most` numbers cut to its corners.

    >>> array_text(numpy.array([[1.0, 0.5], [-2.0, 1 / 3]]), 4), array_text(numpy.array(0.5), 4)
    ('[[1, 0.5], [−2, 0.3333]]', '0.5')
    """
    if array.ndim == 0:
        return number_text(float(array), digits)
    is_cut = most is not None and array.size > most
    if not is_cut or len(array) <= 2 * _ENDS:
        return f"[{', '.join(array_text(part, digits, _ENDS if is_cut else None) for part in array)}]"
    ends = [array_text(part, digits, _ENDS) for part in (*array[:_ENDS], *array[-_ENDS:])]
    return f"[{', '.join([*ends[:_ENDS], '…', *ends[_ENDS:]])}]"


def parts_of_array(text: str) -> list[str]:
    """Return the texts of the parts of an array.

    >>> parts_of_array("[[1, 2], [3, 4]]"), parts_of_array("[1, …, 3]")
    (['[1, 2]', '[3, 4]'], ['1', '…', '3'])
    """
    parts, depth = [""], 0
    for sign in text[1:-1]:
        depth += (sign == "[") - (sign == "]")
        if sign == "," and not depth:
            parts.append("")
        else:
            parts[-1] += sign
    return [part.strip() for part in parts]


def decimal_text(value: Decimal) -> str:
    """Return a decimal as it is, large and small ones with a power of ten.

    >>> decimal_text(Decimal("-0.0162")), decimal_text(Decimal("1E+3")), decimal_text(Decimal("1.5e-9"))
    ('−0.0162', '1000', '1.5e-9')
    """
    if value.is_zero():
        return "0"
    size = value.adjusted()
    text = f"{value:e}".replace("e+", "e") if size < -4 or size > 15 else f"{value:f}"
    return text.replace("-", "−", 1) if value < 0 else text


def tolerance(text: str, digits: int) -> Decimal:
    """Return what one in the last digit of a printed number is worth.

    A number that is printed with fewer than `digits` significant digits is exact, so its last digit is the
    one that it would have with all of them.

    >>> tolerance("−0.0162", 3), tolerance("3.33e-10", 3), tolerance("12", 4)
    (Decimal('0.0001'), Decimal('1E-12'), Decimal('0.01'))
    >>> tolerance("1290", 3)  # of 1286.4
    Decimal('1E+1')
    """
    number = Decimal(text.replace("−", "-"))
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int):
        return Decimal(0)
    if not exponent and number:
        exponent = len(text) - len(text.rstrip("0"))  # the zeros of a whole number need not be digits of it
    return Decimal(1).scaleb(min(exponent, number.adjusted() - digits + 1) if number else -digits)


def arrays_agree(
    found: numpy.ndarray, printed: numpy.ndarray, digits: int, sizes: numpy.ndarray | None = None
) -> bool:
    """Return whether two arrays of decimals agree to within the last digit that is printed, or what float64
    rounds off numbers of `sizes`, of which they are sums.
    """
    if found.shape != printed.shape:
        return False
    scales = numpy.full(found.shape, Decimal(0) if sizes is None else sizes, dtype=object)
    for a, b, size in zip(*(array.reshape(-1).tolist() for array in (found, printed, scales))):
        noise = size * _ROUNDED_OFF if size.is_finite() else Decimal(0)
        if not a.is_finite() or not b.is_finite():
            if str(a) != str(b):
                return False
        elif abs(a - b) > max(tolerance(str(b), digits), a.scaleb(-digits - 3).copy_abs(), noise):
            return False
    return True


def text_of(x: Expression, shown: Shown) -> str:
    """Return an expression as text that `evaluate` reads."""
    if not isinstance(x, Operation):
        return shown(x)
    text, strength = _text(x, shown)
    # A comparison is a number, 1 or 0; the parentheses keep its sign apart from those of the line.
    return f"({text})" if strength == _COMPARED else text


def _text(x: Expression, shown: Shown) -> tuple[str, int]:
    if not isinstance(x, Operation):
        text = shown(x)
        return (f"({text})", _ATOM) if text.startswith("−") else (text, _ATOM)
    head, operands = x.head, x.operands
    if head == "+":
        return _sum_text(operands, shown), _SUM
    if head == "*":
        return "·".join(_within(y, _PRODUCT + (i > 0), shown) for i, y in enumerate(operands)), _PRODUCT
    if head == "/":
        return f"{_within(operands[0], _PRODUCT, shown)}/{_base_text(operands[1], shown, _SIGN)}", _PRODUCT
    if head == "neg":
        return "−" + _within(operands[0], _PRODUCT, shown), _SIGN - 2
    if head == "**":
        return f"{_base_text(operands[0], shown)}^{_base_text(operands[1], shown)}", _POWER
    if head == "exp":
        return f"e^{_base_text(operands[0], shown)}", _POWER
    if head in _PRODUCTS:
        return _PRODUCTS[head].join(
            _within(y, _PRODUCT + (i > 0 or is_of_elements(head, y)), shown) for i, y in enumerate(operands)
        ), _PRODUCT
    if head == "ᵀ":
        return f"{_base_text(operands[0], shown)}ᵀ", _ATOM
    if head in _COMPARISONS:
        a, b = (_within(y, _SUM, shown) if isinstance(y, Operation) else shown(y) for y in operands)
        return f"{a} {_COMPARISONS[head]} {b}", _COMPARED
    if head == "…":
        return "…", _ATOM
    if head == "[]":
        places = ", ".join(text_of(y, shown) for y in operands[1:])
        return f"{_base_text(operands[0], shown)}[{places}]", _ATOM
    if head == "list":
        return f"[{', '.join(text_of(y, shown) for y in operands)}]", _ATOM
    if head == ":":
        return ":".join(text_of(y, shown) for y in operands), _ATOM
    if head == "":
        return "", _ATOM
    inside_text = ", ".join(_text(y, shown)[0] if isinstance(y, Operation) else shown(y) for y in operands)
    if head == "abs":
        return f"|{inside_text}|", _ATOM
    if head == "sqrt":
        return f"√({inside_text})", _ATOM
    return f"{_NAMES.get(head, head)}({inside_text})", _ATOM


def is_of_elements(head: str, x: Expression) -> bool:
    """Whether x is a product of elements within a product of matrices, or the other way round."""
    return isinstance(x, Operation) and x.head in _PRODUCTS and x.head != head


def _within(x: Expression, least: int, shown: Shown) -> str:
    text, strength = _text(x, shown)
    return text if strength >= least else f"({text})"


def is_open(text: str) -> bool:
    """Whether a sign behind a name or number seems to belong to the end of it alone.

    >>> is_open("∂L/∂w₁₁"), is_open("3e-5"), is_open("w₁₁"), is_open("0.3")
    (True, True, False, False)
    """
    return text.startswith("∂") or _POWER_OF_TEN.fullmatch(text) is not None


def _base_text(x: Expression, shown: Shown, least: int = _ATOM) -> str:
    """Return what has a power, an index or a transpose, is a power, or is divided by."""
    text = _within(x, least, shown)
    return f"({text})" if not isinstance(x, Operation) and is_open(text) else text


def _sum_text(terms: Sequence[Expression], shown: Shown) -> str:
    parts = []
    for i, term in enumerate(terms):
        if isinstance(term, Operation) and term.head == "neg":
            sign, term = "−", term.operands[0]
        elif isinstance(term, Number) and term.value < 0 and i:
            sign, term = "−", Number(-term.value)
        else:
            sign = "+"
        is_first = not i and sign == "+" and not isinstance(term, Operation)
        text = text_of(term, shown) if is_first else _within(term, _PRODUCT, shown)
        parts.append((f" {sign} " if i else sign.strip("+")) + text)
    return "".join(parts)


# ------------------------------------------------------------------------------------------------ LaTeX

_LATEX_COMPARISONS = {"==": "=", "!=": r"\ne", "<": "<", "<=": r"\le", ">": ">", ">=": r"\ge"}
_LATEX_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|[{}^_]")
_OPENING, _CLOSING = {"{", r"\left", r"\begin"}, {"}", r"\right", r"\end"}
_LATEX_NAMES = {
    "exp": r"\exp", "log": r"\ln", "maximum": r"\max", "minimum": r"\min", "tanh": r"\tanh", "sin": r"\sin",
    "cos": r"\cos",
}  # fmt: skip


def number_latex(text: str) -> str:
    r"""Return the text of a number in LaTeX.

    >>> print(number_latex("−3.5e-10"))
    -3.5 \times 10^{-10}
    """
    if text.startswith("["):
        rows = parts_of_array(text)
        if any(row.startswith("[") for row in rows):
            joined = [
                " & ".join(map(number_latex, parts_of_array(row))) if row.startswith("[") else r"\vdots"
                for row in rows
            ]
        else:
            joined = [" & ".join(map(number_latex, rows))]
        lines = r" \\ ".join(joined)
        return rf"\begin{{bmatrix}} {lines} \end{{bmatrix}}"
    plain = (
        text.replace("…", r"\cdots").replace("−", "-").replace("∞", r"\infty").replace("NaN", r"\mathrm{NaN}")
    )
    mantissa, mark, exponent = plain.partition("e")
    return rf"{mantissa} \times 10^{{{exponent}}}" if mark else plain


def latex_of(x: Expression, shown: Shown) -> str:
    """Return an expression in LaTeX."""
    return shown(x) if not isinstance(x, Operation) else _latex(x, shown)[0]


def _latex(x: Expression, shown: Shown) -> tuple[str, int]:
    if not isinstance(x, Operation):
        text = shown(x)
        return (rf"\left({text}\right)", _ATOM) if text.startswith("-") else (text, _ATOM)
    head, operands = x.head, x.operands
    if head == "+":
        return _sum_latex(operands, shown), _SUM
    if head == "*":
        factors = [_latex_within(y, _PRODUCT + (i > 0), shown) for i, y in enumerate(operands)]
        return r" \cdot ".join(factors), _PRODUCT
    if head == "/":
        return rf"\frac{{{latex_of(operands[0], shown)}}}{{{latex_of(operands[1], shown)}}}", _PRODUCT + 1
    if head == "neg":
        return "-" + _latex_within(operands[0], _PRODUCT, shown), _SIGN - 2
    if head == "**":
        return f"{_latex_of_base('^', operands[0], shown)}^{{{latex_of(operands[1], shown)}}}", _POWER
    if head == "exp":
        return f"e^{{{latex_of(operands[0], shown)}}}", _POWER
    if head == "sqrt":
        return rf"\sqrt{{{latex_of(operands[0], shown)}}}", _ATOM
    if head == "abs":
        return rf"\left|{latex_of(operands[0], shown)}\right|", _ATOM
    if head in ("@", "⊙"):
        sign = r" \, " if head == "@" else r" \odot "
        return sign.join(
            _latex_within(y, _PRODUCT + (i > 0 or is_of_elements(head, y)), shown)
            for i, y in enumerate(operands)
        ), _PRODUCT
    if head == "ᵀ":
        return rf"{_latex_of_base('ᵀ', operands[0], shown)}^{{\top}}", _ATOM
    if head in _COMPARISONS:
        a, b = (_latex_within(y, _SUM, shown) for y in operands)
        return rf"\left[{a} {_LATEX_COMPARISONS[head]} {b}\right]", _ATOM
    if head == "where":
        condition, a, b = (latex_of(y, shown) for y in operands)
        return rf"\begin{{cases}} {a} & {condition} \\ {b} & \text{{else}} \end{{cases}}", _COMPARED
    if head == "…":
        return r"\cdots", _ATOM
    if head == "[]":
        places = ", ".join(latex_of(y, shown) for y in operands[1:])
        return rf"{_latex_of_base('[]', operands[0], shown)}_{{[{places}]}}", _ATOM
    if head == "list":
        return rf"\left[{', '.join(latex_of(y, shown) for y in operands)}\right]", _ATOM
    if head == ":":
        return ":".join(latex_of(y, shown) for y in operands), _ATOM
    if head == "":
        return "", _ATOM
    inside = ", ".join(latex_of(y, shown) for y in operands)
    name = _LATEX_NAMES.get(head, rf"\operatorname{{{head.replace('_', ' ')}}}")
    return rf"{name}\left({inside}\right)", _ATOM


def _latex_within(x: Expression, least: int, shown: Shown) -> str:
    text, strength = _latex(x, shown)
    return text if strength >= least else rf"\left({text}\right)"


def _latex_of_base(sign: str, x: Expression, shown: Shown) -> str:
    """Return what has a power, a transpose or an index (`sign`), grouped where it has a script already: TeX
    knows no second one.
    """
    text = _latex_within(x, _ATOM, shown)
    scripts = _scripts(text)
    if text.startswith(r"\frac") or (scripts and (r"\times" in text or isinstance(x, Operation))):
        return rf"\left({text}\right)"
    if sign == "^":
        return rf"\left({text}\right)" if "^" in scripts else text
    return f"{{{text}}}" if scripts else text


def _scripts(text: str) -> set[str]:
    r"""Return which of ^ and _ stand in a LaTeX text outside of its groups.

    >>> sorted(_scripts(r"z^{(1)}_{11}")), _scripts(r"\left(z_1\right)"), _scripts(r"\mathrm{in\_proj}")
    (['^', '_'], set(), set())
    """
    found, depth = set(), 0
    for token in _LATEX_TOKEN.findall(text):
        depth += (token in _OPENING) - (token in _CLOSING)
        if token in "^_" and not depth:
            found.add(token)
    return found


def _sum_latex(terms: Sequence[Expression], shown: Shown) -> str:
    parts = []
    for i, term in enumerate(terms):
        if isinstance(term, Operation) and term.head == "neg":
            sign, term = "-", term.operands[0]
        elif isinstance(term, Number) and term.value < 0 and i:
            sign, term = "-", Number(-term.value)
        else:
            sign = "+"
        is_first = not i and sign == "+" and not isinstance(term, Operation)
        text = latex_of(term, shown) if is_first else _latex_within(term, _PRODUCT, shown)
        parts.append((f" {sign} " if i else sign.strip("+")) + text)
    return "".join(parts)
