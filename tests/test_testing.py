"""`assert_close`: what passes, what is said of what does not."""

import numpy as np
import pytest

import stepgrad as sg
from stepgrad.errors import ArgumentError
from stepgrad.testing import assert_close


def test_what_is_close():
    x = sg.tensor([1.0, 2.0])
    assert_close(x, x + 1e-6)
    assert_close(x, x * 1.1, rtol=0.2, atol=0.0)
    assert_close([x, {"a": 1.0}], (x, {"a": 1.0 + 1e-9}))
    assert_close(x, x.double(), check_dtype=False)
    assert_close(x, x.double().half(), check_dtype=False)
    assert_close(np.ones(2), sg.ones(2, dtype=sg.float64))
    assert_close(x / 0 * 0, x / 0 * 0, equal_nan=True)
    assert_close(sg.tensor([1, 2]), sg.tensor([1, 2]))
    assert_close(sg.zeros(0), sg.zeros(0))


@pytest.mark.parametrize(
    "one, other, what",
    [
        (sg.ones(2), sg.ones(3), r"the shapes differ: \[2\] and \[3\]"),
        (sg.ones(2), sg.ones(2).double(), "the dtypes differ: stepgrad.float32 and stepgrad.float64"),
        (
            sg.tensor([[1.0, 5.0]]),
            sg.tensor([[1.0, 2.0]]),
            r"1 of 2 elements differ: 5.0 and 2.0 at \(0, 1\), by 3",
        ),
        (sg.tensor(1), sg.tensor(2), "1 of 1 elements differ: 1 and 2, by 1; 0 is allowed"),
        ([1.0, 2.0], [1.0], "there are 2 and 1 items"),
        ({"a": 1.0}, {"b": 1.0}, r"the keys differ: \['a'\] and \['b'\]"),
        ({"a": [1.0, 2.0]}, {"a": [1.0, 3.0]}, "item 'a': item 1: 1 of 1 elements differ: 2.0 and 3.0"),
        (float("nan"), float("nan"), "1 of 1 elements differ"),
        (float("inf"), 1.0, "inf and 1.0, by inf"),
    ],
)
def test_what_is_not(one, other, what):
    with pytest.raises(AssertionError, match=what):
        assert_close(one, other)


def test_a_message_of_ones_own():
    with pytest.raises(AssertionError, match=r"^wrong$"):
        assert_close(1.0, 2.0, msg="wrong")
    with pytest.raises(AssertionError, match=r"^wrong: 1 of 1"):
        assert_close(1.0, 2.0, msg=lambda text: f"wrong: {text}")
    with pytest.raises(ArgumentError, match="rtol and atol together"):
        assert_close(1.0, 1.0, rtol=0.1)
