"""Distributions of real numbers with tails unlike the normal distribution's, or one half of it."""

from __future__ import annotations

import math
from typing import Any

from stepgrad.autograd.modes import no_grad
from stepgrad.distributions.base import Distribution, as_tensors, uniform_above_0
from stepgrad.distributions.gammas import Chi2
from stepgrad.functions.joining import where
from stepgrad.functions.sampling import randn
from stepgrad.tensor import Tensor

EULER = 0.57721566490153286  # the constant of Euler and Mascheroni


class _LocationScale(Distribution):
    """What is loc + scale · x with x from a distribution that has no parameters."""

    has_rsample = True

    def __init__(self, loc: Any, scale: Any, validate_args: Any = None) -> None:
        self.loc, self.scale = as_tensors(loc, scale)
        super().__init__(self.loc.shape, (), validate_args)
        self._check("scale", self.scale, self.scale > 0, "above 0")

    @property
    def mode(self) -> Tensor:
        """The most probable number."""
        return self.loc

    def _standard(self, value: Any) -> Tensor:
        return (value - self.loc) / self.scale

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Return the number up to which the probability is u, with u uniform in (0, 1)."""
        return self.icdf(uniform_above_0(self._extended(sample_shape), self.loc))

    def icdf(self, value: Any) -> Tensor:
        """Return the number up to which the probability is `value`."""
        raise self._lacks("icdf")


class Laplace(_LocationScale):
    """The density e^(−|x − loc| / scale) / (2 scale).

    >>> Laplace(0.0, 1.0).log_prob(as_tensors(0.0)[0])
    tensor(-0.6931)
    """

    @property
    def mean(self) -> Tensor:
        """The expected value."""
        return self.loc

    @property
    def stddev(self) -> Tensor:
        """The standard deviation, √2 scale."""
        return math.sqrt(2) * self.scale

    @property
    def variance(self) -> Tensor:
        """The expected squared distance from the mean."""
        return 2 * self.scale**2

    def log_prob(self, value: Any) -> Tensor:
        """Return −|x − loc| / scale − ln(2 scale)."""
        return -self._standard(value).abs() - (2 * self.scale).log()

    def entropy(self) -> Tensor:
        """Return 1 + ln(2 scale)."""
        return 1 + (2 * self.scale).log()

    def cdf(self, value: Any) -> Tensor:
        """Return the probability of a number up to `value`."""
        x = self._standard(value)
        return 0.5 - 0.5 * x.sign() * (-x.abs()).expm1()

    def icdf(self, value: Any) -> Tensor:
        """Return the number up to which the probability is `value`."""
        x = as_tensors(value, self.loc)[0] - 0.5
        return self.loc - self.scale * x.sign() * (-2 * x.abs()).log1p()


class Gumbel(_LocationScale):
    """The distribution of the largest of many numbers: F(x) = exp(−e^(−(x − loc) / scale)).

    >>> Gumbel(0.0, 1.0).mean
    tensor(0.5772)
    """

    @property
    def mean(self) -> Tensor:
        """The expected value."""
        return self.loc + self.scale * EULER

    @property
    def stddev(self) -> Tensor:
        """The standard deviation, π scale / √6."""
        return math.pi / math.sqrt(6) * self.scale

    @property
    def variance(self) -> Tensor:
        """The expected squared distance from the mean."""
        return self.stddev**2

    def log_prob(self, value: Any) -> Tensor:
        """Return −z − e^(−z) − ln scale with z = (x − loc) / scale."""
        z = self._standard(value)
        return -z - (-z).exp() - self.scale.log()

    def entropy(self) -> Tensor:
        """Return ln scale + 1 + γ."""
        return self.scale.log() + (1 + EULER)

    def cdf(self, value: Any) -> Tensor:
        """Return the probability of a number up to `value`."""
        return (-(-self._standard(value)).exp()).exp()

    def icdf(self, value: Any) -> Tensor:
        """Return the number up to which the probability is `value`."""
        return self.loc - self.scale * (-as_tensors(value, self.loc)[0].log()).log()


class Cauchy(_LocationScale):
    """The distribution of a ratio of two normal numbers; it has no mean.

    >>> Cauchy(0.0, 1.0).cdf(as_tensors(1.0)[0])
    tensor(0.7500)
    """

    @property
    def mean(self) -> Tensor:
        """NaN: the integral does not exist."""
        return self.loc.detach() * math.nan

    @property
    def variance(self) -> Tensor:
        """∞."""
        return (self.loc.detach() * 0) + math.inf

    def log_prob(self, value: Any) -> Tensor:
        """Return −ln(π scale (1 + z²)) with z = (x − loc) / scale."""
        return -math.log(math.pi) - self.scale.log() - (self._standard(value) ** 2).log1p()

    def entropy(self) -> Tensor:
        """Return ln(4 π scale)."""
        return math.log(4 * math.pi) + self.scale.log()

    def cdf(self, value: Any) -> Tensor:
        """Return the probability of a number up to `value`."""
        return self._standard(value).atan() / math.pi + 0.5

    def icdf(self, value: Any) -> Tensor:
        """Return the number up to which the probability is `value`."""
        return ((as_tensors(value, self.loc)[0] - 0.5) * math.pi).tan() * self.scale + self.loc


class StudentT(Distribution):
    """Student's distribution (1908) of `df` degrees of freedom, moved by `loc` and widened by `scale`.

    >>> StudentT(1.0).log_prob(as_tensors(0.0)[0]).exp()
    tensor(0.3183)
    """

    def __init__(self, df: Any, loc: Any = 0.0, scale: Any = 1.0, validate_args: Any = None) -> None:
        self.df, self.loc, self.scale = as_tensors(df, loc, scale)
        super().__init__(self.df.shape, (), validate_args)
        self._check("df", self.df, self.df > 0, "above 0")
        self._check("scale", self.scale, self.scale > 0, "above 0")
        self._chi2 = Chi2(self.df, validate_args)

    @property
    def mean(self) -> Tensor:
        """The expected value; NaN for df ≤ 1."""
        return where(self.df > 1, self.loc, math.nan)

    @property
    def mode(self) -> Tensor:
        """The most probable number."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """scale² df / (df − 2); ∞ for 1 < df ≤ 2, NaN below."""
        found = self.scale**2 * self.df / (self.df - 2)
        return where(self.df > 2, found, where(self.df > 1, math.inf, math.nan))

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Return draws, without gradients."""
        with no_grad():
            shape = self._extended(sample_shape)
            normal = randn(shape, dtype=self.df.dtype, device=self.df.device)
            return self.loc + self.scale * normal * (self._chi2.sample(sample_shape) / self.df).rsqrt()

    def log_prob(self, value: Any) -> Tensor:
        """Return −½ (df + 1) ln(1 + z²/df) − ln(scale √(df π)) − ln Γ(df/2) + ln Γ((df + 1)/2)."""
        z = (value - self.loc) / self.scale
        total = self.scale.log() + 0.5 * self.df.log() + 0.5 * math.log(math.pi)
        total = total + (0.5 * self.df).lgamma() - (0.5 * (self.df + 1)).lgamma()
        return -0.5 * (self.df + 1) * (z**2 / self.df).log1p() - total

    def entropy(self) -> Tensor:
        """Return the entropy in nats."""
        half, more = 0.5 * self.df, 0.5 * (self.df + 1)
        beta = half.lgamma() + 0.5 * math.log(math.pi) - more.lgamma()
        return self.scale.log() + more * (more.digamma() - half.digamma()) + 0.5 * self.df.log() + beta


class HalfNormal(Distribution):
    """The size |x| of a normal number x of mean 0 and standard deviation `scale`.

    >>> HalfNormal(1.0).mean
    tensor(0.7979)
    """

    has_rsample = True

    def __init__(self, scale: Any, validate_args: Any = None) -> None:
        (self.scale,) = as_tensors(scale)
        super().__init__(self.scale.shape, (), validate_args)
        self._check("scale", self.scale, self.scale > 0, "above 0")

    @property
    def mean(self) -> Tensor:
        """The expected value, scale √(2/π)."""
        return self.scale * math.sqrt(2 / math.pi)

    @property
    def variance(self) -> Tensor:
        """The expected squared distance from the mean, scale² (1 − 2/π)."""
        return self.scale**2 * (1 - 2 / math.pi)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Return |scale · ε| with standard normal ε."""
        drawn = randn(self._extended(sample_shape), dtype=self.scale.dtype, device=self.scale.device)
        return (drawn * self.scale).abs()

    def log_prob(self, value: Any) -> Tensor:
        """Return ln 2 − x² / 2σ² − ln σ − ½ ln 2π for x ≥ 0, else −∞."""
        x = as_tensors(value, self.scale)[0]
        self._check("a value", x, x >= 0, "0 or more")
        density = -(x**2) / (2 * self.scale**2) - self.scale.log() + 0.5 * math.log(2 / math.pi)
        return where(x >= 0, density, -math.inf)

    def entropy(self) -> Tensor:
        """Return ½ + ½ ln(π/2) + ln σ."""
        return 0.5 + 0.5 * math.log(math.pi / 2) + self.scale.log()

    def cdf(self, value: Any) -> Tensor:
        """Return the probability of a number up to `value`."""
        return (as_tensors(value, self.scale)[0] / (self.scale * math.sqrt(2))).erf()
