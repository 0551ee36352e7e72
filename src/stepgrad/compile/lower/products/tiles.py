"""The code of one matrix product: loops over tiles, the sums in registers, and what follows them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from stepgrad.compile.lower.emit import Writer
from stepgrad.compile.lower.loops import divided, load, scaled
from stepgrad.compile.lower.products.ahead import Ahead, Places, write_fetching
from stepgrad.compile.lower.products.factors import Block, Factors, Kind
from stepgrad.compile.lower.products.packing import write_ranges
from stepgrad.compile.lower.register import Register

if TYPE_CHECKING:
    from stepgrad.compile.lower.products.contract import Contraction

# What is done with finished sums: epilogue(batch, m, n, vector, mask). The vector is C[m, n…]; of its lanes
# `mask` count, all if that is None. What is in the others is not specified.
Epilogue = Callable[[list[Register], Register, Register, Register, "int | None"], None]

# Up to so many multiply-adds are written one after the other, without a loop.
_STRAIGHT = 64
# And so many where the depth has lines, whose ends would interrupt a loop.
_STRAIGHT_LINES = 192
# So many k in each round of a loop, whose own instructions take the places of others.
_TOGETHER = 4
# So many k before they are needed vectors are fetched.
_AHEAD = 32
# Up to so many vectors of a lone tile go to the epilogue from their registers; else it is written in a loop.
_DIRECT = 4


class Matrix:
    """Writes the code for one matrix of the batch; `a` and `b` are the addresses of A[0, 0] and B[0, 0]."""

    def __init__(
        self,
        plan: Contraction,
        w: Writer,
        a: Register,
        b: Register,
        epilogue: Epilogue,
        scratch: Register | None,
        batch: list[Register],
        places: Places | None = None,
    ) -> None:
        self.plan, self.w, self.element, self.lanes = plan, w, plan.element, plan.lanes
        self.factors = Factors(plan, w, a, b, scratch)
        self._at = self.factors.at
        self.places = places if plan.fetches else None
        self.epilogue, self.batch = epilogue, batch
        # The range of parts of strips, if not all.
        self.part: tuple[Register, Register] | None = None
        is_lone = plan.tiles.count == plan.strips == plan.blocks == 1
        self.is_direct = is_lone and not plan.dot and plan.rows * plan.strip <= _DIRECT
        if plan.blocks > 1:
            self.sums = self.factors.sums
        elif not self.is_direct:
            self.sums = w.scratch(self.element, plan.slot)

    # -------------------------------------------------------------------------------------- order

    def write(self, part: tuple[Register, Register] | None) -> None:
        """Write the code for all tiles, or for those of a range of units."""
        plan, w = self.plan, self.w
        tiles: tuple[Any, Any] = (0, plan.tiles.count)
        strips: tuple[Any, Any] = (0, plan.strips)
        if part is not None and plan.packs_before and not plan.tiles_first:
            w.loop(*part, 1, lambda u, _: self._unit(u))
            return
        if part is not None:
            if plan.by_rows:
                tiles = part
            else:
                self.part = part
                strips = (
                    self.factors.quotient(part[0], plan.parts),
                    self.factors.quotient(part[1] + (plan.parts - 1), plan.parts),
                )

        def groups(first: Any, last: Any) -> None:
            def group(s: Any, end: Any) -> None:
                self._group((first, last), (s, end))

            write_ranges(self.w, *strips, plan.group_strips, group)

        write_ranges(self.w, *tiles, plan.group_tiles, groups)

    def _unit(self, u: Register) -> None:
        """Write the code for one strip of a group of tiles."""
        plan, w = self.plan, self.w
        group, s = divided(w, u, plan.strips)
        first = scaled(w, group, plan.group_tiles)
        end = first + plan.group_tiles
        last = w.least(end, plan.tiles.count)
        self._group((first, last), (s, s + 1))

    def _group(self, tiles: tuple[Any, Any], strips: tuple[Any, Any]) -> None:
        """Write the loops over blocks of the depth, strips and tiles."""
        plan, w = self.plan, self.w
        if plan.blocks > 1:
            zero = w.constant(0, self.element, self.lanes)
            count = plan.group_tiles * plan.group_strips * plan.slot
            w.loop(0, count, self.lanes, lambda i, _: w.store(zero, self._at(self.sums, i)))

        def over_blocks(index: Register, _: list[Register]) -> None:
            block = self._block(index)
            if plan.packs_a and not plan.packs_before:
                self.factors.pack_rows(tiles, block)

            if plan.tiles_first:
                self._tiles_first(tiles, strips, block)
                return

            def over_strips(s: Register, _: list[Register]) -> None:
                b = self.factors.vectors(s, block)

                def over_tiles(t: Register, _: list[Register]) -> None:
                    a = self.factors.packed_tile(t, tiles) if plan.packs_a else self.factors.rows(t, block)
                    if self.is_direct:
                        self._hand_on(s, a, b, block)
                        return
                    if plan.blocks == 1:
                        self._tile(t, s, a, b, block, self.sums, self._ahead(t, s, a))
                        self._finish(t, s, self.sums)
                        return
                    number = (s - strips[0]) * plan.group_tiles + (t - tiles[0])
                    slot = self._at(self.sums, number, plan.slot)
                    self._tile(t, s, a, b, block, slot)
                    w.when(index == plan.blocks - 1, lambda: self._finish(t, s, slot))

                w.loop(*self._tiles_of(s, tiles), 1, over_tiles)

            w.loop(*strips, 1, over_strips)

        w.loop(0, plan.blocks, 1, over_blocks)

    def _tiles_of(self, s: Register, tiles: tuple[Any, Any]) -> tuple[Any, Any]:
        """Return which tiles of a strip are to be done: all, or those of its parts in the range."""
        plan, w = self.plan, self.w
        if self.part is None or plan.parts == 1:
            return tiles
        begin, end = (x - s * plan.parts for x in self.part)
        begin = w.select(begin > 0, begin, 0)
        end = w.least(end, plan.parts)
        first, last = (self.factors.quotient(x * plan.tiles.count, plan.parts) for x in (begin, end))
        return first, last

    def _tiles_first(self, tiles: tuple[Any, Any], strips: tuple[Any, Any], block: Block) -> None:
        """Write the loops over tiles and, within these, strips; all strips are packed before."""
        plan, w = self.plan, self.w

        if plan.packs_b and not plan.packs_before:
            w.loop(*strips, 1, lambda s, _: self.factors.pack_b(s, block, self.factors.packed_strip(s)))

        def over_tiles(t: Register, _: list[Register]) -> None:
            a = self.factors.packed_tile(t, tiles) if plan.packs_a else self.factors.rows(t, block)

            def over_strips(s: Register, _: list[Register]) -> None:
                b = self.factors.packed_strip(s) if plan.packs_b else self.factors.unpacked(s, block)
                self._tile(t, s, a, b, block, self.sums)
                self._finish(t, s, self.sums)

            w.loop(*strips, 1, over_strips)

        w.loop(*tiles, 1, over_tiles)

    def _block(self, index: Register) -> Block:
        plan = self.plan
        start = scaled(self.w, index, plan.block)
        if plan.depth % plan.block == 0:
            return Block(start, plan.block)
        left = plan.depth - start
        return Block(start, self.w.least(left, plan.block))

    def _ahead(self, t: Register, s: Register, a: Register) -> list[Ahead]:
        """Return what is fetched while a tile is summed up."""
        if self.places is None:
            if not self.plan.fetches_a:
                return []
            # The next tile's rows, a line of the cache of each at a time.
            stride = self.plan.row_axis.stride
            offsets = range(0, self.plan.tiles.largest * stride, stride)
            return [Ahead(self._at(a, offsets.stop), self.plan.line_elements, offsets, self.element)]
        return self.places(self.batch, self.factors.first_row(t), scaled(self.w, s, self.plan.pitch_b))

    # -------------------------------------------------------------------------------------- tiles

    def _tile(
        self, t: Register, s: Register, a: Register, b: Register, block: Block, slot: Register,
        ahead: Sequence[Ahead] = (),
    ) -> None:  # fmt: skip
        """Compute the sums of a tile over one block; they come to rest in the slot."""
        for is_tile, rows in self.factors.tile_kinds(t):
            for kind in self.factors.strip_kinds(s):

                def write(rows: int = rows, kind: Kind = kind) -> None:
                    if self.plan.dot:
                        self._dots(s, a, b, rows, slot)
                    else:
                        self._products(a, b, rows, kind, block, slot, ahead)

                def within(kind: Kind = kind, write: Callable[[], None] = write) -> None:
                    self.w.when(kind.condition, write)

                self.w.when(is_tile, within)

    def _products(
        self, a: Register, b: Register, rows: int, kind: Kind, block: Block, slot: Register,
        ahead: Sequence[Ahead],
    ) -> None:  # fmt: skip
        """Compute a tile with the vectors along n.

        In a function of its own: the sums then need not share the registers with what the loops around hold,
        and products of the same form share the code.
        """
        w, strip = self.w, self.plan.strip
        given = [x for x in block if _varies(x)] + [x.address for x in ahead]
        name = w.unique("tile")
        with w.function(name, ["ptr"] * 3 + [x.element for x in given]) as (a_in, b_in, slot_in, *inside):
            places = [(r * strip + v) * self.lanes for r in range(rows) for v in range(kind.vectors)]
            sums = [w.constant(0, self.element, self.lanes)] * len(places)
            if self.plan.blocks > 1:
                sums = [w.load(self._at(slot_in, i), self.element, self.lanes) for i in places]
            block_in = Block(*(inside.pop(0) if _varies(x) else x for x in block))
            ahead_in = [x._replace(address=address) for x, address in zip(ahead, inside, strict=True)]
            summed = self._summed(a_in, b_in, rows, kind, block_in, sums, ahead_in)
            for x, i in zip(summed, places, strict=True):
                w.store(x, self._at(slot_in, i))
        w.call(name, [a, b, slot, *given])

    def _summed(
        self, a: Register, b: Register, rows: int, kind: Kind, block: Block, sums: list[Register],
        ahead: Sequence[Ahead] = (),
    ) -> list[Register]:  # fmt: skip
        """Return the sums, row by row, with the products of a block added."""
        plan, w = self.plan, self.w
        along_a, (along_b, across_b) = plan.depth_axis.stride, plan.b.strides[-2:]
        offsets = [plan.row_axis.offset(r) for r in range(rows)]
        if plan.packs_a:
            offsets, along_a = list(range(rows)), plan.pitch_a
        if plan.packs_b:
            along_b, across_b = plan.pitch_b, 1

        def step(a_here: Register, b_here: Register, sums: list[Register]) -> list[Register]:
            row = []
            for v in range(kind.vectors):
                if plan.fetches_b:
                    w.prefetch(self._at(b_here, v * self.lanes + _AHEAD * along_b), second=True)
                mask = kind.mask if v == kind.vectors - 1 and not plan.packs_b else None
                x = load(w, plan.b, self._at(b_here, v * self.lanes, across_b), self.lanes, across_b, mask)
                row.append(w.splat(x, self.lanes))
            results: list[Register] = []
            for offset in offsets:
                x = w.splat(w.load(self._at(a_here, offset), self.element), self.lanes)
                for y in row:
                    # Fused where the machine can; else multiplied and added.
                    results.append(w.intrinsic("fmuladd", x, y, sums[len(results)]))
            return results

        def rounds(count: int) -> Callable[[Register, list[Register]], list[Register]]:
            """Return the body of a loop that goes on by `count` k."""

            def body(_: Register, carried: list[Register]) -> list[Register]:
                a, b, *sums = carried
                for k in range(count):
                    sums = step(self._at(a, k, along_a), self._at(b, k, along_b), sums)
                return [self._at(a, count, along_a), self._at(b, count, along_b), *sums]

            return body

        def along(a: Register, b: Register, depth: Any, sums: list[Register]) -> list[Register]:
            if ahead:
                each = plan.line_elements if self.places is None else -(-plan.block // rows)
                count = 1 if isinstance(depth, Register) else math.gcd(depth, _TOGETHER)
                each = -(-each // count) * count
                return write_fetching(w, ahead, each, depth, count, rounds(count), [a, b, *sums])[2:]
            if isinstance(depth, Register):
                return w.loop(0, depth, 1, rounds(1), [a, b, *sums])[2:]
            rest = depth
            if depth * len(sums) > _STRAIGHT:
                rest = depth % _TOGETHER
                a, b, *sums = w.loop(0, depth - rest, _TOGETHER, rounds(_TOGETHER), [a, b, *sums])
            for k in range(rest):
                sums = step(self._at(a, k, along_a), self._at(b, k, along_b), sums)
            return sums

        axis = plan.depth_axis
        if not axis.outer:
            return along(a, b, block.depth, sums)
        if plan.blocks == 1 and plan.depth * len(sums) <= _STRAIGHT_LINES:
            for k in range(plan.depth):
                sums = step(self._at(a, axis.offset(k)), self._at(b, k, along_b), sums)
            return sums
        first = self.factors.quotient(block.start, axis.length)

        def line(u: Register, sums: list[Register]) -> list[Register]:
            a_here = self.factors.moved_by(a, first + u if plan.blocks > 1 else u, axis.outer)
            return along(a_here, self._at(b, u, axis.length * along_b), axis.length, sums)

        return w.loop(0, self.factors.quotient(block.depth, axis.length), 1, line, sums)

    def _dots(self, s: Register, a: Register, b: Register, rows: int, slot: Register) -> None:
        """Compute a tile of one vector with the vectors along k, `plan.dots` columns at a time."""
        plan, w, lanes = self.plan, self.w, self.plan.widest
        starts_a = [self._at(a, r, plan.row_axis.stride) for r in range(rows)]
        count = self._lanes_of(s)

        def columns(c: Register, _: list[Register]) -> None:
            starts_b = []
            for i in range(plan.dots):
                n = c + i
                # Columns beyond the last are replaced by the last; these lanes do not count.
                if plan.mask:
                    n = w.select(n < count, n, count - 1)
                starts_b.append(self._at(b, n, plan.b.strides[-1]))

            def step(k: Register, sums: list[Register], mask: int | None = None) -> list[Register]:
                xs, ys = (
                    [w.load(self._at(start, k), self.element, lanes, mask) for start in starts]
                    for starts in (starts_a, starts_b)
                )
                pairs = [(x, y) for x in xs for y in ys]
                return [w.intrinsic("fmuladd", x, y, z) for (x, y), z in zip(pairs, sums, strict=True)]

            sums = [w.constant(0, self.element, lanes)] * (rows * plan.dots)
            whole = plan.depth // lanes * lanes
            sums = w.loop(0, whole, lanes, step, sums)
            if plan.depth > whole:
                sums = step(w.constant(whole, "i64"), sums, plan.depth - whole)
            for r in range(rows):
                total = _folded(w, sums[r * plan.dots : (r + 1) * plan.dots])
                w.store(total, self._at(self._at(slot, r, self.lanes), c))

        w.loop(0, count, plan.dots, columns)

    def _lanes_of(self, s: Register) -> Any:
        """Return how many lanes of a strip's only vector count."""
        *_, last = self.factors.strip_kinds(s)
        if last.mask is None or not isinstance(last.condition, Register):
            return last.mask or self.lanes
        return self.w.select(last.condition, self.w.constant(last.mask, "i64"), self.lanes)

    # ------------------------------------------------------------------------------------- finish

    def _hand_on(self, s: Register, a: Register, b: Register, block: Block) -> None:
        """Compute a small tile and hand its sums to the epilogue out of their registers."""
        w, (kind,) = self.w, self.factors.strip_kinds(s)
        rows = self.plan.rows
        zeros = [w.constant(0, self.element, self.lanes)] * (rows * kind.vectors)
        for i, x in enumerate(self._summed(a, b, rows, kind, block, zeros)):
            r, v = divmod(i, kind.vectors)
            mask = kind.mask if v == kind.vectors - 1 else None
            self.epilogue(self.batch, w.constant(r, "i64"), w.constant(v * self.lanes, "i64"), x, mask)

    def _finish(self, t: Register, s: Register, slot: Register) -> None:
        """Hand the sums of a tile to the epilogue, vector by vector; in loops, since that may be long."""
        plan, w = self.plan, self.w
        rows: Any = plan.tiles.size
        if plan.tiles.longer:
            rows = w.select(self.factors.in_line(t)[0] < plan.tiles.longer, w.constant(rows + 1, "i64"), rows)
        kinds = self.factors.strip_kinds(s)
        condition, vectors, mask = kinds[-1]
        whole = (vectors - (mask is not None)) * self.lanes
        columns: Any = whole
        if isinstance(condition, Register):
            columns = w.select(condition, w.constant(whole, "i64"), plan.pitch_b)
        first, column = self.factors.first_row(t), scaled(w, s, plan.pitch_b)

        def row(r: Register, _: list[Register]) -> None:
            at_rest = self._at(slot, r, plan.pitch_b)

            def one(n: Register, mask: int | None = None) -> None:
                x = w.load(self._at(at_rest, n), self.element, self.lanes)
                self.epilogue(self.batch, first + r, column + n, x, mask)

            w.loop(0, columns, self.lanes, lambda n, _: one(n))
            if mask:
                self.w.when(condition, lambda: one(w.constant(whole, "i64"), mask))

        w.loop(0, rows, 1, row)


def _varies(x: Any) -> bool:
    """Return whether a number is known only when the code runs."""
    return isinstance(x, Register) and not x.text.isdigit()


def _folded(w: Writer, parts: list[Register]) -> Register:
    """Return a vector with, for each part, the sum of its lanes. Their number is a power of 2."""
    count = len(parts)
    while len(parts) > 1 or parts[0].lanes > count:
        if count == 1 and parts[0].lanes == 2:
            low, high = w.halves(parts[0])
            return low + high
        # Neighbouring lanes are added; the results of two parts come to lie side by side.
        pairs = list(zip(parts[::2], parts[1::2], strict=True)) if len(parts) > 1 else [(parts[0], parts[0])]
        picks = list(range(parts[0].lanes * min(2, len(parts))))
        parts = [w.shuffle(a, b, picks[::2]) + w.shuffle(a, b, picks[1::2]) for a, b in pairs]
    return parts[0]
