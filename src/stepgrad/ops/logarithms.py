"""Logarithms and exponentials of other bases, and sums and products with them: elementwise operations."""

from __future__ import annotations

import math

from stepgrad.ops.record import elementwise
from stepgrad.ops.samples import Sample, binary, real, unary


@elementwise
class exp2:
    """2ˣ."""

    promotes = "floating"

    def value(m, x):
        return m.exp2(x)

    def partials(m, x, y):
        return (y * math.log(2),)

    def onnx(g, x):
        return g.exp(x * math.log(2))

    samples = unary()


@elementwise
class log2:
    """The logarithm to base 2."""

    promotes = "floating"

    def value(m, x):
        return m.log2(x)

    def partials(m, x, y):
        return (1 / (x * math.log(2)),)

    def onnx(g, x):
        return g.log(x) / math.log(2)

    samples = unary(0.2, 3)


@elementwise
class log10:
    """The logarithm to base 10."""

    promotes = "floating"

    def value(m, x):
        return m.log10(x)

    def partials(m, x, y):
        return (1 / (x * math.log(10)),)

    def onnx(g, x):
        return g.log(x) / math.log(10)

    samples = unary(0.2, 3)


def _larger_and_distance(m, a, b):
    # Of two equal infinities the distance is 0, not NaN.
    return m.maximum(a, b), m.where(a == b, 0.0, m.abs(a - b))


@elementwise
class logaddexp:
    """ln(eᵃ + eᵇ), without overflow."""

    promotes = "floating"

    def forward(np, a, b):
        return np.logaddexp(a, b)

    def value(m, a, b):
        larger, distance = _larger_and_distance(m, a, b)
        return larger + m.log1p(m.exp(-distance))

    def partials(m, a, b, y):
        return 1 / (1 + m.exp(b - a)), 1 / (1 + m.exp(a - b))

    samples = binary()


@elementwise
class logaddexp2:
    """ld(2ᵃ + 2ᵇ), without overflow."""

    promotes = "floating"

    def forward(np, a, b):
        return np.logaddexp2(a, b)

    def value(m, a, b):
        larger, distance = _larger_and_distance(m, a, b)
        return larger + m.log1p(m.exp2(-distance)) / math.log(2)

    def partials(m, a, b, y):
        return 1 / (1 + m.exp2(b - a)), 1 / (1 + m.exp2(a - b))

    samples = binary()


@elementwise
class xlogy:
    """a ln b, 0 where a is 0 and b is a number."""

    promotes = "floating"

    def value(m, a, b):
        nothing = (a == 0) & m.logical_not(m.isnan(b))
        # a + 1, which is 1 there, and not 1: where b is a Python number, its logarithm has the type of a.
        return m.where(nothing, 0.0, a * m.log(m.where(nothing, a + 1, b)))

    def partials(m, a, b, y):
        nothing = (a == 0) & (b <= 0)
        return m.where(nothing, 0.0, m.log(m.where(nothing, a + 1, b))), a / b

    samples = [*binary(0.5, 2), Sample(real(), 1.5), Sample(1.5, real(0.5, 2))]


@elementwise
class xlog1py:
    """a ln(1 + b), 0 where a is 0 and b is a number."""

    promotes = "floating"

    def value(m, a, b):
        nothing = (a == 0) & m.logical_not(m.isnan(b))
        # a, which is 0 there, and not 0: where b is a Python number, its logarithm has the type of a.
        return m.where(nothing, 0.0, a * m.log1p(m.where(nothing, a, b)))

    def partials(m, a, b, y):
        nothing = (a == 0) & (b <= -1)
        return m.where(nothing, 0.0, m.log1p(m.where(nothing, a, b))), a / (1 + b)

    samples = [*binary(0.5, 2), Sample(real(), 1.5), Sample(1.5, real(0.5, 2))]


@elementwise
class logit:
    """ln(x / (1 − x)), the inverse of sigmoid, of x brought into [eps, 1 − eps] if `eps` is not None."""

    promotes = "floating"

    def value(m, x, *, eps):
        z = x if eps is None else m.minimum(m.maximum(x, eps), 1 - eps)
        return m.log(z / (1 - z))

    def partials(m, x, y, *, eps):
        inside = (x >= (0 if eps is None else eps)) & (x <= (1 if eps is None else 1 - eps))
        return (m.where(inside, 1 / (x * (1 - x)), math.nan if eps is None else 0.0),)

    samples = [*unary(0.2, 0.8, eps=None), Sample(real(0, 1, away_from=(0.2, 0.8)), eps=0.2)]
