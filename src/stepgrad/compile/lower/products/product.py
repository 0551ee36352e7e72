"""Kernels of contractions: a matrix product, and what its cluster does with each finished element."""

from __future__ import annotations

from typing import Any

from stepgrad.compile.lower.emit import Writer
from stepgrad.compile.lower.kernel import Kernel, Packing, Task, kernel_function
from stepgrad.compile.lower.loops import MUCH, Evaluator, divisors, load, scaled, store
from stepgrad.compile.lower.products.ahead import Ahead
from stepgrad.compile.lower.products.amx import AmxContraction, amx_contraction
from stepgrad.compile.lower.products.amx_product import write_amx_product
from stepgrad.compile.lower.products.contract import MUCH_MEMORY, Contraction
from stepgrad.compile.lower.products.plan import ProductPlan
from stepgrad.compile.lower.register import Register, element_of
from stepgrad.compile.machine import has_amx
from stepgrad.compile.memory import Buffer, Storage
from stepgrad.compile.program.value import Value

# To pack an element takes as long as so many operations of a product.
_PACKING_WORK = 30.0


def write_product(w: Writer, name: str, task: Task, packing: Packing) -> Kernel:
    """Write the function of a contraction cluster, and that of the packing before it if there is one."""
    cluster = task.cluster
    anchor = cluster.anchor
    assert anchor is not None
    rows = anchor.attrs.get("rows")
    swapped = False
    if rows is None:
        a, b = (_batched(task.locate(x), cluster.shape) for x in anchor.inputs)
        swapped = _runs_along_rows(task, a, b)
        if swapped:
            a, b = _turned(b), _turned(a)
    else:
        a, b = (task.locate(x) for x in anchor.inputs)
    streams = len(task.outside()) + len(task.targets) - 2
    plan = Contraction(a, b, task.vector_bytes, rows or 1, streams)
    amx = None
    if rows is None and task.vector_bytes == 64 and has_amx():
        amx = amx_contraction(a, b, streams, plan.cycles)
    work = float(anchor.size) * (2 * plan.depth + len(cluster.members) - 1)
    if amx is None:
        return _write_by_vectors(w, name, task, plan, swapped, packing, work)
    return _write_by_amx(w, name, task, amx, swapped, packing, work)


def _write_by_vectors(
    w: Writer, name: str, task: Task, plan: Contraction, swapped: bool, packing: Packing, work: float
) -> Kernel:
    if plan.may_pack_before:
        plan.pack_before()
    packed = [packing(plan.scratch_bytes, plan.packs_before)] if plan.scratch_bytes else []
    storages, before = [*task.storages(), *packed], None
    with kernel_function(w, name, storages) as (bases, part):
        epilogue = _Epilogue(w, task, bases, swapped, plan)
        a, b = bases[plan.a.storage], bases[plan.b.storage]
        where = bases[packed[0]] if packed else None
        plan.write(w, a, b, epilogue, where, part if plan.units else None, epilogue.places)
    if plan.packs_before:
        before = _packing(w, f"{name}_packing", task, plan, packed[0])
    return Kernel(name, storages, task.starts, plan.units, plan.grain, work, plan.loops(), before)


def _write_by_amx(
    w: Writer, name: str, task: Task, plan: AmxContraction, swapped: bool, packing: Packing, work: float
) -> Kernel:
    own = packing(plan.own_bytes, False)
    packed = packing(plan.packed_bytes, True) if plan.is_common else own
    storages = list(dict.fromkeys((*task.storages(), packed, own)))
    with kernel_function(w, name, storages) as (bases, part):
        epilogue = _Epilogue(w, task, bases, swapped, plan)
        factors, memory = (bases[plan.a.storage], bases[plan.b.storage]), (bases[packed], bases[own])
        write_amx_product(plan, w, factors, memory, part, epilogue, epilogue.places)
    before = _packing(w, f"{name}_packing", task, plan, packed, is_private=not plan.is_common)
    return Kernel(name, storages, task.starts, plan.units, 1, work, plan.loops(), before)


def _packing(
    w: Writer, name: str, task: Task, plan: ProductPlan, packed: Storage, is_private: bool = False
) -> Kernel:
    """Write the function that packs factors of a product before it."""
    storages = list(dict.fromkeys((plan.a.storage, plan.b.storage, packed)))
    with kernel_function(w, name, storages) as (bases, part):
        plan.write_packing(w, bases[plan.a.storage], bases[plan.b.storage], bases[packed], part)
    work = _PACKING_WORK * plan.packed_elements
    return Kernel(name, storages, task.starts, plan.packing_units, work=work, is_private=is_private)


def _batched(x: Buffer, shape: tuple[int, ...]) -> Buffer:
    """Return an operand with the batch dimensions of the result."""
    return x.broadcast((*shape[:-2], *x.shape[-2:]))


def _turned(x: Buffer) -> Buffer:
    """Return a buffer with its last two dimensions exchanged."""
    shape, strides = x.shape, x.strides
    return Buffer(
        x.storage, (*shape[:-2], shape[-1], shape[-2]), (*strides[:-2], strides[-1], strides[-2]), x.offset
    )


def _runs_along_rows(task: Task, a: Buffer, b: Buffer) -> bool:
    """Return whether vectors should run along the rows of the result: where its memory and that of A do."""
    shape = task.cluster.shape
    if shape[-1] == 1:
        return shape[-2] > 1
    anchor = task.cluster.anchor
    operands = set(anchor.inputs)  # type: ignore[union-attr]
    others = [task.locate(x).broadcast(shape) for x in task.outside() if x not in operands]
    buffers = [x for x in (*others, *(t.broadcast(shape) for _, t in task.targets)) if len(x.shape) >= 2]
    along_n = sum(x.strides[-1] == 1 for x in buffers) * 2 + (b.strides[-1] == 1)
    along_m = sum(x.strides[-2] == 1 for x in buffers) * 2 + (a.strides[-2] == 1)
    return along_m > along_n and shape[-2] > 1


class _Epilogue:
    """What happens with a vector of finished elements: the members of the cluster are computed and stored."""

    def __init__(
        self,
        w: Writer,
        task: Task,
        bases: dict[Storage, Register],
        swapped: bool,
        plan: ProductPlan,
    ) -> None:
        self.w, self.cluster, self.swapped, self.plan = w, task.cluster, swapped, plan
        shape = self.cluster.shape
        self.anchor: Any = self.cluster.anchor
        inside = set(self.cluster.members)
        read: dict[Value, None] = {}
        for member in self.cluster.members:
            if member is not self.anchor:
                for x in member.inputs:
                    if x not in inside and x.kind != "number":
                        read.setdefault(x)
        reads = [(x, self._oriented(task.locate(x).broadcast(shape))) for x in read]
        self.writes = [(v, self._oriented(t.broadcast(shape))) for v, t in task.targets]
        self.bases = bases
        # What is the same everywhere is read before the loops.
        self.reads = [(x, buffer) for x, buffer in reads if any(buffer.strides)]
        # What is too much for the second cache is fetched while the sums of a tile are computed.
        rows = [b for _, b in self.reads if b.strides[-1] == 1 and b.strides[-2]]
        is_much = sum(b.dtype.itemsize for b in rows) * self.anchor.size > MUCH_MEMORY
        self.places = self._places if is_much and plan.fetches else None
        self.fetched = rows if is_much and not plan.fetches else []
        self.written = {b.storage for _, b in self.writes}
        self.start = Evaluator(w)
        same = {x: buffer for x, buffer in reads if not any(buffer.strides)}
        by = divisors(self.cluster.members, lambda x, _: x in same and self.anchor.size >= MUCH)
        for x, buffer in same.items():
            element = element_of(buffer.dtype)
            at = w.pointer(bases[buffer.storage], buffer.offset, element)
            self.start.learn(x, w.load(at, element), x in by)

    def _oriented(self, x: Buffer) -> Buffer:
        return _turned(x) if self.swapped else x

    def __call__(
        self, batch: list[Register], m: Register, n: Register, acc: Register, mask: int | None
    ) -> None:
        w = self.w
        place = [*batch, m, n]
        evaluator = self.start.copy()
        evaluator.known[self.anchor] = acc
        for x, buffer in self.reads:
            address = self._address(buffer, place)
            if buffer in self.fetched:
                rows, columns = self.plan.next_tile
                there = w.pointer(address, rows * buffer.strides[-2] + columns, element_of(buffer.dtype))
                w.prefetch(there, to_write=buffer.storage in self.written)
            evaluator.known[x] = load(w, buffer, address, acc.lanes, buffer.strides[-1], mask)
        for member in self.cluster.members:
            if member is not self.anchor:
                evaluator.known[member] = evaluator.compute(member)
        for value, buffer in self.writes:
            address = self._address(buffer, place)
            store(w, evaluator.known[value], buffer, address, acc.lanes, buffer.strides[-1], mask)

    def _places(self, batch: list[Register], m: Register, n: Register) -> list[Ahead]:
        """Return what is read and written beside the sums of a tile."""
        found: dict[tuple[Storage, int], Ahead] = {}
        for _, b in (*self.reads, *self.writes):
            if b.strides[-1] == 1 and b.strides[-2]:
                lines = range(0, self.plan.pitch_b, 64 // b.dtype.itemsize)
                address = self._address(b, [*batch, m, n])
                ahead = Ahead(address, b.strides[-2], lines, element_of(b.dtype))
                found.setdefault((b.storage, b.offset), ahead)
        return list(found.values())

    def _address(self, buffer: Buffer, place: list[Register]) -> Register:
        w = self.w
        element = element_of(buffer.dtype)
        at = w.pointer(self.bases[buffer.storage], buffer.offset, element)
        for index, stride in zip(place, buffer.strides):
            if stride:
                at = w.pointer(at, scaled(w, index, stride), element)
        return at
