import math

import pytest

import stepgrad as sg
from stepgrad.errors import ArgumentError
from stepgrad.optim import SGD
from stepgrad.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau


def walked(metrics, lr=1.0, **arguments):
    """The rates after each of the metrics."""
    optimizer = SGD([sg.zeros(1, requires_grad=True)], lr=lr)
    schedule, rates = ReduceLROnPlateau(optimizer, factor=0.5, **arguments), []
    for metric in metrics:
        schedule.step(metric)
        rates.append(optimizer.param_groups[0]["lr"])
        assert schedule.get_last_lr() == [rates[-1]]
    return rates


CASES = [
    # The third loss that is no better than the best ends a patience of 2, and the count begins anew.
    ([3, 2, 2, 2, 2, 2, 2, 2], {"patience": 2}, [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25]),
    ([3, 3, 2, 2, 1], {"patience": 0}, [1, 0.5, 0.5, 0.25, 0.25]),
    ([1, 2, 2, 3, 3], {"patience": 0, "mode": "max"}, [1, 1, 0.5, 0.5, 0.25]),
    ([1, math.nan, math.inf], {"patience": 0}, [1, 0.5, 0.25]),
    # Better by 5 % is not enough of an improvement, by 20 % it is.
    ([1, 0.95, 0.8], {"patience": 0, "threshold": 0.1}, [1, 0.5, 0.5]),
    ([10, 9.95, 9.8], {"patience": 0, "threshold": 0.1, "threshold_mode": "abs"}, [1, 0.5, 0.5]),
    ([10, 10.95, 11.5], {"patience": 0, "threshold": 0.1, "mode": "max"}, [1, 0.5, 0.5]),
    # Two steps of rest after each reduction.
    ([1] * 7, {"patience": 0, "cooldown": 2}, [1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25]),
    ([1] * 4, {"patience": 0, "min_lr": 0.3}, [1, 0.5, 0.3, 0.3]),
    ([1] * 4, {"patience": 0, "eps": 0.3}, [1, 0.5, 0.5, 0.5]),
]


@pytest.mark.parametrize("metrics, arguments, expected", CASES)
def test_values(metrics, arguments, expected):
    assert walked(metrics, **arguments) == expected


def test_it_takes_a_tensor():
    assert walked([sg.tensor(1.0), sg.tensor(2.0)], patience=0) == [1.0, 0.5]


def test_one_least_rate_per_group():
    groups = [{"params": [sg.zeros(1, requires_grad=True)], "lr": lr} for lr in (1.0, 0.1)]
    schedule = ReduceLROnPlateau(SGD(groups), patience=0, factor=0.0, min_lr=[0.5, 0.01])
    for _ in range(2):
        schedule.step(1.0)
    assert schedule.get_last_lr() == [0.5, 0.01]
    assert isinstance(schedule, LRScheduler)


def test_a_run_goes_on_from_a_state():
    metrics = [5, 4, 4, 4, 3, 3, 3, 3, 3, 3]
    whole = walked(metrics, patience=1, cooldown=1)
    optimizer = SGD([sg.zeros(1, requires_grad=True)], lr=1.0)
    first = ReduceLROnPlateau(optimizer, factor=0.5, patience=1, cooldown=1)
    for metric in metrics[:5]:
        first.step(metric)
    second = ReduceLROnPlateau(optimizer, mode="max")
    second.load_state_dict(first.state_dict())
    rates = []
    for metric in metrics[5:]:
        second.step(metric)
        rates.append(second.get_last_lr()[0])
    assert rates == whole[5:]


WRONG = [
    ({"mode": "least"}, "ReduceLROnPlateau needs mode to be 'min' or 'max', not 'least'."),
    ({"threshold_mode": "both"}, "needs threshold_mode to be 'rel' or 'abs', not 'both'."),
    ({"factor": 1.0}, r"needs factor to be a number in \[0, 1\), not 1.0."),
    ({"patience": -1}, "needs patience to be a whole number of 0 or more, not -1."),
    ({"cooldown": 0.5}, "needs cooldown to be a whole number of 0 or more, not 0.5."),
    ({"threshold": -1.0}, "needs threshold to be a number of 0 or more, not -1.0."),
    (
        {"min_lr": [0.1, 0.1]},
        r"needs min_lr to be a number of 0 or more, or a list of 1 .*, not \[0.1, 0.1\].",
    ),
]


@pytest.mark.parametrize("arguments, message", WRONG)
def test_a_wrong_argument_is_named(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        ReduceLROnPlateau(SGD([sg.zeros(1, requires_grad=True)]), **arguments)
