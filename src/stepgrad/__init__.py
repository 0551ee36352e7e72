"""stepgrad: neural networks that show every step, and train as native code.

>>> import stepgrad as sg
>>> w = sg.tensor([2.0, 3.0], requires_grad=True)
>>> (w * w).sum().backward()
>>> w.grad
tensor([4., 6.])
"""

from __future__ import annotations

from typing import Any

from stepgrad import autograd, nn, optim, ops
from stepgrad.arrays.devices import device
from stepgrad.arrays.dtypes import (
    bool_ as bool,  # noqa: A004 - PyTorch's name
)
from stepgrad.arrays.dtypes import (
    dtype,
    float16,
    float32,
    float64,
    get_default_dtype,
    int8,
    int16,
    int32,
    int64,
    promote_types,
    set_default_dtype,
    uint8,
)
from stepgrad.arrays.random import Generator, get_rng_state, initial_seed, manual_seed, set_rng_state
from stepgrad.autograd import enable_grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled
from stepgrad.creation import (
    arange,
    as_tensor,
    bernoulli,
    cat,
    concat,
    concatenate,
    empty,
    empty_like,
    eye,
    from_numpy,
    full,
    full_like,
    linspace,
    multinomial,
    normal,
    ones,
    ones_like,
    rand,
    rand_like,
    randint,
    randn,
    randn_like,
    randperm,
    stack,
    tensor,
    where,
    zeros,
    zeros_like,
)
from stepgrad.errors import StepgradError, suggest
from stepgrad.functions import METHODS, graph, is_floating_point, is_tensor, result_type
from stepgrad.tensor import Tensor
from stepgrad.version import __version__



# Imported when first used, so that ``import stepgrad`` stays light.
_LAZY = {
    "data": "stepgrad.data",
    "files": "stepgrad.files",
    "train": "stepgrad.train",
    "utils": "stepgrad.utils",
    "sklearn": "stepgrad.sklearn",
}
_LAZY_NAMES = {
    "save": "stepgrad.files",
    "load": "stepgrad.files",
    "Trainer": "stepgrad.train",
    "compile": "stepgrad.compile",
    "get_num_threads": "stepgrad.compile.threads",
    "set_num_threads": "stepgrad.compile.threads",
}

for _name in METHODS:
    globals()[_name] = getattr(Tensor, _name)
del _name

float, double, half, long, int, short = float32, float64, float16, int64, int32, int16  # noqa: A001 - PyTorch's names


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _LAZY:
        return import_module(_LAZY[name])
    if name in _LAZY_NAMES:
        return getattr(import_module(_LAZY_NAMES[name]), name)
    raise AttributeError(f"stepgrad has no {name!r}.{suggest(name, [*globals(), *_LAZY, *_LAZY_NAMES])}")
