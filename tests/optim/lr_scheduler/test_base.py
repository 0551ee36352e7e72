import pytest

import stepgrad as sg
from stepgrad.errors import ArgumentError
from stepgrad.optim import SGD, lr_scheduler
from stepgrad.optim.lr_scheduler import (
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    StepLR,
)


def make(lr=1.0):
    return SGD([sg.zeros(1, requires_grad=True)], lr=lr)


def test_several_schedules_multiply():
    optimizer = make()
    schedules = [
        LinearLR(optimizer, 0.5, total_iters=2),
        ExponentialLR(optimizer, 0.5),
        StepLR(optimizer, 2, 0.1),
    ]
    rates = [optimizer.param_groups[0]["lr"]]
    for _ in range(4):
        for schedule in schedules:
            schedule.step()
        rates.append(optimizer.param_groups[0]["lr"])
    linear, step = [0.5, 0.75, 1, 1, 1], [1, 1, 0.1, 0.1, 0.01]
    assert rates == pytest.approx([a * 0.5**t * b for t, (a, b) in enumerate(zip(linear, step))], rel=1e-14)


def test_a_rate_changed_by_hand_is_taken_up():
    optimizer = make()
    schedule = ExponentialLR(optimizer, 0.5)
    schedule.step()
    optimizer.param_groups[0]["lr"] = 8.0
    schedule.step()
    assert schedule.get_last_lr() == [4.0]


def test_beside_another_schedule_the_cosine_rises_again_from_zero():
    optimizer = make()
    cosine, other = CosineAnnealingLR(optimizer, 2), ExponentialLR(optimizer, 0.5)
    rates = []
    for _ in range(4):
        cosine.step()
        other.step()
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([0.25, 0.0, 0.25, 0.25], abs=1e-15)


def test_an_unscheduled_rate_has_no_rounding_errors():
    optimizer = make(0.1)
    schedule = CosineAnnealingLR(optimizer, 100)
    for _ in range(100):
        schedule.step()
    assert schedule.get_last_lr() == [0.0]


@pytest.mark.parametrize(
    "make_schedule",
    [
        lambda o: StepLR(o, 3, 0.5),
        lambda o: CosineAnnealingLR(o, 7, 0.01),
        lambda o: LambdaLR(o, lambda t: 0.9**t),
    ],
)
def test_a_run_goes_on_from_a_state(make_schedule):
    optimizer = make()
    schedule = make_schedule(optimizer)
    for _ in range(4):
        schedule.step()
    other = make(5.0)
    resumed = make_schedule(other)
    resumed.load_state_dict(schedule.state_dict())
    other.load_state_dict(optimizer.state_dict())
    for _ in range(4):
        schedule.step()
        resumed.step()
        assert resumed.get_last_lr() == schedule.get_last_lr()
        assert other.param_groups[0]["lr"] == optimizer.param_groups[0]["lr"]


def test_a_run_goes_on_from_last_epoch():
    optimizer = make()
    schedule = StepLR(optimizer, 3, 0.5)
    for _ in range(4):
        schedule.step()
    other = make()
    other.load_state_dict(optimizer.state_dict())
    resumed = StepLR(other, 3, 0.5, last_epoch=4)
    assert resumed.last_epoch == 5
    for _ in range(2):
        schedule.step()
    resumed.step()
    assert resumed.get_last_lr() == schedule.get_last_lr() == [0.25]
    with pytest.raises(
        ArgumentError, match=r"group 0 of the optimizer has no 'initial_lr'. Load the optimizer's state"
    ):
        StepLR(make(), 3, last_epoch=4)


def test_the_state_is_plain_and_a_copy():
    schedule = lr_scheduler.MultiStepLR(make(), [2, 4])
    state = schedule.state_dict()
    assert state == {
        "milestones": [2, 4],
        "gamma": 0.1,
        "base_lrs": [1.0],
        "last_epoch": 0,
        "_last_lr": [1.0],
    }
    schedule.load_state_dict(state)
    state["milestones"].append(6)
    state["base_lrs"][0] = 7.0
    assert (schedule.milestones, schedule.base_lrs) == ([2, 4], [1.0])


def test_the_state_of_another_schedule_is_refused():
    schedule = StepLR(make(), 3)
    with pytest.raises(ArgumentError, match=r"does not fit StepLR: it lacks \['step_size'\]"):
        schedule.load_state_dict(ExponentialLR(make(), 0.5).state_dict())
    assert schedule.gamma == 0.1


def test_a_group_added_later_goes_along():
    optimizer = make()
    schedule = StepLR(optimizer, 2, 0.5)
    schedule.step()
    optimizer.add_param_group({"params": [sg.zeros(2, requires_grad=True)], "lr": 0.8})
    schedule.step()
    assert schedule.get_last_lr() == [0.5, 0.4]
    by_function = LambdaLR(make(), lambda t: 1.0)
    by_function.optimizer.add_param_group({"params": [sg.zeros(2, requires_grad=True)]})
    with pytest.raises(ArgumentError, match="knows the functions of 1 groups, and group 1 was added"):
        by_function.step()


def test_get_lr_may_be_overridden_as_in_pytorch():
    class Halving(LRScheduler):
        def get_lr(self):
            return [base * 0.5**self.last_epoch for base in self.base_lrs]

    schedule = Halving(make())
    schedule.step()
    assert schedule.get_last_lr() == [0.5]


def test_what_is_wrong_is_named():
    class Empty(LRScheduler):
        pass

    with pytest.raises(ArgumentError, match=r"Empty has no rule: define lr_at\(step, i\) or get_lr\(\)."):
        Empty(make())
    with pytest.raises(ArgumentError, match=r"StepLR takes an optimizer, not list."):
        StepLR([], 3)
    with pytest.raises(ArgumentError, match=r"LambdaLR takes an optimizer, not float."):
        LambdaLR(0.1, lambda t: 1.0)
    with pytest.raises(
        ArgumentError, match=r"StepLR needs last_epoch to be a whole number of −1 or more, not -2."
    ):
        StepLR(make(), 3, last_epoch=-2)
