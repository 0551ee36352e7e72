"""What can be said of an operation before it is computed: what it comes to, and whether it is the same as
another.
"""

from __future__ import annotations

import math
from typing import Any

import numpy

from stepgrad.compile.program.value import Value
from stepgrad.ops.record import Op


def simplified(op: Op, operands: tuple[Value, ...], shape: tuple[int, ...], dtype: Any) -> Value | None:
    """Return what an operation with a number that decides comes to, or None. No rule changes a bit of the
    result.
    """
    if op.name == "where" and operands[0].kind == "number":
        chosen = operands[1 if operands[0].number else 2]
        return chosen.builder.expand(chosen, shape=shape)
    if op.name not in ("mul", "div", "sub"):
        return None
    a, b = operands
    for x, other, applies in ((a, b, True), (b, a, op.name == "mul")):
        if applies and other.kind == "number" and x.shape == shape and x.dtype == dtype:
            # x − (−0) is 0 for x = −0; x − 0 is x, as are x · 1 and x / 1.
            neutral = 0.0 if op.name == "sub" else 1.0
            if other.number == neutral and math.copysign(1, other.number) > 0:
                return x
    return None


def frozen(x: Any) -> Any:
    """Return a value of attributes as something that can be compared and hashed."""
    if isinstance(x, dict):
        return tuple((k, frozen(v)) for k, v in x.items())
    if isinstance(x, (list, tuple)):
        return tuple(frozen(v) for v in x)
    if isinstance(x, slice):
        return ("slice", frozen(x.start), frozen(x.stop), frozen(x.step))
    if isinstance(x, float):
        return ("float", x.hex())
    if isinstance(x, (int, str, bool, type(None), numpy.dtype)):
        return (type(x).__name__, x)
    # Leaves are compared by identity; the values that hold them keep them alive.
    return ("object", id(x))
