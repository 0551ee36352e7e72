"""The error function."""

import numpy
import pytest
import scipy.special

from stepgrad.arrays.special import erf


def test_erf_is_exact_to_the_last_bits():
    x = numpy.concatenate(
        [numpy.linspace(-7, 7, 20_001), numpy.logspace(-300, 2, 2000), [0.46875, -0.46875, 6.0]]
    )
    numpy.testing.assert_allclose(erf(numpy, x), scipy.special.erf(x), rtol=1e-15, atol=0)


def test_erf_is_odd_and_bounded():
    x = numpy.linspace(0, 10, 1001)
    numpy.testing.assert_array_equal(erf(numpy, -x), -erf(numpy, x))
    assert abs(erf(numpy, x)).max() == 1


def test_erf_of_what_is_not_finite():
    y = erf(numpy, numpy.array([numpy.inf, -numpy.inf, numpy.nan, 0.0, -0.0]))
    numpy.testing.assert_array_equal(y, [1, -1, numpy.nan, 0, 0])
    assert numpy.signbit(y[4])


@pytest.mark.parametrize("dtype, tolerance", [("float16", 1e-3), ("float32", 1e-7)])
def test_erf_keeps_the_dtype(dtype, tolerance):
    x = numpy.linspace(-4, 4, 101).astype(dtype)
    y = erf(numpy, x)
    assert y.dtype == dtype
    numpy.testing.assert_allclose(y, scipy.special.erf(x.astype("float64")), rtol=tolerance)
