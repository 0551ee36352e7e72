"""`CosineAnnealingWarmRestarts`: half waves, each of which begins at the full rate again."""

from __future__ import annotations

import math

from stepgrad.autograd.recording import hides_values
from stepgrad.errors import CaptureError
from stepgrad.optim.limits import NOT_NEGATIVE, POSITIVE_COUNT, plain
from stepgrad.optim.lr_scheduler.base import LRScheduler
from stepgrad.optim.optimizer import Optimizer


class CosineAnnealingWarmRestarts(LRScheduler):
    """Half waves from the initial rate to `eta_min`, one after the other (Loshchilov and Hutter, 2017).

    lrₜ = η_min + (lr₀ − η_min) · (1 + cos(π T_cur / T_i)) / 2, where T_cur counts from the last restart and
    T_i is the length of the wave: `T_0` at first, `T_mult` times as long after each restart. It sets the
    rate, whatever other schedules did.

    Arguments: `T_0` ≥ 1, `T_mult` ≥ 1 (whole numbers), `eta_min` ≥ 0, `last_epoch` as in `LRScheduler`.

    >>> import stepgrad as sg
    >>> optimizer = sg.optim.SGD([sg.zeros(2, requires_grad=True)], lr=1.0)
    >>> schedule = sg.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=2, T_mult=2)
    >>> [round(schedule.lr_at(t, 0), 4) for t in range(7)]
    [1.0, 0.5, 1.0, 0.8536, 0.5, 0.1464, 1.0]
    """

    absolute = True

    def __init__(
        self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        POSITIVE_COUNT.check("CosineAnnealingWarmRestarts", "T_0", T_0)
        POSITIVE_COUNT.check("CosineAnnealingWarmRestarts", "T_mult", T_mult)
        NOT_NEGATIVE.check("CosineAnnealingWarmRestarts", "eta_min", eta_min)
        self.T_0, self.T_mult, self.eta_min = T_0, T_mult, eta_min
        self.T_cur, self.T_i = self._within(max(last_epoch, -1) + 1)
        self.T_cur -= 1
        super().__init__(optimizer, last_epoch)

    def step(self, epoch: float | None = None) -> None:
        """Go on by one step, or to a place of one's own: ``schedule.step(epoch + batch / batches)``."""
        if epoch is None:
            super().step()
            return
        NOT_NEGATIVE.check("CosineAnnealingWarmRestarts.step", "epoch", plain(epoch))
        if hides_values():
            raise CaptureError(
                "CosineAnnealingWarmRestarts.step(epoch) goes to a place that a compiled step would keep for "
                "ever; call it outside, or without an epoch."
            )
        self.T_cur, self.T_i = self._within(epoch)
        self.last_epoch = math.floor(epoch)
        self._set(self.get_lr())

    def _advance(self) -> None:
        self.T_cur += 1
        if self.T_cur >= self.T_i:
            self.T_cur, self.T_i = self.T_cur - self.T_i, self.T_i * self.T_mult
        super()._advance()

    def rewind(self) -> None:
        """Go to where a schedule is before it sets the first rates."""
        self.last_epoch, self.T_cur, self.T_i = -1, -1, self.T_0

    def get_lr(self) -> list[float]:
        """Return the rates that belong to `T_cur` and `T_i`."""
        return [self._height(i, self.T_cur, self.T_i) for i in range(len(self.base_lrs))]

    def lr_at(self, step: float, i: int) -> float:
        """Return the rate after `step` steps."""
        return self._height(i, *self._within(step))

    def _height(self, i: int, at: float, length: int) -> float:
        return self.eta_min + (self.base_lrs[i] - self.eta_min) * (1 + math.cos(math.pi * at / length)) / 2

    def _within(self, step: float) -> tuple[float, int]:
        """Return how far a step lies from the last restart, and the length of that wave."""
        length = self.T_0
        if self.T_mult == 1:
            return step % length, length
        while step >= length:
            step, length = step - length, length * self.T_mult
        return step, length
