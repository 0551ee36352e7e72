"""What a training run went through: one record per epoch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class History:
    """The epochs of a run, each a dict: epoch, step, loss, validation_loss, validation_<metric>, lr, seconds.

    ``history["loss"]`` is the list of a column (None where an epoch lacks it), ``history[-1]`` the last
    epoch. `best_epoch` is the epoch whose weights were kept (or the last), `stopped` says why the run
    ended.

    >>> h = History([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}])
    >>> h["loss"], h[-1]["epoch"]
    ([0.5, 0.25], 2)
    """

    def __init__(self, epochs: list[dict[str, Any]] | None = None) -> None:
        self.epochs: list[dict[str, Any]] = epochs or []
        self.best_epoch = 0
        self.stopped = ""

    def __getitem__(self, key: str | int) -> Any:
        if isinstance(key, str):
            return [epoch.get(key) for epoch in self.epochs]
        return self.epochs[key]

    def __len__(self) -> int:
        return len(self.epochs)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.epochs)

    def __repr__(self) -> str:
        last = self.epochs[-1] if self.epochs else {}
        losses = ", ".join(
            f"{k}={last[k]:.4g}" for k in ("loss", "validation_loss") if last.get(k) is not None
        )
        return f"<History of {len(self)} epochs: {losses or 'empty'}; stopped: {self.stopped or 'not yet'}>"
