"""Layers that slide, pad, resize or normalise images, each with a learned layer before it, and an input."""

from collections.abc import Callable
from typing import Any

import numpy

import stepgrad as sg
from stepgrad import nn
from stepgrad.tensor import Tensor


def images(*shape: int) -> Tensor:
    return sg.tensor(numpy.random.default_rng(0).normal(size=shape), dtype=sg.float64)


def after_convolution(dims: int, layer: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    """A convolution to 4 channels, then the layer."""
    return lambda: nn.Sequential(getattr(nn, f"Conv{dims}d")(2, 4, 3, padding=1), layer())


SHAPES = {1: (2, 2, 9), 2: (2, 2, 6, 8), 3: (2, 2, 4, 6, 4)}
KINDS: dict[str, Callable[[type], nn.Module]] = {
    "Conv": lambda kind: kind(4, 6, 3, stride=2, dilation=2, padding=2, groups=2),
    "ConvTranspose": lambda kind: kind(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2),
    "MaxPool": lambda kind: kind(3, stride=2, padding=1),
    "AvgPool": lambda kind: kind(3, stride=2, padding=1, ceil_mode=True),
    "LPPool": lambda kind: kind(2, 2),
    "AdaptiveAvgPool": lambda kind: kind(3),
    "AdaptiveMaxPool": lambda kind: kind(3),
    "ConstantPad": lambda kind: kind(1, 0.5),
    "ZeroPad": lambda kind: kind(1),
    "ReflectionPad": lambda kind: kind(1),
    "ReplicationPad": lambda kind: kind(2),
    "CircularPad": lambda kind: kind(1),
    "BatchNorm": lambda kind: kind(4),
    "InstanceNorm": lambda kind: kind(4, affine=True, track_running_stats=True),
    "Dropout": lambda kind: kind(),
}
LAYERS: dict[str, tuple[Callable[[], nn.Module], Callable[[], tuple[Any, ...]]]] = {}
for _name, _make in KINDS.items():
    for _dims, _shape in SHAPES.items():
        LAYERS[f"{_name}{_dims}d"] = (
            after_convolution(_dims, lambda make=_make, name=f"{_name}{_dims}d": make(getattr(nn, name))),
            lambda shape=_shape: (images(*shape),),
        )
OTHERS: dict[str, Callable[[], nn.Module]] = {
    "GroupNorm": lambda: nn.GroupNorm(2, 4),
    "LocalResponseNorm": lambda: nn.LocalResponseNorm(3),
    "FractionalMaxPool2d": lambda: nn.FractionalMaxPool2d(2, output_ratio=0.6),
    "Upsample": lambda: nn.Upsample(scale_factor=1.5, mode="bicubic"),
    "Upsample, nearest": lambda: nn.Upsample(size=(7, 5)),
    "UpsamplingNearest2d": lambda: nn.UpsamplingNearest2d(scale_factor=2),
    "UpsamplingBilinear2d": lambda: nn.UpsamplingBilinear2d(scale_factor=2),
    "PixelShuffle": lambda: nn.PixelShuffle(2),
    "PixelUnshuffle": lambda: nn.PixelUnshuffle(2),
    "ChannelShuffle": lambda: nn.ChannelShuffle(2),
    "Unfold": lambda: nn.Unfold(3, padding=1, stride=2),
    "Fold": lambda: nn.Sequential(nn.Unfold(2), nn.Fold((6, 8), 2)),
    "Conv2d, same": lambda: nn.Conv2d(4, 3, (2, 3), padding="same", padding_mode="reflect"),
    "Conv2d, depthwise": lambda: nn.Conv2d(4, 8, 3, groups=4),
    "Conv2d, pointwise": lambda: nn.Conv2d(4, 8, 1, bias=False),
    "FractionalMaxPool3d": lambda: nn.Sequential(
        nn.Unflatten(1, (2, 2)), nn.FractionalMaxPool3d(2, output_size=(1, 3, 4))
    ),
}
LAYERS |= {name: (after_convolution(2, make), lambda: (images(*SHAPES[2]),)) for name, make in OTHERS.items()}
