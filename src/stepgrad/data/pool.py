"""The parent's side of worker processes: start them, give them work, notice trouble, end them.

Worker processes are fresh interpreters, not forks. A fork copies one thread of a process that has many (BLAS,
polars, a notebook) together with the locks that the others hold, and so may hang; it cannot use a GPU that
the parent uses. A fresh interpreter has neither problem and is the same on Linux and macOS. `multiprocessing`
would start one too, but runs the main program in it every time; here that happens only for a dataset that the
main program itself defines. The price is a dataset that can be pickled, and some tenths of a second for each
start, which ``persistent_workers=True`` pays once.

Each worker is in a process group of its own, where Ctrl-C in the terminal does not reach it.
"""

from __future__ import annotations

import io
import json
import os
import select
import signal
import socket
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from stepgrad.data import worker
from stepgrad.data.fetch import Recipe, Task, describe_place
from stepgrad.data.transport import main_program, nameless_file, read_frame, write_frame
from stepgrad.errors import ArgumentError, WorkerError
from stepgrad.names import aliases

if TYPE_CHECKING:
    from subprocess import Popen

STOPPED_LIMIT = 10.0
"""Seconds for which a worker may stand stopped by a signal before that is an error, if no `timeout` is given.
Only a process that the system reports as stopped counts, so a dataset may take any time for a sample. (Linux
reports it, macOS to Python 3.13 and newer.)"""
START_LIMIT = 60.0
"""Seconds that a worker may take to get ready on top of a `timeout`, which is meant for batches."""
_GRACE = 2.0  # seconds that a worker has to end by itself
_SLICE = 0.25  # seconds between two looks at a silent worker
_PROGRAM = (
    "import json, sys; sys.path[:], launch = json.loads(sys.argv[1]); "
    "from stepgrad.data.worker import main; main(launch)"
)
# Asks Linux to kill the process when the thread that started it ends. That reaches also a worker that is
# stopped, or in C code that keeps the interpreter's lock. It comes first, since importing takes a while, and
# only where the main thread starts the worker: other threads end early. In any case a worker watches its
# parent itself.
_DIE_WITH_PARENT = """
try:
    import ctypes
    ctypes.CDLL(None).prctl(1, 9)
except ImportError:
    pass
"""


class Worker:
    """One worker process as its parent sees it."""

    def __init__(self, number: int, process: Popen[bytes], channel: socket.socket) -> None:
        self.number, self.process, self.channel = number, process, channel
        self.ready = False
        self.silent = False  # its end of the channel is closed
        self.stopped_for = 0.0

    def is_stopped(self) -> bool:
        """Return whether a signal has stopped the process, as far as the system tells."""
        if not hasattr(os, "waitid"):
            return False
        look = os.WSTOPPED | os.WNOHANG | os.WNOWAIT
        try:
            return os.waitid(os.P_PID, self.process.pid, look) is not None
        except ChildProcessError:
            return False

    def order(self, slot: int) -> None:
        """Tell the worker that `slot` holds a task, or to stop."""
        try:
            self.channel.sendall(worker.ORDER.pack(slot))
        except OSError:
            self.silent = True  # it is gone, which is said when something is expected of it


class Pool:
    """The W worker processes of one loader. Batches come in order; batch b is the work of worker b mod W."""

    def __init__(
        self, recipe: Recipe, num_workers: int, prefetch_factor: int, timeout: float, worker_init_fn: Any
    ) -> None:
        if worker.main_is_running:
            raise ArgumentError(
                "a DataLoader with worker processes cannot be used while a worker imports the main program. "
                'Put what the program does, except for definitions, under: if __name__ == "__main__":'
            )
        self.recipe, self.timeout = recipe, timeout
        self.workers: list[Worker] = []
        self.slots: list[io.FileIO] = []
        # Runs when the pool is no longer used or the program ends, and never twice.
        self._owner = os.getpid()
        self._finalizer = weakref.finalize(self, _end, self.workers, self.slots, self._owner)
        self._replies: dict[int, int] = {}  # by slot, what the workers answered and nobody took in yet
        self._busy: set[int] = set()  # slots that a worker is to answer
        self._poll = select.poll()
        try:
            with nameless_file() as board, nameless_file() as setup:
                board.truncate(8 * (1 + num_workers))
                self.board = worker.open_board(board.fileno())
                self.board[1:] = -1
                self.slots += [nameless_file() for _ in range(num_workers * prefetch_factor)]
                _write_setup(setup, worker.Setup(recipe, worker_init_fn))
                for number in range(num_workers):
                    self._start(number, num_workers, board, setup)
        except OSError as error:
            self._finalizer()
            raise WorkerError(f"{num_workers} worker processes cannot be started: {error}.") from error
        except BaseException:
            self._finalizer()
            raise

    def _start(self, number: int, num_workers: int, board: io.FileIO, setup: io.FileIO) -> None:
        from subprocess import DEVNULL, Popen

        ours, theirs = socket.socketpair()
        with theirs:
            slots = [file.fileno() for file in self.slots[number::num_workers]]
            launch = worker.Launch(
                number, num_workers, os.getpid(),
                theirs.fileno(), board.fileno(), setup.fileno(), slots, *main_program(), sys.argv, aliases(),
            )  # fmt: skip
            given = json.dumps([list(map(str, sys.path)), launch])
            in_main = threading.current_thread() is threading.main_thread()
            program = (_DIE_WITH_PARENT if in_main and sys.platform == "linux" else "") + _PROGRAM
            process = Popen(
                [sys.executable, *_interpreter_options(), "-P", "-c", program, given], stdin=DEVNULL,
                pass_fds=[launch.channel, launch.board, launch.setup, *slots], process_group=0,
            )  # fmt: skip
        self.workers.append(Worker(number, process, ours))
        self._poll.register(ours, select.POLLIN)

    def batches(self, tasks: Iterator[Task]) -> Iterator[Any]:
        """Yield the batches of `tasks`, which are numbered without gaps."""
        try:
            run = self._begin_run()
            for batch in self._run(tasks):
                yield batch
                if self.board[0] != run:
                    break
            else:
                return
        except GeneratorExit:
            raise  # given up between two batches: the workers may be used again
        except BaseException:
            self.close()
            raise
        raise ArgumentError(
            "the workers of this iterator went over to a newer iterator of the same DataLoader. "
            "Finish one before you begin the next, or use persistent_workers=False."
        )

    def _begin_run(self) -> int:
        """Wait until an abandoned run has freed its slots; return the number of the new run."""
        self.board[0] += 1
        for slot in sorted(self._busy):
            self._wait_for(slot, None)
        return int(self.board[0])

    def _run(self, tasks: Iterator[Task]) -> Iterator[Any]:
        under_way: deque[Task] = deque()
        ended: set[int] = set()
        for task in tasks:
            received: list[Any] = []
            # A batch uses the slot of the batch that is one round of all slots earlier.
            while under_way and task.batch - under_way[0].batch >= len(self.slots):
                received += self._receive(under_way.popleft(), ended)
            if task.batch % len(self.workers) not in ended:
                self._send(task)
                under_way.append(task)
            yield from received
            if len(ended) == len(self.workers):
                break
        while under_way:
            yield from self._receive(under_way.popleft(), ended)

    def _send(self, task: Task) -> None:
        slot = task.batch % len(self.slots)
        write_frame(self.slots[slot], (int(self.board[0]), task))
        self._busy.add(slot)
        self.workers[slot % len(self.workers)].order(slot // len(self.workers))

    def _receive(self, task: Task, ended: set[int]) -> list[Any]:
        """Wait for a batch and return it in a list, which is empty if the worker's dataset has ended."""
        slot = task.batch % len(self.slots)
        reply = self._wait_for(slot, task)
        if reply == worker.ENDED:
            ended.add(slot % len(self.workers))
            return []
        try:
            content = read_frame(self.slots[slot])
        except Exception as error:
            where = describe_place(self.recipe, task, -1)
            raise WorkerError(
                f"{where} came from a worker, but cannot be read: {type(error).__name__}: {error}"
            ) from error
        if reply == worker.RAISED:
            raise self._report(self.workers[slot % len(self.workers)], task, content)
        return [content]

    def _wait_for(self, slot: int, task: Task | None) -> int:
        who = self.workers[slot % len(self.workers)]
        waited, was_ready = 0.0, who.ready
        while slot not in self._replies:
            began = time.monotonic()
            self._listen()
            # If all processes stood still for a while, as when a container is paused, that does not count.
            passed = min(time.monotonic() - began, 2 * _SLICE)
            waited = waited + passed if who.ready == was_ready else 0.0
            was_ready = who.ready
            if slot not in self._replies:
                self._look_at(who, task, waited, passed)
        self._busy.discard(slot)
        return self._replies.pop(slot)

    def _listen(self) -> None:
        """Take in what workers have to say; return when one said something, or after a moment."""
        channels = {who.channel.fileno(): who for who in self.workers}
        for descriptor, _ in self._poll.poll(1000 * _SLICE):
            who = channels[descriptor]
            try:
                message = who.channel.recv(worker.REPLY.size, socket.MSG_WAITALL)
            except OSError:
                message = b""
            if len(message) < worker.REPLY.size:
                who.silent = True
                self._poll.unregister(descriptor)
                continue
            slot, reply = worker.REPLY.unpack(message)
            if reply == worker.READY:
                who.ready = True
            elif reply == worker.BROKEN:
                raise self._report(who, None, read_frame(self.slots[who.number]))
            else:
                self._replies[slot * len(self.workers) + who.number] = reply

    def _look_at(self, who: Worker, task: Task | None, waited: float, passed: float) -> None:
        """Raise `WorkerError` if a worker that is waited for is gone, stopped or late."""
        if who.silent or who.process.poll() is not None:
            how = _how_it_ended(who.process)
            hint = "" if who.ready or "exit code" not in how else "Its standard error says why."
            raise self._trouble(who, task, how, hint)
        stopped = who.is_stopped()
        who.stopped_for = who.stopped_for + passed if stopped else 0.0
        if who.stopped_for >= min(STOPPED_LIMIT, self.timeout or STOPPED_LIMIT):
            raise self._trouble(who, task, "was stopped by a signal and does not go on")
        if self.timeout and waited >= self.timeout + (0.0 if who.ready else START_LIMIT):
            state = " (a signal has stopped it)" if stopped else ""
            raise self._trouble(
                who, task, f"did not answer within the timeout of {self.timeout:g} s{state}",
                "A larger timeout gives it more time; timeout=0 waits as long as it runs.",
            )  # fmt: skip

    def _trouble(self, who: Worker, task: Task | None, what: str, advice: str = "") -> WorkerError:
        who.process.kill()  # it would not react to being told to stop
        where = self._where(who, task, int(self.board[1 + who.number]))
        return WorkerError(f"{self._name(who)} {what}{where}. {advice}".rstrip())

    def _report(self, who: Worker, task: Task | None, failure: worker.Failure) -> WorkerError:
        where = self._where(who, task, failure.position)
        said = f": {failure.text}" if failure.text else "."
        error = WorkerError(f"{self._name(who)} raised {failure.kind}{where}{said}")
        error.add_note(f"In the worker process:\n\n{failure.details}")
        return error

    def _name(self, who: Worker) -> str:
        return f"DataLoader worker {who.number} of {len(self.workers)} (process {who.process.pid})"

    def _where(self, who: Worker, task: Task | None, position: int) -> str:
        if not who.ready:
            return " while it was getting ready"
        return f" while it fetched {describe_place(self.recipe, task, position)}" if task else ""

    @property
    def closed(self) -> bool:
        """Whether the workers have been ended."""
        return not self._finalizer.alive

    def close(self) -> None:
        """End all workers; no process is left when this returns. Closing again does nothing."""
        if os.getpid() == self._owner:  # not in a fork of the process that has the workers
            self.board[0] += 1  # an iterator that is under way must notice
            self._finalizer()


def _end(workers: list[Worker], slots: list[io.FileIO], owner: int) -> None:
    if os.getpid() != owner:
        return  # a fork of the parent: the workers are not its own
    from subprocess import TimeoutExpired

    for who in workers:
        who.order(worker.STOP)
        if not who.ready:
            who.process.kill()  # nothing is lost, and importing may take longer than one likes to wait
    deadline = time.monotonic() + _GRACE
    for who in workers:
        try:
            who.process.wait(max(0.0, deadline - time.monotonic()))
        except TimeoutExpired:
            who.process.kill()
            who.process.wait()
        who.channel.close()
    for file in slots:
        file.close()


def _how_it_ended(process: Popen[bytes]) -> str:
    """Say in words how a process ended."""
    from subprocess import TimeoutExpired

    try:
        code = process.wait(_GRACE)
    except TimeoutExpired:
        return "closed its side of the connection"
    if code >= 0:
        return f"ended with exit code {code}"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    hint = ", as the system does when memory runs out," if -code == signal.SIGKILL else ""
    return f"was killed by {name}{hint}"


def _write_setup(file: io.FileIO, setup: worker.Setup) -> None:
    try:
        write_frame(file, setup)
    except OSError as error:
        raise WorkerError(f"there is no room to hand the dataset to worker processes: {error}.") from error
    except Exception as error:
        parts = {
            "dataset": setup.recipe.dataset,
            "collate_fn": setup.recipe.collate_fn,
            "worker_init_fn": setup.worker_init_fn,
        }
        name = next((name for name, part in parts.items() if not _can_be_sent(part)), "dataset")
        raise ArgumentError(
            f"the {name} cannot be sent to worker processes: {error}. They get a copy made with pickle, "
            "which lambdas, functions inside functions, open files, locks and generators do not allow. "
            "Define functions at the top of a file, open files where they are first used, or use "
            "num_workers=0."
        ) from error


def _can_be_sent(thing: Any) -> bool:
    try:
        with nameless_file() as file:
            write_frame(file, thing)
    except Exception:
        return False
    return True


def _interpreter_options() -> list[str]:
    # What `multiprocessing` uses for the same purpose: workers run with this process's -O, -X, -W and so on.
    from subprocess import _args_from_interpreter_flags  # type: ignore[attr-defined]

    return list(_args_from_interpreter_flags())
