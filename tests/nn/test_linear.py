"""Affine and bilinear layers, and the layers that only rearrange."""

import math

import numpy as np
import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.autograd import gradcheck
from stepgrad.errors import ArgumentError, DtypeError, IndexShapeError, ShapeError


def random(*shape):
    return sg.randn(*shape, dtype=sg.float64, requires_grad=True)


# ---------------------------------------------------------------------------------------------- Linear


@pytest.mark.parametrize("shape", [(1, 3), (7, 3), (2, 5, 3), (3,), (0, 3)])
@pytest.mark.parametrize("bias", [True, False])
def test_linear_is_an_affine_map_with_its_gradients(shape, bias):
    layer = nn.Linear(3, 2, bias=bias, dtype=sg.float64)
    x = random(*shape)
    y = layer(x)
    weight, a = layer.weight.detach().numpy(), x.detach().numpy()
    b = layer.bias.detach().numpy() if bias else 0.0
    np.testing.assert_allclose(y.detach().numpy(), a @ weight.T + b, rtol=1e-14, atol=1e-14)
    g = np.random.default_rng(0).normal(size=y.shape)
    y.backward(sg.tensor(g))
    np.testing.assert_allclose(x.grad.numpy(), g @ weight, rtol=1e-13, atol=1e-13)
    rows, sums = a.reshape(-1, 3), g.reshape(-1, 2)
    np.testing.assert_allclose(layer.weight.grad.numpy(), sums.T @ rows, rtol=1e-13, atol=1e-13)
    if bias:
        np.testing.assert_allclose(layer.bias.grad.numpy(), sums.sum(0), rtol=1e-13, atol=1e-13)
    else:
        assert layer.bias is None
        assert list(layer.state_dict()) == ["weight"]


def test_the_bias_is_the_weight_of_a_constant_input_1():
    layer = nn.Linear(4, 3, dtype=sg.float64)
    wide = nn.Linear(5, 3, bias=False, dtype=sg.float64)
    with sg.no_grad():
        wide.weight.copy_(sg.cat([layer.weight, layer.bias.reshape(-1, 1)], 1))
    x = random(10, 4)
    with_one = sg.cat([x, sg.ones(10, 1, dtype=sg.float64)], 1)
    np.testing.assert_allclose(
        wide(with_one).detach().numpy(), layer(x).detach().numpy(), rtol=1e-14, atol=1e-14
    )


def test_linear_starts_uniform_within_one_over_the_root_of_its_inputs():
    layer = nn.Linear(100, 200)
    for values in (layer.weight.detach().numpy(), layer.bias.detach().numpy()):
        assert np.abs(values).max() < 0.1
        assert values.std() == pytest.approx(0.1 / math.sqrt(3), rel=0.1)
    assert nn.Linear(0, 3).bias.tolist() == [0, 0, 0]
    before = layer.weight.tolist()
    layer.reset_parameters()
    assert layer.weight.tolist() != before


def test_the_same_seed_gives_the_same_layer():
    sg.manual_seed(3)
    first = nn.Linear(4, 4)
    sg.manual_seed(3)
    assert nn.Linear(4, 4).weight.tolist() == first.weight.tolist()
    assert nn.Linear(4, 4).weight.tolist() != first.weight.tolist()


def test_linear_refuses_what_does_not_fit():
    layer = nn.Linear(2, 3)
    with pytest.raises(
        ShapeError, match=r"linear takes 2 features .* not shape \[4, 3\] \(weight \[3, 2\]\)"
    ):
        layer(sg.zeros(4, 3))
    with pytest.raises(ShapeError, match=r"not shape \[\]"):
        layer(sg.zeros(()))
    for wrong in ([[1.0, 2.0]], np.zeros((1, 2))):
        with pytest.raises(DtypeError, match=r"linear takes a tensor, not .*Make one with stepgrad.tensor"):
            layer(wrong)
    with pytest.raises(ArgumentError, match="Linear needs sizes >= 0, not -1 and 3"):
        nn.Linear(-1, 3)
    with pytest.raises(ArgumentError, match="made of integers"):
        nn.Linear(2.0, 3)


# -------------------------------------------------------------------------------------------- collapse


def test_layers_without_activation_are_one_affine_map():
    deep = nn.Sequential(
        nn.Linear(6, 40), nn.Identity(), nn.Sequential(nn.Linear(40, 30, bias=False), nn.Linear(30, 20)),
        nn.Linear(20, 3, bias=False),
    ).double()  # fmt: skip
    state = sg.get_rng_state()
    one = nn.collapse(deep)
    assert sg.get_rng_state() == state
    assert repr(one) == "Linear(in_features=6, out_features=3, bias=True)"
    x = random(50, 6)
    assert np.abs((one(x) - deep(x)).detach().numpy()).max() < 1e-12
    assert one.weight.requires_grad
    assert one.weight is not deep[0].weight


def test_collapse_keeps_the_dtype_and_needs_no_bias():
    one = nn.collapse(nn.Sequential(nn.Linear(2, 3, bias=False), nn.Linear(3, 2, bias=False)))
    assert one.bias is None
    assert one.weight.dtype is sg.float32
    same = nn.Linear(2, 2)
    assert nn.collapse(same).weight.tolist() == same.weight.tolist()
    assert nn.collapse(nn.Sequential(nn.Linear(2, 2, bias=False), same)).bias.tolist() == same.bias.tolist()


def test_collapse_refuses_what_is_not_affine():
    class Doubled(nn.Linear):
        def forward(self, x):
            return super().forward(x) ** 2

    for layers, message in (
        (nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.ReLU())), r"between them; 1.0 is ReLU\(\)\."),
        (nn.Tanh(), r"the model is Tanh\(\)"),
        (nn.Sequential(Doubled(2, 2)), "0 is Doubled"),
        (nn.Sequential(), "needs a Linear layer at least"),
    ):
        with pytest.raises(ArgumentError, match=message):
            nn.collapse(layers)
    with pytest.raises(ShapeError):
        nn.collapse(nn.Sequential(nn.Linear(2, 3), nn.Linear(2, 3)))


def test_a_line_by_hand_and_by_the_library_is_that_of_least_squares():
    numbers = np.random.default_rng(0)
    x = numbers.normal(size=(50, 3))
    y = x @ [1.5, -2.0, 0.5] + 0.7 + 0.1 * numbers.normal(size=50)
    *expected, offset = np.linalg.lstsq(np.hstack([x, np.ones((50, 1))]), y, rcond=None)[0]
    w, b = np.zeros(3), 0.0
    for _ in range(1000):  # the derivatives of the mean of (x w + b − y)², written out
        error = x @ w + b - y
        w, b = w - 0.1 * 2 * error @ x / 50, b - 0.1 * 2 * error.mean()
    layer = nn.Linear(3, 1, dtype=sg.float64)
    optimizer = sg.optim.SGD(layer.parameters(), lr=0.1)
    inputs, targets = sg.tensor(x), sg.tensor(y).unsqueeze(1)
    for _ in range(1000):
        optimizer.zero_grad()
        nn.functional.mse_loss(layer(inputs), targets).backward()
        optimizer.step()
    for found, constant in ((w, b), (layer.weight.detach().numpy()[0], layer.bias.item())):
        np.testing.assert_allclose(found, expected, atol=1e-6)
        assert constant == pytest.approx(offset, abs=1e-6)


# -------------------------------------------------------------------------------------------- Bilinear


@pytest.mark.parametrize("shape", [(), (5,), (2, 5)])
def test_bilinear(shape):
    layer = nn.Bilinear(3, 2, 4, dtype=sg.float64)
    a, b = random(*shape, 3), random(*shape, 2)
    w, c = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    expected = np.einsum("...i,kij,...j->...k", a.detach().numpy(), w, b.detach().numpy()) + c
    np.testing.assert_allclose(layer(a, b).detach().numpy(), expected)
    assert gradcheck(layer, (a, b))
    plain = nn.Bilinear(3, 2, 4, bias=False, dtype=sg.float64)
    assert list(plain.state_dict()) == ["weight"]
    assert plain(a, b).shape == (*shape, 4)


def test_bilinear_starts_uniform_and_refuses_other_shapes():
    layer = nn.Bilinear(16, 20, 30)
    for values in (layer.weight.detach().numpy(), layer.bias.detach().numpy()):
        assert abs(values).max() <= 0.25
    assert layer.weight.detach().numpy().std() == pytest.approx(0.5 / math.sqrt(12), rel=0.03)
    message = (
        r"bilinear takes \(…, 16\) and \(…, 20\) .*, not \[2, 16\] and \[3, 20\] \(weight \[30, 16, 20\]\)"
    )
    with pytest.raises(ShapeError, match=message):
        layer(sg.zeros(2, 16), sg.zeros(3, 20))
    with pytest.raises(ShapeError, match="bilinear takes"):
        layer(sg.zeros(2, 16), sg.zeros(2, 16))
    with pytest.raises(ArgumentError, match="Bilinear needs in1_features > 0, not 0"):
        nn.Bilinear(0, 2, 3)


# ----------------------------------------------------------------------------------------- rearranging


def test_layers_that_rearrange():
    x = random(2, 3, 4)
    assert nn.Flatten()(x).shape == (2, 12)
    assert nn.Flatten(0, 1)(x).shape == (6, 4)
    assert nn.Unflatten(1, (3, 1))(x).shape == (2, 3, 1, 4)
    assert nn.Unflatten(-1, (2, -1))(x).shape == (2, 3, 2, 2)
    assert nn.Identity(5, key=1)(x) is x
    assert gradcheck(nn.Flatten(), (x,))
    assert gradcheck(nn.Unflatten(2, (2, 2)), (x,))
    with pytest.raises(IndexShapeError):
        nn.Flatten()(sg.zeros(3))
    with pytest.raises(ShapeError, match=r"\[2, 6\] do not fit shape \[2, 2, 4\]"):
        nn.Unflatten(1, (2, 4))(sg.zeros(2, 6))
