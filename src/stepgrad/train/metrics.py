"""Measures of predictions, as numbers in float64.

Inputs are NumPy arrays, Tensors or sequences; classes are integers 0, 1, …; shapes must agree. Each
function raises `ShapeError` if they do not, and `DataError` where a measure has no value, such as the AUC
of one class.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy

from stepgrad.errors import ArgumentError, DataError, ShapeError, suggest

Measure = Callable[[Any, Any], float]
NamedMeasure = Callable[[Any, Any, float], float]


def _array(x: Any) -> numpy.ndarray:
    if hasattr(x, "detach"):
        x = x.detach().cpu().numpy()
    return numpy.asarray(x)


def _pair(name: str, predicted: Any, target: Any) -> tuple[numpy.ndarray, numpy.ndarray]:
    p, t = _array(predicted), _array(target)
    if p.shape != t.shape:
        raise ShapeError(
            f"{name} compares shapes that are equal: predicted {list(p.shape)}, target {list(t.shape)}."
        )
    if not t.size:
        raise DataError(f"{name} of no rows does not exist.")
    return p.reshape(-1), t.reshape(-1)


def accuracy(predicted: Any, target: Any) -> float:
    """Return the share of predicted classes that are right.

    >>> accuracy([0, 1, 2, 2], [0, 1, 1, 2])
    0.75
    """
    p, t = _pair("accuracy", predicted, target)
    if t.dtype.kind == "f" and (t != numpy.round(t)).any():
        raise ArgumentError(
            "accuracy compares classes, which are whole numbers; for other numbers there is r2."
        )
    return float((p == t).mean())


def confusion_matrix(predicted: Any, target: Any, classes: int | None = None) -> numpy.ndarray:
    """Return an int64 matrix: row the true class, column the predicted one.

    >>> confusion_matrix([0, 1, 1], [0, 0, 1]).tolist()
    [[1, 1], [0, 1]]
    """
    p, t = (_classes(x) for x in _pair("confusion_matrix", predicted, target))
    n = int(max(p.max(), t.max())) + 1
    if classes is not None and classes < n:
        raise ArgumentError(f"confusion_matrix of {classes} classes met class {n - 1}.")
    n = classes or n
    return numpy.bincount(t * n + p, minlength=n * n).reshape(n, n)


def _classes(x: numpy.ndarray) -> numpy.ndarray:
    with numpy.errstate(invalid="ignore"):  # of a NaN
        classes = x.astype("int64")
    if (classes != x).any() or classes.min() < 0:
        raise DataError(f"classes are numbered 0, 1, …; {x[(classes != x) | (classes < 0)][0]} is no class.")
    return classes


def _per_class(predicted: Any, target: Any) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    """Return, for each class, how often it was hit, predicted, and true."""
    matrix = confusion_matrix(predicted, target)
    return numpy.diag(matrix), matrix.sum(axis=0), matrix.sum(axis=1)


def _averaged(top: Any, bottom: Any, guessed: Any, true: Any, average: str) -> float:
    """Return the quotient of `top` and `bottom`, both per class, as one number."""
    # A class that was never predicted (or is never true) scores 0, as in scikit-learn.
    scores = numpy.divide(top, bottom, out=numpy.zeros(len(true)), where=bottom != 0)
    if average == "binary":
        if len(true) > 2:
            raise ArgumentError(f"{len(true)} classes need average='macro', 'weighted' or 'micro'.")
        return float(scores[1]) if len(true) == 2 else 0.0
    if average == "micro":
        return float(top.sum() / bottom.sum()) if bottom.sum() else 0.0
    if average == "macro":
        return float(scores[guessed + true > 0].mean())
    if average == "weighted":
        return float((scores * true).sum() / true.sum())
    raise ArgumentError(f"average is 'binary', 'macro', 'weighted' or 'micro', not {average!r}.")


def precision(predicted: Any, target: Any, average: str = "binary") -> float:
    """Return how many of those predicted to be of a class are. `average`: "binary" (class 1), "macro",
    "weighted", "micro".

    >>> precision([1, 1, 0], [1, 0, 0])
    0.5
    """
    hit, guessed, true = _per_class(predicted, target)
    return _averaged(hit, guessed, guessed, true, average)


def recall(predicted: Any, target: Any, average: str = "binary") -> float:
    """Return how many of a class were found."""
    hit, guessed, true = _per_class(predicted, target)
    return _averaged(hit, true, guessed, true, average)


def f1(predicted: Any, target: Any, average: str = "binary") -> float:
    """Return the harmonic mean of precision and recall."""
    hit, guessed, true = _per_class(predicted, target)
    return _averaged(2 * hit, guessed + true, guessed, true, average)


def roc_auc(scores: Any, target: Any) -> float:
    """Return the area under the ROC curve: the chance that a positive row scores above a negative one
    (ties count ½).

    Computed from ranks (Hanley and McNeil, 1982). `target`: 0 or 1. Raises `DataError` if one class is
    missing.

    >>> roc_auc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    0.75
    """
    s, t = _pair("roc_auc", scores, target)
    positive = t == 1
    n, m = int(positive.sum()), int((t == 0).sum())
    if n + m != t.size or numpy.isnan(s).any():
        raise DataError("roc_auc takes targets that are 0 or 1, and scores that are numbers.")
    if not n or not m:
        raise DataError("roc_auc needs rows of both classes.")
    _, place, counts = numpy.unique(s, return_inverse=True, return_counts=True)
    last = numpy.cumsum(counts)
    ranks = (last - (counts - 1) / 2)[place]
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * m))


def top_k(scores: Any, target: Any, k: int = 5) -> float:
    """Return the share of rows whose true class is among the k highest of `scores` (N, C)."""
    s, t = _array(scores), _array(target).astype("int64")
    if s.ndim != 2 or t.shape != s.shape[:1]:
        raise ShapeError(
            f"top_k takes scores (N, C) and classes (N), not {list(s.shape)} and {list(t.shape)}."
        )
    if not t.size:
        raise DataError("top_k of no rows does not exist.")
    best = numpy.argsort(-s, axis=1, kind="stable")[:, :k]
    return float((best == t[:, None]).any(axis=1).mean())


def sse(predicted: Any, target: Any) -> float:
    """Return the sum of squared errors."""
    p, t = _pair("sse", predicted, target)
    return float(numpy.square(p.astype("float64") - t).sum())


def mse(predicted: Any, target: Any) -> float:
    """Return the mean squared error."""
    return sse(predicted, target) / _array(target).size


def rmse(predicted: Any, target: Any) -> float:
    """Return the root of the mean squared error, in the unit of the target.

    >>> rmse([-1.0, 1.0, -1.0, 1.0], [0.0, 0.0, 0.0, 0.0])
    1.0
    """
    return float(numpy.sqrt(mse(predicted, target)))


def error(predicted: Any, target: Any) -> float:
    """Return Σ (predicted − target), in which errors of opposite sign cancel.

    >>> error([-1, 1, -1, 1], [0, 0, 0, 0])
    0.0
    """
    p, t = _pair("error", predicted, target)
    return float((p.astype("float64") - t).sum())


def psnr(predicted: Any, target: Any, peak: float = 1.0) -> float:
    """Return the peak signal-to-noise ratio 10 log₁₀(peak² / MSE) in decibels; inf where nothing differs.

    `peak`: the largest value that a number can have, 255 for images of bytes.

    >>> psnr([0.5, 0.5], [0.6, 0.4])
    20.0
    """
    if not peak > 0:
        raise ArgumentError(f"psnr needs a peak above 0, not {peak}.")
    noise = mse(predicted, target)
    return 10 * math.log10(peak**2 / noise) if noise else math.inf


def mae(predicted: Any, target: Any) -> float:
    """Return the mean absolute error, in the unit of the target."""
    p, t = _pair("mae", predicted, target)
    return float(numpy.abs(p.astype("float64") - t).mean())


def r2(predicted: Any, target: Any) -> float:
    """Return 1 − SSE / Σ(t − mean t)²: the share of the variance that is explained. Of a constant target:
    1 or 0.
    """
    p, t = _pair("r2", predicted, target)
    t = t.astype("float64")
    total = float(numpy.square(t - t.mean()).sum())
    left = float(numpy.square(t - p).sum())
    return 1 - left / total if total else float(left == 0)


def labels_of(outputs: Any, threshold: float = 0.0) -> numpy.ndarray:
    """Return classes from a network's outputs: the largest of (N, C), or whether (N) or (N, 1) exceeds
    `threshold`.
    """
    y = _array(outputs)
    if y.ndim == 2 and y.shape[1] > 1:
        return y.argmax(axis=1)
    if y.size != len(y):
        raise ShapeError(f"classes are asked of outputs (N, C), (N, 1) or (N), not of shape {list(y.shape)}.")
    return (y.reshape(len(y)) > threshold).astype("int64")


def scores_of(outputs: Any) -> numpy.ndarray:
    """Return how much a network's outputs speak for class 1: (N), (N, 1), or (N, 2), of which the difference
    is taken.

    Raises `ShapeError` for more classes.
    """
    y = _array(outputs)
    if y.ndim == 2 and y.shape[1] == 2:
        return y[:, 1].astype("float64") - y[:, 0]
    if y.size != len(y):
        raise ShapeError(f"a score for one of two classes is asked of outputs of shape {list(y.shape)}.")
    return y.reshape(len(y))


def _column(targets: Any) -> numpy.ndarray:
    t = _array(targets)
    if t.size != len(t):
        raise ShapeError(f"one class for each row is asked of targets of shape {list(t.shape)}.")
    return t.reshape(len(t))


def _of_labels(measure: Measure) -> NamedMeasure:
    return lambda outputs, targets, threshold: measure(labels_of(outputs, threshold), _column(targets))


def _of_scores(measure: Measure) -> NamedMeasure:
    return lambda outputs, targets, threshold: measure(scores_of(outputs), _column(targets))


def _of_values(measure: Measure) -> NamedMeasure:
    return lambda outputs, targets, threshold: measure(outputs, targets)


def _of_classes(measure: Callable[[Any, Any, str], float]) -> NamedMeasure:
    """Return a measure of class 1 where there are two classes, else the mean over classes."""

    def measured(predicted: numpy.ndarray, target: numpy.ndarray) -> float:
        has_two = max(predicted.max(), target.max()) <= 1
        return measure(predicted, target, "binary" if has_two else "macro")

    return _of_labels(measured)


# What a Trainer knows by name: functions of (outputs, targets, threshold between the classes 0 and 1).
NAMED: dict[str, NamedMeasure] = {
    "accuracy": _of_labels(accuracy),
    "precision": _of_classes(precision),
    "recall": _of_classes(recall),
    "f1": _of_classes(f1),
    "roc_auc": _of_scores(roc_auc),
    "top_5": _of_values(top_k),
    "r2": _of_values(r2),
    "rmse": _of_values(rmse),
    "mae": _of_values(mae),
    "mse": _of_values(mse),
    "sse": _of_values(sse),
    "psnr": _of_values(psnr),
}

SMALLER_IS_BETTER = ("loss", "rmse", "mae", "mse", "sse")


def named(name: str, threshold: float = 0.0) -> Callable[[Any, Any], float]:
    """Return the measure of that name as a function of a network's outputs and the targets.

    Known are those of `NAMED`; "top_5" also with any other number. Classes are predicted as `labels_of`
    says. "precision", "recall" and "f1" are those of class 1 where there are two classes, else the mean over
    classes. Raises `ArgumentError` for another name.

    >>> named("accuracy")([[-1.0], [2.0]], [[0.0], [1.0]])
    1.0
    >>> named("top_2")([[0.1, 0.7, 0.2]], [2])
    1.0
    """
    if match := re.fullmatch(r"top_([1-9]\d*)", str(name)):
        k = int(match[1])
        return lambda outputs, targets: top_k(outputs, targets, k)
    if name not in NAMED:
        raise ArgumentError(
            f"there is no metric {name!r}; known: {', '.join(NAMED)}.{suggest(str(name), NAMED)}"
        )
    measure = NAMED[name]
    return lambda outputs, targets: measure(outputs, targets, threshold)
