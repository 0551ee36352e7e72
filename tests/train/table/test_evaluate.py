"""Scoring a model on a table, and the trivial answer beside it."""

import numpy
import pytest

from stepgrad import nn
from stepgrad.data.table.frame import Table
from stepgrad.data.table.prepare import Preparation
from stepgrad.data.table.task import find_task
from stepgrad.errors import DataError
from stepgrad.functions.creation import tensor
from stepgrad.train.table.evaluate import baseline, evaluate_table
from stepgrad.train.table.model import TableModel

X = numpy.linspace(-2, 2, 41)
TRAIN = numpy.arange(30)


def linear(table: Table, weights: list[list[float]]) -> TableModel:
    """A linear network with these weights, for tables like this one."""
    preparation = Preparation.fit(table, "y", find_task(table, "y"), TRAIN)
    layer = nn.Linear(1, len(weights), bias=False)
    layer.load_state_dict({"weight": tensor(weights)})
    return TableModel(nn.Sequential(layer), preparation)


NUMBERS = Table.from_arrays({"x": X, "y": 3 * X + 10})
KINDS = Table.from_arrays({"x": X, "y": numpy.where(X[:30].mean() < X, "up", "down")})


def test_numbers_are_scored_in_their_units() -> None:
    model = linear(NUMBERS, [[0.5]])
    found = evaluate_table(model, NUMBERS, TRAIN)
    # Half of the slope: what is left is 1.5 (x - mean).
    expected = 1.5 * X[TRAIN].std()
    assert found.scores["rmse"].value == pytest.approx(expected, rel=1e-6)
    assert found.scores["r2"].value == pytest.approx(0.75, rel=1e-6)
    assert found.scores["loss"].value == pytest.approx(0.25, rel=1e-6)  # standardised: (1 - 0.5)²
    assert next(iter(found.scores)) == "rmse"
    assert found.rows.tolist() == TRAIN.tolist()
    assert found.confusion is None
    assert found.notes == []


def test_the_trivial_answer_is_the_mean_of_the_training_rows() -> None:
    model = linear(NUMBERS, [[1.0]])
    test = numpy.arange(30, 41)
    trivial = baseline(model, NUMBERS, TRAIN, evaluate_table(model, NUMBERS, test))
    mean, actual = (3 * X[:30] + 10).mean(), 3 * X[30:] + 10
    assert float(trivial.answer) == pytest.approx(mean, rel=1e-5)
    assert trivial.scores["mae"] == pytest.approx(abs(actual - mean).mean())
    assert trivial.scores["r2"] < 0
    scale = (3 * X[:30] + 10).std()
    assert trivial.scores["loss"] == pytest.approx((((actual - mean) / scale) ** 2).mean(), rel=1e-5)


def test_classes_are_scored_and_counted() -> None:
    model = linear(KINDS, [[5.0]])
    found = evaluate_table(model, KINDS)
    assert found.scores["accuracy"].value == 1.0
    assert found.scores["roc_auc"].value == 1.0
    ups = int((X[:30].mean() < X).sum())
    assert found.confusion == [[41 - ups, 0], [0, ups]]
    wrong = evaluate_table(linear(KINDS, [[-5.0]]), KINDS)
    assert wrong.confusion == [[0, 41 - ups], [ups, 0]]


def test_the_trivial_answer_is_the_most_frequent_class() -> None:
    table = Table.from_arrays({"x": X, "y": ["a"] * 20 + ["b"] * 21})
    model = linear(table, [[1.0]])
    trivial = baseline(model, table, TRAIN, evaluate_table(model, table))
    assert trivial.answer == "a"  # 20 of the 30 training rows
    assert trivial.scores["accuracy"] == pytest.approx(20 / 41)
    entropy = -(20 * numpy.log(2 / 3) + 21 * numpy.log(1 / 3)) / 41
    assert trivial.scores["loss"] == pytest.approx(entropy)


def test_classes_that_are_new_count_as_wrong_and_are_told_of() -> None:
    model = linear(KINDS, [[5.0]])
    kinds = KINDS.column("y").texts()
    kinds[0] = kinds[40] = "sideways"
    found = evaluate_table(model, Table.from_arrays({"x": X, "y": kinds}))
    assert found.scores["accuracy"].value == pytest.approx(39 / 41)
    assert (found.actual == -1).sum() == 2
    assert sum(map(sum, found.confusion)) == 39
    assert found.notes == ["2 rows are of classes that the model does not know, such as 'sideways'."]


def test_rows_without_an_answer_are_left_out_and_counted() -> None:
    values = 3 * X + 10
    values[[3, 5]] = numpy.nan
    model = linear(NUMBERS, [[1.0]])
    found = evaluate_table(model, Table.from_arrays({"x": X, "y": values}))
    assert len(found.rows) == len(found.actual) == 39
    assert 3 not in found.rows
    assert found.notes[0] == "2 of 41 rows are left out because 'y' is missing."
    with pytest.raises(DataError, match="no row has a value of 'y', so there is nothing to compare"):
        evaluate_table(model, Table.from_arrays({"x": X, "y": numpy.full(41, numpy.nan)}))


def test_predictions_at_the_limit_are_told_of() -> None:
    model = linear(NUMBERS, [[1.0]])
    far = Table.from_arrays({"x": [1.0, 50.0], "y": [13.0, 160.0]})
    (note,) = evaluate_table(model, far).notes
    assert note.startswith("1 prediction lies at the limit of what the network predicts, ")


def test_answers_without_a_finite_square_are_named() -> None:
    model = linear(NUMBERS, [[1.0]])
    with pytest.raises(DataError, match=r"the target 'y' is 1e\+200 in row 2, of which the square is not"):
        evaluate_table(model, Table.from_arrays({"x": [1.0, 2.0], "y": [13.0, 1e200]}))
