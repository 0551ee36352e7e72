"""Microseconds per training step of networks that are no plain chain: recurrent ones, attention.

The network is written once, with PyTorch's names, and made of each library; first weights and data come
from NumPy. Run as a program, ``python -m benchmarks.models PEER MODEL SECONDS``, this file is the worker:
a fresh process that times one peer on one model and prints one line of JSON.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from time import perf_counter
from typing import Any

import numpy as np

from .steps import time_epochs

PEERS = ("stepgrad_compiled", "stepgrad_eager", "torch_eager")
STEPS = 8
# How far the loss after an epoch may be from the float64 reference, as a part of what it fell by.
TOLERANCE = 0.02


@dataclass(frozen=True)
class Model:
    """A network and its training step: Adam with PyTorch's defaults, cross entropy, float32.

    `make(library)` returns the module; `data` returns inputs and targets of so many rows.
    """

    about: str
    make: Callable[[Any], Any]
    data: Callable[[int], tuple[np.ndarray, np.ndarray]]
    batch: int

    def __str__(self) -> str:
        return f"{self.about}, batch {self.batch}"


def lstm(library: Any) -> Any:
    """The last state of an LSTM that reads 28 rows of 28 numbers, and a linear layer."""

    class Classifier(library.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.read, self.out = library.nn.LSTM(28, 128, batch_first=True), library.nn.Linear(128, 10)

        def forward(self, x: Any) -> Any:
            states, _ = self.read(x)
            return self.out(states[:, -1])

    return Classifier()


def rows_of_numbers(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Sequences of which a class is to be told."""
    generator = np.random.default_rng(1)
    x = generator.standard_normal((count, 28, 28), np.float32)
    return x, x.mean(1)[:, :10].argmax(1)


def attention(library: Any) -> Any:
    """A small GPT: 65 characters, 32 at a time, two layers of four heads, 64 wide."""
    nn = library.nn

    class Characters(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.place = nn.Embedding(65, 64), nn.Embedding(32, 64)
            layer = nn.TransformerEncoderLayer(64, 4, 256, 0.0, "gelu", batch_first=True, norm_first=True)
            self.layers = nn.TransformerEncoder(layer, 2, nn.LayerNorm(64), enable_nested_tensor=False)
            self.out = nn.Linear(64, 65)
            self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(32))

        def forward(self, x: Any) -> Any:
            h = self.layers(self.embed(x) + self.place.weight, self.mask, is_causal=True)
            return self.out(h).reshape(-1, 65)

    return Characters()


def characters(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Sequences of integers, and each one later."""
    generator = np.random.default_rng(1)
    steps = generator.integers(1, 4, (count, 33)).cumsum(1) % 65
    return steps[:, :-1].copy(), steps[:, 1:].copy()


MODELS = {
    "lstm": Model("LSTM 28-128 over 28 time steps, linear 10", lstm, rows_of_numbers, 64),
    "attention": Model("2 transformer layers, 64 wide, 4 heads, 32 characters", attention, characters, 32),
}


class Training:
    """The usual loop in one library; with `compiled` the step is one native call."""

    def __init__(self, model: Model, library: str, compiled: bool = False, dtype: str = "float32") -> None:
        self.library, self.model = import_module(library), model
        self.network = model.make(self.library).to(getattr(self.library, dtype))
        self.loss_function = self.library.nn.CrossEntropyLoss()
        self.first = first_weights(self.network, dtype)
        inputs, targets = model.data(STEPS * model.batch)
        inputs = inputs.astype(dtype) if inputs.dtype.kind == "f" else inputs
        parts = [(inputs[i::STEPS], targets[i::STEPS].reshape(-1)) for i in range(STEPS)]
        self.batches = [tuple(self.library.from_numpy(np.ascontiguousarray(a)) for a in p) for p in parts]
        self.step = self.library.compile(self.train) if compiled else self.train
        self.optimizer: Any = None

    def reset(self) -> None:
        """Back to the first weights, with the optimizer as new."""
        with self.library.no_grad():
            for parameter, array in zip(self.network.parameters(), self.first, strict=True):
                parameter.copy_(self.library.from_numpy(array))
            for state in self.optimizer.state.values() if self.optimizer else ():
                for tensor in state.values():
                    tensor.zero_()
        if self.optimizer is None:
            self.optimizer = self.library.optim.Adam(self.network.parameters())

    def train(self, inputs: Any, targets: Any) -> Any:
        """The usual training step."""
        self.optimizer.zero_grad()
        loss = self.loss_function(self.network(inputs), targets)
        loss.backward()
        self.optimizer.step()
        return loss

    def epoch(self) -> None:
        """One epoch, every batch in order."""
        for batch in self.batches:
            self.step(*batch)

    def mean_loss(self) -> float:
        """The loss over all batches with the weights as they are."""
        with self.library.no_grad():
            return float(np.mean([self.loss_function(self.network(x), t).item() for x, t in self.batches]))


def first_weights(network: Any, dtype: str) -> list[np.ndarray]:
    """First weights, the same everywhere: normal with 1/√inputs for matrices; else 1 or, for biases, 0."""
    generator = np.random.default_rng(0)
    found = []
    for name, parameter in network.named_parameters():
        shape = tuple(parameter.shape)
        if len(shape) > 1:
            found.append((generator.standard_normal(shape) * shape[-1] ** -0.5).astype(dtype))
        else:
            found.append(np.full(shape, float("weight" in name), dtype))
    return found


def training_of(peer: str, model: str) -> Training:
    """The training of a peer."""
    library = "torch" if peer.startswith("torch") else "stepgrad"
    return Training(MODELS[model], library, compiled=peer == "stepgrad_compiled")


@cache
def reference(model: str) -> tuple[float, float]:
    """The loss before and after the first epoch, in float64 and eagerly."""
    training = Training(MODELS[model], "stepgrad", dtype="float64")
    training.reset()
    before = training.mean_loss()
    training.epoch()
    return before, training.mean_loss()


def disagreement(model: str, loss: float) -> str | None:
    """Why a peer that reached `loss` after one epoch has trained something else, or None if it has not."""
    before, after = reference(model)
    allowed = TOLERANCE * abs(before - after)
    if abs(loss - after) <= allowed:
        return None
    return f"reached the loss {loss:.6f} after one epoch, the reference {after:.6f} ± {allowed:.6f}"


def measure(peer: str, model: str, seconds: float) -> dict[str, float]:
    """One timing: the loss after the first epoch, the seconds until then, the microseconds per step."""
    start = perf_counter()
    training = training_of(peer, model)
    training.reset()
    training.epoch()
    first = perf_counter() - start
    loss = training.mean_loss()
    time_epochs(training, seconds / 5)
    epochs, spent = time_epochs(training, seconds)
    return {"loss": loss, "first_epoch_seconds": first, "microseconds": spent / epochs / STEPS * 1e6}


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], sys.argv[2], float(sys.argv[3]))))
