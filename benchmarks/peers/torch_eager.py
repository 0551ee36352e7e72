"""PyTorch as most people write it: eager, `optim.Adam` with its defaults."""

from importlib import import_module
from typing import Any

import numpy as np

from ..workloads import Workload

TITLE = "PyTorch eager"
REQUIRES = ("torch",)


class Training:
    """The usual loop, in any library with PyTorch's names; `adam` are more arguments for the optimizer."""

    LIBRARY = "torch"

    def __init__(self, workload: Workload, **adam: Any):
        self.torch, self.workload, self.adam = import_module(self.LIBRARY), workload, adam
        nn = self.torch.nn
        layers: list[Any] = []
        for inputs, outputs in zip(workload.channels, workload.channels[1:], strict=False):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        if layers:
            layers.append(nn.Flatten())
        for inputs, outputs in zip(workload.layers, workload.layers[1:], strict=False):
            layers += [
                nn.Linear(inputs, outputs),
                nn.ReLU() if workload.activation == "relu" else nn.Sigmoid(),
            ]
        self.model = nn.Sequential(*layers[:-1])
        self.loss_function = nn.BCEWithLogitsLoss() if workload.is_binary else nn.CrossEntropyLoss()
        self.batches = [(self.torch.from_numpy(x), self.torch.from_numpy(y)) for x, y in workload.batches()]
        self.reset()

    def reset(self) -> None:
        """Back to the first weights, with a new optimizer."""
        first = [array for pair in self.workload.weights() for array in pair]
        with self.torch.no_grad():
            for parameter, array in zip(self.model.parameters(), first, strict=True):
                parameter.copy_(self.torch.from_numpy(array))
        self.optimizer = self.torch.optim.Adam(
            self.model.parameters(),
            lr=self.workload.learning_rate,
            betas=self.workload.betas,
            eps=self.workload.epsilon,
            **self.adam,
        )

    def epoch(self) -> None:
        """One epoch, every batch in order."""
        for inputs, targets in self.batches:
            self.optimizer.zero_grad()
            self.loss = self.loss_function(self.model(inputs), targets)
            self.loss.backward()
            self.optimizer.step()

    def weights(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Weight and bias of each layer."""
        arrays = [parameter.detach().numpy() for parameter in self.model.parameters()]
        return list(zip(arrays[::2], arrays[1::2], strict=True))
