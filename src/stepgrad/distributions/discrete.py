"""Distributions of whole numbers, given by probabilities or by logits."""

from __future__ import annotations

import math
from typing import Any

from stepgrad.arrays.dtypes import finfo
from stepgrad.autograd.modes import no_grad
from stepgrad.distributions.base import Distribution, as_tensors
from stepgrad.errors import ArgumentError, ShapeError
from stepgrad.functions.joining import broadcast_tensors
from stepgrad.functions.sampling import bernoulli
from stepgrad.nn.functional import binary_cross_entropy_with_logits
from stepgrad.tensor import Tensor


def _one_of(name: str, probs: Any, logits: Any) -> Tensor:
    if (probs is None) == (logits is None):
        raise ArgumentError(f"{name} takes either probs or logits.")
    return as_tensors(logits if probs is None else probs)[0]


class Bernoulli(Distribution):
    """1 with probability `probs` = σ(`logits`), else 0; one of the two is given.

    >>> import stepgrad as sg
    >>> sg.distributions.Bernoulli(0.25).log_prob(sg.tensor(1.0)).exp()
    tensor(0.2500)
    """

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: Any = None) -> None:
        given = _one_of("Bernoulli", probs, logits)
        super().__init__(given.shape, (), validate_args)
        if logits is None:
            self._check("probs", given, (given >= 0) & (given <= 1), "from 0 to 1")
        eps = finfo(given.dtype).eps
        self.probs = given.sigmoid() if probs is None else given
        self.logits = given if probs is None else given.clamp(eps, 1 - eps).logit()

    @property
    def mean(self) -> Tensor:
        """The expected value."""
        return self.probs

    @property
    def variance(self) -> Tensor:
        """The expected squared distance from the mean."""
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Return zeros and ones, in the dtype of the probabilities."""
        with no_grad():
            return bernoulli(self.probs.expand(self._extended(sample_shape)))

    def log_prob(self, value: Any) -> Tensor:
        """Return ln p for 1 and ln(1 − p) for 0."""
        x, logits = as_tensors(value, self.logits)
        self._check("a value", x, (x == 0) | (x == 1), "0 or 1")
        return -binary_cross_entropy_with_logits(logits, x.to(logits.dtype), reduction="none")

    def entropy(self) -> Tensor:
        """Return −p ln p − (1 − p) ln(1 − p)."""
        return binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")


class Categorical(Distribution):
    """The classes 0 … C − 1 with probabilities in proportion to `probs` (…, C), or softmax(`logits`).

    >>> import stepgrad as sg
    >>> d = sg.distributions.Categorical(sg.tensor([1.0, 3.0]))
    >>> d.log_prob(sg.tensor(1)).exp(), d.entropy()
    (tensor(0.7500), tensor(0.5623))
    """

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: Any = None) -> None:
        given = _one_of("Categorical", probs, logits)
        if given.ndim < 1:
            raise ShapeError("Categorical takes probabilities (…, C), not a single number.")
        super().__init__(given.shape[:-1], (), validate_args)
        if probs is None:
            self.logits = given - given.logsumexp(-1, keepdim=True)
            self.probs = self.logits.exp()
        else:
            proper = (given >= 0) & (given.sum(-1, keepdim=True) > 0)
            self._check("probs", given, proper, "0 or more with a positive sum")
            self.probs = given / given.sum(-1, keepdim=True)
            eps = finfo(given.dtype).eps
            self.logits = self.probs.clamp(eps, 1 - eps).log()

    @property
    def param_shape(self) -> tuple[int, ...]:
        """The shape of the probabilities."""
        return self.probs.shape

    @property
    def mean(self) -> Tensor:
        """NaN: classes have no mean."""
        return self.probs.detach()[..., 0] * math.nan

    variance = mean

    @property
    def mode(self) -> Tensor:
        """The most probable class."""
        return self.probs.argmax(-1)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Return classes (int64)."""
        shape = self._extended(sample_shape)
        rows = self.probs.detach().reshape(-1, self.probs.shape[-1])
        count = math.prod(shape[: len(shape) - len(self.batch_shape)])
        return rows.multinomial(count, True).T.reshape(shape)

    def log_prob(self, value: Any) -> Tensor:
        """Return the logarithm of the probability of each class, which an integer or whole number names."""
        x = value.long() if isinstance(value, Tensor) else as_tensors(value)[0].long()
        self._check("a value", x, (x >= 0) & (x < self.probs.shape[-1]), "the number of a class")
        places, logits = broadcast_tensors(x.unsqueeze(-1), self.logits)
        return logits.gather(-1, places[..., :1]).squeeze(-1)

    def entropy(self) -> Tensor:
        """Return −Σ p ln p."""
        return -(self.probs * self.logits.clamp(min=finfo(self.logits.dtype).min)).sum(-1)
