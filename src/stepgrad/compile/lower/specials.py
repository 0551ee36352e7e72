"""Kernels of operations that are neither elementwise, reductions nor contractions: who writes which, and
those of joining, searching and running totals.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from stepgrad.compile.lower.copying import copy, over
from stepgrad.compile.lower.drawing import write_rand
from stepgrad.compile.lower.emit import Writer
from stepgrad.compile.lower.images import write_add_windows, write_place
from stepgrad.compile.lower.kernel import Kernel, Special, Task, kernel_function, sizes_in_words
from stepgrad.compile.lower.mathematics import Mathematics
from stepgrad.compile.lower.picking import write_index, write_index_put
from stepgrad.compile.lower.register import Register, element_of
from stepgrad.compile.memory import Buffer, Storage
from stepgrad.compile.program.value import NotCompiled
from stepgrad.ops.record import Scan


def write_special(w: Writer, name: str, task: Task, status: Storage) -> Kernel:
    """Write the function for a special operation. `status` is where an index out of range is reported."""
    anchor = task.cluster.anchor
    assert anchor is not None
    assert anchor.op is not None
    writer = _WRITERS.get(anchor.op.name)
    if writer is None:
        raise NotCompiled(f"the operation {anchor.op.name} is not compiled")
    inputs = [None if x.kind == "number" else task.locate(x) for x in anchor.inputs]
    outputs = [b for _, b in task.targets]
    storages = list(dict.fromkeys([*(b.storage for b in (*inputs, *outputs) if b is not None), status]))
    with kernel_function(w, name, storages) as (bases, part):
        units = writer(Special(w, anchor, inputs, outputs, bases, bases[status], part)) or 0
    work = float(max(x.size for x in (anchor, *anchor.inputs)))
    words = f"{sizes_in_words(anchor.shape)}, {anchor.op.name}"
    return Kernel(name, storages, task.starts, units, work=work, loops=words)


def _cat(special: Special) -> None:
    """Put one part beside the other."""
    dim = special.value.attrs["dim"]
    for out in special.outputs:
        start = 0
        for x, buffer in zip(special.value.inputs, special.inputs):
            offset = out.offset + start * out.strides[dim]
            window = Buffer(out.storage, x.shape, out.strides, offset)
            copy(special.w, x.number if buffer is None else buffer, window, special.bases)
            start += x.shape[dim]


def _arg(special: Special) -> None:
    """Find where the largest or the smallest is."""
    w, value, bases = special.w, special.value, special.bases
    x = special.buffer(0)
    assert value.op is not None
    verb = "gt" if value.op.name == "argmax" else "lt"
    dims = value.attrs["dims"]
    kept = [d for d in range(len(x.shape)) if d not in dims]
    element = element_of(x.dtype)
    base = w.pointer(bases[x.storage], x.offset, element)

    def body(place: list[Register]) -> None:
        row = base
        for p, d in zip(place, kept):
            row = w.pointer(row, p * x.strides[d], element)
        at = _search(w, x, row, list(dims), element, verb)
        for out in special.outputs:
            target = w.pointer(bases[out.storage], out.offset, "i64")
            for p, s in zip(place, out.strides):
                target = w.pointer(target, p * s, "i64")
            w.store(at, target)

    over(w, [x.shape[d] for d in kept], body)


def _search(w: Writer, x: Buffer, row: Register, dims: list[int], element: str, verb: str) -> Register:
    """Return the position of the first extreme value in row-major order over `dims`; NaN comes first."""

    def loops(depth: int, address: Register, position: Register, carried: list[Register]) -> list[Register]:
        if depth == len(dims):
            found = w.load(address, element)
            best, at = carried
            better = w.compare(verb, found, best) | (at < 0)
            if found.is_float:
                better = better | ((found != found) & (best == best))
            return [w.select(better, found, best), w.select(better, position, at)]
        d = dims[depth]
        return w.loop(
            0, x.shape[d], 1,
            lambda i, c: loops(
                depth + 1, w.pointer(address, i * x.strides[d], element), position * x.shape[d] + i, c
            ),
            carried,
        )  # fmt: skip

    _, at = loops(0, row, w.constant(0, "i64"), [w.load(row, element), w.constant(-1, "i64")])
    return at


def _scan(special: Special) -> None:
    """Every total on the way along a dimension, one after the other."""
    w, value = special.w, special.value
    x, dim, op = special.buffer(0), value.attrs["dim"], value.op
    assert isinstance(op, Scan)
    element = element_of(value.dtype)
    buffers = [x, *special.outputs]
    starts = [w.pointer(special.bases[b.storage], b.offset, element) for b in buffers]
    # As in eager mode, the totals are kept in float64.
    wide = "double" if element == "float" and op.name != "logcumsumexp" else element
    w.real = wide if value.dtype.kind == "f" else w.real
    m = Mathematics(w)

    def at(addresses: list[Register], index: Register, d: int) -> list[Register]:
        return [w.pointer(a, index * b.strides[d], element) for a, b in zip(addresses, buffers)]

    def body(place: list[Register]) -> None:
        rows = starts
        for index, d in zip(place, others):
            rows = at(rows, index, d)

        def step(index: Register, totals: list[Register]) -> list[Register]:
            source, *targets = at(rows, index, dim)
            total = op.combine(m, totals[0], w.convert(w.load(source, element), wide))
            for target in targets:
                w.store(w.convert(total, element), target)
            return [total]

        w.loop(0, x.shape[dim], 1, step, [w.constant(op.init, wide)])

    others = [d for d in range(len(x.shape)) if d != dim]
    if math.prod(x.shape):
        over(w, [x.shape[d] for d in others], body)


# Each writes one operation, and returns into how many parts its work can be cut, if it can.
_WRITERS: dict[str, Callable[[Special], int | None]] = {
    "index": write_index, "index_put": write_index_put, "cat": _cat, "argmax": _arg, "argmin": _arg,
    "rand": write_rand, "cumsum": _scan, "cumprod": _scan, "logcumsumexp": _scan, "place": write_place,
    "add_windows": write_add_windows,
}  # fmt: skip
