"""Distances and similarities of vectors as modules."""

from __future__ import annotations

from stepgrad.nn import functional as F
from stepgrad.nn.module import Module
from stepgrad.tensor import Tensor


class CosineSimilarity(Module):
    """x1 · x2 / (|x1| |x2|) along `dim`, each length taken to be `eps` at least.

    >>> import stepgrad as sg
    >>> sg.nn.CosineSimilarity()(sg.tensor([[1.0, 0.0]]), sg.tensor([[1.0, 1.0]]))
    tensor([0.7071])
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim, self.eps = dim, eps

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """Two tensors whose shapes broadcast → that shape without `dim`."""
        return F.cosine_similarity(x1, x2, self.dim, self.eps)


class PairwiseDistance(Module):
    """The p-norm of x1 − x2 + eps along the last dimension.

    >>> import stepgrad as sg
    >>> sg.nn.PairwiseDistance()(sg.tensor([[0.0, 0.0]]), sg.tensor([[3.0, 4.0]]))
    tensor([5.0000])
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.norm, self.eps, self.keepdim = p, eps, keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """Two tensors whose shapes broadcast → that shape without the last dimension."""
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)


__all__ = ["CosineSimilarity", "PairwiseDistance"]
