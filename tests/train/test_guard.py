"""A step that goes wrong changes nothing, and the message names where it was and what is to blame."""

import math
import re
from functools import cache

import numpy as np
import pytest

import stepgrad as sg
from stepgrad import nn, optim
from stepgrad.autograd.snapshot import Snapshot, all_finite
from stepgrad.data import DataLoader, TensorDataset
from stepgrad.errors import ArgumentError, IndexShapeError, NotFiniteError, StepgradError
from stepgrad.train import LambdaCallback
from tests.train.runs import bits, plain_net, rich_net, table, trainer_of

native_and_eager = pytest.mark.parametrize("compiled", [True, False], ids=["native", "eager"])


def test_all_finite():
    for dtype in ("float16", "float32", "float64"):
        good = np.array([[1, -2], [3, np.finfo(dtype).max]], dtype)
        for x in (good, good.T, good[:0], good[0, 0, None], np.full(300, np.finfo(dtype).max, dtype)):
            assert all_finite(x)
        for bad in (np.nan, np.inf, -np.inf):
            assert not all_finite(np.array([1.0, bad], dtype))
            assert not all_finite(np.array(bad, dtype))
            large = np.ones((100, 100), dtype)
            assert all_finite(large)
            large[70, 3] = bad
            assert not all_finite(large)
            assert not all_finite(large.T[3::2])
    assert all_finite(np.array([7]))


def test_a_snapshot_tells_what_was_spoiled_and_puts_it_back():
    a, b, c = (sg.tensor([1.0, float(x)]) for x in (2, "inf", 3))
    sg.manual_seed(4)
    before = Snapshot([a, b, c])
    sg.rand(3)
    for t in (a, b):
        t._array[...] = np.nan
    assert before.spoiled() == [a]
    assert before.spoiled([b, c]) == []
    before.restore()
    assert a.tolist() == [1, 2]
    assert b.tolist() == [1, float("inf")]
    state = sg.get_rng_state()
    sg.manual_seed(4)
    assert state == sg.get_rng_state()


@cache
def bits_of_each_step(compiled):
    """The bits before each step of a run on sound data."""
    trainer = trainer_of(rich_net(), compile=compiled)
    found = [bits(trainer)]
    trainer.callbacks.append(LambdaCallback(on_batch_end=lambda t: found.append(bits(t))))
    trainer.fit(table(rows=50), epochs=1, batch_size=4)
    return found


def bits_at(step, compiled):
    return bits_of_each_step(compiled)[step]


def order_of_rows(trainer_seed, epoch, rows):
    """The rows in the order in which an epoch visits them."""
    loader = DataLoader(TensorDataset(np.arange(rows)), batch_size=1, shuffle=True, seed=trainer_seed)
    loader.set_epoch(epoch)
    return [int(x.item()) for (x,) in loader]


# The step (from 0) in which a row with a NaN comes: the first of all, in the middle
# and at the end of a native call, in a batch of another size.
@native_and_eager
@pytest.mark.parametrize("step", [0, 5, 11, 12])
def test_a_nan_in_a_row_of_the_data(compiled, step):
    x, y = table(rows=50)
    row = order_of_rows(0, 0, 50)[4 * step]
    spoiled = x.numpy().copy()
    spoiled[row, 2] = np.nan
    trainer = trainer_of(rich_net(), compile=compiled)
    with pytest.raises(NotFiniteError) as caught:
        trainer.fit((spoiled, y), epochs=3, batch_size=4)
    message = str(caught.value)
    assert message.startswith(f"the loss is nan in epoch 1, batch {step + 1} (step {step + 1}): the input is")
    place = f"in row {row} of the data" if compiled else "in row 0 of the batch"
    assert f"is not finite {place}. The weights are as they were before this step." in message
    assert trainer.step == step
    assert trainer.batches == (step, 13)
    assert bits(trainer) == bits_at(step, compiled)
    assert trainer._rows == 4 * step
    assert all(p.grad is None for p in trainer.model.parameters())


@native_and_eager
def test_the_target_of_a_later_epoch_is_not_finite(compiled):
    sg.manual_seed(0)
    net = nn.Linear(4, 1)
    x, _ = table(rows=20)
    y = x.sum(1, keepdim=True)

    def spoil(trainer):
        if trainer.epoch == 1:
            y._array[7] = np.inf

    trainer = sg.Trainer(
        net, nn.MSELoss(), optim.SGD(net.parameters(), lr=0.01), compile=compiled, progress=False,
        callbacks=[LambdaCallback(on_epoch_end=spoil)],
    )  # fmt: skip
    number = order_of_rows(0, 1, 20).index(7) // 5
    with pytest.raises(
        NotFiniteError, match=rf"epoch 2, batch {number + 1} \(step {5 + number}\): the target"
    ):
        trainer.fit((x, y), epochs=3, batch_size=5)
    assert (trainer.epoch, trainer.step) == (1, 4 + number)


@native_and_eager
@pytest.mark.parametrize("make", [optim.SGD, optim.Adam])
def test_a_huge_learning_rate(compiled, make):
    net = plain_net()
    trainer = trainer_of(net, lambda params: make(params, lr=3e38), compile=compiled)
    seen = []
    trainer.callbacks.append(LambdaCallback(on_batch_end=lambda t: seen.append(bits(t))))
    before = bits(trainer)
    with pytest.raises(NotFiniteError, match="Usual ways out: a lower learning rate") as caught:
        trainer.fit(table(), epochs=3, batch_size=8)
    assert f"(step {trainer.step + 1})" in str(caught.value)
    assert bits(trainer) == (seen[-1] if seen else before)
    assert all(all_finite(p._array) for p in net.parameters())


@native_and_eager
def test_an_update_that_overflows_is_not_made(compiled):
    sg.manual_seed(0)
    net = nn.Linear(2, 1)
    trainer = sg.Trainer(
        net, nn.MSELoss(), optim.SGD(net.parameters(), lr=1e35), compile=compiled, progress=False
    )
    before = bits(trainer)
    with pytest.raises(NotFiniteError) as caught:
        trainer.fit((np.full((8, 2), 1e4, "float32"), np.zeros((8, 1), "float32")), epochs=2, batch_size=4)
    assert str(caught.value).startswith(
        "the update makes the parameter weight infinite (its gradient reaches "
    )
    assert "the learning rate is 1e+35) in epoch 1, batch 1 (step 1)" in str(caught.value)
    assert bits(trainer) == before


class SquareRoots(nn.Module):
    """√|w x|: its derivative at 0 is infinite, its value is not."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(2, 1, bias=False)

    def forward(self, x):
        return (self.inner(x) ** 2).sqrt()


@native_and_eager
def test_a_nan_gradient_of_a_finite_loss(compiled):
    x = np.random.default_rng(0).normal(size=(12, 2)).astype("float32")
    row = order_of_rows(0, 0, 12)[7]
    x[row] = 0
    sg.manual_seed(0)
    net = SquareRoots()
    trainer = sg.Trainer(net, nn.MSELoss(), optim.Adam(net.parameters()), compile=compiled, progress=False)
    clean = []
    if not compiled:
        trainer.callbacks.append(LambdaCallback(on_batch_end=lambda t: clean.append(bits(t))))
    with pytest.raises(NotFiniteError) as caught:
        trainer.fit((x, np.ones((12, 1), "float32")), epochs=2, batch_size=2)
    assert str(caught.value).startswith(
        "a gradient is not finite in epoch 1, batch 4 (step 4): the first such value comes from the "
        "operation "
    )
    assert " of the backward pass (its input" in str(caught.value)
    assert caught.value.origin.phase == "backward"
    assert trainer.step == 3
    if clean:
        assert bits(trainer) == clean[-1]


@native_and_eager
def test_the_operation_and_its_module_are_named(compiled):
    class Logarithm(nn.Module):
        def forward(self, x):
            return x.log()

    sg.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.Identity(), Logarithm()), nn.Linear(4, 3))
    trainer = trainer_of(net, compile=compiled)
    with pytest.raises(NotFiniteError) as caught:
        trainer.fit(table(), epochs=1)
    assert re.search(
        r"\(step 1\): the first such value comes from the operation log in 1\.1 "
        r"\(its input: float32\[32, 4\], -[\d.]+ … [\d.]+\)\. The weights",
        str(caught.value),
    )
    origin = caught.value.origin
    assert (origin.op, origin.module, origin.phase) == ("log", "1.1", "forward")
    assert math.isnan(origin.value)


@native_and_eager
@pytest.mark.parametrize("clip", [{"clip_norm": 1.0}, {"clip_value": 0.5}])
def test_clipping_hides_no_nan(compiled, clip):
    sg.manual_seed(0)
    net = SquareRoots()
    trainer = sg.Trainer(
        net, nn.MSELoss(), optim.SGD(net.parameters()), compile=compiled, progress=False, **clip
    )
    before = bits(trainer)
    with pytest.raises(NotFiniteError, match=r"a gradient is not finite in epoch 1, batch 1"):
        trainer.fit((np.zeros((4, 2), "float32"), np.ones((4, 1), "float32")), epochs=1)
    assert bits(trainer) == before


@native_and_eager
@pytest.mark.parametrize("step", [0, 7])
def test_a_label_out_of_range(compiled, step):
    x, y = table(rows=50)
    labels = y.numpy().copy()
    labels[order_of_rows(0, 0, 50)[4 * step + 1]] = 7
    trainer = trainer_of(rich_net(), compile=compiled)
    with pytest.raises(StepgradError) as caught:
        trainer.fit((x, labels), epochs=1, batch_size=4)
    assert isinstance(caught.value, (IndexShapeError, ArgumentError))
    assert "cross_entropy has 3 classes, numbered from 0; the target contains 7." in str(caught.value)
    assert f"This was in epoch 1, batch {step + 1} (step {step + 1})." in str(caught.value)
    assert trainer.step == step
    assert bits(trainer) == bits_at(step, compiled)


@native_and_eager
def test_an_embedding_index_out_of_range(compiled):
    sg.manual_seed(0)
    net = nn.Sequential(nn.Embedding(5, 4), nn.Flatten(), nn.Linear(8, 3))
    codes = np.zeros((20, 2), "int64")
    codes[order_of_rows(0, 0, 20)[13], 1] = 5
    trainer = trainer_of(net, compile=compiled)
    with pytest.raises(StepgradError, match=r"5.*batch 4 \(step 4\)"):
        trainer.fit((codes, np.zeros(20, "int64")), epochs=1, batch_size=4)
    assert trainer.step == 3


def test_training_goes_on_after_an_error():
    x, y = table(rows=20)
    spoiled = x.numpy().copy()
    spoiled[3] = np.nan
    trainer = trainer_of(rich_net())
    trainer.fit((x, y), epochs=1, batch_size=4)
    with pytest.raises(NotFiniteError):
        trainer.fit((spoiled, y), epochs=1, batch_size=4)
    steps = trainer.step
    trainer.fit((x, y), epochs=1, batch_size=4)
    assert trainer.step == steps + 5
    assert trainer.epoch == 2
    assert trainer.history[-1]["loss"] < 2


class Doubles(nn.Module):
    """Replaces a buffer in each step, so that it is infinite after 128."""

    def __init__(self):
        super().__init__()
        self.register_buffer("scale", sg.tensor(2.0**120))
        self.inner = nn.Linear(4, 3)

    def forward(self, x):
        if self.training:
            self.scale = self.scale * 2
        return self.inner(x) + 0 * self.scale.clamp(max=1.0)


@pytest.mark.filterwarnings("ignore:training runs eagerly")
def test_a_buffer_that_becomes_infinite():
    sg.manual_seed(0)
    trainer = trainer_of(Doubles())
    with pytest.raises(
        NotFiniteError, match=r"the step makes the buffer scale infinite in epoch 1, batch 8 \(step 8\)"
    ):
        trainer.fit(table(), epochs=1, batch_size=4)
    assert trainer.model.scale.item() == 2.0**127
    assert trainer.step == 7
