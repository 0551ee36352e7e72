"""The code of one matrix product on AMX: loops over blocks, the sums in tiles, and what follows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stepgrad.compile.lower.emit import Writer
from stepgrad.compile.lower.loops import divided, scaled
from stepgrad.compile.lower.products.ahead import Ahead, Places
from stepgrad.compile.lower.products.amx import BLOCK_BYTES, PRODUCTS, SIDE, TILES, AmxContraction
from stepgrad.compile.lower.products.amx_packing import (
    LINE_BYTES,
    LINES,
    STEP_BYTES,
    TILE_BYTES,
    Operand,
    Region,
    write_packing,
)  # fmt: skip
from stepgrad.compile.lower.products.packing import write_ranges
from stepgrad.compile.lower.products.tiles import Epilogue
from stepgrad.compile.lower.register import Register

# The first of some, and the one after the last.
_Range = tuple[Register, Register]

_LANES = 16
_SUMS_PITCH = 4 * SIDE
# The tiles of sums are numbered first, then those of A, then those of B.
_FIRST_FACTOR = TILES * TILES


def write_amx_product(
    plan: AmxContraction,
    w: Writer,
    factors: tuple[Register, Register],
    memory: tuple[Register, Register],
    part: _Range,
    epilogue: Epilogue,
    places: Places | None,
) -> None:
    """Write the code of a range of units into the function that is open.

    `factors`: the addresses of their storages. `memory`: where the one lies that was packed before, and
    `own_bytes` of this thread. The epilogue is written at most twice. `places`: what it touches, which is
    fetched between the products.
    """
    _configure(w)
    product = _Product(plan, w, plan.operands(w, *factors)[0], memory, epilogue, places)
    w.loop(*part, 1, lambda u, _: product.write_unit(u))
    # From now on nobody has to save the tiles.
    _call(w, "tilerelease", "")


def _configure(w: Writer) -> None:
    """Write the code that gives each of the eight tiles 16 lines of 64 bytes."""
    table = w.scratch("i8", 64)
    w.store(w.constant(0, "i64", 8), table)
    # Which layout of this table it is; the bytes of the lines; how many lines.
    w.store(w.constant(1, "i8"), table)
    w.store(w.constant(LINE_BYTES, "i16", 8), w.pointer(table, 16, "i8"))
    w.store(w.constant(LINES, "i8", 8), w.pointer(table, 48, "i8"))
    _call(w, "ldtilecfg", f"ptr {table.text}")


class _Product:
    """Writes the code of one product. `x`: the factor that is packed line by line."""

    def __init__(
        self,
        plan: AmxContraction,
        w: Writer,
        x: Operand,
        memory: tuple[Register, Register],
        epilogue: Epilogue,
        places: Places | None,
    ) -> None:
        self.plan, self.w, self.x, self.epilogue, self.places = plan, w, x, epilogue, places
        self.packed, own = memory
        self.batch = [w.constant(0, "i64") for _ in plan.batch]
        self.lines, self.sums = (w.pointer(own, n, "i8") for n in (plan.place_lines, plan.place_sums))
        # A row of a block, read as the sums before the first ones.
        self.zeros = w.scratch("float", SIDE)
        for i in range(TILES):
            w.store(w.constant(0, "float", _LANES), w.pointer(self.zeros, i * _LANES, "float"))

    # -------------------------------------------------------------------------------------- order

    def write_unit(self, u: Register) -> None:
        """Write the code for a panel of lines of blocks."""
        plan, w = self.plan, self.w
        first = scaled(w, u, plan.panel)
        last = first + plan.panel
        if plan.lines % plan.panel:
            last = w.least(last, plan.lines)

        def group(begin: Register, end: Register) -> None:
            self._group((first, last), (begin, end))

        write_ranges(w, w.constant(0, "i64"), w.constant(plan.others, "i64"), plan.group, group)

    def _group(self, lines: _Range, others: _Range) -> None:
        """Write the loop over blocks of the depth: the lines are packed, and meet the others."""
        plan, w = self.plan, self.w

        def depth(index: Register, _: list[Register]) -> None:
            w.loop(*lines, 1, lambda i, _: self._pack_line(i, index, i - lines[0]))

            def some(begin: Register, end: Register) -> None:
                self._some(lines, (begin, end), index, others[0] if plan.blocks > 1 else begin)

            write_ranges(w, *others, plan.finished, some)

        w.loop(0, plan.blocks, 1, depth)

    def _some(self, lines: _Range, others: _Range, index: Register, base: Register) -> None:
        """Write the code for some blocks of lines; the sums in memory begin with block `base`."""
        w = self.w

        def other(j: Register, _: list[Register]) -> None:
            def line(i: Register, _: list[Register]) -> None:
                number = i - lines[0]
                self._block(i, j, index, self._line(number), self._sums(number, j - base))

            w.loop(*lines, 1, line)

        w.loop(*others, 1, other)
        w.when(self._is_last(index), lambda: self._finish_blocks(lines, others, base))

    def _finish_blocks(self, lines: _Range, others: _Range, base: Register) -> None:
        """Write the code that finishes some blocks of lines."""
        w, start = self.w, others[0] - base
        if self.plan.by_rows:
            w.loop(*lines, 1, lambda i, _: self._finish(i, others, self._sums(i - lines[0], start), 1))
        else:
            self._finish(others[0], lines, self._sums(w.constant(0, "i64"), start), self.plan.resting)

    def _is_last(self, index: Register) -> bool | Register:
        """Return whether a block of the depth is the last one."""
        return index == self.plan.blocks - 1 if self.plan.blocks > 1 else True

    # ------------------------------------------------------------------------------------- blocks

    def _line(self, line: Register) -> Register:
        """Return where a line of the panel lies packed."""
        return self.w.pointer(self.lines, line * self.plan.line_bytes, "i8")

    def _sums(self, line: Register, place: Register) -> Register:
        """Return where the sums of a block rest; `place`: among those of its line that are in memory."""
        return self.w.pointer(self.sums, (line * self.plan.resting + place) * BLOCK_BYTES, "i8")

    def _pack_line(self, i: Register, index: Register, line: Register) -> None:
        """Write the code that packs the tiles of a line of blocks, over a block of the depth."""
        plan, w = self.plan, self.w

        def span(first: Register, size: int, most: int) -> _Range:
            end = first + size
            return first, w.least(end, most) if most % size else end

        tiles, steps = span(i * TILES, TILES, self.x.tiles), span(index * plan.block, plan.block, plan.steps)
        write_packing(w, self.x, Region(tiles, steps, plan.block * STEP_BYTES), self._line(line))

    def _block(self, i: Register, j: Register, index: Register, line: Register, sums: Register) -> None:
        """Write the code for a block of the result, the j-th of line i, over a block of the depth."""
        plan, w = self.plan, self.w
        before, apart, steps = self.zeros, w.constant(0, "i64"), w.constant(plan.steps, "i64")
        met = w.pointer(self.packed, j * (TILES * plan.steps * STEP_BYTES), "i8")
        if plan.blocks > 1:
            met = w.pointer(met, index * (plan.block * STEP_BYTES), "i8")
            is_first, left = index == 0, plan.steps - index * plan.block
            before, apart = w.select(is_first, before, sums), w.select(is_first, apart, _SUMS_PITCH)
            steps = w.least(left, plan.block)
        line_apart, met_apart = (w.constant(n * STEP_BYTES, "i64") for n in (plan.block, plan.steps))
        t, s = (i, j) if plan.by_rows else (j, i)
        a, b = (
            ((line, line_apart), (met, met_apart)) if plan.by_rows else ((met, met_apart), (line, line_apart))
        )
        fetched = self._fetched(t, s, index)
        # So many rows with each step, that the last block of the depth fetches all of them.
        rows = -(-SIDE // (plan.steps - (plan.blocks - 1) * plan.block))
        for when_t, down in _kinds(t, plan.rows):
            for when_s, across in _kinds(s, plan.columns):

                def call(down: int = down, across: int = across) -> None:
                    how = down, across, len(fetched) // 2, rows
                    name = w.once(("amx", *how), lambda name: _write_block(w, name, *how))
                    w.call(name, [*a, *b, before, apart, sums, steps, *fetched])

                def inside(condition: bool | Register = when_s, call: Callable[[], None] = call) -> None:
                    w.when(condition, call)

                w.when(when_t, inside)

    def _fetched(self, t: Register, s: Register, index: Register) -> list[Register]:
        """Return what the epilogue touches of a block: addresses, each with the distance of rows in bytes."""
        w, is_last = self.w, self._is_last(index)
        found: list[Register] = []
        ahead: list[Ahead] = self.places(self.batch, t * SIDE, s * SIDE) if self.places else []
        for address, step, _, _ in ahead:
            apart = w.constant(4 * step, "i64")
            if isinstance(is_last, Register):
                address, apart = w.select(is_last, address, self.zeros), w.select(is_last, apart, 0)
            found += [address, apart]
        return found

    # ------------------------------------------------------------------------------------- finish

    def _finish(self, t: Register, strips: _Range, sums: Register, apart: int) -> None:
        """Hand the sums of blocks beside each other, which rest so many blocks apart, to the epilogue."""
        plan, w = self.plan, self.w
        begin, end = strips
        first, column = t * SIDE, begin * SIDE
        rows: Any = SIDE if plan.rows % SIDE == 0 else w.least(plan.rows - first, SIDE)
        whole, rest = divmod(plan.columns, _LANES)
        vectors = (w.least(end * TILES, whole) if plan.columns % SIDE else end * TILES) - begin * TILES

        def row(r: Register, _: list[Register]) -> None:
            def one(v: Register, mask: int | None = None) -> None:
                block, part = divided(w, v, TILES)
                at = w.pointer(sums, block * (apart * BLOCK_BYTES) + part * LINE_BYTES, "i8")
                x = w.load(w.pointer(at, r * _SUMS_PITCH, "i8"), "float", _LANES)
                self.epilogue(self.batch, first + r, column + v * _LANES, x, mask)

            w.loop(w.constant(0, "i64"), vectors, 1, lambda v, _: one(v))
            if rest:
                w.when(end == plan.strips, lambda: one(vectors, rest))

        w.loop(w.constant(0, "i64"), rows, 1, row)


def _kinds(i: Register, places: int) -> list[tuple[bool | Register, int]]:
    """Return how many tiles a block may have along a side, each with its condition."""
    whole, more = divmod(-(-places // LINES), TILES)
    if not more:
        return [(True, TILES)]
    return [(i < whole, TILES), (i == whole, more)] if whole else [(True, more)]


# -------------------------------------------------------------------------------------------- tiles


def _write_block(w: Writer, name: str, down: int, across: int, fetched: int, rows: int) -> None:
    """Write the function for a block of `down` by `across` tiles.

    It gets the address of A and how far its tiles lie apart; the same of B; the sums before and how far
    their rows lie apart; where the sums go; the number of steps; and for each of `fetched` matrices its
    address and how far its rows lie apart, of which `rows` are fetched with each step.
    """
    kinds = ["ptr", "i64", "ptr", "i64", "ptr", "i64", "ptr", "i64", *["ptr", "i64"] * fetched]
    with w.function(name, kinds, noalias=False) as arguments:
        a, a_apart, b, b_apart, before, apart, sums, steps, *ahead = arguments
        tiles = [(i, j) for i in range(down) for j in range(across)]
        for i, j in tiles:
            at = w.pointer(w.pointer(before, apart * (LINES * i), "i8"), j * LINE_BYTES, "i8")
            _load(w, TILES * i + j, at, apart)

        def step(_: Register, here: list[Register]) -> list[Register]:
            lines = [
                w.pointer(w.pointer(at, distance * r, "i8"), j * LINE_BYTES, "i8")
                for at, distance in zip(here[2:], ahead[1::2], strict=True)
                for r in range(rows)
                for j in range(TILES)
            ]
            factors = [(here[0], a_apart, down), (here[1], b_apart, across)]
            _write_products(w, factors, tiles, lines)
            onward = [w.constant(STEP_BYTES, "i64")] * 2 + [distance * rows for distance in ahead[1::2]]
            return [w.pointer(at, n, "i8") for at, n in zip(here, onward, strict=True)]

        w.loop(w.constant(0, "i64"), steps, 1, step, [a, b, *ahead[::2]])
        for i, j in tiles:
            at = w.pointer(sums, LINES * (i * SIDE + j), "float")
            _call(w, "tilestored64", f"i8 {TILES * i + j}, ptr {at.text}, i64 {_SUMS_PITCH}")


def _write_products(
    w: Writer,
    factors: list[tuple[Register, Register, int]],
    tiles: list[tuple[int, int]],
    lines: list[Register],
) -> None:
    """Write the products of a step; `factors`: where each lies, how far its tiles lie apart, and how many.

    `lines` of memory are fetched between them.
    """
    held = [-1, -1]
    for number, parts in enumerate(PRODUCTS):
        for which, (at, apart, count) in enumerate(factors):
            if parts[which] == held[which]:
                continue
            held[which] = parts[which]
            for i in range(count):
                part = w.pointer(w.pointer(at, apart * i, "i8"), parts[which] * TILE_BYTES, "i8")
                _load(w, _FIRST_FACTOR + TILES * which + i, part, w.constant(LINE_BYTES, "i64"))
        for i, j in tiles:
            a, b = _FIRST_FACTOR + i, _FIRST_FACTOR + TILES + j
            _call(w, "tdpbf16ps", f"i8 {TILES * i + j}, i8 {a}, i8 {b}")
        for at in lines[number :: len(PRODUCTS)]:
            w.prefetch(at, second=True)


def _load(w: Writer, tile: int, at: Register, apart: Register) -> None:
    """Write the code that loads a tile; `apart`: how far its lines lie apart, in bytes."""
    _call(w, "tileloadd64", f"i8 {tile}, ptr {at.text}, i64 {apart.text}")


def _call(w: Writer, name: str, arguments: str) -> None:
    """Write one of AMX's instructions. Numbers of tiles are part of it."""
    kinds = [x.split()[0] for x in arguments.split(", ") if x]
    declared = ", ".join("i8 immarg" if kind == "i8" else kind for kind in kinds)
    w.declare(name, f"declare void @llvm.x86.{name}({declared})")
    w.line(f"call void @llvm.x86.{name}({arguments})")
