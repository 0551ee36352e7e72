import pytest

from stepgrad.train.report.axes import Scale, round_ticks, scale_for


@pytest.mark.parametrize(
    "low, high, expected",
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (-3, 3, [-3, -2, -1, 0, 1, 2, 3]),
        (1.0, 40.0, [10, 20, 30, 40]),
        (0.00011, 0.00019, [0.00012, 0.00014, 0.00016, 0.00018]),
        (1e6, 9e6, [2e6, 4e6, 6e6, 8e6]),
        (5, 5, [5]),
    ],
)
def test_ticks_are_round(low, high, expected):
    assert round_ticks(low, high) == pytest.approx(expected)


def test_a_scale_may_run_backwards():
    scale = Scale(4000, 0, 10, 110)
    assert (scale.at(4000), scale.at(0), scale.at(1000)) == (10, 110, 85)
    assert scale.ticks(4) == [0, 1000, 2000, 3000, 4000]


def test_a_scale_of_one_value_puts_it_in_the_middle():
    assert Scale(3, 3, 0, 100).at(3) == 50


def test_losses_over_a_wide_range_are_drawn_by_their_logarithm():
    scale = scale_for([2.0, 0.001], 100, 0, from_zero=True)
    assert scale.logarithmic
    assert scale.ticks() == pytest.approx([0.001, 0.01, 0.1, 1])
    narrow = scale_for([2.0, 1.0], 100, 0, from_zero=True)
    assert (narrow.logarithmic, narrow.low) == (False, 0.0)


@pytest.mark.parametrize("values", [[0.0], [0.0, 0.0], [-2.0, 5.0], [7.0]])
def test_every_value_lies_within_its_scale(values):
    for from_zero in (True, False):
        scale = scale_for(values, 0, 100, from_zero)
        assert all(0 <= scale.at(value) <= 100 for value in values)
