"""Kills training runs with SIGKILL at random moments, resumes them, and compares the ends bit for bit.

``python tests/train/kill_and_resume.py --kills 50`` does it by hand. Each run has dropout, batch norm,
shuffling, a last batch that is smaller, a schedule, validation, early stopping, and a checkpoint after every
third update. One is left alone; the others are killed again and again, and must end with the same weights,
optimizer state, random streams and history. The exit code is 0 if they all do.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

if __name__ == "__main__":
    # Children are forked, so this process must have no threads.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    sys.path[:0] = [str(Path(__file__).parents[2] / "src"), str(Path(__file__).parents[2])]

import stepgrad as sg
from stepgrad import nn, optim
from stepgrad.optim import lr_scheduler
from stepgrad.train import Callback
from stepgrad.train.checkpoint import newest_checkpoint
from tests.train.runs import bits, losses, rich_net, table


class Counter(Callback):
    """A callback with a state, that lets many updates be one native call."""

    each_batch = False
    epochs = 0

    def on_epoch_end(self, trainer):
        self.epochs += 1

    def state_dict(self):
        return {"epochs": self.epochs}

    def load_state_dict(self, state):
        self.epochs = state["epochs"]


def train(folder: str, compiled: bool, variant: int, epochs: int) -> None:
    """Train in `folder`, going on from its newest checkpoint, and write what came out to ``result.txt``."""
    logging.disable()  # a killed writer leaves parts of files behind
    x, y = table(rows=50)
    net = rich_net()
    if variant % 2:
        optimizer = optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
        schedule = lr_scheduler.CosineAnnealingLR(optimizer, 7 * epochs)
    else:
        optimizer = optim.Adam(net.parameters(), lr=0.01)
        schedule = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=2)
    counter = Counter()
    trainer = sg.Trainer(
        net, nn.CrossEntropyLoss(), optimizer, schedule=schedule, metrics=["accuracy"], compile=compiled,
        schedule_every="batch" if variant % 2 else "epoch", checkpoint=Path(folder) / "checkpoints",
        checkpoint_every=3, callbacks=[counter], progress=False,
    )  # fmt: skip
    trainer.fit(
        (x, y), table(rows=20, seed=1), epochs=epochs, batch_size=8, patience=epochs * 2 // 3, resume=True
    )
    found = [
        *bits(trainer),
        losses(trainer),
        trainer.history.stopped,
        trainer.history.best_epoch,
        counter.epochs,
    ]
    Path(folder, "result.txt").write_text(repr(found), encoding="utf-8")


def start(*arguments) -> int:
    """Train in a child process; return its number."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        train(*arguments)
        code = 0
    finally:
        os._exit(code)


def finished(child: int, seconds: float) -> int | None:
    """Return the exit status of a child that ends within so many seconds; None if it does not."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        number, status = os.waitpid(child, os.WNOHANG)
        if number:
            return status
        time.sleep(0.001)
    return None


def result_in(folder: str) -> str:
    """Return what a run ended with."""
    return Path(folder, "result.txt").read_text(encoding="utf-8")


def undisturbed(compiled: bool, variant: int, epochs: int) -> tuple[str, float]:
    """Return the result of a run that is left alone, and its seconds."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        if finished(start(folder, compiled, variant, epochs), 300) != 0:
            raise SystemExit("the run that was left alone failed")
        return result_in(folder), time.monotonic() - began


def killed(
    compiled: bool, variant: int, epochs: int, kills: int, seconds: float, moments: random.Random
) -> tuple[str, list[int]]:
    """Return the result of a run that is killed up to so many times, and the steps from which it went on."""
    steps: list[int] = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(kills):
            child = start(folder, compiled, variant, epochs)
            status = finished(child, moments.uniform(0.02, 0.8) * seconds)
            if status is not None:
                break
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            newest = newest_checkpoint(Path(folder, "checkpoints"))
            steps.append(int(newest.stem[5:]) if newest else 0)
        else:
            status = finished(start(folder, compiled, variant, epochs), 300)
        return (result_in(folder) if status == 0 else f"exit status {status}"), steps


def main() -> int:
    """Do as the arguments say, and tell how many kills there were and how many runs ended otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50, help="in all (default 50)")
    parser.add_argument("--eager", action="store_true", help="no native steps")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0, help="decides the moments")
    options = parser.parse_args()
    compiled, moments = not options.eager, random.Random(options.seed)
    expected = [undisturbed(compiled, variant, options.epochs) for variant in (0, 1)]
    steps: list[int] = []
    wrong = runs = 0
    while len(steps) < options.kills:
        result, seconds = expected[runs % 2]
        kills = min(options.kills - len(steps), 1 + runs % 5)
        found, places = killed(compiled, runs % 2, options.epochs, kills, seconds, moments)
        wrong += found != result
        steps += places
        runs += 1
    late, inside = sum(s > 0 for s in steps), sum(s % 7 > 0 for s in steps)
    sys.stdout.write(
        f"{len(steps)} kills in {runs} {'eager' if options.eager else 'native'} runs, {late} of them after a "
        f"checkpoint, {inside} in the middle of an epoch; {wrong} runs ended with other bits\n"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
