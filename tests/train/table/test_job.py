"""The job behind ``stepgrad train``: the same result for the same seed, from its folder too."""

import json
import tomllib

import numpy
import pytest

from stepgrad.data.builtin import iris
from stepgrad.data.table.frame import Table
from stepgrad.errors import ArgumentError, DataError
from stepgrad.train.table.job import train_table
from stepgrad.train.table.model import TableModel
from stepgrad.train.table.settings import TableSettings

QUICK = {"hidden": (8,), "epochs": 6, "lr": 1e-2, "seed": 3}


@pytest.fixture(scope="module")
def flowers() -> Table:
    measures, species = iris()
    kinds = [["setosa", "versicolor", "virginica"][s] for s in species]
    return Table.from_arrays({"length": measures[:, 2], "width": measures[:, 3], "species": kinds})


def test_a_run_is_told_in_full_and_is_the_same_for_the_same_seed(flowers):
    first, again = (train_table(flowers, TableSettings("species", **QUICK)) for _ in range(2))
    assert first.task == "multiclass"
    assert sum(first.rows.values()) == 150
    assert first.classes == ["setosa", "versicolor", "virginica"]
    assert first.to_json()["test"] == again.to_json()["test"]
    score = first.test["accuracy"]
    assert score.low <= score.value <= score.high
    assert score.method == "Wilson"
    assert numpy.sum(first.confusion) == first.rows["test"]
    assert {i.column for i in first.importance} == {"length", "width"}
    assert first.baseline.scores["accuracy"] < 0.5


def test_the_folder_holds_the_model_the_epochs_and_the_settings(flowers, tmp_path):
    result = train_table(flowers, TableSettings("species", **QUICK), tmp_path / "run")
    lines = (tmp_path / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == list(range(1, 7))
    assert tomllib.loads((tmp_path / "run" / "config.toml").read_text(encoding="utf-8"))
    model = TableModel.load(result.model)
    labels = model.predict(flowers).labels
    assert numpy.mean(numpy.array(labels) == numpy.array(flowers.column("species").texts())) > 0.6


def test_a_regression_predicts_in_the_unit_of_the_target(flowers):
    settings = TableSettings("width", **{**QUICK, "epochs": 40})
    result = train_table(flowers, settings)
    assert result.task == "regression"
    assert result.test["r2"].value > 0.7
    assert result.test["rmse"].value < result.baseline.scores["rmse"]
    assert abs(result.predicted.mean() - 1.2) < 0.5


def test_what_cannot_be_learned_from_is_refused(flowers, tmp_path):
    with pytest.raises(DataError, match=r"'specis'.*Did you mean 'species'"):
        train_table(flowers, TableSettings("specis"))
    with pytest.raises(ArgumentError, match="no rows are left for the test"):
        train_table(flowers, TableSettings("species", fractions=(0.8, 0.2, 0.0)))
    same = Table.from_arrays({"x": [1.0, 2.0] * 20, "y": ["a"] * 40})
    with pytest.raises(DataError, match=r"the target 'y' is always 'a'"):
        train_table(same, TableSettings("y"), tmp_path / "run")
    assert not (tmp_path / "run").exists()
