"""Fresh processes, one at a time, in interleaved rounds: what else the machine does hits all alike."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parent.parent
LONGEST_SECONDS = 600


class WorkerFailed(Exception):
    """A process that ended with an error; the message is its last line."""


def environment(threads: int | None) -> dict[str, str]:
    """The variables of a worker: this checkout's stepgrad, and `threads` threads if that is given."""
    folders = [str(REPOSITORY / "src"), str(REPOSITORY), os.environ.get("PYTHONPATH", "")]
    variables = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, folders)),
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
    if threads:
        for name in ("OMP", "OPENBLAS", "MKL", "STEPGRAD"):
            variables[f"{name}_NUM_THREADS"] = str(threads)
        if threads == 1:
            variables["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    return variables


def run_worker(arguments: list[str], threads: int | None = None) -> dict[str, Any]:
    """Run ``python ARGUMENTS`` and return the JSON object on the last line of its output."""
    try:
        run = subprocess.run(
            [sys.executable, *arguments],
            env=environment(threads),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LONGEST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise WorkerFailed(f"took longer than {LONGEST_SECONDS} seconds") from None
    if run.returncode:
        lines = run.stderr.strip().splitlines() or [f"exit code {run.returncode}"]
        raise WorkerFailed(lines[-1])
    return json.loads(run.stdout.splitlines()[-1])


def missing(modules: tuple[str, ...]) -> list[str]:
    """Which of `modules` are not installed; stepgrad is this checkout's and needs no installing."""
    return [name for name in modules if name != "stepgrad" and find_spec(name) is None]


def interleave(
    jobs: Mapping[str, list[str]],
    rounds: int,
    threads: int | None,
    tell: Callable[[str], None],
    keep: Path | None = None,
) -> tuple[dict[str, list[dict[str, Any]]], dict[str, str]]:
    """Run every job, a name with its arguments for Python, once per round; each round begins elsewhere.

    Returns the results of each job that never failed, and for the others the reason; those are not run again.
    With `keep`, a JSON file, results are written there as they come, and rounds that it holds are not run.
    """
    known = json.loads(keep.read_text(encoding="utf-8")) if keep and keep.exists() else {}
    results: dict[str, list[dict[str, Any]]] = {name: known.get(name, []) for name in jobs}
    failures: dict[str, str] = {}
    for number in range(rounds):
        order = list(jobs)
        first = number * len(order) // rounds
        for name in order[first:] + order[:first]:
            if name in failures or len(results[name]) > number:
                continue
            tell(f"round {number + 1} of {rounds}: {name}")
            try:
                results[name].append(run_worker(jobs[name], threads))
            except WorkerFailed as error:
                failures[name] = str(error)
                del results[name]
                tell(f"  failed: {error}")
            if keep:
                keep.write_text(json.dumps(results), encoding="utf-8")
    return results, failures
