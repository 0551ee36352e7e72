"""`HealthCheck`: a callback that looks over a network while a `Trainer` trains it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy

from stepgrad.arrays import random
from stepgrad.errors import ArgumentError, NotFiniteError
from stepgrad.functions.creation import from_numpy
from stepgrad.train.callbacks import Callback
from stepgrad.train.eager import with_target
from stepgrad.train.health.case import MOST_ROWS, Case
from stepgrad.train.health.check import Health, diagnose
from stepgrad.train.health.findings import Finding
from stepgrad.train.health.measure import Measurement, measure
from stepgrad.train.health.proposals import propose
from stepgrad.train.native import rows_in_memory

if TYPE_CHECKING:
    from stepgrad.tensor import Tensor
    from stepgrad.train.trainer import Trainer


class HealthCheck(Callback):
    """Looks over the network before training and after some epochs; at the end, `health` says what is wrong.

    * `looks`: after how many epochs, at most, it looks. These are the first ones and then ever rarer, so that
      a long run is hardly slower; between them nothing is done, and native steps stay native.
    * `sample`: (inputs…, target), the rows to look at; by default up to 256 of the training data.
    * `validation`: (inputs…, target), rows to try changes on, if there is something to try.

    After `fit` (also one that ended in a `NotFiniteError`), `health` is the `Health` of the run; `try_out`
    starts from the weights that the run began with. `measurements` grows meanwhile.

    Raises `ArgumentError` at the beginning of `fit` for data that cannot be looked at by number: name a
    `sample`.

    >>> import stepgrad as sg
    >>> from stepgrad.train import HealthCheck
    >>> _ = sg.manual_seed(0)
    >>> x = sg.randn(64, 3)
    >>> net = sg.nn.Sequential(sg.nn.Linear(3, 8), sg.nn.ReLU(), sg.nn.Linear(8, 1))
    >>> sgd, check = sg.optim.SGD(net.parameters(), lr=1e-6), HealthCheck()
    >>> trainer = sg.Trainer(net, sg.nn.MSELoss(), sgd, callbacks=check, progress=False)
    >>> _ = trainer.fit((x, x.sum(1, keepdim=True)), epochs=5)
    >>> check.health.kinds()
    ['rate_too_low']
    """

    def __init__(self, looks: int = 12, sample: Any = None, validation: Any = None) -> None:
        if looks < 1:
            raise ArgumentError(f"looks counts the epochs that are looked at, at least 1, not {looks}.")
        self.looks, self._sample, self._validation = looks, sample, validation
        self.measurements: list[Measurement] = []
        self.health = Health()
        self._case: Case | None = None
        self._begun: Case | None = None
        self._next = 0

    def on_fit_begin(self, trainer: Trainer) -> None:
        """Look at the network as it begins, and keep a copy of it."""
        *inputs, target = self._rows(trainer)
        validation = None if self._validation is None else with_target(self._validation, trainer.device)
        self._case = Case(
            trainer.model, trainer.loss, trainer.optimizer, tuple(inputs), target,
            None if validation is None else tuple(validation), trainer.clip_norm, trainer.clip_value,
        )  # fmt: skip
        self.measurements, self.health = [], Health()
        self._begun, self._next = self._case.copy(), trainer.epoch + 1
        self._look(trainer)

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Look at the network, if it is time."""
        is_last = trainer.epoch >= trainer.last_epoch or bool(trainer.history.stopped)
        if trainer.epoch >= self._next or is_last:
            self._look(trainer)
            done = trainer.epoch - trainer.first_epoch
            total = max(trainer.last_epoch - trainer.first_epoch, 1)
            # The next look after a constant factor of the epochs, so that `looks` of them reach the end.
            self._next = trainer.epoch + max(1, round(done * (total ** (1 / self.looks) - 1)))

    def on_fit_end(self, trainer: Trainer) -> None:
        """Say what is wrong."""
        if self._begun is None:
            return
        error = sys.exception()
        if isinstance(error, NotFiniteError):
            self.end_in(error)
        elif error is None:
            kept = trainer.history.best_epoch if trainer._stopping.best_state is not None else 0
            self._conclude(diagnose(self._begun, self.measurements, trainer.history, kept))

    def end_in(self, error: NotFiniteError) -> None:
        """Say what is wrong with a run that ended in a NaN or infinity."""
        assert self._begun is not None
        self._conclude(diagnose(self._begun, self.measurements, error=error))

    def _conclude(self, findings: list[Finding]) -> None:
        assert self._begun is not None
        self.health = Health(*propose(self._begun, findings), self.measurements, self._begun)

    def _look(self, trainer: Trainer) -> None:
        assert self._case is not None
        self.measurements.append(measure(self._case, trainer.epoch, trainer.step))

    def _rows(self, trainer: Trainer) -> list[Tensor]:
        if self._sample is not None:
            return with_target(self._sample, trainer.device)
        loader = trainer._loader
        found = rows_in_memory(loader.dataset)
        if found is not None:
            tensors, rows = found
            first = numpy.arange(len(tensors[0]))[:MOST_ROWS] if rows is None else rows[:MOST_ROWS]
            return with_target([t.detach()[from_numpy(first)] for t in tensors], trainer.device)
        if not hasattr(loader.dataset, "__getitem__") or not hasattr(loader.dataset, "__len__"):
            raise ArgumentError(
                f"HealthCheck cannot pick rows of a {type(loader.dataset).__name__}; name the rows to look "
                f"at: HealthCheck(sample=(x, y))."
            )
        streams = random.get_rng_state()
        try:
            count = min(MOST_ROWS // 4, len(loader.dataset))
            samples = [loader.dataset[i] for i in range(count)]
        finally:
            random.set_rng_state(streams)
        return with_target(loader.collate_fn(samples), trainer.device)
