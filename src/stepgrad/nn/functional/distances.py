"""Distances and similarities of vectors. Shapes broadcast."""

from __future__ import annotations

import numpy

from stepgrad.autograd.engine import apply
from stepgrad.errors import ShapeError
from stepgrad.functions.creation import tensor
from stepgrad.methods.base import one_dim
from stepgrad.ops.registry import REGISTRY
from stepgrad.tensor import Tensor


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """Return x1 · x2 / (|x1| |x2|) along `dim`, each length taken to be `eps` at least.

    >>> import stepgrad as sg
    >>> cosine_similarity(sg.tensor([[1.0, 0.0]]), sg.tensor([[1.0, 1.0]]))
    tensor([0.7071])
    """
    shape = numpy.broadcast_shapes(x1.shape, x2.shape)
    a, b = x1.expand(shape or (1,)), x2.expand(shape or (1,))
    return apply(REGISTRY["cosine_similarity"], a, b, dim=one_dim(dim, a.ndim), eps=float(eps))


def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """Return the p-norm of x1 − x2 + eps along the last dimension.

    >>> import stepgrad as sg
    >>> pairwise_distance(sg.tensor([[0.0, 0.0]]), sg.tensor([[3.0, 4.0]]))
    tensor([5.0000])
    """
    return apply(REGISTRY["pairwise_distance"], x1, x2, p=float(p), eps=float(eps), keepdim=keepdim)


def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """Return the p-norms of the differences of all pairs of rows i < j: x (N, M) → (N (N − 1) / 2).

    >>> import stepgrad as sg
    >>> pdist(sg.tensor([[0.0], [1.0], [4.0]]))
    tensor([1., 4., 3.])
    """
    if input.ndim != 2:
        raise ShapeError(f"pdist takes rows (N, M), not shape {list(input.shape)}.")
    first, second = (tensor(i, device=input.device) for i in numpy.triu_indices(input.shape[0], 1))
    return pairwise_distance(input[first], input[second], p, 0.0)


__all__ = ["cosine_similarity", "pairwise_distance", "pdist"]
