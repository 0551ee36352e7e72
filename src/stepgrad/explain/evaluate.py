"""An evaluator of printed text, which knows nothing of how that text was made.

It reads what a line says (``0.4352·1 + 0.3545·1 + (−0.1419)``, ``1/(1 + e^(−z₁))``) with a parser of its
own and computes in decimal arithmetic of 40 digits. So what it finds is what a patient person finds with
paper and a good table of logarithms, and it shares no code with the engine whose lines it checks.

The language: numbers; names, whose values are handed in; ``+ − · × * / ^``, parentheses, ``|x|``, ``√``;
comparisons ``< ≤ > ≥ = ≠``, which are 1 or 0; the constants ``e`` and ``π``; functions by name with arguments
in parentheses (`FUNCTIONS`); ``if(condition, a, b)``. Arrays are written in brackets, ``[[1, 2], [3, 4]]``,
and computed element by element as NumPy does, but ``A·B`` of two arrays is the product of matrices,
``A ⊙ B`` that of elements, ``Aᵀ`` the transpose, ``A[0, 2:4]`` a part of it, counted as in Python;
`ARRAY_FUNCTIONS` take arrays as a whole.

`evaluate_floats` reads the same language and computes in float64, for arrays that are too large for decimals.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal, localcontext
from functools import cache
from typing import Any

import numpy

from stepgrad.errors import ArgumentError
from stepgrad.explain.evaluate_arrays import ARRAY_FUNCTIONS

DIGITS = 40
_CONTEXT = Context(prec=DIGITS, Emax=10**9, Emin=-(10**9), traps=[])

NAME = r"(?!ᵀ)[^\W\d](?:(?!ᵀ)[\w\u0302⁽⁾⁰¹²³⁴⁵⁶⁷⁸⁹′]|,(?=[₀-₉]))*"
_TOKEN = re.compile(
    rf"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-−+]?\d+)?|∞|NaN)|(?P<name>(?:∂{NAME}/∂)?{NAME})"
    r"|(?P<sign><=|>=|!=|==|[-+−·×*/^()|,√<>≤≥=≠⊙ᵀ\[\]:]))"
)
_COMPARISONS: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "<": lambda a, b: a < b, ">": lambda a, b: a > b, "=": lambda a, b: a == b, "≠": lambda a, b: a != b,
    "≤": lambda a, b: a <= b, "≥": lambda a, b: a >= b,
}  # fmt: skip
_SAME = {"<=": "≤", ">=": "≥", "!=": "≠", "==": "=", "−": "-", "×": "·", "*": "·"}


def evaluate(text: str, values: Mapping[str, Decimal | float | str] | None = None) -> Decimal:
    """Return the value of `text`; `values` says what the names in it stand for.

    Raises `ArgumentError` naming the place where the text cannot be read, or a name that has no value.

    >>> float(evaluate("1/(1 + e^(−z))", {"z": "0.6478"}))
    0.6565145265936446
    >>> evaluate("max(−0.5, 0) + |−2|·√(9)")
    Decimal('6')
    """
    found = evaluate_array(text, {name: decimal(value) for name, value in (values or {}).items()})
    if found.ndim:
        raise ArgumentError(f"{text!r} is an array, not a number.")
    return found.item()


def evaluate_array(text: str, values: Mapping[str, Any] | None = None) -> numpy.ndarray:
    """Return the value of `text`, a number or an array, as an array of decimals.

    >>> evaluate_array("[[1, 2]]·[[3, 4]]ᵀ + 1").tolist()
    [[Decimal('12')]]
    """
    with localcontext(_CONTEXT):
        reader = _Reader(text, dict(values or {}))
        try:
            result = reader.comparison()
        except RecursionError:
            raise ArgumentError(f"{text[:40]!r}… has too many parentheses within each other.") from None
        reader.expect("")
        return numpy.array(result, dtype=object)


def evaluate_floats(text: str, values: Mapping[str, Any]) -> numpy.ndarray:
    """Return the value of `text`, a number or an array, in float64; `values` are numbers and arrays.

    >>> evaluate_floats("sum(A·[1, 2])/e^0", {"A": numpy.ones((3, 2))}).item()
    9.0
    """
    with numpy.errstate(all="ignore"):
        reader = _FloatReader(text, values)
        result = reader.comparison()
        reader.expect("")
        return numpy.asarray(result, dtype=numpy.float64)


def sizes_of(text: str) -> numpy.ndarray:
    """Return how large the numbers are of which `text` is a sum: its value, had all of them the same sign.

    What was rounded in float64 is off by a part of this, though the sum itself may be next to nothing.

    >>> sizes_of("sum([0.5, −0.3, −0.2], 0)").item()
    Decimal('1.0')
    """
    with localcontext(_CONTEXT):
        return numpy.array(_SizeReader(text, {}).comparison(), dtype=object)


def decimal(value: Decimal | float | str) -> Decimal:
    """Return a number, or the text of one, exactly."""
    if isinstance(value, str):
        return Decimal(value.replace("−", "-").replace("∞", "Infinity"))
    return Decimal(value)


def is_filled_in(formula: str, values: Mapping[str, str], text: str) -> bool:
    """Return whether a text is the formula with the texts of `values` for its names, parentheses aside.

    >>> is_filled_in("a·b + 1", {"a": "0", "b": "−0.9"}, "0·(−0.9) + 1")
    True
    >>> is_filled_in("a·b + 1", {"a": "0", "b": "−0.9"}, "0·(−0.7) + 1")
    False
    """
    filled: list[tuple[str, str]] = []
    for token in _tokens(formula):
        filled += _tokens(values[token[1]]) if token[1] in values else [token]
    bare, said = ([t for t in tokens if t[1] not in ("(", ")")] for tokens in (filled, _tokens(text)))
    return bare == said


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, place = [], 0
    while place < len(text.rstrip()):
        match = _TOKEN.match(text, place)
        if match is None:
            raise ArgumentError(f"cannot read {text[place : place + 12].strip()!r} in {text!r}.")
        kind = match.lastgroup or ""
        tokens.append((kind, _SAME.get(match[kind], match[kind])))
        place = match.end()
    return tokens


class _Reader:
    """Reads a text from left to right and computes as it goes; one method for each level of binding."""

    dtype: Any = object

    def __init__(self, text: str, values: Mapping[str, Any]) -> None:
        self._text, self._values = text, values
        self._tokens, self._place = _tokens(text), 0

    def number(self, text: str) -> Any:
        """Return a number of the text."""
        return decimal(text)

    def apply(self, name: str, *operands: Any) -> Any:
        """Apply a function or an operator of numbers to each element of arrays that broadcast."""
        return _each(_BY_NAME[name], *operands)

    def constant(self, name: str) -> Any:
        """Return e or π."""
        return _constants()[name]

    def _next(self) -> str:
        return self._tokens[self._place][1] if self._place < len(self._tokens) else ""

    def _take(self, *wanted: str) -> str | None:
        if self._place < len(self._tokens) and self._next() in wanted:
            self._place += 1
            return self._tokens[self._place - 1][1]
        return None

    def expect(self, sign: str) -> None:
        """Step over `sign` ("" is the end), which must come next."""
        if self._next() != sign or not (sign == "" or self._take(sign)):
            found = repr(self._next()) if self._next() else "the end"
            raise ArgumentError(f"expected {sign or 'the end'!r}, not {found}, in {self._text!r}.")

    def comparison(self) -> Any:
        """Read a sum, or two that are compared."""
        left = self._sum()
        if sign := self._take(*_COMPARISONS):
            return self.apply(sign, left, self._sum())
        return left

    def _sum(self) -> Any:
        total = self._product()
        while sign := self._take("+", "-"):
            term = self._product()
            total = total + term if sign == "+" else total - term
        return total

    def _product(self) -> Any:
        product = self._signed()
        while sign := self._take("·", "/", "⊙"):
            factor = self._signed()
            if sign == "·" and numpy.ndim(product) and numpy.ndim(factor):
                product = numpy.matmul(product, factor)
            else:
                product = product / factor if sign == "/" else product * factor
        return product

    def _signed(self) -> Any:
        if self._take("-"):
            return -self._signed()
        if self._take("√"):
            return self.apply("sqrt", self._signed())
        return self._power()

    def _power(self) -> Any:
        is_e = self._next() == "e"
        base = self._single()
        while sign := self._take("ᵀ", "["):
            base = numpy.swapaxes(base, -1, -2) if sign == "ᵀ" else base[self._entries()]
        if not self._take("^"):
            return base
        exponent = self._signed()
        return self.apply("exp", exponent) if is_e else self.apply("^", base, exponent)

    def _entries(self) -> tuple[Any, ...]:
        """Read an index up to its bracket."""
        entries = [self._entry()]
        while self._take(","):
            entries.append(self._entry())
        self.expect("]")
        return tuple(part if isinstance(part, slice) else int(part) for part in entries)

    def _entry(self) -> Any:
        """Read a value, or from where to where and in which steps."""
        parts: list[Any] = []
        while True:
            is_left_out = self._next() in (":", ",", ")", "]")
            parts.append(None if is_left_out else self.comparison())
            if not self._take(":"):
                break
        return parts[0] if len(parts) == 1 else slice(*(None if x is None else int(x) for x in parts))

    def _single(self) -> Any:
        if self._take("("):
            inside = self.comparison()
            self.expect(")")
            return inside
        if self._take("["):
            parts = [self.comparison()]
            while self._take(","):
                parts.append(self.comparison())
            self.expect("]")
            return numpy.array(parts, dtype=self.dtype)
        if self._take("|"):
            inside = self.comparison()
            self.expect("|")
            return self.apply("abs", inside)
        kind, token = self._tokens[self._place] if self._place < len(self._tokens) else ("", "")
        if kind == "number":
            self._place += 1
            return self.number(token)
        if kind == "name":
            self._place += 1
            return self._named(token)
        raise ArgumentError(f"expected a number or a name, not {token or 'the end'!r}, in {self._text!r}.")

    def _named(self, name: str) -> Any:
        if name in self._values:
            return self._values[name]
        if name in _constants():
            return self.constant(name)
        if name not in FUNCTIONS and name not in ARRAY_FUNCTIONS:
            raise ArgumentError(f"the name {name!r} in {self._text!r} has no value.")
        self.expect("(")
        arguments = [self._entry()]
        while self._take(","):
            arguments.append(self._entry())
        self.expect(")")
        try:
            if name in ARRAY_FUNCTIONS:
                made = ARRAY_FUNCTIONS[name](*arguments)
                return numpy.asarray(made, dtype=self.dtype) if numpy.ndim(made) else made
            return self.apply(name, *arguments)
        except TypeError:
            raise ArgumentError(
                f"{name} does not take {len(arguments)} arguments, in {self._text!r}."
            ) from None


class _FloatReader(_Reader):
    """Computes in float64, all elements of an array at once."""

    dtype = numpy.float64

    def number(self, text: str) -> Any:
        return float(decimal(text))

    def apply(self, name: str, *operands: Any) -> Any:
        made = FLOAT_FUNCTIONS[name](*operands)
        return made if numpy.ndim(made) == 0 else numpy.asarray(made, dtype=self.dtype)

    def constant(self, name: str) -> Any:
        return {"e": numpy.e, "π": numpy.pi}[name]


class _SizeReader(_Reader):
    """Reads a text without its signs; what is no sum or product of numbers is taken for what it is."""

    def _sum(self) -> Any:
        total = self._product()
        while self._take("+", "-"):
            total = total + self._product()
        return total

    def _signed(self) -> Any:
        self._take("-")
        return super()._signed()

    def _power(self) -> Any:
        start, curved, depth = self._place, self._next() in FUNCTIONS, 0
        size = super()._power()
        for _, sign in self._tokens[start : self._place]:
            depth += (sign in ("(", "[")) - (sign in (")", "]"))
            curved = curved or (sign == "^" and not depth)
        if not curved:
            return size
        exact = _Reader(self._text, self._values)
        exact._place = start
        return _each(abs, exact._power())


def _each(function: Callable[..., Any], *operands: Any) -> Any:
    """Apply a function of numbers to each element of arrays that broadcast."""
    if not any(numpy.ndim(x) for x in operands):
        return function(*(x.item() if isinstance(x, numpy.ndarray) else x for x in operands))
    return numpy.frompyfunc(function, len(operands), 1)(*operands)


def _power(base: Decimal, exponent: Decimal) -> Decimal:
    if exponent == 0:
        return Decimal(1)
    return base**exponent


@cache
def _constants() -> dict[str, Decimal]:
    with localcontext(_CONTEXT):
        return {"e": Decimal(1).exp(), "π": _pi()}


def _pi() -> Decimal:
    """Return π by Machin's formula (1706)."""

    def arctan_of_inverse(n: int) -> Decimal:
        power, total, k = Decimal(1) / n, Decimal(0), 0
        while abs(power) > Decimal(10) ** -(DIGITS + 5):
            total += power / (2 * k + 1) * (-1) ** k
            power, k = power / (n * n), k + 1
        return total

    return 16 * arctan_of_inverse(5) - 4 * arctan_of_inverse(239)


def _tanh(x: Decimal) -> Decimal:
    if not x.is_finite() or abs(x) > DIGITS * 2:
        return x if x.is_nan() else Decimal(1).copy_sign(x)
    if abs(x) < Decimal("1e-3"):  # where e^x − e^(−x) would lose digits: they are computed with more
        with localcontext(Context(prec=DIGITS + 60, Emax=10**9, Emin=-(10**9), traps=[])):
            return _tanh_by_exponentials(x)
    return _tanh_by_exponentials(x)


def _tanh_by_exponentials(x: Decimal) -> Decimal:
    up, down = x.exp(), (-x).exp()
    return (up - down) / (up + down)


def _erf(x: Decimal) -> Decimal:
    """Return the error function by its Taylor series (Abramowitz and Stegun, 1964, 7.1.5)."""
    if not x.is_finite() or abs(x) > 10:  # 1 − erf 10 is 2 · 10⁻⁴⁵
        return x if x.is_nan() else Decimal(1).copy_sign(x)
    # The terms grow up to e^(x²) before they fall.
    with localcontext(Context(prec=DIGITS + 50, traps=[])):
        term = total = x
        k = 0
        while abs(term) > Decimal(10) ** -(DIGITS + 10) * (abs(x) or 1):
            k += 1
            term = -term * x * x / k
            total += term / (2 * k + 1)
        return total * 2 / _constants()["π"].sqrt()


def _sin(x: Decimal) -> Decimal:
    if not x.is_finite():
        return Decimal("NaN")
    x %= 2 * _constants()["π"]
    term = total = x
    k = 1
    while abs(term) > Decimal(10) ** -(DIGITS + 5):
        k += 2
        term = -term * x * x / (k * (k - 1))
        total += term
    return total


FUNCTIONS: dict[str, Callable[..., Decimal]] = {
    "exp": lambda x: x.exp(),
    "ln": lambda x: x.ln(),
    "sqrt": lambda x: x.sqrt(),
    "tanh": _tanh,
    "erf": _erf,
    "sin": _sin,
    "cos": lambda x: _sin(x + _constants()["π"] / 2),
    "sign": lambda x: Decimal((x > 0) - (x < 0)),
    "floor": lambda x: x.to_integral_value(ROUND_FLOOR),
    "ceil": lambda x: x.to_integral_value(ROUND_CEILING),
    "round": lambda x: x.to_integral_value(ROUND_HALF_EVEN),
    "trunc": lambda x: x.to_integral_value("ROUND_DOWN"),
    "max": lambda *x: max(x),
    "min": lambda *x: min(x),
    "if": lambda condition, a, b: a if condition else b,
    "not": lambda x: Decimal(not x),
    "and": lambda a, b: Decimal(bool(a) and bool(b)),
    "or": lambda a, b: Decimal(bool(a) or bool(b)),
    "xor": lambda a, b: Decimal(bool(a) != bool(b)),
    "isnan": lambda x: Decimal(x.is_nan()),
    "isinf": lambda x: Decimal(x.is_infinite()),
    "mod": lambda a, b: a - b * (a / b).to_integral_value(ROUND_FLOOR),
}
"""The functions of the language, by the names that lines use for them."""


def _compared(compare: Callable[[Decimal, Decimal], bool]) -> Callable[[Decimal, Decimal], Decimal]:
    return lambda a, b: Decimal(compare(a, b))


_BY_NAME: dict[str, Callable[..., Decimal]] = {
    **FUNCTIONS,
    **{sign: _compared(compare) for sign, compare in _COMPARISONS.items()},
    "^": _power,
    "abs": abs,
}


def _of_all(fold: numpy.ufunc) -> Callable[..., Any]:
    return lambda *x: functools.reduce(fold, x)


FLOAT_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "exp": numpy.exp, "ln": numpy.log, "sqrt": numpy.sqrt, "tanh": numpy.tanh, "sin": numpy.sin,
    "cos": numpy.cos, "sign": numpy.sign, "floor": numpy.floor, "ceil": numpy.ceil, "round": numpy.rint,
    "trunc": numpy.trunc, "abs": numpy.abs, "^": numpy.power, "mod": numpy.mod, "isnan": numpy.isnan,
    "isinf": numpy.isinf, "erf": numpy.vectorize(math.erf, otypes=[float]),
    "max": _of_all(numpy.maximum), "min": _of_all(numpy.minimum),
    "if": numpy.where, "not": numpy.logical_not, "and": numpy.logical_and, "or": numpy.logical_or,
    "xor": numpy.logical_xor, "<": numpy.less, ">": numpy.greater, "=": numpy.equal, "≠": numpy.not_equal,
    "≤": numpy.less_equal, "≥": numpy.greater_equal,
}  # fmt: skip
"""The same for float64."""
