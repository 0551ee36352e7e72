"""Losses of numbers: a prediction and a target of one shape."""

from __future__ import annotations

from stepgrad.autograd.engine import apply
from stepgrad.errors import ArgumentError, ShapeError
from stepgrad.nn.functional.checks import check_element_weight, check_pair, reduced
from stepgrad.ops.registry import REGISTRY
from stepgrad.tensor import Tensor


def _weighted(
    name: str, x: Tensor, target: Tensor, weight: Tensor | None, reduction: str, **attrs: float
) -> Tensor:
    """Return a loss of pairs of numbers, with a weight for each pair."""
    if weight is None:
        return apply(REGISTRY[name], x, target, reduction=reduction, **attrs)
    if weight.shape != x.shape:
        raise ShapeError(
            f"{name} needs a weight of the shape of the input {list(x.shape)}, not {list(weight.shape)}."
        )
    return reduced(apply(REGISTRY[name], x, target, reduction="none", **attrs), reduction, weight)


def mse_loss(input: Tensor, target: Tensor, reduction: str = "mean", weight: Tensor | None = None) -> Tensor:
    """Return (x − target)², reduced; with a `weight` of the same shape, whose mean is weighted.

    Raises `ShapeError` if the shapes differ.

    >>> import stepgrad as sg
    >>> mse_loss(sg.tensor([1.0, 2.0]), sg.zeros(2))
    tensor(2.5000)
    """
    check_pair("mse_loss", input, target, reduction)
    return _weighted("mse_loss", input, target, weight, reduction)


def l1_loss(input: Tensor, target: Tensor, reduction: str = "mean", weight: Tensor | None = None) -> Tensor:
    """Return |x − target|, reduced; `weight` as in `mse_loss`. Raises `ShapeError` if the shapes differ.

    >>> import stepgrad as sg
    >>> l1_loss(sg.tensor([1.0, 2.0]), sg.zeros(2))
    tensor(1.5000)
    """
    check_pair("l1_loss", input, target, reduction)
    return _weighted("l1_loss", input, target, weight, reduction)


def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Tensor | None = None
) -> Tensor:
    """Return ½ d² where |d| = |x − target| ≤ δ, else δ (|d| − ½ δ), reduced; `weight` as in `mse_loss`
    (Huber, 1964).

    >>> import stepgrad as sg
    >>> huber_loss(sg.tensor([0.5, 3.0]), sg.zeros(2), reduction="none")
    tensor([0.1250, 2.5000])
    """
    check_pair("huber_loss", input, target, reduction)
    if not delta > 0:
        raise ArgumentError(f"huber_loss needs delta > 0, not {delta}.")
    return _weighted("huber_loss", input, target, weight, reduction, delta=float(delta))


def smooth_l1_loss(input: Tensor, target: Tensor, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """Return ½ d² / β where |d| = |x − target| < β, else |d| − ½ β, reduced (Girshick, 2015).

    >>> import stepgrad as sg
    >>> smooth_l1_loss(sg.tensor([0.5, 3.0]), sg.zeros(2), reduction="none")
    tensor([0.1250, 2.5000])
    """
    check_pair("smooth_l1_loss", input, target, reduction)
    if beta < 0:
        raise ArgumentError(f"smooth_l1_loss needs beta >= 0, not {beta}.")
    return apply(REGISTRY["smooth_l1_loss"], input, target, reduction=reduction, beta=float(beta))


def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """Return −(t ln x + (1 − t) ln(1 − x)) for probabilities x, reduced; logarithms are kept above −100.

    Raises `ArgumentError` if an x or a target lies outside [0, 1] (a NaN goes through): for logits use
    `binary_cross_entropy_with_logits`.

    >>> import stepgrad as sg
    >>> binary_cross_entropy(sg.tensor([0.9, 0.2]), sg.tensor([1.0, 0.0]))
    tensor(0.1643)
    """
    check_pair("binary_cross_entropy", input, target, reduction)
    check_element_weight("binary_cross_entropy", "weight", weight, input)
    for each, what, way_out in (
        (input, "probabilities", " Use a sigmoid, or binary_cross_entropy_with_logits."),
        (target, "targets", ""),
    ):
        a = each._array
        if a.size and not (a.min() >= 0 and a.max() <= 1) and (wrong := a[(a < 0) | (a > 1)]).size:
            raise ArgumentError(
                f"binary_cross_entropy takes {what} in [0, 1]; here is a {float(wrong[0]):g}.{way_out}"
            )
    return apply(REGISTRY["binary_cross_entropy"], input, target, weight, reduction=reduction)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Return the binary cross entropy of σ(x) with the target, computed from the logit x without
    overflow, reduced.

    >>> import stepgrad as sg
    >>> binary_cross_entropy_with_logits(sg.tensor([2.0, -1000.0]), sg.tensor([1.0, 0.0]))
    tensor(0.0635)
    """
    check_pair("binary_cross_entropy_with_logits", input, target, reduction)
    check_element_weight("binary_cross_entropy_with_logits", "weight", weight, input)
    check_element_weight("binary_cross_entropy_with_logits", "pos_weight", pos_weight, input)
    record = REGISTRY["binary_cross_entropy_with_logits"]
    return apply(record, input, target, weight, pos_weight, reduction=reduction)


__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "huber_loss",
    "l1_loss",
    "mse_loss",
    "smooth_l1_loss",
]
