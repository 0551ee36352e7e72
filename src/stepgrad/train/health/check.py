"""`health`: a network in training looked over, and what was found tried out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice
from statistics import median
from typing import Any

from stepgrad.errors import ArgumentError, NotFiniteError
from stepgrad.train.health.brakes import of_brakes
from stepgrad.train.health.case import MOST_ROWS, Case, make_case
from stepgrad.train.health.changes import Change
from stepgrad.train.health.findings import Finding
from stepgrad.train.health.fitting import of_curves
from stepgrad.train.health.measure import Measurement, measure
from stepgrad.train.health.plain import true_numbers
from stepgrad.train.health.proposals import propose
from stepgrad.train.health.rates import STEPS, of_inputs, of_rates
from stepgrad.train.health.rules import of_error, of_gradients, of_not_finite
from stepgrad.train.health.trial import Trial, Trials
from stepgrad.words.language import Words


class Health:
    """What a look at a network found.

    * `findings`: what is wrong, the gravest first; empty for a healthy network. A finding's `change` is the
      first of the possible ones that was measured to help, None if none did.
    * `trials`: what was tried on copies to find these changes, and what `try_out` has returned.
    * `measurements`: what was measured, one `Measurement` per look, in order.
    * `case`: the model and data that `try_out` makes copies of, None if they are not at hand.
    """

    def __init__(
        self,
        findings: Iterable[Finding] = (),
        trials: Iterable[Trial] = (),
        measurements: Sequence[Measurement] = (),
        case: Case | None = None,
    ) -> None:
        self.findings, self.trials = list(findings), list(trials)
        self.measurements, self.case = list(measurements), case

    def __bool__(self) -> bool:
        """Whether all is well."""
        return not self.findings

    def kinds(self) -> list[str]:
        """Return the kinds of the findings."""
        return [finding.kind for finding in self.findings]

    def try_out(
        self, finding: Finding | int | None = None, steps: int | None = None, batch_size: int = 32
    ) -> Trial:
        """Train two copies for some steps, one with the change of a finding, and return the `Trial`.

        `finding`: one of `findings` or its number; by default the first that has a change. `steps`: 100 by
        default, 300 for a change that is slow to show, such as a weight decay. Model, optimizer and random
        streams stay as they are. Raises `ArgumentError` if there is nothing to try.
        """
        chosen = self._chosen(finding)
        assert chosen.change is not None
        if self.case is None or self.case.optimizer is None:
            raise ArgumentError("try_out trains copies, which needs the model, its data and an optimizer.")
        trial = Trials(self.case).of(chosen, chosen.change, steps, batch_size)
        self.trials.append(trial)
        return trial

    def tried(self, finding: Finding, words: Words) -> list[str]:
        """Return what was tried against a finding, as sentences: what helped, or that nothing did."""
        trials = [trial for trial in self.trials if trial.finding == finding]
        helped = [trial for trial in trials if trial.change == finding.change]
        if helped or not trials:
            return list(dict.fromkeys(trial.text(words) for trial in helped)) or [finding.advice(words)]
        return [words("Nothing that was tried helped."), *(trial.text(words) for trial in trials)]

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

    def typical_update(self, path: str) -> float | None:
        """Return how far a step changes a layer, over the size of its weights: the median of the looks, since
        a schedule may end at a learning rate of 0.
        """
        layers = [layer for look in self.measurements for layer in look.layers if layer.path == path]
        updates = [layer.update for layer in layers if layer.update is not None]
        return median(updates) if updates else None

    def text(self, words: Words) -> str:
        """Return the findings as lines."""
        if not self.findings:
            return words("Nothing is wrong.")
        lines = []
        for finding in self.findings:
            parts = [finding.measured(words), finding.cause(words), *self.tried(finding, words)]
            lines.append(f"{finding.heading(words)}: {' '.join(filter(None, parts))}")
        return "\n".join(lines)

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
        findings = [Finding.from_json(each) for each in value["findings"]]
        trials = []
        for each in map(true_numbers, value["trials"]):
            parts = {"finding": findings[each["finding"]], "change": Change(**each["change"])}
            trials.append(Trial(**{**each, **parts}))
        return cls(findings, trials, measurements)


def diagnose(
    case: Case,
    seen: Sequence[Measurement],
    history: Any = None,
    restored: int = 0,
    error: NotFiniteError | None = None,
) -> list[Finding]:
    """Return what is wrong with a case: from measurements, from trials on copies, from the curves of a run.

    `case` is how the run began; `restored` the epoch whose weights were put back at its end, 0 if none were;
    `error` the one in which it ended.
    """
    found = (of_not_finite(look, case) for look in seen) if error is None else iter([of_error(error, case)])
    wrong = list(islice(filter(None, found), 1))
    seen = [look for look in seen if look.origin is None]
    if not seen:
        return wrong
    from_start = list(of_gradients(seen[:1], case))
    findings = list(of_inputs(case, seen)) or list(of_gradients(seen, case))
    # A gradient that explodes from the start comes with any learning rate; later, of a high one.
    is_explained = any(finding.kind == "zigzag" for finding in findings)
    if not is_explained and not any(finding.kind == "exploding_gradient" for finding in from_start):
        rates = list(of_brakes(case)) or list(of_rates(case, seen))
        if any(finding.kind != "rate_too_low" for finding in rates):
            findings = from_start  # what came later came of it
        findings = rates + findings
    if history is not None and not findings and not wrong:
        findings += of_curves(history, case, restored)
    return wrong + findings


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
    short, and what may help against its findings. Cost: some dozens of training steps, some hundreds where
    something is wrong.

    Raises `ArgumentError` and `DataError` for arguments that do not fit.

    >>> import stepgrad as sg
    >>> from stepgrad import nn
    >>> _ = sg.manual_seed(1)
    >>> x = sg.randn(64, 8)
    >>> y = x.sum(1, keepdim=True)
    >>> layers = [layer for _ in range(10) for layer in (nn.Linear(8, 8), nn.Sigmoid())]
    >>> net = nn.Sequential(*layers, nn.Linear(8, 1))
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
        seen.append(measure(later, step=later.train(STEPS)))
    findings, trials = propose(case, diagnose(case, seen, history))
    return Health(findings, trials, seen, case)


def first_rows(case: Case, most: int = MOST_ROWS) -> Case:
    """Return the case with its first rows alone, if there are more."""
    if case.rows <= most:
        return case
    return replace(case, inputs=tuple(x[:most] for x in case.inputs), target=case.target[:most])
