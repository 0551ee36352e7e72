"""Kernels of operations that are neither elementwise, reductions nor contractions: indexing, joining,
searching, drawing.
"""

from __future__ import annotations

import math
from typing import Any

from stepgrad.compile.lower.emit import Writer
from stepgrad.compile.lower.kernels import Kernel, Task, collapsed, sizes_in_words
from stepgrad.compile.lower.loops import Access, in_vectors, load, store
from stepgrad.compile.lower.mathematics import Mathematics
from stepgrad.compile.lower.register import Register, element_of
from stepgrad.compile.memory import Buffer, Storage
from stepgrad.compile.strides import viewed_strides
from stepgrad.compile.value import NotCompiled, Value
from stepgrad.ops.record import Scan
from stepgrad.ops.registry import find
from stepgrad.ops.windowing import places_in


def write_special(w: Writer, name: str, task: Task, status: Storage) -> Kernel:
    """Write the function for a special operation. `status` is where an index out of range is reported."""
    anchor = task.cluster.anchor
    assert anchor is not None
    assert anchor.op is not None
    writer: Any = _WRITERS.get(anchor.op.name)
    if writer is None and anchor.op.name not in _IMAGE_WRITERS:
        raise NotCompiled(f"the operation {anchor.op.name} is not compiled")
    storages = [task.locate(x).storage for x in anchor.inputs if x.kind != "number"]
    storages = list(dict.fromkeys([*storages, *(b.storage for _, b in task.targets), status]))
    kernel = Kernel(name, storages)
    inputs = [None if x.kind == "number" else task.locate(x) for x in anchor.inputs]
    outputs = [b for _, b in task.targets]
    with w.function(name, ["ptr"] * len(storages) + ["i64", "i64"]) as arguments:
        bases = dict(zip(storages, arguments))
        if anchor.op.name in _IMAGE_WRITERS:
            kernel.units = _write_images(w, anchor, inputs, outputs, bases, (arguments[-2], arguments[-1]))
        else:
            writer(w, anchor, inputs, outputs, bases, status)
    kernel.work = float(max(x.size for x in (anchor, *anchor.inputs)))
    kernel.loops = f"{sizes_in_words(anchor.shape)}, {anchor.op.name}"
    return kernel


def _write_images(
    w: Writer, value: Value, inputs: list[Any], outputs: list[Buffer], bases: Any, part: Any
) -> int:
    """Write a kernel of images. Where nothing moves from one of the first dimension to another, it does
    them one by one, those of its part; returns how many there are, or 0.
    """
    assert value.op is not None
    write, first_is_whole = _IMAGE_WRITERS[value.op.name]
    buffers = [*outputs, *inputs]
    count = len(outputs)
    if (
        not value.shape
        or not first_is_whole(value)
        or value.shape[0] < 2
        or not value.size
        or not value.inputs[0].size
    ):
        write(w, value, buffers[count], outputs[0], bases, 0)
        for other in outputs[1:]:
            _copy(w, outputs[0], other, bases)
        return 0

    def one(n: Register, _: list[Register]) -> None:
        rows: list[Any] = []
        here: dict[Storage, Register] = {}
        for x in buffers:
            if x is None:
                rows.append(None)
                continue
            element, storage = element_of(x.dtype), Storage("row", x.dtype, 0)
            start = w.pointer(bases[x.storage], x.offset, element)
            here[storage] = w.pointer(start, n * x.strides[0], element)
            rows.append(Buffer(storage, x.shape[1:], x.strides[1:]))
        write(w, value, rows[count], rows[0], here, 1)
        for other in rows[1:count]:
            _copy(w, rows[0], other, here)

    begin, end = part
    w.loop(begin, end, 1, one)
    return value.shape[0]


def _copy(
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
            width = lanes if sizes else 1
            while width > 1 and width // 2 >= size:
                width //= 2

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


def _place(w: Writer, value: Value, x: Any, out: Buffer, bases: Any, skipped: int) -> None:
    """Fill, and put x in its place; `skipped` dimensions of the index are left out."""
    shape = value.inputs[0].shape[skipped:]
    index = {"index": value.attrs["index"][skipped:] if skipped else value.attrs["index"]}
    strides, moved = viewed_strides(find("slice"), index, out.shape, out.strides, shape)
    window = Buffer(out.storage, shape, strides, out.offset + moved)
    _copy(w, value.attrs["fill"], out, bases, 16)
    _copy(w, value.inputs[0].number if x is None else x, window, bases, 16)


def _places_in_images(value: Value) -> bool:
    index = value.attrs["index"]
    return isinstance(index, tuple) and len(index) == len(value.shape) and index[0] == slice(None)


def _add_windows(w: Writer, value: Value, x: Any, out: Buffer, bases: Any, skipped: int) -> None:
    """Add the windows where they lie. The input has the dimensions of the result, in `places` the windows,
    and at the end the elements of a window.
    """
    places, ndim = [d - skipped for d in value.attrs["places"]], len(out.shape)
    _copy(w, 0, out, bases, 16)
    for place in places_in(x.shape[ndim:]):
        strides, to = list(out.strides), out.offset
        start = x.offset
        steps = zip(places, place, value.attrs["stride"], value.attrs["dilation"], strict=True)
        for (d, k, s, e), step in zip(steps, x.strides[ndim:], strict=True):
            to += k * e * out.strides[d]
            start += k * step
            strides[d] = s * out.strides[d]
        source = Buffer(x.storage, x.shape[:ndim], x.strides[:ndim], start)
        _copy(w, source, Buffer(out.storage, x.shape[:ndim], tuple(strides), to), bases, 16, adds=True)


def _cat(
    w: Writer, value: Value, inputs: list[Any], outputs: list[Buffer], bases: Any, status: Storage
) -> None:
    dim = value.attrs["dim"]
    for out in outputs:
        start = 0
        for x, buffer in zip(value.inputs, inputs):
            offset = out.offset + start * out.strides[dim]
            window = Buffer(out.storage, x.shape, out.strides, offset)
            _copy(w, x.number if buffer is None else buffer, window, bases)
            start += x.shape[dim]


class _Picked:
    """The part of a buffer that index tensors pick, at each place of their common shape."""

    def __init__(
        self, w: Writer, value: Value, x: Buffer, buffers: list[Any], indices: tuple[Value, ...], bases: Any
    ) -> None:
        self.w, self.x = w, x
        self.where, self.picked = value.attrs["where"], value.attrs["picked"]
        self.before = value.attrs["before"]
        self.rest = tuple(d for d in range(len(x.shape)) if d not in self.where)
        self.base = w.pointer(bases[x.storage], x.offset, element_of(x.dtype))
        self.indices = []
        for i, v in zip(buffers, indices):
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

    def transfer(self, source: Any, source_row: Any, target: Buffer, target_row: Register) -> None:
        """Copy one row: `source` and `target` are a buffer with the dimensions of the rest, or a number
        as source.
        """
        pair = {Storage("row", target.dtype, 0): target_row}
        (storage,) = pair
        to = Buffer(storage, target.shape, target.strides)
        if isinstance(source, Buffer):
            storage = Storage("row", source.dtype, 0)
            pair[storage] = source_row
            source = Buffer(storage, source.shape, source.strides)
        _copy(self.w, source, to, pair, 16)


def _over(w: Writer, sizes: list[int], body: Any, place: list[Register] | None = None) -> None:
    """Write nested loops over `sizes`; `body(place)` gets the indices."""
    place = place or []
    if len(place) == len(sizes):
        body(place)
        return
    w.loop(0, sizes[len(place)], 1, lambda i, _: _over(w, sizes, body, [*place, i]))


def _index(
    w: Writer, value: Value, inputs: list[Any], outputs: list[Buffer], bases: Any, status: Storage
) -> None:
    x, element = inputs[0], element_of(value.dtype)
    for out in outputs:
        picked = _Picked(w, value, x, inputs[1:], value.inputs[1:], bases)
        source, target = _along(x, picked.rest), _along(out, picked.places(out)[1])
        base = w.pointer(bases[out.storage], out.offset, element)

        def body(place: list[Register], out: Buffer = out, base: Register = base, picked: Any = picked,
                 source: Buffer = source, target: Buffer = target) -> None:  # fmt: skip
            row, wrong = picked.row(place)
            _report(w, wrong, bases[status])
            picked.transfer(source, row, target, picked.row_of(out, base, place))

        _over(w, list(picked.picked), body)


def _along(x: Buffer, dims: Any) -> Buffer:
    """Return a buffer with only some of its dimensions."""
    return Buffer(x.storage, tuple(x.shape[d] for d in dims), tuple(x.strides[d] for d in dims), x.offset)


def _index_put(
    w: Writer, value: Value, inputs: list[Any], outputs: list[Buffer], bases: Any, status: Storage
) -> None:
    """Copy x, then put the second input (a buffer, or a number) where the others point, or add it there."""
    x, put = inputs[:2]
    out = outputs[0]
    _copy(w, x if x is not None else value.inputs[0].number, out, bases)
    if value.attrs["basic"] is not None:
        found = viewed_strides(
            find("slice"), {"index": value.attrs["basic"]}, out.shape, out.strides, value.attrs["window"]
        )
        window = Buffer(out.storage, value.attrs["window"], found[0], out.offset + found[1])
    else:
        window = out
    picked = _Picked(w, value, window, inputs[2:], value.inputs[2:], bases)
    target = _along(window, picked.rest)
    if put is not None:
        put = put.broadcast(value.attrs["shape"])
        source = _along(put, picked.places(put)[1])
        base = w.pointer(bases[put.storage], put.offset, element_of(put.dtype))

    def body(place: list[Register]) -> None:
        row, wrong = picked.row(place)
        _report(w, wrong, bases[status])

        def write() -> None:
            if put is None:
                picked.transfer(value.inputs[1].number, None, target, row)
            elif value.attrs["accumulate"]:
                _add(w, source, picked.row_of(put, base, place), target, row)
            else:
                picked.transfer(source, picked.row_of(put, base, place), target, row)

        # Where an index is out of range nothing is written: the report makes the whole step an error.
        w.when(wrong ^ True, write)

    if math.prod(value.attrs["shape"]):
        _over(w, list(picked.picked), body)
    for other in outputs[1:]:
        _copy(w, out, other, bases)


def _add(w: Writer, source: Buffer, source_row: Register, target: Buffer, target_row: Register) -> None:
    """Add a row to another, one element after the other."""
    element = element_of(target.dtype)

    def body(place: list[Register]) -> None:
        a, b = target_row, source_row
        for i, s, t in zip(place, source.strides, target.strides):
            a = w.pointer(a, i * t, element)
            b = w.pointer(b, i * s, element)
        # The sum of booleans is an integer.
        w.store(w.convert(w.load(a, element) + w.load(b, element), element), a)

    _over(w, list(target.shape), body)


def _report(w: Writer, wrong: Register, status: Register) -> None:
    w.when(wrong, lambda: w.store(w.constant(1, "i64"), status))


def _arg(
    w: Writer, value: Value, inputs: list[Any], outputs: list[Buffer], bases: Any, status: Storage
) -> None:
    x = inputs[0]
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
        for out in outputs:
            target = w.pointer(bases[out.storage], out.offset, "i64")
            for p, s in zip(place, out.strides):
                target = w.pointer(target, p * s, "i64")
            w.store(at, target)

    _over(w, [x.shape[d] for d in kept], body)


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


# Philox4x64-10: multipliers and the increments of the key (Salmon, Moraes, Dror and Shaw, 2011).
_MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
_KEY_STEPS = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)


def _signed(x: int) -> int:
    return x - (1 << 64) if x >= 1 << 63 else x


def _philox(w: Writer, seed: Register, stream: Register, position: Register) -> list[Register]:
    """Return the four words of a block."""
    counter = [position, w.constant(0, "i64"), w.constant(0, "i64"), w.constant(0, "i64")]
    keys = [seed, stream]
    for turn in range(10):
        if turn:
            keys = [k + _signed(s) for k, s in zip(keys, _KEY_STEPS)]
        low, high = [], []
        for x, multiplier in zip((counter[0], counter[2]), _MULTIPLIERS):
            wide = w.emit(f"zext i64 {x.text} to i128", "i128")
            product = w.emit(f"mul i128 {wide.text}, {multiplier}", "i128")
            low.append(w.emit(f"trunc i128 {product.text} to i64", "i64"))
            shifted = w.emit(f"lshr i128 {product.text}, 64", "i128")
            high.append(w.emit(f"trunc i128 {shifted.text} to i64", "i64"))
        counter = [high[1] ^ counter[1] ^ keys[0], low[1], high[0] ^ counter[3] ^ keys[1], low[0]]
    return counter


def _rand(
    w: Writer, value: Value, inputs: list[Any], outputs: list[Buffer], bases: Any, status: Storage
) -> None:
    """Uniform numbers as `arrays.random.uniform` draws them. The input is the stream's state: seed,
    stream, position.
    """
    state = w.pointer(bases[inputs[0].storage], inputs[0].offset, "i64")
    seed, stream, position = (w.load(w.pointer(state, i, "i64"), "i64") for i in range(3))
    position = position + value.attrs["position"]
    element = element_of(value.dtype)
    per_block = 4 if element == "double" else 8
    out = outputs[0]
    target = w.pointer(bases[out.storage], out.offset, element)

    def block(index: Register, count: int) -> None:
        words = _philox(w, seed, stream, position + index)
        for i in range(count):
            if element == "double":
                x = w.emit(f"uitofp i64 {(words[i] >> 11).text} to double", "double") * 2.0**-53
            else:
                half = words[i // 2] >> (32 * (i % 2))
                narrow = w.emit(f"trunc i64 {half.text} to i32", "i32")
                x = w.emit(f"uitofp i32 {(narrow >> 8).text} to float", "float") * 2.0**-24
            w.store(x, w.pointer(target, index * per_block + i, element))

    whole, rest = divmod(value.size, per_block)
    w.loop(0, whole, 1, lambda i, _: block(i, per_block))
    if rest:
        block(w.constant(whole, "i64"), rest)
    for other in outputs[1:]:
        _copy(w, out, other, bases)


def _scan(
    w: Writer, value: Value, inputs: list[Any], outputs: list[Buffer], bases: Any, status: Storage
) -> None:
    """Every total on the way along a dimension, one after the other."""
    x, dim, op = inputs[0], value.attrs["dim"], value.op
    assert isinstance(op, Scan)
    element = element_of(value.dtype)
    buffers = [x, *outputs]
    starts = [w.pointer(bases[b.storage], b.offset, element) for b in buffers]
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
        _over(w, [x.shape[d] for d in others], body)


_WRITERS = {
    "index": _index, "index_put": _index_put, "cat": _cat, "argmax": _arg, "argmin": _arg, "rand": _rand,
    "cumsum": _scan, "cumprod": _scan, "logcumsumexp": _scan,
}  # fmt: skip
# How to write them, and whether the first dimension is left as it is.
_IMAGE_WRITERS: dict[str, tuple[Any, Any]] = {
    "place": (_place, _places_in_images),
    "add_windows": (_add_windows, lambda value: 0 not in value.attrs["places"]),
}
