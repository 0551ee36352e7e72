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
    abs acos acosh add addbmm addcdiv addcmul addmm addmm/decomposed addmv addr alias_copy all allclose amax
    amin aminmax angle any arange argmax argmin argsort argwhere as_strided as_strided_copy asin asinh atan
    atan2 atanh atleast_1d atleast_2d atleast_3d baddbmm bincount bitwise_and bitwise_left_shift bitwise_not
    bitwise_or bitwise_right_shift bitwise_xor block_diag bmm bool broadcast_shapes broadcast_tensors
    broadcast_to bucketize cartesian_prod cat cdist ceil cholesky cholesky_inverse cholesky_solve chunk clamp
    clamp_max clamp_min clone column_stack combinations conj conj_physical contiguous copysign corrcoef cos
    cosh count_nonzero cov cross cummax cummin cumprod cumsum cumulative_trapezoid deg2rad diag diag_embed
    diagflat diagonal diagonal_copy diagonal_scatter diff digamma dist div/floor_rounding
    div/no_rounding_mode div/trunc_rounding dot double dsplit dstack eq equal erf erfc erfinv exp exp2 expand
    expand_as expand_copy expm1 eye fill flatten flip fliplr flipud float float_power floor floor_divide fmax
    fmin fmod frac full full_like gather ge gradient gt half heaviside histc hsplit hstack hypot i0 index_add
    index_copy index_fill index_put index_reduce/amax index_reduce/amin index_reduce/mean index_reduce/prod
    index_select inner int isclose isfinite isin isinf isnan isneginf isposinf isreal item kron kthvalue
    ldexp le lerp lgamma linalg.cholesky linalg.cholesky_ex linalg.cond linalg.cross linalg.det
    linalg.diagonal linalg.eigh linalg.eigvalsh linalg.householder_product linalg.inv linalg.inv_ex
    linalg.lstsq linalg.lu linalg.lu_factor linalg.lu_factor_ex linalg.lu_solve linalg.matrix_norm
    linalg.matrix_power linalg.matrix_rank linalg.matrix_rank/hermitian linalg.multi_dot linalg.norm
    linalg.norm/subgradients_at_zero linalg.pinv linalg.pinv/hermitian linalg.qr linalg.slogdet linalg.solve
    linalg.solve_ex linalg.solve_triangular linalg.svd linalg.svdvals linalg.tensorinv linalg.tensorsolve
    linalg.vander linalg.vecdot linalg.vector_norm linspace log log10 log1p log2 log_softmax
    log_softmax/with_dtype logaddexp logaddexp2 logcumsumexp logdet logical_and logical_not logical_or
    logical_xor logit logspace logsumexp long lt lu lu_solve lu_unpack masked.amax masked.amin masked.cumprod
    masked.cumsum masked.log_softmax masked.logaddexp masked.logsumexp masked.mean masked.median masked.norm
    masked.normalize masked.prod masked.softmax masked.softmin masked.std masked.sum masked.var masked_fill
    masked_scatter masked_select matmul matrix_exp max/binary max/reduction_no_dim max/reduction_with_dim
    maximum mean median meshgrid/list_of_tensors meshgrid/variadic_tensors min/binary min/reduction_no_dim
    min/reduction_with_dim minimum mm mode movedim msort mul mv mvlgamma/mvlgamma_p_1 mvlgamma/mvlgamma_p_3
    mvlgamma/mvlgamma_p_5 nan_to_num nanmean nanmedian nanquantile nansum narrow narrow_copy ne neg nonzero
    norm norm/fro norm/inf norm/nuc ones ones_like ormqr outer permute permute_copy pinverse positive pow
    prod put qr quantile rad2deg ravel reciprocal remainder renorm repeat repeat_interleave reshape
    reshape_as resolve_conj resolve_neg roll rot90 round round/decimals_0 round/decimals_3
    round/decimals_neg_3 rsqrt rsub scatter scatter_add scatter_reduce/amax scatter_reduce/amin
    scatter_reduce/mean scatter_reduce/prod scatter_reduce/sum searchsorted select select_scatter sgn sigmoid
    sign signbit sin sinc sinh slice_scatter softmax softmax/with_dtype sort special.entr special.erfcx
    special.i0e special.i1 special.i1e special.log_ndtr special.ndtr special.ndtri special.xlog1py split
    split/list_args split_with_sizes_copy sqrt square squeeze squeeze/multiple squeeze_copy stack std
    std/unbiased std_mean std_mean/unbiased sub sum sum_to_size svd t t_copy take take_along_dim tan tanh
    tensor_split tensordot tile topk trace transpose transpose_copy trapezoid trapz triangular_solve tril
    tril_indices triu triu_indices true_divide trunc unbind unbind_copy unflatten unfold unfold_copy unique
    unsafe_chunk unsafe_split unsqueeze unsqueeze_copy var var/unbiased var_mean var_mean/unbiased vdot view
    view_as view_copy vsplit vstack xlogy zeros zeros_like
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
    ("H", ""): lambda x: x.H,
    ("mH", ""): lambda x: x.mH,
    ("real", ""): lambda x: x.real,
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
    ("linalg.pinv", "singular"): lambda a, b: sg.linalg.pinv(a @ b.mT),
    ("linalg.lstsq", "grad_oriented"): lambda a, b, driver: sg.linalg.lstsq(a, b, driver=driver)[:2],
    ("einsum", ""): lambda tensors, equation: sg.einsum(equation, *tensors),
    ("where", ""): lambda x, condition, other: sg.where(condition, x, other),
}
