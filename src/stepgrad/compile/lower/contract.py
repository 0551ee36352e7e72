"""Contractions: C[b…, m, n] = Σₖ A[b…, m, k] · B[b…, k, n], for any sizes and strides, in registers.

The result is cut into tiles of some rows by some vectors that fit the registers. For each k, a vector of B is multiplied by an
element of A, the same in every lane, and added: `rows · vectors` fused multiply-adds for `rows + vectors` loads. The vectors of a
strip of columns are packed first where they lie apart (`lower.packing`); where the depth is large it is cut into blocks, between
which the sums rest in memory. Where A has few rows and both matrices lie along k, the vectors run along k instead.

Each element is summed over k in an order that shapes and strides decide, whatever part of the work is done at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from stepgrad.compile.lower.emit import BYTES, Register, Writer, element_of
from stepgrad.compile.lower.packing import load_strided, scaled, write_packing
from stepgrad.compile.memory import Buffer
from stepgrad.compile.program import NotCompiled

# What is done with finished elements: epilogue(batch, m, n, vector of C[m, n…], how many of its lanes count or None for all).
Epilogue = Callable[[list[Register], Register, Register, Register, "int | None"], None]

KNOBS: dict[str, Any] = {}


class Tiling:
    """A length cut into tiles of `size`, of which the first `longer` have one more."""

    def __init__(self, length: int, largest: int) -> None:
        self.length = length
        self.count = -(-length // largest)
        self.size, self.longer = divmod(length, self.count)

    @property
    def largest(self) -> int:
        """The size of the largest tile."""
        return self.size + (self.longer > 0)


class Contraction:
    """How one contraction is computed.

    `units`: into how many parts the work can be cut, 0 if not at all. `scratch_bytes`: the memory that `write` needs.

    Raises `NotCompiled` for elements that are not floating point numbers.
    """

    def __init__(self, a: Buffer, b: Buffer, vector_bytes: int) -> None:
        if a.dtype.kind != "f" or a.dtype != b.dtype:
            raise NotCompiled(f"a matrix product of {a.dtype.name} and {b.dtype.name} is not compiled")
        self.a, self.b = a, b
        self.batch = a.shape[:-2]
        self.rows, self.depth = a.shape[-2:]
        self.columns = b.shape[-1]
        self.element = element_of(a.dtype)
        self.widest = vector_bytes // BYTES[self.element]
        self.lanes = self.widest
        while self.lanes > 1 and self.lanes // 2 >= self.columns:
            self.lanes //= 2
        self.vectors = -(-self.columns // self.lanes)
        self.registers = 28 if vector_bytes == 64 else 12
        self._choose()

    def _choose(self) -> None:
        a_along, b_along = self.a.strides[-1], self.b.strides[-2]
        b_across = self.b.strides[-1]
        self.dot = (
            self.rows <= KNOBS.get("dot_rows", 8) and (a_along == 1 or self.depth == 1) and b_along == 1
            and b_across != 1 and self.depth >= self.widest // 2
        )  # fmt: skip
        if self.dot:
            self.tiles = Tiling(self.rows, 4)
            self.strip = 1
            self.dots = min(self.lanes, {1: 16, 2: 8}.get(self.tiles.largest, 4) * self.registers // 28 or 1)
            while self.dots & (self.dots - 1):
                self.dots &= self.dots - 1
            self.packs_b = self.packs_a = False
            self.block = self.depth
        else:
            rows, self.strip = KNOBS.get("tile") or self._best_tile()
            self.tiles = Tiling(self.rows, rows)
            self.packs_b = KNOBS.get("packs_b", self._should_pack_b())
            self.packs_a = KNOBS.get("packs_a", False)
            self.block = -(-self.depth // -(-self.depth // KNOBS.get("block", 1 << 30)))
        self.strips = -(-self.vectors // self.strip)
        self.blocks = -(-self.depth // self.block)
        last = self.vectors - (self.strips - 1) * self.strip
        self.mask = self.columns % self.lanes or None
        self.edge = last if last != self.strip or self.mask else 0
        self.slot = self.tiles.largest * self.strip * self.lanes
        self.group = KNOBS.get("group", 8) if self.blocks > 1 else self.strips
        self.group_tiles = KNOBS.get("group_tiles", 64) if self.blocks > 1 else self.tiles.count
        self.by_rows = self.strips < 4 and self.tiles.count > 1
        self.batches = math.prod(self.batch)
        self.units = self.batches if self.batches > 1 else self.tiles.count if self.by_rows else self.strips
        self.pitch_a = -(-self.tiles.largest // self._lanes_a) * self._lanes_a
        self._lay_out()

    @property
    def _lanes_a(self) -> int:
        return min(self.widest, 32 // BYTES[self.element])

    def _should_pack_b(self) -> bool:
        along, across = self.b.strides[-2:]
        if across == 0:
            return False
        if across != 1:
            return self.tiles.count > 1
        return self.tiles.count > 4 and abs(along) * self.depth * BYTES[self.element] > 1 << 15

    def _best_tile(self) -> tuple[int, int]:
        """Return the rows and vectors of a tile."""
        best, least = (1, 1), math.inf
        for vectors in range(1, min(4 if self.rows > 1 else 8, self.vectors) + 1):
            strips, last = divmod(self.vectors, vectors)
            for rows in range(1, min(self.registers // vectors, self.rows, KNOBS.get("max_rows", 14)) + 1):
                tiling = Tiling(self.rows, rows)
                total = 0.0
                for r, count in ((tiling.size + 1, tiling.longer), (tiling.size, tiling.count - tiling.longer)):
                    total += count * (strips * _cost(r, vectors) + (last > 0) * _cost(r, last))
                if total < least:
                    best, least = (tiling.largest, vectors), total
        return best

    def _lay_out(self) -> None:
        """Give the parts of the scratch memory their places, in elements."""
        at = 0
        self.place_b = at
        at += self.block * self.strip * self.lanes if self.packs_b else 0
        self.place_a = at = -(-at // 16) * 16
        at += self.group_tiles * self.block * self.pitch_a if self.packs_a else 0
        self.place_sums = at = -(-at // 16) * 16
        at += min(self.group, self.strips) * self.group_tiles * self.slot if self.blocks > 1 else 0
        self.scratch_bytes = at * BYTES[self.element]

    def write(
        self, w: Writer, a_base: Register, b_base: Register, epilogue: Epilogue, scratch: Register | None = None,
        part: tuple[Register, Register] | None = None,
    ) -> None:  # fmt: skip
        """Write the code into the open function.

        `a_base`, `b_base`: addresses of the storages. `scratch`: address of `scratch_bytes`, aligned to 64, that no one else
        uses meanwhile. `part`: the units to compute, from the first up to but without the second; all if it is not given.
        """
        a = w.pointer(a_base, self.a.offset, self.element)
        b = w.pointer(b_base, self.b.offset, self.element)
        if self.batches == 1:
            place = [w.constant(0, "i64") for _ in self.batch]
            _Matrix(self, w, a, b, epilogue, scratch, place).write(part)
            return

        def one(unit: Register, _: list[Register]) -> None:
            place: list[Register] = []
            for n in reversed(self.batch):
                place.insert(0, w.emit(f"urem i64 {unit.text}, {n}", "i64"))
                unit = w.emit(f"udiv i64 {unit.text}, {n}", "i64")
            starts = []
            for at, buffer in ((a, self.a), (b, self.b)):
                for index, stride in zip(place, buffer.strides):
                    if stride:
                        at = w.pointer(at, scaled(w, index, stride), self.element)
                starts.append(at)
            _Matrix(self, w, *starts, epilogue, scratch, place).write(None)

        w.loop(*(part or (0, self.batches)), 1, one)


def _cost(rows: int, vectors: int) -> float:
    """Return about how many cycles a tile takes for each k: the most of arithmetic, loads, and waiting for the sums."""
    return max(rows * vectors / 2, (rows + vectors) / 2, 4) + 0.5


class _Matrix:
    """Writes the code for one matrix of the batch."""

    def __init__(
        self, plan: Contraction, w: Writer, a: Register, b: Register, epilogue: Epilogue, scratch: Register | None,
        batch: list[Register],
    ) -> None:  # fmt: skip
        self.plan, self.w, self.a, self.b, self.epilogue, self.batch = plan, w, a, b, epilogue, batch
        self.element, self.lanes = plan.element, plan.lanes
        vectors = plan.tiles.largest * plan.strip
        self.direct = plan.tiles.count == plan.strips == plan.blocks == 1 and not plan.dot and vectors <= 4
        if plan.scratch_bytes:
            assert scratch is not None
            self.packed_b = w.pointer(scratch, plan.place_b, self.element)
            self.packed_a = w.pointer(scratch, plan.place_a, self.element)
            self.sums = w.pointer(scratch, plan.place_sums, self.element)
        if plan.blocks == 1:
            self.sums = a if self.direct else w.scratch(self.element, plan.slot)

    # -------------------------------------------------------------------------------------- order

    def write(self, part: tuple[Register, Register] | None) -> None:
        """Write the loops over groups of tiles and strips, and over blocks of the depth."""
        plan, w = self.plan, self.w
        tiles: tuple[Any, Any] = (0, plan.tiles.count)
        strips: tuple[Any, Any] = (0, plan.strips)
        if part is not None:
            tiles, strips = (part, strips) if plan.by_rows else (tiles, part)

        def tile_group(first: Register, last: Any) -> None:
            self._ranges(*strips, plan.group, lambda s0, s1: self._group((first, last), (s0, s1)))

        self._ranges(*tiles, plan.group_tiles, tile_group)

    def _ranges(self, start: Any, stop: Any, step: int, body: Callable[[Any, Any], None]) -> None:
        """Write ``for first in range(start, stop, step): body(first, min(first + step, stop))``."""
        if not isinstance(start, Register) and stop - start <= step:
            body(start, stop)
            return

        def one(first: Register, _: list[Register]) -> None:
            end = first + step
            body(first, self.w.select(end < stop, end, stop))

        self.w.loop(start, stop, step, one)

    def _group(self, tiles: tuple[Any, Any], strips: tuple[Any, Any]) -> None:
        plan, w = self.plan, self.w
        if plan.blocks > 1:
            zero = w.constant(0, self.element, self.lanes)
            count = plan.group_tiles * min(plan.group, plan.strips) * plan.slot
            w.loop(0, count, self.lanes, lambda i, _: w.store(zero, w.pointer(self.sums, i, self.element)))

        def block(index: Register, _: list[Register]) -> None:
            start = scaled(w, index, plan.block)
            depth: Any = plan.block
            if plan.depth % plan.block:
                depth = w.select(plan.depth - start < plan.block, plan.depth - start, plan.block)
            if plan.packs_a:
                w.loop(*tiles, 1, lambda t, _: self._pack_a(t, t - tiles[0], start, depth))

            def strip(s: Register, _: list[Register]) -> None:
                panel = self._panel(s, start, depth)

                def tile(t: Register, _: list[Register]) -> None:
                    slot = self.sums
                    if plan.blocks > 1:
                        at = (s - strips[0]) * plan.group_tiles + (t - tiles[0])
                        slot = w.pointer(self.sums, at * plan.slot, self.element)
                    self._tile(t, s, panel, (start, depth, t - tiles[0] if plan.packs_a else None), slot)
                    if plan.blocks > 1:
                        w.when(index == plan.blocks - 1, lambda: self._finish(t, s, slot))
                    elif not self.direct:
                        self._finish(t, s, slot)

                w.loop(*tiles, 1, tile)

            w.loop(*strips, 1, strip)

        w.loop(0, plan.blocks, 1, block)

    # ----------------------------------------------------------------------------------- choices

    def _when(self, condition: bool | Register, body: Callable[[], Any]) -> None:
        """Write code under a condition; one that is known already leaves no trace."""
        if isinstance(condition, Register):
            self.w.when(condition, body)
        elif condition:
            body()

    def _edge(self, s: Register) -> bool | Register:
        """Return whether a strip is the last, if that has fewer vectors or lanes."""
        if not self.plan.edge:
            return False
        return self.plan.strips == 1 or s == self.plan.strips - 1

    def _full(self, s: Register) -> bool | Register:
        if not self.plan.edge:
            return True
        return self.plan.strips > 1 and s < self.plan.strips - 1

    def _tile_kinds(self, t: Register) -> list[tuple[bool | Register, int]]:
        """Return how many rows a tile can have, each with its condition."""
        tiles = self.plan.tiles
        if not tiles.longer:
            return [(True, tiles.size)]
        return [(t < tiles.longer, tiles.size + 1), (t >= tiles.longer, tiles.size)]

    def _first_row(self, t: Register) -> Register:
        tiles = self.plan.tiles
        first = t * tiles.size
        if not tiles.longer:
            return first
        return first + self.w.select(t < tiles.longer, t, tiles.longer)

    # ----------------------------------------------------------------------------------- packing

    def _pack_a(self, t: Register, place: Register, start: Register, depth: Any) -> None:
        plan, w = self.plan, self.w
        across, along = plan.a.strides[-2:]
        source = w.pointer(self.a, scaled(w, start, along), self.element)
        to = w.pointer(self.packed_a, place * (plan.block * plan.pitch_a), self.element)
        first = self._first_row(t)
        for condition, rows in self._tile_kinds(t):
            self._when(condition, lambda rows=rows: write_packing(
                w, self.element, plan._lanes_a, source, (across, along), (first, rows, plan.rows), depth, to, plan.pitch_a
            ))  # fmt: skip

    def _panel(self, s: Register, start: Register, depth: Any) -> tuple[Register, int]:
        """Return where the vectors of a strip lie and how far apart they are along k, packed now if they must be."""
        plan, w = self.plan, self.w
        along, across = plan.b.strides[-2:]
        source = w.pointer(self.b, scaled(w, start, along), self.element)
        width = plan.strip * self.lanes
        first = s * width
        if plan.dot:
            return source, along
        if not plan.packs_b:
            return w.pointer(source, scaled(w, first, across), self.element), along

        def pack(columns: int) -> None:
            write_packing(
                w, self.element, self.lanes, source, (across, along), (first, columns, plan.columns), depth,
                self.packed_b, width,
            )  # fmt: skip

        last = plan.columns - (plan.strips - 1) * width
        self._when(self._full(s), lambda: pack(width))
        self._when(self._edge(s), lambda: pack(last))
        return self.packed_b, width

    # -------------------------------------------------------------------------------------- tiles

    def _tile(
        self, t: Register, s: Register, panel: tuple[Register, int], depth: tuple[Any, Any, Any], slot: Register
    ) -> None:
        """Compute the sums of a tile over one block of the depth."""
        plan = self.plan
        for is_tile, rows in self._tile_kinds(t):
            for is_strip, vectors, mask in (
                (self._full(s), plan.strip, None), (self._edge(s), plan.edge, plan.mask),
            ):  # fmt: skip
                if is_strip is not False:
                    def write(rows: int = rows, vectors: int = vectors, mask: int | None = mask) -> None:
                        if plan.dot:
                            self._dots(t, s, rows, slot)
                        else:
                            self._products(t, s, rows, vectors, mask, panel, depth, slot)

                    self._when(is_tile, lambda: self._when(is_strip, write))  # noqa: B023

    def _products(
        self, t: Register, s: Register, rows: int, vectors: int, mask: int | None, panel: tuple[Register, int],
        depth: tuple[Any, Any, Any], slot: Register,
    ) -> None:  # fmt: skip
        plan, w, element, lanes = self.plan, self.w, self.element, self.lanes
        start, length, packed = depth
        if plan.packs_a:
            across, along = 1, plan.pitch_a
            a = w.pointer(self.packed_a, packed * (plan.block * plan.pitch_a), element)
        else:
            across, along = plan.a.strides[-2:]
            a = w.pointer(self.a, scaled(w, self._first_row(t), across), element)
            a = w.pointer(a, scaled(w, start, along), element)
        b, pitch = panel
        b_across = 1 if plan.packs_b else plan.b.strides[-1]
        places = [(r * plan.strip + v) * lanes for r in range(rows) for v in range(vectors)]
        if plan.blocks > 1:
            sums = [w.load(w.pointer(slot, i, element), element, lanes) for i in places]
        else:
            sums = [w.constant(0, element, lanes) for _ in places]

        def step(k: Register, sums: list[Register]) -> list[Register]:
            a_here = w.pointer(a, scaled(w, k, along), element)
            b_here = w.pointer(b, scaled(w, k, pitch), element)
            column = []
            for v in range(vectors):
                masked = mask if v == vectors - 1 and not plan.packs_b else None
                column.append(load_strided(w, element, lanes, w.pointer(b_here, v * lanes * b_across, element), b_across, masked))
            results = []
            for r in range(rows):
                x = w.splat(w.load(w.pointer(a_here, r * across, element), element), lanes)
                for v in range(vectors):
                    results.append(w.intrinsic("fmuladd", x, column[v], sums[r * vectors + v]))
            return results

        if not isinstance(length, Register) and length * len(sums) <= 64:
            for k in range(length):
                sums = step(w.constant(k, "i64"), sums)
        else:
            sums = w.loop(0 if not isinstance(length, Register) else w.constant(0, "i64"), length, 1, step, sums)
        if self.direct:
            row, column = self._first_row(t), s * (plan.strip * lanes)
            for i, x in enumerate(sums):
                r, v = divmod(i, vectors)
                self.epilogue(self.batch, row + r, column + v * lanes, x, mask if v == vectors - 1 else None)
            return
        for x, i in zip(sums, places, strict=True):
            w.store(x, w.pointer(slot, i, element))

    def _dots(self, t: Register, s: Register, rows: int, slot: Register) -> None:
        """Compute a tile with the vectors along k: `rows` by one vector of results, `dots` columns at a time."""
        plan, w, element, step = self.plan, self.w, self.element, self.plan.widest
        first = self._first_row(t)
        a = [w.pointer(self.a, scaled(w, first + r, plan.a.strides[-2]), element) for r in range(rows)]

        def columns(c: Register, _: list[Register]) -> None:
            b = []
            for i in range(plan.dots):
                n = s * self.lanes + c + i
                if plan.mask:
                    n = w.select(n < plan.columns, n, plan.columns - 1)
                b.append(w.pointer(self.b, scaled(w, n, plan.b.strides[-1]), element))

            def along(k: Any, sums: list[Register], mask: int | None = None) -> list[Register]:
                xs = [w.load(w.pointer(at, k, element), element, step, mask) for at in a]
                ys = [w.load(w.pointer(at, k, element), element, step, mask) for at in b]
                return [
                    w.intrinsic("fmuladd", x, y, sums[i * plan.dots + j])
                    for i, x in enumerate(xs) for j, y in enumerate(ys)
                ]  # fmt: skip

            sums = [w.constant(0, element, step)] * (rows * plan.dots)
            whole = plan.depth // step * step
            sums = w.loop(0, whole, step, along, sums)
            if plan.depth > whole:
                sums = along(whole, sums, plan.depth - whole)
            for r in range(rows):
                total = _summed(w, sums[r * plan.dots : (r + 1) * plan.dots])
                w.store(total, w.pointer(w.pointer(slot, r * self.lanes, element), c, element))

        w.loop(0, self.lanes, plan.dots, columns)

    # ----------------------------------------------------------------------------------- finish

    def _finish(self, t: Register, s: Register, slot: Register) -> None:
        """Hand the finished sums of a tile to the epilogue, vector by vector."""
        plan, w = self.plan, self.w
        tiles = plan.tiles
        row, column = self._first_row(t), s * (plan.strip * self.lanes)
        rows: Any = tiles.size
        if tiles.longer:
            rows = w.select(t < tiles.longer, w.constant(tiles.size + 1, "i64"), tiles.size)
        edge = self._edge(s)
        last = plan.edge - (plan.mask is not None)
        count: Any = plan.strip
        if isinstance(edge, Register):
            count = w.select(edge, w.constant(last, "i64"), plan.strip)
        elif edge:
            count = last

        def one(r: Register, v: Any, mask: int | None) -> None:
            at = (r * plan.strip + v) * self.lanes
            x = w.load(w.pointer(slot, at, self.element), self.element, self.lanes)
            self.epilogue(self.batch, row + r, column + v * self.lanes, x, mask)

        def across(r: Register, _: list[Register]) -> None:
            if isinstance(count, Register):
                w.loop(w.constant(0, "i64"), count, 1, lambda v, _: one(r, v, None))
            else:
                w.loop(0, count, 1, lambda v, _: one(r, v, None))
            if plan.mask:
                self._when(edge, lambda: one(r, last, plan.mask))

        w.loop(w.constant(0, "i64") if isinstance(rows, Register) else 0, rows, 1, across)


def _summed(w: Writer, parts: list[Register]) -> Register:
    """Return a vector with the sum of the lanes of each part."""
    if len(parts) == 1:
        total = parts[0]
        while total.lanes > 1:
            low, high = w.halves(total)
            total = low + high
        return total
    count = len(parts)
    while len(parts) > 1 or parts[0].lanes > count:
        pairs = list(zip(parts[::2], parts[1::2], strict=True)) if len(parts) > 1 else [(parts[0], parts[0])]
        parts = []
        for a, b in pairs:
            picks = range(2 * a.lanes if a is not b else a.lanes)
            parts.append(w.shuffle(a, b, list(picks[::2])) + w.shuffle(a, b, list(picks[1::2])))
    return parts[0]


def scratch_bytes(a: Buffer, b: Buffer, vector_bytes: int) -> int:
    return Contraction(a, b, vector_bytes).scratch_bytes


def units_of(a: Buffer, b: Buffer, vector_bytes: int) -> int:
    return Contraction(a, b, vector_bytes).units


def write_contraction(w, a, a_base, b, b_base, vector_bytes, epilogue, scratch=None, part=None) -> None:
    Contraction(a, b, vector_bytes).write(w, a_base, b_base, epilogue, scratch, part)
