"""Functions that make tensors of given numbers."""

from __future__ import annotations

from typing import Any

import numpy

from stepgrad.arrays import devices, dtypes
from stepgrad.arrays.conversion import array_of
from stepgrad.autograd.engine import apply, state
from stepgrad.errors import ArgumentError, DtypeError, ShapeError
from stepgrad.methods.base import as_shape
from stepgrad.ops.registry import REGISTRY
from stepgrad.tensor import Tensor

_DLPACK_CUDA = 2  # DLPack's number for that kind of device


def tensor(data: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Return a tensor with a copy of `data`: a number, nested sequences, an array or a tensor.

    Python floats become the default dtype (float32), integers int64, booleans bool; arrays keep their dtype.
    Raises `DtypeError` for what is no number, `ShapeError` for sequences of unequal length.

    >>> import stepgrad as sg
    >>> sg.tensor([1, 2]).dtype, sg.tensor([1.0]).dtype
    (stepgrad.int64, stepgrad.float32)
    """
    recorder = state.recorder
    if recorder is not None and isinstance(data, Tensor):
        made = data.detach().clone().to(dtype=dtype)
    else:
        made = Tensor._of(array_of(data, dtype, copy=True))
        if recorder is not None:
            recorder.constants[id(made)] = made
    if device is None and isinstance(data, Tensor):
        return made.requires_grad_() if requires_grad else made
    return placed(made, device, requires_grad)


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """Return `data` as a tensor: itself if it is one, the memory of an array, a copy of anything else.

    >>> import stepgrad as sg
    >>> x = sg.zeros(2)
    >>> sg.as_tensor(x) is x
    True
    """
    if not isinstance(data, Tensor):
        data = Tensor._of(array_of(data, dtype, copy=False))
    return data.to(dtype=dtype, device=device)


def from_numpy(array: numpy.ndarray) -> Tensor:
    """Return a tensor that shares the memory of a NumPy array.

    >>> a = numpy.zeros(2); t = from_numpy(a); a[0] = 5.0; t
    tensor([5., 0.], dtype=stepgrad.float64)
    """
    if not isinstance(array, numpy.ndarray):
        raise DtypeError(f"from_numpy takes a NumPy array, not {type(array).__name__}.")
    dtypes.of(array)
    return Tensor._of(array)


def from_dlpack(source: Any, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """Return a tensor that shares the memory of an array or a tensor of another package, through DLPack.

    `source` is anything with ``__dlpack__``: a PyTorch tensor, a JAX, NumPy or CuPy array. Memory that must
    not be written to, as JAX's, is copied; `copy` True always copies, False never. `device` is where the
    result shall be.

    Raises `DtypeError` for a type that stepgrad does not have, `ArgumentError` for what has no
    ``__dlpack__``, or where `copy` is False and a copy is needed.

    >>> a = numpy.zeros(2); t = from_dlpack(a); a[0] = 5.0; t
    tensor([5., 0.], dtype=stepgrad.float64)
    """
    if not hasattr(source, "__dlpack__") or not hasattr(source, "__dlpack_device__"):
        raise ArgumentError(f"from_dlpack takes what has __dlpack__, not {type(source).__name__}.")
    on_gpu = int(source.__dlpack_device__()[0]) == _DLPACK_CUDA
    try:
        array = (devices.import_cupy() if on_gpu else numpy).from_dlpack(source)
    except (BufferError, RuntimeError, TypeError) as error:
        raise DtypeError(f"from_dlpack cannot take this {type(source).__name__}: {error}") from error
    dtypes.of(array)
    protected = not on_gpu and not array.flags.writeable
    if protected and copy is False:
        raise ArgumentError("from_dlpack with copy=False of memory that must not be written to.")
    made = Tensor._of(array.copy() if copy or protected else array)
    return made if device is None else made.to(devices.device(device))


def create(
    name: str, size: tuple[Any, ...], dtype: Any, device: Any, requires_grad: bool, **attrs: Any
) -> Tensor:
    shape = as_shape(size)
    if any(n < 0 for n in shape):
        raise ShapeError(f"a shape has no negative sizes: {list(shape)}.")
    kind = dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype)
    return placed(apply(REGISTRY[name], shape=shape, dtype=kind.numpy, **attrs), device, requires_grad)


def placed(made: Tensor, device: Any, requires_grad: bool) -> Tensor:
    place = devices.get_default_device() if device is None else devices.device(device)
    if place != devices.CPU or device is not None:
        made = made.to(place)
    return made.requires_grad_() if requires_grad else made


def zeros(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Return zeros of a shape, given one by one or as one sequence.

    >>> import stepgrad as sg
    >>> sg.zeros(2, 3)
    tensor([[0., 0., 0.],
            [0., 0., 0.]])
    """
    return create("full", size, dtype, device, requires_grad, value=0)


def ones(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Return ones of a shape.

    >>> import stepgrad as sg
    >>> sg.ones(2, dtype=sg.int64)
    tensor([1, 1])
    """
    return create("full", size, dtype, device, requires_grad, value=1)


def empty(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Return a tensor of a shape, to be filled. (It holds zeros: uninitialised memory is a trap.)

    >>> import stepgrad as sg
    >>> sg.empty(2, 3).shape
    (2, 3)
    """
    return zeros(*size, dtype=dtype, device=device, requires_grad=requires_grad)


def full(
    size: Any, fill_value: float, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Return a tensor of a shape with every element `fill_value`, by default in the dtype of the value.

    >>> import stepgrad as sg
    >>> sg.full((2,), 0.5)
    tensor([0.5000, 0.5000])
    """
    kind = dtypes.as_dtype(type(fill_value)) if dtype is None else dtype
    return create("full", (size,), kind, device, requires_grad, value=fill_value)


def options_like(x: Tensor, dtype: Any, device: Any) -> dict[str, Any]:
    return {"dtype": x.dtype if dtype is None else dtype, "device": x.device if device is None else device}


def zeros_like(
    input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Return zeros in shape, dtype and device of `input`.

    >>> import stepgrad as sg
    >>> sg.zeros_like(sg.tensor([1, 2]))
    tensor([0, 0])
    """
    return zeros(input.shape, requires_grad=requires_grad, **options_like(input, dtype, device))


def ones_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Return ones in shape, dtype and device of `input`.

    >>> import stepgrad as sg
    >>> sg.ones_like(sg.tensor([1, 2]))
    tensor([1, 1])
    """
    return ones(input.shape, requires_grad=requires_grad, **options_like(input, dtype, device))


empty_like = zeros_like


def full_like(
    input: Tensor, fill_value: float, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Return a tensor in shape, dtype and device of `input` with every element `fill_value`.

    >>> import stepgrad as sg
    >>> sg.full_like(sg.tensor([1.0, 2.0]), 0.5)
    tensor([0.5000, 0.5000])
    """
    return full(input.shape, fill_value, requires_grad=requires_grad, **options_like(input, dtype, device))


def arange(
    start: Any = 0,
    end: Any = None,
    step: Any = 1,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return start, start + step, … below end: arange(end), arange(start, end), arange(start, end, step).

    >>> arange(3), arange(1, 2, 0.5)
    (tensor([0, 1, 2]), tensor([1.0000, 1.5000]))
    """
    if end is None:
        start, end = 0, start
    if step == 0 or (end - start) / step < 0:
        raise ArgumentError(f"arange from {start} to {end} needs a step in that direction, not {step}.")
    kind = dtypes.result_type([start, end, step]) if dtype is None else dtypes.as_dtype(dtype)
    made = apply(REGISTRY["arange"], start=start, stop=end, step=step, dtype=kind.numpy)
    return placed(made, device, requires_grad)


def range(start: float, end: float, step: float = 1, **options: Any) -> Tensor:
    """Return start, start + step, … up to and with end: PyTorch's older name of `arange`, in the default
    floating point type.

    >>> range(1, 2, 0.5)
    tensor([1.0000, 1.5000, 2.0000])
    """
    count = int((end - start) / step + 1)
    options.setdefault("dtype", dtypes.get_default_dtype())
    return arange(count, dtype=options["dtype"]) * step + start if count > 0 else empty(0, **options)


def linspace(
    start: float,
    end: float,
    steps: int,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return `steps` numbers from `start` to `end`, both included, equally apart.

    >>> import stepgrad as sg
    >>> sg.linspace(0, 1, 5)
    tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])
    """
    kind = dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype)
    return placed(Tensor._of(numpy.linspace(start, end, steps, dtype=kind.numpy)), device, requires_grad)


def eye(
    n: int, m: int | None = None, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Return an (n, m) matrix, m = n by default, with ones on the diagonal.

    >>> import stepgrad as sg
    >>> sg.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    kind = dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype)
    return placed(Tensor._of(numpy.eye(n, m, dtype=kind.numpy)), device, requires_grad)


def scalar_tensor(s: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Return a number as a tensor without dimensions, by default in the default dtype.

    >>> import stepgrad as sg
    >>> sg.scalar_tensor(3)
    tensor(3.)
    """
    return tensor(s, dtypes.get_default_dtype() if dtype is None else dtype, device, requires_grad)


def asarray(
    obj: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None, requires_grad: bool = False
) -> Tensor:
    """Return `obj` as a tensor, sharing its memory where that is possible, unless `copy`.

    >>> import stepgrad as sg
    >>> sg.asarray([1, 2])
    tensor([1, 2])
    """
    made = tensor(obj, dtype, device) if copy else as_tensor(obj, dtype, device)
    return made.detach().requires_grad_() if requires_grad else made


def frombuffer(
    buffer: Any, *, dtype: Any, count: int = -1, offset: int = 0, requires_grad: bool = False
) -> Tensor:
    """Return a vector that shares the memory of an object with a buffer, such as a bytearray.

    `count`: how many numbers (−1: all); `offset`: how many bytes to leave out.

    >>> import stepgrad as sg
    >>> sg.frombuffer(bytearray([1, 2, 3]), dtype=sg.uint8)
    tensor([1, 2, 3], dtype=stepgrad.uint8)
    """
    made = Tensor._of(numpy.frombuffer(buffer, dtypes.as_dtype(dtype).numpy, count, offset))
    return made.requires_grad_() if requires_grad else made


__all__ = [
    "arange", "as_tensor", "asarray", "empty", "empty_like", "eye", "from_dlpack", "from_numpy",
    "frombuffer", "full", "full_like", "linspace", "ones", "ones_like", "range", "scalar_tensor", "tensor",
    "zeros", "zeros_like",
]  # fmt: skip
