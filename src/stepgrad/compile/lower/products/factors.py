"""The factors of a matrix product: where the rows of a tile and the vectors of a strip lie; their packing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from stepgrad.compile.lower.emit import Writer
from stepgrad.compile.lower.loops import divided, scaled
from stepgrad.compile.lower.products.packing import (
    PACKED_TILES,
    Panel,
    write_packing,
    write_ranges,
)
from stepgrad.compile.lower.register import Register

if TYPE_CHECKING:
    from stepgrad.compile.lower.products.contract import Contraction

# So many k of all tiles' rows are packed at a time.
_PACKED_DEPTH = 16


class Block(NamedTuple):
    """A part of the depth: its first k, and how many, a number or a register."""

    start: Register
    depth: Any


class Kind(NamedTuple):
    """A kind of strip: when a strip is of it, its number of vectors, and the mask of the last of them."""

    condition: bool | Register
    vectors: int
    mask: int | None


class Factors:
    """What the code of one matrix product reads; `a` and `b` are the addresses of A[0, 0] and B[0, 0]."""

    def __init__(
        self, plan: Contraction, w: Writer, a: Register, b: Register, scratch: Register | None
    ) -> None:
        self.plan, self.w, self.a, self.b = plan, w, a, b
        self.element, self.lanes = plan.element, plan.lanes
        if scratch is not None:
            self.packed_a, self.packed_b, self.sums = (
                self.at(scratch, place) for place in (plan.place_a, plan.place_b, plan.place_sums)
            )

    def at(self, base: Register, index: Any, stride: int = 1) -> Register:
        """Return the address of an element."""
        where = scaled(self.w, index, stride) if isinstance(index, Register) else index * stride
        return self.w.pointer(base, where, self.element)

    def quotient(self, x: Any, n: int) -> Any:
        """Return the quotient of a number, or of a register, by a number."""
        return divided(self.w, x, n)[0] if isinstance(x, Register) else x // n

    # -------------------------------------------------------------------------------------- kinds

    def strip_kinds(self, s: Register) -> list[Kind]:
        """Return the kinds that a strip may be of, the last strip's last."""
        plan = self.plan
        if not plan.edge:
            return [Kind(True, plan.strip, None)]
        if plan.strips == 1:
            return [Kind(True, plan.edge, plan.mask)]
        last = plan.strips - 1
        return [Kind(s < last, plan.strip, None), Kind(s == last, plan.edge, plan.mask)]

    def tile_kinds(self, t: Register) -> list[tuple[bool | Register, int]]:
        """Return the numbers of rows that a tile may have, each with its condition."""
        tiles = self.plan.tiles
        if not tiles.longer:
            return [(True, tiles.size)]
        place, _ = self.in_line(t)
        return [(place < tiles.longer, tiles.size + 1), (place >= tiles.longer, tiles.size)]

    def in_line(self, t: Register) -> tuple[Register, Register]:
        """Return the number of a tile in its line of rows, and the number of the line."""
        tiles = self.plan.tiles
        if tiles.lines == 1:
            return t, self.w.constant(0, "i64")
        return divided(self.w, t, tiles.each)[::-1]

    def _first_in_line(self, place: Register) -> Register:
        tiles = self.plan.tiles
        first = scaled(self.w, place, tiles.size)
        return first + self.w.least(place, tiles.longer) if tiles.longer else first

    def first_row(self, t: Register) -> Register:
        """Return the first row of a tile."""
        tiles = self.plan.tiles
        place, line = self.in_line(t)
        first = self._first_in_line(place)
        return first if tiles.lines == 1 else scaled(self.w, line, tiles.length) + first

    # ------------------------------------------------------------------------------------ factors

    def rows(self, t: Register, block: Block) -> Register:
        """Return the address of the first row of a tile, at the first k of a block (where k has lines: of
        all).
        """
        plan, axis = self.plan, self.plan.row_axis
        place, line = self.in_line(t)
        at = self.at(self.a, self._first_in_line(place), axis.stride)
        outer = list(axis.outer)
        if plan.joined > 1:
            n, step = outer[-1]
            outer[-1] = (n // plan.joined, step * plan.joined)
        if plan.tiles.lines > 1:
            at = self.moved_by(at, line, outer)
        return at if plan.depth_axis.outer else self.at(at, block.start, plan.depth_axis.stride)

    def moved_by(self, at: Register, place: Register, dims: list[tuple[int, int]]) -> Register:
        """Return an address moved to a place of several dimensions, (size, stride) each, counted through."""
        for n, step in reversed(dims[1:]):
            place, index = divided(self.w, place, n)
            at = self.at(at, index, step)
        return self.at(at, place, dims[0][1])

    def packed_tile(self, t: Register, tiles: tuple[Any, Any]) -> Register:
        """Return where a tile lies packed: all tiles, or those of a range, lie one after the other."""
        place = t if self.plan.packs_before else t - tiles[0]
        return self.at(self.packed_a, place, self.plan.block * self.plan.pitch_a)

    def packed_strip(self, s: Register) -> Register:
        """Return where a strip lies packed if all of them are."""
        return self.at(self.packed_b, s, self.plan.block * self.plan.pitch_b)

    def pack_rows(self, tiles: tuple[Any, Any], block: Block) -> None:
        """Pack the rows of tiles; where those of several share a line of the cache, some k at a time."""
        plan, w = self.plan, self.w

        def some(first: Any, end: Any) -> None:
            part = Block(block.start + first, end - first)

            def tile(t: Register, _: list[Register]) -> None:
                self._pack_a(t, self.at(self.packed_tile(t, tiles), first, plan.pitch_a), part)

            w.loop(*tiles, 1, tile)

        write_ranges(w, 0, block.depth, _PACKED_DEPTH if plan.row_axis.stride == 1 else plan.block, some)

    def _pack_a(self, t: Register, to: Register, block: Block) -> None:
        plan = self.plan
        across, along = plan.row_axis.stride, plan.depth_axis.stride
        source = self.at(self.a, block.start, along)
        for condition, rows in self.tile_kinds(t):
            panel = Panel(plan.a, source, across, along, self.first_row(t), rows, plan.rows, block.depth)

            def pack(panel: Panel = panel) -> None:
                write_packing(self.w, panel, self.element, plan.lanes_a, to, plan.pitch_a)

            self.w.when(condition, pack)

    def vectors(self, s: Register, block: Block) -> Register:
        """Return the address of the first vector of a strip, which is packed first if need be."""
        if not self.plan.packs_b:
            return self.unpacked(s, block)
        if self.plan.packs_before:
            return self.packed_strip(s)
        self.pack_b(s, block, self.packed_b)
        return self.packed_b

    def unpacked(self, s: Register, block: Block) -> Register:
        """Return the address of the first vector of a strip, where it lies."""
        along, across = self.plan.b.strides[-2:]
        first = scaled(self.w, s, self.plan.pitch_b)
        return self.at(self.at(self.b, block.start, along), first, across)

    def pack_b(self, s: Register, block: Block, to: Register) -> None:
        """Write the code that packs a strip."""
        plan = self.plan
        along, across = plan.b.strides[-2:]
        source = self.at(self.b, block.start, along)
        first = scaled(self.w, s, plan.pitch_b)
        for condition, vectors, mask in self.strip_kinds(s):
            width = vectors * self.lanes - (self.lanes - mask if mask else 0)
            panel = Panel(plan.b, source, across, along, first, width, plan.columns, block.depth)

            def pack(panel: Panel = panel) -> None:
                write_packing(self.w, panel, self.element, self.lanes, to, plan.pitch_b)

            self.w.when(condition, pack)

    # -------------------------------------------------------------------------------------- before

    def write_packing(self, part: tuple[Register, Register]) -> None:
        """Write the code that packs: strips, and after these tiles, of a range of the `packing_units`."""
        plan, w = self.plan, self.w
        block = Block(w.constant(0, "i64"), plan.block)

        def unit(u: Register, _: list[Register]) -> None:
            w.when(u < plan.strips, lambda: self.pack_b(u, block, self.packed_strip(u)))
            if plan.packs_a:
                first = (u - plan.strips) * PACKED_TILES
                end = first + PACKED_TILES
                last = w.least(end, plan.tiles.count)
                w.when(u >= plan.strips, lambda: self.pack_rows((first, last), block))

        w.loop(*part, 1, unit)
