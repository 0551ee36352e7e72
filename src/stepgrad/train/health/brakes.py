"""Whether a strong weight decay or a long momentum holds training up: found by trying without them."""

from __future__ import annotations

import math
from collections.abc import Iterator

from stepgrad.train.health.case import Case
from stepgrad.train.health.changes import Change
from stepgrad.train.health.findings import Finding
from stepgrad.train.health.rates import fall

_STRONG_DECAY, _LONG_MOMENTUM = 0.05, 0.985  # below these nothing is tried
_USUAL_MOMENTUM = 0.9
_STEPS = 100
_LEFT = 0.7  # of the loss, at most, is left with the change where it is what helps


def of_brakes(case: Case) -> Iterator[Finding]:
    """Yield a finding if a copy learns better by far without its weight decay, or with a usual momentum."""
    decay, momentum = _largest(case, "weight_decay"), momentum_of(case)
    tried = []
    if decay >= _STRONG_DECAY:
        tried.append(("decay_too_strong", {"decay": decay}, Change("no_decay")))
    if _LONG_MOMENTUM <= momentum < 1:
        numbers = {"momentum": momentum, "other": _USUAL_MOMENTUM, "memory": round(1 / (1 - momentum))}
        tried.append(("momentum_too_high", numbers, Change("momentum", _USUAL_MOMENTUM)))
    start = case.whole_loss() if tried else 0.0
    if not tried or not math.isfinite(start):
        return
    end = fall(case, _STEPS)
    for kind, numbers, change in tried:
        better = fall(change.applied(case), _STEPS)
        if better <= _LEFT * min(start, end):
            reached = {"start": start, "end": end, "steps": _STEPS, "better": better}
            yield Finding(kind, "", {**numbers, **reached}, change)


def momentum_of(case: Case) -> float:
    """Return the largest momentum of the groups: SGD's, or Adam's β₁."""
    groups = [] if case.optimizer is None else case.optimizer.param_groups
    first = [float(group["betas"][0]) for group in groups if "betas" in group]
    return max([_largest(case, "momentum"), *first])


def _largest(case: Case, name: str) -> float:
    groups = [] if case.optimizer is None else case.optimizer.param_groups
    return max((float(group[name]) for group in groups if group.get(name)), default=0.0)
