"""Adaptive softmax: probabilities over all classes, the loss of the target's alone."""

import numpy as np
import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.errors import ArgumentError, IndexShapeError, ShapeError


@pytest.fixture
def layer():
    sg.manual_seed(0)
    return nn.AdaptiveLogSoftmaxWithLoss(8, 10, [3, 6], div_value=2.0, head_bias=True).double()


X = sg.tensor(np.random.default_rng(0).normal(size=(6, 8)))
TARGET = sg.tensor([0, 2, 3, 9, 6, 2])


def test_the_probabilities_are_those_of_head_and_tail(layer):
    logs = layer.log_prob(X).detach().numpy()
    np.testing.assert_allclose(np.exp(logs).sum(1), 1)
    head = layer.head(X).log_softmax(1).detach().numpy()
    np.testing.assert_allclose(logs[:, :3], head[:, :3])
    first = layer.tail[0](X).log_softmax(1).detach().numpy()
    np.testing.assert_allclose(logs[:, 3:6], head[:, 3:4] + first)
    assert layer.predict(X).tolist() == logs.argmax(1).tolist()


def test_the_loss_is_that_of_the_target(layer):
    logs = layer.log_prob(X)
    output, loss = layer(X, TARGET)
    np.testing.assert_allclose(
        output.detach().numpy(), logs.gather(1, TARGET[:, None]).detach().numpy()[:, 0]
    )
    assert loss.item() == pytest.approx(-output.mean().item())
    expected = sg.autograd.grad(nn.functional.nll_loss(logs, TARGET), list(layer.parameters()))
    for found, right in zip(sg.autograd.grad(loss, list(layer.parameters())), expected, strict=True):
        np.testing.assert_allclose(found.numpy(), right.numpy(), atol=1e-12)
    single = layer(X[3], TARGET[3])
    assert single.output.shape == ()
    assert single.output.item() == pytest.approx(output[3].item())


def test_compiled_it_is_the_same(layer):
    def gradients(x, target):
        loss = layer(x, target).loss
        return [loss, *sg.autograd.grad(loss, list(layer.parameters()), materialize_grads=True)]

    compiled = sg.compile(gradients)
    for target in (TARGET, TARGET.flip(0), sg.zeros(6, dtype=sg.int64)):
        for found, right in zip(compiled(X, target), gradients(X, target), strict=True):
            np.testing.assert_allclose(found.detach().numpy(), right.detach().numpy(), atol=1e-12)


def test_names_and_sizes(layer):
    assert {k: v.shape for k, v in layer.state_dict().items()} == {
        "head.weight": (5, 8), "head.bias": (5,), "tail.0.0.weight": (4, 8), "tail.0.1.weight": (3, 4),
        "tail.1.0.weight": (2, 8), "tail.1.1.weight": (4, 2),
    }  # fmt: skip
    before = layer.head.weight.tolist()
    layer.reset_parameters()
    assert layer.head.weight.tolist() != before


def test_refusals(layer):
    for cutoffs in ([], [3, 3], [6, 3], [0, 3], [3, 10]):
        with pytest.raises(ArgumentError, match="needs cutoffs that increase between 1 and 9"):
            nn.AdaptiveLogSoftmaxWithLoss(8, 10, cutoffs)
    with pytest.raises(
        IndexShapeError, match="has 10 classes, numbered from 0; the target goes from 1 to 10"
    ):
        layer(X, TARGET + 1)
    with pytest.raises(ShapeError, match=r"takes \(N, 8\) and classes \(N\), not \[6, 8\] and \[3\]"):
        layer(X, TARGET[:3])
