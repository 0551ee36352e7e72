"""Distributions of counts: how many events, how many failures before a success, how many successes."""

from __future__ import annotations

from typing import Any

from stepgrad.autograd.modes import no_grad
from stepgrad.distributions.base import Distribution, as_tensors, uniform_above_0
from stepgrad.distributions.discrete import Bernoulli
from stepgrad.errors import ArgumentError
from stepgrad.functions.creation import arange
from stepgrad.functions.sampling import poisson, rand
from stepgrad.nn.functional import binary_cross_entropy_with_logits, softplus
from stepgrad.tensor import Tensor


class Poisson(Distribution):
    """The number of events where `rate` are expected, independent of each other.

    >>> import stepgrad as sg
    >>> Poisson(2.0).log_prob(sg.tensor(0.0))
    tensor(-2.)
    """

    def __init__(self, rate: Any, validate_args: Any = None) -> None:
        (self.rate,) = as_tensors(rate)
        super().__init__(self.rate.shape, (), validate_args)
        self._check("rate", self.rate, self.rate >= 0, "0 or more")

    @property
    def mean(self) -> Tensor:
        """The expected value."""
        return self.rate

    variance = mean

    @property
    def mode(self) -> Tensor:
        """The most probable number."""
        return self.rate.floor()

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Return whole numbers, in the dtype of the rate."""
        with no_grad():
            return poisson(self.rate.expand(self._extended(sample_shape)))

    def log_prob(self, value: Any) -> Tensor:
        """Return x ln rate − rate − ln x!."""
        x = as_tensors(value, self.rate)[0]
        self._check("a value", x, (x >= 0) & (x == x.floor()), "a whole number, 0 or more")
        return x.xlogy(self.rate) - self.rate - (x + 1).lgamma()


class Geometric(Bernoulli):
    """The number of failures before the first success of probability `probs` = σ(`logits`).

    >>> import stepgrad as sg
    >>> Geometric(0.25).mean, Geometric(0.5).log_prob(sg.tensor(2.0)).exp()
    (tensor(3.), tensor(0.1250))
    """

    @property
    def mean(self) -> Tensor:
        """The expected value, 1/p − 1."""
        return 1 / self.probs - 1

    @property
    def variance(self) -> Tensor:
        """The expected squared distance from the mean, (1 − p) / p²."""
        return (1 / self.probs - 1) / self.probs

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Return whole numbers, in the dtype of the probabilities."""
        with no_grad():
            u = uniform_above_0(self._extended(sample_shape), self.probs)
            return (u.log() / (-self.probs).log1p()).floor()

    def log_prob(self, value: Any) -> Tensor:
        """Return x ln(1 − p) + ln p."""
        x = as_tensors(value, self.probs)[0]
        self._check("a value", x, (x >= 0) & (x == x.floor()), "a whole number, 0 or more")
        return x * (-self.probs).log1p() + self.probs.log()

    def entropy(self) -> Tensor:
        """Return (−p ln p − (1 − p) ln(1 − p)) / p."""
        return binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none") / self.probs


class Binomial(Distribution):
    """The number of successes of probability `probs` = σ(`logits`) in `total_count` trials.

    >>> import stepgrad as sg
    >>> Binomial(4, 0.5).log_prob(sg.tensor(2.0)).exp()
    tensor(0.3750)
    """

    def __init__(
        self, total_count: Any = 1, probs: Any = None, logits: Any = None, validate_args: Any = None
    ) -> None:
        trial = Bernoulli(probs, logits, validate_args)
        self.probs, self.logits, self.total_count = as_tensors(trial.probs, trial.logits, total_count)
        super().__init__(self.probs.shape, (), validate_args)
        count = self.total_count
        self._check("total_count", count, (count >= 0) & (count == count.floor()), "a number of trials")

    @property
    def mean(self) -> Tensor:
        """The expected value, n p."""
        return self.total_count * self.probs

    @property
    def variance(self) -> Tensor:
        """The expected squared distance from the mean, n p (1 − p)."""
        return self.mean * (1 - self.probs)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Return whole numbers, in the dtype of the probabilities: as many trials as that."""
        with no_grad():
            most = int(self.total_count.max().item()) if self.total_count.numel() else 0
            shape = (*self._extended(sample_shape), most)
            drawn = rand(shape, dtype=self.probs.dtype, device=self.probs.device)
            made = arange(most, device=self.probs.device) < self.total_count.unsqueeze(-1)
            return ((drawn < self.probs.unsqueeze(-1)) & made).sum(-1).to(self.probs.dtype)

    def log_prob(self, value: Any) -> Tensor:
        """Return ln(n over x) + x ln p + (n − x) ln(1 − p)."""
        x, n = as_tensors(value, self.total_count)[0], self.total_count
        self._check("a value", x, (x >= 0) & (x <= n) & (x == x.floor()), "from 0 to total_count")
        return self._log_prob(x)

    def _log_prob(self, x: Tensor) -> Tensor:
        n = self.total_count
        ways = (n + 1).lgamma() - (x + 1).lgamma() - (n - x + 1).lgamma()
        return ways + x * self.logits - n * softplus(self.logits)

    def entropy(self) -> Tensor:
        """Return −Σ p ln p over all counts. Raises `ArgumentError` for different numbers of trials."""
        n = int(self.total_count.max().item())
        if not bool((self.total_count == n).all()):
            raise ArgumentError("Binomial has an entropy where total_count is the same in the whole batch.")
        x = arange(n + 1, dtype=self.probs.dtype, device=self.probs.device)
        each = self._log_prob(x.reshape((-1, *(1,) * self.probs.ndim)))
        return -(each.exp() * each).sum(0)
