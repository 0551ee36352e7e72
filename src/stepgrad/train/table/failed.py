"""A run on a table that ended in NaN or infinity: what is kept of it in its folder."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stepgrad import nn
from stepgrad.data.table.prepare import Preparation
from stepgrad.errors import NotFiniteError
from stepgrad.files.atomic import write_atomically
from stepgrad.train.callbacks import Callback
from stepgrad.train.health import Health
from stepgrad.train.health.callback import HealthCheck
from stepgrad.train.table import config
from stepgrad.train.table.model import TableModel
from stepgrad.train.table.settings import TableSettings

HEALTH_NAME = "health.json"
METRICS_NAME = "metrics.jsonl"
BEFORE_NAME = "before_nan.safetensors"


class Trained(Callback):
    """Knows the network that is being trained."""

    def __init__(self) -> None:
        self.network: nn.Module | None = None

    def on_fit_begin(self, trainer: Any) -> None:
        """Take the network; that of a second training takes the place of the first's."""
        self.network = trainer.model


@dataclass(frozen=True)
class FailedRun:
    """What there is of a run that ended in NaN or infinity: folder, settings, finished epochs, health."""

    folder: str
    settings: TableSettings
    history: list[dict[str, Any]]
    health: Health

    @property
    def lower_rate(self) -> float | None:
        """The learning rate that was measured to help, None if none was."""
        changes = [finding.change for finding in self.health.findings if finding.change is not None]
        values = {change.kind: change.value for change in changes}
        return values.get("rate", values.get("finite"))


def write_health(health: Health, folder: Path) -> None:
    """Write all that is known to `health.json`."""
    text = json.dumps({"version": 1, **health.to_json()}, ensure_ascii=False, allow_nan=False)
    write_atomically(folder / HEALTH_NAME, text.encode())


def keep_failed(
    folder: Path, error: NotFiniteError, check: HealthCheck, network: nn.Module, preparation: Preparation,
    record: Mapping[str, Any],
) -> None:  # fmt: skip
    """Write `health.json`, and the weights as they were before the step that went wrong to a file of their
    own, which is no model to predict with, but can be looked at.
    """
    if "not_finite" not in check.health.kinds():
        check.end_in(error)  # in the refit on all rows, which is not looked at
    write_health(check.health, folder)
    TableModel(network.to("cpu"), preparation).save(folder / BEFORE_NAME, {**record, "stopped": error.what})


def is_failed(folder: str | os.PathLike[str]) -> bool:
    """Return whether the run in a folder ended in NaN or infinity."""
    return (Path(folder) / BEFORE_NAME).is_file()


def read_failed(folder: str | os.PathLike[str]) -> FailedRun:
    """Return what `keep_failed` and the run before it have written."""
    path = Path(folder)
    settings, _ = config.read_config(path)
    lines = (path / METRICS_NAME).read_text(encoding="utf-8").splitlines()
    health = Health.from_json(json.loads((path / HEALTH_NAME).read_text(encoding="utf-8")))
    return FailedRun(os.fspath(folder), settings, [json.loads(line) for line in lines], health)
