"""Rolled, turned, repeated, cut and scattered tensors, against NumPy."""

import numpy
import pytest

import stepgrad as sg
from stepgrad.errors import ArgumentError, DtypeError, ShapeError

A = numpy.arange(24.0).reshape(2, 3, 4)
M = numpy.arange(12.0).reshape(3, 4)
X, Y = sg.tensor(A), sg.tensor(M)

SAME = {
    "movedim": (X.movedim((0, 1), (2, 0)), numpy.moveaxis(A, (0, 1), (2, 0))),
    "fliplr": (Y.fliplr(), numpy.fliplr(M)),
    "flipud": (Y.flipud(), numpy.flipud(M)),
    "roll": (X.roll((1, -2), (0, 2)), numpy.roll(A, (1, -2), (0, 2))),
    "roll of all": (X.roll(5), numpy.roll(A, 5)),
    "tile": (Y.tile(2, 1, 3), numpy.tile(M, (2, 1, 3))),
    "repeat_interleave": (Y.repeat_interleave(2, 1), numpy.repeat(M, 2, 1)),
    "repeat_interleave by each": (
        Y.repeat_interleave(sg.tensor([0, 2, 1]), 0),
        numpy.repeat(M, [0, 2, 1], 0),
    ),
    "tril": (X.tril(1), numpy.tril(A, 1)),
    "triu": (X.triu(-1), numpy.triu(A, -1)),
    "diagonal": (X.diagonal(1, 1, 2), numpy.diagonal(A, 1, 1, 2)),
    "diag": (Y[0].diag(-1), numpy.diag(M[0], -1)),
    "trace": (Y.trace(), numpy.trace(M)),
    "unfold": (Y.unfold(1, 2, 2), numpy.lib.stride_tricks.sliding_window_view(M, 2, 1)[:, ::2]),
    "as_strided": (Y.as_strided((2, 2), (1, 3), 2), M.ravel()[[[2, 5], [3, 6]]]),
    "hstack": (sg.hstack([Y, Y]), numpy.hstack([M, M])),
    "vstack": (sg.vstack([Y[0], Y]), numpy.vstack([M[0], M])),
    "dstack": (sg.dstack([Y, Y]), numpy.dstack([M, M])),
    "column_stack": (sg.column_stack([Y[:, 0], Y]), numpy.column_stack([M[:, 0], M])),
    "take_along_dim": (
        Y.take_along_dim(sg.tensor([[3, -1]]), 1),
        numpy.take_along_axis(M, numpy.array([[3, -1]] * 3), 1),
    ),
    "diff": (X.diff(2, 1), numpy.diff(A, 2, 1)),
    "trapezoid": (sg.trapezoid(X, dx=0.5, dim=1), numpy.trapezoid(A, dx=0.5, axis=1)),
    "gradient": (sg.gradient(Y, spacing=2.0, edge_order=2)[0], numpy.gradient(M, 2.0, edge_order=2)[0]),
    "vander": (sg.vander(Y[0], 3), numpy.vander(M[0], 3)),
    "searchsorted": (
        sg.searchsorted(Y[0], sg.tensor([1.0, 1.5]), right=True).double(),
        numpy.searchsorted(M[0], [1.0, 1.5], "right"),
    ),
    "logspace": (sg.logspace(0, 2, 3, dtype=sg.float64), numpy.logspace(0, 2, 3)),
}


@pytest.mark.parametrize("name", SAME)
def test_the_same_as_numpy(name: str):
    found, expected = SAME[name]
    numpy.testing.assert_allclose(found.numpy(), expected, rtol=1e-14)


@pytest.mark.parametrize("k", range(-3, 6))
def test_quarter_turns(k: int):
    numpy.testing.assert_array_equal(X.rot90(k, (0, 2)).numpy(), numpy.rot90(A, k, (0, 2)))


def test_pieces_are_numpys():
    for found, expected in (
        (X.tensor_split(3, 2), numpy.array_split(A, 3, 2)),
        (X.tensor_split((1, 3), 2), numpy.split(A, (1, 3), 2)),
        (X.hsplit(3), numpy.hsplit(A, 3)),
        (X.vsplit(2), numpy.vsplit(A, 2)),
        (X.dsplit(2), numpy.dsplit(A, 2)),
    ):
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            numpy.testing.assert_array_equal(a.numpy(), b)


def test_grids_and_blocks():
    a, b = sg.tensor([1, 2, 3]), sg.tensor([4, 5])
    for indexing in ("ij", "xy"):
        for found, expected in zip(
            sg.meshgrid(a, b, indexing=indexing),
            numpy.meshgrid([1, 2, 3], [4, 5], indexing=indexing),
            strict=True,
        ):
            numpy.testing.assert_array_equal(found.numpy(), expected)
    assert sg.cartesian_prod(a[:2], b).tolist() == [[1, 4], [1, 5], [2, 4], [2, 5]]
    assert sg.combinations(a).tolist() == [[1, 2], [1, 3], [2, 3]]
    assert sg.combinations(a, 4).shape == (0, 4)
    assert sg.block_diag(sg.ones(1, 2), sg.ones(2, 1)).tolist() == [[1, 1, 0], [0, 0, 1], [0, 0, 1]]
    assert sg.broadcast_tensors(sg.ones(3, 1), sg.ones(4))[1].shape == (3, 4)


def test_what_is_scattered():
    zeros, index = sg.zeros(2, 3), sg.tensor([[0, 0], [2, 1]])
    source = sg.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert zeros.scatter(1, index, 5.0).tolist() == [[5, 0, 0], [0, 5, 5]]
    assert zeros.scatter_add(1, index, source).tolist() == [[3, 0, 0], [0, 4, 3]]
    ones = sg.ones(2, 3)
    assert ones.scatter_reduce(1, index, source, "prod").tolist() == [[2, 1, 1], [1, 4, 3]]
    assert ones.scatter_reduce(1, index, source, "mean", include_self=False).tolist() == [
        [1.5, 1, 1],
        [1, 4, 3],
    ]
    assert ones.scatter_reduce(1, index, -source, "amax", include_self=False)[0, 0].item() == -1
    assert ones.index_add(0, sg.tensor([1, 1]), sg.ones(2, 3), alpha=2).tolist() == [[1, 1, 1], [5, 5, 5]]
    assert ones.index_fill(1, sg.tensor([0]), 7).tolist() == [[7, 1, 1], [7, 1, 1]]
    assert zeros.put(sg.tensor([1, 5]), sg.tensor([8.0, 9.0])).tolist() == [[0, 8, 0], [0, 0, 9]]
    mask = sg.tensor([[True, False, True], [False, True, False]])
    assert zeros.masked_scatter(mask, sg.tensor([1.0, 2.0, 3.0])).tolist() == [[1, 0, 2], [0, 3, 0]]


ERRORS = [
    (lambda: X.movedim((0, 1), 2), ArgumentError, "as many dimensions as places"),
    (lambda: sg.ones(3).fliplr(), ShapeError, "fliplr takes at least 2 dimensions"),
    (lambda: X.rot90(1, (1, 1)), ArgumentError, "two different dimensions"),
    (lambda: X.roll((1, 2), (0,)), ArgumentError, "a dimension for each shift"),
    (lambda: X.hsplit(2), ShapeError, "hsplit into 2 equal pieces of a dimension of 3"),
    (lambda: X.unfold(0, 3, 1), ShapeError, "windows of 0 to 2 elements"),
    (lambda: X.diagonal(0, 1, 1), ArgumentError, "two different dimensions"),
    (lambda: X.diag(), ShapeError, "diag takes a vector or a matrix"),
    (lambda: X.scatter_reduce(0, sg.zeros(1, 1, 1).long(), X, "median"), ArgumentError, "not 'median'"),
    (
        lambda: X.scatter_reduce(0, sg.zeros(1, 1, 1).long(), X.float(), "sum"),
        DtypeError,
        "one dtype, not float64 and float32",
    ),
    (lambda: sg.broadcast_shapes((2,), (3,)), ShapeError, r"\[2\], \[3\] do not broadcast"),
    (lambda: sg.meshgrid(X, indexing="yx"), ArgumentError, "'ij' or 'xy', not 'yx'"),
    (lambda: sg.gradient(X, spacing=[1.0]), ArgumentError, "a spacing for each of 3 dimensions"),
]


@pytest.mark.parametrize("call, error, message", ERRORS)
def test_what_does_not_fit_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_triangle_of_booleans_is_one():
    x = sg.ones(2, 2, dtype=sg.bool)
    assert x.tril().dtype == x.triu().dtype == sg.bool
    assert x.tril().tolist() == [[True, False], [True, True]]
    assert x.int().triu(1).dtype == sg.int32
