"""Whether the learning rate is too high or too low, and whether inputs of one sign hold training up: found by
trying.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import median

from stepgrad.train.health.case import Case
from stepgrad.train.health.changes import Change
from stepgrad.train.health.findings import Finding
from stepgrad.train.health.measure import Measurement

STEPS = 24
_MOSTLY_OFFSET = 0.8  # of the mean square of the inputs is their mean
_HIGHER = (30.0, 1e3, 3e4, 1e6)
_MOST_TENTHS = 12
_HARDLY = 0.8  # of the loss is left where it hardly fell
_FACTORS = (1.0, 10.0, 100.0)
LONG_STEP, SHORT_STEP = 0.02, 1e-4  # a step over the size of the weights, beyond which other rates are tried


def of_rates(case: Case, seen: Sequence[Measurement]) -> Iterator[Finding]:
    """Yield a finding if another learning rate is better by far on a copy of the case, over a few steps."""
    # Momentum gathers speed over the first steps, so the longest of the typical steps counts.
    looks = [[layer.update for layer in look.weighted if layer.update is not None] for look in seen]
    updates = max((look for look in looks if look), key=median, default=[])
    rate, start = rate_of(case), case.whole_loss()
    if not rate or not updates or not math.isfinite(start):
        return
    end, typical = fall(case), median(updates)
    is_high, stands = max(updates) > LONG_STEP, end > 0.98 * start
    if not is_high and not (stands and typical < SHORT_STEP):
        return
    if is_high:
        if end <= _HARDLY * start:
            return
        better, other = lower_rate(case, "rate", start)
        is_better = better < (0.9 * min(start, end) if stands else 0.5 * end)
    else:
        tried = [(fall(Change("rate", r).applied(case)), r) for r in (rate * factor for factor in _HIGHER)]
        better, other = min(tried)
        is_better = start - better > max(10 * (start - end), 0.1 * start)
    if is_better:
        kind = "rate_too_high" if is_high else "rate_too_low"
        numbers = {
            "rate": rate, "start": start, "end": end, "steps": STEPS, "update": typical, "other": other,
            "better": better,
        }  # fmt: skip
        yield Finding(kind, "", numbers, Change("rate", other))


def lower_rate(case: Case, kind: str, start: float) -> tuple[float, float]:
    """Return the loss that the best of the lower rates reaches, and that rate: a tenth, a hundredth, …, until
    one is worse than another that is good. `kind` is that of the `Change` which takes the rate.
    """
    best = (math.inf, 0.0)
    for power in range(1, _MOST_TENTHS + 1):
        rate = rate_of(case) / 10**power
        tried = (fall(Change(kind, rate).applied(case)), rate)
        if tried > best and best[0] < 0.9 * start:
            break
        best = min(best, tried)
    return best


def of_inputs(case: Case, seen: Sequence[Measurement]) -> Iterator[Finding]:
    """Yield a finding if all inputs have one sign, far from 0, and centred ones are learned better by far.

    Both are tried with several learning rates, since centred inputs bear a higher one.
    """
    rate = rate_of(case)
    for data in seen[0].inputs if rate else ():
        if not data.one_sign or data.offset < _MOSTLY_OFFSET:
            continue
        as_it_is = min(fall(Change("rate", rate * factor).applied(case)) for factor in _FACTORS)
        change, better = standardised(case)
        if better < 0.8 * as_it_is:
            numbers = {
                "layer": data.layer or "the model", "offset": data.offset, "same": data.same_sign,
                "end": as_it_is, "better": better,
            }  # fmt: skip
            yield Finding("zigzag", data.layer, numbers, change)
        return


def standardised(case: Case) -> tuple[Change, float]:
    """Return the change to standardised inputs with the best of some rates, and the loss that it reaches."""
    rate = rate_of(case)
    changes = [Change("standardise", rate * factor) for factor in _FACTORS]
    reached = [fall(change.applied(case)) for change in changes]
    best = min(range(len(changes)), key=reached.__getitem__)
    return changes[best], reached[best]


def rate_of(case: Case) -> float:
    """Return the learning rate of the first group; 0 without an optimizer, or where it has none."""
    return 0.0 if case.optimizer is None else float(case.optimizer.param_groups[0].get("lr", 0.0))


def fall(case: Case, steps: int = STEPS) -> float:
    """Return the loss of a copy of the case after some steps; infinity if its numbers became infinite."""
    trial = case.copy()
    return trial.whole_loss() if trial.train(steps) == steps else math.inf
