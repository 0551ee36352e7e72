"""What memory holds at each moment of a recorded step, in which tensors share memory and change in place.

The nodes of a record name the values that they read. A tensor that was there before the step, and a view,
name a place in memory instead, whose value is the last that was written there.
"""

from __future__ import annotations

from typing import Any

from stepgrad.compile.program.value import NotCompiled, Value
from stepgrad.graph import Node

Place = tuple[Any, ...]


class Trace:
    """Where an array lay and how: what a recording keeps of one whose memory may be used again."""

    __slots__ = ("__array_interface__", "dtype", "itemsize", "shape", "size", "strides")

    def __init__(self, array: Any) -> None:
        # Only the address: a trace must not be mistaken for an array.
        self.__array_interface__ = {"data": array.__array_interface__["data"]}
        self.shape, self.strides, self.dtype = array.shape, array.strides, array.dtype
        self.itemsize, self.size = array.itemsize, array.size


def place_of(array: Any) -> Place:
    """Return what tells one array from another that lies elsewhere or is laid out differently."""
    return (array.__array_interface__["data"][0], array.shape, array.strides, array.dtype.str)


def bounds_of(array: Any) -> tuple[int, int]:
    """Return the first byte of an array and the one after its last."""
    low = high = array.__array_interface__["data"][0]
    for n, stride in zip(array.shape, array.strides):
        if n == 0:
            return low, low
        if stride < 0:
            low += (n - 1) * stride
        else:
            high += (n - 1) * stride
    return low, high + array.itemsize


def _overlap(a: Any, b: Any) -> bool:
    """Return whether the bytes from the first to the last of two arrays have some in common."""
    (a_low, a_high), (b_low, b_high) = bounds_of(a), bounds_of(b)
    return a_low < b_high and b_low < a_high


def _attached(node: Node | None) -> Node | None:
    """Return what a tensor was detached from: None for a tensor that was there before the step."""
    while node is not None and node.op.name == "detach":
        source = node.inputs[0]
        node = source if isinstance(source, Node) else None
    return node


class Contents:
    """The values written so far, by place; `time` counts the writes."""

    def __init__(self) -> None:
        self.time = 0
        self._written: dict[Place, tuple[int, Value, set[Node]]] = {}
        # Which node a tensor goes by since it was written to, by the one that it went by before.
        self._since: dict[Node, Node] = {}
        # Where a tensor lies that goes by a node since the node's result was stored in it.
        self._stored: dict[Node, Trace] = {}

    def memory_of(self, x: Any) -> Any:
        """Return the array of a tensor, or of the one that goes by a node."""
        return self._stored.get(x, x.result) if isinstance(x, Node) else x._array

    def root_of(self, node: Node) -> Any:
        """Return what a view shows in the end: a tensor that was there before the step, or a node that is
        none.
        """
        x: Any = node
        # A reshape may have copied its input.
        while isinstance(x, Node) and x.op.is_view and _overlap(x.result, self.memory_of(x.inputs[0])):
            x = x.inputs[0]
        return x

    def write(self, array: Any, before: Node | None, value: Value, now: Node | None) -> set[Node]:
        """Note that an array holds `value` from now on, and return the nodes of tensors that show it too.

        `before` is the node that had made what was there, `now` the one that the tensor goes by from now on.
        Another tensor in the same memory (of `.detach()` and `.data`) goes by a node of its own.
        Raises `NotCompiled` for a part of another array.
        """
        before, writer = _attached(before), before
        is_part = before is not None and before.op.is_view and _overlap(before.result, array)
        if (
            before is not None
            and is_part
            and place_of(self.memory_of(self.root_of(before))) != place_of(array)
        ):
            raise NotCompiled(
                f"the step changes a part of a tensor in place through a view ({before}); assign x[index] = "
                f"value to the whole"
            )
        self.time += 1
        if now is not None:
            self._stored[now] = Trace(array)
        _, _, known = self._written.get(place_of(array), (0, value, set()))
        shown = known - {writer}
        if before is not writer or (before is not None and before.op.is_view):
            root = None if before is None else self.root_of(before)
            while isinstance(root, Node) and root in self._since:
                root = self._since[root]
            if isinstance(root, Node):
                shown.add(root)
        elif before is not None and now is not None and now is not before:
            self._since[before] = now
        if now is not None and now is writer:
            shown.add(now)
        self._written[place_of(array)] = (self.time, value, shown if now is None else shown | {now})
        return shown

    def at(self, array: Any) -> Value | None:
        """Return the value that was written to an array, None if there was none."""
        found = self._written.get(place_of(array))
        return None if found is None else found[1]

    def begin(self, node: Node) -> None:
        """Forget what lay where a node's result lies, unless that shows an input's memory."""
        place = place_of(node.result)
        if place in self._written and not any(
            _overlap(node.result, self.memory_of(x)) for x in node.inputs if x is not None
        ):
            del self._written[place]

    def has_changed(self, view: Node, since: int) -> bool:
        """Return whether what a view shows was written to after the time `since`."""
        if self.time == since:
            return False
        found = self._written.get(place_of(self.memory_of(self.root_of(view))))
        return found is not None and found[0] > since


def check_apart(arrays: list[Any], written: list[Any]) -> None:
    """Raise `NotCompiled` if an array that is written to lies partly in the memory of another."""
    marks = sorted((*bounds_of(a), place_of(a)) for a in arrays if a.size)
    places = {place_of(a) for a in written}
    reached, owner = 0, None
    for low, high, place in marks:
        if low < reached and place != owner and (place in places or owner in places):
            raise NotCompiled("two tensors share a part of the memory that the step changes")
        if high > reached:
            reached, owner = high, place
