"""Native steps against eager ones: the same data, random numbers and losses, whatever happens meanwhile."""

import numpy as np
import pytest

import stepgrad as sg
from stepgrad import nn, optim
from stepgrad.data import DataLoader, RandomSampler, Subset, TensorDataset
from stepgrad.errors import ShapeError
from stepgrad.optim import lr_scheduler
from stepgrad.train import Callback, LambdaCallback
from stepgrad.train.native import rows_in_memory
from tests.train.runs import (
    assert_alike,
    bits,
    both,
    is_native,
    losses,
    plain_net,
    rich_net,
    table,
    trainer_of,
)


@pytest.mark.parametrize(
    "make_optimizer",
    [
        lambda params: optim.SGD(params, lr=0.1),
        lambda params: optim.SGD(params, lr=0.05, momentum=0.9),
        lambda params: optim.SGD(params, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
        lambda params: optim.AdamW(params, lr=0.01, weight_decay=0.1),
    ],
    ids=["plain", "momentum", "nesterov", "adamw"],
)
def test_every_optimizer_takes_native_steps(make_optimizer):
    native, eager = both(plain_net, make_optimizer)
    assert native.step == 12
    assert_alike(native, eager)


@pytest.mark.parametrize("eager_epochs, sizes", [(0, [2, 16]), (4, [2, 16]), (6, [16])])
def test_dropout_batch_norm_and_partial_batches(monkeypatch, eager_epochs, sizes):
    """The two rows that are left in an epoch are an eager step in the first epochs."""
    monkeypatch.setattr("stepgrad.train.native.REST_EPOCHS", eager_epochs)
    native, eager = both(rich_net, data=table(rows=50), fit={"epochs": 6})
    assert sorted(native._steps._compiled) == sizes
    assert_alike(native, eager, 1e-3)
    tracked = [t.model.state_dict()["1.num_batches_tracked"].item() for t in (native, eager)]
    assert tracked == [24, 24]


def test_what_is_left_of_a_large_network_is_compiled_at_once(monkeypatch):
    monkeypatch.setattr("stepgrad.train.native.SMALL", 100)
    native, eager = both(plain_net, data=table(rows=50))
    assert sorted(native._steps._compiled) == [2, 16]
    assert_alike(native, eager)


def test_a_table_smaller_than_a_batch_is_no_rest():
    native, eager = both(plain_net, data=table(rows=10))
    assert sorted(native._steps._compiled) == [10]
    assert_alike(native, eager)


class Words(nn.Module):
    """Integers and numbers → 3 classes."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(10, 5)
        self.out = nn.Linear(9, 3)

    def forward(self, codes, numbers):
        return self.out(sg.cat([self.words(codes).mean(1), numbers], 1))


def words_net():
    sg.manual_seed(0)
    return Words()


def test_embeddings_with_integer_inputs():
    x, y = table()
    codes = np.random.default_rng(1).integers(0, 10, size=(48, 3))
    assert_alike(*both(words_net, data=(codes, x, y)))


def test_rows_of_a_subset():
    x, y = table()
    chosen = Subset(Subset(TensorDataset(x, y), range(5, 45)), [*range(31), 3])
    tensors, rows = rows_in_memory(chosen)
    assert tensors[0] is x
    assert rows.tolist() == [*range(5, 36), 8]
    assert_alike(*both(plain_net, data=chosen))


def test_targets_of_regression_and_clipping():
    def run(compiled, **options):
        sg.manual_seed(0)
        net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
        optimizer = optim.SGD(net.parameters(), lr=0.1, momentum=0.5)
        trainer = sg.Trainer(net, nn.HuberLoss(), optimizer, compile=compiled, progress=False, **options)
        x, _ = table()
        trainer.fit((x, x.sum(1, keepdim=True)), epochs=4, batch_size=16)
        return trainer

    free = run(False).history["loss"]
    for options in ({"clip_norm": 0.1}, {"clip_norm": 0.2, "clip_value": 0.05}):
        native, eager = run(True, **options), run(False, **options)
        assert is_native(native)
        assert_alike(native, eager)
        assert abs(native.history["loss"][-1] - free[-1]) > 0.01


# ---------------------------------------------------------------------------- schedules, callbacks


def test_a_schedule_for_each_batch():
    rates = []

    def run(compiled):
        net = plain_net()
        optimizer = optim.Adam(net.parameters(), lr=0.02)
        schedule = lr_scheduler.CosineAnnealingLR(optimizer, 12)
        trainer = sg.Trainer(
            net, nn.CrossEntropyLoss(), optimizer, schedule=schedule, schedule_every="batch", progress=False,
            compile=compiled,
        )  # fmt: skip
        trainer.fit(table(), epochs=4, batch_size=16)
        rates.append(schedule.last_epoch)
        return trainer

    native, eager = run(True), run(False)
    assert is_native(native)
    assert rates == [12, 12]
    assert native.history["lr"] == eager.history["lr"]
    assert native.history[-1]["lr"] == pytest.approx(0, abs=1e-12)
    assert_alike(native, eager)


@pytest.mark.parametrize("by_class", [True, False])
def test_on_batch_end_is_called_once_for_each_update(by_class):
    def run(compiled):
        seen = []

        def note(trainer):
            seen.append((trainer.epoch, trainer.step, trainer.batches, round(trainer.last_loss, 4)))

        class Notes(Callback):
            def on_batch_end(self, trainer):
                note(trainer)

        callback = Notes() if by_class else LambdaCallback(on_batch_end=note)
        trainer = trainer_of(plain_net(), compile=compiled, callbacks=[callback])
        trainer.fit(table(), epochs=3, batch_size=16)
        return seen

    native = run(True)
    assert [(epoch, step, batches) for epoch, step, batches, _ in native] == [
        (i // 3, i + 1, (i % 3 + 1, 3)) for i in range(9)
    ]
    np.testing.assert_allclose([x[3] for x in native], [x[3] for x in run(False)], atol=2e-4)


def test_many_updates_are_one_call():
    x, y = table(rows=2000)
    calls = []

    class Notes(Callback):
        each_batch = False

        def on_batch_end(self, trainer):
            calls.append(trainer.step)

    trainer = trainer_of(plain_net(), callbacks=[Notes()])
    trainer.fit((x, y), epochs=3, batch_size=2)
    assert calls == sorted(set(calls))
    assert {1000, 2000, 3000} <= set(calls)
    assert len(calls) < 1000


def test_checkpoints_come_at_their_step_within_a_chunk(tmp_path):
    x, y = table(rows=40)
    trainer = trainer_of(plain_net(), checkpoint=tmp_path, checkpoint_every=7, keep=100)
    trainer.fit((x, y), epochs=2, batch_size=2)
    steps = sorted(int(path.name[5:17]) for path in tmp_path.iterdir())
    assert steps == [7, 14, 21, 28, 35, 40]


def test_stop_in_the_middle_ends_after_the_epoch():
    def stop(trainer):
        if trainer.step == 7:
            trainer.stop("enough")

    trainer = trainer_of(plain_net(), callbacks=[LambdaCallback(on_batch_end=stop)])
    history = trainer.fit(table(), epochs=9, batch_size=16)
    assert (history.stopped, trainer.step, trainer.epoch) == ("enough", 9, 3)


# -------------------------------------------------------------------------------- further fits


def test_a_second_fit_goes_on_and_uses_the_same_code():
    x, y = table()
    once = trainer_of(rich_net())
    once.fit((x, y), epochs=6, batch_size=16)
    expected = bits(once)
    trainer = trainer_of(rich_net())
    trainer.fit((x.numpy(), y.numpy()), epochs=2, batch_size=16)
    code = dict(trainer._steps._compiled)
    trainer.fit((x.numpy().copy(), y.numpy().copy()), epochs=4, batch_size=16)
    assert trainer._steps._compiled == code
    assert bits(trainer) == expected
    assert losses(trainer) == losses(once)


def test_a_second_fit_on_more_rows():
    x, y = table()
    more = table(rows=80, seed=1)
    runs = []
    for compiled in (True, False):
        trainer = trainer_of(plain_net(), compile=compiled)
        trainer.fit((x, y), epochs=2, batch_size=16)
        trainer.fit(more, epochs=2, batch_size=16)
        runs.append(trainer)
    assert_alike(*runs)


def test_data_of_another_dtype_or_more_inputs_are_compiled_anew():
    x, y = table()
    native, eager = (trainer_of(plain_net(), compile=c) for c in (True, False))
    for trainer in (native, eager):
        trainer.fit((x, y), epochs=1, batch_size=16)
        trainer.fit((x.double(), y), epochs=1, batch_size=16)
    assert_alike(native, eager)


def own_loaders():
    data = TensorDataset(*table(rows=24))
    yield DataLoader(data, batch_size=8)
    yield DataLoader(data, batch_size=8, shuffle=True, seed=3, num_workers=2)
    yield DataLoader(
        data, batch_size=10, sampler=RandomSampler(data, replacement=True, num_samples=20), seed=3
    )
    yield DataLoader(data, batch_size=4, sampler=[3, 1, 4, 1, 5, 9, 2, 6])
    yield DataLoader(data, batch_sampler=[[0, 1], [2, 9], [3], [3, 4], [5, 6], [7]])


@pytest.mark.slow
def test_loaders_of_ones_own_train_natively():
    for first, second in zip(own_loaders(), own_loaders()):
        native, eager = trainer_of(plain_net()), trainer_of(plain_net(), compile=False)
        native.fit(first, epochs=2)
        eager.fit(second, epochs=2)
        assert is_native(native)
        assert_alike(native, eager, 1e-3)


def test_the_shape_error_of_a_step_changes_nothing():
    x, y = table()
    trainer = trainer_of(rich_net())
    before = bits(trainer)
    with pytest.raises(ShapeError, match=r"\[16, 3\].*0: Linear\(in_features=4, out_features=4"):
        trainer.fit((x[:, :3], y), epochs=1, batch_size=16)
    assert bits(trainer) == before
