"""Over- and underfitting, from the two curves of a run."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy

from stepgrad.autograd.modes import enable_grad
from stepgrad.functions.creation import from_numpy, zeros
from stepgrad.optim.adam import Adam
from stepgrad.train.health.case import Case
from stepgrad.train.health.changes import Change
from stepgrad.train.health.findings import Finding

_LEAST_EPOCHS = 5
_RISE, _SMALL_RISE = 1.15, 1.05  # of the validation loss above its best; where the training loss is far below
_FLAT = 0.03  # a fall of the training loss, over the second half of the epochs, that is none
_HIGH = 0.3  # of the loss of the best constant answer
_BELOW = 0.6  # how far below the loss another network must get


def of_curves(history: Any, case: Case | None = None, restored: int = 0) -> Iterator[Finding]:
    """Yield what the curves of a run say.

    * `history`: the epochs, dicts with "loss" and perhaps "validation_loss".
    * `case`: with it, the loss is compared with that of the best constant answer, and underfitting is said
      where a change helps; without it, where the loss has hardly fallen.
    * `restored`: the epoch whose weights were put back at the end, 0 if none were.
    """
    epochs = [record for record in history if math.isfinite(record["loss"])]
    if len(epochs) < _LEAST_EPOCHS:
        return
    overfitting = _overfitting(epochs, restored, case)
    if overfitting is not None:
        yield overfitting
        return
    underfitting = _underfitting(epochs, case)
    if underfitting is not None:
        yield underfitting


def _overfitting(epochs: list[dict[str, Any]], restored: int, case: Case | None) -> Finding | None:
    pairs = [(r["loss"], v) for r in epochs if (v := r.get("validation_loss")) is not None]
    if len(pairs) < _LEAST_EPOCHS:
        return None
    best = min(range(len(pairs)), key=lambda i: _or_infinite(pairs[i][1]))
    (at_best, lowest), (at_last, last) = pairs[best], pairs[-1]
    smooth = float(numpy.median([v for _, v in pairs[-3:]]))
    rise = _RISE if at_last > last / 3 else _SMALL_RISE
    if restored or not smooth > rise * lowest or not at_last < 0.95 * at_best:
        return None
    numbers = {
        "best": lowest, "epoch": best + 1, "last": last, "epochs": len(pairs),
        "from_loss": at_best, "to_loss": at_last,
    }  # fmt: skip
    return Finding("overfitting", "", numbers, _stronger_decay(case))


def _stronger_decay(case: Case | None) -> Change | None:
    """Return a weight decay that is well above the one there is; None for an optimizer that has none."""
    if case is None or case.optimizer is None or "weight_decay" not in case.optimizer.param_groups[0]:
        return None
    group = case.optimizer.param_groups[0]
    # AdamW multiplies it by the learning rate, the others add it to the gradient.
    least = 1.0 if type(case.optimizer).__name__ == "AdamW" else 0.1
    return Change("decay", max(least, 10 * float(group["weight_decay"])))


def _or_infinite(value: float) -> float:
    return value if math.isfinite(value) else math.inf


def _underfitting(epochs: list[dict[str, Any]], case: Case | None) -> Finding | None:
    losses = [record["loss"] for record in epochs]
    few = max(1, len(losses) // 10)
    middle = len(losses) // 2
    before, now = (float(numpy.mean(part)) for part in (losses[middle : middle + few], losses[-few:]))
    validation = epochs[-1].get("validation_loss")
    apart = validation is not None and validation > 1.25 * now
    if before - now > _FLAT * before or apart:
        return None
    base = None if case is None else constant_loss(case)
    reference = max(losses) if base is None else base
    if now < _HIGH * reference:
        return None
    numbers = {"loss": now, "base": reference}
    if case is None:
        # Without data to try on, only a network that learned next to nothing is sure not to fit.
        is_bad = now > 0.9 * reference
        return Finding("underfitting", "", numbers, None, "underfitting_curves") if is_bad else None
    for easier in _easier(case):
        reached = _reached(easier.applied(case))
        if reached < _BELOW * now:
            return Finding("underfitting", "", {**numbers, "reached": reached}, easier)
    return None


def _easier(case: Case) -> Iterator[Change]:
    """Yield what may let a network follow its data, the simplest first."""
    groups = [] if case.optimizer is None else case.optimizer.param_groups
    if any(group.get("weight_decay") for group in groups):
        yield Change("no_decay")
    if any(getattr(m, "p", 0) and m._get_name() == "Dropout" for m in case.model.modules()):
        yield Change("no_dropout")
    if any(m._get_name() == "Linear" for m in case.model.modules()):
        yield Change("hidden", 64)


def _reached(case: Case, steps: int = 300) -> float:
    """Return the validation loss, or the training loss where there are no such rows, after some steps."""
    if case.train(steps) < steps:
        return math.inf
    return case.whole_loss() if case.validation is None else max(case.validation_loss(), case.whole_loss())


def constant_loss(case: Case) -> float | None:
    """Return the loss of the best answer that is the same for all rows; None if there is none of one shape.

    It is found by gradient descent (Adam) on that answer, so that it is known for any loss.
    """
    output = case.model(*case.inputs)
    if not output.ndim or output.shape[0] != case.rows:
        return None
    lone = replace(case, optimizer=None)
    answer = zeros(*output.shape[1:], dtype=output.dtype).requires_grad_()
    optimizer = Adam([answer], lr=0.1)
    ones = from_numpy(numpy.ones((case.rows, *(1 for _ in output.shape[1:])), output._array.dtype))
    lowest = math.inf
    with enable_grad(), numpy.errstate(all="ignore"):
        for _ in range(150):
            optimizer.zero_grad()
            loss = lone.loss(ones * answer, lone.target)
            if not math.isfinite(loss.item()):
                return None
            lowest = min(lowest, loss.item())
            loss.backward()
            optimizer.step()
    return lowest
