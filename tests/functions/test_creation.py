"""Functions that make tensors: against NumPy, and the messages."""

from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

import stepgrad as sg
from stepgrad.errors import ArgumentError, DtypeError, ShapeError
from tests.methods.strategies import SHAPES

NUMBERS = st.floats(-1e6, 1e6, width=32)
NESTED = st.recursive(
    st.lists(NUMBERS, min_size=1, max_size=3), lambda inner: st.lists(inner, min_size=1, max_size=1)
)


@given(SHAPES, st.sampled_from(["float32", "float64", "int64", "bool"]))
def test_filled(shape, dtype):
    kind = getattr(sg, dtype)
    for made, value in ((sg.zeros, 0), (sg.ones, 1), (sg.empty, 0)):
        for x in (made(shape, dtype=kind), made(*shape, dtype=kind)) if shape else (made(shape, dtype=kind),):
            numpy.testing.assert_array_equal(x.numpy(), numpy.full(shape, value, dtype))
            assert x.dtype is kind
    x = sg.full(shape, 1, dtype=kind)
    numpy.testing.assert_array_equal(x.numpy(), numpy.full(shape, 1, dtype))
    for like, value in ((sg.zeros_like, 0), (sg.ones_like, 1), (sg.empty_like, 0)):
        y = like(x)
        assert (y.shape, y.dtype) == (x.shape, x.dtype)
        numpy.testing.assert_array_equal(y.numpy(), numpy.full(shape, value, dtype))
        assert like(x, dtype=sg.float64).dtype is sg.float64
    assert sg.full_like(x, 1).tolist() == x.tolist()


@given(NESTED)
def test_nested_sequences(data):
    x = sg.tensor(data)
    expected = numpy.array(data, dtype="float32")
    assert x.shape == expected.shape
    numpy.testing.assert_array_equal(x.numpy(), expected)
    assert sg.tensor(data, dtype=sg.float64).tolist() == data


@given(st.integers(-20, 20), st.integers(-20, 20), st.integers(-5, 5).filter(bool))
def test_ranges_of_integers(start, stop, step):
    if (stop - start) * step < 0:
        with pytest.raises(
            ArgumentError, match=f"arange from {start} to {stop} needs a step in that direction"
        ):
            sg.arange(start, stop, step)
        return
    x = sg.arange(start, stop, step)
    assert x.tolist() == list(range(start, stop, step))
    assert x.dtype is sg.int64


def test_ranges():
    assert sg.arange(3).tolist() == [0, 1, 2]
    assert sg.arange(1, 4).tolist() == sg.arange(start=1, end=4).tolist() == [1, 2, 3]
    assert sg.arange(0, 1, 0.25).tolist() == [0, 0.25, 0.5, 0.75]
    assert sg.arange(0, 1, 0.25).dtype is sg.float32
    assert sg.arange(2.5).tolist() == [0, 1, 2]
    assert sg.arange(3, dtype=sg.float64).dtype is sg.float64
    assert sg.arange(3.0, requires_grad=True).requires_grad
    with pytest.raises(ArgumentError, match="needs a step in that direction, not 0"):
        sg.arange(0, 3, 0)


@given(st.floats(-10, 10), st.floats(-10, 10), st.integers(0, 20))
def test_linspace(start, end, steps):
    found = sg.linspace(start, end, steps, dtype=sg.float64)
    numpy.testing.assert_allclose(found.numpy(), numpy.linspace(start, end, steps), rtol=1e-12, atol=1e-12)


@given(st.integers(0, 5), st.none() | st.integers(0, 5))
def test_eye(n, m):
    numpy.testing.assert_array_equal(sg.eye(n, m).numpy(), numpy.eye(n, m))


def test_random_tensors():
    sg.manual_seed(0)
    for make in (sg.rand, sg.randn):
        assert make(2, 3).shape == make((2, 3)).shape == make([2, 3]).shape == (2, 3)
        assert make(()).shape == ()
        assert make(2, dtype=sg.float64, requires_grad=True).requires_grad
        assert not make(2).equal(make(2))
        with pytest.raises(DtypeError, match=r"rand.* makes floating point numbers, not int64. Use randint"):
            make(2, dtype=sg.int64)
    x = sg.ones(2, 3, dtype=sg.float64)
    for like in (sg.rand_like, sg.randn_like):
        assert (like(x).shape, like(x).dtype) == (x.shape, x.dtype)
    assert sorted(sg.randperm(5).tolist()) == [0, 1, 2, 3, 4]


def test_random_integers():
    sg.manual_seed(0)
    for x in (
        sg.randint(5, (100,)),
        sg.randint(0, 5, (100,)),
        sg.randint(0, 5, size=(100,)),
        sg.randint(5, size=100),
        sg.randint(high=5, size=(100,)),
        sg.randint(low=0, high=5, size=(100,)),
    ):
        assert (x.shape, x.dtype) == ((100,), sg.int64)
        assert set(x.tolist()) == {0, 1, 2, 3, 4}
    assert sg.randint(2, (3,), dtype=sg.float32).dtype is sg.float32
    with pytest.raises(ArgumentError, match=r"randint takes \(high, size\) or \(low, high, size\)"):
        sg.randint(3)


BAD: list[tuple[Any, type[Exception], str]] = [
    ([[1], [1, 2]], ShapeError, "these sequences are not a tensor"),
    ("text", DtypeError, "a tensor holds numbers, not str"),
    (["a"], DtypeError, "a tensor holds numbers, not list of <U1"),
    (None, DtypeError, "a tensor holds numbers, not NoneType"),
    ({}, DtypeError, "a tensor holds numbers, not dict"),
    (1j, DtypeError, "a tensor holds numbers, not complex"),
    (2**63, DtypeError, "no data type uint64"),
    (2**70, DtypeError, "a tensor holds numbers, not int of object"),
    (numpy.ones(1, "complex64"), DtypeError, "no data type complex64"),
    (numpy.array(["a"]), DtypeError, "no data type <U1"),
]


@pytest.mark.parametrize("data, error, message", BAD, ids=lambda x: str(x)[:20])
def test_what_is_no_tensor(data, error, message):
    with pytest.raises(error, match=message):
        sg.tensor(data)


def test_tensors_among_numbers():
    x = sg.tensor(2.0, requires_grad=True)
    assert sg.tensor([x, 1.5]).tolist() == [2, 1.5]
    assert sg.tensor([sg.tensor([1, 2]), sg.tensor([3, 4])]).tolist() == [[1, 2], [3, 4]]
    assert not sg.tensor([x, x]).requires_grad


def test_sizes():
    with pytest.raises(ShapeError, match=r"a shape has no negative sizes: \[2, -1\]"):
        sg.zeros(2, -1)
    with pytest.raises(ArgumentError, match="a shape is made of integers"):
        sg.zeros(2.5)
    assert sg.zeros(numpy.int64(2), sg.tensor(3)).shape == (2, 3)
    with pytest.raises(DtypeError, match="from_numpy takes a NumPy array, not list"):
        sg.from_numpy([1])


def test_where_of_three():
    c = sg.tensor([True, False])
    assert sg.where(c, 1.0, sg.tensor([5.0, 6.0])).tolist() == [1, 6]
    assert sg.where(c, sg.tensor([[1], [2]]), 0).tolist() == [[1, 0], [2, 0]]
    assert [i.tolist() for i in sg.where(sg.tensor([[0, 1], [1, 0]]))] == [[0, 1], [1, 0]]


def test_other_sequences_than_lists():
    from collections import deque

    assert sg.tensor(deque([1.0, 2.0])).tolist() == [1, 2]
    assert sg.tensor(deque([1.0])).dtype is sg.float32
    assert sg.tensor([deque([1, 2]), (3, 4)]).tolist() == [[1, 2], [3, 4]]
    assert sg.tensor(range(3)).tolist() == [0, 1, 2]
    assert sg.tensor(deque([sg.tensor(1.0)])).tolist() == [1]
