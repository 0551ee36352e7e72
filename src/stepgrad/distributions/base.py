"""What all distributions have in common."""

from __future__ import annotations

from typing import Any

from stepgrad.arrays import dtypes
from stepgrad.autograd.modes import no_grad
from stepgrad.autograd.recording import hides_values
from stepgrad.errors import ArgumentError
from stepgrad.functions.creation import tensor
from stepgrad.functions.joining import broadcast_tensors
from stepgrad.functions.sampling import rand
from stepgrad.methods.base import Size, as_shape
from stepgrad.tensor import Tensor


class Distribution:
    """A random variable, or a batch of independent ones.

    * `batch_shape`: the shape of the parameters. `event_shape`: that of one draw.
    * `has_rsample`: whether `rsample` exists, whose gradients reach the parameters.

    `validate_args` (True): whether parameters, and the values given to `log_prob`, are checked.

    >>> import stepgrad as sg
    >>> isinstance(sg.distributions.Normal(0.0, 1.0), sg.distributions.Distribution)
    True
    """

    has_rsample = False
    _checks = True

    def __init__(self, batch_shape: Any = (), event_shape: Any = (), validate_args: Any = None) -> None:
        self.batch_shape, self.event_shape = Size(batch_shape), Size(event_shape)
        if validate_args is not None:
            self._checks = bool(validate_args)

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Say whether distributions check parameters and values that were made without `validate_args`."""
        Distribution._checks = bool(value)

    @property
    def mean(self) -> Tensor:
        """The expected value."""
        raise self._lacks("mean")

    @property
    def variance(self) -> Tensor:
        """The expected squared distance from the mean."""
        raise self._lacks("variance")

    @property
    def stddev(self) -> Tensor:
        """The standard deviation, the root of the variance."""
        return self.variance.sqrt()

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Return draws of shape (*sample_shape, *batch_shape, *event_shape) with gradients to parameters."""
        raise self._lacks("rsample")

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Return draws of shape (*sample_shape, *batch_shape, *event_shape), without gradients."""
        with no_grad():
            return self.rsample(sample_shape)

    def log_prob(self, value: Any) -> Tensor:
        """Return the logarithm of the density, or of the probability, at `value`."""
        raise self._lacks("log_prob")

    def entropy(self) -> Tensor:
        """Return the entropy in nats, of the shape `batch_shape`."""
        raise self._lacks("entropy")

    def perplexity(self) -> Tensor:
        """Return e to the power of the entropy."""
        return self.entropy().exp()

    def _extended(self, sample_shape: Any) -> tuple[int, ...]:
        return (*as_shape((sample_shape,)), *self.batch_shape, *self.event_shape)

    def _check(self, name: str, values: Tensor, holds: Tensor, needs: str) -> None:
        """Raise `ArgumentError` where a parameter or a value is out of its range."""
        if self._checks and not hides_values() and not bool(holds.all()):
            raise ArgumentError(f"{type(self).__name__}: {name} must be {needs}, not {values.tolist()}.")

    def _lacks(self, name: str) -> ArgumentError:
        return ArgumentError(f"the distribution {type(self).__name__} has no {name}.")

    def __repr__(self) -> str:
        return f"{type(self).__name__}(batch_shape={self.batch_shape}, event_shape={self.event_shape})"


class Independent(Distribution):
    """A distribution whose last batch dimensions are dimensions of one draw: their log-probabilities add up.

    >>> import stepgrad as sg
    >>> each = sg.distributions.Normal(sg.zeros(3), sg.ones(3))
    >>> sg.distributions.Independent(each, 1).log_prob(sg.zeros(3))
    tensor(-2.7568)
    """

    def __init__(
        self, base_distribution: Distribution, reinterpreted_batch_ndims: int, validate_args: Any = None
    ) -> None:
        shape = (*base_distribution.batch_shape, *base_distribution.event_shape)
        split = len(base_distribution.batch_shape) - reinterpreted_batch_ndims
        if split < 0:
            raise ArgumentError(
                f"Independent takes at most {len(base_distribution.batch_shape)} batch dimensions, not "
                f"{reinterpreted_batch_ndims}."
            )
        super().__init__(shape[:split], shape[split:], validate_args)
        self.base_dist, self.reinterpreted_batch_ndims = base_distribution, reinterpreted_batch_ndims
        self.has_rsample = base_distribution.has_rsample

    @property
    def mean(self) -> Tensor:
        """The expected value."""
        return self.base_dist.mean

    @property
    def variance(self) -> Tensor:
        """The expected squared distance from the mean."""
        return self.base_dist.variance

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Return draws with gradients to the parameters."""
        return self.base_dist.rsample(sample_shape)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Return draws, without gradients."""
        return self.base_dist.sample(sample_shape)

    def log_prob(self, value: Any) -> Tensor:
        """Return the sum of the log-probabilities over the dimensions of one draw."""
        return self.added(self.base_dist.log_prob(value))

    def entropy(self) -> Tensor:
        """Return the sum of the entropies."""
        return self.added(self.base_dist.entropy())

    def added(self, x: Tensor) -> Tensor:
        """Return the sum over the dimensions that have become dimensions of one draw."""
        count = self.reinterpreted_batch_ndims
        return x.sum(tuple(range(-count, 0))) if count else x


def as_tensors(*values: Any) -> tuple[Tensor, ...]:
    """Return numbers and tensors as tensors of one shape; numbers in the dtype of the first tensor."""
    given = [v for v in values if isinstance(v, Tensor)]
    kind = given[0].dtype if given else dtypes.get_default_dtype()
    return broadcast_tensors(*(v if isinstance(v, Tensor) else tensor(v, dtype=kind) for v in values))


def uniform_above_0(shape: tuple[int, ...], like: Tensor) -> Tensor:
    """Return numbers uniform in (0, 1), without the 0 whose logarithm is not finite, of the dtype and on the
    device of `like`.
    """
    return rand(shape, dtype=like.dtype, device=like.device).clamp(min=dtypes.finfo(like.dtype).tiny)
