"""Dropout for networks of SELU units."""

from __future__ import annotations

from stepgrad.nn import functional as F
from stepgrad.nn.normalization import Dropout
from stepgrad.tensor import Tensor


class AlphaDropout(Dropout):
    """Dropout that keeps mean and variance of what a SELU gives (Klambauer and others, 2017)."""

    def forward(self, input: Tensor) -> Tensor:
        """Any shape → the same shape."""
        return F.alpha_dropout(input, self.p, self.training, self.inplace)


class FeatureAlphaDropout(Dropout):
    """`AlphaDropout` of whole channels."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, …) → the same shape."""
        return F.feature_alpha_dropout(input, self.p, self.training, self.inplace)


__all__ = ["AlphaDropout", "FeatureAlphaDropout"]
