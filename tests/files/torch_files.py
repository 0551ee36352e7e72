"""PyTorch's two file layouts, written by hand, so that they can be wrong in any way."""

import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy

MAGIC = 0x1950A86A20F9469CFC6C
CODES = {"f4": "Float", "f8": "Double", "f2": "Half", "i8": "Long", "i4": "Int", "u1": "Byte", "b1": "Bool"}


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def number(value: int) -> bytes:
    data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def numbers(values: Any) -> bytes:
    return b"(" + b"".join(number(n) for n in values) + b"t"


def name(full: str) -> bytes:
    module, _, last = full.rpartition(".")
    return b"c" + module.encode() + b"\n" + last.encode() + b"\n"


def storage(kind: str, key: str, count: int, part: bytes = b"") -> bytes:
    """The reference to a storage."""
    fields = text("storage") + name(f"torch.{kind}Storage") + text(key) + text("cpu") + number(count)
    return b"(" + fields + part + b"tQ"


def tensor(reference: bytes, size: Any, strides: Any, first: int = 0, requires_grad: bool = False) -> bytes:
    """The call that makes a tensor of a storage."""
    layout = number(first) + numbers(size) + numbers(strides) + (b"\x88" if requires_grad else b"\x89")
    return name("torch._utils._rebuild_tensor_v2") + b"(" + reference + layout + b"}tR"


def dict_of(**items: bytes) -> bytes:
    return b"}(" + b"".join(text(key) + value for key, value in items.items()) + b"u"


def pickled(value: bytes) -> bytes:
    return b"\x80\x02" + value + b"."


def write_zip(path: Path, value: bytes, storages: dict[str, bytes], **more: Any) -> Path:
    """The layout since PyTorch 1.6; `more` is handed to zipfile."""
    with zipfile.ZipFile(path, "w", **more) as archive:
        archive.writestr("net/data.pkl", pickled(value))
        archive.writestr("net/byteorder", "little")
        for key, data in storages.items():
            archive.writestr(f"net/data/{key}", data)
        archive.writestr("net/version", "3\n")
    return path


def write_legacy(path: Path, value: bytes, storages: dict[str, numpy.ndarray], version: int = 1001) -> Path:
    """The layout before."""
    facts = dict_of(protocol_version=number(1001), little_endian=b"\x88", type_sizes=b"}")
    keys = b"](" + b"".join(text(key) for key in storages) + b"e"
    data = b"".join(pickled(part) for part in (number(MAGIC), number(version), facts, value, keys))
    for array in storages.values():
        data += struct.pack("<q", array.size) + array.tobytes()
    path.write_bytes(data)
    return path


def state(**arrays: numpy.ndarray) -> tuple[bytes, dict[str, numpy.ndarray]]:
    """A state_dict of contiguous arrays, and its storages."""
    items, storages = {}, {}
    for i, (key, array) in enumerate(arrays.items()):
        kind = CODES[array.dtype.str[1:]]
        strides = [s // array.itemsize for s in array.strides]
        items[key] = tensor(storage(kind, str(i), array.size), array.shape, strides)
        storages[str(i)] = array
    return dict_of(**items), storages
