"""Normalisation."""

from __future__ import annotations

from typing import Any

import numpy

from stepgrad.autograd.engine import apply
from stepgrad.autograd.modes import no_grad
from stepgrad.errors import ArgumentError, ShapeError
from stepgrad.nn.functional.checks import no_tensor
from stepgrad.ops.registry import REGISTRY
from stepgrad.tensor import Tensor


def layer_norm(
    input: Tensor,
    normalized_shape: Any,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Return (x − mean) / √(var + ε) · weight + bias over the last dimensions, whose sizes are
    `normalized_shape`.

    >>> import stepgrad as sg
    >>> layer_norm(sg.tensor([[1.0, 2.0, 3.0]]), (3,))
    tensor([[-1.2247,  0.0000,  1.2247]])
    """
    if not isinstance(input, Tensor):
        raise no_tensor("layer_norm", input)
    shape = tuple(normalized_shape) if isinstance(normalized_shape, (tuple, list)) else (normalized_shape,)
    if not shape or input.shape[-len(shape) :] != shape:
        raise ShapeError(f"layer_norm over {list(shape)} does not fit an input of shape {list(input.shape)}.")
    dims = tuple(range(input.ndim - len(shape), input.ndim))
    return _scaled(apply(REGISTRY["normalize"], input, dim=dims, eps=float(eps)), weight, bias)


def rms_norm(
    input: Tensor, normalized_shape: Any, weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """Return x / √(mean(x²) + ε) · weight over the last dimensions, whose sizes are `normalized_shape`; ε is
    the spacing of numbers at 1 when it is not given (Zhang and Sennrich, 2019).

    >>> import stepgrad as sg
    >>> rms_norm(sg.tensor([3.0, 4.0]), (2,))
    tensor([0.8485, 1.1314])
    """
    shape = tuple(normalized_shape) if isinstance(normalized_shape, (tuple, list)) else (normalized_shape,)
    if not shape or input.shape[-len(shape) :] != shape:
        raise ShapeError(f"rms_norm over {list(shape)} does not fit an input of shape {list(input.shape)}.")
    dims = tuple(range(input.ndim - len(shape), input.ndim))
    small = float(numpy.finfo(input.dtype.numpy).eps) if eps is None else float(eps)
    return _scaled(apply(REGISTRY["rms_normalize"], input, dim=dims, eps=small), weight, None)


def batch_norm(
    input: Tensor,
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
    per channel, and for an input without channels. An empty one changes no statistics.

    >>> import stepgrad as sg
    >>> batch_norm(sg.tensor([[1.0], [3.0]]), None, None, training=True)
    tensor([[-1.0000],
            [ 1.0000]])
    """
    if input.ndim < 2:
        if input.numel():
            raise ShapeError(f"batch_norm takes (N, C, …), not shape {list(input.shape)}.")
        return input * 1
    dims = (0, *range(2, input.ndim))
    along = (1, -1) + (1,) * (input.ndim - 2)
    scale, shift = (None if t is None else t.reshape(along) for t in (weight, bias))
    if not training:
        if running_mean is None or running_var is None:
            raise ArgumentError("batch_norm without training needs running_mean and running_var.")
        deviation = (running_var.reshape(along) + eps).rsqrt()
        return _scaled((input - running_mean.reshape(along)) * deviation, scale, shift)
    n = input.numel() // input.shape[1] if input.shape[1] else 0
    if n == 1:
        raise ShapeError(
            f"batch norm in training needs more than one value per channel, not shape {list(input.shape)}. "
            f"Use a larger batch (drop_last=True), or .eval()."
        )
    if n and running_mean is not None and running_var is not None:
        with no_grad():
            batch = input.detach()
            running_mean.mul_(1 - momentum).add_(batch.mean(dims), alpha=momentum)
            running_var.mul_(1 - momentum).add_(batch.var(dims), alpha=momentum)
    return _scaled(apply(REGISTRY["normalize"], input, dim=dims, eps=float(eps)), scale, shift)


def _scaled(y: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


__all__ = ["batch_norm", "layer_norm", "rms_norm"]
