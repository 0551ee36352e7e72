"""Carrying objects between a loader and its worker processes.

Objects travel as frames in *nameless files*: memory that belongs to nobody but the processes that hold it
open, so the kernel frees it when the last of them ends, however that happens. Compared with a pipe: the
writer of a large batch is done at once and goes on with the next one, a stopped process can never leave the
reader with half a message, and the arrays of a dataset exist once for all workers, which map them
copy-on-write.

A frame is a table of sizes (int64), a pickle (protocol 5), and the memory of the arrays in it, each part
aligned to 64 bytes. Pickles are made and read by `multiprocessing`; they come from the same program and never
from a file with a name.
"""

from __future__ import annotations

import functools
import io
import mmap
import os
import sys
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy

from stepgrad.errors import ArgumentError
from stepgrad.functions.creation import from_numpy
from stepgrad.tensor import Tensor

_ALIGNMENT = 64
# Smaller arrays stay inside the pickle: a part of their own would cost more than the copy that it saves.
_LEAST_PART = 4096


def nameless_file() -> io.FileIO:
    """Return a new file that has no name and vanishes with the last process that has it open."""
    if hasattr(os, "memfd_create"):
        return io.FileIO(os.memfd_create("stepgrad"), "r+")
    import tempfile

    descriptor, path = tempfile.mkstemp()
    os.unlink(path)
    return io.FileIO(descriptor, "r+")


def write_frame(file: io.FileIO, thing: Any) -> None:
    """Write `thing` at the start of `file`. Raises what pickling raises, and `OSError` for want of room."""
    parts: list[memoryview] = []

    def keep_inside(buffer: Any) -> bool:
        raw = buffer.raw()
        if raw.nbytes >= _LEAST_PART:
            parts.append(raw)
        return raw.nbytes < _LEAST_PART

    body = io.BytesIO()
    _pickler()(body, 5, True, keep_inside).dump(thing)
    parts.insert(0, body.getbuffer())
    sizes = numpy.array([len(parts), *(part.nbytes for part in parts)], dtype=numpy.int64)
    file.seek(0)
    _write(file, sizes.data.cast("B"))
    for part, offset in zip(parts, _offsets(sizes), strict=True):
        file.seek(offset)
        _write(file, part)


def read_frame(file: io.FileIO) -> Any:
    """Return the object of the frame in `file`; its arrays are copies of their own."""
    sizes = numpy.empty(1, dtype=numpy.int64)
    file.seek(0)
    _read(file, sizes)
    sizes = numpy.concatenate([sizes, numpy.empty(sizes[0], dtype=numpy.int64)])
    _read(file, sizes[1:])
    parts = []
    for size, offset in zip(sizes[1:], _offsets(sizes), strict=True):
        part = numpy.empty(size, dtype=numpy.uint8)
        file.seek(offset)
        _read(file, part)
        parts.append(part)
    return _loads()(parts[0], buffers=parts[1:])


def map_frame(file: io.FileIO) -> Any:
    """Return the object of the frame in `file`; its arrays are the file's pages, copied when written to."""
    memory = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    count = int(memory[:8].cast("q")[0])
    sizes = numpy.frombuffer(memory, numpy.int64, count + 1)
    parts = [memory[offset : offset + size] for size, offset in zip(sizes[1:], _offsets(sizes), strict=True)]
    return _loads()(parts[0], buffers=parts[1:])


def _offsets(sizes: numpy.ndarray) -> list[int]:
    """Return where the parts begin, given their number followed by their sizes."""
    steps = -(-sizes[1:] // _ALIGNMENT) * _ALIGNMENT
    start = -(-sizes.nbytes // _ALIGNMENT) * _ALIGNMENT
    return [start, *(start + numpy.cumsum(steps[:-1])).tolist()]


def _write(file: io.FileIO, memory: memoryview) -> None:
    while memory:
        # The kernel takes at most 2 GiB at a time.
        memory = memory[file.write(memory) or 0 :]


def _read(file: io.FileIO, array: numpy.ndarray) -> None:
    memory = array.data.cast("B")
    while memory:
        got = file.readinto(memory)
        if not got:
            raise EOFError("the frame ends too early")
        memory = memory[got:]


def _loads() -> Callable[..., Any]:
    from multiprocessing.reduction import ForkingPickler

    return ForkingPickler.loads


@functools.cache
def _pickler() -> Any:
    from multiprocessing.reduction import ForkingPickler

    class Pickler(ForkingPickler):
        """Pickles as `multiprocessing` does, and tensors as their arrays."""

        def reducer_override(self, thing: Any) -> Any:
            # The graph of a tensor stays where it is.
            if type(thing) is Tensor:
                return from_numpy, (thing.detach().cpu().numpy(),)
            if isinstance(thing, (type, FunctionType)) and thing.__module__ == "__main__":
                _check_that_main_can_be_imported(thing.__qualname__)
            return NotImplemented

    return Pickler


def main_program() -> tuple[str | None, str | None]:
    """Return the main program's name, if it was started as a module, and the path of its file."""
    main = sys.modules["__main__"]
    spec, path = getattr(main, "__spec__", None), getattr(main, "__file__", None)
    return (spec.name if spec else None), (os.path.abspath(path) if path else None)


def _check_that_main_can_be_imported(name: str) -> None:
    module, path = main_program()
    if module is None and (path is None or not os.path.isfile(path)):
        raise ArgumentError(
            f"{name!r} was defined in an interactive session, which another process cannot import; "
            "put it in a .py file and import it from there"
        )
