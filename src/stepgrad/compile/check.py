"""Checked runs: a compiled step beside the same step run eagerly, and the first operation that differs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy

from stepgrad.autograd.snapshot import Snapshot
from stepgrad.compile.capture import Capture, tensors_in
from stepgrad.compile.machine import has_amx
from stepgrad.errors import DifferenceError
from stepgrad.graph import Node

if TYPE_CHECKING:
    from stepgrad.compile.function import Compiled

# Of the largest number in an array: rounding in another order stays far below, a fault far above.
TOLERANCES = {"float64": 1e-10, "float32": 1e-4}
# Of truth values and indices, so many may differ: a comparison can turn over by rounding.
_SHARE = 0.01


def checked_run(
    compiled: Compiled, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Run a step natively, put back what it changed, run it eagerly, and return the eager result.

    Raises `DifferenceError` if a result, or what is written to a tensor, differs by more than rounding can;
    everything is as it was before the step then.
    """
    arguments = tensors_in((args, kwargs))
    before = Snapshot([*compiled.written, *arguments], rest=compiled.remember())
    outputs = compiled.run(arguments)
    written = [t._array.copy() for t in compiled.written]
    before.restore()
    result = function(*args, **kwargs)
    eager = [t.detach()._array for t in tensors_in(result)]
    pairs = [
        *zip(eager, outputs, (f"result {i}" for i in range(len(eager)))),
        *((t._array, new, f"what is written to a tensor {list(t.shape)}")
          for t, new in zip(compiled.written, written)),
    ]  # fmt: skip
    wrong = [(what, difference(right, found)) for right, found, what in pairs if differ(right, found)]
    if wrong:
        before.restore()
        what, how = wrong[0]
        raise DifferenceError(
            f"the compiled step differs from the eager one in {what}: {how}. "
            f"{_first_fault(compiled, function, args, kwargs, before)} This is a fault of stepgrad; "
            f"run the step without compile, and please report it."
        )
    return result


def differ(right: Any, found: Any) -> bool:
    """Return whether two arrays differ by more than rounding can explain."""
    if right.shape != found.shape or right.dtype != found.dtype:
        return True
    if right.dtype.kind != "f":
        return bool((right != found).sum() > _SHARE * right.size)
    finite = numpy.isfinite(right)
    if has_amx() and right.dtype == "float32":
        # There an infinity may be NaN (`lower.amx`).
        found = numpy.where(numpy.isnan(found) & numpy.isinf(right), right, found)
    if not numpy.array_equal(right[~finite], found[~finite], equal_nan=True):
        return True
    right, found = right[finite], found[finite]
    if not right.size:
        return False
    tolerance = TOLERANCES.get(right.dtype.name, 1e-2)
    # Not within the tolerance is NaN, too.
    return not bool(abs(right - found).max() <= tolerance * max(float(abs(right).max()), 1e-30))


def difference(right: Any, found: Any) -> str:
    """Say how two arrays differ, at the element where they do most."""
    if right.shape != found.shape or right.dtype != found.dtype:
        return (
            f"{found.dtype.name}{list(found.shape)} natively, {right.dtype.name}{list(right.shape)} eagerly"
        )
    if not right.size:
        return "no elements"
    with numpy.errstate(all="ignore"):
        gap = abs(right.astype("float64") - found.astype("float64"))
    are_same = (right == found) | (numpy.isnan(right) & numpy.isnan(found))
    gap = numpy.where(are_same, 0.0, numpy.where(numpy.isnan(gap), numpy.inf, gap))
    place = numpy.unravel_index(int(gap.argmax()), right.shape)
    where = f" at {[int(i) for i in place]}" if place else ""
    return f"{found[place]} natively, {right[place]} eagerly{where}"


def _first_fault(
    compiled: Compiled, function: Callable[..., Any], args: Any, kwargs: Any, before: Snapshot
) -> str:
    """Compile the step once more, every operation handing out its result, and name the first wrong one."""
    capture = Capture(function, args, kwargs, again=True, expose=True)
    capture.undo()
    if capture.reason is not None:
        return f"Which operation is to blame cannot be told: {capture.reason}."
    exposed = type(compiled)(capture)
    outputs = exposed.run(tensors_in((args, kwargs)))
    before.restore()
    for (node, right), found in zip(capture.exposed, outputs[len(outputs) - len(capture.exposed) :]):
        if differ(right, found):
            return f"The first operation that differs is {_named(node)}: {difference(right, found)}."
    return "No operation differs when each hands out its result, so it is how they are fused."


def _named(node: Node) -> str:
    where = f" in {node.module}" if node.module else ""
    kind = f"{node.dtype.name}{list(node.shape)}"
    return f"{node.op.name} ({kind}, {node.phase}{where})"
