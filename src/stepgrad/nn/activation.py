"""Activation functions as modules."""

from __future__ import annotations

from typing import Any

from stepgrad.creation import full
from stepgrad.nn import functional as F
from stepgrad.nn.init import constant_
from stepgrad.nn.module import Module
from stepgrad.nn.parameter import Parameter
from stepgrad.tensor import Tensor


class _Function(Module):
    """An activation without parameters: `_function` of the input with the attributes that `_options`
    names.
    """

    _function: Any
    _options: tuple[str, ...] = ()

    def forward(self, x: Tensor) -> Tensor:
        """Apply the function to each element (softmax: along its dimension)."""
        return type(self)._function(x, **{name: getattr(self, name) for name in self._options})

    def extra_repr(self) -> str:
        given = {name: getattr(self, name) for name in self._options}
        return ", ".join(
            f"{name}={value!r}" for name, value in given.items() if (name, value) != ("inplace", False)
        )


class ReLU(_Function):
    """max(x, 0)."""

    _function, _options = staticmethod(F.relu), ("inplace",)

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace


class LeakyReLU(_Function):
    """x where x > 0, else negative_slope · x."""

    _function, _options = staticmethod(F.leaky_relu), ("negative_slope", "inplace")

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope, self.inplace = negative_slope, inplace


class PReLU(Module):
    """x where x > 0, else w · x, with a learned slope `weight` (num_parameters): one, or one per channel."""

    def __init__(
        self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.num_parameters, self.init = num_parameters, init
        self.weight = Parameter(full((num_parameters,), float(init), device=device, dtype=dtype))

    def reset_parameters(self) -> None:
        """Set the slopes to `init` again."""
        constant_(self.weight, self.init)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, …) or (N) → the same shape."""
        return F.prelu(x, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class ELU(_Function):
    """x where x > 0, else α (eˣ − 1)."""

    _function, _options = staticmethod(F.elu), ("alpha", "inplace")

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha, self.inplace = alpha, inplace


class GELU(_Function):
    """x Φ(x), or its approximation with ``approximate="tanh"``."""

    _function, _options = staticmethod(F.gelu), ("approximate",)

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate


class SiLU(_Function):
    """x σ(x)."""

    _function, _options = staticmethod(F.silu), ("inplace",)

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace


class Sigmoid(_Function):
    """1 / (1 + e⁻ˣ)."""

    _function = staticmethod(F.sigmoid)


class Tanh(_Function):
    """The hyperbolic tangent."""

    _function = staticmethod(F.tanh)


class LogSigmoid(_Function):
    """ln σ(x)."""

    _function = staticmethod(F.logsigmoid)


class Softplus(_Function):
    """ln(1 + e^(βx)) / β."""

    _function, _options = staticmethod(F.softplus), ("beta", "threshold")

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta, self.threshold = beta, threshold


class Softmax(_Function):
    """eˣⁱ / Σⱼ eˣʲ along `dim`."""

    _function, _options = staticmethod(F.softmax), ("dim",)

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim


class LogSoftmax(_Function):
    """ln softmax(x) along `dim`."""

    _function, _options = staticmethod(F.log_softmax), ("dim",)

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim


__all__ = [
    "ELU",
    "GELU",
    "LeakyReLU",
    "LogSigmoid",
    "LogSoftmax",
    "PReLU",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
]
