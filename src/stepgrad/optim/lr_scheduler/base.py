"""`LRScheduler`: what all learning-rate schedules share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stepgrad.autograd.recording import hides_values, perform
from stepgrad.errors import ArgumentError, CaptureError
from stepgrad.optim.limits import Limit, number_of, plain, set_rate
from stepgrad.optim.optimizer import Optimizer
from stepgrad.tensor import Tensor

_LAST_EPOCH = Limit("a whole number of −1 or more", lambda x: type(x) is int and x >= -1)


class LRScheduler:
    """What all schedules share. A schedule is made by subclassing it, with one method:

    `lr_at(step, i)`: the learning rate of group i after `step` calls of `step()`; 0 is the beginning. It is
    a pure function of `step`, of ``self.base_lrs[i]`` (the rate that the group began with) and of
    constants. Or, as in PyTorch, override `get_lr()`, which returns the rates of all groups for
    ``self.last_epoch``.

    Arguments: `optimizer`, and `last_epoch`: the number of the last step of a run that goes on, −1 for a
    new one. Raises `ArgumentError` for what is no optimizer, and for a run that goes on without
    "initial_lr" in its groups.

    Attributes: `optimizer`, `base_lrs`, `last_epoch` (the number of calls of `step()` so far).

    >>> import stepgrad as sg
    >>> class Inverse(sg.optim.lr_scheduler.LRScheduler):
    ...     def lr_at(self, step, i):
    ...         return self.base_lrs[i] / (1 + step)
    >>> optimizer = sg.optim.SGD([sg.zeros(2, requires_grad=True)], lr=1.0)
    >>> schedule = Inverse(optimizer)
    >>> for _ in range(3):
    ...     optimizer.step()
    ...     schedule.step()
    >>> schedule.get_last_lr()
    [0.25]
    """

    # Where several schedules change one rate, each scales what lies above its floor; one that is absolute
    # sets the rate, whatever others did.
    floor = 0.0
    absolute = False
    # Attributes that are no part of the state: functions, and what the optimizer keeps.
    unsaved: tuple[str, ...] = ("optimizer",)

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        owner = type(self).__name__
        _LAST_EPOCH.check(owner, "last_epoch", last_epoch)
        self.optimizer = optimizer
        self.base_lrs: list[float] = []
        for i, group in enumerate(groups_of(optimizer, owner)):
            if last_epoch >= 0 and "initial_lr" not in group:
                raise ArgumentError(
                    f"{owner} with last_epoch={last_epoch} goes on from an earlier run, but group {i} of the "
                    f"optimizer has no 'initial_lr'. Load the optimizer's state first."
                )
        self.last_epoch = last_epoch
        self._advance()

    def lr_at(self, step: int, i: int) -> float:
        """Return the learning rate of group `i` after `step` calls of `step()`."""
        raise ArgumentError(f"{type(self).__name__} has no rule: define lr_at(step, i) or get_lr().")

    def get_lr(self) -> list[float]:
        """Return the rates that belong to `last_epoch`, given those that the groups have from before."""
        rates = []
        for i, group in enumerate(self.optimizer.param_groups):
            if self.absolute:
                rates.append(self.lr_at(self.last_epoch, i))
                continue
            before = self.lr_at(self.last_epoch - 1, i) if self.last_epoch else self.base_lrs[i]
            rates.append(self._moved(number_of(group["lr"]), before, self.lr_at(self.last_epoch, i)))
        return rates

    def _moved(self, lr: float, before: float, now: float) -> float:
        """Return what a rate becomes when this schedule goes from `before` to `now`."""
        if lr == before:
            return now
        # Another schedule, or a person, changed the rate as well.
        if before == self.floor:
            return lr + (now - before)
        return self.floor + (lr - self.floor) * (now - self.floor) / (before - self.floor)

    def step(self) -> None:
        """Go on by one step, and set the learning rate of each group. Call it after `optimizer.step()`."""
        if not hides_values():
            self._advance()
            return
        changing = self.optimizer.changing
        if any(isinstance(group["lr"], Tensor) for group in self.optimizer.param_groups):
            raise CaptureError(
                f"{type(self).__name__} sets a learning rate that is a Tensor, which a compiled step does "
                f"not; call its step() outside."
            )
        before = [_fixed(group, changing) for group in self.optimizer.param_groups]
        perform(self._advance, self._remember)
        for group, values in zip(self.optimizer.param_groups, before):
            if moved := [
                name for name, value in _fixed(group, changing).items() if values.get(name) != value
            ]:
                raise CaptureError(
                    f"{type(self).__name__} changes {moved[0]}, which is a constant in a compiled step; call "
                    f"its step() outside."
                )

    def _remember(self) -> Callable[[], None]:
        """Return a function that puts back the schedule and the rates as they are now."""
        values = self.state_dict()
        groups = [(group, dict(group)) for group in self.optimizer.param_groups]

        def restore() -> None:
            self.load_state_dict(values)
            for group, before in groups:
                group.update(before)

        return restore

    def _advance(self) -> None:
        groups = self.optimizer.param_groups
        for group in groups[len(self.base_lrs) :]:
            self.base_lrs.append(number_of(group.setdefault("initial_lr", number_of(group["lr"]))))
        self.last_epoch += 1
        self._set(self.get_lr())

    def restart(self) -> None:
        """Begin anew, from the initial rates, whatever the rates are."""
        self.rewind()
        for group, lr in zip(self.optimizer.param_groups, self.base_lrs):
            set_rate(group, lr)
        self._advance()

    def rewind(self) -> None:
        """Go to where a schedule is before it sets the first rates."""
        self.last_epoch = -1

    def _set(self, rates: list[float]) -> None:
        self._last_lr = [float(lr) for lr in rates]
        for group, lr in zip(self.optimizer.param_groups, self._last_lr):
            set_rate(group, lr)

    def get_last_lr(self) -> list[float]:
        """Return the learning rates that were set last, one per group."""
        return list(self._last_lr)

    def state_dict(self) -> dict[str, Any]:
        """Return everything but the optimizer and functions, as plain values."""
        return {name: copied(value) for name, value in vars(self).items() if name not in self.unsaved}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go to a state that `state_dict` returned. The rates themselves are in the state of the optimizer.

        Raises `ArgumentError` for the state of another kind of schedule; nothing is changed then.
        """
        own = self.state_dict()
        missing = [name for name in own if name not in state_dict]
        if missing:
            raise ArgumentError(f"the state does not fit {type(self).__name__}: it lacks {missing}.")
        for name in own:
            setattr(self, name, copied(state_dict[name]))


def groups_of(optimizer: Any, owner: str) -> list[dict[str, Any]]:
    """Return the groups of an optimizer; raise `ArgumentError` for anything else."""
    if not isinstance(optimizer, Optimizer):
        raise ArgumentError(f"{owner} takes an optimizer, not {type(optimizer).__name__}.")
    return optimizer.param_groups


def _fixed(group: dict[str, Any], changing: list[str]) -> dict[str, Any]:
    """Return the hyperparameters of a group but those that change from step to step."""
    return {k: v for k, v in group.items() if k not in ("params", "param_names", "initial_lr", *changing)}


def of_group(values: list[Any], i: int, owner: str, name: str) -> Any:
    """Return what a schedule keeps for group i. Raises `ArgumentError` for a group that came later."""
    if i >= len(values):
        raise ArgumentError(
            f"{owner} knows {name} of {len(values)} groups, and group {i} was added to the optimizer "
            f"afterwards. Make the schedule when all groups are there."
        )
    return values[i]


def for_each_group(value: Any, groups: int, limit: Limit, owner: str, name: str) -> list[float]:
    """Return a number, or a list of one per group, as a list. Raises `ArgumentError` for anything else."""
    values = list(plain(value)) if isinstance(value, (list, tuple)) else [plain(value)] * groups
    Limit(
        f"{limit.words}, or a list of {groups} of them, one for each group",
        lambda _: len(values) == groups and all(map(limit.holds, values)),
    ).check(owner, name, value)
    return values


def copied(value: Any) -> Any:
    """Return a copy of a list, anything else as it is."""
    return list(value) if isinstance(value, list) else value
