"""Whether the arguments of a call share memory with each other and with what the step found, as they did when
it was captured.

Code that was made for tensors apart is wrong for tensors together where one of them is written to, and code
that took an argument for a tensor of the step's own is wrong for any other argument.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy

from stepgrad.compile.capture import Capture
from stepgrad.compile.contents import bounds_of, check_apart, place_of
from stepgrad.compile.program.value import NotCompiled
from stepgrad.compile.slots import TensorSlot
from stepgrad.tensor import Tensor


class Together:
    """What lay together when a step was captured. `known`: arguments, by position, that the step could also
    get at in another way.
    """

    def __init__(self, capture: Capture, known: Mapping[int, Tensor]) -> None:
        self._known = [*known.items()]
        # Where a tensor of the step lay in an argument's place.
        self._taken = [(i, x) for i, x in capture.together.items() if i not in known]
        written = [leaf.attrs["leaf"] for leaf, _ in capture.program.writes]
        slots = [slot for slot in written if isinstance(slot, TensorSlot)]
        self._written = [slot.tensor for slot in slots if slot.position is None]
        self._arguments = sorted({slot.position for slot in slots if slot.position is not None})
        slots = [*capture.slots.values()]
        self._found = [slot.tensor for slot in slots if slot.position is None] if self._arguments else []
        self._before = self._overlaps(capture.arguments)

    def question(self) -> Callable[[list[Tensor]], bool]:
        """Return a function that says whether arguments lie as they did, for what is written to as it lies
        now.
        """
        owners, foreign = set(), False
        for tensor in self._written:
            owner = _owner(tensor._array)
            owners.add(id(owner))
            foreign |= owner.base is not None
        if foreign or self._known or self._taken or self._arguments or self._before:
            return self._lie_alike

        def lie_alike(arguments: list[Tensor]) -> bool:
            for x in arguments:
                owner = x._array
                while (base := owner.base) is not None:
                    if type(base) is not numpy.ndarray:
                        return self._lie_alike(arguments)
                    owner = base
                if id(owner) in owners:
                    return self._lie_alike(arguments)
            return True

        return lie_alike

    def _lie_alike(self, arguments: list[Tensor]) -> bool:
        return (
            all(arguments[i] is x for i, x in self._known)
            and all(place_of(arguments[i]._array) == place_of(x._array) for i, x in self._taken)
            and self._overlaps(arguments) == self._before
        )

    def _overlaps(self, arguments: list[Tensor]) -> set[tuple[int, int]]:
        """Return which arguments lie in the memory of others of which one of both is written to."""
        arrays = [x._array for x in arguments]
        found = {(i, -1) for i, x in enumerate(arrays) for y in self._written if _overlap(x, y._array)}
        for i in self._arguments:
            found |= {(i, j) for j, y in enumerate(arrays) if i != j and _overlap(arrays[i], y)}
            found |= {(i, -1) for y in self._found if _overlap(arrays[i], y._array)}
        return found


def are_apart(arrays: list[Any], written: list[Tensor]) -> bool:
    """Return whether arrays lie apart from each other, as far as some of them are written to."""
    if not written:
        return True
    try:
        check_apart(arrays, [x._array for x in written])
    except NotCompiled:
        return False
    places = [place_of(x) for x in arrays if x.size]
    return len({*places}) == len(places)


def _owner(array: Any) -> Any:
    """Return the array whose memory an array shows; that has a `base` if the memory is somebody else's."""
    while type(array.base) is numpy.ndarray:
        array = array.base
    return array


def _overlap(a: Any, b: Any) -> bool:
    (a_low, a_high), (b_low, b_high) = bounds_of(a), bounds_of(b)
    return bool(a_low < b_high and b_low < a_high)
