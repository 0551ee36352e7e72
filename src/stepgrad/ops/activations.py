"""Activation functions: elementwise operations stated as formulas, and composites of them."""

from __future__ import annotations

import math

from stepgrad.ops.record import composite, elementwise
from stepgrad.ops.samples import Sample, real, unary


@elementwise
class sigmoid:
    """σ(x) = 1 / (1 + e⁻ˣ), in (0, 1). The derivative y (1 − y) needs the result alone."""

    promotes = "floating"

    def value(m, x):
        return 1 / (1 + m.exp(-x))

    def partials(m, x, y):
        return (y * (1 - y),)

    onnx = "Sigmoid"
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

    onnx = "Tanh"
    samples = unary(-3, 3)


@elementwise
class relu:
    """max(x, 0), with derivative 0 at 0 (Nair and Hinton, 2010)."""

    def forward(np, x):
        return np.maximum(x, 0)

    def value(m, x):
        return m.maximum(x, 0)

    def partials(m, x, y):
        return (y != 0,)  # y ≥ 0, and a NaN lets the gradient through, as in PyTorch

    onnx = "Relu"
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

    def onnx(g, x, *, negative_slope):
        return g("LeakyRelu", x, alpha=float(negative_slope))

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

    def onnx(g, x, *, alpha):
        return g("Elu", x, alpha=float(alpha))

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

    onnx = "Gelu"
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

    def onnx(g, x):
        return g("Gelu", x, approximate="tanh")

    samples = unary(-4, 4)


@elementwise
class softplus:
    """ln(1 + e^(βx)) / β, computed so that large x do not overflow; x itself where βx > `threshold`."""

    promotes = "floating"

    def value(m, x, *, beta, threshold):
        bx = beta * x
        return m.where(bx > threshold, x, (m.maximum(bx, 0) + m.log1p(m.exp(-m.abs(bx)))) / beta)

    def written(m, x, *, beta, threshold):
        return m.log1p(m.exp(beta * x)) / beta

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

    def written(m, x):
        return -m.log1p(m.exp(-x))

    def partials(m, x, y):
        return (1 / (1 + m.exp(x)),)

    samples = unary(-6, 6)


@elementwise
class step:
    """1 where x ≥ 0, else 0: the activation of the perceptron (Rosenblatt, 1958)."""

    promotes = "floating"
    why_not = "it is 0 on both sides of the step, so that descent learns nothing; use a sigmoid there"

    def forward(np, x):
        return (x >= 0).astype(x.dtype)

    def value(m, x):
        return m.where(x >= 0, 1.0, 0.0)

    def partials(m, x, y):
        return (None,)

    samples = unary(away_from=(0,))


@elementwise
class threshold:
    """x where it lies above `threshold`, else the number `value`."""

    promotes = "floating"

    def value(m, x, *, threshold, other):
        return m.where(x <= threshold, other, x)

    def partials(m, x, y, *, threshold, other):
        return (m.logical_not(x <= threshold),)

    samples = unary(away_from=(0.5,), threshold=0.5, other=-1.25)


@elementwise
class hardtanh:
    """x, but not below `low` and not above `high`; the gradient passes where x lies strictly between."""

    promotes = "floating"

    def value(m, x, *, low, high):
        return m.minimum(m.maximum(x, low), high)

    def partials(m, x, y, *, low, high):
        return ((x > low) & (x < high),)

    samples = [
        Sample(real(away_from=(-1, 1)), low=-1.0, high=1.0),
        Sample(real(-9, 9, away_from=(0, 6)), low=0.0, high=6.0),
    ]


@composite
class hardsigmoid:
    """0 below −3, 1 above 3, x / 6 + ½ between (Courbariaux, Bengio and David, 2015)."""

    promotes = "floating"

    def expand(xp, x):
        return xp.hardtanh(x + 3, low=0.0, high=6.0) / 6

    def onnx(g, x):
        return g("HardSigmoid", x, alpha=1 / 6, beta=0.5)

    samples = unary(-6, 6, away_from=(-3, 3))


@composite
class hardswish:
    """x times the hard sigmoid of x (Howard and others, 2019)."""

    promotes = "floating"

    def expand(xp, x):
        return x * xp.hardtanh(x + 3, low=0.0, high=6.0) / 6

    onnx = "HardSwish"
    samples = unary(-6, 6, away_from=(-3, 3))


@elementwise
class celu:
    """x where x > 0, else α (e^(x/α) − 1), whose slope is 1 at 0 for every α (Barron, 2017)."""

    promotes = "floating"

    def value(m, x, *, alpha):
        return m.where(x > 0, x, alpha * m.expm1(x / alpha))

    def partials(m, x, y, *, alpha):
        return (m.where(x > 0, 1.0, y / alpha + 1),)

    samples = [*unary(away_from=(0,), alpha=1.0), Sample(real(away_from=(0,)), alpha=0.5)]


# For these numbers the activations of a deep network keep mean 0 and variance 1 (Klambauer and others, 2017).
SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


@elementwise
class selu:
    """1.0507 x where x > 0, else 1.0507 · 1.6733 (eˣ − 1) (Klambauer and others, 2017)."""

    promotes = "floating"

    def value(m, x):
        return SELU_SCALE * m.where(x > 0, x, SELU_ALPHA * m.expm1(x))

    def partials(m, x, y):
        return (m.where(x > 0, SELU_SCALE, y + SELU_SCALE * SELU_ALPHA),)

    onnx = "Selu"
    samples = unary(away_from=(0,))


@composite
class mish:
    """x tanh(ln(1 + eˣ)) (Misra, 2019)."""

    promotes = "floating"

    def expand(xp, x):
        return x * xp.tanh(xp.softplus(x, beta=1.0, threshold=20.0))

    onnx = "Mish"
    samples = unary(-6, 6)


@elementwise
class softsign:
    """x / (1 + |x|), in (−1, 1)."""

    promotes = "floating"

    def value(m, x):
        return x / (1 + m.abs(x))

    def partials(m, x, y):
        return (1 / ((1 + m.abs(x)) * (1 + m.abs(x))),)

    samples = unary(away_from=(0,))


@elementwise
class hardshrink:
    """x where |x| > λ, else 0."""

    promotes = "floating"

    def value(m, x, *, lambd):
        return m.where(m.abs(x) <= lambd, 0.0, x)

    def partials(m, x, y, *, lambd):
        return (m.abs(x) > lambd,)

    samples = unary(away_from=(-0.5, 0.5), lambd=0.5)


@elementwise
class softshrink:
    """x brought nearer to 0 by λ: x − λ where x > λ, x + λ where x < −λ, else 0."""

    promotes = "floating"

    def value(m, x, *, lambd):
        return x - m.minimum(m.maximum(x, -lambd), lambd)

    def partials(m, x, y, *, lambd):
        return (m.abs(x) > lambd,)

    samples = unary(away_from=(-0.5, 0.5), lambd=0.5)


@elementwise
class tanhshrink:
    """x − tanh x."""

    promotes = "floating"

    def value(m, x):
        return x - m.tanh(x)

    def partials(m, x, y):
        t = m.tanh(x)
        return (t * t,)

    samples = unary(-3, 3)


@composite
class glu:
    """a σ(b), a and b the halves of x along `dim` (Dauphin, Fan, Auli and Grangier, 2016)."""

    promotes = "floating"

    def expand(xp, x, *, dim):
        before, half = (slice(None),) * dim, x.shape[dim] // 2
        a = xp.slice(x, index=(*before, slice(None, half)))
        return a * xp.sigmoid(xp.slice(x, index=(*before, slice(half, None))))

    samples = [Sample(real(-3, 3), dim=1), Sample(real(-3, 3, (4, 3)), dim=0)]
