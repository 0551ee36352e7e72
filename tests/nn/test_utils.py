"""Clipping of gradients, and parameters as one vector."""

import math

import numpy as np
import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.errors import ArgumentError, NotFiniteError, ShapeError
from stepgrad.nn.utils import (
    clip_grad_norm_,
    clip_grad_value_,
    parameters_to_vector,
    vector_to_parameters,
)


def with_gradients(*gradients):
    """Parameters with these gradients, and one without."""
    parameters = [nn.Parameter(sg.zeros(len(g))) for g in gradients]
    for p, g in zip(parameters, gradients):
        p.grad = sg.tensor(g)
    return [*parameters, nn.Parameter(sg.zeros(1))]


def gradients(parameters):
    return [p.grad.tolist() for p in parameters if p.grad is not None]


@pytest.mark.parametrize(
    "order, norm",
    [(2.0, 13.0), (1.0, 19.0), (math.inf, 12.0), ("inf", 12.0), (3, (27 + 64 + 1728) ** (1 / 3))],
)
def test_the_common_norm_is_clipped(order, norm):
    parameters = with_gradients([3.0, 4.0], [-12.0])
    found = clip_grad_norm_(iter(parameters), 2.0, order)
    assert found.item() == pytest.approx(norm, rel=1e-6)
    factor = 2 / (norm + 1e-6)
    np.testing.assert_allclose(
        np.concatenate(gradients(parameters)), np.array([3, 4, -12]) * factor, rtol=1e-6
    )


def test_small_gradients_stay_as_they_are():
    parameters = with_gradients([3.0, 4.0], [-12.0])
    grad = parameters[0].grad
    assert clip_grad_norm_(parameters, 100.0).item() == 13
    assert gradients(parameters) == [[3, 4], [-12]]
    assert parameters[0].grad is grad
    assert clip_grad_norm_([], 1.0).item() == 0
    assert clip_grad_norm_(nn.Parameter(sg.zeros(1)), 1.0).item() == 0


def test_one_tensor_and_other_dtypes():
    p = nn.Parameter(sg.zeros(2, dtype=sg.float64))
    p.grad = sg.tensor([3.0, 4.0], dtype=sg.float64)
    assert clip_grad_norm_(p, 1.0).dtype is sg.float64
    np.testing.assert_allclose(p.grad.numpy(), np.array([3, 4]) / (5 + 1e-6), rtol=1e-15)


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_a_norm_that_is_not_finite(wrong):
    parameters = with_gradients([1.0, wrong])
    with pytest.raises(
        NotFiniteError, match=f"the norm of the gradients is {wrong}, so they cannot be clipped"
    ):
        clip_grad_norm_(parameters, 1.0, error_if_nonfinite=True)
    np.testing.assert_equal(gradients(parameters), [[1.0, wrong]])
    np.testing.assert_equal(clip_grad_norm_(parameters, 1.0).item(), wrong)


def test_values_are_clipped():
    parameters = with_gradients([3.0, -0.5], [-12.0])
    clip_grad_value_(parameters, 1.0)
    assert gradients(parameters) == [[1, -0.5], [-1]]
    clip_grad_value_(parameters[0], 0.25)
    assert gradients(parameters) == [[0.25, -0.25], [-1]]
    with pytest.raises(ArgumentError, match="needs a value >= 0, not -1"):
        clip_grad_value_(parameters, -1)


def test_parameters_become_a_vector_and_back():
    net = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1, dtype=sg.float64))
    vector = parameters_to_vector(net.parameters())
    assert vector.shape == (13,)
    assert vector[:6].tolist() == net[0].weight.reshape(-1).tolist()
    vector_to_parameters(vector * 2, net.parameters())
    assert parameters_to_vector(net.parameters()).tolist() == (vector * 2).tolist()
    assert [p.dtype for p in net.parameters()] == [sg.float32, sg.float32, sg.float64, sg.float64]
    assert all(p.is_leaf and p.requires_grad for p in net.parameters())
    vector[0] = 99.0  # a copy was taken
    assert net[0].weight[0, 0].item() != 99


def test_gradients_flow_through_the_vector():
    layer = nn.Linear(2, 1)
    (parameters_to_vector(layer.parameters()) ** 2).sum().backward()
    assert layer.weight.grad.tolist() == (2 * layer.weight).tolist()


@pytest.mark.parametrize("size", [8, 10])
def test_a_vector_of_another_size_is_refused(size):
    layer = nn.Linear(2, 3)
    before = layer.weight.tolist()
    with pytest.raises(ShapeError, match=rf"take a vector of 9 elements, not shape \[{size}\]"):
        vector_to_parameters(sg.zeros(size), layer.parameters())
    assert layer.weight.tolist() == before


def test_a_parametrized_tensor_is_computed_once_in_cached():
    parametrize = nn.utils.parametrize
    layer = nn.utils.parametrizations.weight_norm(nn.Linear(2, 2))
    assert layer.weight is not layer.weight
    with parametrize.cached():
        first = layer.weight
        with parametrize.cached():
            assert layer.weight is first
        assert layer.weight is first
        layer.weight = sg.eye(2)
        assert sg.allclose(layer.weight, sg.eye(2))
    assert layer.weight is not layer.weight


def test_batch_normalisation_is_put_into_the_layer_before_it():
    sg.manual_seed(0)
    pairs = [
        (nn.Conv2d(2, 3, 2), nn.BatchNorm2d(3), False, (4, 2, 5, 5)),
        (nn.ConvTranspose1d(2, 3, 2, bias=False), nn.BatchNorm1d(3, affine=False), True, (4, 2, 5)),
    ]
    for layer, norm, transpose, shape in pairs:
        norm(layer(sg.randn(*shape)))
        layer.eval(), norm.eval()
        fused = nn.utils.fuse_conv_bn_eval(layer, norm, transpose)
        x = sg.randn(*shape)
        assert sg.allclose(fused(x), norm(layer(x)), atol=1e-6)
    linear, norm = nn.Linear(2, 3).eval(), nn.BatchNorm1d(3).eval()
    x = sg.randn(5, 2)
    assert sg.allclose(nn.utils.fuse_linear_bn_eval(linear, norm)(x), norm(linear(x)), atol=1e-6)
    with pytest.raises(ArgumentError, match=r"call \.eval"):
        nn.utils.fuse_linear_bn_eval(linear.train(), norm)
