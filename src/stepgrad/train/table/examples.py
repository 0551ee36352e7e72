"""Test rows to look at: some that the network answers well, and those that it gets most wrong."""

from __future__ import annotations

import numpy

from stepgrad.arrays.random import stream
from stepgrad.data.table.columns import cell_text
from stepgrad.data.table.frame import Table
from stepgrad.train.table.predictions import Predictions
from stepgrad.train.table.result import Example

_COUNT = 6


def choose_examples(
    table: Table, target: str, rows: numpy.ndarray, actual: numpy.ndarray, predictions: Predictions, seed: int
) -> list[Example]:
    """Return up to 6 right examples, then up to 6 wrong ones.

    `rows` (N,) are the test rows in `table`; `actual` (N,) their classes as numbers, or their numbers;
    `predictions` those for these rows. Of classes, right ones are drawn at random with `seed`, and wrong ones
    are those with the highest probabilities. Of numbers they are the smallest errors, the smallest first, and
    the largest, of which no more than half of the rows are called right.
    """
    if predictions.probabilities is None:
        assert predictions.values is not None
        error = abs(predictions.values - actual)
        order = numpy.argsort(error, kind="stable")
        middle = (len(order) + 1) // 2
        good, worst = order[:middle], order[middle:][::-1]
    else:
        right = predictions.probabilities.argmax(axis=1) == actual
        worst = numpy.argsort(-predictions.probabilities.max(axis=1), kind="stable")
        worst = worst[~right[worst]]
        good = numpy.flatnonzero(right)
        good = numpy.sort(good[stream(seed, "examples").permutation(len(good))[:_COUNT]])
    picked = [(i, True) for i in good[:_COUNT].tolist()] + [(i, False) for i in worst[:_COUNT].tolist()]
    return [_example(table, target, int(rows[i]), i, predictions, is_right) for i, is_right in picked]


def _example(table: Table, target: str, row: int, i: int, predictions: Predictions, right: bool) -> Example:
    cells = {name: cell_text(column, row) for name, column in table}
    actual = cells.pop(target)
    if predictions.values is not None:
        return Example(row + 1, cells, actual, f"{predictions.values[i]:.6g}", None, right)
    assert predictions.labels is not None
    assert predictions.probabilities is not None
    chance = float(predictions.probabilities[i].max())
    return Example(row + 1, cells, actual, predictions.labels[i], chance, right)
