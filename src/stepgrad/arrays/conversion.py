"""Raw arrays of what people write: numbers, nested sequences, arrays, tensors."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy

from stepgrad.arrays import dtypes
from stepgrad.errors import DtypeError, ShapeError


def array_of(data: Any, dtype: Any = None, copy: bool = False) -> Any:
    """Return `data` as a raw array in `dtype`, sharing the memory of an array or a tensor unless `copy`.

    Without `dtype`, arrays and tensors keep theirs, and Python floats become the default dtype. Raises
    `DtypeError` for what is no number, `ShapeError` for sequences of unequal length.

    >>> array_of([1, 2.5]).dtype, array_of([1, 2]).dtype
    (dtype('float32'), dtype('int64'))
    """
    if hasattr(data, "_array"):  # a tensor
        array = data._array.copy() if copy else data._array
    elif hasattr(data, "dtype"):
        is_gpu = type(data).__module__.partition(".")[0] == "cupy"
        array = data if is_gpu else numpy.array(data, copy=True if copy else None)
        dtypes.of(array)
    else:
        array = _from_python(data, dtype)
    return array if dtype is None else array.astype(dtypes.as_dtype(dtype).numpy, copy=False)


def _from_python(data: Any, dtype: Any) -> numpy.ndarray:
    if isinstance(data, Sequence) and not isinstance(data, (list, tuple, str, bytes)):
        data = list(data)  # a deque or the like
    if isinstance(data, (list, tuple)) and any(hasattr(x, "_array") for x in data):
        data = [x.tolist() if hasattr(x, "_array") else x for x in data]
    try:
        array = numpy.array(data)
    except (ValueError, OverflowError) as error:
        raise ShapeError(f"these sequences are not a tensor: {error}") from None
    if array.dtype.kind == "f" and array.size and dtype is None:
        return array.astype(_kind_of(data).numpy, copy=False)
    if array.dtype.kind not in "biuf":
        raise DtypeError(f"a tensor holds numbers, not {type(data).__name__} of {array.dtype}.")
    dtypes.of(array)
    return array if array.size else array.astype(dtypes.get_default_dtype().numpy)


def _kind_of(data: Any) -> dtypes.dtype:
    """Return the type to which all numbers in nested sequences are promoted: Python's, NumPy's, arrays'."""
    kinds: set[Any] = set()
    inner = [data]
    while inner:
        part = inner.pop()
        if isinstance(part, Sequence):
            if set(map(type, part)) == {float}:  # the usual case, and long
                kinds.add(float)
            else:
                inner.extend(part)
        else:
            kinds.add(part.dtype if hasattr(part, "dtype") else type(part))
    return functools.reduce(dtypes.promote_types, kinds, dtypes.bool_)
