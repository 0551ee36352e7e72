"""What every family of methods knows of a tensor, and how dimensions are named."""

from __future__ import annotations

import math
import operator
from ctypes import addressof, c_char
from typing import TYPE_CHECKING, Any

from stepgrad.errors import ArgumentError, DtypeError, IndexShapeError

if TYPE_CHECKING:
    from stepgrad.tensor import Tensor

# A tensor, or what is taken for one beside a tensor.
Operand = Any


class Size(tuple[int, ...]):
    """The length of each dimension of a tensor: a tuple that knows how many elements that makes.

    >>> import stepgrad as sg
    >>> sg.zeros(2, 3).shape, sg.zeros(2, 3).shape.numel()
    ((2, 3), 6)
    """

    __slots__ = ()

    def numel(self) -> int:
        """Return the number of elements."""
        return math.prod(self)


class TensorBase:
    """The fields of a tensor: its raw array, the node that made it, and what belongs to its gradient."""

    _array: Any
    _node: Any
    _version: list[int]  # shared by all views of one memory: how often it was written
    _viewed: Any
    _base: Any
    _base_seen: int
    _rebases: int
    requires_grad: bool

    def _as_tensor(self) -> Tensor:
        return self  # type: ignore[return-value]

    def _copied(self, result: Tensor) -> Tensor:
        """Return `result`, which was made of this tensor, in memory of its own: a copy if it is a view."""
        return result.clone() if result._version is self._version else result

    def _filling(self, value: Operand) -> Operand:
        """Return what elements are filled with, a number or a 0-d tensor, as one that keeps the dtype.

        Raises `DtypeError` for ∞ and NaN among integers.
        """
        if isinstance(value, TensorBase):
            return value._as_tensor().to(self._as_tensor().dtype)
        kind = self._array.dtype.kind
        if kind == "f":
            return value
        if kind == "b":
            return bool(value)
        try:
            return int(value)
        except (OverflowError, ValueError):
            raise DtypeError(
                f"a tensor of {self._array.dtype.name} cannot be filled with {value}. "
                "Convert it with .float() first."
            ) from None


def one_dim(dim: Any, ndim: int) -> int:
    """Return a dimension as 0 … ndim-1. Raises `ShapeError` (an `IndexError` too) if it is out of range."""
    try:
        i = operator.index(dim)
    except TypeError:
        raise ArgumentError(f"a dimension is an integer, not {dim!r}.") from None
    span = max(ndim, 1)
    if not -span <= i < span:
        raise IndexShapeError(
            f"dimension {i} is out of range: the tensor has {ndim}, so {-span} … {span - 1}."
        )
    return i % span


def some_dims(dim: Any, ndim: int) -> tuple[int, ...] | None:
    """Return dimensions as a sorted tuple, None for all of them (also for a tensor without dimensions)."""
    if dim is None or (isinstance(dim, (tuple, list)) and not dim):
        return None
    dims = tuple(one_dim(d, ndim) for d in dim) if isinstance(dim, (tuple, list)) else (one_dim(dim, ndim),)
    if len(set(dims)) != len(dims):
        raise ArgumentError(f"a dimension appears twice in {dim!r}.")
    return None if ndim == 0 else tuple(sorted(dims))


def as_shape(sizes: tuple[Any, ...]) -> tuple[int, ...]:
    """Return sizes given one by one, or as one sequence, as a tuple of ints."""
    if len(sizes) == 1 and not isinstance(sizes[0], int) and hasattr(sizes[0], "__iter__"):
        sizes = tuple(sizes[0])
    try:
        return tuple(operator.index(n) for n in sizes)
    except TypeError:
        raise ArgumentError(f"a shape is made of integers, not {sizes!r}.") from None


def address_of(array: Any) -> int:
    """Return where the first element of an array lies."""
    try:
        return addressof(c_char.from_buffer(array))  # in a third of the time that the array itself takes
    except (TypeError, ValueError, BufferError):  # read-only, empty, not in one piece, or on a GPU
        own = getattr(array, "__array_interface__", None)
        return int(array.data.ptr if own is None else own["data"][0])
