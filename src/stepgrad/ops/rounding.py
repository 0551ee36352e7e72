"""Rounding, and division that leaves a remainder: elementwise operations with steps."""

from __future__ import annotations

from stepgrad.errors import ArgumentError
from stepgrad.ops.arithmetic import are_integers
from stepgrad.ops.record import elementwise
from stepgrad.ops.samples import Sample, real, unary


def _rounded(function, x):
    # Integers stay what they are, which not every version of NumPy does for every function.
    return function(x) if x.dtype.kind == "f" else x.copy()


def _of_floats(operator):
    """Return the ONNX form of a rounding: integers stay as they are."""
    return lambda g, x: g(operator, x) if x.dtype.kind == "f" else x


@elementwise
class floor:
    """The largest integer not above x. Its derivative is 0 wherever it has one."""

    def forward(np, x):
        return _rounded(np.floor, x)

    def value(m, x):
        return m.floor(x)

    def partials(m, x, y):
        return (0,)

    onnx = _of_floats("Floor")
    samples = unary(away_from=(-1, 0, 1))


@elementwise
class ceil:
    """The smallest integer not below x. Its derivative is 0 wherever it has one."""

    def forward(np, x):
        return _rounded(np.ceil, x)

    def value(m, x):
        return m.ceil(x)

    def partials(m, x, y):
        return (0,)

    onnx = _of_floats("Ceil")
    samples = unary(away_from=(-1, 0, 1))


@elementwise
class round_:
    """The nearest integer, halves to even. Its derivative is 0 wherever it has one."""

    def forward(np, x):
        return _rounded(np.rint, x)

    def value(m, x):
        return m.round(x)

    def partials(m, x, y):
        return (0,)

    onnx = _of_floats("Round")
    samples = unary(away_from=(-1.5, -0.5, 0.5, 1.5))


@elementwise
class trunc:
    """x without its fraction. Its derivative is 0 wherever it has one."""

    def forward(np, x):
        return _rounded(np.trunc, x)

    def value(m, x):
        return m.trunc(x)

    def partials(m, x, y):
        return (0,)

    def onnx(g, x):
        return g.sign(x) * g.floor(g.abs(x)) if x.dtype.kind == "f" else x

    samples = unary(away_from=(-1, 0, 1))


def _check_divisor(np, a, b):
    if are_integers(np, a, b) and not np.all(b):
        raise ArgumentError(
            "integers cannot be divided by zero and stay integers; with .float() the result is inf or nan."
        )


@elementwise
class floor_divide:
    """⌊a/b⌋, of integers an integer. Its derivative is 0 wherever it has one."""

    def forward(np, a, b):
        _check_divisor(np, a, b)
        return np.floor_divide(a, b)

    def value(m, a, b):
        return m.floor(a / b)

    def partials(m, a, b, y):
        return 0, 0

    def onnx(g, a, b):
        # ONNX divides integers towards zero.
        return g.floor(a / b) if a.dtype.kind == "f" else g("Div", g("Sub", a, g("Mod", a, b)), b)

    samples = [Sample(real(2.1, 2.8), real(0.95, 1.0)), Sample(real(2.1, 2.9), 1.0)]


@elementwise
class trunc_divide:
    """a/b without its fraction, of integers an integer. Its derivative is 0 wherever it has one."""

    def forward(np, a, b):
        _check_divisor(np, a, b)
        if not are_integers(np, a, b):
            return np.trunc(a / b)
        return np.floor_divide(np.abs(a), np.abs(b)) * np.sign(a) * np.sign(b)

    def onnx(g, a, b):
        # ONNX divides integers towards zero.
        return g.trunc(a / b) if a.dtype.kind == "f" else g("Div", a, b)

    def value(m, a, b):
        return m.trunc(a / b)

    def partials(m, a, b, y):
        return 0, 0

    samples = [Sample(real(2.1, 2.8), real(0.95, 1.0)), Sample(real(2.1, 2.9), 1.0)]


@elementwise
class remainder:
    """a − b ⌊a/b⌋, with the sign of b."""

    def forward(np, a, b):
        _check_divisor(np, a, b)
        return np.remainder(a, b)

    def value(m, a, b):
        return a - b * m.floor(a / b)

    def partials(m, a, b, y):
        return 1, -m.floor_divide(a, b)

    def onnx(g, a, b):
        return a - b * g.floor(a / b) if a.dtype.kind == "f" else g("Mod", a, b)

    samples = [Sample(real(2.1, 2.8), real(0.95, 1.0)), Sample(real(2.1, 2.9), 1.0)]


@elementwise
class fmod:
    """a − b trunc(a/b), with the sign of a."""

    def forward(np, a, b):
        _check_divisor(np, a, b)
        return np.fmod(a, b)

    def value(m, a, b):
        return m.fmod(a, b)

    def partials(m, a, b, y):
        return 1, -m.trunc_divide(a, b)

    def onnx(g, a, b):
        return g("Mod", a, b, fmod=1)

    samples = [Sample(real(2.1, 2.8), real(0.95, 1.0)), Sample(real(2.1, 2.9), 1.0)]
