"""Kernels of elementwise clusters and reductions: the space they run over, its loops, and what happens in
them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from stepgrad.compile.lower.emit import Writer
from stepgrad.compile.lower.loops import Access, Evaluator, Nest, in_vectors, lanes_for
from stepgrad.compile.lower.register import Register, element_of
from stepgrad.compile.memory import Buffer, Storage
from stepgrad.compile.schedule import Cluster
from stepgrad.compile.value import Value

_NEUTRAL = {"sum": 0.0, "prod": 1.0, "max": -math.inf, "min": math.inf, "any": False, "all": True}


@dataclass
class Kernel:
    """A function of the module: its name, the storages it gets pointers to, and how its work can be shared.

    `units`: into how many parts the work can be cut without changing a bit, 0 if it cannot; `grain`: of which
    a multiple is best done at a time. `work`: a
    rough number of operations, by which it is decided whether threads pay (`is_shared`). `loops`: its loop
    nest in words. `starts`: the element of a storage that its pointer points to, where that is not the first.
    `before`: a kernel that prepares what this one reads; `is_private`: each thread runs it for itself.
    """

    name: str
    storages: list[Storage] = field(default_factory=list)
    units: int = 0
    grain: int = 1
    work: float = 0.0
    is_shared: bool = False
    loops: str = ""
    starts: dict[Storage, int] = field(default_factory=dict)
    before: Kernel | None = None
    is_private: bool = False


@dataclass
class Task:
    """A cluster with everything that its kernel needs to know."""

    cluster: Cluster
    locate: Callable[[Value], Buffer]
    targets: list[tuple[Value, Buffer]]
    vector_bytes: int
    starts: dict[Storage, int] = field(default_factory=dict)

    def from_starts(self) -> Task:
        """Return the task with each storage counted from the first element that it touches there (`starts`).

        So what is done with one part of a tensor and then with another has the same code.
        """
        starts: dict[Storage, int] = {}
        for b in [*map(self.locate, self.outside()), *(b for _, b in self.targets)]:
            starts[b.storage] = min(b.offset, starts.get(b.storage, b.offset))

        def moved(b: Buffer) -> Buffer:
            return Buffer(b.storage, b.shape, b.strides, b.offset - starts.get(b.storage, 0))

        targets = [(value, moved(b)) for value, b in self.targets]
        return Task(self.cluster, lambda x: moved(self.locate(x)), targets, self.vector_bytes, starts)

    def outside(self) -> list[Value]:
        """Return the values that are read from memory: inputs of members that no member computes."""
        inside = set(self.cluster.members)
        found: dict[Value, None] = {}
        for member in self.cluster.members:
            for x in member.inputs:
                if x not in inside and x.kind != "number":
                    found.setdefault(x)
        return list(found)

    def storages(self) -> list[Storage]:
        """Return the storages that are touched, each once."""
        buffers = [self.locate(x) for x in self.outside()] + [b for _, b in self.targets]
        return list(dict.fromkeys(b.storage for b in buffers))


def write_kernel(w: Writer, name: str, task: Task) -> Kernel:
    """Write the function for a cluster that is elementwise or a reduction."""
    kernel = Kernel(name, task.storages())
    with w.function(name, ["ptr"] * len(kernel.storages) + ["i64", "i64"]) as arguments:
        bases = dict(zip(kernel.storages, arguments))
        part = (arguments[-2], arguments[-1])
        if task.cluster.kind == "map":
            _Map(w, task, bases).write(kernel, part)
        else:
            _Reduction(w, task, bases).write(kernel, part)
    return kernel


def sizes_in_words(sizes: tuple[int, ...]) -> str:
    """Return lengths of loops as text: "64 × 32", "1" without any."""
    return " × ".join(map(str, sizes)) or "1"


class _Map:
    """Elementwise values over one space."""

    def __init__(self, w: Writer, task: Task, bases: dict[Storage, Register]) -> None:
        self.w = w
        cluster = task.cluster
        space = cluster.shape
        reads = {x: task.locate(x).broadcast(space) for x in task.outside()}
        stores = [(v, b.broadcast(space)) for v, b in task.targets]
        buffers = [*reads.values(), *(b for _, b in stores)]
        order = _by_stride(space, [b for _, b in stores])
        crossing = _crossing(space, buffers, order, len(reads))
        if crossing is None:
            sizes, strides = collapsed(space, [b.strides for b in buffers], [order])
            self.vector = len(sizes[0]) - 1
        else:
            order, at = crossing
            parts = [order[:at], order[at : at + 1], order[at + 1 :]]
            sizes, strides = collapsed(space, [b.strides for b in buffers], parts)
            self.vector = len(sizes[0])
        self.sizes = tuple(n for group in sizes for n in group)
        accesses = [Access(bases[b.storage], b, s) for b, s in zip(buffers, strides)]
        sources = dict(zip(reads, accesses))
        targets = [(v, a) for (v, _), a in zip(stores, accesses[len(reads) :])]
        length = self.sizes[self.vector] if self.sizes else 1
        self.lanes = lanes_for([*cluster.members, *reads], task.vector_bytes, length) if self.sizes else 1
        self.nest = Nest(w, self.sizes, self.vector, self.lanes, cluster.members, sources, targets)

    def write(self, kernel: Kernel, part: tuple[Register, Register]) -> None:
        evaluator = Evaluator(self.w)
        addresses = self.nest.start()
        self.nest.place(evaluator, -1, addresses, None)
        kernel.work = float(math.prod(self.sizes)) * (len(self.nest.values) + 1)
        is_last = self.vector == len(self.sizes) - 1
        where = "the last" if is_last else f"loop {self.vector + 1}"
        kernel.loops = f"{sizes_in_words(self.sizes)}, vectors of {self.lanes} along {where}"
        if not self.sizes:
            self.nest.put(evaluator, addresses, None, 1)
            return
        kernel.units = -(-self.sizes[0] // self.lanes) if self.vector == 0 else self.sizes[0]
        self._loops(evaluator, 0, addresses, part, None)

    def _loops(
        self, evaluator: Evaluator, depth: int, addresses: dict[int, Register], part: Any, mask: int | None
    ) -> None:
        w, nest = self.w, self.nest
        if depth == len(self.sizes):
            nest.put(evaluator, addresses, mask, self.lanes)
            return
        if depth == self.vector:

            def vector(index: Register, mask: int | None, _: list[Register]) -> list[Register]:
                here = nest.moved(addresses, depth, index)
                nest.place(evaluator, depth, here, mask)
                self._loops(evaluator, depth + 1, here, None, mask)
                return []

            begin, end = part if depth == 0 else (None, None)
            in_vectors(w, self.sizes[depth], self.lanes, vector, [], begin, end)
            return

        def body(index: Register, _: list[Register]) -> list[Register]:
            here = nest.moved(addresses, depth, index)
            nest.place(evaluator, depth, here, mask)
            self._loops(evaluator, depth + 1, here, part, mask)
            return []

        start, stop = part if depth == 0 else (0, self.sizes[depth])
        w.loop(start, stop, 1, body)


class _Reduction:
    """A reduction with elementwise values before it (over the full space) and after it (over what is
    left).
    """

    def __init__(self, w: Writer, task: Task, bases: dict[Storage, Register]) -> None:
        self.w, self.task = w, task
        cluster = task.cluster
        assert cluster.anchor is not None
        self.anchor = cluster.anchor
        full = cluster.full_shape
        reduced = self.anchor.attrs["dims"]
        kept = tuple(d for d in range(len(full)) if d not in reduced)
        self.before, self.after = self._split()
        inside = set(self.before)
        before_reads = self._reads(self.before, full)
        if self.anchor.inputs[0] not in inside and self.anchor.inputs[0].kind != "number":
            before_reads.setdefault(self.anchor.inputs[0], task.locate(self.anchor.inputs[0]).broadcast(full))
        after_reads = {
            x: _widened(task.locate(x).broadcast(cluster.shape), full, kept) for x in self._after_inputs()
        }
        stores = [
            (v, b.broadcast(full) if v in inside else _widened(b.broadcast(cluster.shape), full, kept))
            for v, b in task.targets
        ]
        buffers = [*before_reads.values(), *after_reads.values(), *(b for _, b in stores)]
        inner = self._inner_dim(full, list(before_reads.values()))
        kept_order = _by_stride(full, list(before_reads.values()), kept)
        reduced_order = _by_stride(full, list(before_reads.values()), reduced)
        for order in (kept_order, reduced_order):
            if inner in order:
                order.remove(inner)
                order.append(inner)
        sizes, strides = collapsed(full, [b.strides for b in buffers], [kept_order, reduced_order])
        self.kept_sizes, self.reduced_sizes = sizes
        self.column = inner in kept and bool(self.kept_sizes)
        self.vector = (
            len(self.kept_sizes) - 1 if self.column else len(self.kept_sizes) + len(self.reduced_sizes) - 1
        )
        accesses = [Access(bases[b.storage], b, s) for b, s in zip(buffers, strides)]
        n, m = len(before_reads), len(after_reads)
        self.sizes = (*self.kept_sizes, *self.reduced_sizes)
        values = [*cluster.members, *before_reads]
        self.lanes = lanes_for(values, task.vector_bytes, self.sizes[self.vector])
        targets = [(v, a) for (v, _), a in zip(stores, accesses[n + m :])]
        early = [(v, a) for v, a in targets if v in inside]
        late = [(v, a) for v, a in targets if v not in inside]
        self.inside = Nest(
            w, self.sizes, self.vector, self.lanes, self.before, dict(zip(before_reads, accesses)), early
        )
        given = {self.anchor: len(self.kept_sizes) - 1}
        self.outside = Nest(
            w,
            self.sizes,
            self.vector,
            self.lanes,
            self.after,
            dict(zip(after_reads, accesses[n:])),
            late,
            given,
        )

    def _split(self) -> tuple[list[Value], list[Value]]:
        """Return the members before and after the reduction."""
        cluster = self.task.cluster
        needed: set[Value] = {self.anchor.inputs[0]}
        for value in reversed(cluster.members):
            if value in needed:
                needed.update(value.inputs)
        before = [
            v
            for v in cluster.members
            if v is not self.anchor and (v in needed or v.shape == cluster.full_shape)
        ]
        inside = set(before)
        return before, [v for v in cluster.members if v is not self.anchor and v not in inside]

    def _reads(self, members: list[Value], space: tuple[int, ...]) -> dict[Value, Buffer]:
        inside = set(members)
        found: dict[Value, Buffer] = {}
        for member in members:
            for x in member.inputs:
                if x not in inside and x.kind != "number" and x not in found:
                    found[x] = self.task.locate(x).broadcast(space)
        return found

    def _after_inputs(self) -> list[Value]:
        inside = {*self.after, self.anchor}
        return list(
            dict.fromkeys(x for v in self.after for x in v.inputs if x not in inside and x.kind != "number")
        )

    def _inner_dim(self, full: tuple[int, ...], reads: list[Buffer]) -> int:
        """Return the dimension for the vectors: the one along which most is read contiguously."""
        scores = [sum(b.strides[d] == 1 for b in reads) * (full[d] > 1) for d in range(len(full))]
        best = max(scores, default=0)
        return max(d for d in range(len(full)) if scores[d] == best)

    def write(self, kernel: Kernel, part: tuple[Register, Register]) -> None:
        evaluator = Evaluator(self.w)
        inner, outer = self.inside.start(), self.outside.start()
        self.inside.place(evaluator, -1, inner, None)
        if self.kept_sizes:
            self.outside.place(evaluator, -1, outer, None)
        kernel.work = float(math.prod(self.sizes)) * (len(self.before) + 1)
        along = "kept" if self.column else "reduced"
        kernel.loops = (
            f"{sizes_in_words(self.kept_sizes)} kept, {sizes_in_words(self.reduced_sizes)} reduced, "
            f"vectors of {self.lanes} along the last {along}"
        )
        if len(self.kept_sizes) > (1 if self.column else 0):
            kernel.units = self.kept_sizes[0]
        elif self.column:
            kernel.units = -(-self.kept_sizes[0] // self.lanes)
        self._kept_loops(evaluator, 0, inner, outer, part)

    def _kept_loops(self, evaluator: Evaluator, depth: int, inner: Any, outer: Any, part: Any) -> None:
        w = self.w
        if depth == len(self.kept_sizes):
            self._row(evaluator, inner, outer)
            return
        if self.column and depth == self.vector:

            def columns(index: Register, mask: int | None, _: list[Register]) -> list[Register]:
                self._columns(
                    evaluator,
                    self.inside.moved(inner, depth, index),
                    self.outside.moved(outer, depth, index),
                    mask,
                )
                return []

            begin, end = part if depth == 0 else (None, None)
            in_vectors(w, self.sizes[depth], self.lanes, columns, [], begin, end)
            return

        def body(index: Register, _: list[Register]) -> list[Register]:
            inner_here = self.inside.moved(inner, depth, index)
            outer_here = self.outside.moved(outer, depth, index)
            self.inside.place(evaluator, depth, inner_here, None)
            if depth < len(self.kept_sizes) - 1:
                self.outside.place(evaluator, depth, outer_here, None)
            self._kept_loops(evaluator, depth + 1, inner_here, outer_here, part)
            return []

        start, stop = part if depth == 0 else (0, self.sizes[depth])
        w.loop(start, stop, 1, body)

    # ------------------------------------------------------------- vectors along a dimension that is left

    def _columns(self, evaluator: Evaluator, inner: Any, outer: Any, mask: int | None) -> None:
        depth = self.vector
        self.inside.place(evaluator, depth, inner, mask)
        total = self._reduced_loops(evaluator, depth + 1, inner, mask, self._neutral(self.lanes))
        evaluator.known[self.anchor] = total
        self._finish(evaluator, outer, mask, self.lanes)

    def _reduced_loops(
        self, evaluator: Evaluator, depth: int, inner: Any, mask: int | None, total: Register
    ) -> Register:
        """Fold over the reduced dimensions, when the vectors run along one that is left."""
        if depth == len(self.sizes):
            return self._folded(evaluator, inner, mask, total, self.lanes)

        def body(index: Register, carried: list[Register]) -> list[Register]:
            here = self.inside.moved(inner, depth, index)
            self.inside.place(evaluator, depth, here, mask)
            return [self._reduced_loops(evaluator, depth + 1, here, mask, carried[0])]

        return self.w.loop(0, self.sizes[depth], 1, body, [total])[0]

    # ------------------------------------------------------------- vectors along a dimension that is reduced

    def _row(self, evaluator: Evaluator, inner: Any, outer: Any) -> None:
        total = self._row_loops(evaluator, len(self.kept_sizes), inner, self._neutral(self.lanes))
        while total.lanes > 1:
            low, high = self.w.halves(total)
            total = self._combine(low, high)
        evaluator.known[self.anchor] = total
        self._finish(evaluator, outer, None, 1)

    def _row_loops(self, evaluator: Evaluator, depth: int, inner: Any, total: Register) -> Register:
        if depth == self.vector:

            def vector(index: Register, mask: int | None, carried: list[Register]) -> list[Register]:
                here = self.inside.moved(inner, depth, index)
                self.inside.place(evaluator, depth, here, mask)
                return [self._folded(evaluator, here, mask, carried[0], self.lanes)]

            return in_vectors(self.w, self.sizes[depth], self.lanes, vector, [total])[0]

        def body(index: Register, carried: list[Register]) -> list[Register]:
            here = self.inside.moved(inner, depth, index)
            self.inside.place(evaluator, depth, here, None)
            return [self._row_loops(evaluator, depth + 1, here, carried[0])]

        return self.w.loop(0, self.sizes[depth], 1, body, [total])[0]

    # ------------------------------------------------------------------------------------ parts

    def _folded(
        self, evaluator: Evaluator, inner: Any, mask: int | None, total: Register, lanes: int
    ) -> Register:
        """Return the total with one more vector combined into it, and store what is stored before the
        reduction.
        """
        self.inside.put(evaluator, inner, mask, lanes)
        source = self.anchor.inputs[0]
        if source.kind == "number":
            x = self.w.constant(source.number, element_of(source.dtype), lanes)
        else:
            x = self.w.splat(evaluator.known[source], lanes)
        x = self.w.convert(x, total.element)
        if mask is not None and not self.column:
            x = self.w.select(self.w.first_lanes(lanes, mask), x, self._neutral(lanes))
        return self._combine(total, x)

    def _combine(self, total: Register, x: Register) -> Register:
        from stepgrad.compile.lower.mathematics import Mathematics

        return self.anchor.op.combine(Mathematics(self.w), total, x)  # type: ignore[union-attr]

    def _neutral(self, lanes: int) -> Register:
        how, dtype = self.anchor.attrs["how"], self.anchor.dtype
        value: Any = _NEUTRAL[how]
        if dtype.kind == "b":
            value = how in ("min", "all")
        elif dtype.kind in "iu" and how in ("max", "min"):
            import numpy

            limits = numpy.iinfo(dtype)
            value = limits.min if how == "max" else limits.max
        return self.w.constant(value, element_of(dtype), lanes)

    def _finish(self, evaluator: Evaluator, outer: Any, mask: int | None, lanes: int) -> None:
        """Compute and store what comes after the reduction."""
        self.outside.place(evaluator, len(self.kept_sizes) - 1, outer, mask)
        self.outside.put(evaluator, outer, mask, lanes)


def collapsed(
    shape: tuple[int, ...], strides: list[tuple[int, ...]], orders: list[list[int]]
) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    """Join dimensions that all accesses pass through as if they were one, within each group of `orders`.

    Returns the sizes of each group's loops, and for each access its strides along all of them.

    >>> collapsed((4, 5, 6), [(30, 6, 1), (0, 6, 1)], [[0, 1, 2]])
    ([(4, 30)], [(30, 1), (0, 1)])
    """
    sizes: list[tuple[int, ...]] = []
    columns: list[list[int]] = [[] for _ in strides]
    for order in orders:
        group: list[int] = []
        last: list[int] = []
        for d in order:
            if shape[d] == 1:
                continue
            here = [s[d] for s in strides]
            if group and all(a == b * shape[d] for a, b in zip(last, here)):
                group[-1] *= shape[d]
                for column, stride in zip(columns, here):
                    column[-1] = stride
            else:
                group.append(shape[d])
                for column, stride in zip(columns, here):
                    column.append(stride)
            last = here
        sizes.append(tuple(group))
    return sizes, [tuple(column) for column in columns]


# From so many elements on the order of a transposition matters.
_LARGE_CROSSING = 1 << 12


def _crossing(
    shape: tuple[int, ...], buffers: list[Buffer], order: list[int], reads: int
) -> tuple[list[int], int] | None:
    """Return, where some lie along one dimension and some along another, the order of the loops and the
    place in it
    of the vectors; else None. `order`: that of the first that is stored; `reads`: how many are read.

    Vectors run along one of the two dimensions, and the loop over the other is inside: what shares a line
    of the cache across vectors is then used while it is there.
    """
    along = [d for d in order if shape[d] > 1]
    if math.prod(shape) < _LARGE_CROSSING or len(along) < 2:
        return None
    across = max(buffers, key=lambda b: abs(b.strides[along[-1]]))
    other = next((d for d in along if across.strides[d] == 1), None)
    if other is None or abs(across.strides[along[-1]]) < 2:
        return None

    def score(d: int) -> float:
        near = sum((1 + (i >= reads)) * (b.strides[d] == 1) for i, b in enumerate(buffers))
        return near * shape[d] / (-(-shape[d] // 16) * 16)

    vector = max((along[-1], other), key=score)
    loops = sorted(along, key=lambda d: -abs(across.strides[d]))
    return loops, loops.index(vector)


def _by_stride(
    shape: tuple[int, ...], buffers: list[Buffer], dims: tuple[int, ...] | None = None
) -> list[int]:
    """Return dimensions ordered so that the last is the one along which the first buffer is closest to
    contiguous.
    """
    chosen = list(range(len(shape)) if dims is None else dims)
    if not buffers:
        return chosen
    return sorted(chosen, key=lambda d: -abs(buffers[0].strides[d]) if buffers[0].strides[d] else -math.inf)


def _widened(buffer: Buffer, full: tuple[int, ...], kept: tuple[int, ...]) -> Buffer:
    """Return a buffer over the dimensions that are left as one over the full space, constant along the
    others.
    """
    strides = [0] * len(full)
    for stride, d in zip(buffer.strides, kept, strict=True):
        strides[d] = stride
    return Buffer(buffer.storage, full, tuple(strides), buffer.offset)
