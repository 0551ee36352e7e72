"""Activation functions as modules."""

from __future__ import annotations

from typing import Any

from stepgrad.functions.creation import full
from stepgrad.nn import functional as F
from stepgrad.nn.init import constant_
from stepgrad.nn.module import Module
from stepgrad.nn.parameter import Parameter
from stepgrad.tensor import Tensor


class ActivationFunction(Module):
    """An activation without parameters: `_function` of the input with the attributes that `_options`
    names.
    """

    _function: Any
    _options: tuple[str, ...] = ()

    def forward(self, input: Tensor) -> Tensor:
        """Apply the function to each element (softmax and its kin: along their dimension)."""
        return type(self)._function(input, **{name: getattr(self, name) for name in self._options})

    def extra_repr(self) -> str:
        given = {name: getattr(self, name) for name in self._options}
        return ", ".join(
            f"{name}={value!r}" for name, value in given.items() if (name, value) != ("inplace", False)
        )


class ReLU(ActivationFunction):
    """max(x, 0): the rectified linear unit (Nair and Hinton, 2010).

    >>> import stepgrad as sg
    >>> sg.nn.ReLU()(sg.tensor([-2.0, 0.0, 3.0]))
    tensor([0., 0., 3.])
    """

    _function, _options = staticmethod(F.relu), ("inplace",)

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace


class LeakyReLU(ActivationFunction):
    """x where x > 0, else negative_slope · x (Maas, Hannun and Ng, 2013).

    >>> import stepgrad as sg
    >>> sg.nn.LeakyReLU()(sg.tensor([-2.0, 0.0, 3.0]))
    tensor([-0.0200,  0.0000,  3.0000])
    """

    _function, _options = staticmethod(F.leaky_relu), ("negative_slope", "inplace")

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope, self.inplace = negative_slope, inplace


class PReLU(Module):
    """x where x > 0, else w · x, with a learned slope `weight` (num_parameters): one, or one per channel (He
    and others, 2015).

    >>> import stepgrad as sg
    >>> sg.nn.PReLU()(sg.tensor([-2.0, 0.0, 3.0]))
    tensor([-0.5000,  0.0000,  3.0000], grad_fn=<prelu>)
    """

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


class ELU(ActivationFunction):
    """x where x > 0, else α (eˣ − 1) (Clevert, Unterthiner and Hochreiter, 2016).

    >>> import stepgrad as sg
    >>> sg.nn.ELU()(sg.tensor([-2.0, 0.0, 3.0]))
    tensor([-0.8647,  0.0000,  3.0000])
    """

    _function, _options = staticmethod(F.elu), ("alpha", "inplace")

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha, self.inplace = alpha, inplace


class GELU(ActivationFunction):
    """x Φ(x), Φ the distribution function of the standard normal (Hendrycks and Gimpel, 2016); with
    ``approximate="tanh"`` an approximation.

    >>> import stepgrad as sg
    >>> sg.nn.GELU()(sg.tensor([-2.0, 0.0, 3.0]))
    tensor([-0.0455,  0.0000,  2.9960])
    """

    _function, _options = staticmethod(F.gelu), ("approximate",)

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate


class SiLU(ActivationFunction):
    """x σ(x), also called swish (Elfwing, Uchibe and Doya, 2018).

    >>> import stepgrad as sg
    >>> sg.nn.SiLU()(sg.tensor([-2.0, 0.0, 3.0]))
    tensor([-0.2384,  0.0000,  2.8577])
    """

    _function, _options = staticmethod(F.silu), ("inplace",)

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace


class Sigmoid(ActivationFunction):
    """1 / (1 + e⁻ˣ).

    >>> import stepgrad as sg
    >>> sg.nn.Sigmoid()(sg.tensor([-2.0, 0.0, 3.0]))
    tensor([0.1192, 0.5000, 0.9526])
    """

    _function = staticmethod(F.sigmoid)


class Tanh(ActivationFunction):
    """The hyperbolic tangent: (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ).

    >>> import stepgrad as sg
    >>> sg.nn.Tanh()(sg.tensor([-2.0, 0.0, 3.0]))
    tensor([-0.9640,  0.0000,  0.9951])
    """

    _function = staticmethod(F.tanh)


class LogSigmoid(ActivationFunction):
    """ln σ(x).

    >>> import stepgrad as sg
    >>> sg.nn.LogSigmoid()(sg.tensor([-2.0, 0.0, 3.0]))
    tensor([-2.1269, -0.6931, -0.0486])
    """

    _function = staticmethod(F.logsigmoid)


class Softplus(ActivationFunction):
    """ln(1 + e^(βx)) / β: a smooth max(x, 0) (Dugas and others, 2001). Where βx > `threshold` it is x.

    >>> import stepgrad as sg
    >>> sg.nn.Softplus()(sg.tensor([-2.0, 0.0, 3.0]))
    tensor([0.1269, 0.6931, 3.0486])
    """

    _function, _options = staticmethod(F.softplus), ("beta", "threshold")

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta, self.threshold = beta, threshold


class Step(ActivationFunction):
    """1 where x ≥ 0, else 0: the threshold unit of the perceptron. A backward pass through it is refused.

    >>> import stepgrad as sg
    >>> sg.nn.Step()(sg.tensor([-2.0, 0.0, 3.0]))
    tensor([0., 1., 1.])
    """

    _function = staticmethod(F.step)


class Threshold(ActivationFunction):
    """x where x > threshold, else `value`.

    >>> import stepgrad as sg
    >>> sg.nn.Threshold(0.5, -1.0)(sg.tensor([-2.0, 0.0, 3.0]))
    tensor([-1., -1.,  3.])
    """

    _function, _options = staticmethod(F.threshold), ("threshold", "value", "inplace")

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__()
        self.threshold, self.value, self.inplace = threshold, value, inplace


class Hardtanh(ActivationFunction):
    """x kept within [min_val, max_val].

    >>> import stepgrad as sg
    >>> sg.nn.Hardtanh()(sg.tensor([-2.0, 0.0, 3.0]))
    tensor([-1.,  0.,  1.])
    """

    _function, _options = staticmethod(F.hardtanh), ("min_val", "max_val", "inplace")

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.min_val, self.max_val, self.inplace = min_val, max_val, inplace


class ReLU6(ActivationFunction):
    """x kept within [0, 6] (Krizhevsky, 2010).

    >>> import stepgrad as sg
    >>> sg.nn.ReLU6()(sg.tensor([-2.0, 3.0, 8.0]))
    tensor([0., 3., 6.])
    """

    _function, _options = staticmethod(F.relu6), ("inplace",)

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace


class Hardsigmoid(ActivationFunction):
    """0 below −3, 1 above 3, x / 6 + ½ between.

    >>> import stepgrad as sg
    >>> sg.nn.Hardsigmoid()(sg.tensor([-2.0, 0.0, 3.0]))
    tensor([0.1667, 0.5000, 1.0000])
    """

    _function, _options = staticmethod(F.hardsigmoid), ("inplace",)

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def extra_repr(self) -> str:
        return ""


class Hardswish(ActivationFunction):
    """x times its hard sigmoid, x · min(max(x + 3, 0), 6) / 6 (Howard and others, 2019).

    >>> import stepgrad as sg
    >>> sg.nn.Hardswish()(sg.tensor([-2.0, 0.0, 3.0]))
    tensor([-0.3333,  0.0000,  3.0000])
    """

    _function, _options = staticmethod(F.hardswish), ("inplace",)

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def extra_repr(self) -> str:
        return ""


class CELU(ActivationFunction):
    """x where x > 0, else α (e^(x/α) − 1) (Barron, 2017).

    >>> import stepgrad as sg
    >>> sg.nn.CELU()(sg.tensor([-2.0, 0.0, 3.0]))
    tensor([-0.8647,  0.0000,  3.0000])
    """

    _function, _options = staticmethod(F.celu), ("alpha", "inplace")

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha, self.inplace = alpha, inplace


class SELU(ActivationFunction):
    """1.0507 x where x > 0, else 1.0507 · 1.6733 (eˣ − 1) (Klambauer and others, 2017).

    >>> import stepgrad as sg
    >>> sg.nn.SELU()(sg.tensor([-2.0, 0.0, 3.0]))
    tensor([-1.5202,  0.0000,  3.1521])
    """

    _function, _options = staticmethod(F.selu), ("inplace",)

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace


class Mish(ActivationFunction):
    """x tanh(ln(1 + eˣ)) (Misra, 2019).

    >>> import stepgrad as sg
    >>> sg.nn.Mish()(sg.tensor([-2.0, 0.0, 3.0]))
    tensor([-0.2525,  0.0000,  2.9865])
    """

    _function, _options = staticmethod(F.mish), ("inplace",)

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace


class Softsign(ActivationFunction):
    """x / (1 + |x|).

    >>> import stepgrad as sg
    >>> sg.nn.Softsign()(sg.tensor([-2.0, 0.0, 3.0]))
    tensor([-0.6667,  0.0000,  0.7500])
    """

    _function = staticmethod(F.softsign)


class Hardshrink(ActivationFunction):
    """x where |x| > lambd, else 0.

    >>> import stepgrad as sg
    >>> sg.nn.Hardshrink()(sg.tensor([-2.0, 0.0, 3.0]))
    tensor([-2.,  0.,  3.])
    """

    _function, _options = staticmethod(F.hardshrink), ("lambd",)

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def extra_repr(self) -> str:
        return f"{self.lambd}"


class Softshrink(ActivationFunction):
    """x brought nearer to 0 by `lambd`; 0 within ±lambd.

    >>> import stepgrad as sg
    >>> sg.nn.Softshrink()(sg.tensor([-2.0, 0.0, 3.0]))
    tensor([-1.5000,  0.0000,  2.5000])
    """

    _function, _options = staticmethod(F.softshrink), ("lambd",)

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def extra_repr(self) -> str:
        return f"{self.lambd}"


class Tanhshrink(ActivationFunction):
    """x − tanh x.

    >>> import stepgrad as sg
    >>> sg.nn.Tanhshrink()(sg.tensor([-2.0, 0.0, 3.0]))
    tensor([-1.0360,  0.0000,  2.0049])
    """

    _function = staticmethod(F.tanhshrink)


class GLU(ActivationFunction):
    """a σ(b), a and b the halves of x along `dim`: (…, 2d, …) → (…, d, …) (Dauphin and others, 2017).

    >>> import stepgrad as sg
    >>> sg.nn.GLU()(sg.tensor([1.0, 2.0, 0.0, 0.0]))
    tensor([0.5000, 1.0000])
    """

    _function, _options = staticmethod(F.glu), ("dim",)

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim


class RReLU(Module):
    """x where x > 0, else r · x, r uniform in [lower, upper) in training and their mean in evaluation (Xu and
    others, 2015).

    >>> import stepgrad as sg
    >>> sg.nn.RReLU().eval()(sg.tensor([-48.0, 3.0]))
    tensor([-11.,   3.])
    """

    def __init__(self, lower: float = 1 / 8, upper: float = 1 / 3, inplace: bool = False) -> None:
        super().__init__()
        self.lower, self.upper, self.inplace = lower, upper, inplace

    def forward(self, input: Tensor) -> Tensor:
        """Any shape → the same shape."""
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)

    def extra_repr(self) -> str:
        return f"lower={self.lower}, upper={self.upper}" + (", inplace=True" if self.inplace else "")


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
    "Mish",
    "PReLU",
    "RReLU",
    "ReLU",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "Softplus",
    "Softshrink",
    "Softsign",
    "Step",
    "Tanh",
    "Tanhshrink",
    "Threshold",
]  # fmt: skip
