"""A compiled step that moves its own learning rate, by a schedule stepped inside."""

import numpy
import pytest

import stepgrad as sg
from stepgrad import nn, optim
from stepgrad.errors import CaptureError
from stepgrad.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, ReduceLROnPlateau, StepLR

X = sg.from_numpy(numpy.random.default_rng(0).normal(size=(12, 8, 3)))
Y = X.sum(2, keepdim=True)


def made(schedule=lambda optimizer: StepLR(optimizer, 2, 0.5), schedule_first=False):
    """A training step with its model and schedule."""
    sg.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    schedule = schedule(optimizer)

    def step(x, y):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        for part in (schedule, optimizer) if schedule_first else (optimizer, schedule):
            part.step()
        return loss

    return step, model, schedule


def weights(model):
    return numpy.concatenate([p.detach().numpy().ravel() for p in model.parameters()])


@pytest.mark.parametrize("schedule_first", [False, True])
def test_the_rate_moves_as_in_eager_steps(schedule_first):
    eager, eager_model, eager_schedule = made(schedule_first=schedule_first)
    step, model, schedule = made(schedule_first=schedule_first)
    native = sg.compile(step)
    for x, y in zip(X, Y):
        numpy.testing.assert_allclose(native(x, y).item(), eager(x, y).item(), rtol=1e-12)
        assert schedule.get_last_lr() == eager_schedule.get_last_lr()
        assert schedule.optimizer.param_groups[0]["lr"] == eager_schedule.optimizer.param_groups[0]["lr"]
    numpy.testing.assert_allclose(weights(model), weights(eager_model), rtol=1e-12)
    assert schedule.last_epoch == len(X)


def test_every_step_of_a_scan_has_its_own_rate():
    one_by_one, model, schedule = made(lambda o: CosineAnnealingLR(o, 10))
    losses = [one_by_one(x, y).item() for x, y in zip(X, Y)]
    step, scanned, other = made(lambda o: CosineAnnealingLR(o, 10))
    native = sg.compile(step)
    found = [*native.scan(X[:5], Y[:5]).tolist(), *native.scan(X[5:], Y[5:]).tolist()]
    numpy.testing.assert_allclose(found, losses, rtol=1e-12)
    numpy.testing.assert_allclose(weights(scanned), weights(model), rtol=1e-12)
    assert other.state_dict() == schedule.state_dict()


def test_a_rate_that_is_set_between_calls_holds():
    step, model, schedule = made(lambda o: StepLR(o, 1000))
    native = sg.compile(step)
    for x, y in zip(X[:3], Y[:3]):
        native(x, y)
    before = weights(model)
    schedule.optimizer.param_groups[0]["lr"] = 0.0
    native(X[3], Y[3])
    assert (weights(model) == before).all()


def test_a_schedule_that_needs_a_measured_value_is_refused():
    class Step:
        def __init__(self):
            self.step, _, schedule = made(ReduceLROnPlateau)
            self.schedule = schedule

        def __call__(self, x):
            self.schedule.step(1.0)
            return x * 2

    with pytest.raises(CaptureError, match=r"ReduceLROnPlateau looks at a measured value.*outside"):
        sg.compile(Step())(X[0])


def test_a_schedule_that_moves_a_constant_is_refused_and_undone():
    class Weaker(LRScheduler):
        def lr_at(self, step, i):
            return self.base_lrs[i]

        def get_lr(self):
            self.optimizer.param_groups[0]["weight_decay"] = 0.1 * self.last_epoch
            return super().get_lr()

    step, model, schedule = made(Weaker)
    step(X[0], Y[0])
    before = weights(model), schedule.state_dict(), schedule.optimizer.param_groups[0]["weight_decay"]
    with pytest.raises(CaptureError, match="Weaker changes weight_decay, which is a constant"):
        sg.compile(step)(X[1], Y[1])
    assert (weights(model) == before[0]).all()
    assert schedule.state_dict() == before[1]
    assert schedule.optimizer.param_groups[0]["weight_decay"] == before[2]


def trained(compile, schedule=lambda optimizer: CosineAnnealingLR(optimizer, 48), target=Y, **settings):
    """A trainer whose schedule goes by batches, after three epochs of twelve batches."""
    _, model, schedule = made(schedule)
    trainer = sg.Trainer(
        model, nn.MSELoss(), schedule.optimizer, schedule=schedule, schedule_every="batch",
        compile=compile, progress=False, **settings,
    )  # fmt: skip
    return trainer, schedule


def test_a_trainer_goes_by_batches_natively():
    trainers = [trained(compile) for compile in (False, True)]
    for trainer, _ in trainers:
        trainer.fit((X.reshape(96, 3), Y.reshape(96, 1)), epochs=3, batch_size=8)
    (eager, eager_schedule), (native, schedule) = trainers
    numpy.testing.assert_allclose(weights(native.model), weights(eager.model), rtol=1e-11)
    assert schedule.state_dict() == eager_schedule.state_dict()
    assert [r["lr"] for r in native.history.epochs] == [r["lr"] for r in eager.history.epochs]
    assert native.most_steps_at_once() > 1


def test_steps_that_went_wrong_leave_the_schedule_where_it_was():
    target = Y.reshape(96, 1).numpy().copy()
    target[50] = numpy.nan
    positions = []
    for compile in (False, True):
        trainer, schedule = trained(compile)
        with pytest.raises(sg.errors.NotFiniteError, match="the target is not finite"):
            trainer.fit((X.reshape(96, 3), target), epochs=3, batch_size=8)
        positions.append((trainer.step, schedule.last_epoch, schedule.get_last_lr()))
    assert positions[0] == positions[1]
    assert positions[0][0] == positions[0][1] > 0
