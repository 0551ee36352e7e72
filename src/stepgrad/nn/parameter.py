"""`Parameter`: a tensor that a module trains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stepgrad.functions.creation import as_tensor
from stepgrad.names import teller
from stepgrad.tensor import Tensor


class Parameter(Tensor):
    """A tensor that becomes a parameter of the module to which it is assigned.

    `data`: a tensor or array, whose memory it shares; it requires a gradient unless told otherwise.

    >>> import stepgrad as sg
    >>> sg.nn.Parameter(sg.zeros(2))
    Parameter containing:
    tensor([0., 0.], requires_grad=True)
    """

    def __new__(cls, data: Any = None, requires_grad: bool = True) -> Parameter:
        source = as_tensor([] if data is None else data)
        parameter = object.__new__(cls)
        parameter._array, parameter._version = source._array, source._version
        if requires_grad:
            parameter.requires_grad_()
        return parameter


__all__ = ["Parameter"]

if not TYPE_CHECKING:
    __getattr__ = teller(__name__, globals())
