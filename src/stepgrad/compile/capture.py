"""Capture: a step is run once, recorded, and turned into a program.

What the step reads that is not an argument (parameters, buffers, optimizer state, the learning rate, the
random streams) becomes a slot, found by itself; what it writes becomes an assignment to a slot. The run
that is recorded is a real one, but all that it changed in tensors and random streams is put back, so that
every step, also the first, is a native one.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy

from stepgrad.arrays import dtypes, random
from stepgrad.autograd.history import without_history
from stepgrad.autograd.recording import Recording, record
from stepgrad.compile.contents import Contents, Trace, check_apart, place_of
from stepgrad.compile.program.builder import Builder, Program
from stepgrad.compile.program.value import NotCompiled, Value
from stepgrad.compile.results import Form, made_anew
from stepgrad.compile.slots import NumberSlot, StreamSlot, TensorSlot
from stepgrad.errors import CaptureError
from stepgrad.graph import Node, ancestors
from stepgrad.tensor import Tensor
from stepgrad.trees import leaves


class _Captured(Recording):
    """A recording of a step that will run with other values: results that no derivative reads are let go."""

    def __init__(self) -> None:
        super().__init__(values_hidden=True)

    def held(self, node: Node, array: Any) -> Any:
        return array if node.requires_grad else Trace(array)


class _Copying(_Captured):
    """A recording that keeps copies of all results."""

    def __init__(self) -> None:
        super().__init__()
        self.copies: list[Any] = []

    def add(self, node: Node, result: Any) -> None:
        super().add(node, result)
        self.copies.append(result._array.copy())

    def put_before(self, node: Node, earlier: Node) -> None:
        self.copies.insert(self.index(node), self.copies.pop())
        super().put_before(node, earlier)


class Capture:
    """A captured step: its `program`, the `result` of the run that was recorded, and what a further run
    depends on.

    The run may stand as it is (if it made new state, or cannot be compiled), or be undone.

    * `slots`: those of tensors, in the order in which they were found; `numbers`: those of Python numbers.
    * `modules`: modules and modes that the step ran with. `effects`: what it did besides operations.
    * `learned`: the tensors that it found, and how each is learned.
    * `alike`: optimizers, each with counts of steps of which the program takes one for all.
    * `is_real`: whether an error that the step raises leaves behind what it did before, as in an eager run.
    * `is_first`: whether the step made state that the next one will find, or left gradients to which the
      next one may add; then there is no program, and the next call is to be captured.
    * `reason`: why there is no program, if it cannot be compiled.
    * `exposed`: with `expose`, the nodes of the step with copies of their values in the recorded run; the
      program has the same as further outputs.
    * `output_form`: how to make the result of a run from the program's outputs and the arguments.
    * `is_output`: for each tensor in the result whether it is one of the outputs; others are what they are.
    * `together`: arguments, by position, that lie where a tensor lies that the step found.
    """

    def __init__(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any],
        advance: Any = None, again: bool = False, expose: bool = False, is_real: bool = False,
    ) -> None:  # fmt: skip
        began = time.perf_counter()
        self.arguments = tensors_in((args, kwargs))
        self._advance = advance or {}
        self._generators = [random.default_generator, random.dropout_generator]
        self._starts = [g.get_state() for g in self._generators]
        self.is_first = False
        self.reason: NotCompiled | None = None
        self.exposed: list[tuple[Node, Any]] = []
        self.is_output: list[bool] = []
        self.together: dict[int, Tensor] = {}
        with record(recording=_Copying() if expose else _Captured()) as self._recording:
            self._recording.arguments = {id(t) for t in self.arguments}
            self._read = self._recording.read
            try:
                self.result = function(*args, **kwargs)
            except BaseException as error:
                if not is_real or isinstance(error, CaptureError):
                    self.undo()
                raise
            kept = self._kept()
            self.is_first = self._recording.is_first or (
                not again and bool(kept or self._may_add(self._recording))
            )
            if not self.is_first:
                try:
                    self._translate(self._recording, kept)
                except NotCompiled as reason:
                    self.reason = reason
        self.seconds = time.perf_counter() - began

    def _kept(self) -> list[Tensor]:
        """Return the tensors made by the step that something holds on to, besides its result and
        gradients.
        """
        handed_out = tensors_in(self.result)
        for node in self._recording:
            handed_out += [x.grad for x in node.inputs if isinstance(x, Tensor) and x.grad is not None]
        # A view holds on to what it is a view of.
        known = {id(t) for tensor in handed_out for t in _beneath(tensor)}
        return [t for t in self._recording.kept() if id(t) not in known]

    def _translate(self, recording: Recording, kept: list[Tensor]) -> None:
        """Make the program of what was recorded."""
        if kept:
            raise NotCompiled(
                f"the step keeps a tensor that it made ({kept[0]._node}), which compiled code would not "
                f"renew; "
                f"return it, or change in place one that is there already"
            )
        self.builder = Builder()
        self.slots: dict[Any, TensorSlot] = {}
        self._written: dict[Any, Tensor] = {}
        self.streams: list[StreamSlot] = []
        self.numbers: dict[int, NumberSlot] = {}
        self._values: dict[Node | int, Value] = {}
        self._contents = Contents()
        self._times: dict[Node, int] = {}
        self._names: dict[int, str] = {}
        for module in dict.fromkeys(m for m, _ in recording.modules):  # those outside of others come first
            for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
                self._names.setdefault(id(tensor), name)
        self.modules, self.effects, self.alike = recording.modules, recording.effects, recording.alike
        self._asked = {id(tensor): (i, ask) for i, (tensor, ask) in enumerate(recording.numbers)}
        self._open_streams(recording)
        if recording.added_to:
            raise NotCompiled(
                "the step adds to gradients that were there before it; call optimizer.zero_grad() inside the "
                "step, before backward()"
            )
        if recording.looks_for_nan:
            raise NotCompiled(
                "it looks for NaN in derivatives (detect_anomaly), which compiled code does not"
            )
        if not self._uses_gradients(recording):
            raise NotCompiled(
                "the step leaves gradients in .grad that nothing in it uses, and compiled code keeps none; "
                "call optimizer.step() inside the step, or return the gradients"
            )
        pending = deque(zip(recording.places, recording.writes, recording.renamed))
        for i, node in enumerate(recording):
            while pending and pending[0][0][0] <= i:
                self._write(*pending.popleft())
            self._contents.begin(node)
            self._values[node] = self._value_of(node)
            self._times[node] = self._contents.time
        while pending:
            self._write(*pending.popleft())
        writes = self._writes()
        found = [t for s in self.slots.values() if s.position is None for t in (s.tensor, *s.others)]
        self.learned = [(tensor, how_learned(tensor)) for tensor in found]
        outputs: list[Value] = []
        self.output_form = made_anew(self.result, lambda x: self._form_of_tensor(x, outputs))
        for node, array in zip(recording, getattr(recording, "copies", ())):
            if self._values[node].kind not in ("leaf", "number"):
                self.exposed.append((node, array))
                outputs.append(self._own(self._values[node]))
        self.program = Program(outputs, writes)

    def _may_add(self, recording: Recording) -> bool:
        """Return whether the next step may add to gradients that this one leaves: the next one will show."""
        is_told = recording.clears_gradients or recording.added_to
        return not is_told and bool(self._left_gradients(recording))

    def _left_gradients(self, recording: Recording) -> dict[Any, Any]:
        """Return the nodes of gradients that the step leaves with their places in memory."""
        nodes = set(recording)
        learned = (x for node in recording for x in node.inputs if isinstance(x, Tensor))
        made = (x.grad for x in learned if x.grad is not None and x.grad._node in nodes)
        return {grad._node: place_of(grad._array) for grad in made}

    def _uses_gradients(self, recording: Recording) -> bool:
        """Return whether one of the gradients that the step leaves was read after backward, if there are any.

        Those of parameters that another step trains may be left, as a generator's step leaves those of the
        discriminator.
        """
        left = self._left_gradients(recording)
        used = {x for node in recording if node.phase != "backward" for x in node.inputs if x in left}
        used |= {t._node for t in tensors_in(self.result)}
        places = set(left.values())
        used |= {node for tensor, node in recording.writes if place_of(tensor._array) not in places}
        return not left or not used.isdisjoint(left)

    def reads_the_same(self) -> bool:
        """Return whether the values that the step asked for are as they were."""
        return not self._read or all(t._array.tobytes() == array.tobytes() for t, array in self._read)

    def undo(self) -> None:
        """Put back what the recorded run changed in tensors and random streams; its gradients are
        forgotten.
        """
        self._recording.undo()
        for node in self._recording:
            for x in node.inputs:
                if isinstance(x, Tensor) and x.grad is not None and x.grad._node is not None:
                    x.grad = None
        for generator, start in zip(self._generators, self._starts):
            generator.set_state(start)
        # The arrays of this run are not needed any more.
        for name in ("_recording", "_values", "_times", "_contents", "_written", "result"):
            vars(self).pop(name, None)

    def release_arguments(self) -> None:
        """Let go of the arguments of the run that was recorded; further runs have others."""
        self.arguments, self.together = [], {}
        for slot in self.slots.values():
            if slot.position is not None:
                del slot.tensor

    # ------------------------------------------------------------------------------------ nodes

    def _value_of(self, node: Node) -> Value:
        if node.op.kind == "function":
            raise NotCompiled(f"the Function {node.op.name} has no formula that could be compiled")
        inputs = [self._input(node, i) for i in range(len(node.inputs))]
        if node.op.name == "detach":
            return inputs[0]
        value = self.builder.apply(node.op, *inputs, **node.attrs)
        if value.shape != node.shape or value.dtype != node.dtype:
            raise NotCompiled(
                f"{node} became {value.dtype.name}{list(value.shape)} in the compiler, "
                f"which is a fault of stepgrad"
            )
        return value

    def _input(self, node: Node, i: int) -> Any:
        x = node.inputs[i]
        if isinstance(x, Node):
            if x not in self._values:
                raise NotCompiled(
                    f"the step uses {x}, which was computed before it began; compute it inside, or detach it"
                )
            return self._now(x)
        if x is None:
            return node.saved[i] if node.saved is not None else None
        return self._at(x)

    def _now(self, node: Node) -> Value:
        """Return the value of a node; of a view whose memory has changed since, what it shows now."""
        if not node.op.is_view or not self._contents.has_changed(node, self._times[node]):
            return self._values[node]
        source = node.inputs[0]
        if isinstance(source, Node) and not source.op.is_view:
            shown = self._contents.at(self._contents.memory_of(source))
        else:
            shown = self._input(node, 0)
        assert shown is not None
        value = shown if node.op.name == "detach" else self.builder.apply(node.op, shown, **node.attrs)
        self._values[node], self._times[node] = value, self._contents.time
        return value

    def _at(self, tensor: Tensor) -> Value:
        """Return what a tensor that the step found holds now."""
        written = self._contents.at(tensor._array)
        return self._leaf(tensor) if written is None else written

    def _leaf(self, tensor: Tensor) -> Value:
        """Return what a tensor that the step found held before it."""
        if id(tensor) in self._recording.constants:
            _, array = self._recording.before.get(id(tensor), (tensor, tensor._array))
            return self.builder.constant(array)
        if id(tensor) in self._asked:
            return self._number(tensor)
        position = self._position(tensor)
        key = (position, place_of(tensor._array))
        if key not in self.slots:
            name = self._names.get(id(tensor), f"slot {len(self.slots)}")
            name = name if position is None else f"argument {position}"
            slot = TensorSlot(name, tensor, position, self._advance.get(position, 0))
            self.slots[key] = slot
            self._values[id(slot)] = self.builder.leaf(slot, slot.shape, slot.dtype)
        elif all(t is not tensor for t in (self.slots[key].tensor, *self.slots[key].others)):
            self.slots[key].others.append(tensor)
        return self._values[id(self.slots[key])]

    def _number(self, tensor: Tensor) -> Value:
        if id(tensor) not in self.numbers:
            turn, ask = self._asked[id(tensor)]
            slot = self.numbers[id(tensor)] = NumberSlot(f"number {turn}", ask, turn)
            self._values[id(slot)] = self.builder.leaf(slot, (), slot.dtype)
        return self._values[id(self.numbers[id(tensor)])]

    def _position(self, tensor: Tensor) -> int | None:
        """Return which argument a tensor is, or was detached from: those count their changes together."""
        for i, t in enumerate(self.arguments):
            if t is tensor:
                return i
        place = place_of(tensor._array)
        for i, t in enumerate(self.arguments):
            if t._version is tensor._version and place_of(t._array) == place:
                self.together[i] = tensor
                return i
        return None

    def _write(self, place: tuple[int, Node | None], write: tuple[Tensor, Node], renamed: bool) -> None:
        """Follow a change in place: of a slot, or of what the step itself made.

        `renamed`: whether the tensor goes by the node of what was written, from now on.
        """
        (_, before), (tensor, node) = place, write
        # What is written to: through a view, or a detached one, the tensor that it shows.
        target = tensor if before is None or not before.op.is_view else self._contents.root_of(before)
        found = isinstance(target, Tensor) and (target is not tensor or before not in self._values)
        if found and id(target) not in self._recording.constants:
            self._leaf(target)
            self._written[place_of(target._array)] = target
        value = self._values[node]
        for other in self._contents.write(tensor._array, before, value, node if renamed else before):
            if other in self._values:
                self._values[other] = value

    def _writes(self) -> list[tuple[Value, Value]]:
        """Return what is in the end written to which slot."""
        check_apart(
            [s.tensor._array for s in self.slots.values()], [t._array for t in self._written.values()]
        )
        for tensor, _ in (*self._read, *self._recording.rates):
            if place_of(tensor._array) in self._written:
                raise NotCompiled("the step asks for the value of a tensor that it changes")
        writes = []
        for tensor in self._written.values():
            slot, value = self._leaf(tensor), self._at(tensor)
            if value is not slot:
                writes.append((slot, self._own(value)))
        for stream in self.streams:
            leaf = self._values[id(stream)]
            step = numpy.array([0, 0, stream.generator.position - self._start_of(stream)], "int64")
            if step[2]:
                writes.append((leaf, leaf + self.builder.constant(step)))
        return writes

    def _own(self, value: Value) -> Value:
        """Return a value that a kernel computes: a copy of what is only a view, a leaf or a number."""
        if value.kind in ("view", "leaf", "number"):
            return self.builder.copied(value)
        return value

    # ----------------------------------------------------------------------------------- random

    def _open_streams(self, recording: Recording) -> None:
        """Give every default stream that the step drew from a slot."""
        drawn: dict[tuple[int, int], int] = {}
        for node in recording:
            if node.op.kind == "random":
                key = (node.attrs["seed"], node.attrs["stream"])
                drawn[key] = drawn.get(key, 0) + _blocks(node)
        for generator, start in zip(self._generators, self._starts):
            # What was drawn from it must be all that moved it on.
            end = {**start, "position": start["position"] + drawn.pop((start["seed"], start["stream"]), 0)}
            if generator.get_state() != end:
                raise NotCompiled(
                    "random integers, permutations and samples drawn inside a step, and seeds set there, "
                    "are not compiled"
                )
            if end == start:
                continue
            slot = StreamSlot(f"stream {generator.stream}", generator)
            self.streams.append(slot)
            leaf = self.builder.leaf(slot, (3,), "int64")
            self._values[id(slot)] = leaf
            self.builder.streams[generator.stream] = (leaf, start["position"])
        if drawn:
            raise NotCompiled("random numbers of a Generator of one's own are not compiled")

    def _start_of(self, stream: StreamSlot) -> int:
        return self._starts[self._generators.index(stream.generator)]["position"]

    # ---------------------------------------------------------------------------------- results

    def _form_of_tensor(self, result: Tensor, outputs: list[Value]) -> Form:
        """Return how to make a tensor of the result, which becomes an output unless it was there before."""
        # Those of all steps of a scan are stacked, as they are after each.
        slots = self.slots.values()
        was_there = result._node not in self._values or any(
            x is result for slot in slots for x in (slot.tensor, *slot.others)
        )
        was_there = was_there and not self._advance
        self.is_output.append(not was_there)
        if was_there:
            for i, x in enumerate(self.arguments):
                if x is result:
                    return lambda _, arguments: arguments[i]
            return lambda *_: result
        value = self._now(result._node) if result._node in self._values else self._at(result)
        outputs.append(self._own(value))
        position = len(outputs) - 1
        node: Any = result._node
        if result.requires_grad and node in self._values and node not in ancestors(self._recording.ends):
            return lambda arrays, _: without_history(arrays[position])
        return lambda arrays, _: Tensor._of(arrays[position])


def how_learned(tensor: Tensor) -> tuple[Any, ...]:
    """Return whether a tensor requires gradients, and which functions are called with them."""
    return (tensor.requires_grad, *(tensor._hooks or ()), *(tensor._after_accumulation or ()))


def _blocks(node: Node) -> int:
    """Return how many positions of its stream a random operation takes."""
    count = math.prod(node.shape)
    if node.op.name == "randn":
        return random.normal_blocks(count)
    return random.blocks_for(count, dtypes.of(node))


def _beneath(tensor: Tensor) -> Iterator[Tensor]:
    """Yield a tensor and, if it is a view, all that it is a view of."""
    yield tensor
    while tensor._viewed is not None:
        tensor = tensor._viewed[0]
        yield tensor


def tensors_in(x: Any) -> list[Tensor]:
    """Return the tensors in nested lists, tuples and dicts, in order."""
    return [leaf for leaf in leaves(x) if isinstance(leaf, Tensor)]
