"""Schedules made of schedules, and cycles: nesting, momentum, what they refuse, compiled steps."""

import math

import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.errors import ArgumentError, CaptureError
from stepgrad.optim import SGD, Adam
from stepgrad.optim.lr_scheduler import (
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    ExponentialLR,
    LinearLR,
    MultiplicativeLR,
    OneCycleLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)  # fmt: skip


def make(lr=1.0, **hyperparameters):
    return SGD([sg.zeros(1, requires_grad=True)], lr=lr, **hyperparameters)


def walked(schedule, steps):
    rates = schedule.get_last_lr()
    for _ in range(steps):
        schedule.step()
        rates += schedule.get_last_lr()
    return rates


def test_a_sequence_in_a_sequence():
    optimizer = make()
    inner = SequentialLR(optimizer, [ConstantLR(optimizer, 0.5, 9), ExponentialLR(optimizer, 0.1)], [2])
    schedule = SequentialLR(optimizer, [inner, ConstantLR(optimizer, 0.25, 9)], [4])
    assert walked(schedule, 5) == pytest.approx([0.5, 0.5, 1.0, 0.1, 0.25, 0.25])


def test_a_chain_after_something_else_begins_at_the_initial_rate():
    optimizer = make()
    chain = ChainedScheduler([ConstantLR(optimizer, 0.5, 2), ExponentialLR(optimizer, 0.1)])
    schedule = SequentialLR(optimizer, [ConstantLR(optimizer, 0.25, 9), chain], [2])
    assert walked(schedule, 5) == pytest.approx([0.25, 0.25, 0.5, 0.05, 0.01, 0.001])


def test_restarts_after_a_warm_up():
    optimizer = make()
    parts = [LinearLR(optimizer, 0.5, total_iters=2), CosineAnnealingWarmRestarts(optimizer, 2)]
    schedule = SequentialLR(optimizer, parts, [2])
    assert walked(schedule, 6) == pytest.approx([0.5, 0.75, 1.0, 0.5, 1.0, 0.5, 1.0])


@pytest.mark.parametrize("fails, message", [
    (lambda o: SequentialLR(o, [], []), "SequentialLR needs at least one schedule"),
    (lambda o: ChainedScheduler([]), "ChainedScheduler needs at least one schedule"),
    (lambda o: SequentialLR(o, [StepLR(o, 2)], [1]), r"needs 0 milestones for 1 schedules, .*, not \[1\]"),
    (lambda o: SequentialLR(o, [StepLR(o, 2)] * 3, [5, 3]), r"in rising order, not \[5, 3\]"),
    (lambda o: SequentialLR(o, [StepLR(make(), 2)], []), "schedules of one optimizer; number 0 has another"),
    (lambda o: ChainedScheduler([ReduceLROnPlateau(o)]), "number 0 is of type ReduceLROnPlateau"),
    (lambda o: OneCycleLR(o, 0.1), "needs total_steps, or both epochs and steps_per_epoch"),
    (lambda o: OneCycleLR(o, 0.1, 10), "OneCycleLR moves the momentum, and Rprop has none; use cycle_mom"),
    (lambda o: OneCycleLR(o, 0.1, 10, pct_start=2.0), r"needs pct_start to be a number in \[0, 1\]"),
    (lambda o: OneCycleLR(o, [0.1, 0.2], 10), "needs max_lr to be a number above 0, or a list of 1 of them"),
    (lambda o: CyclicLR(o, 0.1, 0.2, mode="saw"), "mode to be one of triangular, triangular2, exp_range"),
    (lambda o: CyclicLR(o, 0.1, 0.2, step_size_up=0), "needs step_size_up to be a whole number of 1 or more"),
    (lambda o: CosineAnnealingWarmRestarts(o, 0), "needs T_0 to be a whole number of 1 or more"),
    (lambda o: MultiplicativeLR(o, 3), "MultiplicativeLR needs one function, or a list of 1"),
])  # fmt: skip
def test_what_they_refuse(fails, message):
    with pytest.raises(ArgumentError, match=message):
        fails(sg.optim.Rprop([sg.zeros(1, requires_grad=True)]))


def test_one_cycle_ends():
    schedule = OneCycleLR(make(momentum=0.9), 0.1, 3)
    walked(schedule, 3)
    with pytest.raises(ArgumentError, match="was made for 3 steps, and this is step 4"):
        schedule.step()


def test_states_of_other_schedules_are_refused():
    optimizer = make()
    schedule = SequentialLR(optimizer, [StepLR(optimizer, 2), StepLR(optimizer, 3)], [4])
    with pytest.raises(ArgumentError, match="does not fit SequentialLR of 2 schedules"):
        schedule.load_state_dict(StepLR(optimizer, 3).state_dict())


OPTIMIZERS = {
    "momentum": lambda p: SGD(p, lr=0.1, momentum=0.9),
    "adam": lambda p: Adam(p, lr=0.1),
    "rmsprop": lambda p: sg.optim.RMSprop(p, momentum=0.9),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("where", ["inside", "outside"])
def test_a_compiled_step_follows_momentum_and_rate(name, where):
    ends = []
    for compiled in (False, True):
        sg.manual_seed(0)
        model = nn.Linear(3, 2).double()
        optimizer = OPTIMIZERS[name](model.parameters())
        schedule = OneCycleLR(optimizer, 0.1, 12)

        def step(x, model=model, optimizer=optimizer, schedule=schedule):
            optimizer.zero_grad()
            loss = (model(x) ** 2).mean()
            loss.backward()
            optimizer.step()
            if where == "inside":
                schedule.step()
            return loss

        run = sg.compile(step) if compiled else step
        x = sg.randn(5, 3, dtype=sg.float64)
        for _ in range(12):
            run(x)
            if where == "outside":
                schedule.step()
        assert not compiled or len(run.programs) == 1
        ends.append([*model.weight.reshape(-1).tolist(), *model.bias.tolist()])
    assert ends[1] == pytest.approx(ends[0], rel=1e-12)


def test_a_trainer_keeps_its_code_while_the_momentum_moves(caplog):
    sg.manual_seed(0)
    x = sg.randn(64, 3)
    model = nn.Linear(3, 1)
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    trainer = sg.train.Trainer(
        model, nn.MSELoss(), optimizer, schedule=OneCycleLR(optimizer, 0.1, 33), schedule_every="batch"
    )
    loader = sg.data.DataLoader(sg.data.TensorDataset(x, x.sum(1, keepdim=True)), batch_size=16)
    with caplog.at_level("INFO", "stepgrad"):
        trainer.fit(loader, epochs=8)
    assert "is compiled anew" not in caplog.text
    assert optimizer.param_groups[0]["momentum"] == pytest.approx(0.95)


def test_a_fraction_of_an_epoch_is_not_compiled():
    optimizer = make()
    schedule = CosineAnnealingWarmRestarts(optimizer, 2)
    with pytest.raises(CaptureError, match="goes to a place that a compiled step would keep for ever"):
        sg.compile(lambda: schedule.step(0.5))()
    with pytest.raises(ArgumentError, match="epoch to be a number of 0 or more, not nan"):
        schedule.step(math.nan)
