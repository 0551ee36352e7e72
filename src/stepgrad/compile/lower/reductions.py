"""Kernels of reductions, with what is computed before and after them."""

from __future__ import annotations

import math
from typing import Any

import numpy

from stepgrad.compile.lower.emit import Writer
from stepgrad.compile.lower.kernel import Kernel, Part, Task, kernel_function, sizes_in_words
from stepgrad.compile.lower.loops import Access, Evaluator, Nest, in_vectors, lanes_for
from stepgrad.compile.lower.mathematics import Mathematics
from stepgrad.compile.lower.register import Register, element_of
from stepgrad.compile.lower.spaces import by_stride, collapsed, widened
from stepgrad.compile.memory import Buffer, Storage
from stepgrad.compile.program.value import Value

_NEUTRAL = {"sum": 0.0, "prod": 1.0, "max": -math.inf, "min": math.inf}


def write_reduction(w: Writer, name: str, task: Task) -> Kernel:
    """Write the function for a cluster with a reduction."""
    storages = task.storages()
    with kernel_function(w, name, storages) as (bases, part):
        loops = _Reduction(w, task, bases)
        loops.write(part)
    return Kernel(name, storages, task.starts, loops.units, work=loops.work, loops=loops.in_words())


class _Reduction:
    """Writes a reduction with elementwise values before it (over the full space) and after it (over what is
    left). `units`, `work`: those of the kernel.
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
            x: widened(task.locate(x).broadcast(cluster.shape), full, kept) for x in self._after_inputs()
        }
        stores = [
            (v, b.broadcast(full) if v in inside else widened(b.broadcast(cluster.shape), full, kept))
            for v, b in task.targets
        ]
        buffers = [*before_reads.values(), *after_reads.values(), *(b for _, b in stores)]
        inner = self._inner_dim(full, list(before_reads.values()))
        kept_order = by_stride(full, list(before_reads.values()), kept)
        reduced_order = by_stride(full, list(before_reads.values()), reduced)
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

    @property
    def work(self) -> float:
        return float(math.prod(self.sizes)) * (len(self.before) + 1)

    @property
    def units(self) -> int:
        first = self.kept_sizes[0] if self.kept_sizes else 0
        return -(-first // self.lanes) if self.column and self.vector == 0 else first

    def in_words(self) -> str:
        """Return the loop nest in words."""
        along = "kept" if self.column else "reduced"
        return (
            f"{sizes_in_words(self.kept_sizes)} kept, {sizes_in_words(self.reduced_sizes)} reduced, "
            f"vectors of {self.lanes} along the last {along}"
        )

    def write(self, part: Part) -> None:
        """Write the loops; of the outermost one a part, if it is over a dimension that is kept."""
        evaluator = Evaluator(self.w)
        inner, outer = self.inside.start(), self.outside.start()
        self.inside.place(evaluator, -1, inner, None)
        if self.kept_sizes:
            self.outside.place(evaluator, -1, outer, None)
        self._kept_loops(evaluator, 0, inner, outer, part)

    def _kept_loops(self, evaluator: Evaluator, depth: int, inner: Any, outer: Any, part: Part) -> None:
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

            in_vectors(w, self.sizes[depth], self.lanes, columns, [], *(part if depth == 0 else ()))
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
        return self.anchor.op.combine(Mathematics(self.w), total, x)  # type: ignore[union-attr]

    def _neutral(self, lanes: int) -> Register:
        how, dtype = self.anchor.attrs["how"], self.anchor.dtype
        value: Any = _NEUTRAL.get(how)
        if dtype.kind == "b":
            value = how in ("min", "all")
        elif dtype.kind in "iu" and how in ("max", "min"):
            limits = numpy.iinfo(dtype)
            value = limits.min if how == "max" else limits.max
        return self.w.constant(value, element_of(dtype), lanes)

    def _finish(self, evaluator: Evaluator, outer: Any, mask: int | None, lanes: int) -> None:
        """Compute and store what comes after the reduction."""
        self.outside.place(evaluator, len(self.kept_sizes) - 1, outer, mask)
        self.outside.put(evaluator, outer, mask, lanes)
