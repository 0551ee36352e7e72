"""Quotients: what is known of a divisor, and how exact the faster way to divide is."""

import numpy
import pytest

import stepgrad as sg
from stepgrad.compile.capture import Capture
from stepgrad.compile.ranges import is_far_from_zero, is_never_negative

RANDOM = numpy.random.default_rng(0)


def value_of(function):
    x, y = sg.rand(8), sg.rand(8)
    capture = Capture(function, (x, y), {})
    capture.undo()
    return capture.program.outputs[0]


@pytest.mark.parametrize(
    "function, never_negative, far",
    [
        (lambda x, y: x.sqrt(), True, False),
        (lambda x, y: x * x + y.abs(), True, False),
        (lambda x, y: x * y, False, False),
        (lambda x, y: x.exp() + y, False, False),
        (lambda x, y: x.sqrt() / y.exp() + 1e-8, True, True),
        (lambda x, y: x.sqrt() + 1e-38, True, False),
        (lambda x, y: x.sqrt() - 1e-8, False, False),
        (lambda x, y: x.clamp(min=0.0).reshape(2, 4) + 1.0, True, True),
        (lambda x, y: sg.where(x > y, x.abs(), y.relu()), True, False),
        (lambda x, y: sg.where(x > y, x, y.relu()), False, False),
    ],
)
def test_what_is_known(function, never_negative, far):
    value = value_of(function)
    assert is_never_negative(value) is never_negative
    assert is_far_from_zero(value) is far


def ulps(found, right):
    exact = right.astype(numpy.longdouble)
    return abs(found.astype(numpy.longdouble) - exact) / numpy.spacing(abs(right.astype(found.dtype)))


def test_quotients_by_what_is_far_from_zero():
    a = numpy.concatenate([RANDOM.normal(size=100_000), [0, numpy.inf, -numpy.inf, numpy.nan, 1e38, 1e-40]])
    a = (a * 10 ** RANDOM.uniform(-20, 10, a.shape)).astype("float32")
    b = (10 ** RANDOM.uniform(-16, 38, a.shape)).astype("float32")
    b[-5:] = numpy.inf, 0, 1e38, 4.0, numpy.nan
    found = sg.compile(lambda a, b: a / (b.sqrt() + 1e-8))(sg.from_numpy(a), sg.from_numpy(b)).numpy()
    with numpy.errstate(all="ignore"):
        right = a / (numpy.sqrt(b) + numpy.float32(1e-8))
    usual = numpy.isfinite(right)
    numpy.testing.assert_array_equal(found[~usual], right[~usual])
    normal = usual & (abs(right) > 1e-37)
    assert ulps(found[normal], right[normal].astype(numpy.longdouble)).max() <= 1
    assert (found[normal] == right[normal]).mean() > 0.9999
