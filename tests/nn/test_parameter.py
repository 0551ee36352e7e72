"""Parameters: tensors that modules train."""

import copy
import pickle

import numpy as np
import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.errors import GradientError


def test_a_parameter_is_a_leaf_that_requires_a_gradient():
    p = nn.Parameter(sg.tensor([1.0, 2.0]))
    assert isinstance(p, sg.Tensor)
    assert p.is_leaf
    assert p.requires_grad
    (p * p).sum().backward()
    assert p.grad.tolist() == [2, 4]
    assert not nn.Parameter(sg.zeros(1), requires_grad=False).requires_grad
    assert nn.Parameter().shape == (0,)


def test_a_parameter_shares_memory_and_forgets_history():
    x = sg.tensor([1.0], requires_grad=True)
    y = x * 2
    p = nn.Parameter(y)
    assert p.is_leaf
    with sg.no_grad():
        p.add_(1)
    assert y.item() == 3
    array = np.zeros(2)
    with sg.no_grad():
        nn.Parameter(array).fill_(5)
    assert array.tolist() == [5, 5]


def test_results_are_plain_tensors():
    p = nn.Parameter(sg.zeros(2))
    for x in (p + 1, p.detach(), p.data, p.clone(), p[0]):
        assert type(x) is sg.Tensor


def test_integers_are_parameters_only_without_gradient():
    with pytest.raises(GradientError, match="only floating point tensors can require a gradient, not int64"):
        nn.Parameter(sg.zeros(1, dtype=sg.int64))
    assert nn.Parameter(sg.zeros(1, dtype=sg.int64), requires_grad=False).dtype is sg.int64


def pickled(p):
    return pickle.loads(pickle.dumps(p))  # noqa: S301 - our own bytes


@pytest.mark.parametrize("made", [copy.deepcopy, pickled])
@pytest.mark.parametrize("requires_grad", [True, False])
def test_a_copy_is_a_parameter(made, requires_grad):
    p = nn.Parameter(sg.ones(2), requires_grad)
    again = made(p)
    assert type(again) is nn.Parameter
    assert again.requires_grad is requires_grad
    with sg.no_grad():
        again.zero_()
    assert p.tolist() == [1, 1]


def test_the_text_says_what_it_is():
    assert repr(nn.Parameter(sg.zeros(1))) == "Parameter containing:\ntensor([0.], requires_grad=True)"
    assert repr(nn.Parameter(sg.zeros(1), False)) == "Parameter containing:\ntensor([0.])"
