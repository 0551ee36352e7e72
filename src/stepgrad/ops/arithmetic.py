"""Arithmetic, powers, exponentials, trigonometry: elementwise operations on numbers."""

from __future__ import annotations

import math

from stepgrad.errors import ArgumentError
from stepgrad.ops.record import elementwise
from stepgrad.ops.samples import Sample, binary, boolean, real, unary


@elementwise
class add:
    """a + b. The gradient passes on to both."""

    def forward(np, a, b):
        return np.add(a, b)

    def value(m, a, b):
        return a + b

    def partials(m, a, b, y):
        return 1, 1

    onnx = "Add"
    samples = binary()


@elementwise
class sub:
    """a − b."""

    def forward(np, a, b):
        return np.subtract(a, b)

    def value(m, a, b):
        return a - b

    def partials(m, a, b, y):
        return 1, -1

    onnx = "Sub"
    samples = binary()


@elementwise
class mul:
    """a · b. The derivative with respect to one is the other."""

    def forward(np, a, b):
        return np.multiply(a, b)

    def value(m, a, b):
        return a * b

    def partials(m, a, b, y):
        return b, a

    onnx = "Mul"
    samples = binary()


@elementwise
class div:
    """a / b."""

    promotes = "floating"

    def value(m, a, b):
        return a / b

    def partials(m, a, b, y):
        return 1 / b, -y / b

    onnx = "Div"
    samples = binary(0.5, 2)


@elementwise
class neg:
    """−x."""

    def value(m, x):
        return -x

    def partials(m, x, y):
        return (-1,)

    onnx = "Neg"
    samples = unary()


@elementwise
class reciprocal:
    """1 / x, whose derivative is −y²."""

    promotes = "floating"

    def value(m, x):
        return 1 / x

    def partials(m, x, y):
        return (-y * y,)

    onnx = "Reciprocal"
    samples = unary(0.5, 2)


def are_integers(np, a, b):
    """Return whether both operands, arrays or numbers, are integers or booleans."""
    return np.asarray(a).dtype.kind in "iub" and np.asarray(b).dtype.kind in "iub"


def _power_rule(m, a, b):
    if isinstance(b, (int, float)):
        return 0 if b == 0 else b * a ** (b - 1)
    return m.where(b == 0, 0.0, b * a ** (b - 1))


def _times_log(m, a, b, y):
    if isinstance(a, (int, float)):
        return y * (math.log(a) if a > 0 else (0.0 if a == 0 else math.nan))
    return m.where((a == 0) & (b >= 0), 0.0, y * m.log(a))


@elementwise
class pow_:
    """aᵇ, with derivatives b aᵇ⁻¹ and aᵇ ln a (0 where a = 0 and b ≥ 0, the limit from above)."""

    def forward(np, a, b):
        if are_integers(np, a, b) and np.any(np.asarray(b) < 0):
            raise ArgumentError("integers have no negative powers that are integers; convert with .float().")
        return a**b

    def value(m, a, b):
        return a**b

    def partials(m, a, b, y):
        # A number as exponent, the common case, needs no logarithm.
        by_exponent = None if isinstance(b, (int, float)) else _times_log(m, a, b, y)
        return _power_rule(m, a, b), by_exponent

    onnx = "Pow"
    samples = [*binary(0.5, 2), Sample(real(), 3), Sample(real(0.5, 2), -1.5), Sample(2.0, real())]


@elementwise
class square:
    """x²."""

    def forward(np, x):
        return np.square(x)

    def value(m, x):
        return x * x

    def partials(m, x, y):
        return (2 * x,)

    samples = unary()


@elementwise
class exp:
    """eˣ, which is its own derivative."""

    promotes = "floating"

    def forward(np, x):
        return np.exp(x)

    def value(m, x):
        return m.exp(x)

    def partials(m, x, y):
        return (y,)

    onnx = "Exp"
    samples = unary()


@elementwise
class expm1:
    """eˣ − 1, exact near 0."""

    promotes = "floating"

    def value(m, x):
        return m.expm1(x)

    def partials(m, x, y):
        return (y + 1,)

    def onnx(g, x):
        t = g.tanh(0.5 * x)  # exact near 0, where eˣ − 1 is not
        return g.where(x < 1, 2 * t / (1 - t), g.exp(x) - 1)

    samples = unary()


@elementwise
class log:
    """The natural logarithm ln x."""

    promotes = "floating"

    def value(m, x):
        return m.log(x)

    def partials(m, x, y):
        return (1 / x,)

    onnx = "Log"
    samples = unary(0.2, 3)


@elementwise
class log1p:
    """ln(1 + x), exact near 0."""

    promotes = "floating"

    def value(m, x):
        return m.log1p(x)

    def partials(m, x, y):
        return (1 / (1 + x),)

    def onnx(g, x):
        u = 1 + x  # rounded; ln(u) · x / (u − 1) makes up for it (Kahan)
        return g.where((u == 1) | g.isinf(u), x, g.log(u) * (x / (u - 1)))

    samples = unary(-0.5, 3)


@elementwise
class sqrt:
    """√x."""

    promotes = "floating"

    def value(m, x):
        return m.sqrt(x)

    def partials(m, x, y):
        return (0.5 / y,)

    onnx = "Sqrt"
    samples = unary(0.2, 3)


@elementwise
class rsqrt:
    """1 / √x."""

    promotes = "floating"

    def value(m, x):
        return 1 / m.sqrt(x)

    def partials(m, x, y):
        return (-0.5 * y / x,)

    samples = unary(0.2, 3)


@elementwise
class sin:
    """sin x, x in radians."""

    promotes = "floating"

    def value(m, x):
        return m.sin(x)

    def partials(m, x, y):
        return (m.cos(x),)

    onnx = "Sin"
    samples = unary(-4, 4)


@elementwise
class cos:
    """cos x, x in radians."""

    promotes = "floating"

    def value(m, x):
        return m.cos(x)

    def partials(m, x, y):
        return (-m.sin(x),)

    onnx = "Cos"
    samples = unary(-4, 4)


@elementwise
class erf:
    """The error function 2/√π ∫₀ˣ e^(−t²) dt."""

    promotes = "floating"

    def value(m, x):
        return m.erf(x)

    def partials(m, x, y):
        return (2 / math.sqrt(math.pi) * m.exp(-x * x),)

    onnx = "Erf"
    samples = unary(-3, 3)


@elementwise
class abs_:
    """|x|, with derivative sign x (0 at 0)."""

    def value(m, x):
        return m.abs(x)

    def partials(m, x, y):
        return (m.sign(x),)

    onnx = "Abs"
    samples = unary(away_from=(0,))


@elementwise
class sign:
    """−1, 0 or 1. Its derivative is 0 wherever it has one."""

    def value(m, x):
        return m.sign(x)

    def partials(m, x, y):
        return (0,)

    onnx = "Sign"
    samples = unary(away_from=(0,))


@elementwise
class maximum:
    """The larger of two; at a tie each gets half of the gradient."""

    def value(m, a, b):
        return m.maximum(a, b)

    def partials(m, a, b, y):
        # Where one is NaN, both get the gradient.
        return m.logical_not(a < b) - 0.5 * (a == b), m.logical_not(b < a) - 0.5 * (a == b)

    onnx = "Max"
    samples = [Sample(real(-2, 2), real(2.1, 3)), Sample(real(0, 1, (3, 1)), real(-2, -1, (4,)))]


@elementwise
class minimum:
    """The smaller of two; at a tie each gets half of the gradient."""

    def value(m, a, b):
        return m.minimum(a, b)

    def partials(m, a, b, y):
        return m.logical_not(a > b) - 0.5 * (a == b), m.logical_not(b > a) - 0.5 * (a == b)

    onnx = "Min"
    samples = [Sample(real(-2, 2), real(2.1, 3)), Sample(real(0, 1, (3, 1)), real(-2, -1, (4,)))]


@elementwise
class clamp:
    """x, but not below `low` and not above `high`, where given; the gradient passes where x is within."""

    def value(m, x, *, low, high):
        y = x if low is None else m.maximum(x, low)
        return y if high is None else m.minimum(y, high)

    def partials(m, x, y, *, low, high):
        if low is None:
            return (x <= high,)
        return (x >= low,) if high is None else ((x >= low) & (x <= high),)

    def onnx(g, x, *, low, high):
        return g("Clip", x, *(None if end is None else g.number(end, x.dtype) for end in (low, high)))

    samples = [
        Sample(real(away_from=(-1, 1)), low=-1.0, high=1.0),
        Sample(real(away_from=(-1,)), low=-1.0, high=None),
        Sample(real(away_from=(1,)), low=None, high=1.0),
    ]


def _fitted(xp, g, x):
    """Return a gradient in the shape and dtype of x, which broadcast."""
    g = g if g.shape == x.shape else xp.sum_to(g, shape=tuple(x.shape))
    return g if g.dtype == x.dtype else xp.cast(g, dtype=x.dtype)


@elementwise
class where:
    """a where the condition holds, else b."""

    def value(m, condition, a, b):
        return m.where(condition, a, b)

    def partials(m, condition, a, b, y):
        return None, condition, m.logical_not(condition)

    def vjp(xp, g, y, condition, a, b, *, needs):
        # Chosen and not multiplied, so that an infinite gradient does not reach what was not chosen as NaN.
        ga = _fitted(xp, xp.where(condition, g, 0.0), a) if needs[1] else None
        gb = _fitted(xp, xp.where(condition, 0.0, g), b) if needs[2] else None
        return None, ga, gb

    reads = ("condition",)

    def onnx(g, condition, a, b):
        return g("Where", g.as_type(condition, bool), a, b)

    samples = [
        Sample(boolean(), real(), real()),
        Sample(boolean((4,)), real(shape=(3, 1)), real(shape=())),
        Sample(boolean(), real(), 0.0),
    ]


@elementwise
class cast:
    """x in another dtype. The gradient is cast back."""

    promotes = None

    def forward(np, x, *, dtype):
        return np.asarray(x).astype(dtype, order="C")

    def value(m, x, *, dtype):
        return m.cast(x, dtype=dtype)

    def vjp(xp, g, y, x, *, needs, dtype):
        return (xp.cast(g, dtype=x.dtype),)

    reads = ()

    def onnx(g, x, *, dtype):
        return g.as_type(x, dtype)

    samples = [Sample(real(), dtype="float64"), Sample(real(shape=()), dtype="float64")]
