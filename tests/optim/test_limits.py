import math

import numpy
import pytest

import stepgrad as sg
from stepgrad.errors import ArgumentError
from stepgrad.optim import SGD, Adam, AdamW
from stepgrad.optim.limits import plain

WRONG = [
    (SGD, {"lr": -0.1}, "SGD needs lr to be a number of 0 or more, not -0.1."),
    (SGD, {"lr": math.nan}, "SGD needs lr to be a number of 0 or more, not nan."),
    (SGD, {"lr": "0.1"}, "SGD needs lr to be a number of 0 or more, not '0.1'."),
    (SGD, {"lr": True}, "SGD needs lr to be a number of 0 or more, not True."),
    (SGD, {"momentum": -1.0}, "SGD needs momentum to be a number of 0 or more, not -1.0."),
    (SGD, {"dampening": math.inf}, "SGD needs dampening to be a finite number, not inf."),
    (SGD, {"nesterov": 1}, "SGD needs nesterov to be True or False, not 1."),
    (Adam, {"betas": (0.9, 1.0)}, r"Adam needs betas to be two numbers in \[0, 1\), not \(0.9, 1.0\)."),
    (Adam, {"betas": 0.9}, r"Adam needs betas to be two numbers in \[0, 1\), not 0.9."),
    (Adam, {"eps": -1e-8}, "Adam needs eps to be a number of 0 or more, not -1e-08."),
    (AdamW, {"weight_decay": -1.0}, "AdamW needs weight_decay to be a number of 0 or more, not -1.0."),
    (AdamW, {"amsgrad": None}, "AdamW needs amsgrad to be True or False, not None."),
]


@pytest.mark.parametrize("optimizer, wrong, message", WRONG)
def test_a_hyperparameter_out_of_range_is_named(optimizer, wrong, message):
    p = sg.zeros(2, requires_grad=True)
    with pytest.raises(ArgumentError, match=message):
        optimizer([p], **wrong)
    with pytest.raises(ArgumentError, match=message):
        optimizer([{"params": [p], **wrong}])


def test_a_tensor_is_no_hyperparameter_but_the_learning_rate():
    with pytest.raises(ArgumentError, match="SGD needs momentum to be a number of 0 or more, not tensor"):
        SGD([sg.zeros(2, requires_grad=True)], momentum=sg.tensor(0.1))
    p = sg.zeros(2, requires_grad=True)
    p.grad = sg.ones(2)
    optimizer = SGD([p])
    optimizer.param_groups[0]["momentum"] = sg.tensor(0.1)
    with pytest.raises(ArgumentError, match=r"takes momentum as a number, not a Tensor; use \.item\(\)"):
        optimizer.step()


def test_numbers_of_numpy_become_pythons():
    assert [
        type(plain(x)) for x in (numpy.float64(1), numpy.float32(1), numpy.int64(1), numpy.bool_(True))
    ] == [
        float,
        float,
        int,
        bool,
    ]
    assert plain([numpy.float64(0.5), 0.25]) == (0.5, 0.25)


def test_a_float64_learning_rate_does_not_change_float32_arithmetic():
    ends = []
    for lr in (0.1, numpy.float64(0.1)):
        p = sg.tensor([1.0, 1 / 3], requires_grad=True)
        p.grad = sg.tensor([0.3, 0.7])
        optimizer = SGD([p])
        optimizer.param_groups[0]["lr"] = lr
        optimizer.step()
        ends.append(p.tolist())
    assert ends[0] == ends[1]
