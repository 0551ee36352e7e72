"""stepgrad: neural networks that show every step, and train as native code.

>>> import stepgrad as sg
>>> w = sg.tensor([2.0, 3.0], requires_grad=True)
>>> (w * w).sum().backward()
>>> w.grad
tensor([4., 6.])
"""

from __future__ import annotations

from math import e as e
from math import inf as inf
from math import nan as nan
from math import pi as pi
from typing import TYPE_CHECKING, Any

from stepgrad import autograd as autograd
from stepgrad import keywords as _keywords
from stepgrad import linalg as linalg
from stepgrad import names as _names
from stepgrad import ops as ops
from stepgrad import random as random
from stepgrad import version as _version
from stepgrad.arrays.devices import device as device
from stepgrad.arrays.devices import get_default_device as get_default_device
from stepgrad.arrays.devices import set_default_device as set_default_device
from stepgrad.arrays.dtypes import bfloat16 as bfloat16
from stepgrad.arrays.dtypes import bool_ as bool  # noqa: F401 - a public name
from stepgrad.arrays.dtypes import can_cast as can_cast
from stepgrad.arrays.dtypes import channels_last as channels_last
from stepgrad.arrays.dtypes import channels_last_3d as channels_last_3d
from stepgrad.arrays.dtypes import contiguous_format as contiguous_format
from stepgrad.arrays.dtypes import dtype as dtype
from stepgrad.arrays.dtypes import finfo as finfo
from stepgrad.arrays.dtypes import float16 as float16
from stepgrad.arrays.dtypes import float32 as float32
from stepgrad.arrays.dtypes import float64 as float64
from stepgrad.arrays.dtypes import get_default_dtype as get_default_dtype
from stepgrad.arrays.dtypes import iinfo as iinfo
from stepgrad.arrays.dtypes import int8 as int8
from stepgrad.arrays.dtypes import int16 as int16
from stepgrad.arrays.dtypes import int32 as int32
from stepgrad.arrays.dtypes import int64 as int64
from stepgrad.arrays.dtypes import layout as layout
from stepgrad.arrays.dtypes import memory_format as memory_format
from stepgrad.arrays.dtypes import preserve_format as preserve_format
from stepgrad.arrays.dtypes import promote_types as promote_types
from stepgrad.arrays.dtypes import set_default_dtype as set_default_dtype
from stepgrad.arrays.dtypes import strided as strided
from stepgrad.arrays.dtypes import uint8 as uint8
from stepgrad.arrays.random import Generator as Generator
from stepgrad.arrays.random import default_generator as default_generator
from stepgrad.arrays.random import get_rng_state as get_rng_state
from stepgrad.arrays.random import initial_seed as initial_seed
from stepgrad.arrays.random import manual_seed as manual_seed
from stepgrad.arrays.random import set_rng_state as set_rng_state
from stepgrad.autograd import enable_grad as enable_grad
from stepgrad.autograd import inference_mode as inference_mode
from stepgrad.autograd import is_grad_enabled as is_grad_enabled
from stepgrad.autograd import no_grad as no_grad
from stepgrad.autograd import set_grad_enabled as set_grad_enabled
from stepgrad.errors import StepgradError as StepgradError
from stepgrad.functions import copies as _copies
from stepgrad.functions import creation as _creation
from stepgrad.functions import joining as _joining
from stepgrad.functions import methods as _methods
from stepgrad.functions import numerical as _numerical
from stepgrad.functions import products as _products
from stepgrad.functions import sampling as _sampling
from stepgrad.functions.copies import *  # noqa: F403 - its __all__ is meant
from stepgrad.functions.creation import *  # noqa: F403 - its __all__ is meant
from stepgrad.functions.joining import *  # noqa: F403 - its __all__ is meant
from stepgrad.functions.methods import *  # noqa: F403 - its __all__ is meant
from stepgrad.functions.numerical import *  # noqa: F403 - its __all__ is meant
from stepgrad.functions.products import *  # noqa: F403 - its __all__ is meant
from stepgrad.functions.sampling import *  # noqa: F403 - its __all__ is meant
from stepgrad.functions.typed import *  # noqa: F403 - its __all__ is meant
from stepgrad.functions.windows import *  # noqa: F403 - its __all__ is meant
from stepgrad.linalg import lu_unpack as lu_unpack
from stepgrad.methods.base import Size as Size
from stepgrad.methods.text import set_printoptions as set_printoptions
from stepgrad.names import as_torch as as_torch
from stepgrad.random import seed as seed
from stepgrad.settings import *  # noqa: F403 - its __all__ is meant
from stepgrad.tensor import Tensor as Tensor
from stepgrad.version import __version__ as __version__

if TYPE_CHECKING:
    from stepgrad import accelerator as accelerator
    from stepgrad import amp as amp
    from stepgrad import backends as backends
    from stepgrad import cuda as cuda
    from stepgrad import data as data
    from stepgrad import distributed as distributed
    from stepgrad import distributions as distributions
    from stepgrad import files as files
    from stepgrad import func as func
    from stepgrad import masked as masked
    from stepgrad import nn as nn
    from stepgrad import onnx as onnx
    from stepgrad import optim as optim
    from stepgrad import plot as plot
    from stepgrad import sklearn as sklearn
    from stepgrad import special as special
    from stepgrad import statistics as statistics
    from stepgrad import testing as testing
    from stepgrad import train as train
    from stepgrad import utils as utils
    from stepgrad.amp import GradScaler as GradScaler
    from stepgrad.amp import autocast as autocast
    from stepgrad.amp import is_autocast_enabled as is_autocast_enabled
    from stepgrad.compile import compile as compile
    from stepgrad.compile.denormal import set_flush_denormal as set_flush_denormal
    from stepgrad.compile.threads import get_num_threads as get_num_threads
    from stepgrad.compile.threads import set_num_threads as set_num_threads
    from stepgrad.explain import explain as explain
    from stepgrad.files import load as load
    from stepgrad.files import save as save
    from stepgrad.func import vmap as vmap
    from stepgrad.train import Trainer as Trainer
    from stepgrad.train.health import health as health
    from stepgrad.train.health import sensitivity as sensitivity

newaxis = None
float, double, half, long, int, short = float32, float64, float16, int64, int32, int16
_names.install()
_version.__getattr__ = _names.teller("stepgrad.version", vars(_version))  # type: ignore[method-assign]
for _family in (_copies, _creation, _joining, _methods, _numerical, _products, _sampling):
    _keywords.name_functions(globals(), _family.__all__)

# Imported when first used, so that ``import stepgrad`` stays light.
_MODULES = (
    "accelerator",
    "amp",
    "backends",
    "cuda",
    "data",
    "distributed",
    "distributions",
    "files",
    "func",
    "masked",
    "nn",
    "onnx",
    "optim",
    "plot",
    "sklearn",
    "special",
    "statistics",
    "testing",
    "train",
    "utils",
)
_NAMES = {
    "save": "stepgrad.files",
    "load": "stepgrad.files",
    "Trainer": "stepgrad.train",
    "autocast": "stepgrad.amp",
    "GradScaler": "stepgrad.amp",
    "is_autocast_enabled": "stepgrad.amp",
    "explain": "stepgrad.explain",
    "vmap": "stepgrad.func",
    "health": "stepgrad.train.health",
    "sensitivity": "stepgrad.train.health",
    "compile": "stepgrad.compile",
    "get_num_threads": "stepgrad.compile.threads",
    "set_flush_denormal": "stepgrad.compile.denormal",
    "set_num_threads": "stepgrad.compile.threads",
}
# Functions of nn.functional that PyTorch has here as well, with the same arguments.
_FUNCTIONAL = """
    adaptive_avg_pool1d adaptive_max_pool1d alpha_dropout avg_pool1d bilinear celu celu_ channel_shuffle
    conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d cosine_similarity dropout
    feature_alpha_dropout group_norm hardshrink layer_norm max_pool1d max_pool2d max_pool3d pairwise_distance
    pdist pixel_shuffle pixel_unshuffle prelu rms_norm rrelu rrelu_ selu selu_ threshold threshold_
"""
_NAMES |= dict.fromkeys(_FUNCTIONAL.split(), "stepgrad.nn.functional")
# Where else a name is looked for, to say where it is.
_ELSEWHERE = ("stepgrad.nn.functional", "stepgrad.linalg", "stepgrad.special", "stepgrad.nn")
# ``stepgrad.relu_(x)`` is ``x.relu_()``.
_IN_PLACE = {name for name in dir(Tensor) if name[:1] != "_" and name[-1:] == "_"} - set(_NAMES)


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _MODULES:
        return import_module(f"stepgrad.{name}")
    if name in _NAMES:
        globals()[name] = getattr(import_module(_NAMES[name]), name)
        if name in ("save", "load") or _NAMES[name] == "stepgrad.nn.functional":
            _keywords.name_functions(globals(), [name], has_out=False)
        return globals()[name]
    if name in _IN_PLACE:
        return getattr(Tensor, name)
    raise _names.missing("stepgrad", name, __dir__(), elsewhere=_ELSEWHERE)


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES, *_NAMES, *_IN_PLACE])
