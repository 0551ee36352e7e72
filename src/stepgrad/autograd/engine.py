"""The engine: `apply` computes an operation and remembers it for the way back (`backward_pass.py`).

It is the only place where a node is born. What a node remembers are raw arrays.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any

import numpy

from stepgrad.arrays import devices, dtypes
from stepgrad.autograd.messages import apart, explained, made_without_history
from stepgrad.errors import DtypeError, StepgradError
from stepgrad.graph import Node
from stepgrad.ops.record import Absent, Op
from stepgrad.ops.registry import REGISTRY, find

if TYPE_CHECKING:
    from stepgrad.autograd.recording import Recording


class _State(threading.local):
    """What holds for the current thread."""

    grad_enabled = True
    phase = "forward"
    recorder: Recording | None = None
    module_path: tuple[str, ...] = ()
    anomaly: Any = None  # what looks for NaN in derivatives (anomaly.py)


state = _State()
_ndarray = numpy.ndarray
_NUMBERS = (float, int, bool)
# Where NumPy gives inf and nan without a warning, as IEEE 754 says and PyTorch does: running in a copy of
# this context costs a tenth of `numpy.errstate`.
_silent = Context()
_silent.run(numpy.seterr, all="ignore")
Tensor: Any = None  # set by tensor.py, which stands above this file


def set_tensor_class(tensor_class: type) -> None:
    """Tell the engine the class of its results. `tensor.py` calls this once."""
    global Tensor
    Tensor = tensor_class


# ---------------------------------------------------------------------------------------------- forward


def apply(op: Op, *inputs: Any, **attrs: Any) -> Any:
    """Compute `op` on tensors, numbers and None, and return the result as a Tensor that knows its node.

    Raises `ShapeError`, `DtypeError` or `DeviceError` naming the operation and its operands if they do not
    fit.
    """
    arrays = []
    requires_grad = False
    first_dtype = None
    fits = True
    np: Any = numpy
    for x in inputs:
        if isinstance(x, Tensor):
            a = x._array
            base = x._base
            if base is not None and x._base_seen != base._rebases and state.grad_enabled:
                follow(x)
            if x.requires_grad if base is None else x.__dict__.get("requires_grad", False):
                requires_grad = True
            if first_dtype is None:
                first_dtype = a.dtype
            elif a.dtype is not first_dtype:
                fits = False
            if type(a) is not _ndarray:
                np = None
            arrays.append(a)
        else:
            if x is not None and type(x) not in _NUMBERS:
                return apply(op, *(_operand(op, y) for y in inputs), **attrs)
            arrays.append(x)
    if np is None:
        np = _module_for(op, inputs)
    promotes = op.promotes
    if promotes is not None and not (fits and first_dtype is not None and first_dtype.kind == "f"):
        converted = _promoted(op, inputs, arrays)
        if converted is not None:
            return apply(op, *converted, **attrs)
    if op.kind == "function":  # the user's own code: its errors and warnings are the user's
        y = op.forward(np, *arrays, **attrs)
    else:
        try:
            y = _silent.copy().run(op.forward, np, *arrays, **attrs)
        except StepgradError:
            raise
        except (ValueError, IndexError, TypeError, OverflowError) as error:
            raise explained(op, inputs, attrs, error) from None
    if type(y) is not _ndarray and np is numpy:
        y = numpy.asarray(y)
    result = Tensor._of(y)
    if op.is_view and np.may_share_memory(y, arrays[0]):
        result._version = inputs[0]._version
        if op.differentiable:
            _set_base(result, inputs[0], op, attrs)
    requires_grad = requires_grad and op.differentiable and state.grad_enabled and y.dtype.kind == "f"
    if requires_grad or state.recorder is not None:
        result._node = _new_node(op, inputs, arrays, attrs, result, requires_grad)
        result.requires_grad = requires_grad
    return result


def _set_base(view: Any, source: Any, op: Op, attrs: dict[str, Any]) -> None:
    base = source if source._base is None else source._base
    view._viewed, view._base = (source, op, attrs), base
    view._base_seen = base._rebases if state.grad_enabled else ~base._rebases
    del view.requires_grad  # from now on the base is asked


def _new_node(
    op: Op, inputs: tuple[Any, ...], arrays: list[Any], attrs: dict[str, Any], result: Any,
    requires_grad: bool,
) -> Node:  # fmt: skip
    edges: list[Any] = []
    saved: list[Any] = []
    versions: list[Any] = []
    keeps, known, keeps_result = op.keeps, len(op.keeps), op.keeps_result
    if op.keeps_for is not None:
        wanted = [i for i, x in enumerate(inputs) if getattr(x, "requires_grad", False)]
        keeps = tuple(map(any, zip(*(op.keeps_for[i] for i in wanted)))) or keeps
        keeps_result = any(op.result_for[i] for i in wanted)
    recorder = state.recorder
    for i, x in enumerate(inputs):
        a = arrays[i]
        if x is None or type(x) in _NUMBERS:
            edges.append(None)
            saved.append(a)
            continue
        node = x._node
        if node is not None and (node.requires_grad or not x.requires_grad):
            edges.append(node)
        else:
            edges.append(x if x.requires_grad or recorder is not None else None)
        if (keeps[i] if i < known else op.keeps_rest) and requires_grad:
            saved.append(a)
            versions.append((x._version, x._version[0]))
        else:
            saved.append(Absent(a))
    y = result._array
    if keeps_result and requires_grad:
        versions.append((result._version, result._version[0]))
    node = Node(op, attrs, tuple(edges), tuple(saved), tuple(versions), y, requires_grad)
    node.phase = state.phase
    if not keeps_result:
        node.result = None
    if state.anomaly is not None:
        state.anomaly.remember(node)
    if recorder is not None:
        node.result = recorder.held(node, y)
        node.module = ".".join(state.module_path)
        recorder.add(node, result)
    return node


def _operand(op: Op, x: Any) -> Any:
    """Return an operand that is neither a Tensor nor a plain number as one that is."""
    if isinstance(x, Tensor) or x is None:
        return x
    if isinstance(x, (bool, int, float)):
        return bool(x) if isinstance(x, bool) else int(x) if isinstance(x, int) else float(x)
    if isinstance(x, _ndarray):
        return Tensor._of(numpy.asarray(x))
    if isinstance(x, numpy.generic) and x.dtype.kind in "biuf":
        return x.item()
    raise DtypeError(
        f"{op.name} takes tensors and numbers, not {type(x).__name__}. "
        f"Make a tensor of it with stepgrad.tensor(…)."
    )


def _promoted(op: Op, inputs: tuple[Any, ...], arrays: list[Any]) -> list[Any] | None:
    """Return the inputs brought to the type of the result, or None if they have it."""
    operands = [a for a in arrays if a is not None]
    to = dtypes.result_type(operands)
    if op.promotes == "floating" and not to.is_floating_point:
        to = dtypes.get_default_dtype()
    # The condition of `where` stays a boolean, and its two numbers make an array as numbers would elsewhere.
    skip = 1 if op.name == "where" else 0
    if skip:
        to = dtypes.result_type(operands[1:])
    converted, changed = [], False
    for i, (x, a) in enumerate(zip(inputs, arrays, strict=True)):
        if i >= skip and isinstance(x, Tensor) and a.dtype != to.numpy:
            x, changed = apply(find("cast"), x, dtype=to.numpy), True
        converted.append(x)
    if changed or any(isinstance(x, Tensor) for x in inputs[skip:]):
        return converted if changed else None
    number = numpy.asarray(converted[skip], dtype=to.numpy)
    converted[skip] = Tensor._of(devices.move(number, getattr(inputs[0], "device", devices.CPU)))
    return converted


def _module_for(op: Op, inputs: tuple[Any, ...]) -> Any:
    """Return the module that computes with arrays that are not all NumPy's, or raise `DeviceError`."""
    tensors = [x for x in inputs if isinstance(x, Tensor)]
    places = {str(x.device) for x in tensors}
    if len(places) > 1:
        raise apart(op, tensors)
    return devices.module_of(tensors[0]._array)


def follow(view: Any) -> None:
    """Give a view the history that its base has got since the view was made, by a change in place.

    Raises `GradientError` for one that was made under `no_grad`.
    """
    source, op, attrs = view._viewed
    if view._base_seen < 0:
        if ~view._base_seen != view._base._rebases:
            raise made_without_history(view)
        return
    if source._is_stale():
        follow(source)
    view._base_seen = view._base._rebases
    requires_grad = source.requires_grad
    if requires_grad or state.recorder is not None:
        view._node = _new_node(op, (source,), [source._array], attrs, view, requires_grad)
        view.requires_grad = requires_grad


def in_memory(op: Op, inputs: tuple[Any, ...], attrs: dict[str, Any], array: Any) -> Any:
    """Return what `apply` would, of an operation whose result is in the memory of `array` already."""
    for x in inputs:
        if x._is_stale():
            follow(x)
    result = Tensor._of(array)
    result._node = _new_node(op, inputs, [x._array for x in inputs], attrs, result, True)
    result.requires_grad = True
    return result


class _TensorNamespace:
    """The operations as functions on Tensors: `xp.NAME(…)` applies the record NAME and records a graph."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        op = find(name)

        def function(*inputs: Any, **attrs: Any) -> Any:
            kind = attrs.get("dtype")
            if isinstance(kind, dtypes.dtype):
                # A rule says dtype=x.dtype; records know NumPy's types.
                attrs["dtype"] = kind.numpy
            return apply(op, *inputs, **attrs)

        setattr(self, name, function)
        return function


TENSORS = _TensorNamespace()


def operation(name: str) -> Callable[..., Any]:
    """Return the operation `name` as a function of Tensors."""
    return getattr(TENSORS, name)


__all__ = ["REGISTRY", "TENSORS", "apply", "operation", "set_tensor_class", "state"]
