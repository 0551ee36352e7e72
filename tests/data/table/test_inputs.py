"""What each kind of column becomes, on rows it was learned from and on others."""

import json
from dataclasses import asdict

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepgrad.data.table.convert import column_from_values
from stepgrad.data.table.inputs import (
    BooleanInput,
    CategoryInput,
    DateInput,
    EmbeddingInput,
    IndicatorInput,
    NumberInput,
    learn_texts,
)
from stepgrad.errors import DataError

ABOUT_EQUAL = 1e-9


def days(*texts) -> object:
    return column_from_values(numpy.array(texts, dtype="datetime64[s]"))


def many_texts(count: int, repeats: int = 3) -> list[str]:
    return [f"t{i:03}" for i in range(count)] * repeats


def test_numbers_are_standardised() -> None:
    column = column_from_values([1.0, 2.0, 3.0, 4.0])
    learned = NumberInput.learn("size", column)
    prepared = learned.numbers(column)
    assert learned.names == ["size"]
    assert abs(prepared.mean()) < ABOUT_EQUAL
    assert abs(prepared.std() - 1) < ABOUT_EQUAL
    assert learned.numbers(column_from_values([2.5])).tolist() == [[0.0]]


def test_missing_numbers_are_the_median_and_have_an_indicator() -> None:
    learned = NumberInput.learn("size", column_from_values([1.0, 2.0, 6.0, None]))
    prepared = learned.numbers(column_from_values([2.0, None]))
    assert learned.names == ["size", "size is missing"]
    assert prepared[0, 0] == prepared[1, 0]
    assert prepared[:, 1].tolist() == [0.0, 1.0]


def test_long_tails_are_bounded_and_keep_their_order() -> None:
    values = numpy.concatenate([numpy.linspace(0, 1, 99), [1e6]])
    learned = NumberInput.learn("income", column_from_values(values))
    prepared = learned.numbers(column_from_values([0.0, 1.0, 1e6, 1e9]))[:, 0]
    assert learned.long_tailed
    assert (numpy.diff(prepared) > 0).all()
    assert abs(prepared).max() < 3


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=20),
    st.floats(allow_nan=False, allow_infinity=False),
)
def test_any_finite_numbers_stay_finite(values, other) -> None:
    column = column_from_values(numpy.array(values))
    learned = NumberInput.learn("x", column)
    if isinstance(learned, NumberInput):
        prepared = learned.numbers(column)
        assert numpy.isfinite(prepared).all()
        assert not numpy.isnan(learned.numbers(column_from_values([other]))).any()


def test_columns_of_one_value() -> None:
    assert NumberInput.learn("x", column_from_values([3.0, 3.0])) == "has one value in the training rows"
    assert NumberInput.learn("x", column_from_values([3.0, None])) == IndicatorInput("x")
    assert NumberInput.learn("x", column_from_values([None])) == "has no filled cell in the training rows"
    tiny = column_from_values([1e-300, 2e-300])
    assert NumberInput.learn("x", tiny) == "has numbers that differ by less than 1e-290"
    assert BooleanInput.learn("x", column_from_values([True, True])) == "has one value in the training rows"
    assert learn_texts("x", column_from_values(["a", "a"])) == "has one value in the training rows"
    assert learn_texts("x", column_from_values(["a", None])) == IndicatorInput("x")
    assert DateInput.learn("x", days("2024-01-01", "2024-01-01")) == "has one value in the training rows"
    assert DateInput.learn("x", days("2024-01-01", "NaT")) == IndicatorInput("x")
    assert IndicatorInput("x").numbers(column_from_values([3.0, None])).tolist() == [[0.0], [1.0]]


def test_booleans() -> None:
    learned = BooleanInput.learn("sold", column_from_values([True, False, None]))
    assert learned.names == ["sold", "sold is missing"]
    assert learned.numbers(column_from_values([True, None])).tolist() == [[1, 0], [0, 1]]
    assert learned.numbers(column_from_values([0, 1])).tolist() == [[-1, 0], [1, 0]]
    assert learned.numbers(column_from_values(["True", "false"])).tolist() == [[1, 0], [-1, 0]]
    with pytest.raises(DataError, match="column 'sold' held booleans in training, but holds 'perhaps' here"):
        learned.numbers(column_from_values(["True", "perhaps"]))


def test_few_texts_are_one_hot_and_unknown_ones_nothing() -> None:
    column = column_from_values(["a", "b", "c"] * 2 + ["rare"])
    learned = learn_texts("kind", column)
    assert isinstance(learned, CategoryInput)
    assert learned.names == ["kind = a", "kind = b", "kind = c"]
    prepared = learned.numbers(column_from_values(["c", "rare", "new", None]))
    assert prepared.tolist() == [[0, 0, 1], [0, 0, 0], [0, 0, 0], [0, 0, 0]]


def test_missing_texts_are_a_category_if_they_were_in_training() -> None:
    learned = learn_texts("kind", column_from_values(["a", "b", "c", None] * 2))
    assert learned.names[-1] == "kind is missing"
    assert learned.numbers(column_from_values(["a", None])).tolist() == [[1, 0, 0, 0], [0, 0, 0, 1]]


def test_two_texts_share_one_number() -> None:
    learned = learn_texts("sex", column_from_values(["f", "m", None] * 2))
    assert learned.names == ["sex = m", "sex is missing"]
    prepared = learned.numbers(column_from_values(["f", "m", "x", None]))
    assert prepared.tolist() == [[-1, 0], [1, 0], [0, 0], [0, 1]]


def test_many_texts_are_codes_with_one_for_the_unknown() -> None:
    learned = learn_texts("city", column_from_values([*many_texts(60), "rare", *[None] * 5]))
    assert isinstance(learned, EmbeddingInput)
    assert learned.has_rare
    assert (learned.size, learned.dimension) == (62, 16)
    codes = learned.codes(column_from_values(["t000", "t059", "rare", "new", None]))
    assert codes.tolist() == [1, 60, 0, 0, 61]
    whole = learn_texts("city", column_from_values(many_texts(60)))
    assert not whole.has_rare
    assert whole.codes(column_from_values(["t000", None])).tolist() == [1, 0]


def test_texts_that_never_repeat_are_of_no_use() -> None:
    assert "has a different text in every row" in learn_texts("name", column_from_values(["a", "b", "c"]))


def test_categories_are_found_in_columns_of_another_kind() -> None:
    learned = learn_texts("code", column_from_values(["1", "2", "true", "A"] * 2))
    assert learned.numbers(column_from_values([2, 1])).argmax(axis=1).tolist() == [1, 0]
    assert learned.numbers(column_from_values([True, None])).sum(axis=1).tolist() == [1, 0]


def test_dates() -> None:
    column = days("2024-01-01T00:00", "2024-07-01T12:00", "2024-12-31T18:00", "NaT")
    learned = DateInput.learn("sold", column)
    prepared = learned.numbers(column)
    assert learned.names[0] == "sold: time elapsed"
    assert learned.names[-1] == "sold is missing"
    assert len(learned.names) == 8
    assert prepared[3].tolist() == [0.0] * 7 + [1.0]
    assert abs(prepared[:3, :-1].mean(axis=0)).max() < ABOUT_EQUAL


def test_days_without_a_time_have_no_daily_cycle() -> None:
    learned = DateInput.learn("sold", days("2024-01-01", "2024-07-01", "2024-10-09"))
    assert not any("day" in name for name in learned.names)


def test_the_same_weekday_has_the_same_place_in_the_week() -> None:
    learned = DateInput.learn("sold", days("2024-01-01", "2024-07-02", "2024-10-09"))
    week = [i for i, name in enumerate(learned.names) if "week" in name]
    prepared = learned.numbers(days("2024-03-04", "1969-12-29", "2024-03-05"))[:, week]
    assert abs(prepared[0] - prepared[1]).max() < ABOUT_EQUAL
    assert abs(prepared[0] - prepared[2]).max() > 0.1


@pytest.mark.parametrize(
    "learned, column, message",
    [
        (
            NumberInput("x", 0, 1, 0, False, False),
            ["a"],
            "held numbers in training, but holds texts such as 'a'",
        ),
        (
            DateInput("x", ["time elapsed"], [0], [1], False),
            [1.0],
            "held dates in training, but holds numbers",
        ),
        (
            CategoryInput("x", ["a", "b"], False),
            days("2024-01-01"),
            "held texts in training, but holds dates",
        ),
    ],
)
def test_another_kind_than_in_training_is_refused(learned, column, message) -> None:
    with pytest.raises(DataError, match=f"column 'x' {message}"):
        learned.numbers(column_from_values(column) if isinstance(column, list) else column)


def test_a_column_without_any_cell_fits_every_kind() -> None:
    nothing = column_from_values([None, None])
    learned = [
        NumberInput.learn("x", column_from_values([1.0, 2.0])),
        BooleanInput.learn("x", column_from_values([True, False])),
        learn_texts("x", column_from_values(["a", "b", "c"] * 2)),
        DateInput.learn("x", days("2024-01-01", "2024-02-01")),
    ]
    assert all(numpy.isfinite(each.numbers(nothing)).all() for each in learned)


def test_every_state_is_exact_in_json() -> None:
    for each in (
        NumberInput.learn("x", column_from_values([0.1, 1 / 3, None])),
        learn_texts("x", column_from_values(["가", "b", "c"] * 2)),
        DateInput.learn("x", days("2024-01-01", "2024-02-01")),
    ):
        assert type(each)(**json.loads(json.dumps(asdict(each)))) == each


@pytest.mark.parametrize("gaps, rows, told", [(2, 200, False), (5, 200, True), (2, 40, True), (1, 40, False)])
def test_too_few_gaps_have_no_indicator(gaps: int, rows: int, told: bool) -> None:
    numbers = [*range(rows - gaps), *([None] * gaps)]
    texts = [*(["a", "b"] * rows)[: rows - gaps], *([None] * gaps)]
    assert NumberInput.learn("x", column_from_values(numbers)).indicator is told
    assert learn_texts("x", column_from_values(texts)).indicator is told
