"""Packing: parts of a matrix copied so that a contraction reads them in order.

A matrix has an outer dimension (the rows of A, the columns of B) and the depth k over which products are summed. A panel is
`width` places of the outer dimension over a range of k; packed, it lies as [k][place], k by k, whatever the strides were.
"""

from __future__ import annotations

from typing import Any

from stepgrad.compile.lower.emit import BYTES, Register, Writer

# Transposing in halves of the widest vectors uses both shuffle units, and touches fewer cache lines at a time.
_TRANSPOSED_BYTES = 32


def write_packing(
    w: Writer, element: str, lanes: int, source: Register, strides: tuple[int, int], outer: tuple[Register, int, int],
    depth: Any, to: Register, pitch: int,
) -> None:  # fmt: skip
    """Write code that packs one panel.

    `source`: the address of place 0 at the first k. `strides`: of the outer dimension and of k, in elements. `outer`: the first
    place of the panel, its width, and how many places the matrix has. `depth`: how many k (a number or a register). `to`: where
    the panel goes; `pitch`: the distance from one k to the next there. Vectors have `lanes` elements, the width is rounded up
    to whole ones; what is beyond the last place is unspecified, but finite where the matrix is.
    """
    first, width, places = outer
    across, along = strides
    chunk = 16 // BYTES[element]
    group = min(lanes, _TRANSPOSED_BYTES // BYTES[element])
    if along == 1 and across != 1 and group >= chunk and (isinstance(depth, Register) or depth >= chunk):
        _write_transposing(w, element, group, source, across, outer, depth, to, pitch)
        return
    start = w.pointer(source, scaled(w, first, across), element)

    def copy(k: Register, _: list[Register]) -> None:
        at, there = w.pointer(start, scaled(w, k, along), element), w.pointer(to, scaled(w, k, pitch), element)
        for j in range(0, width, lanes):
            mask = width - j if width - j < lanes else None
            x = load_strided(w, element, lanes, w.pointer(at, j * across, element), across, mask)
            w.store(x, w.pointer(there, j, element))

    w.loop(0, depth, 1, copy)
    del places


def _write_transposing(
    w: Writer, element: str, group: int, source: Register, across: int, outer: tuple[Register, int, int],
    depth: Any, to: Register, pitch: int,
) -> None:  # fmt: skip
    """Pack from rows along k: `group` rows at a time, 16 bytes of each."""
    first, width, places = outer
    chunk = 16 // BYTES[element]

    def rows(j: Register, _: list[Register]) -> None:
        # Rows beyond the last are replaced by the last.
        starts = []
        for i in range(group):
            row = w.emit(f"add nsw i64 {(first + j).text}, {i}", "i64")
            if places % group or width % group:
                row = w.select(row < places, row, places - 1)
            starts.append(w.pointer(source, scaled(w, row, across), element))
        there = w.pointer(to, j, element)

        def columns(k: Register, _: list[Register]) -> None:
            # The last round starts early enough to end with the last column.
            latest = depth - chunk
            if isinstance(depth, Register) or depth % chunk:
                k = w.select(k < latest, k, latest)
            pieces = [w.load(w.pointer(start, k, element), element, chunk) for start in starts]
            target = w.pointer(there, scaled(w, k, pitch), element)
            for i, x in enumerate(_transposed(w, pieces, chunk)):
                w.store(x, w.pointer(target, i * pitch, element))

        w.loop(0, depth, chunk, columns)

    w.loop(0, width, group, rows)


def _transposed(w: Writer, pieces: list[Register], chunk: int) -> list[Register]:
    """Return columns of rows: from `len(pieces)` vectors of `chunk` elements, `chunk` vectors with an element of each."""
    count = len(pieces) // chunk
    # Vector j holds rows j, j + chunk, j + 2 chunk, ... side by side, so what is left is
    # a transposition within parts of 16 bytes.
    wide = [_joined(w, pieces[j::chunk]) for j in range(chunk)]
    # The perfect shuffle, log₂ times: one instruction for each vector and round.
    total, half = count * chunk, chunk // 2
    low = [q * chunk + p // 2 + (p % 2) * total for q in range(count) for p in range(chunk)]
    high = [i + half for i in low]
    for _ in range(chunk.bit_length() - 1):
        pairs = list(zip(wide[:half], wide[half:], strict=True))
        wide = [w.shuffle(a, b, picks) for a, b in pairs for picks in (low, high)]
    return wide


def _joined(w: Writer, parts: list[Register]) -> Register:
    """Return vectors side by side as one."""
    while len(parts) > 1:
        parts = [
            w.shuffle(a, b, list(range(2 * a.lanes))) for a, b in zip(parts[::2], parts[1::2], strict=True)
        ]
    return parts[0]


def load_strided(
    w: Writer, element: str, lanes: int, at: Register, stride: int, mask: int | None = None
) -> Register:
    """Load elements that lie `stride` apart."""
    if stride == 1 or lanes == 1:
        return w.load(at, element, lanes, mask)
    if stride == 0:
        return w.splat(w.load(at, element), lanes)
    return w.gather(at, w.integers([i * stride for i in range(lanes)]), element, mask)


def scaled(w: Writer, index: Any, stride: int) -> Any:
    """Return index · stride, for a register or a number."""
    if not isinstance(index, Register):
        return index * stride
    if stride == 1:
        return index
    if index.text.lstrip("-").isdigit():
        return int(index.text) * stride
    return w.emit(f"mul nsw i64 {index.text}, {stride}", "i64")
