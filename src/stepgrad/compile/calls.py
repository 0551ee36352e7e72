"""The function of a step: it calls one kernel after the other, on one thread or on several."""

from __future__ import annotations

from functools import partial
from itertools import groupby

from stepgrad.compile.denormal import write_flushing
from stepgrad.compile.lower.emit import Writer
from stepgrad.compile.lower.kernel import Kernel
from stepgrad.compile.lower.register import Register, element_of
from stepgrad.compile.memory import Storage, whole_lines
from stepgrad.compile.placement import Placement
from stepgrad.compile.threads import write_barrier, write_sharing

# So many kernels are called by one function.
MOST_CALLS = 64
# So many operations of a kernel a thread takes at a time, at least.
LEAST_WORK = 4e6


def write_run(w: Writer, kernels: list[Kernel], placement: Placement, is_shared: bool) -> None:
    """Write ``run(table, steps)`` or, if threads share kernels, ``run(table, steps, thread, threads,
    meeting)``: for every step, call every kernel.

    Every thread runs it. The parts of a shared kernel are done by whoever is free; the other kernels
    are run by thread 0. Between kernels of which one is shared, the threads wait for each other. Some
    kernels at a time are called by a function of their own, since the time that LLVM needs for one grows
    with the square of its length.
    """
    calls = _Calls(w, placement, is_shared)
    if is_shared:
        write_barrier(w)
    kinds = ["ptr", "i64", "i64", "i64", "ptr"] if is_shared else ["ptr", "i64"]
    called = [call for kernel in kernels for call in _called(kernel)]
    groups = [called[i : i + MOST_CALLS] for i in range(0, len(called), MOST_CALLS)]
    for number, group in enumerate(groups):
        with w.function(f"calls{number}", kinds, plain=True) as (table, index, *threads):
            calls.write(group, table, index, threads)
    with w.function("run", kinds, public=True, plain=True) as (table, steps, *threads):

        def step(index: Register, _: list[Register]) -> None:
            for number in range(len(groups)):
                w.call(f"calls{number}", [table, index, *threads])

        mode = w.load(w.pointer(table, placement.mode.number, "i64"), "ptr")
        write_flushing(w, mode, lambda: w.loop(w.constant(0, "i64"), steps, 1, step))


def _called(kernel: Kernel) -> list[tuple[Kernel, bool]]:
    """Return a kernel and the one before it, each with whether all threads come to it."""
    if kernel.before is None:
        return [(kernel, kernel.is_shared)]
    is_for_all = kernel.is_shared if kernel.before.is_private else kernel.before.is_shared
    return [(kernel.before, is_for_all), (kernel, kernel.is_shared)]


class _Calls:
    """Writes calls of kernels."""

    def __init__(self, w: Writer, placement: Placement, is_shared: bool) -> None:
        self.w, self.is_shared, self.own = w, is_shared, placement.packed.get(False)

    def write(
        self, called: list[tuple[Kernel, bool]], table: Register, index: Register, threads: list[Register]
    ) -> None:
        """Write the calls of some kernels for one step; `threads`: this one, how many there are, and where
        they meet.
        """
        w = self.w

        def call(kernel: Kernel, begin: Register, end: Register) -> None:
            places = [self._place(kernel, s, table, index, threads) for s in kernel.storages]
            w.call(kernel.name, [*places, begin, end])

        def whole(kernels: list[Kernel]) -> None:
            for kernel in kernels:
                call(kernel, w.constant(0, "i64"), w.constant(kernel.units, "i64"))

        if not self.is_shared:
            whole([kernel for kernel, _ in called])
            return
        thread, count, meeting = threads
        for is_for_all, group in groupby(called, key=lambda pair: pair[1]):
            kernels = [kernel for kernel, _ in group]
            if not is_for_all:
                w.when(thread == 0, partial(whole, kernels))
                w.call("meet", [meeting, count])
                continue
            for kernel in kernels:
                if kernel.is_private:
                    whole([kernel])
                    continue
                at_least = kernel.units * LEAST_WORK / kernel.work
                grain = -int(-at_least // kernel.grain) * kernel.grain
                write_sharing(w, kernel.units, grain, thread, count, meeting, partial(call, kernel))
                w.call("meet", [meeting, count])

    def _place(
        self, kernel: Kernel, storage: Storage, table: Register, index: Register, threads: list[Register]
    ) -> Register:
        """Return the address that a kernel gets for a storage.

        It is loaded for each call: held in registers, of which there are few, it would be stored and loaded
        as well, and LLVM would spend its time on who gets one.
        """
        w, s, element = self.w, storage, element_of(storage.dtype)
        at = w.load(w.pointer(table, s.number, "i64"), "ptr")
        if s is self.own:
            return w.pointer(at, threads[0] * whole_lines(s.size), "i8") if self.is_shared else at
        advance = s.source.advance if s.kind == "slot" else s.size if s.kind == "output" else 0
        if advance:
            at = w.pointer(at, index * advance if advance > 1 else index, element)
        return w.pointer(at, kernel.starts.get(s, 0), element)
