"""The error function, which NumPy does not have."""

from __future__ import annotations

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
    wide = xp.asarray(x, dtype=xp.float64)
    size = xp.abs(wide)
    # Beyond 6, erf is 1 to the last bit.
    middle = xp.clip(size, 0.46875, 6.0)
    outer = 1.0 - xp.exp(-middle * middle) * _ratio(MIDDLE, middle)
    inner = xp.minimum(size, 0.46875)
    result = xp.copysign(xp.where(size <= 0.46875, inner * _ratio(SMALL, inner * inner), outer), wide)
    return xp.where(xp.isnan(wide), wide, result).astype(x.dtype)
