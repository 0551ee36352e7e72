"""What is known of a value's range whatever the inputs are."""

from __future__ import annotations

from stepgrad.compile.value import Value

_NEVER_NEGATIVE = {"abs", "exp", "exp2", "rand", "relu", "sigmoid", "softplus", "sqrt", "square"}
_KEEP_SIGNS = {"add", "cast", "copy", "div", "mul", "reciprocal", "where"}
# A divisor of at least this has a reciprocal that does not overflow.
_SMALLEST = 1e-30


def is_never_negative(x: Value) -> bool:
    """Return whether every element is 0, above 0, or NaN."""
    if x.kind == "number":
        return bool(x.number >= 0)
    if x.kind == "view":
        return is_never_negative(x.inputs[0])
    if x.kind != "map" or x.op is None:
        return False
    if x.op.name in _NEVER_NEGATIVE or (x.op.name == "mul" and x.inputs[0] is x.inputs[1]):
        return True
    if x.op.name == "maximum":
        return any(map(is_never_negative, x.inputs))
    if x.op.name == "clamp":
        return _stays_above(x, 0.0)
    parts = x.inputs[1:] if x.op.name == "where" else x.inputs
    return x.op.name in _KEEP_SIGNS and all(map(is_never_negative, parts))


def is_far_from_zero(x: Value) -> bool:
    """Return whether every element is at least 1e-30, or NaN: √v + ε, max(x, ε)."""
    if x.kind == "number":
        return bool(x.number >= _SMALLEST)
    if x.kind == "view":
        return is_far_from_zero(x.inputs[0])
    if x.kind != "map" or x.op is None:
        return False
    if x.op.name == "maximum":
        return any(map(is_far_from_zero, x.inputs))
    if x.op.name == "clamp":
        return _stays_above(x, _SMALLEST)
    if x.op.name == "cast":
        return is_far_from_zero(x.inputs[0])
    return (
        x.op.name == "add" and any(map(is_far_from_zero, x.inputs)) and all(map(is_never_negative, x.inputs))
    )


def _stays_above(x: Value, bound: float) -> bool:
    low, high = x.attrs["low"], x.attrs["high"]
    return low is not None and low >= bound and (high is None or high >= bound)
