"""Measures of predictions, as numbers in float64.

Inputs are NumPy arrays, Tensors or sequences; classes are integers 0, 1, …; shapes must agree. Each
function raises `ShapeError` if they do not, and `DataError` where a measure has no value, such as the AUC
of one class.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from stepgrad.errors import ArgumentError, DataError, ShapeError


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
    return float((p == t).mean())


def confusion_matrix(predicted: Any, target: Any, classes: int | None = None) -> numpy.ndarray:
    """Return an int64 matrix: row the true class, column the predicted one.

    >>> confusion_matrix([0, 1, 1], [0, 0, 1]).tolist()
    [[1, 1], [0, 1]]
    """
    p, t = (x.astype("int64") for x in _pair("confusion_matrix", predicted, target))
    if min(p.min(), t.min()) < 0:
        raise DataError("classes are numbered from 0; a negative one was given.")
    n = int(max(p.max(), t.max())) + 1
    if classes is not None and classes < n:
        raise ArgumentError(f"confusion_matrix of {classes} classes met class {n - 1}.")
    n = classes or n
    return numpy.bincount(t * n + p, minlength=n * n).reshape(n, n)


def _per_class(predicted: Any, target: Any) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    """Return, for each class, how often it was hit, predicted, and true."""
    matrix = confusion_matrix(predicted, target)
    return numpy.diag(matrix), matrix.sum(axis=0), matrix.sum(axis=1)


def _averaged(top: Any, bottom: Any, true: Any, average: str) -> float:
    # A class that was never predicted (or is never true) scores 0, as in scikit-learn.
    scores = numpy.divide(top, bottom, out=numpy.zeros(len(true)), where=bottom != 0)
    if average == "binary":
        if len(true) > 2:
            raise ArgumentError(f"{len(true)} classes need average='macro', 'weighted' or 'micro'.")
        return float(scores[1]) if len(true) == 2 else 0.0
    if average == "micro":
        return float(top.sum() / bottom.sum()) if bottom.sum() else 0.0
    present = bottom + true > 0
    if average == "macro":
        return float(scores[present].mean())
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
    return _averaged(hit, guessed, true, average)


def recall(predicted: Any, target: Any, average: str = "binary") -> float:
    """Return how many of a class were found."""
    hit, _, true = _per_class(predicted, target)
    return _averaged(hit, true, true, average)


def f1(predicted: Any, target: Any, average: str = "binary") -> float:
    """Return the harmonic mean of precision and recall."""
    hit, guessed, true = _per_class(predicted, target)
    return _averaged(2 * hit, guessed + true, true, average)


def roc_auc(scores: Any, target: Any) -> float:
    """Return the area under the ROC curve: the chance that a positive row scores above a negative one
    (ties count ½).

    Computed from ranks (Hanley and McNeil, 1982). `target`: 0 or 1. Raises `DataError` if one class is
    missing.

    >>> roc_auc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    0.75
    """
    s, t = _pair("roc_auc", scores, target)
    positive = t.astype(bool)
    n, m = int(positive.sum()), int((~positive).sum())
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
    return (y.reshape(len(y)) > threshold).astype("int64")


def _of_labels(measure: Callable[[Any, Any], float]) -> Callable[[Any, Any, float], float]:
    def measured(outputs: Any, targets: Any, threshold: float) -> float:
        return measure(labels_of(outputs, threshold), _array(targets).reshape(len(targets)))

    return measured


def _of_values(measure: Callable[[Any, Any], float]) -> Callable[[Any, Any, float], float]:
    return lambda outputs, targets, threshold: measure(outputs, targets)


# What a Trainer knows by name: functions of (outputs, targets, threshold between the classes 0 and 1).
NAMED: dict[str, Callable[[Any, Any, float], float]] = {
    "accuracy": _of_labels(accuracy),
    "f1": _of_labels(lambda p, t: f1(p, t, "macro")),
    "roc_auc": _of_values(roc_auc),
    "rmse": _of_values(rmse),
    "mae": _of_values(mae),
    "r2": _of_values(r2),
}
