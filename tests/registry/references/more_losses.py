"""References of losses with margins and of likelihoods, and of distances: element by element, row by row."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy
import scipy.spatial.distance
import scipy.special

from tests.registry.references.filing import REFERENCES, Array, reference
from tests.registry.references.losses import loss


def rows(name: str, function: Callable[..., float]) -> None:
    """File a function of a row of each input, and the attributes, as a loss with a `reduction`."""

    def reduced(*inputs: Array, reduction: str, **attrs: Any) -> Array:
        losses = numpy.array(
            [function(*(None if x is None else x[i] for x in inputs), **attrs) for i in range(len(inputs[0]))]
        )
        return {"none": losses, "sum": losses.sum(), "mean": losses.mean()}[reduction]

    REFERENCES[name] = reduced


def hinge_embedding(x: float, t: float, margin: float) -> float:
    return (x if t != -1 else 0) + (max(0, margin - x) if t != 1 else 0)


def poisson(x: float, t: float, log_input: bool, full: bool, eps: float) -> float:
    rate, log_rate = (math.exp(x), x) if log_input else (x, math.log(x + eps))
    factorial = t * math.log(t) - t + math.log(2 * math.pi * t) / 2 if full and t > 1 else 0
    return rate - t * log_rate + factorial


def gaussian(x: float, t: float, var: float, full: bool, eps: float) -> float:
    density = math.log(max(var, eps)) / 2 + (x - t) ** 2 / max(var, eps) / 2
    return density + (math.log(2 * math.pi) / 2 if full else 0)


def divergence(x: float, t: float, log_target: bool) -> float:
    return math.exp(t) * (t - x) if log_target else scipy.special.xlogy(t, t) - t * x


loss("soft_margin_loss", lambda x, t: math.log(1 + math.exp(-t * x)))
loss("hinge_embedding_loss", hinge_embedding)
loss("margin_ranking_loss", lambda a, b, t, margin: max(0, margin - t * (a - b)))
loss("poisson_nll_loss", poisson)
loss("gaussian_nll_loss", gaussian)
loss("kl_div", divergence)


@reference
def multi_margin_loss(
    x: Array, target: Array, weight: Array, *, p: int, margin: float, reduction: str
) -> Array:
    losses = []
    for row, t in zip(x.tolist(), target.tolist()):
        terms = [max(0, margin - row[t] + v) ** p for c, v in enumerate(row) if c != t]
        losses.append(math.fsum(terms) / len(row) * (1 if weight is None else weight[t]))
    return {"none": numpy.array(losses), "sum": sum(losses), "mean": sum(losses) / len(losses)}[reduction]


def multilabel_margin(row: Array, target: Array) -> float:
    right = list(itertools.takewhile(lambda t: t >= 0, target.tolist()))
    wrong = [c for c in range(len(row)) if c not in right]
    return math.fsum(max(0, 1 - row[t] + row[c]) for t in right for c in wrong) / len(row)


rows("multilabel_margin_loss", multilabel_margin)


@reference
def multilabel_soft_margin_loss(x: Array, target: Array, weight: Array, *, reduction: str) -> Array:
    log_p, log_q = scipy.special.log_expit(x), scipy.special.log_expit(-x)
    losses = (-(target * log_p + (1 - target) * log_q) * (1 if weight is None else weight)).mean(-1)
    return {"none": losses, "sum": losses.sum(), "mean": losses.mean()}[reduction]


def cosine_embedding(a: Array, b: Array, t: float, margin: float) -> float:
    cosine = 1 - scipy.spatial.distance.cosine(a, b)
    return 1 - cosine if t == 1 else max(0, cosine - margin) if t == -1 else 0.0


rows("cosine_embedding_loss", cosine_embedding)


@reference
def cosine_similarity(a: Array, b: Array, *, dim: int, eps: float) -> Array:
    a, b = (numpy.moveaxis(x, dim, -1) for x in numpy.broadcast_arrays(a, b))
    return numpy.array(
        [1 - scipy.spatial.distance.cosine(a[place], b[place]) for place in numpy.ndindex(a.shape[:-1])]
    ).reshape(a.shape[:-1])


@reference
def pairwise_distance(a: Array, b: Array, *, p: float, eps: float, keepdim: bool) -> Array:
    return numpy.linalg.norm(a - b + eps, ord=p, axis=-1, keepdims=keepdim)


def triplet(anchor: Array, near: Array, far: Array, margin: float, swap: bool, p: float, eps: float) -> float:
    def distance(x: Array, y: Array) -> float:
        return float(numpy.linalg.norm(x - y + eps, ord=p))

    least = min(distance(anchor, far), distance(near, far)) if swap else distance(anchor, far)
    return max(0, margin + distance(anchor, near) - least)


rows("triplet_margin_loss", triplet)


def read(path: tuple[int, ...], blank: int) -> list[int]:
    """What is read off a sequence of classes: repeats count once, and blanks not at all."""
    return [c for c, _ in itertools.groupby(path) if c != blank]


@reference
def ctc_loss(
    x: Array,
    target: Array,
    lengths: Array,
    target_lengths: Array,
    *,
    blank: int,
    zero_infinity: bool,
    reduction: str,
) -> Array:
    """Every path of every sequence is looked at."""
    losses = []
    for i, (steps, count) in enumerate(zip(lengths.tolist(), target_lengths.tolist())):
        wanted = target[i, :count].tolist()
        paths = itertools.product(range(x.shape[2]), repeat=steps)
        p = math.fsum(
            math.exp(math.fsum(x[t, i, c] for t, c in enumerate(path)))
            for path in paths
            if read(path, blank) == wanted
        )
        losses.append(-math.log(p) if p else 0.0 if zero_infinity else math.inf)
    if reduction == "mean":
        losses = [loss / max(n, 1) for loss, n in zip(losses, target_lengths.tolist())]
    result = numpy.array(losses)
    return {"none": result, "sum": result.sum(), "mean": result.mean()}[reduction]
