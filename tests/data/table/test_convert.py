"""Columns from arrays, lists, pandas and polars."""

import datetime
from decimal import Decimal

import numpy
import pandas
import polars
import pytest

from stepgrad.data.table.columns import Booleans, Dates, Numbers, Texts
from stepgrad.data.table.convert import column_from_values
from stepgrad.data.table.frame import Table
from stepgrad.errors import DataError

UTC_NOON = datetime.datetime(2024, 5, 1, 12, tzinfo=datetime.timezone(datetime.timedelta(hours=9)))


@pytest.mark.parametrize(
    "values, kind",
    [
        (numpy.array([1, 2], dtype=numpy.uint8), Numbers),
        ([1, 2.5, None], Numbers),
        ([Decimal("1.5"), None], Numbers),
        ([None, None], Numbers),
        ([True, None], Booleans),
        ([numpy.True_, False], Booleans),
        (numpy.array(["a", "b"]), Texts),
        (["a", 1], Texts),
        ([datetime.date(2024, 1, 1), None], Dates),
    ],
)
def test_kind_follows_the_type(values, kind) -> None:
    assert type(column_from_values(values)) is kind


def test_moments_with_a_zone_are_taken_to_utc() -> None:
    assert column_from_values([UTC_NOON]).values[0] == numpy.datetime64("2024-05-01T03:00", "us")


def test_texts_that_look_like_numbers_stay_texts() -> None:
    assert column_from_values(["1", "2"]).texts() == ["1", "2"]


@pytest.mark.parametrize("nested", [[1, 2], (1,), {"a": 1}, numpy.zeros(2)])
def test_nested_cells_are_refused(nested) -> None:
    with pytest.raises(DataError, match=r"column 'x' has cells of type \w+; a cell is one number"):
        column_from_values([nested, nested], "x")


def test_other_shapes_and_types_are_refused() -> None:
    with pytest.raises(DataError, match=r"column 'x' must have one dimension, not the shape \(2, 2\)"):
        column_from_values(numpy.zeros((2, 2)), "x")
    with pytest.raises(DataError, match="column 'x' has the type complex128"):
        column_from_values(numpy.zeros(2, dtype=complex), "x")


def test_pandas_with_all_its_ways_of_missing() -> None:
    frame = pandas.DataFrame(
        {
            "n": [1.0, None],
            "i": pandas.array([1, None], dtype="Int64"),
            "b": pandas.array([True, None], dtype="boolean"),
            "s": pandas.array(["a", None], dtype="string"),
            "c": pandas.Categorical(["x", None]),
            "d": pandas.to_datetime(["2024-01-01", None]),
            "z": pandas.to_datetime(["2024-01-01T00:00+09:00", None], utc=True),
            "t": pandas.to_timedelta(["90s", None]),
        },
        index=[7, 8],
    )
    table = Table.from_pandas(frame)
    assert [type(column) for _, column in table] == [
        Numbers, Numbers, Booleans, Texts, Texts, Dates, Dates, Numbers,
    ]  # fmt: skip
    assert all(column.missing().tolist() == [False, True] for _, column in table)
    assert table.column("z").values[0] == numpy.datetime64("2023-12-31T15:00", "us")
    assert table.column("t").values[0] == 90


def test_pandas_with_two_columns_of_one_name_is_refused() -> None:
    frame = pandas.DataFrame([[1, 2]], columns=["a", "a"])
    with pytest.raises(DataError, match="the DataFrame has two columns named 'a'; rename one"):
        Table.from_pandas(frame)


def test_polars() -> None:
    frame = polars.DataFrame(
        {
            "n": [1.5, None],
            "u": polars.Series([3, None], dtype=polars.UInt8),
            "b": [True, None],
            "s": ["a", ""],
            "c": polars.Series(["x", None], dtype=polars.Categorical),
            "d": [datetime.date(2024, 1, 1), None],
            "z": polars.Series([UTC_NOON, None]),
            "t": [datetime.timedelta(seconds=90), None],
            "nothing": polars.Series([None, None]),
            "list": [[1], [2]],
        }
    )
    table = Table.from_polars(frame)
    assert [type(column) for _, column in table] == [
        Numbers, Numbers, Booleans, Texts, Texts, Dates, Dates, Numbers, Numbers,
    ]  # fmt: skip
    assert all(column.missing()[1] for _, column in table)
    assert table.column("z").values[0] == numpy.datetime64("2024-05-01T03:00", "us")
    assert table.notes == ["column 'list' is left out: a network cannot use its type List(Int64)."]
