"""Strides: where the elements of views lie, counted in elements."""

from __future__ import annotations

from typing import Any

import numpy

from stepgrad.ops.record import Op, View


def row_major(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the strides of a contiguous array.

    >>> row_major((2, 3, 4))
    (12, 4, 1)
    """
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(step)
        step *= n
    return tuple(reversed(strides))


def reshaped_strides(
    shape: tuple[int, ...], strides: tuple[int, ...], new: tuple[int, ...]
) -> tuple[int, ...] | None:
    """Return the strides of a reshaped view, or None where no strides do it.

    >>> reshaped_strides((2, 6), (6, 1), (2, 2, 3)), reshaped_strides((6, 2), (1, 6), (12,))
    ((6, 3, 1), None)
    """
    if 0 in new:
        return row_major(new)
    old = [(n, s) for n, s in zip(shape, strides, strict=True) if n != 1]
    result: list[int] = []
    i = 0
    left, step = 1, 0
    for n in reversed(new):
        if n == 1:
            result.append(0)
            continue
        if left == 1:
            i += 1
            if i > len(old):
                return None
            left, step = old[-i]
            # Old dimensions that lie one after the other in memory count as one.
            while i < len(old) and old[-i - 1][1] == step * left:
                left *= old[-i - 1][0]
                i += 1
        if left % n:
            return None
        result.append(step)
        step *= n
        left //= n
    return tuple(reversed(result))


def viewed_strides(
    op: Op,
    attrs: dict[str, Any],
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    new_shape: tuple[int, ...],
) -> tuple[tuple[int, ...], int]:
    """Return the strides of a view, and by how many elements it starts later."""
    if op.name == "reshape":
        found = reshaped_strides(shape, strides, new_shape)
        assert found is not None
        return found, 0
    # A stand-in of one byte per element in which NumPy works it out; its memory is never touched.
    stand_in = numpy.lib.stride_tricks.as_strided(numpy.zeros(1, "int8"), shape, strides, writeable=False)
    assert isinstance(op, View)
    seen = op.seen(numpy, stand_in, **attrs)
    moved = seen.__array_interface__["data"][0] - stand_in.__array_interface__["data"][0]
    return seen.strides, moved
