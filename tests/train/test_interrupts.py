"""Ctrl-C and SIGKILL: a run that was ended from outside goes on to the bits of one that was left alone."""

import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from functools import cache
from pathlib import Path

import pytest

import stepgrad as sg
from stepgrad.data import Dataset
from stepgrad.train import LambdaCallback
from stepgrad.train.checkpoint import checkpoint_paths, read_checkpoint
from stepgrad.train.interrupts import Interrupts, terminations
from tests.train.runs import bits, losses, rich_net, table, trainer_of


def test_the_first_ctrl_c_is_noted_and_the_second_ends_it_at_once():
    with pytest.raises(KeyboardInterrupt), Interrupts() as interrupts:  # noqa: PT012 - two signals, in turn
        assert not interrupts.requested
        signal.raise_signal(signal.SIGINT)
        assert interrupts.requested
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_of_someone_elses_stays():
    seen = []
    outer = signal.signal(signal.SIGINT, lambda *_: seen.append("mine"))
    try:
        with Interrupts() as interrupts:
            signal.raise_signal(signal.SIGINT)
            assert not interrupts.requested
        assert seen == ["mine"]
    finally:
        signal.signal(signal.SIGINT, outer)


def test_in_another_thread_nothing_is_caught():
    found = []

    def run():
        with Interrupts() as interrupts:
            found.append((interrupts.requested, signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [(False, signal.default_int_handler)]


def interrupt_at(step):
    """A callback that is Ctrl-C, pressed in the middle of a step."""

    def press(trainer):
        if trainer.step == step:
            signal.raise_signal(signal.SIGINT)

    return LambdaCallback(on_batch_end=press)


DATA = table(rows=26)
VALIDATION = table(rows=10, seed=1)


def run(compiled, folder, callbacks=(), **options):
    """Four epochs of four updates, the last of which is on a smaller batch."""
    trainer = trainer_of(rich_net(), compile=compiled, checkpoint=folder, callbacks=callbacks)
    trainer.fit(DATA, VALIDATION, **{"epochs": 4, "patience": 2, "batch_size": 8, **options})
    return trainer


@cache
def left_alone(compiled, epochs=4):
    """The bits and losses of a run that is not interrupted."""
    trainer = run(compiled, None, epochs=epochs, patience=2 if epochs == 4 else epochs)
    return bits(trainer), losses(trainer)


@pytest.mark.parametrize("step, compiled", [(3, False), (4, False), (5, True), (8, False), (8, True)])
def test_ctrl_c_saves_a_checkpoint_from_which_the_run_goes_on(tmp_path, step, compiled):
    seen = []
    callbacks = [interrupt_at(step), LambdaCallback(on_fit_end=seen.append)]
    with pytest.raises(KeyboardInterrupt):
        run(compiled, tmp_path, callbacks)
    (first,) = seen
    assert first.step == step
    assert first.history.stopped == f"interrupted; checkpoint in {tmp_path}"
    assert not first.model.training
    assert int(checkpoint_paths(tmp_path)[0].stem[5:]) == step
    again = run(compiled, tmp_path, resume=True)
    assert (bits(again), losses(again)) == left_alone(compiled)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_after_the_last_epoch_is_not_lost(tmp_path, number):
    """What callbacks do at the end may take long, as trials of the health check do."""
    after = []

    def press(trainer):
        signal.raise_signal(number)
        after.append("went on")

    with pytest.raises(KeyboardInterrupt) as caught, terminations():
        run(False, tmp_path, LambdaCallback(on_fit_end=press))
    assert getattr(caught.value, "exit_code", 130) == (130 if number == signal.SIGINT else 143)
    assert after == []
    again = run(False, tmp_path, resume=True)
    assert (bits(again), losses(again)) == left_alone(False)


def test_ctrl_c_while_workers_are_put_to_rest_is_not_lost(monkeypatch):
    monkeypatch.setattr(sg.utils.data.DataLoader, "close", lambda self: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        run(False, None)


def test_ctrl_c_between_the_programs_of_two_batch_sizes(tmp_path):
    """The smaller last batch was not trained on yet when the chunk before it ended."""
    x, y = table(rows=42)

    class Impatient(list):
        def __iter__(self):
            yield from range(40)
            signal.raise_signal(signal.SIGINT)  # while the next batches are collected
            yield from (40, 41)

        def __len__(self):
            return 42

    def loader():
        return sg.utils.data.DataLoader(sg.utils.data.TensorDataset(x, y), batch_size=5, sampler=Impatient())

    first = trainer_of(rich_net(), checkpoint=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        first.fit(loader(), epochs=2)
    with Interrupts():
        pass
    state = read_checkpoint(checkpoint_paths(tmp_path)[0]).extra
    assert state["loader"]["batch"] == first.step
    assert state["rows"] == min(5 * first.step, 42)


def test_ctrl_c_in_the_validation(tmp_path):
    class Slow(Dataset):
        def __init__(self, press):
            self.x, self.y = table(rows=20, seed=1)
            self.press = press

        def __len__(self):
            return 20

        def __getitem__(self, i):
            if self.press and i == 5:
                signal.raise_signal(signal.SIGINT)
            return self.x[i], self.y[i]

    def run(press, resume, folder):
        trainer = trainer_of(rich_net(), checkpoint=folder, compile=False)
        trainer.fit(table(rows=50), Slow(press), epochs=3, resume=resume)
        return trainer

    with pytest.raises(KeyboardInterrupt):
        run(True, False, tmp_path)
    state = read_checkpoint(checkpoint_paths(tmp_path)[0]).extra
    assert (state["epoch"], state["step"], state["loader"]["batch"], state["rows"]) == (0, 2, 2, 50)
    again, whole = run(False, True, tmp_path), run(False, False, tmp_path / "whole")
    assert bits(again) == bits(whole)
    assert losses(again) == losses(whole)


class Noisy(Dataset):
    """Rows that are fetched one by one, with noise of their own."""

    def __len__(self):
        return 26

    def __getitem__(self, i):
        return DATA[0][i] + 0.1 * sg.randn(4), DATA[1][i]


def test_a_run_goes_on_with_another_number_of_workers(tmp_path):
    def run(folder, resume, workers, *callbacks):
        trainer = trainer_of(rich_net(), checkpoint=folder, callbacks=callbacks)
        trainer.fit(Noisy(), epochs=2, batch_size=4, num_workers=workers, resume=resume)
        return bits(trainer)

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, False, 2, interrupt_at(5))
    assert run(tmp_path, True, 1) == run(None, False, 0)


def test_ctrl_c_without_a_checkpoint_folder():
    trainer = trainer_of(rich_net(), callbacks=[interrupt_at(3)], compile=False)
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(table(rows=50), epochs=4, batch_size=16)
    assert (trainer.step, trainer.history.stopped) == (3, "interrupted")
    assert trainer.evaluate(DATA)["loss"] > 0
    # The next fit begins the epoch anew.
    trainer.callbacks.clear()
    trainer.fit(table(rows=50), epochs=1, batch_size=16)
    assert (trainer.step, trainer.epoch) == (7, 1)
    assert len(trainer.history) == 1


PROGRAM = textwrap.dedent(
    """
    import sys, time
    from stepgrad.train import Callback
    from tests.train.runs import rich_net, table, trainer_of

    folder, compiled, stuck = sys.argv[1], sys.argv[2] == "native", sys.argv[3:]

    class Pace(Callback):
        each_batch = False

        def on_batch_end(self, trainer):
            if trainer.step >= 6:
                print("begun", flush=True)
                time.sleep(60 if stuck else 0.01)

    trainer = trainer_of(rich_net(), compile=compiled, checkpoint=folder, callbacks=[Pace()])
    trainer.fit(table(rows=26), table(rows=10, seed=1), epochs=12, batch_size=8, patience=12)
    print("done")
    """
)


def started(folder, *arguments):
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder), *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert program.stdout.readline() == "begun\n", program.communicate()
    return program


@pytest.mark.parametrize("kind", ["native", "eager"])
def test_ctrl_c_to_a_process(tmp_path, kind):
    program = started(tmp_path, kind)
    program.send_signal(signal.SIGINT)
    out, error = program.communicate(timeout=60)
    assert program.returncode == -signal.SIGINT  # Python ends so after KeyboardInterrupt; a shell sees 130
    assert "done" not in out
    assert error.rstrip().endswith("KeyboardInterrupt")
    newest = checkpoint_paths(tmp_path)[0]
    assert 6 <= int(newest.stem[5:]) < 48
    resumed = run(kind == "native", tmp_path, resume=True, epochs=12, patience=12)
    assert bits(resumed) == left_alone(kind == "native", epochs=12)[0]


def test_a_second_ctrl_c_ends_a_process_at_once(tmp_path):
    program = started(tmp_path, "eager", "stuck")
    program.send_signal(signal.SIGINT)
    time.sleep(0.1)
    assert program.poll() is None
    program.send_signal(signal.SIGINT)
    _, error = program.communicate(timeout=30)
    assert program.returncode == -signal.SIGINT
    assert error.rstrip().endswith("KeyboardInterrupt")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked children")
@pytest.mark.parametrize(
    "arguments", [["--kills", "3"], ["--kills", "4", "--eager"]], ids=["native", "eager"]
)
def test_killed_runs_end_with_the_same_bits(arguments):
    script = Path(__file__).with_name("kill_and_resume.py")
    done = subprocess.run(
        [sys.executable, str(script), "--epochs", "12", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.match(r"[34] kills in \d+ (native|eager) runs, .* 0 runs ended with other bits$", done.stdout)
