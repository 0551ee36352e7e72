"""torch.compile: forward and loss with their derivatives as one compiled function, and the fused Adam.

A whole step in one compiled function breaks at `backward`, and compiling the optimizer's step was slower than
the fused one wherever it was tried.
"""

from ..workloads import Workload
from . import torch_eager

TITLE = "torch.compile, fused Adam"
REQUIRES = ("torch",)


class Training(torch_eager.Training):
    """The usual loop around a compiled function; only the first epoch compiles."""

    def __init__(self, workload: Workload):
        super().__init__(workload, fused=True)
        model, loss_function = self.model, self.loss_function
        self.compute_loss = self.torch.compile(lambda inputs, targets: loss_function(model(inputs), targets))

    def epoch(self) -> None:
        """One epoch, every batch in order."""
        for inputs, targets in self.batches:
            self.optimizer.zero_grad()
            self.loss = self.compute_loss(inputs, targets)
            self.loss.backward()
            self.optimizer.step()
