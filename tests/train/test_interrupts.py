"""Ctrl-C and SIGKILL: a run that was ended from outside goes on to the bits of one that was left alone."""

import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

import stepgrad as sg
from stepgrad.data import Dataset
from stepgrad.errors import StepgradError
from stepgrad.train import LambdaCallback
from stepgrad.train.checkpoint import checkpoint_paths, read_checkpoint
from stepgrad.train.interrupts import Interrupts
from tests.train.runs import bits, losses, rich_net, table, trainer_of

native_and_eager = pytest.mark.parametrize("compiled", [True, False], ids=["native", "eager"])


def test_the_first_ctrl_c_is_noted_and_the_second_ends_it_at_once():
    with pytest.raises(KeyboardInterrupt), Interrupts() as interrupts:
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


@native_and_eager
@pytest.mark.parametrize("step", [3, 4, 9])  # in an epoch, at its end, with its smaller last batch
def test_ctrl_c_saves_a_checkpoint_from_which_the_run_goes_on(tmp_path, compiled, step):
    x, y = table(rows=26)
    validation = table(rows=10, seed=1)

    def make(*callbacks, folder=tmp_path):
        return trainer_of(rich_net(), compile=compiled, checkpoint=folder, callbacks=callbacks)

    first = make(interrupt_at(step))
    with pytest.raises(KeyboardInterrupt):
        first.fit((x, y), validation, epochs=4, batch_size=8, patience=2)
    assert first.step == step
    assert first.history.stopped == f"interrupted; checkpoint in {tmp_path}"
    assert not first.model.training
    assert int(checkpoint_paths(tmp_path)[0].stem[5:]) == step
    again = make()
    again.fit((x, y), validation, epochs=4, batch_size=8, patience=2, resume=True)
    whole = make(folder=tmp_path / "whole")
    whole.fit((x, y), validation, epochs=4, batch_size=8, patience=2)
    assert bits(again) == bits(whole)
    assert losses(again) == losses(whole)


def test_ctrl_c_between_the_programs_of_two_batch_sizes(tmp_path):
    """The smaller last batch was not trained on yet when the chunk before it ended."""
    x, y = table(rows=42)

    class Impatient(list):
        def __iter__(self):
            yield from range(0, 40)
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
        trainer = trainer_of(rich_net(), checkpoint=folder)
        trainer.fit(table(), Slow(press), epochs=3, resume=resume)
        return trainer

    with pytest.raises(KeyboardInterrupt):
        run(True, False, tmp_path)
    state = read_checkpoint(checkpoint_paths(tmp_path)[0]).extra
    assert (state["epoch"], state["step"], state["loader"]["batch"], state["rows"]) == (0, 2, 2, 50)
    again, whole = run(False, True, tmp_path), run(False, False, tmp_path / "whole")
    assert bits(again) == bits(whole)
    assert losses(again) == losses(whole)


def test_ctrl_c_without_a_checkpoint_folder():
    trainer = trainer_of(rich_net(), callbacks=[interrupt_at(3)])
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(table(), epochs=4, batch_size=16)
    assert (trainer.step, trainer.history.stopped) == (3, "interrupted")
    # The next fit begins the epoch anew.
    trainer.callbacks.clear()
    trainer.fit(table(), epochs=1, batch_size=16)
    assert (trainer.step, trainer.epoch) == (7, 1)
    assert isinstance(trainer.history[-1]["loss"], float)


PROGRAM = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    from stepgrad.train import Callback, LambdaCallback
    from tests.train.runs import rich_net, table, trainer_of

    folder, compiled, mode = sys.argv[1], sys.argv[2] == "native", sys.argv[3]

    class Pace(Callback):
        each_batch = False

        def on_batch_end(self, trainer):
            if trainer.step == 1:
                print("begun", flush=True)
            time.sleep(0.02 if mode == "finish" else 0.005)

    class Stuck(Callback):
        def on_batch_end(self, trainer):
            print("begun", flush=True)
            time.sleep(60)

    callbacks = [] if mode == "resume" else [Stuck()] if mode == "stuck" else [Pace()]
    trainer = trainer_of(rich_net(), compile=compiled, checkpoint=folder, callbacks=callbacks)
    trainer.fit(table(rows=26), table(rows=9, seed=1), epochs=20, batch_size=8, resume=mode == "resume")
    print("done")
    """
)


def started(folder, kind, mode):
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder), kind, mode], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert program.stdout.readline() == "begun\n", program.communicate()
    return program


@pytest.mark.parametrize("kind", ["native", "eager"])
def test_ctrl_c_to_a_process(tmp_path, kind):
    program = started(tmp_path, kind, "run")
    time.sleep(0.1)
    program.send_signal(signal.SIGINT)
    out, error = program.communicate(timeout=60)
    assert program.returncode == -signal.SIGINT  # Python ends so after KeyboardInterrupt; a shell sees 130
    assert "done" not in out
    assert error.rstrip().endswith("KeyboardInterrupt")
    newest = checkpoint_paths(tmp_path)[0]
    assert 0 < int(newest.stem[5:]) < 80
    resumed = trainer_of(rich_net(), compile=kind == "native", checkpoint=tmp_path)
    resumed.fit(table(rows=26), table(rows=9, seed=1), epochs=20, batch_size=8, resume=True)
    whole = trainer_of(rich_net(), compile=kind == "native")
    whole.fit(table(rows=26), table(rows=9, seed=1), epochs=20, batch_size=8)
    assert bits(resumed) == bits(whole)


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
@pytest.mark.parametrize("arguments", [["--kills", "4"], ["--kills", "4", "--eager"]], ids=["native", "eager"])
def test_killed_runs_end_with_the_same_bits(arguments):
    script = Path(__file__).with_name("kill_and_resume.py")
    done = subprocess.run(
        [sys.executable, str(script), "--epochs", "12", *arguments], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.match(r"[4-9] kills in \d+ (native|eager) runs, .* 0 runs ended with other bits$", done.stdout)
    assert issubclass(StepgradError, Exception)
