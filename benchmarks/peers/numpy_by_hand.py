"""Plain NumPy with the derivatives written by hand: what one writes when there is no library."""

import numpy as np

from .. import images
from ..workloads import Workload

TITLE = "NumPy by hand"
REQUIRES = ("numpy",)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), from the half of tanh, which cannot overflow."""
    return 0.5 * np.tanh(0.5 * x) + 0.5


def loss_and_gradient(logits: np.ndarray, targets: np.ndarray) -> tuple[float, np.ndarray]:
    """The mean loss of a batch and its derivative by the logits: (probability - target) / rows."""
    rows = len(logits)
    if targets.ndim == 2:
        losses = np.maximum(logits, 0) - logits * targets + np.log1p(np.exp(-np.abs(logits)))
        return losses.mean(), (sigmoid(logits) - targets) / rows
    shifted = logits - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    sums = exponentials.sum(axis=1, keepdims=True)
    each = np.arange(rows)
    gradient = exponentials / sums
    gradient[each, targets] -= 1
    gradient /= rows
    return (np.log(sums[:, 0]) - shifted[each, targets]).mean(), gradient


class Training:
    """The training of `Workload`; with ``dtype=np.float64`` the reference that every peer is held to."""

    def __init__(self, workload: Workload, dtype: type[np.floating] = np.float32):
        self.workload = workload
        self.dtype = dtype
        self.batches = [
            (inputs.astype(dtype), targets.astype(dtype) if workload.is_binary else targets)
            for inputs, targets in workload.batches()
        ]
        self.reset()

    def reset(self) -> None:
        """Back to the first weights."""
        first = [array for pair in self.workload.weights() for array in pair]
        self.parameters = [array.astype(self.dtype) for array in first]
        self.means = [np.zeros_like(array) for array in self.parameters]
        self.squares = [np.zeros_like(array) for array in self.parameters]
        self.step = 0

    def forward(self, inputs: np.ndarray) -> list[np.ndarray]:
        """The input of each layer, and at the end the logits."""
        values = [inputs]
        for i in range(0, len(self.parameters), 2):
            weight, bias = self.parameters[i : i + 2]
            if weight.ndim == 4:
                values.append(images.largest(np.maximum(images.convolved(values[-1], weight, bias), 0)))
                continue
            x = values[-1].reshape(len(values[-1]), -1) @ weight.T + bias
            if i + 2 < len(self.parameters):
                x = np.maximum(x, 0) if self.workload.activation == "relu" else sigmoid(x)
            values.append(x)
        return values

    def gradients(self, values: list[np.ndarray], gradient: np.ndarray) -> list[np.ndarray]:
        """The derivative of the loss by each parameter, given that by the logits."""
        found: list[np.ndarray] = []
        for i in range(len(self.parameters) - 2, -1, -2):
            inputs, weight = values[i // 2], self.parameters[i]
            if weight.ndim == 4:
                # What is computed again here, a library keeps.
                convolved = np.maximum(images.convolved(inputs, weight, self.parameters[i + 1]), 0)
                gradient = images.unlargest(gradient.reshape(values[i // 2 + 1].shape), convolved)
                gradient *= convolved > 0
                found[:0] = [images.by_weight(gradient, inputs), gradient.sum(axis=(0, 2, 3))]
                gradient = images.by_input(gradient, weight) if i else gradient
                continue
            found[:0] = [gradient.T @ inputs.reshape(len(inputs), -1), gradient.sum(axis=0)]
            if i:
                gradient = gradient @ weight
                if self.parameters[i - 2].ndim == 2:
                    gradient *= inputs > 0 if self.workload.activation == "relu" else inputs * (1 - inputs)
        return found

    def update(self, gradients: list[np.ndarray]) -> None:
        """Adam (Kingma and Ba 2015), in place."""
        first, second = self.workload.betas
        self.step += 1
        rate = self.workload.learning_rate / (1 - first**self.step)
        root = (1 - second**self.step) ** 0.5
        for parameter, mean, square, gradient in zip(
            self.parameters, self.means, self.squares, gradients, strict=True
        ):
            mean *= first
            mean += (1 - first) * gradient
            square *= second
            square += (1 - second) * gradient**2
            parameter -= rate * mean / (np.sqrt(square) / root + self.workload.epsilon)

    def epoch(self) -> None:
        """One epoch, every batch in order."""
        for inputs, targets in self.batches:
            values = self.forward(inputs)
            self.loss, gradient = loss_and_gradient(values[-1], targets)
            self.update(self.gradients(values, gradient))

    def weights(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Weight and bias of each layer."""
        return list(zip(self.parameters[::2], self.parameters[1::2], strict=True))

    def mean_loss(self, weights: list[tuple[np.ndarray, np.ndarray]]) -> float:
        """The mean loss over all rows of the workload with these weights, in this training's dtype."""
        self.parameters = [np.asarray(array, self.dtype) for pair in weights for array in pair]
        losses = [loss_and_gradient(self.forward(inputs)[-1], targets)[0] for inputs, targets in self.batches]
        return float(np.mean(losses))
