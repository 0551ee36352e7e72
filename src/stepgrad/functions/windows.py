"""Windows for spectra: numbers that fade a signal out at its ends (Harris, 1978)."""

from __future__ import annotations

import math
from typing import Any

from stepgrad.errors import ArgumentError
from stepgrad.functions.creation import arange, ones
from stepgrad.tensor import Tensor


def _cosines(length: int, periodic: bool, terms: tuple[float, ...], made: dict[str, Any]) -> Tensor:
    """Return Σ (−1)ᵏ aₖ cos(2πkn / N), N the length, or one less for a symmetric window."""
    if length < 0:
        raise ArgumentError(f"a window has a length of 0 or more, not {length}.")
    requires_grad = made.pop("requires_grad", False)
    if length < 2:
        return ones(length, requires_grad=requires_grad, **made)
    angle = arange(length, dtype="float64") * (2 * math.pi / (length if periodic else length - 1))
    total = sum((-1) ** k * a * (angle * k).cos() for k, a in enumerate(terms))
    return ones(length, **made).copy_(total).requires_grad_(requires_grad)


def hann_window(window_length: int, periodic: bool = True, **made: Any) -> Tensor:
    """Return ½ − ½ cos(2πn / N); `made`: dtype, device, requires_grad.

    >>> hann_window(4)
    tensor([0.0000, 0.5000, 1.0000, 0.5000])
    """
    return _cosines(window_length, periodic, (0.5, 0.5), made)


def hamming_window(
    window_length: int, periodic: bool = True, alpha: float = 0.54, beta: float = 0.46, **made: Any
) -> Tensor:
    """Return α − β cos(2πn / N); `made`: dtype, device, requires_grad.

    >>> import stepgrad as sg
    >>> hamming_window(4)
    tensor([0.0800, 0.5400, 1.0000, 0.5400])
    """
    return _cosines(window_length, periodic, (alpha, beta), made)


def blackman_window(window_length: int, periodic: bool = True, **made: Any) -> Tensor:
    """Return 0.42 − 0.5 cos(2πn / N) + 0.08 cos(4πn / N); `made`: dtype, device, requires_grad.

    >>> import stepgrad as sg
    >>> blackman_window(4)[1:]
    tensor([0.3400, 1.0000, 0.3400])
    """
    return _cosines(window_length, periodic, (0.42, 0.5, 0.08), made)


__all__ = ["blackman_window", "hamming_window", "hann_window"]
