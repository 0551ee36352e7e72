import math

import pytest

from stepgrad.words.language import Words
from stepgrad.words.numbers import duration, number, percent, score_name, score_text


@pytest.mark.parametrize(
    "value, expected",
    [
        (0.0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (12345.678, "12,346"),
        (0.5, "0.5"),
        (-0.00012345, "−0.0001234"),
        (1e-9, "1e-09"),
        (1.5e20, "1.5e+20"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
        (math.nan, "NaN"),
    ],
)
def test_numbers_have_four_digits(value, expected):
    assert number(value) == expected


@pytest.mark.parametrize(
    "share, expected",
    [(0.5, "50.0%"), (1, "100%"), (0, "0%"), (0.9996, ">99.9%"), (0.0004, "<0.1%"), (0.9994, "99.9%")],
)
def test_only_a_whole_share_is_called_whole(share, expected):
    assert percent(share) == expected


@pytest.mark.parametrize(
    "seconds, english, korean",
    [(0.04, "0.0 s", "0.0초"), (59.9, "59.9 s", "59.9초"), (3600, "1 h 0 min", "1시간 0분")],
)
def test_time_spans(seconds, english, korean):
    assert duration(seconds, Words("en")) == english
    assert duration(seconds, Words("ko")) == korean


def test_an_unknown_score_keeps_its_name():
    assert score_name("my_score", Words("ko")) == "my_score"
    assert score_text("my_score", 0.25) == "0.25"
