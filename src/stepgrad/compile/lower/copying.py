"""Copying from buffer to buffer, and loops over places."""

from __future__ import annotations

import math
from typing import Any

from stepgrad.compile.lower.emit import Writer
from stepgrad.compile.lower.loops import Access, in_vectors, lanes_within, load, store
from stepgrad.compile.lower.register import Register, element_of
from stepgrad.compile.lower.spaces import collapsed
from stepgrad.compile.memory import Buffer, Storage


def copy(
    w: Writer, source: Buffer | float, target: Buffer, bases: dict[Storage, Register], lanes: int = 8,
    adds: bool = False,
) -> None:  # fmt: skip
    """Copy one buffer, or a number, to another of the same shape; or add it there."""
    buffers = [target] if not isinstance(source, Buffer) else [target, source.broadcast(target.shape)]
    order = sorted(range(len(target.shape)), key=lambda d: -abs(target.strides[d]))
    (sizes,), strides = collapsed(target.shape, [b.strides for b in buffers], [order])
    accesses = [Access(bases[b.storage], b, s) for b, s in zip(buffers, strides)]
    element = element_of(target.dtype)
    starts = [w.pointer(a.base, a.buffer.offset, element_of(a.buffer.dtype)) for a in accesses]

    def at(places: list[Register], depth: int, index: Register) -> list[Register]:
        moved = []
        for place, access in zip(places, accesses):
            stride = access.strides[depth]
            moved.append(
                w.pointer(place, index * stride, element_of(access.buffer.dtype)) if stride else place
            )
        return moved

    def loops(depth: int, places: list[Register]) -> None:
        if depth >= len(sizes) - 1:
            size = sizes[-1] if sizes else 1
            width = lanes_within(lanes, size)

            def vector(index: Register, mask: int | None, _: Any) -> list[Register]:
                here = at(places, depth, index) if sizes else places
                stride = [a.strides[depth] if sizes else 1 for a in accesses]
                if len(accesses) == 2:
                    x = load(w, accesses[1].buffer, here[1], width, stride[1], mask)
                else:
                    x = w.constant(source, element, width)  # type: ignore[arg-type]
                if adds:
                    x = load(w, accesses[0].buffer, here[0], width, stride[0], mask) + x
                store(w, x, accesses[0].buffer, here[0], width, stride[0], mask)
                return []

            in_vectors(w, size, width, vector)
            return
        w.loop(0, sizes[depth], 1, lambda i, _: loops(depth + 1, at(places, depth, i)))

    if target.shape and math.prod(target.shape) == 0:
        return
    loops(0, starts)


def over(w: Writer, sizes: list[int], body: Any, place: list[Register] | None = None) -> None:
    """Write nested loops over `sizes`; `body(place)` gets the indices."""
    place = place or []
    if len(place) == len(sizes):
        body(place)
        return
    w.loop(0, sizes[len(place)], 1, lambda i, _: over(w, sizes, body, [*place, i]))
