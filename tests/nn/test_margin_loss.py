"""Losses with margins and distances: what the modules compute, and what the functions refuse.

(Values and derivatives of every record: tests/registry.)
"""

import numpy as np
import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.errors import ArgumentError, DtypeError, IndexShapeError, ShapeError
from stepgrad.nn import functional as F


def vectors(*shape: int, seed: int = 0) -> sg.Tensor:
    return sg.tensor(np.random.default_rng(seed).normal(size=shape))


SIGNS = sg.tensor([1.0, -1.0, 1.0, -1.0], dtype=sg.float64)
A, B, C = (vectors(4, 3, seed=i) for i in range(3))
ROW = vectors(4)
LABELS, SETS = sg.tensor([0, 2, 1, 2]), sg.tensor([[0, 2, -1], [1, -1, 0], [-1, 0, 1], [2, 1, 0]])
CASES = [
    (nn.SoftMarginLoss, {}, F.soft_margin_loss, (ROW, SIGNS)),
    (nn.HingeEmbeddingLoss, {"margin": 0.3}, F.hinge_embedding_loss, (ROW, SIGNS)),
    (nn.MarginRankingLoss, {"margin": 0.3}, F.margin_ranking_loss, (ROW, ROW.flip(0), SIGNS)),
    (nn.MultiMarginLoss, {"p": 2, "margin": 0.5}, F.multi_margin_loss, (A, LABELS)),
    (nn.MultiLabelMarginLoss, {}, F.multilabel_margin_loss, (A, SETS)),
    (nn.MultiLabelSoftMarginLoss, {}, F.multilabel_soft_margin_loss, (A, B.sigmoid())),
    (nn.CosineEmbeddingLoss, {"margin": 0.2}, F.cosine_embedding_loss, (A, B, SIGNS)),
    (nn.TripletMarginLoss, {"margin": 2.0, "swap": True}, F.triplet_margin_loss, (A, B, C)),
    (nn.TripletMarginWithDistanceLoss, {"margin": 2.0}, F.triplet_margin_with_distance_loss, (A, B, C)),
]
cases = pytest.mark.parametrize(
    "module, options, function, inputs", CASES, ids=lambda x: getattr(x, "__name__", "")
)


@cases
def test_modules_hand_on_their_options(module, options, function, inputs):
    for reduction in ("mean", "sum", "none"):
        made = module(**options, reduction=reduction)
        assert made(*inputs).tolist() == function(*inputs, **options, reduction=reduction).tolist()
    assert made(*inputs).tolist() != function(*inputs, reduction="sum").tolist()


@cases
def test_the_mean_is_the_sum_by_the_rows_and_doubling_the_batch_changes_nothing(
    module, options, function, inputs
):
    each = module(**options, reduction="none")(*inputs)
    assert each.shape == (4,)
    mean, total = (module(**options, reduction=r)(*inputs).item() for r in ("mean", "sum"))
    assert total == pytest.approx(each.sum().item())
    assert mean == pytest.approx(total / 4)
    twice = [sg.cat([x, x]) for x in inputs]
    assert module(**options)(*twice).item() == pytest.approx(mean)


@cases
def test_an_unknown_reduction(module, options, function, inputs):
    with pytest.raises(ArgumentError, match="reduction is 'mean', 'sum' or 'none', not 'batch'"):
        module(reduction="batch")
    with pytest.raises(ArgumentError, match="reduction is"):
        function(*inputs, reduction="batch")


def test_weights():
    weight = sg.tensor([1.0, 2.0, 4.0], dtype=sg.float64)
    plain = F.multi_margin_loss(A, LABELS, reduction="none").numpy()
    loss = nn.MultiMarginLoss(weight=weight, reduction="none")
    np.testing.assert_allclose(loss(A, LABELS).numpy(), plain * [1, 4, 2, 4])
    assert list(loss.state_dict()) == ["weight"]
    target = B.sigmoid()
    rows = nn.MultiLabelSoftMarginLoss(weight, "none")(A, target).numpy()
    entropy = F.binary_cross_entropy_with_logits(A, target, reduction="none").numpy()
    np.testing.assert_allclose(rows, (entropy * [1, 2, 4]).mean(1))


def test_one_row_alone():
    assert F.multi_margin_loss(A[1], LABELS[1], reduction="none").shape == ()
    rows = F.multi_margin_loss(A, LABELS, reduction="none")
    assert F.multi_margin_loss(A[1], sg.tensor(2)).item() == pytest.approx(rows[1].item())
    sets = F.multilabel_margin_loss(A, SETS, reduction="none")
    assert F.multilabel_margin_loss(A[3], SETS[3]).item() == pytest.approx(sets[3].item())
    cosines = F.cosine_embedding_loss(A, B, SIGNS, reduction="none")
    assert F.cosine_embedding_loss(A[1], B[1], SIGNS[1]).item() == pytest.approx(cosines[1].item())


def test_a_row_without_a_right_class_has_no_loss():
    assert F.multilabel_margin_loss(A[2], SETS[2]).item() == 0


def test_swap_measures_from_the_nearer_one():
    anchor, positive, negative = (sg.tensor([[v]], dtype=sg.float64) for v in (0.0, 3.0, 4.0))
    assert F.triplet_margin_loss(anchor, positive, negative).item() == pytest.approx(1 + 3 - 4, abs=1e-5)
    swapped = F.triplet_margin_loss(anchor, positive, negative, swap=True)
    assert swapped.item() == pytest.approx(1 + 3 - 1, abs=1e-5)
    own = F.triplet_margin_with_distance_loss(
        anchor, positive, negative, distance_function=lambda x, y: (x - y).abs().sum(1), swap=True
    )
    assert own.item() == pytest.approx(3)


def test_distances():
    a, b = A.numpy(), B.numpy()
    cosines = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    np.testing.assert_allclose(nn.CosineSimilarity()(A, B).numpy(), cosines)
    np.testing.assert_allclose(F.cosine_similarity(A, B[0], dim=-1)[0].item(), cosines[0])
    assert F.cosine_similarity(sg.zeros(2), sg.zeros(2), dim=0).item() == 0
    for p in (0.5, 1, 2, 3, np.inf):
        expected = np.linalg.norm(a - b, ord=p, axis=1)
        np.testing.assert_allclose(nn.PairwiseDistance(p, eps=0.0)(A, B).numpy(), expected)
        pairs = [np.linalg.norm(a[i] - a[j], ord=p) for i in range(4) for j in range(i + 1, 4)]
        np.testing.assert_allclose(F.pdist(A, p).numpy(), pairs)
    assert nn.PairwiseDistance(keepdim=True)(A, B).shape == (4, 1)


def test_the_distance_of_equal_rows_has_gradient_0():
    for p in (0, 0.5, 1, 2, 3, float("inf")):
        x = sg.ones(3, 2, dtype=sg.float64, requires_grad=True)
        F.pdist(x, p).sum().backward()
        assert x.grad.tolist() == [[0, 0]] * 3


@pytest.mark.parametrize(
    "call, kind, message",
    [
        (lambda: F.margin_ranking_loss(ROW, ROW, SIGNS[:2]), ShapeError, r"input \[4\], target \[2\]"),
        (lambda: F.margin_ranking_loss(ROW, ROW[:1], SIGNS), ShapeError, r"input \[4\], target \[1\]"),
        (lambda: F.triplet_margin_loss(A, B, C[:1]), ShapeError, r"input \[4, 3\], target \[1, 3\]"),
        (lambda: F.triplet_margin_loss(A, B, C, margin=0), ArgumentError, "needs margin > 0, not 0"),
        (lambda: F.cosine_embedding_loss(A, B, SIGNS[:, None]), ShapeError, r"\(N, D\) and a target \(N\)"),
        (lambda: F.cosine_embedding_loss(A, B[0], SIGNS), ShapeError, r"input \[4, 3\], target \[3\]"),
        (lambda: F.multi_margin_loss(A, LABELS[:2]), ShapeError, r"takes a target of shape \[4\], not \[2\]"),
        (lambda: F.multi_margin_loss(A, SIGNS), DtypeError, "classes as integers, not float64"),
        (lambda: F.multi_margin_loss(A, LABELS + 1), IndexShapeError, "3 classes, .* the target contains 3"),
        (lambda: F.multi_margin_loss(A, LABELS - 1), IndexShapeError, "3 classes, .* the target contains -1"),
        (lambda: F.multi_margin_loss(A, LABELS, p=3), ArgumentError, "p = 1 and p = 2, not 3"),
        (lambda: F.multi_margin_loss(A, LABELS, weight=ROW), ShapeError, r"a weight per class, \(3,\)"),
        (
            lambda: F.multi_margin_loss(A[None], LABELS),
            ShapeError,
            r"scores \(N, C\) or \(C\), not float64\[1",
        ),
        (lambda: F.multilabel_margin_loss(A, LABELS), ShapeError, r"takes a target of shape \[4, 3\]"),
        (lambda: F.multilabel_margin_loss(A, SETS + 1), IndexShapeError, "the target contains 3"),
        (
            lambda: F.multilabel_soft_margin_loss(A, B, ROW),
            ShapeError,
            "a weight that broadcasts to the input",
        ),
        (lambda: F.pdist(ROW), ShapeError, r"pdist takes rows \(N, M\), not shape \[4\]"),
        (
            lambda: F.mse_loss(A, B, weight=ROW),
            ShapeError,
            r"mse_loss needs a weight of the shape of the input",
        ),
    ],
)
def test_refusals(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


@pytest.mark.parametrize("loss", [F.mse_loss, F.l1_loss, F.huber_loss], ids=lambda f: f.__name__)
def test_a_weight_for_each_pair(loss):
    weight = C.square()
    each = loss(A, B, reduction="none").numpy() * weight.numpy()
    np.testing.assert_allclose(loss(A, B, weight=weight, reduction="none").numpy(), each)
    np.testing.assert_allclose(loss(A, B, weight=weight, reduction="sum").item(), each.sum())
    np.testing.assert_allclose(loss(A, B, weight=weight).item(), each.sum() / weight.numpy().sum())
