"""Dropout, batch normalisation, layer normalisation."""

from __future__ import annotations

from typing import Any

from stepgrad.arrays import dtypes
from stepgrad.creation import ones, zeros
from stepgrad.errors import ArgumentError, ShapeError
from stepgrad.nn import functional as F
from stepgrad.nn.module import Module
from stepgrad.nn.parameter import Parameter
from stepgrad.tensor import Tensor


class Dropout(Module):
    """In training, sets elements to 0 with probability `p` and divides the others by 1 − p; else returns
    the input.
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ArgumentError(f"Dropout needs a probability between 0 and 1, not {p}.")
        self.p, self.inplace = p, inplace

    def forward(self, x: Tensor) -> Tensor:
        """Any shape → the same shape."""
        return F.dropout(x, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class BatchNorm1d(Module):
    """Normalises each channel of (N, C) or (N, C, L) by its mean and variance (Ioffe and Szegedy, 2015).

    In training by those of the batch, which also move `running_mean` and `running_var` by `momentum`
    (None: their average over all batches); in evaluation by the running ones. `weight` and `bias` (C)
    with `affine`; no `bias` with ``bias=False``.
    """

    _dimensions = (2, 3)

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        place = {"device": device, "dtype": dtype}
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        self.register_parameter("weight", Parameter(ones(num_features, **place)) if affine else None)
        self.register_parameter("bias", Parameter(zeros(num_features, **place)) if affine and bias else None)
        tracked = track_running_stats
        self.register_buffer("running_mean", zeros(num_features, **place) if tracked else None)
        self.register_buffer("running_var", ones(num_features, **place) if tracked else None)
        self.register_buffer(
            "num_batches_tracked", zeros((), dtype=dtypes.int64, device=device) if tracked else None
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C) or (N, C, L) → the same shape. Raises `ShapeError` for other shapes."""
        if x.ndim not in self._dimensions or x.shape[1] != self.num_features:
            raise ShapeError(
                f"{self._get_name()} of {self.num_features} channels takes (N, C) or (N, C, L), not {list(x.shape)}."
            )
        momentum = 0.0 if self.momentum is None else self.momentum
        if self.training and self.track_running_stats:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:
                momentum = 1.0 / self.num_batches_tracked.item()
        use_batch = self.training or self.running_mean is None
        running = (
            (self.running_mean, self.running_var)
            if self.track_running_stats or not use_batch
            else (None, None)
        )
        return F.batch_norm(x, *running, self.weight, self.bias, use_batch, momentum, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class LayerNorm(Module):
    """Normalises the last dimensions, whose sizes are `normalized_shape` (Ba, Kiros and Hinton, 2016)."""

    def __init__(
        self,
        normalized_shape: Any,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        shape = normalized_shape if isinstance(normalized_shape, (tuple, list)) else (normalized_shape,)
        place = {"device": device, "dtype": dtype}
        self.normalized_shape, self.eps = tuple(shape), eps
        self.elementwise_affine = elementwise_affine
        self.register_parameter("weight", Parameter(ones(*shape, **place)) if elementwise_affine else None)
        self.register_parameter(
            "bias", Parameter(zeros(*shape, **place)) if elementwise_affine and bias else None
        )

    def forward(self, x: Tensor) -> Tensor:
        """(…, *normalized_shape) → the same shape."""
        return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )
