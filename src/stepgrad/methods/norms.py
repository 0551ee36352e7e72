"""Norms of vectors, whatever methods and functions ask for them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from stepgrad.autograd.engine import apply
from stepgrad.methods.base import some_dims
from stepgrad.ops.registry import REGISTRY

if TYPE_CHECKING:
    from stepgrad.tensor import Tensor


def vector_norm(x: Tensor, p: float, dim: Any, keepdim: bool) -> Tensor:
    """Return (Σ |x|ᵖ)^(1/p); for p = 0 how many elements differ from 0, for ±∞ the extreme of |x|.

    Where it is 0 its derivative is 0, as in PyTorch.
    """
    dims = some_dims(dim, x.ndim)
    if p == 2:
        return apply(REGISTRY["norm"], x, dim=dims, keepdim=keepdim)
    size = apply(REGISTRY["abs"], x)
    if math.isinf(p):
        return apply(REGISTRY["amax" if p > 0 else "amin"], size, dim=dims, keepdim=keepdim)
    if p == 0:
        return apply(REGISTRY["sum"], apply(REGISTRY["sign"], size), dim=dims, keepdim=keepdim)
    if p == 1:
        return apply(REGISTRY["sum"], size, dim=dims, keepdim=keepdim)
    where = REGISTRY["where"]
    # Below 1 the power has a slope of infinity at 0.
    power = (
        size**p
        if p > 1
        else apply(where, size == 0, 0.0 if p > 0 else math.inf, apply(where, size == 0, 1.0, size) ** p)
    )
    total = apply(REGISTRY["sum"], power, dim=dims, keepdim=keepdim)
    safe = apply(REGISTRY["where"], total == 0, 1.0, total)
    return apply(REGISTRY["where"], total == 0, 0.0 if p > 0 else total, safe ** (1 / p))
