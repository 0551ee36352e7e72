"""The whole preparation of a table."""

import copy
import functools
import json
import math
import operator

import numpy
import pytest

from stepgrad.data.table.frame import Table
from stepgrad.data.table.prepare import Preparation
from stepgrad.data.table.task import find_task
from stepgrad.errors import DataError

ROWS = 60


def houses(rows: int = ROWS) -> Table:
    numbers = numpy.arange(rows)
    return Table.from_arrays(
        {
            "id": 1000 + numbers * 7 % 611,
            "size": numpy.where(numbers % 7 == 0, numpy.nan, numbers * 1.5),
            "city": [f"city {i % 60}" for i in numbers],
            "kind": [["flat", "house", "hut"][i % 3] for i in numbers],
            "sold": [bool(i % 2) for i in numbers],
            "built": numpy.datetime64("2000-01-01") + numbers * 30,
            "country": ["KR"] * rows,
            "remark": [f"remark {i}" for i in numbers],
            "price": numbers * 3.0 + 7,
        }
    )


def fitted(table: Table, target: str = "price", rows: int = 50) -> Preparation:
    return Preparation.fit(table, target, find_task(table, target), numpy.arange(rows))


def test_shapes_names_and_notes() -> None:
    table = houses(200)
    preparation = fitted(table, rows=200)
    prepared = preparation.transform(table)
    names = [each.name for each in preparation.inputs]
    assert prepared.numbers.shape == (200, len(names) - 1)
    assert prepared.numbers.dtype == numpy.float32
    assert prepared.codes.shape == (200, 1)
    assert prepared.codes.dtype == numpy.int64
    assert names[:5] == ["size", "size is missing", "kind = flat", "kind = house", "kind = hut"]
    assert (preparation.inputs[-1].origin, preparation.inputs[-1].array) == ("city", "codes")
    assert [(each.size, each.dimension) for each in preparation.embeddings] == [(61, 16)]
    assert preparation.notes == [
        "column 'id' is left out: it numbers the rows, each with a number of its own.",
        "column 'country' is left out: it has one value in the training rows.",
        "column 'remark' is left out: it has a different text in every row, as a name has.",
    ]


def test_every_input_is_where_it_says() -> None:
    table = houses(200)
    preparation = fitted(table, rows=200)
    prepared = preparation.transform(table)
    for each in preparation.inputs:
        column = getattr(prepared, each.array)[:, each.position]
        if each.name == "kind = hut":
            assert column.tolist() == [float(i % 3 == 2) for i in range(200)]
        elif each.name == "sold":
            assert column.tolist() == [2.0 * (i % 2) - 1 for i in range(200)]
        elif each.name == "city":
            assert len(numpy.unique(column)) == 60


def test_only_training_rows_are_learned_from() -> None:
    table = houses()
    sizes, prices = table.column("size").values, table.column("price").values
    others = numpy.where(numpy.arange(ROWS) < 50, sizes, 1e6)
    configs = [
        fitted(Table.from_arrays({"size": each, "price": prices})).to_config() for each in (sizes, others)
    ]
    assert configs[0] == configs[1]


def test_rows_are_prepared_as_in_the_whole_table() -> None:
    table = houses()
    preparation = fitted(table)
    rows = numpy.array([59, 0, 7])
    whole, part = preparation.transform(table), preparation.transform(table, rows)
    assert numpy.array_equal(whole.numbers[rows], part.numbers)
    assert numpy.array_equal(whole.codes[rows], part.codes)
    assert numpy.array_equal(preparation.target_values(table)[rows], preparation.target_values(table, rows))


def test_config_is_json_and_exact() -> None:
    for target in ("price", "kind", "sold"):
        preparation = fitted(houses(), target)
        again = Preparation.from_config(json.loads(json.dumps(preparation.to_config(), allow_nan=False)))
        assert again.to_config() == preparation.to_config()
        table = houses(80)
        one, other = preparation.transform(table), again.transform(table)
        assert numpy.array_equal(one.numbers, other.numbers)
        assert numpy.array_equal(one.codes, other.codes)
        assert numpy.array_equal(preparation.target_values(table), again.target_values(table))


@pytest.mark.parametrize(
    "change, message",
    [
        ({"version": 2}, "the preparation has version 2, this stepgrad reads 1"),
        ({"columns": [{"kind": "picture"}]}, "a column of the unknown kind 'picture'"),
        ({"columns": [{"kind": "number"}]}, "the description of the preparation is damaged"),
        ({"columns": 3}, "the description of the preparation is damaged"),
        ({"task": {}}, "the description of the preparation is damaged"),
        ({"task": {"kind": "binary", "reason": "", "classes": ["a"]}}, "1 classes are no task of the kind"),
        ({"task": {"kind": "binary", "reason": "", "classes": ["a", "b"]}}, "other classes than the task"),
        ({"columns": []}, "there is no column, or one is there twice"),
        ({"notes": [1]}, "its notes are no list of texts"),
    ],
)
def test_damaged_config_is_refused(change, message) -> None:
    config = fitted(houses()).to_config() | change
    with pytest.raises(DataError, match=message):
        Preparation.from_config(config)


def places(value, path=()):
    """The path of every value inside of plain values."""
    if path:
        yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield from places(inner, (*path, key))


ODD = (None, True, -1, 0, 10**400, math.nan, math.inf, "", "x", "0" * 999, [], {}, [1], ["x"], {"a": 1})


@pytest.mark.parametrize("target", ["price", "kind", "sold"])
def test_a_config_made_by_anyone_is_refused_or_of_use(target) -> None:
    """Any value in it may be any other, or lack: what is read then prepares a table, or says which column it
    lacks.
    """
    table = houses(12)
    config = fitted(houses(), target).to_config()
    refused = 0
    for path in places(config):
        for odd in (*ODD, places):  # the last one stands for no value at all
            changed = copy.deepcopy(config)
            *way, last = path
            part = functools.reduce(operator.getitem, way, changed)
            if odd is places:
                del part[last]
            else:
                part[last] = odd
            try:
                Preparation.from_config(changed).transform(table)
            except DataError:
                refused += 1
    assert refused > 100


def test_a_new_table_may_differ_in_columns_and_gaps() -> None:
    table = houses()
    preparation = fitted(table)
    new = Table.from_arrays(
        {
            "extra": [1, 2],
            "built": numpy.array(["2030-01-01", "NaT"], dtype="datetime64[D]"),
            "sold": ["true", "false"],
            "kind": ["castle", None],
            "city": ["city 1", "nowhere"],
            "size": [1e9, None],
        }
    )
    prepared = preparation.transform(new)
    assert numpy.isfinite(prepared.numbers).all()
    assert prepared.notes == [
        "column 'size': 1 of 1 cells are far beyond the numbers in training, such as 1e+09 (row 1); they "
        "count as 100 standard deviations from the mean.",
        "column 'kind': 1 of 2 cells are missing, hardly any in training; they count as the average.",
        "column 'kind': 1 of 1 cells hold what the network does not know, such as 'castle' (row 1); they "
        "count as none of its categories.",
        "column 'built': 1 of 2 cells are missing, hardly any in training; they count as the average.",
    ]
    new.columns["kind"] = Table.from_arrays({"kind": ["hut", "castle"]}).column("kind")
    assert "'castle' (row 2)" in preparation.transform(new, numpy.array([1])).notes[0]


def test_absent_columns_are_named_with_the_nearest() -> None:
    table = houses()
    preparation = fitted(table)
    renamed = Table({name.replace("size", "sizes"): column for name, column in table})
    with pytest.raises(DataError, match=r"the table lacks 'size', .*\. Did you mean 'sizes'"):
        preparation.transform(renamed)
    renamed = Table({name.replace("sold", "Sold").replace("kind", "kinds"): column for name, column in table})
    with pytest.raises(DataError, match=r"lacks 'kind', 'sold', .*\. Did you mean 'kinds', 'Sold'\?"):
        preparation.transform(renamed)


@pytest.mark.parametrize("sign", ["", "-"])
def test_infinite_cells_are_named_by_column_and_row(sign) -> None:
    values = numpy.arange(60.0)
    values[57] = float(sign + "inf")
    table = Table.from_arrays({"x": values, "price": numpy.arange(60.0)})
    message = rf"column 'x' is {sign}inf in row 58; a network needs finite numbers: correct the cell"
    with pytest.raises(DataError, match=message):
        Preparation.fit(table, "price", find_task(table, "price"), numpy.arange(60))
    with pytest.raises(DataError, match=message):
        fitted(table.rows(range(50))).transform(table, numpy.array([57]))
    with pytest.raises(DataError, match=r"the target 'x' is .?inf in row 58; a network needs finite numbers"):
        Preparation.fit(table, "x", find_task(table, "x"), numpy.arange(60))


def test_a_table_without_usable_columns_is_refused() -> None:
    table = Table.from_arrays({"id": numpy.arange(20), "price": numpy.arange(20.0)})
    with pytest.raises(
        DataError, match=r"no column is left to predict 'price' from\. column 'id' is left out"
    ):
        Preparation.fit(table, "price", find_task(table, "price"), numpy.arange(20))
    nested = Table(table.without("id").columns, unusable={"tags": "List(Int64)"})
    reason = r"from\. column 'tags' is left out: a network cannot use its type List\(Int64\)\."
    with pytest.raises(DataError, match=reason):
        Preparation.fit(nested, "price", find_task(nested, "price"), numpy.arange(20))
    with pytest.raises(DataError, match=r"from\. The table has no other column."):
        Preparation.fit(table.without("id"), "price", find_task(table, "price"), numpy.arange(20))


@pytest.mark.parametrize("name", ["id", "ID", "customer_id", "customerId", "No", "unnamed 1", "#", "번호"])
def test_columns_of_keys_are_left_out(name) -> None:
    table = Table.from_arrays({name: numpy.arange(20), "x": [1.0, 2.0] * 10, "y": numpy.arange(20.0)})
    assert [each.origin for each in fitted(table, "y", 20).columns] == ["x"]


@pytest.mark.parametrize(
    "name, values",
    [("width", range(20)), ("id", [0, 1] * 10), ("id", numpy.arange(20) / 2), ("paid", range(20))],
)
def test_columns_that_are_no_keys_stay(name, values) -> None:
    table = Table.from_arrays({name: list(values), "y": numpy.arange(20.0)})
    assert [each.origin for each in fitted(table, "y", 20).columns] == [name]
