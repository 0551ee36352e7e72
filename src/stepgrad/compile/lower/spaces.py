"""The space that a kernel runs over: which of its dimensions become loops, and in what order."""

from __future__ import annotations

import math

from stepgrad.compile.memory import Buffer


def collapsed(
    shape: tuple[int, ...], strides: list[tuple[int, ...]], orders: list[list[int]]
) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    """Join dimensions that all accesses pass through as if they were one, within each group of `orders`.

    Returns the sizes of each group's loops, and for each access its strides along all of them.

    >>> collapsed((4, 5, 6), [(30, 6, 1), (0, 6, 1)], [[0, 1, 2]])
    ([(4, 30)], [(30, 1), (0, 1)])
    """
    sizes: list[tuple[int, ...]] = []
    columns: list[list[int]] = [[] for _ in strides]
    for order in orders:
        group: list[int] = []
        last: list[int] = []
        for d in order:
            if shape[d] == 1:
                continue
            here = [s[d] for s in strides]
            if group and all(a == b * shape[d] for a, b in zip(last, here)):
                group[-1] *= shape[d]
                for column, stride in zip(columns, here):
                    column[-1] = stride
            else:
                group.append(shape[d])
                for column, stride in zip(columns, here):
                    column.append(stride)
            last = here
        sizes.append(tuple(group))
    return sizes, [tuple(column) for column in columns]


def by_stride(
    shape: tuple[int, ...], buffers: list[Buffer], dims: tuple[int, ...] | None = None
) -> list[int]:
    """Return dimensions ordered so that the last is the one along which the first buffer is closest to
    contiguous.
    """
    chosen = list(range(len(shape)) if dims is None else dims)
    if not buffers:
        return chosen
    return sorted(chosen, key=lambda d: -abs(buffers[0].strides[d]) if buffers[0].strides[d] else -math.inf)


def widened(buffer: Buffer, full: tuple[int, ...], kept: tuple[int, ...]) -> Buffer:
    """Return a buffer over the dimensions that are left as one over the full space, constant along the
    others.
    """
    strides = [0] * len(full)
    for stride, d in zip(buffer.strides, kept, strict=True):
        strides[d] = stride
    return Buffer(buffer.storage, full, tuple(strides), buffer.offset)
