"""Functions of the package that are methods of Tensor, and a few that look at tensors from outside."""

from __future__ import annotations

from typing import Any

from stepgrad.arrays import dtypes
from stepgrad.errors import GradientError
from stepgrad.graph import Graph, ancestors
from stepgrad.tensor import Tensor

# ``stepgrad.exp(x)`` is ``x.exp()``: one definition, two ways to call it.
METHODS = [
    "abs", "add", "all", "allclose", "amax", "amin", "any", "argmax", "argmin", "bmm", "broadcast_to",
    "ceil", "chunk", "clamp", "clip", "clone", "cos", "detach", "div", "dot", "eq", "equal", "erf", "exp",
    "expm1", "flatten", "flip", "floor", "gather", "ge", "gt", "index_select", "isclose", "isfinite",
    "isinf", "isnan", "le", "log", "log1p", "log_softmax", "logical_and", "logical_not", "logical_or",
    "logical_xor", "logsumexp", "lt", "masked_fill", "masked_select", "matmul", "max", "maximum", "mean",
    "min", "minimum", "mm", "mul", "mv", "narrow", "ne", "neg", "norm", "numel", "outer", "permute",
    "pow", "prod", "ravel", "reciprocal", "relu", "remainder", "reshape", "round", "rsqrt", "select",
    "sigmoid", "sign", "sin", "softmax", "split", "sqrt", "square", "squeeze", "std", "sub", "sum",
    "swapaxes", "t", "tanh", "transpose", "trunc", "unbind", "unflatten", "unsqueeze", "var",
]  # fmt: skip


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
