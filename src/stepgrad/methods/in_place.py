"""Methods that change a tensor in place: its memory, and its history as far as gradients are recorded."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy

from stepgrad.arrays import devices, dtypes
from stepgrad.arrays import random as streams
from stepgrad.autograd import engine
from stepgrad.autograd.engine import apply, state
from stepgrad.autograd.messages import made_without_history
from stepgrad.errors import ArgumentError, DtypeError, GradientError, IndexShapeError, ShapeError
from stepgrad.methods.base import Operand, TensorBase
from stepgrad.methods.chances import check_deviation
from stepgrad.methods.shapes import parsed_index
from stepgrad.ops.registry import REGISTRY

if TYPE_CHECKING:
    from stepgrad.tensor import Tensor


_put = REGISTRY["index_put"]


class InPlaceMethods(TensorBase):
    """Each computes what the method without the underscore does, and stores it in this tensor's memory.

    What a view becomes is put into the tensor that it is a view of, and the history with it: that tensor and
    all its views have it from then on.

    Raises `GradientError` for a leaf that requires a gradient and for a view made under `no_grad` while
    gradients are recorded, `ShapeError` where the shape would change or elements share memory, `DtypeError`
    where the dtype cannot hold the result.
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
        if _repeats(self._array):
            raise ShapeError(
                f"this view of shape {list(tensor.shape)} cannot be changed in place: some of its elements "
                f"lie in the same place in memory. Change a .clone()."
            )
        self._keep_what_is_read(result._node)
        result = result.to(tensor.dtype)
        if state.grad_enabled and tensor.requires_grad and not result.requires_grad:
            # The history goes on, with a gradient of 0.
            result = apply(_put, self, result, spec=(Ellipsis,), accumulate=False)
        if state.recorder is not None:
            self._write_base(*self._in_base(result))
            return tensor
        self._array[...] = result._array
        self._version[0] += 1
        if self._base is None or (state.grad_enabled and (tensor.requires_grad or result.requires_grad)):
            base, whole = self._in_base(result)
            base._rebase(whole)
        return tensor

    @staticmethod
    def _write_base(base: Tensor, whole: Tensor) -> None:
        """Store what a tensor that is no view becomes, in a record."""
        assert state.recorder is not None
        if whole._node is None or whole._node.op.is_view:
            # A node of its own says in the record that the numbers were copied at this moment.
            whole = apply(REGISTRY["cast"], whole, dtype=base._array.dtype)
        state.recorder.about_to_write(base)
        base._array[...] = whole._array
        base._version[0] += 1
        base._rebase(whole)

    def _keep_what_is_read(self, node: Any) -> None:
        """Copy this tensor's numbers where the derivative of `node` reads them: they are overwritten."""
        if node is None or node.saved is None or all(a is not self._array for a in node.saved):
            return
        before = self._array.copy()
        kept = [a for a in node.saved if hasattr(a, "__array__")]
        # What else is read in this memory must not have changed.
        node.versions = tuple(
            v for a, v in zip_longest(kept, node.versions, fillvalue=node) if a is not self._array
        )
        of_memory = self._node is None or self._node.op.is_view
        if state.recorder is not None and of_memory:
            # It reads what the memory held then, not what it holds when the derivative is computed.
            copy = apply(REGISTRY["cast"], self, dtype=before.dtype)._node
            state.recorder.put_before(node, copy)
            pairs = zip(node.saved, node.inputs, strict=True)
            node.inputs = tuple(copy if a is self._array else x for a, x in pairs)
        node.saved = tuple(before if a is self._array else a for a in node.saved)

    def _in_base(self, result: Tensor) -> tuple[Tensor, Tensor]:
        """Return the tensor that this is a view of, and what it becomes when this becomes `result`."""
        tensor, views, changed = self._as_tensor(), list[Any](), result
        while tensor._viewed is not None:
            is_seen_once = not views or not _repeats(tensor._array)
            tensor, op, attrs = tensor._viewed
            views.append((op, attrs))
            if not is_seen_once:
                # Of windows that overlap, one has changed: what others show of it is not what it becomes.
                result = _put_where_seen(tensor, views, changed)
            elif op.name == "slice" and state.recorder is None:
                # What it computes is in the memory already.
                place = {"spec": attrs["index"], "accumulate": False}
                result = engine.in_memory(_put, (tensor, result), place, tensor._array)
            else:
                result = op.put(engine.TENSORS, tensor, result, **attrs)
        return tensor, result

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
        base = tensor if self._base is None else self._base
        for leaf, what in ((tensor, "leaf"), (base, "view of a leaf")):
            if leaf.requires_grad and leaf.is_leaf:
                raise GradientError(
                    f"a {what} that requires a gradient cannot be changed in place; change it under "
                    f"no_grad(), or make a copy."
                )
        if self._base_seen < 0 and (base.requires_grad or getattr(result, "requires_grad", False)):
            raise made_without_history(tensor)

    def _rebase(self, result: Tensor) -> None:
        """Take over the history of `result`, whose numbers this tensor's memory holds now."""
        tensor, node = self._as_tensor(), self._node
        if state.recorder is not None:
            state.recorder.wrote(tensor, result._node, state.grad_enabled or tensor.is_leaf)
        if not state.grad_enabled:
            if tensor.is_leaf:
                self._node = result._node  # a parameter that is updated stays a leaf
            return
        if self.requires_grad or result.requires_grad:
            self._rebases += 1
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
        """Copy the numbers of `other`, which may broadcast and have another dtype, into this tensor.

        >>> import stepgrad as sg
        >>> sg.zeros(2, 2).copy_(sg.tensor([1, 2]))
        tensor([[1., 2.],
                [1., 2.]])
        """
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
        """Set every element to `value`, a number or a tensor with one element.

        >>> import stepgrad as sg
        >>> sg.zeros(2).fill_(3)
        tensor([3., 3.])
        """
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
        """Set every element to 0.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, 2.0]).zero_()
        tensor([0., 0.])
        """
        return self.fill_(0)

    def normal_(self, mean: float = 0.0, std: float = 1.0, *, generator: Any = None) -> Tensor:
        """Fill with normal numbers of the given mean and standard deviation.

        >>> import stepgrad as sg
        >>> seed = sg.manual_seed(0)
        >>> x = sg.empty(1000).normal_(5.0, 2.0)
        >>> round(x.mean().item(), 1), round(x.std().item(), 1)
        (5.0, 2.1)
        """
        check_deviation("normal_", std)
        blocks = streams.normal_blocks(self._array.size)
        return self.copy_(self._drawn("randn", generator, blocks) * std + mean)

    def uniform_(self, low: float = 0.0, high: float = 1.0, *, generator: Any = None) -> Tensor:
        """Fill with numbers uniform in [low, high).

        >>> import stepgrad as sg
        >>> x = sg.empty(1000).uniform_(-1, 1)
        >>> bool((x >= -1).all()), bool((x < 1).all())
        (True, True)
        """
        if not low <= high:
            raise ArgumentError(f"uniform_ needs low ≤ high, not low={low}, high={high}.")
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
        """Add alpha · other, in place.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, 2.0]).add_(10, alpha=2)
        tensor([21., 22.])
        """
        return self._become(self._as_tensor().add(other, alpha=alpha))

    def sub_(self, other: Operand, *, alpha: float = 1) -> Tensor:
        """Subtract alpha · other, in place.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, 2.0]).sub_(10)
        tensor([-9., -8.])
        """
        return self._become(self._as_tensor().sub(other, alpha=alpha))

    def mul_(self, other: Operand) -> Tensor:
        """Multiply by other, in place.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, 2.0]).mul_(10)
        tensor([10., 20.])
        """
        return self._become(self._as_tensor().mul(other))

    def div_(self, other: Operand) -> Tensor:
        """Divide by other, in place.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, 2.0]).div_(10)
        tensor([0.1000, 0.2000])
        """
        return self._become(self._as_tensor().div(other))

    def pow_(self, exponent: Operand) -> Tensor:
        """Raise to a power, in place.

        >>> import stepgrad as sg
        >>> sg.tensor([2.0, 3.0]).pow_(2)
        tensor([4., 9.])
        """
        return self._become(self._as_tensor().pow(exponent))

    def clamp_(self, min: float | None = None, max: float | None = None) -> Tensor:
        """Clamp to a range, in place.

        >>> import stepgrad as sg
        >>> sg.tensor([-2.0, 0.5, 3.0]).clamp_(0, 1)
        tensor([0.0000, 0.5000, 1.0000])
        """
        return self._become(self._as_tensor().clamp(min, max))

    def masked_fill_(self, mask: Tensor, value: float) -> Tensor:
        """Set to value where mask holds, in place.

        >>> import stepgrad as sg
        >>> x = sg.tensor([1.0, -2.0])
        >>> x.masked_fill_(x < 0, 0.0)
        tensor([1., 0.])
        """
        return self._become(self._as_tensor().masked_fill(mask, value))

    def relu_(self) -> Tensor:
        """Replace by max(x, 0), in place.

        >>> import stepgrad as sg
        >>> sg.tensor([-1.0, 2.0]).relu_()
        tensor([0., 2.])
        """
        return self._become(self._as_tensor().relu())

    def neg_(self) -> Tensor:
        """Negate, in place.

        >>> import stepgrad as sg
        >>> sg.tensor([-1.0, 2.0]).neg_()
        tensor([ 1., -2.])
        """
        return self._become(self._as_tensor().neg())

    def exp_(self) -> Tensor:
        """Replace by eˣ, in place.

        >>> import stepgrad as sg
        >>> sg.tensor([0.0, 1.0]).exp_()
        tensor([1.0000, 2.7183])
        """
        return self._become(self._as_tensor().exp())

    def sqrt_(self) -> Tensor:
        """Replace by √x, in place.

        >>> import stepgrad as sg
        >>> sg.tensor([4.0, 9.0]).sqrt_()
        tensor([2., 3.])
        """
        return self._become(self._as_tensor().sqrt())

    def sigmoid_(self) -> Tensor:
        """Replace by σ(x), in place.

        >>> import stepgrad as sg
        >>> sg.tensor([-1.0, 0.0, 1.0]).sigmoid_()
        tensor([0.2689, 0.5000, 0.7311])
        """
        return self._become(self._as_tensor().sigmoid())

    def tanh_(self) -> Tensor:
        """Replace by tanh x, in place.

        >>> import stepgrad as sg
        >>> sg.tensor([0.0, 0.5]).tanh_()
        tensor([0.0000, 0.4621])
        """
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


def _repeats(array: Any) -> bool:
    """Return whether some elements of an array lie in the same place in memory."""
    if array.flags.c_contiguous:
        return False
    reach = 0
    for stride, n in sorted((abs(s), n) for s, n in zip(array.strides, array.shape, strict=True) if n > 1):
        if stride <= reach:
            return _places(array) < array.size
        reach += stride * (n - 1)
    return False


def _places(array: Any) -> int:
    """Return in how many places in memory the elements of an array begin."""
    places = numpy.zeros((), "int64")
    for n, stride in zip(array.shape, array.strides, strict=True):
        places = places[..., None] + numpy.arange(n) * stride
    return int(numpy.unique(places).size)


def _put_where_seen(tensor: Tensor, views: list[tuple[Any, dict[str, Any]]], value: Tensor) -> Tensor:
    """Return what a tensor becomes where views of views, the last of them first, show it as `value`."""
    np, shape = devices.module_of(tensor._array), tensor.shape
    places = np.arange(tensor.numel()).reshape(shape)
    for op, attrs in reversed(views):
        places = op.forward(np, places, **attrs)
    index = type(tensor)._of(np.ascontiguousarray(places))
    return apply(_put, tensor.reshape(-1), value, index, spec=("tensor",), accumulate=False).reshape(shape)
