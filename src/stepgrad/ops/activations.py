"""Activation functions of one number: elementwise operations stated as formulas."""

from __future__ import annotations

import math

from stepgrad.ops.record import elementwise
from stepgrad.ops.samples import Sample, real, unary


@elementwise
class sigmoid:
    """σ(x) = 1 / (1 + e⁻ˣ), in (0, 1). The derivative y (1 − y) needs the result alone."""

    promotes = "floating"

    def value(m, x):
        return 1 / (1 + m.exp(-x))

    def partials(m, x, y):
        return (y * (1 - y),)

    samples = unary(-6, 6)


@elementwise
class tanh:
    """The hyperbolic tangent, in (−1, 1). The derivative 1 − y² needs the result alone."""

    promotes = "floating"

    def forward(np, x):
        return np.tanh(x)

    def value(m, x):
        return m.tanh(x)

    def partials(m, x, y):
        return (1 - y * y,)

    samples = unary(-3, 3)


@elementwise
class relu:
    """max(x, 0), with derivative 0 at 0 (Nair and Hinton, 2010)."""

    def forward(np, x):
        return np.maximum(x, 0)

    def value(m, x):
        return m.maximum(x, 0)

    def partials(m, x, y):
        return (y > 0,)

    samples = unary(away_from=(0,))


@elementwise
class leaky_relu:
    """x where x > 0, else `negative_slope` · x (Maas, Hannun and Ng, 2013)."""

    promotes = "floating"

    def value(m, x, *, negative_slope):
        return m.where(x > 0, x, negative_slope * x)

    def partials(m, x, y, *, negative_slope):
        # sign x is the 1 that has the dtype of x.
        return (m.where(x > 0, m.sign(x), negative_slope),)

    samples = unary(away_from=(0,), negative_slope=0.01)


@elementwise
class prelu:
    """x where x > 0, else w · x with a learned slope w (He, Zhang, Ren and Sun, 2015)."""

    def value(m, x, w):
        return m.where(x > 0, x, w * x)

    def partials(m, x, w, y):
        return m.where(x > 0, 1.0, w), m.minimum(x, 0)

    samples = [
        Sample(real(away_from=(0,)), real(0.1, 0.9, (4,))),
        Sample(real(away_from=(0,)), real(0.1, 0.9, (1,))),
    ]


@elementwise
class elu:
    """x where x > 0, else α (eˣ − 1) (Clevert, Unterthiner and Hochreiter, 2015)."""

    promotes = "floating"

    def value(m, x, *, alpha):
        return m.where(x > 0, x, alpha * m.expm1(x))

    def partials(m, x, y, *, alpha):
        return (m.where(x > 0, 1.0, y + alpha),)

    samples = [*unary(away_from=(0,), alpha=1.0), Sample(real(away_from=(0,)), alpha=0.5)]


@elementwise
class silu:
    """x σ(x) (Elfwing, Uchibe and Doya, 2017)."""

    promotes = "floating"

    def value(m, x):
        return x / (1 + m.exp(-x))

    def partials(m, x, y):
        s = 1 / (1 + m.exp(-x))
        return (s * (1 + x * (1 - s)),)

    samples = unary(-6, 6)


@elementwise
class gelu:
    """x Φ(x), Φ the distribution function of the normal distribution (Hendrycks and Gimpel, 2016)."""

    promotes = "floating"

    def value(m, x):
        return 0.5 * x * (1 + m.erf(x * math.sqrt(0.5)))

    def partials(m, x, y):
        density = math.sqrt(0.5 / math.pi) * m.exp(-0.5 * x * x)
        return (0.5 * (1 + m.erf(x * math.sqrt(0.5))) + x * density,)

    samples = unary(-4, 4)


@elementwise
class gelu_tanh:
    """GELU approximated by tanh: ½ x (1 + tanh(√(2/π) (x + 0.044715 x³))) (Hendrycks and Gimpel, 2016)."""

    promotes = "floating"

    def value(m, x):
        return 0.5 * x * (1 + m.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))

    def partials(m, x, y):
        t = m.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x))
        inner = math.sqrt(2 / math.pi) * (1 + 0.134145 * x * x)
        return (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * inner,)

    samples = unary(-4, 4)


@elementwise
class softplus:
    """ln(1 + e^(βx)) / β, computed so that large x do not overflow; x itself where βx > `threshold`."""

    promotes = "floating"

    def value(m, x, *, beta, threshold):
        bx = beta * x
        return m.where(bx > threshold, x, (m.maximum(bx, 0) + m.log1p(m.exp(-m.abs(bx)))) / beta)

    def partials(m, x, y, *, beta, threshold):
        bx = beta * x
        return (m.where(bx > threshold, 1.0, 1 / (1 + m.exp(-bx))),)

    samples = [*unary(-6, 6, beta=1.0, threshold=20.0), Sample(real(-6, 6), beta=2.0, threshold=20.0)]


@elementwise
class logsigmoid:
    """ln σ(x) = min(x, 0) − ln(1 + e^(−|x|))."""

    promotes = "floating"

    def value(m, x):
        return m.minimum(x, 0) - m.log1p(m.exp(-m.abs(x)))

    def partials(m, x, y):
        return (1 / (1 + m.exp(x)),)

    samples = unary(-6, 6)
