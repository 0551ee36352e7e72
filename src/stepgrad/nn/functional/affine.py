"""Affine and bilinear maps."""

from __future__ import annotations

from stepgrad.autograd.engine import apply
from stepgrad.errors import ShapeError
from stepgrad.nn.functional.checks import no_tensor
from stepgrad.ops.registry import REGISTRY
from stepgrad.tensor import Tensor

_linear = REGISTRY["linear"]


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x Wᵀ + b: x (…, in), weight (out, in), bias (out) or None → (…, out).

    Raises `ShapeError` naming both shapes if the numbers of features differ.

    >>> import stepgrad as sg
    >>> linear(sg.tensor([1.0, 2.0]), sg.tensor([[1.0, 1.0], [1.0, -1.0]]), sg.tensor([0.5, 0.0]))
    tensor([ 3.5000, -1.0000])
    """
    if not isinstance(input, Tensor):
        raise no_tensor("linear", input)
    if input._array.shape[-1:] != weight._array.shape[1:]:
        raise ShapeError(
            f"linear takes {weight.shape[-1]} features in the last dimension of its input, not shape "
            f"{list(input.shape)} (weight {list(weight.shape)})."
        )
    return apply(_linear, input, weight, bias)


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x1ᵀ W x2 + b for each output: x1 (…, in1), x2 (…, in2), weight (out, in1, in2), bias (out) or
    None → (…, out).

    Raises `ShapeError` naming the shapes where they do not fit.

    >>> import stepgrad as sg
    >>> bilinear(sg.zeros(5, 3), sg.zeros(5, 4), sg.zeros(2, 3, 4)).shape
    (5, 2)
    """
    fits = (
        input1.shape[:-1] == input2.shape[:-1] and (input1.shape[-1:] + input2.shape[-1:]) == weight.shape[1:]
    )
    if not fits or not input1.ndim:
        raise ShapeError(
            f"bilinear takes (…, {weight.shape[1]}) and (…, {weight.shape[2]}) with the same dimensions "
            f"before the last, not {list(input1.shape)} and {list(input2.shape)} "
            f"(weight {list(weight.shape)})."
        )
    return apply(REGISTRY["bilinear"], input1, input2, weight, bias)


__all__ = ["bilinear", "linear"]
