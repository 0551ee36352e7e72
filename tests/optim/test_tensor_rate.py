"""A learning rate that is a tensor: followed when it changes, eagerly and compiled, and set by schedules."""

import copy

import numpy as np
import pytest

import stepgrad as sg
from stepgrad import optim
from stepgrad.errors import ArgumentError, CaptureError
from stepgrad.optim import lr_scheduler

OPTIMIZERS = ("SGD", "Adam", "AdamW", "Adagrad", "RMSprop", "Adadelta", "NAdam", "LBFGS", "Adafactor", "ASGD")


def problem():
    return sg.tensor([1.0, -2.0, 0.5], requires_grad=True)


def trained(optimizer, w, steps):
    def closure():
        optimizer.zero_grad()
        loss = ((w - sg.arange(3.0)) ** 2).sum().sqrt()
        loss.backward()
        return loss

    for _ in range(steps):
        optimizer.step(closure)
    return w.tolist()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_it_is_followed(name):
    found = []
    for rate in (sg.tensor(0.01, dtype=sg.float64), 0.01):
        w = problem()
        optimizer = getattr(optim, name)([w], lr=rate)
        trained(optimizer, w, 3)
        if isinstance(rate, sg.Tensor):
            assert optimizer.param_groups[0]["lr"] is rate
            rate.mul_(0.5)
        else:
            optimizer.param_groups[0]["lr"] = 0.005
        found.append(trained(optimizer, w, 3))
    assert found[0] == found[1]


SCHEDULES = {
    "StepLR": lambda o: lr_scheduler.StepLR(o, 2, 0.5),
    "ExponentialLR": lambda o: lr_scheduler.ExponentialLR(o, 0.9),
    "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, 5),
    "MultiplicativeLR": lambda o: lr_scheduler.MultiplicativeLR(o, lambda t: 0.8),
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(o, 0.1, total_steps=9),
    "CyclicLR": lambda o: lr_scheduler.CyclicLR(o, 0.01, 0.1, step_size_up=3, cycle_momentum=False),
    "SequentialLR": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.ConstantLR(o, 0.1), lr_scheduler.ExponentialLR(o, 0.9)], [3]
    ),
    "ChainedScheduler": lambda o: lr_scheduler.ChainedScheduler(
        [lr_scheduler.LinearLR(o), lr_scheduler.ExponentialLR(o, 0.9)], o
    ),
    "SWALR": lambda o: optim.swa_utils.SWALR(o, 0.05, anneal_epochs=4),
}  # fmt: skip


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_set_the_number_in_it(name):
    found = []
    for rate in (sg.tensor(0.1, dtype=sg.float64), 0.1):
        optimizer = optim.SGD([problem()], lr=rate, momentum=0.5)
        schedule, rates = SCHEDULES[name](optimizer), []
        for _ in range(7):
            optimizer.step()
            schedule.step()
            rates.append((float(optimizer.param_groups[0]["lr"]), *schedule.get_last_lr()))
        if isinstance(rate, sg.Tensor):
            assert optimizer.param_groups[0]["lr"] is rate
            assert all(type(lr) is float for row in rates for lr in row)
        found.append(rates)
    np.testing.assert_allclose(*found)


def test_the_plateau_sets_the_number_in_it():
    rate = sg.tensor(0.1, dtype=sg.float64)
    optimizer = optim.SGD([problem()], lr=rate)
    schedule = lr_scheduler.ReduceLROnPlateau(optimizer, patience=1)
    for metric in (1.0, 1.0, 1.0, 1.0):
        schedule.step(metric)
    assert rate.item() == pytest.approx(0.01)


def test_a_compiled_step_follows_it():
    found = []
    for compiled in (True, False):
        w, rate = problem(), sg.tensor(0.1)
        optimizer = optim.SGD([w], lr=rate)

        def step(w=w, optimizer=optimizer):
            optimizer.zero_grad()
            loss = (w * w).sum()
            loss.backward()
            optimizer.step()
            return loss

        run = sg.compile(step) if compiled else step
        for i in range(6):
            run()
            rate.fill_(0.1 / (i + 2))
        found.append(w.tolist())
    assert found[0] == pytest.approx(found[1], rel=1e-6)
    schedule = lr_scheduler.StepLR(optimizer, 2)
    with pytest.raises(CaptureError, match=r"a learning rate that is a Tensor.*call its step\(\) outside"):
        sg.compile(lambda: (step(), schedule.step())[0])()


def test_its_state_is_a_copy():
    rate = sg.tensor(0.1)
    optimizer = optim.SGD([problem()], lr=rate)
    other = optim.SGD([problem()], lr=0.5)
    other.load_state_dict(optimizer.state_dict())
    rate.fill_(0.7)
    assert other.param_groups[0]["lr"].item() == pytest.approx(0.1)
    again = copy.deepcopy(optimizer)
    assert again.param_groups[0]["lr"] is not rate


def test_what_else_is_no_number_is_refused():
    with pytest.raises(ArgumentError, match=r"needs lr to be a number of 0 or more, not -1\.0"):
        optim.SGD([problem()], lr=sg.tensor(-1.0))
    with pytest.raises(ArgumentError, match="needs lr to be a number of 0 or more, not tensor"):
        optim.SGD([problem()], lr=sg.ones(2))
