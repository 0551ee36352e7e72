"""The header of a safetensors file: JSON that gives each tensor's type, shape and place. Everything in it is
checked.

The format (safetensors, Hugging Face, 2022): eight bytes with the length of the header as a little-endian
integer; the header, a JSON object ``{"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, …}``
that may hold texts under ``"__metadata__"`` and may end in spaces; then the bytes of the tensors, without
gaps.
"""

from __future__ import annotations

import json
import math
import reprlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy

from stepgrad.errors import ArgumentError, DtypeError

METADATA = "__metadata__"
MAX_BYTES = 16 * 2**20
"""The longest header that is read or written. JSON can take thirty times its length in memory once it is
parsed.
"""
MAX_DIMENSIONS = 64

NUMPY_TYPES = {
    "BOOL": "?",
    "U8": "u1",
    "I8": "i1",
    "U16": "<u2",
    "I16": "<i2",
    "U32": "<u4",
    "I32": "<i4",
    "U64": "<u8",
    "I64": "<i8",
    "F16": "<f2",
    "F32": "<f4",
    "F64": "<f8",
    # NumPy has no bfloat16. It is the upper half of a float32, so the float32 it stands for is exact.
    "BF16": "<u2",
}
OTHER_TYPES = {
    "C64", "F4", "F6_E2M3", "F6_E3M2", "F8_E4M3", "F8_E4M3FNUZ", "F8_E5M2", "F8_E5M2FNUZ", "F8_E8M0",
}  # fmt: skip
"""Types of the format that stepgrad does not have."""
_NAMES = {numpy.dtype(code): name for name, code in NUMPY_TYPES.items() if name != "BF16"}


class Entry(NamedTuple):
    """One tensor of a header: its type as the file calls it, its shape, and the place of its bytes."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


class HeaderError(Exception):
    """A header that breaks the format; the message says where."""


class UnreadableError(Exception):
    """A file that is sound, and that this stepgrad does not read; the message says why and what to do."""


def shown(value: object) -> str:
    """Return a short `repr` for messages: names come from files and may be anything, megabytes long, nested
    a hundred thousand deep, or, since a part may stand at many places, larger than any memory.

    >>> shown("net.0.weight"), len(shown("x" * 1000)) < 100
    ("'net.0.weight'", True)
    >>> shown([[[[[]]]], 10**9999])
    '[[[[...]]], <an integer of 33216 bits>]'
    """
    text = repr(value[:100]) if isinstance(value, str) else _SHORT.repr(value)
    return text if len(text) <= 90 else text[:80] + "…"


class _Short(reprlib.Repr):
    """`repr` of the first items of the first levels."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxtuple, self.maxstring = 4, 40, 80

    def repr_int(self, x: int, level: int) -> str:
        # Python refuses to write out the digits of long ones.
        return repr(x) if x.bit_length() < 1000 else f"<an integer of {x.bit_length()} bits>"


_SHORT = _Short()


def type_name(array: numpy.ndarray, name: str) -> str:
    """Return what safetensors calls the data type of `array`. Raises DtypeError for a type that it does not
    have.
    """
    try:
        return _NAMES[array.dtype.newbyteorder("<")]
    except KeyError:
        raise DtypeError(
            f"tensor {shown(name)} has the data type {array.dtype}, which a safetensors file cannot hold; "
            f"it holds booleans, integers and float16, float32, float64."
        ) from None


def compose(arrays: Mapping[str, numpy.ndarray], order: list[str], metadata: Mapping[str, str]) -> bytes:
    """Return the header for `arrays` whose data follow each other in `order`, padded so that the data start
    aligned.

    Raises ArgumentError for names or metadata that the format cannot hold, or a header that is too long.
    """
    for text in (*arrays, *metadata, *metadata.values()):
        if not isinstance(text, str):
            raise ArgumentError(f"names and metadata of a safetensors file must be text, got {shown(text)}.")
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise ArgumentError(
                f"{shown(text)} cannot be written as UTF-8: it holds half a character."
            ) from None
    if METADATA in arrays:
        raise ArgumentError(f"no tensor can be called {METADATA!r}: the format keeps that name for itself.")
    begin: dict[str, int] = {}
    position = 0
    for name in order:
        begin[name] = position
        position += arrays[name].nbytes
    header: dict[str, Any] = {METADATA: dict(metadata)} if metadata else {}
    for name, array in arrays.items():
        header[name] = {
            "dtype": type_name(array, name),
            "shape": list(array.shape),
            "data_offsets": [begin[name], begin[name] + array.nbytes],
        }
    composed = json.dumps(header, separators=(",", ":")).encode("ascii")
    composed += b" " * (-len(composed) % 8)
    if len(composed) > MAX_BYTES:
        raise ArgumentError(
            f"the description of the tensors takes {len(composed):,} bytes, more than the {MAX_BYTES:,} "
            f"that a file may have; keep long lists as arrays."
        )
    return composed


def parse(text: bytes, data_bytes: int) -> tuple[list[Entry], dict[str, str]]:
    """Return the tensors of a header in its own order, and its metadata; `data_bytes` is how many bytes
    follow it.

    Raises HeaderError for anything that the format does not allow, and UnreadableError for types of it that
    stepgrad does not have.
    """
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=_without_repeats)
    except RecursionError:
        raise HeaderError("its header is nested too deeply") from None
    except ValueError as error:
        raise HeaderError(f"its header is not valid JSON ({shown(str(error))})") from None
    if not isinstance(header, dict):
        raise HeaderError("its header is not a JSON object")
    metadata = header.pop(METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise HeaderError("its metadata are not a JSON object of texts")
    entries = [_entry(name, value) for name, value in header.items()]
    position = 0
    for entry in in_file_order(entries):
        if entry.begin != position:
            wrong = "overlaps the tensor before it" if entry.begin < position else "leaves a gap before it"
            raise HeaderError(f"tensor {shown(entry.name)} {wrong}")
        position = entry.end
    if position != data_bytes:
        cut = "it has been cut or was not copied completely: " if data_bytes < position else ""
        raise HeaderError(f"{cut}its tensors need {position:,} bytes, and {data_bytes:,} are there")
    return entries, metadata


def in_file_order(entries: Iterable[Entry]) -> list[Entry]:
    """Return the entries in the order of their bytes, empty tensors before those that begin at the same
    place.
    """
    return sorted(entries, key=lambda entry: (entry.begin, entry.end))


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in pairs:
        if name in result:
            raise HeaderError(f"its header has {shown(name)} twice")
        result[name] = value
    return result


def _entry(name: str, value: Any) -> Entry:
    if not isinstance(value, dict) or value.keys() != {"dtype", "shape", "data_offsets"}:
        raise HeaderError(f"the entry of {shown(name)} is not a dtype, a shape and data_offsets")
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if isinstance(dtype, str) and dtype in OTHER_TYPES:
        raise UnreadableError(
            f"tensor {shown(name)} has the data type {dtype}, which stepgrad does not have. Convert it to "
            f"F32 or BF16 where the file was written."
        )
    if not isinstance(dtype, str) or dtype not in NUMPY_TYPES:
        raise HeaderError(
            f"tensor {shown(name)} has the data type {shown(dtype)}, which the format does not have"
        )
    if not _are_sizes(shape) or len(shape) > MAX_DIMENSIONS:
        raise HeaderError(f"tensor {shown(name)} has no possible shape: {shown(shape)}")
    if not _are_sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise HeaderError(f"tensor {shown(name)} has no possible place in the file: {shown(offsets)}")
    itemsize = numpy.dtype(NUMPY_TYPES[dtype]).itemsize
    # Dimensions of size 0 are counted as 1 here: NumPy multiplies the others even when the array is empty.
    if math.prod(max(size, 1) for size in shape) * itemsize >= 2**63:
        raise HeaderError(f"tensor {shown(name)} has a shape that no memory could hold: {shown(shape)}")
    if math.prod(shape) * itemsize != offsets[1] - offsets[0]:
        raise HeaderError(
            f"tensor {shown(name)} of shape {shown(shape)} needs {math.prod(shape) * itemsize:,} bytes, "
            f"not the {offsets[1] - offsets[0]:,} of its place in the file"
        )
    return Entry(name, dtype, tuple(shape), offsets[0], offsets[1])


def _are_sizes(value: Any) -> bool:
    return isinstance(value, list) and all(type(size) is int and 0 <= size < 2**63 for size in value)
