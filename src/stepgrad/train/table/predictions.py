"""Predictions that a person can read: labels and percentages, or numbers, as a table in text and HTML."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy

from stepgrad.errors import ShapeError
from stepgrad.markup import Html, join, tag
from stepgrad.words.language import Words, choose_language
from stepgrad.words.numbers import number, percent

_SHOWN = 10


@dataclass(frozen=True, eq=False, repr=False)
class Predictions:
    """Predictions for the rows of a table.

    For classes, `labels` (one text per row) and `probabilities`, float64 (rows, C) in the order of `classes`;
    for regression `values`, float64 (rows,) in units of the target. What does not apply is None. `notes` are
    sentences about the table: columns that were not used, cells unlike those of training, predictions at the
    limit (see `TableModel`).

    Printed, or shown in a notebook, it is a table of the first rows: the row's number from 1, the label or
    the number, and the probability of the label as a percentage.

    >>> Predictions(["cat", "dog"], ["dog"], numpy.array([[0.026, 0.974]]), None)
    row  predicted  probability
    1    dog        97.4%
    """

    classes: list[str]
    labels: list[str] | None
    probabilities: numpy.ndarray | None
    values: numpy.ndarray | None
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.labels or ()) if self.values is None else len(self.values)

    def __repr__(self) -> str:
        words = Words()
        lines = [_heads(self, words), *_rows(self)]
        widths = [max(map(len, column)) for column in zip(*lines)]
        texts = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
        return "\n".join([*texts, *_rest(self, words)])

    def _repr_html_(self) -> str:
        words = Words(choose_language())
        head = tag("tr", *(tag("th", text, scope="col") for text in _heads(self, words)))
        rows = [_html_row(line, share) for line, share in zip(_rows(self), _shares(self))]
        table = tag("table", tag("thead", head), tag("tbody", *rows))
        return join([table, *(tag("p", text) for text in _rest(self, words))])


def read_outputs(outputs: Any, classes: Iterable[object]) -> Predictions:
    """Return what the `outputs` of a classifier mean: logits, (rows, C) or (rows, 1) for two classes, as a
    Tensor or an array; `classes` are the C labels in order.

    The probabilities are the softmax of the logits, or the sigmoid of a single one, in float64. Raises
    `ShapeError` if `outputs` has not as many columns as there are classes.

    >>> read_outputs(numpy.array([[0.0, 3.0], [1.0, -1.0]]), ["cat", "dog"])
    row  predicted  probability
    1    dog        95.3%
    2    cat        88.1%
    """
    labels = [str(name) for name in classes]
    values = outputs.detach().cpu().numpy() if hasattr(outputs, "detach") else numpy.asarray(outputs)
    columns = {len(labels), 1} if len(labels) == 2 else {len(labels)}
    if values.ndim != 2 or values.shape[1] not in columns:
        raise ShapeError(
            f"read_outputs: outputs of shape {values.shape} do not fit {len(labels)} classes; give one row "
            f"per sample and one logit per class{' (or a single one)' if len(labels) == 2 else ''}."
        )
    chances = probabilities(values.astype(numpy.float64))
    return Predictions(labels, [labels[i] for i in chances.argmax(axis=1).tolist()], chances, None)


def probabilities(outputs: numpy.ndarray) -> numpy.ndarray:
    """Return the probabilities of the classes, float64 (rows, C), from logits (rows, C), or (rows, 1) for two
    classes.

    >>> probabilities(numpy.array([[0.0]]))
    array([[0.5, 0.5]])
    """
    if outputs.shape[1] == 1:
        outputs = numpy.column_stack([numpy.zeros(len(outputs)), outputs])
    powers = numpy.exp(outputs - outputs.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _heads(predictions: Predictions, words: Words) -> list[str]:
    heads = [words("row"), words("predicted")]
    return heads if predictions.probabilities is None else [*heads, words("probability")]


def _shares(predictions: Predictions) -> list[float | None]:
    """Return the probability of the label in each of the rows that are shown."""
    chances = predictions.probabilities
    if chances is None:
        return [None] * min(len(predictions), _SHOWN)
    return [float(share) for share in chances[:_SHOWN].max(axis=1)] if len(chances) else []


def _rows(predictions: Predictions) -> list[list[str]]:
    answers = predictions.labels
    if predictions.values is not None:
        answers = [number(value, 6) for value in predictions.values[:_SHOWN].tolist()]
    rows = []
    for i, (answer, share) in enumerate(zip(answers or (), _shares(predictions)), 1):
        rows.append([str(i), answer] if share is None else [str(i), answer, percent(share)])
    return rows


def _rest(predictions: Predictions, words: Words) -> list[str]:
    rest = len(predictions) - _SHOWN
    return [words("and {count:more row/more rows}", count=rest)] if rest > 0 else []


def _html_row(line: list[str], share: float | None) -> Html:
    """Return a row; behind a probability lies a bar of its length. Styles stand in the elements: a notebook
    has no style sheet of ours."""
    cells = [tag("td", text) for text in line]
    if share is not None:
        filled = f"{share * 100:.1f}%"
        bar = f"background: linear-gradient(90deg, rgba(47, 111, 222, .25) {filled}, transparent {filled})"
        cells[-1] = tag("td", line[-1], style=bar)
    return tag("tr", *cells)
