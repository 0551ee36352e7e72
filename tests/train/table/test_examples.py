"""Which test rows are shown, and how their cells are written."""

import numpy
import pytest

from stepgrad.data.table.columns import cell_text
from stepgrad.data.table.frame import Table
from stepgrad.train.table.examples import choose_examples
from stepgrad.train.table.predictions import Predictions


def numbers(errors: list[float]) -> list:
    """Examples of a regression whose rows are off by these errors."""
    actual = numpy.arange(float(len(errors)))
    table = Table.from_arrays({"x": actual, "y": actual})
    predictions = Predictions([], None, None, actual + errors)
    return choose_examples(table, "y", numpy.arange(len(errors)), actual, predictions, seed=0)


def off(example) -> float:
    return round(float(example.predicted) - float(example.actual), 6)


def test_near_are_the_nearest_and_far_the_farthest() -> None:
    found = numbers([95.0, -0.83, 7, 6, -5, 4, 3, 2, -1, 0.5, 0, 40, -90, 80, 70])
    assert [off(each) for each in found if each.right] == [0, 0.5, -0.83, -1, 2, 3]
    assert [off(each) for each in found if not each.right] == [95, -90, 80, 70, 40, 7]


@pytest.mark.parametrize("rows", [1, 2, 3, 7])
def test_of_few_rows_each_is_shown_once(rows) -> None:
    found = numbers([float(i) for i in range(rows)])
    assert sorted(each.row for each in found) == list(range(1, rows + 1))
    assert sum(each.right for each in found) == (rows + 1) // 2


def classes(chances: list[float], right: list[bool], seed: int = 0) -> list:
    """Examples of two classes: how sure the network is of "a" or "b", and whether that is right."""
    rows = len(chances)
    table = Table.from_arrays({"x": numpy.arange(rows), "y": ["a", "b"] * (rows // 2)})
    probabilities = numpy.array([[1 - p, p] for p in chances])
    predicted = probabilities.argmax(axis=1)
    actual = numpy.where(right, predicted, 1 - predicted)
    labels = ["ab"[i] for i in predicted]
    predictions = Predictions(["a", "b"], labels, probabilities, None)
    return choose_examples(table, "y", numpy.arange(rows), actual, predictions, seed)


def test_wrong_answers_are_those_that_the_network_is_surest_of() -> None:
    chances = [0.9, 0.6, 0.01, 0.8, 0.7, 0.55, 0.65, 0.99, 0.2, 0.3]
    right = [False, False, False, False, False, False, False, True, True, True]
    found = classes(chances, right)
    assert [each.row for each in found if not each.right] == [3, 1, 4, 5, 7, 2]
    assert next(each.probability for each in found if not each.right) == 0.99
    assert [each.row for each in found if each.right] == [8, 9, 10]


def test_right_answers_are_drawn_with_the_seed() -> None:
    draws = [[each.row for each in classes([0.9] * 60, [True] * 60, seed)] for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]
    assert len(set(draws[0])) == 6


def test_rows_are_numbered_in_the_table_and_the_answer_is_no_cell() -> None:
    table = Table.from_arrays({"x": ["p", None, "q"], "y": [1.0, 2.0, 3.5]})
    rows = numpy.array([2, 1])
    predictions = Predictions([], None, None, numpy.array([3.5, 9.0]))
    near, far = choose_examples(table, "y", rows, numpy.array([3.5, 2.0]), predictions, 0)
    assert (near.row, near.cells, near.actual, near.predicted) == (3, {"x": "q"}, "3.5", "3.5")
    assert (far.row, far.cells) == (2, {"x": ""})


def test_cells_are_written_as_a_person_writes_them() -> None:
    day, moment = "2024-02-29", "2024-02-29T13:05:09"
    table = Table.from_arrays({
        "number": [3.0, None], "text": ["a", None], "boolean": [True, None],
        "day": numpy.array([day, "NaT"], dtype="datetime64[us]"),
        "moment": numpy.array([moment, "NaT"], dtype="datetime64[us]"),
    })  # fmt: skip
    assert [cell_text(column, 0) for _, column in table] == ["3", "a", "true", day, "2024-02-29 13:05:09"]
    assert {cell_text(column, 1) for _, column in table} == {""}
