"""A tensor as text, in PyTorch's form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy

from stepgrad.arrays import devices, dtypes

if TYPE_CHECKING:
    from stepgrad.tensor import Tensor

_USUAL = (dtypes.int64, dtypes.bool_)


def tensor_text(tensor: Tensor) -> str:
    """Return ``tensor([[1., 2.]], requires_grad=True)``: 4 digits, large tensors shortened.

    >>> import stepgrad as sg
    >>> sg.tensor([[1.0, 2.5]], requires_grad=True)
    tensor([[1.0000, 2.5000]], requires_grad=True)
    """
    array = devices.move(tensor._array, devices.CPU)
    name = "Parameter containing:\ntensor" if type(tensor).__name__ == "Parameter" else "tensor"
    body = numpy.array2string(
        array, separator=", ", threshold=1000, prefix="tensor(", formatter=_formatter(array)
    )
    details = []
    if tensor.device.type != "cpu":
        details.append(f"device='{tensor.device}'")
    if not array.size and array.ndim != 1:
        details.append(f"size={array.shape}")
    if tensor.dtype is not dtypes.get_default_dtype() and not (array.size and tensor.dtype in _USUAL):
        details.append(f"dtype={tensor.dtype}")
    if tensor.grad_fn is not None:
        details.append(f"grad_fn=<{tensor.grad_fn.op.name}>")
    elif tensor.requires_grad:
        details.append("requires_grad=True")
    return f"{name}({', '.join([body, *details])})"


def _formatter(array: numpy.ndarray) -> Any:
    if array.dtype.kind != "f" or not array.size:
        return None
    finite = array[numpy.isfinite(array)].astype("float64")
    if not finite.size:
        return {"float_kind": str}
    size = numpy.abs(finite[finite != 0])
    if size.size and (size.max() / size.min() > 1000 or size.max() > 1e8 or size.min() < 1e-4):
        return {"float_kind": lambda v: f"{v: .4e}" if (finite < 0).any() else f"{v:.4e}"}
    if (finite == numpy.trunc(finite)).all():
        width = max(len(f"{v:.0f}.") for v in (finite.min(), finite.max()))
        return {"float_kind": lambda v: (f"{v:.0f}." if numpy.isfinite(v) else str(v)).rjust(width)}
    width = max(len(f"{v:.4f}") for v in (finite.min(), finite.max()))
    return {"float_kind": lambda v: f"{v:.4f}".rjust(width)}
