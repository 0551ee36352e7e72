"""The error function and its relatives, which NumPy does not have.

All but `erf` are written in the scalar language (`m` computes with arrays, or writes native code).
"""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

# Rational approximations of W. J. Cody, "Rational Chebyshev approximations for the error function",
# Mathematics of Computation 23 (1969). Numerators and denominators, highest power first; relative error below
# 1e-16 each.
SMALL = (
    (
        1.85777706184603153e-1,
        3.16112374387056560,
        1.13864154151050156e2,
        3.77485237685302021e2,
        3.20937758913846947e3,
    ),
    (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3),
)
MIDDLE = (
    (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594, 6.61191906371416295e1,
     2.98635138197400131e2, 8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3,
     1.23033935479799725e3),
    (1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3,
     3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3),
)  # fmt: skip
LARGE = (
    (1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1,
     1.60837851487422766e-2, 6.58749161529837803e-4),
    (1.0, 2.56852019228982242, 1.87295284992346047, 5.27905102951428412e-1, 6.05183413124413191e-2,
     2.33520497626869185e-3),
)  # fmt: skip


PIECE = 8_192  # elements of which the error function is computed at once


def _ratio(coefficients: tuple[tuple[float, ...], tuple[float, ...]], x: Any) -> Any:
    parts = []
    for powers in coefficients:
        total = powers[0] * x + powers[1]
        for c in powers[2:]:
            total = total * x + c
        parts.append(total)
    return parts[0] / parts[1]


def erf(xp: ModuleType, x: Any) -> Any:
    """Return erf(x) = 2/√π ∫₀ˣ e^(−t²) dt of a raw floating point array, in its dtype.

    The absolute error is below 3e-16 in float64; float32 and float16 are computed in float64 and rounded.
    """
    if xp.__name__ != "numpy":
        from cupyx.scipy.special import erf as cupy_erf

        return cupy_erf(x)
    if x.size <= PIECE:
        return _erf(xp, x)
    # Some twenty intermediate results, which stay in the cache piece by piece.
    flat, result = x.reshape(-1), xp.empty(x.size, x.dtype)
    for begin in range(0, x.size, PIECE):
        result[begin : begin + PIECE] = _erf(xp, flat[begin : begin + PIECE])
    return result.reshape(x.shape)


def _erf(xp: ModuleType, x: Any) -> Any:
    wide = xp.asarray(x, dtype=xp.float64)
    size = xp.abs(wide)
    # Beyond 6, erf is 1 to the last bit.
    middle = xp.clip(size, 0.46875, 6.0)
    outer = 1.0 - xp.exp(-middle * middle) * _ratio(MIDDLE, middle)
    inner = xp.minimum(size, 0.46875)
    result = xp.copysign(xp.where(size <= 0.46875, inner * _ratio(SMALL, inner * inner), outer), wide)
    return xp.where(xp.isnan(wide), wide, result).astype(x.dtype)


def _erf_near(m: Any, x: Any) -> Any:
    """Return erf x for |x| ≤ 0.46875; for others erf of that bound."""
    inner = m.minimum(m.maximum(x, -0.46875), 0.46875)
    return inner * _ratio(SMALL, inner * inner)


def _scaled_tail(m: Any, size: Any) -> Any:
    """Return e^(x²) erfc x for x ≥ 0.46875."""
    middle, far = m.minimum(size, 4.0), m.maximum(size, 4.0)
    z = 1.0 / (far * far)
    asymptotic = (1.0 / math.sqrt(math.pi) - z * _ratio(LARGE, z)) / far
    return m.where(size <= 4.0, _ratio(MIDDLE, middle), asymptotic)


def _gauss(m: Any, size: Any) -> Any:
    """Return e^(−x²), the square in two parts so that its rounding does not count."""
    coarse = m.floor(size * 16.0) / 16.0
    return m.exp(-coarse * coarse) * m.exp(-(size - coarse) * (size + coarse))


def erfc(m: Any, x: Any) -> Any:
    """Return 1 − erf x, with small relative error also where erf x is near 1."""
    size = m.maximum(m.abs(x), 0.46875)
    bounded = m.minimum(size, 30.0)
    tail = _gauss(m, bounded) * _scaled_tail(m, bounded)
    return m.where(m.abs(x) <= 0.46875, 1.0 - _erf_near(m, x), m.where(x < 0.0, 2.0 - tail, tail))


def erfcx(m: Any, x: Any) -> Any:
    """Return e^(x²) erfc x."""
    size = m.maximum(m.abs(x), 0.46875)
    tail = _scaled_tail(m, size)
    grown = m.exp(x * x)
    near = grown * (1.0 - _erf_near(m, x))
    return m.where(m.abs(x) <= 0.46875, near, m.where(x < 0.0, 2.0 * grown - tail, tail))


# M. J. Wichura, "Algorithm AS 241: the percentage points of the normal distribution", Applied Statistics 37
# (1988): numerators and denominators, highest power first.
CENTRAL = (
    (2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4,
     1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080),
    (5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4,
     5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1.0),
)  # fmt: skip
OUTER = (
    (7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258,
     3.64784832476320460504, 5.76949722146069140550, 4.63033784615654529590, 1.42343711074968357734),
    (1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2,
     1.48103976427480074590e-1, 6.89767334985100004550e-1, 1.67638483018380384940, 2.05319162663775882187,
     1.0),
)  # fmt: skip
OUTERMOST = (
    (2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3,
     2.65321895265761230930e-2, 2.96560571828504891230e-1, 1.78482653991729133580, 5.46378491116411436990,
     6.65790464350110377720),
    (2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5,
     7.86869131145613259100e-4, 1.48753612908506148525e-2, 1.36929880922735805310e-1,
     5.99832206555887937690e-1, 1.0),
)  # fmt: skip


def _quantile(m: Any, q: Any, rest: Any) -> Any:
    """Return the normal quantile of ½ + q; `rest` is the smaller of the probabilities on either side."""
    central = q * _ratio(CENTRAL, 0.180625 - m.minimum(q * q, 0.180625))
    r = m.sqrt(-m.log(rest))
    bounded = m.minimum(r, 100.0)
    tail = m.where(bounded <= 5.0, _ratio(OUTER, bounded - 1.6), _ratio(OUTERMOST, bounded - 5.0))
    tail = m.where(rest == 0.0, math.inf, tail)
    return m.where(m.abs(q) <= 0.425, central, m.where(q < 0.0, -tail, tail))


def ndtri(m: Any, p: Any) -> Any:
    """Return the normal quantile of p: ±inf at 0 and 1, NaN outside."""
    return _quantile(m, p - 0.5, m.minimum(p, 1.0 - p))


def erfinv(m: Any, x: Any) -> Any:
    """Return the number whose erf is x: ±inf at ±1, NaN outside."""
    return _quantile(m, 0.5 * x, 0.5 * (1.0 - m.abs(x))) * math.sqrt(0.5)
