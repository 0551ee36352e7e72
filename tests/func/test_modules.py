"""Modules as functions of their parameters, one or several at a time."""

import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.errors import ArgumentError, MissingKeyError
from stepgrad.func import functional_call, grad, stack_module_state, vmap


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(2, 2, bias=False)
        self.again = self.inner

    def forward(self, x):
        return self.again(self.inner(x))


def test_others_stand_in_for_the_parameters():
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    x, before = sg.randn(5, 2), {name: p.clone() for name, p in net.state_dict().items()}
    other = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    found = functional_call(net, (dict(other.named_parameters()), dict(other.named_buffers())), (x,), {})
    assert other[1].num_batches_tracked == 1
    other[1].reset_running_stats()
    assert sg.equal(found, other(x))
    assert all(sg.equal(p, before[name]) for name, p in net.state_dict().items())
    assert isinstance(net[0].weight, nn.Parameter)


def test_a_shared_parameter_is_exchanged_in_both_places():
    two = {"inner.weight": 2 * sg.eye(2)}
    assert functional_call(Tied(), two, sg.ones(1, 2)).tolist() == [[4, 4]]
    net = Tied()
    net.inner.weight.data.copy_(sg.eye(2))
    assert functional_call(net, {"inner.weight": 2 * sg.eye(2)}, sg.ones(1, 2)).tolist() == [[4, 4]]


def test_the_gradient_of_each_sample():
    net = nn.Linear(3, 1)
    parameters = {name: p.detach() for name, p in net.named_parameters()}
    x = sg.randn(4, 3)
    each = vmap(grad(lambda p, x: functional_call(net, p, (x,)).sum()), in_dims=(None, 0))(parameters, x)
    assert sg.allclose(each["weight"], x[:, None])
    assert each["bias"].tolist() == [[1.0]] * 4


def test_several_modules_at_once():
    models = [nn.Linear(3, 2) for _ in range(4)]
    parameters, buffers = stack_module_state(models)
    x = sg.randn(5, 3)
    found = vmap(lambda p, b, x: functional_call(models[0], (p, b), x), in_dims=(0, 0, None))(
        parameters, buffers, x
    )
    assert sg.allclose(found, sg.stack([m(x) for m in models]))
    assert parameters["weight"].is_leaf
    assert parameters["weight"].requires_grad


def test_messages():
    net = nn.Linear(2, 2)
    with pytest.raises(MissingKeyError, match=r"functional_call: Linear has no \['weigth'\]"):
        functional_call(net, {"weigth": sg.ones(2, 2)}, sg.ones(2))
    with pytest.raises(MissingKeyError, match=r"strict=True needs \['bias'\] of Linear as well"):
        functional_call(net, {"weight": sg.ones(2, 2)}, sg.ones(2), strict=True)
    with pytest.raises(ArgumentError, match="was given 'weight' twice"):
        functional_call(net, ({"weight": sg.ones(2, 2)}, {"weight": sg.ones(2, 2)}), sg.ones(2))
    with pytest.raises(ArgumentError, match="all in training or none"):
        stack_module_state([net, nn.Linear(2, 2).eval()])
