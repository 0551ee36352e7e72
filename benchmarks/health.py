"""What `HealthCheck` costs a training step: absent, imported but not used, and used.

Where things lie in memory changes the count of Python's own instructions by a hundredth, so a fourth mode is
the measure of what is none: absent, and a module imported that has nothing to do with training.

``python -m benchmarks.health`` prints a table. CPU time is the least over fresh processes in interleaved
rounds. Instructions are counted by Valgrind where it is installed (``--no-instructions`` leaves them out, as
they take minutes): the difference between a short run and one of twice as many epochs, so that imports,
compilation and the first epoch are not in them. With ``--worker MODE KIND EPOCHS`` this file is a process.
"""

import argparse
import gc
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from time import process_time
from types import ModuleType
from typing import Any

from .processes import environment, interleave
from .report import machine, number

MODES = ("absent", "unrelated", "imported", "used")
KINDS = ("native", "eager")
ROWS, BATCH = 512, 32
EPOCHS = {"native": 400, "eager": 30}  # of a timing
_COUNTED = {"native": 16, "eager": 3}  # of a count of instructions, and twice as many
_ABSENT = ("stepgrad.train.health", "stepgrad.train.health.callback")


class _Nothing(ModuleType):
    """A module that has every name and does nothing."""

    def __getattr__(self, name: str) -> Any:
        return object


def train(mode: str, kind: str, epochs: int) -> dict[str, float]:
    """Train a small network; return the CPU microseconds of a step, after an epoch that is not timed."""
    if mode == "unrelated":
        import xml.dom.minidom  # noqa: F401 - so that other things lie elsewhere
    if mode in ("absent", "unrelated"):
        sys.modules.update({name: _Nothing(name) for name in _ABSENT})
    import stepgrad as sg
    from stepgrad.train import HealthCheck

    sg.manual_seed(0)
    x = sg.randn(ROWS, 16)
    net = sg.nn.Sequential(sg.nn.Linear(16, 32), sg.nn.ReLU(), sg.nn.Linear(32, 1))
    adam = sg.optim.Adam(net.parameters(), lr=1e-3)
    trainer = sg.Trainer(
        net, sg.nn.MSELoss(), adam, callbacks=[HealthCheck()] if mode == "used" else [], progress=False,
        compile=kind == "native",
    )  # fmt: skip
    data = x, x.sum(1, keepdim=True)
    trainer.fit(data, epochs=2, batch_size=BATCH)
    gc.disable()  # it goes through all objects there are, and so takes longer the more was imported
    start = process_time()
    trainer.fit(data, epochs=epochs, batch_size=BATCH)
    return {"microseconds": (process_time() - start) / (epochs * (ROWS // BATCH)) * 1e6}


def worker(mode: str, kind: str, epochs: int) -> list[str]:
    """The arguments of the Python process that trains so."""
    return ["-m", "benchmarks.health", "--worker", mode, kind, str(epochs)]


def instructions(mode: str, kind: str) -> float:
    """Thousands of instructions of a step."""
    few, many = (_count(worker(mode, kind, factor * _COUNTED[kind])) for factor in (1, 2))
    return (many - few) / (_COUNTED[kind] * (ROWS // BATCH)) / 1e3


def _count(arguments: list[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "counts"
        valgrind = [
            "valgrind",
            "--tool=callgrind",
            "--smc-check=all-non-file",
            f"--callgrind-out-file={found}",
        ]
        # The same order of dicts and sets, and no threads, so that two runs differ in their epochs alone.
        settings = environment(1) | {"PYTHONHASHSEED": "0"}
        subprocess.run([*valgrind, sys.executable, *arguments], env=settings, check=True, capture_output=True)
        totals = [line for line in found.read_text().splitlines() if line.startswith(("summary:", "totals:"))]
        return int(totals[-1].split()[1])


def measure(rounds: int, with_instructions: bool) -> dict[str, Any]:
    """Return the numbers by kind and mode: "microseconds" and, if asked for, "kiloinstructions"."""
    jobs = {f"{kind} {mode}": worker(mode, kind, EPOCHS[kind]) for kind in KINDS for mode in MODES}
    timed, failed = interleave(jobs, rounds, 1, lambda line: print(line, file=sys.stderr, flush=True))
    found: dict[str, Any] = {"version": 1, "machine": machine(), "failed": failed}
    for kind in KINDS:
        found[kind] = {}
        for mode in MODES:
            runs = timed.get(f"{kind} {mode}", [])
            found[kind][mode] = {"microseconds": min((run["microseconds"] for run in runs), default=None)}
            if with_instructions:
                print(f"instructions: {kind} {mode}", file=sys.stderr, flush=True)
                found[kind][mode]["kiloinstructions"] = instructions(mode, kind)
    return found


def as_text(found: dict[str, Any]) -> str:
    """The table: a row for each kind of step and mode, and what the mode costs against the first."""
    lines = [f"{'':24}{'CPU µs per step':>18}{'':10}{'1,000 instructions':>20}"]
    for kind in KINDS:
        first = found[kind][MODES[0]]
        for mode in MODES:
            line = f"{kind + ', ' + mode:24}"
            for what, width in (("microseconds", 18), ("kiloinstructions", 20)):
                value = found[kind][mode].get(what)
                line += "" if value is None else f"{number(value):>{width}}{value / first[what] - 1:>+10.2%}"
            lines.append(line)
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; 1 if a process failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.health", description=__doc__)
    parser.add_argument("--worker", nargs=3, metavar=("MODE", "KIND", "EPOCHS"), help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=5, help="fresh processes per timing (default 5)")
    parser.add_argument("--no-instructions", action="store_true", help="time alone, without Valgrind")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    options = parser.parse_args(arguments)
    if options.worker:
        mode, kind, epochs = options.worker
        print(json.dumps(train(mode, kind, int(epochs))))
        return 0
    counted = not options.no_instructions and shutil.which("valgrind") is not None and os.name == "posix"
    found = measure(options.rounds, counted)
    print(json.dumps(found, indent=2) if options.json else as_text(found))
    return 1 if found["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
