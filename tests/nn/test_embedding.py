"""Tables of vectors: rows for integers, and bags of rows."""

import numpy as np
import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.autograd import gradcheck
from stepgrad.errors import ArgumentError, DtypeError, IndexShapeError, ShapeError
from stepgrad.nn import functional as F


def test_embedding_picks_rows_and_sums_their_gradients():
    table = nn.Embedding(4, 3, dtype=sg.float64)
    indices = sg.tensor([[0, 2], [2, 2]])
    y = table(indices)
    np.testing.assert_array_equal(y.detach().numpy(), table.weight.detach().numpy()[indices.numpy()])
    g = np.arange(12.0).reshape(2, 2, 3)
    y.backward(sg.tensor(g))
    expected = np.zeros((4, 3))
    np.add.at(expected, indices.numpy(), g)
    np.testing.assert_array_equal(table.weight.grad.numpy(), expected)
    assert table(sg.tensor(1)).shape == (3,)
    assert table(sg.zeros(0, 5, dtype=sg.int64)).shape == (0, 5, 3)


@pytest.mark.parametrize("padding", [1, -3])
def test_the_padding_row_is_zero_and_stays_so(padding):
    table = nn.Embedding(4, 2, padding_idx=padding)
    assert table.padding_idx == 1
    assert table.weight[1].tolist() == [0, 0]
    table(sg.tensor([0, 1, 1])).sum().backward()
    assert table.weight.grad.tolist() == [[1, 1], [0, 0], [0, 0], [0, 0]]
    assert repr(table) == "Embedding(4, 2, padding_idx=1)"
    table.reset_parameters()
    assert table.weight[1].tolist() == [0, 0]


def test_embedding_starts_normal():
    values = nn.Embedding(200, 100).weight.detach().numpy()
    assert values.mean() == pytest.approx(0, abs=0.03)
    assert values.std() == pytest.approx(1, abs=0.03)


def test_embedding_refuses_what_is_no_row():
    table = nn.Embedding(3, 2)
    with pytest.raises(IndexShapeError, match="has 3 rows, numbered from 0; the indices go from -1 to 3"):
        table(sg.tensor([3, -1, 0]))
    with pytest.raises(DtypeError, match=r"integer indices, not float32. Convert with .long\(\)"):
        table(sg.tensor([1.0]))
    with pytest.raises(DtypeError, match="not list"):
        table([1])
    with pytest.raises(ArgumentError, match="padding_idx 3 is none of the 3 rows"):
        nn.Embedding(3, 2, padding_idx=3)


def test_rows_that_are_picked_are_scaled_down_to_a_norm():
    table = nn.Embedding(4, 2, max_norm=1.0, dtype=sg.float64)
    with sg.no_grad():
        table.weight.copy_(sg.tensor([[3.0, 4.0], [0.3, 0.4], [6.0, 8.0], [0.0, 0.0]]))
    y = table(sg.tensor([[0, 0], [1, 3]]))
    np.testing.assert_allclose(y.detach().numpy(), [[[0.6, 0.8]] * 2, [[0.3, 0.4], [0, 0]]], rtol=1e-6)
    np.testing.assert_allclose(table.weight.detach().numpy()[2], [6, 8])
    np.testing.assert_allclose(table.weight.detach().numpy()[0], [0.6, 0.8], rtol=1e-6)
    y.sum().backward()
    assert table.weight.grad.tolist() == [[2, 2], [1, 1], [0, 0], [1, 1]]
    F.embedding(sg.tensor([2]), table.weight, max_norm=1.0, norm_type=1.0)
    np.testing.assert_allclose(abs(table.weight.detach().numpy()[2]).sum(), 1, rtol=1e-6)
    with pytest.raises(ArgumentError, match="max_norm >= 0, not -1"):
        F.embedding(sg.tensor([2]), table.weight, max_norm=-1)


def test_gradients_divided_by_how_often_a_row_is_picked():
    table = nn.Embedding(3, 2, scale_grad_by_freq=True)
    table(sg.tensor([[0, 0], [0, 2]])).sum().backward()
    assert table.weight.grad.numpy() == pytest.approx(np.array([[1, 1], [0, 0], [1, 1]]))


def test_vectors_that_are_there():
    vectors = sg.arange(6.0).reshape(3, 2)
    frozen = nn.Embedding.from_pretrained(vectors)
    assert frozen(sg.tensor([2])).tolist() == [[4, 5]]
    assert not frozen.weight.requires_grad
    table = nn.EmbeddingBag.from_pretrained(vectors, freeze=False, mode="sum", padding_idx=0)
    assert table.weight.requires_grad
    assert repr(table) == "EmbeddingBag(3, 2, mode='sum', padding_idx=0)"
    with pytest.raises(ShapeError, match=r"vectors \(count, features\), not \[3\]"):
        nn.Embedding.from_pretrained(sg.zeros(3))
    with pytest.raises(ShapeError, match=r"a table of \[3, 2\] takes no weight of \[2, 3\]"):
        nn.Embedding(3, 2, _weight=sg.zeros(2, 3))


# ------------------------------------------------------------------------------------------------ bags

REDUCE = {"sum": lambda r: r.sum(0), "mean": lambda r: r.mean(0), "max": lambda r: r.max(0)}
FLAT, OFFSETS = sg.tensor([0, 2, 2, 1, 3, 2]), sg.tensor([0, 2, 2, 5])
BAGS = [[0, 2], [], [2, 1, 3], [2]]


def expected(weight: np.ndarray, bags: list[list[int]], mode: str) -> np.ndarray:
    return np.array([REDUCE[mode](weight[bag]) if bag else np.zeros(weight.shape[1]) for bag in bags])


@pytest.mark.parametrize("mode", REDUCE)
def test_bags_by_offsets(mode):
    table = nn.EmbeddingBag(4, 3, mode=mode, dtype=sg.float64)
    weight = table.weight.detach().numpy()
    np.testing.assert_allclose(table(FLAT, OFFSETS).detach().numpy(), expected(weight, BAGS, mode))
    closed = nn.EmbeddingBag(4, 3, mode=mode, include_last_offset=True, _weight=table.weight)
    ends = sg.tensor([0, 2, 2, 5, 6])
    assert closed(FLAT, ends).tolist() == table(FLAT, OFFSETS).tolist()
    nothing = table(FLAT[:0], sg.tensor([0, 0]))
    assert nothing.tolist() == [[0] * 3] * 2
    assert gradcheck(lambda w: F.embedding_bag(FLAT, w, OFFSETS, mode=mode), (table.weight,))


@pytest.mark.parametrize("mode", REDUCE)
@pytest.mark.parametrize("padding", [None, 2])
def test_bags_in_rows(mode, padding):
    table = nn.EmbeddingBag(4, 3, mode=mode, padding_idx=padding, dtype=sg.float64)
    rows = sg.tensor([[0, 2, 1], [2, 2, 2], [3, 3, 1]])
    left = [[i for i in row if i != padding] for row in rows.tolist()]
    weight = table.weight.detach().numpy()
    np.testing.assert_allclose(table(rows).detach().numpy(), expected(weight, left, mode))
    flat = table(rows.reshape(-1), sg.tensor([0, 3, 6]))
    np.testing.assert_allclose(flat.detach().numpy(), expected(weight, left, mode))


def test_rows_of_bags_with_weights():
    table = nn.EmbeddingBag(4, 3, mode="sum", dtype=sg.float64)
    factors = sg.rand(6, dtype=sg.float64, requires_grad=True)
    weight, each = table.weight.detach().numpy(), factors.detach().numpy()
    found = table(FLAT, OFFSETS, factors)
    rows = weight[FLAT.numpy()] * each[:, None]
    np.testing.assert_allclose(
        found.detach().numpy()[[0, 2, 3]], [rows[:2].sum(0), rows[2:5].sum(0), rows[5]]
    )
    assert gradcheck(
        lambda w, f: F.embedding_bag(FLAT, w, OFFSETS, mode="sum", per_sample_weights=f),
        (table.weight, factors),
    )


@pytest.mark.parametrize("mode", REDUCE)
def test_bags_compiled(mode):
    sg.manual_seed(0)
    table = nn.EmbeddingBag(4, 3, mode=mode, padding_idx=1)
    compiled = sg.compile(lambda i, o: table(i, o))
    for offsets in (OFFSETS, sg.tensor([0, 1, 5, 5])):
        np.testing.assert_allclose(
            compiled(FLAT, offsets).detach().numpy(), table(FLAT, offsets).detach().numpy(), rtol=1e-5
        )


@pytest.mark.parametrize(
    "call, kind, message",
    [
        (lambda w: F.embedding_bag(FLAT, w), ShapeError, r"or \(n\) with offsets, not \[6\] with no offsets"),
        (
            lambda w: F.embedding_bag(FLAT[None], w, OFFSETS),
            ArgumentError,
            "takes no offsets: each row is a bag",
        ),
        (lambda w: F.embedding_bag(FLAT, w, OFFSETS + 1), ArgumentError, "begin with 0, not 1"),
        (
            lambda w: F.embedding_bag(FLAT, w, OFFSETS, mode="min"),
            ArgumentError,
            "'mean', 'sum' or 'max', not 'min'",
        ),
        (
            lambda w: F.embedding_bag(FLAT, w, OFFSETS, per_sample_weights=sg.ones(6)),
            ArgumentError,
            "per_sample_weights with mode='sum' .* not mode='mean'",
        ),
        (lambda w: F.embedding_bag(FLAT + 2, w, OFFSETS), IndexShapeError, "embedding_bag has 4 rows"),
        (
            lambda w: F.embedding_bag(FLAT.float(), w, OFFSETS),
            DtypeError,
            "embedding_bag takes integer indices",
        ),
    ],
)
def test_bags_that_make_no_sense(call, kind, message):
    with pytest.raises(kind, match=message):
        call(sg.zeros(4, 3))
