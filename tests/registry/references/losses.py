"""References of losses."""

import math
from collections.abc import Callable
from typing import Any

import numpy
import scipy.special

from tests.registry.references.filing import REFERENCES, Array, each, reference


def loss(name: str, function: Callable[..., float]) -> None:
    """File a function of Python numbers as a loss with a `reduction`."""
    each(name, function)
    elementwise = REFERENCES[name]

    def reduced(*inputs: Array, reduction: str, **attrs: Any) -> Array:
        losses = elementwise(*(numpy.array(1.0) if x is None else x for x in inputs), **attrs)
        return {"none": losses, "sum": losses.sum(), "mean": losses.mean()}[reduction]

    REFERENCES[name] = reduced


def huber(x: float, t: float, delta: float) -> float:
    d = abs(x - t)
    return d * d / 2 if d <= delta else delta * (d - delta / 2)


def logits(x: float, t: float, weight: float, pos_weight: float) -> float:
    p = scipy.special.expit(x)
    return -weight * (pos_weight * t * math.log(p) + (1 - t) * math.log(1 - p))


loss("mse_loss", lambda x, t: (x - t) ** 2)
loss("l1_loss", lambda x, t: abs(x - t))
loss("huber_loss", huber)
loss("smooth_l1_loss", lambda x, t, beta: huber(x, t, beta) / beta)
loss("binary_cross_entropy", lambda p, t, w: -w * (t * math.log(p) + (1 - t) * math.log(1 - p)))
loss("binary_cross_entropy_with_logits", logits)


@reference
def nll_loss(x: Array, target: Array, weight: Array, *, ignore_index: int, reduction: str) -> Array:
    return cross_entropy(x, target, weight, ignore_index=ignore_index, reduction=reduction, of_logits=False)


@reference
def cross_entropy(
    x: Array,
    target: Array,
    weight: Array,
    *,
    ignore_index: int,
    reduction: str,
    label_smoothing: float = 0.0,
    of_logits: bool = True,
) -> Array:
    classes = x.shape[1]
    weight = numpy.ones(classes) if weight is None else weight
    losses, weights = [], []
    for row, t in zip(x, target.tolist()):
        logs = scipy.special.log_softmax(row) if of_logits else row
        smooth = label_smoothing / classes * math.fsum(weight * logs)
        counts = t != ignore_index
        losses.append(-(1 - label_smoothing) * weight[t] * logs[t] - smooth if counts else 0.0)
        weights.append(weight[t] if counts else 0.0)
    if reduction == "none":
        return numpy.array(losses)
    return math.fsum(losses) / (math.fsum(weights) if reduction == "mean" else 1)


@reference
def cross_entropy_probabilities(
    x: Array, target: Array, weight: Array, *, reduction: str, label_smoothing: float
) -> Array:
    weight = numpy.ones(x.shape[1]) if weight is None else weight
    smooth = (1 - label_smoothing) * target + label_smoothing / x.shape[1]
    losses = numpy.array(
        [-math.fsum(weight * q * scipy.special.log_softmax(row)) for row, q in zip(x, smooth)]
    )
    return {"none": losses, "sum": losses.sum(), "mean": losses.mean()}[reduction]
