"""References of trigonometry, logarithms, special functions, choices and bits."""

import math
import operator

import mpmath
import scipy.special

from tests.registry.references.filing import each

for name in (
    "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh", "asinh", "acosh", "atanh", "hypot", "exp2",
    "log2", "log10", "erfc", "lgamma", "fmod", "copysign",
):  # fmt: skip
    each(name, getattr(math, name))
for name in (
    "erfcx", "erfinv", "ndtr", "ndtri", "log_ndtr", "entr", "digamma", "zeta", "i0", "i0e", "i1", "i1e",
    "xlogy", "xlog1py",
):  # fmt: skip
    each(name, getattr(scipy.special, name))
each("polygamma", lambda n, x: float(mpmath.polygamma(n, x)))
each("sinc", lambda x: math.sin(math.pi * x) / (math.pi * x) if x else 1.0)
each("logaddexp", lambda a, b: math.log(math.exp(a) + math.exp(b)))
each("logaddexp2", lambda a, b: math.log2(2**a + 2**b))
each("logit", lambda x, eps: scipy.special.logit(x if eps is None else min(max(x, eps), 1 - eps)))

each("fmax", max)
each("fmin", min)
each("signbit", lambda x: math.copysign(1, x) < 0, "bool")
each(
    "nan_to_num",
    lambda x, nan, posinf, neginf: nan if x != x else posinf if x == math.inf else max(x, -math.inf),
)
each("frac", lambda x: math.modf(x)[0])
each("lerp", lambda a, b, w: a * (1 - w) + b * w)
each("trunc_divide", lambda a, b: math.trunc(a / b))

each("bitwise_and", operator.and_, None)
each("bitwise_or", operator.or_, None)
each("bitwise_xor", operator.xor, None)
each("bitwise_not", operator.invert, "int64")
each("bitwise_left_shift", operator.lshift, "int64")
each("bitwise_right_shift", operator.rshift, "int64")
