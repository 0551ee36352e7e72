"""The gamma distribution and what is made of it: χ², beta, Dirichlet.

Their samples have no gradients to the parameters (PyTorch's do); their log-probabilities have.
"""

from __future__ import annotations

from typing import Any

from stepgrad.arrays.dtypes import finfo
from stepgrad.autograd.modes import no_grad
from stepgrad.distributions.base import Distribution, as_tensors, uniform_above_0
from stepgrad.errors import ShapeError
from stepgrad.functions.joining import stack, where
from stepgrad.functions.sampling import randn
from stepgrad.tensor import Tensor


def drawn_gammas(a: Tensor) -> Tensor:
    """Return numbers of the gamma distributions of shape `a` and rate 1.

    Marsaglia and Tsang, "A simple method for generating gamma variables" (2000): x = d (1 + c ε)³ is taken
    with a probability above 0.95, and drawn again otherwise; for a < 1 it is x of a + 1 times u^(1/a).
    """
    small = a < 1
    d = where(small, a + 1, a) - 1 / 3
    c = (9 * d).rsqrt()
    found, left = a * 0, a == a
    while bool(left.any()):
        normal = randn(a.shape, dtype=a.dtype, device=a.device)
        u = uniform_above_0(a.shape, a)
        v = (1 + c * normal) ** 3
        bound = 0.5 * normal**2 + d - d * v + d * v.clamp(min=finfo(a.dtype).tiny).log()
        taken = left & (v > 0) & (u.log() < bound)
        found, left = where(taken, d * v, found), left & ~taken
    u = uniform_above_0(a.shape, a)
    return where(small, found * u ** (1 / a), found).clamp(min=finfo(a.dtype).tiny)


class Gamma(Distribution):
    """The density rate^a x^(a − 1) e^(−rate x) / Γ(a) for x > 0, with a = `concentration`.

    >>> import stepgrad as sg
    >>> Gamma(2.0, 4.0).mean, Gamma(1.0, 1.0).log_prob(sg.tensor(3.0))
    (tensor(0.5000), tensor(-3.))
    """

    def __init__(self, concentration: Any, rate: Any, validate_args: Any = None) -> None:
        self.concentration, self.rate = as_tensors(concentration, rate)
        super().__init__(self.rate.shape, (), validate_args)
        self._check("concentration", self.concentration, self.concentration > 0, "above 0")
        self._check("rate", self.rate, self.rate > 0, "above 0")

    @property
    def mean(self) -> Tensor:
        """The expected value."""
        return self.concentration / self.rate

    @property
    def mode(self) -> Tensor:
        """The most probable number."""
        return ((self.concentration - 1) / self.rate).clamp(min=0)

    @property
    def variance(self) -> Tensor:
        """The expected squared distance from the mean."""
        return self.concentration / self.rate**2

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Return draws, without gradients."""
        with no_grad():
            return drawn_gammas(self.concentration.expand(self._extended(sample_shape))) / self.rate

    def log_prob(self, value: Any) -> Tensor:
        """Return a ln rate + (a − 1) ln x − rate x − ln Γ(a)."""
        x, a = as_tensors(value, self.rate)[0], self.concentration
        self._check("a value", x, x >= 0, "0 or more")
        return a.xlogy(self.rate) + (a - 1).xlogy(x) - self.rate * x - a.lgamma()

    def entropy(self) -> Tensor:
        """Return a − ln rate + ln Γ(a) + (1 − a) ψ(a)."""
        a = self.concentration
        return a - self.rate.log() + a.lgamma() + (1 - a) * a.digamma()


class Chi2(Gamma):
    """The distribution of the sum of `df` squared standard normal numbers.

    >>> Chi2(3.0).mean, Chi2(3.0).variance
    (tensor(3.), tensor(6.))
    """

    def __init__(self, df: Any, validate_args: Any = None) -> None:
        (self.df,) = as_tensors(df)
        super().__init__(0.5 * self.df, 0.5, validate_args)


class Dirichlet(Distribution):
    """Shares that add up to 1 along the last dimension, with the density Π xᵢ^(aᵢ − 1) Γ(Σaᵢ) / Π Γ(aᵢ) for
    a = `concentration` (…, K).

    >>> import stepgrad as sg
    >>> Dirichlet(sg.tensor([1.0, 3.0])).mean
    tensor([0.2500, 0.7500])
    """

    def __init__(self, concentration: Any, validate_args: Any = None) -> None:
        (self.concentration,) = as_tensors(concentration)
        if self.concentration.ndim < 1:
            raise ShapeError("Dirichlet takes concentrations (…, K), not a single number.")
        shape = self.concentration.shape
        super().__init__(shape[:-1], shape[-1:], validate_args)
        self._check("concentration", self.concentration, self.concentration > 0, "above 0")

    @property
    def mean(self) -> Tensor:
        """The expected shares."""
        return self.concentration / self.concentration.sum(-1, keepdim=True)

    @property
    def variance(self) -> Tensor:
        """The expected squared distances from the mean."""
        total = self.concentration.sum(-1, keepdim=True)
        return self.concentration * (total - self.concentration) / (total**2 * (total + 1))

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Return draws, without gradients."""
        with no_grad():
            drawn = drawn_gammas(self.concentration.expand(self._extended(sample_shape)))
            return drawn / drawn.sum(-1, keepdim=True)

    def log_prob(self, value: Any) -> Tensor:
        """Return Σ (aᵢ − 1) ln xᵢ + ln Γ(Σaᵢ) − Σ ln Γ(aᵢ)."""
        x, a = as_tensors(value, self.concentration)[0], self.concentration
        self._check("a value", x, (x >= 0) & ((x.sum(-1, keepdim=True) - 1).abs() < 1e-6), "shares of 1")
        return (a - 1).xlogy(x).sum(-1) + a.sum(-1).lgamma() - a.lgamma().sum(-1)

    def entropy(self) -> Tensor:
        """Return the entropy in nats."""
        a = self.concentration
        total = a.sum(-1)
        inner = (a.shape[-1] - total) * total.digamma() + ((a - 1) * a.digamma()).sum(-1)
        return a.lgamma().sum(-1) - total.lgamma() - inner


class Beta(Distribution):
    """A share between 0 and 1 with the density x^(a − 1) (1 − x)^(b − 1) / B(a, b), for a = `concentration1`
    and b = `concentration0`.

    >>> import stepgrad as sg
    >>> Beta(1.0, 3.0).mean, Beta(2.0, 1.0).log_prob(sg.tensor(1.0))
    (tensor(0.2500), tensor(0.6931))
    """

    def __init__(self, concentration1: Any, concentration0: Any, validate_args: Any = None) -> None:
        both = stack(as_tensors(concentration1, concentration0), -1)
        self._both = Dirichlet(both, validate_args)
        super().__init__(both.shape[:-1], (), validate_args)

    @property
    def concentration1(self) -> Tensor:
        """The first of the two, a."""
        return self._both.concentration[..., 0]

    @property
    def concentration0(self) -> Tensor:
        """The second of the two, b."""
        return self._both.concentration[..., 1]

    @property
    def mean(self) -> Tensor:
        """The expected value, a / (a + b)."""
        return self._both.mean[..., 0]

    @property
    def variance(self) -> Tensor:
        """The expected squared distance from the mean."""
        return self._both.variance[..., 0]

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Return draws, without gradients."""
        return self._both.sample(sample_shape)[..., 0]

    def log_prob(self, value: Any) -> Tensor:
        """Return (a − 1) ln x + (b − 1) ln(1 − x) − ln B(a, b)."""
        x = as_tensors(value, self.concentration1)[0]
        self._check("a value", x, (x >= 0) & (x <= 1), "from 0 to 1")
        return self._both.log_prob(stack([x, 1 - x], -1))

    def entropy(self) -> Tensor:
        """Return the entropy in nats."""
        return self._both.entropy()
