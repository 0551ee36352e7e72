"""Recurrences in a program: each is one value, computed by a loop over time in native code.

The value is one vector: the states, and behind them the inputs of the cell in all steps. The way back reads
those from there, so that what `recurrence` states for them, a product once more, is not computed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from stepgrad.compile.program.value import Value, base_of
from stepgrad.ops.cells import cell_named
from stepgrad.ops.registry import find

if TYPE_CHECKING:
    from stepgrad.compile.program.builder import Builder


def _recurrence(
    builder: Builder, x: Value, weight: Value, bias: Any, start: Value, lengths: Any, *,
    cell: str, reverse: bool,
) -> Value:  # fmt: skip
    kind = cell_named(cell)
    shape = (kind.states, x.shape[0] + 1, *start.shape[1:])
    if not start.size or not x.size:
        expand: Any = find("recurrence").expand
        return expand(builder, x, weight, bias, start, lengths, cell=cell, reverse=reverse)
    # Turned once, so that the products of all steps read it in the order of memory.
    turned = builder.copied(builder.permute(weight, dims=(1, 0)))
    inputs = (_in_rows(builder, x), turned, _in_rows(builder, start))
    size = math.prod(shape)
    whole = (size + x.size // kind.gates * kind.inputs,)
    both = _made(builder, "recurrence", inputs, {"bias": bias, "lengths": lengths}, whole, cell, reverse)
    return builder.reshape(builder.slice(both, index=(slice(0, size),)), shape=shape)


def _recurrence_back(
    builder: Builder, g: Value, y: Value, a: Value, weight: Value, lengths: Any, *, cell: str, reverse: bool
) -> Value:
    if not y.size or not a.size:
        expand: Any = find("recurrence_back").expand
        return expand(builder, g, y, a, weight, lengths, cell=cell, reverse=reverse)
    both = base_of(y)
    if both.op is not None and both.op.name == "recurrence" and y.size < both.size == y.size + a.size:
        a = builder.reshape(builder.slice(both, index=(slice(y.size, None),)), shape=a.shape)
    inputs = tuple(_in_rows(builder, x) for x in (g, y, a, weight))
    shape = (a.size + y.size // y.shape[1],)
    return _made(builder, "recurrence_back", inputs, {"lengths": lengths}, shape, cell, reverse)


def _in_rows(builder: Builder, x: Value) -> Value:
    """Return a value whose last dimension lies in memory element by element."""
    if x.kind == "number" or builder.strides_of(x)[-1] != 1:
        return builder.copied(x)
    return x


def _made(
    builder: Builder, name: str, inputs: tuple[Value, ...], others: dict[str, Any], shape: tuple[int, ...],
    cell: str, reverse: bool,
) -> Value:  # fmt: skip
    """Make the value; `others` are inputs that may be missing, and are named in the attributes."""
    present = {name: _in_rows(builder, x) for name, x in others.items() if x is not None}
    attrs = {"cell": cell, "reverse": reverse, "others": tuple(present)}
    return builder.special(find(name), (*inputs, *present.values()), attrs, shape, inputs[0].dtype)


RULES: dict[str, Callable[..., Value]] = {"recurrence": _recurrence, "recurrence_back": _recurrence_back}
