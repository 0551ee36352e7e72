"""JAX with a whole epoch as one jitted `lax.scan`, so that Python is entered once per epoch."""

from typing import Any

from ..workloads import Workload
from . import jax_jit

TITLE = "JAX, lax.scan over an epoch"
REQUIRES = ("jax",)


class Training(jax_jit.Training):
    """One call per epoch, over the epoch's batches stacked into one array."""

    def __init__(self, workload: Workload):
        super().__init__(workload)
        stack = self.jax.numpy.stack
        inputs, targets = zip(*self.batches, strict=True)
        self.stacked = (stack(inputs), stack(targets))

    def compile(self, step: Any) -> None:
        """Make what `epoch` calls."""
        scan = self.jax.lax.scan
        self.run_epoch = self.jax.jit(lambda state, batches: scan(step, state, batches), donate_argnums=0)

    def epoch(self) -> None:
        """One epoch, every batch in order; it ends when the last weights are there."""
        self.state, self.losses = self.run_epoch(self.state, self.stacked)
        self.jax.block_until_ready(self.state)
