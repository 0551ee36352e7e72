"""Averages of weights over a training (`AveragedModel`, `update_bn`) and the schedule for it, `SWALR`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from stepgrad.errors import ArgumentError
from stepgrad.names import teller
from stepgrad.nn.averaging import (
    AveragedModel,
    get_ema_avg_fn,
    get_ema_multi_avg_fn,
    get_swa_avg_fn,
    get_swa_multi_avg_fn,
    update_bn,
)
from stepgrad.optim.limits import COUNT, NOT_NEGATIVE, number_of
from stepgrad.optim.lr_scheduler.base import LRScheduler, for_each_group, groups_of
from stepgrad.optim.optimizer import Optimizer


class SWALR(LRScheduler):
    """From the rate that there is to `swa_lr` over `anneal_epochs` steps, and then on with that.

    With α(t) = (1 − cos πt) / 2 ("cos") or t ("linear"), t the part of the steps that are done, the rate is
    α · swa_lr + (1 − α) · lr, lr being that from before, which other schedules may have set (Izmailov and
    others, 2018).

    Arguments: `swa_lr`: a number, or a list of one for each group; `anneal_epochs` ≥ 0, `anneal_strategy`,
    `last_epoch` as in `LRScheduler`. Raises `ArgumentError` for others.

    >>> import stepgrad as sg
    >>> optimizer = sg.optim.SGD([sg.zeros(2, requires_grad=True)], lr=1.0)
    >>> schedule = SWALR(optimizer, swa_lr=0.5, anneal_epochs=2, anneal_strategy="linear")
    >>> for _ in range(3):
    ...     optimizer.step()
    ...     schedule.step()
    ...     print(schedule.get_last_lr())
    [0.75]
    [0.5]
    [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float | list[float],
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ) -> None:
        groups = groups_of(optimizer, "SWALR")
        rates = for_each_group(swa_lr, len(groups), NOT_NEGATIVE, "SWALR", "swa_lr")
        if anneal_strategy not in ("cos", "linear"):
            raise ArgumentError(f"SWALR takes anneal_strategy as 'cos' or 'linear', not {anneal_strategy!r}.")
        COUNT.check("SWALR", "anneal_epochs", anneal_epochs)
        self.anneal_epochs, self._anneal_strategy = anneal_epochs, anneal_strategy
        for group, rate in zip(groups, rates):
            group["swa_lr"] = rate
        super().__init__(optimizer, last_epoch)

    def _part(self, step: int) -> float:
        """Return α after so many steps."""
        t = max(0.0, min(1.0, step / max(1, self.anneal_epochs)))
        return t if self._anneal_strategy == "linear" else (1 - math.cos(math.pi * t)) / 2

    def get_lr(self) -> list[float]:
        """Return the rates that belong to `last_epoch`, given those that the groups have from before."""
        step = self.last_epoch if self.anneal_epochs else max(1, self.last_epoch)
        before, now = self._part(step - 1), self._part(step)
        rates = []
        for group in self.optimizer.param_groups:
            goal: Any = group["swa_lr"]
            begun = goal if before == 1 else (number_of(group["lr"]) - before * goal) / (1 - before)
            rates.append(goal * now + begun * (1 - now))
        return rates


__all__ = [
    "SWALR", "AveragedModel", "get_ema_avg_fn", "get_ema_multi_avg_fn", "get_swa_avg_fn",
    "get_swa_multi_avg_fn", "update_bn",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__ = teller(__name__, globals())
