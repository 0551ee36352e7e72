"""The code of one matrix product: loops over tiles, their sums in registers, and what follows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from stepgrad.compile.lower.emit import Register, Writer
from stepgrad.compile.lower.loops import load
from stepgrad.compile.lower.packing import Panel, scaled, write_packing, write_ranges

if TYPE_CHECKING:
    from stepgrad.compile.lower.contract import Contraction, Epilogue

# Up to so many multiply-adds are written one after the other, without a loop.
_STRAIGHT = 64
# Up to so many vectors of a lone tile go to the epilogue from their registers; else it is written once, in a loop.
_DIRECT = 4


class Matrix:
    """Writes the code for one matrix of the batch: `a` and `b` are the addresses of A[0, 0] and B[0, 0]."""

    def __init__(
        self, plan: Contraction, w: Writer, a: Register, b: Register, epilogue: Epilogue, scratch: Register | None,
        batch: list[Register],
    ) -> None:  # fmt: skip
        self.plan, self.w, self.a, self.b, self.epilogue, self.batch = plan, w, a, b, epilogue, batch
        self.element, self.lanes = plan.element, plan.lanes
        is_lone = plan.tiles.count == plan.strips == plan.blocks == 1
        self.direct = is_lone and not plan.dot and plan.rows * plan.strip <= _DIRECT
        if scratch is not None:
            self.packed_a, self.packed_b, self.sums = (
                w.pointer(scratch, i, self.element) for i in (plan.place_a, plan.place_b, plan.place_sums)
            )
        if plan.blocks == 1 and not self.direct:
            self.sums = w.scratch(self.element, plan.slot)

    # -------------------------------------------------------------------------------------- order

    def write(self, part: tuple[Register, Register] | None) -> None:
        """Write the code for all tiles, or for those in a range of rows or strips."""
        plan = self.plan
        tiles: tuple[Any, Any] = (0, plan.tiles.count)
        strips: tuple[Any, Any] = (0, plan.strips)
        if part is not None:
            tiles, strips = (part, strips) if plan.by_rows else (tiles, part)

        def groups(first: Any, last: Any) -> None:
            write_ranges(self.w, *strips, plan.group_strips, lambda s, end: self._group((first, last), (s, end)))

        write_ranges(self.w, *tiles, plan.group_tiles, groups)

    def _group(self, tiles: tuple[Any, Any], strips: tuple[Any, Any]) -> None:
        """Write the loops over blocks of the depth, strips and tiles."""
        plan, w = self.plan, self.w
        if plan.blocks > 1:
            zero = w.constant(0, self.element, self.lanes)
            count = plan.group_tiles * plan.group_strips * plan.slot
            w.loop(0, count, self.lanes, lambda i, _: w.store(zero, w.pointer(self.sums, i, self.element)))

        def block(index: Register, _: list[Register]) -> None:
            start = scaled(w, index, plan.block)
            depth: Any = plan.block
            if plan.depth % plan.block:
                depth = w.select(plan.depth - start < plan.block, plan.depth - start, plan.block)
            if plan.packs_a:
                w.loop(*tiles, 1, lambda t, _: self._pack_a(t, t - tiles[0], start, depth))

            def strip(s: Register, _: list[Register]) -> None:
                vectors = self._vectors(s, start, depth)

                def tile(t: Register, _: list[Register]) -> None:
                    if plan.blocks == 1:
                        self._tile(t, s, (start, depth, t - tiles[0]), vectors, self._slot(0))
                        if not self.direct:
                            self._finish(t, s, self._slot(0))
                        return
                    slot = self._slot((s - strips[0]) * plan.group_tiles + (t - tiles[0]))
                    self._tile(t, s, (start, depth, t - tiles[0]), vectors, slot)
                    w.when(index == plan.blocks - 1, lambda: self._finish(t, s, slot))

                w.loop(*tiles, 1, tile)

            w.loop(*strips, 1, strip)

        w.loop(0, plan.blocks, 1, block)

    def _slot(self, number: Any) -> Register:
        """Return where the sums of a tile rest."""
        if self.direct:
            return self.a
        return self.w.pointer(self.sums, number * self.plan.slot, self.element)

    # ----------------------------------------------------------------------------------- choices

    def _when(self, condition: bool | Register, body: Callable[[], None]) -> None:
        """Write code under a condition; one that is known already leaves no trace."""
        if isinstance(condition, Register):
            self.w.when(condition, body)
        elif condition:
            body()

    def _strip_kinds(self, s: Register) -> list[tuple[bool | Register, int, int | None]]:
        """Return the kinds that a strip may be of: its condition, its number of vectors, and the mask of the last one."""
        plan = self.plan
        full, edge = (True, plan.strip, None), (True, plan.edge, plan.mask)
        if not plan.edge or plan.strips == 1:
            return [edge if plan.edge else full]
        return [(s < plan.strips - 1, *full[1:]), (s == plan.strips - 1, *edge[1:])]

    def _tile_kinds(self, t: Register) -> list[tuple[bool | Register, int]]:
        """Return the kinds that a tile may be of: its condition and its number of rows."""
        tiles = self.plan.tiles
        if not tiles.longer:
            return [(True, tiles.size)]
        return [(t < tiles.longer, tiles.size + 1), (t >= tiles.longer, tiles.size)]

    def _first_row(self, t: Register) -> Register:
        tiles = self.plan.tiles
        first = scaled(self.w, t, tiles.size)
        return first + self.w.select(t < tiles.longer, t, tiles.longer) if tiles.longer else first

    # ----------------------------------------------------------------------------------- packing

    def _pack_a(self, t: Register, place: Register, start: Register, depth: Any) -> None:
        plan, w = self.plan, self.w
        across, along = plan.a.strides[-2:]
        source = w.pointer(self.a, scaled(w, start, along), self.element)
        to = self._packed_tile(place)
        for condition, rows in self._tile_kinds(t):
            panel = Panel(plan.a, source, across, along, self._first_row(t), rows, plan.rows, depth)

            def pack(panel: Panel = panel) -> None:
                write_packing(w, panel, self.element, plan.lanes_a, to, plan.pitch_a)

            self._when(condition, pack)

    def _packed_tile(self, place: Register) -> Register:
        return self.w.pointer(self.packed_a, scaled(self.w, place, self.plan.block * self.plan.pitch_a), self.element)

    def _vectors(self, s: Register, start: Register, depth: Any) -> Register:
        """Return the address of the first vector of a strip, after packing the strip if it is to be."""
        plan, w = self.plan, self.w
        along, across = plan.b.strides[-2:]
        source = w.pointer(self.b, scaled(w, start, along), self.element)
        first = scaled(w, s, plan.pitch_b)
        if plan.dot or not plan.packs_b:
            return w.pointer(source, scaled(w, first, across), self.element)
        for condition, vectors, mask in self._strip_kinds(s):
            width = vectors * self.lanes - (self.lanes - mask if mask else 0)
            panel = Panel(plan.b, source, across, along, first, width, plan.columns, depth)

            def pack(panel: Panel = panel) -> None:
                write_packing(w, panel, self.element, self.lanes, self.packed_b, plan.pitch_b)

            self._when(condition, pack)
        return self.packed_b

    # -------------------------------------------------------------------------------------- tiles

    def _tile(
        self, t: Register, s: Register, depth: tuple[Register, Any, Register], vectors: Register, slot: Register
    ) -> None:
        """Compute the sums of a tile over one block of the depth: its first k, how many, and the tile's place in the group."""
        for is_tile, rows in self._tile_kinds(t):
            for is_strip, count, mask in self._strip_kinds(s):

                def write(rows: int = rows, count: int = count, mask: int | None = mask) -> None:
                    if self.plan.dot:
                        self._dots(t, s, rows, slot)
                    else:
                        self._products(t, s, (rows, count, mask), depth, vectors, slot)

                def within(condition: bool | Register = is_strip, write: Callable[[], None] = write) -> None:
                    self._when(condition, write)

                self._when(is_tile, within)

    def _products(
        self, t: Register, s: Register, shape: tuple[int, int, int | None],
        depth: tuple[Register, Any, Register], vectors: Register, slot: Register,
    ) -> None:  # fmt: skip
        """Compute a tile with the vectors along n."""
        plan, w, element, lanes = self.plan, self.w, self.element, self.lanes
        rows, count, mask = shape
        start, length, place = depth
        (across_a, along_a), (along_b, across_b) = plan.a.strides[-2:], plan.b.strides[-2:]
        if plan.packs_b:
            along_b, across_b, mask_b = plan.pitch_b, 1, None
        else:
            mask_b = mask
        if plan.packs_a:
            across_a, along_a, a = 1, plan.pitch_a, self._packed_tile(place)
        else:
            a = w.pointer(self.a, scaled(w, self._first_row(t), across_a), element)
            a = w.pointer(a, scaled(w, start, along_a), element)

        def step(k: Register, sums: list[Register]) -> list[Register]:
            a_here, b_here = w.pointer(a, scaled(w, k, along_a), element), w.pointer(vectors, scaled(w, k, along_b), element)
            row = []
            for v in range(count):
                address = w.pointer(b_here, v * lanes * across_b, element)
                row.append(w.splat(load(w, plan.b, address, lanes, across_b, mask_b if v == count - 1 else None), lanes))
            column = [w.splat(w.load(w.pointer(a_here, r * across_a, element), element), lanes) for r in range(rows)]
            # Fused where the machine can, else multiplied and added.
            return [
                w.intrinsic("fmuladd", x, y, sums[r * count + v]) for r, x in enumerate(column) for v, y in enumerate(row)
            ]

        places = [(r * plan.strip + v) * lanes for r in range(rows) for v in range(count)]
        if plan.blocks > 1:
            sums = [w.load(w.pointer(slot, i, element), element, lanes) for i in places]
        else:
            sums = [w.constant(0, element, lanes)] * len(places)
        if not isinstance(length, Register) and length * len(sums) <= _STRAIGHT:
            for k in range(length):
                sums = step(w.constant(k, "i64"), sums)
        else:
            sums = w.loop(0, length, 1, step, sums)
        if self.direct:
            for i, x in enumerate(sums):
                r, v = divmod(i, count)
                self._hand_on(t, s, w.constant(r, "i64"), w.constant(v, "i64"), x, mask if v == count - 1 else None)
        else:
            for x, i in zip(sums, places, strict=True):
                w.store(x, w.pointer(slot, i, element))

    def _dots(self, t: Register, s: Register, rows: int, slot: Register) -> None:
        """Compute a tile with the vectors along k: `rows` by one vector of sums, `plan.dots` columns at a time."""
        plan, w, element, lanes = self.plan, self.w, self.element, self.plan.widest
        first = self._first_row(t)
        across_a, across_b = plan.a.strides[-2], plan.b.strides[-1]
        a = [w.pointer(self.a, scaled(w, first + r, across_a), element) for r in range(rows)]

        def columns(c: Register, _: list[Register]) -> None:
            b = []
            for i in range(plan.dots):
                n = scaled(w, s, self.lanes) + c + i
                # Columns beyond the last are replaced by the last; these lanes do not count.
                if plan.mask:
                    n = w.select(n < plan.columns, n, plan.columns - 1)
                b.append(w.pointer(self.b, scaled(w, n, across_b), element))

            def step(k: Register, sums: list[Register], mask: int | None = None) -> list[Register]:
                xs, ys = ([w.load(w.pointer(x, k, element), element, lanes, mask) for x in part] for part in (a, b))
                pairs = [(x, y) for x in xs for y in ys]
                return [w.intrinsic("fmuladd", x, y, total) for (x, y), total in zip(pairs, sums, strict=True)]

            sums = [w.constant(0, element, lanes)] * (rows * plan.dots)
            whole = plan.depth // lanes * lanes
            sums = w.loop(0, whole, lanes, step, sums)
            if plan.depth > whole:
                sums = step(w.constant(whole, "i64"), sums, plan.depth - whole)
            for r in range(rows):
                total = _folded(w, sums[r * plan.dots : (r + 1) * plan.dots])
                w.store(total, w.pointer(w.pointer(slot, r * self.lanes, element), c, element))

        w.loop(0, self._lanes_of(s), plan.dots, columns)

    def _lanes_of(self, s: Register) -> Any:
        """Return how many lanes of a strip's only vector count."""
        mask = self.plan.mask or self.lanes
        if self.plan.strips == 1 or mask == self.lanes:
            return mask
        return self.w.select(s == self.plan.strips - 1, self.w.constant(mask, "i64"), self.lanes)

    # ----------------------------------------------------------------------------------- finish

    def _finish(self, t: Register, s: Register, slot: Register) -> None:
        """Hand the sums of a tile on, vector by vector, in loops: the epilogue may be long."""
        plan, w = self.plan, self.w
        rows: Any = plan.tiles.size
        if plan.tiles.longer:
            rows = w.select(t < plan.tiles.longer, w.constant(rows + 1, "i64"), rows)
        kinds = self._strip_kinds(s)
        is_edge, last, mask = kinds[-1]
        whole = last - (mask is not None)
        count: Any = whole if len(kinds) == 1 else w.select(is_edge, w.constant(whole, "i64"), plan.strip)

        def one(r: Register, v: Register, mask: int | None) -> None:
            address = w.pointer(slot, scaled(w, scaled(w, r, plan.strip) + v, self.lanes), self.element)
            self._hand_on(t, s, r, v, w.load(address, self.element, self.lanes), mask)

        def row(r: Register, _: list[Register]) -> None:
            w.loop(0, count, 1, lambda v, _: one(r, v, None))
            if mask:
                self._when(is_edge, lambda: one(r, w.constant(whole, "i64"), mask))

        w.loop(0, rows, 1, row)

    def _hand_on(self, t: Register, s: Register, r: Register, v: Register, sums: Register, mask: int | None) -> None:
        """Write the epilogue for vector v of row r of a tile."""
        w, plan = self.w, self.plan
        n = scaled(w, scaled(w, s, plan.strip) + v, self.lanes)
        self.epilogue(self.batch, self._first_row(t) + r, n, sums, mask)


def _folded(w: Writer, parts: list[Register]) -> Register:
    """Return a vector with, for each part, the sum of its lanes."""
    count = len(parts)
    while parts[0].lanes > count or len(parts) > 1:
        if parts[0].lanes == 2 and count == 1:
            low, high = w.halves(parts[0])
            return low + high
        joined = []
        for i in range(0, len(parts), 2):
            # Neighbouring lanes are added; from a pair of parts the results come to lie side by side.
            a, b = parts[i], parts[i + 1] if len(parts) > 1 else parts[i]
            picks = list(range(2 * a.lanes if len(parts) > 1 else a.lanes))
            joined.append(w.shuffle(a, b, picks[::2]) + w.shuffle(a, b, picks[1::2]))
        parts = joined
    return parts[0]
