"""What `stepgrad train diamonds.csv --target price` trains, as a PyTorch script that wastes no time.

The prepared columns lie in memory as tensors; an epoch puts them in a random order once and takes its batches
as slices of that; the optimizer is the fused one; losses stay tensors until they are asked for.

Run as a program, ``python -m benchmarks.diamonds_torch ARRAYS --seed 0 --threads 2``, where ARRAYS is a file
by `numpy.savez` of the arrays `NAMES`, it prints one line of JSON: the seconds until the first step, and for
each epoch the seconds since then and the validation loss.
"""

from time import perf_counter

BEGAN = perf_counter()

import argparse  # noqa: E402
import json  # noqa: E402
from itertools import pairwise  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402

NAMES = ("inputs", "targets", "validation_inputs", "validation_targets")
HIDDEN = (64, 64)
BATCH, EPOCHS = 256, 41
LEARNING_RATE, WEIGHT_DECAY = 3e-3, 0.01


def train(arrays: Any, seed: int, epochs: int = EPOCHS, batch: int = BATCH) -> dict[str, Any]:
    """Train on inputs float32 (rows, columns) and targets float32 (rows, 1); return what is printed."""
    import torch
    from torch import nn

    torch.manual_seed(seed)
    x, y, validation_x, validation_y = (torch.from_numpy(arrays[name]) for name in NAMES)
    widths = (x.shape[1], *HIDDEN)
    layers = [layer for n, m in pairwise(widths) for layer in (nn.Linear(n, m), nn.ReLU())]
    model = nn.Sequential(*layers, nn.Linear(widths[-1], 1))
    loss_function = nn.MSELoss()
    weights = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    biases = [parameter for parameter in model.parameters() if parameter.ndim == 1]
    optimizer = torch.optim.AdamW(
        [{"params": weights}, {"params": biases, "weight_decay": 0.0}],
        lr=LEARNING_RATE,
        weight_decay=WEIGHT_DECAY,
        fused=True,
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    best, kept = float("inf"), model.state_dict()
    used = len(x) // batch * batch  # the few rows that remain are left out
    curve = []
    start = perf_counter()
    for _ in range(epochs):
        order = torch.randperm(len(x))[:used]
        total = torch.zeros(())
        for inputs, targets in zip(x[order].split(batch), y[order].split(batch)):
            optimizer.zero_grad()
            loss = loss_function(model(inputs), targets)
            loss.backward()
            optimizer.step()
            total += loss.detach()
        schedule.step()
        with torch.no_grad():
            validation_loss = loss_function(model(validation_x), validation_y).item()
        if validation_loss < best:
            best = validation_loss
            kept = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        curve.append([perf_counter() - start, validation_loss])
    model.load_state_dict(kept)
    return {"before": start - BEGAN, "curve": curve}


def main() -> None:
    """Read the options, train, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.diamonds_torch")
    parser.add_argument("arrays")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    options = parser.parse_args()
    import torch

    torch.set_num_threads(options.threads)
    with np.load(options.arrays) as arrays:
        print(json.dumps(train(arrays, options.seed, options.epochs)))


if __name__ == "__main__":
    main()
