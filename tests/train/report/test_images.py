import struct
import zlib

import numpy as np
import pytest

from stepgrad.train.report.images import image, png, side_of_image


@pytest.mark.parametrize(
    "columns, side",
    [
        ([f"p{r}{c}" for r in range(8) for c in range(8)], 8),
        ([f"pixel_{r}_{c}" for r in range(8) for c in range(8)], 8),
        ([f"{r}x{c}" for r in range(8) for c in range(8)], None),  # no word that says pixel
        ([f"pixel{i}" for i in range(783)], None),  # no square
        ([f"pixel{i}" for i in range(63, -1, -1)], None),  # another order
        ([f"pixel{i}" for i in range(25)], None),  # too small to be an image
        ([f"sensor{i}" for i in range(64)], None),
        ([*(f"pixel{i}" for i in range(63)), "label"], None),
        ([], None),
    ],
)
def test_images_are_told_by_the_names_of_their_columns(columns, side):
    assert side_of_image(columns) == side


def test_a_png_holds_the_shades_row_by_row():
    shades = np.array([[0, 128, 255], [7, 8, 9]], dtype=np.uint8)
    content = png(shades)
    length, kind = struct.unpack(">I4s", content[8:16])
    assert (length, kind) == (13, b"IHDR")
    assert struct.unpack(">II", content[16:24]) == (3, 2)
    length = struct.unpack(">I", content[33:37])[0]
    lines = zlib.decompress(content[41 : 41 + length])
    assert lines == b"\0\x00\x80\xff\0\x07\x08\x09"
    assert content.endswith(b"IEND" + struct.pack(">I", zlib.crc32(b"IEND")))


def test_missing_and_strange_pixels_are_white():
    columns = [f"p{i}" for i in range(36)]
    element = image({"p0": "", "p1": "x", "p2": "inf"}, columns, 6, 16.0, 'a "digit"')
    assert element.startswith('<img src="data:image/png;base64,')
    assert 'alt="a &quot;digit&quot;"' in element
