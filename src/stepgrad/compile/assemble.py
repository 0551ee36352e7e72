"""From a program to native code: where every value lives, a kernel for every cluster, and the function that runs them."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from typing import Any

import numpy

from stepgrad.compile.lower.emit import Writer
from stepgrad.compile.lower.kernels import Kernel, Task, write_kernel
from stepgrad.compile.lower.products import write_product
from stepgrad.compile.lower.specials import write_special
from stepgrad.compile.machine import Module, vector_bytes
from stepgrad.compile.memory import Buffer, Storage, plan_arena
from stepgrad.compile.program import Constant, Value
from stepgrad.compile.schedule import Cluster, Schedule, base_of


@dataclass
class Slot:
    """A leaf with memory of its own that the code reads and may write: an argument, a parameter, a state.

    `strides` in elements. `advance`: by how many elements its pointer moves on from one step of a run to the next.
    """

    name: str
    shape: tuple[int, ...]
    dtype: Any
    strides: tuple[int, ...]
    advance: int = 0


@dataclass
class Program:
    """A step: what it hands out (`outputs`), and what it writes where (`writes`: pairs of slot leaf and value)."""

    outputs: list[Value]
    writes: list[tuple[Value, Value]]
    builder: Any = field(repr=False, default=None)


class Native:
    """A compiled program. `run(pointers, steps)` runs it; `slots` says in which order pointers are expected."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.slots: list[Slot] = []
        self.storages: list[Storage] = []
        self._leaf_storage: dict[int, Storage] = {}
        self._constants: list[numpy.ndarray] = []
        self.schedule = Schedule([*program.outputs, *(v for _, v in program.writes)], program.writes)
        self._buffers: dict[Value, Buffer] = {}
        self._targets: dict[Cluster, list[tuple[Value, Buffer]]] = {}
        self.status = self._storage("status", "int64", 1)
        self.outputs = [self._storage("output", v.dtype, v.size) for v in program.outputs]
        self._place_values()
        self._lifetimes()
        scratch = [s for s in self.storages if s.kind == "scratch"]
        self.arena_bytes = plan_arena(scratch)
        self._packed: Storage | None = None
        self.kernels: list[Kernel] = []
        self.text = self._write()
        self.module = Module(self.text)
        self.run = self.module.function("run", ctypes.c_void_p, ctypes.c_int64)
        self._arena = _aligned(self.arena_bytes)
        self._packing_memory = _aligned(self._packed.size if self._packed else 0)
        self._status = numpy.zeros(1, "int64")

    # ---------------------------------------------------------------------------------- places

    def _storage(self, kind: str, dtype: Any, size: int, source: Any = None) -> Storage:
        storage = Storage(kind, dtype, size, source)
        storage.number = len(self.storages)
        self.storages.append(storage)
        return storage

    def locate(self, value: Value) -> Buffer:
        """Return where a value lies."""
        if value not in self._buffers:
            if value.kind == "view":
                self._buffers[value] = self.locate(value.inputs[0]).viewed(value)
            else:
                assert value.kind == "leaf", f"{value} has no place"
                self._buffers[value] = self._leaf(value)
        return self._buffers[value]

    def _leaf(self, value: Value) -> Buffer:
        leaf = value.attrs["leaf"]
        if isinstance(leaf, Constant):
            storage = self._storage("constant", value.dtype, value.size, leaf.array)
            return Buffer.contiguous(storage, value.shape)
        storage = self._storage("slot", value.dtype, value.size, leaf)
        self.slots.append(leaf)
        return Buffer(storage, value.shape, leaf.strides)

    def _place_values(self) -> None:
        """Give memory to every value that another cluster, the caller or a slot needs."""
        written: dict[Value, list[Buffer]] = {}
        for slot, value in self.program.writes:
            written.setdefault(value, []).append(self.locate(slot))
        for storage, value in zip(self.outputs, self.program.outputs):
            written.setdefault(value, []).append(Buffer.contiguous(storage, value.shape))
        needed, viewed = self._needed_elsewhere()
        for cluster in self.schedule.clusters:
            targets: list[tuple[Value, Buffer]] = []
            for member in cluster.members:
                buffers = written.get(member, [])
                is_plain = buffers and (member not in viewed or buffers[0].strides == Buffer.contiguous(
                    buffers[0].storage, member.shape).strides)  # fmt: skip
                if member in needed and not is_plain:
                    own = self._storage("scratch", member.dtype, member.size)
                    buffers = [Buffer.contiguous(own, member.shape), *buffers]
                if buffers:
                    self._buffers[member] = buffers[0]
                    targets += [(member, b) for b in buffers]
            self._targets[cluster] = targets

    def _needed_elsewhere(self) -> tuple[set[Value], set[Value]]:
        """Return the values that other clusters read, and of these the ones that are read through a view."""
        needed: set[Value] = set()
        viewed: set[Value] = set()
        for cluster in self.schedule.clusters:
            for member in cluster.members:
                for x in member.inputs:
                    source = base_of(x)
                    if source is not x:
                        viewed.add(source)
                    home = self.schedule.cluster_of(source)
                    if home is not None and (home is not cluster or source is not x):
                        needed.add(source)
                    if home is cluster and cluster.kind in ("special",):
                        needed.add(source)
        return needed, viewed

    def _lifetimes(self) -> None:
        for i, cluster in enumerate(self.schedule.clusters):
            task = self._task(cluster)
            for storage in task.storages():
                storage.first = i if storage.first < 0 else storage.first
                storage.last = i

    def _task(self, cluster: Cluster) -> Task:
        return Task(cluster, self.locate, self._targets[cluster], vector_bytes())

    def _packing(self, size: int) -> Storage:
        """Return memory that a kernel may use while it runs; the kernels share it."""
        if self._packed is None:
            self._packed = self._storage("packing", "uint8", 0)
        self._packed.size = max(self._packed.size, size)
        return self._packed

    # ------------------------------------------------------------------------------------ text

    def _write(self) -> str:
        w = Writer()
        for i, cluster in enumerate(self.schedule.clusters):
            task, name = self._task(cluster), f"k{i}_{cluster.kind}"
            if cluster.kind == "contract":
                kernel = write_product(w, name, task, self._packing)
            elif cluster.kind == "special":
                kernel = write_special(w, name, task, self.status)
            else:
                kernel = write_kernel(w, name, task)
            self.kernels.append(kernel)
        self._write_run(w)
        return w.module_text()

    def _write_run(self, w: Writer) -> None:
        """Write ``run(table, steps)``: load the pointers, then call every kernel for every step."""
        with w.function("run", ["ptr", "i64"], public=True) as (table, steps):
            pointers = [
                w.emit(f"load ptr, ptr {w.pointer(table, s.number, 'i64').text}, align 8", "ptr") for s in self.storages
            ]

            def step(index: Any, _: Any) -> list[Any]:
                here = list(pointers)
                for s in self.storages:
                    advance = s.source.advance if s.kind == "slot" else s.size if s.kind == "output" else 0
                    if advance:
                        from stepgrad.compile.lower.emit import element_of

                        here[s.number] = w.pointer(pointers[s.number], index * advance, element_of(s.dtype))
                for kernel in self.kernels:
                    bounds = [w.constant(0, "i64"), w.constant(kernel.units, "i64")]
                    w.call(kernel.name, [*(here[s.number] for s in kernel.storages), *bounds])
                return []

            w.loop(w.constant(0, "i64"), steps, 1, step)

    # ------------------------------------------------------------------------------------- run

    def table(self, slots: list[int], outputs: list[numpy.ndarray]) -> Any:
        """Return the table of pointers: for each slot the address of its memory, for each output an array to fill."""
        slot_address = dict(zip(map(id, self.slots), slots))
        output_address = dict(zip((s.number for s in self.outputs), (o.ctypes.data for o in outputs)))
        entries = []
        for s in self.storages:
            if s.kind == "slot":
                entries.append(slot_address[id(s.source)])
            elif s.kind == "constant":
                entries.append(s.source.ctypes.data)
            elif s.kind == "output":
                entries.append(output_address[s.number])
            elif s.kind == "packing":
                entries.append(self._packing_memory.ctypes.data)
            elif s.kind == "status":
                entries.append(self._status.ctypes.data)
            else:
                entries.append(self._arena.ctypes.data + s.offset)
        return (ctypes.c_void_p * len(entries))(*entries)

    def index_out_of_range(self) -> bool:
        """Return whether an index was out of range since the last time this was asked."""
        found = bool(self._status[0])
        self._status[0] = 0
        return found


def _aligned(size: int) -> numpy.ndarray:
    """Return zeroed bytes that start at a multiple of 64."""
    raw = numpy.zeros(size + 64, "uint8")
    start = -raw.ctypes.data % 64
    return raw[start : start + max(size, 1)]
