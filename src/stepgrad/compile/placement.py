"""Placement: where every value of a step lives."""

from __future__ import annotations

from typing import Any

from stepgrad.compile.lower.kernel import Task
from stepgrad.compile.machine import vector_bytes
from stepgrad.compile.memory import Buffer, Slot, Storage, plan_arena
from stepgrad.compile.program.builder import Program
from stepgrad.compile.program.strides import row_major
from stepgrad.compile.program.value import Constant, Value, base_of
from stepgrad.compile.schedule import Cluster


class Placement:
    """The storages of a step, by their numbers in the table that its code gets, and what lies in them.

    `results`: the values that become the program's outputs; `clusters`: what each kernel computes. `slots`:
    (entry of the table, slot) for each slot. `targets`: for each cluster, which of its members are stored,
    and where. `arena_bytes`: the size of the arena in which the scratch storages lie. `packed`: memory for
    what kernels pack while they run, one of each thread (False) and one of all (True), where they need it.
    """

    def __init__(self, program: Program, results: list[Value], clusters: list[Cluster]) -> None:
        self.storages: list[Storage] = []
        self.slots: list[tuple[int, Slot]] = []
        self._buffers: dict[Value, Buffer] = {}
        self.status = self._storage("status", "int64", 1)
        self.mode = self._storage("mode", "int64", 1)
        self.outputs = [self._storage("output", v.dtype, v.size) for v in program.outputs]
        self.targets: dict[Cluster, list[tuple[Value, Buffer]]] = {}
        self._place_values(program, results, clusters)
        self._set_lifetimes(clusters)
        self.arena_bytes = plan_arena([s for s in self.storages if s.kind == "scratch"])
        self.packed: dict[bool, Storage] = {}

    def task(self, cluster: Cluster) -> Task:
        """Return what the writer of a cluster's kernel needs to know."""
        return Task(cluster, self.locate, self.targets[cluster], vector_bytes())

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
        self.slots.append((storage.number, leaf))
        return Buffer(storage, value.shape, leaf.strides)

    def _place_values(self, program: Program, results: list[Value], clusters: list[Cluster]) -> None:
        """Give memory to every value that another cluster, the caller or a slot needs."""
        written: dict[Value, list[Buffer]] = {}
        for slot, value in program.writes:
            written.setdefault(value, []).append(self.locate(slot))
        for storage, value in zip(self.outputs, results):
            written.setdefault(value, []).append(Buffer.contiguous(storage, value.shape))
        needed, viewed = _needed_elsewhere(clusters)
        for cluster in clusters:
            targets: list[tuple[Value, Buffer]] = []
            for member in cluster.members:
                buffers = written.get(member, [])
                is_plain = buffers and (member not in viewed or buffers[0].strides == row_major(member.shape))
                if member in needed and not is_plain:
                    own = self._storage("scratch", member.dtype, member.size)
                    buffers = [Buffer.contiguous(own, member.shape), *buffers]
                if buffers:
                    self._buffers[member] = buffers[0]
                    targets += [(member, b) for b in buffers]
            self.targets[cluster] = targets

    def _set_lifetimes(self, clusters: list[Cluster]) -> None:
        for i, cluster in enumerate(clusters):
            for storage in self.task(cluster).storages():
                storage.first = i if storage.first < 0 else storage.first
                storage.last = i

    def packing(self, size: int, is_common: bool) -> Storage:
        """Return memory that a kernel may use while it runs, each thread its own or all the same; the kernels
        share it.
        """
        if is_common not in self.packed:
            self.packed[is_common] = self._storage("packing", "uint8", 0)
        self.packed[is_common].size = max(self.packed[is_common].size, size)
        return self.packed[is_common]


def _needed_elsewhere(clusters: list[Cluster]) -> tuple[set[Value], set[Value]]:
    """Return the values that other clusters read, and of these the ones that are read through a view."""
    needed: set[Value] = set()
    viewed: set[Value] = set()
    for cluster in clusters:
        inside = set(cluster.members)
        for member in cluster.members:
            for x in member.inputs:
                source = base_of(x)
                if source is not x:
                    viewed.add(source)
                if source is not x or x not in inside:
                    needed.add(source)
    return needed, viewed
