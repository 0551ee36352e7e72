"""Tables and their columns."""

import numpy
import pytest

from stepgrad.data.table.columns import Booleans, Dates, Numbers, Texts, lean
from stepgrad.data.table.frame import Table
from stepgrad.errors import DataError


def example() -> Table:
    return Table.from_arrays(
        {
            "size": [1.5, None, 3.0, 0.1],
            "colour": ["red", "", None, "blue"],
            "sold": [True, False, None, True],
            "day": numpy.array(["2024-01-01", "NaT", "2024-03-01", "2024-04-01"], dtype="datetime64[D]"),
        }
    )


def test_kinds_and_missing_cells() -> None:
    table = example()
    assert [type(column) for _, column in table] == [Numbers, Texts, Booleans, Dates]
    missing = [column.missing().tolist() for _, column in table]
    assert missing == [
        [False, True, False, False],
        [False, True, True, False],
        [False, False, True, False],
        [False, True, False, False],
    ]


def test_rows_of_every_kind_and_by_mask() -> None:
    table = example()
    for chosen in (table.rows([3, 0]), table.rows(numpy.array([True, False, False, True])).rows([1, 0])):
        assert chosen.column("size").values.tolist() == [0.1, 1.5]
        assert chosen.column("colour").texts() == ["blue", "red"]
        assert chosen.column("sold").values.tolist() == [1, 1]
        assert chosen.column("day").values.astype("M8[M]").astype(str).tolist() == ["2024-04", "2024-01"]


def test_unknown_column_suggests_the_nearest() -> None:
    with pytest.raises(DataError, match=r"no column 'colr'\. Did you mean 'colour'\? The columns are 's"):
        example().column("colr")


def test_many_columns_are_not_all_listed() -> None:
    table = Table.from_arrays({f"c{i}": [1.0] for i in range(100)})
    with pytest.raises(DataError, match=r"'c11', …\.$"):
        table.column("zzz")


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(DataError, match=r"the same number of rows, not 'a' 1, 'b' 2"):
        Table.from_arrays({"a": [1], "b": [1, 2]})
    with pytest.raises(DataError, match="at least one column"):
        Table({})


def test_without_keeps_the_others_in_order() -> None:
    assert example().without("colour", "nothing").names == ["size", "sold", "day"]


def test_labels_of_texts_are_those_that_occur_in_alphabetical_order() -> None:
    column = Texts(numpy.array([2, 0, -1, 2], dtype=numpy.int32), ["b", "unused", "a"])
    codes, labels = column.labels()
    assert labels == ["a", "b"]
    assert codes.tolist() == [0, 1, -1, 0]


def test_labels_of_booleans_and_numbers() -> None:
    assert Booleans(numpy.array([1, -1, 1], dtype=numpy.int8), ("no", "yes")).labels()[1] == ["yes"]
    assert Booleans(numpy.array([1, -1, 1], dtype=numpy.int8)).labels()[0].tolist() == [0, -1, 0]
    codes, labels = Numbers(numpy.array([10.0, 2.0, numpy.nan, 10.0])).labels()
    assert (codes.tolist(), labels) == ([1, 0, -1, 1], ["2", "10"])


def test_dates_have_no_labels() -> None:
    with pytest.raises(DataError, match="dates cannot be predicted; choose another target"):
        example().column("day").labels()


def test_lean_only_where_nothing_is_lost() -> None:
    assert lean(numpy.array([1.0, numpy.nan, -0.5, numpy.inf])).dtype == numpy.float32
    for lossy in (0.1, 2.0**24 + 1, 1e300):
        assert lean(numpy.array([lossy])).dtype == numpy.float64
