"""What a change is worth: two copies of a case trained, one with it, and their losses compared."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from stepgrad.train.health.case import Case
from stepgrad.train.health.changes import Change
from stepgrad.train.health.findings import Finding
from stepgrad.train.health.plain import plain_numbers
from stepgrad.words.language import Words
from stepgrad.words.numbers import number, percent

_STEPS, _MANY_STEPS = 100, 300
_SLOW = ("decay", "no_decay", "no_dropout", "hidden")  # what shows only after many steps


@dataclass(frozen=True)
class Trial:
    """What a `change` did on a copy: the losses at the start and after so many steps, without and with it.

    `finding` is what it is against. `rows`: "training" or "validation", on which the losses were measured.
    Where the change makes the losses incomparable, as another scale of the target does, each is compared
    with its own start.
    """

    finding: Finding
    change: Change
    steps: int
    start: float
    without: float
    with_change: float
    rows: str = "training"

    @property
    def gain(self) -> float:
        """The share by which the loss is lower with the change; negative if it is higher."""
        if not math.isfinite(self.with_change):
            return -math.inf
        if not math.isfinite(self.without):
            return 1.0
        return 1 - self.with_change / self.without if self.without else 0.0

    def text(self, words: Words) -> str:
        """Return what was measured, as a sentence."""
        values = {
            "change": self.change.text(words), "rows": words(self.rows), "steps": self.steps,
            "after": number(self.with_change), "before": number(self.without),
        }  # fmt: skip
        if not math.isfinite(self.with_change):
            diverged = "{change}: the {rows} loss becomes infinite within {steps} steps: no gain."
            return words(diverged, **values)
        if self.gain <= 0:
            did_not = "{change}: the {rows} loss is {after} after {steps} steps instead of {before}: no gain."
            return words(did_not, **values)
        if not math.isfinite(self.without):
            finite = "{change}: the {rows} loss is {after} after {steps} steps instead of infinite."
            return words(finite, **values)
        helped = "{change}: the {rows} loss is {after} after {steps} steps instead of {before}, {gain} lower."
        return words(helped, **values, gain=percent(self.gain))

    def __str__(self) -> str:
        return self.text(Words())

    def to_json(self) -> dict[str, Any]:
        """Return the trial as plain values, but for the finding; infinity as text."""
        losses = {"start": self.start, "without": self.without, "with_change": self.with_change}
        return {
            "change": self.change.to_json(), "steps": self.steps, "rows": self.rows, **plain_numbers(losses)
        }  # fmt: skip


class Trials:
    """Trials of changes on copies of one case, which has an optimizer and stays as it is."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._plain: dict[tuple[str, int, int], float] = {}
        self._start: float | None = None

    def of(self, finding: Finding, change: Change, steps: int | None = None, batch_size: int = 32) -> Trial:
        """Return the trial of a change; by default over 100 steps, or 300 if the change is slow to show."""
        steps = steps or (_MANY_STEPS if change.kind in _SLOW else _STEPS)
        is_scaled = change.kind == "standardise_target"
        rows = "training" if self._case.validation is None or is_scaled else "validation"
        if self._start is None:
            self._start = self._case.whole_loss()
        key = (rows, steps, batch_size)
        if key not in self._plain:
            self._plain[key] = _end(self._case.copy(), *key)
        end = _end(change.applied(self._case), *key)
        if is_scaled:
            # In units of its own, the loss says something only beside what it began with.
            scale = change.applied(self._case).whole_loss()
            end *= self._start / scale if scale else 1.0
        return Trial(finding, change, steps, self._start, self._plain[key], end, rows)


def _end(case: Case, rows: str, steps: int, batch_size: int) -> float:
    if case.train(steps, batch_size) < steps:
        return math.inf
    return case.validation_loss() if rows == "validation" else case.whole_loss()
