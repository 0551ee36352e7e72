"""`health`: a network in training looked over, and what was found tried out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from stepgrad.errors import ArgumentError
from stepgrad.train.health.case import MOST_ROWS, Case, make_case
from stepgrad.train.health.findings import Finding
from stepgrad.train.health.fitting import of_curves
from stepgrad.train.health.measure import Measurement, measure
from stepgrad.train.health.plain import plain_numbers, true_numbers
from stepgrad.train.health.rates import STEPS, of_inputs, of_rates
from stepgrad.train.health.rules import not_finite, of_gradients
from stepgrad.words.language import Words
from stepgrad.words.numbers import number, percent


@dataclass(frozen=True)
class Trial:
    """What a change did on a copy: the losses at the start and after so many steps, without and with it.

    `rows`: "training" or "validation", on which the losses were measured. Where the change makes the losses
    incomparable, as another scale of the target does, each is compared with its own start.
    """

    finding: Finding
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
        assert self.finding.change is not None
        helped = "{change}: the {rows} loss is {after} after {steps} steps instead of {before}, {gain} lower."
        did_not = "{change}: the {rows} loss is {after} after {steps} steps instead of {before}: no gain."
        return words(
            helped if self.gain > 0 else did_not,
            change=self.finding.change.text(words), rows=words(self.rows), steps=self.steps,
            after=number(self.with_change), before=number(self.without), gain=percent(max(self.gain, 0.0)),
        )  # fmt: skip

    def __str__(self) -> str:
        return self.text(Words())

    def to_json(self) -> dict[str, Any]:
        """Return the trial as plain values, but for the finding; infinity as text."""
        losses = {"start": self.start, "without": self.without, "with_change": self.with_change}
        return {"steps": self.steps, "rows": self.rows, **plain_numbers(losses)}


class Health:
    """What a look at a network found.

    * `findings`: what is wrong, the gravest first; empty for a healthy network.
    * `measurements`: what was measured, one `Measurement` per look, in order.
    * `case`: the model and data that `try_out` makes copies of, None if they are not at hand.
    * `trials`: what `try_out` has returned.
    """

    def __init__(
        self, findings: Iterable[Finding], measurements: Sequence[Measurement], case: Case | None = None
    ) -> None:
        self.findings, self.measurements, self.case = list(findings), list(measurements), case
        self.trials: list[Trial] = []

    def __bool__(self) -> bool:
        """Whether all is well."""
        return not self.findings

    def kinds(self) -> list[str]:
        """Return the kinds of the findings."""
        return [finding.kind for finding in self.findings]

    def try_out(self, finding: Finding | int | None = None, steps: int = 100, batch_size: int = 32) -> Trial:
        """Train two copies for some steps, one with the change of a finding, and return the `Trial`.

        `finding`: one of `findings` or its number; by default the first that has a change. Model, optimizer
        and random streams stay as they are. Raises `ArgumentError` if there is nothing to try.
        """
        chosen = self._chosen(finding)
        assert chosen.change is not None
        if self.case is None or self.case.optimizer is None:
            raise ArgumentError("try_out trains copies, which needs the model, its data and an optimizer.")
        plain, changed = self.case.copy(), chosen.change.applied(self.case)
        rows = (
            "training"
            if self.case.validation is None or chosen.change.kind == "standardise_target"
            else "validation"
        )
        start = plain.whole_loss()
        ends = [_end(case, rows, steps, batch_size) for case in (plain, changed)]
        if chosen.change.kind == "standardise_target":
            # In units of its own, the loss says something only beside what it began with.
            scale = chosen.change.applied(self.case).whole_loss()
            ends[1] *= start / scale if scale else 1.0
        self.trials.append(Trial(chosen, steps, start, ends[0], ends[1], rows))
        return self.trials[-1]

    def _chosen(self, finding: Finding | int | None) -> Finding:
        if isinstance(finding, Finding):
            candidates = [finding]
        elif finding is None:
            candidates = self.findings
        else:
            if not 0 <= finding < len(self.findings):
                raise ArgumentError(f"there is no finding {finding}; there are {len(self.findings)}.")
            candidates = [self.findings[finding]]
        for candidate in candidates:
            if candidate.change is not None:
                return candidate
        raise ArgumentError("there is nothing to try: no finding proposes a change.")

    def text(self, words: Words) -> str:
        """Return the findings as lines."""
        if not self.findings:
            return words("Nothing is wrong.")
        return "\n".join(finding.text(words) for finding in self.findings)

    def __repr__(self) -> str:
        return f"<Health: {self.text(Words())}>"

    def to_json(self) -> dict[str, Any]:
        """Return findings, trials and measurements as plain values; NaN and infinity as text."""
        return {
            "findings": [finding.to_json() for finding in self.findings],
            "trials": [
                {"finding": self.findings.index(trial.finding), **trial.to_json()} for trial in self.trials
            ],
            "measurements": [measurement.to_json() for measurement in self.measurements],
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Health:
        """Return what `to_json` described, without a case; `KeyError` or `TypeError` for other values."""
        measurements = [Measurement.from_json(each) for each in value["measurements"]]
        found = cls([Finding.from_json(each) for each in value["findings"]], measurements)
        for each in map(true_numbers, value["trials"]):
            found.trials.append(Trial(**{**each, "finding": found.findings[each["finding"]]}))
        return found


def _end(case: Case, rows: str, steps: int, batch_size: int) -> float:
    if not case.train(steps, batch_size):
        return math.inf
    return case.validation_loss() if rows == "validation" else case.whole_loss()


def diagnose(
    case: Case, seen: Sequence[Measurement], history: Any = None, restored: int = 0
) -> list[Finding]:
    """Return what is wrong with a case: from measurements, from trials on copies, from the curves of a run.

    `case` is how the run began; `restored` the epoch whose weights were put back at its end, 0 if none were.
    """
    for measurement in seen:
        if (found := not_finite(measurement)) is not None:
            return [found]
    from_start = list(of_gradients(seen[:1], case))
    findings = list(of_inputs(case, seen)) or list(of_gradients(seen, case))
    # A gradient that explodes from the start comes with any learning rate; later, of a high one.
    is_explained = any(finding.kind == "zigzag" for finding in findings)
    if not is_explained and not any(finding.kind == "exploding_gradient" for finding in from_start):
        rates = list(of_rates(case, seen))
        if any(finding.kind == "rate_too_high" for finding in rates):
            findings = from_start  # what came later came of it
        findings = rates + findings
    if history is not None and not findings:
        findings += of_curves(history, case, restored)
    return findings


def health(
    model: Any,
    loss: Any,
    optimizer: Any,
    x: Any,
    y: Any,
    *,
    validation: Any = None,
    history: Any = None,
    clip_norm: float | None = None,
    clip_value: float | None = None,
) -> Health:
    """Look over a network in training, and return what is wrong with it as `Health`.

    * `model`, `loss`, `optimizer`: as they are at the moment; `optimizer` may be None, which leaves out
      updates and learning rates. None of them is changed: what is tried is tried on copies.
    * `x`, `y`: rows to look at, inputs (a tensor, or a tuple of them) and target; the first 256 are used.
    * `validation`: (x, y) that are not trained on. `history`: the `History` of a `Trainer`, or a list of
      dicts with "loss" and "validation_loss", for over- and underfitting.

    It looks at gradients, weights, saturation and dead units of every layer, at the step that the optimizer
    would take, and 24 steps further on; then it tries other learning rates if the steps look too long or too
    short. Cost: some dozens of training steps.

    Raises `ArgumentError` and `DataError` for arguments that do not fit.

    >>> import stepgrad as sg
    >>> from stepgrad import nn
    >>> _ = sg.manual_seed(0)
    >>> x, y = sg.randn(64, 4), sg.randn(64, 1)
    >>> layers = [layer for _ in range(10) for layer in (nn.Linear(4, 4), nn.Sigmoid())]
    >>> net = nn.Sequential(*layers, nn.Linear(4, 1))
    >>> found = sg.health(net, nn.MSELoss(), sg.optim.SGD(net.parameters(), lr=0.1), x, y)
    >>> found.kinds()
    ['vanishing_gradient']
    >>> found.try_out().gain > 0
    True
    """
    case = make_case(model, loss, optimizer, x, y, validation, clip_norm=clip_norm, clip_value=clip_value)
    case = first_rows(case)
    seen = [measure(case)]
    if case.optimizer is not None and seen[0].origin is None:
        later = case.copy()
        if later.train(STEPS):
            seen.append(measure(later, step=STEPS))
    return Health(diagnose(case, seen, history), seen, case)


def first_rows(case: Case, most: int = MOST_ROWS) -> Case:
    """Return the case with its first rows alone, if there are more."""
    if case.rows <= most:
        return case
    return replace(case, inputs=tuple(x[:most] for x in case.inputs), target=case.target[:most])
