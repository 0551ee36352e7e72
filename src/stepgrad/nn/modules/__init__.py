"""The names of `stepgrad.nn` in the places of PyTorch's files: ``nn.modules.loss``, ``nn.modules.conv``, ….

Each of PyTorch's files stands for all of them: every layer is found under the name of each, and so are the
bases of layers, by PyTorch's names, for ``isinstance(layer, nn.modules.batchnorm._BatchNorm)``.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from stepgrad.nn.convolution import _Convolution as _ConvNd
from stepgrad.nn.loss import _Loss
from stepgrad.nn.modules import utils as utils
from stepgrad.nn.normalization import BatchNorm as _NormBase
from stepgrad.nn.normalization import _BatchNorm

_BASES = {
    "_BatchNorm": _BatchNorm,
    "_ConvNd": _ConvNd,
    "_Loss": _Loss,
    "_NormBase": _NormBase,
    "_WeightedLoss": _Loss,
}
_FILES = (
    "activation", "adaptive", "batchnorm", "channelshuffle", "container", "conv", "distance", "dropout",
    "flatten", "fold", "instancenorm", "lazy", "linear", "loss", "module", "normalization", "padding",
    "pixelshuffle", "pooling", "rnn", "sparse", "transformer", "upsampling",
)  # fmt: skip

for _file in _FILES:
    sys.modules[f"{__name__}.{_file}"] = globals()[_file] = sys.modules[__name__]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        return _BASES[name] if name in _BASES else getattr(sys.modules["stepgrad.nn"], name)
