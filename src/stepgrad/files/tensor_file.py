"""Named arrays in a safetensors file, protected by a SHA-256 over the whole file.

Any reader of the format opens these files. Two things are added to what the format promises. The same arrays
always give the same bytes. And the metadata begin with a SHA-256 (FIPS 180-4) of the entire file, taken while
the 64 digits of the checksum itself are zeros, so that no bit of the file can change unnoticed. Files of
other programs, which have no such checksum, are read as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from io import BufferedReader, BytesIO
from typing import Any, BinaryIO

import numpy

from stepgrad.errors import ArgumentError, FileError
from stepgrad.files import header as headers
from stepgrad.files.atomic import write_atomically
from stepgrad.files.paths import Place, checked_path, file_error, open_for_reading, size_of
from stepgrad.files.torch_file import is_torch_file

CHECKSUM = "stepgrad.sha256"
FORMAT = "stepgrad.format"
FORMAT_VERSION = 1

_OWN_KEYS = "stepgrad."
_BEFORE_CHECKSUM = b'{"__metadata__":{"stepgrad.sha256":"'
_DIGITS = 64
_BLANK = "0" * _DIGITS
_LENGTH_BYTES = 8

# What a file that is no safetensors file begins with, what it is then, and what to do.
_OTHER_KINDS = (
    (b"version https://git-lfs", "a Git LFS pointer; fetch the file itself with `git lfs pull`"),
    (b"\x89HDF", "an HDF5 file; save the weights as safetensors in the program that wrote it"),
    (b"\x93NUMPY", "a NumPy array; load it with numpy.load(path, allow_pickle=False)"),
    (
        b"PK\x03\x04",
        "a zip archive; if numpy.savez wrote it, load it with numpy.load(path, allow_pickle=False), if "
        "torch.jit.save wrote it, save its weights in PyTorch with torch.save(model.state_dict(), path)",
    ),
)
_TORCH = "a PyTorch file or another pickle; stepgrad.load(path) reads the tensors of the former"


def write_tensors(
    path: Any,
    arrays: Mapping[str, numpy.ndarray],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write named arrays and texts to a safetensors file, whole or not at all; to a binary file that is open,
    or an `io.BytesIO`, at its position.

    `arrays` maps names to NumPy arrays of any shape with a boolean, integer, float16, float32 or float64
    type; `metadata` maps texts to texts, and "stepgrad.sha256" and "stepgrad.format" are added to it.

    Raises FileError when the file cannot be written (the earlier one is then unchanged), DtypeError for an
    array of another type, ArgumentError for names or metadata that are not text.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_tensors(f"{folder}/w.safetensors", {"w": numpy.arange(3.0)}, {"note": "first"})
    ...     arrays, metadata = read_tensors(f"{folder}/w.safetensors")
    >>> arrays["w"], metadata["note"]
    (array([0., 1., 2.]), 'first')
    """
    for name, array in arrays.items():
        if not isinstance(array, numpy.ndarray):
            raise ArgumentError(f"{headers.shown(name)} must be a NumPy array, got {type(array).__name__}.")
    # The largest types first, as safetensors itself does, so that every array starts at a multiple of its
    # item size.
    order = sorted(arrays, key=lambda name: -arrays[name].itemsize)
    own = {CHECKSUM: _BLANK, FORMAT: str(FORMAT_VERSION)}
    for key in own.keys() & (metadata or {}).keys():
        raise ArgumentError(f"the metadata key {key!r} is written by stepgrad itself.")
    header = headers.compose(arrays, order, {**own, **(metadata or {})})

    def write(file: BinaryIO) -> None:
        digest = hashlib.sha256()
        for piece in (len(header).to_bytes(_LENGTH_BYTES, "little"), header):
            digest.update(piece)
            file.write(piece)
        for name in order:
            data = _bytes_of(arrays[name])
            digest.update(data)
            file.write(data)
        file.seek(_LENGTH_BYTES + len(_BEFORE_CHECKSUM))
        file.write(digest.hexdigest().encode("ascii"))

    if hasattr(path, "write"):
        whole = BytesIO()
        write(whole)
        path.write(whole.getvalue())
    else:
        write_atomically(path, write)


def _bytes_of(array: numpy.ndarray) -> memoryview:
    little_endian = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return numpy.ascontiguousarray(little_endian).reshape(-1).view(numpy.uint8).data


def read_tensors(path: Place) -> tuple[dict[str, numpy.ndarray], dict[str, str]]:
    """Return the arrays and the metadata of a safetensors file, in the order of its header.

    The arrays own their memory and can be written to. bfloat16, which NumPy lacks, becomes float32 (exactly).
    The metadata come without stepgrad's checksum and format version.

    Raises FileError when the file cannot be opened, is damaged in any bit (files written by stepgrad), breaks
    the format, was written by a newer stepgrad, or is of another kind, such as a pickle. No memory is taken
    for tensors before it is known that the file has all of their bytes.
    """
    text = checked_path(path)
    with open_for_reading(path) as file:
        size = size_of(file)
        try:
            return _read(file, size)
        except headers.HeaderError as error:
            if kind := _other_kind(file):
                raise FileError(f"cannot read '{text}': it is {kind}.") from None
            raise FileError(
                f"'{text}' is damaged or not a safetensors file: {error}. "
                f"Use another copy of it, or write it again."
            ) from None
        except headers.UnreadableError as error:
            raise FileError(f"cannot read '{text}': {error}") from None
        except OSError as error:
            raise file_error(error, text, "read") from error
        except MemoryError:
            raise FileError(f"cannot read '{text}': its {size:,} bytes do not fit into the memory.") from None


def _read(file: BufferedReader, size: int) -> tuple[dict[str, numpy.ndarray], dict[str, str]]:
    start = file.read(_LENGTH_BYTES)
    if len(start) < _LENGTH_BYTES:
        raise headers.HeaderError(f"it has only {size} bytes" if size else "it is empty")
    length = int.from_bytes(start, "little")
    if not 2 <= length <= size - _LENGTH_BYTES:
        raise headers.HeaderError(f"it announces a header of {length:,} bytes and has {size:,} bytes in all")
    if length > headers.MAX_BYTES:
        raise headers.HeaderError(
            f"its header of {length:,} bytes is longer than the {headers.MAX_BYTES:,} allowed"
        )
    header = file.read(length)
    entries, metadata = headers.parse(header, size - _LENGTH_BYTES - length)
    digest = None
    if any(key.startswith(_OWN_KEYS) for key in metadata):
        if not header.startswith(_BEFORE_CHECKSUM):
            raise headers.HeaderError("its checksum is missing")
        at = len(_BEFORE_CHECKSUM)
        digest = hashlib.sha256(start + header[:at] + _BLANK.encode() + header[at + _DIGITS :])
    found = {entry.name: _read_array(file, entry, digest) for entry in headers.in_file_order(entries)}
    if digest is not None and digest.hexdigest() != metadata.pop(CHECKSUM):
        raise headers.HeaderError("its content does not fit its checksum, so something in it was changed")
    version = metadata.pop(FORMAT, str(FORMAT_VERSION))
    if version != str(FORMAT_VERSION):
        raise headers.UnreadableError(
            f"it has format {headers.shown(version)} of another stepgrad, and this one reads format "
            f"{FORMAT_VERSION}. Upgrade with: pip install --upgrade stepgrad"
        )
    return {entry.name: found[entry.name] for entry in entries}, metadata


def _read_array(file: BufferedReader, entry: headers.Entry, digest: Any) -> numpy.ndarray:
    array = numpy.empty(entry.shape, headers.NUMPY_TYPES[entry.dtype])
    data = array.reshape(-1).view(numpy.uint8).data
    if file.readinto(data) != len(data):
        raise headers.HeaderError("it became shorter while it was read")
    if digest is not None:
        digest.update(data)
    if entry.dtype == "BOOL" and array.size and array.view(numpy.uint8).max() > 1:
        raise headers.HeaderError(
            f"tensor {headers.shown(entry.name)} of booleans holds values other than 0 and 1"
        )
    if entry.dtype == "BF16":
        return (array.astype(numpy.uint32) << 16).view(numpy.float32)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _other_kind(file: BufferedReader) -> str:
    """Return what a file of another format is, and what to do with it; an empty text if that is not known."""
    file.seek(0)
    start = file.read(2048)
    if is_torch_file(start):
        return _TORCH
    return next((kind for signature, kind in _OTHER_KINDS if start.startswith(signature)), "")
