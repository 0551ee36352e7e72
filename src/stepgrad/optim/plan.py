"""How a rule runs on the memory of parameters: small ones as one vector, large ones in pieces, in place.

NumPy needs about half a microsecond to start an operation, so four small parameters updated as one vector
take a quarter of the time. And a large parameter updated in one go would send every intermediate result
through main memory, so it is cut into pieces whose intermediate results stay in the cache. The bits are the
same either way, since an elementwise rule computes each number by itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from operator import is_
from typing import Any

import numpy

from stepgrad.arrays import devices
from stepgrad.arrays.dtypes import float64
from stepgrad.errors import DeviceError, DtypeError, ShapeError
from stepgrad.functions.creation import full
from stepgrad.methods.base import address_of
from stepgrad.ops.namespace import NUMPY, namespace_of
from stepgrad.tensor import Tensor

SMALL = 8_192  # elements up to which a parameter joins others in one vector
PIECE = 16_384  # elements that a rule is handed at once


class Plan:
    """The parameters of one group that have gradients, arranged for the rule.

    It holds as long as the same parameters have gradients and nobody put other arrays into parameters or
    state; `is_ready` finds that out, and a new plan is made if not.
    """

    hyperparameters: dict[str, Any]

    def __init__(
        self, group: dict[str, Any], state: Any, start: dict[str, float], elementwise: bool,
        scalars: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        self.params, self.start = list(group["params"]), start
        self.waiting = [p for p in self.params if p.grad is None]
        self.units: list[Block | Single] = []
        together: dict[Any, list[Any]] = {}
        # How many parameters lie in the same memory so far: each is to find what the one before it has left.
        shared: dict[int, int] = {}
        for i, parameter in enumerate(self.params):
            if parameter.grad is None:
                continue
            names = group.get("param_names")
            _check_gradient(parameter, names[i] if names else f"number {i} of the group")
            own = state.setdefault(parameter, {})
            complete_state(own, parameter, start, elementwise, scalars)
            if elementwise and parameter.numel() <= SMALL:
                numbers = [own[name].item() for name in ("step", *scalars) if name in start]
                place = address_of(parameter._array)
                turn = shared[place] = shared.get(place, -1) + 1
                alike = (turn, parameter.device, parameter.dtype, *numbers, *names_of(own))
                together.setdefault(alike, []).append(parameter)
            else:
                self.units.append(Single(parameter, own, "step" in start, elementwise, scalars))
        for parameters in together.values():
            self.units.append(Block(parameters, [state[p] for p in parameters], "step" in start, scalars))

    def is_ready(self, params: list[Any], state: Any, start: dict[str, float]) -> bool:
        """Return whether everything is as it was when the plan was made."""
        if start != self.start or len(params) != len(self.params) or not all(map(is_, params, self.params)):
            return False
        for parameter in self.waiting:
            if parameter.grad is not None:
                return False
        for unit in self.units:  # noqa: SIM110 - a generator costs as much as the rest of this function
            if not unit.is_ready(state):
                return False
        return True

    def run(self, update: Callable[..., Any]) -> None:
        """Take a step."""
        for unit in self.units:
            unit.run(update, self.hyperparameters)


class Block:
    """Small parameters of one dtype, device and count of steps, with equal scalars, whose rule runs on one
    vector.

    Parameters and gradients are copied into the vector for each step. The state lives in it: the Tensors that
    ``optimizer.state`` shows are views of it.
    """

    def __init__(
        self, params: list[Any], states: list[dict[str, Any]], counts: bool, scalars: tuple[str, ...]
    ) -> None:
        first = params[0]._array
        np = devices.module_of(first)
        shapes = [p.shape for p in params]
        self.xp, self.kind, self.dtype = namespace_of(np), type(first), first.dtype
        self.p = np.empty(sum(map(math.prod, shapes)), first.dtype)
        self.g = np.empty_like(self.p)
        arrays = [p._array for p in params]
        self.rows: list[Any] = list(
            zip(params, states, arrays, shapes, _parts(self.p, shapes), _parts(self.g, shapes))
        )
        self.states, self.shapes = states, shapes
        self.state: dict[str, Any] = {}
        self.kept: list[tuple[dict[str, Any], str, Any, Any]] = []
        for name in names_of(states[0]):
            if name not in scalars:
                self._keep(name, np.concatenate([s[name]._array.reshape(-1) for s in states]), shapes)
        # One number for each parameter, all equal: the count of steps, and the rule's scalars.
        self.numbers: dict[str, Any] = {}
        for name in ("step", *scalars) if counts else scalars:
            self.numbers[name] = numpy.array([s[name].item() for s in states], "float64")
            self._keep(name, self.numbers[name], [()] * len(params))
            del self.state[name]

    def _keep(self, name: str, flat: Any, shapes: list[tuple[int, ...]]) -> None:
        """Make `flat` the memory of the state `name` of every parameter."""
        self.state[name] = flat
        for own, part in zip(self.states, _parts(flat, shapes)):
            tensor: Any = own.get(name)
            if not isinstance(tensor, Tensor):
                tensor = own[name] = Tensor._of(part)
            tensor._array = part
            self.kept.append((own, name, tensor, part))

    def is_ready(self, state: Any) -> bool:
        """Return whether parameters, gradients and state are as they were."""
        dtype, kind = self.dtype, self.kind
        for parameter, own, array, shape, _, _ in self.rows:
            gradient = parameter.grad
            if gradient is None or parameter._array is not array or state.get(parameter) is not own:
                return False
            g = gradient._array
            if g.shape != shape or g.dtype != dtype or type(g) is not kind:
                return False
        for own, name, tensor, part in self.kept:
            if tensor._array is not part or own.get(name) is not tensor:
                return False
        for values in self.numbers.values():
            equal = values.tolist()
            if equal.count(equal[0]) != len(equal):
                return False
        return True

    def run(self, update: Callable[..., Any], hyperparameters: dict[str, Any]) -> None:
        """Take a step: gather, compute, write back."""
        for parameter, _, array, _, p_part, g_part in self.rows:
            p_part[...] = array
            g_part[...] = parameter.grad._array
        known = len(self.state)
        numbers = {name: float(values[0]) for name, values in self.numbers.items()}
        step = _next_step(numbers)
        _run_on_vector(update, self.xp, self.p, self.g, self.state, numbers, step, hyperparameters)
        for name, values in self.numbers.items():
            values[:] = numbers[name]
        for parameter, _, array, _, p_part, _ in self.rows:
            array[...] = p_part
            parameter._version[0] += 1
        if len(self.state) > known:
            for name in list(self.state)[known:]:
                self._keep(name, self.state[name], self.shapes)


class Single:
    """A parameter whose rule runs on its own memory: a large one, or any if the rule is not elementwise."""

    def __init__(
        self, parameter: Any, own: dict[str, Any], counts: bool, elementwise: bool, scalars: tuple[str, ...]
    ) -> None:
        self.parameter, self.own, self.elementwise, self.scalars = parameter, own, elementwise, scalars
        self.names = names_of(own, scalars)
        self.numbers = {name: own[name] for name in (("step", *scalars) if counts else scalars)}

    def is_ready(self, state: Any) -> bool:
        """Return whether gradient and state are as they were."""
        parameter = self.parameter
        return (
            parameter.grad is not None
            and state.get(parameter) is self.own
            and all(self.own.get(name) is tensor for name, tensor in self.numbers.items())
            and _fits(parameter.grad, parameter)
            and self.names == names_of(self.own, self.scalars)
            and (not self.elementwise or all(_fits(self.own[name], parameter) for name in self.names))
        )

    def run(self, update: Callable[..., Any], hyperparameters: dict[str, Any]) -> None:
        """Take a step."""
        parameter, own = self.parameter, self.own
        numbers = {name: float(tensor._array) for name, tensor in self.numbers.items()}
        step = _next_step(numbers)
        originals = [parameter._array, *(own[name]._array for name in self.names)]
        arrays = [a.reshape(-1) for a in originals] if self.elementwise else originals
        state = dict(zip(self.names, arrays[1:]))
        g = parameter.grad._array
        xp = namespace_of(devices.module_of(g))
        if self.elementwise:
            _run_on_vector(update, xp, arrays[0], g.reshape(-1), state, numbers, step, hyperparameters)
        else:
            _run(update, xp, arrays[0], g, state, numbers, step, hyperparameters)
        for name, tensor in self.numbers.items():
            tensor._array[...] = numbers[name]
        for original, array in zip(originals, arrays):
            # Flattening an array with gaps made a copy.
            if not original.flags.c_contiguous and array is not original:
                original[...] = array.reshape(original.shape)
        for name in list(state)[len(self.names) :]:
            own[name] = Tensor._of(state[name].reshape(parameter.shape) if self.elementwise else state[name])
        self.names = names_of(own, self.scalars)
        parameter._version[0] += 1


def _next_step(numbers: dict[str, float]) -> int | None:
    """Count on by one; return the number of the step, None if the rule does not count."""
    if "step" not in numbers:
        return None
    numbers["step"] += 1
    return int(numbers["step"])


def _run(
    update: Callable[..., Any], xp: Any, p: Any, g: Any, state: Any, numbers: dict[str, float],
    step: int | None, hyperparameters: Any,
) -> None:  # fmt: skip
    """Run the rule and write what it returns into `p`, `state` (arrays) and `numbers`."""
    new_p, new_state = update(xp, p, g, {**state, **numbers}, step, **hyperparameters)
    for name, value in new_state.items():
        if name in numbers:
            numbers[name] = float(value)
        elif name in state:
            state[name][...] = value
        else:
            # A copy: the rule may hand back the gradient itself.
            state[name] = xp.np.array(value)
    p[...] = new_p


def _run_on_vector(
    update: Callable[..., Any], xp: Any, p: Any, g: Any, state: Any, numbers: dict[str, float],
    step: int | None, hyperparameters: Any,
) -> None:  # fmt: skip
    """Run an elementwise rule on vectors, long ones in pieces; on a GPU at once: there, starting costs."""
    if p.size <= PIECE or xp is not NUMPY:
        _run(update, xp, p, g, state, numbers, step, hyperparameters)
        return
    known, numbers_before = list(state.items()), dict(numbers)
    for begin in range(0, p.size, PIECE):
        piece = slice(begin, begin + PIECE)
        before = {name: array[piece] for name, array in known} | numbers_before
        new_p, new_state = update(xp, p[piece], g[piece], before, step, **hyperparameters)
        for name, value in new_state.items():
            if name in numbers:
                numbers[name] = float(value)
                continue
            if name not in state:
                state[name] = xp.np.empty_like(p)
            state[name][piece] = value
        p[piece] = new_p


def _parts(flat: Any, shapes: list[tuple[int, ...]]) -> list[Any]:
    """Return views of a vector, one after the other, in the given shapes."""
    parts, begin = [], 0
    for shape in shapes:
        end = begin + math.prod(shape)
        parts.append(flat[begin:end].reshape(shape))
        begin = end
    return parts


def names_of(own: dict[str, Any], without: tuple[str, ...] = ()) -> list[str]:
    """Return the names of the arrays that a rule is handed, of all that belongs to a parameter."""
    return [n for n, x in own.items() if n != "step" and n not in without and isinstance(x, Tensor)]


def _fits(tensor: Any, parameter: Any) -> bool:
    a, p = tensor._array, parameter._array
    return a.shape == p.shape and a.dtype == p.dtype and type(a) is type(p)


def _check_gradient(parameter: Any, name: str) -> None:
    """Raise the error that says why the gradient does not fit its parameter, if it does not."""
    g = parameter.grad
    if g.shape != parameter.shape:
        raise ShapeError(
            f"the gradient of parameter {name} has shape {list(g.shape)}, not {list(parameter.shape)}."
        )
    if g.dtype != parameter.dtype:
        raise DtypeError(
            f"the gradient of parameter {name} is {g.dtype.name}, the parameter {parameter.dtype.name}. "
            f"Convert it with .to({parameter.dtype})."
        )
    if g.device != parameter.device:
        raise DeviceError(
            f"the gradient of parameter {name} is on {g.device}, the parameter on {parameter.device}. "
            f"Move it with .to('{parameter.device}')."
        )


def complete_state(
    own: dict[str, Any], parameter: Any, start: dict[str, float], elementwise: bool, scalars: tuple[str, ...]
) -> None:
    """Add what the state of a parameter lacks; let what there is follow the parameter in dtype and device."""
    for name, number in start.items():
        if name == "step" or name in scalars:
            value = own.get(name, number)
            if not isinstance(value, Tensor):
                own[name] = Tensor._of(numpy.array(value, "float64"))
            elif value.dtype is not float64:
                # PyTorch's float32 stops counting at 2²⁴.
                value._array = numpy.array(value.item(), "float64")
        elif not isinstance(own.get(name), Tensor):
            own[name] = full(parameter.shape, number, dtype=parameter.dtype, device=parameter.device)
    for name in names_of(own, scalars):
        tensor = own[name]
        if elementwise and tensor.shape != parameter.shape:
            raise ShapeError(
                f"the state {name!r} of a parameter of shape {list(parameter.shape)} has another one: "
                f"{list(tensor.shape)}."
            )
        place = (parameter.dtype, parameter.device)
        if tensor.is_floating_point() and (tensor.dtype, tensor.device) != place:
            tensor._array = tensor.detach().to(parameter)._array
