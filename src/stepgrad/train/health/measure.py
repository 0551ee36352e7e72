"""One look at a model in training: gradients, weights, updates, saturation, inputs, layer by layer."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy

from stepgrad.arrays import devices
from stepgrad.autograd.engine import TENSORS
from stepgrad.autograd.gradients import grad
from stepgrad.autograd.modes import enable_grad, no_grad
from stepgrad.autograd.recording import Recording, record
from stepgrad.errors import ArgumentError
from stepgrad.graph import Node
from stepgrad.nn.module import Module
from stepgrad.tensor import Tensor
from stepgrad.train.guard import Origin, first_not_finite, given_origin
from stepgrad.train.health.case import Case, untouched
from stepgrad.train.health.plain import plain_numbers, true_numbers

SATURATED = 0.05  # of the largest derivative: σ' below 0.0125, tanh' below 0.05
_DEAD = 2e-3
_SMALLEST_WEIGHT = 0.01  # below it, weights were set to (nearly) 0 on purpose and say nothing about steps
# The largest derivative of what saturates on both sides; the last two become exactly flat there.
_TWO_SIDED = {"sigmoid": 0.25, "tanh": 1.0, "softsign": 1.0, "hardtanh": 1.0, "hardsigmoid": 1 / 6}
_SMOOTH = ("sigmoid", "tanh", "softsign")
_TAKES_LOGITS = ("cross_entropy", "cross_entropy_probabilities", "binary_cross_entropy_with_logits")
# What is flat around 0 on purpose, or has no derivative at all.
_FLAT = ("step", "hardshrink", "softshrink", "tanhshrink")


@dataclass(frozen=True)
class LayerMeasure:
    """A layer that has parameters.

    * `path`, `kind`: its place in the model and its class. `matrices`: whether it has weights of two or more
      dimensions, as a `Linear` has and a normalization has not.
    * `gradient`: the Euclidean norm of the gradients of all its parameters. `weight`: that of the parameters.
    * `flow`: the root mean square, over the rows, of the norm of the gradient with respect to its output,
      times the number of rows where the loss is a mean.
    * `update`: the norm of the optimizer's next change of it, divided by that of the parameters; None
      without an optimizer.
    """

    path: str
    kind: str
    matrices: bool
    gradient: float
    weight: float
    flow: float
    update: float | None


@dataclass(frozen=True)
class ActivationMeasure:
    """A use of an activation function ahead of a layer with weights.

    `module` is the path of the module that uses it, `op` the operation, `units` the number of units,
    `dead` how many of them have a derivative of 0 for every row, `saturated` the share of numbers where the
    derivative of a function that is flat on both sides, as sigmoid and tanh are, is below 5 % of its largest;
    0 for other functions.
    """

    module: str
    op: str
    units: int
    dead: int
    saturated: float


@dataclass(frozen=True)
class InputMeasure:
    """The data that a layer with weights is fed.

    `layer`: its path. `one_sign`: whether all numbers are of one sign. `offset`: the share of the mean in
    the mean square, 0 for centred columns, 1 for constant ones. `largest`: the largest absolute value.
    `same_sign`: the share of units whose weights' gradients are all of one sign.
    """

    layer: str
    one_sign: bool
    offset: float
    largest: float
    same_sign: float


@dataclass(frozen=True)
class Measurement:
    """What one look at a model found; `epoch` and `step` say when, if a `Trainer` was asked.

    `origin`: the first value that is not finite, None if all are. `squashed`: the path of the module whose
    probabilities are handed to a loss that takes logits, None if there is none.
    """

    loss: float
    layers: tuple[LayerMeasure, ...]
    activations: tuple[ActivationMeasure, ...]
    inputs: tuple[InputMeasure, ...]
    origin: Origin | None = None
    epoch: int = 0
    step: int = 0
    squashed: str | None = None

    @property
    def weighted(self) -> list[LayerMeasure]:
        """The layers with matrices of weights, in the order of their first use."""
        return [layer for layer in self.layers if layer.matrices]

    def to_json(self) -> dict[str, Any]:
        """Return the measurement as plain values; NaN and infinity as text."""
        parts = {
            name: [plain_numbers(asdict(each)) for each in getattr(self, name)] for name in _KINDS_OF_PARTS
        }
        origin = None if self.origin is None else plain_numbers(asdict(self.origin))
        head = plain_numbers({name: getattr(self, name) for name in ("loss", "epoch", "step", "squashed")})
        return {**head, **parts, "origin": origin}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Measurement:
        """Return the measurement that `to_json` described."""
        parts = {
            name: tuple(kind(**true_numbers(each)) for each in value[name])
            for name, kind in _KINDS_OF_PARTS.items()
        }
        origin = value["origin"]
        if origin is not None:
            origin = Origin(**{**true_numbers(origin), "inputs": tuple(origin["inputs"])})
        return cls(**{**true_numbers(value), **parts, "origin": origin})


_KINDS_OF_PARTS: dict[str, Any] = {
    "layers": LayerMeasure, "activations": ActivationMeasure, "inputs": InputMeasure
}  # fmt: skip


def measure(case: Case, epoch: int = 0, step: int = 0) -> Measurement:
    """Look at a case as it is now: one step is taken on all its rows, and taken back."""
    with numpy.errstate(all="ignore"), untouched(case):
        case.model.train()
        calls = _Calls(case.model)
        try:
            with record() as nodes:
                loss = case.loss_of(case.inputs, case.target)
                reached = [(layer, x) for layer in calls.layers for x in calls.outputs[layer]]
                parameters = [p for layer in calls.layers for p in _own(layer) if p.requires_grad]
                found = grad(
                    loss, [*parameters, *(x for _, x in reached)], retain_graph=True, allow_unused=True
                )
        finally:
            calls.stop()
        gradients = dict(zip(parameters, found))
        flows = _flows(reached, found[len(parameters) :])
        parts, rows = [*case.inputs, case.target], numpy.arange(case.rows)
        origin = given_origin(case.model, parts, rows) or first_not_finite(nodes)
        updates = _updates(case, gradients) if origin is None else {}
        layers = tuple(
            _layer(path, layer, gradients, flows.get(layer, 0.0), updates)
            for path, layer in calls.named_layers()
        )
        return Measurement(
            loss.item(), layers, tuple(_activations(nodes)),
            tuple(_inputs(calls, gradients)), origin, epoch, step, _squashed(nodes),
        )  # fmt: skip


class _Calls:
    """The layers with parameters in the order of their first call, what goes in, and what comes out."""

    def __init__(self, model: Module) -> None:
        self.layers: list[Module] = []
        self.inputs: dict[Module, list[Tensor]] = {}
        self.outputs: dict[Module, list[Tensor]] = {}
        self._paths = {module: path for path, module in model.named_modules()}
        self._hooks = [
            m.register_forward_hook(self._called)
            for m in model.modules()
            if any(p is not None for p in m._parameters.values())
        ]

    def stop(self) -> None:
        """Watch no longer."""
        for hook in self._hooks:
            hook.remove()

    def named_layers(self) -> list[tuple[str, Module]]:
        """Return the layers with their paths."""
        return [(self._paths[layer], layer) for layer in self.layers]

    def _called(self, module: Module, args: Any, output: Any) -> None:
        if module not in self.outputs:
            self.layers.append(module)
            self.inputs[module], self.outputs[module] = [], []
        self.inputs[module] += [x for x in args if isinstance(x, Tensor)]
        results = output if isinstance(output, (tuple, list)) else (output,)
        self.outputs[module] += [x for x in results if isinstance(x, Tensor) and x.requires_grad]


def _own(layer: Module) -> list[Any]:
    return [p for p in layer._parameters.values() if p is not None]


def _square(array: Any) -> float:
    return float((array.astype("float64") ** 2).sum())


def _norm(arrays: list[Any]) -> float:
    return math.sqrt(sum(map(_square, arrays)))


def _flows(reached: list[tuple[Module, Tensor]], found: Any) -> dict[Module, float]:
    """Return for each layer the root mean square over rows of the gradient that reaches its output."""
    squares: dict[Module, float] = {}
    for (layer, x), g in zip(reached, found):
        if g is not None:
            rows = x.shape[0] if x.ndim else 1
            squares[layer] = squares.get(layer, 0.0) + _square(g._array) * rows
    return {layer: math.sqrt(square) for layer, square in squares.items()}


def _updates(case: Case, gradients: dict[Any, Any]) -> dict[Any, Any]:
    """Return how the optimizer's next step changes each parameter, as arrays."""
    if case.optimizer is None:
        return {}
    for p, g in gradients.items():
        p.grad = g
    case.clip()
    before = {p: p._array.copy() for p in gradients}
    try:
        with no_grad():
            case.optimizer.step()
    except ArgumentError:  # one that wants a closure, to compute the loss several times
        return {}
    return {p: p._array - old for p, old in before.items()}


def _layer(
    path: str, layer: Module, gradients: dict[Any, Any], flow: float, updates: dict[Any, Any]
) -> LayerMeasure:
    own = _own(layer)
    size = sum(p.numel() for p in own)
    changes = [updates[p] for p in own if p in updates]
    # Before the update was measured, the parameters were changed; take it back in the numbers.
    weight = _norm([p._array - updates[p] if p in updates else p._array for p in own])
    least = _SMALLEST_WEIGHT * math.sqrt(size)
    return LayerMeasure(
        path=path, kind=layer._get_name(), matrices=any(p.ndim > 1 for p in own),
        gradient=_norm([g._array for p in own if (g := gradients.get(p)) is not None]),
        weight=weight, flow=flow, update=_norm(changes) / max(weight, least) if changes else None,
    )  # fmt: skip


# ------------------------------------------------------------------------------------ activations


def _activations(nodes: Recording) -> list[ActivationMeasure]:
    """Return the activations whose results go on to a layer with weights, in order."""
    forward = [node for node in nodes if node.phase == "forward"]
    goes_on = _leads_to_weights(forward)
    found = []
    for node in forward:
        if node.op.source.endswith(".activations") and node in goes_on:
            derivative = _derivative(node)
            if derivative is not None and derivative.size:
                found.append(_activation(node, derivative))
    return found


def _leads_to_weights(nodes: list[Node]) -> set[Node]:
    """Return the nodes whose results reach a contraction."""
    leading: set[Node] = set()
    for node in reversed(nodes):
        if node.op.kind == "contract" or node in leading:
            leading.update(x for x in node.inputs if isinstance(x, Node))
    return leading


def _derivative(node: Node) -> numpy.ndarray | None:
    """Return the derivative of a function of each element at the inputs that it had, None if it is none."""
    arrays = [x.result if isinstance(x, Node) else getattr(x, "_array", x) for x in node.inputs]
    if node.op.name in _FLAT or arrays[0] is None or arrays[0].shape != node.shape:
        return None
    with enable_grad():
        x = Tensor._of(arrays[0]).requires_grad_()
        y = getattr(TENSORS, node.op.name)(x, *arrays[1:], **node.attrs)
        return devices.move(grad(y.sum(), x)[0]._array, devices.CPU)


def _activation(node: Node, derivative: numpy.ndarray) -> ActivationMeasure:
    steep = numpy.abs(derivative)
    axis = 1 if derivative.ndim in (2, 4, 5) else derivative.ndim - 1
    others = tuple(i for i in range(derivative.ndim) if i != axis)
    units = derivative.shape[axis] if derivative.ndim else 1
    largest = _TWO_SIDED.get(node.op.name)
    dead = 0 if node.op.name in _SMOOTH else int((steep.max(axis=others) < _DEAD).sum())
    saturated = float((steep < SATURATED * largest).mean()) if largest else 0.0
    return ActivationMeasure(node.module, node.op.name, units, dead, saturated)


def _squashed(nodes: Recording) -> str | None:
    """Return the path of the module that makes probabilities of what the loss takes for logits."""
    for node in nodes:
        x = node.inputs[0] if node.op.name in _TAKES_LOGITS else None
        if isinstance(x, Node) and x.op.name in ("softmax", "sigmoid"):
            return x.module
    return None


# ----------------------------------------------------------------------------------------- inputs


def _inputs(calls: _Calls, gradients: dict[Any, Any]) -> list[InputMeasure]:
    """Look at the data that reach a layer before anything was learned about them."""
    found = []
    for path, layer in calls.named_layers():
        matrix = next((p for p in _own(layer) if p.ndim == 2), None)
        data = [x for x in calls.inputs[layer] if not x.requires_grad and x.dtype.is_floating_point]
        if matrix is None or len(data) != 1 or data[0].shape[-1:] != matrix.shape[1:]:
            continue
        a = devices.move(data[0]._array, devices.CPU).reshape(-1, matrix.shape[1]).astype("float64")
        square = float((a**2).mean(axis=0).sum())
        g = gradients.get(matrix)
        signs = numpy.sign(devices.move(g._array, devices.CPU)) if g is not None else numpy.zeros((1, 1))
        found.append(
            InputMeasure(
                path, bool((a >= 0).all() or (a <= 0).all()),
                float((a.mean(axis=0) ** 2).sum()) / square if square else 0.0,
                float(abs(a).max(initial=0.0)),
                float((abs(signs.sum(axis=1)) == signs.shape[1]).mean()),
            )
        )  # fmt: skip
    return found
