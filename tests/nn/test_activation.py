"""Activations against their formulas in NumPy, their gradients, and their extremes."""

import math

import numpy as np
import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.autograd import gradcheck
from stepgrad.errors import ArgumentError, GradientError, IndexShapeError, ShapeError
from stepgrad.nn import functional as F


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def normal_share(x):
    return np.array([0.5 * (1 + math.erf(v / math.sqrt(2))) for v in x.ravel()]).reshape(x.shape)


def tanh_share(x):
    return 0.5 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def softmax(x, axis):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


FORMULAS = [
    (nn.ReLU(), lambda x: np.maximum(x, 0)),
    (nn.LeakyReLU(), lambda x: np.where(x > 0, x, 0.01 * x)),
    (nn.LeakyReLU(0.3), lambda x: np.where(x > 0, x, 0.3 * x)),
    (nn.PReLU(), lambda x: np.where(x > 0, x, 0.25 * x)),
    (nn.ELU(), lambda x: np.where(x > 0, x, np.exp(x) - 1)),
    (nn.ELU(0.5), lambda x: np.where(x > 0, x, 0.5 * (np.exp(x) - 1))),
    (nn.GELU(), lambda x: x * normal_share(x)),
    (nn.GELU(approximate="tanh"), lambda x: x * tanh_share(x)),
    (nn.SiLU(), lambda x: x * sigmoid(x)),
    (nn.Sigmoid(), sigmoid),
    (nn.Tanh(), np.tanh),
    (nn.LogSigmoid(), lambda x: np.log(sigmoid(x))),
    (nn.Softplus(), lambda x: np.log(1 + np.exp(x))),
    (nn.Softplus(beta=2.0, threshold=3.0), lambda x: np.where(2 * x > 3, x, np.log(1 + np.exp(2 * x)) / 2)),
    (nn.Softmax(dim=-1), lambda x: softmax(x, -1)),
    (nn.Softmax(dim=0), lambda x: softmax(x, 0)),
    (nn.LogSoftmax(dim=1), lambda x: np.log(softmax(x, 1))),
    (nn.Threshold(0.5, -3.0), lambda x: np.where(x > 0.5, x, -3)),
    (nn.Hardtanh(-0.5, 2.0), lambda x: np.clip(x, -0.5, 2)),
    (nn.ReLU6(), lambda x: np.clip(x, 0, 6)),
    (nn.Hardsigmoid(), lambda x: np.clip(x / 6 + 0.5, 0, 1)),
    (nn.Hardswish(), lambda x: x * np.clip(x / 6 + 0.5, 0, 1)),
    (nn.CELU(2.0), lambda x: np.where(x > 0, x, 2 * (np.exp(x / 2) - 1))),
    (nn.SELU(), lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * (np.exp(x) - 1))),
    (nn.Mish(), lambda x: x * np.tanh(np.log(1 + np.exp(x)))),
    (nn.Softsign(), lambda x: x / (1 + abs(x))),
    (nn.Hardshrink(1.0), lambda x: np.where(abs(x) > 1, x, 0)),
    (nn.Softshrink(1.0), lambda x: np.sign(x) * np.maximum(abs(x) - 1, 0)),
    (nn.Tanhshrink(), lambda x: x - np.tanh(x)),
    (nn.RReLU(0.1, 0.5).eval(), lambda x: np.where(x > 0, x, 0.3 * x)),
    (nn.GLU(), lambda x: x[:, :2] * sigmoid(x[:, 2:])),
    (nn.Softmin(dim=1), lambda x: softmax(-x, 1)),
]


@pytest.mark.parametrize("module, formula", FORMULAS, ids=lambda x: repr(x) if hasattr(x, "training") else "")
def test_values_and_gradients(module, formula):
    module.double()
    values = np.random.default_rng(0).uniform(-4, 4, (3, 4))
    x = sg.tensor(values, requires_grad=True)
    np.testing.assert_allclose(module(x).detach().numpy(), formula(values), rtol=1e-12, atol=1e-14)
    assert gradcheck(module, (x,), atol=1e-7, rtol=1e-6)


@pytest.mark.parametrize(
    "module, _", FORMULAS[:14] + FORMULAS[17:30], ids=lambda x: repr(x) if hasattr(x, "training") else ""
)
def test_extremes_overflow_nowhere(module, _):
    x = sg.tensor([1e4, -1e4, 200.0, -200.0, 0.0], requires_grad=True)
    y = module.float()(x)
    y.sum().backward()
    assert np.isfinite(y.detach().numpy()).all()
    assert np.isfinite(x.grad.numpy()).all()


def test_known_values():
    assert nn.Tanh()(sg.tensor(4.0, dtype=sg.float64)).item() == pytest.approx(0.99933, abs=5e-6)
    p = nn.Softmax(dim=0)(sg.tensor([1000.0, 1001.0]))
    assert p.tolist() == pytest.approx([0.26894, 0.73106], abs=5e-6)
    x = sg.tensor([0.0, -0.0], requires_grad=True)
    nn.ReLU()(x).sum().backward()
    assert x.grad.tolist() == [0, 0]


def test_softmax_of_infinity_and_of_nothing():
    assert nn.Softmax(dim=0)(sg.tensor([-math.inf, 0.0])).tolist() == [0, 1]
    assert nn.LogSoftmax(dim=0)(sg.tensor([-1e30, 0.0])).tolist() == pytest.approx([-1e30, 0])
    assert nn.Softmax(dim=1)(sg.zeros(2, 0)).shape == (2, 0)
    assert nn.Softmax(dim=1)(sg.zeros(0, 2)).shape == (0, 2)


def test_softmax_does_not_change_the_largest():
    logits = sg.randn(500, 7)
    assert nn.Softmax(dim=1)(logits).argmax(1).tolist() == logits.argmax(1).tolist()
    answers = nn.Sigmoid()(logits) > 0.5
    assert answers.tolist() == (logits > 0).tolist()


def test_softmax_needs_its_dimension():
    with pytest.raises(ArgumentError, match="softmax needs dim: the dimension along which it sums to 1"):
        nn.Softmax()(sg.zeros(2, 2))
    with pytest.raises(ArgumentError, match="log_softmax needs dim"):
        nn.LogSoftmax()(sg.zeros(2, 2))
    with pytest.raises(IndexShapeError, match="dimension 2 is out of range"):
        nn.Softmax(dim=2)(sg.zeros(2, 2))


@pytest.mark.parametrize("shape", [(5,), (2, 3), (2, 3, 4)])
def test_prelu_learns_one_slope(shape):
    module = nn.PReLU(init=0.5, dtype=sg.float64)
    x = sg.randn(*shape, dtype=sg.float64, requires_grad=True)
    y = module(x)
    y.backward(sg.ones(*shape, dtype=sg.float64))
    values = x.detach().numpy()
    np.testing.assert_allclose(y.detach().numpy(), np.where(values > 0, values, 0.5 * values))
    np.testing.assert_allclose(module.weight.grad.numpy(), [np.minimum(values, 0).sum()])
    np.testing.assert_allclose(x.grad.numpy(), np.where(values > 0, 1, 0.5))


def test_prelu_learns_a_slope_per_channel():
    module = nn.PReLU(3, dtype=sg.float64)
    with sg.no_grad():
        module.weight.copy_(sg.tensor([0.1, 0.2, 0.3]))
    x = sg.randn(2, 3, 4, dtype=sg.float64)
    y = module(x)
    y.sum().backward()
    values, slopes = x.numpy(), np.array([0.1, 0.2, 0.3]).reshape(1, 3, 1).astype("float32")
    np.testing.assert_allclose(y.detach().numpy(), np.where(values > 0, values, slopes * values), rtol=1e-6)
    np.testing.assert_allclose(module.weight.grad.numpy(), np.minimum(values, 0).sum((0, 2)))
    with pytest.raises(ShapeError, match=r"prelu has 3 slopes for the channels of an input \[2, 4\]"):
        module(sg.zeros(2, 4))
    module.reset_parameters()
    assert module.weight.tolist() == [0.25, 0.25, 0.25]


IN_PLACE = [
    nn.ReLU, nn.LeakyReLU, nn.ELU, nn.SiLU, nn.Hardtanh, nn.ReLU6, nn.Hardsigmoid, nn.Hardswish, nn.CELU,
    nn.SELU, nn.Mish,
]  # fmt: skip


@pytest.mark.parametrize("kind", IN_PLACE)
def test_in_place_gives_the_same_in_the_memory_of_the_input(kind):
    values = np.array([-2.0, -0.5, 0.5, 2.0])
    x, z = (sg.tensor(values, requires_grad=True) for _ in range(2))
    copy = x * 1
    y = kind(inplace=True)(copy)
    assert y is copy
    other = kind()(z * 1)
    assert y.tolist() == other.tolist()
    y.sum().backward()
    other.sum().backward()
    assert x.grad.tolist() == z.grad.tolist()
    with pytest.raises(GradientError, match="a leaf that requires a gradient cannot be changed in place"):
        kind(inplace=True)(sg.ones(2, requires_grad=True))


def test_functions_that_change_their_input():
    names = ("relu", "leaky_relu", "elu", "selu", "celu", "hardtanh")
    for function, changing in [(getattr(F, n), getattr(F, f"{n}_")) for n in names]:
        x = sg.tensor([-2.0, 0.5])
        assert changing(x) is x
        assert x.tolist() == function(sg.tensor([-2.0, 0.5])).tolist()
    assert F.threshold_(sg.tensor([-2.0, 0.5]), 0, 7).tolist() == [7, 0.5]
    assert F.rrelu_(sg.tensor([-2.0, 0.5]), 0.5, 0.5).tolist() == [-1, 0.5]


def test_step_is_one_from_zero_on_and_refuses_a_backward_pass():
    x = sg.tensor([-1.0, -1e-30, -0.0, 0.0, 3.0], requires_grad=True)
    assert nn.Step()(x).tolist() == [0, 0, 1, 1, 1]
    message = (
        r"step has no derivative .* it is 0 on both sides of the step, .* use a sigmoid there\. Use .detach"
    )
    with pytest.raises(GradientError, match=message):
        nn.Step()(x).sum().backward()
    assert x.grad is None


def test_threshold_at_below_and_above():
    assert nn.Threshold(1.0, 20.0)(sg.tensor([0.5, 1.0, 1.5])).tolist() == [20, 20, 1.5]


def test_rrelu_draws_a_slope_for_each_element():
    sg.manual_seed(0)
    module, x = nn.RReLU(0.2, 0.6), -sg.ones(10_000, dtype=sg.float64)
    x.requires_grad_()
    y = module(x)
    y.sum().backward()
    slopes = -y.detach().numpy()
    np.testing.assert_array_equal(x.grad.numpy(), slopes)
    assert slopes.min() >= 0.2
    assert slopes.max() < 0.6
    assert slopes.mean() == pytest.approx(0.4, abs=0.005)
    assert module(sg.ones(3)).tolist() == [1, 1, 1]
    assert module.eval()(sg.tensor([-1.0])).item() == pytest.approx(-0.4)


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_gumbel_softmax_draws_from_the_classes(dim):
    sg.manual_seed(1)
    share = np.array([0.1, 0.2, 0.7])
    logits = sg.tensor(np.log(share), dtype=sg.float64).expand(20_000, 3).clone()
    logits = logits if dim else logits.T.clone()
    logits.requires_grad_()
    hard = F.gumbel_softmax(logits, tau=0.5, hard=True, dim=dim)
    drawn = hard.detach().numpy()
    assert sorted(set(drawn.round(12).ravel())) == [0, 1]
    assert (drawn.sum(dim).round(12) == 1).all()
    assert drawn.mean(1 if dim == 0 else 0) == pytest.approx(share, abs=0.01)
    (hard * sg.tensor([1.0, 2.0, 3.0]).reshape((3, 1) if dim == 0 else (1, 3))).sum().backward()
    assert np.abs(logits.grad.numpy()).max() > 0
    soft = F.gumbel_softmax(logits.detach(), tau=0.5, dim=dim).numpy()
    np.testing.assert_allclose(soft.sum(dim), 1)


def test_normalize():
    x = np.random.default_rng(0).normal(size=(3, 4))
    np.testing.assert_allclose(
        F.normalize(sg.tensor(x)).numpy(), x / np.linalg.norm(x, axis=1, keepdims=True)
    )
    np.testing.assert_allclose(F.normalize(sg.tensor(x), 1, 0).numpy(), x / abs(x).sum(0))
    assert F.normalize(sg.zeros(2, 2)).tolist() == [[0, 0], [0, 0]]
    assert gradcheck(F.normalize, (sg.tensor(x, requires_grad=True),))


def test_softmax_of_images():
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    np.testing.assert_allclose(nn.Softmax2d()(sg.tensor(x)).numpy(), softmax(x, 1))
    np.testing.assert_allclose(nn.Softmax2d()(sg.tensor(x[0])).numpy(), softmax(x[0], 0))
    with pytest.raises(
        ShapeError, match=r"Softmax2d takes \(N, C, H, W\) or \(C, H, W\), not shape \[2, 3\]"
    ):
        nn.Softmax2d()(sg.zeros(2, 3))


def test_options_that_make_no_sense_are_refused():
    x = sg.zeros(2, 3)
    for function, message in (
        (lambda: F.hardtanh(x, 1, -1), "hardtanh needs min_val <= max_val, not 1 and -1"),
        (lambda: F.celu(x, 0), "celu divides by alpha"),
        (lambda: F.softshrink(x, -1), "softshrink needs lambd >= 0, not -1"),
        (lambda: F.rrelu(x, 2, 1), "rrelu needs lower <= upper, not 2 and 1"),
        (lambda: F.softmin(x), "softmin needs dim"),
    ):
        with pytest.raises(ArgumentError, match=message):
            function()
    for bad in (x, sg.tensor(1.0)):
        with pytest.raises(ShapeError, match="glu halves a dimension of even size"):
            F.glu(bad)


def test_gelu_knows_two_ways():
    with pytest.raises(ArgumentError, match="approximate is 'none' or 'tanh', not 'erf'"):
        nn.GELU("erf")(sg.zeros(1))


def test_the_text_shows_what_differs():
    assert repr(nn.LeakyReLU(0.2)) == "LeakyReLU(negative_slope=0.2)"
    assert repr(nn.LeakyReLU(inplace=True)) == "LeakyReLU(negative_slope=0.01, inplace=True)"
    assert repr(nn.ReLU(True)) == "ReLU(inplace=True)"
    assert repr(nn.ReLU()) == "ReLU()"
    assert repr(nn.GELU()) == "GELU(approximate='none')"
    assert repr(nn.Softplus()) == "Softplus(beta=1.0, threshold=20.0)"
    assert repr(nn.RReLU(inplace=True)) == "RReLU(lower=0.125, upper=0.3333333333333333, inplace=True)"
    assert repr(nn.Softshrink()) == "Softshrink(0.5)"
    assert repr(nn.Hardswish(True)) == "Hardswish()"
    assert repr(nn.PReLU(3)) == "PReLU(num_parameters=3)"
