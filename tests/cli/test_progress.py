"""The progress of a run, without a terminal and in one."""

import sys
from types import SimpleNamespace

import pytest

from stepgrad.cli import progress
from stepgrad.cli.progress import RunProgress
from stepgrad.words.language import Words


@pytest.fixture
def clock(monkeypatch):
    """A clock that is set by hand."""
    now = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: now.seconds)
    return now


def a_trainer(epochs: int = 10) -> SimpleNamespace:
    return SimpleNamespace(epoch=0, last_epoch=epochs, mean_loss=0.75, batches=(0, 4), history=[])


def train(callback: RunProgress, trainer: SimpleNamespace, clock, seconds_per_batch: float) -> None:
    callback.on_fit_begin(trainer)
    for epoch in range(trainer.last_epoch):
        trainer.epoch = epoch
        for batch in range(4):
            trainer.batches = (batch + 1, 4)
            clock.seconds += seconds_per_batch
            callback.on_batch_end(trainer)
        trainer.history.append({"epoch": epoch + 1, "loss": 0.5, "validation_loss": 0.6 + 0.01 * epoch})
        callback.on_epoch_end(trainer)
    callback.on_fit_end(trainer)


def test_a_line_now_and_then(clock, capsys):
    train(RunProgress(Words()), a_trainer(), clock, seconds_per_batch=0.5)  # 20 seconds
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "epoch 1/10, loss 0.75, 0.5 s"
    assert lines[-1] == "epoch 10/10, loss 0.5, validation 0.69, best 0.6, 20.0 s"
    assert 4 <= len(lines) <= 6


def test_a_fast_run_has_two_lines(clock, capsys):
    train(RunProgress(Words()), a_trainer(), clock, seconds_per_batch=0.001)
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_a_second_training_is_named(clock, capsys):
    callback = RunProgress(Words())
    train(callback, a_trainer(2), clock, 0.001)
    train(callback, a_trainer(2), clock, 0.001)
    assert "again on all rows, epoch 1/2, loss 0.75" in capsys.readouterr().err


def test_in_a_terminal_one_line_is_renewed_and_then_removed(clock, capsys, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    train(RunProgress(Words("ko")), a_trainer(), clock, seconds_per_batch=0.5)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "에포크 10/10, 손실 0.5, 검증 0.68, 최선 0.6" in captured.err
    assert "━" in captured.err
    assert captured.err.count("\n") <= 2
