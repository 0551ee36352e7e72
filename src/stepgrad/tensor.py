"""`Tensor`: numbers in n dimensions that know how they were computed."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy

from stepgrad.arrays import devices, dtypes
from stepgrad.autograd import engine
from stepgrad.autograd.engine import apply, state
from stepgrad.autograd.gradients import backward
from stepgrad.autograd.modes import no_grad
from stepgrad.autograd.recording import check_readable
from stepgrad.errors import DtypeError, GradientError, ShapeError
from stepgrad.keywords import name_methods
from stepgrad.methods.base import Size
from stepgrad.methods.comparing import ComparingMethods
from stepgrad.methods.conversions import ConversionMethods
from stepgrad.methods.elementwise import ElementwiseMethods
from stepgrad.methods.exchange import ExchangeMethods
from stepgrad.methods.integers import IntegerMethods
from stepgrad.methods.making import MakingMethods
from stepgrad.methods.mathematics import MathematicsMethods
from stepgrad.methods.matrices import MatrixMethods
from stepgrad.methods.memory import MemoryMethods
from stepgrad.methods.ordering import OrderingMethods
from stepgrad.methods.products import ProductMethods
from stepgrad.methods.reductions import ReductionMethods
from stepgrad.methods.running import RunningMethods
from stepgrad.methods.scattering import ScatteringMethods
from stepgrad.methods.shapes import ShapeMethods
from stepgrad.methods.stored import StoredMethods, show_examples
from stepgrad.names import missing
from stepgrad.ops.registry import REGISTRY


class _RequiresGrad:
    """Whether gradients are computed for a tensor, where it does not hold the answer itself.

    So it is with a view that had no history when it was made: its base may have got one since, by a change
    in place.
    """

    def __get__(self, tensor: Any, owner: Any = None) -> bool:
        if tensor is None:
            return False
        if tensor._base is not None and tensor._is_stale():
            engine.follow(tensor)
        return bool(tensor.__dict__.get("requires_grad", False))


class Tensor(
    ElementwiseMethods,
    ComparingMethods,
    MathematicsMethods,
    IntegerMethods,
    ReductionMethods,
    RunningMethods,
    OrderingMethods,
    ShapeMethods,
    ScatteringMethods,
    ProductMethods,
    MatrixMethods,
    StoredMethods,
    MakingMethods,
    ConversionMethods,
    MemoryMethods,
    ExchangeMethods,
):
    """Numbers in n dimensions, with a dtype, on a device, and the node that made them.

    Make one with `stepgrad.tensor`, `zeros`, `rand` and so on; ``Tensor(data)`` makes a float32 one, as in
    PyTorch, and shares the memory of a float32 tensor.

    * `requires_grad`: whether gradients are computed for it. `grad`: the gradient, a Tensor or None.
    * `shape`, `ndim`, `dtype`, `device`, `T`, `grad_fn`, `is_leaf`: properties.

    >>> import stepgrad as sg
    >>> x = sg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([[2., 4.],
            [6., 8.]])
    """

    grad: Tensor | None = None
    requires_grad = _RequiresGrad()
    _node: Any = None
    # How often a change in place gave the tensor another history.
    _rebases = 0
    # For a view: the tensor that it is a view of with operation and attributes, the one that is no view
    # beneath, and the `_rebases` of that which its own history is from (as its complement: made under
    # no_grad).
    _viewed: tuple[Any, Any, dict[str, Any]] | None = None
    _base: Tensor | None = None
    _base_seen = 0
    _hooks: list[Callable[..., Any]] | None = None
    _after_accumulation: list[Callable[..., Any]] | None = None

    def __new__(cls, *data: Any) -> Tensor:
        tensor = super().__new__(cls)
        if data and isinstance(data[0], Tensor) and data[0].dtype is dtypes.get_default_dtype():
            tensor._array, tensor._version = data[0]._array, data[0]._version
            return tensor
        if data and not isinstance(data[0], int):
            source = data[0]._array if isinstance(data[0], Tensor) else data[0]
            try:
                array = numpy.array(source, dtype=dtypes.get_default_dtype().numpy)
            except (ValueError, TypeError) as error:
                raise ShapeError(f"Tensor(…) takes sizes, or numbers in sequences: {error}") from None
        else:
            array = numpy.zeros(data if data else (0,), dtype=dtypes.get_default_dtype().numpy)
        tensor._array, tensor._version = array, [0]
        return tensor

    def _is_stale(self) -> bool:
        """Return whether a change in place gave the base of this view another history since."""
        return self._base is not None and self._base._rebases != self._base_seen >= 0

    @classmethod
    def _of(cls, array: Any, node: Any = None) -> Tensor:
        """Wrap a raw array, without a copy."""
        tensor = object.__new__(Tensor)
        tensor._array = array
        tensor._version = [0]
        tensor.requires_grad = False
        if node is not None:
            tensor._node, tensor.requires_grad = node, node.requires_grad
        return tensor

    # ---------------------------------------------------------------------------- properties

    @property
    def shape(self) -> Size:
        """The length of each dimension.

        >>> import stepgrad as sg
        >>> sg.zeros(2, 3).shape
        (2, 3)
        """
        return Size(self._array.shape)

    @property
    def dtype(self) -> dtypes.dtype:
        """The data type.

        >>> import stepgrad as sg
        >>> sg.tensor([1, 2]).dtype, sg.tensor([1.0]).dtype
        (stepgrad.int64, stepgrad.float32)
        """
        return dtypes.of(self._array)

    @property
    def device(self) -> devices.device:
        """Where the numbers lie.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0]).device
        device(type='cpu')
        """
        return devices.device_of(self._array)

    @property
    def ndim(self) -> int:
        """The number of dimensions.

        >>> import stepgrad as sg
        >>> sg.zeros(2, 3).ndim
        2
        """
        return self._array.ndim

    @property
    def grad_fn(self) -> Any:
        """The node that made the tensor; None for a leaf.

        >>> import stepgrad as sg
        >>> x = sg.tensor(2.0, requires_grad=True)
        >>> x.grad_fn, (x * 3).grad_fn.op.name
        (None, 'mul')
        """
        if self._is_stale():
            engine.follow(self)
        return None if self.is_leaf else self._node

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded operation made the tensor.

        >>> import stepgrad as sg
        >>> x = sg.tensor(2.0, requires_grad=True)
        >>> x.is_leaf, (x * 3).is_leaf
        (True, False)
        """
        if self._is_stale():
            engine.follow(self)
        return self._node is None or not self._node.requires_grad or not self.requires_grad

    @property
    def data(self) -> Tensor:
        """The same memory without history. Assigning replaces the numbers and keeps everything else.

        >>> import stepgrad as sg
        >>> w = sg.tensor([1.0, 2.0], requires_grad=True)
        >>> w.data = sg.tensor([3.0, 4.0])
        >>> w
        tensor([3., 4.], requires_grad=True)
        """
        return self.detach()

    @data.setter
    def data(self, other: Tensor) -> None:
        alike = other._array.shape == self._array.shape and other._array.dtype == self._array.dtype
        if state.recorder is not None and alike:
            # A record knows of changes in memory, not of another memory.
            with no_grad():
                self._become(other)
            return
        self._array = other._array
        self._version[0] += 1
        self._viewed = self._base = None

    # ------------------------------------------------------------------------------ gradients

    def backward(
        self,
        gradient: Tensor | None = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Any = None,
    ) -> None:
        """Add the derivative of this tensor to ``.grad`` of every leaf that led to it.

        A tensor of more than one element needs `gradient`, of its shape. `retain_graph` allows another
        backward, `create_graph` second derivatives. Raises `GradientError` where there is nothing to
        differentiate.

        >>> import stepgrad as sg
        >>> x = sg.tensor([1.0, 2.0], requires_grad=True)
        >>> (x**2).sum().backward()
        >>> x.grad
        tensor([2., 4.])
        """
        backward(self, gradient, retain_graph, create_graph, inputs)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Switch the computation of gradients for this leaf on or off, and return it.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, 2.0]).requires_grad_()
        tensor([1., 2.], requires_grad=True)
        """
        if requires_grad and self._array.dtype.kind != "f":
            raise GradientError(f"only floating point tensors can require a gradient, not {self.dtype.name}.")
        if not requires_grad and not self.is_leaf:
            raise GradientError("requires_grad can be switched off for leaves only. Use .detach().")
        self.requires_grad = requires_grad
        return self

    def detach(self) -> Tensor:
        """Return the same memory as a tensor without history.

        >>> import stepgrad as sg
        >>> x = sg.tensor([1.0, 2.0], requires_grad=True)
        >>> (x * 2).detach()
        tensor([2., 4.])
        """
        if state.recorder is not None and self._node is not None:
            return apply(REGISTRY["detach"], self)
        tensor = Tensor._of(self._array)
        tensor._version = self._version
        return tensor

    def detach_(self) -> Tensor:
        """Forget the history, in place.

        >>> import stepgrad as sg
        >>> x = sg.tensor([1.0, 2.0], requires_grad=True)
        >>> y = x * 2
        >>> y.detach_()
        tensor([2., 4.])
        """
        self._node, self.requires_grad, self._viewed, self._base = None, False, None, None
        return self

    def retain_grad(self) -> None:
        """Keep the gradient of this non-leaf in ``.grad`` as well.

        >>> import stepgrad as sg
        >>> x = sg.tensor(3.0, requires_grad=True)
        >>> y = x**2
        >>> y.retain_grad()
        >>> (5 * y).backward()
        >>> y.grad
        tensor(5.)
        """
        if not self.requires_grad:
            raise GradientError("retain_grad() of a tensor that does not require a gradient.")
        if not self.is_leaf:
            # Weakly, so that the node does not keep alive the tensor that keeps it.
            self._node.retained = weakref.ref(self)

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> RemovableHook:
        """Call ``hook(gradient)`` when the gradient of this tensor is known; what it returns replaces it.

        >>> import stepgrad as sg
        >>> x = sg.tensor(3.0, requires_grad=True)
        >>> hook = x.register_hook(lambda gradient: gradient * 10)
        >>> (2 * x).backward()
        >>> x.grad
        tensor(20.)
        """
        if not self.requires_grad:
            raise GradientError("register_hook() of a tensor that does not require a gradient.")
        holder, field = (self, "_hooks") if self.is_leaf else (self._node, "hooks")
        hooks = getattr(holder, field) or []
        setattr(holder, field, hooks)
        return RemovableHook(hooks, hook)

    def register_post_accumulate_grad_hook(self, hook: Callable[[Tensor], None]) -> RemovableHook:
        """Call ``hook(self)`` after a gradient was added to ``.grad`` of this leaf.

        >>> import stepgrad as sg
        >>> x = sg.tensor(3.0, requires_grad=True)
        >>> hook = x.register_post_accumulate_grad_hook(lambda x: print("gradient:", x.grad))
        >>> (2 * x).backward()
        gradient: tensor(2.)
        """
        if not self.is_leaf or not self.requires_grad:
            raise GradientError("register_post_accumulate_grad_hook() takes a leaf that requires a gradient.")
        if self._after_accumulation is None:
            self._after_accumulation = []
        return RemovableHook(self._after_accumulation, hook)

    # ------------------------------------------------------------------------------ conversions

    def to(
        self,
        *target: Any,
        dtype: Any = None,
        device: Any = None,
        non_blocking: bool = False,
        copy: bool = False,
        memory_format: Any = dtypes.preserve_format,
    ) -> Tensor:
        """Return the tensor in another dtype and / or on another device; itself if it is so already.

        Arguments as in PyTorch: a dtype, a device (object or name), or another tensor whose both to take.
        `non_blocking` and `memory_format` change nothing.

        >>> import stepgrad as sg
        >>> sg.tensor([1, 2]).to(sg.float64)
        tensor([1., 2.], dtype=stepgrad.float64)
        """
        switches = [t for t in target if isinstance(t, bool)]  # non_blocking, then copy
        copy = copy or switches[1:2] == [True]
        dtype, device = destination(target, dtype, device)
        result = self
        if device is not None and (place := devices.device(device)) != self.device:
            result = _Move.apply(self, place)
        if dtype is not None and (kind := dtypes.as_dtype(dtype)) is not result.dtype:
            result = apply(REGISTRY["cast"], result, dtype=kind.numpy)
        return result.clone() if copy and result is self else result

    if not TYPE_CHECKING:  # type checkers still see what is there

        def __getattr__(self, name: str) -> Any:
            if isinstance(own := getattr(type(self), name, None), property):
                return own.__get__(self)  # which raises its own AttributeError
            raise missing("a Tensor", name, dir(type(self)))

    def __repr__(self) -> str:
        from stepgrad.methods.text import tensor_text

        check_readable(self)
        return tensor_text(self)

    def __format__(self, spec: str) -> str:
        if self._array.ndim == 0 and type(self) is Tensor:
            return format(self.item(), spec)
        if spec:
            raise DtypeError(
                f"a tensor of shape {list(self.shape)} cannot be written in the format {spec!r}: that is for "
                f"one number. Use stepgrad.set_printoptions for the digits of all."
            )
        return str(self)

    def __deepcopy__(self, memo: dict[Any, Any]) -> Tensor:
        if not self.is_leaf:
            raise GradientError("only leaves can be deep-copied; use .detach() or .clone().")
        copied = object.__new__(type(self))
        memo[id(self)] = copied
        copied._array, copied._version = self._array.copy(), [0]
        copied.requires_grad = self.requires_grad
        copied.grad = None if self.grad is None else self.grad.__deepcopy__(memo)
        return copied

    def __reduce__(self) -> Any:
        if not self.is_leaf:
            raise GradientError("only leaves can be sent to another process; use .detach().")
        return _rebuilt, (type(self), self.cpu().detach()._array, self.requires_grad)


def destination(target: Any, dtype: Any, device: Any) -> tuple[Any, Any]:
    """Return (dtype, device) of the arguments of ``to``: `target` are those without a name."""
    for t in target:
        if isinstance(t, Tensor):
            dtype, device = t.dtype, t.device
        elif isinstance(t, devices.device) or (isinstance(t, str) and not dtypes.is_dtype_name(t)):
            device = t
        elif t is not None and not isinstance(t, bool):
            dtype = t
    return dtype, device


def _rebuilt(cls: type, array: numpy.ndarray, requires_grad: bool) -> Tensor:
    tensor: Tensor = object.__new__(cls)
    tensor._array, tensor._version, tensor.requires_grad = array, [0], requires_grad
    return tensor


class RemovableHook:
    """A registered hook; `remove()` takes it back."""

    def __init__(self, hooks: list[Callable[..., Any]], hook: Callable[..., Any]) -> None:
        self._hooks, self._hook = hooks, hook
        hooks.append(hook)

    def remove(self) -> None:
        """Take the hook back."""
        if self._hook in self._hooks:
            self._hooks.remove(self._hook)

    def __enter__(self) -> RemovableHook:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


engine.set_tensor_class(Tensor)
show_examples(Tensor)
name_methods(Tensor)

from stepgrad.autograd.function import Function  # noqa: E402 - its class body needs Tensor to be known


class _Move(Function):
    """The same numbers on another device; the gradient comes back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, place: devices.device) -> Tensor:
        ctx.back = x.device
        return Tensor._of(devices.move(x._array, place))

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        return g.to(ctx.back), None
