"""Special functions: elementwise operations for which NumPy has no function.

The names and definitions are those of `torch.special` and SciPy; the methods are in `stepgrad.arrays`.
"""

from __future__ import annotations

import math

from stepgrad.ops.namespace import SPECIAL
from stepgrad.ops.record import elementwise
from stepgrad.ops.samples import Sample, real, unary


def special_onnx(g, name, x):
    """Return a special function as ONNX operators: those in which it is stated, in float64."""
    return g.cast(SPECIAL[name](g, g.cast(x, dtype="float64")), dtype=x.dtype)


@elementwise
class erfc:
    """1 − erf x, exact also where erf x is near 1."""

    promotes = "floating"

    def value(m, x):
        return m.erfc(x)

    def partials(m, x, y):
        return (-2 / math.sqrt(math.pi) * m.exp(-x * x),)

    def onnx(g, x):
        return special_onnx(g, "erfc", x)

    samples = unary(-3, 3)


@elementwise
class erfcx:
    """e^(x²) erfc x."""

    promotes = "floating"

    def value(m, x):
        return m.erfcx(x)

    def partials(m, x, y):
        return (2 * x * y - 2 / math.sqrt(math.pi),)

    def onnx(g, x):
        return special_onnx(g, "erfcx", x)

    samples = unary(-1, 3)


@elementwise
class erfinv:
    """The number whose erf is x."""

    promotes = "floating"

    def value(m, x):
        return m.erfinv(x)

    def partials(m, x, y):
        return (math.sqrt(math.pi) / 2 * m.exp(y * y),)

    def onnx(g, x):
        return special_onnx(g, "erfinv", x)

    samples = unary(-0.9, 0.9)


@elementwise
class ndtr:
    """Φ(x) = ½ erfc(−x/√2), the distribution function of the normal distribution."""

    promotes = "floating"

    def value(m, x):
        return 0.5 * m.erfc(-x * math.sqrt(0.5))

    def partials(m, x, y):
        return (math.sqrt(0.5 / math.pi) * m.exp(-0.5 * x * x),)

    samples = unary(-3, 3)


@elementwise
class ndtri:
    """The quantile of the normal distribution: the number whose Φ is x."""

    promotes = "floating"

    def value(m, x):
        return m.ndtri(x)

    def partials(m, x, y):
        return (math.sqrt(2 * math.pi) * m.exp(0.5 * y * y),)

    def onnx(g, x):
        return special_onnx(g, "ndtri", x)

    samples = unary(0.1, 0.9)


@elementwise
class log_ndtr:
    """ln Φ(x), exact in both tails."""

    promotes = "floating"

    def value(m, x):
        t = -x * math.sqrt(0.5)
        below = m.log(0.5 * m.erfcx(m.maximum(t, 0))) - t * t
        return m.where(x < -1, below, m.log1p(-0.5 * m.erfc(m.minimum(-t, 27))))

    def partials(m, x, y):
        return (math.sqrt(2 / math.pi) / m.erfcx(-x * math.sqrt(0.5)),)

    samples = unary(-3, 3, away_from=(-1,))


@elementwise
class entr:
    """−x ln x, 0 at 0 and −∞ below."""

    promotes = "floating"

    def value(m, x):
        safe = m.where(x > 0, x, 1.0)
        inside = m.where(x == 0, 0.0, m.where(x < 0, -math.inf, x))
        return m.where(x > 0, -safe * m.log(safe), inside)

    def partials(m, x, y):
        return (-1 - m.log(x),)

    samples = unary(0.2, 3)


@elementwise
class lgamma:
    """ln |Γ(x)|."""

    promotes = "floating"

    def value(m, x):
        return m.lgamma(x)

    def partials(m, x, y):
        return (m.digamma(x),)

    def onnx(g, x):
        return special_onnx(g, "lgamma", x)

    samples = unary(0.3, 5)


@elementwise
class digamma:
    """ψ(x) = Γ'(x) / Γ(x)."""

    promotes = "floating"

    def value(m, x):
        return m.digamma(x)

    def partials(m, x, y):
        return (m.polygamma(1, x),)

    def onnx(g, x):
        return special_onnx(g, "digamma", x)

    samples = unary(0.3, 5)


@elementwise
class polygamma:
    """The n-th derivative of digamma, n a whole number."""

    promotes = "floating"

    def value(m, n, x):
        return m.polygamma(n, x)

    def partials(m, n, x, y):
        return None, m.polygamma(n + 1, x)

    no_onnx = "ONNX has no such function"
    samples = [Sample(1, real(0.3, 5)), Sample(2, real(0.3, 5, ())), Sample(3, real(-0.6, -0.4))]


@elementwise
class zeta:
    """Hurwitz's ζ(s, q) = Σ (q + k)^(−s) over k ≥ 0; it has a derivative with respect to q alone."""

    promotes = "floating"

    def value(m, s, q):
        return m.zeta(s, q)

    def partials(m, s, q, y):
        return None, -s * m.zeta(s + 1, q)

    no_onnx = "ONNX has no such function"
    samples = [Sample(real(1.5, 4), real(0.3, 5, (4,))), Sample(2.5, real(0.3, 5))]


@elementwise
class i0:
    """The modified Bessel function I₀ of the first kind."""

    promotes = "floating"

    def value(m, x):
        return m.i0(x)

    def partials(m, x, y):
        return (m.i1(x),)

    def onnx(g, x):
        return special_onnx(g, "i0", x)

    samples = unary(-3, 3)


@elementwise
class i0e:
    """e^(−|x|) I₀(x)."""

    promotes = "floating"

    def value(m, x):
        return m.i0e(x)

    def partials(m, x, y):
        return (m.i1e(x) - m.sign(x) * y,)

    def onnx(g, x):
        return special_onnx(g, "i0e", x)

    samples = unary(-3, 3, away_from=(0,))


@elementwise
class i1:
    """The modified Bessel function I₁ of the first kind."""

    promotes = "floating"

    def value(m, x):
        return m.i1(x)

    def partials(m, x, y):
        return (m.where(m.abs(x) > 0, m.i0(x) - y / x, 0.5),)

    def onnx(g, x):
        return special_onnx(g, "i1", x)

    samples = unary(-3, 3, away_from=(0,))


@elementwise
class i1e:
    """e^(−|x|) I₁(x)."""

    promotes = "floating"

    def value(m, x):
        return m.i1e(x)

    def partials(m, x, y):
        return (m.where(m.abs(x) > 0, m.i0e(x) - y * (m.sign(x) + 1 / x), 0.5),)

    def onnx(g, x):
        return special_onnx(g, "i1e", x)

    samples = unary(-3, 3, away_from=(0,))
