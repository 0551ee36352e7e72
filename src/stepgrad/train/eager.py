"""Steps that are taken one at a time, by the operations themselves."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy

from stepgrad.errors import DataError, StepgradError
from stepgrad.functions.creation import as_tensor
from stepgrad.nn.module import Module
from stepgrad.tensor import Tensor
from stepgrad.train.guard import Problem, Undo, check_gradients, check_update, explain

if TYPE_CHECKING:
    from stepgrad.train.trainer import Trainer


class EagerSteps:
    """The steps of a `Trainer` on whatever its loader yields."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self.modules: list[Module] = []
        self._before: Undo | None = None

    def begin(self, loader: Any) -> Iterator[Any]:
        """Begin an epoch of the loader, and return an iterator over what `train` takes."""
        self.look_at_modules()
        return iter(loader)

    def look_at_modules(self) -> None:
        """Find the modules of which parameters and buffers are put back if a step goes wrong."""
        trainer = self._trainer
        self.modules = list(trainer.model.modules())
        if isinstance(trainer.loss, Module):
            self.modules += trainer.loss.modules()

    def train(self, batches: Iterator[Any]) -> Iterator[tuple[list[float], int]]:
        """Train on batches; yield, after each step, its loss in a list, and the rows of its batch."""
        for batch in batches:
            parts = with_target(batch, self._trainer.device)
            yield [self.step(parts)], parts[-1].shape[0] if parts[-1].ndim else 1

    def step(self, parts: list[Tensor], rows: numpy.ndarray | None = None) -> float:
        """Take a step on a batch and return its loss; `rows` of the data, if known, are named in errors.

        Raises `NotFiniteError` if the loss, a gradient or the update is not finite. After any error,
        parameters, buffers, optimizer state and random streams are as they were before the step.
        """
        trainer = self._trainer
        before = self._before = Undo(trainer.optimizer, self.modules, self._before)
        try:
            return self._checked_step(parts, before)
        except Problem as problem:
            before.restore()
            found = problem
        except BaseException as error:
            before.restore()
            if isinstance(error, StepgradError):
                error.args = (f"{str(error).rstrip('.')}. This was in {trainer.place()}.",)
            raise
        raise explain(trainer, found, self.modules, parts, rows)

    def forget_gradients(self) -> None:
        """Forget all gradients, also those of parameters that the optimizer does not have."""
        self._trainer.optimizer.zero_grad()
        for module in self.modules:
            for p in module._parameters.values():
                if p is not None:
                    p.grad = None

    def _checked_step(self, parts: list[Tensor], before: Undo) -> float:
        trainer = self._trainer
        *inputs, target = parts
        self.forget_gradients()
        loss = trainer.loss_of(inputs, target)
        value = loss.item()
        if not math.isfinite(value):
            raise Problem(f"the loss is {value}")
        loss.backward()
        trainer.clip()
        check_gradients(self.modules)
        trainer.optimizer.step()
        check_update(trainer, before)
        trainer.after_update()
        return value


def on_device(batch: Any, device: Any) -> list[Tensor]:
    """Return the parts of a batch as tensors on a device (None: where they are)."""
    if isinstance(batch, dict):
        raise DataError(
            f"a batch is a tuple (inputs…, target), not a dict with {', '.join(map(repr, batch))}; give the "
            f"DataLoader a collate_fn that returns a tuple."
        )
    parts = [as_tensor(part) for part in (batch if isinstance(batch, (tuple, list)) else (batch,))]
    return parts if device is None else [part.to(device) for part in parts]


def with_target(batch: Any, device: Any) -> list[Tensor]:
    """Return (inputs…, target) as tensors on a device. Raises `DataError` for a batch of another form."""
    parts = on_device(batch, device)
    if len(parts) < 2:
        raise DataError("a batch is (inputs…, target), but the data give a single tensor.")
    return parts
