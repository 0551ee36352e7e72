"""Affine maps, and the picking of rows by integers."""

from __future__ import annotations

from stepgrad.autograd.engine import apply
from stepgrad.autograd.recording import check_readable
from stepgrad.errors import ArgumentError, DtypeError, IndexShapeError, ShapeError
from stepgrad.nn.functional.checks import no_tensor
from stepgrad.ops.registry import REGISTRY
from stepgrad.tensor import Tensor

_linear = REGISTRY["linear"]


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x Wᵀ + b: x (…, in), weight (out, in), bias (out) or None → (…, out).

    Raises `ShapeError` naming both shapes if the numbers of features differ.
    """
    if not isinstance(x, Tensor):
        raise no_tensor("linear", x)
    if x._array.shape[-1:] != weight._array.shape[1:]:
        raise ShapeError(
            f"linear takes {weight.shape[-1]} features in the last dimension of its input, not shape "
            f"{list(x.shape)} (weight {list(weight.shape)})."
        )
    return apply(_linear, x, weight, bias)


def embedding(indices: Tensor, weight: Tensor, padding_idx: int | None = None) -> Tensor:
    """Return rows of `weight` (count, features) for integer `indices` of any shape → (…, features).

    The row `padding_idx` gets no gradient. Raises `IndexShapeError` for an index outside 0 … count-1.
    """
    if not isinstance(indices, Tensor):
        raise no_tensor("embedding", indices)
    if indices._array.dtype.kind not in "iu":
        raise DtypeError(f"embedding takes integer indices, not {indices.dtype.name}. Convert with .long().")
    count = weight.shape[0]
    if indices._array.size and not 0 <= int(indices._array.min()) <= int(indices._array.max()) < count:
        raise IndexShapeError(
            f"embedding has {count} rows, numbered from 0; the indices go from "
            f"{int(indices._array.min())} to {int(indices._array.max())}."
        )
    if padding_idx is not None:
        if not -count <= padding_idx < count:
            raise ArgumentError(f"padding_idx {padding_idx} is none of the {count} rows.")
        padding_idx %= count
    return apply(REGISTRY["embedding"], weight, indices, padding_idx=padding_idx)


def one_hot(x: Tensor, num_classes: int = -1) -> Tensor:
    """Return int64 (…, classes): 1 in the column that each integer names, else 0.

    >>> import stepgrad as sg
    >>> one_hot(sg.tensor([0, 2]))
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    if x._array.dtype.kind not in "iu":
        raise DtypeError(f"one_hot takes integers, not {x.dtype.name}.")
    if num_classes == -1:
        check_readable(x)
    highest = int(x._array.max()) if x.numel() else -1
    classes = highest + 1 if num_classes == -1 else num_classes
    if x.numel() and (highest >= classes or int(x._array.min()) < 0):
        wrong = highest if highest >= classes else int(x._array.min())
        raise ArgumentError(f"one_hot of {classes} classes, numbered from 0, does not take {wrong}.")
    return apply(REGISTRY["one_hot"], x, classes=classes, dtype="int64")


__all__ = ["embedding", "linear", "one_hot"]
