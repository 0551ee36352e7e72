"""A snapshot of what a step may change, to put it back; and whether numbers are finite."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import zip_longest
from typing import Any

import numpy

from stepgrad.arrays import devices, random


def all_finite(array: Any) -> bool:
    """Return whether every element is finite (as integers always are).

    A finite sum, of squares if there are few, proves it; only otherwise is each one looked at.

    >>> all_finite(numpy.array([1.0, 3e38], "float32")), all_finite(numpy.array([1.0, math.nan]))
    (True, False)
    """
    if array.dtype.kind != "f":
        return True
    np = numpy if type(array) is numpy.ndarray else devices.module_of(array)
    if array.size <= 8192:  # OpenBLAS uses one thread, so that it starts at once
        total = np.vdot(array, array)
    else:
        with numpy.errstate(all="ignore"):
            total = np.add.reduce(array, axis=None)
    return math.isfinite(total) or bool(np.isfinite(array).all())


class Snapshot:
    """What a step may change, as it is now: the values of `tensors`, and the random streams.

    `spare` is an earlier one that is not needed any more: its memory is used, since new memory costs more
    than the copying. `rest`: functions that put back what else may change.
    """

    def __init__(
        self, tensors: Iterable[Any], spare: Snapshot | None = None, rest: Iterable[Callable[[], Any]] = ()
    ) -> None:
        self._rest = rest
        memory = [] if spare is None else [values for _, values in spare._values]
        self._values: list[tuple[Any, Any]] = [
            (t, _copied(t._array, into)) for t, into in zip_longest(tensors, memory) if t is not None
        ]
        self._random = random.get_rng_state()

    def restore(self) -> None:
        """Put everything back."""
        for tensor, values in self._values:
            tensor._array[...] = values
            tensor._version[0] += 1
        random.set_rng_state(self._random)
        for put_back in self._rest:
            put_back()

    def spoiled(self, tensors: Iterable[Any] | None = None) -> list[Any]:
        """Return which of some tensors, or of all that were kept, became NaN or infinite since then."""
        looked_at = [t for t, _ in self._values] if tensors is None else tensors
        now = [t for t in looked_at if not all_finite(t._array)]
        return [t for t in now if all(all_finite(values) for kept, values in self._values if kept is t)]


def _copied(array: Any, into: Any) -> Any:
    if (
        into is None
        or into.shape != array.shape
        or into.dtype != array.dtype
        or type(into) is not type(array)
    ):
        return array.copy()
    into[...] = array
    return into
