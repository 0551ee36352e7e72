"""A second use of the test rows is reported."""

import logging

import numpy
import pytest

from stepgrad.data.table.frame import Table
from stepgrad.data.table.split import split_rows
from stepgrad.data.table.task import find_task
from stepgrad.train.table.evaluate import evaluate_table
from stepgrad.train.table.job import train_table
from stepgrad.train.table.model import load_table_model
from stepgrad.train.table.settings import TableSettings

X = numpy.random.default_rng(5).normal(size=(120, 2))
NUMBERS = Table.from_arrays({"a": X[:, 0], "b": X[:, 1], "y": 2 * X[:, 0] + X[:, 1]})
QUICK = {"hidden": (), "lr": 0.1, "epochs": 3, "refit": False}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "first"
    result = train_table(NUMBERS, TableSettings("y", **QUICK), folder)
    assert not any("tested on the same rows" in note for note in result.notes)
    return folder


def parts():
    return split_rows(NUMBERS.column("y"), find_task(NUMBERS, "y"), name="'y'")


def warnings(caplog, run, table, rows=None):
    caplog.clear()
    with caplog.at_level(logging.WARNING, logger="stepgrad"):
        evaluate_table(load_table_model(run), table, rows)
    return caplog.messages


def test_scoring_the_test_rows_again_is_warned_of(run, caplog):
    (message,) = warnings(caplog, run, NUMBERS, parts().test)
    assert message == (
        "rows of the run's test are scored a second time: a network that is chosen by their score has no "
        "test any more; choose by the validation loss, and test on new rows."
    )
    assert warnings(caplog, run, NUMBERS)  # the whole table holds them
    # In a table of their own, in another order, beside other columns.
    rows = parts().test[::-1]
    alone = {name: column.values[rows] for name, column in NUMBERS}
    assert warnings(caplog, run, Table.from_arrays({"new": numpy.arange(len(rows)), **alone}))


def test_other_rows_are_not_warned_of(run, caplog):
    assert warnings(caplog, run, NUMBERS, parts().validation) == []
    new = Table.from_arrays({"a": X[:, 0] + 1e-3, "b": X[:, 1], "y": X[:, 0]})
    assert warnings(caplog, run, new) == []


def test_rows_that_cannot_be_told_apart_are_not_warned_of(tmp_path, caplog):
    sides = numpy.arange(120) % 2
    table = Table.from_arrays({"side": sides.astype(float), "y": X[:, 0] + sides})
    train_table(table, TableSettings("y", **QUICK), tmp_path / "run")
    assert warnings(caplog, tmp_path / "run", table) == []


def test_a_run_on_the_test_rows_of_another_run_says_so(run):
    settings = {**QUICK, "lr": 0.05}
    again = train_table(NUMBERS, TableSettings("y", **settings), run.parent / "second")
    assert (
        "the run 'first' was tested on the same rows: choose between the two by the validation loss, since a "
        "test score that one chooses by is too good." in again.notes
    )
    other = train_table(NUMBERS, TableSettings("y", seed=1, **settings), run.parent / "third")
    assert not any("tested on the same rows" in note for note in other.notes)
