"""The schedules that are functions of the step, against values worked out by hand."""

import math

import pytest

import stepgrad as sg
from stepgrad.errors import ArgumentError
from stepgrad.optim import SGD, lr_scheduler


def make(*rates):
    return SGD([{"params": [sg.zeros(1, requires_grad=True)], "lr": lr} for lr in rates or (1.0,)])


def walked(schedule, steps):
    """The rates of the first group from the beginning on."""
    rates = [schedule.optimizer.param_groups[0]["lr"]]
    for _ in range(steps):
        schedule.step()
        rates.append(schedule.optimizer.param_groups[0]["lr"])
        assert schedule.get_last_lr()[0] == rates[-1]
    return rates


HALF = math.sqrt(0.5)
CURVES = [
    (lambda o: lr_scheduler.LambdaLR(o, lambda t: 1 / (1 + t)), [1, 1 / 2, 1 / 3, 1 / 4]),
    (lambda o: lr_scheduler.StepLR(o, 2, gamma=0.5), [1, 1, 0.5, 0.5, 0.25]),
    (lambda o: lr_scheduler.StepLR(o, 2, gamma=0.0), [1, 1, 0, 0]),
    (lambda o: lr_scheduler.MultiStepLR(o, (3, 1, 3), gamma=0.5), [1, 0.5, 0.5, 0.125, 0.125]),
    (lambda o: lr_scheduler.MultiStepLR(o, [0], gamma=0.5), [0.5, 0.5]),
    (lambda o: lr_scheduler.ExponentialLR(o, 0.5), [1, 0.5, 0.25, 0.125]),
    (lambda o: lr_scheduler.LinearLR(o, 0.25, total_iters=3), [0.25, 0.5, 0.75, 1, 1]),
    (lambda o: lr_scheduler.LinearLR(o, 1.0, 0.0, total_iters=2), [1, 0.5, 0, 0]),
    (
        lambda o: lr_scheduler.CosineAnnealingLR(o, 4, eta_min=0.5),
        [1, 0.75 + HALF / 4, 0.75, 0.75 - HALF / 4, 0.5, 0.75 - HALF / 4, 0.75],
    ),
]


@pytest.mark.parametrize("make_schedule, expected", CURVES)
def test_values(make_schedule, expected):
    schedule = make_schedule(make(1.0, 2.0))
    assert walked(schedule, len(expected) - 1) == pytest.approx(expected, rel=1e-14, abs=1e-16)
    assert schedule.get_last_lr()[1] == pytest.approx(2 * expected[-1]) or schedule.floor


@pytest.mark.parametrize("make_schedule, expected", CURVES)
def test_a_schedule_is_a_function_of_the_step(make_schedule, expected):
    schedule = make_schedule(make())
    assert [schedule.lr_at(t, 0) for t in range(len(expected))] == walked(schedule, len(expected) - 1)


def test_lambdas_by_group():
    optimizer = make(1.0, 1.0)
    schedule = lr_scheduler.LambdaLR(optimizer, [lambda t: 1.0, lambda t: 0.5**t])
    schedule.step()
    assert schedule.get_last_lr() == [1.0, 0.5]
    assert "lr_lambdas" not in schedule.state_dict()


WRONG = [
    (lambda o: lr_scheduler.StepLR(o, 0), "StepLR needs step_size to be a whole number of 1 or more, not 0."),
    (
        lambda o: lr_scheduler.StepLR(o, 2, gamma=-1),
        "StepLR needs gamma to be a number of 0 or more, not -1.",
    ),
    (lambda o: lr_scheduler.MultiStepLR(o, [1.5]), "MultiStepLR needs a milestone to be a whole number"),
    (lambda o: lr_scheduler.ExponentialLR(o, 0), "ExponentialLR needs gamma to be a number above 0, not 0."),
    (
        lambda o: lr_scheduler.LinearLR(o, 0),
        r"LinearLR needs start_factor to be a number in \(0, 1\], not 0.",
    ),
    (
        lambda o: lr_scheduler.LinearLR(o, 1, 2),
        r"LinearLR needs end_factor to be a number in \[0, 1\], not 2.",
    ),
    (
        lambda o: lr_scheduler.CosineAnnealingLR(o, 2.5),
        "needs T_max to be a whole number of 1 or more, not 2.5.",
    ),
    (
        lambda o: lr_scheduler.LambdaLR(o, []),
        "LambdaLR needs one function, or a list of 1, one for each group.",
    ),
    (
        lambda o: lr_scheduler.LambdaLR(o, 0.5),
        "LambdaLR needs one function, or a list of 1, one for each group.",
    ),
]


@pytest.mark.parametrize("make_schedule, message", WRONG)
def test_a_wrong_argument_is_named(make_schedule, message):
    with pytest.raises(ArgumentError, match=message):
        make_schedule(make())
