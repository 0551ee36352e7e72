"""Symbols: handed to a record's `value` or `partials`, they give its formula as a tree and as text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stepgrad.errors import GradientError

# How tightly an operator binds, as in Python; a function call or a name binds tightest.
_COMPARISON = 1
_STRENGTH = {
    "==": 1, "!=": 1, "<": 1, "<=": 1, ">": 1, ">=": 1, "|": 2, "^": 3, "&": 4,
    "+": 5, "-": 5, "*": 6, "/": 6, "%": 6, "neg": 7, "**": 8, "name": 9,
}  # fmt: skip


def _infix(sign: str) -> Callable[[Symbol, Any], Symbol]:
    return lambda self, other: Symbol(sign, (self, other))


def _reflected(sign: str) -> Callable[[Symbol, Any], Symbol]:
    return lambda self, other: Symbol(sign, (other, self))


class _Functions(type):
    """Makes the functions of the scalar language attributes of `Symbol`: the class itself is handed as m."""

    def __getattr__(cls, name: str) -> Callable[..., Symbol]:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *operands, **attrs: cls(name, operands)


class Symbol(metaclass=_Functions):
    """A formula: a name, or an operator or function with operands.

    >>> x = Symbol("x")
    >>> 1 / (1 + Symbol.exp(-x)) * x
    1 / (1 + exp(-x)) * x
    >>> sorted((x > Symbol("y")).names())
    ['x', 'y']
    """

    __slots__ = ("head", "operands")

    def __init__(self, head: str, operands: tuple[Any, ...] | None = None) -> None:
        self.head, self.operands = head, operands

    __add__, __radd__ = _infix("+"), _reflected("+")
    __sub__, __rsub__ = _infix("-"), _reflected("-")
    __mul__, __rmul__ = _infix("*"), _reflected("*")
    __truediv__, __rtruediv__ = _infix("/"), _reflected("/")
    __pow__, __rpow__ = _infix("**"), _reflected("**")
    __mod__, __rmod__ = _infix("%"), _reflected("%")
    __lt__, __le__, __gt__, __ge__ = _infix("<"), _infix("<="), _infix(">"), _infix(">=")
    __and__, __or__, __xor__ = _infix("&"), _infix("|"), _infix("^")
    __eq__, __ne__ = _infix("=="), _infix("!=")  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]

    def __neg__(self) -> Symbol:
        return Symbol("neg", (self,))

    def __bool__(self) -> bool:
        raise GradientError(f"a record branches on the value of {self}; use m.where instead.")

    def names(self) -> set[str]:
        """Return the names that occur in the formula."""
        if self.operands is None:
            return {self.head}
        return set().union(*(x.names() for x in self.operands if isinstance(x, Symbol)))

    def heads(self) -> set[str]:
        """Return the operators and functions that occur in the formula."""
        if self.operands is None:
            return set()
        return {self.head}.union(*(x.heads() for x in self.operands if isinstance(x, Symbol)))

    def _strength(self) -> int:
        return _STRENGTH["name"] if self.operands is None else _STRENGTH.get(self.head, _STRENGTH["name"])

    def __repr__(self) -> str:
        if self.operands is None:
            return self.head
        mine = self._strength()
        if self.head == "neg":
            return "-" + _wrapped(self.operands[0], mine)
        if self.head in _STRENGTH:
            left, right = self.operands
            # Equal strength groups to the left, so a right operand of equal strength needs parentheses;
            # powers the reverse. Comparisons would chain.
            power = self.head == "**"
            left_text = _wrapped(left, mine + (power or mine == _COMPARISON))
            return f"{left_text} {self.head} {_wrapped(right, mine + (not power))}"
        return f"{self.head}({', '.join(map(str, self.operands))})"


def _wrapped(x: Any, least: int) -> str:
    if isinstance(x, Symbol):
        return str(x) if x._strength() >= least else f"({x})"
    return f"({x})" if isinstance(x, (int, float)) and x < 0 else str(x)


def symbols(*names: str) -> tuple[Symbol, ...]:
    """Return a symbol for each name."""
    return tuple(Symbol(name) for name in names)
