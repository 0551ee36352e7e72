"""Scores of predictions, with 95 % intervals."""

from __future__ import annotations

import math

import numpy

from stepgrad.arrays.random import stream
from stepgrad.train import metrics
from stepgrad.train.table.result import Score

_Z = 1.959963984540054  # 97.5 % of a standard normal distribution lies below
_RESAMPLES = 2000
_GROUPS = 2000
_FEWEST_FOR_INTERVAL = 5  # rows; so few hardly differ when they are drawn again
_SMALLEST = 1e-15  # what a probability counts as if it is less, so that a cross entropy stays finite


def wilson_interval(right: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share, `right` of `count` (Wilson, 1927).

    >>> [round(x, 3) for x in wilson_interval(9, 10)]
    [0.596, 0.982]
    >>> wilson_interval(60, 60)[1]
    1.0
    """
    share, z2 = right / count, _Z * _Z / count
    centre = share + z2 / 2
    reach = math.sqrt(z2 * (share * (1 - share) + z2 / 4))
    # All or none of them right: the end is exact, which rounding would miss.
    low = (centre - reach) / (1 + z2) if right else 0.0
    high = (centre + reach) / (1 + z2) if right < count else 1.0
    return low, high


def class_scores(probabilities: numpy.ndarray, codes: numpy.ndarray) -> dict[str, Score]:
    """Return the scores of `probabilities` (N, C), given the right classes `codes` (N,), N at least 1.

    "accuracy" with Wilson's interval; "loss", the mean cross entropy in nats; "roc_auc" for two classes, "f1"
    (the mean over the classes) for more. The code -1 stands for a class that the model does not know: such a
    row counts as wrong, and the other scores leave it out. A score that does not exist, such as a "roc_auc"
    of one class, is left out.
    """
    predicted = probabilities.argmax(axis=1)
    right = int((predicted == codes).sum())
    scores = {"accuracy": Score(right / len(codes), *wilson_interval(right, len(codes)), "Wilson")}
    known = codes >= 0
    probabilities, predicted, codes = probabilities[known], predicted[known], codes[known]
    if not len(codes):
        return scores
    scores["loss"] = Score(cross_entropy(probabilities, codes))
    if probabilities.shape[1] > 2:
        scores["f1"] = Score(metrics.f1(predicted, codes, "macro"))
    elif codes.min() != codes.max():
        scores["roc_auc"] = Score(metrics.roc_auc(probabilities[:, 1], codes))
    return scores


def cross_entropy(probabilities: numpy.ndarray, codes: numpy.ndarray) -> float:
    """Return the mean of -log p in nats, p being the probabilities of the right classes.

    >>> round(cross_entropy(numpy.array([[0.5, 0.5]]), numpy.array([1])), 4)
    0.6931
    """
    right = numpy.take_along_axis(probabilities, codes[:, None], axis=1)
    return float(-numpy.log(numpy.maximum(right, _SMALLEST)).mean())


def number_scores(values: numpy.ndarray, actual: numpy.ndarray, seed: int) -> dict[str, Score]:
    """Return "rmse", "mae" and "r2" of predicted `values` (N,), given the right numbers `actual` (N,), N at
    least 1.

    Intervals are percentiles of 2,000 bootstrap samples of rows (Efron, 1979), drawn with `seed`; of more
    than 2,000 rows, samples of 2,000 random groups of them. Fewer than 5 rows have none, and one row has no
    "r2".
    """
    error, centred = values - actual, actual - actual.mean()
    # The scores of any rows are functions of sums of these: 1, e², |e|, t, t².
    terms = numpy.stack([numpy.ones_like(error), error**2, abs(error), centred, centred**2], axis=1)
    found: dict[str, float | None] = {k: float(v) for k, v in _from_sums(terms.sum(axis=0)).items()}
    if len(terms) == 1:
        found["r2"] = None
    if len(terms) < _FEWEST_FOR_INTERVAL:
        return {name: Score(value, None, None, "bootstrap") for name, value in found.items()}
    samples = _from_sums(_resampled(terms, seed).T)
    scores = {}
    for name, value in found.items():
        low, high = numpy.quantile(samples[name], [0.025, 0.975]).tolist()
        scores[name] = Score(value, low, high, "bootstrap")
    return scores


def _from_sums(sums: numpy.ndarray) -> dict[str, numpy.ndarray]:
    """Return the scores from the sums over rows of 1, e², |e|, t, t², along the first axis."""
    count, squares, absolutes, first, second = sums
    spread = second - first * first / count
    # Rows that are all alike have no spread to explain: 1 if all are hit, else 0, as in `metrics.r2`.
    some = spread > 1e-12 * second
    r2 = numpy.where(some, 1 - squares / numpy.where(some, spread, 1.0), squares == 0)
    return {"rmse": numpy.sqrt(squares / count), "mae": absolutes / count, "r2": r2}


def _resampled(terms: numpy.ndarray, seed: int) -> numpy.ndarray:
    """Return the sums (resamples, T) of bootstrap samples of the rows of `terms` (N, T)."""
    random = stream(seed, "bootstrap")
    groups = min(len(terms), _GROUPS)
    shuffled = terms[random.permutation(len(terms))]
    starts = numpy.arange(groups) * len(terms) // groups
    sums = numpy.add.reduceat(shuffled, starts, axis=0)
    chosen = random.integers(0, groups, (_RESAMPLES, groups))
    chosen += numpy.arange(_RESAMPLES)[:, None] * groups
    times = numpy.bincount(chosen.reshape(-1), minlength=_RESAMPLES * groups).reshape(_RESAMPLES, groups)
    return times @ sums
