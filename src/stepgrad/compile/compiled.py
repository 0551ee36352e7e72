"""A captured step as native code: whether it holds for how things are now, and running it."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy

from stepgrad.compile.assemble import Native
from stepgrad.compile.capture import Capture, how_learned
from stepgrad.compile.follow.guard import Guard
from stepgrad.compile.slots import NumberSlot, TensorSlot
from stepgrad.compile.together import Together, are_apart
from stepgrad.errors import IndexShapeError
from stepgrad.methods.base import address_of
from stepgrad.nn.module import Module
from stepgrad.tensor import Tensor

_HOOKS = "_hooks", "_after_accumulation"


class Compiled:
    """A captured step as native code, for arguments of one kind. Made by the first call, used by the
    others.
    """

    def __init__(
        self,
        capture: Capture,
        before: Sequence[tuple[Module, bool]] = (),
        known: Mapping[int, Tensor] | None = None,
    ) -> None:
        self.capture = capture
        self._together = Together(capture, known or {})
        # The modes that the step itself set (`before` are those from before it), and those that it found.
        self.modes = [(module, module.training) for module, mode in before if module.training is not mode]
        modes = {id(module): mode for module, mode in before}
        sets = {id(module) for module, _ in self.modes}
        # Also those that were not called: the step may read the mode itself.
        found = [(m, mode) for m, mode in before if id(m) not in sets]
        found += [(m, mode) for m, mode in capture.modules if id(m) not in modes or mode is modes[id(m)]]
        self._modules = [*{id(module): (module, mode) for module, mode in found}.values()]
        with _without_collection():
            self.native = Native(capture.program)
        self._lock = threading.Lock()
        self._mark = object()
        self._arguments: list[tuple[int, TensorSlot]] = []
        self._found: list[tuple[int, TensorSlot]] = []
        self._numbers: list[tuple[int, NumberSlot]] = []
        for entry, slot in self.native.placement.slots:
            if isinstance(slot, TensorSlot):
                (self._found if slot.position is None else self._arguments).append((entry, slot))
            else:
                self.native.table[entry] = address_of(slot.memory)  # type: ignore[attr-defined]
            if isinstance(slot, NumberSlot):
                self._numbers.append((entry, slot))
        written = [leaf.attrs["leaf"] for leaf, _ in capture.program.writes]
        slots = [slot for slot in written if isinstance(slot, TensorSlot)]
        # Tensors that the step found and writes to, and the positions of arguments that it writes to.
        self.written = [slot.tensor for slot in slots if slot.position is None]
        self.written_arguments = [slot.position for slot in slots if slot.position is not None]
        self._versions = [tensor._version for tensor in self.written]
        self._outputs = [
            (entry, value.shape, value.dtype)
            for entry, value in zip(self.native.output_entries, capture.program.outputs)
        ]
        for module, _ in self.modes:  # as before the recorded run; each run sets them
            module.training = modes[id(module)]
        self._point_to_found()
        capture.release_arguments()

    @property
    def found(self) -> list[Tensor]:
        """The tensors besides the arguments that the step reads."""
        return [slot.tensor for _, slot in self._found]

    def _point_to_found(self) -> None:
        # What `holds` looks at before each call.
        self._sign()
        together = [t for _, slot in self._found for t in (slot.tensor, *slot.others)]
        hooks = [vars(t).get(x) for t, _ in self.capture.learned for x in _HOOKS]
        self._guard = Guard([(x, ()) for x in hooks if x is not None], entries=[
            *((vars(module), ("training",)) for module, _ in self._modules),
            *((vars(tensor), ("_array",)) for tensor in together),
            *((vars(t), ("requires_grad", *_HOOKS)) for t, _ in self.capture.learned),
            *((vars(optimizer), ("_stepped_by",)) for optimizer, _ in self.capture.alike),
        ])  # fmt: skip
        for entry, slot in self._found:
            self.native.table[entry] = address_of(slot.tensor._array)
        self.lie_alike = self._together.question()

    def holds(self) -> bool:
        """Return whether modes and memory are as they were when the step was captured."""
        return (not self._guard.differs() or self._still_holds()) and self.capture.reads_the_same()

    def _sign(self) -> None:
        """Note in the optimizers that this code takes their steps: other steps may count for some parameters
        alone.
        """
        for optimizer, _ in self.capture.alike:
            optimizer._stepped_by = self._mark

    def _still_holds(self) -> bool:
        """Return whether modes and counts are the same and tensors alike, in other memory perhaps."""
        if any(count._array != counts[0]._array for _, counts in self.capture.alike for count in counts[1:]):
            return False
        self._sign()
        if not self._guard.differs():
            return True
        if any(module.training is not mode for module, mode in self._modules):
            return False
        if any(how_learned(tensor) != how for tensor, how in self.capture.learned):
            return False
        for _, slot in self._found:
            array = slot.tensor._array
            if any(t._array is not array for t in slot.others) or not _alike(array, slot):
                return False
        if not are_apart([slot.tensor._array for _, slot in self._found], self.written):
            return False
        self._point_to_found()
        return True

    def run(self, arguments: list[Tensor], steps: int | None = None) -> list[numpy.ndarray]:
        """Run a step and return the outputs; with `steps` so many, each output with a dimension more in
        front.

        An argument whose slot has an `advance` holds what all steps need, one after the other.
        """
        with self._lock:
            return self._run(arguments, steps)

    def _run(self, arguments: list[Tensor], steps: int | None) -> list[numpy.ndarray]:
        capture, native = self.capture, self.native
        table, kept = native.table, []
        count, lead = (1, ()) if steps is None else (steps, (steps,))
        self._ask_for_numbers(count)
        for stream in capture.streams:
            stream.load()
        for entry, slot in self._arguments:
            assert slot.position is not None
            array = arguments[slot.position]._array
            if slot.advance or not _alike(array, slot):
                array = numpy.ascontiguousarray(array)
                kept.append(array)
            table[entry] = address_of(array)
        outputs = []
        for entry, shape, dtype in self._outputs:
            output = numpy.empty(lead + shape, dtype)
            table[entry] = address_of(output)
            outputs.append(output)
        native.run(count)
        for module, mode in self.modes:
            module.training = mode
        for stream in capture.streams:
            stream.save()
        for version in self._versions:
            version[0] += 1
        for position in self.written_arguments:
            arguments[position]._version[0] += 1
        if native.index_out_of_range():
            raise IndexShapeError("an index was outside of its tensor in a compiled step.")
        return outputs

    def _ask_for_numbers(self, steps: int) -> None:
        """Ask for the Python numbers of all steps, doing in between what else the step does in Python."""
        for entry, slot in self._numbers:
            if slot.make_room(steps):
                self.native.table[entry] = address_of(slot.memory)
        effects = self.capture.effects
        if not effects:
            for _, slot in self._numbers:
                slot.fill(steps)
            return
        happenings: list[Any] = sorted([*effects, *(slot for _, slot in self._numbers)], key=_turn)
        for step in range(steps):
            for happening in happenings:
                if isinstance(happening, NumberSlot):
                    happening.put(step)
                else:
                    happening.repeat()

    def remember(self) -> list[Callable[[], None]]:
        """Return functions that put back, in this order, what a run changes besides tensors and streams."""
        modes = [partial(setattr, module, "training", module.training) for module, _ in self.modes]
        return [*modes, *(effect.remember() for effect in self.capture.effects[::-1])]


@contextmanager
def _without_collection() -> Iterator[None]:
    """Look for no cycles of garbage meanwhile: that goes through all objects of the process, again and again
    since so many are made, for a fifth of the time until the first step.
    """
    is_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if is_on:
            gc.enable()


def _turn(happening: Any) -> float:
    """Return when in a step a number is asked for, or an effect takes place."""
    return happening.turn if isinstance(happening, NumberSlot) else happening.after - 0.5


def _alike(array: Any, slot: TensorSlot) -> bool:
    return array.shape == slot.shape and array.dtype == slot.dtype and array.strides == slot.byte_strides
