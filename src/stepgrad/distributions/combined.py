"""Distributions made of others: numbers that have gone through functions, and mixtures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stepgrad.autograd.modes import no_grad
from stepgrad.distributions.base import Distribution
from stepgrad.distributions.continuous import Normal
from stepgrad.distributions.discrete import Categorical
from stepgrad.distributions.transforming import ExpTransform, Transform
from stepgrad.errors import ArgumentError
from stepgrad.tensor import Tensor


class TransformedDistribution(Distribution):
    """What `transforms`, one or several, one after the other, make of numbers of `base_distribution`.

    >>> import stepgrad as sg
    >>> D = sg.distributions
    >>> squashed = TransformedDistribution(D.Normal(0.0, 1.0), [D.TanhTransform()])
    >>> squashed.log_prob(sg.tensor(0.0))
    tensor(-0.9189)
    """

    def __init__(
        self,
        base_distribution: Distribution,
        transforms: Transform | Sequence[Transform],
        validate_args: Any = None,
    ) -> None:
        self.base_dist = base_distribution
        self.transforms = [transforms] if isinstance(transforms, Transform) else list(transforms)
        for t in self.transforms:
            if not isinstance(t, Transform):
                raise ArgumentError(f"TransformedDistribution takes transforms, not {type(t).__name__}.")
        super().__init__(base_distribution.batch_shape, base_distribution.event_shape, validate_args)
        self.has_rsample = base_distribution.has_rsample

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Return draws with gradients to the parameters."""
        return self._forward(self.base_dist.rsample(sample_shape))

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Return draws, without gradients."""
        with no_grad():
            return self._forward(self.base_dist.sample(sample_shape))

    def _forward(self, x: Tensor) -> Tensor:
        for transform in self.transforms:
            x = transform(x)
        return x

    def log_prob(self, value: Tensor) -> Tensor:
        """Return ln p(x) − Σ ln |dy/dx| over the transforms, x being what became `value`."""
        y, stretched = value, value * 0
        events = len(self.event_shape)
        for transform in reversed(self.transforms):
            x = transform.inv(y)
            found = transform.log_abs_det_jacobian(x, y)
            stretched = stretched + (found.sum(tuple(range(-events, 0))) if events else found)
            y = x
        return self.base_dist.log_prob(y) - stretched

    def cdf(self, value: Tensor) -> Tensor:
        """Return the probability of a number up to `value`."""
        sign: Any = 1
        for transform in reversed(self.transforms):
            sign, value = sign * transform.sign, transform.inv(value)
        return sign * (self.base_dist.cdf(value) - 0.5) + 0.5  # type: ignore[attr-defined]


class LogNormal(TransformedDistribution):
    """Numbers whose logarithm is normal, of mean `loc` and standard deviation `scale`.

    >>> LogNormal(0.0, 1.0).mean
    tensor(1.6487)
    """

    base_dist: Normal

    def __init__(self, loc: Any, scale: Any, validate_args: Any = None) -> None:
        super().__init__(Normal(loc, scale, validate_args), ExpTransform(), validate_args)

    @property
    def loc(self) -> Tensor:
        """The mean of the logarithm."""
        return self.base_dist.loc

    @property
    def scale(self) -> Tensor:
        """The standard deviation of the logarithm."""
        return self.base_dist.scale

    @property
    def mean(self) -> Tensor:
        """The expected value, e^(μ + σ²/2)."""
        return (self.loc + self.scale**2 / 2).exp()

    @property
    def variance(self) -> Tensor:
        """The expected squared distance from the mean."""
        return (self.scale**2).expm1() * (2 * self.loc + self.scale**2).exp()

    def entropy(self) -> Tensor:
        """Return the entropy of the logarithm + μ."""
        return self.base_dist.entropy() + self.loc


class MixtureSameFamily(Distribution):
    """Numbers of one of K distributions, whose last batch dimension goes over them; which, the `Categorical`
    `mixture_distribution` says.

    >>> import stepgrad as sg
    >>> D = sg.distributions
    >>> two = MixtureSameFamily(D.Categorical(sg.ones(2)), D.Normal(sg.tensor([-1.0, 1.0]), sg.ones(2)))
    >>> two.mean, two.variance
    (tensor(0.), tensor(2.))
    """

    def __init__(
        self,
        mixture_distribution: Categorical,
        component_distribution: Distribution,
        validate_args: Any = None,
    ) -> None:
        mixture, component = mixture_distribution, component_distribution
        if not isinstance(mixture, Categorical) or not component.batch_shape:
            raise ArgumentError("MixtureSameFamily takes a Categorical and a batch of distributions.")
        if mixture.probs.shape[-1] != component.batch_shape[-1]:
            raise ArgumentError(
                f"MixtureSameFamily has {mixture.probs.shape[-1]} probabilities for "
                f"{component.batch_shape[-1]} distributions."
            )
        super().__init__(component.batch_shape[:-1], component.event_shape, validate_args)
        self.mixture_distribution, self.component_distribution = mixture, component

    def _weights(self) -> Tensor:
        probs = self.mixture_distribution.probs
        return probs.reshape((*probs.shape, *(1,) * len(self.event_shape)))

    @property
    def _place(self) -> int:
        return -1 - len(self.event_shape)

    @property
    def mean(self) -> Tensor:
        """The expected value."""
        return (self._weights() * self.component_distribution.mean).sum(self._place)

    @property
    def variance(self) -> Tensor:
        """The expected squared distance from the mean."""
        within = (self._weights() * self.component_distribution.variance).sum(self._place)
        apart = self.component_distribution.mean - self.mean.unsqueeze(self._place)
        return within + (self._weights() * apart**2).sum(self._place)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Return draws, without gradients."""
        with no_grad():
            drawn = self.component_distribution.sample(sample_shape)
            probs = self.mixture_distribution.probs
            classes = Categorical(probs.expand((*self.batch_shape, probs.shape[-1])))
            which = classes.sample(sample_shape)
            which = which.reshape((*which.shape, 1, *(1,) * len(self.event_shape)))
            which = which.expand((*which.shape[: self._place], 1, *self.event_shape))
            return drawn.gather(self._place, which).squeeze(self._place)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return ln Σ π_k p_k(x)."""
        each = self.component_distribution.log_prob(value.unsqueeze(self._place))
        return (each + self.mixture_distribution.logits.log_softmax(-1)).logsumexp(-1)
