"""Functions of the package that are methods of Tensor, and a few that look at tensors from outside."""

from __future__ import annotations

from typing import Any

from stepgrad.arrays import dtypes
from stepgrad.errors import GradientError
from stepgrad.graph import Graph, ancestors
from stepgrad.tensor import Tensor


def is_tensor(x: Any) -> bool:
    """Return whether `x` is a Tensor."""
    return isinstance(x, Tensor)


def is_floating_point(x: Tensor) -> bool:
    """Return whether the dtype of `x` is a floating point type."""
    return x.is_floating_point()


def result_type(a: Any, b: Any) -> dtypes.dtype:
    """Return the dtype of an arithmetic result of two operands: tensors or Python numbers."""
    return dtypes.result_type([x._array if isinstance(x, Tensor) else x for x in (a, b)])


def graph(result: Tensor, names: dict[str, Any] | None = None) -> Graph:
    """Return the graph of nodes that made `result`; it prints one line a node.

    `names` gives names to leaves, such as ``dict(model.named_parameters())``. Raises `GradientError` if
    nothing was recorded.

    >>> import stepgrad as sg
    >>> w = sg.tensor(2.0, requires_grad=True)
    >>> print(sg.graph(3 * w + 1, {"w": w}))
    w : leaf float32[]
    %1 = mul(3, w) : float32[]
    %2 = add(%1, 1) : float32[]
    """
    if result._node is None:
        raise GradientError("no graph led to this tensor: compute it from tensors with requires_grad=True.")
    return Graph(ancestors([result._node]), names)


def polygamma(n: int, input: Tensor) -> Tensor:
    """Return the n-th derivative of the digamma function, n ≥ 0."""
    return input.polygamma(n)


# ``stepgrad.exp(x)`` is ``x.exp()``: one definition, two ways to call it.
abs = Tensor.abs
absolute = Tensor.absolute
acos = Tensor.acos
acosh = Tensor.acosh
add = Tensor.add
addcdiv = Tensor.addcdiv
addcmul = Tensor.addcmul
all = Tensor.all
allclose = Tensor.allclose
amax = Tensor.amax
amin = Tensor.amin
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
asin = Tensor.asin
asinh = Tensor.asinh
atan = Tensor.atan
atan2 = Tensor.atan2
atanh = Tensor.atanh
bitwise_and = Tensor.bitwise_and
bitwise_left_shift = Tensor.bitwise_left_shift
bitwise_not = Tensor.bitwise_not
bitwise_or = Tensor.bitwise_or
bitwise_right_shift = Tensor.bitwise_right_shift
bitwise_xor = Tensor.bitwise_xor
bmm = Tensor.bmm
broadcast_to = Tensor.broadcast_to
ceil = Tensor.ceil
chunk = Tensor.chunk
clamp = Tensor.clamp
clamp_max = Tensor.clamp_max
clamp_min = Tensor.clamp_min
clip = Tensor.clip
clone = Tensor.clone
copysign = Tensor.copysign
cos = Tensor.cos
cosh = Tensor.cosh
deg2rad = Tensor.deg2rad
detach = Tensor.detach
digamma = Tensor.digamma
div = Tensor.div
divide = Tensor.divide
dot = Tensor.dot
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
float_power = Tensor.float_power
floor = Tensor.floor
floor_divide = Tensor.floor_divide
fmax = Tensor.fmax
fmin = Tensor.fmin
fmod = Tensor.fmod
frac = Tensor.frac
gather = Tensor.gather
ge = Tensor.ge
greater = Tensor.greater
greater_equal = Tensor.greater_equal
gt = Tensor.gt
heaviside = Tensor.heaviside
hypot = Tensor.hypot
i0 = Tensor.i0
index_select = Tensor.index_select
isclose = Tensor.isclose
isfinite = Tensor.isfinite
isinf = Tensor.isinf
isnan = Tensor.isnan
isneginf = Tensor.isneginf
isposinf = Tensor.isposinf
isreal = Tensor.isreal
ldexp = Tensor.ldexp
le = Tensor.le
lerp = Tensor.lerp
less = Tensor.less
less_equal = Tensor.less_equal
lgamma = Tensor.lgamma
log = Tensor.log
log10 = Tensor.log10
log1p = Tensor.log1p
log2 = Tensor.log2
log_softmax = Tensor.log_softmax
logaddexp = Tensor.logaddexp
logaddexp2 = Tensor.logaddexp2
logical_and = Tensor.logical_and
logical_not = Tensor.logical_not
logical_or = Tensor.logical_or
logical_xor = Tensor.logical_xor
logit = Tensor.logit
logsumexp = Tensor.logsumexp
lt = Tensor.lt
masked_fill = Tensor.masked_fill
masked_select = Tensor.masked_select
matmul = Tensor.matmul
max = Tensor.max
maximum = Tensor.maximum
mean = Tensor.mean
min = Tensor.min
minimum = Tensor.minimum
mm = Tensor.mm
mul = Tensor.mul
multiply = Tensor.multiply
mv = Tensor.mv
mvlgamma = Tensor.mvlgamma
nan_to_num = Tensor.nan_to_num
narrow = Tensor.narrow
ne = Tensor.ne
neg = Tensor.neg
negative = Tensor.negative
norm = Tensor.norm
not_equal = Tensor.not_equal
numel = Tensor.numel
outer = Tensor.outer
permute = Tensor.permute
positive = Tensor.positive
pow = Tensor.pow
prod = Tensor.prod
rad2deg = Tensor.rad2deg
ravel = Tensor.ravel
reciprocal = Tensor.reciprocal
relu = Tensor.relu
remainder = Tensor.remainder
reshape = Tensor.reshape
round = Tensor.round
rsqrt = Tensor.rsqrt
rsub = Tensor.rsub
select = Tensor.select
sgn = Tensor.sgn
sigmoid = Tensor.sigmoid
sign = Tensor.sign
signbit = Tensor.signbit
sin = Tensor.sin
sinc = Tensor.sinc
sinh = Tensor.sinh
softmax = Tensor.softmax
split = Tensor.split
sqrt = Tensor.sqrt
square = Tensor.square
squeeze = Tensor.squeeze
std = Tensor.std
sub = Tensor.sub
subtract = Tensor.subtract
sum = Tensor.sum
swapaxes = Tensor.swapaxes
t = Tensor.t
tan = Tensor.tan
tanh = Tensor.tanh
transpose = Tensor.transpose
true_divide = Tensor.true_divide
trunc = Tensor.trunc
unbind = Tensor.unbind
unflatten = Tensor.unflatten
unsqueeze = Tensor.unsqueeze
var = Tensor.var
xlogy = Tensor.xlogy

__all__ = [
    "abs", "absolute", "acos", "acosh", "add", "addcdiv", "addcmul", "all", "allclose", "amax", "amin",
    "any", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "argmax", "argmin",
    "asin", "asinh", "atan", "atan2", "atanh", "bitwise_and", "bitwise_left_shift", "bitwise_not",
    "bitwise_or", "bitwise_right_shift", "bitwise_xor", "bmm", "broadcast_to", "ceil", "chunk", "clamp",
    "clamp_max", "clamp_min", "clip", "clone", "copysign", "cos", "cosh", "deg2rad", "detach", "digamma",
    "div", "divide", "dot", "eq", "equal", "erf", "erfc", "erfinv", "exp", "exp2", "expm1", "fix",
    "flatten", "flip", "float_power", "floor", "floor_divide", "fmax", "fmin", "fmod", "frac", "gather",
    "ge", "graph", "greater", "greater_equal", "gt", "heaviside", "hypot", "i0", "index_select",
    "is_floating_point", "is_tensor", "isclose", "isfinite", "isinf", "isnan", "isneginf", "isposinf",
    "isreal", "ldexp", "le", "lerp", "less", "less_equal", "lgamma", "log", "log1p", "log2", "log10",
    "log_softmax", "logaddexp", "logaddexp2", "logical_and", "logical_not", "logical_or", "logical_xor",
    "logit", "logsumexp", "lt", "masked_fill", "masked_select", "matmul", "max", "maximum", "mean", "min",
    "minimum", "mm", "mul", "multiply", "mv", "mvlgamma", "nan_to_num", "narrow", "ne", "neg", "negative",
    "norm", "not_equal", "numel", "outer", "permute", "polygamma", "positive", "pow", "prod", "rad2deg",
    "ravel", "reciprocal", "relu", "remainder", "reshape", "result_type", "round", "rsqrt", "rsub",
    "select", "sgn", "sigmoid", "sign", "signbit", "sin", "sinc", "sinh", "softmax", "split", "sqrt",
    "square", "squeeze", "std", "sub", "subtract", "sum", "swapaxes", "t", "tan", "tanh", "transpose",
    "true_divide", "trunc", "unbind", "unflatten", "unsqueeze", "var", "xlogy",
]  # fmt: skip
