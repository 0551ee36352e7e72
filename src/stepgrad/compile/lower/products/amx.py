"""Contractions on AMX, the matrix unit of Intel's server CPUs since 2023, as accurate as in float32.

The unit multiplies tiles of bfloat16 and sums in float32. A float32 is the sum of three bfloat16
(`products.amx_packing`), a = a₁ + a₂ + a₃. Of the nine products of parts

    a·b ≈ a₁b₁ + (a₁b₂ + a₂b₁) + (a₁b₃ + a₂b₂ + a₃b₁)

are summed, each of them exact; the other three are together below 2⁻²³ |a·b|. So the error of an element
has a bound of the form that it has for sums in float32, c Σₖ|aₖbₖ|; measured, it is smaller (G. Henry, P.
T. P. Tang, A. Heinecke, "Leveraging the bfloat16 artificial intelligence datatype for higher-precision
computations", 2019). Other than in float32: NaN may come where an infinity would, of an infinite number, of
one above 3.39·10³⁸, and of products far beyond, whose parts are infinities of both signs. And parts, products
and sums below 1.2·10⁻³⁸ count as 0, so numbers and results lose their last bits from about 10⁻³¹ down.

A block of the result, 32 × 32, is four tiles of sums, in which two tiles of A and two of B meet. One factor
is packed before, by each thread for itself, or by all together where that is much. Of the other one a
thread packs the tiles of a line of blocks when it comes to them.

Here it is decided how; `products.amx_product` writes the code. Every element is summed in an order that
follows from shapes and strides alone, whatever part of the work is done by whom.
"""

from __future__ import annotations

import math

from stepgrad.compile.lower.emit import Writer
from stepgrad.compile.lower.products.amx_packing import (
    LINES,
    PARTS,
    STEP,
    STEP_BYTES,
    Operand,
    Region,
    write_packing,
)  # fmt: skip
from stepgrad.compile.lower.register import Register
from stepgrad.compile.memory import Buffer

# Tiles of sums along each side of a block; its rows and columns; its size in memory.
TILES = 2
SIDE = TILES * LINES
BLOCK_BYTES = SIDE * SIDE * 4
# Which parts of A and B are multiplied one after the other: each time one of the two stays.
PRODUCTS = ((2, 0), (1, 0), (1, 1), (0, 1), (0, 2), (0, 0))
# So many lines of blocks are done at a time, if there remain so many units of work; what is packed of them
# stays in the second cache while the other factor passes. Where the depth does not fit in, the sums rest in
# memory.
_PANEL, _LEAST_UNITS, _NEAR_BYTES = 8, 16, 3 << 18
# Where the other factor is so much, so many lines at least pass over a part of it while it is near.
_FAR_BYTES, _LEAST_PANEL = 1 << 20, 4
# So many blocks of a line are done before the line is packed again for others: their sums rest meanwhile.
_MOST_RESTING = 64
# So many blocks of rows are finished at a time: the epilogue then stays longer on a page of memory.
_FINISHED = 4
# From so much on the other factor is packed by all threads together.
_MUCH_TO_PACK = 1 << 22
# From so many arrays read and written with the result threads share by rows, also where these are up to so
# many times fewer than columns.
_MANY_STREAMS, _FEWER = 5, 4
# Cycles, measured: of a product of tiles; to pack an element that lies well, or is to be turned; of each
# call.
_PRODUCT, _PACKING, _TURNING, _CALL = 26.0, 0.5, 0.65, 2000.0
# By so much it must be sooner, since what follows the sums, and what threads read of each other, takes
# longer.
_SAVED = 1.15


class AmxContraction:
    """How a matrix product is computed by AMX, where `Contraction` would do it with vectors.

    `a`: a buffer of shape (1…, M, K); `b`: (1…, K, N); float32, of which each has a stride of 1. `streams`:
    how many arrays are read and written with the result. `units`: the parts of the work, panels of lines.
    `packing_units`: those of the packing before it, into `packed_bytes`, which belong to all threads if
    `is_common`; else they are the first of the `own_bytes` that each thread needs.
    """

    fetches = True
    pitch_b = SIDE

    def __init__(self, a: Buffer, b: Buffer, streams: int = 1, by_rows: bool | None = None) -> None:
        self.a, self.b = a, b
        (self.rows, self.depth), self.columns = a.shape[-2:], b.shape[-1]
        self.batch = b.shape[:-2]
        self.steps = -(-self.depth // STEP)
        self.strips = -(-self.columns // SIDE)
        # The longer factor is packed line by line, and shared by the threads; A where much is passed over.
        passes_much = streams >= _MANY_STREAMS and _FEWER * self.rows > self.columns
        self.by_rows = self.rows > self.columns or passes_much if by_rows is None else by_rows
        lines, others = (self.rows, self.columns) if self.by_rows else (self.columns, self.rows)
        self.lines, self.others = -(-lines // SIDE), -(-others // SIDE)
        tiles = -(-others // LINES)
        self.packed_bytes = tiles * self.steps * STEP_BYTES
        self.is_common = self.packed_bytes >= _MUCH_TO_PACK
        # Memory is read in the order in which it lies.
        self.packs_by_steps = (b.strides[-1] if self.by_rows else a.strides[-2]) == 1
        self.packing_units = self.steps if self.packs_by_steps else tiles
        self._choose_blocks()
        self.units = -(-self.lines // self.panel)
        self._lay_out()

    def _choose_blocks(self) -> None:
        """Choose how many lines of blocks, and how much of the depth, are worked on at a time."""
        self.panel = max(1, min(_PANEL, self.lines // _LEAST_UNITS))
        if self.packed_bytes > _FAR_BYTES:
            self.panel = max(self.panel, min(_LEAST_PANEL, self.lines // 4))
        most = _NEAR_BYTES // (self.panel * TILES * STEP_BYTES)
        self.blocks = -(-self.steps // most)
        self.block = -(-self.steps // self.blocks)
        self.line_bytes = TILES * self.block * STEP_BYTES
        # Lines are packed once, or for so many others at a time.
        self.group = min(self.others, _MOST_RESTING) if self.blocks > 1 else self.others
        finished = max(1, _FINISHED // self.panel) if self.by_rows else 1
        self.finished = min(finished, self.others)

    def _lay_out(self) -> None:
        """Give the parts of a thread's memory their places, in bytes."""
        self.place_lines = 0 if self.is_common else self.packed_bytes
        self.place_sums = self.place_lines + self.panel * self.line_bytes
        # The sums of so many blocks of a line are in memory at a time.
        self.resting = self.group if self.blocks > 1 else self.finished
        self.own_bytes = self.place_sums + self.panel * self.resting * BLOCK_BYTES

    @property
    def next_tile(self) -> tuple[int, int]:
        """How many rows and columns lie between a block and the one that is computed after it."""
        return (0, SIDE) if self.by_rows else (SIDE, 0)

    @property
    def scratch_bytes(self) -> int:
        """The memory that one thread needs that does everything, first `packed_bytes`."""
        return self.own_bytes + (self.packed_bytes if self.is_common else 0)

    @property
    def packed_elements(self) -> int:
        """How many numbers are packed before."""
        return self.depth * (self.columns if self.by_rows else self.rows)

    def cycles(self, rounds: int) -> float:
        """Return about how many cycles it takes, of `rounds` with the same factor packed before."""
        tiles = math.prod(-(-n // LINES) for n in (self.rows, self.columns))
        packing = [
            places * self.depth * (_PACKING if x.strides[-1] == 1 else _TURNING)
            for places, x in ((self.rows, self.a), (self.columns, self.b))
        ]
        line, before = packing if self.by_rows else packing[::-1]
        return tiles * self.steps * len(PRODUCTS) * _PRODUCT + line + before / rounds + _CALL

    def loops(self) -> str:
        """Return the loop nest in words."""
        size = f"({self.rows} × {self.depth}) · ({self.depth} × {self.columns})"
        blocks = f", {self.depth} in {self.blocks} blocks" if self.blocks > 1 else ""
        return f"{size}, AMX in blocks of {SIDE} × {SIDE}{blocks}, packed as {PARTS} parts in bfloat16"

    def operands(self, w: Writer, a_base: Register, b_base: Register) -> tuple[Operand, Operand]:
        """Return the factor that is packed line by line, and the one that is packed before."""
        (across_a, along_a), (along_b, across_b) = self.a.strides[-2:], self.b.strides[-2:]
        a = w.pointer(a_base, self.a.offset, "float")
        b = w.pointer(b_base, self.b.offset, "float")
        both = (
            Operand(a, self.rows, self.depth, across_a, along_a, in_pairs=False),
            Operand(b, self.columns, self.depth, across_b, along_b, in_pairs=True),
        )
        return both if self.by_rows else both[::-1]

    def write_packing(
        self, w: Writer, a_base: Register, b_base: Register, to: Register, part: tuple[Register, Register]
    ) -> None:
        """Write the code that packs before, a range of `packing_units`, into the function that is open.

        `a_base`, `b_base`: addresses of the storages. `to`: the address of `packed_bytes`.
        """
        _, x = self.operands(w, a_base, b_base)
        pitch = self.steps * STEP_BYTES
        start, (first, last) = w.constant(0, "i64"), part
        if self.packs_by_steps:
            region = Region((start, w.constant(x.tiles, "i64")), part, pitch)
            to = w.pointer(to, first * STEP_BYTES, "i8")
        else:
            region = Region(part, (start, w.constant(x.steps, "i64")), pitch)
            to = w.pointer(to, first * pitch, "i8")
        w.when(first < last, lambda: write_packing(w, x, region, to))


def amx_contraction(
    a: Buffer, b: Buffer, streams: int, cycles: float, rounds: int = 1, by_rows: bool | None = None
) -> AmxContraction | None:
    """Return how AMX computes a product that takes `cycles` with vectors; None where it cannot or is not
    sooner.

    `rounds`: so many have the same factor that is packed before: B with `by_rows`, A without.
    """
    for x in (a, b):
        if x.dtype.name != "float32" or 1 not in x.strides[-2:] or min(x.strides[-2:]) < 1:
            return None
    if len(a.shape) != len(b.shape) or math.prod(b.shape[:-2]) != 1:
        return None
    plan = AmxContraction(a, b, streams, by_rows)
    return plan if _SAVED * plan.cycles(rounds) < cycles else None
