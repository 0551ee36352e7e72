"""Losses of classes: scores and the class that is right."""

from __future__ import annotations

from stepgrad.autograd.engine import apply
from stepgrad.errors import ArgumentError, DtypeError, IndexShapeError, ShapeError
from stepgrad.methods.base import one_dim
from stepgrad.nn.functional.affine import linear
from stepgrad.nn.functional.checks import check_class_weight, check_reduction, check_tensors
from stepgrad.ops.registry import REGISTRY
from stepgrad.tensor import Tensor


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Return −x[target] for log-probabilities x (N, C, …) or (C) and classes (N, …) or (), reduced.

    The mean is weighted: Σ w (−x[target]) / Σ w, w the `weight` (C) of the target's class. Targets that equal
    `ignore_index` count for nothing.

    >>> import stepgrad as sg
    >>> nll_loss(sg.tensor([[0.9, 0.1], [0.5, 0.5]]).log(), sg.tensor([0, 1]), reduction="none")
    tensor([0.1054, 0.6931])
    """
    input, target, shape = _rows(input, target, weight, ignore_index, reduction, "nll_loss")
    y = apply(REGISTRY["nll_loss"], input, target, weight, ignore_index=ignore_index, reduction=reduction)
    return y.reshape(shape) if reduction == "none" else y


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Return the cross entropy of softmax(x) with the target, reduced.

    `input`: logits (N, C), (N, C, d…) or (C). `target`: classes (integers, x's shape without C), or
    probabilities (x's shape). `weight`: (C), a weight per class. Raises `ShapeError`, `DtypeError` or
    `ArgumentError`, and `IndexShapeError` for a class that is not there.

    >>> import stepgrad as sg
    >>> cross_entropy(sg.tensor([[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]]), sg.tensor([0, 2]))
    tensor(0.6691)
    """
    check_tensors("cross_entropy", input, target)
    if not 0 <= label_smoothing <= 1:
        raise ArgumentError(f"label_smoothing lies between 0 and 1, not {label_smoothing}.")
    smoothing = float(label_smoothing)
    if target.is_floating_point():
        return _cross_entropy_probabilities(input, target, weight, reduction, smoothing)
    input, target, shape = _rows(input, target, weight, ignore_index, reduction, "cross_entropy")
    y = apply(
        REGISTRY["cross_entropy"], input, target, weight,
        ignore_index=ignore_index, reduction=reduction, label_smoothing=smoothing,
    )  # fmt: skip
    return y.reshape(shape) if reduction == "none" else y


def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Return the cross entropy of the scores that an affine map gives: `cross_entropy` after `linear`.

    `input`: (N, in) or (in). `linear_weight`: (C, in), or (C, d…, in) for scores (N, C, d…); `linear_bias`
    the same without `in`. The rest as in `cross_entropy`.

    >>> import stepgrad as sg
    >>> linear_cross_entropy(sg.ones(1, 3), sg.zeros(2, 3), sg.tensor([1]))
    tensor(0.6931)
    """
    shape = linear_weight.shape[:-1]
    rows = linear_weight.reshape(-1, linear_weight.shape[-1])
    scores = linear(input, rows, None if linear_bias is None else linear_bias.reshape(-1))
    if len(shape) > 1:
        scores = scores.reshape(*input.shape[:-1], *shape)
    ignored = -100 if ignore_index is None else ignore_index
    return cross_entropy(scores, target, weight, ignored, reduction, label_smoothing)


def _cross_entropy_probabilities(
    x: Tensor, target: Tensor, weight: Tensor | None, reduction: str, smoothing: float
) -> Tensor:
    if x.shape != target.shape or not x.ndim:
        raise ShapeError(
            f"cross_entropy takes classes as integers, or probabilities in the shape of the input "
            f"{list(x.shape)}; this target is {target.dtype.name}{list(target.shape)}. If it holds classes, "
            f"convert it with .long()."
        )
    check_reduction(reduction)
    check_class_weight("cross_entropy", weight, x.shape[min(1, x.ndim - 1)])
    shape = x.shape[:1] + x.shape[2:] if x.ndim > 1 else ()
    y = apply(
        REGISTRY["cross_entropy_probabilities"], _class_last(x), _class_last(target), weight,
        reduction=reduction, label_smoothing=smoothing,
    )  # fmt: skip
    return y.reshape(shape) if reduction == "none" else y


def _class_last(x: Tensor) -> Tensor:
    """Return (N, C, d…) or (C) as rows of classes."""
    if x.ndim == 1:
        return x.unsqueeze(0)
    return x if x.ndim == 2 else x.permute(0, *range(2, x.ndim), 1).reshape(-1, x.shape[1])


def _rows(
    x: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int, reduction: str, name: str
) -> tuple[Tensor, Tensor, tuple[int, ...]]:
    """Return logits (N, C) and classes (N) of a checked pair, and the shape of the unreduced loss."""
    check_reduction(reduction)
    check_tensors(name, x, target)
    if x.ndim == 0:
        raise ShapeError(f"{name} takes scores with a dimension of classes, not a 0-d tensor.")
    if not x.is_floating_point():
        raise DtypeError(f"{name} takes floating point scores, not {x.dtype.name}. Convert with .float().")
    shape = () if x.ndim == 1 else x.shape[:1] + x.shape[2:]
    if target._array.dtype.kind not in "iu":
        raise DtypeError(f"{name} takes classes as integers, not {target.dtype.name}. Convert with .long().")
    if target.shape != shape:
        raise ShapeError(
            f"{name} of scores {list(x.shape)} takes a target of shape {list(shape)}, not "
            f"{list(target.shape)}."
        )
    classes = x.shape[one_dim(min(1, x.ndim - 1), x.ndim)]
    check_class_weight(name, weight, classes)
    a = target._array
    wrong = a[((a < 0) | (a >= classes)) & (a != ignore_index)]
    if wrong.size:
        raise IndexShapeError(
            f"{name} has {classes} classes, numbered from 0; the target contains {int(wrong[0])}."
        )
    return _class_last(x), target.reshape(-1), shape


__all__ = ["cross_entropy", "linear_cross_entropy", "nll_loss"]
