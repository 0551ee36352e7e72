"""Comparisons and logic: elementwise operations whose result is a boolean. They have no derivative."""

from __future__ import annotations

from stepgrad.ops.record import elementwise
from stepgrad.ops.samples import Sample, binary, boolean, unary


@elementwise
class eq:
    """a = b."""

    def value(m, a, b):
        return a == b

    samples = binary()


@elementwise
class ne:
    """a ≠ b."""

    def value(m, a, b):
        return a != b

    samples = binary()


@elementwise
class lt:
    """a < b."""

    def value(m, a, b):
        return a < b

    samples = binary()


@elementwise
class le:
    """a ≤ b."""

    def value(m, a, b):
        return a <= b

    samples = binary()


@elementwise
class gt:
    """a > b."""

    def value(m, a, b):
        return a > b

    samples = binary()


@elementwise
class ge:
    """a ≥ b."""

    def value(m, a, b):
        return a >= b

    samples = binary()


@elementwise
class logical_and:
    """Both differ from 0."""

    def value(m, a, b):
        return m.logical_and(a, b)

    samples = [Sample(boolean(), boolean()), Sample(boolean((3, 1)), boolean((4,)))]


@elementwise
class logical_or:
    """At least one differs from 0."""

    def value(m, a, b):
        return m.logical_or(a, b)

    samples = [Sample(boolean(), boolean()), Sample(boolean((3, 1)), boolean((4,)))]


@elementwise
class logical_xor:
    """Exactly one differs from 0."""

    def value(m, a, b):
        return m.logical_xor(a, b)

    samples = [Sample(boolean(), boolean()), Sample(boolean((3, 1)), boolean((4,)))]


@elementwise
class logical_not:
    """It is 0."""

    def value(m, x):
        return m.logical_not(x)

    samples = [Sample(boolean()), *unary()]


@elementwise
class isnan:
    """It is not a number."""

    def value(m, x):
        return m.isnan(x)

    samples = unary()


@elementwise
class isinf:
    """It is infinite."""

    def value(m, x):
        return m.isinf(x)

    samples = unary()
