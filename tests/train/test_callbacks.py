"""Callbacks: when they are called, what they may do, and what is told of a run."""

import io
import json
import os
import re
import subprocess
import sys
import textwrap
from itertools import pairwise

import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.errors import ArgumentError, FileError
from stepgrad.train import Callback, EpochLog, History, LambdaCallback, Progress
from tests.train.runs import plain_net, table, trainer_of

EVENTS = [name for name in vars(Callback) if name.startswith("on_")]


class Notes(Callback):
    """Writes down what is called, with the counters."""

    def __init__(self, name, seen):
        for event in EVENTS:
            setattr(self, event, lambda t, e=event: seen.append((name, e, t.epoch, t.step)))


@pytest.mark.parametrize("compiled", [True, False])
def test_the_order_of_events(compiled):
    seen = []
    callbacks = [Notes("a", seen), Notes("b", seen)]
    trainer = trainer_of(plain_net(), callbacks=callbacks, compile=compiled)
    trainer.fit(table(rows=20), epochs=2, batch_size=16)
    assert [entry[1:] for entry in seen[::2]] == [entry[1:] for entry in seen[1::2]]
    assert {entry[0] for entry in seen[::2]} == {"a"}
    assert [entry[1:] for entry in seen[::2]] == [
        ("on_fit_begin", 0, 0),
        ("on_epoch_begin", 0, 0), ("on_batch_end", 0, 1), ("on_batch_end", 0, 2), ("on_epoch_end", 1, 2),
        ("on_epoch_begin", 1, 2), ("on_batch_end", 1, 3), ("on_batch_end", 1, 4), ("on_epoch_end", 2, 4),
        ("on_fit_end", 2, 4),
    ]  # fmt: skip


def test_what_wants_to_be_called_for_each_batch():
    class Sparse(Callback):
        each_batch = False

        def on_batch_end(self, trainer):
            pass

    assert not Callback().wants_each_batch()
    assert not Progress().wants_each_batch()
    assert not Sparse().wants_each_batch()
    assert not LambdaCallback(on_epoch_end=print).wants_each_batch()
    assert LambdaCallback(on_batch_end=print).wants_each_batch()
    assert Notes("", []).wants_each_batch()


def test_on_fit_end_comes_after_errors_too():
    seen = []

    def fail(trainer):
        raise KeyError("mine")

    trainer = trainer_of(plain_net(), callbacks=[Notes("a", seen), LambdaCallback(on_epoch_end=fail)])
    with pytest.raises(KeyError, match="mine"):
        trainer.fit(table(rows=20), epochs=2)
    assert seen[-1][1:] == ("on_fit_end", 1, 1)
    assert not trainer.model.training


def test_a_stop_ends_after_the_epoch():
    trainer = trainer_of(plain_net(), callbacks=[LambdaCallback(on_epoch_end=lambda t: t.stop("by me"))])
    history = trainer.fit(table(rows=20), epochs=9)
    assert (len(history), history.stopped) == (1, "by me")
    assert len(trainer.fit(table(rows=20), epochs=9)) == 2


class Counter(Callback):
    """Has a state."""

    def __init__(self):
        self.batches = 0

    def on_batch_end(self, trainer):
        self.batches += 1

    def state_dict(self):
        return {"batches": self.batches}

    def load_state_dict(self, state):
        self.batches = state["batches"]


def test_states_go_into_checkpoints(tmp_path):
    data = table(rows=20)
    trainer = trainer_of(plain_net(), callbacks=[Counter(), Counter()], checkpoint=tmp_path)
    trainer.fit(data, epochs=2, batch_size=4)
    # Callbacks without a state may come and go.
    again = [LambdaCallback(), Counter(), EpochLog(tmp_path / "log.jsonl"), Counter()]
    resumed = trainer_of(plain_net(), callbacks=again, checkpoint=tmp_path)
    resumed.fit(data, epochs=3, batch_size=4, resume=True)
    assert [c.batches for c in again if isinstance(c, Counter)] == [15, 15]
    fewer = trainer_of(plain_net(), callbacks=[Counter()], checkpoint=tmp_path)
    with pytest.raises(ArgumentError, match="the state of a callback Counter, which this Trainer lacks"):
        fewer.fit(data, epochs=3, batch_size=4, resume=True)


def test_what_is_no_callback():
    with pytest.raises(
        ArgumentError, match=r"objects of stepgrad.train.Callback, not <built-in function print>; .* Lamb"
    ):
        trainer_of(plain_net(), callbacks=[print])
    with pytest.raises(ArgumentError, match=r"no callback 'on_epoch'\. Did you mean 'on_epoch_end'\?"):
        LambdaCallback(on_epoch=print)
    one = Counter()
    assert trainer_of(plain_net(), callbacks=one).callbacks == [one]


# ----------------------------------------------------------------------------------- EpochLog


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_log_has_a_line_for_each_epoch(tmp_path):
    path = tmp_path / "metrics.jsonl"
    x, y = table(rows=20)
    trainer = trainer_of(plain_net(), callbacks=[EpochLog(path)], metrics=["accuracy"])
    history = trainer.fit((x, y), (x, y), epochs=3)
    lines = read(path)
    assert lines == list(history)
    assert list(lines[0]) == [
        "epoch",
        "step",
        "loss",
        "validation_loss",
        "validation_accuracy",
        "lr",
        "seconds",
    ]


def test_the_log_has_no_nan(tmp_path):
    path = tmp_path / "metrics.jsonl"
    x, y = table(rows=20)
    nothing = {"nan": lambda outputs, targets: float("nan"), "inf": lambda outputs, targets: float("-inf")}
    trainer_of(plain_net(), callbacks=[EpochLog(path)], metrics=nothing).fit((x, y), (x, y), epochs=2)
    assert "NaN" not in path.read_text()
    assert [line["validation_nan"] for line in read(path)] == [None, None]


def test_the_log_of_a_resumed_run_has_each_epoch_once(tmp_path):
    path, data = tmp_path / "metrics.jsonl", table(rows=20)
    trainer = trainer_of(plain_net(), callbacks=[EpochLog(path)], checkpoint=tmp_path / "c")
    trainer.fit(data, epochs=3)
    path.write_text(path.read_text() + '{"epoch": 4, "half')
    trainer = trainer_of(plain_net(), callbacks=[EpochLog(path)], checkpoint=tmp_path / "c")
    trainer.fit(data, epochs=5, resume=True)
    assert [line["epoch"] for line in read(path)] == [1, 2, 3, 4, 5]


def test_a_log_that_cannot_be_written(tmp_path):
    trainer = trainer_of(plain_net(), callbacks=[EpochLog(tmp_path / "missing" / "metrics.jsonl")])
    with pytest.raises(FileError, match=r"cannot write .*there is no folder '.*missing'"):
        trainer.fit(table(rows=20), epochs=1)
    path = tmp_path / "metrics.jsonl"

    def make_folder(trainer):
        path.unlink()
        path.mkdir()

    callbacks = [LambdaCallback(on_epoch_begin=make_folder), EpochLog(path)]
    with pytest.raises(FileError, match=r"cannot write '.*metrics.jsonl': Is a directory"):
        trainer_of(plain_net(), callbacks=callbacks).fit(table(rows=20), epochs=1)


# ----------------------------------------------------------------------------------- Progress


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class Stream(io.StringIO):
    def __init__(self, terminal):
        super().__init__()
        self.terminal = terminal

    def isatty(self):
        return self.terminal


def told(monkeypatch, terminal, seconds_per_batch, epochs=4, **options):
    """What Progress writes about a run whose batches take so many seconds by a clock of our own."""
    clock, stream = Clock(), Stream(terminal)
    monkeypatch.setattr("stepgrad.train.callbacks.time.monotonic", clock)

    def tick(trainer):
        clock.now += seconds_per_batch

    callbacks = [LambdaCallback(on_batch_end=tick), Progress(stream, **options)]
    x, y = table(rows=20)
    trainer = trainer_of(plain_net(), callbacks=callbacks, metrics=["accuracy"])
    trainer.fit((x, y), (x, y), epochs=epochs, batch_size=4)
    return stream.getvalue()


def test_without_a_terminal_plain_lines_are_written_now_and_then(monkeypatch):
    lines = told(monkeypatch, False, 1.1).splitlines()
    pattern = (
        r"epoch (\d)/4, loss [\d.]+, validation loss [\d.]+, validation accuracy [\d.]+, \d+\.\d s(; .*)?"
    )
    matches = [re.fullmatch(pattern, line) for line in lines]
    assert [match[1] for match in matches] == ["1", "2", "3", "4", "4"]
    assert matches[-1][2] == "; all 4 epochs done"
    fast = told(monkeypatch, False, 0.001).splitlines()
    assert [line[:9] for line in fast] == ["epoch 1/4", "epoch 4/4"]
    rare = told(monkeypatch, False, 1.1, epochs=8, interval=20.0).splitlines()
    assert [line[:9] for line in rare] == ["epoch 1/8", "epoch 5/8", "epoch 8/8"]


def test_in_a_terminal_one_line_is_rewritten(monkeypatch):
    text = told(monkeypatch, True, 0.5)
    assert text.count("\n") == 1
    assert text.endswith("\n")
    first, *lines = text.rstrip("\n").split("\r")
    assert first == ""
    assert re.fullmatch(r"epoch 1/4, batch 1/5, loss [\d.]+", lines[0].strip())
    assert lines[4].startswith("epoch 1/4, batch 5/5, loss ")
    assert lines[-1].startswith("epoch 4/4, loss ")
    assert all(len(line) < 80 for line in lines)
    # A shorter text covers what stood there before.
    assert all(len(after) >= len(before.rstrip()) for before, after in pairwise(lines))


def test_in_a_terminal_the_line_is_renewed_ten_times_a_second_at_most(monkeypatch):
    text = told(monkeypatch, True, 0.011)  # 20 batches in 0.22 s
    assert text.count("\r") <= 4


def test_nothing_is_told_of_no_epochs(monkeypatch):
    assert told(monkeypatch, True, 1.0, epochs=0) == ""
    assert told(monkeypatch, False, 1.0, epochs=0) == ""


class Full(Stream):
    def write(self, text):
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("state", ["absent", "closed", "full"])
def test_training_goes_on_where_nothing_can_be_told(monkeypatch, state, terminal):
    stream = None if state == "absent" else Full(terminal) if state == "full" else Stream(terminal)
    monkeypatch.setattr(sys, "stderr", stream)
    trainer = trainer_of(plain_net(), callbacks=Progress())
    if state == "closed":
        trainer.callbacks.append(LambdaCallback(on_fit_begin=lambda trainer: stream.close()))
    trainer.fit(table(rows=20), epochs=3, batch_size=4)
    assert len(trainer.history) == 3


PROGRAM = textwrap.dedent(
    """
    import stepgrad as sg
    sg.manual_seed(0)
    x = sg.randn(40, 4)
    net = sg.nn.Linear(4, 1)
    trainer = sg.Trainer(net, sg.nn.MSELoss(), sg.optim.SGD(net.parameters(), lr=0.01))
    trainer.fit((x, x.sum(1, keepdim=True)), epochs=20)
    """
)


def test_a_real_terminal_and_a_pipe():
    import pty

    piped = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60
    )
    assert piped.stdout == ""
    assert "\r" not in piped.stderr
    assert piped.stderr.splitlines()[-1].startswith("epoch 20/20, loss ")
    assert piped.stderr.endswith("s; all 20 epochs done\n")

    leader, follower = pty.openpty()
    program = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=follower)
    os.close(follower)
    text = b""
    while True:
        try:
            piece = os.read(leader, 4096)
        except OSError:  # the other end was closed
            break
        if not piece:
            break
        text += piece
    out, _ = program.communicate(timeout=60)
    os.close(leader)
    assert program.returncode == 0
    assert out == b""
    assert text.count(b"\n") == 1
    assert text.startswith(b"\repoch 1/20")
    assert b"all 20 epochs done" in text.split(b"\r")[-2] + text.split(b"\r")[-1]


def test_progress_off_says_nothing(capsys):
    net = nn.Linear(4, 3)
    sg.Trainer(net, nn.CrossEntropyLoss(), sg.optim.SGD(net.parameters()), progress=False).fit(
        table(), epochs=1
    )
    assert capsys.readouterr() == ("", "")
    assert isinstance(sg.Trainer(net, nn.MSELoss(), sg.optim.SGD(net.parameters())).history, History)
