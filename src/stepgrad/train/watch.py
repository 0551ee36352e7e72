"""What a step of a `Trainer` may depend on besides tensors, so that compiled code would not follow it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

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

    def noting(self, step: Callable[..., Any]) -> Callable[..., Any]:
        """Return a step as one that is looked at while it runs."""
        return self._values.noting(step)

    def changed(self) -> str:
        """Say what a run that was noted has changed; an empty text if nothing."""
        return self._values.changed()

    def finish(self) -> str:
        """Follow what the runs noted have shown; say what they read that is another thing each time."""
        return self._values.finish()

    def change(self) -> str:
        """Say which value is another one now; an empty text if none is."""
        trainer = self._trainer
        if change := self._values.change():
            return change
        if any(p.requires_grad is not learned for p, learned in self._learned):
            return "which parameters are trained"
        return "" if _are(_own(trainer), self._own) else "the model, loss, optimizer or clipping"

    def restore(self) -> None:
        """Put back what the step has changed in Python, generators of random numbers among it."""
        self._values.restore()


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
