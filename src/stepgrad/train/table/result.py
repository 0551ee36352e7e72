"""What came out of a run on a table: everything that the summary, the JSON object and the report are made
of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy

from stepgrad.train.health import Health
from stepgrad.train.table.settings import TableSettings

JSON_VERSION = 1


@dataclass(frozen=True)
class Score:
    """A score on the test rows with its 95 % interval; `value` is None where it is not defined, such as the
    R² of one row.

    `method` says how the interval is found: "Wilson", "bootstrap", or None if this score has none. `low` and
    `high` are None where there is no interval, also since the rows are too few for one.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    method: str | None = None


def scores_to_json(scores: dict[str, Score]) -> dict[str, Any]:
    """Return the scores as JSON has them: a score whose `method` is known has a second entry for its
    interval, such as ``"accuracy_interval": [low, high]``, or None where the rows are too few for one.

    >>> scores_to_json({"rmse": Score(2.0, None, None, "bootstrap"), "loss": Score(0.5)})
    {'rmse': 2.0, 'rmse_interval': None, 'loss': 0.5}
    """
    said: dict[str, Any] = {}
    for name, score in scores.items():
        said[name] = score.value
        if score.method is not None:
            said[f"{name}_interval"] = None if score.low is None else [score.low, score.high]
    return said


@dataclass(frozen=True)
class Baseline:
    """The trivial answer: the same for every row, found on the training rows, and its scores on the test
    rows.

    `answer` is the most frequent class, or the mean of the target as text. `scores` have the names that the
    test scores have.
    """

    answer: str
    scores: dict[str, float | None]


@dataclass(frozen=True)
class Layer:
    """One layer of the network: its text, such as ``Linear(in_features=4, out_features=64, bias=True)``, the
    shape of what it hands on without the dimension of the rows, and how many parameters it has."""

    text: str
    output: tuple[int, ...]
    parameters: int


@dataclass(frozen=True)
class Example:
    """One test row: its number in the table (from 1, without the header), its cells as text ("" is missing)
    by column, the answer, and the prediction.

    `probability` is the one of the predicted class, None for regression. `right`: for classes, whether the
    prediction is the answer; for regression, whether the error is among the smaller half of those of the test
    rows.
    """

    row: int
    cells: dict[str, str]
    actual: str
    predicted: str
    probability: float | None
    right: bool


@dataclass(frozen=True)
class InputImportance:
    """How much worse the predictions get when the cells of one column are shuffled among the rows (Breiman,
    2001).

    `loss_rise` is the mean rise of the loss, `score_drop` of the error: 1 - accuracy, or the rmse in units of
    the target. Around 0: the network does not need the column.
    """

    column: str
    loss_rise: float
    score_drop: float


@dataclass(frozen=True)
class ReadColumn:
    """How a column of the table became inputs of the network.

    `kind`: "number", "long tail" (numbers of which those far out are drawn in), "boolean", "category",
    "embedding", "date", "indicator" (only whether a cell is filled), or "left out". `values`: how many a
    category has, else 0. `missing`: the share of the table's rows that lack it.
    """

    name: str
    kind: str
    values: int
    missing: float


@dataclass(frozen=True)
class TableResult:
    """A finished run.

    * `task` "regression", "binary" or "multiclass"; `task_reason` why; `target`; `classes` in order
      (regression: []).
    * `rows`: how many under "train", "validation", "test". `settings`: all of them, also those that were
      chosen.
    * `inputs`: how many numbers go into the network. `layers`, `parameters`: the network.
    * `refit_rows`: how many rows the network was finally trained on, if that was done anew on training and
      validation rows together for `best_epoch` epochs; else None.
    * `history`: one dict per epoch, as in `metrics.jsonl`: "epoch" (from 1), "loss", "validation_loss", "lr",
      …. `epochs` were trained, after `best_epoch` the weights were best, `stopped` says why training ended.
      `seconds`: of training alone.
    * `test`: scores by name. Classes: "accuracy", "loss" (mean cross entropy in nats), "roc_auc" (binary) or
      "f1" (multiclass, the mean over classes). Regression: "rmse", "mae" (in units of the target), "r2",
      "loss". The first one is the headline.
    * `baseline`: the trivial answer. `confusion`: counts of test rows, [actual][predicted], in the order of
      `classes`.
    * `actual`, `predicted`: for regression, the test rows' numbers (at most 2,000 of them, evenly chosen),
      else None.
    * `examples`: test rows, right and wrong. `importance`: columns, the most important first, measured on
      `importance_rows` ("validation", "test" or "training") rows.
    * `columns`: how each column but the target was read.
    * `notes`: sentences about what was decided about the table. `run`, `model`: folder and file, None if not
      written. `health`: what went wrong in training, None without a folder.
    """

    task: str
    task_reason: str
    target: str
    classes: list[str]
    rows: dict[str, int]
    settings: TableSettings
    inputs: int
    layers: list[Layer]
    parameters: int
    history: list[dict[str, Any]]
    epochs: int
    best_epoch: int
    stopped: str
    refit_rows: int | None
    seconds: float
    test: dict[str, Score]
    baseline: Baseline
    confusion: list[list[int]] | None
    actual: numpy.ndarray | None
    predicted: numpy.ndarray | None
    examples: list[Example]
    importance: list[InputImportance]
    importance_rows: str
    columns: list[ReadColumn] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    run: str | None = None
    model: str | None = None
    health: Health | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``stepgrad train --json`` prints.

        Numbers are finite or None; for the scores see `scores_to_json`.
        """
        return {
            "version": JSON_VERSION,
            "task": self.task,
            "target": self.target,
            "rows": self.rows,
            "parameters": self.parameters,
            "epochs": self.epochs,
            "best_epoch": self.best_epoch,
            "seconds": round(self.seconds, 3),
            "test": scores_to_json(self.test),
            "baseline": {"answer": self.baseline.answer, **self.baseline.scores},
            "run": self.run,
            "model": self.model,
        }
