"""Splitting rows: complete, disjoint, stratified, reproducible."""

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepgrad.data.table.convert import column_from_values
from stepgrad.data.table.split import Split, split_rows
from stepgrad.data.table.task import Task
from stepgrad.errors import ArgumentError, DataError

REGRESSION = Task("regression", "")


def parts(split: Split) -> list[numpy.ndarray]:
    return [split.train, split.validation, split.test]


def classes_of(values) -> Task:
    return Task("multiclass", "", column_from_values(values).labels()[1])


CELLS = st.sampled_from([None, "a", "b", "c", "d"])


@given(st.lists(CELLS, min_size=12, max_size=200), st.integers(0, 2**32))
def test_every_row_with_a_target_is_in_one_part_and_every_class_in_training(values, seed) -> None:
    if sum(value is not None for value in values) < 10:
        return
    column = column_from_values(values)
    split = split_rows(column, classes_of(values), seed=seed)
    joined = numpy.concatenate(parts(split))
    assert numpy.sort(joined).tolist() == numpy.flatnonzero(~column.missing()).tolist()
    assert {values[i] for i in split.train} == {value for value in values if value is not None}


def test_classes_are_shared_out_evenly() -> None:
    values = ["rare"] * 20 + ["common"] * 180
    split = split_rows(column_from_values(values), classes_of(values), (0.6, 0.2, 0.2), seed=3)
    assert [len(part) for part in parts(split)] == [120, 40, 40]
    assert [sum(values[i] == "rare" for i in part) for part in parts(split)] == [12, 4, 4]


def test_numbers_are_shared_out_over_their_range() -> None:
    values = numpy.random.default_rng(0).lognormal(size=1000)
    split = split_rows(column_from_values(values), REGRESSION, seed=1)
    assert [len(part) for part in parts(split)] == [700, 150, 150]
    top = values > numpy.quantile(values, 0.9)
    assert [int(top[part].sum()) for part in parts(split)] == [70, 15, 15]


def test_same_seed_same_rows_other_seed_other_rows() -> None:
    column = column_from_values(numpy.arange(1000.0))
    first, again, other = (split_rows(column, REGRESSION, seed=seed) for seed in (1, 1, 2))
    assert all(numpy.array_equal(a, b) for a, b in zip(parts(first), parts(again), strict=True))
    assert len(numpy.intersect1d(first.test, other.test)) < 50


def test_parts_may_be_left_out() -> None:
    column = column_from_values(numpy.arange(100.0))
    assert [len(part) for part in parts(split_rows(column, REGRESSION, (0.9, 0.1, 0.0)))] == [90, 10, 0]
    assert [len(part) for part in parts(split_rows(column, REGRESSION, (1, 0, 0)))] == [100, 0, 0]


def test_notes() -> None:
    values = ["a"] * 10 + ["b"] * 10 + ["lone", None, None]
    split = split_rows(column_from_values(values), classes_of(values), name="the target 'goal'")
    assert split.notes == [
        "2 of 23 rows are left out because the target 'goal' is missing.",
        "a class has a single row, which goes into training: 'lone'.",
    ]


def test_too_few_rows() -> None:
    column = column_from_values([1.0] * 9 + [None] * 5)
    with pytest.raises(DataError, match="only 9 rows have the target; training needs at least 10"):
        split_rows(column, REGRESSION)


@pytest.mark.parametrize("fractions", [(0.5, 0.5), (0.5, 0.2, 0.2), (1.2, -0.1, -0.1), (0, 0.5, 0.5)])
def test_impossible_fractions(fractions) -> None:
    with pytest.raises(ArgumentError, match="must be three numbers that sum to 1"):
        split_rows(column_from_values(numpy.arange(50.0)), REGRESSION, fractions)
