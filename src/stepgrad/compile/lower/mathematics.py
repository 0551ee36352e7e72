"""The scalar language on registers: exp, log, tanh, erf and the rest, for any number of lanes.

The functions are computed by range reduction and series, in the precision of their argument, with fused
multiply-add; the largest errors found over the whole range are stated with each, in units of the last
place (ulp), and held by tests. What has no code here is in `library`.
"""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from typing import Any, NamedTuple

import numpy

from stepgrad.arrays.special import MIDDLE, SMALL
from stepgrad.compile.lower.emit import Writer
from stepgrad.compile.lower.library import Library
from stepgrad.compile.lower.register import BYTES, Register
from stepgrad.compile.machine import has_estimates, has_scaling

# ln 2 in two parts, the first short enough that n · LN2_HIGH is exact for every exponent n.
_LN2_HIGH = {"float": 0.693145751953125, "double": 0.6931471803691238}
_LN2_LOW = {"float": 1.4286068203094172e-06, "double": 1.9082149292705877e-10}
_MANTISSA = {"float": 23, "double": 52}
_INTEGER = {"float": "i32", "double": "i64"}
_EXPONENT_BIAS = {"float": 127, "double": 1023}
# Below the first, eˣ is 0 even as a denormal number; above the second it is infinite.
_EXP_RANGE = {"float": (-104.0, 89.0), "double": (-746.0, 710.0)}
_EXP_TERMS = {"float": 7, "double": 13}
_LOG_TERMS = {"float": 5, "double": 11}
# Operations whose formula reads well but would be less exact, or undefined for integers: computed by
# these functions.
OF_THEIR_OWN = {"pow": "power", "floor_divide": "floor_divide", "remainder": "remainder"}


def _is_wide(x: Register) -> bool:
    """Return whether AVX-512 has instructions of its own for what is asked of a vector."""
    return x.lanes * BYTES[x.element] == 64 and has_estimates()


class Divisor(NamedTuple):
    """A divisor c prepared: c times a power of 2, that power, and the inverse of the product."""

    scaled: Register
    scale: Register
    inverse: Register


class Mathematics(Library):
    """The functions of `ops.namespace.SCALAR` on registers of one writer; handed to a record's `value` as
    m.
    """

    def __init__(self, writer: Writer) -> None:
        self.writer = writer

    # -------------------------------------------------------------------------------- quotients

    def divisor(self, c: Register) -> Divisor:
        """Return what `divided` needs to divide much by the same c."""
        w = self.writer
        # Of such a c the inverse might be infinite.
        is_small = self.abs(c) < 2.0 ** (1 - _EXPONENT_BIAS[c.element])
        scale = w.select(is_small, w.constant(2.0**64, c.element, c.lanes), 1.0)
        scaled = c * scale
        return Divisor(scaled, scale, 1.0 / scaled)

    def divided(self, x: Register, by: Divisor) -> Register:
        """x / c by the inverse of c and the remainder (Markstein, 1990), a third as long as a division.

        Rounded correctly; error up to 1 ulp where x or the quotient is below 2⁻⁷² (2⁻⁹⁶⁸ of float64).
        """
        w = self.writer
        c, scale, inverse = (w.splat(part, x.lanes) for part in by)
        x = x * scale
        q = x * inverse
        better = w.fma(w.fma(-c, q, x), inverse, q)
        # The remainder of these is NaN or has lost their sign.
        if _is_wide(x):
            return w.select(w.is_of_class(q, 129 + 2 + 4 + 8 + 16), q, better)
        return w.select(q + q == q, q, better)

    # ----------------------------------------------------------------------------- exponentials

    def exp(self, x: Register) -> Register:
        """eˣ: x = n ln 2 + r, |r| ≤ ½ ln 2, and a Taylor series for eʳ. Error below 1.1 ulp."""
        n, r = self._reduced(x)
        return self._scaled(self._small_exp(r), n)

    def _small_exp(self, r: Register) -> Register:
        """Return eʳ for |r| ≤ ½ ln 2, from pairs of terms, so that few steps wait for the one before."""
        w = self.writer
        first, second, *terms = [1 / math.factorial(k) for k in range(_EXP_TERMS[r.element] + 1)]
        *pairs, total = [w.fma(r, odd, even) for even, odd in zip(terms[::2], terms[1::2])]
        square = r * r
        for pair in reversed(pairs):
            total = w.fma(total, square, pair)
        return w.fma(w.fma(total, r, second), r, first)

    def expm1(self, x: Register) -> Register:
        """eˣ − 1, exact near 0. Error below 2.5 ulp."""
        # From 40 on the 1 is below the last place.
        return self.writer.select(x > 40.0, self.exp(x), self._expm1(x))

    def _expm1(self, x: Register) -> Register:
        """Return eˣ − 1 for x where 2ⁿ does not overflow."""
        w = self.writer
        n, r = self._reduced(x)
        # eʳ − 1 keeps its small digits; 2ⁿ (eʳ − 1) + (2ⁿ − 1).
        terms = [1 / math.factorial(k) for k in range(1, _EXP_TERMS[x.element] + 2)]
        small = self._series(r, terms) * r
        power = self._scaled(w.constant(1.0, x.element, x.lanes), n)
        result = w.select(x == 0.0, x, w.fma(small, power, power - 1.0))
        return w.select(x < _EXP_RANGE[x.element][0], -1.0, result)

    def _reduced(self, x: Register) -> tuple[Register, Register]:
        """Return the integer n (as floating point) and r with x = n ln 2 + r; x is brought into the range
        of exp first.
        """
        w, kind = self.writer, x.element
        low, high = _EXP_RANGE[kind]
        # Comparisons that are false for NaN let it through.
        x = w.select(x > high, high, x)
        x = w.select(x < low, low, x)
        # Rounded by a number to which no fraction can be added.
        whole = w.constant(1.5 * 2.0 ** _MANTISSA[kind], kind, x.lanes)
        n = w.fma(x, 1 / math.log(2), whole) - whole
        r = w.fma(n, -_LN2_HIGH[kind], x)
        return n, w.fma(n, -_LN2_LOW[kind], r)

    def _scaled(self, y: Register, n: Register) -> Register:
        """Return y 2ⁿ: in two steps where there is no instruction for it, so that neither infinite nor
        denormal results come too early.
        """
        w, kind = self.writer, y.element
        if has_scaling() and y.lanes * BYTES[kind] <= 64:
            return w.scaled(y, n)
        integer = _INTEGER[kind]
        whole = w.convert(w.select(n == n, n, 0.0), integer)
        half = w.emit(
            f"ashr {whole.type} {whole.text}, {w.constant(1, integer, whole.lanes).text}",
            integer,
            whole.lanes,
        )
        for part in (half, whole - half):
            y = y * w.bits((part + _EXPONENT_BIAS[kind]) << _MANTISSA[kind], kind)
        return y

    def _series(self, x: Register, coefficients: list[float]) -> Register:
        """Return Σ cₖ xᵏ by Horner's rule."""
        w = self.writer
        total = w.constant(coefficients[-1], x.element, x.lanes)
        for c in reversed(coefficients[:-1]):
            total = w.fma(total, x, c)
        return total

    # -------------------------------------------------------------------------------- logarithms

    def log(self, x: Register) -> Register:
        """ln x: x = m 2ᵉ with m in [√½, √2), ln m = 2 artanh((m−1)/(m+1)). Error below 1.5 ulp."""
        w, kind = self.writer, x.element
        integer, bits = _INTEGER[kind], _MANTISSA[kind]
        # Denormal numbers are brought up by a power of 2 first.
        smallest = 2.0 ** (2 - _EXPONENT_BIAS[kind])
        is_small = x < smallest
        y = w.select(is_small, x * 2.0 ** (bits + 2), x)
        raw = w.bits(y, integer)
        start = w.bits(w.constant(math.sqrt(0.5), kind, x.lanes), integer)
        e = w.emit(
            f"ashr {raw.type} {(raw - start).text}, {w.constant(bits, integer, x.lanes).text}",
            integer,
            x.lanes,
        )
        m = w.bits(raw - (e << bits), kind)
        exponent = w.convert(e, kind) - w.select(is_small, w.constant(float(bits + 2), kind, x.lanes), 0.0)
        result = self._log_of(m - 1.0, exponent)
        result = w.select(x == 0.0, -math.inf, result)
        result = w.select(x < 0.0, math.nan, result)
        return w.select((x == math.inf) | (x != x), x, result)

    def _log_of(self, f: Register, exponent: Register) -> Register:
        """Return ln(1 + f) + exponent · ln 2 for f in [√½ − 1, √2 − 1)."""
        w, kind = self.writer, f.element
        s = f / (f + 2.0)
        z = s * s
        tail = z * self._series(z, [2 / (2 * k + 3) for k in range(_LOG_TERMS[kind])])
        # ln(1+f) = f − (f²/2 − s (f²/2 + tail)): the leading term f is exact.
        h = f * f * 0.5
        correction = w.fma(exponent, _LN2_LOW[kind], s * (h + tail))
        return w.fma(exponent, _LN2_HIGH[kind], f - (h - correction))

    def log1p(self, x: Register) -> Register:
        """ln(1 + x), exact near 0: ln u plus what rounding took from u = 1 + x. Error below 2.5 ulp."""
        w = self.writer
        u = x + 1.0
        lost = x - (u - 1.0)
        result = self.log(u) + w.select((u > 0.0) & (u < math.inf), lost / u, 0.0)
        return w.select((x == math.inf) | (x == 0.0), x, result)

    # ------------------------------------------------------------------------------ others

    def tanh(self, x: Register) -> Register:
        """tanh x = (1 − e^(−2|x|)) / (1 + e^(−2|x|)) through expm1. Error below 3 ulp."""
        w = self.writer
        size = self.abs(x)
        t = self._expm1(size * -2.0)
        result = w.intrinsic("copysign", -t / (t + 2.0), x)
        return w.select(x != x, x, result)

    def erf(self, x: Register) -> Register:
        """The error function by Cody's rational approximations (1969), as in `arrays.special`. Error
        below 4 ulp.
        """
        w = self.writer
        size = self.abs(x)
        # Both approximations are good there. Up to here 1 − erfc x would lose a bit, being less than ½.
        limit = 0.477
        inner = w.select(size < limit, size, limit)
        small = inner * self._ratio(SMALL, inner * inner)
        outer_size = w.select(size < 6.0, w.select(size > limit, size, limit), 6.0)
        outer = 1.0 - self.exp(-outer_size * outer_size) * self._ratio(MIDDLE, outer_size)
        result = w.intrinsic("copysign", w.select(size <= limit, small, outer), x)
        return w.select(x != x, x, result)

    def _ratio(self, coefficients: Any, x: Register) -> Register:
        top, bottom = (self._series(x, list(reversed(powers))) for powers in coefficients)
        return top / bottom

    def sqrt(self, x: Register) -> Register:
        """√x. With AVX-512 improved from an estimate, since a root takes 12 or 24 cycles: error below 1 ulp.

        Rounded correctly but for 1 in 10⁵ (float32) above 2⁻¹⁰⁰ (2⁻⁹⁶⁰ of float64).
        """
        w = self.writer
        if not _is_wide(x):
            return w.intrinsic("sqrt", x)
        start = w.estimated_inverse_root(x)
        # Goldschmidt's iteration: root → √x and half → ½/√x, until the remainder gives the last bits.
        root, half = x * start, start * 0.5
        error = w.fma(-root, half, 0.5)
        if x.element == "double":
            root, half = w.fma(root, error, root), w.fma(half, error, half)
            error = w.fma(-root, half, 0.5)
        root = w.fma(root, error, root)
        root = w.fma(w.fma(-root, root, x), half, root)
        return w.select(w.is_of_class(x, 2 + 4 + 8), x, root)

    # ------------------------------------------------------------------------------ powers

    def power(self, a: Any, b: Any) -> Register:
        """aᵇ: whole exponents by multiplication, a number > 0 as base by 2ᵇ ˡᵈ ᵃ, the rest by the C library.

        Error below 3 ulp. Of integers the exponent is a number ≥ 0.
        """
        w = self.writer
        if not isinstance(b, Register):
            if b == 0.5:
                return self.sqrt(a)
            if float(b).is_integer() and (abs(b) <= 4 or not a.is_float):
                result = self._whole_power(a, int(abs(b)))
                return result if b >= 0 else 1.0 / result
        elif not isinstance(a, Register) and 0 < a < math.inf:
            return self._power_of_number(a, b)
        a, b = w.matched(a, b)
        return w.intrinsic("pow", a, b)

    pow = power

    def _whole_power(self, a: Register, n: int) -> Register:
        result = None
        while n:
            if n & 1:
                result = a if result is None else result * a
            n >>= 1
            a = a * a if n else a
        return self.writer.constant(1, a.element, a.lanes) if result is None else result

    def _power_of_number(self, a: float, x: Register) -> Register:
        """aˣ = 2ⁿ e^(f ln 2) with x ld a = n + f, the logarithm in two parts, so that whole powers of 2
        are exact.
        """
        w, kind = self.writer, x.element
        if a == 1:
            return w.constant(1.0, kind, x.lanes)
        with localcontext() as context:
            context.prec = 50
            exact = Decimal(a).ln() / Decimal(2).ln()
            high = float(exact) if kind == "double" else float(numpy.float32(float(exact)))
            low = float(exact - Decimal(high))
        # Beyond the range of exponents, and not so far that x · high were infinite.
        limit = 2.0 * _EXPONENT_BIAS[kind] / abs(high)
        x = w.select(x < -limit, -limit, w.select(x > limit, limit, x))
        t = x * high
        n = w.intrinsic("rint", t)
        rest = w.fma(x, low, w.fma(x, high, -t))
        f = ((t - n) + rest) * math.log(2)
        return self._scaled(self._small_exp(f), n)

    # ---------------------------------------------------------------------- division with a rest

    def floor_divide(self, a: Any, b: Any) -> Register:
        """⌊a/b⌋, through the exact rest as NumPy does it. Of integers b is a number other than 0."""
        w = self.writer
        if isinstance(a, Register) and not a.is_float:
            if b == -1:
                return -a
            quotient, rest = w.arithmetic("div", a, b), w.arithmetic("rem", a, b)
            return w.select(self._is_opposed(rest, b), quotient - 1, quotient)
        a, b = w.matched(a, b)
        rest = w.arithmetic("rem", a, b)
        quotient = (a - rest) / b
        quotient = w.select(self._is_opposed(rest, b), quotient - 1.0, quotient)
        whole = self.floor(quotient)
        whole = w.select(quotient - whole > 0.5, whole + 1.0, whole)
        plain = a / b
        zero = w.intrinsic("copysign", w.constant(0.0, a.element, a.lanes), plain)
        return w.select(b == 0.0, plain, w.select(quotient == 0.0, zero, whole))

    def remainder(self, a: Any, b: Any) -> Register:
        """What `floor_divide` leaves, with the sign of b. Of integers b is a number other than 0."""
        w = self.writer
        if isinstance(a, Register) and not a.is_float:
            if b == -1:
                return w.constant(0, a.element, a.lanes)
            rest = w.arithmetic("rem", a, b)
            return w.select(self._is_opposed(rest, b), rest + b, rest)
        a, b = w.matched(a, b)
        rest = w.arithmetic("rem", a, b)
        zero = w.intrinsic("copysign", w.constant(0.0, a.element, a.lanes), b)
        moved = w.select(self._is_opposed(rest, b), rest + b, rest)
        return w.select(b == 0.0, rest, w.select(rest == 0.0, zero, moved))

    def _is_opposed(self, rest: Register, b: Any) -> Register:
        """Whether a rest other than 0 has the sign that b does not have."""
        if isinstance(b, Register):
            return (rest != 0) & ((rest < 0) ^ (b < 0))
        return rest > 0 if b < 0 else rest < 0

    # ------------------------------------------------------------------- signs, rounding, choice

    def abs(self, x: Register) -> Register:
        """|x|."""
        if x.is_float:
            return self.writer.intrinsic("fabs", x)
        return self.writer.select(x < 0, -x, x)

    def sign(self, x: Register) -> Register:
        """−1, 0 or 1; 0 of NaN."""
        w = self.writer
        one = w.constant(1, x.element, x.lanes)
        zero = w.constant(0, x.element, x.lanes)
        return w.select(x > 0, one, w.select(x < 0, -one, zero))

    def floor(self, x: Register) -> Register:
        """The largest integer not above x."""
        return self.writer.intrinsic("floor", x) if x.is_float else x

    def ceil(self, x: Register) -> Register:
        """The smallest integer not below x."""
        return self.writer.intrinsic("ceil", x) if x.is_float else x

    def round(self, x: Register) -> Register:
        """The nearest integer, halves to even."""
        return self.writer.intrinsic("rint", x) if x.is_float else x

    def trunc(self, x: Register) -> Register:
        """x without its fraction."""
        return self.writer.intrinsic("trunc", x) if x.is_float else x

    def maximum(self, a: Any, b: Any) -> Register:
        """The larger; NaN if one of them is."""
        return self._extreme(a, b, "gt")

    def minimum(self, a: Any, b: Any) -> Register:
        """The smaller; NaN if one of them is."""
        return self._extreme(a, b, "lt")

    def _extreme(self, a: Any, b: Any, verb: str) -> Register:
        w = self.writer
        a_is_number = not isinstance(a, Register)
        if a_is_number:
            a, b = b, a
        other_is_number = not isinstance(b, Register)
        a, b = w.matched(a, b)
        if not a.is_float:
            return w.select(w.compare(verb, a, b), a, b)
        # "Unordered or": a NaN on the left wins. On the right it can only be one if it is no constant.
        chosen = w.emit(f"fcmp u{verb} {a.type} {a.text}, {b.text}", "i1", a.lanes)
        result = w.select(chosen, a, b)
        return result if other_is_number else w.select(b != b, b, result)

    def where(self, condition: Register, a: Any, b: Any) -> Register:
        """a where the condition holds, else b."""
        w = self.writer
        if not isinstance(condition, Register):
            return a if condition else b
        condition = w.convert(condition, "i1")
        if not isinstance(a, Register) and not isinstance(b, Register):
            a = w.constant(a, w.real, condition.lanes)
        return w.select(condition, a, b)

    def isnan(self, x: Register) -> Register:
        """Whether it is not a number."""
        return x != x

    def isinf(self, x: Register) -> Register:
        """Whether it is infinite."""
        return self.abs(x) == math.inf if x.is_float else x != x

    def logical_and(self, a: Any, b: Any) -> Register:
        """Both differ from 0."""
        return self._truth(a) & self._truth(b)

    def logical_or(self, a: Any, b: Any) -> Register:
        """At least one differs from 0."""
        return self._truth(a) | self._truth(b)

    def logical_xor(self, a: Any, b: Any) -> Register:
        """Exactly one differs from 0."""
        return self._truth(a) ^ self._truth(b)

    def logical_not(self, x: Register) -> Register:
        """It is 0."""
        return self._truth(x) ^ True

    def _truth(self, x: Any) -> Any:
        return self.writer.convert(x, "i1") if isinstance(x, Register) else bool(x)

    def cast(self, x: Register, *, dtype: Any) -> Register:
        """x in another dtype."""
        from stepgrad.compile.lower.register import element_of

        return self.writer.convert(x, element_of(dtype))
