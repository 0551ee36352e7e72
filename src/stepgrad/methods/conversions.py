"""Methods that give a tensor another dtype, device or order in memory, or make Python's numbers of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stepgrad.arrays import devices, dtypes
from stepgrad.autograd.engine import apply
from stepgrad.autograd.recording import check_readable
from stepgrad.errors import DtypeError, ShapeError
from stepgrad.methods.base import TensorBase
from stepgrad.ops.registry import REGISTRY

if TYPE_CHECKING:
    from stepgrad.tensor import Tensor


class ConversionMethods(TensorBase):
    """By way of `Tensor.to`. What makes Python's numbers raises `CaptureError` in a step that is compiled."""

    def type(self, dtype: Any = None, non_blocking: Any = False) -> Any:
        """Return the tensor in another dtype, or the name of its type, such as "stepgrad.FloatTensor".

        >>> import stepgrad as sg
        >>> sg.tensor([1.5, 2.0]).type(), sg.tensor([1.5, 2.0]).type(sg.int64)
        ('stepgrad.FloatTensor', tensor([1, 2]))
        """
        if dtype is not None:
            return self._as_tensor().to(dtypes.as_dtype(dtype))
        place = "cuda." if self._as_tensor().device.type == "cuda" else ""
        return f"stepgrad.{place}{dtypes.TENSOR_NAMES[dtypes.of(self._array)]}"

    def float(self, memory_format: Any = dtypes.preserve_format) -> Tensor:
        """Return the tensor as float32.

        >>> import stepgrad as sg
        >>> sg.tensor([1, 2]).float()
        tensor([1., 2.])
        """
        return self._as_tensor().to(dtypes.float32)

    def double(self, memory_format: Any = dtypes.preserve_format) -> Tensor:
        """Return the tensor as float64.

        >>> import stepgrad as sg
        >>> sg.tensor([1.5]).double()
        tensor([1.5000], dtype=stepgrad.float64)
        """
        return self._as_tensor().to(dtypes.float64)

    def half(self, memory_format: Any = dtypes.preserve_format) -> Tensor:
        """Return the tensor as float16.

        >>> import stepgrad as sg
        >>> sg.tensor([1.5]).half()
        tensor([1.5000], dtype=stepgrad.float16)
        """
        return self._as_tensor().to(dtypes.float16)

    def int(self, memory_format: Any = dtypes.preserve_format) -> Tensor:
        """Return the tensor as int32; fractions are cut off.

        >>> import stepgrad as sg
        >>> sg.tensor([1.7, -1.7]).int()
        tensor([ 1, -1], dtype=stepgrad.int32)
        """
        return self._as_tensor().to(dtypes.int32)

    def long(self, memory_format: Any = dtypes.preserve_format) -> Tensor:
        """Return the tensor as int64; fractions are cut off.

        >>> import stepgrad as sg
        >>> sg.tensor([1.7, -1.7]).long()
        tensor([ 1, -1])
        """
        return self._as_tensor().to(dtypes.int64)

    def bool(self, memory_format: Any = dtypes.preserve_format) -> Tensor:
        """Return whether each element differs from 0.

        >>> import stepgrad as sg
        >>> sg.tensor([0.0, 0.5]).bool()
        tensor([False,  True])
        """
        return self._as_tensor().to(dtypes.bool_)

    def byte(self, memory_format: Any = dtypes.preserve_format) -> Tensor:
        """Return the tensor as uint8; fractions are cut off.

        >>> import stepgrad as sg
        >>> sg.tensor([1.7, 200.0]).byte()
        tensor([  1, 200], dtype=stepgrad.uint8)
        """
        return self._as_tensor().to(dtypes.uint8)

    def char(self, memory_format: Any = dtypes.preserve_format) -> Tensor:
        """Return the tensor as int8; fractions are cut off.

        >>> import stepgrad as sg
        >>> sg.tensor([1.7, -1.7]).char()
        tensor([ 1, -1], dtype=stepgrad.int8)
        """
        return self._as_tensor().to(dtypes.int8)

    def short(self, memory_format: Any = dtypes.preserve_format) -> Tensor:
        """Return the tensor as int16; fractions are cut off.

        >>> import stepgrad as sg
        >>> sg.tensor([1.7, -1.7]).short()
        tensor([ 1, -1], dtype=stepgrad.int16)
        """
        return self._as_tensor().to(dtypes.int16)

    def type_as(self, other: Tensor) -> Tensor:
        """Return the tensor in the dtype of `other`.

        >>> import stepgrad as sg
        >>> sg.tensor([1, 2]).type_as(sg.tensor([0.5]))
        tensor([1., 2.])
        """
        return self._as_tensor().to(other.dtype)

    def cpu(self) -> Tensor:
        """Return the tensor on the CPU.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0]).cpu().device
        device(type='cpu')
        """
        return self._as_tensor().to(devices.CPU)

    def cuda(self, device: Any = None, non_blocking: Any = False) -> Tensor:
        """Return the tensor on a GPU."""
        return self._as_tensor().to(devices.device("cuda" if device is None else device))

    def clone(self, *, memory_format: Any = dtypes.preserve_format) -> Tensor:
        """Return a copy, in row-major order whatever the `memory_format`; gradients flow through.

        >>> import stepgrad as sg
        >>> x = sg.tensor([1.0, 2.0])
        >>> y = x.clone()
        >>> y[0] = 9.0
        >>> x
        tensor([1., 2.])
        """
        return apply(REGISTRY["cast"], self, dtype=self._array.dtype)

    def contiguous(self, memory_format: Any = dtypes.contiguous_format) -> Tensor:
        """Return the tensor with its elements in row-major order: itself, or a copy.

        >>> import stepgrad as sg
        >>> x = sg.arange(6).reshape(2, 3).t()
        >>> x.stride(), x.contiguous().stride()
        ((1, 3), (2, 1))
        """
        return self._as_tensor() if self._array.flags.c_contiguous else self.clone()

    def item(self) -> Any:
        """Return the one element as a Python number. Raises `ShapeError` if there is not exactly one.

        >>> import stepgrad as sg
        >>> sg.tensor([[2.5]]).item()
        2.5
        """
        if self._array.size != 1:
            raise ShapeError(
                f"item() takes one element; this tensor has {self._array.size}: {list(self._array.shape)}."
            )
        check_readable(self)
        return self._array.item()

    def tolist(self) -> Any:
        """Return the numbers as nested lists.

        >>> import stepgrad as sg
        >>> sg.tensor([[1, 2], [3, 4]]).tolist()
        [[1, 2], [3, 4]]
        """
        check_readable(self)
        return self._array.tolist()

    def __float__(self) -> Any:
        return float(self.item())

    def __int__(self) -> Any:
        return int(self.item())

    def __bool__(self) -> Any:
        if self._array.size != 1:
            raise ShapeError(
                f"a tensor of shape {list(self._array.shape)} is neither true nor false as a whole. "
                f"Use .any() or .all()."
            )
        return bool(self.item())

    def __index__(self) -> Any:
        if self._array.dtype.kind not in "iub":
            raise DtypeError(f"only an integer tensor can be an index, not {self._array.dtype.name}.")
        return int(self.item())

    def __contains__(self, value: Any) -> Any:
        return bool((self == value).any())
