"""`Trainer`: what it takes, counts, records and refuses."""

import numpy as np
import pytest

import stepgrad as sg
from stepgrad import nn, optim
from stepgrad.data import DataLoader, IterableDataset, TensorDataset
from stepgrad.errors import (
    ArgumentError,
    DataError,
    DeviceError,
    DtypeError,
    ShapeError,
    StepgradError,
)
from stepgrad.optim import lr_scheduler
from stepgrad.train import History, LambdaCallback
from tests.train.runs import Noisy, Samples, bits, eager, losses, plain_net, rich_net, table, trainer_of

X, Y = table(rows=26)
VALIDATION = table(rows=10, seed=1)


class Stream(IterableDataset):
    def __iter__(self):
        yield from zip(X, Y)


# -------------------------------------------------------------------------------- what it takes


@pytest.mark.parametrize(
    "data",
    [(X, Y), (X.numpy(), Y.numpy()), [X, Y.numpy()], TensorDataset(X, Y), Samples(X, Y), list(zip(X, Y))],
    ids=["tensors", "arrays", "list", "TensorDataset", "Dataset", "samples"],
)
def test_the_same_data_in_many_forms(data):
    trainer = eager(rich_net)
    history = trainer.fit(data, data, epochs=2, batch_size=8)
    expected = eager(rich_net)
    expected.fit((X, Y), (X, Y), epochs=2, batch_size=8)
    assert bits(trainer) == bits(expected)
    assert losses(trainer) == losses(expected)
    assert isinstance(history, History)


def test_an_iterable_dataset_comes_in_its_own_order():
    trainer, expected = eager(), eager()
    trainer.fit(Stream(), epochs=2, batch_size=10)
    expected.fit(DataLoader(TensorDataset(X, Y), batch_size=10), epochs=2)
    assert bits(trainer) == bits(expected)
    assert trainer.batches == (0, None)
    assert expected.batches == (0, 3)


def test_the_number_of_workers_does_not_matter():
    found = []
    for workers in (0, 1, 4):
        trainer = eager(rich_net)
        trainer.fit(Noisy(X, Y), VALIDATION, epochs=2, batch_size=8, num_workers=workers)
        found.append((bits(trainer), losses(trainer)))
        assert trainer._loader._pool is None or trainer._loader._pool.closed
    assert found[0] == found[1] == found[2]


def test_workers_and_a_sampler_of_ones_own():
    found = []
    for workers in (0, 1):
        loader = DataLoader(Noisy(X, Y), 6, sampler=[*range(20), 3, 3, 3, 3], num_workers=workers, seed=4)
        trainer = eager(rich_net)
        trainer.fit(loader, DataLoader(Noisy(X, Y), 26, seed=5), epochs=1)
        found.append((bits(trainer), losses(trainer)))
    assert found[0] == found[1]
    assert found[0][1][-1]["step"] == 4


def test_workers_of_data_in_memory_give_the_bits_of_none():
    found = []
    for workers in (0, 2):
        trainer = trainer_of(plain_net())
        trainer.fit((X[:24], Y[:24]), epochs=2, batch_size=8, num_workers=workers)
        found.append(bits(trainer))
    assert found[0] == found[1]


class Sum(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 3), nn.Linear(2, 3)

    def forward(self, x, z):
        return self.a(x) + self.b(z)


def test_several_inputs():
    z = sg.randn(26, 2)
    sg.manual_seed(0)
    trainer = trainer_of(Sum(), compile=False)
    trainer.fit((X, z, Y), (X, z, Y), epochs=2)
    assert trainer.predict((X, z)).shape == (26, 3)
    assert trainer.evaluate((X, z, Y))["loss"] == pytest.approx(trainer.history[-1]["validation_loss"])


# --------------------------------------------------------------------------- counts and history


def test_the_loss_of_an_epoch_is_the_mean_over_its_rows():
    net = plain_net()
    trainer = trainer_of(net, lambda params: optim.SGD(params, lr=0.0), compile=False)
    history = trainer.fit((X, Y), (X, Y), epochs=1, batch_size=7)  # 7, 7, 7 and 5 rows
    whole = nn.CrossEntropyLoss()(net(X), Y).item()
    assert history[0]["loss"] == pytest.approx(whole, rel=1e-6)
    assert trainer.evaluate((X, Y), batch_size=7)["loss"] == pytest.approx(whole, rel=1e-6)
    assert history[0]["validation_loss"] == pytest.approx(whole, rel=1e-6)


@pytest.mark.parametrize("batch_size, updates", [(1, 6000), (7, 1000), (30, 200), (100, 200)])
def test_updates_are_counted(batch_size, updates):
    x, y = table(rows=30)
    trainer = trainer_of(plain_net(), lambda params: optim.SGD(params, lr=0.001))
    history = trainer.fit((x, y), epochs=200, batch_size=batch_size)
    assert trainer.step == history[-1]["step"] == updates
    assert trainer.epoch == len(history) == 200


def test_drop_last():
    trainer = eager()
    trainer.fit((X, Y), epochs=3, batch_size=10, drop_last=True)
    assert trainer.step == 6


def test_what_the_history_holds():
    trainer = eager(metrics=["accuracy", "f1"])
    history = trainer.fit((X, Y), VALIDATION, epochs=3, batch_size=10)
    assert [list(epoch) for epoch in history] == [
        ["epoch", "step", "loss", "validation_loss", "validation_accuracy", "validation_f1", "lr", "seconds"]
    ] * 3
    assert history["epoch"] == [1, 2, 3]
    assert history["step"] == [3, 6, 9]
    assert history["lr"] == [0.01] * 3
    assert all(seconds > 0 for seconds in history["seconds"])
    assert history.stopped == "all 3 epochs done"
    assert history.best_epoch == 1 + int(np.argmin(history["validation_loss"]))
    assert history["loss"][2] < history["loss"][0]
    assert "validation_loss" not in eager().fit((X, Y), epochs=1)[0]


def test_no_epochs():
    trainer = eager()
    before = bits(trainer)
    history = trainer.fit((X, Y), epochs=0)
    assert (len(history), history.stopped, history.best_epoch) == (0, "all 0 epochs done", 0)
    assert bits(trainer) == before


def test_a_second_fit_goes_on():
    once = eager(rich_net)
    once.fit((X, Y), VALIDATION, epochs=4, batch_size=8)
    expected = bits(once)
    twice = eager(rich_net)
    twice.fit((X, Y), VALIDATION, epochs=1, batch_size=8)
    twice.fit((X, Y), VALIDATION, epochs=3, batch_size=8)
    assert bits(twice) == expected
    assert losses(once) == losses(twice)
    assert twice.history.stopped == "all 4 epochs done"


# -------------------------------------------------------------------------------- how it ends


def scripted(values, **options):
    """Train with a metric that has these values, one after the other."""
    waiting = iter(values)
    kept = []
    trainer = eager(
        metrics={"told": lambda outputs, targets: next(waiting)},
        callbacks=[LambdaCallback(on_epoch_end=lambda t: kept.append(bits(t)[0]))],
    )
    history = trainer.fit((X, Y), VALIDATION, epochs=len(values), monitor="validation_told", **options)
    return trainer, history, kept


def test_patience_and_the_best_weights():
    trainer, history, kept = scripted([0.1, 0.5, 0.3, 0.4, 0.9], patience=2)
    assert history.stopped == "no improvement for 2 epochs"
    assert (len(history), history.best_epoch) == (4, 2)
    assert bits(trainer)[0] == kept[1]


def test_without_patience_the_last_weights_stay():
    trainer, history, kept = scripted([0.9, 0.5, 0.3])
    assert history.best_epoch == 1
    assert bits(trainer)[0] == kept[-1]


def test_min_delta_and_tolerance():
    assert scripted([0.1, 0.15, 0.19, 0.5], patience=2, min_delta=0.1)[1].best_epoch == 1
    _, history, _ = scripted([0.1, 0.5, 0.95, 0.99], tolerance=0.9)
    assert (len(history), history.stopped) == (3, "above the tolerance 0.9")
    history = eager().fit((X, Y), epochs=50, tolerance=0.8)
    assert history.stopped == "below the tolerance 0.8"
    assert history[-1]["loss"] < 0.8 <= history[-2]["loss"]


def test_the_default_monitor():
    history = eager().fit((X, Y), (X, 2 - Y), epochs=30, patience=1)
    assert history["validation_loss"][-1] >= history["validation_loss"][-2]
    assert len(eager().fit((X, Y), epochs=5, patience=1)) == 5


# ----------------------------------------------------------------- schedules, clipping, metrics


def rates(schedule_of, make_optimizer=optim.SGD, validation=None, metrics=None, monitor=None, **options):
    net = plain_net()
    optimizer = make_optimizer(net.parameters(), lr=1.0)
    trainer = sg.Trainer(
        net, nn.CrossEntropyLoss(), optimizer, schedule=schedule_of(optimizer), progress=False, compile=False,
        metrics=metrics, **options,
    )  # fmt: skip
    return trainer.fit((X, Y), validation, epochs=4, batch_size=10, monitor=monitor)["lr"]


def test_a_schedule_is_stepped_after_each_epoch_or_update():
    assert rates(lambda o: lr_scheduler.StepLR(o, 1, 0.5)) == [1, 0.5, 0.25, 0.125]
    by_batch = rates(lambda o: lr_scheduler.StepLR(o, 3, 0.5), schedule_every="batch")
    assert by_batch == [0.5, 0.25, 0.125, 0.0625]


def test_a_plateau_looks_at_the_monitored_value():
    told = iter([0.5, 0.6, 0.6, 0.6])
    found = rates(
        lambda o: lr_scheduler.ReduceLROnPlateau(o, mode="max", patience=0, factor=0.1),
        validation=VALIDATION, metrics={"told": lambda outputs, targets: next(told)},
        monitor="validation_told",
    )  # fmt: skip
    assert found == pytest.approx([1, 1, 1, 0.1])
    with pytest.raises(ArgumentError, match="ReduceLROnPlateau looks at a value of each epoch"):
        rates(lr_scheduler.ReduceLROnPlateau, schedule_every="batch")


def test_clipping_bounds_the_gradients():
    def largest(**options):
        found = []

        def note(trainer):
            grads = np.concatenate([p.grad.numpy().ravel() for p in trainer.model.parameters()])
            found.append((np.linalg.norm(grads), abs(grads).max()))

        callbacks = [LambdaCallback(on_batch_end=note)]
        eager(callbacks=callbacks, **options).fit((X, Y), epochs=1, batch_size=10)
        return np.max(found, axis=0)

    norm, element = largest()
    assert norm > 0.2
    assert element > 0.05
    assert largest(clip_norm=0.1)[0] == pytest.approx(0.1, rel=1e-4)
    assert largest(clip_value=0.02)[1] == pytest.approx(0.02)
    assert largest(clip_value=0.05, clip_norm=0.07)[0] == pytest.approx(0.07, rel=1e-4)


# ----------------------------------------------------------------------------------- bad input


def problem(kind, match, data=(X, Y), compiled=(True, False), **options):
    """The message is the same natively and eagerly, and nothing changed."""
    for choice in compiled:
        trainer = trainer_of(plain_net(), compile=choice)
        before = bits(trainer)
        with pytest.raises(kind, match=match):
            trainer.fit(data, **options)
        assert bits(trainer) == before


def test_shapes_that_do_not_fit():
    place = r"This was in epoch 1, batch 1 \(step 1\)\."
    problem(
        ShapeError,
        rf"\[26, 3\] \(weight \[8, 4\]\)\. \(in 0: Linear\(in_features=4.*\)\)\. {place}",
        (X[:, :3], Y),
    )
    problem(ShapeError, rf"cross_entropy .*\[26, 3\].*\[26, 2\].*{place}", (X, sg.zeros(26, 2)))
    problem(
        ShapeError, r"TensorDataset needs tensors of the same first size.*\(26, 4\), \(24,\)", (X, Y[:24])
    )
    problem(DataError, r"a batch is \(inputs…, target\), but the data give a single tensor", (X,))
    problem(DataError, r"a batch is a tuple \(inputs…, target\), not a dict with 'x', 'y'; .* collate_fn",
            [{"x": a, "y": b} for a, b in zip(X, Y)])  # fmt: skip


def test_dtypes_that_do_not_fit():
    problem((DtypeError, ShapeError), r"This was in epoch 1", (X, Y.float()))
    with pytest.raises(DtypeError):
        eager().fit((np.array([["a", "b", "c", "d"]] * 3), np.zeros(3, "int64")))


def test_devices_that_are_not_there():
    with pytest.raises(DeviceError, match="there is no device 'gpu'"):
        eager(device="gpu")
    trainer = eager(device="cuda")
    before = bits(trainer)
    with pytest.raises(DeviceError):
        trainer.fit((X, Y))
    assert bits(trainer) == before
    assert not sg.cuda.is_available() or trainer.step


def test_a_loss_that_is_no_number():
    net = plain_net()
    for loss, what in (
        (nn.CrossEntropyLoss(reduction="none"), r"of shape \[26\]"),
        (lambda y, t: 3.0, "a float"),
    ):
        for choice in (True, False):
            trainer = sg.Trainer(net, loss, optim.SGD(net.parameters()), progress=False, compile=choice)
            with pytest.raises(
                ShapeError, match=f"the loss must be a tensor of one number, not {what}; reduce it"
            ):
                trainer.fit((X, Y))
    one = sg.Trainer(
        net, lambda y, t: nn.functional.cross_entropy(y, t).reshape(1), optim.SGD(net.parameters()),
        progress=False, compile=False,
    )  # fmt: skip
    assert len(one.fit((X, Y), (X, Y), epochs=1)) == 1


@pytest.mark.parametrize(
    "options, match",
    [
        ({"epochs": -1}, "epochs is a whole number of at least 0, not -1"),
        ({"epochs": 2.5}, "epochs is a whole number of at least 0, not 2.5"),
        ({"batch_size": 0}, "batch_size"),
        ({"patience": 0}, "patience counts epochs, at least 1, not 0"),
        ({"min_delta": -1.0}, "min_delta is at least 0"),
        ({"num_workers": -1}, "num_workers"),
        ({"monitor": "los"}, "monitor is one of loss; not 'los'. Did you mean 'loss'?"),
        ({"monitor": "validation_loss"}, "monitor is one of loss; not 'validation_loss'."),
        ({"resume": True}, "resume=True needs a Trainer with checkpoint='folder'"),
    ],
)
def test_arguments_of_fit_out_of_range(options, match):
    import re

    problem(ArgumentError, re.escape(match), compiled=[False], **options)


def test_a_monitor_that_is_not_there():
    trainer = eager(metrics=["accuracy"])
    known = "one of loss, validation_loss, validation_accuracy"
    match = rf"{known}; not 'accuracy'\. Did you mean 'validation_accuracy'\?"
    with pytest.raises(ArgumentError, match=match):
        trainer.fit((X, Y), VALIDATION, monitor="accuracy")


@pytest.mark.parametrize(
    "options, match",
    [
        ({"metrics": ["acuracy"]}, r"no metric 'acuracy'; known: .* Did you mean 'accuracy'"),
        ({"schedule_every": "step"}, "schedule_every is 'epoch' or 'batch', not 'step'"),
        (
            {"checkpoint_every": 3},
            "checkpoint_every counts updates, at least 1, and needs a checkpoint folder",
        ),
        ({"checkpoint_every": 0, "checkpoint": "c"}, "checkpoint_every counts updates, at least 1"),
        ({"keep": 0}, "keep counts checkpoints, at least 1, not 0"),
        ({"device": 3}, "there is no device '3'"),
    ],
)
def test_arguments_out_of_range(options, match):
    with pytest.raises(StepgradError, match=match):
        eager(**options)


def test_parts_of_another_kind():
    net = plain_net()
    optimizer = optim.SGD(net.parameters())
    with pytest.raises(ArgumentError, match="Trainer takes a Module to train, not a function"):
        sg.Trainer(lambda x: x, nn.MSELoss(), optimizer)
    for loss in ("mse", nn.MSELoss):
        with pytest.raises(ArgumentError, match=r"Trainer takes a loss such as stepgrad.nn.MSELoss\(\), not"):
            sg.Trainer(net, loss, optimizer)
    with pytest.raises(
        ArgumentError, match=r"an optimizer such as stepgrad.optim.Adam\(model.parameters\(\)\), not 'adam'"
    ):
        sg.Trainer(net, nn.MSELoss(), "adam")
    with pytest.raises(ArgumentError, match="this Trainer has no checkpoint folder"):
        eager().save_checkpoint()


def test_an_optimizer_of_another_model_is_refused():
    model, other = nn.Linear(2, 1), nn.Linear(2, 1)
    with pytest.raises(ArgumentError, match="the optimizer has none of the parameters of the model"):
        sg.Trainer(model, nn.MSELoss(), sg.optim.Adam(other.parameters()))


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"clip_norm": -1.0}, "clip_norm is a number above 0, or None, not -1.0"),
        ({"clip_norm": "a"}, "clip_norm is a number above 0, or None, not 'a'"),
        ({"clip_value": 0}, "clip_value is a number above 0, or None, not 0"),
        ({"schedule": "cosine"}, r"schedule is one of stepgrad.optim.lr_scheduler, such as .* not 'cosine'"),
    ],
)
def test_settings_are_looked_at_when_it_is_made(settings, message):
    model = nn.Linear(2, 1)
    with pytest.raises(ArgumentError, match=message):
        sg.Trainer(model, nn.MSELoss(), sg.optim.Adam(model.parameters()), **settings)


def test_validation_data_without_rows_are_refused_at_once():
    model = nn.Linear(2, 1)
    trainer = sg.Trainer(model, nn.MSELoss(), sg.optim.Adam(model.parameters()), progress=False)
    with pytest.raises(DataError, match="the validation data have no rows"):
        trainer.fit((sg.zeros(4, 2), sg.zeros(4, 1)), (sg.zeros(0, 2), sg.zeros(0, 1)), epochs=1)
    assert trainer.step == 0


def test_accuracy_of_numbers_is_refused():
    with pytest.raises(ArgumentError, match="accuracy compares classes"):
        sg.train.metrics.accuracy([0.5, 1.5], [0.5, 1.0])
