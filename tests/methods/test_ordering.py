"""Sorts, medians, quantiles, modes, counts and running sums, against NumPy."""

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

import stepgrad as sg
from stepgrad.errors import ArgumentError, DtypeError, IndexShapeError

A = numpy.random.default_rng(0).integers(0, 6, (4, 5, 6)).astype(float)
X = sg.tensor(A)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=20), st.booleans())
def test_sorts_are_stable(numbers, descending):
    values, indices = sg.tensor(numbers).sort(descending=descending)
    expected = sorted(range(len(numbers)), key=lambda i: (-numbers[i] if descending else numbers[i], i))
    assert indices.tolist() == expected
    assert values.tolist() == [numbers[i] for i in expected]


@pytest.mark.parametrize("dim", [0, 1, 2])
def test_along_each_dimension(dim: int):
    numpy.testing.assert_array_equal(X.sort(dim).values.numpy(), numpy.sort(A, dim))
    largest = X.topk(2, dim).values.numpy()
    numpy.testing.assert_array_equal(largest, numpy.flip(numpy.sort(A, dim), dim).take([0, 1], dim))
    numpy.testing.assert_array_equal(X.kthvalue(2, dim).values.numpy(), numpy.sort(A, dim).take(1, dim))
    for name, ufunc in (("cummax", numpy.maximum), ("cummin", numpy.minimum)):
        numpy.testing.assert_array_equal(getattr(X, name)(dim).values.numpy(), ufunc.accumulate(A, dim))
    numpy.testing.assert_array_equal(X.cumsum(dim).numpy(), A.cumsum(dim))
    numpy.testing.assert_array_equal(X.cumprod(dim).numpy(), A.cumprod(dim))
    numpy.testing.assert_array_equal(X.count_nonzero(dim).numpy(), numpy.count_nonzero(A, dim))


@pytest.mark.parametrize("interpolation", ["linear", "lower", "higher", "midpoint", "nearest"])
@pytest.mark.parametrize("dim", [None, 0, 2])
def test_quantiles(interpolation: str, dim: int | None):
    shares = [0.0, 0.3, 0.5, 1.0]
    found = X.quantile(sg.tensor(shares, dtype=sg.float64), dim, interpolation=interpolation)
    numpy.testing.assert_allclose(found.numpy(), numpy.quantile(A, shares, dim, method=interpolation))
    holes = numpy.where(A == 3, numpy.nan, A)
    found = sg.tensor(holes).nanquantile(0.3, dim, interpolation=interpolation)
    numpy.testing.assert_allclose(found.numpy(), numpy.nanquantile(holes, 0.3, dim, method=interpolation))


def test_medians_and_modes():
    x = sg.tensor([[3.0, 1.0, 2.0, 4.0], [1.0, float("nan"), 5.0, 5.0]])
    assert x.median(1).values.isnan().tolist() == [False, True]
    assert x.median(1).indices.tolist() == [2, 1]
    assert x.nanmedian(1).values.tolist() == [2, 5]
    assert x[0].median().item() == 2
    assert sg.tensor([2, 1, 2, 1, 3]).mode() == (sg.tensor(1), sg.tensor(3))
    assert x.nansum().item() == 21
    assert x.nanmean(1).tolist() == [2.5, pytest.approx(11 / 3)]


def test_the_gradient_of_a_median_is_shared_by_ties():
    x = sg.tensor([1.0, 2.0, 2.0, 9.0], requires_grad=True)
    x.median().backward()
    assert x.grad.tolist() == [0, 0.5, 0.5, 0]


def test_products_on_the_way_have_derivatives_beside_zeros():
    x = sg.tensor([2.0, 0.0, 3.0, 0.0, 5.0], dtype=sg.float64, requires_grad=True)
    x.cumprod(0).sum().backward()
    numpy.testing.assert_allclose(x.grad.numpy(), [1, 2 + 6, 0, 0, 0])


def test_counts():
    x = sg.tensor([3, 1, 1, 0, 3, 3])
    assert x.bincount().tolist() == [1, 2, 0, 3]
    assert x.unique(return_counts=True)[1].tolist() == [1, 2, 3]
    assert x.unique(return_inverse=True)[1].tolist() == [2, 1, 1, 0, 2, 2]
    assert x.double().histc(3, 0, 3).tolist() == [1, 2, 3]
    assert x.isin(sg.tensor([0, 3])).tolist() == [True, False, False, True, True, True]
    assert sg.tensor([[0, 1], [2, 0]]).nonzero().tolist() == [[0, 1], [1, 0]]


def test_what_does_not_fit_is_named():
    with pytest.raises(IndexShapeError, match="topk of 9 elements of a dimension of length 6"):
        X.topk(9)
    with pytest.raises(IndexShapeError, match="no element 0 in a dimension of length 6"):
        X.kthvalue(0)
    with pytest.raises(ArgumentError, match=r"numbers from 0 to 1, not 1.5"):
        X.quantile(1.5)
    with pytest.raises(ArgumentError, match=r"interpolates by linear, .*, not 'cubic'"):
        X.quantile(0.5, interpolation="cubic")
    with pytest.raises(DtypeError, match="floating point numbers, not int64"):
        X.long().quantile(0.5)
    with pytest.raises(ArgumentError, match="vector of integers ≥ 0"):
        X.bincount()
