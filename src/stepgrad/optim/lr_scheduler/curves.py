"""Schedules that are functions of the step number."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable
from typing import Any

from stepgrad.errors import ArgumentError
from stepgrad.optim.limits import (
    COUNT,
    NOT_NEGATIVE,
    PART,
    POSITIVE,
    POSITIVE_COUNT,
    POSITIVE_PART,
    number_of,
    plain,
)
from stepgrad.optim.lr_scheduler.base import LRScheduler, groups_of, of_group
from stepgrad.optim.optimizer import Optimizer


class LambdaLR(LRScheduler):
    """The initial rate times a function of the step: lrₜ = lr₀ · f(t).

    Arguments: `lr_lambda` is a function from the step number to a factor, or a list of one per group;
    `last_epoch` as in `LRScheduler`. It sets the rate, whatever other schedules did. The functions are no
    part of the state.

    >>> import stepgrad as sg
    >>> optimizer = sg.optim.SGD([sg.zeros(2, requires_grad=True)], lr=1.0)
    >>> schedule = sg.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step))
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.5]
    """

    absolute = True
    unsaved = ("optimizer", "lr_lambdas")

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Iterable[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        owner = type(self).__name__
        groups = len(groups_of(optimizer, owner))
        functions = [lr_lambda] * groups if callable(lr_lambda) else lr_lambda
        self.lr_lambdas: list[Any] = list(functions) if isinstance(functions, Iterable) else []
        if len(self.lr_lambdas) != groups or not all(map(callable, self.lr_lambdas)):
            raise ArgumentError(f"{owner} needs one function, or a list of {groups}, one for each group.")
        super().__init__(optimizer, last_epoch)

    def factor(self, step: int, i: int) -> float:
        """Return f(step) for group i."""
        return of_group(self.lr_lambdas, i, type(self).__name__, "the functions")(step)

    def lr_at(self, step: int, i: int) -> float:
        """Return lr₀ · f(step)."""
        return self.base_lrs[i] * self.factor(step, i)


class MultiplicativeLR(LambdaLR):
    """The rate times a function of the step, at every step: lrₜ = lrₜ₋₁ · f(t).

    Arguments: `lr_lambda` is a function from the step number, 1 at first, to a factor, or a list of one per
    group; `last_epoch` as in `LRScheduler`. The functions are no part of the state.

    >>> import stepgrad as sg
    >>> optimizer = sg.optim.SGD([sg.zeros(2, requires_grad=True)], lr=1.0)
    >>> schedule = sg.optim.lr_scheduler.MultiplicativeLR(optimizer, lambda step: 0.5)
    >>> [schedule.lr_at(t, 0) for t in range(4)]
    [1.0, 0.5, 0.25, 0.125]
    """

    absolute = False

    def lr_at(self, step: int, i: int) -> float:
        """Return lr₀ · f(1) · … · f(step)."""
        return self.base_lrs[i] * math.prod(self.factor(t, i) for t in range(1, step + 1))

    def get_lr(self) -> list[float]:
        """Return the rates that belong to `last_epoch`, given those that the groups have from before."""
        rates = [number_of(group["lr"]) for group in self.optimizer.param_groups]
        return [lr * self.factor(self.last_epoch, i) if self.last_epoch else lr for i, lr in enumerate(rates)]

    def restart(self) -> None:
        """Count from 0 again. The rate goes on from where it is, times f(0), as in PyTorch."""
        self.last_epoch = 0
        rates = [number_of(group["lr"]) for group in self.optimizer.param_groups]
        self._set([lr * self.factor(0, i) for i, lr in enumerate(rates)])


class StepLR(LRScheduler):
    """The rate times γ every `step_size` steps: lrₜ = lr₀ · γ^⌊t / step_size⌋.

    Arguments: `step_size` ≥ 1, `gamma` (γ) ≥ 0, `last_epoch` as in `LRScheduler`.

    >>> import stepgrad as sg
    >>> optimizer = sg.optim.SGD([sg.zeros(2, requires_grad=True)], lr=1.0)
    >>> schedule = sg.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
    >>> [schedule.lr_at(t, 0) for t in range(5)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        POSITIVE_COUNT.check("StepLR", "step_size", step_size)
        NOT_NEGATIVE.check("StepLR", "gamma", gamma)
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def lr_at(self, step: int, i: int) -> float:
        """Return lr₀ · γ^⌊step / step_size⌋."""
        return self.base_lrs[i] * self.gamma ** (step // self.step_size)


class MultiStepLR(LRScheduler):
    """The rate times γ at each milestone: lrₜ = lr₀ · γ^(number of milestones ≤ t).

    Arguments: `milestones` (step numbers), `gamma` (γ) ≥ 0, `last_epoch` as in `LRScheduler`.

    >>> import stepgrad as sg
    >>> optimizer = sg.optim.SGD([sg.zeros(2, requires_grad=True)], lr=1.0)
    >>> schedule = sg.optim.lr_scheduler.MultiStepLR(optimizer, [1, 3], gamma=0.5)
    >>> [schedule.lr_at(t, 0) for t in range(5)]
    [1.0, 0.5, 0.5, 0.25, 0.25]
    """

    def __init__(
        self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.milestones = sorted(plain(list(milestones)))
        for milestone in self.milestones:
            COUNT.check("MultiStepLR", "a milestone", milestone)
        NOT_NEGATIVE.check("MultiStepLR", "gamma", gamma)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def lr_at(self, step: int, i: int) -> float:
        """Return lr₀ · γ^(number of milestones ≤ step)."""
        return self.base_lrs[i] * self.gamma ** bisect_right(self.milestones, step)


class ExponentialLR(LRScheduler):
    """The rate times γ at every step: lrₜ = lr₀ · γᵗ.

    Arguments: `gamma` (γ) > 0, `last_epoch` as in `LRScheduler`.

    >>> import stepgrad as sg
    >>> optimizer = sg.optim.SGD([sg.zeros(2, requires_grad=True)], lr=1.0)
    >>> schedule = sg.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    >>> [schedule.lr_at(t, 0) for t in range(4)]
    [1.0, 0.5, 0.25, 0.125]
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        POSITIVE.check("ExponentialLR", "gamma", gamma)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def lr_at(self, step: int, i: int) -> float:
        """Return lr₀ · γ^step."""
        return self.base_lrs[i] * self.gamma**step


class ConstantLR(LRScheduler):
    """The rate times a factor for some steps, and then without: lrₜ = lr₀ · factor while t < total_iters.

    Arguments: `factor` in [0, 1], `total_iters` ≥ 0, `last_epoch` as in `LRScheduler`.

    >>> import stepgrad as sg
    >>> optimizer = sg.optim.SGD([sg.zeros(2, requires_grad=True)], lr=1.0)
    >>> schedule = sg.optim.lr_scheduler.ConstantLR(optimizer, factor=0.5, total_iters=2)
    >>> [schedule.lr_at(t, 0) for t in range(4)]
    [0.5, 0.5, 1.0, 1.0]
    """

    def __init__(
        self, optimizer: Optimizer, factor: float = 1 / 3, total_iters: int = 5, last_epoch: int = -1
    ) -> None:
        PART.check("ConstantLR", "factor", factor)
        COUNT.check("ConstantLR", "total_iters", total_iters)
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def lr_at(self, step: int, i: int) -> float:
        """Return lr₀ times the factor while step < total_iters."""
        return self.base_lrs[i] * (self.factor if step < self.total_iters else 1.0)


class PolynomialLR(LRScheduler):
    """Down to 0 along a power: lrₜ = lr₀ · (1 − min(t, total_iters) / total_iters)^power.

    Arguments: `total_iters` ≥ 1, `power` > 0, `last_epoch` as in `LRScheduler`.

    >>> import stepgrad as sg
    >>> optimizer = sg.optim.SGD([sg.zeros(2, requires_grad=True)], lr=1.0)
    >>> schedule = sg.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=4, power=2)
    >>> [schedule.lr_at(t, 0) for t in range(5)]
    [1.0, 0.5625, 0.25, 0.0625, 0.0]
    """

    def __init__(
        self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1
    ) -> None:
        POSITIVE_COUNT.check("PolynomialLR", "total_iters", total_iters)
        POSITIVE.check("PolynomialLR", "power", power)
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def lr_at(self, step: int, i: int) -> float:
        """Return lr₀ · (1 − step / total_iters)^power, 0 from total_iters on."""
        return self.base_lrs[i] * (1 - min(step, self.total_iters) / self.total_iters) ** self.power


class LinearLR(LRScheduler):
    """A factor that goes in a straight line from `start_factor` to `end_factor`, as for warm-up.

    lrₜ = lr₀ · (start + (end − start) · min(t, total_iters) / total_iters)

    Arguments: `start_factor` in (0, 1], `end_factor` in [0, 1], `total_iters` ≥ 1, `last_epoch` as in
    `LRScheduler`.

    >>> import stepgrad as sg
    >>> optimizer = sg.optim.SGD([sg.zeros(2, requires_grad=True)], lr=1.0)
    >>> schedule = sg.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> [schedule.lr_at(t, 0) for t in range(4)]
    [0.5, 0.75, 1.0, 1.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        POSITIVE_PART.check("LinearLR", "start_factor", start_factor)
        PART.check("LinearLR", "end_factor", end_factor)
        POSITIVE_COUNT.check("LinearLR", "total_iters", total_iters)
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def lr_at(self, step: int, i: int) -> float:
        """Return lr₀ times the factor at `step`."""
        part = min(step, self.total_iters) / self.total_iters
        return self.base_lrs[i] * (self.start_factor + (self.end_factor - self.start_factor) * part)


class CosineAnnealingLR(LRScheduler):
    """Half a wave from the initial rate down to `eta_min` in `T_max` steps (Loshchilov and Hutter, 2017).

    lrₜ = η_min + (lr₀ − η_min) · (1 + cos(π t / T_max)) / 2; beyond T_max it rises again.

    Arguments: `T_max` ≥ 1, `eta_min` ≥ 0, `last_epoch` as in `LRScheduler`.

    >>> import stepgrad as sg
    >>> optimizer = sg.optim.SGD([sg.zeros(2, requires_grad=True)], lr=1.0)
    >>> schedule = sg.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=4)
    >>> [round(schedule.lr_at(t, 0), 4) for t in range(5)]
    [1.0, 0.8536, 0.5, 0.1464, 0.0]
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        POSITIVE_COUNT.check("CosineAnnealingLR", "T_max", T_max)
        NOT_NEGATIVE.check("CosineAnnealingLR", "eta_min", eta_min)
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    @property
    def floor(self) -> float:  # type: ignore[override]
        """The rate above which the wave lies."""
        return self.eta_min

    def lr_at(self, step: int, i: int) -> float:
        """Return η_min + (lr₀ − η_min) · (1 + cos(π step / T_max)) / 2."""
        height = (1 + math.cos(math.pi * step / self.T_max)) / 2
        return self.eta_min + (self.base_lrs[i] - self.eta_min) * height
