"""The same networks trained in other ways: batch norm and dropout, SGD with momentum, float64, other batches.

Run as a program, ``python -m benchmarks.variants PEER VARIANT SECONDS``, this file is the worker: a fresh
process that times one peer on one variant and prints one line of JSON. Losses are not compared here, since
each library drops other units; `benchmarks.steps` compares them.
"""

import json
import os
import sys
from dataclasses import dataclass, replace
from importlib import import_module
from time import perf_counter
from typing import Any

import numpy as np

from .steps import time_epochs
from .workloads import WORKLOADS, Workload

DROPOUT, MOMENTUM = 0.1, 0.9
# Numbers of an epoch's inputs, so that the widest network on the largest batch stays within memory.
_MOST_NUMBERS, _MOST_STEPS = 4_000_000, 400


@dataclass(frozen=True)
class Variant:
    """A workload with changes: `norm` puts batch norm before and dropout after each activation."""

    workload: Workload
    norm: bool = False
    momentum: bool = False
    dtype: str = "float32"

    def batches(self) -> tuple[np.ndarray, np.ndarray]:
        """Inputs (steps, batch, inputs) and targets (steps, batch, 1) or int64 (steps, batch)."""
        inputs, targets = self.workload.data()
        rows = self.workload.rows
        order = np.resize(np.arange(len(inputs)), rows)
        inputs, targets = inputs[order].astype(self.dtype), targets[order]
        targets = targets.astype(self.dtype) if self.workload.is_binary else targets
        shape = (self.workload.steps, self.workload.batch)
        return inputs.reshape(*shape, -1), targets.reshape(*shape, *targets.shape[1:])


def _with_batch(workload: Workload, batch: int) -> Workload:
    steps = max(2, min(_MOST_STEPS, _MOST_NUMBERS // (batch * workload.layers[0])))
    return replace(workload, batch=batch, rows=steps * batch)


CHANGES: dict[str, Any] = {
    "norm": lambda w: Variant(w, norm=True),
    "momentum": lambda w: Variant(w, momentum=True),
    "float64": lambda w: Variant(w, dtype="float64"),
    "1": lambda w: Variant(_with_batch(w, 1)),
    "16": lambda w: Variant(_with_batch(w, 16)),
    "1000": lambda w: Variant(_with_batch(w, 1000)),
}
TITLES = {
    "norm": "batch norm, dropout", "momentum": "SGD with momentum", "float64": "float64",
    "1": "batch 1", "16": "batch 16", "1000": "batch 1,000",
}  # fmt: skip
VARIANTS = {f"{name} {change}": make for name in WORKLOADS for change, make in CHANGES.items()}


def variant(name: str) -> Variant:
    """The variant of a name such as "tab float64"."""
    return VARIANTS[name](WORKLOADS[name.split()[0]])


class Named:
    """The usual training in a library with PyTorch's names."""

    def __init__(self, variant: Variant, library: str, **options: Any):
        torch = self.torch = import_module(library)
        nn, workload = torch.nn, variant.workload
        torch.manual_seed(0)
        layers: list[Any] = []
        for inputs, outputs in zip(workload.layers, workload.layers[1:], strict=False):
            layers.append(nn.Linear(inputs, outputs))
            if variant.norm:
                layers.append(nn.BatchNorm1d(outputs))
            layers.append(nn.ReLU() if workload.activation == "relu" else nn.Sigmoid())
            if variant.norm:
                layers.append(nn.Dropout(DROPOUT))
        # Nothing comes after the last Linear.
        self.model = nn.Sequential(*layers[: -3 if variant.norm else -1])
        self.model.to(getattr(torch, variant.dtype))
        self.loss_function = nn.BCEWithLogitsLoss() if workload.is_binary else nn.CrossEntropyLoss()
        make = torch.optim.SGD if variant.momentum else torch.optim.Adam
        rest = {"momentum": MOMENTUM} if variant.momentum else {}
        self.optimizer = make(self.model.parameters(), lr=workload.learning_rate, **rest, **options)
        self.inputs, self.targets = map(torch.from_numpy, variant.batches())
        self.first = {name: value.clone() for name, value in self.model.state_dict().items()}

    def reset(self) -> None:
        """Back to the first weights, with zeros in the optimizer's state."""
        self.model.load_state_dict(self.first)
        with self.torch.no_grad():
            for state in self.optimizer.state.values():
                for value in state.values():
                    value.zero_()

    def loss(self, inputs: Any, targets: Any) -> Any:
        """The loss of a batch."""
        return self.loss_function(self.model(inputs), targets)

    def step(self, inputs: Any, targets: Any) -> Any:
        """One training step."""
        self.optimizer.zero_grad()
        loss = self.loss(inputs, targets)
        loss.backward()
        self.optimizer.step()
        return loss

    def epoch(self) -> None:
        """One epoch, every batch in order."""
        for inputs, targets in zip(self.inputs, self.targets, strict=True):
            self.step(inputs, targets)


class Stepgrad(Named):
    """stepgrad, the step compiled and an epoch in one call."""

    def __init__(self, variant: Variant):
        super().__init__(variant, "stepgrad")
        self.compiled = self.torch.compile(self.step)

    def epoch(self) -> None:
        """One epoch, every batch in order."""
        self.compiled.scan(self.inputs, self.targets)


class Torch(Named):
    """PyTorch eager with the fused optimizer."""

    def __init__(self, variant: Variant):
        super().__init__(variant, "torch", fused=True)


class TorchCompiled(Torch):
    """PyTorch with the loss and its derivatives compiled."""

    def __init__(self, variant: Variant):
        super().__init__(variant)
        self.loss = self.torch.compile(self.loss)  # type: ignore[method-assign]


class Jax:
    """JAX, an epoch as one jitted scan; the state is donated."""

    def __init__(self, variant: Variant):
        if variant.dtype == "float64":
            os.environ["JAX_ENABLE_X64"] = "1"
        import jax
        import jax.numpy as jnp

        self.jax = jax
        inputs, targets = variant.batches()
        self.batches = (jnp.asarray(inputs), jnp.asarray(targets, None if targets.ndim == 3 else jnp.int32))
        self.variant, step = variant, _jax_step(variant)
        self.run = jax.jit(lambda state, batches: jax.lax.scan(step, state, batches), donate_argnums=0)
        self.reset()

    def reset(self) -> None:
        """Back to the first weights, with the optimizer as new."""
        self.state = self.jax.block_until_ready(_jax_state(self.variant))

    def epoch(self) -> None:
        """One epoch, every batch in order."""
        self.state, _ = self.run(self.state, self.batches)
        self.jax.block_until_ready(self.state)


def _jax_state(variant: Variant) -> Any:
    import jax
    import jax.numpy as jnp

    parameters = []
    for i, (weight, bias) in enumerate(variant.workload.weights()):
        layer = [jnp.asarray(weight, variant.dtype), jnp.asarray(bias, variant.dtype)]
        if variant.norm and i + 2 < len(variant.workload.layers):
            layer += [jnp.ones_like(layer[1]), jnp.zeros_like(layer[1])]
        parameters.append(layer)
    statistics = [[jnp.zeros_like(p[1]), jnp.ones_like(p[1])] for p in parameters[:-1]]
    means, squares = (jax.tree.map(jnp.zeros_like, parameters) for _ in range(2))
    return parameters, means, squares, statistics, jnp.zeros((), variant.dtype), jax.random.key(0)


def _jax_step(variant: Variant) -> Any:
    """The function (state, batch) → (state, loss)."""
    import jax
    import jax.numpy as jnp

    workload = variant.workload
    activation = jax.nn.relu if workload.activation == "relu" else jax.nn.sigmoid
    first, second = workload.betas

    def forward(parameters: Any, statistics: Any, key: Any, x: Any) -> Any:
        kept = []
        for layer, running in zip(parameters[:-1], statistics, strict=True):
            x = x @ layer[0].T + layer[1]
            if variant.norm:
                mean, spread = x.mean(0), x.var(0)
                kept.append([0.9 * running[0] + 0.1 * mean, 0.9 * running[1] + 0.1 * spread])
                x = (x - mean) / jnp.sqrt(spread + 1e-5) * layer[2] + layer[3]
            x = activation(x)
            if variant.norm:
                key, own = jax.random.split(key)
                x = jnp.where(jax.random.uniform(own, x.shape) >= DROPOUT, x / (1 - DROPOUT), 0)
        return x @ parameters[-1][0].T + parameters[-1][1], kept or statistics

    def mean_loss(parameters: Any, statistics: Any, key: Any, inputs: Any, targets: Any) -> Any:
        logits, kept = forward(parameters, statistics, key, inputs)
        if workload.is_binary:
            each = jnp.maximum(logits, 0) - logits * targets + jnp.log1p(jnp.exp(-jnp.abs(logits)))
        else:
            each = -jax.nn.log_softmax(logits)[jnp.arange(len(targets)), targets]
        return each.mean(), kept

    def step(state: Any, batch: Any) -> Any:
        parameters, means, squares, statistics, count, key = state
        key, own = jax.random.split(key)
        (loss, statistics), slopes = jax.value_and_grad(mean_loss, has_aux=True)(
            parameters, statistics, own, *batch
        )
        rate, tree = workload.learning_rate, jax.tree.map
        if variant.momentum:
            means = tree(lambda m, g: MOMENTUM * m + g, means, slopes)
            parameters = tree(lambda p, m: p - rate * m, parameters, means)
            return (parameters, means, squares, statistics, count, key), loss
        count += 1
        means = tree(lambda m, g: first * m + (1 - first) * g, means, slopes)
        squares = tree(lambda v, g: second * v + (1 - second) * g**2, squares, slopes)
        root, step_size = jnp.sqrt(1 - second**count), rate / (1 - first**count)
        parameters = tree(
            lambda p, m, v: p - step_size * m / (jnp.sqrt(v) / root + 1e-8), parameters, means, squares
        )
        return (parameters, means, squares, statistics, count, key), loss

    return step


# Title, modules without which it is skipped, class, and the peer of `benchmarks.peers` that does the same.
PEERS: dict[str, tuple[str, tuple[str, ...], Any, str]] = {
    "stepgrad": ("stepgrad compiled", ("stepgrad", "llvmlite"), Stepgrad, "stepgrad_compiled"),
    "jax": ("JAX, lax.scan", ("jax",), Jax, "jax_scan"),
    "torch": ("PyTorch eager, fused", ("torch",), Torch, "torch_fused"),
    "torch_compiled": ("torch.compile", ("torch",), TorchCompiled, "torch_compiled"),
}


def measure(peer: str, name: str, seconds: float) -> dict[str, float]:
    """Microseconds per step, once everything is compiled, and the seconds until the first epoch was done."""
    chosen = variant(name)
    began = perf_counter()
    training = PEERS[peer][2](chosen)
    training.epoch()
    first = perf_counter() - began
    training.epoch()
    epochs, spent = time_epochs(training, seconds)
    return {"microseconds": spent / epochs / chosen.workload.steps * 1e6, "first_epoch_seconds": first}


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], sys.argv[2], float(sys.argv[3]))))
