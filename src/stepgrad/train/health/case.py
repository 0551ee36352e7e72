"""A model with its loss, its optimizer and rows of data: what is looked at, copied, and trained on trial."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy

from stepgrad.arrays import random
from stepgrad.autograd.modes import no_grad
from stepgrad.autograd.snapshot import Snapshot, all_finite
from stepgrad.errors import ArgumentError, DataError
from stepgrad.functions.creation import as_tensor, from_numpy
from stepgrad.nn.module import Module
from stepgrad.nn.utils import clip_grad_norm_, clip_grad_value_
from stepgrad.optim.optimizer import Optimizer, check_learns
from stepgrad.tensor import Tensor
from stepgrad.train.evaluation import EvaluationMode
from stepgrad.train.guard import Tables

MOST_ROWS = 256


class _NotFinite(Exception):
    """Ends a trial in which a number is not finite."""


@dataclass(frozen=True, eq=False)
class Case:
    """A model in training, and the rows on which it is looked at.

    * `inputs`: the tensors that the model takes; `target`: what the loss compares its output with.
    * `validation`: (inputs…, target) that are not trained on, or None.
    * `clip_norm`, `clip_value`: bounds for the gradients, as a `Trainer` has them.
    """

    model: Module
    loss: Any
    optimizer: Optimizer | None
    inputs: tuple[Tensor, ...]
    target: Tensor
    validation: tuple[Tensor, ...] | None = None
    clip_norm: float | None = None
    clip_value: float | None = None

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self.target.shape[0] if self.target.ndim else 1

    def copy(self) -> Case:
        """Return the case with a copy of model, loss and optimizer, which share nothing with these."""
        model, loss, optimizer = copy.deepcopy((self.model, self.loss, self.optimizer))
        return replace(self, model=model, loss=loss, optimizer=optimizer)

    def modules(self) -> list[Module]:
        """Return all modules, those of the loss too."""
        found = list(self.model.modules())
        return found + list(self.loss.modules()) if isinstance(self.loss, Module) else found

    def loss_of(self, inputs: tuple[Tensor, ...], target: Tensor) -> Tensor:
        """Return the loss of a batch."""
        return self.loss(self.model(*inputs), target)

    def clip(self) -> None:
        """Bound the gradients."""
        if self.clip_value is not None:
            clip_grad_value_(self.model.parameters(), self.clip_value)
        if self.clip_norm is not None:
            clip_grad_norm_(self.model.parameters(), self.clip_norm)

    def whole_loss(self) -> float:
        """Return the loss of all rows as in training, random streams and buffers left as they are."""
        with numpy.errstate(all="ignore"), undisturbed(self), no_grad():
            self.model.train()
            value = self.loss_of(self.inputs, self.target).item()
        return value if math.isfinite(value) else math.inf

    def validation_loss(self) -> float:
        """Return the loss of the validation rows, in evaluation mode. They must be there."""
        assert self.validation is not None
        with numpy.errstate(all="ignore"), EvaluationMode(self.model):
            value = self.loss_of(self.validation[:-1], self.validation[-1]).item()
        return value if math.isfinite(value) else math.inf

    def train(self, steps: int, batch_size: int = 32, seed: int = 0) -> int:
        """Take so many steps, on batches that `seed` decides; return how many were taken before one whose
        loss or gradients are not finite.

        The default random streams are left as they are.
        """
        assert self.optimizer is not None
        streams, done = random.get_rng_state(), 0
        self.model.train()
        try:
            with numpy.errstate(all="ignore"):
                for rows in self._batches(steps, batch_size, seed):
                    # An optimizer may compute the loss several times in a step, as LBFGS does.
                    self.optimizer.step(partial(self._backward, rows))
                    done += 1
            return done
        except _NotFinite:
            return done
        finally:
            random.set_rng_state(streams)

    def _backward(self, rows: Tensor) -> Tensor:
        assert self.optimizer is not None
        self.optimizer.zero_grad()
        loss = self.loss_of(tuple(x[rows] for x in self.inputs), self.target[rows])
        if not math.isfinite(loss.item()):
            raise _NotFinite
        loss.backward()
        for module in self.modules():
            for p in module._parameters.values():
                if p is not None and p.grad is not None and not all_finite(p.grad._array):
                    raise _NotFinite
        self.clip()
        return loss

    def _batches(self, steps: int, size: int, seed: int) -> Iterator[Tensor]:
        generator, order = random.stream(seed, "health"), numpy.empty(0, "int64")
        size = min(size, self.rows)
        for _ in range(steps):
            if len(order) < size:
                order = numpy.asarray(generator.permutation(self.rows), "int64")
            yield from_numpy(order[:size].copy())
            order = order[size:]


@contextmanager
def undisturbed(case: Case) -> Iterator[None]:
    """Within it a model may run in training mode; buffers, modes and random streams are put back after it."""
    modules = case.modules()
    modes = [(module, module.training) for module in modules]
    tables = [(module._buffers, dict(module._buffers)) for module in modules]
    kept = Snapshot([b for _, entries in tables for b in entries.values() if b is not None])
    try:
        yield
    finally:
        for table, entries in tables:
            table.clear()
            table.update(entries)
        kept.restore()
        for module, training in modes:
            vars(module)["training"] = training


@contextmanager
def untouched(case: Case) -> Iterator[None]:
    """Within it an optimizer may step, too; parameters, their gradients and its state are put back."""
    parameters = [p for m in case.modules() for p in m._parameters.values() if p is not None]
    gradients = [p.grad for p in parameters]
    tables = None if case.optimizer is None else Tables(case.optimizer)
    kept = Snapshot([*parameters, *([] if tables is None else tables.tensors())])
    with undisturbed(case):
        try:
            yield
        finally:
            if tables is not None:
                tables.restore()
            kept.restore()
            for p, gradient in zip(parameters, gradients):
                p.grad = gradient


def make_case(
    model: Any, loss: Any, optimizer: Any, x: Any, y: Any, validation: Any = None, **clipping: Any
) -> Case:
    """Return the case of arguments as `health` takes them. Raises `ArgumentError` and `DataError`."""
    if not isinstance(model, Module):
        raise ArgumentError(f"health takes a Module to look at, not a {type(model).__name__}.")
    if not callable(loss) or isinstance(loss, type):
        raise ArgumentError(f"health takes a loss such as stepgrad.nn.MSELoss(), not {loss!r}.")
    if optimizer is not None and not isinstance(optimizer, Optimizer):
        raise ArgumentError(f"health takes an optimizer, or None, not {optimizer!r}.")
    if optimizer is not None:
        check_learns(
            optimizer, [*model.parameters(), *(loss.parameters() if isinstance(loss, Module) else ())]
        )
    inputs = tuple(map(as_tensor, x)) if isinstance(x, (tuple, list)) else (as_tensor(x),)
    target = as_tensor(y)
    for part in (*inputs, target):
        if part.ndim and part.shape[0] != (target.shape[0] if target.ndim else None):
            raise DataError(
                f"inputs and target have as many rows as each other, but there are "
                f"{' and '.join(str(list(p.shape)) for p in (*inputs, target))}."
            )
    if target.ndim and target.shape[0] == 0:
        raise DataError("there are no rows to look at.")
    if validation is not None:
        *vx, vy = validation
        validation = (*(map(as_tensor, vx[0] if isinstance(vx[0], (tuple, list)) else vx)), as_tensor(vy))
    return Case(model, loss, optimizer, inputs, target, validation, **clipping)
