"""Distributions of real numbers."""

from __future__ import annotations

import math
from typing import Any

from stepgrad.distributions.base import Distribution, as_tensors
from stepgrad.functions.joining import where
from stepgrad.functions.sampling import rand, randn
from stepgrad.tensor import Tensor


class Normal(Distribution):
    """The normal distribution of mean `loc` and standard deviation `scale` > 0, tensors or numbers.

    >>> import stepgrad as sg
    >>> sg.distributions.Normal(0.0, 1.0).log_prob(sg.tensor(0.0))
    tensor(-0.9189)
    """

    has_rsample = True

    def __init__(self, loc: Any, scale: Any, validate_args: Any = None) -> None:
        self.loc, self.scale = as_tensors(loc, scale)
        super().__init__(self.loc.shape, (), validate_args)
        self._check("scale", self.scale, self.scale > 0, "above 0")

    @property
    def mean(self) -> Tensor:
        """The expected value."""
        return self.loc

    mode = mean

    @property
    def stddev(self) -> Tensor:
        """The standard deviation."""
        return self.scale

    @property
    def variance(self) -> Tensor:
        """The expected squared distance from the mean."""
        return self.scale**2

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Return loc + scale · ε with standard normal ε."""
        drawn = randn(self._extended(sample_shape), dtype=self.loc.dtype, device=self.loc.device)
        return self.loc + drawn * self.scale

    def log_prob(self, value: Any) -> Tensor:
        """Return −(x − μ)² / 2σ² − ln σ − ½ ln 2π."""
        distance = (value - self.loc) ** 2 / (2 * self.scale**2)
        return -distance - self.scale.log() - 0.5 * math.log(2 * math.pi)

    def entropy(self) -> Tensor:
        """Return ½ + ½ ln 2π + ln σ."""
        return 0.5 + 0.5 * math.log(2 * math.pi) + self.scale.log()

    def cdf(self, value: Any) -> Tensor:
        """Return the probability of a number up to `value`."""
        return 0.5 * (1 + ((value - self.loc) / (self.scale * math.sqrt(2))).erf())

    def icdf(self, value: Any) -> Tensor:
        """Return the number up to which the probability is `value`."""
        return self.loc + self.scale * (2 * as_tensors(value, self.loc)[0] - 1).erfinv() * math.sqrt(2)


class Uniform(Distribution):
    """Numbers uniform in [low, high).

    >>> import stepgrad as sg
    >>> sg.distributions.Uniform(0.0, 4.0).log_prob(sg.tensor(1.0)).exp()
    tensor(0.2500)
    """

    has_rsample = True

    def __init__(self, low: Any, high: Any, validate_args: Any = None) -> None:
        self.low, self.high = as_tensors(low, high)
        super().__init__(self.low.shape, (), validate_args)
        self._check("high", self.high, self.low < self.high, "above low")

    @property
    def mean(self) -> Tensor:
        """The expected value."""
        return (self.high + self.low) / 2

    @property
    def variance(self) -> Tensor:
        """The expected squared distance from the mean."""
        return (self.high - self.low) ** 2 / 12

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Return low + (high − low) · u with u uniform in [0, 1)."""
        drawn = rand(self._extended(sample_shape), dtype=self.low.dtype, device=self.low.device)
        return self.low + drawn * (self.high - self.low)

    def log_prob(self, value: Any) -> Tensor:
        """Return −ln(high − low); with validate_args=False −∞ outside of the range, else an error."""
        x = as_tensors(value, self.low)[0]
        self._check("a value", x, (self.low <= x) & (x <= self.high), "between low and high")
        density = -(self.high - self.low).log()
        return where((self.low <= x) & (x < self.high), density, -math.inf)

    def entropy(self) -> Tensor:
        """Return ln(high − low)."""
        return (self.high - self.low).log()

    def cdf(self, value: Any) -> Tensor:
        """Return the probability of a number up to `value`."""
        return ((value - self.low) / (self.high - self.low)).clamp(0, 1)

    def icdf(self, value: Any) -> Tensor:
        """Return the number up to which the probability is `value`."""
        return value * (self.high - self.low) + self.low


class Exponential(Distribution):
    """The exponential distribution of rate λ > 0, the density λ e^(−λx) for x ≥ 0.

    >>> import stepgrad as sg
    >>> sg.distributions.Exponential(2.0).mean
    tensor(0.5000)
    """

    has_rsample = True

    def __init__(self, rate: Any, validate_args: Any = None) -> None:
        (self.rate,) = as_tensors(rate)
        super().__init__(self.rate.shape, (), validate_args)
        self._check("rate", self.rate, self.rate > 0, "above 0")

    @property
    def mean(self) -> Tensor:
        """The expected value."""
        return 1 / self.rate

    stddev = mean

    @property
    def variance(self) -> Tensor:
        """The expected squared distance from the mean."""
        return self.rate**-2

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Return −ln(1 − u) / λ with u uniform in [0, 1)."""
        drawn = rand(self._extended(sample_shape), dtype=self.rate.dtype, device=self.rate.device)
        return -(-drawn).log1p() / self.rate

    def log_prob(self, value: Any) -> Tensor:
        """Return ln λ − λx."""
        x = as_tensors(value, self.rate)[0]
        self._check("a value", x, x >= 0, "0 or more")
        return self.rate.log() - self.rate * x

    def entropy(self) -> Tensor:
        """Return 1 − ln λ."""
        return 1 - self.rate.log()

    def cdf(self, value: Any) -> Tensor:
        """Return the probability of a number up to `value`."""
        return 1 - (-self.rate * value).exp()

    def icdf(self, value: Any) -> Tensor:
        """Return the number up to which the probability is `value`."""
        return -(-as_tensors(value, self.rate)[0]).log1p() / self.rate
