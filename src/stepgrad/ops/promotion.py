"""The operands of an operation in one type, for builders: of programs, of exported graphs."""

from __future__ import annotations

from typing import Any

from stepgrad.arrays import dtypes
from stepgrad.ops.record import Op
from stepgrad.ops.registry import find


def promoted(builder: Any, op: Op, inputs: tuple[Any, ...]) -> list[Any]:
    """Return the inputs in one type, by the same rules as in eager mode.

    `builder` makes values: ``builder.apply(op, …)`` and ``builder.number(number, dtype)``. An input is such a
    value, with `ndim` and `dtype`, a Python number, or None.
    """
    operands = list(inputs)
    if op.promotes is None:
        return operands
    first = 1 if op.name == "where" else 0
    present = [x for x in operands[first:] if x is not None]
    # What `result_type` looks at: ndim and dtype of arrays, and Python numbers.
    to = dtypes.result_type(present)
    if op.promotes == "floating" and not to.is_floating_point:
        to = dtypes.get_default_dtype()
    cast = find("cast")
    for i in range(first, len(operands)):
        x = operands[i]
        if isinstance(x, (bool, int, float)):
            operands[i] = builder.number(x, to.numpy)
        elif x is not None and x.dtype != to.numpy:
            operands[i] = builder.apply(cast, x, dtype=to.numpy)
    return operands
