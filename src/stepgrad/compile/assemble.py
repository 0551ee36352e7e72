"""From a program to native code: where every value lives, a kernel for every cluster, and the function
that runs them.
"""

from __future__ import annotations

import ctypes
import time
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import Any

import numpy

from stepgrad.arrays.memory import aligned_zeros
from stepgrad.compile import denormal, threads
from stepgrad.compile.denormal import write_flushing
from stepgrad.compile.lower.emit import Writer
from stepgrad.compile.lower.kernels import Kernel, Task, write_kernel
from stepgrad.compile.lower.products import write_product
from stepgrad.compile.lower.recurrent import is_recurrent, write_recurrent
from stepgrad.compile.lower.register import element_of
from stepgrad.compile.lower.specials import write_special
from stepgrad.compile.machine import Module, vector_bytes
from stepgrad.compile.memory import Buffer, Storage, plan_arena
from stepgrad.compile.recompute import computed_again
from stepgrad.compile.schedule import Cluster, Schedule, base_of, uncopied, writes_without_conflict
from stepgrad.compile.threads import write_barrier, write_sharing
from stepgrad.compile.value import Constant, Value

_RUN = (ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p)


@dataclass
class Slot:
    """A leaf with memory of its own that the code reads and may write: an argument, a parameter, a state.

    `strides` in elements. `advance`: by how many elements its pointer moves on from one step of a run to
    the next.
    """

    name: str
    shape: tuple[int, ...]
    dtype: Any
    strides: tuple[int, ...]
    advance: int = 0


@dataclass
class Program:
    """A step: what it hands out (`outputs`), and what it writes where (`writes`: pairs of slot leaf and
    value).
    """

    outputs: list[Value]
    writes: list[tuple[Value, Value]]
    builder: Any = field(repr=False, default=None)


# So many kernels are called by one function.
MOST_CALLS = 64
# Below this many operations a kernel is not worth waking a second thread for.
SHARED_WORK = 60_000
# So many operations of a kernel a thread takes at a time, at least.
LEAST_WORK = 4e6
# Below this many operations a step is done sooner by one thread: what one thread wrote, another fetches from
# its cache, at some microseconds for each kernel.
WORK_FOR_THREADS = 25e6


class Native:
    """A compiled program. ``run(steps)`` runs it on the memory that `table` points to.

    `slots`: (entry of the table, slot) for each slot; `output_entries`: the entries of the outputs. The
    other entries are filled in already. `results`: the values that become the outputs, with the same elements
    in the same order. `clusters`: what each kernel computes. `seconds`: what its stages took.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        began = time.perf_counter()
        self.slots: list[tuple[int, Slot]] = []
        self.storages: list[Storage] = []
        self._constants: list[numpy.ndarray] = []
        self.results = [uncopied(v) for v in program.outputs]
        program.writes = writes_without_conflict(self.results, program.writes)
        schedule = Schedule([*self.results, *(v for _, v in program.writes)], program.writes)
        self.clusters = computed_again(schedule.clusters, self.results, program.writes)
        self._buffers: dict[Value, Buffer] = {}
        self._targets: dict[Cluster, list[tuple[Value, Buffer]]] = {}
        self.status = self._storage("status", "int64", 1)
        self._flushing = self._storage("mode", "int64", 1)
        self.outputs = [self._storage("output", v.dtype, v.size) for v in program.outputs]
        self._place_values()
        self._lifetimes()
        scratch = [s for s in self.storages if s.kind == "scratch"]
        self.arena_bytes = plan_arena(scratch)
        # Memory for what kernels pack while they run: one of each thread, one of all.
        self._packed: dict[bool, Storage] = {}
        self.kernels: list[Kernel] = []
        fused = time.perf_counter()
        self.text = self._write()
        written = time.perf_counter()
        self.module = Module(self.text)
        self.seconds = {
            "fusion": fused - began, "text": written - fused, "LLVM": time.perf_counter() - written,
        }  # fmt: skip
        self._run = self.module.function("run", *(_RUN if self._is_shared else _RUN[:2]))
        self._arena = aligned_zeros((self.arena_bytes,), "uint8")
        common = self._packed.get(True)
        self._common_memory = aligned_zeros((common.size if common else 0,), "uint8")
        self._status = numpy.zeros(1, "int64")
        self._meeting = numpy.zeros(threads.MEETING if self._is_shared else 0, "int64")
        self.output_entries = [s.number for s in self.outputs]
        self.table = (ctypes.c_void_p * len(self.storages))(*map(self._fixed_address, self.storages))
        self._table_address = ctypes.addressof(self.table)
        self._provide(1)

    @property
    def work(self) -> float:
        """A rough number of operations of a step."""
        return sum(kernel.work for kernel in self.kernels)

    def run(self, steps: int) -> None:
        """Run `steps` steps, on as many threads as pay."""
        if self._is_shared:
            count = threads.get_num_threads()
            if count > self._provided:
                self._provide(count)
            threads.run_together(self._run, self.table, steps, count, self._meeting.ctypes.data)
        else:
            self._run(self._table_address, steps)

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
        self.slots.append((storage.number, leaf))
        return Buffer(storage, value.shape, leaf.strides)

    def _place_values(self) -> None:
        """Give memory to every value that another cluster, the caller or a slot needs."""
        written: dict[Value, list[Buffer]] = {}
        for slot, value in self.program.writes:
            written.setdefault(value, []).append(self.locate(slot))
        for storage, value in zip(self.outputs, self.results):
            written.setdefault(value, []).append(Buffer.contiguous(storage, value.shape))
        needed, viewed = self._needed_elsewhere()
        for cluster in self.clusters:
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
        for cluster in self.clusters:
            inside = set(cluster.members)
            for member in cluster.members:
                for x in member.inputs:
                    source = base_of(x)
                    if source is not x:
                        viewed.add(source)
                    if source is not x or x not in inside:
                        needed.add(source)
        return needed, viewed

    def _lifetimes(self) -> None:
        for i, cluster in enumerate(self.clusters):
            task = self._task(cluster)
            for storage in task.storages():
                storage.first = i if storage.first < 0 else storage.first
                storage.last = i

    def _task(self, cluster: Cluster) -> Task:
        return Task(cluster, self.locate, self._targets[cluster], vector_bytes())

    def _packing(self, size: int, is_common: bool = False) -> Storage:
        """Return memory that a kernel may use while it runs, each thread its own or all the same; the kernels
        share it.
        """
        if is_common not in self._packed:
            self._packed[is_common] = self._storage("packing", "uint8", 0)
        self._packed[is_common].size = max(self._packed[is_common].size, size)
        return self._packed[is_common]

    # ------------------------------------------------------------------------------------ text

    def _write(self) -> str:
        w = Writer()
        for i, cluster in enumerate(self.clusters):
            task, name = self._task(cluster).from_starts(), f"k{i}_{cluster.kind}"
            if cluster.kind == "contract":
                kernel = write_product(w, name, task, self._packing)
            elif is_recurrent(cluster):
                kernel = write_recurrent(w, name, task, self._packing)
            elif cluster.kind == "special":
                kernel = write_special(w, name, task, self.status)
            else:
                kernel = write_kernel(w, name, task)
            for each in filter(None, (kernel.before, kernel)):
                each.starts = task.starts
                each.is_shared = each.units > 1 and each.work >= SHARED_WORK
            if kernel.before is not None and kernel.before.is_private:
                kernel.before.is_shared = kernel.is_shared
            self.kernels.append(kernel)
        self._is_shared = self.work >= WORK_FOR_THREADS and any(k.is_shared for k in self.kernels)
        self._write_run(w)
        return w.module_text()

    def _write_run(self, w: Writer) -> None:
        """Write ``run(table, steps, thread, threads, meeting)``: for every step, call every kernel.

        Every thread runs it. The parts of a shared kernel are done by whoever is free; the other kernels
        are run by thread 0. Between kernels of which one is shared, the threads wait for each other.
        Without a shared kernel there is one thread, and ``run(table, steps)``. Some kernels at a time are
        called by a function of their own, since the time that LLVM needs for one grows with the square of
        its length.
        """
        if self._is_shared:
            write_barrier(w)
        kinds = ["ptr", "i64", "i64", "i64", "ptr"] if self._is_shared else ["ptr", "i64"]
        called = [each for kernel in self.kernels for each in (kernel.before, kernel) if each is not None]
        groups = [called[i : i + MOST_CALLS] for i in range(0, len(called), MOST_CALLS)]
        for number, kernels in enumerate(groups):
            with w.function(f"calls{number}", kinds, plain=True) as (table, index, *threads):
                self._write_calls(w, kernels, table, index, threads)
        with w.function("run", kinds, public=True, plain=True) as (table, steps, *threads):

            def step(index: Any, _: Any) -> None:
                for number in range(len(groups)):
                    w.call(f"calls{number}", [table, index, *threads])

            mode = w.load(w.pointer(table, self._flushing.number, "i64"), "ptr")
            write_flushing(w, mode, lambda: w.loop(w.constant(0, "i64"), steps, 1, step))

    def _write_calls(
        self, w: Writer, kernels: list[Kernel], table: Any, index: Any, threads: list[Any]
    ) -> None:
        """Write the calls of some kernels for one step; `threads`: this one, how many there are, and where
        they meet.
        """

        def call(kernel: Kernel, begin: Any, end: Any) -> None:
            places = [self._place(w, kernel, s, table, index, threads) for s in kernel.storages]
            w.call(kernel.name, [*places, begin, end])

        def alone(kernels: list[Kernel]) -> None:
            for kernel in kernels:
                call(kernel, w.constant(0, "i64"), w.constant(kernel.units, "i64"))

        if not self._is_shared:
            alone(kernels)
            return
        thread, count, meeting = threads
        for shared, group in groupby(kernels, key=lambda kernel: kernel.is_shared):
            together = list(group)
            if shared:
                for kernel in together:
                    if kernel.is_private:
                        call(kernel, w.constant(0, "i64"), w.constant(kernel.units, "i64"))
                        continue
                    at_least = kernel.units * LEAST_WORK / kernel.work
                    grain = -int(-at_least // kernel.grain) * kernel.grain
                    write_sharing(w, kernel.units, grain, thread, count, meeting, partial(call, kernel))
                    w.call("meet", [meeting, count])
            else:
                w.when(thread == 0, partial(alone, together))
                w.call("meet", [meeting, count])

    def _place(
        self, w: Writer, kernel: Kernel, s: Storage, table: Any, index: Any, threads: list[Any]
    ) -> Any:
        """Return the address that a kernel gets for a storage.

        It is loaded for each call: held in registers, of which there are few, it would be stored and loaded
        as well, and LLVM would spend its time on who gets one.
        """
        at = w.load(w.pointer(table, s.number, "i64"), "ptr")
        if s is self._packed.get(False):
            return w.pointer(at, threads[0] * _rounded(s.size), "i8") if self._is_shared else at
        advance = s.source.advance if s.kind == "slot" else s.size if s.kind == "output" else 0
        if advance:
            at = w.pointer(at, index * advance if advance > 1 else index, element_of(s.dtype))
        return w.pointer(at, kernel.starts.get(s, 0), element_of(s.dtype))

    # ------------------------------------------------------------------------------------- run

    def _fixed_address(self, storage: Storage) -> int:
        """Return the address of a storage that stays where it is; 0 for slots and outputs."""
        if storage.kind == "constant":
            return storage.source.ctypes.data
        if storage.kind == "packing":
            return self._common_memory.ctypes.data
        if storage.kind == "status":
            return self._status.ctypes.data
        if storage.kind == "mode":
            return denormal.MODES[bool(self.program.writes) :].ctypes.data
        return self._arena.ctypes.data + storage.offset if storage.kind == "scratch" else 0

    def _provide(self, count: int) -> None:
        """Let so many threads have memory of their own, in which they pack."""
        self._provided = count
        if own := self._packed.get(False):
            self._own_memory = aligned_zeros((_rounded(own.size) * count,), "uint8")
            self.table[own.number] = self._own_memory.ctypes.data

    def index_out_of_range(self) -> bool:
        """Return whether an index was out of range since the last time this was asked."""
        if not self._status[0]:
            return False
        self._status[0] = 0
        return True


def _rounded(size: int) -> int:
    """Return a number of bytes as whole lines of the cache."""
    return -(-size // 64) * 64
