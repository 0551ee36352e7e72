"""Kernels of indexing by tensors: what is picked, or put where indices point."""

from __future__ import annotations

import math
from typing import Any

from stepgrad.compile.lower.copying import copy, over
from stepgrad.compile.lower.emit import Writer
from stepgrad.compile.lower.kernel import Special
from stepgrad.compile.lower.register import Register, element_of
from stepgrad.compile.memory import Buffer, Storage
from stepgrad.compile.program.strides import viewed_strides
from stepgrad.ops.registry import find


def write_index(special: Special) -> None:
    """Pick what indices point to."""
    w, bases = special.w, special.bases
    x, element = special.buffer(0), element_of(special.value.dtype)
    for out in special.outputs:
        picked = _Picked(special, x, 1)
        source, target = _along(x, picked.rest), _along(out, picked.places(out)[1])
        base = w.pointer(bases[out.storage], out.offset, element)

        def body(place: list[Register], out: Buffer = out, base: Register = base, picked: Any = picked,
                 source: Buffer = source, target: Buffer = target) -> None:  # fmt: skip
            row, wrong = picked.row(place)
            _report(w, wrong, special.status)
            picked.transfer(source, row, target, picked.row_of(out, base, place))

        over(w, list(picked.picked), body)


def write_index_put(special: Special) -> None:
    """Copy x, then put the second input (a buffer, or a number) where the others point, or add it there."""
    w, value, bases = special.w, special.value, special.bases
    x, put = special.inputs[:2]
    out = special.outputs[0]
    copy(w, x if x is not None else value.inputs[0].number, out, bases)
    if value.attrs["basic"] is not None:
        found = viewed_strides(
            find("slice"), {"index": value.attrs["basic"]}, out.shape, out.strides, value.attrs["window"]
        )
        window = Buffer(out.storage, value.attrs["window"], found[0], out.offset + found[1])
    else:
        window = out
    picked = _Picked(special, window, 2)
    target = _along(window, picked.rest)
    if put is not None:
        put = put.broadcast(value.attrs["shape"])
        source = _along(put, picked.places(put)[1])
        base = w.pointer(bases[put.storage], put.offset, element_of(put.dtype))

    def body(place: list[Register]) -> None:
        row, wrong = picked.row(place)
        _report(w, wrong, special.status)

        def write() -> None:
            if put is None:
                picked.transfer(value.inputs[1].number, None, target, row)
            else:
                row_put = picked.row_of(put, base, place)
                picked.transfer(source, row_put, target, row, value.attrs["accumulate"])

        # Where an index is out of range nothing is written: the report makes the whole step an error.
        w.when(wrong ^ True, write)

    if math.prod(value.attrs["shape"]):
        over(w, list(picked.picked), body)
    for other in special.outputs[1:]:
        copy(w, out, other, bases)


class _Picked:
    """The part of x that index tensors, the inputs from `first` on, pick at each place of their shape."""

    def __init__(self, special: Special, x: Buffer, first: int) -> None:
        w, value, bases = special.w, special.value, special.bases
        self.w, self.x = w, x
        self.where, self.picked = value.attrs["where"], value.attrs["picked"]
        self.before = value.attrs["before"]
        self.rest = tuple(d for d in range(len(x.shape)) if d not in self.where)
        self.base = w.pointer(bases[x.storage], x.offset, element_of(x.dtype))
        self.indices = []
        for i, v in zip(special.inputs[first:], value.inputs[first:], strict=True):
            buffer = None if i is None else i.broadcast(self.picked)
            start = None if i is None else w.pointer(bases[i.storage], i.offset, element_of(i.dtype))
            self.indices.append((buffer, start, v))

    def row(self, place: list[Register]) -> tuple[Register, Register]:
        """Return the address that the indices at a place of their shape pick, and whether one of them is
        out of range.
        """
        w = self.w
        offset = w.constant(0, "i64")
        wrong = w.constant(False, "i1")
        for d, (buffer, start, value) in zip(self.where, self.indices):
            if buffer is None or start is None:
                index = w.constant(value.number, "i64")
            else:
                at = w.constant(0, "i64")
                for p, s in zip(place, buffer.strides):
                    at = at + p * s if s else at
                element = element_of(buffer.dtype)
                index = w.convert(w.load(w.pointer(start, at, element), element), "i64")
            length = self.x.shape[d]
            index = w.select(index < 0, index + length, index)
            out = (index < 0) | (index >= length)
            wrong = wrong | out
            offset = offset + w.select(out, w.constant(0, "i64"), index) * self.x.strides[d]
        return w.pointer(self.base, offset, element_of(self.x.dtype)), wrong

    def places(self, other: Buffer) -> tuple[list[int], list[int]]:
        """Return which dimensions of what is picked belong to the indices, and which to the rest."""
        n = len(self.picked)
        mine = list(range(self.before, self.before + n))
        return mine, [d for d in range(len(other.shape)) if d not in mine]

    def row_of(self, other: Buffer, base: Register, place: list[Register]) -> Register:
        """Return the address in `other`, which is shaped like what is picked, of the row at a place."""
        for p, d in zip(place, self.places(other)[0]):
            base = self.w.pointer(base, p * other.strides[d], element_of(other.dtype))
        return base

    def transfer(
        self, source: Any, source_row: Any, target: Buffer, target_row: Register, adds: bool = False
    ) -> None:
        """Copy one row, or add it: `source` and `target` are a buffer with the dimensions of the rest, or a
        number as source.
        """
        pair = {Storage("row", target.dtype, 0): target_row}
        (storage,) = pair
        to = Buffer(storage, target.shape, target.strides)
        if isinstance(source, Buffer):
            storage = Storage("row", source.dtype, 0)
            pair[storage] = source_row
            source = Buffer(storage, source.shape, source.strides)
        copy(self.w, source, to, pair, 16, adds)


def _along(x: Buffer, dims: Any) -> Buffer:
    """Return a buffer with only some of its dimensions."""
    return Buffer(x.storage, tuple(x.shape[d] for d in dims), tuple(x.strides[d] for d in dims), x.offset)


def _report(w: Writer, wrong: Register, status: Register) -> None:
    w.when(wrong, lambda: w.store(w.constant(1, "i64"), status))
