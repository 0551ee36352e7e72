"""The divergence of Kullback and Leibler (1951) between two distributions of a kind."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from stepgrad.distributions.base import Distribution, Independent
from stepgrad.distributions.combined import TransformedDistribution
from stepgrad.distributions.continuous import Exponential, Normal, Uniform
from stepgrad.distributions.counts import Geometric, Poisson
from stepgrad.distributions.discrete import Bernoulli, Categorical
from stepgrad.distributions.gammas import Beta, Dirichlet, Gamma
from stepgrad.distributions.heavy import Laplace
from stepgrad.distributions.multivariate import MultivariateNormal, OneHotCategorical, solved
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
    fitting = [pair for pair in _KNOWN if isinstance(p, pair[0]) and isinstance(q, pair[1])]
    if fitting:
        # The one for the classes themselves, rather than for those that they are made from.
        nearest = min(fitting, key=lambda pair: (type(p).mro().index(pair[0]), type(q).mro().index(pair[1])))
        return _KNOWN[nearest](p, q)
    raise ArgumentError(
        f"there is no kl_divergence of {type(p).__name__} and {type(q).__name__}: take the mean of "
        f"p.log_prob(x) - q.log_prob(x) over samples x of p."
    )


def register_kl(type_p: type, type_q: type) -> Callable[[Any], Any]:
    """Return a decorator of the function that computes `kl_divergence` of distributions of these classes.

    >>> import stepgrad as sg
    >>> class Coin(sg.distributions.Bernoulli):
    ...     pass
    >>> @register_kl(Coin, Coin)
    ... def between_coins(p, q):
    ...     return abs(p.probs - q.probs)
    >>> sg.distributions.kl_divergence(Coin(sg.tensor(0.5)), Coin(sg.tensor(0.75)))
    tensor(0.2500)
    """

    def registered(function: Callable[[Any, Any], Tensor]) -> Callable[[Any, Any], Tensor]:
        _KNOWN[type_p, type_q] = function
        return function

    return registered


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


def _laplace(p: Any, q: Any) -> Tensor:
    ratio, apart = p.scale / q.scale, (p.loc - q.loc).abs()
    return -ratio.log() + apart / q.scale + ratio * (-apart / p.scale).exp() - 1


def _gamma(p: Any, q: Any) -> Tensor:
    a, b = p.concentration, q.concentration
    grown = b * (p.rate / q.rate).log() + b.lgamma() - a.lgamma()
    return grown + (a - b) * a.digamma() + (q.rate - p.rate) * (a / p.rate)


def _dirichlet(p: Any, q: Any) -> Tensor:
    a, b = p.concentration, q.concentration
    total = a.sum(-1)
    mean = a.digamma() - total.digamma().unsqueeze(-1)
    return total.lgamma() - b.sum(-1).lgamma() - (a.lgamma() - b.lgamma() - (a - b) * mean).sum(-1)


def _poisson(p: Any, q: Any) -> Tensor:
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


def _geometric(p: Any, q: Any) -> Tensor:
    return -p.entropy() - (-q.probs).log1p() / p.probs - q.logits


def _multivariate(p: Any, q: Any) -> Tensor:
    spread = (solved(q.scale_tril, p.scale_tril) ** 2).sum((-2, -1))
    apart = (solved(q.scale_tril, (q.loc - p.loc).unsqueeze(-1)) ** 2).sum((-2, -1))
    return q.half_log_det() - p.half_log_det() + 0.5 * (spread + apart - p.event_shape[0])


def _transformed(p: Any, q: Any) -> Tensor:
    ways = [[(type(t), {**vars(t), "_last": 0}) for t in each.transforms] for each in (p, q)]
    if ways[0] != ways[1]:
        raise ArgumentError("kl_divergence of two transformed distributions needs the same transforms.")
    return kl_divergence(p.base_dist, q.base_dist)


_KNOWN: dict[tuple[type, type], Callable[[Any, Any], Tensor]] = {
    (kind, kind): function
    for kind, function in {
        Normal: _normal, Uniform: _uniform, Exponential: _exponential, Bernoulli: _bernoulli,
        Categorical: _categorical, Independent: _independent, Laplace: _laplace, Gamma: _gamma,
        Dirichlet: _dirichlet, Beta: lambda p, q: _dirichlet(p._both, q._both), Poisson: _poisson,
        Geometric: _geometric, MultivariateNormal: _multivariate, OneHotCategorical: _categorical,
        TransformedDistribution: _transformed,
    }.items()
}  # fmt: skip
