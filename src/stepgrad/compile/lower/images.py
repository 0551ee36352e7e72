"""Kernels of images: what is put into a larger one, and windows that are added up where they lie."""

from __future__ import annotations

from collections.abc import Callable

from stepgrad.compile.lower.copying import copy
from stepgrad.compile.lower.emit import Writer
from stepgrad.compile.lower.kernel import Special
from stepgrad.compile.lower.register import Register, element_of
from stepgrad.compile.memory import Buffer, Storage
from stepgrad.compile.program.strides import viewed_strides
from stepgrad.compile.program.value import Value
from stepgrad.ops.registry import find
from stepgrad.ops.windowing import places_in

Bases = dict[Storage, Register]
_Write = Callable[[Writer, Value, Buffer, Buffer, Bases, int], None]


def write_place(special: Special) -> int:
    """Fill, and put the input in its place."""
    index, shape = special.value.attrs["index"], special.value.shape
    are_whole = isinstance(index, tuple) and len(index) == len(shape) > 0 and index[0] == slice(None)
    return _write_images(special, _place, are_whole)


def write_add_windows(special: Special) -> int:
    """Add windows where they lie."""
    return _write_images(special, _add_windows, 0 not in special.value.attrs["places"])


def _write_images(special: Special, write: _Write, are_whole: bool) -> int:
    """Write a kernel of images. `are_whole`: nothing moves from one of the first dimension to another; they
    are then done one by one, those of the part. Returns how many there are, or 0.
    """
    w, value, bases, outputs = special.w, special.value, special.bases, special.outputs
    x, count = special.buffer(0), len(outputs)
    buffers = [*outputs, x]
    if not are_whole or value.shape[0] < 2 or not value.size or not value.inputs[0].size:
        write(w, value, x, outputs[0], bases, 0)
        for other in outputs[1:]:
            copy(w, outputs[0], other, bases)
        return 0

    def one(n: Register, _: list[Register]) -> None:
        rows: list[Buffer] = []
        here: dict[Storage, Register] = {}
        for x in buffers:
            element, storage = element_of(x.dtype), Storage("row", x.dtype, 0)
            start = w.pointer(bases[x.storage], x.offset, element)
            here[storage] = w.pointer(start, n * x.strides[0], element)
            rows.append(Buffer(storage, x.shape[1:], x.strides[1:]))
        write(w, value, rows[count], rows[0], here, 1)
        for other in rows[1:count]:
            copy(w, rows[0], other, here)

    w.loop(*special.part, 1, one)
    return value.shape[0]


def _place(w: Writer, value: Value, x: Buffer, out: Buffer, bases: Bases, skipped: int) -> None:
    """Fill, and put x in its place; `skipped` dimensions of the index are left out."""
    shape = value.inputs[0].shape[skipped:]
    index = {"index": value.attrs["index"][skipped:] if skipped else value.attrs["index"]}
    strides, moved = viewed_strides(find("slice"), index, out.shape, out.strides, shape)
    window = Buffer(out.storage, shape, strides, out.offset + moved)
    copy(w, value.attrs["fill"], out, bases, 16)
    copy(w, x, window, bases, 16)


def _add_windows(w: Writer, value: Value, x: Buffer, out: Buffer, bases: Bases, skipped: int) -> None:
    """Add the windows where they lie. The input has the dimensions of the result, in `places` the windows,
    and at the end the elements of a window.
    """
    places, ndim = [d - skipped for d in value.attrs["places"]], len(out.shape)
    copy(w, 0, out, bases, 16)
    for place in places_in(x.shape[ndim:]):
        strides, to = list(out.strides), out.offset
        start = x.offset
        steps = zip(places, place, value.attrs["stride"], value.attrs["dilation"], strict=True)
        for (d, k, s, e), step in zip(steps, x.strides[ndim:], strict=True):
            to += k * e * out.strides[d]
            start += k * step
            strides[d] = s * out.strides[d]
        source = Buffer(x.storage, x.shape[:ndim], x.strides[:ndim], start)
        copy(w, source, Buffer(out.storage, x.shape[:ndim], tuple(strides), to), bases, 16, adds=True)
