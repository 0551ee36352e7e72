"""Activations against their formulas in NumPy, their gradients, and their extremes."""

import math

import numpy as np
import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.autograd import gradcheck
from stepgrad.errors import ArgumentError, GradientError, IndexShapeError, ShapeError


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
]


@pytest.mark.parametrize("module, formula", FORMULAS, ids=lambda x: repr(x) if hasattr(x, "training") else "")
def test_values_and_gradients(module, formula):
    module.double()
    values = np.random.default_rng(0).uniform(-4, 4, (3, 4))
    x = sg.tensor(values, requires_grad=True)
    np.testing.assert_allclose(module(x).detach().numpy(), formula(values), rtol=1e-12, atol=1e-14)
    assert gradcheck(module, (x,), atol=1e-7, rtol=1e-6)


@pytest.mark.parametrize("module, _", FORMULAS[:14], ids=lambda x: repr(x) if hasattr(x, "training") else "")
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


IN_PLACE = [nn.ReLU, nn.LeakyReLU, nn.ELU, nn.SiLU]


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
    assert repr(nn.PReLU(3)) == "PReLU(num_parameters=3)"
