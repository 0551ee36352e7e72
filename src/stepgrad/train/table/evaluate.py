"""How good a model is on rows with known answers, and how good the trivial answer would be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy

from stepgrad.data.table.columns import Column, Numbers, number_text
from stepgrad.data.table.frame import Table
from stepgrad.data.table.inputs import as_numbers
from stepgrad.data.table.target import NumberTarget, refuse_too_large
from stepgrad.errors import DataError
from stepgrad.train.metrics import confusion_matrix
from stepgrad.train.table.model import TableModel
from stepgrad.train.table.predictions import Predictions
from stepgrad.train.table.result import Baseline, Score
from stepgrad.train.table.reuse import warn_of_second_use
from stepgrad.train.table.scores import class_scores, number_scores


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Scores on the rows of a table whose answer is known.

    `rows` (N,) are their numbers in the table, from 0. `actual` (N,) are the answers: numbers, or classes as
    places in `predictions.classes`, -1 for a class that the model does not know. `predictions` are those for
    these rows. `scores` are as in `TableResult.test`, the headline first. `notes` are sentences for a person.
    """

    rows: numpy.ndarray
    actual: numpy.ndarray
    predictions: Predictions
    scores: dict[str, Score]
    notes: list[str]

    @property
    def confusion(self) -> list[list[int]] | None:
        """Counts of rows, [actual][predicted] in the order of the classes; None for regression."""
        chances = self.predictions.probabilities
        known = self.actual >= 0
        if chances is None or not known.any():
            return None
        return confusion_matrix(chances.argmax(axis=1)[known], self.actual[known], chances.shape[1]).tolist()


def evaluate_table(
    model: TableModel, table: Table, rows: numpy.ndarray | None = None, seed: int = 0
) -> Evaluation:
    """Score a model on the given rows of a table, or on all, leaving out those without an answer.

    `seed` is for bootstrap intervals. A warning is logged if the rows are those that the model was tested on
    when it was trained: choosing by their score again makes it no test. Raises `DataError` if no row has an
    answer, or if columns are missing or of other kinds than in training.
    """
    target = table.column(model.target)
    rows = numpy.arange(len(table)) if rows is None else rows
    missing = target.missing()[rows]
    if missing.all():
        raise DataError(
            f"no row has a value of '{model.target}', so there is nothing to compare predictions with."
        )
    notes = []
    if missing.any():
        notes.append(
            f"{missing.sum():,} of {len(rows):,} rows are left out because '{model.target}' is missing."
        )
    rows = rows[~missing]
    prepared = model.preparation.transform(table, rows)
    warn_of_second_use(model.record, prepared.numbers, prepared.codes)
    predictions = model.answer(model.outputs(prepared.numbers, prepared.codes))
    learned = model.preparation.target
    if isinstance(learned, NumberTarget):
        refuse_too_large(model.target, target)
        actual = as_numbers(target, model.target)[rows]
        assert predictions.values is not None
        scores = number_scores(predictions.values, actual, seed)
        scores["loss"] = Score(_standardised_loss(learned, predictions.values, actual))
    else:
        actual, strange = _class_numbers(target, rows, learned.classes)
        assert predictions.probabilities is not None
        scores = class_scores(predictions.probabilities, actual)
        if strange:
            count = int((actual < 0).sum())
            notes.append(
                f"{count:,} rows are of classes that the model does not know, such as '{strange[0]}'."
            )
    return Evaluation(rows, actual, predictions, scores, [*notes, *prepared.notes, *predictions.notes])


def baseline(model: TableModel, table: Table, train: numpy.ndarray, evaluation: Evaluation) -> Baseline:
    """Return the trivial answer, learned from the rows `train` of the table, and its scores where the model
    was scored.

    For classes it is the shares that they have in training, for numbers their mean: the same for every row.
    """
    learned, column = model.preparation.target, table.column(model.target)
    if isinstance(learned, NumberTarget):
        mean = float(as_numbers(column, model.target)[train].mean())
        values = numpy.full(len(evaluation.actual), mean)
        scores = {name: score.value for name, score in number_scores(values, evaluation.actual, 0).items()}
        scores["loss"] = _standardised_loss(learned, values, evaluation.actual)
        return Baseline(number_text(float(f"{mean:.6g}")), scores)
    codes, _ = _class_numbers(column, train, learned.classes)
    shares = numpy.bincount(codes, minlength=len(learned.classes)) / len(codes)
    found = class_scores(numpy.tile(shares, (len(evaluation.actual), 1)), evaluation.actual)
    return Baseline(
        learned.classes[int(shares.argmax())], {name: score.value for name, score in found.items()}
    )


def _class_numbers(
    column: Column, rows: numpy.ndarray, classes: list[str]
) -> tuple[numpy.ndarray, list[str]]:
    """Return the places of the rows' classes among `classes`, -1 where there is none, and the labels without
    a place."""
    codes, labels = column.rows(rows).labels()
    known = {label: i for i, label in enumerate(classes)}
    place = numpy.array([known.get(label, -1) for label in labels], dtype=numpy.int64)
    return place[codes], [label for label in labels if label not in known]


def _standardised_loss(target: NumberTarget, values: numpy.ndarray, actual: numpy.ndarray) -> float:
    """Return the mean squared error of numbers as the network learns them: standardised."""
    off = target.values(Numbers(values)).astype(numpy.float64) - target.values(Numbers(actual))
    return float((off**2).mean())
