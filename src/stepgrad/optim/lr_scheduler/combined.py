"""Schedules made of schedules: one after the other, or all at once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Any

from stepgrad.errors import ArgumentError
from stepgrad.optim.limits import COUNT, number_of, plain, set_rate
from stepgrad.optim.lr_scheduler.base import LRScheduler, copied
from stepgrad.optim.lr_scheduler.plateau import ReduceLROnPlateau
from stepgrad.optim.optimizer import Optimizer


class Combined(LRScheduler):
    """What schedules made of schedules share: the parts, and a state that holds theirs."""

    unsaved: tuple[str, ...] = ("optimizer", "_schedulers", "base_lrs")

    def _take(self, schedulers: Sequence[Any], optimizer: Any) -> None:
        """Check the parts. Raises `ArgumentError` for what cannot be one."""
        owner = type(self).__name__
        self._schedulers, self.optimizer, self.base_lrs = list(schedulers), optimizer, []
        if not self._schedulers:
            raise ArgumentError(f"{owner} needs at least one schedule.")
        for i, schedule in enumerate(self._schedulers):
            if not isinstance(schedule, LRScheduler) or isinstance(schedule, ReduceLROnPlateau):
                raise ArgumentError(
                    f"{owner} takes schedules that go by the number of steps; number {i} is of type "
                    f"{type(schedule).__name__}."
                )
            if schedule.optimizer is not optimizer:
                raise ArgumentError(f"{owner} takes schedules of one optimizer; number {i} has another one.")

    def state_dict(self) -> dict[str, Any]:
        """Return the state, with those of the parts as "_schedulers"."""
        return {**super().state_dict(), "_schedulers": [s.state_dict() for s in self._schedulers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go to a state that `state_dict` returned. Raises `ArgumentError` if it does not fit."""
        saved = state_dict.get("_schedulers")
        if saved is None or len(saved) != len(self._schedulers):
            raise ArgumentError(
                f"the state does not fit {type(self).__name__} of {len(self._schedulers)} schedules."
            )
        own = super().state_dict()
        missing = [name for name in own if name not in state_dict]
        if missing:
            raise ArgumentError(f"the state does not fit {type(self).__name__}: it lacks {missing}.")
        for schedule, state in zip(self._schedulers, saved):
            schedule.load_state_dict(state)
        for name in own:
            setattr(self, name, copied(state_dict[name]))

    def rewind(self) -> None:
        """Go with all parts to where a schedule is before it sets the first rates."""
        self.last_epoch = -1
        for schedule in self._schedulers:
            schedule.rewind()

    def _rates(self) -> list[float]:
        return [number_of(group["lr"]) for group in self.optimizer.param_groups]


class SequentialLR(Combined):
    """One schedule after the other: the next begins at each milestone, such as a warm-up before a decay.

    Arguments: `schedulers`, made for `optimizer`; `milestones`: the steps at which the second, third, …
    begins, one less than there are schedules; `last_epoch`: −1. Raises `ArgumentError` for what does not fit
    together.

    >>> import stepgrad as sg
    >>> from stepgrad.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR
    >>> optimizer = sg.optim.SGD([sg.zeros(2, requires_grad=True)], lr=1.0)
    >>> warm_up, decay = LinearLR(optimizer, 0.25, total_iters=3), CosineAnnealingLR(optimizer, T_max=4)
    >>> schedule = SequentialLR(optimizer, [warm_up, decay], milestones=[3])
    >>> rates = []
    >>> for _ in range(7):
    ...     rates.append(round(schedule.get_last_lr()[0], 4))
    ...     optimizer.step()
    ...     schedule.step()
    >>> rates
    [0.25, 0.5, 0.75, 1.0, 0.8536, 0.5, 0.1464]
    """

    def __init__(
        self, optimizer: Optimizer, schedulers: Sequence[Any], milestones: Iterable[int], last_epoch: int = -1
    ) -> None:
        self._take(schedulers, optimizer)
        self._milestones = plain(list(milestones))
        self._milestones = list(self._milestones)
        for milestone in self._milestones:
            COUNT.check("SequentialLR", "a milestone", milestone)
        if len(self._milestones) != len(self._schedulers) - 1 or sorted(self._milestones) != self._milestones:
            raise ArgumentError(
                f"SequentialLR needs {len(self._schedulers) - 1} milestones for {len(self._schedulers)} "
                f"schedules, in rising order, not {self._milestones}."
            )
        self.last_epoch = last_epoch + 1
        for group in optimizer.param_groups:
            set_rate(group, group["initial_lr"])
        for schedule in self._schedulers:
            schedule.rewind()
        current = self._schedulers[bisect_right(self._milestones, 0)]
        current.restart()
        self._last_lr = current.get_last_lr()

    def _advance(self) -> None:
        self.last_epoch += 1
        i = bisect_right(self._milestones, self.last_epoch)
        current = self._schedulers[i]
        if i and self._milestones[i - 1] == self.last_epoch:
            current.restart()
        else:
            current.step()
        self._last_lr = current.get_last_lr()

    def restart(self) -> None:
        """Begin anew, with the first schedule."""
        self.rewind()
        self.last_epoch = 0
        self._schedulers[0].restart()
        self._last_lr = self._schedulers[0].get_last_lr()


class ChainedScheduler(Combined):
    """Several schedules at once: each changes the rate in its own proportion.

    Arguments: `schedulers`, made for one optimizer; `optimizer`: that of the first one when None. Raises
    `ArgumentError` for what does not fit together.

    >>> import stepgrad as sg
    >>> from stepgrad.optim.lr_scheduler import ChainedScheduler, ConstantLR, ExponentialLR
    >>> optimizer = sg.optim.SGD([sg.zeros(2, requires_grad=True)], lr=1.0)
    >>> schedule = ChainedScheduler([ConstantLR(optimizer, 0.5, 2), ExponentialLR(optimizer, 0.5)])
    >>> for _ in range(3):
    ...     schedule.step()
    >>> schedule.get_last_lr()
    [0.125]
    """

    unsaved = ("optimizer", "_schedulers", "base_lrs", "last_epoch")

    def __init__(self, schedulers: Sequence[Any], optimizer: Optimizer | None = None) -> None:
        first = next(iter(schedulers), None)
        self._take(schedulers, getattr(first, "optimizer", None) if optimizer is None else optimizer)
        self._last_lr = self._rates()

    def _advance(self) -> None:
        for schedule in self._schedulers:
            schedule.step()
        self._last_lr = self._rates()

    def restart(self) -> None:
        """Begin anew with all of them, from the initial rates."""
        for group in self.optimizer.param_groups:
            set_rate(group, group["initial_lr"])
        self.rewind()
        self._advance()
