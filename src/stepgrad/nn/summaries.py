"""A network as a table: what each layer hands on, how many parameters it has, and what it costs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from stepgrad.arrays import devices, dtypes
from stepgrad.arrays import random as streams
from stepgrad.autograd.modes import no_grad
from stepgrad.autograd.recording import Recording, record
from stepgrad.errors import ArgumentError
from stepgrad.functions.creation import as_tensor, zeros
from stepgrad.graph import Node
from stepgrad.nn.module import Module
from stepgrad.nn.parameter import Parameter
from stepgrad.tensor import Tensor
from stepgrad.trees import leaves

Shape = tuple[int, ...]


class SummaryRow(NamedTuple):
    """One call of a module that computes.

    * `path`: its place in the model, such as ``body.0``; "" for the model itself. `kind`: the name of its
      class. `text`: its repr.
    * `outputs`: the shapes of the tensors that it returns.
    * `parameters`: how many numbers it trains or could train; those that it shares with an earlier row are
      counted there. `trainable`: how many of them require a gradient.
    * `multiply_adds`: the products that it sums up in matrix products. Adding a bias and applying a function
      to each element are not counted.
    * `memory`: the bytes of its outputs; 0 where they lie in the memory of its input.
    * `depth`: on the longest way from the input to its output, the number of layers. `role`: "hidden" or
      "output" for a layer, "" for other modules. A layer multiplies what comes from the input with weights.

    >>> import stepgrad as sg
    >>> sg.nn.summary(sg.nn.Linear(3, 2), (1, 3)).rows[0].parameters
    8
    """

    path: str
    kind: str
    text: str
    outputs: tuple[Shape, ...]
    parameters: int
    trainable: int
    multiply_adds: int
    memory: int
    depth: int
    role: str


class Summary:
    """What `summary` found; ``print`` shows it as a table.

    * `rows`: a `SummaryRow` per call, in the order of the calls. `inputs`: the shapes that go in.
    * `parameters`, `trainable`: of the whole model, also of what was not called; `not_called` names the
      parameters in such modules.
    * `multiply_adds`, `memory`: the sums of the rows.
    * `hidden`: the rows of the hidden layers. `depth`: the number of layers on the longest way through;
      `is_deep`: whether 2 or more of them are hidden.

    >>> import stepgrad as sg
    >>> found = sg.nn.summary(sg.nn.Sequential(sg.nn.Linear(3, 8), sg.nn.ReLU(), sg.nn.Linear(8, 2)), (5, 3))
    >>> found.parameters, found.depth, found.is_deep, [row.path for row in found.hidden]
    (50, 2, False, ['0'])
    """

    def __init__(self, rows: list[SummaryRow], inputs: list[Shape], model: Module, not_called: list[str]):
        self.rows, self.inputs, self.not_called = rows, inputs, not_called
        self.parameters = sum(p.numel() for p in model.parameters())
        self.trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
        self.multiply_adds = sum(row.multiply_adds for row in rows)
        self.memory = sum(row.memory for row in rows)
        self.hidden = [row for row in rows if row.role == "hidden"]
        self.depth = max((row.depth for row in rows), default=0)
        self.is_deep = self.depth > 2

    def by_depth(self) -> dict[int, tuple[int, int, int]]:
        """Return (parameters, multiply-adds, memory) of the rows at each depth."""
        found: dict[int, tuple[int, int, int]] = {}
        for row in self.rows:
            a, b, c = found.get(row.depth, (0, 0, 0))
            found[row.depth] = (a + row.parameters, b + row.multiply_adds, c + row.memory)
        return dict(sorted(found.items()))

    def __repr__(self) -> str:
        lines = [("layer", "role", "output", "parameters", "multiply-adds", "bytes")]
        lines += [("input", "", _text(shape), "", "", "") for shape in self.inputs]
        lines += [
            (
                f"{row.path} {row.kind}".strip(), row.role, ", ".join(map(_text, row.outputs)),
                _parameters_text(row), f"{row.multiply_adds:,}", f"{row.memory:,}",
            )
            for row in self.rows
        ]  # fmt: skip
        lines.append(("total", "", "", f"{self.parameters:,}", f"{self.multiply_adds:,}", f"{self.memory:,}"))
        widths = [max(map(len, column)) for column in zip(*lines)]
        table = [
            "  ".join(c.ljust(n) if i < 3 else c.rjust(n) for i, (c, n) in enumerate(zip(cells, widths)))
            for cells in lines
        ]
        return "\n".join(line.rstrip() for line in [*table, *self._notes()])

    def _notes(self) -> list[str]:
        count = len(self.hidden)
        hidden = f"{count or 'no'} hidden layer{'' if count == 1 else 's'}, depth {self.depth}"
        notes = [f"{hidden}: a deep network" if self.is_deep else hidden]
        if self.trainable != self.parameters:
            notes.append(f"{self.parameters - self.trainable:,} of the parameters are frozen")
        if self.not_called:
            notes.append(f"not called: {', '.join(self.not_called)}")
        return notes


def summary(model: Module, *inputs: Any) -> Summary:
    """Return what happens in `model` when it is called with `inputs`, as a table of its layers.

    An input is a tensor, an array, or a shape with the number of rows in it, such as ``(64, 784)``, which
    stands for zeros in the dtype of the parameters. The model runs once, in evaluation mode and without
    gradients; it and the random streams stay as they are. Raises `ArgumentError` for other inputs.

    >>> import stepgrad as sg
    >>> from stepgrad import nn
    >>> nn.summary(nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2)), (5, 3))
    layer     role    output  parameters  multiply-adds  bytes
    input             5×3
    0 Linear  hidden  5×8             32            120    160
    1 ReLU            5×8              0              0    160
    2 Linear  output  5×2             18             80     40
    total                             50            200    360
    1 hidden layer, depth 2
    """
    tensors = [_as_input(model, x) for x in inputs]
    if not tensors:
        raise ArgumentError(
            "summary needs the inputs of the model or their shapes: nn.summary(model, (1, 4))."
        )
    modes, random = [(m, m.training) for m in model.modules()], streams.get_rng_state()
    calls = _Calls(model, tensors)
    try:
        for module, _ in modes:
            module.training = False
        with no_grad(), record() as calls.nodes:
            model(*tensors)
    finally:
        calls.stop()
        for module, training in modes:
            module.training = training
        streams.set_rng_state(random)
    calls.follow()
    rows, not_called = calls.rows()
    return Summary(rows, [x.shape for x in tensors], model, not_called)


def _as_input(model: Module, x: Any) -> Tensor:
    if isinstance(x, (tuple, list)) and all(isinstance(n, int) for n in x):
        first = next((p for p in model.parameters() if p.is_floating_point()), None)
        kind = dtypes.get_default_dtype() if first is None else first.dtype
        return zeros(tuple(x), dtype=kind, device=None if first is None else first.device)
    if hasattr(x, "dtype"):
        return as_tensor(x)
    raise ArgumentError(f"an input of summary is a tensor or a shape such as (64, 784), not {x!r}.")


class _Call:
    """One call of a module, and what was found out about it."""

    def __init__(self, module: Module) -> None:
        self.module, self.outputs = module, list[Tensor]()
        self.multiply_adds = self.memory = self.depth = 0
        self.is_layer = self.is_hidden = False


class _Calls:
    """Watches the calls of all modules of a model, and which recorded node belongs to which call."""

    def __init__(self, model: Module, inputs: list[Tensor]) -> None:
        self.model, self.inputs, self.nodes = model, inputs, Recording()
        self._there = [x._array for x in inputs]
        self._calls: list[_Call] = []
        self._open: list[_Call] = []
        self._owners: list[_Call | None] = []
        self._hooks = [
            handle
            for m in model.modules()
            for handle in (m.register_forward_pre_hook(self._begin), m.register_forward_hook(self._end))
        ]

    def stop(self) -> None:
        """Watch no longer."""
        for hook in self._hooks:
            hook.remove()

    def _begin(self, module: Module, _: Any) -> None:
        self._hand_out()
        self._open.append(_Call(module))
        self._calls.append(self._open[-1])

    def _end(self, module: Module, _: Any, output: Any) -> None:
        self._hand_out()
        call = self._open.pop()
        call.outputs = [x for x in leaves(output) if isinstance(x, Tensor)]
        call.memory = _new_bytes(call.outputs, self._there)

    def _hand_out(self) -> None:
        """Give the nodes recorded since the last time to the innermost call."""
        owner = self._open[-1] if self._open else None
        self._owners += [owner] * (len(self.nodes) - len(self._owners))

    def follow(self) -> None:
        """Follow the input through the nodes: count layers and products, and see which layers feed others."""
        reached: dict[Any, tuple[int, frozenset[_Call]]] = dict.fromkeys(self.inputs, (0, frozenset()))
        for node, call in zip(self.nodes, self._owners):
            ways = [reached[x] for x in node.inputs if x is not None and x in reached]
            if call is not None and node.op.kind == "contract":
                call.multiply_adds += _multiply_adds(node)
            if not ways:
                continue
            depth, last = max(way[0] for way in ways), frozenset().union(*(way[1] for way in ways))
            # With two factors that depend on the input there are no weights in it.
            if call is not None and node.op.kind == "contract" and len(ways) == 1:
                for before in last:
                    before.is_hidden = True
                depth, last, call.is_layer = depth + 1, frozenset([call]), True
            reached[node] = (depth, last)
        for call in self._calls:
            ends = [key for x in call.outputs for key in (x._node, x) if key is not None and key in reached]
            call.depth = max((reached[key][0] for key in ends), default=0)

    def rows(self) -> tuple[list[SummaryRow], list[str]]:
        """Return a row for each call that computes, and the names of parameters in modules not called."""
        paths = {module: path for path, module in self.model.named_modules()}
        counted: set[Tensor] = set()
        rows = []
        for call in self._calls:
            m = call.module
            own = _own_parameters(m)
            if m._modules and not own and not call.multiply_adds:
                continue
            new = [p for p in own if p not in counted]
            counted.update(new)
            role = ("hidden" if call.is_hidden else "output") if call.is_layer else ""
            rows.append(
                SummaryRow(
                    paths[m], m._get_name(), repr(m), tuple(x.shape for x in call.outputs),
                    sum(p.numel() for p in new), sum(p.numel() for p in new if p.requires_grad),
                    call.multiply_adds, call.memory, call.depth, role,
                )
            )  # fmt: skip
        return rows, [name for name, p in self.model.named_parameters() if p not in counted]


def _own_parameters(module: Module) -> list[Parameter]:
    """Return the parameters that a module itself computes with: its own and those in containers like
    `ParameterList`, which have no forward.
    """
    own = [p for p in module._parameters.values() if p is not None]
    for child in module.children():
        if type(child).forward is Module.forward:
            own += _own_parameters(child)
    return own


def _of_matrices(y: Shape, a: Shape, b: Shape) -> int:
    return math.prod(y) * a[-1]


# How many products each contraction sums up, from the shapes of its result and of its first two operands.
PRODUCTS: dict[str, Callable[[Shape, Shape, Shape], int]] = {
    "linear": _of_matrices,
    "matmul": _of_matrices,
    # Of a weight (outputs, channels of a group, …) each element of the result takes one output's numbers.
    "convolution": lambda y, x, weight: math.prod(y) * math.prod(weight[1:]),
    "convolution_input": lambda y, g, weight: math.prod(g) * math.prod(weight[1:]),
    "convolution_weight": lambda y, g, x: math.prod(g) * math.prod(y[1:]),
}


def _multiply_adds(node: Node) -> int:
    """Return how many products a contraction sums up."""
    assert node.saved is not None
    first, second = (tuple(x.shape) for x in node.saved[:2])
    return PRODUCTS[node.op.name](tuple(node.shape), first, second)


def _new_bytes(outputs: list[Tensor], there: list[Any]) -> int:
    """Return the bytes of the tensors that do not lie in arrays that are `there`, and add them to those."""
    new = 0
    for x in outputs:
        array = x._array
        if not any(devices.module_of(array).may_share_memory(array, other) for other in there):
            new += array.nbytes
            there.append(array)
    return new


def _text(shape: Shape) -> str:
    return "×".join(map(str, shape)) or "a number"


def _parameters_text(row: SummaryRow) -> str:
    frozen = "" if row.trainable == row.parameters else " partly frozen" if row.trainable else " frozen"
    return f"{row.parameters:,}{frozen}"


__all__ = ["Summary", "SummaryRow", "summary"]
