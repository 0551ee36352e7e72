"""What is computed again rather than stored.

A value that several kernels use is stored by the first and read by the others. Where it is cheap, and what it
is made of lies in memory for those kernels anyway, they compute it once more for themselves: from the result
of a ReLU its mask, from that of a sigmoid its derivative. That saves the memory and the passage through it,
and changes no bits: each element comes of the same operations on the same numbers. Where that cannot be, or
would be much to read, what it was made of is stored instead if that has smaller elements: a mask as booleans.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from stepgrad.compile.program.strides import row_major
from stepgrad.compile.program.value import Value, base_of
from stepgrad.compile.schedule import Cluster

# Operations that take no longer than to read or write their result.
_CHEAP = {
    "abs", "add", "cast", "clamp", "eq", "ge", "gt", "isinf", "isnan", "le", "logical_and", "logical_not",
    "logical_or", "logical_xor", "lt", "maximum", "minimum", "mul", "ne", "neg", "relu", "sign", "square",
    "step", "sub", "threshold", "where",
}  # fmt: skip
# So many of them at most for one value.
_FEW = 4
# Of more than so much not all stays in the second cache: booleans are then written and read sooner than what
# they were made of is read.
_MUCH_MEMORY = 1 << 20
# Views through which a value may be computed as well.
_REARRANGING = {"reshape", "permute"}


class Way(NamedTuple):
    """How to compute a value again: by which operations, its own among them, from what in memory."""

    steps: set[Value]
    sources: set[Value]


def computed_again(
    clusters: list[Cluster], outputs: list[Value], writes: list[tuple[Value, Value]]
) -> list[Cluster]:
    """Return clusters, of a schedule in its order, that compute cheap values where they are needed.

    A value may then be a member of several clusters. Those left without work are gone.
    """
    memory = _Memory(clusters, outputs, writes)
    for cluster in clusters:
        for value in cluster.members:
            if value in memory.candidates:
                memory.consider(value)
    memory.drop_the_rest()
    return [cluster for cluster in clusters if cluster.members]


class _Memory:
    """Which values lie in memory, who reads them, and until when."""

    def __init__(
        self, clusters: list[Cluster], outputs: list[Value], writes: list[tuple[Value, Value]]
    ) -> None:
        self.clusters = clusters
        self.inside = [set(cluster.members) for cluster in clusters]
        # What each cluster reads element by element, in the space where it computes with it.
        self.reads: list[set[Value]] = [set() for _ in clusters]
        # The clusters that read a value so, itself or through views; the last that reads it in any way.
        self.readers: dict[Value, list[int]] = {}
        self.views: dict[Value, dict[Value, None]] = {}
        self.last: dict[Value, int] = {}
        # Values with memory outside of the arena, and all that have memory.
        self.handed_out = {*outputs, *(value for _, value in writes)}
        self.stored = set(self.handed_out)
        for i, cluster in enumerate(clusters):
            self._note_reads(i, cluster)
        self.candidates = {value for value in self.readers if value not in self.stored}
        self.stored |= self.candidates
        home = {member: i for i, cluster in enumerate(clusters) for member in cluster.members}
        self.overwritten = {slot: home[value] for slot, value in writes}
        # Values that are members of several clusters, and the places in their order of those made here.
        self.repeated: set[Value] = set()
        self.places: dict[Value, tuple[int, int]] = {}

    def _note_reads(self, i: int, cluster: Cluster) -> None:
        for member in cluster.members:
            is_anchor = member is cluster.anchor
            space = cluster.full_shape if is_anchor else member.shape
            is_elementwise = not is_anchor or cluster.kind == "reduce"
            for x in member.inputs:
                source = base_of(x)
                if x.kind == "number":
                    continue
                self.last[source] = i
                if is_elementwise:
                    self.reads[i].add(x)
                    if x in self.inside[i]:
                        continue
                if is_elementwise and x.shape == space and _is_rearranged(x):
                    readers = self.readers.setdefault(source, [])
                    if i not in readers[-1:]:
                        readers.append(i)
                    if x is not source:
                        self.views.setdefault(source, {})[x] = None
                else:
                    # Repeated, a part, or gathered: it must lie in memory.
                    self.stored.add(source)

    # ------------------------------------------------------------------------------------ decide

    def consider(self, value: Value) -> None:
        """Let those who read a value compute it, if that pays."""
        way, narrower = self._from_memory(value), self._from_narrower(value)
        if way and self._kept_longer(way, value) > (0 if narrower else _bytes(value)):
            way = None
        if way and narrower and sum(self._added(way, i) for i in self.readers[value]) > _MUCH_MEMORY:
            way = None
        way = way or narrower
        if way:
            self._move(value, way)

    def _from_memory(self, value: Value) -> Way | None:
        """Return how to make a value of what lies in memory; None if that is not cheap, or no reader could
        do it.
        """
        steps, sources, stack = {value}, set(), [value]
        while stack:
            made = stack.pop()
            if not _is_cheap(made, value):
                return None
            for x in made.inputs:
                if x.kind in ("leaf", "view") or x in self.stored:
                    sources.add(x)
                elif x.kind != "number" and x not in steps:
                    steps.add(x)
                    stack.append(x)
            if len(steps) > _FEW:
                return None
        readers = self.readers[value]
        whole = value in self.views
        for x in sources:
            is_overwritten = self.overwritten.get(base_of(x), math.inf) <= readers[-1]
            if is_overwritten or not _lies_like(x, value, whole):
                return None
        way = Way(steps, sources)
        return None if any(self._added(way, i) > _bytes(value) for i in readers) else way

    def _from_narrower(self, value: Value) -> Way | None:
        """Return how to make a value of the one with the smallest elements, smaller than its own, among those
        that it alone is made of; None if there is none.
        """
        steps: set[Value] = set()
        found, made, width = None, value, value.dtype.itemsize
        while _is_cheap(made, value) and len(steps) < _FEW:
            inputs = [x for x in made.inputs if x.kind != "number"]
            if len(inputs) != 1 or inputs[0].shape != value.shape or inputs[0].kind in ("leaf", "view"):
                break
            steps.add(made)
            made = inputs[0]
            if made in self.stored or made in self.repeated:
                break
            if made.dtype.itemsize < width:
                found, width = Way(set(steps), {made}), made.dtype.itemsize
        return found

    def _added(self, way: Way, i: int) -> int:
        """Return how many bytes a cluster must read that it does not read anyway."""
        reads, inside = self.reads[i], self.inside[i]
        return sum(_bytes(x) for x in way.sources if x not in reads and x not in inside)

    def _kept_longer(self, way: Way, value: Value) -> int:
        """Return how many bytes of the arena must be kept until the last reader of a value has run."""
        bases = {base_of(x) for x in way.sources}
        return sum(
            _bytes(x)
            for x in bases
            if x.kind != "leaf" and x not in self.handed_out and self.last[x] < self.readers[value][-1]
        )

    # -------------------------------------------------------------------------------------- move

    def _move(self, value: Value, way: Way) -> None:
        """Make a value, in the way given, a member of all clusters that read it."""
        readers = self.readers[value]
        seen = {view: self._seen(view, value, way) for view in self.views.get(value, ())}
        for i in readers:
            for member in self.clusters[i].members:
                for x in member.inputs:
                    if x in seen:
                        self.inside[i].update(seen[x].values())
                    elif x is value:
                        self.inside[i] |= way.steps
                member.inputs = tuple(seen[x][value] if x in seen else x for x in member.inputs)
            self.reads[i] |= way.sources
        for x in way.sources:
            base = base_of(x)
            self.last[base] = max(self.last[base], readers[-1])
        self.repeated |= way.steps
        self.stored |= {x for x in way.sources if x.kind not in ("leaf", "view")}
        self.stored.discard(value)

    def _seen(self, view: Value, value: Value, way: Way) -> dict[Value, Value]:
        """Return the operations of a way as done with what a view shows of its sources."""
        builder = value.builder
        made = {x: builder.rearranged(x, view, value) for x in way.sources}
        for i, step in enumerate(sorted(way.steps, key=self._place)):
            inputs = tuple(made.get(x, x) for x in step.inputs)
            made[step] = builder.again(step, inputs, view.shape)
            self.places[made[step]] = (view.key, i)
        return {step: made[step] for step in way.steps}

    def _place(self, value: Value) -> tuple[int, int]:
        return self.places.get(value, (value.key, -1))

    def drop_the_rest(self) -> None:
        """Leave to each cluster the members that are stored and those that others of it need, in order."""
        for cluster, inside in zip(self.clusters, self.inside):
            needed: set[Value] = set()
            live = []
            for value in sorted(inside, key=self._place, reverse=True):
                if value in self.stored or value in needed or value is cluster.anchor:
                    live.append(value)
                    needed.update(value.inputs)
            cluster.members = live[::-1]


def _is_cheap(made: Value, value: Value) -> bool:
    """Return whether `made`, of which a value consists, may be computed once more."""
    return made.op is not None and made.op.name in _CHEAP and made.shape == value.shape


def _is_rearranged(x: Value) -> bool:
    """Return whether x shows each element of a value once, or is one itself."""
    while x.kind == "view":
        if x.op is None or x.op.name not in _REARRANGING:
            return False
        x = x.inputs[0]
    return True


def _bytes(x: Value) -> int:
    """Return how much memory a value shows."""
    strides = x.builder.strides_of(x)
    return math.prod(n for n, step in zip(x.shape, strides) if step) * x.dtype.itemsize


def _lies_like(x: Value, value: Value, whole: bool) -> bool:
    """Return whether x lies in memory in the order of a value that is made of it, or, unless all of it must
    be there, is repeated.
    """
    rows = row_major(value.shape)[value.ndim - x.ndim :]
    if whole and x.shape != value.shape:
        return False
    strides = x.builder.strides_of(x)
    return all(
        n == 1 or step == row or (step == 0 and not whole) for n, step, row in zip(x.shape, strides, rows)
    )
