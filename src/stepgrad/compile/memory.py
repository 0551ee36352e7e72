"""Where values live: slots, storages, and buffers, which are views of a storage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy

from stepgrad.compile.program.strides import row_major, viewed_strides
from stepgrad.compile.program.value import Value


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


class Storage:
    """A piece of memory that the compiled code gets a pointer to.

    `kind`: "slot", "constant" (arrays from outside), "scratch" (in the arena), "packing" (for
    what kernels pack), "output", "status" or "mode" (what the code tells, and how it is to compute).
    """

    __slots__ = ("dtype", "first", "kind", "last", "number", "offset", "size", "source")

    def __init__(self, kind: str, dtype: Any, size: int, source: Any = None) -> None:
        self.kind, self.dtype, self.size, self.source = kind, numpy.dtype(dtype), size, source
        self.number = -1
        self.offset = 0
        # The first and last kernel that touches it, for the plan of the arena.
        self.first, self.last = -1, -1

    def __repr__(self) -> str:
        return f"{self.kind}{self.number}:{self.dtype.name}[{self.size}]"


class Buffer:
    """A view of a storage: shape, strides and offset, counted in elements."""

    __slots__ = ("offset", "shape", "storage", "strides")

    def __init__(
        self, storage: Storage, shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0
    ) -> None:
        self.storage, self.shape, self.strides, self.offset = storage, tuple(shape), tuple(strides), offset

    @classmethod
    def contiguous(cls, storage: Storage, shape: tuple[int, ...]) -> Buffer:
        """Return the whole storage in row-major order."""
        return cls(storage, shape, row_major(shape))

    @property
    def dtype(self) -> numpy.dtype:
        """The dtype of the elements."""
        return self.storage.dtype

    def viewed(self, value: Value) -> Buffer:
        """Return the buffer as the view operation of `value` rearranges it."""
        assert value.op is not None
        shape = tuple(value.shape)
        strides, moved = viewed_strides(value.op, value.attrs, self.shape, self.strides, shape)
        return Buffer(self.storage, shape, strides, self.offset + moved)

    def broadcast(self, shape: tuple[int, ...]) -> Buffer:
        """Return the buffer repeated to a shape, with strides of 0."""
        extra = len(shape) - len(self.shape)
        strides = (0,) * extra + tuple(
            0 if n == 1 and shape[extra + i] != 1 else s
            for i, (n, s) in enumerate(zip(self.shape, self.strides, strict=True))
        )
        return Buffer(self.storage, shape, strides, self.offset)

    def __repr__(self) -> str:
        return f"{self.storage}+{self.offset}{list(self.shape)}/{list(self.strides)}"


def whole_lines(count: int) -> int:
    """Return a number of bytes rounded up to whole lines of the cache."""
    return -(-count // 64) * 64


def plan_arena(storages: list[Storage]) -> int:
    """Give every scratch storage its offset in the arena, so that those in use at the same time do not
    overlap.

    Returns the size of the arena in bytes. The largest are placed first, each at the lowest place that is
    free while it is in use.
    """
    placed: list[Storage] = []
    total = 0
    for storage in sorted(storages, key=lambda s: (-s.size * s.dtype.itemsize, s.number)):
        size = whole_lines(max(storage.size, 1) * storage.dtype.itemsize)
        at = 0
        for other in sorted(placed, key=lambda s: s.offset):
            if other.last < storage.first or other.first > storage.last:
                continue
            other_size = whole_lines(max(other.size, 1) * other.dtype.itemsize)
            if at + size <= other.offset:
                break
            at = max(at, other.offset + other_size)
        storage.offset = at
        total = max(total, at + size)
        placed.append(storage)
    return total
