"""A command line that is run in this process, in an empty folder, and runs that are trained once for all
tests.
"""

import json
import random
from pathlib import Path
from typing import NamedTuple

import pytest

from stepgrad.cli import main


class Ran(NamedTuple):
    """What a command left: its exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        """The one object on stdout; fails if there is anything else."""
        return json.loads(self.out)


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STEPGRAD_LANG", raising=False)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def stepgrad(capsys):
    """Run `stepgrad` with some arguments."""

    def run(*arguments: object) -> Ran:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Ran(code, captured.out, captured.err)

    return run


def write_flowers(path: Path, rows: int = 90) -> Path:
    """A table that is learned in a moment: three kinds of flower, told apart by their length."""
    numbers = random.Random(7)
    kinds = ("daisy", "rose", "tulip")
    lines = ["length,width,colour,kind"]
    for i in range(rows):
        kind = kinds[i % 3]
        length = 2 * (i % 3) + numbers.random()
        width = "" if i % 11 == 0 else f"{numbers.random():.3f}"
        lines.append(f"{length:.3f},{width},{numbers.choice(['red', 'white'])},{kind}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_houses(path: Path, rows: int = 80) -> Path:
    """A table with a number to predict: the price follows the size."""
    numbers = random.Random(3)
    lines = ["id,size,garden,price"]
    for i in range(rows):
        size = numbers.uniform(40, 200)
        garden = numbers.choice(["yes", "no"])
        price = 2000 * size + (30000 if garden == "yes" else 0) + numbers.gauss(0, 5000)
        lines.append(f"{i:03d},{size:.1f},{garden},{price:.0f}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def flowers(tmp_path):
    return write_flowers(tmp_path / "flowers.csv")


@pytest.fixture
def houses(tmp_path):
    return write_houses(tmp_path / "houses.csv")


class Trained(NamedTuple):
    """A finished run and the table that it was trained on."""

    run: Path
    data: Path


def _train(folder: Path, write, target: str, *options: str) -> Trained:
    data, run = write(folder / "data.csv"), folder / "run"
    train = ["train", str(data), "--target", target, "--epochs", "12", "--out", str(run), "--quiet"]
    code = main([*train, *options])
    assert code == 0
    return Trained(run, data)


@pytest.fixture(scope="session")
def flower_run(tmp_path_factory):
    return _train(tmp_path_factory.mktemp("flowers"), write_flowers, "kind")


@pytest.fixture(scope="session")
def house_run(tmp_path_factory):
    return _train(tmp_path_factory.mktemp("houses"), write_houses, "price", "--hidden", "16,16")
