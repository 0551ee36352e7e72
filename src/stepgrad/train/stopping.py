"""When training ends before its last epoch, and which weights stay."""

from __future__ import annotations

import math
from typing import Any

from stepgrad.arrays import devices
from stepgrad.errors import ArgumentError
from stepgrad.nn.module import Module
from stepgrad.train.metrics import SMALLER_IS_BETTER


class EarlyStopping:
    """Keeps the best weights and says when to stop (Prechelt, "Early stopping – but when?", 1998).

    * `patience`: epochs that the monitored value may go without getting better by more than `min_delta`;
      None: no stop, and no weights are kept.
    * `tolerance`: stop as soon as the monitored value is better than it.
    * `monitor`: the name of the value, such as "validation_loss"; of losses and errors smaller is better,
      else larger. `epoch`: the number of epochs before the first that is looked at.

    A NaN is never better. Raises `ArgumentError` for a patience below 1 or a `min_delta` below 0.
    """

    def __init__(
        self,
        patience: int | None = None,
        min_delta: float = 0.0,
        tolerance: float | None = None,
        monitor: str = "loss",
        epoch: int = 0,
    ) -> None:
        if patience is not None and (not isinstance(patience, int) or patience < 1):
            raise ArgumentError(f"patience counts epochs, at least 1, not {patience!r}.")
        if not min_delta >= 0:
            raise ArgumentError(f"min_delta is at least 0, not {min_delta!r}.")
        self.patience, self.min_delta, self.tolerance = patience, min_delta, tolerance
        self.smaller_is_better = monitor.removeprefix("validation_") in SMALLER_IS_BETTER
        self.best = math.inf if self.smaller_is_better else -math.inf
        self.best_epoch, self._begun = 0, epoch
        self.best_state: dict[str, Any] | None = None

    def look(self, value: float, epoch: int, model: Module) -> str:
        """Take note of the monitored value of an epoch; return the reason to stop, or an empty text."""
        if self._is_better(value, self.best, self.min_delta) or not (self.best_epoch or math.isnan(value)):
            self.best, self.best_epoch = value, epoch
            if self.patience is not None:
                self.best_state = {name: t._array.copy() for name, t in model.state_dict().items()}
        if self.tolerance is not None and self._is_better(value, self.tolerance, 0.0):
            side = "below" if self.smaller_is_better else "above"
            return f"{side} the tolerance {self.tolerance:g}"
        if self.patience is not None and epoch - (self.best_epoch or self._begun) >= self.patience:
            return f"no improvement for {self.patience} epoch{'s' * (self.patience > 1)}"
        return ""

    def _is_better(self, value: float, than: float, by: float) -> bool:
        return value < than - by if self.smaller_is_better else value > than + by

    def restore(self, model: Module) -> None:
        """Put the best weights into the model, if they were kept."""
        if self.best_state is not None:
            for name, tensor in model.state_dict(keep_vars=True).items():
                tensor._array[...] = devices.move(self.best_state[name], tensor.device)
                tensor._version[0] += 1

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint, its arrays on the CPU."""
        state = self.best_state
        if state is not None:
            state = {name: devices.move(array, devices.CPU) for name, array in state.items()}
        return {"best": self.best, "best_epoch": self.best_epoch, "begun": self._begun, "best_state": state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go to a state that `state_dict` returned."""
        self.best, self.best_epoch, self._begun = state["best"], state["best_epoch"], state["begun"]
        self.best_state = state["best_state"]
