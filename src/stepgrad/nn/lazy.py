"""Layers that take the number of their inputs from the first input that they get.

Until then their weights are empty; then they become the ordinary layer, in place, so that an optimizer made
before goes on with the same parameters.
"""

from __future__ import annotations

import inspect
from typing import Any

from stepgrad.autograd.engine import state
from stepgrad.errors import ArgumentError
from stepgrad.functions.creation import empty
from stepgrad.nn import init
from stepgrad.nn.convolution import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
)
from stepgrad.nn.linear import Linear
from stepgrad.nn.module import Module
from stepgrad.nn.normalization import BatchNorm1d, BatchNorm2d, BatchNorm3d
from stepgrad.tensor import Tensor


class LazyModule(Module):
    """What lazy layers have in common: the arguments of the layer that they become, without the first."""

    _whole: Any  # the class that it becomes
    _axis: int  # which dimension of the input its number of inputs is
    _counted: str  # how the layer calls that number

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        groups = inspect.signature(self._whole).bind(1, *args, **kwargs).arguments.get("groups", 1)
        with init.skipped():
            made = self._whole(groups, *args, **kwargs)
        own = {"_constructor": self._constructor, self._counted: 0}
        self.__dict__.update({**made.__dict__, **own})
        for x in [*self.parameters(), *self.buffers()]:
            if x.ndim:
                x.data = empty(0, dtype=x.dtype, device=x.device)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Become the ordinary layer for inputs such as the first argument, and compute its output."""
        self._begin(args[0])
        return self.forward(*args, **kwargs)  # now that of the ordinary layer

    def _begin(self, x: Tensor) -> None:
        if state.recorder is not None and state.recorder.values_hidden:
            raise ArgumentError(
                f"{self._get_name()} does not know its number of inputs yet. Call the model once before it "
                f"is compiled."
            )
        args, kwargs = self._constructor
        count = x.shape[self._axis]
        made = self._whole(count, *args, **kwargs)
        for table in ("_parameters", "_buffers"):
            for name, tensor in getattr(made, table).items():
                own = getattr(self, table)[name]
                if own is not None:
                    own.data = tensor.detach().to(device=own.device, dtype=own.dtype)
        setattr(self, self._counted, count)
        self.__class__ = self._whole
        self._constructor = ((count, *args), kwargs)


class LazyLinear(LazyModule, Linear):
    """A `Linear` whose in_features is the size of the last dimension of its first input.

    >>> import stepgrad as sg
    >>> layer = LazyLinear(3)
    >>> layer(sg.zeros(2, 5)).shape, layer
    ((2, 3), Linear(in_features=5, out_features=3, bias=True))
    """

    _whole, _axis, _counted = Linear, -1, "in_features"


class LazyConv1d(LazyModule, Conv1d):
    """A `Conv1d` whose in_channels is that of its first input.

    >>> import stepgrad as sg
    >>> layer = sg.nn.LazyConv1d(8, 3)
    >>> layer(sg.zeros(1, 2, 5)).shape, layer.in_channels
    ((1, 8, 3), 2)
    """

    _whole, _axis, _counted = Conv1d, -2, "in_channels"


class LazyConv2d(LazyModule, Conv2d):
    """A `Conv2d` whose in_channels is that of its first input.

    >>> import stepgrad as sg
    >>> layer = sg.nn.LazyConv2d(8, 3)
    >>> layer(sg.zeros(1, 2, 5, 5)).shape, layer.in_channels
    ((1, 8, 3, 3), 2)
    """

    _whole, _axis, _counted = Conv2d, -3, "in_channels"


class LazyConv3d(LazyModule, Conv3d):
    """A `Conv3d` whose in_channels is that of its first input.

    >>> import stepgrad as sg
    >>> layer = sg.nn.LazyConv3d(8, 3)
    >>> layer(sg.zeros(1, 2, 5, 5, 5)).shape, layer.in_channels
    ((1, 8, 3, 3, 3), 2)
    """

    _whole, _axis, _counted = Conv3d, -4, "in_channels"


class LazyConvTranspose1d(LazyModule, ConvTranspose1d):
    """A `ConvTranspose1d` whose in_channels is that of its first input.

    >>> import stepgrad as sg
    >>> layer = sg.nn.LazyConvTranspose1d(8, 3)
    >>> layer(sg.zeros(1, 2, 5)).shape, layer.in_channels
    ((1, 8, 7), 2)
    """

    _whole, _axis, _counted = ConvTranspose1d, -2, "in_channels"


class LazyConvTranspose2d(LazyModule, ConvTranspose2d):
    """A `ConvTranspose2d` whose in_channels is that of its first input.

    >>> import stepgrad as sg
    >>> layer = sg.nn.LazyConvTranspose2d(8, 3)
    >>> layer(sg.zeros(1, 2, 5, 5)).shape, layer.in_channels
    ((1, 8, 7, 7), 2)
    """

    _whole, _axis, _counted = ConvTranspose2d, -3, "in_channels"


class LazyConvTranspose3d(LazyModule, ConvTranspose3d):
    """A `ConvTranspose3d` whose in_channels is that of its first input.

    >>> import stepgrad as sg
    >>> layer = sg.nn.LazyConvTranspose3d(8, 3)
    >>> layer(sg.zeros(1, 2, 5, 5, 5)).shape, layer.in_channels
    ((1, 8, 7, 7, 7), 2)
    """

    _whole, _axis, _counted = ConvTranspose3d, -4, "in_channels"


class LazyBatchNorm1d(LazyModule, BatchNorm1d):
    """A `BatchNorm1d` whose num_features is the number of channels of its first input.

    >>> import stepgrad as sg
    >>> layer = sg.nn.LazyBatchNorm1d()
    >>> layer(sg.zeros(4, 2, 5)).shape, layer.num_features
    ((4, 2, 5), 2)
    """

    _whole, _axis, _counted = BatchNorm1d, 1, "num_features"


class LazyBatchNorm2d(LazyModule, BatchNorm2d):
    """A `BatchNorm2d` whose num_features is the number of channels of its first input.

    >>> import stepgrad as sg
    >>> layer = sg.nn.LazyBatchNorm2d()
    >>> layer(sg.zeros(4, 2, 5, 5)).shape, layer.num_features
    ((4, 2, 5, 5), 2)
    """

    _whole, _axis, _counted = BatchNorm2d, 1, "num_features"


class LazyBatchNorm3d(LazyModule, BatchNorm3d):
    """A `BatchNorm3d` whose num_features is the number of channels of its first input.

    >>> import stepgrad as sg
    >>> layer = sg.nn.LazyBatchNorm3d()
    >>> layer(sg.zeros(4, 2, 5, 5, 5)).shape, layer.num_features
    ((4, 2, 5, 5, 5), 2)
    """

    _whole, _axis, _counted = BatchNorm3d, 1, "num_features"


__all__ = [
    "LazyBatchNorm1d", "LazyBatchNorm2d", "LazyBatchNorm3d", "LazyConv1d", "LazyConv2d", "LazyConv3d",
    "LazyConvTranspose1d", "LazyConvTranspose2d", "LazyConvTranspose3d", "LazyLinear",
]  # fmt: skip
