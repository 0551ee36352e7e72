"""Packing: parts of a matrix copied so that a contraction reads them in order.

A matrix has an outer dimension (the rows of A, the columns of B) and the depth k over which products are
summed. A panel is some places of the outer dimension over a range of k. Packed it lies k by k, whatever the
strides were.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from stepgrad.compile.lower.emit import Writer
from stepgrad.compile.lower.loops import load, scaled
from stepgrad.compile.lower.register import BYTES, Register
from stepgrad.compile.memory import Buffer

# Half of the widest vectors: two units can shuffle these, and fewer cache lines are in use at a time.
_TRANSPOSED_BYTES = 32
# So many k of a panel are transposed in one go that what is written stays in the first cache.
_TRANSPOSED_DEPTH = 64
# The rows of so many tiles are packed in one go where that is done before the product.
PACKED_TILES = 32


class Panel(NamedTuple):
    """What to pack.

    `source`: the address of place 0 at the first k. `across`, `along`: the strides of the outer dimension and
    of k. `first`, `width`: the places. `places`: how many there are in the matrix. `depth`: how many k, a
    number or a register.
    """

    matrix: Buffer
    source: Register
    across: int
    along: int
    first: Register
    width: int
    places: int
    depth: Any


def write_packing(w: Writer, panel: Panel, element: str, lanes: int, to: Register, pitch: int) -> None:
    """Write code that packs a panel to an address, `pitch` elements from one k to the next.

    The width is rounded up to whole vectors of `lanes`; beyond it come numbers of the matrix or zeros. A
    depth in a register is at least 16 bytes of elements.
    """
    chunk = 16 // BYTES[element]
    group = min(lanes, _TRANSPOSED_BYTES // BYTES[element])
    is_deep = isinstance(panel.depth, Register) or panel.depth >= chunk
    if panel.along == 1 and panel.across != 1 and group >= chunk and is_deep:
        _write_transposing(w, panel, element, group, to, pitch)
        return
    start = w.pointer(panel.source, scaled(w, panel.first, panel.across), element)

    def copy(k: Register, _: list[Register]) -> None:
        here = w.pointer(start, scaled(w, k, panel.along), element)
        there = w.pointer(to, scaled(w, k, pitch), element)
        for j in range(0, panel.width, lanes):
            mask = panel.width - j if panel.width - j < lanes else None
            address = w.pointer(here, j * panel.across, element)
            x = load(w, panel.matrix, address, lanes, panel.across, mask)
            w.store(w.splat(x, lanes), w.pointer(there, j, element))

    w.loop(0, panel.depth, 1, copy)


def _write_transposing(w: Writer, panel: Panel, element: str, group: int, to: Register, pitch: int) -> None:
    """Pack rows that lie along k: `group` rows at a time, 16 bytes of each."""
    chunk = 16 // BYTES[element]
    latest = panel.depth - chunk

    def rows(j: Register, begin: Any, end: Any) -> None:
        starts = []
        for i in range(group):
            row = panel.first + j + i
            # Rows beyond the last are replaced by the last.
            if panel.places % group or panel.width % group:
                row = w.select(row < panel.places, row, panel.places - 1)
            starts.append(w.pointer(panel.source, scaled(w, row, panel.across), element))
        there = w.pointer(to, j, element)

        def columns(k: Register, _: list[Register]) -> None:
            # The last round starts early enough to end with the last k; some are then written twice.
            if isinstance(latest, Register) or panel.depth % chunk:
                k = w.least(k, latest)
            pieces = [w.load(w.pointer(start, k, element), element, chunk) for start in starts]
            target = w.pointer(there, scaled(w, k, pitch), element)
            for i, x in enumerate(transposed(w, pieces, chunk)):
                w.store(x, w.pointer(target, i * pitch, element))

        w.loop(begin, end, chunk, columns)

    def block(begin: Any, end: Any) -> None:
        w.loop(0, panel.width, group, lambda j, _: rows(j, begin, end))

    write_ranges(w, 0, panel.depth, _TRANSPOSED_DEPTH, block)


def transposed(w: Writer, pieces: list[Register], chunk: int) -> list[Register]:
    """Return columns of rows: from vectors of `chunk` elements, `chunk` vectors with an element of each."""
    count = len(pieces) // chunk
    # Vector j holds rows j, j + chunk, j + 2 chunk, ... side by side. What is left is a transposition within
    # parts of 16 bytes: the perfect shuffle, log₂ times, one instruction for each vector and round.
    wide = [_joined(w, pieces[j::chunk]) for j in range(chunk)]
    total, half = count * chunk, chunk // 2
    low = [q * chunk + p // 2 + (p % 2) * total for q in range(count) for p in range(chunk)]
    high = [i + half for i in low]
    for _ in range(chunk.bit_length() - 1):
        pairs = list(zip(wide[:half], wide[half:], strict=True))
        wide = [w.shuffle(a, b, picks) for a, b in pairs for picks in (low, high)]
    return wide


def _joined(w: Writer, parts: list[Register]) -> Register:
    """Return vectors side by side as one. Their number is a power of 2."""
    while len(parts) > 1:
        pairs = zip(parts[::2], parts[1::2], strict=True)
        parts = [w.shuffle(a, b, list(range(2 * a.lanes))) for a, b in pairs]
    return parts[0]


def write_ranges(w: Writer, start: Any, stop: Any, step: int, body: Callable[[Any, Any], None]) -> None:
    """Write ``for first in range(start, stop, step): body(first, min(first + step, stop))``."""
    if not isinstance(start, Register) and not isinstance(stop, Register) and stop - start <= step:
        body(start, stop)
        return

    def one(first: Register, _: list[Register]) -> None:
        end = first + step
        body(first, w.least(end, stop))

    w.loop(start, stop, step, one)
