"""Functions on registers that the C library computes, one lane at a time, and those stated in others.

`Mathematics` adds to these the functions that have code of their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from stepgrad.compile.lower.emit import Writer
from stepgrad.compile.lower.register import Register
from stepgrad.ops.namespace import SPECIAL


def _of_library(name: str) -> Callable[..., Register]:
    def function(self: Library, *operands: Any) -> Register:
        return self.writer.intrinsic(name, *self._matched(operands))

    function.__doc__ = f"{name}, by the C library."
    return function


def _special(function: Callable[..., Any]) -> Callable[..., Register]:
    def in_double(self: Library, *operands: Any) -> Register:
        kind = next(x.element for x in operands if isinstance(x, Register))
        wide = (self.writer.convert(x, "double") if isinstance(x, Register) else x for x in operands)
        outer, self.writer.real = self.writer.real, "double"
        result = function(self, *wide)
        self.writer.real = outer
        return self.writer.convert(result, kind)

    in_double.__doc__ = f"{function.__doc__} Computed in double precision."
    return in_double


class Library:
    """Part of `Mathematics`: functions that need no code of their own."""

    writer: Writer
    exp: Callable[[Register], Register]
    log: Callable[[Register], Register]
    log1p: Callable[[Register], Register]
    expm1: Callable[[Register], Register]
    sqrt: Callable[[Register], Register]
    abs: Callable[[Register], Register]

    sin, cos, tan = _of_library("sin"), _of_library("cos"), _of_library("tan")
    asin, acos, atan = _of_library("asin"), _of_library("acos"), _of_library("atan")
    atan2, sinh, cosh = _of_library("atan2"), _of_library("sinh"), _of_library("cosh")
    exp2, log2, log10 = _of_library("exp2"), _of_library("log2"), _of_library("log10")
    fmax, fmin, copysign = _of_library("maxnum"), _of_library("minnum"), _of_library("copysign")

    erfc, erfcx, erfinv = (_special(SPECIAL[n]) for n in ("erfc", "erfcx", "erfinv"))
    ndtri, lgamma, digamma = (_special(SPECIAL[n]) for n in ("ndtri", "lgamma", "digamma"))
    polygamma, zeta = _special(SPECIAL["polygamma"]), _special(SPECIAL["zeta"])
    i0, i0e, i1, i1e = (_special(SPECIAL[n]) for n in ("i0", "i0e", "i1", "i1e"))

    def _matched(self, operands: tuple[Any, ...]) -> tuple[Register, ...]:
        return operands if len(operands) == 1 else self.writer.matched(*operands)

    def _signed(self, size: Register, x: Register) -> Register:
        return self.writer.intrinsic("copysign", size, x)

    def asinh(self, x: Register) -> Register:
        """ln(|x| + √(x² + 1)), exact near 0, with the sign of x."""
        size = self.abs(x)
        square = size * size
        near = self.log1p(size + square / (self.sqrt(square + 1.0) + 1.0))
        return self._signed(self.writer.select(size > 1e9, self.log(size) + math.log(2), near), x)

    def acosh(self, x: Register) -> Register:
        """ln(x + √(x² − 1)), exact near 1; NaN below 1."""
        above = x - 1.0
        near = self.log1p(above + self.sqrt(above) * self.sqrt(above + 2.0))
        return self.writer.select(x > 1e9, self.log(x) + math.log(2), near)

    def atanh(self, x: Register) -> Register:
        """½ ln((1 + x) / (1 − x)), exact near 0; ±inf at ±1, NaN beyond."""
        size = self.abs(x)
        return self._signed(self.log1p(2.0 * size / (1.0 - size)) * 0.5, x)

    def hypot(self, a: Any, b: Any) -> Register:
        """√(a² + b²) without overflow."""
        w = self.writer
        a, b = (self.abs(x) for x in w.matched(a, b))
        large, small = w.select(a > b, a, b), w.select(a > b, b, a)
        ratio = w.select(large == 0.0, 0.0, small / large)
        length = large * self.sqrt(ratio * ratio + 1.0)
        length = w.select((a != a) | (b != b), math.nan, length)
        return w.select((a == math.inf) | (b == math.inf), math.inf, length)

    def fmod(self, a: Any, b: Any) -> Register:
        """What is left of a / b, with the sign of a."""
        return self.writer.arithmetic("rem", a, b)

    def signbit(self, x: Register) -> Register:
        """Whether the sign is set, also that of −0."""
        if not x.is_float:
            return x < 0
        one = self.writer.constant(1.0, x.element, x.lanes)
        return self.writer.intrinsic("copysign", one, x) < 0.0

    def left_shift(self, a: Any, b: Any) -> Register:
        """The bits moved up by b places; 0 from as many places on as there are."""
        return self._shifted("shl", a, b)

    def right_shift(self, a: Any, b: Any) -> Register:
        """The bits moved down by b places, the sign kept."""
        return self._shifted("ashr", a, b)

    def _shifted(self, verb: str, a: Any, b: Any) -> Register:
        w = self.writer
        a, b = w.matched(a, b)
        bits = {"u8": 8, "i8": 8, "i16": 16, "i32": 32, "i64": 64}[a.element]
        if a.element == "u8" and verb == "ashr":
            verb = "lshr"
        fits = (b >= 0) & (b < bits)
        last = w.select(fits, b, bits - 1)
        moved = w.bitwise(verb, a, last)
        # A sign that is kept fills all places; otherwise nothing is left.
        return moved if verb == "ashr" else w.select(fits, moved, 0)
