"""Vectors: normal ones whose elements depend on each other, and classes as unit vectors."""

from __future__ import annotations

import math
from typing import Any

from stepgrad.distributions.base import Distribution
from stepgrad.distributions.discrete import Categorical
from stepgrad.errors import ArgumentError, ShapeError
from stepgrad.functions.creation import eye
from stepgrad.functions.joining import broadcast_shapes
from stepgrad.functions.sampling import randn
from stepgrad.linalg import cholesky, inv, solve_triangular
from stepgrad.nn.functional import one_hot
from stepgrad.tensor import Tensor


class MultivariateNormal(Distribution):
    """Normal vectors of mean `loc` (…, n) and one of `covariance_matrix`, its inverse `precision_matrix`, or
    its lower Cholesky factor `scale_tril`, each (…, n, n).

    >>> import stepgrad as sg
    >>> MultivariateNormal(sg.zeros(2), sg.eye(2)).log_prob(sg.zeros(2))
    tensor(-1.8379)
    """

    has_rsample = True

    def __init__(
        self,
        loc: Tensor,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: Any = None,
    ) -> None:
        given = [m for m in (covariance_matrix, precision_matrix, scale_tril) if m is not None]
        if len(given) != 1:
            raise ArgumentError(
                "MultivariateNormal takes one of covariance_matrix, precision_matrix and scale_tril."
            )
        if loc.ndim < 1 or given[0].ndim < 2 or given[0].shape[-2:] != (loc.shape[-1],) * 2:
            raise ShapeError(
                f"MultivariateNormal takes a mean (…, n) and a matrix (…, n, n), not {list(loc.shape)} and "
                f"{list(given[0].shape)}."
            )
        n, batch = loc.shape[-1], broadcast_shapes(loc.shape[:-1], given[0].shape[:-2])
        super().__init__(batch, (n,), validate_args)
        self.loc, matrix = loc.expand((*batch, n)), given[0].expand((*batch, n, n))
        if covariance_matrix is not None:
            matrix = cholesky(matrix)
        elif precision_matrix is not None:
            # Of P = L Lᵀ turned about, so that its inverse is a lower triangle.
            turned = cholesky(matrix.flip((-2, -1))).flip((-2, -1)).mT
            matrix = solve_triangular(turned, eye(n, dtype=loc.dtype).expand((*batch, n, n)), upper=False)
        self.scale_tril = matrix

    @property
    def covariance_matrix(self) -> Tensor:
        """The covariances."""
        return self.scale_tril @ self.scale_tril.mT

    @property
    def precision_matrix(self) -> Tensor:
        """The inverse of the covariances."""
        return inv(self.covariance_matrix)

    @property
    def mean(self) -> Tensor:
        """The expected vector."""
        return self.loc

    mode = mean

    @property
    def variance(self) -> Tensor:
        """The variance of each element."""
        return (self.scale_tril**2).sum(-1)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Return loc + L ε with standard normal ε."""
        drawn = randn(self._extended(sample_shape), dtype=self.loc.dtype, device=self.loc.device)
        return self.loc + (self.scale_tril @ drawn.unsqueeze(-1)).squeeze(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return −½ (x − μ)ᵀ Σ⁻¹ (x − μ) − ½ ln |Σ| − ½ n ln 2π."""
        distance = solved(self.scale_tril, (value - self.loc).unsqueeze(-1)).squeeze(-1)
        constant = self.event_shape[0] * math.log(2 * math.pi)
        return -0.5 * ((distance**2).sum(-1) + constant) - self.half_log_det()

    def entropy(self) -> Tensor:
        """Return ½ n (1 + ln 2π) + ½ ln |Σ|."""
        return 0.5 * self.event_shape[0] * (1 + math.log(2 * math.pi)) + self.half_log_det()

    def half_log_det(self) -> Tensor:
        """Return ½ ln |Σ|."""
        return self.scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)


def solved(triangle: Tensor, b: Tensor) -> Tensor:
    """Return L⁻¹ b for a lower triangle L and b, whose leading dimensions broadcast."""
    batch = broadcast_shapes(triangle.shape[:-2], b.shape[:-2])
    n, columns = b.shape[-2:]
    full = triangle.expand((*batch, n, n)), b.expand((*batch, n, columns))
    return solve_triangular(*full, upper=False)


class OneHotCategorical(Distribution):
    """Classes as unit vectors: 1 at the place of the class, else 0; see `Categorical`.

    >>> import stepgrad as sg
    >>> OneHotCategorical(sg.tensor([1.0, 3.0])).log_prob(sg.tensor([0.0, 1.0])).exp()
    tensor(0.7500)
    """

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: Any = None) -> None:
        self._classes = Categorical(probs, logits, validate_args)
        self.probs, self.logits = self._classes.probs, self._classes.logits
        super().__init__(self.probs.shape[:-1], self.probs.shape[-1:], validate_args)

    @property
    def mean(self) -> Tensor:
        """The probabilities."""
        return self.probs

    @property
    def variance(self) -> Tensor:
        """p (1 − p) of each class."""
        return self.probs * (1 - self.probs)

    @property
    def mode(self) -> Tensor:
        """The most probable class."""
        return one_hot(self._classes.mode, self.probs.shape[-1]).to(self.probs.dtype)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Return unit vectors, in the dtype of the probabilities."""
        return one_hot(self._classes.sample(sample_shape), self.probs.shape[-1]).to(self.probs.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logarithm of the probability of the class at whose place the 1 is."""
        proper = ((value == 0) | (value == 1)) & (value.sum(-1, keepdim=True) == 1)
        self._check("a value", value, proper, "a unit vector")
        return self._classes.log_prob(value.argmax(-1))

    def entropy(self) -> Tensor:
        """Return −Σ p ln p."""
        return self._classes.entropy()
