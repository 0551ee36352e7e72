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
    from stepgrad.compile.compiled import Compiled

# Of the largest number in an array: rounding in another order stays far below, a fault far above.
TOLERANCES = {"float64": 1e-10, "float32": 1e-4}
# Of truth values and indices, so many may differ: a comparison can turn over by rounding.
_SHARE = 0.01
# So often the eager step is run with so many other last bits, in units of the last place; rounding may be so
# many times as much as these runs show.
_TRIALS, _NOISE, _FACTOR = 4, 8, 10
_PLEASE = "This is a fault of stepgrad; run the step without compile, and please report it."


def checked_run(
    compiled: Compiled, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Run a step natively, put back what it changed, run it eagerly, and return the eager result.

    Raises `DifferenceError` if a result, or what is written to a tensor, differs by more than rounding can;
    everything is as it was before the step then.
    """
    arguments = tensors_in((args, kwargs))
    written = [*compiled.written, *(arguments[i] for i in compiled.written_arguments)]
    tensors = [*{id(t): t for t in (*compiled.found, *arguments, *written)}.values()]
    before = Snapshot(tensors, rest=compiled.remember())

    def run_eagerly() -> tuple[Any, list[Any]]:
        result = function(*args, **kwargs)
        found = zip(tensors_in(result), compiled.capture.is_output, strict=True)
        results = [t.detach()._array for t, is_output in found if is_output]
        return result, [x.copy() for x in (*results, *(t._array for t in written))]

    outputs = compiled.run(arguments)
    native = [*outputs, *(t._array.copy() for t in written)]
    before.restore()
    result, eager = run_eagerly()
    wrong = [i for i, (right, found) in enumerate(zip(eager, native)) if differ(right, found)]
    if not wrong:
        return result
    spread = _spread(eager, tensors, before, lambda: run_eagerly()[1])
    wrong = [i for i in wrong if not is_rounding(eager[i], native[i], spread[i])]
    if not wrong:
        return run_eagerly()[0]
    i = wrong[0]
    is_result = i < len(outputs)
    what = f"result {i}" if is_result else f"what is written to a tensor {list(eager[i].shape)}"
    raise DifferenceError(
        f"the compiled step differs from the eager one in {what}: {difference(eager[i], native[i])}. "
        f"{_first_fault(compiled, function, args, kwargs, before)}"
    )


def _spread(
    eager: list[Any], tensors: list[Any], before: Snapshot, run: Callable[[], list[Any]]
) -> list[Any]:
    """Return how far each element moves when the last bits of all that the step reads are others.

    So far rounding may carry it: Adam's first step, say, takes a gradient that is 0 but for rounding for a
    whole one. All is as it was before the step afterwards.
    """
    generator = numpy.random.default_rng(0)
    spread = [numpy.zeros(right.shape) for right in eager]
    for _ in range(_TRIALS):
        before.restore()
        for tensor in tensors:
            array = tensor._array
            if array.dtype.kind == "f" and array.ndim:
                noise = generator.uniform(-_NOISE, _NOISE, array.shape) * numpy.finfo(array.dtype).eps
                array *= (1 + noise).astype(array.dtype)
        for so_far, right, found in zip(spread, eager, run()):
            with numpy.errstate(all="ignore"):
                gap = right != found if right.dtype.kind != "f" else abs(right - found)
            numpy.fmax(so_far, gap, out=so_far)
    before.restore()
    return spread


def is_rounding(right: Any, found: Any, spread: Any) -> bool:
    """Return whether a difference is no greater than what other last bits before the step make of it.

    Elements that they did not move this time may differ as well, if they are fewer than those that they did.
    """
    if right.shape != found.shape or right.dtype != found.dtype:
        return False
    if right.dtype.kind != "f":
        return bool((right != found).sum() <= 2 * spread.sum())
    finite = numpy.isfinite(right)
    if not numpy.array_equal(right[~finite], found[~finite], equal_nan=True):
        return False
    gap, spread, bound = abs(right - found)[finite], spread[finite], _bound(right[finite])
    moved = spread > bound
    others = ~(gap <= bound) & ~moved
    return bool(others.sum() <= moved.sum() and gap.max() <= _FACTOR * spread.max())


def _bound(right: Any) -> float:
    """Return by how much finite numbers may differ from others."""
    return TOLERANCES.get(right.dtype.name, 1e-2) * max(float(abs(right).max()), 1e-30)


def differ(right: Any, found: Any) -> bool:
    """Return whether two arrays differ by more than rounding can explain."""
    if right.shape != found.shape or right.dtype != found.dtype:
        return True
    if right.dtype.kind != "f":
        return bool((right != found).sum() > _SHARE * right.size)
    finite = numpy.isfinite(right)
    if has_amx() and right.dtype == "float32":
        # There an infinity may be NaN (`lower.products.amx`).
        found = numpy.where(numpy.isnan(found) & numpy.isinf(right), right, found)
    if not numpy.array_equal(right[~finite], found[~finite], equal_nan=True):
        return True
    right, found = right[finite], found[finite]
    if not right.size:
        return False
    # Not within the bound is NaN, too.
    return not bool(abs(right - found).max() <= _bound(right))


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
        # Dimensions of 1 may be left out natively.
        found = found.reshape(right.shape) if found.size == right.size else found
        if differ(right, found):
            first = f"The first operation that differs is {_named(node)}: {difference(right, found)}."
            return f"{first} {_PLEASE}"
        if (numpy.isnan(found) & numpy.isinf(right)).any():
            return (
                f"{_named(node)} has infinities, for which AMX, the CPU's matrix unit, gives NaN "
                f"(docs/compile.md); STEPGRAD_AMX=0 in the environment does without."
            )
    return f"No operation differs when each hands out its result, so it is how they are fused. {_PLEASE}"


def _named(node: Node) -> str:
    where = f" in {node.module}" if node.module else ""
    kind = f"{node.dtype.name}{list(node.shape)}"
    return f"{node.op.name} ({kind}, {node.phase}{where})"
