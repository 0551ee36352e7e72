"""The networks that are trained: their data and first weights, made from a seed, the same for every peer."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class Workload:
    """A network and its training step: Adam (PyTorch's defaults), float32.

    `layers` are the widths from input to output; with one output the loss is binary cross entropy on logits,
    with more it is cross entropy on logits, both as means over the batch. An epoch goes through `rows` rows
    in order, in batches of `batch`, which divides `rows`.

    With `channels` the inputs are images (channels[0], side, side), and before the layers come convolutions:
    each 3 × 3 with padding 1, then ReLU, then the largest of each 2 × 2.
    """

    name: str
    layers: tuple[int, ...]
    activation: Literal["sigmoid", "relu"]
    batch: int
    rows: int
    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    channels: tuple[int, ...] = ()
    side: int = 0

    @property
    def is_binary(self) -> bool:
        """Whether the network has one output, the logit of the second of two classes."""
        return self.layers[-1] == 1

    @property
    def steps(self) -> int:
        """Training steps in an epoch."""
        return self.rows // self.batch

    def __str__(self) -> str:
        images = f"{self.side} × {self.side}, channels {'-'.join(map(str, self.channels))}, "
        layers = f"{'-'.join(map(str, self.layers))} {self.activation}, batch {self.batch}"
        return images + layers if self.channels else layers

    @property
    def inputs(self) -> tuple[int, ...]:
        """The shape of one row of the inputs."""
        return (self.channels[0], self.side, self.side) if self.channels else self.layers[:1]

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Inputs float32 (rows, *inputs); targets float32 (rows, 1) if binary, else int64 (rows,)."""
        if self.name == "xor":
            cases = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
            inputs = np.tile(cases, (self.rows // 4, 1))
            return inputs, (inputs[:, :1] != inputs[:, 1:]).astype(np.float32)
        generator = np.random.default_rng(1)
        width = math.prod(self.inputs)
        inputs = generator.standard_normal((self.rows, width), np.float32)
        scores = inputs @ generator.standard_normal((width, self.layers[-1]), np.float32)
        scores += generator.standard_normal(scores.shape, np.float32)
        return inputs.reshape(self.rows, *self.inputs), (scores > 0).astype(
            np.float32
        ) if self.is_binary else scores.argmax(axis=1)

    def weights(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """First weights (outputs, inputs), or (outputs, inputs, 3, 3), and biases (outputs,) of each layer,
        uniform in ±1/√(numbers that go into an output).
        """
        generator = np.random.default_rng(0)
        pairs = []
        shapes: list[tuple[int, ...]] = [(m, n, 3, 3) for n, m in zip(self.channels, self.channels[1:])]
        for shape in [*shapes, *((m, n) for n, m in zip(self.layers, self.layers[1:]))]:
            outputs, bound = shape[0], math.prod(shape[1:]) ** -0.5
            weight = generator.uniform(-bound, bound, shape).astype(np.float32)
            pairs.append((weight, generator.uniform(-bound, bound, outputs).astype(np.float32)))
        return pairs

    def batches(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """The epoch's batches of inputs and targets, in order."""
        inputs, targets = self.data()
        return [
            (inputs[i : i + self.batch], targets[i : i + self.batch]) for i in range(0, self.rows, self.batch)
        ]


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("xor", (2, 2, 1), "sigmoid", batch=4, rows=400),
        Workload("tab", (32, 64, 64, 1), "relu", batch=64, rows=6_400),
        Workload("mnist", (784, 256, 128, 10), "relu", batch=128, rows=12_800),
        Workload("digits", (128, 10), "relu", batch=64, rows=3_200, channels=(1, 16, 32), side=8),
        Workload("conv", (1568, 10), "relu", batch=64, rows=2_560, channels=(1, 16, 32), side=28),
        Workload("wide", (1024, 2048, 2048, 10), "relu", batch=512, rows=2_048),
    )
}
