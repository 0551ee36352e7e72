"""A training step run once and kept whole: every operation with its operands, forward, backward, update.

The step runs on copies in float64, so neither the model nor the optimizer nor the random streams of whoever
asks are touched, and what is shown is not blurred by float32. What comes out is a graph of `Value`s. What
the backward pass computes again is the `Value` of the forward pass, so that it has the same name.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy

from stepgrad.arrays.random import get_rng_state, set_rng_state
from stepgrad.autograd.modes import enable_grad, no_grad
from stepgrad.autograd.recording import Recording, record
from stepgrad.errors import ArgumentError
from stepgrad.graph import Node
from stepgrad.nn.module import Module
from stepgrad.nn.parameter import Parameter
from stepgrad.ops.called import names_noted
from stepgrad.ops.record import Op
from stepgrad.tensor import Tensor
from stepgrad.trees import leaves


class Value:
    """An array of the step: what an operation made, or a leaf.

    * `op`, `inputs`, `attrs`: the operation; each input is a `Value`, a number, or None. A leaf has no `op`.
    * `array`: its numbers. `phase`: "forward", "backward", "update" or "after". `in_loss`: made after the
      model.
    * `module`: the path of the module that made it. `origin`: of a leaf, where it comes from
      ("parameter", "buffer", "input", "target", "state", "rate", "constant"), `path` its name there.
    * `called`: what textbooks call a value inside an operation. `is_stopped`: no gradient flows through it.
    * `order`: values made during the step are numbered in order; -1 for others.
    """

    def __init__(self, array: numpy.ndarray, op: Op | None = None, inputs: tuple[Any, ...] = ()) -> None:
        self.array, self.op, self.inputs = array, op, inputs
        self.attrs: dict[str, Any] = {}
        self.phase, self.module, self.in_loss = "forward", "", False
        self.is_data: bool
        self.origin, self.path = "", ""
        self.called = ""
        self.order = -1
        self.is_stopped = op is not None and not op.differentiable
        # Integers, and what comes from these, booleans and constants alone, are written as what they are.
        made_of_data = all(x.is_data for x in inputs if isinstance(x, Value))
        is_made = made_of_data and op is not None and op.kind != "random"
        self.is_data = array.dtype.kind in "iu" or is_made or (op is None and array.dtype.kind == "b")

    def __repr__(self) -> str:
        return f"<{self.op.name if self.op else self.origin or 'leaf'} {self.path} {list(self.array.shape)}>"


class Values:
    """All values of a step."""

    def __init__(self) -> None:
        self._made: dict[Any, Value] = {}

    def make(
        self, op: Op, inputs: tuple[Any, ...], attrs: dict[str, Any], array: numpy.ndarray, new: bool = False
    ) -> Value:
        """Return the value of an operation: the one that is there, if it has been made before.

        What the forward pass computes twice are two values (`new`), since each has a gradient of its own.
        """
        key = (
            op.name,
            tuple(id(x) if isinstance(x, Value) else repr(x) for x in inputs),
            repr(sorted(attrs.items())),
        )
        if key in self._made and not new:
            return self._made[key]
        value = Value(array, op, inputs)
        value.attrs = attrs
        self._made.setdefault(key, value)
        return value


class _Copies(Recording):
    """A recording that keeps the numbers of operands and results as they were when they were used."""

    def __init__(self) -> None:
        super().__init__()
        self.results: dict[int, numpy.ndarray] = {}
        self.leaves: dict[tuple[int, int], tuple[Tensor, numpy.ndarray]] = {}
        self.read_as: dict[tuple[int, int], tuple[int, int]] = {}
        self.new_state: list[tuple[Tensor, Node]] = []

    def add(self, node: Node, result: Any) -> None:
        """Keep copies, since parameters, state and buffers change in place later."""
        super().add(node, result)
        self.results[node.order] = result._array.copy()
        for i, x in enumerate(node.inputs):
            if isinstance(x, Tensor):
                key = (id(x), x._version[0])
                self.read_as[node.order, i] = key
                if key not in self.leaves:
                    self.leaves[key] = (x, x._array.copy())

    def made_state(self, tensor: Any, result: Any) -> None:
        """Keep what the state that the step makes is computed by."""
        super().made_state(tensor, result)
        self.new_state.append((tensor, result._node))


class Step:
    """What a training step computed.

    * `values`: all of it. `loss`: the loss. `outputs`: what the model returned, each tensor of it; `output`
      is the first.
    * `forward`: the values made by the forward pass, in order.
    * `gradients`: (value, its gradient) for each value of the forward pass and each parameter that has one.
    * `updates`: (leaf, new value) for each parameter and each piece of state that the optimizer changed.
    * `parameters`: the leaf of each parameter by name. `modules`: what each module is, by its path.
    * `data`: the leaves of the inputs and of the target.
    * `after`: the values made by the forward pass with the new parameters, in order; none without an update.
      `output_after` and `loss_after` are its results.
    * `again`: runs the same step on other copies, unrecorded, and returns its `Outcome`.
    """

    def __init__(self, again: Callable[[], Outcome]) -> None:
        self.again = again
        self.values = Values()
        self.forward: list[Value] = []
        self.gradients: list[tuple[Value, Value]] = []
        self.updates: list[tuple[Value, Value]] = []
        self.parameters: dict[str, Value] = {}
        self.modules: dict[str, str] = {}
        self.data: list[Value] = []
        self.after: list[Value] = []
        self.loss: Value
        self.outputs: list[Value] = []
        self.loss_after: Value
        self.output_after: Value

    @property
    def output(self) -> Value:
        """What the model returned; of several tensors the first."""
        return self.outputs[0]


@dataclass(frozen=True)
class Outcome:
    """The loss of a step, the parameters after it by name, and with these the first output and the loss."""

    loss: float
    output_after: numpy.ndarray
    loss_after: float
    parameters: dict[str, numpy.ndarray]


def run_step(
    model: Module,
    loss: Callable[..., Any],
    optimizer: Any,
    inputs: Sequence[Any],
    target: Any,
) -> Step:
    """Run one training step on copies and return what it computed. `optimizer` may be None: no update.

    Raises `ArgumentError` if the loss is not one number, and what the model itself raises.
    """
    before = get_rng_state()
    kept = copy.deepcopy((model, loss, optimizer))

    def fresh() -> _Run:
        set_rng_state(before)
        return _Run(*copy.deepcopy(kept))

    with _random_streams_kept(), enable_grad():
        return fresh().step(inputs, target, lambda: _outcome(fresh, inputs, target))


def _outcome(fresh: Callable[[], _Run], inputs: Sequence[Any], target: Any) -> Outcome:
    with _random_streams_kept(), enable_grad():
        return fresh().outcome(inputs, target)


@contextmanager
def _random_streams_kept() -> Iterator[None]:
    before = get_rng_state()
    try:
        yield
    finally:
        set_rng_state(before)


class _Run:
    """The run itself, on copies that nobody else holds."""

    def __init__(self, model: Module, loss: Callable[..., Any], optimizer: Any) -> None:
        self.model, self.loss, self.optimizer = model.cpu().double(), loss, optimizer
        self.random = get_rng_state()
        if isinstance(loss, Module):
            loss.cpu().double()
        self.model.zero_grad()
        self.copies = _Copies()
        self.result: Step
        self._leaves: dict[tuple[int, int], Value] = {}
        self._alike: dict[Any, Value] = {}
        self._nodes: dict[int, Value] = {}
        self._origins: dict[int, tuple[str, str]] = {}
        self._first_after: float = float("inf")
        self._called: dict[int, str] = {}  # what the optimizer's rule calls a result

    def outcome(self, inputs: Sequence[Any], target: Any) -> Outcome:
        """Take the step as any training does."""
        tensors, wanted = [as_double(x) for x in inputs], as_double(target)
        loss = self._loss(self.model(*tensors), wanted)
        loss.backward()
        if self.optimizer is not None:
            self.optimizer.step()
        parameters = {name: p.detach().numpy() for name, p in self.model.named_parameters()}
        output, loss_after = self._again(tensors, wanted)
        return Outcome(loss.item(), outputs_in(output, tensors)[0].numpy(), loss_after.item(), parameters)

    def _again(self, inputs: list[Any], target: Any) -> tuple[Any, Any]:
        """Run the forward pass with the parameters as they are now, on the same random numbers."""
        set_rng_state(self.random)
        with no_grad():
            output = self.model(*inputs)
            return output, self._loss(output, target)

    def _update(self) -> None:
        if self.optimizer is None:
            return
        try:
            self.optimizer.step()
        except (ArgumentError, TypeError):
            if getattr(self.optimizer, "update", None) is not None:
                raise
            raise ArgumentError(
                f"{type(self.optimizer).__name__} runs the model as often as it likes within a step, so that "
                f"this is no step to be written out; explain it without the update: optimizer=None."
            ) from None

    def _loss(self, output: Any, target: Any) -> Any:
        return self.loss(output) if target is None else self.loss(output, target)

    def step(self, inputs: Sequence[Any], target: Any, again: Callable[[], Outcome]) -> Step:
        """Take the step with everything recorded."""
        self.result = Step(again)
        tensors = [as_double(x) for x in inputs]
        wanted = as_double(target)
        with record(recording=self.copies):
            output = self.model(*tensors)
            outputs = outputs_in(output, tensors)
            made_by_model = len(self.copies)
            loss = self._loss(output, wanted)
            if not isinstance(loss, Tensor) or loss.numel() != 1:
                shape = list(loss.shape) if isinstance(loss, Tensor) else type(loss).__name__
                raise ArgumentError(
                    f"a step is explained from one number, the loss; here it is {shape}. Use a loss with "
                    f"reduction='mean' or 'sum'."
                )
            forward = list(self.copies)
            seen = self._watch(forward)
            loss.backward()
            state = self._state_before()
            with names_noted() as names:
                self._update()
            self._called = {x._node.order: name for x, name in names.values() if isinstance(x, Tensor)}
            writes, made_in_step = list(self.copies.writes), len(self.copies)
            versions = {id(tensor): tensor._version[0] for tensor, _ in writes}
            # In-place results are leaves once the recording is over, so their nodes are taken here.
            output_after, loss_after = self._again(tensors, wanted)
            after = outputs_in(output_after, tensors)[0]._node, loss_after._node
        self._name_leaves(tensors, wanted, state)
        result = self.result
        for i, node in enumerate(forward):
            value = self._value(node)
            value.in_loss = i >= made_by_model
            if value not in result.forward:
                result.forward.append(value)
        used = {value.module for value in result.forward}
        for path, module in self.model.named_modules():
            if path in used or not path:
                result.modules[path] = f"{module._get_name()}({module.extra_repr()})"
        for tensor in (*tensors, wanted):
            if tensor is not None:
                result.data.append(self._leaf(tensor, first=True))
        result.loss = self._value(loss._node)
        result.outputs = [self._value(each._node) for each in outputs]
        for node, gradient in seen:
            result.gradients.append((self._value(node), self._value(gradient)))
        for name, parameter in self.model.named_parameters():
            result.parameters[name] = self._leaf(parameter, first=True)
            if parameter.grad is not None and parameter.grad._node is not None:
                result.gradients.append((result.parameters[name], self._value(parameter.grad._node)))
        for tensor, node in writes:
            if node.phase == "update" or (node.order > loss._node.order and id(tensor) in self._origins):
                result.updates.append((self._leaf(tensor, first=True), self._value(node)))
                self._leaves[id(tensor), versions[id(tensor)]] = result.updates[-1][1]
        result.updates[:0] = [
            (self._before(tensor), self._value(node)) for tensor, node in self.copies.new_state
        ]
        if result.updates:
            self._add_after(self.copies[made_in_step:], *after)
        return result

    def _before(self, tensor: Tensor) -> Value:
        """Return what stands for a piece of state before the step that makes it."""
        leaf = Value(numpy.zeros_like(tensor._array))
        leaf.origin, leaf.path = self._origins[id(tensor)]
        return leaf

    def _add_after(self, nodes: list[Node], output: Node, loss: Node) -> None:
        """Add the values of the second forward pass; what depends on no parameter is that of the first."""
        self._first_after = nodes[0].order
        self.result.output_after, self.result.loss_after = self._value(output), self._value(loss)
        self.result.after = [self._value(node) for node in nodes]

    def _watch(self, nodes: list[Node]) -> list[tuple[Node, Node]]:
        """Have every node of the forward pass note its gradient; return the list that fills."""
        seen: list[tuple[Node, Node]] = []

        def note(node: Node) -> Callable[[Any], None]:
            return lambda gradient: seen.append((node, gradient._node))

        for node in nodes:
            if node.requires_grad:
                node.hooks = [*(node.hooks or []), note(node)]
        return seen

    def _state_before(self) -> list[Any]:
        """Return what there is of the optimizer's state, so that its tensors stay alive under their ids."""
        return [] if self.optimizer is None else list(self.optimizer.state.values())

    def _name_leaves(self, inputs: list[Any], target: Any, state: list[Any]) -> None:
        for i, x in enumerate(inputs):
            self._origins[id(x)] = ("input", "x" if len(inputs) == 1 else f"x{i + 1}")
        if isinstance(target, Tensor):
            self._origins[id(target)] = ("target", "y")
        for name, buffer in self.model.named_buffers():
            self._origins[id(buffer)] = ("buffer", name)
        if isinstance(self.loss, Module):
            for name, buffer in self.loss.named_buffers():
                self._origins[id(buffer)] = ("buffer", f"loss.{name}")
        for tensor, _ in self.copies.numbers:
            self._origins[id(tensor)] = ("rate", "lr")
        for name, parameter in self.model.named_parameters():
            self._origins[id(parameter)] = ("parameter", name)
            if self.optimizer is not None:
                for key, value in self.optimizer.state.get(parameter, {}).items():
                    if isinstance(value, Tensor):
                        self._origins[id(value)] = ("state", f"{name}/{key}")

    def _value(self, node: Any) -> Value:
        """Return the value of a node, and make those that lead to it."""
        pending = [node]
        while pending:
            last = pending[-1]
            lacking = [x for x in last.inputs if isinstance(x, Node) and x.order not in self._nodes]
            if lacking:
                pending.extend(lacking)
                continue
            pending.pop()
            if last.order in self._nodes:
                continue
            inputs = tuple(self._operand(last, i) for i in range(len(last.inputs)))
            array = self.copies.results.get(last.order)
            phase = "after" if last.order >= self._first_after else last.phase
            value = self.result.values.make(
                last.op, inputs, last.attrs, last.result if array is None else array, phase == "forward"
            )
            if value.order < 0:
                value.order = last.order
                value.phase, value.module = phase, last.module
                value.called = self._called.get(last.order, "")
                if phase == "forward":
                    value.is_stopped = not last.requires_grad
            self._nodes[last.order] = value
        return self._nodes[node.order]

    def _operand(self, node: Node, i: int) -> Any:
        x = node.inputs[i]
        if isinstance(x, Node):
            return self._nodes[x.order]
        if x is None:
            saved = None if node.saved is None else node.saved[i]
            if isinstance(saved, (bool, int, float, type(None))):
                return saved
            return Value(numpy.asarray(saved))
        return self._leaf(x, self.copies.read_as.get((node.order, i)))

    def _leaf(self, tensor: Tensor, key: tuple[int, int] | None = None, first: bool = False) -> Value:
        if first:
            versions = [version for identity, version in self.copies.leaves if identity == id(tensor)]
            key = (id(tensor), min(versions, default=0))
        assert key is not None
        if key not in self._leaves:
            array = self.copies.leaves[key][1] if key in self.copies.leaves else tensor._array.copy()
            origin, path = self._origins.get(id(tensor), ("constant", ""))
            # Groups of parameters with the same learning rate, and steps counted alike, are one number.
            same = (origin, path.rpartition("/")[2], array.item()) if _is_shared(origin, path) else key
            leaf = self._alike.get(same)
            if leaf is None:
                leaf = self._alike[same] = Value(array)
                leaf.origin, leaf.path = origin, path
            self._leaves[key] = leaf
        return self._leaves[key]


def outputs_in(output: Any, inputs: Sequence[Any]) -> list[Tensor]:
    """Return the tensors that a model returns and has computed: one, or those in tuples, lists and dicts.

    Raises `ArgumentError` if there is none.
    """
    tensors = [x for x in leaves(output) if isinstance(x, Tensor)]
    found = [y for y in tensors if not isinstance(y, Parameter) and all(y is not x for x in inputs)]
    if not found:
        raise ArgumentError(
            f"a step is explained of a model that returns tensors that it computes, alone or in a tuple, a "
            f"list or a dict; this one returns {type(output).__name__}."
        )
    return found


def _is_shared(origin: str, path: str) -> bool:
    return origin == "rate" or (origin == "state" and path.endswith("/step"))


def as_double(x: Any) -> Any:
    """Return a tensor, an array or a list of numbers as a new Tensor on the CPU, floating point ones in
    float64.
    """
    if x is None:
        return None
    array = x.detach().cpu()._array if isinstance(x, Tensor) else numpy.asarray(x)
    if array.dtype.kind == "f" and array.dtype != numpy.float64:
        array = array.astype(numpy.float64)
    return Tensor._of(numpy.array(array))
