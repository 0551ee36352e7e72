"""Rearranging and indexing as NumPy does: property tests, and the messages where it does not work."""

import math
from collections.abc import Callable
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

import stepgrad as sg
from stepgrad import autograd
from stepgrad.errors import ArgumentError, DtypeError, IndexShapeError, ShapeError
from tests.methods.strategies import FULL_SHAPES, SHAPES, counted, indexed, picked, with_dim


def same(found: sg.Tensor, expected: Any) -> None:
    assert found.shape == expected.shape
    assert found._array.dtype == expected.dtype
    numpy.testing.assert_array_equal(found.detach().numpy(), expected)


def check_gradient(function: Callable[[sg.Tensor], sg.Tensor], array: numpy.ndarray) -> None:
    """The gradient of an arrangement counts how often each element was used."""
    x = sg.from_numpy(array.copy()).requires_grad_()
    y = function(x)
    weights = numpy.arange(1.0, y.numel() + 1).reshape(y.shape)
    (g,) = autograd.grad(y, x, sg.from_numpy(weights))
    places = function(sg.from_numpy(numpy.arange(array.size, dtype="float64").reshape(array.shape))).numpy()
    expected = numpy.bincount(places.reshape(-1).astype(int), weights.reshape(-1), minlength=array.size)
    numpy.testing.assert_array_equal(g.numpy(), expected.reshape(array.shape))


# ----------------------------------------------------------------------------------------------- reshape


@given(st.data(), counted())
def test_reshape(data, array):
    factors = data.draw(st.permutations(array.shape))
    shape = (*factors, 1) if data.draw(st.booleans()) else tuple(factors)
    same(sg.tensor(array).reshape(shape), array.reshape(shape))
    same(sg.tensor(array).reshape(*shape), array.reshape(shape))
    if math.prod(shape):
        place = data.draw(st.integers(0, max(len(shape) - 1, 0)))
        unknown = (*shape[:place], -1, *shape[place + 1 :])
        same(sg.tensor(array).reshape(unknown), array.reshape(unknown))
    check_gradient(lambda x: x.reshape(shape), array)


@given(counted())
def test_flatten_and_ravel(array):
    x = sg.tensor(array)
    same(x.flatten(), array.reshape(-1))
    same(x.ravel(), array.reshape(-1))
    if array.ndim > 2:
        same(x.flatten(1), array.reshape(array.shape[0], math.prod(array.shape[1:])))
        same(x.flatten(-2, -1).unflatten(-1, array.shape[-2:]), array)


@given(with_dim())
def test_squeeze_and_unsqueeze(case):
    array, dim = case
    x = sg.tensor(array)
    same(x.unsqueeze(dim), numpy.expand_dims(array, dim))
    same(x.unsqueeze(dim).squeeze(dim), array)
    same(x.squeeze(), array.squeeze())
    same(x.squeeze(dim), array.squeeze(dim) if array.shape[dim] == 1 else array)
    same(x.squeeze(()), array)


def test_reshape_that_does_not_fit():
    x = sg.zeros(2, 3)
    for call in (
        lambda: x.reshape(4),
        lambda: x.reshape(-1, 4),
        lambda: x.reshape(-1, -1),
        lambda: x.view(7),
    ):
        with pytest.raises(ShapeError, match=r"6 elements of shape \[2, 3\] do not fit shape"):
            call()
    with pytest.raises(ShapeError, match="0 elements"):
        sg.zeros(0, 2).reshape(-1, 0)
    with pytest.raises(ArgumentError, match="a shape is made of integers, not"):
        x.reshape(2.0, 3)
    with pytest.raises(ArgumentError, match="start_dim <= end_dim, not 1 and 0"):
        x.flatten(1, 0)


def test_view_needs_the_same_memory():
    x = sg.zeros(2, 3)
    y = x.view(3, 2)
    y[0, 0] = 5
    assert x[0, 0].item() == 5
    assert x.view_as(sg.zeros(6)).shape == (6,)
    with pytest.raises(
        ShapeError, match=r"view of shape \[3, 2\] as \[6\] needs a copy.*\.contiguous\(\)\.view"
    ):
        x.T.view(6)
    assert x.T.contiguous().view(6).shape == (6,)
    assert x.T.contiguous().is_contiguous()
    assert not x.T.is_contiguous()


# ------------------------------------------------------------------------------------- order of dimensions


@given(st.data(), counted())
def test_permute(data, array):
    order = data.draw(st.permutations(range(array.ndim)))
    signed = [d - array.ndim if data.draw(st.booleans()) else d for d in order]
    same(sg.tensor(array).permute(*signed), array.transpose(order))
    same(sg.tensor(array).permute(dims=tuple(signed)), array.transpose(order))
    check_gradient(lambda x: x.permute(*signed), array)


@given(st.data(), with_dim())
def test_transpose(data, case):
    array, a = case
    b = data.draw(st.integers(-array.ndim, array.ndim - 1))
    x = sg.tensor(array)
    same(x.transpose(a, b), array.swapaxes(a, b))
    same(x.swapaxes(a, b), array.swapaxes(a, b))
    same(x.T, array.T)
    if array.ndim >= 2:
        same(x.mT, array.swapaxes(-1, -2))
    if array.ndim <= 2:
        same(x.t(), array.T)


@given(st.data(), counted())
def test_flip(data, array):
    dims = data.draw(st.sets(st.integers(0, array.ndim - 1))) if array.ndim else set()
    same(sg.tensor(array).flip(tuple(dims)), numpy.flip(array, tuple(dims)))
    check_gradient(lambda x: x.flip(dims=tuple(dims)), array)


def test_dimensions_that_are_not_there():
    x = sg.zeros(2, 3)
    for call in (
        lambda: x.sum(2),
        lambda: x.transpose(0, -3),
        lambda: x.unsqueeze(4),
        lambda: x.size(5),
        lambda: x.softmax(2),
        lambda: x.unbind(2),
        lambda: sg.stack([x], 4),
        lambda: sg.cat([x], 2),
    ):
        with pytest.raises(
            IndexShapeError, match=r"dimension -?\d is out of range: the tensor has \d, so -\d … \d"
        ):
            call()
        with pytest.raises(IndexError):
            call()
    with pytest.raises(ArgumentError, match=r"permute needs each of the 2 dimensions once, not \(0, 0\)"):
        x.permute(0, 0)
    with pytest.raises(ArgumentError, match="a dimension appears twice"):
        x.sum((0, -2))
    with pytest.raises(ArgumentError, match=r"a dimension is an integer, not 1\.0"):
        x.sum(1.0)
    with pytest.raises(ShapeError, match=r"t takes at most 2 dimensions, not 3. Use \.transpose"):
        sg.zeros(1, 1, 1).t()


# ---------------------------------------------------------------------------------------- expand and repeat


@given(st.data(), counted())
def test_expand(data, array):
    target = tuple(data.draw(st.integers(0, 3)) if n == 1 else n for n in array.shape)
    front = tuple(data.draw(st.lists(st.integers(0, 2), max_size=2)))
    x = sg.tensor(array)
    same(x.expand(*front, *target), numpy.broadcast_to(array, front + target))
    same(x.broadcast_to(front + target), numpy.broadcast_to(array, front + target))
    kept = tuple(-1 if n == m else n for n, m in zip(target, array.shape, strict=True))
    same(x.expand(front + kept), numpy.broadcast_to(array, front + target))
    same(x.expand_as(sg.zeros(target)), numpy.broadcast_to(array, target))
    check_gradient(lambda x: x.expand(front + target), array)


@given(st.data(), counted(FULL_SHAPES))
def test_repeat(data, array):
    times = tuple(data.draw(st.lists(st.integers(0, 2), min_size=array.ndim, max_size=array.ndim + 1)))
    same(sg.tensor(array).repeat(*times), numpy.tile(array, times))
    check_gradient(lambda x: x.repeat(times), array)


def test_expand_and_repeat_that_do_not_fit():
    with pytest.raises(ShapeError, match=r"expand cannot take \(x: float32\[2\] on cpu, shape=\(3,\)\)"):
        sg.zeros(2).expand(3)
    with pytest.raises(ArgumentError, match=r"repeat needs a number for each of 2 dimensions, not \(2,\)"):
        sg.zeros(2, 2).repeat(2)


# ------------------------------------------------------------------------------------------ join and split


@given(st.data(), with_dim())
def test_cat_and_split(data, case):
    array, dim = case
    length = array.shape[dim]
    cuts = sorted(data.draw(st.lists(st.integers(0, length), max_size=3)))
    sizes = [stop - start for start, stop in zip([0, *cuts], [*cuts, length], strict=True)]
    x = sg.tensor(array)
    pieces = x.split(sizes, dim)
    for piece, expected in zip(pieces, numpy.split(array, cuts, dim), strict=True):
        same(piece, expected)
    same(sg.cat(pieces, dim), numpy.concatenate(numpy.split(array, cuts, dim), dim))
    check_gradient(lambda x: sg.cat(x.split(sizes, dim)[::-1], dim), array)


@given(with_dim(), st.integers(1, 5))
def test_split_by_size_and_chunk(case, size):
    array, dim = case
    length = array.shape[dim]
    expected = numpy.split(array, range(size, length, size), dim)
    for piece, right in zip(sg.tensor(array).split(size, dim), expected, strict=True):
        same(piece, right)
    chunks = sg.tensor(array).chunk(size, dim)
    assert len(chunks) <= size
    assert all(c.shape[dim] == chunks[0].shape[dim] for c in chunks[:-1])
    same(sg.cat(chunks, dim), array)


@given(with_dim(), st.integers(1, 3))
def test_stack_and_unbind(case, count):
    array, dim = case
    parts = [sg.tensor(array + i) for i in range(count)]
    same(sg.stack(parts, dim), numpy.stack([array + i for i in range(count)], dim))
    for part, right in zip(sg.stack(parts, dim).unbind(dim), parts, strict=True):
        same(part, right.numpy())
    for row, right in zip(sg.tensor(array), array, strict=True):
        same(row, numpy.asarray(right))


@given(st.data(), with_dim())
def test_narrow_and_select(data, case):
    array, dim = case
    length = array.shape[dim]
    start = data.draw(st.integers(-length, length))
    first = start + length if start < 0 else start
    size = data.draw(st.integers(0, length - first))
    same(sg.tensor(array).narrow(dim, start, size), array.take(range(first, first + size), dim))
    i = data.draw(st.integers(-length, length - 1))
    same(sg.tensor(array).select(dim, i), numpy.asarray(array.take(i, dim)))


def test_joining_what_does_not_fit():
    a, b = sg.zeros(2, 3), sg.zeros(3, 2)
    with pytest.raises(
        ShapeError, match=r"stack needs equal shapes: tensor 0 has \(2, 3\), tensor 1 has \(3, 2\)"
    ):
        sg.stack([a, b])
    with pytest.raises(
        ShapeError, match=r"cat cannot take \(input: float32\[2, 3\] on cpu, input: float32\[3, 2\]"
    ):
        sg.cat([a, b])
    for join in (sg.cat, sg.stack):
        with pytest.raises(ArgumentError, match="needs at least one tensor"):
            join([])
        with pytest.raises(DtypeError, match="item 1 is int"):
            join([a, 1])
    with pytest.raises(ShapeError, match=r"split into \[1, 3\], in sum 4, of a dimension of length 2"):
        a.split([1, 3])
    with pytest.raises(ArgumentError, match="split needs a size of at least 1, not 0"):
        a.split(0)
    with pytest.raises(ArgumentError, match="chunk needs at least 1 piece, not 0"):
        a.chunk(0)
    for start, length in ((1, 5), (0, -1), (-3, 1), (3, 0)):
        with pytest.raises(
            IndexShapeError, match=f"narrow from {start}, {length} entries, of a dimension of length 2"
        ):
            a.narrow(0, start, length)
    with pytest.raises(IndexShapeError, match="slice cannot take"):
        a.select(0, 2)


def test_joins_promote_and_skip_empty_vectors():
    assert sg.cat([sg.zeros(1), sg.zeros(1, dtype=sg.float64)]).dtype is sg.float64
    assert sg.cat([sg.zeros(0), sg.ones(2, 3)]).shape == (2, 3)
    assert sg.cat([sg.zeros(0), sg.zeros(0)]).shape == (0,)
    assert [c.shape for c in sg.zeros(0, 2).chunk(3)] == [(0, 2)] * 3


# ---------------------------------------------------------------------------------------------- indexing


@given(indexed())
def test_basic_indexing(case):
    array, index = case
    x = sg.tensor(array)
    expected = numpy.asarray(array[index])
    same(x[index], expected)
    check_gradient(lambda x: x[index], array)
    if expected.size:
        x[index].fill_(-1)  # a view, even of a lone element
    changed = array.copy()
    changed[index] = -1
    same(x, changed)
    y = sg.tensor(array)
    y[index] = sg.tensor(expected) * 2
    changed[index] = expected * 2
    same(y, changed)


@given(picked())
def test_indexing_by_arrays(case):
    array, index = case
    x = sg.tensor(array)
    parts = index if isinstance(index, tuple) else (index,)
    wrapped = tuple(sg.tensor(i) if isinstance(i, numpy.ndarray) else i for i in parts)
    same(x[index], array[index])
    same(x[wrapped], array[index])
    check_gradient(lambda x: x[wrapped], array)
    x[wrapped] = -1.0
    changed = array.copy()
    changed[index] = -1
    same(x, changed)


def test_indexing_by_lists_and_0d_tensors_and_ranges():
    array = numpy.arange(12.0).reshape(3, 4)
    x = sg.tensor(array)
    same(x[[0, 2]], array[[0, 2]])
    same(x[range(2)], array[:2])
    same(x[[]], array[[]])
    same(x[:, ()], array[:, []])
    same(x[sg.tensor(1)], array[1])
    same(x[numpy.int64(1), sg.tensor(2) : sg.tensor(4)], array[1, 2:4])
    same(x[True], array[True])
    same(x[sg.tensor([True, False, True])], array[[0, 2]])


def test_a_lone_element_is_a_view():
    x = sg.zeros(3)
    x[1].fill_(7)
    x[-1].add_(1)
    x.select(0, 0).copy_(sg.tensor(5.0))
    assert x.tolist() == [5, 7, 1]


def test_indices_that_are_none():
    x = sg.zeros(3, 4)
    with pytest.raises(DtypeError, match="an index is integer or boolean, not float32"):
        x[sg.tensor([0.5])]
    with pytest.raises(
        ArgumentError, match=r"indexed by integers, slices, None, \.\.\. and tensors, not str"
    ):
        x["a"]
    with pytest.raises(ArgumentError, match=r"needs a step of at least 1; use \.flip\(\)"):
        x[::-1]
    with pytest.raises(
        IndexShapeError, match=r"slice cannot take \(x: float32\[3, 4\] on cpu, index=\(3,\)\)"
    ):
        x[3]
    with pytest.raises(IndexShapeError, match=r"index cannot take"):
        x[[0, 3]]
    with pytest.raises(IndexShapeError):
        x[0, 0, 0]
    with pytest.raises(ShapeError, match="a 0-d tensor has no length"):
        len(sg.tensor(1))
    with pytest.raises(ShapeError, match="cannot be iterated over"):
        list(sg.tensor(1))


@given(st.data(), with_dim())
def test_gather_and_index_select(data, case):
    array, dim = case
    n = array.shape[dim]
    chosen = numpy.array(data.draw(st.lists(st.integers(0, n - 1), max_size=4)), dtype="int64")
    same(sg.tensor(array).index_select(dim, sg.tensor(chosen)), array.take(chosen, dim))
    check_gradient(lambda x: x.index_select(dim, sg.tensor(chosen)), array)
    shape = [data.draw(st.integers(0, m)) for m in array.shape]
    index = numpy.random.default_rng(0).integers(0, n, shape)
    extent = tuple(slice(None) if i == dim % array.ndim else slice(m) for i, m in enumerate(shape))
    same(sg.tensor(array).gather(dim, sg.tensor(index)), numpy.take_along_axis(array[extent], index, dim))
    check_gradient(lambda x: x.gather(dim, sg.tensor(index)), array)


@given(st.data(), counted())
def test_masks(data, array):
    mask = data.draw(st.lists(st.booleans(), min_size=array.size, max_size=array.size))
    mask = numpy.array(mask, dtype=bool).reshape(array.shape)
    x, m = sg.tensor(array), sg.tensor(mask)
    same(x.masked_select(m), array[mask])
    same(x.masked_fill(m, -1.0), numpy.where(mask, -1.0, array))
    same(sg.where(m, x, -x), numpy.where(mask, array, -array))
    for found, right in zip(sg.where(m), numpy.nonzero(numpy.atleast_1d(mask)), strict=True):
        same(found, right)
    check_gradient(lambda x: x.masked_select(m), array)


def test_masks_broadcast():
    x = sg.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert x.masked_select(sg.tensor([True, False])).tolist() == [1, 3]
    assert x[0].masked_select(sg.tensor([[True, False], [True, True]])).tolist() == [1, 1, 2]
    with pytest.raises(ShapeError, match=r"a mask of shape \[3\] does not fit \[2, 2\]"):
        x.masked_select(sg.tensor([True, False, True]))


def test_indices_of_gather_are_checked():
    x = sg.zeros(2, 3)
    for call in (lambda i: x.gather(1, i), lambda i: x.index_select(1, i)):
        with pytest.raises(DtypeError, match="takes an integer tensor as index, not float32"):
            call(sg.zeros(1))
        with pytest.raises(DtypeError, match="takes an integer tensor as index, not list"):
            call([0])
    with pytest.raises(IndexShapeError, match="gather takes indices from 0 on; there is -1"):
        x.gather(1, sg.tensor([[-1]]))
    with pytest.raises(IndexShapeError, match=r"take_along cannot take \(x: float32\[2, 3\]"):
        x.gather(1, sg.tensor([[3]]))
    with pytest.raises(
        ShapeError, match=r"index_select takes an index of one dimension, not of shape \[1, 1\]"
    ):
        x.index_select(0, sg.tensor([[0]]))


@given(counted(SHAPES))
def test_views_share_memory_and_copies_do_not(array):
    x = sg.tensor(array)
    if not array.size:
        return
    for view in (
        x.T,
        x.unsqueeze(0),
        x.squeeze(),
        x.expand(2, *x.shape),
        x[...],
    ):
        assert numpy.shares_memory(view.numpy(), x.numpy())
    copies = (
        x.clone(),
        x * 1,
        x.repeat(*(1,) * x.ndim),
        x.flip(tuple(range(x.ndim))),
        sg.cat([x.reshape(-1)]),
    )
    for copy in copies:
        assert copy.numpy().flags.writeable
        assert not numpy.shares_memory(copy.numpy(), x.numpy())


def test_an_index_of_uint8_is_a_mask_as_in_pytorch():
    assert sg.arange(3)[sg.tensor([1, 0, 1], dtype=sg.uint8)].tolist() == [0, 2]


@pytest.mark.parametrize("name, arguments", [("unbind", ()), ("split", (1,)), ("chunk", (1,))])
def test_a_number_is_not_cut(name, arguments):
    with pytest.raises(IndexShapeError, match=f"{name} takes at least 1 dimension, not a 0-d tensor"):
        getattr(sg.tensor(1.0), name)(*arguments)
