"""The divergence of Kullback and Leibler (1951) between two distributions of a kind."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from stepgrad.distributions.base import Distribution, Independent
from stepgrad.distributions.continuous import Exponential, Normal, Uniform
from stepgrad.distributions.discrete import Bernoulli, Categorical
from stepgrad.errors import ArgumentError
from stepgrad.functions.joining import where
from stepgrad.nn.functional import softplus
from stepgrad.tensor import Tensor


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """Return KL(p ‖ q) = E_p[ln p(x) − ln q(x)] in nats, of the broadcast batch shape.

    Raises `ArgumentError` for two kinds of distributions between which it is not known.

    >>> import stepgrad as sg
    >>> N = sg.distributions.Normal
    >>> sg.distributions.kl_divergence(N(1.0, 1.0), N(0.0, 1.0))
    tensor(0.5000)
    """
    for kind, divergence in _KNOWN.items():
        if isinstance(p, kind) and isinstance(q, kind):
            return divergence(p, q)
    raise ArgumentError(
        f"there is no kl_divergence of {type(p).__name__} and {type(q).__name__}: take the mean of "
        f"p.log_prob(x) - q.log_prob(x) over samples x of p."
    )


def _normal(p: Any, q: Any) -> Tensor:
    ratio = (p.scale / q.scale) ** 2
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale) ** 2 - 1 - ratio.log())


def _uniform(p: Any, q: Any) -> Tensor:
    outside = (q.low > p.low) | (q.high < p.high)
    return where(outside, math.inf, ((q.high - q.low) / (p.high - p.low)).log())


def _exponential(p: Any, q: Any) -> Tensor:
    ratio = q.rate / p.rate
    return ratio - 1 - ratio.log()


def _bernoulli(p: Any, q: Any) -> Tensor:
    one = p.probs * (softplus(-q.logits) - softplus(-p.logits))
    zero = (1 - p.probs) * (softplus(q.logits) - softplus(p.logits))
    return _weighted(one, p.probs, q.probs) + _weighted(zero, 1 - p.probs, 1 - q.probs)


def _categorical(p: Any, q: Any) -> Tensor:
    return _weighted(p.probs * (p.logits - q.logits), p.probs, q.probs).sum(-1)


def _weighted(terms: Tensor, p: Tensor, q: Tensor) -> Tensor:
    """Return the terms, 0 where p is 0, and ∞ where q alone is 0."""
    return where(p == 0, 0.0, where(q == 0, math.inf, terms))


def _independent(p: Any, q: Any) -> Tensor:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise ArgumentError("kl_divergence of two Independent needs the same number of their dimensions.")
    return p.added(kl_divergence(p.base_dist, q.base_dist))


_KNOWN: dict[type, Callable[[Any, Any], Tensor]] = {
    Normal: _normal, Uniform: _uniform, Exponential: _exponential, Bernoulli: _bernoulli,
    Categorical: _categorical, Independent: _independent,
}  # fmt: skip
