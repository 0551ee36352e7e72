"""Microseconds per training step of each peer on each workload.

Run as a program, ``python -m benchmarks.steps PEER WORKLOAD SECONDS``, this file is the worker: a fresh
process that times one peer on one workload and prints one line of JSON.
"""

import json
import sys
from functools import cache
from time import perf_counter
from typing import Any

import numpy as np

from .peers import load_peer
from .peers.numpy_by_hand import Training as Reference
from .workloads import WORKLOADS, Workload

# A run of more epochs than this would train on towards numbers so small that arithmetic with them is slow.
EPOCHS_BETWEEN_RESETS = 20
# How far float32 may be from the float64 reference after one epoch, as a part of what the loss fell by. A
# wrong rate, momentum or batch is off by more. A peer whose Adam is another one says so by a TOLERANCE of its
# own.
TOLERANCE = 1e-3
# Gradients of convolutions are sums of thousands of numbers, of which Adam takes little more than the sign
# where they nearly cancel: so much does another order of these sums change.
CONVOLUTION_TOLERANCE = 2e-2


@cache
def reference(workload: Workload) -> tuple[float, float]:
    """The workload's mean loss before and after the first epoch, in float64 by hand-written NumPy."""
    training = Reference(workload, np.float64)
    before = training.mean_loss(training.weights())
    training.reset()
    training.epoch()
    return before, training.mean_loss(training.weights())


def disagreement(peer: str, workload: Workload, loss: float) -> str | None:
    """Why a peer that reached `loss` after one epoch has trained something else, or None if it has not."""
    before, after = reference(workload)
    usual = CONVOLUTION_TOLERANCE if workload.channels else TOLERANCE
    allowed = max(getattr(load_peer(peer), "TOLERANCE", TOLERANCE), usual) * abs(before - after)
    if abs(loss - after) <= allowed:
        return None
    return f"reached the loss {loss:.6f} after one epoch, the reference {after:.6f} ± {allowed:.6f}"


def time_epochs(training: Any, seconds: float) -> tuple[int, float]:
    """How many epochs ran, and the seconds they took: at least `seconds`, resets not counted."""
    epochs, spent = 0, 0.0
    while spent < seconds:
        training.reset()
        start = perf_counter()
        for _ in range(EPOCHS_BETWEEN_RESETS):
            training.epoch()
            epochs += 1
            now = perf_counter() - start
            if spent + now >= seconds:
                break
        spent += now
    return epochs, spent


def measure(peer: str, workload: Workload, seconds: float) -> dict[str, float]:
    """One timing: the loss after the first epoch, the seconds until then, the microseconds per step."""
    start = perf_counter()
    training = load_peer(peer).Training(workload)
    training.reset()
    training.epoch()
    first = perf_counter() - start
    loss = Reference(workload, np.float64).mean_loss(training.weights())
    time_epochs(training, seconds / 5)
    epochs, spent = time_epochs(training, seconds)
    return {"loss": loss, "first_epoch_seconds": first, "microseconds": spent / epochs / workload.steps * 1e6}


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], WORKLOADS[sys.argv[2]], float(sys.argv[3]))))
