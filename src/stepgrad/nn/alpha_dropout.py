"""Dropout for networks of SELU units."""

from __future__ import annotations

from stepgrad.nn import functional as F
from stepgrad.nn.normalization import Dropout
from stepgrad.tensor import Tensor


class AlphaDropout(Dropout):
    """Dropout that keeps mean and variance of what a SELU gives (Klambauer and others, 2017).

    >>> import stepgrad as sg
    >>> sg.nn.AlphaDropout(0.5).eval()(sg.ones(3))
    tensor([1., 1., 1.])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Any shape → the same shape."""
        return F.alpha_dropout(input, self.p, self.training, self.inplace)


class FeatureAlphaDropout(Dropout):
    """`AlphaDropout` of whole channels.

    >>> import stepgrad as sg
    >>> sg.nn.FeatureAlphaDropout(0.5)(sg.ones(2, 3, 4)).shape
    (2, 3, 4)
    """

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, …) → the same shape."""
        return F.feature_alpha_dropout(input, self.p, self.training, self.inplace)


__all__ = ["AlphaDropout", "FeatureAlphaDropout"]
