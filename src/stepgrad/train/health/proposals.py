"""What to propose against findings: changes that were tried on copies, and helped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from stepgrad.train.health.case import Case
from stepgrad.train.health.changes import TAKES_RATE, Change
from stepgrad.train.health.findings import Finding
from stepgrad.train.health.rates import rate_of
from stepgrad.train.health.trial import Trial, Trials

_GAIN, _GOOD_GAIN = 0.01, 0.1  # a smaller one than the first is none; with the second nothing else is tried
_FACTORS = (0.1, 0.01, 10.0)
_SCALED = (100.0, 1e3)  # what is scaled down bears a much higher rate


def propose(case: Case, findings: Sequence[Finding]) -> tuple[list[Finding], list[Trial]]:
    """Return the findings, each with the change that helps a copy of the case, and the trials.

    A finding none of whose changes helps has none afterwards; nor has a NaN, if there is a change against its
    cause. Without an optimizer nothing can be tried, and the findings are returned as they are.
    """
    if case.optimizer is None:
        return list(findings), []
    trials, known, found, done = Trials(case), dict[Change, Trial](), list[Finding](), list[Trial]()
    for finding in reversed(findings):
        tried: list[Trial] = []
        is_explained = finding.kind == "not_finite" and any(cause.change for cause in found)
        for change in () if is_explained else _candidates(finding, case):
            if change not in known:
                known[change] = trials.of(finding, change)
            tried.append(known[change])
            if tried[-1].gain > _GOOD_GAIN:
                break
        best = max(tried, key=lambda trial: trial.gain, default=None)
        helped = best.change if best is not None and best.gain > _GAIN else None
        found.insert(0, replace(finding, change=helped))
        done = [replace(trial, finding=found[0]) for trial in tried] + done
    return found, done


def _candidates(finding: Finding, case: Case) -> Iterator[Change]:
    """Yield the change of a finding, then the same with other learning rates, where that may help."""
    change = finding.change
    if change is None:
        return
    yield change
    if change.kind in TAKES_RATE:
        rate = rate_of(case) if change.value is None else change.value
        factors = (*_FACTORS, *_SCALED) if change.kind.startswith("standardise") else _FACTORS
        yield from (Change(change.kind, rate * factor) for factor in factors if rate)
    elif change.kind in ("rate", "finite"):
        yield from (Change(change.kind, change.value * factor) for factor in _FACTORS if factor < 1)
    elif change.kind == "layer_rate":
        yield Change("layer_rate_between", change.value)
