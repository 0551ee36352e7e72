"""Choices between numbers, their signs and fractions: elementwise operations."""

from __future__ import annotations

import math

from stepgrad.ops.record import elementwise
from stepgrad.ops.samples import Sample, binary, real, unary


@elementwise
class fmax:
    """The larger of two; a number where one of them is NaN. At a tie a gets the gradient."""

    def value(m, a, b):
        return m.fmax(a, b)

    def partials(m, a, b, y):
        first = (a >= b) | m.isnan(b)
        return first, m.logical_not(first)

    def onnx(g, a, b):
        return g.where((a >= b) | g.isnan(b), a, b)

    samples = binary()


@elementwise
class fmin:
    """The smaller of two; a number where one of them is NaN. At a tie a gets the gradient."""

    def value(m, a, b):
        return m.fmin(a, b)

    def partials(m, a, b, y):
        first = (a <= b) | m.isnan(b)
        return first, m.logical_not(first)

    def onnx(g, a, b):
        return g.where((a <= b) | g.isnan(b), a, b)

    samples = binary()


@elementwise
class copysign:
    """|a| with the sign of b."""

    promotes = "floating"

    def value(m, a, b):
        return m.copysign(a, b)

    def partials(m, a, b, y):
        return m.where(a == 0, 0.0, y / a), 0

    def onnx(g, a, b):
        # ONNX cannot tell −0 from 0.
        return g.where(b < 0, -g.abs(a), g.abs(a))

    samples = [*binary(away_from=(0,)), Sample(1.5, real(away_from=(0,)))]


@elementwise
class signbit:
    """Whether the sign is set, also that of −0."""

    def value(m, x):
        return m.signbit(x)

    def onnx(g, x):
        return x < 0

    samples = unary(away_from=(0,))


@elementwise
class nan_to_num:
    """x with other numbers in the places of NaN, ∞ and −∞."""

    promotes = "floating"

    def value(m, x, *, nan, posinf, neginf):
        y = m.where(m.isnan(x), nan, x)
        return m.where(y == math.inf, posinf, m.where(y == -math.inf, neginf, y))

    def partials(m, x, y, *, nan, posinf, neginf):
        return (m.logical_not(m.isnan(x) | m.isinf(x)),)

    samples = unary(nan=0.0, posinf=10.0, neginf=-10.0)


@elementwise
class frac:
    """x without its whole part, with its sign."""

    def value(m, x):
        return x - m.trunc(x)

    def partials(m, x, y):
        return (1,)

    samples = unary(away_from=(-1, 0, 1))


@elementwise
class lerp:
    """a + w (b − a), from a at w = 0 to b at w = 1, exact at both ends."""

    promotes = "floating"

    def value(m, a, b, w):
        return m.where((w > -0.5) & (w < 0.5), a + w * (b - a), b - (1 - w) * (b - a))

    def partials(m, a, b, w, y):
        return 1 - w, w, b - a

    samples = [
        Sample(real(), real(), real(0, 1, away_from=(0.5,))),
        Sample(real(), real(shape=(3, 1)), 0.3),
        Sample(real(shape=()), real(), real(0, 1, (4,), away_from=(0.5,))),
    ]


@elementwise
class angle:
    """The angle of a number in the complex plane: 0, or π where it is negative."""

    promotes = "floating"

    def value(m, x):
        return m.where(x < 0, math.pi, m.where(m.isnan(x), x, 0.0))

    def partials(m, x, y):
        return (0,)

    samples = unary(away_from=(0,))
