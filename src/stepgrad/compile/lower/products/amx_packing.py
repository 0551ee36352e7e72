"""Packing for AMX: a matrix of float32 split into bfloat16 parts, tile by tile.

A float32 has 24 significant bits, a bfloat16 the same range with 8. So x = x₁ + x₂ + x₃ exactly: x₁ is x
rounded to 8 bits, x₂ what is left of it rounded to 8 bits, and what is left then has no more than 8.

A tile has 16 lines of 64 bytes. Of A a line is a row, with 32 numbers of the depth k. Of B it has 16
columns, with the numbers for two k beside each other. A step is 32 numbers of the depth: its three parts
are three tiles, one after the other; the steps of a tile lie one after the other.
"""

from __future__ import annotations

from typing import NamedTuple

from stepgrad.compile.lower.emit import Writer
from stepgrad.compile.lower.loops import scaled
from stepgrad.compile.lower.products.packing import transposed
from stepgrad.compile.lower.register import Register

LINES, STEP, LINE_BYTES = 16, 32, 64
PARTS, TILE_BYTES = 3, LINES * LINE_BYTES
STEP_BYTES = PARTS * TILE_BYTES
# A vector of 16 float32 is a line of the cache.
_LANES = 16


class Operand(NamedTuple):
    """A matrix of float32 to be packed: `places` rows of A, or columns of B, by `depth`.

    `source`: the address of its first element. `across`, `along`: the strides from one place and from one k
    to the next, of which one is 1. `in_pairs`: whether it is B.
    """

    source: Register
    places: int
    depth: int
    across: int
    along: int
    in_pairs: bool

    @property
    def steps(self) -> int:
        """How many steps the depth has; the last one is filled up with zeros."""
        return -(-self.depth // STEP)

    @property
    def tiles(self) -> int:
        """How many tiles its places need; what is in the last one beyond them is 0."""
        return -(-self.places // LINES)


class Region(NamedTuple):
    """Tiles and steps to be packed, each from one up to but without another; one tile lies `pitch` bytes
    from the next.
    """

    tiles: tuple[Register, Register]
    steps: tuple[Register, Register]
    pitch: int


def write_packing(w: Writer, x: Operand, region: Region, to: Register) -> None:
    """Write the code that packs a region to an address."""
    (first_tile, end_tile), (first_step, end_step) = region.tiles, region.steps
    (tiles, few), (steps, rest) = divmod(x.places, LINES), divmod(x.depth, STEP)
    last_tile = w.least(end_tile, tiles) if few else end_tile
    last_step = w.least(end_step, steps) if rest else end_step
    # What is beyond the matrix is not read: what there is of a tile goes by way of a copy among zeros.
    copied = w.scratch("float", LINES * STEP) if rest or few else None

    def places(tile: Register, step: Register) -> tuple[Register, Register]:
        source = w.pointer(x.source, tile * (LINES * x.across), "float")
        target = w.pointer(to, (tile - first_tile) * region.pitch, "i8")
        return (
            w.pointer(source, step * (STEP * x.along), "float"),
            w.pointer(target, (step - first_step) * STEP_BYTES, "i8"),
        )

    def along(tile: Register, _: list[Register]) -> None:
        source, target = places(tile, first_step)
        _call(w, x, source, x.across, target, (last_step - first_step, STEP, STEP_BYTES))

    def across(step: Register, _: list[Register]) -> None:
        source, target = places(first_tile, step)
        _call(w, x, source, x.along, target, (last_tile - first_tile, LINES, region.pitch))

    def edge(tile: Register, step: Register, lines: int, depth: int) -> None:
        source, target = places(tile, step)
        assert copied is not None
        apart = _write_copy(w, x, source, copied, lines, depth)
        _call(w, x, copied, apart, target, (w.constant(1, "i64"), 0, 0))

    if steps and tiles:
        if x.along == 1:
            w.loop(first_tile, last_tile, 1, along)
        else:
            w.loop(first_step, last_step, 1, across)
    last = w.constant(tiles, "i64"), w.constant(steps, "i64")
    if few:
        w.when(end_tile > tiles, lambda: w.loop(
            first_step, last_step, 1, lambda step, _: edge(last[0], step, few, STEP)))  # fmt: skip
    if rest:
        w.when(end_step > steps, lambda: w.loop(
            first_tile, last_tile, 1, lambda tile, _: edge(tile, last[1], LINES, rest)))  # fmt: skip
    if few and rest:
        w.when((end_tile > tiles) & (end_step > steps), lambda: edge(*last, few, rest))


def _write_copy(w: Writer, x: Operand, source: Register, to: Register, places: int, depth: int) -> int:
    """Write the code that copies what there is of a step among zeros; return how far its lines lie apart."""
    lines, length, apart = (places, depth, STEP) if x.along == 1 else (depth, places, LINES)
    zero = w.constant(0, "float", _LANES)
    w.loop(0, LINES * STEP, _LANES, lambda i, _: w.store(zero, w.pointer(to, i, "float")))
    stride = x.across if x.along == 1 else x.along

    def line(i: Register, _: list[Register]) -> None:
        here, there = (w.pointer(at, scaled(w, i, n), "float") for at, n in ((source, stride), (to, apart)))
        for j in range(0, length, _LANES):
            mask = length - j if length - j < _LANES else None
            w.store(w.load(w.pointer(here, j, "float"), "float", _LANES, mask), w.pointer(there, j, "float"))

    w.loop(0, lines, 1, line)
    return apart


def _call(
    w: Writer, x: Operand, source: Register, stride: int, to: Register, rounds: tuple[Register, int, int]
) -> None:
    """Write the call of a function that packs several steps; there is one for each of four cases.

    `stride`: how far lines lie apart. `rounds`: how many steps or tiles, and how far one lies from the
    next, in elements and packed in bytes.
    """
    name = w.once(("split", x.in_pairs, x.along == 1), lambda name: _write_steps(w, name, x))
    count, *distances = rounds
    w.call(name, [source, w.constant(stride, "i64"), to, count, *(w.constant(n, "i64") for n in distances)])


def _write_steps(w: Writer, name: str, x: Operand) -> None:
    """Write the function that packs several steps."""
    with w.function(name, ["ptr", "i64", "ptr", "i64", "i64", "i64"]) as (at, apart, place, count, on, to_on):

        def step(i: Register, _: list[Register]) -> None:
            source, target = w.pointer(at, i * on, "float"), w.pointer(place, i * to_on, "i8")
            if x.in_pairs == (x.along != 1):
                _write_lines(w, x, source, apart, target)
            else:
                _write_turned(w, x, source, apart, target)

        w.loop(w.constant(0, "i64"), count, 1, step)


def _write_lines(w: Writer, x: Operand, source: Register, apart: Register, target: Register) -> None:
    """Write the code for a step of which the numbers of a vector lie together."""

    def line(i: Register, _: list[Register]) -> None:
        first = w.pointer(source, i * apart * (2 if x.in_pairs else 1), "float")
        second = w.pointer(first, apart if x.in_pairs else _LANES, "float")
        _write_parts(w, x, w.load(first, "float", _LANES), w.load(second, "float", _LANES), target, i)

    w.loop(0, LINES, 1, line)


def _write_turned(w: Writer, x: Operand, source: Register, apart: Register, target: Register) -> None:
    """Write the code for a step of which the numbers of a vector lie apart: 4 of each of 16 lines at a
    time.
    """

    def columns(start: Register) -> list[Register]:
        pieces = [w.load(w.pointer(start, apart * i, "float"), "float", 4) for i in range(LINES)]
        return transposed(w, pieces, 4)

    def four(i: Register, _: list[Register]) -> None:
        here = w.pointer(source, i * 4, "float")
        if x.in_pairs:
            vectors = columns(here)
            for j in range(2):
                _write_parts(w, x, vectors[2 * j], vectors[2 * j + 1], target, i * 2 + j)
        else:
            halves = columns(here), columns(w.pointer(here, apart * LINES, "float"))
            for j, (first, second) in enumerate(zip(*halves, strict=True)):
                _write_parts(w, x, first, second, target, i * 4 + j)

    w.loop(0, STEP // 4 if x.in_pairs else LINES // 4, 1, four)


def _write_parts(
    w: Writer, x: Operand, first: Register, second: Register, target: Register, line: Register
) -> None:
    """Write the code that splits two vectors and stores a line of each of the three tiles."""
    # The upper half of each number's bits, of one vector after the other, or in turns.
    upper = [2 * i + 1 for i in range(2 * _LANES)]
    if x.in_pairs:
        upper = [i for pair in zip(upper[:_LANES], upper[_LANES:], strict=True) for i in pair]
    parts = zip(_split(w, first), _split(w, second), strict=True)
    for part, (one, other) in enumerate(parts):
        low, high = (
            w.emit(f"bitcast {y.type} {y.text} to <32 x i16>", "i16", 2 * _LANES) for y in (one, other)
        )
        at = w.pointer(target, line * LINE_BYTES + part * TILE_BYTES, "i8")
        w.store(w.shuffle(low, high, upper), at)


def _split(w: Writer, x: Register) -> list[Register]:
    """Return float32 numbers as three, of which the upper halves of the bits are bfloat16."""
    parts = []
    for _ in range(PARTS - 1):
        # Rounded to nearest. An infinity leaves NaN.
        part = w.bits((w.bits(x, "i32") + 0x8000) & ~0xFFFF, "float")
        parts.append(part)
        x = x - part
    return [*parts, x]
