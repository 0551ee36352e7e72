"""Finding the task, and refusing targets from which nothing can be learned."""

import numpy
import pytest

from stepgrad.data.table.frame import Table
from stepgrad.data.table.task import find_task
from stepgrad.errors import ArgumentError, DataError

DAYS = numpy.array(["2024-01-01", "2024-01-02"], dtype="datetime64[D]")


def task_of(values, override=None):
    return find_task(Table.from_arrays({"goal": values}), "goal", override)


@pytest.mark.parametrize(
    "values, kind, classes",
    [
        (["b", "a", "a", "b", None], "binary", ["a", "b"]),
        (["b", "a", "c", "a", "b", "c"], "multiclass", ["a", "b", "c"]),
        ([True, False] * 3, "binary", ["false", "true"]),
        ([0, 1] * 3, "binary", ["0", "1"]),
        ([0.5, 1.5] * 3, "binary", ["0.5", "1.5"]),
        ([10, 2, 3] * 5, "multiclass", ["2", "3", "10"]),
        ([10, 2, 3] * 4, "regression", []),  # four rows to a class are few
        ([0.5, 1.5, 2.0] * 20, "regression", []),
        (list(range(11)) * 20, "regression", []),
    ],
)
def test_task_found(values, kind, classes) -> None:
    task = task_of(values)
    assert (task.kind, task.classes) == (kind, classes)
    assert "'goal'" in task.reason


def test_override() -> None:
    assert task_of([1, 2, 3] * 5, "regression").classes == []
    assert task_of([1.5, 2.5, 3] * 5, "multiclass").classes == ["1.5", "2.5", "3"]
    assert task_of([1, 2] * 5, "regression").kind == "regression"
    assert task_of([1, 2] * 5, "multiclass").classes == ["1", "2"]


@pytest.mark.parametrize(
    "values, override, message",
    [
        ([None, None], None, "every cell of the target 'goal' is missing; choose another"),
        ([3, 3, None], None, "the target 'goal' is always '3': there is nothing to learn"),
        (["a", "a"], "multiclass", "the target 'goal' is always 'a'"),
        (DAYS, None, "the target 'goal' is a date, which cannot be predicted"),
        (["a", "b"] * 3, "regression", "holds texts such as 'a', so regression is impossible"),
        ([True, False] * 3, "regression", "holds booleans, so regression is impossible"),
        (["a", "b", "c"] * 3, "binary", r"has 3 values \(a, b, c\), a binary task needs exactly two"),
        (["１", "２", "３", "４"], None, "has 4 different values in 4 rows; .* Choose another target"),
        (["1", "2", "3", "4"], None, "has 4 different values in 4 rows; .* Choose another target"),
        (list("abcdefgh"), None, "has 8 different values in 8 rows; .* Choose another target"),
        ([1.5, 2.5, 3.5], "multiclass", "has 3 different values in 3 rows; .* Ask for regression"),
        (["1.5", "2", "n.k.", "4"], None, r"correct the cells that are none, such as 'n\.k\.' \(row 3\)"),
    ],
)
def test_targets_refused(values, override, message) -> None:
    with pytest.raises(DataError, match=message):
        task_of(values, override)


def test_names_refused_with_the_nearest() -> None:
    with pytest.raises(ArgumentError, match=r"there is no task 'regresion'\. Did you mean 'regression'"):
        task_of([1, 2], "regresion")
    with pytest.raises(DataError, match=r"there is no column 'gaol'\. Did you mean 'goal'"):
        find_task(Table.from_arrays({"goal": [1, 2]}), "gaol")
