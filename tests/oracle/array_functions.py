"""The operations of PyTorch's database outside of `nn.functional`, and what they are in stepgrad."""

from collections.abc import Callable
from typing import Any

import stepgrad as sg


def called(name: str) -> Callable[..., Any]:
    """What PyTorch calls `name`: a function of the package or of one of its parts, or a method."""
    part, _, last = name.rpartition(".")
    home = getattr(sg, part) if part else sg
    function = getattr(home, last, None) if part or last in vars(sg) else None
    if callable(function) and not isinstance(function, type):
        return function
    return lambda x, *args, **kwargs: getattr(x, last)(*args, **kwargs)


# Names, and names/variants.
NAMES = """
    abs add all allclose amax amin any argmax argmin bmm broadcast_to ceil chunk clamp clone contiguous cos
    dot double eq equal erf exp expand expand_as expm1 flatten flip float floor gather ge gt half
    index_select int isclose isfinite isinf isnan item le log log1p logical_and logical_not logical_or
    logical_xor logsumexp long lt masked_fill masked_select matmul maximum mean minimum mm mul mv narrow ne
    neg outer permute pow prod ravel reciprocal remainder repeat reshape reshape_as rsqrt select sigmoid sign
    sin split sqrt square std sub sum t tanh transpose trunc unbind unflatten unsqueeze var view view_as
    acos acosh addcdiv addcmul asin asinh atan atan2 atanh bitwise_and bitwise_left_shift bitwise_not
    bitwise_or bitwise_right_shift bitwise_xor clamp_max clamp_min copysign cosh deg2rad digamma erfc erfinv
    exp2 float_power fmax fmin fmod frac heaviside hypot i0 isneginf isposinf isreal ldexp lerp lgamma log10
    log2 logaddexp logaddexp2 logit mvlgamma/mvlgamma_p_1 mvlgamma/mvlgamma_p_3 mvlgamma/mvlgamma_p_5
    nan_to_num positive rad2deg rsub sgn signbit sinc sinh special.entr special.erfcx special.i0e special.i1
    special.i1e special.log_ndtr special.ndtr special.ndtri special.xlog1py tan true_divide xlogy
    bool cat stack arange linspace eye full full_like ones ones_like zeros zeros_like floor_divide
    div/no_rounding_mode div/floor_rounding div/trunc_rounding log_softmax log_softmax/with_dtype
    max/binary max/reduction_no_dim max/reduction_with_dim min/binary min/reduction_no_dim
    min/reduction_with_dim norm norm/fro norm/inf round round/decimals_0 round/decimals_3
    round/decimals_neg_3 softmax softmax/with_dtype split/list_args squeeze squeeze/multiple std/unbiased
    var/unbiased
"""

ARRAY_FUNCTIONS: dict[tuple[str, str], Callable[..., Any]] = {}
for entry in NAMES.split():
    name, _, variant = entry.partition("/")
    ARRAY_FUNCTIONS[name, variant] = called(name)
for n in range(5):
    ARRAY_FUNCTIONS["polygamma", f"polygamma_n_{n}"] = lambda x, n: sg.polygamma(n, x)
ARRAY_FUNCTIONS |= {
    ("special.polygamma", "special_polygamma_n_0"): lambda x, n: sg.special.polygamma(n, x),
    ("split_with_sizes", ""): sg.split,
    ("T", ""): lambda x: x.T,
    ("mT", ""): lambda x: x.mT,
    ("__getitem__", ""): lambda x, index: x[index],
    ("__radd__", ""): lambda x, other: other + x,
    ("__rdiv__", ""): lambda x, other: other / x,
    ("__rmatmul__", ""): lambda x, other: other @ x,
    ("__rmod__", ""): lambda x, other: other % x,
    ("__rmul__", ""): lambda x, other: other * x,
    ("__rpow__", ""): lambda x, other: other**x,
    ("__rand__", ""): lambda x, other: other & x,
    ("__ror__", ""): lambda x, other: other | x,
    ("__rxor__", ""): lambda x, other: other ^ x,
    ("__rsub__", ""): lambda x, other: other - x,
    ("where", ""): lambda x, condition, other: sg.where(condition, x, other),
}
