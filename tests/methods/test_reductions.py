"""Sums, means, extremes, norms and products of matrices: against NumPy, and the messages."""

from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

import stepgrad as sg
from stepgrad import autograd
from stepgrad.errors import ArgumentError, DtypeError, ShapeError
from tests.methods.strategies import FULL_SHAPES, counted

REDUCTIONS = {
    "sum": numpy.sum,
    "mean": numpy.mean,
    "prod": numpy.prod,
    "amax": numpy.max,
    "amin": numpy.min,
    "any": numpy.any,
    "all": numpy.all,
}


@given(st.data(), counted(FULL_SHAPES), st.sampled_from(sorted(REDUCTIONS)), st.booleans())
def test_reductions(data, array, name, keepdim):
    dims: Any = data.draw(st.none() | st.sets(st.integers(0, array.ndim - 1), min_size=1).map(tuple))
    array = array / 4
    found = getattr(sg.tensor(array), name)(dims, keepdim)
    numpy.testing.assert_allclose(
        found.numpy(), REDUCTIONS[name](array, axis=dims, keepdims=keepdim), rtol=1e-13
    )
    if dims is not None and len(dims) == 1:
        same = getattr(sg.tensor(array), name)(dim=dims[0] - array.ndim, keepdim=keepdim)
        numpy.testing.assert_array_equal(same.numpy(), found.numpy())


@given(st.data(), counted(FULL_SHAPES), st.integers(0, 1), st.booleans())
def test_variance(data, array, correction, keepdim):
    dim = data.draw(st.integers(0, array.ndim - 1))
    if array.shape[dim] <= correction:
        return
    x = sg.tensor(array)
    expected = array.var(dim, ddof=correction, keepdims=keepdim)
    for found in (
        x.var(dim, bool(correction), keepdim),
        x.var(dim, correction=correction, keepdim=keepdim),
        x.std(dim, correction=correction, keepdim=keepdim) ** 2,
    ):
        numpy.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)


def test_variance_as_pytorch_takes_its_arguments():
    x = sg.tensor([1.0, 2.0, 4.0, 9.0])
    assert x.var().item() == pytest.approx(numpy.var([1, 2, 4, 9], ddof=1))
    assert x.var(False).item() == pytest.approx(numpy.var([1, 2, 4, 9]))
    assert x.std(unbiased=False).item() == pytest.approx(numpy.std([1, 2, 4, 9]))
    assert numpy.isnan(sg.tensor([1.0]).var().item())


def test_the_gradient_of_a_deviation_or_a_norm_of_zero_is_zero():
    for function in (
        lambda x: x.std(),
        lambda x: x.norm(),
        lambda x: x.std(correction=0),
        lambda x: x.norm(dim=0),
    ):
        x = sg.zeros(3, requires_grad=True)
        function(x).sum().backward()
        assert x.grad.tolist() == [0, 0, 0]


@given(counted(FULL_SHAPES), st.booleans())
def test_extremes_and_their_indices(array, keepdim):
    array = numpy.sin(array)
    x = sg.tensor(array)
    assert x.max().item() == array.max()
    assert x.argmin().item() == array.argmin()
    for dim in range(-array.ndim, array.ndim):
        values, indices = x.max(dim, keepdim)
        numpy.testing.assert_array_equal(values.numpy(), array.max(dim, keepdims=keepdim))
        numpy.testing.assert_array_equal(indices.numpy(), array.argmax(dim, keepdims=keepdim))
        assert indices.dtype is sg.int64
        smallest = x.min(dim, keepdim)
        numpy.testing.assert_array_equal(smallest.values.numpy(), array.min(dim, keepdims=keepdim))
        numpy.testing.assert_array_equal(smallest.indices.numpy(), x.argmin(dim, keepdim).numpy())


def test_extremes_that_tie():
    x = sg.tensor([1.0, 3.0, 3.0], requires_grad=True)
    assert autograd.grad(x.amax(), x)[0].tolist() == [0, 0.5, 0.5]
    assert autograd.grad(x.max(), x)[0].tolist() == [0, 0.5, 0.5]
    assert autograd.grad(x.max(0).values, x)[0].tolist() == [0, 1, 0]
    assert autograd.grad(x.maximum(sg.full((3,), 3.0)).sum(), x)[0].tolist() == [0, 0.5, 0.5]
    assert x.argmax().item() == 1


def test_nan_is_not_hidden():
    x = sg.tensor([1.0, float("nan"), 3.0])
    assert all(numpy.isnan(f(x).item()) for f in (sg.max, sg.min, sg.sum, sg.mean, sg.amax))
    assert x.argmax().item() == 1
    assert numpy.isnan(x.maximum(sg.zeros(3)).numpy()).tolist() == [False, True, False]


def test_nothing_to_reduce():
    x = sg.zeros(0, 3)
    assert x.sum().item() == 0
    assert x.prod().item() == 1
    assert numpy.isnan(x.mean().item())
    assert x.any().item() is False
    assert x.all().item() is True
    assert x.amax(1).shape == (0,)
    assert x.argmax(1).shape == (0,)
    assert x.softmax(1).shape == (0, 3)
    assert sg.zeros(3, 0).softmax(1).shape == (3, 0)
    assert sg.zeros(3, 0).log_softmax(1).shape == (3, 0)
    for name in ("amax", "amin", "max", "min", "argmax", "argmin"):
        with pytest.raises(ShapeError, match=rf"{name} of nothing does not exist: the shape is \[0, 3\]"):
            getattr(x, name)()
        with pytest.raises(ShapeError, match="of nothing does not exist"):
            getattr(x, name)(0)


def test_half_precision_is_summed_in_single():
    x = sg.ones(70_000, dtype=sg.float16)
    assert x.mean().item() == 1
    assert x[:5000].sum().item() == 5000
    assert x.sum().item() == float("inf")
    assert x.mean().dtype is x.sum().dtype is sg.float16
    y = sg.ones(5000, 1, dtype=sg.float16, requires_grad=True)
    (y.reshape(-1)[:1].expand(5000) * 1).sum().backward()
    assert y.grad.sum().item() == 5000


def test_integers_have_no_mean():
    for name in ("mean", "var", "std"):
        with pytest.raises(
            DtypeError, match=rf"{name} takes floating point numbers, not int64. Convert with \.float"
        ):
            getattr(sg.tensor([1, 2]), name)()


@pytest.mark.parametrize("p", [0, 1, 2, 3, 0.5, float("inf"), float("-inf"), "fro"])
def test_norms(p):
    array = numpy.array([[1.0, -2.0], [0.0, 4.0]])
    order = 2 if p == "fro" else p
    found = sg.tensor(array).norm(p)
    assert found.item() == pytest.approx(numpy.linalg.norm(array.reshape(-1), order))
    along = sg.tensor(array).norm(p, 1, True).numpy()
    numpy.testing.assert_allclose(along[:, 0], [numpy.linalg.norm(row, order) for row in array])
    with pytest.raises(ArgumentError, match="norm takes a number, 'fro', 'nuc', inf or -inf as p, not 'max'"):
        sg.tensor(array).norm("max")


def test_softmax_does_not_overflow():
    x = sg.tensor([1000.0, 1001.0], dtype=sg.float64)
    numpy.testing.assert_allclose(x.softmax(0).numpy(), [0.26894142, 0.73105858], rtol=1e-7)
    numpy.testing.assert_allclose(x.log_softmax(0).numpy(), numpy.log([0.26894142, 0.73105858]), rtol=1e-7)
    assert x.logsumexp(0).item() == pytest.approx(1001.3132616875)
    assert sg.tensor([-numpy.inf, 0.0]).softmax(0).tolist() == [0, 1]
    assert sg.tensor([-numpy.inf, -numpy.inf]).logsumexp(0).item() == -numpy.inf
    assert sg.tensor(3.0).softmax(0).item() == 1
    assert sg.tensor(3.0).log_softmax(-1).item() == 0


# ----------------------------------------------------------------------------------------------- matrices

SHAPES = [
    ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((2, 3), (5, 3, 4)),
    ((5, 2, 3), (5, 3, 4)), ((5, 1, 2, 3), (4, 3, 2)), ((5, 2, 3), (3,)), ((3,), (5, 3, 2)), ((0, 3), (3, 2)),
    ((2, 0), (0, 3)), ((4, 2, 0), (0, 3)), ((2, 3), (3, 0)),
]  # fmt: skip


@pytest.mark.parametrize("a, b", SHAPES, ids=str)
def test_matmul(a, b):
    random = numpy.random.default_rng(0)
    x, y = random.normal(size=a), random.normal(size=b)
    p, q = (sg.tensor(v, requires_grad=True) for v in (x, y))
    for z in (p @ q, p.matmul(q), sg.matmul(p, q), x @ q):
        numpy.testing.assert_allclose(z.detach().numpy(), x @ y, atol=1e-14)
        assert z.shape == (x @ y).shape
    assert autograd.gradcheck(lambda p, q: p @ q, (p, q))


def test_named_products():
    a, b, v, w = sg.rand(2, 3), sg.rand(3, 4), sg.rand(3), sg.rand(2)
    assert a.mm(b).equal(a @ b)
    assert a.mv(v).equal(a @ v)
    assert v.dot(v).equal(v @ v)
    numpy.testing.assert_array_equal(w.outer(v).numpy(), numpy.outer(w.numpy(), v.numpy()))
    x, y = sg.rand(5, 2, 3), sg.rand(5, 3, 2)
    assert x.bmm(y).equal(x @ y)


def test_products_that_do_not_fit():
    a, v = sg.zeros(2, 3), sg.zeros(2)
    with pytest.raises(ShapeError, match=r"matmul of \[2, 3\] and \[2, 3\]: the inner sizes 3 and 2 differ"):
        a @ a
    with pytest.raises(ShapeError, match=r"matmul of \[2, 3\] and \[2\]: the inner sizes 3 and 2 differ"):
        a @ v
    with pytest.raises(ShapeError, match=r"matmul takes no 0-d tensor: \[\] and \[2\]. Use \* instead"):
        sg.tensor(1.0) @ v
    with pytest.raises(ArgumentError, match="matmul takes two tensors, not list"):
        a @ [1, 2, 3]
    with pytest.raises(
        ShapeError, match=r"matmul cannot take \(a: float32\[2, 2, 3\] on cpu, b: float32\[5, 3, 1\]"
    ):
        sg.zeros(2, 2, 3) @ sg.zeros(5, 3, 1)
    for call, text in (
        (lambda: a.mm(v), "mm takes two matrices"),
        (lambda: a.mv(a), "mv takes a matrix and a vector"),
        (lambda: a.dot(v), "dot takes two vectors"),
        (lambda: a.outer(v), "outer takes two vectors"),
        (lambda: a.bmm(a), "bmm takes"),
    ):
        with pytest.raises(ShapeError, match=text):
            call()


def test_running_totals_of_float32_are_kept_in_float64():
    many = sg.full((3_000_000,), 0.1)
    assert many.cumsum(0)[-1].item() == 300_000
    assert sg.compile(lambda x: x.cumsum(0))(many)[-1].item() == 300_000
    assert abs(sg.full((20_000,), 1.0001).cumprod(0)[-1].item() - 7.3908) < 1e-4


@pytest.mark.parametrize("kind", [sg.bool, sg.uint8, sg.int32, sg.float32])
def test_truth_of_uint8_is_uint8_as_in_pytorch(kind: sg.dtype):
    x = sg.tensor([[2, 0], [3, 1]]).to(kind)
    expected = sg.uint8 if kind is sg.uint8 else sg.bool
    assert x.any().dtype == x.all(1).dtype == sg.all(x, dim=0, keepdim=True).dtype == expected
    assert x.all(1).equal(sg.tensor([False, True]).to(expected))


@pytest.mark.parametrize("kind", [sg.bool, sg.uint8, sg.int32])
def test_sums_to_a_size_count_in_int64(kind: sg.dtype):
    x = sg.ones(300, 2, dtype=kind)
    assert x.sum_to_size(2).equal(sg.tensor([300, 300]))
    assert x.sum_to_size(300, 2).dtype == kind
