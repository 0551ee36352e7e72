"""Affine layers, and the layers that only rearrange."""

from __future__ import annotations

import math
from typing import Any

from stepgrad.autograd.modes import no_grad
from stepgrad.errors import ArgumentError
from stepgrad.functions.creation import empty
from stepgrad.nn import functional as F
from stepgrad.nn import init
from stepgrad.nn.container import Sequential
from stepgrad.nn.module import Module
from stepgrad.nn.parameter import Parameter
from stepgrad.tensor import Tensor


class Linear(Module):
    """y = x Wᵀ + b: x (…, in_features) → (…, out_features).

    `weight` (out, in) and `bias` (out) start uniform in ±1/√in_features, as in PyTorch.

    >>> import stepgrad as sg
    >>> sg.nn.Linear(3, 2)(sg.zeros(4, 3)).shape
    (4, 2)
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        if in_features < 0 or out_features < 0:
            raise ArgumentError(f"Linear needs sizes >= 0, not {in_features} and {out_features}.")
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(empty(out_features, in_features, device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(empty(out_features, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        bound = 1 / math.sqrt(self.in_features) if self.in_features else 0.0
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        """x (…, in_features) → (…, out_features)."""
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"
        )


def collapse(layers: Module) -> Linear:
    """Return one `Linear` that computes what a chain of them, with no activation between, computes.

    W₂ (W₁ x + b₁) + b₂ = (W₂ W₁) x + (W₂ b₁ + b₂): however many such layers, they are one affine map.
    `layers`: a `Sequential` of Linear and Identity modules, which may be nested. The products are computed in
    float64, the result has the dtype of the last layer. Raises `ArgumentError` naming a module that is not
    affine, `ShapeError` for layers that do not follow one another.

    >>> import stepgrad as sg
    >>> collapse(sg.nn.Sequential(sg.nn.Linear(3, 8), sg.nn.Linear(8, 2)))
    Linear(in_features=3, out_features=2, bias=True)
    """
    every = layers.named_modules(remove_duplicate=False)
    # By exact class, since a subclass may compute something else.
    chain = [(path, m) for path, m in every if type(m) not in (Sequential, Identity)]
    for path, m in chain:
        if type(m) is not Linear:
            raise ArgumentError(
                f"collapse takes Linear layers with nothing between them; {path or 'the model'} is {m!r}."
            )
    if not chain:
        raise ArgumentError("collapse needs a Linear layer at least.")
    with no_grad(), init.skipped():
        first, *rest = [m for _, m in chain]
        weight, bias = first.weight.double(), None if first.bias is None else first.bias.double()
        for m in rest:
            bias = None if bias is None else F.linear(bias, m.weight.double())
            if m.bias is not None:
                bias = m.bias.double() if bias is None else bias + m.bias
            weight = F.linear(weight.T, m.weight.double()).T
        last = chain[-1][1].weight
        made = Linear(weight.shape[1], weight.shape[0], bias is not None, last.device, last.dtype)
        made.weight.copy_(weight)
        if bias is not None:
            made.bias.copy_(bias)
    return made


class Bilinear(Module):
    """y = x1ᵀ W x2 + b for each output: (…, in1_features) and (…, in2_features) → (…, out_features).

    `weight` (out, in1, in2) and `bias` (out) start uniform in ±1/√in1_features.

    >>> import stepgrad as sg
    >>> sg.nn.Bilinear(3, 4, 2)(sg.zeros(5, 3), sg.zeros(5, 4)).shape
    (5, 2)
    """

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if in1_features <= 0:
            raise ArgumentError(f"Bilinear needs in1_features > 0, not {in1_features}.")
        self.in1_features, self.in2_features, self.out_features = in1_features, in2_features, out_features
        place = {"device": device, "dtype": dtype}
        self.weight = Parameter(empty(out_features, in1_features, in2_features, **place))
        self.register_parameter("bias", Parameter(empty(out_features, **place)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        bound = 1 / math.sqrt(self.in1_features)
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        """(…, in1_features) and (…, in2_features) → (…, out_features)."""
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
            f"out_features={self.out_features}, bias={self.bias is not None}"
        )


class Identity(Module):
    """Returns its input. Arguments are accepted and not used, so that it can stand in for any layer.

    >>> import stepgrad as sg
    >>> sg.nn.Identity()(sg.tensor([1.0, 2.0]))
    tensor([1., 2.])
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        """x → x."""
        return input


class Flatten(Module):
    """Makes one dimension of those from `start_dim` to `end_dim`: (N, C, H, W) → (N, C·H·W) by default.

    >>> import stepgrad as sg
    >>> sg.nn.Flatten()(sg.zeros(5, 3, 2, 2)).shape
    (5, 12)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Tensor) -> Tensor:
        """Flatten the dimensions."""
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Makes several dimensions, of sizes `unflattened_size`, of the dimension `dim`.

    >>> import stepgrad as sg
    >>> sg.nn.Unflatten(1, (3, 2, 2))(sg.zeros(5, 12)).shape
    (5, 3, 2, 2)
    """

    def __init__(self, dim: int, unflattened_size: Any) -> None:
        super().__init__()
        self.dim, self.unflattened_size = dim, unflattened_size

    def forward(self, input: Tensor) -> Tensor:
        """Unflatten the dimension."""
        return input.unflatten(self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


__all__ = ["Bilinear", "Flatten", "Identity", "Linear", "Unflatten", "collapse"]
