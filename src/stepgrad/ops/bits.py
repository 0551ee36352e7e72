"""Integers and booleans bit by bit: elementwise operations without a derivative."""

from __future__ import annotations

from stepgrad.ops.record import elementwise
from stepgrad.ops.samples import Sample, boolean, integer


def _pairs(high=16):
    return [Sample(integer(-16, 16, (3, 4)), integer(0, high, (4,))), Sample(integer(0, 9, ()), 3)]


def _pairs_and_booleans():
    return [*_pairs(), Sample(boolean(), boolean((4,)))]


def _by_bits(operator):
    """Return the ONNX form of a logical operation on bits; booleans have operators of their own."""
    return lambda g, a, b: g(operator if a.dtype == bool else f"Bitwise{operator}", a, b)


@elementwise
class bitwise_and:
    """The bits that both have."""

    def value(m, a, b):
        return a & b

    onnx = _by_bits("And")
    samples = _pairs_and_booleans()


@elementwise
class bitwise_or:
    """The bits that at least one has."""

    def value(m, a, b):
        return a | b

    onnx = _by_bits("Or")
    samples = _pairs_and_booleans()


@elementwise
class bitwise_xor:
    """The bits that exactly one has."""

    def value(m, a, b):
        return a ^ b

    onnx = _by_bits("Xor")
    samples = _pairs_and_booleans()


@elementwise
class bitwise_left_shift:
    """The bits of a moved up by b places: a · 2ᵇ."""

    def value(m, a, b):
        return m.left_shift(a, b)

    no_onnx = "ONNX moves the bits of unsigned integers alone"
    samples = _pairs(5)


@elementwise
class bitwise_right_shift:
    """The bits of a moved down by b places: ⌊a / 2ᵇ⌋."""

    def value(m, a, b):
        return m.right_shift(a, b)

    no_onnx = "ONNX moves the bits of unsigned integers alone"
    samples = _pairs(5)


@elementwise
class bitwise_not:
    """Every bit the other way: −1 − x."""

    def forward(np, x):
        return np.invert(x)

    def value(m, x):
        return x ^ -1

    onnx = "BitwiseNot"
    samples = [Sample(integer(-16, 16, (3, 4))), Sample(integer(0, 9, ()))]
