"""`Trainer`: trains a model on data, with validation, early stopping, checkpoints and resumption to the
same bits.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy

from stepgrad.arrays.devices import device as make_device
from stepgrad.autograd.modes import no_grad
from stepgrad.creation import as_tensor, cat
from stepgrad.data.dataset import TensorDataset
from stepgrad.data.loader import DataLoader
from stepgrad.errors import ArgumentError, DataError, suggest
from stepgrad.nn.loss import BCELoss
from stepgrad.nn.module import Module
from stepgrad.nn.utils import clip_grad_norm_, clip_grad_value_
from stepgrad.optim.optimizer import Optimizer
from stepgrad.tensor import Tensor
from stepgrad.train import metrics as measures
from stepgrad.train.callbacks import Callback, Progress
from stepgrad.train.checkpoint import (
    checkpoint_path,
    delete_older,
    newest_checkpoint,
    read_checkpoint,
    write_checkpoint,
)
from stepgrad.train.guard import Guard
from stepgrad.train.history import History
from stepgrad.train.interrupts import Interrupts
from stepgrad.train.native import NativeSteps, native_steps
from stepgrad.train.stopping import EarlyStopping

_log = logging.getLogger("stepgrad")
Metric = Callable[[numpy.ndarray, numpy.ndarray], float]


class Trainer:
    """Trains `model` so that ``loss(model(*inputs), target)`` falls.

    * `schedule`: a learning rate schedule of `stepgrad.optim.lr_scheduler`; stepped after every epoch, or
      after every batch with ``schedule_every="batch"``. `ReduceLROnPlateau` is handed the monitored
      value.
    * `metrics`: names ("accuracy", "f1", "roc_auc", "rmse", "mae", "r2"), or a dict of name and function
      of the outputs and targets as arrays, computed on the validation data.
    * `clip_norm`, `clip_value`: bounds for the gradients, by their common norm or each element.
    * `device`: where to train; batches are brought there. `seed`: decides the order of the data.
    * `checkpoint`: a folder for checkpoints, written after every epoch, every `checkpoint_every` batches,
      and on Ctrl-C; the newest `keep` stay. ``fit(…, resume=True)`` goes on from the newest to the bits
      of an uninterrupted run.
    * `compile`: whether steps on data in memory run as native code, many of them in one call (see
      `stepgrad.compile`). What cannot be compiled runs eagerly; the reason is logged, and told in a
      warning if it is the model.
    * `progress`: whether to tell on stderr how far it is.

    A NaN or infinity in the loss or a gradient raises `NotFiniteError`, which names the operation where
    it began, before the weights are touched.

    >>> import stepgrad as sg
    >>> _ = sg.manual_seed(0)
    >>> x = sg.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> y = sg.tensor([[0.0], [1.0], [1.0], [0.0]])
    >>> net = sg.nn.Sequential(sg.nn.Linear(2, 8), sg.nn.Tanh(), sg.nn.Linear(8, 1))
    >>> trainer = sg.Trainer(net, sg.nn.BCEWithLogitsLoss(), sg.optim.Adam(net.parameters(), lr=0.1),
    progress=False)
    >>> history = trainer.fit((x, y), epochs=100, batch_size=4)
    >>> history[-1]["loss"] < 0.05
    True
    """

    def __init__(
        self,
        model: Module,
        loss: Callable[..., Tensor],
        optimizer: Optimizer,
        *,
        schedule: Any = None,
        schedule_every: str = "epoch",
        metrics: Iterable[str] | dict[str, Metric] | None = None,
        callbacks: Iterable[Callback] = (),
        clip_norm: float | None = None,
        clip_value: float | None = None,
        device: Any = None,
        seed: int = 0,
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int | None = None,
        keep: int = 2,
        compile: bool = True,  # noqa: A002 - what it is called everywhere
        progress: bool = True,
    ) -> None:
        if schedule_every not in ("epoch", "batch"):
            raise ArgumentError(f"schedule_every is 'epoch' or 'batch', not {schedule_every!r}.")
        if checkpoint_every is not None and (checkpoint is None or checkpoint_every < 1):
            raise ArgumentError("checkpoint_every counts batches, at least 1, and needs a checkpoint folder.")
        self.model, self.loss, self.optimizer = model, loss, optimizer
        self.schedule, self._schedule_every = schedule, schedule_every
        self.metrics = _named_metrics(metrics, loss)
        self.callbacks = [*callbacks, *([Progress()] if progress else [])]
        self.clip_norm, self.clip_value = clip_norm, clip_value
        self.device = None if device is None else make_device(device)
        self.seed = seed
        self.compile = compile
        self._native: NativeSteps | None = None
        self.checkpoint, self._checkpoint_every, self._keep = checkpoint, checkpoint_every, keep
        self.epoch = 0
        self.step = 0
        self.last_epoch = 0
        self.last_loss = math.nan
        self.batches: tuple[int, int | None] = (0, None)
        self.history = History()
        self._loss_sum, self._rows = 0.0, 0
        self._loader: Any = None
        self._stopping = EarlyStopping(None, 0.0, None)

    # -------------------------------------------------------------------------------------- fit

    def fit(
        self,
        train_set: Any,
        validation: Any = None,
        epochs: int = 10,
        batch_size: int = 32,
        *,
        patience: int | None = None,
        min_delta: float = 0.0,
        tolerance: float | None = None,
        monitor: str | None = None,
        resume: bool = False,
        num_workers: int = 0,
        drop_last: bool = False,
    ) -> History:
        """Train for `epochs` epochs and return the `History`.

        * `train_set`, `validation`: a Dataset whose samples are (inputs…, target), a tuple of tensors or
          arrays, or a DataLoader of your own. The training rows are shuffled, in an order that (seed,
          epoch) decides.
        * `patience`: stop when the monitored value has not become better by more than `min_delta` for so
          many epochs, and put the weights of the best epoch back. `tolerance`: stop when it is below.
        * `monitor`: "validation_loss" (the default with validation data), "loss", or a metric such as
          "validation_accuracy", of which larger is better (smaller for rmse and mae).
        * `resume`: go on from the newest checkpoint, if there is one.
        * `num_workers`: processes that fetch the data; the result does not depend on them.

        Raises `ArgumentError`, `DataError`, `NotFiniteError`; `KeyboardInterrupt` on Ctrl-C, after the
        checkpoint.
        """
        if epochs < 0:
            raise ArgumentError(f"epochs is at least 0, not {epochs}.")
        monitor = monitor or ("loss" if validation is None else "validation_loss")
        self._check_monitor(monitor, validation)
        self._stopping = EarlyStopping(patience, min_delta, tolerance)
        self._loader = self._as_loader(train_set, batch_size, num_workers, drop_last)
        self.last_epoch = self.epoch + epochs
        if self.device is not None:
            self.model.to(self.device)
        if resume:
            self._resume()
        self._native = self._find_native()
        self.history.stopped = self.history.stopped if resume else ""
        with Interrupts() as interrupts:
            self._call("on_fit_begin")
            try:
                while self.epoch < self.last_epoch and not self.history.stopped:
                    self._one_epoch(validation, monitor, interrupts)
                self.history.stopped = self.history.stopped or f"all {self.last_epoch} epochs done"
            finally:
                self.model.eval()
                self._call("on_fit_end")
        self._stopping.restore(self.model)
        self.history.best_epoch = self._stopping.best_epoch or self.epoch
        return self.history

    def _find_native(self) -> NativeSteps | None:
        if not self.compile:
            return None
        found, reason = native_steps(self, self._loader)
        if found is None:
            _log.info("training eagerly: %s", reason)
        elif self._native is not None and self._native.is_for(found):
            return self._native  # the code of the last fit
        return found

    def stop(self, reason: str) -> None:
        """End training after this epoch, for `reason`."""
        self.history.stopped = reason

    def _one_epoch(self, validation: Any, monitor: str, interrupts: Interrupts) -> None:
        began = time.perf_counter()
        self._call("on_epoch_begin")
        self.model.train()
        total = len(self._loader) if hasattr(self._loader, "__len__") else None
        start = self._loader.state_dict()["batch"]
        for number, losses, rows in self._batches_trained(start):
            for loss in losses:
                self.last_loss = loss
                self._loss_sum += loss * rows
                self._rows += rows
                self.step += 1
            self.batches = (number, total)
            self._call("on_batch_end")
            if self._checkpoint_every and self.step % self._checkpoint_every == 0:
                self.save_checkpoint()
            if interrupts.requested:
                self._interrupt()
        if not self._rows:
            raise DataError("the training data has no rows, so there is nothing to learn from.")
        self._finish_epoch(validation, monitor, began)
        if interrupts.requested:
            self._interrupt()

    def _batches_trained(self, start: int) -> Iterator[tuple[int, list[float], int]]:
        """Train on the batches of an epoch; yield after some: the number of the last, their losses, the
        rows of each.
        """
        if self._native is not None:
            yield from self._native_batches(start)
            return
        for number, batch in enumerate(self._loader, start + 1):
            parts = self._on_device(batch)
            self.batches = (number - 1, None)
            yield number, [self.take_guarded_step(parts)], parts[-1].shape[0] if parts[-1].ndim else 1

    def _native_batches(self, start: int) -> Iterator[tuple[int, list[float], int]]:
        assert self._native is not None
        waiting = self._loader.index_batches()
        number, batches = start, []
        following = next(waiting, None)
        while following is not None:
            batches = [following]
            most = self._native.chunk(self._steps_to_checkpoint())
            following = None
            while len(batches) < most and (following := next(waiting, None)) is not None:
                if len(following) != len(batches[0]):
                    break
                batches.append(following)
                following = None
            self.batches = (number, None)
            number += len(batches)
            yield number, self._native.run(batches), len(batches[0])
            following = following if following is not None else next(waiting, None)

    def _steps_to_checkpoint(self) -> int:
        if any(
            type(c).on_batch_end is not Callback.on_batch_end
            for c in self.callbacks
            if not isinstance(c, Progress)
        ):
            return 1
        if self.schedule is not None and self._schedule_every == "batch":
            return 1
        every = self._checkpoint_every
        return every - self.step % every if every else 1_000_000

    def take_step(self, inputs: list[Tensor], target: Tensor) -> Tensor:
        """Compute the loss of a batch, its gradients, and the update; return the loss."""
        self.optimizer.zero_grad()
        loss = self._loss_of(inputs, target)
        loss.backward()
        self._update()
        return loss

    def _loss_of(self, inputs: list[Tensor], target: Tensor) -> Tensor:
        loss = self.loss(self.model(*inputs), target)
        if loss._array.ndim:
            raise ArgumentError(f"the loss must be one number, not of shape {list(loss.shape)}; reduce it.")
        return loss

    def _update(self) -> None:
        if self.clip_norm is not None:
            clip_grad_norm_(self.model.parameters(), self.clip_norm)
        if self.clip_value is not None:
            clip_grad_value_(self.model.parameters(), self.clip_value)
        self.optimizer.step()
        if self.schedule is not None and self._schedule_every == "batch":
            self.schedule.step()

    def take_guarded_step(self, parts: list[Tensor], ahead: int = 0) -> float:
        """Take a step, eagerly, unless the loss or a gradient is not finite; return the loss.

        `ahead`: how many steps were taken since `batches` and `step` were counted.
        """
        *inputs, target = parts
        guard = Guard(self.model)
        guard.begin()
        place = f"epoch {self.epoch + 1}, batch {self.batches[0] + ahead + 1} (step {self.step + ahead + 1})"
        self.optimizer.zero_grad()
        loss = self._loss_of(inputs, target)
        value = loss.item()
        if not math.isfinite(value):
            guard.fail(f"the loss is {value}", place, self.model, self.loss, inputs, target)
        loss.backward()
        if wrong := guard.check_gradients():
            guard.fail(f"the gradient of {wrong} is not finite", place, self.model, self.loss, inputs, target)
        self._update()
        return value

    def _finish_epoch(self, validation: Any, monitor: str, began: float) -> None:
        record: dict[str, Any] = {
            "epoch": self.epoch + 1,
            "step": self.step,
            "loss": self._loss_sum / self._rows,
        }
        if validation is not None:
            record |= {f"validation_{name}": v for name, v in self.evaluate(validation).items()}
        record["lr"] = self.optimizer.param_groups[0]["lr"]
        record["seconds"] = time.perf_counter() - began
        self.history.epochs.append(record)
        self.epoch += 1
        self._loss_sum, self._rows = 0.0, 0
        larger_is_better = monitor.removeprefix("validation_") not in ("loss", "rmse", "mae")
        value = record[monitor]
        reason = self._stopping.look(-value if larger_is_better else value, self.epoch, self.model)
        if reason:
            self.stop(reason)
        if self.schedule is not None and self._schedule_every == "epoch":
            takes_value = type(self.schedule).__name__ == "ReduceLROnPlateau"
            self.schedule.step(value) if takes_value else self.schedule.step()
        self._call("on_epoch_end")
        if self.checkpoint is not None:
            self.save_checkpoint()

    def _interrupt(self) -> None:
        self.history.stopped = "interrupted"
        if self.checkpoint is not None:
            self.history.stopped = ""
            self.save_checkpoint()
            self.history.stopped = f"interrupted; checkpoint in {self.checkpoint}"
        raise KeyboardInterrupt

    # ------------------------------------------------------------------------------ checkpoints

    def save_checkpoint(self) -> None:
        """Write everything that a resumed run needs to the checkpoint folder."""
        if self.checkpoint is None:
            raise ArgumentError("this Trainer has no checkpoint folder; make it with checkpoint='folder'.")
        os.makedirs(self.checkpoint, exist_ok=True)
        extra = {
            "epoch": self.epoch, "step": self.step, "last_epoch": self.last_epoch, "seed": self.seed,
            "loss_sum": self._loss_sum, "rows": self._rows, "history": self.history.epochs,
            "stopped": self.history.stopped, "stopping": self._stopping.state_dict(),
            "callbacks": [callback.state_dict() for callback in self.callbacks],
        }  # fmt: skip
        path = checkpoint_path(self.checkpoint, self.step)
        write_checkpoint(path, self.model, self.optimizer, extra=extra, **self._parts())
        delete_older(self.checkpoint, self.step, self._keep)

    def _parts(self) -> dict[str, Any]:
        parts = {"loader": self._loader}
        return parts if self.schedule is None else {**parts, "schedule": self.schedule}

    def _resume(self) -> None:
        if self.checkpoint is None:
            raise ArgumentError("resume=True needs a Trainer with checkpoint='folder'.")
        newest = newest_checkpoint(self.checkpoint)
        if newest is None:
            return
        found = read_checkpoint(newest)
        found.restore(self.model, self.optimizer, **self._parts())
        extra = found.extra
        self.epoch, self.step, self.last_epoch = extra["epoch"], extra["step"], extra["last_epoch"]
        self._loss_sum, self._rows = extra["loss_sum"], extra["rows"]
        self.history = History(extra["history"])
        self.history.stopped = extra["stopped"]
        self._stopping.load_state_dict(extra["stopping"])
        for callback, state in zip(self.callbacks, extra["callbacks"], strict=False):
            callback.load_state_dict(state)

    # -------------------------------------------------------------------- evaluate and predict

    def evaluate(self, data: Any, batch_size: int = 1024) -> dict[str, float]:
        """Return {"loss", and each metric} of the model on `data`, in evaluation mode, without recording."""
        outputs, targets, losses, rows = [], [], 0.0, 0
        for batch in self._evaluation_batches(data, batch_size):
            *inputs, target = self._on_device(batch)
            with no_grad():
                y = self.model(*inputs)
                losses += self.loss(y, target).item() * target.shape[0]
            rows += target.shape[0]
            if self.metrics:
                outputs.append(y)
                targets.append(target)
        self.model.train()
        if not rows:
            raise DataError("the data to evaluate has no rows.")
        result = {"loss": losses / rows}
        if self.metrics:
            y, t = (cat(parts).detach().cpu().numpy() for parts in (outputs, targets))
            result |= {name: float(metric(y, t)) for name, metric in self.metrics.items()}
        return result

    def predict(self, data: Any, batch_size: int = 1024) -> Tensor:
        """Return the outputs of the model, in evaluation mode, for inputs: a tensor, a tuple of tensors,
        a Dataset.
        """
        data = (data,) if isinstance(data, (Tensor, numpy.ndarray)) else data
        outputs = []
        for batch in self._evaluation_batches(data, batch_size):
            with no_grad():
                outputs.append(self.model(*self._on_device(batch)))
        if not outputs:
            raise DataError("the data to predict has no rows.")
        return cat(outputs)

    def _evaluation_batches(self, data: Any, batch_size: int) -> Any:
        self.model.eval()
        if isinstance(data, DataLoader):
            return data
        return DataLoader(_as_dataset(data), batch_size=batch_size, seed=self.seed)

    # ------------------------------------------------------------------------------------ parts

    def _as_loader(self, data: Any, batch_size: int, num_workers: int, drop_last: bool) -> Any:
        if isinstance(data, DataLoader):
            return data
        return DataLoader(
            _as_dataset(data), batch_size=batch_size, shuffle=True, num_workers=num_workers, drop_last=drop_last,
            seed=self.seed, persistent_workers=num_workers > 0,
        )  # fmt: skip

    def _on_device(self, batch: Any) -> list[Tensor]:
        parts = [as_tensor(part) for part in (batch if isinstance(batch, (tuple, list)) else (batch,))]
        return parts if self.device is None else [part.to(self.device) for part in parts]

    def _check_monitor(self, monitor: str, validation: Any) -> None:
        known = ["loss"]
        if validation is not None:
            known += ["validation_loss", *(f"validation_{name}" for name in self.metrics)]
        if monitor not in known:
            raise ArgumentError(
                f"monitor is one of {', '.join(known)}; not {monitor!r}.{suggest(monitor, known)}"
            )

    def _call(self, event: str) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(self)


def _as_dataset(data: Any) -> Any:
    if isinstance(data, (tuple, list)) and data and hasattr(data[0], "shape"):
        return TensorDataset(*(as_tensor(part) for part in data))
    return data


def _named_metrics(metrics: Any, loss: Any) -> dict[str, Metric]:
    if metrics is None or isinstance(metrics, dict):
        return dict(metrics or {})
    threshold = 0.5 if isinstance(loss, BCELoss) else 0.0
    found: dict[str, Metric] = {}
    for name in metrics:
        if name not in measures.NAMED:
            known = measures.NAMED
            raise ArgumentError(
                f"there is no metric {name!r}; known: {', '.join(known)}.{suggest(name, known)}"
            )
        measure = measures.NAMED[name]
        found[name] = lambda y, t, measure=measure: measure(y, t, threshold)  # type: ignore[misc]
    return found


__all__ = ["Trainer"]
