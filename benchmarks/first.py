"""What a person waits for and what it takes: the first step, and the memory.

Run as a program, ``python -m benchmarks.first PEER WORKLOAD``, this file is the worker: a fresh process that
takes a peer's first step on a workload, then a few more, and prints one line of JSON.
"""

import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

from .peers import load_peer
from .workloads import WORKLOADS, Workload

STEPS_FOR_MEMORY = 5


def megabytes(what: str) -> float:
    """Memory of this process: "VmHWM" the most it ever took, "VmRSS" now. 0 where the system does not say."""
    status = Path("/proc/self/status")
    found = re.search(rf"{what}:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return int(found[1]) / 1024 if found else 0.0


def measure(peer: str, workload: Workload) -> dict[str, Any]:
    """Milliseconds of the first step, compilation included and imports not; megabytes of the process at most,
    and those of them that came after the imports.
    """
    one_step = replace(workload, rows=workload.batch)
    training = load_peer(peer).Training(one_step)
    training.reset()
    before = megabytes("VmRSS") - sum(a.nbytes for pair in one_step.weights() for a in pair) / 1e6
    start = perf_counter()
    training.epoch()
    milliseconds = (perf_counter() - start) * 1e3
    for _ in range(STEPS_FOR_MEMORY):
        training.epoch()
    peak = megabytes("VmHWM")
    return {"milliseconds": milliseconds, "megabytes": peak, "added": peak - before}


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], WORKLOADS[sys.argv[2]])))
