"""Rows that are pictures: columns such as p00 … p77 or pixel0 … pixel783 are drawn as what they show."""

from __future__ import annotations

import base64
import math
import re
import struct
import zlib
from collections.abc import Mapping, Sequence

import numpy

from stepgrad.markup import Html, tag

_NAME = re.compile(r"(p|px|pix|pixels?|image|img)[_-]?(\d+(?:[_x-]\d+)?)", re.IGNORECASE)
_FEWEST_PIXELS = 36


def side_of_image(columns: Sequence[str]) -> int | None:
    """Return the side of the square image whose pixels, row by row, the columns are by their names; None if
    not.

    >>> side_of_image([f"pixel{i}" for i in range(784)]), side_of_image(["price", "size"])
    (28, None)
    """
    matches = [_NAME.fullmatch(name) for name in columns]
    side = math.isqrt(len(columns))
    if len(columns) < _FEWEST_PIXELS or side * side != len(columns) or not all(matches):
        return None
    places = [tuple(int(part) for part in re.split(r"\D", match[2])) for match in matches if match]
    in_order = len({len(place) for place in places}) == 1 and sorted(set(places)) == places
    return side if in_order else None


def image(
    cells: Mapping[str, str], columns: Sequence[str], side: int, brightest: float, description: str
) -> Html:
    """Return the image of one row: 0 is white, `brightest` black, and a missing pixel white."""
    values = numpy.array([_value(cells.get(name, "")) for name in columns]).reshape(side, side)
    shades = 255 - numpy.clip(values / brightest * 255, 0, 255).round()
    data = base64.b64encode(png(shades.astype(numpy.uint8))).decode()
    return tag("img", src=f"data:image/png;base64,{data}", alt=description, class_="pixels")


def brightest_value(rows: Sequence[Mapping[str, str]], columns: Sequence[str]) -> float:
    """Return the largest value of any pixel in the rows, at least a tiny one."""
    return max([_value(row.get(name, "")) for row in rows for name in columns] + [1e-9])


def png(shades: numpy.ndarray) -> bytes:
    """Return uint8 shades of grey (height, width) as a PNG file ("Portable Network Graphics", ISO/IEC 15948).

    >>> png(numpy.zeros((2, 3), dtype=numpy.uint8))[:8]
    b'\\x89PNG\\r\\n\\x1a\\n'
    """
    height, width = shades.shape
    lines = b"".join(b"\0" + row.tobytes() for row in numpy.ascontiguousarray(shades))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def _value(cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        return 0.0
    return value if math.isfinite(value) else 0.0
