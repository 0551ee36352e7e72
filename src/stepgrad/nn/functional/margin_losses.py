"""Losses that ask for a margin: between scores, or between distances of vectors."""

from __future__ import annotations

from collections.abc import Callable

from stepgrad.autograd.engine import apply
from stepgrad.errors import ArgumentError, DtypeError, IndexShapeError, ShapeError
from stepgrad.nn.functional.checks import (
    check_class_weight,
    check_element_weight,
    check_pair,
    check_reduction,
    check_tensors,
    reduced,
)
from stepgrad.nn.functional.distances import pairwise_distance
from stepgrad.ops.registry import REGISTRY
from stepgrad.tensor import Tensor


def soft_margin_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Return ln(1 + e^(−target · x)), reduced; the targets are −1 and 1.

    >>> import stepgrad as sg
    >>> soft_margin_loss(sg.tensor([2.0, -1.0]), sg.tensor([1.0, -1.0]))
    tensor(0.2201)
    """
    check_pair("soft_margin_loss", input, target, reduction)
    return apply(REGISTRY["soft_margin_loss"], input, target, reduction=reduction)


def hinge_embedding_loss(
    input: Tensor, target: Tensor, margin: float = 1.0, reduction: str = "mean"
) -> Tensor:
    """Return x where the target is 1 and max(0, margin − x) where it is −1, reduced; x is a distance.

    >>> import stepgrad as sg
    >>> hinge_embedding_loss(sg.tensor([0.3, 0.3]), sg.tensor([1.0, -1.0]), reduction="none")
    tensor([0.3000, 0.7000])
    """
    check_pair("hinge_embedding_loss", input, target, reduction)
    record = REGISTRY["hinge_embedding_loss"]
    return apply(record, input, target, margin=float(margin), reduction=reduction)


def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """Return max(0, −target (input1 − input2) + margin), reduced: where the target is 1 the first shall be
    the larger one, where it is −1 the second.

    >>> import stepgrad as sg
    >>> margin_ranking_loss(sg.tensor([0.5]), sg.tensor([0.0]), sg.tensor([1.0]), margin=1.0)
    tensor(0.5000)
    """
    check_pair("margin_ranking_loss", input1, input2, reduction)
    check_pair("margin_ranking_loss", input1, target, reduction)
    record = REGISTRY["margin_ranking_loss"]
    return apply(record, input1, input2, target, margin=float(margin), reduction=reduction)


def _score_rows(name: str, x: Tensor, target: Tensor, shape: tuple[int, ...]) -> None:
    """Raise an error unless x is floating point scores and the target integers of a shape."""
    check_tensors(name, x, target)
    if x.ndim not in (1, 2) or not x.is_floating_point():
        raise ShapeError(
            f"{name} takes floating point scores (N, C) or (C), not {x.dtype.name}{list(x.shape)}."
        )
    if target._array.dtype.kind not in "iu":
        raise DtypeError(f"{name} takes classes as integers, not {target.dtype.name}. Convert with .long().")
    if target.shape != shape:
        raise ShapeError(
            f"{name} of scores {list(x.shape)} takes a target of shape {list(shape)}, not "
            f"{list(target.shape)}."
        )
    a, classes = target._array, x.shape[-1]
    if a.size and int(a.max()) >= classes:
        raise IndexShapeError(
            f"{name} has {classes} classes, numbered from 0; the target contains {int(a.max())}."
        )


def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return Σ_c max(0, margin − x[target] + x[c])ᵖ / C over the classes c that are not the target's, times
    the `weight` (C) of the target's class, reduced. x (N, C) or (C), target (N) or (), p 1 or 2.

    >>> import stepgrad as sg
    >>> multi_margin_loss(sg.tensor([[0.1, 0.2, 0.4, 0.8]]), sg.tensor([3]))
    tensor(0.3250)
    """
    check_reduction(reduction)
    check_tensors("multi_margin_loss", input, target)
    shape = target.shape
    input = input if input.ndim else input.reshape(1)
    if input.ndim == 1 and target.shape == (1,):  # a single row, whose class may come as a vector of one
        target = target.reshape(())
    _score_rows("multi_margin_loss", input, target, input.shape[:-1])
    a = target._array
    if a.size and int(a.min()) < 0:
        raise IndexShapeError(
            f"multi_margin_loss has {input.shape[-1]} classes, numbered from 0; the target contains "
            f"{int(a.min())}."
        )
    if p not in (1, 2):
        raise ArgumentError(f"multi_margin_loss knows p = 1 and p = 2, not {p}.")
    check_class_weight("multi_margin_loss", weight, input.shape[-1])
    y = apply(
        REGISTRY["multi_margin_loss"], input.reshape(-1, input.shape[-1]), target.reshape(-1), weight,
        p=int(p), margin=float(margin), reduction=reduction,
    )  # fmt: skip
    return y.reshape(shape) if reduction == "none" else y


def multilabel_margin_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Return Σ_t Σ_c max(0, 1 − x[t] + x[c]) / C over the classes t that are right and c that are not,
    reduced. x and target (N, C) or (C); the classes in a row of the target end with the first −1.

    >>> import stepgrad as sg
    >>> multilabel_margin_loss(sg.tensor([[0.1, 0.2, 0.4, 0.8]]), sg.tensor([[3, 0, -1, 1]]))
    tensor(0.8500)
    """
    check_reduction(reduction)
    check_tensors("multilabel_margin_loss", input, target)
    shape = input.shape[:-1]
    input, target = (y if y.ndim else y.reshape(1) for y in (input, target))
    _score_rows("multilabel_margin_loss", input, target, input.shape)
    rows = (input.reshape(-1, input.shape[-1]), target.reshape(-1, input.shape[-1]))
    y = apply(REGISTRY["multilabel_margin_loss"], *rows, reduction=reduction)
    return y.reshape(shape) if reduction == "none" else y


def multilabel_soft_margin_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """Return the binary cross entropy of each class for itself, averaged over the classes, reduced.

    x and target (…, C), `weight` (C), or of any shape that broadcasts to them.

    >>> import stepgrad as sg
    >>> multilabel_soft_margin_loss(sg.tensor([[2.0, -1.0]]), sg.tensor([[1.0, 0.0]]))
    tensor(0.2201)
    """
    check_pair("multilabel_soft_margin_loss", input, target, reduction)
    if not input.ndim:
        raise ShapeError("multilabel_soft_margin_loss takes scores (…, C), not a 0-d tensor.")
    check_element_weight("multilabel_soft_margin_loss", "weight", weight, input)
    return apply(REGISTRY["multilabel_soft_margin_loss"], input, target, weight, reduction=reduction)


def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """Return 1 − cos(input1, input2) where the target is 1 and max(0, cos − margin) where it is −1, reduced.

    The inputs are (N, D) with a target (N), or (D) with a target ().

    >>> import stepgrad as sg
    >>> cosine_embedding_loss(sg.tensor([[1.0, 0.0]]), sg.tensor([[1.0, 1.0]]), sg.tensor([1]))
    tensor(0.2929)
    """
    check_pair("cosine_embedding_loss", input1, input2, reduction)
    check_tensors("cosine_embedding_loss", input1, target)
    if input1.ndim not in (1, 2) or target.shape != input1.shape[:-1]:
        raise ShapeError(
            f"cosine_embedding_loss takes vectors (N, D) and a target (N), or (D) and (), not "
            f"{list(input1.shape)} and {list(target.shape)}."
        )
    rows = [x.reshape(-1, input1.shape[-1]) for x in (input1, input2)]
    record = REGISTRY["cosine_embedding_loss"]
    y = apply(record, *rows, target.reshape(-1), margin=float(margin), reduction=reduction)
    return y.reshape(target.shape) if reduction == "none" else y


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """Return max(0, margin + d(anchor, positive) − d(anchor, negative)), reduced, d the p-norm of the
    difference; with `swap` the negative example may be nearer to the positive one, and counts from there
    (Balntas and others, 2016).

    >>> import stepgrad as sg
    >>> triplet_margin_loss(sg.tensor([[0.0]]), sg.tensor([[0.5]]), sg.tensor([[1.0]]))  # 1 + 0.5 − 1
    tensor(0.5000)
    """
    _check_triplet("triplet_margin_loss", anchor, positive, negative, margin, reduction)
    return apply(
        REGISTRY["triplet_margin_loss"], anchor, positive, negative,
        margin=float(margin), p=float(p), eps=float(eps), swap=bool(swap), reduction=reduction,
    )  # fmt: skip


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """Return max(0, margin + d(anchor, positive) − d(anchor, negative)), reduced, for a distance of one's
    own (`pairwise_distance` by default).

    >>> import stepgrad as sg
    >>> anchor, near, far = sg.tensor([[0.0]]), sg.tensor([[1.0]]), sg.tensor([[1.5]])
    >>> distance = lambda a, b: (a - b).abs().sum(1)
    >>> triplet_margin_with_distance_loss(anchor, near, far, distance_function=distance)
    tensor(0.5000)
    """
    _check_triplet("triplet_margin_with_distance_loss", anchor, positive, negative, margin, reduction)
    distance = distance_function or pairwise_distance
    far = distance(anchor, negative)
    far = far.minimum(distance(positive, negative)) if swap else far
    return reduced((margin + distance(anchor, positive) - far).clamp(min=0), reduction)


def _check_triplet(
    name: str, anchor: Tensor, positive: Tensor, negative: Tensor, margin: float, reduction: str
) -> None:
    check_pair(name, anchor, positive, reduction)
    check_pair(name, anchor, negative, reduction)
    if not margin > 0:
        raise ArgumentError(f"{name} needs margin > 0, not {margin}.")


__all__ = [
    "cosine_embedding_loss", "hinge_embedding_loss", "margin_ranking_loss", "multi_margin_loss",
    "multilabel_margin_loss", "multilabel_soft_margin_loss", "soft_margin_loss", "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]  # fmt: skip
