"""What is written out of a step: all of it, or what the reader picks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy

from stepgrad.errors import ArgumentError, suggest
from stepgrad.explain.expressions import Expression, Operation, refs, value_of
from stepgrad.explain.quantities import Quantity

if TYPE_CHECKING:
    from stepgrad.explain.scalar import ScalarLayout

MOST_LINES = 20_000
_FEW = 12  # operands up to which the parts of a line are written out, too
_WEIGHT = re.compile(r"(?P<name>[^\[\]]+)\[(?P<index>\d+(?:,\s*\d+)*)\]")

Place = tuple[Quantity, int]


@dataclass(frozen=True)
class Selection:
    """What the reader picks; None is everything.

    `sample` and `neuron` count from 0. `layer` is the number of a layer, from 1 as in names, or the path of a
    module. `path` is one weight, such as ``0.weight[3,17]``: the way from it to the loss is written out.
    """

    sample: int | None = None
    layer: int | str | None = None
    neuron: int | None = None
    path: str | None = None

    @property
    def is_everything(self) -> bool:
        """Whether nothing was picked."""
        return self == Selection()


class TooManyNumbers(ArgumentError):
    """So many numbers (`count`) were to be written out that nobody would read them."""

    def __init__(self, count: int) -> None:
        super().__init__(
            f"this step has {count:,} numbers to write out, more than anybody reads. Pick a layer, a neuron "
            f"or a sample, or the path from one weight to the loss, or the matrix layout."
        )
        self.count = count


def places_of(layout: ScalarLayout, selection: Selection) -> list[Place]:
    """Return the numbers that get lines, in order.

    Raises `ArgumentError` for a layer, a neuron, a sample or a weight that is not there, and for more lines
    than anybody reads.
    """
    if selection.path is not None:
        return _path(layout, selection)
    wanted = _Filter(layout, selection)
    count = sum(wanted.count(q) for q in layout.quantities.lines)
    if count > MOST_LINES:
        raise TooManyNumbers(count)
    return [place for quantity in layout.quantities.lines for place in wanted.places(quantity)]


class _Filter:
    """Which numbers belong to a layer, a neuron, a sample."""

    def __init__(self, layout: ScalarLayout, selection: Selection) -> None:
        step = layout.step
        shape = step.output.array.shape
        self._samples = shape[0] if len(shape) > 1 else None
        self._sample, self._neuron = selection.sample, selection.neuron
        self._parameters = {id(value): name for name, value in step.parameters.items()}
        self._layers, self._layer = layout.quantities, None
        if selection.layer is not None:
            self._layer = layout.quantities.number_of(selection.layer)
        if self._sample is not None and not (self._samples and 0 <= self._sample < self._samples):
            count = self._samples or 1
            raise ArgumentError(f"sample {self._sample} is none of the {count}, which count from 0.")
        neurons = [q for q in layout.quantities.lines if q.kind == "forward" and q.layer]
        if self._neuron is not None and not any(self.count(q) for q in neurons):
            raise ArgumentError(
                f"there is no neuron {self._neuron} in what was picked; neurons count from 0."
            )

    def count(self, quantity: Quantity) -> int:
        """Return how many numbers of a quantity are wanted."""
        return int(self._mask(quantity).sum())

    def places(self, quantity: Quantity) -> list[Place]:
        """Return those numbers."""
        return [(quantity, int(i)) for i in numpy.flatnonzero(self._mask(quantity))]

    def _mask(self, quantity: Quantity) -> numpy.ndarray:
        shape = quantity.value.array.shape
        mask = numpy.ones(shape, dtype=bool)
        if self._layer is not None and quantity.layer not in (0, self._layer):
            mask[...] = False
        of = quantity.of if quantity.of is not None else quantity.value
        holds_parameter = id(of) in self._parameters or of.origin == "state"
        if self._sample is not None and shape[:1] == (self._samples,) and not holds_parameter:
            mask &= _only(shape, 0, self._sample)
        if self._neuron is not None and shape and quantity.layer:
            dim = 0 if holds_parameter else len(shape) - 1
            mask &= _only(shape, dim, self._neuron)
        return mask


def _only(shape: tuple[int, ...], dim: int, index: int) -> numpy.ndarray:
    """Return where the index along a dimension is the one wanted."""
    own = tuple(n if i == dim else 1 for i, n in enumerate(shape))
    return numpy.broadcast_to((numpy.arange(shape[dim]) == index).reshape(own), shape)


# ------------------------------------------------------------------------------------------------ path


def _path(layout: ScalarLayout, selection: Selection) -> list[Place]:
    """Return the numbers on the way from one weight to the loss.

    Where a gradient is a sum over neurons or samples, the way goes on along its largest term (with
    `sample`, through that sample).
    """
    quantity, place = _weight(layout, selection.path or "")
    wanted: set[tuple[int, int]] = set()
    current: Place | None = (quantity, place)
    while current is not None:
        quantity, place = current
        wanted.add((id(quantity), place))
        _add_forward(layout, quantity, place, wanted)
        current = _upstream(layout, quantity, place, selection.sample)
    for end in ("loss", "after/loss"):
        if end in layout.quantities.by_path:
            wanted.add((id(layout.quantities.by_path[end]), 0))
    _add_update(layout, selection.path or "", wanted)
    _add_parts(layout, wanted)
    return [(q, i) for q in layout.quantities.lines for i in sorted(i for k, i in wanted if k == id(q))]


def _weight(layout: ScalarLayout, path: str) -> Place:
    match = _WEIGHT.fullmatch(path.strip())
    known = layout.step.parameters
    if match is None or match["name"] not in known:
        near = suggest(match["name"] if match else path, known)
        raise ArgumentError(
            f"path is one weight by its name and indices, such as 0.weight[0,1], not {path!r}.{near}"
        )
    shape = known[match["name"]].array.shape
    index = tuple(int(part) for part in match["index"].split(","))
    if len(index) != len(shape) or any(i >= n for i, n in zip(index, shape)):
        raise ArgumentError(f"{match['name']} has the shape {list(shape)}; there is no {list(index)} in it.")
    quantity = layout.quantities.by_path.get(f"grad/{match['name']}")
    if quantity is None:
        raise ArgumentError(f"{match['name']} has no gradient: no way leads from it to the loss.")
    return quantity, int(numpy.ravel_multi_index(index, shape))


def _upstream(layout: ScalarLayout, quantity: Quantity, place: int, sample: int | None) -> Place | None:
    """Return the gradient in the largest term of a gradient, None where it is computed from no other."""
    expression = layout.expression(quantity, place)
    if expression is None:
        return None
    best: tuple[float, Place] | None = None
    for term in _terms(expression):
        for ref in refs(term):
            found = layout.quantities.of(ref.source)
            if found is None or found.kind != "chain":
                continue
            shape = found.value.array.shape
            if sample is not None and len(shape) > 1 and numpy.unravel_index(ref.place, shape)[0] != sample:
                continue
            size = abs(value_of(term))
            if best is None or size > best[0]:
                best = (size, (found, ref.place))
    return None if best is None else best[1]


def _terms(x: Expression) -> Iterator[Expression]:
    yield from x.operands if isinstance(x, Operation) and x.head == "+" else (x,)


def _add_forward(layout: ScalarLayout, gradient: Quantity, place: int, wanted: set[tuple[int, int]]) -> None:
    """Add the number that a gradient is of."""
    if gradient.of is not None:
        own = layout.quantities.of(gradient.of)
        if own is not None and own.kind != "given":
            wanted.add((id(own), place))


def _add_update(layout: ScalarLayout, path: str, wanted: set[tuple[int, int]]) -> None:
    """Add the new value of the weight, and the state of the optimizer that belongs to it."""
    name = path.strip().partition("[")[0]
    for quantity in layout.quantities.lines:
        own = quantity.path.removeprefix("update/")
        if quantity.kind == "update" and (own == name or own.startswith((f"{name}/", "step"))):
            weight = _weight(layout, path)[1]
            wanted.add((id(quantity), weight if quantity.value.array.size > 1 else 0))


def _add_parts(layout: ScalarLayout, wanted: set[tuple[int, int]]) -> None:
    """Add what the lines so far use of the loss's own parts and of sums of the backward pass, if few."""
    by_id = {id(q): q for q in layout.quantities.lines}
    pending = list(wanted)
    while pending:
        key, place = pending.pop()
        quantity = by_id[key]
        expression = layout.expression(quantity, place)
        used = [] if expression is None else refs(expression)
        few = len(used) <= _FEW
        for ref in used:
            found = layout.quantities.of(ref.source)
            if found is None or (id(found), ref.place) in wanted:
                continue
            is_part = found.kind in ("loss", "update") or (found.kind == "chain" and found.of is None)
            if is_part and few:
                wanted.add((id(found), ref.place))
                pending.append((id(found), ref.place))
