"""Work on what permute and reshape show, done on what lies beneath them.

``relu(permute(x))`` is ``permute(relu(x))``: the second way relu is computed where x is, in one kernel with
what made x and in the order of its memory, and the view is handed on. So the layout that one operation chose
for its result, such as the channels last of a convolution, spreads over all that follows, and no numbers
change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stepgrad.compile.program.value import Value, base_of
from stepgrad.ops.record import Op
from stepgrad.ops.registry import find

if TYPE_CHECKING:
    from stepgrad.compile.program.builder import Builder

_LIFTED = ("permute", "reshape")
# A broadcast operand so many times smaller than the result may be copied for it.
_SMALL = 8


def lifted_map(b: Builder, op: Op, operands: tuple[Value, ...], attrs: dict, shape: tuple) -> Value | None:
    """Return an elementwise operation on a view as the view of the operation, or None where that is no
    help.
    """
    view = next((x for x in operands if x.shape == shape and _is_lifted(x)), None)
    if view is None:
        return None
    inner = [_beneath(b, x, view) for x in operands]
    if any(x is None for x in inner):
        return None
    assert view.op is not None
    y = b.apply(op, *inner, **attrs)
    return b.apply(view.op, y, **view.attrs) if y.shape == view.inputs[0].shape else None


def _is_lifted(x: Value) -> bool:
    """Return whether a value is a permuted or reshaped view of something computed, of which none is
    repeated.
    """
    base = base_of(x)
    is_view = x.kind == "view" and x.op is not None and x.op.name in _LIFTED
    return is_view and base.kind != "leaf" and base.size >= x.size


def _beneath(b: Builder, x: Value, view: Value) -> Value | None:
    """Return the operand whose view is x when the other operand lies beneath `view`; None if there is
    none.
    """
    source = view.inputs[0]
    if x is view:
        return source
    if x.kind == "number":
        return b.number(x.number, x.dtype)
    if x.shape == view.shape:
        if x.kind != "view":
            # It is computed, or written to, in the order that it has.
            return None
        if x.op is view.op and x.inputs[0].shape == source.shape and x.attrs == view.attrs:
            return x.inputs[0]
        if _is_lifted(x) and not (x.op is view.op is find("reshape") and b.reshapes_freely(x, source.shape)):
            # It has another order of its own.
            return None
    padded = b.reshape(x, shape=(1,) * (view.ndim - x.ndim) + x.shape)
    if view.op is find("permute"):
        dims = view.attrs["dims"]
        return b.permute(padded, dims=tuple(dims.index(d) for d in range(view.ndim)))
    shape = _shape_beneath(padded.shape, view.shape, source.shape)
    if shape is None or not (x.size * _SMALL <= view.size or b.reshapes_freely(padded, shape)):
        return None
    return b.reshape(padded, shape=shape)


def _groups(old: tuple[int, ...], new: tuple[int, ...]) -> list[tuple[range, range]] | None:
    """Return which dimensions of a shape become which of another, in as many groups as there are.

    >>> _groups((6, 4), (2, 3, 4))
    [(range(0, 1), range(0, 2)), (range(1, 2), range(2, 3))]
    """
    if 0 in old:
        return None
    found, i, j = [], 0, 0
    while i < len(old) or j < len(new):
        first, second = i, j
        a = b = 1
        while True:
            if a <= b and i < len(old):
                a, i = a * old[i], i + 1
            elif j < len(new):
                b, j = b * new[j], j + 1
            else:
                break
            if a == b and i > first and j > second:
                break
        # Dimensions of length 1 belong to the group before.
        while i < len(old) and old[i] == 1:
            i += 1
        while j < len(new) and new[j] == 1:
            j += 1
        found.append((range(first, i), range(second, j)))
    return found


def _shape_beneath(shape: tuple, seen: tuple, source: tuple) -> tuple[int, ...] | None:
    """Return the shape of an operand that broadcasts to `seen`, as it broadcasts to the reshaped `source`."""
    groups = _groups(source, seen)
    if groups is None:
        return None
    result: list[int] = []
    for before, after in groups:
        own, whole = [shape[d] for d in after], [seen[d] for d in after]
        if own == whole:
            result += [source[d] for d in before]
        elif all(n == 1 for n in own):
            result += [1] * len(before)
        else:
            return None
    return tuple(result)


def lifted_reduction(b: Builder, op: Op, x: Value, dims: tuple[int, ...]) -> Value | None:
    """Return a reduction of a view as a view of the reduction, without the reduced dimensions; or None."""
    if not _is_lifted(x):
        return None
    source = x.inputs[0]
    kept = [d for d in range(x.ndim) if d not in dims]
    if x.op is find("permute"):
        order = x.attrs["dims"]
        y = b.apply(op, source, dim=tuple(sorted(order[d] for d in dims)), keepdim=False)
        left = sorted(order[d] for d in kept)
        return b.permute(y, dims=tuple(left.index(order[d]) for d in kept))
    groups = _groups(source.shape, x.shape)
    if groups is None:
        return None
    below: list[int] = []
    for before, after in groups:
        reduced = {d in dims for d in after if x.shape[d] != 1}
        if len(reduced) > 1:
            return None
        if True in reduced:
            below += before
    y = b.apply(op, source, dim=tuple(below), keepdim=False)
    return b.reshape(y, shape=tuple(x.shape[d] for d in kept))
