"""From measurements to findings. The thresholds were set on generated set-ups, see tests/train/health."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import median

from stepgrad.errors import NotFiniteError
from stepgrad.train.health.case import Case
from stepgrad.train.health.changes import Change
from stepgrad.train.health.findings import Finding, not_finite
from stepgrad.train.health.measure import LayerMeasure, Measurement
from stepgrad.train.health.rates import lower_rate, rate_of, standardised

VANISHED = 1e-3  # gradient at the first layer over that at the last
EXPLODED = 1e3
LARGE_GRADIENT = 100.0  # over the norm of the weights
MOSTLY_SATURATED = 0.7
MOSTLY_DEAD = 0.6
UPDATE_TOO_LARGE, UPDATE_TOO_SMALL, UPDATE_APART = 0.1, 1e-5, 100.0
UNSCALED = 30.0


def of_gradients(seen: Sequence[Measurement], case: Case) -> Iterator[Finding]:
    """Yield what gradients, activations and updates show that were measured one or more times."""
    if seen[0].squashed is not None:
        yield Finding(
            "squashed", seen[0].squashed, {"layer": seen[0].squashed or "the model"}, Change("logits")
        )
    blocked = [*_saturated(seen, case), *_dead(seen, case)]
    yield from blocked
    exploding = list(_exploding(seen, case))
    yield from exploding
    if not any(finding.kind == "dead_relu" for finding in blocked):
        yield from _vanishing(seen)
    if not exploding:
        yield from _updates(seen)


def of_not_finite(measurement: Measurement, case: Case) -> Finding | None:
    """Return the finding of a loss or gradient that is not finite, None if all are finite.

    `case` is how the run began.
    """
    origin = measurement.origin
    if origin is None:
        return None
    is_wrong = not math.isfinite(measurement.loss)
    problem = f"the loss is {measurement.loss}" if is_wrong else "a gradient is not finite"
    found = origin if origin.given else f"the first such value comes from {origin}"
    message = f"{problem} in step {measurement.step + 1}: {found}."
    # What goes wrong in the very first step is wrong with any learning rate.
    change = calmer(case) if measurement.step else None
    return not_finite(message, origin, change, step=measurement.step + 1)


def of_error(error: NotFiniteError, case: Case) -> Finding:
    """Return the finding of the error in which a run ended; `case` is how it began."""
    when = {"epoch": error.epoch, "batch": error.batch, "step": error.step}
    given = error.origin is not None and error.origin.given
    return not_finite(f"{error.what.rstrip('.')}.", error.origin, None if given else calmer(case), **when)


def calmer(case: Case) -> Change | None:
    """Return a learning rate, with clipped gradients, at which all stays finite and the loss falls."""
    start = case.whole_loss()
    if not rate_of(case) or not math.isfinite(start):
        return None
    reached, rate = lower_rate(case, "finite", start)
    return Change("finite", rate) if reached < start else None


def _often(seen: Sequence[Measurement]) -> int:
    """Return in how many of the measurements something must be seen: in half of them."""
    return max(1, math.ceil(len(seen) / 2))


def _vanishing(seen: Sequence[Measurement]) -> Iterator[Finding]:
    found = []
    for measurement in seen:
        layers = measurement.weighted
        if len(layers) >= 3 and layers[-1].flow > 0:
            ratio = layers[0].flow / layers[-1].flow
            if ratio < VANISHED:
                found.append((ratio, layers))
    if len(found) >= _often(seen):
        ratio, layers = found[0]
        numbers = {
            "first": _name(layers[0]), "last": _name(layers[-1]), "ratio": ratio, "layers": len(layers) - 1
        }  # fmt: skip
        yield Finding("vanishing_gradient", layers[0].path, numbers, Change("relu"))


def _exploding(seen: Sequence[Measurement], case: Case) -> Iterator[Finding]:
    for measurement in seen:
        layers = measurement.weighted
        if not layers:
            continue
        worst = max(layers, key=_relative)
        grown = len(layers) >= 3 and layers[-1].flow > 0 and layers[0].flow / layers[-1].flow > EXPLODED
        if not grown and not _relative(worst) > LARGE_GRADIENT:
            continue
        numbers = {
            "layer": _name(worst), "gradient": worst.gradient, "weight": worst.weight,
            "ratio": _relative(worst),
        }  # fmt: skip
        target, data = _size([case.target]), _size(case.inputs)
        if target > UNSCALED and target >= data:
            change, variant, numbers["size"] = Change("standardise_target"), "unscaled_target", target
        elif data > UNSCALED:
            change, variant, numbers["size"] = Change("standardise"), "unscaled_input", data
        else:
            change, variant = Change("initial"), ""
        yield Finding("exploding_gradient", worst.path, numbers, change, variant)
        return


def _relative(layer: LayerMeasure) -> float:
    return layer.gradient / layer.weight if layer.weight > 0.1 else layer.gradient / 0.1


def _size(tensors: Sequence) -> float:
    """Return the root mean square of floating point tensors, the largest."""
    found = [0.0]
    for x in tensors:
        if x.dtype.is_floating_point and x.numel():
            found.append(float((x.detach().double() ** 2).mean().sqrt().item()))
    return max(found)


def _saturated(seen: Sequence[Measurement], case: Case) -> Iterator[Finding]:
    places: dict[tuple[str, str, int], list[float]] = {}
    for measurement in seen:
        for place, activation in enumerate(measurement.activations):
            if activation.saturated >= MOSTLY_SATURATED:
                places.setdefault((activation.module, activation.op, place), []).append(activation.saturated)
    for place, ((module, op, _), shares) in enumerate(places.items()):
        if len(shares) < _often(seen):
            continue
        numbers = {"share": median(shares), "op": op, "layer": module or "the model"}
        size = _size(case.inputs)
        if size > 5 and place == 0:
            numbers["size"] = size
            change = standardised(case)[0] if rate_of(case) else Change("standardise")
            yield Finding("saturated", module, numbers, change, "saturated_by_input")
        else:
            yield Finding("saturated", module, numbers, Change("initial"))


def _dead(seen: Sequence[Measurement], case: Case) -> Iterator[Finding]:
    last = seen[-1]
    for activation in last.activations:
        if activation.dead >= MOSTLY_DEAD * activation.units:
            numbers = {
                "dead": activation.dead, "units": activation.units, "op": activation.op,
                "layer": activation.module or "the model", "rows": case.rows,
            }  # fmt: skip
            yield Finding("dead_relu", activation.module, numbers, Change("leaky"))


def _updates(seen: Sequence[Measurement]) -> Iterator[Finding]:
    """Yield layers whose steps are of another size than those of the others, but for what gradients say."""
    ratios: dict[str, list[float]] = {}
    layers: dict[str, LayerMeasure] = {}
    for measurement in seen:
        largest = max((layer.gradient for layer in measurement.weighted), default=0.0)
        for layer in measurement.weighted:
            # A layer that is reached by hardly any gradient has another trouble.
            if layer.update is not None and layer.gradient > 1e-3 * largest:
                ratios.setdefault(layer.path, []).append(layer.update)
                layers.setdefault(layer.path, layer)
    typical = {path: median(values) for path, values in ratios.items() if len(values) >= _often(seen)}
    for path, update in typical.items():
        others = [value for name, value in typical.items() if name != path]
        if not others:
            return
        numbers = {"layer": _name(layers[path]), "update": update, "other": median(others)}
        if update > UPDATE_TOO_LARGE and update > UPDATE_APART * median(others):
            yield Finding("update_too_large", path, numbers, Change("layer_rate", path))
        if update < UPDATE_TOO_SMALL and median(others) > UPDATE_APART * update:
            yield Finding("update_too_small", path, numbers, Change("layer_rate", path))


def _name(layer: LayerMeasure) -> str:
    return f"{layer.path} ({layer.kind})" if layer.path else layer.kind
