"""SGD against trajectories worked out by hand: p = 10, the gradients 1, 2 and −1, lr = 0.5."""

import numpy
import pytest

import stepgrad as sg
from stepgrad.errors import ArgumentError
from stepgrad.optim import SGD

TRAJECTORIES = [
    ({}, [9.5, 8.5, 9.0]),
    ({"momentum": 0.5}, [9.5, 8.25, 8.125]),  # v = 1, 2.5, 0.25
    ({"momentum": 0.5, "dampening": 0.5}, [9.5, 8.75, 8.625]),  # v = 1, 1.5, 0.25
    ({"momentum": 0.5, "nesterov": True}, [9.25, 7.625, 8.0625]),  # g + v/2 = 1.5, 3.25, −0.875
    ({"weight_decay": 0.1}, [9.0, 7.55, 7.6725]),  # g + p/10 = 2, 2.9, −0.245
    ({"maximize": True}, [10.5, 11.5, 11.0]),
    ({"maximize": True, "weight_decay": 0.1}, [10.0, 10.5, 9.475]),  # −g + p/10 = 0, −1, 2.05
]


@pytest.mark.parametrize("hyperparameters, expected", TRAJECTORIES)
def test_trajectory(hyperparameters, expected):
    p = sg.tensor([10.0, 10.0], dtype=sg.float64, requires_grad=True)
    optimizer = SGD([p], lr=0.5, **hyperparameters)
    for gradient, value in zip((1.0, 2.0, -1.0), expected):
        p.grad = sg.tensor([gradient] * 2, dtype=sg.float64)
        optimizer.step()
        assert p.tolist() == pytest.approx([value] * 2, rel=1e-14)


def test_momentum_is_kept_under_pytorchs_name_and_nothing_else():
    p = sg.tensor([10.0], requires_grad=True)
    p.grad = sg.tensor([2.0])
    optimizer = SGD([p], momentum=0.9)
    optimizer.step()
    assert optimizer.state_dict()["state"][0].keys() == {"momentum_buffer"}
    assert optimizer.state[p]["momentum_buffer"].tolist() == [2.0]
    p.grad.fill_(7.0)
    assert optimizer.state[p]["momentum_buffer"].tolist() == [2.0], "the buffer is not the gradient's memory"


def test_without_momentum_there_is_no_state():
    p = sg.tensor([10.0], requires_grad=True)
    p.grad = sg.tensor([2.0])
    optimizer = SGD([p])
    optimizer.step()
    assert optimizer.state_dict()["state"] == {}


@pytest.mark.parametrize("wrong", [{}, {"momentum": 0.9, "dampening": 0.1}])
def test_nesterov_needs_momentum_without_dampening(wrong):
    with pytest.raises(ArgumentError, match="momentum above 0 and a dampening of 0 for nesterov=True"):
        SGD([sg.zeros(1, requires_grad=True)], nesterov=True, **wrong)


def test_the_update_of_the_worked_textbook_example():
    # One step of a 2-2-1 network with lr = 1: the output layer's weights and their gradients, to 4 digits.
    w = sg.from_numpy(numpy.array([[-0.1725, 0.1129]])).requires_grad_()
    w.grad = sg.from_numpy(numpy.array([[0.2727, 0.2796]]))
    SGD([w], lr=1.0).step()
    assert w.tolist()[0] == pytest.approx([-0.4452, -0.1667], abs=1e-12)
