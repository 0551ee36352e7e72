"""What values an argument may have: said once, checked with one message."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from stepgrad.errors import ArgumentError


class Limit(NamedTuple):
    """The condition that a value must meet, and its words in a message.

    >>> FRACTION.check("SGD", "momentum", 0.9)
    >>> FRACTION.check("SGD", "momentum", 1.5)
    Traceback (most recent call last):
    stepgrad.errors.ArgumentError: SGD needs momentum to be a number in [0, 1), not 1.5.
    """

    words: str
    holds: Callable[[Any], bool]

    def check(self, owner: str, name: str, value: Any) -> None:
        """Raise `ArgumentError` naming owner, argument and value if the condition is not met."""
        if not self.holds(value):
            raise ArgumentError(f"{owner} needs {name} to be {self.words}, not {value!r}.")


def _is_number(x: Any) -> bool:
    return type(x) in (int, float) and math.isfinite(x)


def _is_fraction(x: Any) -> bool:
    return _is_number(x) and 0 <= x < 1


def _is_count(x: Any) -> bool:
    return type(x) is int and x >= 0


NUMBER = Limit("a finite number", _is_number)
NOT_NEGATIVE = Limit("a number of 0 or more", lambda x: _is_number(x) and x >= 0)
POSITIVE = Limit("a number above 0", lambda x: _is_number(x) and x > 0)
PART = Limit("a number in [0, 1]", lambda x: _is_number(x) and 0 <= x <= 1)
POSITIVE_PART = Limit("a number in (0, 1]", lambda x: _is_number(x) and 0 < x <= 1)
FRACTION = Limit("a number in [0, 1)", _is_fraction)
TWO_FRACTIONS = Limit(
    "two numbers in [0, 1)", lambda x: isinstance(x, tuple) and len(x) == 2 and all(map(_is_fraction, x))
)
FLAG = Limit("True or False", lambda x: type(x) is bool)
COUNT = Limit("a whole number of 0 or more", _is_count)
POSITIVE_COUNT = Limit("a whole number of 1 or more", lambda x: _is_count(x) and x > 0)


def plain(value: Any) -> Any:
    """Return a hyperparameter as plain Python: NumPy's scalars as numbers, a list as a tuple.

    A float64 scalar of NumPy would otherwise turn float32 arithmetic into float64.
    """
    if isinstance(value, (list, tuple)):
        return tuple(map(plain, value))
    # A number of NumPy (without dimensions) has `item`; a Tensor has it too, but would not be followed when
    # it changes.
    if hasattr(value, "dtype") and hasattr(value, "item") and not hasattr(value, "requires_grad"):
        return value.item() if value.ndim == 0 else value
    return value


def number_of(value: Any) -> Any:
    """Return what a hyperparameter is now: the number in a Tensor of one element, `plain` of anything else.

    >>> number_of(0.5), number_of([1, 2])
    (0.5, (1, 2))
    """
    return value.item() if hasattr(value, "requires_grad") and value.numel() == 1 else plain(value)


def set_rate(group: dict[str, Any], rate: float) -> None:
    """Set the learning rate of a group: where it is a Tensor, the number in it."""
    if hasattr(group["lr"], "requires_grad"):
        group["lr"].detach().fill_(rate)
    else:
        group["lr"] = rate
