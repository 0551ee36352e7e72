"""Quotients by what a loop does not change, and roots: how exact the faster ways are."""

import numpy
import pytest

import stepgrad as sg
from stepgrad.compile.capture import Capture
from stepgrad.compile.lower.loops import divisors

RANDOM = numpy.random.default_rng(0)
SPECIAL = [0.0, -0.0, numpy.inf, -numpy.inf, numpy.nan]


def ulps(found, right):
    """How many numbers of the type lie between two of the same sign; 0 for two NaN."""
    integer = {"float32": "int32", "float64": "int64"}[found.dtype.name]
    are_nan = numpy.isnan(found) & numpy.isnan(right)
    assert (numpy.signbit(found) == numpy.signbit(right))[~are_nan].all()
    return numpy.where(are_nan, 0, abs(found.view(integer) - right.view(integer)))


def limits(dtype):
    return numpy.finfo(dtype).smallest_subnormal, numpy.finfo(dtype).tiny, numpy.finfo(dtype).max


def spread(count, dtype):
    """Numbers of every size and sign, with the special ones."""
    least, tiny, most = limits(dtype)
    exponent = 149 if dtype == "float32" else 1074
    x = numpy.ldexp(
        RANDOM.uniform(-2, 2, count), RANDOM.integers(-exponent, 128 if exponent == 149 else 1024, count)
    )
    x[: 2 * len(SPECIAL) + 6] = [*SPECIAL, *SPECIAL, least, -least, tiny, -tiny, most, -most]
    with numpy.errstate(all="ignore"):
        return x.astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_quotients_by_the_same_number(dtype):
    least, tiny, most = limits(dtype)
    divide = sg.compile(lambda x, c: x / c)
    x = spread(100_000, dtype)
    usual = [3.0, -0.7, 1e-7, 6e5, tiny, most / 2, tiny * 12345.678, *RANDOM.normal(size=20)]
    for c in numpy.array([*usual, *SPECIAL, least, least * 3, -tiny / 7, most], dtype):
        found = divide(sg.from_numpy(x), sg.tensor(c)).numpy()
        with numpy.errstate(all="ignore"):
            right = x / c
        assert ulps(found, right).max() <= 1, c
        is_usual = numpy.minimum(abs(x), abs(right)) > tiny * 2.0**54
        numpy.testing.assert_array_equal(found[is_usual], right[is_usual], str(c))


def test_a_number_divided_by_itself_is_one():
    x = (1 + RANDOM.random(20_000)).astype("float32")
    rows = x.reshape(200, 100)
    found = sg.compile(lambda x: x / x.amax(1, keepdim=True))(sg.from_numpy(rows)).numpy()
    numpy.testing.assert_array_equal(found, rows / rows.max(1, keepdims=True))


def test_divided_by_the_update_of_a_matrix_product():
    # The divisor is read before the loops of the product.
    a, b = (RANDOM.normal(size=(40, 40)) for _ in range(2))
    step = sg.compile(lambda a, b, c: (a @ b) / c)
    for c in (3.7, 0.0, numpy.inf, 1e-310):
        found = step(*(sg.from_numpy(numpy.asarray(x)) for x in (a, b, c))).numpy()
        with numpy.errstate(all="ignore"):
            numpy.testing.assert_allclose(found, (a @ b) / c, rtol=1e-12)


@pytest.mark.parametrize(
    "function, count",
    [
        (lambda x, c: x / c.sum(), 1),
        (lambda x, c: x / c.sum(1, keepdim=True), 1),
        (lambda x, c: x / c, 0),
        (lambda x, c: x / 3.0, 0),
        (lambda x, c: 3.0 / c.sum(), 0),
    ],
)
def test_what_a_loop_divides_by(function, count):
    x, c = sg.rand(8, 70), sg.rand(8, 70)
    capture = Capture(function, (x, c), {})
    capture.undo()
    quotient = capture.program.outputs[0]
    found = divisors([quotient], lambda divisor, value: divisor.size < value.size)
    assert len(found) == count


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_roots(dtype):
    tiny = limits(dtype)[1]
    root = sg.compile(lambda x: x.sqrt())
    x = spread(300_000, dtype)
    x[100:] = abs(x[100:])
    with numpy.errstate(all="ignore"):
        right = numpy.sqrt(x)
    found = root(sg.from_numpy(x)).numpy()
    assert ulps(found, right).max() <= 1
    assert (found == right)[x > tiny * 2.0**62].mean() > 0.9999
    # Whole roots are exact.
    whole = numpy.arange(4000, dtype=dtype)
    numpy.testing.assert_array_equal(root(sg.from_numpy(whole * whole)).numpy(), whole)
