"""The program of a worker process: it fetches batches for a `DataLoader` in another process."""

from __future__ import annotations

import io
import mmap
import os
import random as python_random
import select
import signal
import socket
import struct
import sys
import threading
import traceback
import types
from typing import Any, NamedTuple

import numpy

from stepgrad.arrays import random
from stepgrad.data import fetch
from stepgrad.data.transport import map_frame, read_frame, write_frame
from stepgrad.names import PACKAGE

# From the parent: the slot with a task, or STOP. To the parent: a slot, and what is in it now.
ORDER = struct.Struct("<q")
REPLY = struct.Struct("<qq")
STOP = -1
READY, BATCH, ENDED, STALE, RAISED, BROKEN = range(6)
"""READY: the worker can take tasks. BATCH: the slot holds a batch. ENDED: this worker's IterableDataset has
no more samples. STALE: the task belonged to a run that was given up. RAISED: the slot holds a `Failure`.
BROKEN: slot 0 holds the `Failure` that kept the worker from getting ready."""


class Setup(NamedTuple):
    """What all workers of a loader are given at their start."""

    recipe: fetch.Recipe
    worker_init_fn: Any


class Launch(NamedTuple):
    """What one worker is given on its command line: numbers, of which most are open files."""

    worker: int
    num_workers: int
    parent: int
    channel: int
    board: int
    setup: int
    slots: list[int]
    main_name: str | None
    main_path: str | None
    arguments: list[str]
    aliases: list[str]  # other names that stepgrad goes by, such as "torch"


class Failure(NamedTuple):
    """An exception as it is reported to the parent."""

    kind: str  # the name of its class
    text: str
    details: str  # the traceback
    position: int  # within the batch, of the sample that was being fetched; -1 if none was


def failure_of(error: BaseException, position: int = -1) -> Failure:
    """Return the report of `error`."""
    return Failure(type(error).__name__, str(error), "".join(traceback.format_exception(error)), position)


def open_board(descriptor: int) -> numpy.ndarray:
    """Return the shared int64 array: the number of the run, then the place of each worker in its batch."""
    return numpy.frombuffer(mmap.mmap(descriptor, 0), numpy.int64)


def main(numbers: list[Any]) -> None:
    """Run a worker until its parent says stop or is gone."""
    # Ctrl-C is for the parent, which then ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    launch = Launch(*numbers)
    channel = socket.socket(fileno=launch.channel)
    end_with_parent(channel, launch)
    slots = [io.FileIO(descriptor, "r+") for descriptor in launch.slots]
    board = open_board(launch.board)
    try:
        setup = _get_ready(launch)
    except BaseException as error:  # whatever it is, the parent must hear of it
        write_frame(slots[0], failure_of(error))
        channel.sendall(REPLY.pack(0, BROKEN))
        return
    channel.sendall(REPLY.pack(0, READY))
    place = board[1 + launch.worker : 2 + launch.worker]
    fetcher, run = None, None
    while (slot := _next_order(channel)) != STOP:
        task_run, task = read_frame(slots[slot])
        if task_run != board[0]:
            reply = STALE
        else:
            if fetcher is None or run != task_run:
                fetcher, run = fetch.make_fetcher(setup.recipe, place), task_run
            reply = _answer(fetcher, task, slots[slot])
        channel.sendall(REPLY.pack(slot, reply))


def _get_ready(launch: Launch) -> Setup:
    sys.argv = launch.arguments
    sys.modules.update(dict.fromkeys(launch.aliases, sys.modules[PACKAGE]))
    sys.modules["__main__"] = sys.modules["__mp_main__"] = _main_on_demand(launch.main_name, launch.main_path)
    setup: Setup = map_frame(io.FileIO(launch.setup))
    recipe = setup.recipe
    seed = int(random.stream(recipe.seed, "worker", launch.worker).integers(0, 2**63 - 1))
    fetch.set_worker_info(fetch.WorkerInfo(launch.worker, launch.num_workers, seed, recipe.dataset))
    random.manual_seed(seed)
    seed_libraries(seed)
    if setup.worker_init_fn is not None:
        setup.worker_init_fn(launch.worker)
    return setup


def _next_order(channel: socket.socket) -> int:
    message = channel.recv(ORDER.size, socket.MSG_WAITALL)
    return int(ORDER.unpack(message)[0]) if message else STOP


def _answer(fetcher: fetch.Fetcher, task: fetch.Task, slot: io.FileIO) -> int:
    """Fetch what `task` asks for into its slot and return the reply."""
    try:
        if fetcher.runs_user_code:
            seed_libraries(fetcher.recipe.seed, "batch", task.epoch, task.batch)
        batch = fetch.fetch_seeded(fetcher, task)
    except BaseException as error:  # also SystemExit: the parent must hear of everything
        write_frame(slot, failure_of(error, int(fetcher.place[0])))
        return RAISED
    if batch is fetch.ENDED:
        return ENDED
    try:
        write_frame(slot, batch)
    except Exception as error:
        failure = failure_of(error)
        write_frame(slot, failure._replace(text=f"the batch cannot be sent to the main process: {error}"))
        return RAISED
    return BATCH


def seed_libraries(seed: int, *path: Any) -> None:
    """Seed `random` and `numpy.random` by a stream of (seed, *path)."""
    numbers = random.stream(seed, "libraries", *path).integers(0, 2**32, (8,))
    python_random.seed(int.from_bytes(numbers.astype("<u4").tobytes(), "little"))
    numpy.random.seed(numbers.astype(numpy.uint32))  # noqa: NPY002 - datasets may draw from it


def end_with_parent(channel: socket.socket, launch: Launch) -> None:
    """See to it that this process ends when its parent does, even if nobody closes the channel properly."""

    def watch() -> None:
        poll = select.poll()
        poll.register(channel, 0)  # nothing but the end of the other side
        # A process that the parent forked may hold the other side open: the parent's number tells, too.
        while not poll.poll(1000) and os.getppid() == launch.parent:
            pass
        os._exit(1)

    threading.Thread(target=watch, name="stepgrad-parent-watch", daemon=True).start()


def _main_on_demand(name: str | None, path: str | None) -> types.ModuleType:
    """Return a stand-in for `__main__` that runs the parent's main program when something of it is needed.

    Classes and functions that the program defines itself are found in that way. A program whose datasets are
    defined elsewhere is not run again, and needs no ``if __name__ == "__main__":``.
    """
    module = types.ModuleType("__mp_main__")

    def load(wanted: str) -> Any:
        if wanted.startswith("__") or (name is None and path is None):
            raise AttributeError(f"the main program has no {wanted!r}")
        del module.__dict__["__getattr__"]
        module.__dict__.update(_run_main(name, path))
        return getattr(module, wanted)

    module.__dict__["__getattr__"] = load
    return module


main_is_running = False
"""Whether this is a worker that is running its parent's main program to find something in it."""


def _run_main(name: str | None, path: str | None) -> dict[str, Any]:
    global main_is_running
    import runpy

    main_is_running = True
    try:
        # The name that `multiprocessing` gives it too, so that ``if __name__ == "__main__":`` is false.
        if name is not None:
            return runpy.run_module(name, run_name="__mp_main__")
        return runpy.run_path(str(path), run_name="__mp_main__")
    finally:
        main_is_running = False
