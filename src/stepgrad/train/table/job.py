"""The job behind `stepgrad train`: from a table to a trained, tested and saved network."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy

from stepgrad.data.table.columns import Booleans, Column, Texts
from stepgrad.data.table.frame import Table
from stepgrad.data.table.inputs import CategoryInput, EmbeddingInput, NumberInput
from stepgrad.data.table.prepare import Preparation
from stepgrad.data.table.split import Split, refuse_few_rows, split_rows
from stepgrad.data.table.task import find_task
from stepgrad.errors import ArgumentError, DataError, NotFiniteError
from stepgrad.train.callbacks import Callback, EpochLog
from stepgrad.train.health.callback import HealthCheck
from stepgrad.train.table import config
from stepgrad.train.table.defaults import with_defaults
from stepgrad.train.table.evaluate import baseline, evaluate_table
from stepgrad.train.table.examples import choose_examples
from stepgrad.train.table.failed import METRICS_NAME, Trained, keep_failed, write_health
from stepgrad.train.table.fit import Fitted, Part, fit_network
from stepgrad.train.table.importance import permutation_importance
from stepgrad.train.table.model import MODEL_NAME, TableModel
from stepgrad.train.table.network import count_weights, describe_layers
from stepgrad.train.table.result import ReadColumn, TableResult
from stepgrad.train.table.reuse import mark_test_rows, note_other_runs
from stepgrad.train.table.settings import TableSettings, needed

CHECKPOINTS_NAME = "checkpoints"
_MOST_POINTS = 2_000


@dataclass(frozen=True, eq=False)
class Job:
    """A table made ready for training: its rows split, its columns prepared, all settings chosen."""

    table: Table
    split: Split
    preparation: Preparation
    settings: TableSettings

    @classmethod
    def prepare(cls, table: Table, settings: TableSettings) -> Job:
        """Find the task, split the rows, learn the preparation, choose what is None."""
        target = table.column(settings.target)
        if not target.missing().all():  # or `find_task` says so
            refuse_few_rows(target, f"'{settings.target}'")
        task = find_task(table, settings.target, settings.task)
        split = split_rows(target, task, settings.fractions, settings.seed, f"'{settings.target}'")
        if not len(split.test):
            raise ArgumentError("no rows are left for the test; give it a larger fraction.")
        preparation = Preparation.fit(table, settings.target, task, split.train, settings.bounded)
        return cls(table, split, preparation, with_defaults(settings, task.kind, len(split.train)))

    def part(self, rows: numpy.ndarray) -> Part:
        """Return the given rows as the network takes them."""
        return _part(self.preparation, self.table, rows)


def train_table(
    table: Table,
    settings: TableSettings,
    folder: str | os.PathLike[str] | None = None,
    callbacks: Iterable[Callback] = (),
    resume: bool = False,
) -> TableResult:
    """Train a network on a table and test it: find the task, split, prepare, train, evaluate the test rows
    once.

    With a `folder`, everything is kept there: `config.toml` and `metrics.jsonl` from the start, `checkpoints`
    while it trains, `health.json` and `model.safetensors` at the end; after a `NotFiniteError`, in the place
    of the model, `before_nan.safetensors` with the weights before that step. With `resume`, a run that was
    interrupted in `folder` goes on to the same bits; `settings` are then those of ``read_config(folder)``.
    `callbacks` are those of a `Trainer`; they are called in the refit on all known rows as well. The default
    random streams are left as they are.

    Raises `DataError` if the table cannot be learned from (see `find_task`, `split_rows` and
    `Preparation.fit`) or is not the one that a resumed run was begun with; `ArgumentError` for impossible
    settings; `FileError` if the folder holds another run or cannot be written; `NotFiniteError`;
    `KeyboardInterrupt` on Ctrl-C, after a checkpoint.

    >>> from stepgrad.data.builtin import iris
    >>> measures, species = iris()
    >>> kinds = [f"kind {s}" for s in species]
    >>> table = Table.from_arrays({"length": measures[:, 2], "width": measures[:, 3], "species": kinds})
    >>> result = train_table(table, TableSettings("species", epochs=10, refit=False))
    >>> result.task, sum(result.rows.values()), result.test["accuracy"].value > 0.8
    ('multiclass', 150, True)
    """
    job = Job.prepare(table, settings)
    split, preparation, settings = job.split, job.preparation, job.settings
    path = None if folder is None else _begin_folder(Path(folder), table, settings, resume)
    train = job.part(split.train)
    validation = job.part(split.validation) if len(split.validation) else None
    is_multiclass = preparation.task.kind == "multiclass"
    check = HealthCheck(validation=None if validation is None else validation.dataset(is_multiclass).tensors)
    trained = Trained()
    try:
        fitted = _fit(
            preparation, settings, train, validation,
            None if path is None else path / CHECKPOINTS_NAME,
            [trained, *callbacks],
            [] if path is None else [EpochLog(path / METRICS_NAME), check],
            resume,
        )  # fmt: skip
    except NotFiniteError as error:
        if path is not None and trained.network is not None:
            keep_failed(path, error, check, trained.network, preparation, _settings_record(settings))
        raise
    model = TableModel(fitted.network, preparation)
    result = _result(table, settings, split, model, fitted)
    if path is None:
        return result
    write_health(check.health, path)
    test, checksum = preparation.transform(table, split.test), config.read_config(path)[1]
    others = note_other_runs(path, settings, checksum)
    marks = mark_test_rows(test.numbers, test.codes)
    model.save(path / MODEL_NAME, _record(result) | {"fingerprint": checksum} | marks)
    return replace(
        result, run=str(path), model=str(path / MODEL_NAME), health=check.health,
        notes=[*result.notes, *others],
    )  # fmt: skip


def _fit(preparation: Preparation, settings: TableSettings, train: Part, *rest: Any) -> Fitted:
    """Return what `fit_network` does; if it does not fit into the memory, blame what takes the most of it."""
    try:
        return fit_network(preparation, settings, train, *rest)
    except MemoryError:
        weights = count_weights(settings, preparation)
        if weights < train.numbers.size + train.codes.size:
            raise
        layers = ", ".join(f"{units:,}" for units in needed(settings.hidden))
        raise ArgumentError(
            f"there is not enough memory for a network with hidden layers of {layers} units, which has "
            f"{weights:,} weights; choose fewer."
        ) from None


def _part(preparation: Preparation, table: Table, rows: numpy.ndarray) -> Part:
    prepared = preparation.transform(table, rows)
    return Part(prepared.numbers, prepared.codes, preparation.target_values(table, rows))


def _result(
    table: Table, settings: TableSettings, split: Split, model: TableModel, fitted: Fitted
) -> TableResult:
    preparation, history = model.preparation, fitted.history
    test = evaluate_table(model, table, split.test, settings.seed)
    layers = describe_layers(model.network, preparation)
    notes = [*table.notes, *split.notes, *preparation.notes]
    shown = numpy.linspace(0, len(test.rows) - 1, min(len(test.rows), _MOST_POINTS)).round().astype(int)
    values = test.predictions.values
    return TableResult(
        task=preparation.task.kind,
        task_reason=preparation.task.reason,
        target=settings.target,
        classes=model.classes,
        rows={"train": len(split.train), "validation": len(split.validation), "test": len(split.test)},
        settings=settings,
        inputs=len(preparation.inputs),
        layers=layers,
        parameters=sum(parameter.numel() for parameter in model.network.parameters()),
        history=list(history),
        epochs=len(history),
        best_epoch=history.best_epoch,
        stopped=history.stopped,
        refit_rows=fitted.refit_rows,
        seconds=fitted.seconds,
        test=test.scores,
        baseline=baseline(model, table, split.train, test),
        confusion=test.confusion,
        actual=None if values is None else test.actual[shown],
        predicted=None if values is None else values[shown],
        examples=choose_examples(
            table, settings.target, test.rows, test.actual, test.predictions, settings.seed
        ),
        importance=permutation_importance(model, _part(preparation, table, split.test), settings.seed),
        importance_rows="test",
        columns=[
            _read_column(name, column, preparation) for name, column in table if name != settings.target
        ],
        notes=notes,
    )


def _read_column(name: str, column: Column, preparation: Preparation) -> ReadColumn:
    each = next((each for each in preparation.columns if each.origin == name), None)
    kind = "left out" if each is None else each.kind
    if isinstance(each, NumberInput) and each.long_tailed:
        kind = "long tail"
    values = len(each.categories) if isinstance(each, (CategoryInput, EmbeddingInput)) else 0
    return ReadColumn(name, kind, values, float(column.missing().mean()))


def _record(result: TableResult) -> dict[str, Any]:
    """Return what the model file says about its training: nothing that differs between two runs of the same
    settings."""
    return {
        "task": result.task,
        "target": result.target,
        "rows": result.rows,
        **_settings_record(result.settings),
        "epochs": result.epochs,
        "best_epoch": result.best_epoch,
        "refit_rows": result.refit_rows,
        "test": {name: score.value for name, score in result.test.items()},
        "baseline": result.baseline.scores,
    }


def _settings_record(settings: TableSettings) -> dict[str, Any]:
    return {"settings": {name: value for name, value in asdict(settings).items() if name != "data"}}


def _begin_folder(folder: Path, table: Table, settings: TableSettings, resume: bool) -> Path:
    """Write `config.toml`, or with `resume` check that it is the one of this run."""
    checksum = fingerprint(table)
    if not resume:
        config.make_run_folder(folder)
        config.write_config(folder, settings, checksum)
        return folder
    begun, begun_with = config.read_config(folder)
    if checksum != begun_with:
        raise DataError(
            f"the table is not the one that the run in '{folder}' was begun with (its checksum differs), "
            "so that training could not go on to the same result; begin a new run."
        )
    for field in fields(settings):
        now, then = getattr(settings, field.name), getattr(begun, field.name)
        if now != then and field.name != "data":
            raise ArgumentError(f"the run in '{folder}' was begun with {field.name} = {then!r}, not {now!r}.")
    return folder


def fingerprint(table: Table) -> str:
    """Return a checksum (SHA-256) of the names and cells of a table.

    >>> a, b = (Table.from_arrays({"x": [1.0, x]}) for x in (2.0, 3.0))
    >>> fingerprint(a) == fingerprint(a), fingerprint(a) == fingerprint(b)
    (True, False)
    """
    digest = hashlib.sha256()
    for name, column in table:
        described = [type(column).__name__, name]
        described += column.categories if isinstance(column, Texts) else []
        described += column.words if isinstance(column, Booleans) else []
        digest.update(json.dumps(described).encode())
        cells = column.codes if isinstance(column, Texts) else column.values
        digest.update(numpy.ascontiguousarray(cells).view(numpy.uint8).data)
    return digest.hexdigest()
