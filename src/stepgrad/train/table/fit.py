"""Training the network of a prepared table: optimizer, schedule, early stopping, and the refit on all known
rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy

from stepgrad import nn, optim
from stepgrad.arrays import random
from stepgrad.data.dataset import TensorDataset
from stepgrad.data.table.prepare import Preparation
from stepgrad.optim.lr_scheduler import CosineAnnealingLR
from stepgrad.train.callbacks import Callback
from stepgrad.train.history import History
from stepgrad.train.table.network import make_network
from stepgrad.train.table.settings import TableSettings, needed
from stepgrad.train.trainer import Trainer

LOSSES: dict[str, Callable[[], nn.Module]] = {
    "regression": nn.MSELoss, "binary": nn.BCEWithLogitsLoss, "multiclass": nn.CrossEntropyLoss,
}  # fmt: skip
_OPTIMIZERS: dict[str, Callable[..., optim.Optimizer]] = {
    "adam": optim.Adam, "adamw": optim.AdamW, "sgd": partial(optim.SGD, momentum=0.9),
}  # fmt: skip

_MANY_BATCHES = 20
_MANY_STEPS = 1_200  # fewer are done before they would be compiled


@dataclass(frozen=True, eq=False)
class Part:
    """Prepared rows: `numbers` float32 (N, D), `codes` int64 (N, K), `target` int64 classes or float32
    numbers (N,)."""

    numbers: numpy.ndarray
    codes: numpy.ndarray
    target: numpy.ndarray

    def __len__(self) -> int:
        return len(self.target)

    def joined(self, other: Part) -> Part:
        """Return the rows of both."""
        pairs = ((self.numbers, other.numbers), (self.codes, other.codes), (self.target, other.target))
        return Part(*(numpy.concatenate(pair) for pair in pairs))

    def dataset(self, multiclass: bool) -> TensorDataset:
        """Return the rows as the loss of the task takes them: targets (N,) for many classes, else float32 (N,
        1)."""
        target = self.target
        if not multiclass:
            target = target.astype(numpy.float32)[:, None]
        codes = (self.codes,) if self.codes.shape[1] else ()
        return TensorDataset(self.numbers, *codes, target)


@dataclass(frozen=True)
class Fitted:
    """A trained network (on the CPU), the history of its training, and the seconds that training took.

    Where the network was trained anew on all rows, `history` is that of the first training, which had
    validation rows, and `refit_rows` counts the rows of the second; else `refit_rows` is None.
    """

    network: nn.Module
    history: History
    refit_rows: int | None
    seconds: float


def fit_network(
    preparation: Preparation,
    settings: TableSettings,
    train: Part,
    validation: Part | None,
    checkpoints: Path | None = None,
    callbacks: Iterable[Callback] = (),
    log: Iterable[Callback] = (),
    resume: bool = False,
) -> Fitted:
    """Train a network on `train`, with early stopping by `validation` if there is one; then, with
    `settings.refit`, on both.

    `settings` must have everything chosen. `checkpoints` is a folder for them; with `resume`, training goes
    on from the newest. `callbacks` are called in both trainings, `log` in the first one alone. The default
    random streams are seeded for the training and put back after it.
    """
    before = random.get_rng_state()
    try:
        first = _trainer(preparation, settings, len(train), checkpoints, [*log, *callbacks])
        history = _run(first, settings, train, validation, needed(settings.epochs), resume)
        seconds = sum(history["seconds"])
        if not settings.refit or validation is None:
            return Fitted(first.model.to("cpu"), history, None, seconds)
        everything = train.joined(validation)
        again = None if checkpoints is None else checkpoints / "refit"
        second = _trainer(preparation, settings, len(everything), again, callbacks)
        seconds += sum(_run(second, settings, everything, None, history.best_epoch, resume)["seconds"])
        return Fitted(second.model.to("cpu"), history, len(everything), seconds)
    finally:
        random.set_rng_state(before)


def _trainer(
    preparation: Preparation,
    settings: TableSettings,
    rows: int,
    checkpoints: Path | None,
    callbacks: Iterable[Callback],
) -> Trainer:
    """Return a trainer of a fresh network; the learning rate falls along half a cosine to 0 after
    `settings.epochs`."""
    random.manual_seed(settings.seed)
    epochs, batch_size = needed(settings.epochs), needed(settings.batch_size)
    network = make_network(settings, preparation).to(settings.device)
    optimizer = make_optimizer(network, settings)
    return Trainer(
        network, LOSSES[preparation.task.kind](), optimizer,
        schedule=CosineAnnealingLR(optimizer, epochs),
        metrics=["r2" if preparation.task.kind == "regression" else "accuracy"],
        callbacks=callbacks, device=settings.device, seed=settings.seed, checkpoint=checkpoints,
        progress=False,
        compile=rows * epochs >= _MANY_STEPS * batch_size,
    )  # fmt: skip


def _run(
    trainer: Trainer, settings: TableSettings, train: Part, validation: Part | None, epochs: int, resume: bool
) -> History:
    multiclass = isinstance(trainer.loss, nn.CrossEntropyLoss)
    batch_size = needed(settings.batch_size)
    return trainer.fit(
        train.dataset(multiclass),
        None if validation is None else validation.dataset(multiclass),
        epochs=epochs, batch_size=batch_size,
        # What remains at the end of an epoch is left out where it is few: a batch of its own size is eager,
        # or compiled anew.
        drop_last=len(train) >= _MANY_BATCHES * batch_size,
        patience=None if validation is None else settings.patience or epochs, resume=resume,
    )  # fmt: skip


def make_optimizer(network: nn.Module, settings: TableSettings) -> optim.Optimizer:
    """Return the optimizer; weights decay, biases do not."""
    named = list(network.named_parameters())
    groups = [
        {
            "params": [pair for pair in named if not pair[0].endswith("bias")],
            "weight_decay": settings.weight_decay,
        },
        {"params": [pair for pair in named if pair[0].endswith("bias")], "weight_decay": 0.0},
    ]
    return _OPTIMIZERS[needed(settings.optimizer)](groups, lr=settings.lr)
