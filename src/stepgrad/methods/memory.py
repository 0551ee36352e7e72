"""Methods that tell the size of a tensor, where and how it lies in memory, and change its shape in place."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy

from stepgrad.arrays import dtypes
from stepgrad.autograd.engine import state
from stepgrad.errors import CaptureError, GradientError
from stepgrad.methods.base import Size, TensorBase, address_of, as_shape, one_dim

if TYPE_CHECKING:
    from stepgrad.tensor import Tensor


class MemoryMethods(TensorBase):
    """How many elements there are, and what PyTorch's code asks of memory; steps and offsets count elements,
    not bytes.
    """

    is_sparse = is_quantized = is_mkldnn = is_meta = is_mps = is_xpu = is_nested = False
    layout = dtypes.strided

    def dim(self) -> int:
        """Return the number of dimensions.

        >>> import stepgrad as sg
        >>> sg.zeros(2, 3).dim()
        2
        """
        return self._array.ndim

    def size(self, dim: int | None = None) -> Any:
        """Return the shape, or the length of one dimension.

        >>> import stepgrad as sg
        >>> x = sg.zeros(2, 3)
        >>> x.size(), x.size(1)
        ((2, 3), 3)
        """
        return Size(self._array.shape) if dim is None else self._array.shape[one_dim(dim, self._array.ndim)]

    def numel(self) -> int:
        """Return the number of elements.

        >>> import stepgrad as sg
        >>> sg.zeros(2, 3).numel()
        6
        """
        return self._array.size

    def element_size(self) -> int:
        """Return the bytes of one element.

        >>> import stepgrad as sg
        >>> sg.zeros(2).element_size(), sg.zeros(2, dtype=sg.float64).element_size()
        (4, 8)
        """
        return self._array.itemsize

    def is_floating_point(self) -> bool:
        """Return whether the dtype is a floating point type.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0]).is_floating_point(), sg.tensor([1]).is_floating_point()
        (True, False)
        """
        return self._array.dtype.kind == "f"

    def is_contiguous(self) -> bool:
        """Return whether the elements lie in row-major order without gaps.

        >>> import stepgrad as sg
        >>> x = sg.zeros(2, 3)
        >>> x.is_contiguous(), x.t().is_contiguous()
        (True, False)
        """
        return bool(self._array.flags.c_contiguous)

    nelement = numel

    @property
    def is_cuda(self) -> bool:
        """Whether the numbers lie on a GPU.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0]).is_cuda
        False
        """
        return self._as_tensor().device.type == "cuda"

    @property
    def is_cpu(self) -> bool:
        """Whether the numbers lie in the memory of the CPU.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0]).is_cpu
        True
        """
        return not self.is_cuda

    @property
    def itemsize(self) -> int:
        """The bytes of one element.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0]).itemsize
        4
        """
        return int(self._array.itemsize)

    @property
    def nbytes(self) -> int:
        """The bytes of all elements.

        >>> import stepgrad as sg
        >>> sg.zeros(2, 3).nbytes
        24
        """
        return int(self._array.nbytes)

    @property
    def retains_grad(self) -> bool:
        """Whether this tensor, which is no leaf, keeps its gradient: see `retain_grad`.

        >>> import stepgrad as sg
        >>> x = sg.tensor(3.0, requires_grad=True)
        >>> y = x * 2
        >>> y.retain_grad()
        >>> x.retains_grad, y.retains_grad
        (False, True)
        """
        tensor, node = self._as_tensor(), self._node
        return not tensor.is_leaf and node.retained is not None and node.retained() is tensor

    def get_device(self) -> int:
        """Return the number of the GPU, −1 for the CPU.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0]).get_device()
        -1
        """
        return self._as_tensor().device.index or 0 if self.is_cuda else -1

    def ndimension(self) -> int:
        """Return the number of dimensions.

        >>> import stepgrad as sg
        >>> sg.zeros(2, 3).ndimension()
        2
        """
        return int(self._array.ndim)

    def stride(self, dim: int | None = None) -> Any:
        """Return how many elements lie from one entry to the next along each dimension, or along `dim`.

        >>> import stepgrad as sg
        >>> x = sg.zeros(2, 3)
        >>> x.stride(), x.t().stride()
        ((3, 1), (1, 3))
        """
        steps = tuple(s // self._array.itemsize for s in self._array.strides)
        return steps if dim is None else steps[one_dim(dim, len(steps))]

    def storage_offset(self) -> int:
        """Return how many elements of the memory that views share lie before the first one.

        >>> import stepgrad as sg
        >>> sg.arange(6)[2:].storage_offset()
        2
        """
        owner = self._array
        while isinstance(owner.base, type(owner)):
            owner = owner.base
        return (self.data_ptr() - address_of(owner)) // int(self._array.itemsize)

    def data_ptr(self) -> int:
        """Return the address of the first element.

        >>> import stepgrad as sg
        >>> x = sg.tensor([1.0, 2.0])
        >>> x[1:].data_ptr() - x.data_ptr()
        4
        """
        return address_of(self._array)

    def is_complex(self) -> bool:
        """Return False: stepgrad has real numbers alone.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0]).is_complex()
        False
        """
        return False

    def is_signed(self) -> bool:
        """Return whether the dtype has negative numbers.

        >>> import stepgrad as sg
        >>> sg.tensor([1]).is_signed(), sg.tensor([1], dtype=sg.uint8).is_signed()
        (True, False)
        """
        return self._array.dtype.kind in "if"

    def is_nonzero(self) -> bool:
        """Return whether the one element differs from 0. Raises `ShapeError` for several.

        >>> import stepgrad as sg
        >>> sg.tensor([0.5]).is_nonzero()
        True
        """
        return bool(self._as_tensor())

    def is_same_size(self, other: Tensor) -> bool:
        """Return whether `other` has the same shape.

        >>> import stepgrad as sg
        >>> sg.zeros(2, 3).is_same_size(sg.ones(2, 3))
        True
        """
        return self._array.shape == other._array.shape

    def is_pinned(self) -> bool:
        """Return False: memory is not pinned.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0]).is_pinned()
        False
        """
        return False

    def pin_memory(self, device: Any = None) -> Tensor:
        """Return the tensor itself: memory is not pinned.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0]).pin_memory()
        tensor([1.])
        """
        return self._as_tensor()

    def share_memory_(self) -> Tensor:
        """Return the tensor itself. Processes do not share it: `DataLoader` sends batches of its own.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0]).share_memory_()
        tensor([1.])
        """
        return self._as_tensor()

    # ------------------------------------------------------------------------- another shape, in place

    def unsqueeze_(self, dim: int) -> Tensor:
        """Insert a dimension of length 1 at `dim`, in place.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, 2.0]).unsqueeze_(0)
        tensor([[1., 2.]])
        """
        return self._reshaped(self._as_tensor().unsqueeze(dim))

    def squeeze_(self, dim: Any = None) -> Tensor:
        """Remove the dimensions of length 1, or those of them that `dim` names, in place.

        >>> import stepgrad as sg
        >>> sg.tensor([[1.0, 2.0]]).squeeze_()
        tensor([1., 2.])
        """
        return self._reshaped(self._as_tensor().squeeze(dim))

    def transpose_(self, dim0: int, dim1: int) -> Tensor:
        """Exchange two dimensions, in place.

        >>> import stepgrad as sg
        >>> sg.tensor([[1, 2], [3, 4]]).transpose_(0, 1)
        tensor([[1, 3],
                [2, 4]])
        """
        return self._reshaped(self._as_tensor().transpose(dim0, dim1))

    swapaxes_ = swapdims_ = transpose_

    def t_(self) -> Tensor:
        """Transpose a matrix, in place.

        >>> import stepgrad as sg
        >>> sg.tensor([[1, 2], [3, 4]]).t_()
        tensor([[1, 3],
                [2, 4]])
        """
        return self._reshaped(self._as_tensor().t())

    def resize_(self, *sizes: Any, memory_format: Any = dtypes.preserve_format) -> Tensor:
        """Take another shape, in place: of the first elements, with zeros where there are too few.

        Raises `GradientError` for a tensor that requires a gradient.

        >>> import stepgrad as sg
        >>> sg.tensor([1, 2, 3, 4]).resize_(2, 2)
        tensor([[1, 2],
                [3, 4]])
        """
        if self.requires_grad:
            raise GradientError("resize_() of a tensor that requires a gradient. Use .reshape(…).")
        shape = as_shape(sizes)
        count, flat = math.prod(shape), self._array.reshape(-1)
        if count > flat.size:
            flat = numpy.concatenate([flat, numpy.zeros(count - flat.size, flat.dtype)])
        return self._reshaped(type(self._as_tensor())._of(flat[:count].reshape(shape)))

    def resize_as_(self, other: Tensor) -> Tensor:
        """Take the shape of `other`, in place: see `resize_`.

        >>> import stepgrad as sg
        >>> sg.tensor([1, 2, 3, 4]).resize_as_(sg.zeros(2, 2))
        tensor([[1, 2],
                [3, 4]])
        """
        return self.resize_(other.shape)

    def _reshaped(self, result: Tensor) -> Tensor:
        """Take over the arrangement and the history of `result`, a view of this tensor."""
        tensor = self._as_tensor()
        if state.recorder is not None:
            raise CaptureError(
                "a tensor cannot change its shape in place in a recorded step. Use the result."
            )
        if state.grad_enabled and tensor.requires_grad and tensor.is_leaf:
            raise GradientError(
                "a leaf that requires a gradient cannot change its shape in place; do it under no_grad(), or "
                "use the method without the underscore."
            )
        tensor._array = result._array
        if not tensor.is_leaf:
            tensor._node = result._node
        return tensor
