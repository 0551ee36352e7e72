"""What the inputs of an operation look like: descriptions from which the registry tests draw."""

from __future__ import annotations

from typing import Any

import numpy


class Spec:
    """One input: `kind`, range, shape, and points that it keeps away from.

    The kinds are "real", "integer", "boolean", and "symmetric": matrices that are positive definite too.
    """

    __slots__ = ("away_from", "high", "kind", "low", "shape")

    def __init__(
        self, kind: str, low: float, high: float, shape: tuple[int, ...], away_from: tuple[float, ...] = ()
    ) -> None:
        self.kind, self.low, self.high, self.shape, self.away_from = kind, low, high, shape, away_from

    def draw(self, random: numpy.random.Generator) -> numpy.ndarray:
        """Return a float64, int64 or bool array drawn from the description."""
        if self.kind == "boolean":
            return random.integers(0, 2, self.shape).astype(bool)
        if self.kind == "integer":
            return random.integers(int(self.low), int(self.high), self.shape)
        x = random.uniform(self.low, self.high, self.shape)
        if self.kind == "symmetric":
            return x @ x.swapaxes(-1, -2) + numpy.diag(numpy.arange(1.0, x.shape[-1] + 1))
        for point in self.away_from:
            # Central differences across a kink are meaningless: step 0.05 away from it.
            x = numpy.where(abs(x - point) < 0.05, point + numpy.where(x < point, -0.05, 0.05), x)
        return numpy.asarray(x)


class Sample:
    """One call of an operation: its inputs (a `Spec`, a Python number or None) and its attributes."""

    __slots__ = ("attrs", "inputs")

    def __init__(self, *inputs: Any, **attrs: Any) -> None:
        self.inputs, self.attrs = inputs, attrs

    def draw(self, random: numpy.random.Generator) -> list[Any]:
        """Return the inputs drawn."""
        return [x.draw(random) if isinstance(x, Spec) else x for x in self.inputs]


def real(
    low: float = -2.0, high: float = 2.0, shape: tuple[int, ...] = (3, 4), away_from: tuple[float, ...] = ()
) -> Spec:
    """Real numbers uniform in [low, high)."""
    return Spec("real", low, high, shape, away_from)


def integer(low: int, high: int, shape: tuple[int, ...]) -> Spec:
    """Integers uniform in [low, high)."""
    return Spec("integer", low, high, shape)


def boolean(shape: tuple[int, ...] = (3, 4)) -> Spec:
    """True and false."""
    return Spec("boolean", 0, 1, shape)


def symmetric(n: int, batch: tuple[int, ...] = ()) -> Spec:
    """Symmetric positive definite matrices."""
    return Spec("symmetric", 0.2, 1.0, (*batch, n, n))


def unary(
    low: float = -2.0, high: float = 2.0, away_from: tuple[float, ...] = (), **attrs: Any
) -> list[Sample]:
    """A matrix, a 0-d number and an empty array, all from [low, high)."""
    return [Sample(real(low, high, shape, away_from), **attrs) for shape in ((3, 4), (), (0, 2))]


def binary(low: float = -2.0, high: float = 2.0, away_from: tuple[float, ...] = ()) -> list[Sample]:
    """Pairs of equal shape, and pairs that broadcast in either direction."""
    shapes = (((3, 4), (3, 4)), ((3, 4), (4,)), ((1, 4), (3, 1)), ((), (2, 3)), ((2, 1, 3), (4, 1)))
    return [Sample(real(low, high, a, away_from), real(low, high, b, away_from)) for a, b in shapes]
