"""stepgrad's compiled mode: the usual step, and an epoch of it as one native call."""

from typing import Any

from ..workloads import Workload
from . import stepgrad_eager

TITLE = "stepgrad compiled"
REQUIRES = ("stepgrad", "llvmlite")


class Training(stepgrad_eager.Training):
    """One call per epoch, over the epoch's batches stacked into one array."""

    def __init__(self, workload: Workload, **adam: Any):
        super().__init__(workload, **adam)
        self.stacked = [self.torch.stack(list(parts)) for parts in zip(*self.batches, strict=True)]
        self.step = self.torch.compile(self.train)

    def train(self, inputs: Any, targets: Any) -> Any:
        """The usual training step."""
        self.optimizer.zero_grad()
        loss = self.loss_function(self.model(inputs), targets)
        loss.backward()
        self.optimizer.step()
        return loss

    def reset(self) -> None:
        """Back to the first weights, with the optimizer as new."""
        if not hasattr(self, "optimizer"):
            super().reset()
            return
        first = [array for pair in self.workload.weights() for array in pair]
        with self.torch.no_grad():
            for parameter, array in zip(self.model.parameters(), first, strict=True):
                parameter.copy_(self.torch.from_numpy(array))
            for state in self.optimizer.state.values():
                for tensor in state.values():
                    tensor.zero_()

    def epoch(self) -> None:
        """One epoch, every batch in order."""
        self.losses = self.step.scan(*self.stacked)
