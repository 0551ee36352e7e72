"""From a program to native code: where every value lives, a kernel for every cluster, and the function
that runs them.
"""

from __future__ import annotations

import ctypes
import time

import numpy

from stepgrad.arrays.memory import aligned_zeros
from stepgrad.compile import denormal, threads
from stepgrad.compile.calls import write_run
from stepgrad.compile.lower.elementwise import write_elementwise
from stepgrad.compile.lower.emit import Writer
from stepgrad.compile.lower.kernel import Kernel, Task
from stepgrad.compile.lower.products.product import write_product
from stepgrad.compile.lower.recurrent import is_recurrent, write_recurrent
from stepgrad.compile.lower.reductions import write_reduction
from stepgrad.compile.lower.specials import write_special
from stepgrad.compile.machine import Module
from stepgrad.compile.memory import Storage, whole_lines
from stepgrad.compile.placement import Placement
from stepgrad.compile.program.builder import Program
from stepgrad.compile.recompute import computed_again
from stepgrad.compile.schedule import Schedule, uncopied, writes_without_conflict

_RUN = (ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p)
# Below this many operations a step is done sooner by one thread: what one thread wrote, another fetches from
# its cache, at some microseconds for each kernel.
WORK_FOR_THREADS = 25e6


class Native:
    """A compiled program. ``run(steps)`` runs it on the memory that `table` points to.

    `output_entries`: the entries of the outputs, which the caller fills in, as those of the slots. The others
    are filled in already. `results`: the values that become the outputs, with the same elements
    in the same order. `clusters`: what each kernel computes. `seconds`: what its stages took.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        began = time.perf_counter()
        self.results = [uncopied(v) for v in program.outputs]
        program.writes = writes_without_conflict(self.results, program.writes)
        schedule = Schedule([*self.results, *(v for _, v in program.writes)], program.writes)
        self.clusters = computed_again(schedule.clusters, self.results, program.writes)
        self.placement = Placement(program, self.results, self.clusters)
        self.kernels: list[Kernel] = []
        fused = time.perf_counter()
        self.text = self._write()
        written = time.perf_counter()
        self.module = Module(self.text)
        self.seconds = {
            "fusion": fused - began, "text": written - fused, "LLVM": time.perf_counter() - written,
        }  # fmt: skip
        self._run = self.module.function("run", *(_RUN if self._is_shared else _RUN[:2]))
        self._arena = aligned_zeros((self.placement.arena_bytes,), "uint8")
        common = self.placement.packed.get(True)
        self._common_memory = aligned_zeros((common.size if common else 0,), "uint8")
        self._status = numpy.zeros(1, "int64")
        self._meeting = numpy.zeros(threads.MEETING if self._is_shared else 0, "int64")
        self.output_entries = [s.number for s in self.placement.outputs]
        storages = self.placement.storages
        self.table = (ctypes.c_void_p * len(storages))(*map(self._fixed_address, storages))
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

    def _write(self) -> str:
        w = Writer()
        for i, cluster in enumerate(self.clusters):
            task, name = self.placement.task(cluster).from_starts(), f"k{i}_{cluster.kind}"
            self.kernels.append(self._write_kernel(w, name, task))
        self._is_shared = self.work >= WORK_FOR_THREADS and any(k.is_shared for k in self.kernels)
        write_run(w, self.kernels, self.placement, self._is_shared)
        return w.module_text()

    def _write_kernel(self, w: Writer, name: str, task: Task) -> Kernel:
        if task.cluster.kind == "map":
            return write_elementwise(w, name, task)
        if task.cluster.kind == "reduce":
            return write_reduction(w, name, task)
        if task.cluster.kind == "contract":
            return write_product(w, name, task, self.placement.packing)
        if is_recurrent(task.cluster):
            return write_recurrent(w, name, task, self.placement.packing)
        return write_special(w, name, task, self.placement.status)

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
        if own := self.placement.packed.get(False):
            self._own_memory = aligned_zeros((whole_lines(own.size) * count,), "uint8")
            self.table[own.number] = self._own_memory.ctypes.data

    def index_out_of_range(self) -> bool:
        """Return whether an index was out of range since the last time this was asked."""
        if not self._status[0]:
            return False
        self._status[0] = 0
        return True
