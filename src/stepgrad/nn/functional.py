"""Layers, activations and losses as functions of tensors; the modules of `stepgrad.nn` call these."""

from __future__ import annotations

from typing import Any

from stepgrad.arrays import random as streams
from stepgrad.autograd.engine import apply
from stepgrad.autograd.modes import no_grad
from stepgrad.autograd.recording import check_readable
from stepgrad.errors import ArgumentError, DtypeError, IndexShapeError, ShapeError
from stepgrad.methods.base import one_dim
from stepgrad.ops.registry import REGISTRY
from stepgrad.tensor import Tensor

_linear = REGISTRY["linear"]


def _no_tensor(name: str, x: Any) -> DtypeError:
    return DtypeError(f"{name} takes a tensor, not {type(x).__name__}. Make one with stepgrad.tensor(…).")


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x Wᵀ + b: x (…, in), weight (out, in), bias (out) or None → (…, out).

    Raises `ShapeError` naming both shapes if the numbers of features differ.
    """
    if not isinstance(x, Tensor):
        raise _no_tensor("linear", x)
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
        raise _no_tensor("embedding", indices)
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


# ------------------------------------------------------------------------------------ activations


def relu(x: Tensor, inplace: bool = False) -> Tensor:
    """Return max(x, 0)."""
    return x.relu_() if inplace else apply(REGISTRY["relu"], x)


def leaky_relu(x: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """Return x where x > 0, else negative_slope · x."""
    return _placed(x, apply(REGISTRY["leaky_relu"], x, negative_slope=float(negative_slope)), inplace)


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
    return _placed(x, apply(REGISTRY["elu"], x, alpha=float(alpha)), inplace)


def gelu(x: Tensor, approximate: str = "none") -> Tensor:
    """Return x Φ(x), exactly, or with ``approximate="tanh"`` by its approximation."""
    if approximate not in ("none", "tanh"):
        raise ArgumentError(f"approximate is 'none' or 'tanh', not {approximate!r}.")
    return apply(REGISTRY["gelu" if approximate == "none" else "gelu_tanh"], x)


def silu(x: Tensor, inplace: bool = False) -> Tensor:
    """Return x σ(x)."""
    return _placed(x, apply(REGISTRY["silu"], x), inplace)


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


def _placed(x: Tensor, result: Tensor, inplace: bool) -> Tensor:
    return x._become(result) if inplace else result


# ----------------------------------------------------------------------- dropout and normalisation


def dropout(x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Return x with elements set to 0 with probability p and the others divided by 1 − p; x itself if not
    `training`.

    Srivastava and others, 2014. The random numbers come from the dropout stream (`stepgrad.manual_seed`).
    """
    if not 0 <= p <= 1:
        raise ArgumentError(f"dropout needs a probability between 0 and 1, not {p}.")
    if not training or p == 0:
        return x
    if not isinstance(x, Tensor):
        raise _no_tensor("dropout", x)
    if not x.is_floating_point():
        raise DtypeError(f"dropout scales what it keeps, so it takes floating point, not {x.dtype.name}.")
    g = streams.dropout_generator
    blocks = streams.blocks_for(x.numel(), x.dtype)
    mask = apply(
        REGISTRY["dropout_mask"], x, p=float(p), seed=g.seed, stream=g.stream, position=g.take(blocks)
    )
    return _placed(x, x * mask, inplace)


def layer_norm(
    x: Tensor,
    normalized_shape: Any,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Return (x − mean) / √(var + ε) · weight + bias over the last dimensions, whose sizes are
    `normalized_shape`.
    """
    if not isinstance(x, Tensor):
        raise _no_tensor("layer_norm", x)
    shape = tuple(normalized_shape) if isinstance(normalized_shape, (tuple, list)) else (normalized_shape,)
    if not shape or x.shape[-len(shape) :] != shape:
        raise ShapeError(f"layer_norm over {list(shape)} does not fit an input of shape {list(x.shape)}.")
    dims = tuple(range(x.ndim - len(shape), x.ndim))
    return _scaled(apply(REGISTRY["normalize"], x, dim=dims, eps=float(eps)), weight, bias)


def batch_norm(
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Return (x − mean) / √(var + ε) · weight + bias per channel (dimension 1).

    In training with the statistics of the batch, which move the running ones by `momentum` (the variance
    with N − 1); otherwise with the running ones. Raises `ShapeError` for a training batch of one value
    per channel.
    """
    dims = (0, *range(2, x.ndim))
    along = (1, -1) + (1,) * (x.ndim - 2)
    scale, shift = (None if t is None else t.reshape(along) for t in (weight, bias))
    if not training:
        if running_mean is None or running_var is None:
            raise ArgumentError("batch_norm without training needs running_mean and running_var.")
        deviation = (running_var.reshape(along) + eps).rsqrt()
        return _scaled((x - running_mean.reshape(along)) * deviation, scale, shift)
    n = x.numel() // x.shape[1] if x.shape[1] else 0
    if n <= 1:
        raise ShapeError(
            f"batch norm in training needs more than one value per channel, not shape {list(x.shape)}. "
            f"Use a larger batch (drop_last=True), or .eval()."
        )
    if running_mean is not None and running_var is not None:
        with no_grad():
            batch = x.detach()
            running_mean.mul_(1 - momentum).add_(batch.mean(dims), alpha=momentum)
            running_var.mul_(1 - momentum).add_(batch.var(dims), alpha=momentum)
    return _scaled(apply(REGISTRY["normalize"], x, dim=dims, eps=float(eps)), scale, shift)


def _scaled(y: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


# ------------------------------------------------------------------------------------------ losses


def _check_pair(name: str, x: Tensor, target: Tensor, reduction: str) -> None:
    _check_tensors(name, x, target)
    if x._array.shape != target._array.shape:
        raise ShapeError(
            f"{name} compares shapes that are equal: input {list(x.shape)}, target {list(target.shape)}. "
            f"A silent broadcast would give a wrong loss; use .squeeze(), .unsqueeze() or .reshape() to make "
            f"them so."
        )
    _check_reduction(reduction)


def _check_tensors(name: str, x: Any, target: Any) -> None:
    for each, what in ((x, "input"), (target, "target")):
        if not isinstance(each, Tensor):
            raise DtypeError(
                f"{name} takes tensors; its {what} is {type(each).__name__}. Make a tensor of it with "
                f"stepgrad.tensor(…)."
            )


def _check_element_weight(name: str, what: str, weight: Tensor | None, x: Tensor) -> None:
    """Raise `ShapeError` for a weight per element that does not broadcast to the input as it is."""
    if weight is None or weight.shape == x.shape:
        return
    own = (1,) * (x.ndim - weight.ndim) + weight.shape
    if len(own) != x.ndim or any(n not in (1, m) for n, m in zip(own, x.shape)):
        raise ShapeError(
            f"{name} needs a {what} that broadcasts to the input {list(x.shape)}, not {list(weight.shape)}."
        )


def _check_reduction(reduction: str) -> None:
    if reduction not in ("mean", "sum", "none"):
        raise ArgumentError(f"reduction is 'mean', 'sum' or 'none', not {reduction!r}.")


def mse_loss(x: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Return (x − target)², reduced. Raises `ShapeError` if the shapes differ."""
    _check_pair("mse_loss", x, target, reduction)
    return apply(REGISTRY["mse_loss"], x, target, reduction=reduction)


def l1_loss(x: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Return |x − target|, reduced. Raises `ShapeError` if the shapes differ."""
    _check_pair("l1_loss", x, target, reduction)
    return apply(REGISTRY["l1_loss"], x, target, reduction=reduction)


def huber_loss(x: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0) -> Tensor:
    """Return ½ d² where |d| = |x − target| ≤ δ, else δ (|d| − ½ δ), reduced."""
    _check_pair("huber_loss", x, target, reduction)
    if not delta > 0:
        raise ArgumentError(f"huber_loss needs delta > 0, not {delta}.")
    return apply(REGISTRY["huber_loss"], x, target, reduction=reduction, delta=float(delta))


def smooth_l1_loss(x: Tensor, target: Tensor, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """Return ½ d² / β where |d| = |x − target| < β, else |d| − ½ β, reduced."""
    _check_pair("smooth_l1_loss", x, target, reduction)
    if beta < 0:
        raise ArgumentError(f"smooth_l1_loss needs beta >= 0, not {beta}.")
    return apply(REGISTRY["smooth_l1_loss"], x, target, reduction=reduction, beta=float(beta))


def binary_cross_entropy(
    x: Tensor, target: Tensor, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """Return −(t ln x + (1 − t) ln(1 − x)) for probabilities x, reduced; logarithms are kept above −100.

    Raises `ArgumentError` if an x or a target lies outside [0, 1] (a NaN goes through): for logits use
    `binary_cross_entropy_with_logits`.
    """
    _check_pair("binary_cross_entropy", x, target, reduction)
    _check_element_weight("binary_cross_entropy", "weight", weight, x)
    for each, what, way_out in (
        (x, "probabilities", " Use a sigmoid, or binary_cross_entropy_with_logits."),
        (target, "targets", ""),
    ):
        a = each._array
        if a.size and not (a.min() >= 0 and a.max() <= 1) and (wrong := a[(a < 0) | (a > 1)]).size:
            raise ArgumentError(
                f"binary_cross_entropy takes {what} in [0, 1]; here is a {float(wrong[0]):g}.{way_out}"
            )
    return apply(REGISTRY["binary_cross_entropy"], x, target, weight, reduction=reduction)


def binary_cross_entropy_with_logits(
    x: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Return the binary cross entropy of σ(x) with the target, computed from the logit x without
    overflow, reduced.
    """
    _check_pair("binary_cross_entropy_with_logits", x, target, reduction)
    _check_element_weight("binary_cross_entropy_with_logits", "weight", weight, x)
    _check_element_weight("binary_cross_entropy_with_logits", "pos_weight", pos_weight, x)
    record = REGISTRY["binary_cross_entropy_with_logits"]
    return apply(record, x, target, weight, pos_weight, reduction=reduction)


def nll_loss(
    x: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Return −x[target] for log-probabilities x (N, C, …) or (C) and classes (N, …) or (), reduced.

    The mean is weighted: Σ w (−x[target]) / Σ w, w the `weight` (C) of the target's class. Targets that equal
    `ignore_index` count for nothing.
    """
    x, target, shape = _rows(x, target, weight, ignore_index, reduction, "nll_loss")
    y = apply(REGISTRY["nll_loss"], x, target, weight, ignore_index=ignore_index, reduction=reduction)
    return y.reshape(shape) if reduction == "none" else y


def cross_entropy(
    x: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Return the cross entropy of softmax(x) with the target, reduced.

    `x`: logits (N, C), (N, C, d…) or (C). `target`: classes (integers, x's shape without C), or
    probabilities (x's shape). `weight`: (C), a weight per class. Raises `ShapeError`, `DtypeError` or
    `ArgumentError`, and `IndexShapeError` for a class that is not there.
    """
    _check_tensors("cross_entropy", x, target)
    if not 0 <= label_smoothing <= 1:
        raise ArgumentError(f"label_smoothing lies between 0 and 1, not {label_smoothing}.")
    smoothing = float(label_smoothing)
    if target.is_floating_point():
        return _cross_entropy_probabilities(x, target, weight, reduction, smoothing)
    x, target, shape = _rows(x, target, weight, ignore_index, reduction, "cross_entropy")
    y = apply(
        REGISTRY["cross_entropy"], x, target, weight,
        ignore_index=ignore_index, reduction=reduction, label_smoothing=smoothing,
    )  # fmt: skip
    return y.reshape(shape) if reduction == "none" else y


def _cross_entropy_probabilities(
    x: Tensor, target: Tensor, weight: Tensor | None, reduction: str, smoothing: float
) -> Tensor:
    if x.shape != target.shape or not x.ndim:
        raise ShapeError(
            f"cross_entropy takes classes as integers, or probabilities in the shape of the input "
            f"{list(x.shape)}; this target is {target.dtype.name}{list(target.shape)}. If it holds classes, "
            f"convert it with .long()."
        )
    _check_reduction(reduction)
    _check_class_weight("cross_entropy", weight, x.shape[min(1, x.ndim - 1)])
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
    _check_reduction(reduction)
    _check_tensors(name, x, target)
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
    _check_class_weight(name, weight, classes)
    a = target._array
    wrong = a[((a < 0) | (a >= classes)) & (a != ignore_index)]
    if wrong.size:
        raise IndexShapeError(
            f"{name} has {classes} classes, numbered from 0; the target contains {int(wrong[0])}."
        )
    return _class_last(x), target.reshape(-1), shape


def _check_class_weight(name: str, weight: Tensor | None, classes: int) -> None:
    if weight is not None and weight.shape != (classes,):
        raise ShapeError(f"{name} needs a weight per class, ({classes},), not {list(weight.shape)}.")


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
