"""The gamma function and its relatives, in the scalar language.

Stirling's series from 8 on, the recurrence below, and reflection for negative numbers (Abramowitz and Stegun,
1964, chapter 6); Hurwitz's zeta function by Euler and Maclaurin's formula.
"""

from __future__ import annotations

import math
from typing import Any

# Bernoulli numbers B₂, B₄, …
_BERNOULLI = [
    a / b
    for a, b in (
        (1, 6), (-1, 30), (1, 42), (-1, 30), (5, 66), (-691, 2730), (7, 6), (-3617, 510), (43867, 798),
        (-174611, 330), (854513, 138), (-236364091, 2730),
    )
]  # fmt: skip
_SHIFT = 8


def _polynomial(x: Any, coefficients: list[float]) -> Any:
    """Return c₀ + c₁ x + c₂ x² + … by Horner's rule."""
    total: Any = coefficients[-1]
    for c in reversed(coefficients[:-1]):
        total = total * x + c
    return total


def _distance(m: Any, x: Any) -> Any:
    """Return how far x is above the nearest integer."""
    return x - m.round(x)


def lgamma(m: Any, x: Any) -> Any:
    """Return ln |Γ(x)|: inf at 0, −1, −2, … The absolute error is below 1e-14 where the value is below 10."""
    z = m.where(x < 0.5, 1.0 - x, x)
    low = m.minimum(z, float(_SHIFT))
    product = low
    for k in range(1, _SHIFT):
        product = product * (low + float(k))
    w = m.where(z < _SHIFT, z + float(_SHIFT), z)
    series = _polynomial(
        1.0 / (w * w), [b / ((2 * k + 1) * (2 * k + 2)) for k, b in enumerate(_BERNOULLI[:10])]
    )
    value = (w - 0.5) * (m.log(w) - 1.0) + series / w + (0.5 * math.log(2 * math.pi) - 0.5)
    value = m.where(z < _SHIFT, value - m.log(product), value)
    sine = m.abs(m.sin(math.pi * _distance(m, x)))
    reflected = m.where(sine == 0.0, math.inf, math.log(math.pi) - m.log(sine) - value)
    return m.where(m.isinf(x), m.abs(x), m.where(x < 0.5, reflected, value))


def digamma(m: Any, x: Any) -> Any:
    """Return ψ(x) = Γ'(x) / Γ(x): −inf at 0, inf at −0, NaN at −1, −2, …"""
    z = m.where(x < 0.0, 1.0 - x, x)
    low = m.minimum(z, float(_SHIFT))
    below = 1.0 / low
    for k in range(1, _SHIFT):
        below = below + 1.0 / (low + float(k))
    w = m.where(z < _SHIFT, z + float(_SHIFT), z)
    v = 1.0 / (w * w)
    series = v * _polynomial(v, [b / (2 * k + 2) for k, b in enumerate(_BERNOULLI[:10])])
    value = m.log(w) - 0.5 / w - series
    value = m.where(z < _SHIFT, value - below, value)
    turn = math.pi * _distance(m, x)
    reflected = value - math.pi * m.cos(turn) / m.sin(turn)
    reflected = m.where(turn == 0.0, math.nan, reflected)
    # 1/x has the sign of a zero.
    return m.where(x == 0.0, -1.0 / x, m.where(x < 0.0, reflected, value))


def _inverse_power(m: Any, x: Any, s: Any) -> Any:
    """Return x^(−s); for a whole number s by multiplication."""
    if not isinstance(s, (int, float)) or s != int(s) or s > 20:
        return m.pow(x, -s)
    inverse = power = 1.0 / x
    for _ in range(int(s) - 1):
        power = power * inverse
    return power


def zeta(m: Any, s: Any, q: Any) -> Any:
    """Return Hurwitz's ζ(s, q) = Σ (q + k)^(−s) over k ≥ 0, for s > 1 and q > 0.

    It is inf at s = 1 and where q is 0, −1, −2, …; NaN for s < 1 and other q < 0.
    """
    terms = 10
    positive = m.where(q > 0.0, q, 1.0)
    total = _inverse_power(m, positive, s)
    for k in range(1, terms):
        total = total + _inverse_power(m, positive + float(k), s)
    w = positive + float(terms)
    power = _inverse_power(m, w, s)
    value = total + power * (w / (s - 1.0) + 0.5)
    factor, v = s / w, 1.0 / (w * w)
    for k, b in enumerate(_BERNOULLI):
        value = value + power * factor * (b / math.factorial(2 * k + 2))
        factor = factor * (s + float(2 * k + 1)) * (s + float(2 * k + 2)) * v
    outside = m.where(_distance(m, q) == 0.0, math.inf, q * math.nan)
    value = m.where(q > 0.0, m.where(q == math.inf, 0.0, value), outside)
    return m.where(s == 1.0, math.inf, m.where(s < 1.0, math.nan, value))


def polygamma(m: Any, n: Any, x: Any) -> Any:
    """Return the n-th derivative of digamma, n a whole number ≥ 0."""
    order = int(n)
    if order == 0:
        return digamma(m, x)
    sign = 1.0 if order % 2 else -1.0
    z = m.where(x < 0.0, 1.0 - x, x)
    value = sign * math.factorial(order) * zeta(m, order + 1.0, z)
    # The n-th derivative of cot πx is πⁿ P(c), c = cot πx; one derivative more makes of P −(1 + c²) dP/dc.
    polynomial = [0.0, 1.0]
    for _ in range(order):
        slope = [k * c for k, c in enumerate(polynomial)][1:]
        longer = [*slope, 0.0, 0.0]
        polynomial = [-(c + (slope[k - 2] if k >= 2 else 0.0)) for k, c in enumerate(longer)]
    turn = math.pi * _distance(m, x)
    cotangent = m.cos(turn) / m.sin(turn)
    reflected = -(math.pi ** (order + 1)) * _polynomial(cotangent, polynomial) - sign * value
    return m.where(x < 0.0, m.where(turn == 0.0, sign * math.inf, reflected), value)
