"""What slides, pads and resizes, as PyTorch's databases name it."""

from collections.abc import Callable
from typing import Any

from stepgrad.nn import functional as F

NAMES = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d",
    "adaptive_max_pool2d", "adaptive_max_pool3d", "avg_pool1d", "avg_pool2d", "avg_pool3d",
    "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "conv1d", "conv2d", "conv3d", "group_norm",
    "instance_norm", "local_response_norm", "unfold", "max_pool1d", "max_pool2d", "max_pool3d",
    "max_unpool1d", "max_unpool2d", "max_unpool3d", "grid_sample",
    "pixel_shuffle", "pixel_unshuffle", "channel_shuffle",
]  # fmt: skip
SPATIAL: dict[tuple[str, str], Callable[..., Any]] = {
    (f"nn.functional.{name}", ""): getattr(F, name) for name in NAMES
}
SPATIAL |= {
    ("nn.functional.pad", variant): F.pad
    for variant in ("constant", "reflect", "replicate", "replicate_negative", "circular")
}
SPATIAL |= {
    ("nn.functional.interpolate", mode): F.interpolate
    for mode in ("nearest", "nearest-exact", "linear", "bilinear", "bicubic", "trilinear", "area")
}
SPATIAL |= {(f"nn.functional.max_unpool{d}d", "grad"): getattr(F, f"max_unpool{d}d") for d in (1, 2, 3)}
SPATIAL |= {
    ("unfold", ""): lambda x, *args: x.unfold(*args),
    ("constant_pad_nd", ""): lambda x, pad, value=0.0: F.pad(x, pad, "constant", value),
    ("nn.functional.upsample_nearest", ""): lambda x, *args, **kwargs: F.upsample(x, *args, **kwargs),
    ("nn.functional.upsample_bilinear", ""): lambda x, *args, **kwargs: F.upsample(
        x, *args, mode="bilinear", align_corners=True, **kwargs
    ),
}
MISSING_SPATIAL: dict[tuple[str, str], dict[str, str]] = {}
NOT_COMPARED_SPATIAL = {
    "nn.functional.dropout2d": "random",
    "nn.functional.dropout3d": "random",
    "nn.functional.fractional_max_pool2d": "random; see test_spatial.py",
    "nn.functional.fractional_max_pool3d": "random; see test_spatial.py",
}
SPATIAL_MODULES = [
    f"{name}{d}d"
    for name in (
        "AdaptiveAvgPool", "AdaptiveMaxPool", "AvgPool", "Conv", "ConvTranspose", "InstanceNorm", "LPPool",
        "MaxPool", "ReflectionPad", "ReplicationPad", "ZeroPad", "CircularPad", "ConstantPad",
    )
    for d in (1, 2, 3)
] + ["BatchNorm2d", "BatchNorm3d", "FractionalMaxPool2d", "FractionalMaxPool3d", "GroupNorm",
"LocalResponseNorm"]  # fmt: skip
