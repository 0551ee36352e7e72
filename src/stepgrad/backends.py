"""What PyTorch's users ask and set of the machinery below; here it is NumPy, native code and CuPy.

`mps.is_available()` is False: Apple's GPUs are not used. The switches of `cuda` and `cudnn` can be set and
change nothing: stepgrad's results are the same every time as they are.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

from stepgrad.arrays.devices import cuda_is_available
from stepgrad.names import teller

# So that ``import stepgrad.backends.cudnn`` finds what is made below.
__path__: list[str] = []


def _module(name: str, **switches: Any) -> Any:
    """Return a module of these names, which can be imported."""
    module = sys.modules[f"{__name__}.{name}"] = ModuleType(f"{__name__}.{name}")
    module.__dict__.update(switches)
    return module


def _switch(enabled: bool) -> None:
    """Take a switch that changes nothing."""


def _no(*_: Any) -> bool:
    return False


mps = _module("mps", is_available=_no, is_built=_no)
mkl = _module("mkl", is_available=_no)
mkldnn = _module("mkldnn", is_available=_no, enabled=False)
openmp = _module("openmp", is_available=_no)
cudnn = _module(
    "cudnn",
    enabled=False, benchmark=False, deterministic=True, allow_tf32=False, is_available=_no,
    version=lambda: None,
)  # fmt: skip
cuda = _module(
    "cuda",
    is_built=cuda_is_available,
    matmul=SimpleNamespace(
        allow_tf32=False,
        allow_fp16_reduced_precision_reduction=False,
        allow_bf16_reduced_precision_reduction=False,
    ),
    enable_flash_sdp=_switch, enable_mem_efficient_sdp=_switch, enable_math_sdp=_switch,
    enable_cudnn_sdp=_switch, flash_sdp_enabled=_no, mem_efficient_sdp_enabled=_no, cudnn_sdp_enabled=_no,
    math_sdp_enabled=lambda: True, is_flash_attention_available=_no,
    sdp_kernel=lambda *_, **__: nullcontext(),
)  # fmt: skip

if not TYPE_CHECKING:
    __getattr__ = teller(__name__, globals())
