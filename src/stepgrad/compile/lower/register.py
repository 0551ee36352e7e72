"""Registers: values in code that is being written, whose operators emit instructions.

A `Register` is a value of an element type ("float", "double", "i64", "i8", "i1" …) with a number of
lanes: 1 for a scalar, more for a vector. The formulas of the operation records run on registers as they
run on arrays.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy

from stepgrad.errors import DtypeError

if TYPE_CHECKING:
    from stepgrad.compile.lower.emit import Writer

ELEMENT = {
    "float32": "float", "float64": "double", "int64": "i64", "int32": "i32", "int16": "i16", "int8": "i8",
    "uint8": "u8", "bool": "i1",
}  # fmt: skip
BYTES = {"ptr": 8, "float": 4, "double": 8, "i64": 8, "i32": 4, "i16": 2, "i8": 1, "u8": 1, "i1": 1}
# LLVM's integers have no sign of their own; "u8" says that these bits are to be read without one.
UNSIGNED = ("i1", "u8")


@lru_cache(maxsize=64)
def element_of(dtype: Any) -> str:
    """Return the LLVM element type of a NumPy dtype. Raises `DtypeError` for one that is not compiled."""
    name = numpy.dtype(dtype).name
    if name not in ELEMENT:
        raise DtypeError(f"{name} is not compiled; it runs eagerly.")
    return ELEMENT[name]


def type_text(element: str, lanes: int) -> str:
    """Return an LLVM type: ``float``, ``<16 x float>``."""
    name = "i8" if element == "u8" else element
    return name if lanes == 1 else f"<{lanes} x {name}>"


def number_text(value: float, element: str) -> str:
    """Return a constant as LLVM writes it; floating point numbers by their bits."""
    if element in ("float", "double"):
        wide = float(numpy.float32(value)) if element == "float" else float(value)
        return f"0x{struct.unpack('<Q', struct.pack('<d', wide))[0]:016X}"
    if element == "i1":
        return "true" if value else "false"
    return str(int(value))


class Register:
    """A value in the code being written. Operators emit; Python numbers become constants of the same type."""

    __slots__ = ("element", "lanes", "text", "writer")

    def __init__(self, writer: Writer, text: str, element: str, lanes: int) -> None:
        self.writer, self.text, self.element, self.lanes = writer, text, element, lanes

    def seen_as(self, element: str) -> Register:
        """Return the same bits as another element type of this size."""
        return self if element == self.element else Register(self.writer, self.text, element, self.lanes)

    @property
    def type(self) -> str:
        """The LLVM type."""
        return type_text(self.element, self.lanes)

    @property
    def is_float(self) -> bool:
        """Whether it is a floating point number."""
        return self.element in ("float", "double")

    def __add__(self, other: Any) -> Register:
        return self.writer.arithmetic("add", self, other)

    def __radd__(self, other: Any) -> Register:
        return self.writer.arithmetic("add", other, self)

    def __sub__(self, other: Any) -> Register:
        return self.writer.arithmetic("sub", self, other)

    def __rsub__(self, other: Any) -> Register:
        return self.writer.arithmetic("sub", other, self)

    def __mul__(self, other: Any) -> Register:
        return self.writer.arithmetic("mul", self, other)

    def __rmul__(self, other: Any) -> Register:
        return self.writer.arithmetic("mul", other, self)

    def __truediv__(self, other: Any) -> Register:
        return self.writer.arithmetic("div", self, other)

    def __rtruediv__(self, other: Any) -> Register:
        return self.writer.arithmetic("div", other, self)

    def __neg__(self) -> Register:
        if self.is_float:
            return self.writer.emit(f"fneg {self.type} {self.text}", self.element, self.lanes)
        return 0 - self

    def __lt__(self, other: Any) -> Register:
        return self.writer.compare("lt", self, other)

    def __le__(self, other: Any) -> Register:
        return self.writer.compare("le", self, other)

    def __gt__(self, other: Any) -> Register:
        return self.writer.compare("gt", self, other)

    def __ge__(self, other: Any) -> Register:
        return self.writer.compare("ge", self, other)

    def __eq__(self, other: Any) -> Register:  # type: ignore[override]
        return self.writer.compare("eq", self, other)

    def __ne__(self, other: Any) -> Register:  # type: ignore[override]
        return self.writer.compare("ne", self, other)

    __hash__ = None  # type: ignore[assignment]

    def __and__(self, other: Any) -> Register:
        return self.writer.bitwise("and", self, other)

    def __rand__(self, other: Any) -> Register:
        return self.writer.bitwise("and", self, other)

    def __or__(self, other: Any) -> Register:
        return self.writer.bitwise("or", self, other)

    def __ror__(self, other: Any) -> Register:
        return self.writer.bitwise("or", self, other)

    def __xor__(self, other: Any) -> Register:
        return self.writer.bitwise("xor", self, other)

    def __rxor__(self, other: Any) -> Register:
        return self.writer.bitwise("xor", self, other)

    def __lshift__(self, other: Any) -> Register:
        return self.writer.bitwise("shl", self, other)

    def __rshift__(self, other: Any) -> Register:
        return self.writer.bitwise("lshr", self, other)
