"""The target: class numbers, and numbers that can be turned back."""

import numpy
import pytest

from stepgrad.data.table.convert import column_from_values
from stepgrad.data.table.target import NumberTarget, learn_target, refuse_too_large
from stepgrad.data.table.task import Task
from stepgrad.errors import DataError

NUMBERS = Task("regression", "")
CLASSES = Task("multiclass", "", ["blue", "green", "red"])


def test_classes_are_numbered_in_the_order_of_the_task() -> None:
    target = learn_target("colour", column_from_values(["red", "blue"]), CLASSES)
    values = target.values(column_from_values(["green", "red", "blue"]))
    assert values.tolist() == [1, 2, 0]
    assert values.dtype == numpy.int64


def test_classes_that_look_like_numbers_are_found_again_among_numbers() -> None:
    target = learn_target("digit", column_from_values([1, 2]), Task("binary", "", ["1", "2"]))
    assert target.values(column_from_values([2.0, 1.0])).tolist() == [1, 0]
    assert target.values(column_from_values(["2", "1"])).tolist() == [1, 0]


def test_unknown_and_missing_classes_are_refused() -> None:
    target = learn_target("colour", column_from_values(["red"]), CLASSES)
    with pytest.raises(DataError, match=r"'colour' is 'pink' in row 2, a class .* it knows blue, green, red"):
        target.values(column_from_values(["red", "pink"]))
    with pytest.raises(DataError, match="the target 'colour' is missing in row 2; leave such rows out"):
        target.values(column_from_values(["red", None]))


def test_numbers_are_standardised_and_turned_back() -> None:
    column = column_from_values([10.0, 20.0, 60.0, 30.0])
    target = learn_target("price", column, NUMBERS)
    values = target.values(column)
    assert values.dtype == numpy.float32
    assert abs(float(values.mean())) < 1e-6
    assert numpy.allclose(target.original(values), column.values, rtol=1e-6)


def test_predictions_stay_near_what_was_seen() -> None:
    target = learn_target("x", column_from_values([0.0, 10.0, 5.0]), NUMBERS)
    found = target.original(numpy.array([-99.0, 0.0, 99.0, 98.0], dtype=numpy.float32))
    assert found.tolist() == [-1.0, 5.0, 11.0, 11.0]
    (note,) = target.notes(found)
    assert note.startswith(
        "3 predictions lie at the limit of what the network predicts, -1 to 11: the range of 'x'"
    )
    assert target.notes(found[:1])[0].startswith("1 prediction lies")
    assert target.notes(found[1:2]) == []


def test_without_bounds_predictions_go_on() -> None:
    target = learn_target("x", column_from_values([0.0, 10.0, 5.0]), NUMBERS, bounded=False)
    found = target.original(numpy.array([-99.0, 99.0], dtype=numpy.float32))
    assert found[0] < -300
    assert found[1] > 300
    assert target.notes(found) == []


def test_targets_of_which_no_squares_can_be_taken_are_refused() -> None:
    column = column_from_values([1.0, 2.0, 1e308])
    with pytest.raises(
        DataError, match=r"the target 'x' is 1e\+308 in row 3, of which the square is not finite"
    ):
        refuse_too_large("x", column)
    refuse_too_large("x", column_from_values([1e150, -1e150, None]))
    with pytest.raises(DataError, match="the target 'x' varies by 3e-300 only"):
        learn_target("x", column_from_values([1e-300, 4e-300]), NUMBERS)


def test_targets_without_a_range_are_refused() -> None:
    with pytest.raises(DataError, match="the target 'x' has one value in the training rows"):
        learn_target("x", column_from_values([1.0, 1.0]), NUMBERS)
    with pytest.raises(DataError, match="the target 'x' is missing in row 2"):
        NumberTarget("x", 0, 1, 0, 1).values(column_from_values([1.0, None]))
