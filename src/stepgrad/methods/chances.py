"""What random numbers ask of their parameters: probabilities from 0 to 1, deviations not negative."""

from __future__ import annotations

from typing import Any

from stepgrad.autograd.recording import hides_values
from stepgrad.errors import ArgumentError
from stepgrad.methods.base import TensorBase


def check_probability(name: str, p: Any) -> None:
    """Raise `ArgumentError` unless p, a number or a tensor, lies in [0, 1]. Values that a step is being
    compiled for are not looked at.
    """
    if not _holds(p, lambda x: (x >= 0) & (x <= 1)):
        raise ArgumentError(f"{name} needs probabilities from 0 to 1{_given(p)}.")


def check_deviation(name: str, std: Any) -> None:
    """Raise `ArgumentError` unless a standard deviation, a number or a tensor, is ≥ 0, as above."""
    if not _holds(std, lambda x: x >= 0):
        raise ArgumentError(f"{name} needs a standard deviation ≥ 0{_given(std)}.")


def _holds(x: Any, question: Any) -> bool:
    if not isinstance(x, TensorBase):
        return bool(question(x))
    return hides_values() or bool(question(x._array).all())


def _given(x: Any) -> str:
    return "" if isinstance(x, TensorBase) else f", not {x}"
