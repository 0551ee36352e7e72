"""Losses as modules: values against NumPy in float64, gradients against central differences, extremes."""

import math

import numpy as np
import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.autograd import gradcheck
from stepgrad.errors import ArgumentError

RANDOM = np.random.default_rng(0)
REDUCTIONS = {"mean": np.mean, "sum": np.sum, "none": lambda x: x}


def huber(x, t, delta=1.0):
    d = np.abs(x - t)
    return np.where(d <= delta, 0.5 * d * d, delta * (d - 0.5 * delta))


def smooth(x, t, beta=1.0):
    d = np.abs(x - t)
    return np.where(d < beta, 0.5 * d * d / beta, d - 0.5 * beta)


def entropy(p, t):
    return -(t * np.log(p) + (1 - t) * np.log(1 - p))


def logits_entropy(x, t, positive=1.0):
    return positive * t * np.log(1 + np.exp(-x)) + (1 - t) * np.log(1 + np.exp(x))


def log_softmax(x, axis=1):
    x = x - x.max(axis, keepdims=True)
    return x - np.log(np.exp(x).sum(axis, keepdims=True))


PAIRS = [
    ("MSELoss", {}, lambda x, t: (x - t) ** 2),
    ("L1Loss", {}, lambda x, t: np.abs(x - t)),
    ("HuberLoss", {}, huber),
    ("HuberLoss", {"delta": 0.3}, lambda x, t: huber(x, t, 0.3)),
    ("SmoothL1Loss", {}, smooth),
    ("SmoothL1Loss", {"beta": 0.3}, lambda x, t: smooth(x, t, 0.3)),
    ("SmoothL1Loss", {"beta": 0.0}, lambda x, t: np.abs(x - t)),
    ("BCELoss", {}, entropy),
    ("BCEWithLogitsLoss", {}, logits_entropy),
]


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("name, options, formula", PAIRS)
@pytest.mark.parametrize("shape", [(5,), (4, 3), ()])
def test_losses_of_pairs(name, options, formula, reduction, shape):
    loss = getattr(nn, name)(reduction=reduction, **options)
    x, t = RANDOM.uniform(0.1, 0.9, shape), RANDOM.uniform(0.1, 0.9, shape)
    if name not in ("BCELoss", "BCEWithLogitsLoss"):
        x = 3 * x
    a, b = (sg.tensor(v, dtype=sg.float64, requires_grad=True) for v in (x, t))
    expected = REDUCTIONS[reduction](formula(x, t))
    np.testing.assert_allclose(loss(a, b).detach().numpy(), expected, rtol=1e-12)
    assert gradcheck(loss, (a, b), atol=1e-6, rtol=1e-6)


def test_the_textbook_numbers():
    x, t = sg.tensor([-1.0, 1.0, -1.0, 1.0]), sg.zeros(4)
    assert nn.MSELoss(reduction="none")(x, t).sum().item() == 4
    assert nn.MSELoss()(x, t).item() == 1
    assert nn.MSELoss()(x, t).sqrt().item() == 1
    one = nn.BCELoss()(sg.tensor([1e-10], dtype=sg.float64), sg.ones(1, dtype=sg.float64))
    assert one.item() == pytest.approx(23.026, abs=5e-4)


def each_loss():
    x, t = sg.rand(4, 3, dtype=sg.float64), sg.rand(4, 3, dtype=sg.float64)
    classes = sg.tensor([0, 2, 1, 2])
    yield from ((loss, x, t) for loss in (nn.MSELoss, nn.L1Loss, nn.HuberLoss, nn.SmoothL1Loss))
    yield from ((loss, x, t) for loss in (nn.BCELoss, nn.BCEWithLogitsLoss, nn.CrossEntropyLoss))
    yield from ((loss, x, classes) for loss in (nn.NLLLoss, nn.CrossEntropyLoss))


def test_the_mean_does_not_change_when_a_batch_is_doubled():
    for loss, x, t in each_loss():
        twice = sg.cat([x, x]), sg.cat([t, t])
        assert loss()(*twice).item() == pytest.approx(loss()(x, t).item(), rel=1e-12)
        total = loss(reduction="sum")
        assert total(*twice).item() == pytest.approx(2 * total(x, t).item(), rel=1e-12)
        rows = loss(reduction="none")(x, t)
        assert total(x, t).item() == pytest.approx(rows.sum().item(), rel=1e-12)


def test_unknown_reductions_are_refused_when_the_loss_is_made():
    for loss, x, t in each_loss():
        with pytest.raises(ArgumentError, match="reduction is 'mean', 'sum' or 'none', not 'average'"):
            loss(reduction="average")
        module = loss()
        module.reduction = "avg"
        with pytest.raises(ArgumentError, match="not 'avg'"):
            module(x, t)


# ------------------------------------------------------------------------------- binary cross entropy


def test_probabilities_of_0_and_1_stay_finite():
    p = sg.tensor([0.0, 1.0, 0.0, 1.0], requires_grad=True)
    y = nn.BCELoss(reduction="none")(p, sg.tensor([1.0, 0.0, 0.0, 1.0]))
    assert y.tolist() == [100, 100, 0, 0]
    y.sum().backward()
    assert np.isfinite(p.grad.numpy()).all()


def test_extreme_logits_stay_finite():
    x = sg.tensor([1e4, -1e4, 1e4, -1e4, 0.0], requires_grad=True)
    y = nn.BCEWithLogitsLoss(reduction="none")(x, sg.tensor([1.0, 0.0, 0.0, 1.0, 1.0]))
    np.testing.assert_allclose(y.detach().numpy(), [0, 0, 1e4, 1e4, math.log(2)], rtol=1e-6)
    y.sum().backward()
    assert x.grad.tolist() == [0, 0, 1, -1, -0.5]


@pytest.mark.parametrize("shape", [(3,), (1, 3), (4, 1), (4, 3), ()])
def test_weights_per_element_broadcast(shape):
    x, t, w = RANDOM.uniform(0.1, 0.9, (4, 3)), RANDOM.uniform(0, 1, (4, 3)), RANDOM.uniform(1, 2, shape)
    weight = sg.tensor(w, dtype=sg.float64)
    found = nn.BCELoss(weight)(sg.tensor(x), sg.tensor(t))
    assert found.item() == pytest.approx(np.mean(w * entropy(x, t)), rel=1e-12)
    found = nn.BCEWithLogitsLoss(weight)(sg.tensor(x), sg.tensor(t))
    assert found.item() == pytest.approx(np.mean(w * logits_entropy(x, t)), rel=1e-12)
    loss = nn.BCEWithLogitsLoss(pos_weight=weight)
    assert loss(sg.tensor(x), sg.tensor(t)).item() == pytest.approx(
        np.mean(logits_entropy(x, t, w)), rel=1e-12
    )
    assert gradcheck(lambda a: loss(a, sg.tensor(t)), (sg.tensor(x, requires_grad=True),))


def test_weights_are_buffers():
    loss = nn.BCEWithLogitsLoss(weight=sg.ones(2), pos_weight=sg.ones(2))
    assert list(loss.state_dict()) == ["weight", "pos_weight"]
    assert list(nn.CrossEntropyLoss(weight=sg.ones(2)).double().state_dict()) == ["weight"]
    assert list(nn.NLLLoss().state_dict()) == []
    with pytest.raises(TypeError, match="a buffer is a Tensor or None, not list"):
        nn.CrossEntropyLoss(weight=[1.0, 2.0])


# --------------------------------------------------------------------------------- losses with classes


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("more", [(), (5,), (2, 2)])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ignored", [-100, 1])
def test_losses_with_classes(reduction, more, weighted, ignored):
    x = RANDOM.normal(size=(4, 3, *more)) * 3
    t = RANDOM.integers(0, 3, (4, *more))
    t.flat[:2] = 0, 1
    w = RANDOM.uniform(0.5, 2, 3) if weighted else np.ones(3)
    own = w[t] * (t != ignored)
    picked = np.take_along_axis(log_softmax(x), t[:, None], 1)[:, 0]
    expected = {
        "none": -picked * own,
        "sum": -(picked * own).sum(),
        "mean": -(picked * own).sum() / own.sum(),
    }
    options = {"reduction": reduction, "ignore_index": ignored, "weight": sg.tensor(w) if weighted else None}
    a, target = sg.tensor(x, requires_grad=True), sg.tensor(t)
    loss = nn.CrossEntropyLoss(**options)
    np.testing.assert_allclose(loss(a, target).detach().numpy(), expected[reduction], rtol=1e-12, atol=1e-14)
    likelihood = nn.NLLLoss(**options)
    found = likelihood(sg.tensor(log_softmax(x)), target)
    np.testing.assert_allclose(found.numpy(), expected[reduction], rtol=1e-12, atol=1e-14)
    assert gradcheck(lambda a: loss(a, target), (a,), atol=1e-7, rtol=1e-6)
    assert gradcheck(lambda a: likelihood(a, target), (a,), atol=1e-7, rtol=1e-6)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_probabilities_as_targets_and_smoothing(reduction, smoothing, weighted):
    x, q = RANDOM.normal(size=(4, 3, 2)) * 3, RANDOM.dirichlet(np.ones(3), (4, 2)).transpose(0, 2, 1)
    w = RANDOM.uniform(0.5, 2, 3) if weighted else np.ones(3)
    smooth_q = q * (1 - smoothing) + smoothing / 3
    rows = -(w[:, None] * smooth_q * log_softmax(x)).sum(1)
    expected = rows.sum() / rows.size if reduction == "mean" else REDUCTIONS[reduction](rows)
    loss = nn.CrossEntropyLoss(sg.tensor(w) if weighted else None, -100, reduction, smoothing)
    a, target = (sg.tensor(v, requires_grad=True) for v in (x, q))
    np.testing.assert_allclose(loss(a, target).detach().numpy(), expected, rtol=1e-12)
    assert gradcheck(loss, (a, target), atol=1e-7, rtol=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
def test_smoothing_of_classes_is_smoothing_of_their_one_hot_vectors(weighted):
    x, t = sg.randn(5, 3, dtype=sg.float64), sg.tensor([0, 1, 2, 2, 0])
    w = sg.tensor([0.5, 1.0, 2.0], dtype=sg.float64) if weighted else None
    options = {"weight": w, "label_smoothing": 0.3, "reduction": "none"}
    loss, hot = nn.CrossEntropyLoss(**options), nn.functional.one_hot(t, 3).double()
    np.testing.assert_allclose(loss(x, t).numpy(), loss(x, hot).numpy(), rtol=1e-12)


def test_the_gradient_of_the_mean_is_softmax_minus_target_by_n():
    x = sg.randn(4, 3, dtype=sg.float64, requires_grad=True)
    t = sg.tensor([0, 1, 2, 2])
    nn.CrossEntropyLoss()(x, t).backward()
    y = np.exp(log_softmax(x.detach().numpy()))
    np.testing.assert_allclose(x.grad.numpy(), (y - np.eye(3)[t.numpy()]) / 4, rtol=1e-12, atol=1e-15)


def test_a_single_row_needs_no_batch():
    x = sg.tensor([1.0, 2.0, 3.0], dtype=sg.float64)
    expected = -log_softmax(x.numpy()[None])[0, 2]
    for reduction in REDUCTIONS:
        assert nn.CrossEntropyLoss(reduction=reduction)(x, sg.tensor(2)).item() == pytest.approx(expected)
        assert nn.NLLLoss(reduction=reduction)(x, sg.tensor(2)).item() == -3
    assert nn.CrossEntropyLoss()(x, sg.tensor([0.0, 0.0, 1.0])).item() == pytest.approx(expected)


def test_extreme_scores_stay_finite():
    x = sg.tensor([[1e4, -1e4], [1e4, -1e4]], requires_grad=True)
    y = nn.CrossEntropyLoss(reduction="none")(x, sg.tensor([0, 1]))
    assert y.tolist() == [0, 2e4]
    y.sum().backward()
    assert x.grad.tolist() == [[0, 0], [1, -1]]


def test_the_mean_of_nothing_is_nan_and_its_gradient_0():
    x = sg.zeros(2, 3, requires_grad=True)
    y = nn.CrossEntropyLoss()(x, sg.tensor([-100, -100]))
    y.backward()
    assert math.isnan(y.item())
    assert x.grad.tolist() == [[0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize("reduction, expected", [("mean", math.nan), ("sum", 0.0)])
def test_empty_batches(reduction, expected):
    for loss in (nn.MSELoss, nn.L1Loss, nn.HuberLoss, nn.SmoothL1Loss, nn.BCELoss, nn.BCEWithLogitsLoss):
        x = sg.zeros(0, 3, requires_grad=True)
        y = loss(reduction=reduction)(x, sg.zeros(0, 3))
        np.testing.assert_equal(y.item(), expected)
        y.backward()
        assert x.grad.shape == (0, 3)
        assert loss(reduction="none")(x, sg.zeros(0, 3)).shape == (0, 3)
    for loss in (nn.CrossEntropyLoss, nn.NLLLoss):
        y = loss(reduction=reduction)(sg.zeros(0, 3), sg.zeros(0, dtype=sg.int64))
        np.testing.assert_equal(y.item(), expected)
        assert loss(reduction="none")(sg.zeros(0, 3, 2), sg.zeros(0, 2, dtype=sg.int64)).shape == (0, 2)


@pytest.mark.parametrize("logit, target, loss", [(math.inf, 0.0, math.inf), (-math.inf, 1.0, math.inf)])
def test_bce_of_an_infinite_logit(logit, target, loss):
    x = sg.tensor([logit], requires_grad=True)
    y = nn.functional.binary_cross_entropy_with_logits(x, sg.tensor([target]))
    y.backward()
    assert y.item() == loss
    assert x.grad.item() == (1.0 if target == 0 else -1.0)
