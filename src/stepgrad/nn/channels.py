"""Layers of channels: dropout of whole ones, their normalisation in each image."""

from __future__ import annotations

from typing import Any

from stepgrad.errors import ArgumentError, ShapeError
from stepgrad.functions.creation import ones, zeros
from stepgrad.nn import functional as F
from stepgrad.nn import init
from stepgrad.nn.module import Module
from stepgrad.nn.normalization import BatchNorm, Dropout
from stepgrad.nn.parameter import Parameter
from stepgrad.tensor import Tensor


class Dropout1d(Dropout):
    """In training, sets whole channels of (N, C, L) to 0 with probability `p` (Tompson and others, 2015).

    >>> import stepgrad as sg
    >>> y = sg.nn.Dropout1d()(sg.ones(1, 100, 3))
    >>> set(y.mean(2)[0].tolist())  # channels are kept as a whole, or not
    {0.0, 2.0}
    """

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, L) or (C, L) → the same shape."""
        return F.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(Dropout):
    """In training, sets whole channels of (N, C, H, W) to 0 with probability `p` (Tompson and others,
    2015).

    >>> import stepgrad as sg
    >>> y = sg.nn.Dropout2d()(sg.ones(1, 100, 4, 4))
    >>> set(y.mean((2, 3))[0].tolist())  # channels are kept as a whole, or not
    {0.0, 2.0}
    """

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) → the same shape."""
        return F.dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(Dropout):
    """In training, sets whole channels of (N, C, D, H, W) to 0 with probability `p`.

    >>> import stepgrad as sg
    >>> y = sg.nn.Dropout3d()(sg.ones(1, 100, 2, 2, 2))
    >>> set(y.mean((2, 3, 4))[0].tolist())  # channels are kept as a whole, or not
    {0.0, 2.0}
    """

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, D, H, W) or (C, D, H, W) → the same shape."""
        return F.dropout3d(input, self.p, self.training, self.inplace)


class _InstanceNorm(BatchNorm):
    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = False,
        track_running_stats: bool = False, device: Any = None, dtype: Any = None, *, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, …) or (C, …) → the same shape. Raises `ShapeError` for other shapes."""
        (dims,) = self._dimensions
        if input.ndim not in (dims, dims - 1) or (self.affine and input.shape[1 - dims] != self.num_features):
            raise ShapeError(
                f"{self._get_name()} of {self.num_features} channels takes {self._shapes}, with N or "
                f"without, not {list(input.shape)}."
            )
        if input.ndim == dims - 1:
            return self.forward(input.unsqueeze(0)).squeeze(0)
        use_input = self.training or not self.track_running_stats
        mean, variance = self.running_mean, self.running_var
        momentum = 0.0 if self.momentum is None else self.momentum
        return F.instance_norm(input, mean, variance, self.weight, self.bias, use_input, momentum, self.eps)


class InstanceNorm1d(_InstanceNorm):
    """Normalises each channel of each sequence (N, C, L) by its own mean and variance.

    Ulyanov, Vedaldi and Lempitsky, 2016. With `track_running_stats` in evaluation by running ones, as batch
    normalisation does.

    >>> import stepgrad as sg
    >>> sg.nn.InstanceNorm1d(1)(sg.tensor([[[1.0, 3.0]]]))
    tensor([[[-1.0000,  1.0000]]])
    """

    _dimensions, _shapes = (3,), "(N, C, L)"


class InstanceNorm2d(_InstanceNorm):
    """Normalises each channel of each image (N, C, H, W) by its own mean and variance; see `InstanceNorm1d`.

    >>> import stepgrad as sg
    >>> sg.nn.InstanceNorm2d(3)(sg.rand(2, 3, 4, 4)).mean((2, 3)).abs().max() < 1e-5
    tensor(True)
    """

    _dimensions, _shapes = (4,), "(N, C, H, W)"


class InstanceNorm3d(_InstanceNorm):
    """Normalises each channel of each volume (N, C, D, H, W) by its own mean and variance; see
    `InstanceNorm1d`.

    >>> import stepgrad as sg
    >>> sg.nn.InstanceNorm3d(2)(sg.zeros(1, 2, 3, 4, 5)).shape
    (1, 2, 3, 4, 5)
    """

    _dimensions, _shapes = (5,), "(N, C, D, H, W)"


class GroupNorm(Module):
    """Normalises groups of channels of each image (N, C, …) by their mean and variance (Wu and He, 2018).

    `weight` and `bias` (C) with `affine`; no `bias` with ``bias=False``.

    >>> import stepgrad as sg
    >>> sg.nn.GroupNorm(2, 6)
    GroupNorm(2, 6, eps=1e-05, affine=True, bias=True)
    """

    def __init__(
        self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True, device: Any = None,
        dtype: Any = None, *, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        if num_groups < 1 or num_channels % num_groups:
            raise ArgumentError(
                f"GroupNorm needs channels in equal groups, not {num_channels} channels in {num_groups} "
                "groups."
            )
        place = {"device": device, "dtype": dtype}
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine
        self.register_parameter("weight", Parameter(ones(num_channels, **place)) if affine else None)
        self.register_parameter("bias", Parameter(zeros(num_channels, **place)) if affine and bias else None)

    def reset_parameters(self) -> None:
        """Set the weight to 1 and the bias to 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, …) → the same shape."""
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


__all__ = [
    "Dropout1d", "Dropout2d", "Dropout3d", "GroupNorm", "InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d",
]  # fmt: skip
