"""Comparisons and logic: elementwise operations whose result is a boolean. They have no derivative."""

from __future__ import annotations

from stepgrad.ops.record import elementwise
from stepgrad.ops.samples import Sample, binary, boolean, unary


def _ordered(operator):
    """Return the ONNX form of a comparison by size; booleans, which it does not take, as integers."""

    def onnx(g, a, b):
        return g(operator, *(g.as_type(x, "int32") if x.dtype == bool else x for x in (a, b)))

    return onnx


def _logical(operator):
    """Return the ONNX form of a logical operation, which takes booleans alone."""
    return lambda g, *operands: g(operator, *(g.as_type(x, bool) for x in operands))


@elementwise
class eq:
    """a = b."""

    def value(m, a, b):
        return a == b

    onnx = "Equal"
    samples = binary()


@elementwise
class ne:
    """a ≠ b."""

    def value(m, a, b):
        return a != b

    def onnx(g, a, b):
        return g("Not", g("Equal", a, b))

    samples = binary()


@elementwise
class lt:
    """a < b."""

    def value(m, a, b):
        return a < b

    onnx = _ordered("Less")
    samples = binary()


@elementwise
class le:
    """a ≤ b."""

    def value(m, a, b):
        return a <= b

    onnx = _ordered("LessOrEqual")
    samples = binary()


@elementwise
class gt:
    """a > b."""

    def value(m, a, b):
        return a > b

    onnx = _ordered("Greater")
    samples = binary()


@elementwise
class ge:
    """a ≥ b."""

    def value(m, a, b):
        return a >= b

    onnx = _ordered("GreaterOrEqual")
    samples = binary()


@elementwise
class logical_and:
    """Both differ from 0."""

    def value(m, a, b):
        return m.logical_and(a, b)

    onnx = _logical("And")
    samples = [Sample(boolean(), boolean()), Sample(boolean((3, 1)), boolean((4,)))]


@elementwise
class logical_or:
    """At least one differs from 0."""

    def value(m, a, b):
        return m.logical_or(a, b)

    onnx = _logical("Or")
    samples = [Sample(boolean(), boolean()), Sample(boolean((3, 1)), boolean((4,)))]


@elementwise
class logical_xor:
    """Exactly one differs from 0."""

    def value(m, a, b):
        return m.logical_xor(a, b)

    onnx = _logical("Xor")
    samples = [Sample(boolean(), boolean()), Sample(boolean((3, 1)), boolean((4,)))]


@elementwise
class logical_not:
    """It is 0."""

    def value(m, x):
        return m.logical_not(x)

    onnx = _logical("Not")
    samples = [Sample(boolean()), *unary()]


@elementwise
class isnan:
    """It is not a number."""

    def value(m, x):
        return m.isnan(x)

    onnx = "IsNaN"
    samples = unary()


@elementwise
class isinf:
    """It is infinite."""

    def value(m, x):
        return m.isinf(x)

    onnx = "IsInf"
    samples = unary()
