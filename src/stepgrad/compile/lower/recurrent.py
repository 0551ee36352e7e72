"""Kernels of recurrences: a loop over time, in it a matrix product and the cell.

The rows of the batch are independent of each other, so each part of the work is some rows through all of
time, and threads need not meet in between. The product of a step goes to a piece of scratch memory that stays
in the cache; the cell's formulas, which `ops.cells` states, read it from there. Where AMX computes the
products, the weights are packed once for all steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from stepgrad.compile.lower.emit import Writer
from stepgrad.compile.lower.kernel import Kernel, Packing, Task, kernel_function
from stepgrad.compile.lower.loops import in_vectors, lanes_for, scaled
from stepgrad.compile.lower.mathematics import Mathematics
from stepgrad.compile.lower.products.amx import AmxContraction, amx_contraction
from stepgrad.compile.lower.products.amx_product import write_amx_product
from stepgrad.compile.lower.products.contract import Contraction
from stepgrad.compile.lower.register import BYTES, Register, element_of
from stepgrad.compile.machine import has_amx
from stepgrad.compile.memory import Buffer, Storage, whole_lines
from stepgrad.compile.program.strides import row_major
from stepgrad.compile.program.value import NotCompiled
from stepgrad.compile.schedule import Cluster
from stepgrad.ops.cells import cell_named

# Rows of the batch that one part of the work takes through time: enough to use the weights again while they
# are near, few enough for several parts.
_FEW, _MANY = 16, 32


def is_recurrent(cluster: Cluster) -> bool:
    """Return whether a cluster is a recurrence, or the way back."""
    op = None if cluster.anchor is None else cluster.anchor.op
    return op is not None and op.name in ("recurrence", "recurrence_back")


def write_recurrent(w: Writer, name: str, task: Task, packing: Packing) -> Kernel:
    """Write the function of a recurrence, or of the way back."""
    anchor = task.cluster.anchor
    assert anchor is not None
    assert anchor.op is not None
    kind = _Forward if anchor.op.name == "recurrence" else _Backward
    loop = kind(w, task)
    room = packing(loop.scratch_bytes(), False)
    storages = list(dict.fromkeys([*(b.storage for b in loop.inputs.values()), loop.out.storage, room]))
    with kernel_function(w, name, storages) as (bases, part):
        w.real = loop.element
        loop.bases, loop.room = bases, bases[room]
        w.loop(*part, 1, loop.write_part)
    units = -(-loop.rows // loop.part)
    words = f"{loop.steps} steps of {loop.part} rows, in each {loop.plans[loop.part].loops()}"
    work = 2.0 * loop.steps * loop.rows * loop.hidden * loop.cell.gates * loop.hidden
    return Kernel(name, storages, task.starts, units, work=work, loops=words)


class _Loop:
    """What both directions share: the sizes, the parts of the batch, and addresses."""

    names: tuple[str, ...]
    bases: dict[Storage, Register]
    room: Register

    def __init__(self, w: Writer, task: Task) -> None:
        anchor: Any = task.cluster.anchor
        self.w, self.m, self.anchor = w, Mathematics(w), anchor
        self.cell, self.reverse = cell_named(anchor.attrs["cell"]), anchor.attrs["reverse"]
        names = (*self.names, *anchor.attrs["others"])
        self.inputs = {name: task.locate(x) for name, x in zip(names, anchor.inputs, strict=True)}
        if len(task.targets) != 1 or task.targets[0][1].strides != (1,):
            raise NotCompiled("a recurrence whose result is kept in two places is not compiled")
        # A vector of two parts, which `_part` gives their shapes.
        self.out, self._placed = task.targets[0][1], 0
        self.element = element_of(anchor.dtype)
        self.vector_bytes = task.vector_bytes
        self._measure()
        self.lanes = lanes_for([anchor], task.vector_bytes, self.hidden)
        self.part = min(self.rows, _FEW if self.rows < 2 * _MANY else _MANY)
        self.plans = {rows: self._plan(rows) for rows in {self.part, self.rows % self.part or self.part}}

    def _part(self, *shape: int) -> Buffer:
        """Return the next part of the result as a buffer of a shape."""
        part = Buffer(self.out.storage, shape, row_major(shape), self.out.offset + self._placed)
        self._placed += math.prod(shape)
        return part

    steps: int
    rows: int
    hidden: int

    def _measure(self) -> None:
        raise NotImplementedError

    def _states(self, rows: int) -> Buffer:
        """Return what is multiplied by the weights in a step."""
        raise NotImplementedError

    def _plan(self, rows: int) -> Contraction | AmxContraction:
        """Return how the product of a step is computed."""
        states, weight = self._states(rows), self.inputs["weight"]
        plan, amx = Contraction(states, weight, self.vector_bytes), None
        if self.vector_bytes == 64 and has_amx():
            amx = amx_contraction(states, weight, 1, plan.cycles, rounds=self.steps, by_rows=True)
        return amx or plan

    def _through_time(self, rows: int, first: Register) -> None:
        raise NotImplementedError

    def own_bytes(self) -> int:
        """Return the size of what lies in scratch memory besides what the product needs."""
        raise NotImplementedError

    def scratch_bytes(self) -> int:
        """Return the size of the scratch memory."""
        return self.own_bytes() + max(plan.scratch_bytes for plan in self.plans.values())

    def _packing(self) -> Register:
        """Return the address of the memory for the product."""
        return self.w.pointer(self.room, self.own_bytes(), "i8")

    # ------------------------------------------------------------------------------------ parts

    def write_part(self, unit: Register, _: list[Register]) -> None:
        """Write what is done with one part of the batch."""
        first = scaled(self.w, unit, self.part)
        whole, rest = divmod(self.rows, self.part)
        if not rest:
            self._through_time(self.part, first)
            return
        if whole:
            self.w.when(unit < whole, lambda: self._through_time(self.part, first))
        self.w.when(unit >= whole, lambda: self._through_time(rest, first))

    def _over_time(self, body: Callable[[Register, Register, Register], None], back: bool) -> None:
        """Write the loop over time: ``body(step, place before, place after)``."""

        def one(i: Register, _: list[Register]) -> None:
            t = i if self.reverse == back else self.steps - 1 - i
            later = t + 1
            body(t, *((later, t) if self.reverse else (t, later)))

        self.w.loop(0, self.steps, 1, one)

    def _over_rows(self, rows: int, body: Callable[[Register, Register, int | None], None]) -> None:
        """Write the loops over rows and over vectors of the hidden numbers: ``body(row, place, mask)``."""

        def row(r: Register, _: list[Register]) -> None:
            def vector(j: Register, mask: int | None, _: list[Register]) -> list[Register]:
                body(r, j, mask)
                return []

            in_vectors(self.w, self.hidden, self.lanes, vector)

        self.w.loop(0, rows, 1, row)

    def _pack_weights(self, rows: int) -> None:
        """Write the packing of the weights, where that is done once for all steps."""
        w, plan, at = self.w, self.plans[rows], self.bases[self.inputs["weight"].storage]
        if isinstance(plan, AmxContraction):
            every = w.constant(0, "i64"), w.constant(plan.packing_units, "i64")
            plan.write_packing(w, at, at, self._packing(), every)

    def _product(self, rows: int, a: Register, epilogue: Any) -> None:
        """Write the product of some rows with the weights."""
        w, plan, packing = self.w, self.plans[rows], self._packing()
        factors = a, self.bases[self.inputs["weight"].storage]
        if isinstance(plan, AmxContraction):
            own = w.pointer(packing, plan.scratch_bytes - plan.own_bytes, "i8")
            every = w.constant(0, "i64"), w.constant(plan.units, "i64")
            write_amx_product(plan, w, factors, (packing, own), every, epilogue, None)
        else:
            plan.write(w, *factors, epilogue, packing)

    def _going(self, t: Register, row: Register) -> Register | None:
        """Return whether a row has a step t; None if all rows have."""
        if "lengths" not in self.inputs:
            return None
        lengths = self.inputs["lengths"]
        element = element_of(lengths.dtype)
        return self.w.load(self._at(lengths, row), element) > t

    # -------------------------------------------------------------------------------- addresses

    def _at(self, buffer: Buffer, *place: Register | int) -> Register:
        """Return the address of an element; the last dimensions that are not named count from 0."""
        w, element = self.w, element_of(buffer.dtype)
        at = w.pointer(self.bases[buffer.storage], buffer.offset, element)
        for index, stride in zip(place, buffer.strides):
            if isinstance(index, int):
                at = w.pointer(at, index * stride, element)
            elif stride:
                at = w.pointer(at, scaled(w, index, stride), element)
        return at

    def _read(self, buffer: Buffer, *place: Register | int, mask: int | None) -> Register:
        """Return a vector, from the element at a place on."""
        return self.w.load(self._at(buffer, *place), self.element, self.lanes, mask)

    def _scratch(self, index: Register, stride: int, start: int = 0) -> Register:
        """Return the address of a row in the scratch memory."""
        at = self.w.pointer(self.room, start, self.element)
        return self.w.pointer(at, scaled(self.w, index, stride), self.element)

    def _blocks(self, at: Register, count: int, mask: int | None) -> list[Register]:
        """Return the vectors at an address and at the same place of the following blocks."""
        w = self.w
        return [
            w.load(w.pointer(at, k * self.hidden, self.element), self.element, self.lanes, mask)
            for k in range(count)
        ]


class _Forward(_Loop):
    names = ("x", "weight", "start")

    def _measure(self) -> None:
        self.steps, self.rows = self.inputs["x"].shape[:2]
        self.hidden = self.inputs["start"].shape[-1]
        self.width = self.cell.gates * self.hidden
        self.y = self._part(self.cell.states, self.steps + 1, self.rows, self.hidden)
        self.a = self._part(self.steps, self.rows, self.cell.inputs * self.hidden)

    def _states(self, rows: int) -> Buffer:
        return Buffer(self.out.storage, (rows, self.hidden), self.y.strides[2:], 0)

    def own_bytes(self) -> int:
        return whole_lines(self.part * self.width * BYTES[self.element])

    def _through_time(self, rows: int, first: Register) -> None:
        w, out, start = self.w, self.y, self.inputs["start"]
        begin = self.steps if self.reverse else 0

        def begun(r: Register, j: Register, mask: int | None) -> None:
            for k in range(self.cell.states):
                x = self._read(start, k, first + r, j, mask=mask)
                w.store(x, self._at(out, k, begin, first + r, j), mask)

        self._over_rows(rows, begun)
        self._pack_weights(rows)

        def keep(_: Any, m: Register, n: Register, sums: Register, mask: int | None) -> None:
            w.store(sums, w.pointer(self._scratch(m, self.width), n, self.element), mask)

        def step(t: Register, before: Register, after: Register) -> None:
            self._product(rows, self._at(out, 0, before, first), keep)

            def advance(r: Register, j: Register, mask: int | None) -> None:
                row = first + r
                p = self._blocks(
                    w.pointer(self._scratch(r, self.width), j, self.element), self.cell.gates, mask
                )
                if "bias" in self.inputs:
                    bias = self._blocks(self._at(self.inputs["bias"], j), self.cell.gates, mask)
                    p = [x + b for x, b in zip(p, bias)]
                x = self._blocks(self._at(self.inputs["x"], t, row, j), self.cell.gates, mask)
                states = [self._read(out, k, before, row, j, mask=mask) for k in range(self.cell.states)]
                going = self._going(t, row)
                a = self.cell.mixed(x, p)
                at = self._at(self.a, t, row, j)
                for k, one in enumerate(a):
                    w.store(one, w.pointer(at, k * self.hidden, self.element), mask)
                for k, new in enumerate(self.cell.value(self.m, a, states)):
                    kept = new if going is None else w.select(going, new, states[k])
                    w.store(kept, self._at(out, k, after, row, j), mask)

            self._over_rows(rows, advance)

        self._over_time(step, back=False)


class _Backward(_Loop):
    names = ("g", "y", "a", "weight")

    def _measure(self) -> None:
        _, places, self.rows, self.hidden = self.inputs["y"].shape
        self.steps, self.width = places - 1, self.cell.inputs * self.hidden
        self.ga = self._part(self.steps, self.rows, self.width)
        self.gs = self._part(self.cell.states, self.rows, self.hidden)

    def _states(self, rows: int) -> Buffer:
        return Buffer(self.out.storage, (rows, self.cell.gates * self.hidden), self.ga.strides[1:], 0)

    def own_bytes(self) -> int:
        return whole_lines(self.cell.states * self.part * self.hidden * BYTES[self.element])

    def _carried(self, k: int, row: Register, j: Register) -> Register:
        """Return the address of gradients that the states after a step have got from later ones."""
        at = self._scratch(row, self.hidden, k * self.part * self.hidden)
        return self.w.pointer(at, j, self.element)

    def _through_time(self, rows: int, first: Register) -> None:
        w, g, y, states = self.w, self.inputs["g"], self.inputs["y"], range(self.cell.states)
        zero = w.constant(0, self.element, self.lanes)

        def begun(r: Register, j: Register, mask: int | None) -> None:
            for k in states:
                w.store(zero, self._carried(k, r, j), mask)

        self._over_rows(rows, begun)
        self._pack_weights(rows)

        def add(_: Any, m: Register, n: Register, sums: Register, mask: int | None) -> None:
            at = self._carried(0, m, n)
            w.store(w.load(at, self.element, sums.lanes, mask) + sums, at, mask)

        def step(t: Register, before: Register, after: Register) -> None:
            def back(r: Register, j: Register, mask: int | None) -> None:
                row = first + r
                total = [
                    self._read(g, k, after, row, j, mask=mask)
                    + w.load(self._carried(k, r, j), self.element, self.lanes, mask)
                    for k in states
                ]
                a = self._blocks(self._at(self.inputs["a"], t, row, j), self.cell.inputs, mask)
                s, new = ([self._read(y, k, p, row, j, mask=mask) for k in states] for p in (before, after))
                into, rest = self.cell.partials(self.m, a, s, new, total)
                going = self._going(t, row)
                at = self._at(self.ga, t, row, j)
                for k, x in enumerate(into):
                    x = x if going is None else w.select(going, x, zero)
                    w.store(x, w.pointer(at, k * self.hidden, self.element), mask)
                for k, x in zip(states, rest):
                    x = zero if x is None else x
                    x = x if going is None else w.select(going, x, total[k])
                    w.store(x, self._carried(k, r, j), mask)

            self._over_rows(rows, back)
            self._product(rows, self._at(self.ga, t, first, self.cell.first * self.hidden), add)

        self._over_time(step, back=True)
        begin = self.steps if self.reverse else 0

        def finish(r: Register, j: Register, mask: int | None) -> None:
            for k in states:
                carried = w.load(self._carried(k, r, j), self.element, self.lanes, mask)
                x = self._read(g, k, begin, first + r, j, mask=mask) + carried
                w.store(x, self._at(self.gs, k, first + r, j), mask)

        self._over_rows(rows, finish)
