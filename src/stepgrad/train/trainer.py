"""`Trainer`: trains a model on data, with validation, early stopping, checkpoints and resumption to the
same bits.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy

from stepgrad.arrays.devices import device as make_device
from stepgrad.data.dataset import IterableDataset, TensorDataset
from stepgrad.data.loader import DataLoader
from stepgrad.errors import ArgumentError, DataError, ShapeError, suggest
from stepgrad.nn.loss import BCELoss
from stepgrad.nn.module import Module
from stepgrad.nn.utils import clip_grad_norm_, clip_grad_value_
from stepgrad.optim.limits import number_of
from stepgrad.optim.lr_scheduler import ReduceLROnPlateau
from stepgrad.optim.optimizer import Optimizer, check_learns
from stepgrad.tensor import Tensor
from stepgrad.train import evaluation, resume
from stepgrad.train.callbacks import Callback, Progress
from stepgrad.train.eager import EagerSteps
from stepgrad.train.history import History
from stepgrad.train.interrupts import Interrupts
from stepgrad.train.metrics import named
from stepgrad.train.native import NativeSteps, native_steps
from stepgrad.train.stopping import EarlyStopping

_log = logging.getLogger("stepgrad")
Metric = Callable[[numpy.ndarray, numpy.ndarray], float]
# Between two checkpoints at the end of epochs: on a small network, writing one takes longer than an epoch.
CHECKPOINT_SECONDS = 1.0


class Trainer:
    """Trains `model` so that ``loss(model(*inputs), target)`` falls.

    * `loss`: a function of outputs and target that returns the mean over the rows of a batch.
    * `schedule`: a learning rate schedule of `stepgrad.optim.lr_scheduler`; stepped after every epoch, or
      after every update with ``schedule_every="batch"``. `ReduceLROnPlateau` is handed the monitored
      value of each epoch.
    * `metrics`: names ("accuracy", "precision", "recall", "f1", "roc_auc", "top_5", "r2", "rmse", "mae",
      "mse", "sse", "psnr"), or a dict of name and function of the outputs and targets as arrays; computed on
      the validation data.
    * `clip_value`, `clip_norm`: bounds for the gradients, of each element and of their common norm.
    * `device`: where to train; batches are brought there. `seed`: decides the order of the data.
    * `checkpoint`: a folder for checkpoints, written at the end of epochs (one a second at most, but for
      the last), every `checkpoint_every` updates, and on Ctrl-C; the newest `keep` stay.
      ``fit(…, resume=True)`` goes on from the newest to the bits of an uninterrupted run.
    * `compile`: whether steps on data in memory run as native code, many of them in one call (see
      `stepgrad.compile`). What cannot be compiled runs eagerly; the reason is told in a warning if it is
      the model or the optimizer, and logged otherwise. Native code keeps no gradients in ``.grad``. The
      smaller batch that ends an epoch of a small network is eager in the first 100 epochs.
    * `progress`: whether to tell on stderr how far it is.

    Attributes: `epoch` and `step` count finished epochs and updates, over all calls of `fit`; `last_epoch`
    is the epoch at which `fit` will end; `batches` is (batches of this epoch that are done, or None how
    many it has); `last_loss` is the loss of the last batch, `mean_loss` that of the epoch so far;
    `history` is the `History`.

    A NaN or infinity in the loss, a gradient or an updated weight raises `NotFiniteError`, which names the
    operation where it began. After an error in a step, weights, buffers, optimizer state and random
    streams are as they were before that step.

    >>> import stepgrad as sg
    >>> _ = sg.manual_seed(0)
    >>> x = sg.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> y = sg.tensor([[0.0], [1.0], [1.0], [0.0]])
    >>> net = sg.nn.Sequential(sg.nn.Linear(2, 8), sg.nn.Tanh(), sg.nn.Linear(8, 1))
    >>> adam = sg.optim.Adam(net.parameters(), lr=0.1)
    >>> trainer = sg.Trainer(net, sg.nn.BCEWithLogitsLoss(), adam, progress=False)
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
        compile: bool = True,
        progress: bool = True,
    ) -> None:
        _check_parts(model, loss, optimizer)
        _check_settings(schedule, schedule_every, clip_norm, clip_value)
        if checkpoint_every is not None and (checkpoint is None or checkpoint_every < 1):
            raise ArgumentError("checkpoint_every counts updates, at least 1, and needs a checkpoint folder.")
        if keep < 1:
            raise ArgumentError(f"keep counts checkpoints, at least 1, not {keep}.")
        self.model, self.loss, self.optimizer = model, loss, optimizer
        self.schedule, self._schedule_every = schedule, schedule_every
        self.metrics = _named_metrics(metrics, loss)
        self.callbacks = [*_checked_callbacks(callbacks), *([Progress()] if progress else [])]
        self.clip_norm, self.clip_value = clip_norm, clip_value
        self.device = None if device is None else make_device(device)
        self.seed, self.compile = seed, compile
        self.checkpoint, self._checkpoint_every, self._keep = checkpoint, checkpoint_every, keep
        self._saved = -math.inf
        self.epoch, self.step = 0, 0
        self.first_epoch, self.last_epoch = 0, 0
        self.last_loss = math.nan
        self.batches: tuple[int, int | None] = (0, None)
        self.history = History()
        self._loss_sum, self._rows = 0.0, 0
        self._loader: Any = None
        self._loader_epoch = 0
        self._steps: EagerSteps | NativeSteps = EagerSteps(self)
        self._native: NativeSteps | None = None
        self._stopping = EarlyStopping()
        self._interrupts = Interrupts()

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
        """Train for `epochs` epochs and return the `History`. A further call goes on where this one ended.

        * `train_set`, `validation`: a Dataset whose samples are (inputs…, target), a tuple of tensors or
          arrays, or a DataLoader of your own, which decides about batches and workers itself. Otherwise
          the training rows are shuffled, in an order that (seed, epoch) decides.
        * `patience`: stop when the monitored value has not become better by more than `min_delta` for so
          many epochs, and put the weights of the best epoch back. `tolerance`: stop when the value is
          below it (above it, where larger is better).
        * `monitor`: "validation_loss" (the default with validation data), "loss", or a metric such as
          "validation_accuracy". Larger is better but for loss, rmse, mae, mse and sse.
        * `resume`: go on from the newest checkpoint, if there is one, until `epochs` epochs are done.
        * `num_workers`: processes that fetch the data, if these are not in memory; the result does not
          depend on them.

        Raises `ArgumentError`, `DataError`, `ShapeError`, `FileError`, `NotFiniteError`;
        `KeyboardInterrupt` on Ctrl-C, after the step under way and the checkpoint. A second Ctrl-C ends it
        at once.
        """
        if not isinstance(epochs, int) or epochs < 0:
            raise ArgumentError(f"epochs is a whole number of at least 0, not {epochs!r}.")
        monitor = monitor or ("loss" if validation is None else "validation_loss")
        self._check_monitor(monitor, validation)
        self._stopping = EarlyStopping(patience, min_delta, tolerance, monitor, self.epoch)
        self._loader = self._as_loader(train_set, batch_size, num_workers, drop_last)
        validation = self._as_validation(validation)
        self._begin(epochs, resume)
        with Interrupts() as interrupts:
            self._interrupts = interrupts
            self._call("on_fit_begin")
            try:
                while self.epoch < self.last_epoch and not self.history.stopped:
                    self._one_epoch(validation, monitor)
                self.history.stopped = self.history.stopped or f"all {self.last_epoch} epochs done"
                self._stopping.restore(self.model)
                self.history.best_epoch = self._stopping.best_epoch or self.epoch
            finally:
                self.model.eval()
                if self._loader is not train_set:
                    self._loader.close()
                # What is left has no step to be finished: Ctrl-C ends it at once.
                interrupts.release()
                self._interrupts = Interrupts()
                self._call("on_fit_end")
        if interrupts.requested:  # after the last epoch, whose checkpoint is written
            raise interrupts.error
        return self.history

    def _begin(self, epochs: int, go_on: bool) -> None:
        """Get ready for the first epoch of a call of `fit`, or for the place that a checkpoint tells."""
        if self.device is not None:
            self.model.to(self.device)
            if isinstance(self.loss, Module):
                self.loss.to(self.device)
        self.first_epoch, self.history.stopped = self.epoch, ""
        self._loss_sum, self._rows = 0.0, 0
        self._loader_epoch, self.batches = self._loader.epoch, (0, None)
        if go_on and self.checkpoint is None:
            raise ArgumentError("resume=True needs a Trainer with checkpoint='folder'.")
        if self.checkpoint is not None and not (go_on and resume.resume(self, self.checkpoint)):
            resume.check_unused(self.checkpoint, self.step)
        self.last_epoch = self.first_epoch + epochs
        self._steps = self._find_steps()

    def _find_steps(self) -> EagerSteps | NativeSteps:
        if not self.compile:
            return EagerSteps(self)
        found, reason = native_steps(self, self._loader)
        if found is None:
            _log.info("training eagerly: %s", reason)
            return EagerSteps(self)
        if self._native is None or not self._native.move_to(found):
            self._native = found
        return self._native

    def stop(self, reason: str) -> None:
        """End training after this epoch, for `reason`."""
        self.history.stopped = reason

    def _one_epoch(self, validation: Any, monitor: str) -> None:
        began = time.perf_counter()
        self._call("on_epoch_begin")
        self.model.train()
        batches = self._steps.begin(self._loader)
        at = self._loader.state_dict()
        self._loader_epoch = at["epoch"]
        self.batches = (at["batch"], len(self._loader) if hasattr(self._loader.dataset, "__len__") else None)
        for losses, rows in self._steps.train(batches):
            self._count(losses, rows)
            self._call("on_batch_end")
            if self._checkpoint_every and self.step % self._checkpoint_every == 0:
                self.save_checkpoint()
            self._end_if_interrupted()
        if not self._rows:
            raise DataError(self._why_no_rows())
        self._finish_epoch(validation, monitor, began)
        self._end_if_interrupted()

    def _count(self, losses: list[float], rows: int) -> None:
        """Count updates that were made on batches of so many rows."""
        for loss in losses:
            self._loss_sum += loss * rows
        self._rows += rows * len(losses)
        self.last_loss = losses[-1]
        self.step += len(losses)
        self.batches = (self.batches[0] + len(losses), self.batches[1])

    @property
    def mean_loss(self) -> float:
        """The mean loss of the rows of this epoch so far; NaN before the first of them."""
        return self._loss_sum / self._rows if self._rows else math.nan

    def _finish_epoch(self, validation: Any, monitor: str, began: float) -> None:
        record: dict[str, Any] = {
            "epoch": self.epoch + 1,
            "step": self.step,
            "loss": self._loss_sum / self._rows,
        }
        if validation is not None:
            if isinstance(validation, DataLoader):
                validation.set_epoch(self.epoch)
            found = evaluation.evaluate(self, validation, 1024, self._end_if_interrupted)
            record |= {f"validation_{name}": value for name, value in found.items()}
        record["lr"] = number_of(self.optimizer.param_groups[0]["lr"])
        record["seconds"] = time.perf_counter() - began
        self.history.epochs.append(record)
        self.epoch += 1
        self._loss_sum, self._rows = 0.0, 0
        self._loader_epoch, self.batches = self._loader_epoch + 1, (0, self.batches[1])
        if reason := self._stopping.look(record[monitor], self.epoch, self.model):
            self.stop(reason)
        if isinstance(self.schedule, ReduceLROnPlateau):
            self.schedule.step(record[monitor])
        elif self.schedule is not None and self._schedule_every == "epoch":
            self.schedule.step()
        self._call("on_epoch_end")
        is_last = self.epoch >= self.last_epoch or self.history.stopped
        if self.checkpoint is not None and (is_last or time.monotonic() - self._saved >= CHECKPOINT_SECONDS):
            self.save_checkpoint()

    def _end_if_interrupted(self) -> None:
        """After Ctrl-C, write a checkpoint and raise `KeyboardInterrupt`; after SIGTERM, see `Interrupts`."""
        if not self._interrupts.requested:
            return
        reason = "interrupted"
        if self.checkpoint is not None:
            self.save_checkpoint()
            reason = f"interrupted; checkpoint in {self.checkpoint}"
        self.history.stopped = reason
        raise self._interrupts.error

    # ------------------------------------------------------------------------------------- step

    def most_steps_at_once(self) -> int:
        """Return after how many updates, at most, something is due that is not part of a step."""
        if any(callback.wants_each_batch() for callback in self.callbacks):
            return 1
        every = self._checkpoint_every
        return every - self.step % every if every else 1_000_000

    def loss_of(self, inputs: list[Tensor], target: Tensor) -> Tensor:
        """Return the loss of a batch. Raises `ShapeError` if it is not one number."""
        loss = self.loss(self.model(*inputs), target)
        if not isinstance(loss, Tensor) or loss.numel() != 1:
            what = f"of shape {list(loss.shape)}" if isinstance(loss, Tensor) else f"a {type(loss).__name__}"
            raise ShapeError(
                f"the loss must be a tensor of one number, not {what}; reduce it, as .mean() does."
            )
        return loss.reshape(()) if loss.ndim else loss

    def clip(self) -> None:
        """Bound the gradients, as `clip_value` and `clip_norm` say."""
        if self.clip_value is not None:
            clip_grad_value_(self.model.parameters(), self.clip_value)
        if self.clip_norm is not None:
            clip_grad_norm_(self.model.parameters(), self.clip_norm)

    def after_update(self) -> None:
        """Take the schedule's step, if it goes by batches."""
        if self.schedule is not None and self._schedule_every == "batch":
            self.schedule.step()

    def place(self) -> str:
        """Return the words for where the step that comes next is: "epoch 3, batch 17 (step 117)"."""
        return f"epoch {self.epoch + 1}, batch {self.batches[0] + 1} (step {self.step + 1})"

    # ------------------------------------------------------------------------------ checkpoints

    def save_checkpoint(self) -> None:
        """Write everything that a resumed run needs to the checkpoint folder. Raises `FileError`."""
        if self.checkpoint is None:
            raise ArgumentError("this Trainer has no checkpoint folder; make it with checkpoint='folder'.")
        resume.save(self, self.checkpoint, self._keep)
        self._saved = time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        """Return where training stands: all but model, optimizer, schedule and random streams."""
        loader = {"seed": self._loader.seed, "epoch": self._loader_epoch, "batch": self.batches[0]}
        return {
            "epoch": self.epoch, "step": self.step, "first_epoch": self.first_epoch, "loader": loader,
            "batches": self.batches[1], "loss_sum": self._loss_sum, "rows": self._rows,
            "history": self.history.epochs, "stopped": self.history.stopped,
            "stopping": self._stopping.state_dict(), "callbacks": resume.states_of(self.callbacks),
        }  # fmt: skip

    def check_state(self, state: dict[str, Any], source: str) -> None:
        """Raise `ArgumentError` if a state is one of a run on other data, or with other batches."""
        own = len(self._loader) if hasattr(self._loader.dataset, "__len__") else None
        if state["batches"] is not None and state["batches"] != own:
            raise ArgumentError(
                f"'{source}' is of a run with {state['batches']} batches in an epoch, this one has {own}. "
                f"Resume with the same data and batch_size."
            )

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go to a state that `state_dict` returned."""
        resume.load_states(self.callbacks, state["callbacks"])
        self._loader.load_state_dict(state["loader"])
        self._loader_epoch, self.batches = (
            state["loader"]["epoch"],
            (state["loader"]["batch"], state["batches"]),
        )
        self.epoch, self.step, self.first_epoch = state["epoch"], state["step"], state["first_epoch"]
        self._loss_sum, self._rows = state["loss_sum"], state["rows"]
        self.history = History(state["history"])
        self.history.stopped = state["stopped"]
        self._stopping.load_state_dict(state["stopping"])

    # -------------------------------------------------------------------- evaluate and predict

    def evaluate(self, data: Any, batch_size: int = 1024) -> dict[str, float]:
        """Return {"loss", and each metric} of the model on `data`, in evaluation mode, without recording.

        `data` are as for `fit`. The modes of the modules are afterwards as they were. Raises `DataError`
        for no rows.
        """
        return evaluation.evaluate(self, data, batch_size)

    def predict(self, data: Any, batch_size: int = 1024) -> Any:
        """Return the outputs of the model, in evaluation mode, for inputs alone, without a target.

        `data`: a tensor or array, a tuple of them if the model takes several, a Dataset or a DataLoader.
        A model with several outputs gives a tuple of tensors. Raises `DataError` for no rows.
        """
        return evaluation.predict(self, data, batch_size)

    # ------------------------------------------------------------------------------------ parts

    def _as_loader(self, data: Any, batch_size: int, num_workers: int, drop_last: bool) -> DataLoader:
        if isinstance(data, DataLoader):
            return data
        dataset = evaluation.as_dataset(data)
        if hasattr(dataset, "__len__") and not len(dataset):
            raise DataError("the training data have no rows, so there is nothing to learn from.")
        is_indexed = not isinstance(dataset, IterableDataset)
        loader: DataLoader[Any] = DataLoader(
            dataset, batch_size=batch_size, shuffle=is_indexed or None, num_workers=num_workers,
            drop_last=drop_last, seed=self.seed, persistent_workers=num_workers > 0,
        )  # fmt: skip
        loader.set_epoch(self.epoch)
        return loader

    def _as_validation(self, data: Any) -> Any:
        """Return validation data as something that can be gone through again and again."""
        data = None if data is None else evaluation.as_dataset(data)
        if data is not None and hasattr(data, "__len__") and not len(data):
            raise DataError("the validation data have no rows; leave validation out, or give it some.")
        if data is None or isinstance(data, (DataLoader, TensorDataset)):
            return data
        return DataLoader(data, batch_size=1024, seed=self.seed)

    def _why_no_rows(self) -> str:
        if self._loader.drop_last and self._loader.batch_size:
            size = self._loader.batch_size
            return f"the training data have no whole batch of {size} rows, and drop_last=True."
        return "the training data have no rows, so there is nothing to learn from."

    def _check_monitor(self, monitor: str, validation: Any) -> None:
        known = ["loss"]
        if validation is not None:
            known += ["validation_loss", *(f"validation_{name}" for name in self.metrics)]
        if monitor not in known:
            near = suggest(monitor, known) or suggest(f"validation_{monitor}", known)
            raise ArgumentError(f"monitor is one of {', '.join(known)}; not {monitor!r}.{near}")

    def _call(self, event: str) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(self)


def _check_parts(model: Any, loss: Any, optimizer: Any) -> None:
    if not isinstance(model, Module):
        raise ArgumentError(f"Trainer takes a Module to train, not a {type(model).__name__}.")
    if not callable(loss) or isinstance(loss, type):
        raise ArgumentError(f"Trainer takes a loss such as stepgrad.nn.MSELoss(), not {loss!r}.")
    if not isinstance(optimizer, Optimizer):
        raise ArgumentError(
            f"Trainer takes an optimizer such as stepgrad.optim.Adam(model.parameters()), not {optimizer!r}."
        )
    check_learns(optimizer, [*model.parameters(), *(loss.parameters() if isinstance(loss, Module) else ())])


def _check_settings(schedule: Any, every: str, clip_norm: Any, clip_value: Any) -> None:
    if every not in ("epoch", "batch"):
        raise ArgumentError(f"schedule_every is 'epoch' or 'batch', not {every!r}.")
    if schedule is not None and not callable(getattr(schedule, "step", None)):
        raise ArgumentError(
            f"schedule is one of stepgrad.optim.lr_scheduler, such as CosineAnnealingLR(optimizer, epochs), "
            f"not {schedule!r}."
        )
    if every == "batch" and isinstance(schedule, ReduceLROnPlateau):
        raise ArgumentError("ReduceLROnPlateau looks at a value of each epoch; leave schedule_every out.")
    for name, value in (("clip_norm", clip_norm), ("clip_value", clip_value)):
        if value is not None and not (isinstance(value, (int, float)) and value > 0):
            raise ArgumentError(f"{name} is a number above 0, or None, not {value!r}.")


def _checked_callbacks(callbacks: Any) -> list[Callback]:
    found = [callbacks] if isinstance(callbacks, Callback) else list(callbacks)
    for callback in found:
        if not isinstance(callback, Callback):
            raise ArgumentError(
                f"callbacks are objects of stepgrad.train.Callback, not {callback!r}; for functions there is "
                f"LambdaCallback(on_epoch_end=function)."
            )
    return found


def _named_metrics(metrics: Any, loss: Any) -> dict[str, Metric]:
    if metrics is None or isinstance(metrics, dict):
        return dict(metrics or {})
    names = [metrics] if isinstance(metrics, str) else list(metrics)
    return {name: named(name, 0.5 if isinstance(loss, BCELoss) else 0.0) for name in names}


__all__ = ["Trainer"]
