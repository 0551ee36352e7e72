"""PyTorch's older names of tensors with a type: ``LongTensor([1, 2])``, and ``x.type(FloatTensor)``."""

from __future__ import annotations

from typing import Any

from stepgrad.arrays import dtypes
from stepgrad.functions.creation import empty, tensor
from stepgrad.tensor import Tensor


class TensorType:
    """The type of tensors of one dtype: called, it makes one; `isinstance` tells whether a tensor is one.

    >>> LongTensor([1, 2]), FloatTensor(2, 3).shape, isinstance(FloatTensor([1]), LongTensor)
    (tensor([1, 2]), (2, 3), False)
    """

    def __init__(self, name: str, dtype: dtypes.dtype, device: str = "cpu") -> None:
        self.__name__, self.dtype, self._device = name, dtype, device

    def __call__(self, *data: Any) -> Tensor:
        if not data or isinstance(data[0], int):
            return empty(*data or (0,), dtype=self.dtype, device=self._device)
        return tensor(data[0], dtype=self.dtype, device=self._device)

    def __instancecheck__(self, value: Any) -> bool:
        same = isinstance(value, Tensor) and value.dtype is self.dtype
        return same and value.device.type == self._device

    def __repr__(self) -> str:
        return f"stepgrad.{self.__name__}"


BoolTensor = TensorType("BoolTensor", dtypes.bool_)
ByteTensor = TensorType("ByteTensor", dtypes.uint8)
CharTensor = TensorType("CharTensor", dtypes.int8)
ShortTensor = TensorType("ShortTensor", dtypes.int16)
IntTensor = TensorType("IntTensor", dtypes.int32)
LongTensor = TensorType("LongTensor", dtypes.int64)
HalfTensor = TensorType("HalfTensor", dtypes.float16)
FloatTensor = TensorType("FloatTensor", dtypes.float32)
DoubleTensor = TensorType("DoubleTensor", dtypes.float64)

__all__ = [
    "BoolTensor", "ByteTensor", "CharTensor", "DoubleTensor", "FloatTensor", "HalfTensor", "IntTensor",
    "LongTensor", "ShortTensor",
]  # fmt: skip
