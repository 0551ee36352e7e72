"""Kinds of arguments: what a compiled step depends on, as keys of the code that is kept for each."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Number
from typing import Any, NamedTuple

import numpy

from stepgrad.arrays import dtypes
from stepgrad.autograd.engine import state
from stepgrad.errors import ArgumentError
from stepgrad.tensor import Tensor
from stepgrad.trees import entries_of


def key_of(x: Any, tensors: list[Tensor], within: tuple[int, ...] = ()) -> Any:
    """Return what of an argument a compiled step depends on: shapes, dtypes and layouts of tensors, the
    values of all else. Its tensors are appended to `tensors`. `within`: dataclasses around it, by identity.
    """
    if isinstance(x, Tensor):
        tensors.append(x)
        array = x._array
        layout = None if array.flags.c_contiguous else array.strides
        return (array.shape, array.dtype, x.requires_grad and _history(x), layout)
    if isinstance(x, (list, tuple)):
        return (type(x), tuple([key_of(part, tensors, within) for part in x]))
    if isinstance(x, dict):
        return tuple([(k, key_of(v, tensors, within)) for k, v in x.items()])
    if isinstance(x, numpy.ndarray):
        raise ArgumentError(
            "a compiled function takes tensors, whose numbers may differ from call to call, not NumPy "
            "arrays; use stepgrad.from_numpy(…)."
        )
    if isinstance(x, Number) and not isinstance(x, bool):
        # 0.0 and -0.0 are equal, and NaN is not equal to itself.
        return _Number(type(x).__name__, x if x and x == x else repr(x))
    if isinstance(x, slice):
        return (slice, key_of((x.start, x.stop, x.step), tensors))
    if isinstance(x, (str, bool, type(None))):
        return (type(x).__name__, x)
    if (entries := entries_of(x, within)) is not None:
        return (type(x), key_of(entries, tensors, (*within, id(x))))
    return (type(x).__name__, _Same(x))


def dataclasses_in(x: Any, within: tuple[int, ...] = ()) -> Iterator[Any]:
    """Yield the dataclasses in an argument of which a key holds the fields."""
    if isinstance(x, (list, tuple)):
        for part in x:
            yield from dataclasses_in(part, within)
    elif isinstance(x, dict):
        yield from dataclasses_in([*x.values()], within)
    elif (entries := entries_of(x, within)) is not None:
        yield x
        yield from dataclasses_in(entries, (*within, id(x)))


def settings() -> tuple[Any, ...]:
    """Return what a step depends on wherever it is called."""
    return state.grad_enabled, dtypes.get_default_dtype()


def _history(x: Tensor) -> tuple[Any, ...]:
    """Return what a derivative by an argument depends on: whether it was computed, and its hooks."""
    return (x._node is not None, *(x._hooks or ()), *(x._after_accumulation or ()))


def without_numbers(key: Any) -> Any:
    """Return a key without the values of numbers and objects, of which there may be new ones in each call."""
    if isinstance(key, _Same):
        return type(key.thing)
    if isinstance(key, _Number):
        return key.kind
    if not isinstance(key, tuple):
        return key
    return tuple(map(without_numbers, key))


def objects_in(key: Any) -> Iterator[Any]:
    """Return the objects in a key that equal themselves alone."""
    if isinstance(key, _Same):
        yield key.thing
    elif isinstance(key, tuple):
        for part in key:
            yield from objects_in(part)


def repeated(arguments: list[Tensor]) -> tuple[int, ...]:
    """Return, where a tensor is handed in more than once, which arguments are the same."""
    if len(set(map(id, arguments))) == len(arguments):
        return ()
    ids = [id(t) for t in arguments]
    return tuple(map(ids.index, ids))


class _Number(NamedTuple):
    """A number as a key: of Python, of NumPy, a fraction."""

    kind: str
    value: Any


class _Same:
    """An object as a key that equals itself alone, and stays alive as long as the key."""

    def __init__(self, thing: Any) -> None:
        self.thing = thing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.thing is self.thing

    def __hash__(self) -> int:
        return id(self.thing)
