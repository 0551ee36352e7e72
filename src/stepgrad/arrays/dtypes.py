"""Data types, and what type the result of an operation has.

The rules are PyTorch's: types belong to a category (bool < integer < floating point); operands with
dimensions decide over 0-d operands, and those over Python numbers, unless the weaker one has a higher
category.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy

from stepgrad.errors import DtypeError

BOOLEAN, INTEGER, FLOATING = 0, 1, 2
_CATEGORY = {"b": BOOLEAN, "u": INTEGER, "i": INTEGER, "f": FLOATING}


class dtype:
    """A data type such as `stepgrad.float32`; one object each, compared with ``is`` or ``==``.

    Attributes: `name` ("float32"), `numpy` (the `numpy.dtype`), `itemsize` (bytes), `category`.

    >>> import stepgrad as sg
    >>> sg.float32, sg.float32.itemsize, sg.int64.is_floating_point
    (stepgrad.float32, 4, False)
    """

    __slots__ = ("category", "itemsize", "name", "numpy")

    def __init__(self, name: str) -> None:
        self.name = name
        self.numpy = numpy.dtype(name)
        self.itemsize = self.numpy.itemsize
        self.category = _CATEGORY[self.numpy.kind]

    @property
    def is_floating_point(self) -> bool:
        """Whether values of this type are floating point numbers."""
        return self.category == FLOATING

    @property
    def is_signed(self) -> bool:
        """Whether the type has negative numbers."""
        return self.numpy.kind in "if"

    @property
    def is_complex(self) -> bool:
        """False: stepgrad has real numbers alone."""
        return False

    def __repr__(self) -> str:
        return f"stepgrad.{self.name}"

    def __reduce__(self) -> str:
        return self.name


class AbsentDtype(dtype):
    """A floating point type that has a name, as programs ask for it, and in which nothing is computed."""

    __slots__ = ()

    def __init__(self, name: str, itemsize: int) -> None:
        self.name, self.itemsize, self.category = name, itemsize, FLOATING

    @property
    def numpy(self) -> Any:  # type: ignore[override]
        """Raise `DtypeError`: NumPy has no such type."""
        raise DtypeError(
            f"stepgrad does not compute in {self.name}, because NumPy has no such type. Use float32; files "
            f"with {self.name} are read as float32."
        )


bfloat16 = AbsentDtype("bfloat16", 2)
bool_ = dtype("bool")
uint8, int8, int16, int32, int64 = (dtype(n) for n in ("uint8", "int8", "int16", "int32", "int64"))
float16, float32, float64 = (dtype(n) for n in ("float16", "float32", "float64"))
ALL = (bool_, uint8, int8, int16, int32, int64, float16, float32, float64)

_BY_NUMPY = {d.numpy: d for d in ALL}
_BY_NAME = {d.name: d for d in ALL} | {"half": float16, "float": float32, "double": float64, "long": int64}
# PyTorch's older names of tensors of one type.
TENSOR_NAMES = {
    bool_: "BoolTensor", uint8: "ByteTensor", int8: "CharTensor", int16: "ShortTensor", int32: "IntTensor",
    int64: "LongTensor", float16: "HalfTensor", float32: "FloatTensor", float64: "DoubleTensor",
}  # fmt: skip
_BY_TENSOR = {name: kind for kind, name in TENSOR_NAMES.items()}
_BY_TYPE = {bool: bool_, int: int64, float: float32}
_default = float32


def of(array: Any) -> dtype:
    """Return the `dtype` of a raw array."""
    try:
        return _BY_NUMPY[array.dtype]
    except KeyError:
        raise DtypeError(
            f"stepgrad has no data type {array.dtype}; it has {', '.join(d.name for d in ALL)}. "
            f"Convert the array first, for example with .astype('float32')."
        ) from None


def is_dtype_name(name: str) -> bool:
    """Return whether a text is the name of a dtype.

    >>> is_dtype_name("float64"), is_dtype_name("cpu")
    (True, False)
    """
    return name in _BY_NAME


def as_dtype(name: Any) -> dtype:
    """Return the `dtype` meant by a stepgrad dtype, a NumPy dtype, a Python type or a name.

    >>> as_dtype("float64"), as_dtype(float), as_dtype(numpy.int32)
    (stepgrad.float64, stepgrad.float32, stepgrad.int32)
    """
    if isinstance(name, dtype):
        return name
    if isinstance(name, str) and is_dtype_name(name):
        return _BY_NAME[name]
    if isinstance(name, str) and (last := name.rpartition(".")[2]) in _BY_TENSOR:  # "torch.LongTensor"
        return _BY_TENSOR[last]
    if isinstance(name, type) and name in _BY_TYPE:
        return _default if name is float else _BY_TYPE[name]
    if isinstance(found := getattr(name, "dtype", None), dtype):  # such as stepgrad.LongTensor
        return found
    try:
        return _BY_NUMPY[numpy.dtype(name)]
    except (KeyError, TypeError):
        raise DtypeError(
            f"{name!r} is not a data type of stepgrad; it has {', '.join(d.name for d in ALL)}."
        ) from None


def get_default_dtype() -> dtype:
    """Return the floating point type of new tensors: float32 unless `set_default_dtype` was called.

    >>> import stepgrad as sg
    >>> sg.get_default_dtype()
    stepgrad.float32
    """
    return _default


def set_default_dtype(d: Any) -> None:
    """Make `d` (a floating point dtype) the type of new floating point tensors.

    Raises `DtypeError` for a type that is not floating point.

    >>> import stepgrad as sg
    >>> sg.set_default_dtype(sg.float64)
    >>> sg.tensor(0.5).dtype
    stepgrad.float64
    >>> sg.set_default_dtype(sg.float32)
    """
    global _default
    d = as_dtype(d)
    if not d.is_floating_point:
        raise DtypeError(f"the default dtype must be a floating point type, not {d}.")
    _default = d


def promote_types(a: Any, b: Any) -> dtype:
    """Return the smallest type to which both types may be cast, as `torch.promote_types`.

    >>> promote_types("int64", "float16"), promote_types("uint8", "int8")
    (stepgrad.float16, stepgrad.int16)
    """
    a, b = as_dtype(a), as_dtype(b)
    if a.category != b.category:
        return a if a.category > b.category else b
    return _BY_NUMPY[numpy.promote_types(a.numpy, b.numpy)]


def result_type(operands: Iterable[Any]) -> dtype:
    """Return the type of an arithmetic result of `operands`: raw arrays and Python numbers.

    >>> result_type([numpy.zeros(2, "float32"), numpy.zeros((), "float64"), 1.5])
    stepgrad.float32
    >>> result_type([numpy.zeros(2, "int64"), 1.5])
    stepgrad.float32
    """
    with_dimensions: dtype | None = None
    without: dtype | None = None
    number: dtype | None = None
    for x in operands:
        if isinstance(x, (bool, int, float)):
            d = _default if isinstance(x, float) else _BY_TYPE[type(x)]
            number = d if number is None else promote_types(number, d)
        elif x.ndim:
            d = of(x)
            with_dimensions = d if with_dimensions is None else promote_types(with_dimensions, d)
        else:
            d = of(x)
            without = d if without is None else promote_types(without, d)
    strongest: dtype | None = None
    for candidate in (with_dimensions, without, number):
        if candidate is not None and (strongest is None or candidate.category > strongest.category):
            strongest = candidate
    if strongest is None:
        raise DtypeError("result_type needs at least one operand.")
    return strongest


class memory_format:
    """An order of elements in memory, for which PyTorch's code may ask; results are in row-major order.

    >>> import stepgrad as sg
    >>> sg.zeros(2, 3).contiguous(memory_format=sg.contiguous_format).is_contiguous()
    True
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"stepgrad.{self._name}"


contiguous_format, preserve_format, channels_last, channels_last_3d = (
    memory_format(n) for n in ("contiguous_format", "preserve_format", "channels_last", "channels_last_3d")
)


class layout:
    """How the elements of a tensor lie in memory: `stepgrad.strided`, the only way there is.

    >>> import stepgrad as sg
    >>> sg.zeros(2).layout
    stepgrad.strided
    """

    def __repr__(self) -> str:
        return "stepgrad.strided"


strided = layout()


def largest(kind: dtype) -> Any:
    """Return the largest number of a type."""
    return (numpy.finfo if kind.is_floating_point else numpy.iinfo)(kind.numpy).max


class finfo:
    """The limits of a floating point type, by default the default one: PyTorch's `finfo`.

    `bits`, `eps` (the distance from 1 to the next number), `max`, `min`, `tiny` and `smallest_normal` (the
    smallest positive number with all digits), `resolution`, `dtype`. Raises `DtypeError` for other types.

    >>> finfo(float32).eps, finfo(float32).bits
    (1.1920928955078125e-07, 32)
    """

    def __init__(self, dtype: Any = None) -> None:
        kind = _default if dtype is None else as_dtype(dtype)
        if not kind.is_floating_point:
            raise DtypeError(f"finfo takes a floating point type, not {kind.name}. Use iinfo.")
        found = numpy.finfo(kind.numpy)
        self.dtype, self.bits = kind.name, int(found.bits)
        self.eps, self.max, self.min = float(found.eps), float(found.max), float(found.min)
        self.tiny = self.smallest_normal = float(found.tiny)
        self.resolution = float(found.resolution)

    def __repr__(self) -> str:
        return (
            f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, eps={self.eps:g}, "
            f"smallest_normal={self.smallest_normal:g}, tiny={self.tiny:g}, dtype={self.dtype})"
        )


class iinfo:
    """The limits of an integer type: `bits`, `max`, `min`, `dtype`. Raises `DtypeError` for other types.

    >>> iinfo(int8)
    iinfo(min=-128, max=127, dtype=int8)
    """

    def __init__(self, dtype: Any) -> None:
        kind = as_dtype(dtype)
        if kind.category != INTEGER:
            raise DtypeError(f"iinfo takes an integer type, not {kind.name}.")
        found = numpy.iinfo(kind.numpy)
        self.dtype, self.bits, self.max, self.min = kind.name, int(found.bits), int(found.max), int(found.min)

    def __repr__(self) -> str:
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"


def can_cast(from_: Any, to: Any) -> bool:
    """Return whether results of one type may be stored in another: not of a higher kind.

    >>> can_cast(float64, float32), can_cast(float32, int64)
    (True, False)
    """
    return as_dtype(from_).category <= as_dtype(to).category
