"""Microseconds per batch of the in-memory `DataLoader`: a `TensorDataset`, batches of 64, shuffled.

Run as a program, ``python -m benchmarks.loaders LIBRARY SECONDS``, this file is the worker for one library.
"""

import json
import sys
from importlib import import_module
from time import perf_counter

import numpy as np

# Each library and the module in which it keeps its loader.
LIBRARIES = {"stepgrad": "stepgrad.data", "torch": "torch.utils.data"}
ROWS, COLUMNS, BATCH = 6_400, 32, 64


def measure(library: str, seconds: float) -> dict[str, float]:
    """Time whole epochs for at least `seconds`, after one that checks that each row came exactly once."""
    arrays, tools = import_module(library), import_module(LIBRARIES[library])
    inputs = np.random.default_rng(0).standard_normal((ROWS, COLUMNS), np.float32)
    numbers = np.arange(ROWS)
    data = tools.TensorDataset(arrays.from_numpy(inputs), arrays.from_numpy(numbers))
    loader = tools.DataLoader(data, batch_size=BATCH, shuffle=True)
    seen = [(x.numpy(), n.numpy()) for x, n in loader]
    order = np.concatenate([n for _, n in seen])
    if not (np.sort(order) == numbers).all() or (order == numbers).all():
        raise SystemExit("the loader did not give each row once, in a new order")
    if not (np.concatenate([x for x, _ in seen]) == inputs[order]).all():
        raise SystemExit("the loader did not keep inputs and targets together")
    batches, start, spent = 0, perf_counter(), 0.0
    while spent < seconds:
        for _ in loader:
            batches += 1
        spent = perf_counter() - start
    return {"microseconds": spent / batches * 1e6}


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], float(sys.argv[2]))))
