"""What a step of a `Trainer` may depend on besides tensors, so that compiled code would not follow it."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy

from stepgrad.compile.follow.watch import Watch
from stepgrad.nn.module import Module

if TYPE_CHECKING:
    from stepgrad.train.trainer import Trainer


class TrainerWatch:
    """The Python values that a step of a `Trainer` reads, as they are now."""

    def __init__(self, trainer: Trainer, modules: list[Module]) -> None:
        self._trainer = trainer
        self._values = Watch(
            {"the model": trainer.model, "the loss": trainer.loss, "the optimizer": trainer.optimizer}
        )
        self._learned = [
            (p, p.requires_grad) for m in modules for p in m._parameters.values() if p is not None
        ]
        self._own = _own(trainer)

    def change(self) -> str:
        """Say which value is another one now; an empty text if none is."""
        trainer = self._trainer
        if change := self._values.change():
            return change
        if any(p.requires_grad is not learned for p, learned in self._learned):
            return "which parameters are trained"
        return "" if _are(_own(trainer), self._own) else "the model, loss, optimizer or clipping"

    def restore(self) -> None:
        """Put the attributes of the modules back, and the positions of generators among them."""
        self._values.restore()


class ForeignRandomness:
    """Whether Python's or NumPy's own random numbers were drawn, and putting them back."""

    def __init__(self) -> None:
        # The legacy state is meant: it is what code of others draws from.
        self._state: tuple[Any, Any] = (random.getstate(), numpy.random.get_state())  # noqa: NPY002

    def restore(self) -> bool:
        """Put the states back; return whether numbers were drawn."""
        python, numbers = self._state
        here: Any = numpy.random.get_state()  # noqa: NPY002
        if python == random.getstate() and here[2:] == numbers[2:] and bool((here[1] == numbers[1]).all()):
            return False
        random.setstate(python)
        numpy.random.set_state(numbers)  # noqa: NPY002
        return True


def hooked(modules: list[Module]) -> Module | None:
    """Return a module with a hook, which Python must call in every step; None if there is none."""
    for module in modules:
        if module._forward_hooks or module._forward_pre_hooks:
            return module
    return None


def _own(trainer: Trainer) -> list[Any]:
    return [trainer.model, trainer.loss, trainer.optimizer, trainer.clip_norm, trainer.clip_value]


def _are(now: list[Any], before: list[Any]) -> bool:
    """Return whether two lists hold the same objects, or equal numbers."""
    return len(now) == len(before) and all(
        a is b or (isinstance(a, float) and a == b) for a, b in zip(now, before)
    )
