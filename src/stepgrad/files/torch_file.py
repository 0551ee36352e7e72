"""PyTorch's files of weights, ``.pt`` and ``.pth``, read without PyTorch and without running what is in them.

Two layouts are in use. Since PyTorch 1.6: a zip archive with the pickle `data.pkl`, in which each tensor is a
reference to one of the entries `data/0`, `data/1`, … that hold the memory of tensors as it was. Before: five
pickles (a magic number, the version, facts about the machine, the value, the names of the storages), then the
storages themselves, each after its length. `stepgrad.files.pickled` reads the pickles as data.
"""

from __future__ import annotations

import errno
import math
import struct
from collections.abc import Callable, Mapping
from io import BufferedReader
from typing import Any, NamedTuple

import numpy

from stepgrad.arrays import devices, dtypes
from stepgrad.errors import FileError
from stepgrad.files.header import MAX_DIMENSIONS, UnreadableError, shown
from stepgrad.files.paths import Place, checked_path, file_error, open_for_reading, size_of
from stepgrad.files.pickled import Lacking, PickleError, checked_key, read_pickle
from stepgrad.nn.parameter import Parameter
from stepgrad.tensor import Tensor

_ZIP = b"PK\x03\x04"
_MAGIC = 0x1950A86A20F9469CFC6C  # the first value of a file in the older layout
_VERSION = 1001
_MAX_PICKLE = 64 * 2**20
_MAX_EXPANDED = 256 * 2**20
"""How many bytes the tensors may take that show some of their memory more than once (`Tensor.expand`)."""
_INSTEAD = (
    "stepgrad reads tensors, dicts, lists, tuples, numbers and texts alone. In PyTorch, save the weights "
    "with torch.save(model.state_dict(), path)"
)


class _Kind(NamedTuple):
    """The type of a storage: how it lies in the file."""

    name: str
    code: str


_KINDS = {
    "Float": "<f4", "Double": "<f8", "Half": "<f2", "BFloat16": "bf16", "Long": "<i8", "Int": "<i4",
    "Short": "<i2", "Char": "i1", "Byte": "u1", "Bool": "?",
}  # fmt: skip
_DTYPES = {dtype.name: dtype for dtype in dtypes.ALL} | {
    "half": dtypes.float16, "float": dtypes.float32, "double": dtypes.float64, "long": dtypes.int64,
    "int": dtypes.int32, "short": dtypes.int16,
}  # fmt: skip

_OTHER_DTYPES = [
    "bfloat16", "uint16", "uint32", "uint64", "complex32", "complex64", "complex128", "chalf", "cfloat",
    "cdouble", "qint8", "qint32", "quint8", "quint4x2", "quint2x4", "float8_e4m3fn", "float8_e4m3fnuz",
    "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu", "float4_e2m1fn_x2",
]  # fmt: skip
_COMPLEX = ("complex numbers", "torch.view_as_real(x)")
_OTHERS = {
    f"torch.{name}": (f"numbers of the type {name}", "x.float() or x.long()") for name in _OTHER_DTYPES
}
_OTHERS |= dict.fromkeys(["torch.ComplexFloatStorage", "torch.ComplexDoubleStorage"], _COMPLEX)
_OTHERS |= dict.fromkeys(["builtins.complex", "__builtin__.complex"], _COMPLEX)
_OTHERS |= {
    "torch._utils._rebuild_sparse_tensor": ("a sparse tensor", "x.to_dense()"),
    "torch._utils._rebuild_qtensor": ("a quantised tensor", "x.dequantize()"),
    "torch._utils._rebuild_nested_tensor": ("a nested tensor", "x.unbind()"),
    "torch._utils._rebuild_meta_tensor_no_storage": ("a tensor of the device meta", "a tensor with numbers"),
}
"""What a file may hold that stepgrad does not have, and what could be saved in its place."""


def is_torch_file(start: bytes) -> bool:
    """Return whether a file that begins with `start` (2 kB) is one of PyTorch's, or another pickle."""
    # A pickle begins with 0x80 and its protocol. So does a safetensors header of 640 to 1,408 bytes, but its
    # length is followed by zeros.
    pickled = start[:1] == b"\x80" and start[1:2] in (b"\2", b"\3", b"\4", b"\5") and any(start[2:8])
    return pickled or (start.startswith(_ZIP) and (b"/data.pkl" in start or b"/constants.pkl" in start))


def read_torch_file(path: Place, device: devices.device = devices.CPU) -> Any:
    """Return what a `.pt` or `.pth` file holds: tensors on `device`, in dicts, lists and tuples, and numbers.

    bfloat16, which NumPy lacks, becomes float32 (exactly); tensors that shared memory do so again; an
    OrderedDict is a dict. Of each tensor there is room in the memory before anything is taken for it.

    Raises FileError for a file that is damaged or cut, for one with tensors of a kind that stepgrad does not
    have (sparse, quantised, complex, float8), and for one that holds objects of other classes: what the file
    says to make of them is never run.
    """
    text = checked_path(path)
    with open_for_reading(path) as file:
        size = size_of(file)
        try:
            start = file.read(4)
            file.seek(0)
            return (_read_zip if start == _ZIP else _read_legacy)(file, size, device)
        except PickleError as error:
            if "run code" in str(error):
                raise FileError(f"cannot read '{text}': {error}. {_INSTEAD}.") from None
            raise FileError(
                f"'{text}' is damaged or not a PyTorch file: {error}. Use another copy of it."
            ) from None
        except UnreadableError as error:
            raise FileError(f"cannot read '{text}': {error}") from None
        except OSError as error:
            raise file_error(error, text, "read") from error
        except MemoryError:
            raise FileError(f"cannot read '{text}': its {size:,} bytes do not fit into the memory.") from None


# ------------------------------------------------------------------------------------ the two layouts


def _read_zip(file: BufferedReader, size: int, device: devices.device) -> Any:
    from zipfile import BadZipFile, ZipFile

    broken = (BadZipFile, NotImplementedError, EOFError, ValueError, OverflowError, struct.error)
    try:
        with ZipFile(file) as archive:
            entries = _entries(archive, size)
            pickle = _entry(archive, entries, "data.pkl", _MAX_PICKLE)
            order = bytes(_entry(archive, entries, "byteorder", 16)) if "byteorder" in entries else b"little"
            if order not in (b"little", b"big"):
                raise PickleError(f"its byte order is {shown(order)}")
            found: dict[str, numpy.ndarray] = {}

            def storage(kind: _Kind, key: str, count: int) -> numpy.ndarray:
                if key not in found:
                    data = _entry(archive, entries, f"data/{key}", size, count * _itemsize(kind))
                    found[key] = _array_of(data, kind, order == b"big")
                return _same(found[key], kind, count, key)

            return read_pickle(memoryview(pickle), 0, _names(device), _references(storage))[0]
    except broken as error:  # a damaged archive shows in the reader in many ways
        raise PickleError(f"its archive is broken ({shown(str(error))})") from None
    except OSError as error:
        if error.errno != errno.EINVAL:  # a place before the begin of the file
            raise
        raise PickleError("its archive is broken (an entry lies outside of it)") from None


def _entries(archive: Any, size: int) -> dict[str, Any]:
    """Return the entries of an archive by their names, without the folder that they all lie in."""
    found: dict[str, Any] = {}
    total = 0
    for info in archive.infolist():
        name = info.filename.partition("/")[2]
        total += info.file_size
        if name in found:
            raise PickleError(f"its archive has {shown(info.filename)} twice")
        # PyTorch never compresses. What is compressed could grow a thousandfold.
        if info.compress_type or info.file_size != info.compress_size or info.flag_bits & 1:
            raise PickleError(f"the entry {shown(info.filename)} of its archive is compressed or encrypted")
        found[name] = info
    if total > size:
        raise PickleError(f"its archive says that it holds {total:,} bytes, and it has {size:,}")
    return found


def _entry(
    archive: Any, entries: dict[str, Any], name: str, limit: int, length: int | None = None
) -> bytearray:
    """Return the bytes of an entry, `length` of them where that is given. Their checksum is verified."""
    info = entries.get(name)
    if info is None:
        other = " (a model saved with torch.jit?)" if name == "data.pkl" else ""
        raise PickleError(f"the entry {shown(name)} of its archive is missing{other}")
    if length is not None and info.file_size != length:
        raise PickleError(f"its tensors need {length:,} bytes of {shown(name)}, which has {info.file_size:,}")
    if info.file_size > limit:
        raise PickleError(f"the entry {shown(name)} of its archive has {info.file_size:,} bytes")
    data = bytearray(info.file_size)
    with archive.open(info) as entry:
        if entry.readinto(data) != len(data) or entry.read(1):
            raise PickleError(f"the entry {shown(name)} of its archive has been cut")
    return data


def _read_legacy(file: BufferedReader, size: int, device: devices.device) -> Any:
    data = memoryview(file.read())
    no_names: dict[str, Any] = {}
    magic, at = read_pickle(data, 0, no_names, _no_reference)
    if magic != _MAGIC:
        raise PickleError("its pickle is not one that torch.save wrote, and to make its value could run code")
    version, at = read_pickle(data, at, no_names, _no_reference)
    facts, at = read_pickle(data, at, no_names, _no_reference)
    if version != _VERSION or not isinstance(facts, dict) or facts.get("little_endian") is not True:
        raise PickleError(f"its version is {shown(version)}, its machine {shown(facts)}")
    start = at
    wanted: dict[str, tuple[_Kind, int]] = {}

    def announced(kind: _Kind, key: str, count: int) -> numpy.ndarray:
        if wanted.setdefault(key, (kind, count)) != (kind, count):
            raise PickleError(f"the storage {shown(key)} is described in two ways")
        if count * _itemsize(kind) > size:
            raise PickleError(f"the storage {shown(key)} would need {count * _itemsize(kind):,} bytes")
        return numpy.broadcast_to(numpy.zeros((), _memory_type(kind)), (count,))

    # Where the storages begin is known only after the value has been read: once for that, once with them.
    _, at = read_pickle(data, start, _names(device, dry=True), _references(announced))
    keys, at = read_pickle(data, at, no_names, _no_reference)
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise PickleError("it does not name its storages")
    found: dict[str, numpy.ndarray] = {}
    for key in keys:
        if key in found or key not in wanted:
            raise PickleError(f"the storage {shown(key)} is there twice, or no tensor uses it")
        kind, count = wanted[key]
        length = count * _itemsize(kind)
        if int.from_bytes(data[at : at + 8], "little") != count or at + 8 + length > len(data):
            raise PickleError(
                f"the storage {shown(key)} has been cut, or has another length than its tensors"
            )
        found[key] = _array_of(bytearray(data[at + 8 : at + 8 + length]), kind)
        at += 8 + length
    if at != len(data) or found.keys() != wanted.keys():
        raise PickleError("it has storages that no tensor uses, or lacks some")
    return read_pickle(data, start, _names(device), _references(lambda kind, key, count: found[key]))[0]


def _no_reference(_: Any) -> Any:
    raise PickleError("it refers to a storage where there can be none")


# ------------------------------------------------------------------------------------ storages, tensors


def _itemsize(kind: _Kind) -> int:
    return 2 if kind.code == "bf16" else numpy.dtype(kind.code).itemsize


def _memory_type(kind: _Kind) -> numpy.dtype:
    return numpy.dtype("f4" if kind.code == "bf16" else kind.code).newbyteorder("=")


def _array_of(data: bytearray, kind: _Kind, big_endian: bool = False) -> numpy.ndarray:
    """Return the numbers of a storage; the array owns them and can be written to."""
    code = "<u2" if kind.code == "bf16" else kind.code
    array = numpy.frombuffer(data, numpy.dtype(code).newbyteorder(">" if big_endian else "<"))
    if kind.code == "bf16":
        return (array.astype(numpy.uint32) << 16).view(numpy.float32)
    if kind.code == "?" and array.size and array.view(numpy.uint8).max() > 1:
        raise PickleError("a tensor of booleans in it holds values other than 0 and 1")
    return array.astype(_memory_type(kind), copy=False)


def _same(array: numpy.ndarray, kind: _Kind, count: int, key: str) -> numpy.ndarray:
    if array.size != count or array.dtype != _memory_type(kind):
        raise PickleError(f"the storage {shown(key)} is described in two ways")
    return array


def _references(storage: Callable[[_Kind, str, int], numpy.ndarray]) -> Callable[[Any], numpy.ndarray]:
    """Return what reads a persistent id: ("storage", type, key, device, count), and in older files which part
    of that storage it is: None, or (key, first, count).
    """

    def read(value: Any) -> numpy.ndarray:
        if not (isinstance(value, tuple) and len(value) in (5, 6) and value[0] == "storage"):
            raise PickleError(f"it refers to {shown(value)}, which is no storage")
        _, kind, key, _, count, *part = value
        if not (isinstance(kind, _Kind) and isinstance(key, str) and type(count) is int and count >= 0):
            raise PickleError(f"it refers to {shown(value)}, which is no storage")
        array = storage(kind, key, count)
        if not part or part[0] is None:
            return array
        if not (isinstance(part[0], tuple) and len(part[0]) == 3 and _are_sizes(part[0][1:])):
            raise PickleError(f"it refers to {shown(part[0])}, which is no part of a storage")
        _, first, length = part[0]
        if first + length > count:
            raise PickleError(f"it refers to {length:,} numbers from {first:,} of a storage of {count:,}")
        return array[first : first + length]

    return read


def _are_sizes(value: Any) -> bool:
    return isinstance(value, tuple) and all(type(n) is int and 0 <= n < 2**63 for n in value)


class _Tensors:
    """Makes the tensors of a file. With `dry`, only checks that they could be made."""

    def __init__(self, device: devices.device, dry: bool) -> None:
        self.device, self.dry = device, dry
        self.expanded = 0

    def tensor(
        self, storage: Any, first: Any, size: Any, strides: Any, requires_grad: Any, *_: Any
    ) -> Tensor:
        """Return the tensor of a shape whose elements lie in a storage, from number `first` on."""
        if not isinstance(storage, numpy.ndarray) or not _are_sizes((first,)):
            raise PickleError("a tensor in it has no memory")
        fits = _are_sizes(size) and _are_sizes(strides) and len(size) == len(strides)
        if not fits or len(size) > MAX_DIMENSIONS:
            raise PickleError(f"a tensor in it has no possible shape: {shown(size)}, {shown(strides)}")
        count = math.prod(size)
        last = first + sum((n - 1) * stride for n, stride in zip(size, strides)) if count else 0
        if last >= storage.size > 0 or (count and not storage.size):
            raise PickleError(
                f"a tensor of shape {shown(size)} in it needs {last + 1:,} numbers of a storage that has "
                f"{storage.size:,}"
            )
        repeats = any(n > 1 and stride == 0 for n, stride in zip(size, strides)) or count > storage.size
        self.expanded += repeats * count * storage.itemsize
        if self.expanded > _MAX_EXPANDED:
            raise PickleError(f"its expanded tensors would take more than {_MAX_EXPANDED:,} bytes")
        if self.dry:
            return Tensor(0)
        if not count:
            shown_part = numpy.empty(size, storage.dtype)
        else:
            steps = [stride * storage.itemsize for stride in strides]
            shown_part = numpy.lib.stride_tricks.as_strided(storage[first:], size, steps)
        tensor = Tensor._of(shown_part.copy() if repeats else shown_part).to(self.device)
        return tensor.requires_grad_() if requires_grad is True else tensor

    def parameter(self, data: Any, requires_grad: Any, *_: Any) -> Parameter:
        """Return a parameter."""
        if not isinstance(data, Tensor):
            raise PickleError("a parameter in it has no tensor")
        return Parameter(data.detach(), requires_grad=requires_grad is True)


# ------------------------------------------------------------------------------------ other values


class _NumpyType:
    """The type of a NumPy number in a file."""

    def __init__(self, code: Any, *_: Any) -> None:
        if code not in ("f8", "f4", "f2", "i8", "i4", "i2", "i1", "u1", "b1"):
            raise PickleError(f"it holds NumPy's type {shown(code)}")
        self.dtype = numpy.dtype("<" + code)

    def check_state(self, state: Any) -> None:
        """Raise where the numbers do not lie as on this machine."""
        if not (isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", "|", "=")):
            raise PickleError(f"it holds a NumPy type of the form {shown(state)}")


def _numpy_number(kind: Any, data: Any) -> Any:
    if not isinstance(kind, _NumpyType) or not isinstance(data, bytes) or len(data) != kind.dtype.itemsize:
        raise PickleError("a NumPy number in it is damaged")
    return numpy.frombuffer(data, kind.dtype)[0].item()


def _encoded(text: str, encoding: str) -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise PickleError(f"it holds bytes written as {shown(encoding)}")
    return text.encode("latin1")


def _dict_of(pairs: Any = ()) -> dict[Any, Any]:
    return {checked_key(key): value for key, value in pairs}


def _names(device: devices.device, dry: bool = False) -> Mapping[str, Any]:
    """Return every name that may stand in a file of weights, and what it means here."""
    tensors = _Tensors(device, dry)
    names: dict[str, Any] = {f"torch.{name}Storage": _Kind(name, code) for name, code in _KINDS.items()}
    names |= {f"torch.{name}": dtype for name, dtype in _DTYPES.items()}
    names |= {
        "collections.OrderedDict": _dict_of,
        "torch.Size": lambda sizes: tuple(sizes),
        "torch.device": _device,
        "torch._utils._rebuild_tensor_v2": tensors.tensor,
        "torch._utils._rebuild_tensor": lambda *layout: tensors.tensor(*layout, False),
        "torch._utils._rebuild_parameter": tensors.parameter,
        "torch._utils._rebuild_tensor_v3": _of_another_type,
        "_codecs.encode": _encoded,
        "numpy.dtype": lambda *of: _NumpyType(*of),
    }
    names["torch.storage.UntypedStorage"] = _Kind("Untyped", "u1")
    for name, (what, other) in _OTHERS.items():
        names[name] = Lacking(what, f"Save {other} in its place, where the file was written.")
    names |= {f"{builtins}.set": _set_of for builtins in ("builtins", "__builtin__")}
    names |= {f"numpy.{core}.multiarray.scalar": _numpy_number for core in ("core", "_core")}
    return names


def _device(kind: Any, index: Any = None) -> devices.device:
    if not isinstance(kind, str) or not (index is None or type(index) is int):
        raise PickleError(f"it holds a device that is {shown(kind)}")
    return devices.device(kind, index)


def _of_another_type(*_: Any) -> Any:
    """Stands for the tensors of types without storages of their own; their types are all `Lacking`."""
    raise PickleError("a tensor in it has another type than PyTorch writes in this way")


def _set_of(values: Any) -> set[Any]:
    return {checked_key(value) for value in values}
