"""Activation functions."""

from __future__ import annotations

from typing import Any

from stepgrad.autograd.engine import apply
from stepgrad.errors import ArgumentError, ShapeError
from stepgrad.nn.functional.checks import placed
from stepgrad.ops.registry import REGISTRY
from stepgrad.tensor import Tensor


def relu(x: Tensor, inplace: bool = False) -> Tensor:
    """Return max(x, 0)."""
    return x.relu_() if inplace else apply(REGISTRY["relu"], x)


def leaky_relu(x: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """Return x where x > 0, else negative_slope · x."""
    return placed(x, apply(REGISTRY["leaky_relu"], x, negative_slope=float(negative_slope)), inplace)


def prelu(x: Tensor, weight: Tensor) -> Tensor:
    """Return x where x > 0, else weight · x; one weight, or one per channel (dimension 1)."""
    if weight.numel() > 1:
        if x.ndim < 2 or x.shape[1] != weight.numel():
            raise ShapeError(
                f"prelu has {weight.numel()} slopes for the channels of an input {list(x.shape)}."
            )
        weight = weight.reshape(-1, *(1,) * (x.ndim - 2))
    return apply(REGISTRY["prelu"], x, weight)


def elu(x: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Return x where x > 0, else α (eˣ − 1)."""
    return placed(x, apply(REGISTRY["elu"], x, alpha=float(alpha)), inplace)


def gelu(x: Tensor, approximate: str = "none") -> Tensor:
    """Return x Φ(x), exactly, or with ``approximate="tanh"`` by its approximation."""
    if approximate not in ("none", "tanh"):
        raise ArgumentError(f"approximate is 'none' or 'tanh', not {approximate!r}.")
    return apply(REGISTRY["gelu" if approximate == "none" else "gelu_tanh"], x)


def silu(x: Tensor, inplace: bool = False) -> Tensor:
    """Return x σ(x)."""
    return placed(x, apply(REGISTRY["silu"], x), inplace)


def sigmoid(x: Tensor) -> Tensor:
    """Return 1 / (1 + e⁻ˣ)."""
    return apply(REGISTRY["sigmoid"], x)


def tanh(x: Tensor) -> Tensor:
    """Return the hyperbolic tangent."""
    return apply(REGISTRY["tanh"], x)


def softplus(x: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """Return ln(1 + e^(βx)) / β, and x itself where βx > threshold."""
    return apply(REGISTRY["softplus"], x, beta=float(beta), threshold=float(threshold))


def logsigmoid(x: Tensor) -> Tensor:
    """Return ln σ(x)."""
    return apply(REGISTRY["logsigmoid"], x)


def softmax(x: Tensor, dim: int | None = None, dtype: Any = None) -> Tensor:
    """Return eˣⁱ / Σⱼ eˣʲ along `dim`."""
    return x.softmax(_given(dim, "softmax"), dtype)


def log_softmax(x: Tensor, dim: int | None = None, dtype: Any = None) -> Tensor:
    """Return ln softmax(x) along `dim`."""
    return x.log_softmax(_given(dim, "log_softmax"), dtype)


def _given(dim: int | None, name: str) -> int:
    if dim is None:
        raise ArgumentError(f"{name} needs dim: the dimension along which it sums to 1, usually -1.")
    return dim


__all__ = [
    "elu",
    "gelu",
    "leaky_relu",
    "log_softmax",
    "logsigmoid",
    "prelu",
    "relu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "tanh",
]
