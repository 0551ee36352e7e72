"""Activations and losses: values known by hand, the edges, what is refused. PyTorch: see tests/oracle."""

import math

import numpy
import pytest

import stepgrad as sg
from stepgrad import autograd
from stepgrad.errors import ArgumentError, DtypeError, IndexShapeError, ShapeError
from stepgrad.nn import functional as F


def float64(*values) -> sg.Tensor:
    return sg.tensor(list(values), dtype=sg.float64, requires_grad=True)


# ------------------------------------------------------------------------------------------- activations


def test_the_sigmoid_is_finite_and_keeps_its_result_alone():
    x = sg.tensor([-1e4, -30.0, 0.0, 30.0, 1e4], requires_grad=True)
    y = x.sigmoid()
    assert y.tolist()[::2] == [0, 0.5, 1]
    node = y.grad_fn
    assert node.result is y._array
    assert not isinstance(node.saved[0], numpy.ndarray)
    y.sum().backward()
    assert numpy.isfinite(x.grad.numpy()).all()
    numpy.testing.assert_allclose(x.grad.numpy(), (y * (1 - y)).detach().numpy())


@pytest.mark.parametrize(
    "function, points",
    [
        (F.tanh, {4: 0.999329299739067, 0: 0}),
        (F.relu, {-1: 0, 0: 0, 2.5: 2.5}),
        (lambda x: F.leaky_relu(x, 0.1), {-2: -0.2, 3: 3}),
        (F.elu, {-1: math.expm1(-1), 2: 2}),
        (lambda x: F.elu(x, 0.5), {-1: 0.5 * math.expm1(-1), 2: 2}),
        (F.gelu, {1: 0.8413447460685429, -1: -0.15865525393145707}),
        (lambda x: F.gelu(x, approximate="tanh"), {1: 0.8411919906082768}),
        (F.silu, {1: 1 / (1 + math.exp(-1)), -1e4: 0}),
        (F.softplus, {0: math.log(2), 30: 30, -1e4: 0}),
        (lambda x: F.softplus(x, beta=2.0, threshold=5.0), {0: math.log(2) / 2, 3: 3}),
        (F.logsigmoid, {0: -math.log(2), -1e4: -1e4, 1e4: 0}),
    ],
)
def test_activations_at_known_points(function, points):
    for x, expected in points.items():
        assert function(sg.tensor(float(x), dtype=sg.float64)).item() == pytest.approx(
            expected, rel=1e-12, abs=1e-12
        )


def test_relu_has_gradient_0_at_0():
    x = float64(-1.0, 0.0, 1.0)
    F.relu(x).sum().backward()
    assert x.grad.tolist() == [0, 0, 1]


def test_prelu_learns_one_slope_or_one_per_channel():
    x = sg.tensor([[-1.0, 2.0, -3.0]], dtype=sg.float64)
    one, each = float64(0.25), float64(0.1, 0.2, 0.3)
    assert F.prelu(x, one).tolist() == [[-0.25, 2, -0.75]]
    y = F.prelu(x, each)
    numpy.testing.assert_allclose(y.detach().numpy(), [[-0.1, 2, -0.9]])
    y.sum().backward()
    assert each.grad.tolist() == [-1, 0, -3]
    images = sg.rand(2, 3, 4, 4, dtype=sg.float64) - 0.5
    assert autograd.gradcheck(lambda w: F.prelu(images, w).sum((2, 3)), each)


def test_softmax_does_not_overflow_and_sums_to_1():
    x = sg.tensor([[1000.0, 1001.0], [-1000.0, 0.0]], dtype=sg.float64, requires_grad=True)
    y = F.softmax(x, 1)
    numpy.testing.assert_allclose(y.detach().numpy(), [[0.26894142, 0.73105858], [0, 1]], atol=1e-8)
    numpy.testing.assert_allclose(y.sum(1).detach().numpy(), [1, 1])
    assert numpy.isfinite(F.log_softmax(x, 1).detach().numpy()).all()
    assert autograd.gradcheck(lambda x: F.softmax(x, 0), sg.rand(3, 2, dtype=sg.float64, requires_grad=True))
    with pytest.raises(ArgumentError):
        F.softmax(x)


# ------------------------------------------------------------------------------------------------ losses


def test_losses_of_known_pairs():
    x, t = sg.tensor([-1.0, 1.0, -1.0, 1.0]), sg.zeros(4)
    assert F.mse_loss(x, t).item() == 1
    assert F.mse_loss(x, t, reduction="sum").item() == 4
    assert F.l1_loss(x, t).item() == 1
    assert F.huber_loss(2 * x, t, delta=0.5).item() == 0.5 * (2 - 0.25)
    assert F.smooth_l1_loss(2 * x, t, beta=0.5).item() == 2 - 0.25
    assert F.smooth_l1_loss(2 * x, t, beta=0.0).item() == 2


def test_binary_cross_entropy_is_finite_at_0_and_1():
    p = float64(0.0, 1.0, 1e-10, 0.5)
    losses = F.binary_cross_entropy(p, sg.tensor([1.0, 0.0, 1.0, 1.0], dtype=sg.float64), reduction="none")
    numpy.testing.assert_allclose(losses.detach().numpy(), [100, 100, 23.0258509, math.log(2)], rtol=1e-8)
    losses.sum().backward()
    assert numpy.isfinite(p.grad.numpy()).all()


def test_binary_cross_entropy_from_logits_agrees_and_does_not_overflow():
    x = float64(-3.0, -0.5, 0.0, 2.0)
    t = sg.tensor([0.0, 1.0, 0.3, 1.0], dtype=sg.float64)
    direct, stable = F.binary_cross_entropy(x.sigmoid(), t), F.binary_cross_entropy_with_logits(x, t)
    assert stable.item() == pytest.approx(direct.item(), rel=1e-12)
    (g,) = autograd.grad(stable, x)
    numpy.testing.assert_allclose(g.numpy(), ((x.sigmoid() - t) / 4).detach().numpy(), rtol=1e-12)
    far = F.binary_cross_entropy_with_logits(sg.tensor([-1e4, 1e4]), sg.tensor([1.0, 0.0]), reduction="none")
    assert far.tolist() == [1e4, 1e4]
    weighted = F.binary_cross_entropy_with_logits(
        x, t, pos_weight=sg.tensor(3.0, dtype=sg.float64), reduction="none"
    )
    p = 1 / (1 + numpy.exp(-x.detach().numpy()))
    expected = -(3 * t.numpy() * numpy.log(p) + (1 - t.numpy()) * numpy.log(1 - p))
    numpy.testing.assert_allclose(weighted.detach().numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("rows", [1, 7])
def test_the_gradient_of_softmax_with_cross_entropy_is_y_minus_t(rows: int):
    sg.manual_seed(rows)
    x = sg.randn(rows, 4, dtype=sg.float64, requires_grad=True)
    target = sg.randint(0, 4, (rows,))
    (g,) = autograd.grad(F.cross_entropy(x, target), x)
    t = numpy.eye(4)[target.numpy()]
    numpy.testing.assert_allclose(g.numpy(), (x.softmax(1).detach().numpy() - t) / rows, rtol=1e-12)
    assert autograd.gradcheck(lambda x: F.cross_entropy(x, target), x)
    assert autograd.gradgradcheck(lambda x: F.cross_entropy(x, target), x)


def test_cross_entropy_and_nll_and_probabilities_agree():
    sg.manual_seed(0)
    x = sg.randn(5, 3, dtype=sg.float64)
    target = sg.tensor([0, 2, 1, 1, 0])
    expected = F.nll_loss(x.log_softmax(1), target).item()
    assert F.cross_entropy(x, target).item() == pytest.approx(expected)
    assert F.cross_entropy(x, F.one_hot(target, 3).double()).item() == pytest.approx(expected)
    smooth = 0.9 * F.one_hot(target, 3).double() + 0.1 / 3
    assert F.cross_entropy(x, target, label_smoothing=0.1).item() == pytest.approx(
        F.cross_entropy(x, smooth).item()
    )
    assert F.cross_entropy(x[0], target[0]).item() == pytest.approx(F.cross_entropy(x[:1], target[:1]).item())


def test_weights_and_ignored_rows():
    sg.manual_seed(0)
    x = sg.randn(4, 3, dtype=sg.float64, requires_grad=True)
    target, weight = sg.tensor([0, 2, 1, 2]), sg.tensor([1.0, 2.0, 4.0], dtype=sg.float64)
    each = F.cross_entropy(x, target, weight, reduction="none")
    assert F.cross_entropy(x, target, weight).item() == pytest.approx(each.sum().item() / 11)
    ignored = F.cross_entropy(x, target, weight, ignore_index=2, label_smoothing=0.2)
    kept = F.cross_entropy(x[::2], target[::2], weight, label_smoothing=0.2)
    assert ignored.item() == pytest.approx(kept.item())
    (g,) = autograd.grad(ignored, x)
    assert g[1].tolist() == g[3].tolist() == [0, 0, 0]
    nothing = F.cross_entropy(x, sg.full((4,), -100))
    assert math.isnan(nothing.item())
    assert autograd.grad(nothing, x)[0].sum().item() == 0


PAIRED = [F.mse_loss, F.l1_loss, F.huber_loss, F.smooth_l1_loss, F.binary_cross_entropy]
PAIRED += [F.binary_cross_entropy_with_logits]


@pytest.mark.parametrize("loss", PAIRED, ids=lambda f: f.__name__)
def test_reductions(loss):
    sg.manual_seed(0)
    x, t = sg.rand(5, 2, dtype=sg.float64), sg.rand(5, 2, dtype=sg.float64)
    each = loss(x, t, reduction="none")
    assert each.shape == x.shape
    assert loss(x, t).item() == pytest.approx(each.mean().item())
    assert loss(x, t, reduction="sum").item() == pytest.approx(each.sum().item())
    # The mean of a batch does not change when the batch is doubled.
    assert loss(sg.cat([x, x]), sg.cat([t, t])).item() == pytest.approx(loss(x, t).item())
    with pytest.raises(ArgumentError, match="reduction is 'mean', 'sum' or 'none', not 'average'"):
        loss(x, t, reduction="average")


@pytest.mark.parametrize("loss", PAIRED, ids=lambda f: f.__name__)
def test_shapes_that_would_broadcast_are_refused(loss):
    with pytest.raises(ShapeError, match=r"input \[8, 1\], target \[8\]\. A silent\s+broadcast"):
        loss(sg.rand(8, 1), sg.rand(8))


def test_classes_that_are_not_there():
    x = sg.zeros(2, 3)
    for target in ([0, 3], [-1, 0]):
        with pytest.raises((IndexShapeError, ArgumentError), match=r"3 classes|-1|\b3\b"):
            F.cross_entropy(x, sg.tensor(target))
    with pytest.raises(DtypeError):
        F.nll_loss(x, sg.zeros(2))
    with pytest.raises(ShapeError):
        F.cross_entropy(x, sg.tensor([0, 1, 2]))


# ---------------------------------------------------------------------------------- linear, normalisation


@pytest.mark.parametrize("shape", [(3,), (1, 3), (7, 3), (2, 5, 3), (0, 3)], ids=str)
def test_linear(shape):
    x, w, b = (sg.rand(s, dtype=sg.float64, requires_grad=True) for s in (shape, (4, 3), (4,)))
    y = F.linear(x, w, b)
    expected = x.detach().numpy() @ w.detach().numpy().T + b.detach().numpy()
    numpy.testing.assert_allclose(y.detach().numpy(), expected)
    assert autograd.gradcheck(F.linear, (x, w, b))
    assert autograd.gradgradcheck(F.linear, (x, w, b))


def test_linear_that_does_not_fit():
    with pytest.raises(ShapeError, match=r"\[2, 5\]"):
        F.linear(sg.zeros(2, 5), sg.zeros(4, 3))


def test_layer_norm_and_batch_norm():
    sg.manual_seed(0)
    x = sg.randn(6, 4, dtype=sg.float64) * 3 + 5
    y = F.layer_norm(x, (4,))
    numpy.testing.assert_allclose(y.mean(1).numpy(), numpy.zeros(6), atol=1e-12)
    numpy.testing.assert_allclose(y.var(1, correction=0).numpy(), numpy.ones(6), rtol=1e-4)
    mean, var = sg.zeros(4, dtype=sg.float64), sg.ones(4, dtype=sg.float64)
    z = F.batch_norm(x, mean, var, training=True)
    numpy.testing.assert_allclose(z.mean(0).numpy(), numpy.zeros(4), atol=1e-12)
    numpy.testing.assert_allclose(mean.numpy(), 0.1 * x.numpy().mean(0))
    numpy.testing.assert_allclose(var.numpy(), 0.9 + 0.1 * x.numpy().var(0, ddof=1))
    again = F.batch_norm(x, mean, var)
    numpy.testing.assert_allclose(again.numpy(), (x.numpy() - mean.numpy()) / numpy.sqrt(var.numpy() + 1e-5))
    with pytest.raises(ShapeError, match="needs more than one value per channel"):
        F.batch_norm(x[:1], mean, var, training=True)


def test_embedding():
    weight = sg.rand(5, 3, dtype=sg.float64, requires_grad=True)
    rows = F.embedding(sg.tensor([[0, 4], [4, 2]]), weight, padding_idx=2)
    assert rows.shape == (2, 2, 3)
    rows.sum().backward()
    assert weight.grad[:, 0].tolist() == [1, 0, 0, 0, 2]
    with pytest.raises(IndexShapeError, match=r"5 rows, numbered from 0; the indices go from -1 to\s+1"):
        F.embedding(sg.tensor([-1, 1]), weight)
    with pytest.raises(DtypeError, match="embedding takes integer indices, not float32"):
        F.embedding(sg.zeros(1), weight)


def test_dropout():
    sg.manual_seed(0)
    x = sg.ones(1000, requires_grad=True)
    y = F.dropout(x, 0.2)
    assert set(y.tolist()) == {0, 1.25}
    y.sum().backward()
    assert x.grad.tolist() == y.tolist()
    assert F.dropout(x, 0.2, training=False) is x
    assert F.dropout(x, 0.0).tolist() == x.tolist()
    assert F.dropout(x, 1.0).sum().item() == 0
