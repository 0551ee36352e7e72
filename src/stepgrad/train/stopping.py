"""When training ends before its last epoch, and which weights stay."""

from __future__ import annotations

import math
from typing import Any

from stepgrad.errors import ArgumentError
from stepgrad.nn.module import Module


class EarlyStopping:
    """Keeps the best weights and says when to stop (Prechelt, "Early stopping – but when?", 1998).

    * `patience`: epochs that the monitored value may go without getting better by more than `min_delta`;
      None: no stop, and no weights are kept.
    * `tolerance`: stop as soon as the monitored value is below it.
    """

    def __init__(self, patience: int | None, min_delta: float, tolerance: float | None) -> None:
        if patience is not None and patience < 1:
            raise ArgumentError(f"patience counts epochs, at least 1, not {patience}.")
        if min_delta < 0:
            raise ArgumentError(f"min_delta is at least 0, not {min_delta}.")
        self.patience, self.min_delta, self.tolerance = patience, min_delta, tolerance
        self.best = math.inf
        self.best_epoch = 0
        self.best_state: dict[str, Any] | None = None

    def look(self, value: float, epoch: int, model: Module) -> str:
        """Take note of the monitored value of an epoch; return the reason to stop, or an empty text."""
        if value < self.best - self.min_delta or (math.isinf(self.best) and not math.isnan(value)):
            self.best, self.best_epoch = value, epoch
            if self.patience is not None:
                self.best_state = {name: t._array.copy() for name, t in model.state_dict().items()}
        if self.tolerance is not None and value < self.tolerance:
            return f"below the tolerance {self.tolerance:g}"
        if self.patience is not None and epoch - self.best_epoch >= self.patience:
            return f"no improvement for {self.patience} epochs"
        return ""

    def restore(self, model: Module) -> None:
        """Put the best weights into the model, if they were kept."""
        if self.best_state is not None:
            for name, tensor in model.state_dict(keep_vars=True).items():
                tensor._array[...] = self.best_state[name]
                tensor._version[0] += 1

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {"best": self.best, "best_epoch": self.best_epoch, "best_state": self.best_state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go to a state that `state_dict` returned."""
        self.best, self.best_epoch, self.best_state = state["best"], state["best_epoch"], state["best_state"]
