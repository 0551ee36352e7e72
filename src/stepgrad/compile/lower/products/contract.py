"""Contractions: C[b…, m, n] = Σₖ A[b…, m, k] · B[b…, k, n], for any sizes and strides.

Of A, m and k may each stand for several dimensions: so a convolution reads the windows of its images where
they lie.

The result is cut into tiles of some rows by some vectors of columns, whose sums fit into registers. For each
k an element of A, in every lane, meets the vectors of B: `rows · vectors` fused multiply-adds for
`rows + vectors` loads. A strip is the column of tiles that share vectors of B; these are packed first where
they lie apart. A great depth is cut into blocks, between which the sums rest in memory. Where A has few rows
and both matrices lie along k, the vectors run along k instead.

Threads share strips, or parts of them; where much is read and written with the result, they share groups of
rows, and what is to be packed is packed before by all of them.

Here it is decided how; `products.tiles` writes the code. Every element is summed over k in an order that
follows from shapes, strides and the width of vectors alone, whatever part of the work is done by whom.
"""

from __future__ import annotations

import math

from stepgrad.compile.lower.emit import Writer
from stepgrad.compile.lower.loops import lanes_within, scaled
from stepgrad.compile.lower.products.ahead import Places
from stepgrad.compile.lower.products.factors import Factors
from stepgrad.compile.lower.products.packing import PACKED_TILES
from stepgrad.compile.lower.products.tiles import Epilogue, Matrix
from stepgrad.compile.lower.register import BYTES, Register, element_of
from stepgrad.compile.memory import Buffer, whole_lines
from stepgrad.compile.program.value import NotCompiled

# Up to this size the vectors of a strip stay in the first cache over the whole depth.
_NEAR_BYTES = 1 << 15
# Up to this size they stay in the second cache; else the depth is cut so that those of a block do.
_STRIP_BYTES, _BLOCK_BYTES = 1 << 19, 1 << 17
# Strips between two passes over the same blocks of A: their sums rest in memory.
_GROUP_STRIPS = 8
# Of A, so much stays in the second cache while strips of B pass. To pack B once more for other rows pays only
# where A is this many times as much: packed, or as it lies.
_ROWS_BYTES, _LEAST_ROWS = 1 << 20, 256
_MOST_PACKED, _MOST_UNPACKED = 2, 16
# A is packed where its elements for one k and the next lie apart and the block reaches farther than this.
_FAR_BYTES = 1 << 17
# From so many arrays read and written with the result, and so many rows, threads share by rows.
_MANY_STREAMS, _LONG = 5, 64
# Where B is so much that it would not stay near anyway, they pack it together before; the rows then are in so
# many groups at least. Else, since each packs B for itself, it pays for so many rows at a time.
_MUCH_TO_PACK, _LEAST_GROUPS, _ROWS_TO_PACK_FOR = 1 << 21, 4, 256
# Where each strip has at least so many tiles, a thread's share may begin and end with a part of it.
_LEAST_TILES, _PARTS = 16, 4
# Of more than so much not all stays in the second cache. From so many rows on, and where vectors lie a page
# apart, they are fetched ahead.
MUCH_MEMORY, _ROWS_FOR_FETCHING, _PAGE = 1 << 20, 4, 1 << 12
# From this depth on, memory that is read and written with the result is fetched between the products.
_DEEP = 256
# Up to this depth, passing over that memory takes longer than the sums.
_SHALLOW = 64
# Cycles, measured: to pack an element, to fetch a byte from beyond the second cache, to add up the lanes of
# a dot product.
_PACKING, _FETCHING, _FOLDING = 0.4, 0.025, 3.0
# What one more loop must save, in cycles and as a part of all, to be worth the time that LLVM takes for it.
_LOOP, _LOOP_PART = 1000.0, 0.03


class Tiling:
    """Each of `lines` of a length cut into `each` tiles of `size`, of which the first `longer` have one more.

    >>> tiling = Tiling(10, 4)
    >>> tiling.count, tiling.size, tiling.longer, tiling.largest, tiling.kinds
    (3, 3, 1, 4, [(4, 1), (3, 2)])
    """

    def __init__(self, length: int, largest: int, lines: int = 1) -> None:
        self.length, self.lines = length, lines
        self.each = -(-length // largest)
        self.count = self.each * lines
        self.size, self.longer = divmod(length, self.each)
        self.largest = self.size + (self.longer > 0)
        # The sizes that occur, each with how often.
        self.kinds = [(self.size, (self.each - self.longer) * lines)]
        if self.longer:
            self.kinds.insert(0, (self.size + 1, self.longer * lines))


class Axis:
    """Several dimensions that are counted through as one: `outer` ones and the `length` of the last, `stride`
    apart.

    >>> axis = Axis((4, 3, 8), (100, 8, 1))
    >>> axis.outer, axis.length, axis.stride, axis.lines, axis.offset(25)
    ([(4, 100)], 24, 1, 4, 101)
    """

    def __init__(self, sizes: tuple[int, ...], strides: tuple[int, ...]) -> None:
        dims: list[tuple[int, int]] = []
        for n, step in zip(sizes, strides, strict=True):
            if n == 1:
                continue
            if dims and dims[-1][1] == n * step:
                dims[-1] = (dims[-1][0] * n, step)
            else:
                dims.append((n, step))
        *self.outer, (self.length, self.stride) = dims or [(1, 1)]
        self.lines = math.prod(n for n, _ in self.outer)

    def offset(self, place: int) -> int:
        """Return where a place lies."""
        line, rest = divmod(place, self.length)
        total = rest * self.stride
        for n, step in reversed(self.outer):
            line, i = divmod(line, n)
            total += i * step
        return total

    def joined(self, most: int) -> int:
        """Return how many short lines, that lie alike everywhere, make one of at most `most` places."""
        if not self.outer or self.length >= most:
            return 1
        count = self.outer[-1][0]
        return max((n for n in range(1, count + 1) if count % n == 0 and n * self.length <= most), default=1)


class Contraction:
    """How one contraction is computed.

    `a`: a buffer of shape (b…, M…, K…), with `rows` dimensions M; `b`: (b…, K, N), with the same batch
    dimensions; no size is 0.
    `vector_bytes`: 64, 32 or 16. `streams`: how many arrays are read and written with the result.
    `fetches`: whether the memory that the epilogue touches (`Places`) is fetched between the products.
    `units`: into how many parts the work can be cut, 0 if it cannot. `scratch_bytes`: the memory that `write`
    needs; `grain`: so many units are best done at a time. `may_pack_before`: whether it pays to call
    `pack_before`.

    Raises `NotCompiled` for elements that are not floating point numbers.
    """

    group_tiles: int
    place_a: int
    place_b: int
    place_sums: int

    def __init__(self, a: Buffer, b: Buffer, vector_bytes: int, rows: int = 1, streams: int = 1) -> None:
        if a.dtype.kind != "f" or a.dtype != b.dtype:
            raise NotCompiled(f"a matrix product of {a.dtype.name} with {b.dtype.name} is not compiled")
        self.a, self.b = a, b
        self.batch = b.shape[:-2]
        start = len(self.batch)
        self.row_axis = Axis(a.shape[start : start + rows], a.strides[start : start + rows])
        self.depth_axis = Axis(a.shape[start + rows :], a.strides[start + rows :])
        self.rows = math.prod(a.shape[start : start + rows])
        self.depth, self.columns = b.shape[-2:]
        # Lines of rows that lie alike; a tile has rows of one line.
        self.joined = self.row_axis.joined(12)
        self.line = self.row_axis.length * self.joined
        self.has_lines = bool(self.row_axis.outer or self.depth_axis.outer)
        self.element = element_of(a.dtype)
        self.bytes = BYTES[self.element]
        self.widest = vector_bytes // self.bytes
        self.lanes = lanes_within(self.widest, self.columns)
        # How many lanes of the last vector count, if not all.
        self.mask = self.columns % self.lanes or None
        # So many registers hold sums; of the 32 of AVX-512 or 16 of others, some are left for the factors.
        self.sums = 24 if vector_bytes == 64 else 12
        self.a_bytes, self.b_bytes = (self.depth * n * self.bytes for n in (self.rows, self.columns))
        self._choose_tiles()
        self._choose_blocks()
        # Where much memory is passed over, threads get rows of it, not columns: what lies beside is fetched
        # ahead, and would go to and fro between them.
        passes_much = streams >= _MANY_STREAMS and self.rows >= _LONG
        # And where that takes longer than the sums, each row is passed over as it lies, strip after strip.
        is_shallow = self.blocks == 1 and self.depth <= _SHALLOW and self.b_bytes <= _ROWS_BYTES
        self.tiles_first = passes_much and is_shallow and not self.dot and self.strips > 1
        self._choose_fetching()
        self._choose_units(passes_much)
        self.packs_before, self.packing_units = False, 0
        self._lay_out()

    def pack_before(self) -> None:
        """Let what is to be packed be packed before: by `write_packing`, in `packing_units` parts, into the
        memory that `write` then gets.
        """
        self.packs_before, self.grain = True, 1
        self.group_tiles = min(self.group_tiles, -(-self.tiles.count // _LEAST_GROUPS))
        if not self.tiles_first:
            self.units = -(-self.tiles.count // self.group_tiles) * self.strips
        chunks = -(-self.tiles.count // PACKED_TILES)
        self.packing_units = self.strips + (chunks if self.packs_a else 0)
        self._lay_out()

    # ------------------------------------------------------------------------------------ choices

    def _choose_tiles(self) -> None:
        """Choose between vectors along n and along k, and the size of a tile."""
        vectors = -(-self.columns // self.lanes)
        along, across = self.b.strides[-2:]
        self.tiles, self.strip, cycles = self._best_tiles(vectors)
        if across == 1:
            is_wide = abs(along) * self.depth * self.bytes > _NEAR_BYTES
            self.packs_b = self.tiles.count > 4 and is_wide
        else:
            # Vectors that do not lie as such are gathered only if that is soon done.
            self.packs_b = across != 0 and self.depth * self.bytes >= 16
        if self.packs_b:
            cycles += _PACKING * self.depth * self.columns
        # With vectors along k, so many columns are computed at a time, of at most 4 rows.
        self.dots = 1
        while 2 * self.dots * min(self.rows, 4) <= self.sums and self.dots < self.lanes:
            self.dots *= 2
        is_along = self.depth_axis.stride == along == 1 and not self.has_lines
        self.dot = is_along and self._dot_cycles() < cycles
        if self.dot:
            self.tiles, self.strip, self.packs_b = Tiling(self.rows, 4), 1, False
        self.cycles = self._dot_cycles() if self.dot else cycles
        self.strips = -(-vectors // self.strip)
        # The number of vectors in the last strip, if it differs from the others in any way.
        last = vectors - (self.strips - 1) * self.strip
        self.edge = last if last != self.strip or self.mask else 0

    def _best_tiles(self, vectors: int) -> tuple[Tiling, int, float]:
        """Return the tiles, how many vectors a strip has, and about how many cycles that takes."""
        best, least = (Tiling(self.line, 1, self.rows // self.line), 1), math.inf
        # Every strip fetches all of A anew where that does not stay in the second cache, as packed parts do.
        is_far = self.a_bytes > _ROWS_BYTES and self.depth_axis.stride == 1
        far = _FETCHING * self.bytes * is_far
        for strip in range(1, min(vectors, 4 if self.rows > 1 else 8) + 1):
            strips, last = divmod(vectors, strip)
            widths = [(strip, strips), (last, 1)] if last else [(strip, strips)]
            is_near = self.depth * strip * self.lanes * self.bytes <= _NEAR_BYTES
            # Two vectors leave room for two more sums, where there are many registers.
            sums = self.sums + 2 if strip == 2 and self.sums > 12 else self.sums
            for rows in range(1, min(self.line, sums // strip, 14) + 1):
                if self.joined > 1 and rows < self.line:
                    continue
                tiles = Tiling(self.line, rows, self.rows // self.line)
                one = sum(i * j * _cycles(r, v, is_near, far) for r, i in tiles.kinds for v, j in widths)
                loops = len(tiles.kinds) * len(widths)
                cycles = one * self.depth * (1 + loops * _LOOP_PART) + loops * _LOOP
                if cycles < least:
                    best, least = (tiles, strip), cycles
        return *best, least

    def _dot_cycles(self) -> float:
        """Return about how many cycles it takes with the vectors along k."""
        steps = -(-self.depth // self.widest)
        columns = -(-self.columns // self.dots) * self.dots
        # Every strip passes over all of A.
        is_near = self.rows * self.depth * self.bytes <= 4 * _NEAR_BYTES or self.columns <= self.lanes
        return self.rows * columns * ((0.6 if is_near else 0.8) * steps + _FOLDING) + 2 * _LOOP

    def _choose_blocks(self) -> None:
        """Choose how much of the depth and of the rows is worked on at a time."""
        row = self.strip * self.lanes * self.bytes
        blocks = 1
        # A block ends where a line of the depth does.
        unit = self.depth_axis.length if self.depth_axis.outer else 1
        count = self.depth // unit
        if not self.dot and self.depth * row > _STRIP_BYTES and self.tiles.count > 1:
            blocks = min(-(-self.depth * row // _BLOCK_BYTES), count)
            # Blocks of equal depth make shorter code.
            blocks = next((i for i in range(blocks, min(2 * blocks, count + 1)) if count % i == 0), blocks)
        self.block = -(-count // blocks) * unit
        # Vectors for one k and the next that lie as far apart as pages are not fetched by themselves.
        # Where few rows meet a vector, memory is the limit, and fetching ahead takes part of it.
        along, across = (abs(stride) * self.bytes for stride in self.b.strides[-2:])
        is_much = along * self.depth > MUCH_MEMORY and along >= _PAGE and across == self.bytes
        self.fetches_b = is_much and not self.packs_b and self.tiles.largest >= _ROWS_FOR_FETCHING
        # Packing takes 16 bytes of a row at a time, of the last block too.
        while 0 < self.depth % self.block < 16 // self.bytes:
            self.block += unit
        self.blocks = -(-self.depth // self.block)
        along = abs(self.depth_axis.stride)
        is_far = along > 1 and along * self.block * self.bytes > _FAR_BYTES
        self.packs_a = not self.dot and is_far and not self.has_lines
        if self.packs_a:
            self.cycles += _PACKING * self.rows * self.depth
        self.group_strips = self.strips if self.blocks == 1 else min(self.strips, _GROUP_STRIPS)
        self.group_tiles = self.tiles.count
        most = _MOST_PACKED if self.packs_a else _MOST_UNPACKED
        if self.blocks > 1 or self.rows * self.block * self.bytes > most * _ROWS_BYTES:
            rows = max(_LEAST_ROWS, _ROWS_BYTES // (self.block * self.bytes))
            self.group_tiles = min(self.tiles.count, -(-rows // self.tiles.largest))

    def _choose_fetching(self) -> None:
        """Choose what is fetched between the products: what the epilogue touches, or the next tile's rows."""
        is_plain = self.blocks == 1 and not (self.dot or self.has_lines)
        self.fetches = is_plain and self.depth >= _DEEP and not self.tiles_first
        # The rows, where A stays in the second cache once it is there.
        self.line_elements = 64 // self.bytes
        is_near = _NEAR_BYTES < self.a_bytes <= _ROWS_BYTES and self.depth >= 8 * self.line_elements
        self.fetches_a = is_plain and is_near and self.depth_axis.stride == 1 and not self.packs_a

    def _choose_units(self, passes_much: bool) -> None:
        """Choose how the work is cut for threads: into strips or parts of them; tiles where there are too few
        of these; the matrices of a batch.
        """
        self.by_rows = (self.strips < 4 or passes_much) and self.tiles.count > 1
        self.batches = math.prod(self.batch)
        is_whole = self.blocks == 1 and not self.packs_a and self.group_tiles == self.tiles.count
        is_long = self.tiles.count >= _LEAST_TILES and is_whole and not self.dot
        self.parts = _PARTS if is_long and not self.by_rows and self.batches == 1 else 1
        strips = self.strips * self.parts
        units = self.batches if self.batches > 1 else self.tiles.count if self.by_rows else strips
        self.units = units if units > 1 else 0
        packs_for_rows = self.by_rows and self.packs_b and self.batches == 1
        self.may_pack_before = packs_for_rows and self.blocks == 1 and self.b_bytes >= _MUCH_TO_PACK
        self.grain = self.parts
        if packs_for_rows:
            few = self.rows < 4 * _ROWS_TO_PACK_FOR
            self.grain = self.units if few else -(-_ROWS_TO_PACK_FOR // self.tiles.largest)

    def _lay_out(self) -> None:
        """Give the parts of the scratch memory their places, in elements."""
        # The rows of a tile are packed in vectors that are not much longer.
        self.lanes_a = min(self.widest, 32 // self.bytes)
        self.pitch_a = -(-self.tiles.largest // self.lanes_a) * self.lanes_a
        self.pitch_b = self.strip * self.lanes
        # The sums of a tile at rest.
        self.slot = self.tiles.largest * self.pitch_b
        whole = self.packs_before
        sizes = (
            self.packs_b * self.block * self.pitch_b * (self.strips if whole or self.tiles_first else 1),
            self.packs_a * (self.tiles.count if whole else self.group_tiles) * self.block * self.pitch_a,
            (self.blocks > 1) * self.group_strips * self.group_tiles * self.slot,
        )
        places: list[int] = []
        end = 0
        for size in sizes:
            places.append(end)
            end += whole_lines(size * self.bytes) // self.bytes
        self.place_b, self.place_a, self.place_sums = places
        self.scratch_bytes = end * self.bytes

    @property
    def next_tile(self) -> tuple[int, int]:
        """How many rows and columns lie between a tile and the one that is mostly computed after it."""
        return (0, self.pitch_b) if self.tiles_first else (self.tiles.size, 0)

    @property
    def packed_elements(self) -> int:
        """How many numbers are packed before."""
        return self.depth * (self.columns + (self.rows if self.packs_a else 0))

    def loops(self) -> str:
        """Return the loop nest in words."""
        batch = f"{self.batches} of " if self.batches > 1 else ""
        size = f"{batch}({self.rows} × {self.depth}) · ({self.depth} × {self.columns})"
        if self.dot:
            return f"{size}, vectors of {self.widest} along {self.depth}"
        tile = f"tiles of {self.tiles.largest} × {self.strip} vectors of {self.lanes}"
        packed = [name for name, is_packed in (("A", self.packs_a), ("B", self.packs_b)) if is_packed]
        blocks = f", {self.depth} in {self.blocks} blocks" if self.blocks > 1 else ""
        return f"{size}, {tile}{blocks}{', packed: ' if packed else ''}{', '.join(packed)}"

    # -------------------------------------------------------------------------------------- write

    def write(
        self,
        w: Writer,
        a_base: Register,
        b_base: Register,
        epilogue: Epilogue,
        scratch: Register | None = None,
        part: tuple[Register, Register] | None = None,
        places: Places | None = None,
    ) -> None:
        """Write the code into the function that is open.

        `a_base`, `b_base`: addresses of the storages. `scratch`: the address of `scratch_bytes` that no one
        else uses meanwhile; faster at a multiple of 64. `part`: the units to compute, from the first up to
        but without the second; all if it is not given. The epilogue is written at most twice, or, for a
        single small tile, once for each of up to four vectors. `places`: what it touches, for `fetches`.
        """
        a = w.pointer(a_base, self.a.offset, self.element)
        b = w.pointer(b_base, self.b.offset, self.element)
        if self.batches == 1:
            place = [w.constant(0, "i64") for _ in self.batch]
            Matrix(self, w, a, b, epilogue, scratch, place, places).write(part)
            return

        def one(unit: Register, _: list[Register]) -> None:
            place: list[Register] = []
            for n in reversed(self.batch):
                place.insert(0, w.emit(f"urem i64 {unit.text}, {n}", "i64"))
                unit = w.emit(f"udiv i64 {unit.text}, {n}", "i64")
            a_here, b_here = (self._moved(w, at, x, place) for at, x in ((a, self.a), (b, self.b)))
            Matrix(self, w, a_here, b_here, epilogue, scratch, place, places).write(None)

        begin, end = part or (0, self.batches)
        w.loop(begin, end, 1, one)

    def write_packing(
        self, w: Writer, a_base: Register, b_base: Register, to: Register, part: tuple[Register, Register]
    ) -> None:
        """Write the code that packs before, a range of `packing_units`, into the function that is open.

        `a_base`, `b_base`: addresses of the storages. `to`: the address of `scratch_bytes`.
        """
        a = w.pointer(a_base, self.a.offset, self.element)
        b = w.pointer(b_base, self.b.offset, self.element)
        Factors(self, w, a, b, to).write_packing(part)

    def _moved(self, w: Writer, at: Register, x: Buffer, place: list[Register]) -> Register:
        """Return the address of one matrix of a batch."""
        for index, stride in zip(place, x.strides, strict=False):
            if stride:
                at = w.pointer(at, scaled(w, index, stride), self.element)
        return at


def _cycles(rows: int, vectors: int, is_near: bool, far: float) -> float:
    """Return about how many cycles a tile takes for each k.

    The arithmetic, or waiting for the sums before; and beside it the loads, of vectors that are near or not,
    and of a row's element from `far`.
    """
    work = max(rows * vectors / 2, (rows + vectors) / 2, 4)
    crowded = 0.07 if rows * vectors > 24 else 0.0
    return work + crowded + (0.1 + far) * rows + (0.1 if is_near else 0.3) * vectors + 0.3
