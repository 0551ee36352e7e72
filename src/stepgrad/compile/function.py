"""`compile`: a function whose steps run as native code."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from typing import Any

import numpy

from stepgrad.autograd.engine import state
from stepgrad.autograd.modes import no_grad
from stepgrad.compile.assemble import Native
from stepgrad.compile.capture import Capture, TensorSlot, tensors_in
from stepgrad.compile.program import NotCompiled
from stepgrad.errors import IndexShapeError
from stepgrad.nn.module import Module
from stepgrad.tensor import Tensor

_log = logging.getLogger("stepgrad.compile")


class Compiled:
    """A captured step as native code, for arguments of one kind. Made by the first call, used by the others."""

    def __init__(self, capture: Capture) -> None:
        self.capture = capture
        self.native = Native(capture.program)
        self._arrays = {id(s): s.tensor._array for s in capture.slots.values() if s.position is None}
        self._written = [
            leaf.attrs["leaf"].tensor for leaf, _ in capture.program.writes if isinstance(leaf.attrs["leaf"], TensorSlot)
        ]

    def holds(self) -> bool:
        """Return whether modes and memory are as they were when the step was captured."""
        for module, training in self.capture.modules:
            if module.training is not training:
                return False
        for slot in self.capture.slots.values():
            if slot.position is None:
                array = slot.tensor._array
                if array is not self._arrays[id(slot)] and not _alike(array, slot):
                    return False
        return True

    def run(self, arguments: list[Tensor]) -> Any:
        """Run a step and return its result."""
        capture, native = self.capture, self.native
        for tensor, number in capture.numbers:
            tensor._array[...] = number()
        for stream in capture.streams:
            stream.load()
        addresses, kept = [], []
        for slot in native.slots:
            if isinstance(slot, TensorSlot):
                array = slot.tensor._array if slot.position is None else arguments[slot.position]._array
                if slot.position is not None and not _alike(array, slot):
                    array = numpy.ascontiguousarray(array)
                    kept.append(array)
                addresses.append(array.ctypes.data)
            else:
                addresses.append(slot.memory.ctypes.data)  # type: ignore[attr-defined]
        outputs = [numpy.empty(v.shape, v.dtype) for v in capture.program.outputs]
        native.run(native.table(addresses, outputs), 1)
        for stream in capture.streams:
            stream.save()
        for tensor in self._written:
            tensor._version[0] += 1
        for effect in capture.effects:
            effect()
        if native.index_out_of_range():
            raise IndexShapeError("an index was outside of its tensor in a compiled step.")
        return capture.output_form(outputs)


def _alike(array: Any, slot: TensorSlot) -> bool:
    strides = tuple(s // array.itemsize for s in array.strides)
    return array.shape == slot.shape and array.dtype == slot.dtype and strides == slot.strides


class CompiledFunction:
    """A function that is captured on its first call with arguments of a kind, and runs as native code from then on."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self._compiled: dict[Any, Compiled | None] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        arguments = tensors_in((args, kwargs))
        key = (_key((args, kwargs)), state.grad_enabled)
        compiled = self._compiled.get(key)
        if compiled is not None and compiled.holds():
            return compiled.run(arguments)
        if key in self._compiled and compiled is None:
            return self._eager(*args, **kwargs)
        return self._first(key, args, kwargs)

    def _first(self, key: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        try:
            capture = Capture(self._eager, args, kwargs)
        except NotCompiled as reason:
            self._compiled[key] = None
            warnings.warn(f"this step runs eagerly: {reason}.", stacklevel=3)
            return self._eager(*args, **kwargs)
        if capture.is_first:
            return capture.result
        try:
            self._compiled[key] = Compiled(capture)
        except NotCompiled as reason:
            self._compiled[key] = None
            warnings.warn(f"this step runs eagerly: {reason}.", stacklevel=3)
        return capture.result

    def _eager(self, *args: Any, **kwargs: Any) -> Any:
        if isinstance(self.function, Module):
            with no_grad():
                return self.function(*args, **kwargs)
        return self.function(*args, **kwargs)


def _key(x: Any) -> Any:
    """Return what of the arguments a compiled step depends on: shapes and dtypes of tensors, the values of all else."""
    if isinstance(x, Tensor):
        return (x._array.shape, x._array.dtype.char, x.requires_grad)
    if isinstance(x, (list, tuple)):
        return (type(x).__name__, tuple(map(_key, x)))
    if isinstance(x, dict):
        return tuple((k, _key(v)) for k, v in x.items())
    return (type(x).__name__, x if isinstance(x, (int, float, str, bool, type(None))) else id(x))


def compile(function: Callable[..., Any]) -> CompiledFunction:  # noqa: A001 - PyTorch's name
    """Return `function` as one that runs natively: a training step, or a module for inference.

    >>> import stepgrad as sg
    >>> f = sg.compile(lambda x: (x * 2).sigmoid())
    >>> f(sg.zeros(3)), f(sg.zeros(3))
    (tensor([0.5000, 0.5000, 0.5000]), tensor([0.5000, 0.5000, 0.5000]))
    """
    return CompiledFunction(function)
