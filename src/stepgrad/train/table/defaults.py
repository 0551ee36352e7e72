"""The settings that are chosen where a person chose none: functions of the task and of how much data there
is."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from stepgrad.train.table.settings import TableSettings

_SMALL = 4_000


def with_defaults(settings: TableSettings, task: str, rows: int) -> TableSettings:
    """Return `settings` with everything chosen but the task, for a `task` with so many training `rows`.

    >>> with_defaults(TableSettings("price"), "regression", 1000).hidden
    (64, 64)
    """
    batch_size = settings.batch_size or _batch_size(rows)
    is_small = rows < _SMALL
    is_linear = settings.hidden == ()
    chosen: dict[str, Any] = {
        "hidden": (64, 64),
        "activation": "silu" if is_small or task != "regression" else "relu",
        "lr": 2e-2 if is_linear else 2e-3 if is_small else 3e-3,
        "batch_size": batch_size,
        "epochs": _epochs(rows, batch_size),
        "optimizer": "adamw",
        "weight_decay": 0.0 if is_linear else _weight_decay(rows, settings.optimizer),
        "dropout": 0.0 if not is_small else 0.1 if task == "regression" else 0.2,
        "patience": 30,
        # Of many rows, those of the validation part add little.
        "refit": rows < 20_000,
    }
    lacking = [field.name for field in fields(settings) if getattr(settings, field.name) is None]
    return replace(settings, **{name: chosen[name] for name in lacking if name in chosen})


def _weight_decay(rows: int, optimizer: str | None) -> float:
    """The fewer rows, the more a network must be kept from learning them by heart; a line cannot do that.

    AdamW multiplies it by the learning rate; the others add it to the gradient, so that as much of it would
    leave the weights no room.
    """
    decay = min(max(300 / rows, 0.01), 0.3)
    return decay if optimizer in (None, "adamw") else decay / 100


def _batch_size(rows: int) -> int:
    """Return 32 for few rows and up to 256 for many, so that an epoch is neither few steps nor very many."""
    for most, size in ((2_000, 32), (5_000, 64), (20_000, 128)):
        if rows < most:
            return size
    return 256


def _epochs(rows: int, batch_size: int) -> int:
    """Return as many epochs as make 6,000 steps, within 40 and 200."""
    return min(max(round(6_000 * batch_size / rows), 40), 200)
