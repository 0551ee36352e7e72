"""Dropout that keeps mean and variance of what a SELU gives (Klambauer, Unterthiner and others, 2017)."""

from __future__ import annotations

import math

from stepgrad.errors import ArgumentError, DtypeError, ShapeError
from stepgrad.functions.creation import ones
from stepgrad.nn.functional.checks import placed
from stepgrad.nn.functional.dropouts import dropout
from stepgrad.ops.activations import SELU_ALPHA, SELU_SCALE
from stepgrad.tensor import Tensor


def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Return x with elements set, with probability p, to what SELU gives for −∞, all scaled and shifted so
    that mean 0 and variance 1 stay; x itself if not `training`.

    >>> import stepgrad as sg
    >>> seed = sg.manual_seed(0)
    >>> x = sg.randn(100_000)
    >>> y = alpha_dropout(x, 0.5, training=True)
    >>> round(y.mean().item(), 1), round(y.std().item(), 1)
    (0.0, 1.0)
    """
    return _dropped("alpha_dropout", input, input.shape, p, training, inplace)


def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Do as `alpha_dropout` with whole channels of (N, C, …); of any shape if not `training`.

    >>> import stepgrad as sg
    >>> feature_alpha_dropout(sg.ones(1, 2, 2))
    tensor([[[1., 1.],
             [1., 1.]]])
    """
    if input.ndim < 2 and training and p:
        raise ShapeError(f"feature_alpha_dropout takes (N, C, …), not shape {list(input.shape)}.")
    shape = input.shape[:2] + (1,) * (input.ndim - 2)
    return _dropped("feature_alpha_dropout", input, shape, p, training, inplace)


def _dropped(name: str, x: Tensor, shape: tuple[int, ...], p: float, training: bool, inplace: bool) -> Tensor:
    if not 0 <= p <= 1:
        raise ArgumentError(f"{name} needs a probability between 0 and 1, not {p}.")
    if not x.is_floating_point():
        raise DtypeError(f"{name} scales what it keeps, so it takes floating point, not {x.dtype.name}.")
    if not training or p == 0:
        return x
    if p == 1:
        return placed(x, x * 0, inplace)
    lowest = -SELU_ALPHA * SELU_SCALE
    scale = 1 / math.sqrt((1 - p) * (1 + p * lowest**2))
    kept = dropout(ones(*shape, dtype=x.dtype, device=x.device), p) * (1 - p)
    return placed(x, (x * kept + lowest * (1 - kept)) * scale - scale * lowest * p, inplace)


__all__ = ["alpha_dropout", "feature_alpha_dropout"]
