"""Trigonometric and hyperbolic functions and their inverses: elementwise operations."""

from __future__ import annotations

import math

from stepgrad.ops.record import elementwise
from stepgrad.ops.samples import binary, unary


@elementwise
class tan:
    """tan x, x in radians."""

    promotes = "floating"

    def value(m, x):
        return m.tan(x)

    def partials(m, x, y):
        return (1 + y * y,)

    onnx = "Tan"
    samples = unary(-1.2, 1.2)


@elementwise
class asin:
    """The angle in [−π/2, π/2] whose sine is x."""

    promotes = "floating"

    def value(m, x):
        return m.asin(x)

    def partials(m, x, y):
        return (1 / m.sqrt(1 - x * x),)

    onnx = "Asin"
    samples = unary(-0.9, 0.9)


@elementwise
class acos:
    """The angle in [0, π] whose cosine is x."""

    promotes = "floating"

    def value(m, x):
        return m.acos(x)

    def partials(m, x, y):
        return (-1 / m.sqrt(1 - x * x),)

    onnx = "Acos"
    samples = unary(-0.9, 0.9)


@elementwise
class atan:
    """The angle in (−π/2, π/2) whose tangent is x."""

    promotes = "floating"

    def value(m, x):
        return m.atan(x)

    def partials(m, x, y):
        return (1 / (1 + x * x),)

    onnx = "Atan"
    samples = unary(-3, 3)


@elementwise
class atan2:
    """The angle in (−π, π] of the point (b, a)."""

    promotes = "floating"

    def value(m, a, b):
        return m.atan2(a, b)

    def partials(m, a, b, y):
        square = a * a + b * b
        square = m.where(square == 0, math.inf, square)
        return b / square, -a / square

    def onnx(g, a, b):
        turned = g.where(a < 0, -math.pi, math.pi)
        angle = g.atan(a / b) + g.where(b < 0, turned, 0.0)
        return g.where((a == 0) & (b == 0), 0.0, angle)

    samples = binary(0.5, 2)


@elementwise
class sinh:
    """(eˣ − e⁻ˣ) / 2."""

    promotes = "floating"

    def value(m, x):
        return m.sinh(x)

    def partials(m, x, y):
        return (m.cosh(x),)

    onnx = "Sinh"
    samples = unary()


@elementwise
class cosh:
    """(eˣ + e⁻ˣ) / 2."""

    promotes = "floating"

    def value(m, x):
        return m.cosh(x)

    def partials(m, x, y):
        return (m.sinh(x),)

    onnx = "Cosh"
    samples = unary()


@elementwise
class asinh:
    """ln(x + √(x² + 1)), the inverse of sinh."""

    promotes = "floating"

    def value(m, x):
        return m.asinh(x)

    def partials(m, x, y):
        return (1 / m.sqrt(x * x + 1),)

    onnx = "Asinh"
    samples = unary(-3, 3)


@elementwise
class acosh:
    """ln(x + √(x² − 1)) for x ≥ 1, the inverse of cosh."""

    promotes = "floating"

    def value(m, x):
        return m.acosh(x)

    def partials(m, x, y):
        return (1 / m.sqrt(x * x - 1),)

    onnx = "Acosh"
    samples = unary(1.2, 3)


@elementwise
class atanh:
    """½ ln((1 + x) / (1 − x)), the inverse of tanh."""

    promotes = "floating"

    def value(m, x):
        return m.atanh(x)

    def partials(m, x, y):
        return (1 / (1 - x * x),)

    onnx = "Atanh"
    samples = unary(-0.9, 0.9)


@elementwise
class hypot:
    """√(a² + b²), without overflow."""

    promotes = "floating"

    def value(m, a, b):
        return m.hypot(a, b)

    def partials(m, a, b, y):
        return a / y, b / y

    def onnx(g, a, b):
        larger, smaller = g.maximum(g.abs(a), g.abs(b)), g.minimum(g.abs(a), g.abs(b))
        return larger * g.sqrt(1 + g.square(smaller / g.where(larger == 0, 1.0, larger)))

    samples = binary(0.5, 2)


@elementwise
class sinc:
    """sin(πx) / (πx), 1 at 0."""

    promotes = "floating"

    def value(m, x):
        # 1 in place of 0, so that nothing is divided by 0.
        turn = math.pi * m.where(x == 0, 1.0, x)
        return m.where(x == 0, 1.0, m.sin(turn) / turn)

    def partials(m, x, y):
        safe = m.where(x == 0, 1.0, x)
        turn = math.pi * safe
        return (m.where(x == 0, 0.0, (m.cos(turn) - m.sin(turn) / turn) / safe),)

    samples = unary(-3, 3, away_from=(0,))
