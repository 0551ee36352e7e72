"""Activation functions as modules."""

from __future__ import annotations

from typing import Any

from stepgrad.errors import ShapeError
from stepgrad.functions.creation import full
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

    def forward(self, input: Tensor) -> Tensor:
        """Apply the function to each element (softmax: along its dimension)."""
        return type(self)._function(input, **{name: getattr(self, name) for name in self._options})

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

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, …) or (N) → the same shape."""
        return F.prelu(input, self.weight)

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


class Step(_Function):
    """1 where x ≥ 0, else 0: the threshold unit of the perceptron. A backward pass through it is refused."""

    _function = staticmethod(F.step)


class Threshold(_Function):
    """x where x > threshold, else `value`."""

    _function, _options = staticmethod(F.threshold), ("threshold", "value", "inplace")

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__()
        self.threshold, self.value, self.inplace = threshold, value, inplace


class Hardtanh(_Function):
    """x kept within [min_val, max_val]."""

    _function, _options = staticmethod(F.hardtanh), ("min_val", "max_val", "inplace")

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.min_val, self.max_val, self.inplace = min_val, max_val, inplace


class ReLU6(_Function):
    """x kept within [0, 6]."""

    _function, _options = staticmethod(F.relu6), ("inplace",)

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace


class Hardsigmoid(_Function):
    """0 below −3, 1 above 3, x / 6 + ½ between."""

    _function, _options = staticmethod(F.hardsigmoid), ("inplace",)

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def extra_repr(self) -> str:
        return ""


class Hardswish(_Function):
    """x times its hard sigmoid."""

    _function, _options = staticmethod(F.hardswish), ("inplace",)

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def extra_repr(self) -> str:
        return ""


class CELU(_Function):
    """x where x > 0, else α (e^(x/α) − 1)."""

    _function, _options = staticmethod(F.celu), ("alpha", "inplace")

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha, self.inplace = alpha, inplace


class SELU(_Function):
    """1.0507 x where x > 0, else 1.0507 · 1.6733 (eˣ − 1)."""

    _function, _options = staticmethod(F.selu), ("inplace",)

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace


class Mish(_Function):
    """x tanh(ln(1 + eˣ))."""

    _function, _options = staticmethod(F.mish), ("inplace",)

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace


class Softsign(_Function):
    """x / (1 + |x|)."""

    _function = staticmethod(F.softsign)


class Hardshrink(_Function):
    """x where |x| > lambd, else 0."""

    _function, _options = staticmethod(F.hardshrink), ("lambd",)

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def extra_repr(self) -> str:
        return f"{self.lambd}"


class Softshrink(_Function):
    """x brought nearer to 0 by `lambd`; 0 within ±lambd."""

    _function, _options = staticmethod(F.softshrink), ("lambd",)

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def extra_repr(self) -> str:
        return f"{self.lambd}"


class Tanhshrink(_Function):
    """x − tanh x."""

    _function = staticmethod(F.tanhshrink)


class GLU(_Function):
    """a σ(b), a and b the halves of x along `dim`."""

    _function, _options = staticmethod(F.glu), ("dim",)

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim


class Softmin(_Function):
    """softmax(−x) along `dim`."""

    _function, _options = staticmethod(F.softmin), ("dim",)

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim


class RReLU(Module):
    """x where x > 0, else r · x, r uniform in [lower, upper) in training and their mean in evaluation."""

    def __init__(self, lower: float = 1 / 8, upper: float = 1 / 3, inplace: bool = False) -> None:
        super().__init__()
        self.lower, self.upper, self.inplace = lower, upper, inplace

    def forward(self, input: Tensor) -> Tensor:
        """Any shape → the same shape."""
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)

    def extra_repr(self) -> str:
        return f"lower={self.lower}, upper={self.upper}" + (", inplace=True" if self.inplace else "")


class Softmax2d(Module):
    """Softmax over the channels of (N, C, H, W) or (C, H, W), at each place of an image."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) or (C, H, W) → the same shape. Raises `ShapeError` for other numbers of dimensions."""
        if input.ndim not in (3, 4):
            raise ShapeError(f"Softmax2d takes (N, C, H, W) or (C, H, W), not shape {list(input.shape)}.")
        return input.softmax(-3)


__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "SELU",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "LeakyReLU",
    "LogSigmoid",
    "LogSoftmax",
    "Mish",
    "PReLU",
    "RReLU",
    "ReLU",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softmax2d",
    "Softmin",
    "Softplus",
    "Softshrink",
    "Softsign",
    "Step",
    "Tanh",
    "Tanhshrink",
    "Threshold",
]  # fmt: skip
