"""Methods that change a tensor in place: its memory, and its history as far as gradients are recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy

from stepgrad.arrays import devices, dtypes
from stepgrad.arrays import random as streams
from stepgrad.autograd import engine
from stepgrad.autograd.engine import apply, state
from stepgrad.errors import DtypeError, GradientError, IndexShapeError, ShapeError
from stepgrad.methods.base import Operand, TensorBase
from stepgrad.methods.shapes import parsed_index
from stepgrad.ops.registry import REGISTRY

if TYPE_CHECKING:
    from stepgrad.tensor import Tensor


class InPlaceMethods(TensorBase):
    """Each computes what the method without the underscore does, and stores it in this tensor's memory.

    Raises `GradientError` for a leaf that requires a gradient and for a view while gradients are recorded,
    `ShapeError` where the shape would change or elements share memory, `DtypeError` where the dtype cannot
    hold the result.
    """

    def _become(self, result: Tensor) -> Tensor:
        """Take over the numbers and the history of `result`."""
        tensor = self._as_tensor()
        if result.shape != tensor.shape:
            raise ShapeError(
                f"an in-place operation cannot change the shape {list(tensor.shape)} to {list(result.shape)}."
            )
        self._check_in_place(result)
        if result.dtype.category > tensor.dtype.category:
            raise DtypeError(
                f"a {result.dtype.name} result cannot be stored in a {tensor.dtype.name} tensor."
            )
        if state.recorder is not None and _is_of_another(result, tensor):
            result = apply(REGISTRY["cast"], result, dtype=self._array.dtype)
        node = result._node
        if node is not None and any(a is self._array for a in node.saved):
            # Its derivative reads what is about to be overwritten.
            before = self._array.copy()
            node.saved = tuple(before if a is self._array else a for a in node.saved)
            node.versions = tuple(v for v in node.versions if v[0] is not self._version)
        if state.recorder is not None:
            state.recorder.about_to_write(tensor)
        self._array[...] = result._array
        self._version[0] += 1
        self._rebase(result)
        return tensor

    def _check_in_place(self, result: Any) -> None:
        """Raise an error where the memory, or the history of a change in place, would be another's too."""
        tensor = self._as_tensor()
        if not getattr(self._array.flags, "writeable", True):
            raise ShapeError(
                f"this tensor of shape {list(tensor.shape)} cannot be changed in place: it was expanded, so "
                f"that elements share memory, or made from a read-only array. Change a .clone()."
            )
        if not state.grad_enabled:
            return
        if tensor.requires_grad and tensor.is_leaf:
            raise GradientError(
                "a leaf that requires a gradient cannot be changed in place; change it under no_grad(), "
                "or make a copy."
            )
        if tensor._is_view and (tensor.requires_grad or getattr(result, "requires_grad", False)):
            raise GradientError(
                "a view of another tensor cannot be changed in place while gradients are recorded: the other "
                "tensor would not know. Use the operation that makes a new tensor, or assign "
                "x[index] = value to the whole."
            )

    def _rebase(self, result: Tensor) -> None:
        """Take over the history of `result`, whose numbers this tensor's memory holds now."""
        tensor, node = self._as_tensor(), self._node
        if state.recorder is not None:
            state.recorder.wrote(tensor, result._node)
        if not state.grad_enabled:
            if tensor.is_leaf:
                self._node = result._node  # a parameter that is updated stays a leaf
            return
        if self.requires_grad or result.requires_grad:
            self._version[1] += 1
            keeper = None if node is None or node.retained is None else node.retained()
            if keeper is tensor and result.requires_grad:
                node.retained, result._node.retained = None, node.retained
        self._node, self.requires_grad = result._node, result.requires_grad

    def _records_with(self, value: Any) -> bool:
        """Whether a change in place to `value` is remembered in the graph."""
        if state.recorder is not None:
            return True
        return state.grad_enabled and (self.requires_grad or getattr(value, "requires_grad", False))

    def __setitem__(self, index: Any, value: Operand) -> None:
        tensor = self._as_tensor()
        self._check_in_place(value)
        _, spec, tensors = parsed_index(index)
        if self._records_with(value):
            if not isinstance(value, TensorBase):
                value = engine.Tensor._of(numpy.asarray(value, self._array.dtype))
            value = value.to(tensor.dtype, tensor.device)
            self._become(apply(REGISTRY["index_put"], self, value, *tensors, spec=spec, accumulate=False))
            return
        rest = iter(t._array for t in tensors)
        where = tuple(next(rest) if isinstance(p, str) else p for p in spec)
        try:
            self._array[where] = value._array if isinstance(value, TensorBase) else value
        except (ValueError, IndexError, TypeError) as error:
            kind = IndexShapeError if isinstance(error, IndexError) else ShapeError
            raise kind(
                f"cannot assign to {index!r} of a tensor of shape {list(tensor.shape)}: {error}"
            ) from None
        self._version[0] += 1

    def copy_(self, other: Tensor) -> Tensor:
        """Copy the numbers of `other`, which may broadcast and have another dtype, into this tensor."""
        tensor = self._as_tensor()
        self._check_in_place(other)
        if self._records_with(other):
            return self._become(other.to(tensor.dtype, tensor.device).expand(tensor.shape))
        source = devices.move(other._array, tensor.device)
        try:
            self._array[...] = source
        except ValueError:
            raise ShapeError(f"copy_ of shape {list(other.shape)} into {list(tensor.shape)}.") from None
        self._version[0] += 1
        return tensor

    def fill_(self, value: Operand) -> Tensor:
        """Set every element to `value`, a number or a tensor with one element."""
        if isinstance(value, TensorBase):
            return self.copy_(value._as_tensor().reshape(()))
        tensor = self._as_tensor()
        self._check_in_place(value)
        if self._records_with(value):
            full = apply(REGISTRY["full"], shape=tensor.shape, value=value, dtype=self._array.dtype)
            return self._become(full.to(tensor.device))
        self._array[...] = value
        self._version[0] += 1
        return tensor

    def zero_(self) -> Tensor:
        """Set every element to 0."""
        return self.fill_(0)

    def normal_(self, mean: float = 0.0, std: float = 1.0, *, generator: Any = None) -> Tensor:
        """Fill with normal numbers of the given mean and standard deviation."""
        blocks = streams.normal_blocks(self._array.size)
        return self.copy_(self._drawn("randn", generator, blocks) * std + mean)

    def uniform_(self, low: float = 0.0, high: float = 1.0, *, generator: Any = None) -> Tensor:
        """Fill with numbers uniform in [low, high)."""
        blocks = streams.blocks_for(self._array.size, dtypes.of(self._array))
        return self.copy_(self._drawn("rand", generator, blocks) * (high - low) + low)

    def _drawn(self, name: str, generator: Any, blocks: int) -> Tensor:
        tensor = self._as_tensor()
        if not tensor.is_floating_point():
            raise DtypeError(f"random numbers are floating point, this tensor is {tensor.dtype.name}.")
        place = streams.reserved(generator, blocks)
        drawn = apply(REGISTRY[name], shape=tensor.shape, dtype=self._array.dtype, **place)
        return drawn.to(tensor.device)

    def add_(self, other: Operand, *, alpha: float = 1) -> Tensor:
        """Add alpha · other, in place."""
        return self._become(self._as_tensor().add(other, alpha=alpha))

    def sub_(self, other: Operand, *, alpha: float = 1) -> Tensor:
        """Subtract alpha · other, in place."""
        return self._become(self._as_tensor().sub(other, alpha=alpha))

    def mul_(self, other: Operand) -> Tensor:
        """Multiply by other, in place."""
        return self._become(self._as_tensor().mul(other))

    def div_(self, other: Operand) -> Tensor:
        """Divide by other, in place."""
        return self._become(self._as_tensor().div(other))

    def pow_(self, exponent: Operand) -> Tensor:
        """Raise to a power, in place."""
        return self._become(self._as_tensor().pow(exponent))

    def clamp_(self, min: float | None = None, max: float | None = None) -> Tensor:
        """Clamp to a range, in place."""
        return self._become(self._as_tensor().clamp(min, max))

    def masked_fill_(self, mask: Tensor, value: float) -> Tensor:
        """Set to value where mask holds, in place."""
        return self._become(self._as_tensor().masked_fill(mask, value))

    def relu_(self) -> Tensor:
        """Replace by max(x, 0), in place."""
        return self._become(self._as_tensor().relu())

    def neg_(self) -> Tensor:
        """Negate, in place."""
        return self._become(self._as_tensor().neg())

    def exp_(self) -> Tensor:
        """Replace by eˣ, in place."""
        return self._become(self._as_tensor().exp())

    def sqrt_(self) -> Tensor:
        """Replace by √x, in place."""
        return self._become(self._as_tensor().sqrt())

    def sigmoid_(self) -> Tensor:
        """Replace by σ(x), in place."""
        return self._become(self._as_tensor().sigmoid())

    def tanh_(self) -> Tensor:
        """Replace by tanh x, in place."""
        return self._become(self._as_tensor().tanh())

    def __iadd__(self, other: Operand) -> Tensor:
        return self._become(self._as_tensor() + other)

    def __isub__(self, other: Operand) -> Tensor:
        return self._become(self._as_tensor() - other)

    def __imul__(self, other: Operand) -> Tensor:
        return self._become(self._as_tensor() * other)

    def __itruediv__(self, other: Operand) -> Tensor:
        return self._become(self._as_tensor() / other)

    def __ipow__(self, other: Operand) -> Tensor:
        return self._become(self._as_tensor() ** other)


def _is_of_another(result: Tensor, tensor: Tensor) -> bool:
    """Return whether a result that `tensor` is to hold is still a view of other memory, or of another dtype.

    A node of its own then says in a record that the numbers were copied at this moment.
    """
    node = result._node
    return node is None or node.op.is_view or result._array.dtype != tensor._array.dtype
