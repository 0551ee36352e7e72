"""Norms of vectors and matrices, under the names of `torch.linalg`."""

from __future__ import annotations

import math
from typing import Any

from stepgrad.errors import ArgumentError, LinAlgError
from stepgrad.methods.base import one_dim
from stepgrad.methods.norms import vector_norm as _vector_norm
from stepgrad.tensor import Tensor


def vector_norm(
    x: Tensor, ord: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """Return the norm (Σ |x|^ord)^(1/ord) of the elements along dimensions, all of them by default.

    >>> import stepgrad as sg
    >>> sg.linalg.vector_norm(sg.tensor([3.0, -4.0]))
    tensor(5.)
    """
    x = x if dtype is None else x.to(dtype)
    return _vector_norm(x, float(ord), dim, keepdim)


def matrix_norm(
    A: Tensor, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """Return a norm of matrices: "fro", "nuc", ±2 (singular values), ±1 (columns) or ±inf (rows).

    >>> import stepgrad as sg
    >>> A = sg.tensor([[4.0, 0.0], [0.0, 9.0]])
    >>> sg.linalg.matrix_norm(A, ord=1)
    tensor(9.)
    """
    A = A if dtype is None else A.to(dtype)
    if A.ndim < 2:
        raise LinAlgError(f"matrix_norm takes matrices, not the shape {list(A.shape)}.")
    a, b = (one_dim(d, A.ndim) for d in dim)
    if a == b:
        raise ArgumentError(f"matrix_norm takes two different dimensions, not {tuple(dim)}.")
    if ord == "fro":
        return _vector_norm(A, 2, (a, b), keepdim)
    if ord in ("nuc", 2, -2):
        values = A.movedim((a, b), (-2, -1))._svd(False).S
        found = values.sum(-1) if ord == "nuc" else values.amax(-1) if ord == 2 else values.amin(-1)
    elif ord in (1, -1, math.inf, -math.inf):
        summed, left = (a, b) if abs(ord) == 1 else (b, a)
        sums = A.abs().sum(summed, keepdim=True)
        found = (sums.amax if ord > 0 else sums.amin)((left,), keepdim=True).squeeze((a, b))
    else:
        raise ArgumentError(f"matrix_norm has the orders 'fro', 'nuc', ±1, ±2 and ±inf, not {ord!r}.")
    if not keepdim:
        return found
    for d in sorted((a, b)):
        found = found.unsqueeze(d)
    return found


def norm(A: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Return a norm of vectors (one dimension) or of matrices (two); without `ord` of all elements.

    >>> import stepgrad as sg
    >>> sg.linalg.norm(sg.tensor([3.0, -4.0]))
    tensor(5.)
    """
    two = (dim is None and A.ndim == 2) or (isinstance(dim, (tuple, list)) and len(dim) == 2)
    if ord is not None and two:
        return matrix_norm(A, ord, (0, 1) if dim is None else dim, keepdim, dtype=dtype)
    if ord is not None and isinstance(ord, str):
        raise ArgumentError(f"norm {ord!r} takes matrices: two dimensions.")
    return vector_norm(A, 2 if ord is None else ord, dim, keepdim, dtype=dtype)
