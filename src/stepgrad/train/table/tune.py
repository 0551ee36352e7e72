"""The job behind `stepgrad tune`: settings found on validation rows, then one run with the best."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from stepgrad.data.table.frame import Table
from stepgrad.errors import ArgumentError, DataError, NotFiniteError
from stepgrad.train.callbacks import Callback
from stepgrad.train.table import config
from stepgrad.train.table.fit import Part, fit_network
from stepgrad.train.table.job import Job, fingerprint, train_table
from stepgrad.train.table.model import MODEL_NAME
from stepgrad.train.table.result import TableResult
from stepgrad.train.table.search import SEARCH_NAME, Search, Trial, begin_search, read_search
from stepgrad.train.table.settings import TableSettings

JSON_VERSION = 1
TRIALS = 30


@dataclass(frozen=True)
class TuneResult:
    """A finished search: its `trials` in order, the `best` of them, what share of the differences between
    their losses each searched setting explains (`importance`, the largest first; {} for too few trials), and
    the `run` with the best settings, whose test is the only use of the test rows.
    """

    trials: list[Trial]
    best: Trial
    importance: dict[str, float]
    run: TableResult

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``stepgrad tune --json`` prints."""
        return {
            "version": JSON_VERSION,
            "trials": [asdict(trial) for trial in self.trials],
            "best": asdict(self.best),
            "importance": self.importance,
            "run": self.run.to_json(),
        }


def tune_table(
    table: Table,
    settings: TableSettings,
    folder: str | os.PathLike[str] | None = None,
    trials: int = TRIALS,
    timeout: float | None = None,
    resume: bool = False,
    on_trial: Callable[[Trial, list[Trial]], None] | None = None,
    callbacks: Iterable[Callback] = (),
) -> TuneResult:
    """Search the settings that are None for the lowest validation loss, then train with the best and test
    once.

    Searched are the hidden layers (1 to 3, of 8 to 512 units each), the activation, the learning rate, the
    dropout and the weight decay; one that is given in `settings` stays. Of a linear model (``hidden=()``)
    it is the learning rate alone. Each trial trains on the training rows with early stopping; the first has
    the settings that `train_table` would choose. The test rows are not looked at before the end.

    After `trials` trials, or when `timeout` seconds have passed (the trial under way is finished), the best
    settings are trained as by `train_table`, in the same `folder`, where the trials are kept in `tuning.log`.
    With `resume`, a search that was interrupted there goes on to the same trials. The same seed gives the
    same trials. `on_trial` is called after each with it and all so far; `callbacks` are those of the last
    run.

    Raises `MissingPackageError` without the extra ``stepgrad[tune]``; `ArgumentError` if there is nothing to
    search or the search is finished already; `NotFiniteError` if every trial diverged; otherwise as
    `train_table` does.

    >>> from stepgrad.data.builtin import iris
    >>> measures, species = iris()
    >>> kinds = [f"kind {s}" for s in species]
    >>> table = Table.from_arrays({"length": measures[:, 2], "width": measures[:, 3], "species": kinds})
    >>> result = tune_table(table, TableSettings("species", epochs=5, hidden=(8,)), trials=3)
    >>> len(result.trials), sorted(result.best.values)
    (3, ['activation', 'dropout', 'lr', 'weight_decay'])
    """
    if trials < 1:
        raise ArgumentError(f"trials must be a whole number of at least 1, not {trials}.")
    if timeout is not None and not timeout > 0:
        raise ArgumentError(f"timeout must be a number of seconds above 0, not {timeout!r}.")
    job = Job.prepare(table, settings)
    if not len(job.split.validation):
        raise ArgumentError("no rows are left for validation, by which the settings are chosen.")
    path = None if folder is None else Path(folder)
    search = Search(settings, job.settings, None)  # or it is refused before a folder is made
    if path is not None:
        _begin(path, table, settings, trials, resume)
        search = Search(settings, job.settings, path / SEARCH_NAME)
    # A last run that was begun has the best settings of the trials that there were.
    is_last = path is not None and (path / config.NAME).exists()
    if not is_last:
        _run_trials(search, job, trials, timeout, on_trial)
    done = search.trials
    finite = [trial for trial in done if trial.validation_loss is not None]
    if not finite:
        raise NotFiniteError("no trial had a finite validation loss. Look at the table's numbers.")
    best = min(finite, key=lambda trial: (trial.validation_loss, trial.number))
    run = train_table(table, search.settings(best.values), path, callbacks, resume=is_last)
    return TuneResult(done, best, search.importance(), run)


def _run_trials(
    search: Search,
    job: Job,
    trials: int,
    timeout: float | None,
    on_trial: Callable[[Trial, list[Trial]], None] | None,
) -> None:
    begun = time.monotonic()
    train, validation = job.part(job.split.train), job.part(job.split.validation)
    while len(search.trials) < trials:
        if timeout is not None and search.trials and time.monotonic() - begun >= timeout:
            return
        values = search.propose()
        search.keep(values, *_try(search.settings(values), job, train, validation))
        if on_trial is not None:
            done = search.trials
            on_trial(done[-1], done)


def _try(settings: TableSettings, job: Job, train: Part, validation: Part) -> tuple[float | None, int, float]:
    """Return the lowest validation loss of a training (None if it diverged), its epochs and seconds."""
    begun = time.perf_counter()
    try:
        fitted = fit_network(job.preparation, replace(settings, refit=False), train, validation)
    except NotFiniteError:
        return None, 0, time.perf_counter() - begun
    losses = [loss for loss in fitted.history["validation_loss"] if loss is not None and math.isfinite(loss)]
    return min(losses, default=None), len(fitted.history), fitted.seconds


def _begin(folder: Path, table: Table, settings: TableSettings, trials: int, resume: bool) -> None:
    checksum = fingerprint(table)
    if not resume:
        config.make_run_folder(folder)
        begin_search(folder, settings, trials, checksum)
        return
    begun, _, begun_with = read_search(folder)
    if checksum != begun_with:
        raise DataError(
            f"the table is not the one that the search in '{folder}' was begun with (its checksum differs); "
            "begin a new search."
        )
    if begun != settings:
        raise ArgumentError(
            f"the search in '{folder}' was begun with other settings; leave them as they were."
        )
    if (folder / MODEL_NAME).exists():
        raise ArgumentError(
            f"the search in '{folder}' is finished, and its test rows are used; begin a new search."
        )
