"""What a training run went through: one record per epoch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stepgrad.errors import ArgumentError, suggest


class History:
    """The epochs of a run, each a dict: epoch, step, loss, validation_loss, validation_<metric>, lr, seconds.

    "epoch" counts from 1, "step" the updates until its end; "loss" is the mean over its rows, "lr" the
    learning rate at its end (of the first group).

    ``history["loss"]`` is the list of a column (None where an epoch lacks it), ``history[-1]`` the last
    epoch. `best_epoch` is the epoch with the best monitored value (its weights were kept if there was a
    `patience`), `stopped` says why the run ended.

    Raises `ArgumentError` for a column that no epoch has.

    >>> h = History([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}])
    >>> h["loss"], h[-1]["epoch"]
    ([0.5, 0.25], 2)
    """

    def __init__(self, epochs: list[dict[str, Any]] | None = None) -> None:
        self.epochs: list[dict[str, Any]] = [] if epochs is None else epochs
        self.best_epoch = 0
        self.stopped = ""

    def __getitem__(self, key: str | int) -> Any:
        if not isinstance(key, str):
            return self.epochs[key]
        known = list(dict.fromkeys(name for epoch in self.epochs for name in epoch))
        if known and key not in known:
            raise ArgumentError(
                f"the history has no column {key!r}; it has {', '.join(known)}.{suggest(key, known)}"
            )
        return [epoch.get(key) for epoch in self.epochs]

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
