"""An evaluator of printed text, which knows nothing of how that text was made.

It reads what a line says (``0.4352·1 + 0.3545·1 + (−0.1419)``, ``1/(1 + e^(−z₁))``) with a parser of its
own and computes in decimal arithmetic of 40 digits. So what it finds is what a patient person finds with
paper and a good table of logarithms, and it shares no code with the engine whose lines it checks.

The language: numbers; names, whose values are handed in; ``+ − · × * / ^``, parentheses, ``|x|``, ``√``;
comparisons ``< ≤ > ≥ = ≠``, which are 1 or 0; the constants ``e`` and ``π``; functions by name with arguments
in parentheses (`FUNCTIONS`); ``if(condition, a, b)``. Arrays are written in brackets, ``[[1, 2], [3, 4]]``,
and computed element by element as NumPy does, but ``A·B`` of two arrays is the product of matrices,
``A ⊙ B`` that of elements, ``Aᵀ`` the transpose; `ARRAY_FUNCTIONS` take arrays as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal, localcontext
from functools import cache
from typing import Any

import numpy

from stepgrad.errors import ArgumentError

DIGITS = 40
_CONTEXT = Context(prec=DIGITS, Emax=10**9, Emin=-(10**9), traps=[])

NAME = r"(?!ᵀ)[^\W\d](?:(?!ᵀ)[\w⁽⁾⁰¹²³⁴⁵⁶⁷⁸⁹′]|,(?=[₀-₉]))*"
_TOKEN = re.compile(
    rf"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-−+]?\d+)?|∞|NaN)|(?P<name>(?:∂{NAME}/∂)?{NAME})"
    r"|(?P<sign><=|>=|!=|==|[-+−·×*/^()|,√<>≤≥=≠⊙ᵀ\[\]]))"
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


def names_in(text: str) -> list[str]:
    """Return the names that stand for values in `text`, each once, in order.

    >>> names_in("∂L/∂z₁·x₂ + max(x₂, e)")
    ['∂L/∂z₁', 'x₂']
    """
    found = [token for kind, token in _tokens(text) if kind == "name"]
    known = FUNCTIONS.keys() | ARRAY_FUNCTIONS.keys() | _constants().keys()
    return [name for name in dict.fromkeys(found) if name not in known]


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

    def __init__(self, text: str, values: Mapping[str, Decimal]) -> None:
        self._text, self._values = text, values
        self._tokens, self._place = _tokens(text), 0

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
            compare = _COMPARISONS[sign]
            return _each(lambda a, b: Decimal(compare(a, b)), left, self._sum())
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
            return _each(Decimal.sqrt, self._signed())
        return self._power()

    def _power(self) -> Any:
        is_e = self._next() == "e"
        base = self._single()
        while self._take("ᵀ"):
            base = numpy.swapaxes(base, -1, -2)
        if not self._take("^"):
            return base
        exponent = self._signed()
        return _each(Decimal.exp, exponent) if is_e else _each(_power, base, exponent)

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
            return numpy.array(parts, dtype=object)
        if self._take("|"):
            inside = self.comparison()
            self.expect("|")
            return _each(abs, inside)
        kind, token = self._tokens[self._place] if self._place < len(self._tokens) else ("", "")
        if kind == "number":
            self._place += 1
            return decimal(token)
        if kind == "name":
            self._place += 1
            return self._named(token)
        raise ArgumentError(f"expected a number or a name, not {token or 'the end'!r}, in {self._text!r}.")

    def _named(self, name: str) -> Any:
        if name in self._values:
            return self._values[name]
        if name in _constants():
            return _constants()[name]
        if name not in FUNCTIONS and name not in ARRAY_FUNCTIONS:
            raise ArgumentError(f"the name {name!r} in {self._text!r} has no value.")
        self.expect("(")
        arguments = [self.comparison()]
        while self._take(","):
            arguments.append(self.comparison())
        self.expect(")")
        try:
            if name in ARRAY_FUNCTIONS:
                return ARRAY_FUNCTIONS[name](*arguments)
            return _each(FUNCTIONS[name], *arguments)
        except TypeError:
            raise ArgumentError(
                f"{name} does not take {len(arguments)} arguments, in {self._text!r}."
            ) from None


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


def _folded(fold: Callable[..., Any]) -> Callable[..., Any]:
    """Return a fold of an array along dimensions, all of them if none is given."""

    def over(array: Any, *dims: Decimal) -> Any:
        array = numpy.asarray(array, dtype=object)
        return fold(array, axis=tuple(map(int, dims)) if dims else None)

    return over


def _mean(array: numpy.ndarray, axis: tuple[int, ...] | None) -> Any:
    total = numpy.add.reduce(array, axis=axis)
    return total / Decimal(array.size // max(numpy.size(total), 1))


def _sum_to(array: Any, *shape: Decimal) -> Any:
    """Return the sum over the dimensions in which `shape` is 1 or missing."""
    sizes = tuple(map(int, shape))
    extra = numpy.ndim(array) - len(sizes)
    own = [i for i, n in enumerate(sizes, extra) if n == 1 and array.shape[i] != 1]
    return numpy.add.reduce(array, axis=(*range(extra), *own), keepdims=True).reshape(sizes)


def _taken(array: Any, places: Any) -> Any:
    flat = numpy.asarray(array, dtype=object).reshape(-1)
    return flat[numpy.asarray(places, dtype=object).astype(numpy.int64)]


ARRAY_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sum": _folded(numpy.add.reduce),
    "prod": _folded(numpy.multiply.reduce),
    "amax": _folded(numpy.maximum.reduce),
    "amin": _folded(numpy.minimum.reduce),
    "mean": _folded(_mean),
    "sumto": _sum_to,
    "reshape": lambda array, *shape: numpy.asarray(array, dtype=object).reshape(tuple(map(int, shape))),
    "expand": lambda array, *shape: numpy.broadcast_to(array, tuple(map(int, shape))),
    "permute": lambda array, *dims: numpy.transpose(array, tuple(map(int, dims))),
    "take": _taken,
}
"""The functions that take an array as a whole; `take` picks by positions in the flattened array."""
