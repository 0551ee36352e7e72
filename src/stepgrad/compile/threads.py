"""Threads: how several of them run one step together.

Each thread runs the same native function. Large kernels are cut into parts of which each thread has its
share; who is done takes parts that are left of the others' shares, since another program may have the CPU
of one of them for a while. Where a kernel needs what another thread made, they meet at a barrier. A part is
a set of result elements, never a piece of a sum, so the bits depend neither on the number of threads nor on
who does what.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from operator import call
from queue import Empty, SimpleQueue
from typing import Any

from stepgrad.compile.lower.emit import Writer
from stepgrad.compile.lower.register import Register
from stepgrad.errors import ArgumentError

MOST = 64
# Where threads meet: integers of 64 bits, each in a line of the cache of its own, so that those who wait do
# not disturb those who come. How many have come; how often they have met; what is taken of each one's share.
_LINE = 8
_TURN, _TAKEN = _LINE, 2 * _LINE
MEETING = _TAKEN + MOST * _LINE
_number: int | None = None
_helpers: list[_Helper] = []
_in_use = threading.Lock()


def get_num_threads() -> int:
    """Return how many threads a compiled step may use: the CPUs of this process unless `set_num_threads`
    was called.

    >>> import stepgrad as sg
    >>> sg.get_num_threads() >= 1
    True
    """
    if _number is not None:
        return _number
    if text := os.environ.get("STEPGRAD_NUM_THREADS"):
        return _checked(text)
    return min(
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, MOST
    )


def set_num_threads(number: int) -> None:
    """Let compiled steps use `number` threads, 1 … 64. The results do not depend on it.

    >>> import stepgrad as sg
    >>> before = sg.get_num_threads()
    >>> sg.set_num_threads(1)
    >>> sg.get_num_threads()
    1
    >>> sg.set_num_threads(before)
    """
    global _number
    _number = _checked(number)


def _checked(number: Any) -> int:
    try:
        value = int(number)
    except ValueError:
        value = 0
    if not 1 <= value <= MOST:
        raise ArgumentError(f"the number of threads lies between 1 and {MOST}, not {number!r}.")
    return value


def write_barrier(w: Writer) -> None:
    """Write ``meet(meeting, count)``: return when `count` threads have come.

    The last one lets all shares begin anew. Waiting spins, since the parts of a kernel end within
    microseconds of each other.
    """
    w.raw(
        """define internal void @meet(ptr %m, i64 %count) nounwind {
entry:
  %turn = getelementptr i64, ptr %m, i64 TURN
  %before = load atomic i64, ptr %turn monotonic, align 8
  %came = atomicrmw add ptr %m, i64 1 acq_rel
  %last = sub i64 %count, 1
  %is_last = icmp eq i64 %came, %last
  br i1 %is_last, label %reset, label %wait
reset:
  %thread = phi i64 [ 0, %entry ], [ %following, %reset ]
  %lines = mul i64 %thread, LINE
  %place = add i64 %lines, TAKEN
  %taken = getelementptr i64, ptr %m, i64 %place
  store atomic i64 0, ptr %taken monotonic, align 8
  %following = add i64 %thread, 1
  %others = icmp ult i64 %following, %count
  br i1 %others, label %reset, label %open
open:
  store atomic i64 0, ptr %m monotonic, align 8
  %next = add i64 %before, 1
  store atomic i64 %next, ptr %turn release, align 8
  br label %done
wait:
  %spins = phi i64 [ 0, %entry ], [ %more, %again ]
  %now = load atomic i64, ptr %turn acquire, align 8
  %same = icmp eq i64 %now, %before
  br i1 %same, label %longer, label %done
longer:
  %more = add i64 %spins, 1
  %many = icmp ugt i64 %more, 4000
  br i1 %many, label %rest, label %again
rest:
  YIELD
  br label %again
again:
  br label %wait
done:
  ret void
}""".replace("YIELD", "call i32 @sched_yield()" if hasattr(os, "sched_yield") else "")
        .replace("TURN", str(_TURN))
        .replace("TAKEN", str(_TAKEN))
        .replace("LINE", str(_LINE))
    )
    if hasattr(os, "sched_yield"):
        # Another program may have the CPU of the thread that is waited for.
        w.declare("sched_yield", "declare i32 @sched_yield()")


def write_sharing(
    w: Writer, units: int, grain: int, thread: Register, count: Register, meeting: Register,
    body: Callable[[Register, Register], None],
) -> None:  # fmt: skip
    """Write a loop in which a thread does ``body(begin, end)`` for its share of `units`, `grain` of them at a
    time, and then what is left of the others' shares, beginning with its neighbour's.

    Cuts are at multiples of `grain`, and where a share ends.
    """

    def share(step: Register, _: list[Register]) -> None:
        number = thread + step
        whose = w.select(number < count, number, number - count)
        first, last = (w.quotient(x * units, count) for x in (whose, whose + 1))
        taken = w.pointer(meeting, whose * _LINE + _TAKEN, "i64")
        start = w.quotient(first, w.constant(grain, "i64"))

        def part() -> Register:
            turn = w.emit_here(f"atomicrmw add ptr {taken.text}, i64 1 monotonic", "i64")
            begin = (start + turn) * grain
            end = begin + grain
            is_left = begin < last

            def work() -> None:
                body(w.select(begin < first, first, begin), w.least(end, last))

            w.when(is_left, work)
            return is_left

        w.repeat(part)

    w.loop(w.constant(0, "i64"), count, 1, share)


class _Helper:
    """A thread that waits for work."""

    def __init__(self, number: int) -> None:
        # What to call, and where to say that it is done.
        self.work: SimpleQueue[tuple[Callable[[], Any], SimpleQueue[None]]] = SimpleQueue()
        thread = threading.Thread(target=self._serve, name=f"stepgrad-{number}", daemon=True)
        thread.start()

    def _serve(self) -> None:
        while True:
            function, done = self.work.get()
            function()
            done.put(None)


def run_together(function: Callable[..., Any], table: Any, steps: int, count: int, meeting: int) -> None:
    """Call ``function(table, steps, thread, count, meeting)`` on `count` threads, this one among them.

    `meeting`: the address of `MEETING` integers of 64 bits, 0 at first, which no other run uses meanwhile.
    """
    if count == 1 or not _in_use.acquire(blocking=False):
        # Another thread of the program has the helpers: this run is done alone, with the same result.
        function(table, steps, 0, 1, meeting)
        return
    try:
        while len(_helpers) < count - 1:
            _helpers.append(_Helper(len(_helpers) + 1))
        helpers = _helpers[: count - 1]
        own, *theirs = (partial(function, table, steps, n, count, meeting) for n in range(count))
        done: SimpleQueue[None] = SimpleQueue()
        begun = [partial(h.work.put, (f, done)) for h, f in zip(helpers, theirs, strict=True)]
        # All in one instruction of Python: a signal's handler that raised between two threads' beginning
        # would leave one of them waiting for the others, in memory that is soon someone else's.
        deque(map(call, [*begun, own]), maxlen=0)
        for _ in helpers:
            done.get()
    finally:
        _in_use.release()


def each(function: Callable[[Any], Any], items: list[Any]) -> list[Any]:
    """Return ``[function(x) for x in items]``, computed on as many threads as there may be.

    For functions that release the GIL. An exception of one is raised when all are done.
    """
    results: list[Any] = [None] * len(items)
    errors: list[BaseException] = []
    waiting: SimpleQueue[int] = SimpleQueue()
    for number in range(len(items)):
        waiting.put(number)

    def work() -> None:
        while True:
            try:
                number = waiting.get_nowait()
            except Empty:
                return
            try:
                results[number] = function(items[number])
            except BaseException as error:
                errors.append(error)

    helpers = [threading.Thread(target=work) for _ in range(min(get_num_threads(), len(items)) - 1)]
    for helper in helpers:
        helper.start()
    work()
    for helper in helpers:
        helper.join()
    if errors:
        raise errors[0]
    return results


def forget_helpers() -> None:
    """Forget the helper threads: after a fork they are not there."""
    global _in_use
    _helpers.clear()
    _in_use = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_helpers)
