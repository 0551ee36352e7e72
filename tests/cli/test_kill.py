"""`stepgrad train`, killed with SIGKILL at random moments and resumed, ends as a run that is left alone."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stepgrad.files import read_tensors
from tests.cli.conftest import write_flowers

PROGRAM = [sys.executable, "-c", "import sys; from stepgrad_command import main; sys.exit(main())"]
CHOICES = [
    "--target", "kind", "--epochs", "1200", "--patience", "0", "--batch-size", "16", "--hidden", "24,24",
    "--dropout", "0.1", "--quiet",
]  # fmt: skip
KILLS = 20


def start(folder: Path, data: Path) -> subprocess.Popen:
    """Begin the run in `folder`, or go on with it if it was begun."""
    begun = (folder / "config.toml").exists()
    what = ["--resume", folder, "--quiet"] if begun else [data, *CHOICES, "--out", folder]
    command = [*PROGRAM, "train", *map(str, what)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(program: subprocess.Popen) -> None:
    _, err = program.communicate(timeout=300)
    assert program.returncode == 0, err.decode()


def _written(path: Path) -> float:
    return path.stat().st_mtime


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_killed_at_random_moments_a_run_goes_on_to_the_same_bits(tmp_path):
    data, moments = write_flowers(tmp_path / "flowers.csv", rows=600), random.Random(0)
    began = time.monotonic()
    finish(start(tmp_path / "whole", data))
    seconds = time.monotonic() - began
    expected, _ = read_tensors(tmp_path / "whole" / "model.safetensors")
    done, run = 0, 0
    steps = []
    while done < KILLS:
        folder, run = tmp_path / f"run{run}", run + 1
        for _ in range(min(KILLS - done, 1 + run % 4)):  # one to four times in a row
            program = start(folder, data)
            time.sleep(moments.uniform(0.05, 0.95) * seconds)
            if program.poll() is not None:  # it went on from far and has ended already
                finish(program)
                break
            program.send_signal(signal.SIGKILL)
            program.communicate()
            done += 1
            newest = max((folder / "checkpoints").glob("**/step-*.safetensors"), key=_written, default=None)
            steps.append(newest.relative_to(folder).as_posix() if newest else "none")
        if not (folder / "model.safetensors").exists():
            finish(start(folder, data))
        found, _ = read_tensors(folder / "model.safetensors")
        assert found.keys() == expected.keys()
        for name, weight in expected.items():
            assert found[name].tobytes() == weight.tobytes(), (run, name, steps)
        assert not list(folder.glob("**/.*.part")), "what a killed writer left behind is still there"
    assert len(set(steps)) > 3, steps  # the moments were different ones, most of them after a checkpoint
    sys.stdout.write(f"{done} kills in {run} runs of {seconds:.1f} s, at {steps}\n")
