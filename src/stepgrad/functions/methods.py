"""Functions of the package that are methods of Tensor, and a few that look at tensors from outside."""

from __future__ import annotations

from typing import Any

import numpy

from stepgrad.arrays import dtypes
from stepgrad.errors import ArgumentError, GradientError
from stepgrad.graph import Graph, ancestors
from stepgrad.methods.base import as_shape
from stepgrad.methods.ordering import readable
from stepgrad.tensor import Tensor


def is_tensor(x: Any) -> bool:
    """Return whether `x` is a Tensor.

    >>> import stepgrad as sg
    >>> sg.is_tensor(sg.tensor([1.0])), sg.is_tensor([1.0])
    (True, False)
    """
    return isinstance(x, Tensor)


def is_floating_point(x: Tensor) -> bool:
    """Return whether the dtype of `x` is a floating point type.

    >>> import stepgrad as sg
    >>> sg.is_floating_point(sg.tensor([1.0])), sg.is_floating_point(sg.tensor([1]))
    (True, False)
    """
    return x.is_floating_point()


def result_type(a: Any, b: Any) -> dtypes.dtype:
    """Return the dtype of an arithmetic result of two operands: tensors or Python numbers.

    >>> import stepgrad as sg
    >>> sg.result_type(sg.tensor([1]), 2.5)
    stepgrad.float32
    """
    return dtypes.result_type([x._array if isinstance(x, Tensor) else x for x in (a, b)])


def graph(result: Tensor, names: dict[str, Any] | None = None) -> Graph:
    """Return the graph of nodes that made `result`; it prints one line a node.

    `names` gives names to leaves, such as ``dict(model.named_parameters())``. Raises `GradientError` if
    nothing was recorded, `ArgumentError` for what is no Tensor.

    >>> import stepgrad as sg
    >>> w = sg.tensor(2.0, requires_grad=True)
    >>> print(sg.graph(3 * w + 1, {"w": w}))
    w : leaf float32[]
    %1 = mul(3, w) : float32[]
    %2 = add(%1, 1) : float32[]
    """
    if not isinstance(result, Tensor):
        raise ArgumentError(
            f"graph takes a Tensor that was computed, such as a loss, not {type(result).__name__}; of a "
            f"model: stepgrad.graph(model(x))."
        )
    if result._node is None:
        raise GradientError("no graph led to this tensor: compute it from tensors with requires_grad=True.")
    return Graph(ancestors([result._node]), names)


def polygamma(n: int, input: Tensor) -> Tensor:
    """Return the n-th derivative of the digamma function, n ≥ 0.

    >>> import stepgrad as sg
    >>> sg.polygamma(1, sg.tensor([1.0]))
    tensor([1.6449])
    """
    return input.polygamma(n)


def unravel_index(indices: Tensor, shape: Any) -> tuple[Tensor, ...]:
    """Return the index in each dimension of a shape for indices into its elements in row-major order.

    >>> import stepgrad as sg
    >>> unravel_index(sg.tensor([5]), (2, 3))
    (tensor([1]), tensor([2]))
    """
    sizes = as_shape((shape,))
    return tuple(Tensor._of(numpy.asarray(i)) for i in numpy.unravel_index(readable(indices), sizes))


def typename(x: Any) -> str:
    """Return the name of a tensor's type, such as "stepgrad.FloatTensor", or of another thing's class.

    >>> import stepgrad as sg
    >>> sg.typename(sg.tensor([1.0]))
    'stepgrad.FloatTensor'
    """
    return str(x.type()) if isinstance(x, Tensor) else f"{type(x).__module__}.{type(x).__qualname__}"


# ``stepgrad.exp(x)`` is ``x.exp()``: one definition, two ways to call it.
abs = Tensor.abs
absolute = Tensor.absolute
acos = Tensor.acos
acosh = Tensor.acosh
add = Tensor.add
addbmm = Tensor.addbmm
addcdiv = Tensor.addcdiv
addcmul = Tensor.addcmul
addmm = Tensor.addmm
addmv = Tensor.addmv
addr = Tensor.addr
adjoint = Tensor.adjoint
all = Tensor.all
allclose = Tensor.allclose
amax = Tensor.amax
amin = Tensor.amin
aminmax = Tensor.aminmax
angle = Tensor.angle
any = Tensor.any
arccos = Tensor.arccos
arccosh = Tensor.arccosh
arcsin = Tensor.arcsin
arcsinh = Tensor.arcsinh
arctan = Tensor.arctan
arctan2 = Tensor.arctan2
arctanh = Tensor.arctanh
argmax = Tensor.argmax
argmin = Tensor.argmin
argsort = Tensor.argsort
argwhere = Tensor.argwhere
as_strided = Tensor.as_strided
asin = Tensor.asin
asinh = Tensor.asinh
atan = Tensor.atan
atan2 = Tensor.atan2
atanh = Tensor.atanh
baddbmm = Tensor.baddbmm
bincount = Tensor.bincount
bitwise_and = Tensor.bitwise_and
bitwise_left_shift = Tensor.bitwise_left_shift
bitwise_not = Tensor.bitwise_not
bitwise_or = Tensor.bitwise_or
bitwise_right_shift = Tensor.bitwise_right_shift
bitwise_xor = Tensor.bitwise_xor
bmm = Tensor.bmm
broadcast_to = Tensor.broadcast_to
ceil = Tensor.ceil
cholesky = Tensor.cholesky
cholesky_inverse = Tensor.cholesky_inverse
cholesky_solve = Tensor.cholesky_solve
chunk = Tensor.chunk
clamp = Tensor.clamp
clamp_max = Tensor.clamp_max
clamp_min = Tensor.clamp_min
clip = Tensor.clip
clone = Tensor.clone
conj = Tensor.conj
conj_physical = Tensor.conj_physical
copysign = Tensor.copysign
corrcoef = Tensor.corrcoef
cos = Tensor.cos
cosh = Tensor.cosh
count_nonzero = Tensor.count_nonzero
cov = Tensor.cov
cross = Tensor.cross
cummax = Tensor.cummax
cummin = Tensor.cummin
cumprod = Tensor.cumprod
cumsum = Tensor.cumsum
deg2rad = Tensor.deg2rad
det = Tensor.det
detach = Tensor.detach
diag = Tensor.diag
diag_embed = Tensor.diag_embed
diagflat = Tensor.diagflat
diagonal = Tensor.diagonal
diagonal_scatter = Tensor.diagonal_scatter
diff = Tensor.diff
digamma = Tensor.digamma
dist = Tensor.dist
div = Tensor.div
divide = Tensor.divide
dot = Tensor.dot
dsplit = Tensor.dsplit
eq = Tensor.eq
equal = Tensor.equal
erf = Tensor.erf
erfc = Tensor.erfc
erfinv = Tensor.erfinv
exp = Tensor.exp
exp2 = Tensor.exp2
expm1 = Tensor.expm1
fix = Tensor.fix
flatten = Tensor.flatten
flip = Tensor.flip
fliplr = Tensor.fliplr
flipud = Tensor.flipud
float_power = Tensor.float_power
floor = Tensor.floor
floor_divide = Tensor.floor_divide
fmax = Tensor.fmax
fmin = Tensor.fmin
fmod = Tensor.fmod
frac = Tensor.frac
gather = Tensor.gather
gcd = Tensor.gcd
ge = Tensor.ge
ger = Tensor.ger
get_device = Tensor.get_device
greater = Tensor.greater
greater_equal = Tensor.greater_equal
gt = Tensor.gt
heaviside = Tensor.heaviside
histc = Tensor.histc
histogram = Tensor.histogram
hsplit = Tensor.hsplit
hypot = Tensor.hypot
i0 = Tensor.i0
index_add = Tensor.index_add
index_copy = Tensor.index_copy
index_fill = Tensor.index_fill
index_put = Tensor.index_put
index_reduce = Tensor.index_reduce
index_select = Tensor.index_select
inner = Tensor.inner
inverse = Tensor.inverse
is_complex = Tensor.is_complex
is_nonzero = Tensor.is_nonzero
is_same_size = Tensor.is_same_size
is_signed = Tensor.is_signed
isclose = Tensor.isclose
isfinite = Tensor.isfinite
isin = Tensor.isin
isinf = Tensor.isinf
isnan = Tensor.isnan
isneginf = Tensor.isneginf
isposinf = Tensor.isposinf
isreal = Tensor.isreal
kron = Tensor.kron
kthvalue = Tensor.kthvalue
lcm = Tensor.lcm
ldexp = Tensor.ldexp
le = Tensor.le
lerp = Tensor.lerp
less = Tensor.less
less_equal = Tensor.less_equal
lgamma = Tensor.lgamma
log = Tensor.log
log1p = Tensor.log1p
log2 = Tensor.log2
log10 = Tensor.log10
log_softmax = Tensor.log_softmax
logaddexp = Tensor.logaddexp
logaddexp2 = Tensor.logaddexp2
logcumsumexp = Tensor.logcumsumexp
logdet = Tensor.logdet
logical_and = Tensor.logical_and
logical_not = Tensor.logical_not
logical_or = Tensor.logical_or
logical_xor = Tensor.logical_xor
logit = Tensor.logit
logsumexp = Tensor.logsumexp
lt = Tensor.lt
lu = Tensor.lu
lu_solve = Tensor.lu_solve
masked_fill = Tensor.masked_fill
masked_scatter = Tensor.masked_scatter
masked_select = Tensor.masked_select
matmul = Tensor.matmul
matrix_exp = Tensor.matrix_exp
matrix_power = Tensor.matrix_power
max = Tensor.max
maximum = Tensor.maximum
mean = Tensor.mean
median = Tensor.median
min = Tensor.min
minimum = Tensor.minimum
mm = Tensor.mm
mode = Tensor.mode
moveaxis = Tensor.moveaxis
movedim = Tensor.movedim
msort = Tensor.msort
mul = Tensor.mul
multiply = Tensor.multiply
mv = Tensor.mv
mvlgamma = Tensor.mvlgamma
nan_to_num = Tensor.nan_to_num
nanmean = Tensor.nanmean
nanmedian = Tensor.nanmedian
nanquantile = Tensor.nanquantile
nansum = Tensor.nansum
narrow = Tensor.narrow
ne = Tensor.ne
neg = Tensor.neg
negative = Tensor.negative
nonzero = Tensor.nonzero
norm = Tensor.norm
not_equal = Tensor.not_equal
numel = Tensor.numel
ormqr = Tensor.ormqr
outer = Tensor.outer
permute = Tensor.permute
pinverse = Tensor.pinverse
positive = Tensor.positive
pow = Tensor.pow
prod = Tensor.prod
put = Tensor.put
qr = Tensor.qr
quantile = Tensor.quantile
rad2deg = Tensor.rad2deg
ravel = Tensor.ravel
reciprocal = Tensor.reciprocal
relu = Tensor.relu
remainder = Tensor.remainder
renorm = Tensor.renorm
repeat_interleave = Tensor.repeat_interleave
reshape = Tensor.reshape
resolve_conj = Tensor.resolve_conj
resolve_neg = Tensor.resolve_neg
roll = Tensor.roll
rot90 = Tensor.rot90
round = Tensor.round
rsqrt = Tensor.rsqrt
rsub = Tensor.rsub
scatter = Tensor.scatter
scatter_add = Tensor.scatter_add
scatter_reduce = Tensor.scatter_reduce
select = Tensor.select
select_scatter = Tensor.select_scatter
sgn = Tensor.sgn
sigmoid = Tensor.sigmoid
sign = Tensor.sign
signbit = Tensor.signbit
sin = Tensor.sin
sinc = Tensor.sinc
sinh = Tensor.sinh
slice_scatter = Tensor.slice_scatter
slogdet = Tensor.slogdet
softmax = Tensor.softmax
sort = Tensor.sort
split = Tensor.split
split_with_sizes = Tensor.split_with_sizes
sqrt = Tensor.sqrt
square = Tensor.square
squeeze = Tensor.squeeze
std = Tensor.std
sub = Tensor.sub
subtract = Tensor.subtract
sum = Tensor.sum
svd = Tensor.svd
swapaxes = Tensor.swapaxes
swapdims = Tensor.swapdims
t = Tensor.t
take = Tensor.take
take_along_dim = Tensor.take_along_dim
tan = Tensor.tan
tanh = Tensor.tanh
tensor_split = Tensor.tensor_split
tensordot = Tensor.tensordot
tile = Tensor.tile
topk = Tensor.topk
trace = Tensor.trace
transpose = Tensor.transpose
triangular_solve = Tensor.triangular_solve
tril = Tensor.tril
triu = Tensor.triu
true_divide = Tensor.true_divide
trunc = Tensor.trunc
unbind = Tensor.unbind
unflatten = Tensor.unflatten
unique = Tensor.unique
unique_consecutive = Tensor.unique_consecutive
unsafe_chunk = Tensor.unsafe_chunk
unsafe_split = Tensor.unsafe_split
unsqueeze = Tensor.unsqueeze
var = Tensor.var
vdot = Tensor.vdot
vsplit = Tensor.vsplit
xlogy = Tensor.xlogy

__all__ = [
    "abs", "absolute", "acos", "acosh", "add", "addbmm", "addcdiv", "addcmul", "addmm", "addmv", "addr",
    "adjoint", "all", "allclose", "amax", "amin", "aminmax", "angle", "any", "arccos", "arccosh", "arcsin",
    "arcsinh", "arctan", "arctan2", "arctanh", "argmax", "argmin", "argsort", "argwhere", "as_strided",
    "asin", "asinh", "atan", "atan2", "atanh", "baddbmm", "bincount", "bitwise_and", "bitwise_left_shift",
    "bitwise_not", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "bmm", "broadcast_to", "ceil",
    "cholesky", "cholesky_inverse", "cholesky_solve", "chunk", "clamp", "clamp_max", "clamp_min", "clip",
    "clone", "conj", "conj_physical", "copysign", "corrcoef", "cos", "cosh", "count_nonzero", "cov",
    "cross", "cummax", "cummin", "cumprod", "cumsum", "deg2rad", "det", "detach", "diag", "diag_embed",
    "diagflat", "diagonal", "diagonal_scatter", "diff", "digamma", "dist", "div", "divide", "dot", "dsplit",
    "eq", "equal", "erf", "erfc", "erfinv", "exp", "exp2", "expm1", "fix", "flatten", "flip", "fliplr",
    "flipud", "float_power", "floor", "floor_divide", "fmax", "fmin", "fmod", "frac", "gather", "gcd", "ge",
    "ger", "get_device", "graph", "greater", "greater_equal", "gt", "heaviside", "histc", "histogram",
    "hsplit", "hypot", "i0", "index_add", "index_copy", "index_fill", "index_put", "index_reduce",
    "index_select", "inner", "inverse", "is_complex", "is_floating_point", "is_nonzero", "is_same_size",
    "is_signed", "is_tensor",
    "isclose", "isfinite", "isin", "isinf", "isnan", "isneginf", "isposinf", "isreal", "kron", "kthvalue",
    "lcm", "ldexp", "le", "lerp", "less", "less_equal", "lgamma", "log", "log1p", "log2", "log10",
    "log_softmax", "logaddexp", "logaddexp2", "logcumsumexp", "logdet", "logical_and", "logical_not",
    "logical_or", "logical_xor", "logit", "logsumexp", "lt", "lu", "lu_solve", "masked_fill",
    "masked_scatter", "masked_select", "matmul", "matrix_exp", "matrix_power", "max", "maximum", "mean",
    "median", "min", "minimum", "mm", "mode", "moveaxis", "movedim", "msort", "mul", "multiply", "mv",
    "mvlgamma", "nan_to_num", "nanmean", "nanmedian", "nanquantile", "nansum", "narrow", "ne", "neg",
    "negative", "nonzero", "norm", "not_equal", "numel", "ormqr", "outer", "permute", "pinverse",
    "polygamma", "positive", "pow", "prod", "put", "qr", "quantile", "rad2deg", "ravel", "reciprocal",
    "relu", "remainder", "renorm", "repeat_interleave", "reshape", "resolve_conj", "resolve_neg",
    "result_type", "roll", "rot90", "round", "rsqrt", "rsub", "scatter", "scatter_add", "scatter_reduce",
    "select", "select_scatter", "sgn", "sigmoid", "sign", "signbit", "sin", "sinc", "sinh", "slice_scatter",
    "slogdet", "softmax", "sort", "split", "split_with_sizes", "sqrt", "square", "squeeze", "std", "sub",
    "subtract", "sum", "svd", "swapaxes", "swapdims", "t", "take", "take_along_dim", "tan", "tanh",
    "tensor_split", "tensordot", "tile", "topk", "trace", "transpose", "triangular_solve", "tril", "triu",
    "true_divide", "trunc", "typename", "unbind", "unflatten", "unique", "unique_consecutive",
    "unravel_index", "unsafe_chunk", "unsafe_split", "unsqueeze", "var", "vdot", "vsplit", "xlogy",
]  # fmt: skip
