"""Schedules that go up and down, and move the momentum the other way."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from stepgrad.errors import ArgumentError
from stepgrad.optim.limits import (
    FLAG,
    FRACTION,
    NOT_NEGATIVE,
    PART,
    POSITIVE,
    POSITIVE_COUNT,
    Limit,
    set_rate,
)
from stepgrad.optim.lr_scheduler.base import LRScheduler, for_each_group, groups_of, of_group
from stepgrad.optim.optimizer import Optimizer


class Cycle(LRScheduler):
    """What `OneCycleLR` and `CyclicLR` share: the momentum (β₁ where there are betas) moves with the rate."""

    absolute = True
    cycle_momentum: bool

    def _begin_momentum(self, base: Any, highest: Any, last_epoch: int) -> None:
        """Check the bounds of the momentum, and set it to the highest in a new run."""
        owner = type(self).__name__
        groups = groups_of(self.optimizer, owner)
        self.base_momentums = for_each_group(base, len(groups), FRACTION, owner, "base_momentum")
        self.max_momentums = for_each_group(highest, len(groups), FRACTION, owner, "max_momentum")
        if not {"momentum", "betas"} & self.optimizer.defaults.keys():
            raise ArgumentError(
                f"{owner} moves the momentum, and {type(self.optimizer).__name__} has none; "
                f"use cycle_momentum=False."
            )
        moved = "betas" if "betas" in self.optimizer.defaults else "momentum"
        if moved not in self.optimizer.changing:
            self.optimizer.changing.append(moved)
        if last_epoch == -1:
            for group, low, high in zip(groups, self.base_momentums, self.max_momentums):
                group["max_momentum"], group["base_momentum"] = high, low

    def momentum_at(self, step: int, i: int) -> float:
        """Return the momentum of group `i` after `step` calls of `step()`."""
        raise NotImplementedError

    def _set(self, rates: list[float]) -> None:
        super()._set(rates)
        for i, group in enumerate(self.optimizer.param_groups):
            if self.cycle_momentum:
                momentum = self.momentum_at(self.last_epoch, i)
                if "betas" in group:
                    group["betas"] = (momentum, *group["betas"][1:])
                else:
                    group["momentum"] = momentum


class OneCycleLR(Cycle):
    """Up to a high rate and down to a very low one, once over the whole run (Smith and Topin, 2018).

    From max_lr / div_factor to `max_lr` in the first `pct_start` of the steps, then to the first rate /
    `final_div_factor`; with `three_phase`, first back to the first rate in as many steps as it took upwards.
    The momentum goes the other way, between `max_momentum` and `base_momentum`. Call `step()` after every
    batch; it sets the rate, whatever other schedules did.

    Arguments: `max_lr`, a number above 0 or one per group; `total_steps`, or `epochs` and `steps_per_epoch`;
    `pct_start` in [0, 1]; `anneal_strategy`: "cos" or "linear"; `cycle_momentum`; `base_momentum` and
    `max_momentum` in [0, 1), or one per group; `div_factor` and `final_div_factor` > 0; `three_phase`;
    `last_epoch` as in `LRScheduler`. Raises `ArgumentError` for an argument out of its range and for a step
    after the last.

    >>> import stepgrad as sg
    >>> optimizer = sg.optim.SGD([sg.zeros(2, requires_grad=True)], lr=1.0, momentum=0.9)
    >>> schedule = sg.optim.lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=11, pct_start=0.5)
    >>> [round(schedule.lr_at(t, 0), 2) for t in range(11)]
    [0.04, 0.15, 0.44, 0.76, 0.97, 0.98, 0.83, 0.57, 0.29, 0.08, 0.0]
    """

    unsaved = ("optimizer", "pct_start", "anneal_strategy", "three_phase", "base_momentums", "max_momentums")

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        groups = groups_of(optimizer, "OneCycleLR")
        limits = {
            "pct_start": (PART, pct_start),
            "anneal_strategy": (
                Limit("'cos' or 'linear'", lambda x: x in ("cos", "linear")),
                anneal_strategy,
            ),
            "cycle_momentum": (FLAG, cycle_momentum),
            "div_factor": (POSITIVE, div_factor),
            "final_div_factor": (POSITIVE, final_div_factor),
            "three_phase": (FLAG, three_phase),
        }
        for name, (limit, value) in limits.items():
            limit.check("OneCycleLR", name, value)
        self.optimizer, self.total_steps = optimizer, _steps_of_run(total_steps, epochs, steps_per_epoch)
        self.pct_start, self.anneal_strategy = pct_start, anneal_strategy
        self.three_phase, self.cycle_momentum = three_phase, cycle_momentum
        highest = for_each_group(max_lr, len(groups), POSITIVE, "OneCycleLR", "max_lr")
        if last_epoch == -1:
            for group, lr in zip(groups, highest):
                first = lr / div_factor
                group.update(initial_lr=first, max_lr=lr, min_lr=first / final_div_factor)
        if cycle_momentum:
            self._begin_momentum(base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)

    def lr_at(self, step: int, i: int) -> float:
        """Return the rate of group `i` after `step` steps."""
        if step > self.total_steps:
            raise ArgumentError(
                f"OneCycleLR was made for {self.total_steps} steps, and this is step {step}. Give it the "
                f"number of all batches as total_steps."
            )
        return self._between(step, i, ("initial_lr", "max_lr", "initial_lr", "min_lr"))

    def momentum_at(self, step: int, i: int) -> float:
        """Return the momentum of group `i` after `step` steps."""
        return self._between(step, i, ("max_momentum", "base_momentum", "max_momentum", "max_momentum"))

    def _between(self, step: int, i: int, names: tuple[str, ...]) -> float:
        """Return a value between the corners of the curve, which are entries of the group."""
        group, up, last = (
            self.optimizer.param_groups[i],
            self.pct_start * self.total_steps,
            self.total_steps - 1,
        )
        ends = [up - 1, 2 * up - 2, last] if self.three_phase else [up - 1, last]
        corners = [group[name] for name in (names if self.three_phase else (*names[:2], names[3]))]
        phase = next((n for n, end in enumerate(ends[:-1]) if step <= end), len(ends) - 1)
        begin = ends[phase - 1] if phase else 0.0
        start, end, length = corners[phase], corners[phase + 1], ends[phase] - begin
        part = (step - begin) / length if length else 1.0
        if self.anneal_strategy == "cos":
            return end + (start - end) / 2 * (math.cos(math.pi * part) + 1)
        return start + (end - start) * part


def _steps_of_run(total_steps: int | None, epochs: int | None, steps_per_epoch: int | None) -> int:
    if total_steps is None and epochs is not None and steps_per_epoch is not None:
        POSITIVE_COUNT.check("OneCycleLR", "epochs", epochs)
        POSITIVE_COUNT.check("OneCycleLR", "steps_per_epoch", steps_per_epoch)
        total_steps = epochs * steps_per_epoch
    if total_steps is None:
        raise ArgumentError("OneCycleLR needs total_steps, or both epochs and steps_per_epoch.")
    POSITIVE_COUNT.check("OneCycleLR", "total_steps", total_steps)
    return total_steps


class CyclicLR(Cycle):
    """Up and down between two rates, again and again (Smith, 2017).

    In each cycle the rate goes in a straight line from `base_lr` to `max_lr` in `step_size_up` steps and back
    in `step_size_down`. The height is multiplied, by `mode`: "triangular": not at all; "triangular2": halved
    after each cycle; "exp_range": by `gamma` at each step. Or by a function `scale_fn` of the number of the
    cycle, 1 at first (`scale_mode` "cycle"), or of the step ("iterations"). The momentum goes the other way.
    Call `step()` after every batch; it sets the rate, whatever other schedules did.

    Arguments: `base_lr`, `max_lr` ≥ 0, or one per group; `step_size_up`, `step_size_down` ≥ 1 (None: as many
    as up); `mode`, `gamma` ≥ 0, `scale_fn`, `scale_mode`; `cycle_momentum`; `base_momentum` and
    `max_momentum` in [0, 1), or one per group; `last_epoch` as in `LRScheduler`. Raises `ArgumentError` for
    an argument out of its range.

    >>> import stepgrad as sg
    >>> optimizer = sg.optim.SGD([sg.zeros(2, requires_grad=True)], lr=1.0, momentum=0.9)
    >>> schedule = sg.optim.lr_scheduler.CyclicLR(optimizer, 0.0, 1.0, step_size_up=2, mode="triangular2")
    >>> [schedule.lr_at(t, 0) for t in range(8)]
    [0.0, 0.5, 1.0, 0.5, 0.0, 0.25, 0.5, 0.25]
    """

    unsaved = ("optimizer", "scale_fn")

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | list[float],
        max_lr: float | list[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[int], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.8,
        max_momentum: float | list[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        groups = groups_of(optimizer, "CyclicLR")
        step_size_down = step_size_up if step_size_down is None else step_size_down
        modes = ("triangular", "triangular2", "exp_range")
        limits = {
            "step_size_up": (POSITIVE_COUNT, step_size_up),
            "step_size_down": (POSITIVE_COUNT, step_size_down),
            "mode": (Limit(f"one of {', '.join(modes)}", lambda x: x in modes or scale_fn is not None), mode),
            "gamma": (NOT_NEGATIVE, gamma),
            "scale_fn": (Limit("a function, or None", lambda x: x is None or callable(x)), scale_fn),
            "scale_mode": (
                Limit("'cycle' or 'iterations'", lambda x: x in ("cycle", "iterations")),
                scale_mode,
            ),
            "cycle_momentum": (FLAG, cycle_momentum),
        }
        for name, (limit, value) in limits.items():
            limit.check("CyclicLR", name, value)
        lowest = for_each_group(base_lr, len(groups), NOT_NEGATIVE, "CyclicLR", "base_lr")
        self.max_lrs = for_each_group(max_lr, len(groups), NOT_NEGATIVE, "CyclicLR", "max_lr")
        self.total_size = float(step_size_up + step_size_down)
        self.step_ratio = step_size_up / self.total_size
        self.mode, self.gamma, self.scale_fn, self.cycle_momentum = mode, gamma, scale_fn, cycle_momentum
        self.scale_mode = scale_mode if scale_fn else "iterations" if mode == "exp_range" else "cycle"
        self.optimizer = optimizer
        if last_epoch == -1:
            for group, lr in zip(groups, lowest):
                set_rate(group, lr)
        if cycle_momentum:
            self._begin_momentum(base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = lowest

    def lr_at(self, step: int, i: int) -> float:
        """Return the rate of group `i` after `step` steps."""
        low = self.base_lrs[i]
        return low + (of_group(self.max_lrs, i, "CyclicLR", "the max_lr") - low) * self._height(step)

    def momentum_at(self, step: int, i: int) -> float:
        """Return the momentum of group `i` after `step` steps."""
        high = of_group(self.max_momentums, i, "CyclicLR", "the max_momentum")
        return high - (high - self.base_momentums[i]) * self._height(step)

    def _height(self, step: int) -> float:
        """Return how high the curve is, from 0 to the scale of the cycle."""
        cycle = math.floor(1 + step / self.total_size)
        x = 1 + step / self.total_size - cycle
        height = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        return height * self._scale(cycle if self.scale_mode == "cycle" else step)

    def _scale(self, number: int) -> float:
        if self.scale_fn is not None:
            return self.scale_fn(number)
        if self.mode == "triangular2":
            return 0.5 ** (number - 1)
        return self.gamma**number if self.mode == "exp_range" else 1.0
