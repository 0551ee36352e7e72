"""Dropout, batch normalisation, layer normalisation."""

from __future__ import annotations

from typing import Any

from stepgrad.arrays import dtypes
from stepgrad.errors import ArgumentError, ShapeError
from stepgrad.functions.creation import ones, zeros
from stepgrad.nn import functional as F
from stepgrad.nn import init
from stepgrad.nn.module import Module
from stepgrad.nn.parameter import Parameter
from stepgrad.tensor import Tensor


def _reset(module: Module) -> None:
    """Set the weight of a module to 1 and its bias to 0, where it has them."""
    for fill, parameter in ((init.ones_, module.weight), (init.zeros_, module.bias)):
        if parameter is not None:
            fill(parameter)


class Dropout(Module):
    """In training, sets each element to 0 with probability `p` and divides the others by 1 − p (Srivastava
    and others, 2014); in evaluation (``eval()``) returns the input.

    The random numbers follow `stepgrad.manual_seed`. Raises `ArgumentError` for a `p` outside of [0, 1].

    >>> import stepgrad as sg
    >>> dropout = sg.nn.Dropout(0.5)
    >>> set(dropout(sg.ones(1000)).tolist())
    {0.0, 2.0}
    >>> dropout.eval()(sg.ones(3))
    tensor([1., 1., 1.])
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ArgumentError(f"Dropout needs a probability between 0 and 1, not {p}.")
        self.p, self.inplace = p, inplace

    def forward(self, input: Tensor) -> Tensor:
        """Any shape → the same shape."""
        return F.dropout(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class BatchNorm(Module):
    """What the batch normalisations have in common; they differ in the shapes that they take."""

    _dimensions: tuple[int, ...]
    _shapes: str

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

    def reset_running_stats(self) -> None:
        """Set the running mean to 0, the running variance to 1, the number of batches to 0."""
        if self.running_mean is not None:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        if self.num_batches_tracked is not None:
            # States of before PyTorch 0.4.1, and those that people put together, do not count batches.
            state_dict.setdefault(f"{prefix}num_batches_tracked", self.num_batches_tracked)
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def reset_parameters(self) -> None:
        """Set the weight to 1, the bias to 0, and the running statistics back."""
        self.reset_running_stats()
        _reset(self)

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, …) → the same shape. Raises `ShapeError` for other shapes."""
        if input.ndim not in self._dimensions or input.shape[1] != self.num_features:
            raise ShapeError(
                f"{self._get_name()} of {self.num_features} channels takes {self._shapes}, not "
                f"{list(input.shape)}."
            )
        mean, variance = self.running_mean, self.running_var
        use_batch = self.training or mean is None
        moves = self.training and self.track_running_stats and mean is not None
        if use_batch and not moves:
            mean = variance = None
        momentum = self.momentum
        if momentum is None:
            momentum = 1.0 / (self.num_batches_tracked.item() + 1) if moves else 0.0
        y = F.batch_norm(input, mean, variance, self.weight, self.bias, use_batch, momentum, self.eps)
        if moves:
            self.num_batches_tracked.add_(1)
        return y

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class _BatchNorm(BatchNorm):
    """The base of batch norms, which instance norms do not have."""


class BatchNorm1d(_BatchNorm):
    """Normalises each channel of (N, C) or (N, C, L) by its mean and variance (Ioffe and Szegedy, 2015).

    In training by those of the batch, which also move `running_mean` and `running_var` by `momentum`
    (None: their average over all batches); in evaluation by the running ones. `weight` and `bias` (C)
    with `affine`; no `bias` with ``bias=False``.

    >>> import stepgrad as sg
    >>> norm = sg.nn.BatchNorm1d(1)
    >>> norm(sg.tensor([[1.0], [3.0]]))
    tensor([[-1.0000],
            [ 1.0000]], grad_fn=<add>)
    >>> norm.running_mean  # 0.9 · 0 + 0.1 · 2
    tensor([0.2000])
    """

    _dimensions, _shapes = (2, 3), "(N, C) or (N, C, L)"


class BatchNorm2d(_BatchNorm):
    """Normalises each channel of (N, C, H, W) by its mean and variance; arguments as for `BatchNorm1d`.

    >>> import stepgrad as sg
    >>> sg.nn.BatchNorm2d(3)(sg.rand(2, 3, 4, 4)).mean((0, 2, 3)).abs().max() < 1e-5
    tensor(True)
    """

    _dimensions, _shapes = (4,), "(N, C, H, W)"


class BatchNorm3d(_BatchNorm):
    """Normalises each channel of (N, C, D, H, W) by its mean and variance; arguments as for `BatchNorm1d`.

    >>> import stepgrad as sg
    >>> sg.nn.BatchNorm3d(3)(sg.rand(2, 3, 4, 4, 4)).shape
    (2, 3, 4, 4, 4)
    """

    _dimensions, _shapes = (5,), "(N, C, D, H, W)"


class LayerNorm(Module):
    """(x − mean) / √(variance + eps) over the last dimensions, whose sizes are `normalized_shape`, of each
    row by itself (Ba, Kiros and Hinton, 2016).

    Then times `weight` plus `bias` (both `normalized_shape`; none without `elementwise_affine`, no `bias`
    with ``bias=False``). Raises `ShapeError` if the last sizes are others.

    >>> import stepgrad as sg
    >>> sg.nn.LayerNorm(3)(sg.tensor([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]]))
    tensor([[-1.2247,  0.0000,  1.2247],
            [-1.2247,  0.0000,  1.2247]], grad_fn=<add>)
    """

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

    def reset_parameters(self) -> None:
        """Set the weight to 1 and the bias to 0."""
        _reset(self)

    def forward(self, input: Tensor) -> Tensor:
        """(…, *normalized_shape) → the same shape."""
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )


class RMSNorm(Module):
    """Divides the last dimensions, whose sizes are `normalized_shape`, by the root of their mean square
    (Zhang and Sennrich, 2019).

    >>> import stepgrad as sg
    >>> sg.nn.RMSNorm(2)(sg.tensor([3.0, 4.0]))
    tensor([0.8485, 1.1314], grad_fn=<mul>)
    """

    def __init__(
        self,
        normalized_shape: Any,
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        shape = normalized_shape if isinstance(normalized_shape, (tuple, list)) else (normalized_shape,)
        self.normalized_shape, self.eps = tuple(shape), eps
        self.elementwise_affine = elementwise_affine
        weight = Parameter(ones(*shape, device=device, dtype=dtype)) if elementwise_affine else None
        self.register_parameter("weight", weight)

    def reset_parameters(self) -> None:
        """Set the weight to 1."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, input: Tensor) -> Tensor:
        """(…, *normalized_shape) → the same shape."""
        return F.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


__all__ = ["BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "Dropout", "LayerNorm", "RMSNorm"]
