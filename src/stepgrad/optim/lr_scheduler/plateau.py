"""`ReduceLROnPlateau`: a schedule that looks at a measured quantity."""

from __future__ import annotations

import math
from typing import Any

from stepgrad.autograd.recording import hides_values
from stepgrad.errors import CaptureError
from stepgrad.optim.limits import COUNT, FRACTION, NOT_NEGATIVE, Limit, number_of
from stepgrad.optim.lr_scheduler.base import LRScheduler, for_each_group, groups_of, of_group
from stepgrad.optim.optimizer import Optimizer


class ReduceLROnPlateau(LRScheduler):
    """The rate times `factor` when a measured quantity has not become better for more than `patience` steps.

    Arguments:

    * `mode`: "min" if smaller is better, "max" if larger is.
    * `factor` in [0, 1), `patience`: how many steps without improvement are borne.
    * `threshold`, `threshold_mode`: what counts as better than the best so far: by more than ``best ·
      threshold`` for "rel", by more than ``threshold`` for "abs".
    * `cooldown`: steps after a reduction during which nothing is counted.
    * `min_lr`: no rate becomes smaller; a number, or a list of one per group. `eps`: changes up to it are
      not made.

    A NaN is no improvement. Raises `ArgumentError` for an argument out of its range.

    >>> import stepgrad as sg
    >>> optimizer = sg.optim.SGD([sg.zeros(2, requires_grad=True)], lr=1.0)
    >>> schedule = sg.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    >>> for loss in (1.0, 1.1, 1.2):
    ...     schedule.step(loss)
    >>> schedule.get_last_lr()
    [0.5]
    """

    unsaved = ("optimizer", "base_lrs")

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | list[float] = 0.0,
        eps: float = 1e-8,
    ) -> None:
        owner = "ReduceLROnPlateau"
        Limit("'min' or 'max'", lambda x: x in ("min", "max")).check(owner, "mode", mode)
        Limit("'rel' or 'abs'", lambda x: x in ("rel", "abs")).check(owner, "threshold_mode", threshold_mode)
        FRACTION.check(owner, "factor", factor)
        for name, value in (("threshold", threshold), ("eps", eps)):
            NOT_NEGATIVE.check(owner, name, value)
        for name, count in (("patience", patience), ("cooldown", cooldown)):
            COUNT.check(owner, name, count)
        groups = len(groups_of(optimizer, owner))
        self.min_lrs = for_each_group(min_lr, groups, NOT_NEGATIVE, owner, "min_lr")
        self.mode, self.factor, self.patience, self.cooldown = mode, factor, patience, cooldown
        self.threshold, self.threshold_mode, self.eps = threshold, threshold_mode, eps
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = self.cooldown_counter = 0
        super().__init__(optimizer)

    def step(self, metrics: Any) -> None:  # type: ignore[override]
        """Take in the quantity, a number or a Tensor of one element, and set the rate of each group."""
        if hides_values():
            raise CaptureError(
                "ReduceLROnPlateau looks at a measured value, which a compiled step does not have; call its "
                "step() outside."
            )
        metric = float(metrics)
        if self.is_better(metric, self.best):
            self.best, self.num_bad_epochs = metric, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        self._advance()
        if self.num_bad_epochs > self.patience:
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0

    def is_better(self, metric: float, best: float) -> bool:
        """Return whether `metric` is better than `best` by more than the threshold."""
        by = -self.threshold if self.mode == "min" else self.threshold
        bar = best * (1 + by) if self.threshold_mode == "rel" else best + by
        return metric < bar if self.mode == "min" else metric > bar

    def get_lr(self) -> list[float]:
        """Return the rates as they are, or reduced if the patience is over."""
        rates = [number_of(group["lr"]) for group in self.optimizer.param_groups]
        if self.num_bad_epochs <= self.patience:
            return rates
        for i, lr in enumerate(rates):
            reduced = max(lr * self.factor, of_group(self.min_lrs, i, "ReduceLROnPlateau", "the min_lr"))
            if lr - reduced > self.eps:
                rates[i] = reduced
        return rates
