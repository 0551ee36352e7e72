"""GPUs: whether there is one, as `torch.cuda` tells."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from stepgrad import amp as _amp
from stepgrad.arrays import random
from stepgrad.arrays.devices import cuda_is_available, import_cupy
from stepgrad.arrays.dtypes import TENSOR_NAMES
from stepgrad.functions.typed import TensorType
from stepgrad.names import teller


def is_available() -> bool:
    """Return whether ``device="cuda"`` can be used: CuPy is installed and sees a GPU."""
    return cuda_is_available()


def device_count() -> int:
    """Return how many GPUs there are; 0 without CuPy."""
    return int(import_cupy().cuda.runtime.getDeviceCount()) if cuda_is_available() else 0


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Return False: nothing is computed in bfloat16."""
    return False


def synchronize() -> None:
    """Wait until the GPU has done all that it was given."""
    import_cupy().cuda.Device().synchronize()


def current_device() -> int:
    """Return the number of the GPU that is in use."""
    return int(import_cupy().cuda.runtime.getDevice())


def get_device_name(device: int = 0) -> str:
    """Return what the maker calls a GPU."""
    return str(import_cupy().cuda.runtime.getDeviceProperties(device)["name"].decode())


def empty_cache() -> None:
    """Hand memory that is kept for later back to the GPU."""
    if cuda_is_available():
        import_cupy().get_default_memory_pool().free_all_blocks()


def memory_allocated(device: object = None) -> int:
    """Return the bytes that tensors take on the GPU; 0 without one."""
    return int(import_cupy().get_default_memory_pool().used_bytes()) if cuda_is_available() else 0


def memory_reserved(device: object = None) -> int:
    """Return the bytes that are held on the GPU, for tensors and for later; 0 without one."""
    return int(import_cupy().get_default_memory_pool().total_bytes()) if cuda_is_available() else 0


def manual_seed(seed: int) -> None:
    """Start the random numbers at `seed`, as `stepgrad.manual_seed`: those of CPU and GPU are the same."""
    random.manual_seed(seed)


manual_seed_all = manual_seed


def _autocast(enabled: bool = True, dtype: Any = None, cache_enabled: bool = True) -> _amp.autocast:
    """Return `stepgrad.autocast` for a GPU, by PyTorch's older name."""
    return _amp.autocast("cuda", dtype, enabled, cache_enabled)


# So that ``from stepgrad.cuda.amp import GradScaler`` finds it.
__path__: list[str] = []
amp = sys.modules[f"{__name__}.amp"] = ModuleType(f"{__name__}.amp")
vars(amp).update(autocast=_autocast, GradScaler=_amp.GradScaler)

# The types of tensors on a GPU, such as `stepgrad.cuda.FloatTensor`: see `stepgrad.FloatTensor`.
_TYPES = {name: TensorType(f"cuda.{name}", kind, "cuda") for kind, name in TENSOR_NAMES.items()}
globals().update(_TYPES)

if not TYPE_CHECKING:
    __getattr__ = teller(__name__, globals())
