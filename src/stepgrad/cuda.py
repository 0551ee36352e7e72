"""GPUs: whether there is one, as `torch.cuda` tells."""

from __future__ import annotations

from stepgrad.arrays.devices import cuda_is_available, import_cupy


def is_available() -> bool:
    """Return whether ``device="cuda"`` can be used: CuPy is installed and sees a GPU."""
    return cuda_is_available()


def device_count() -> int:
    """Return how many GPUs there are; 0 without CuPy."""
    return int(import_cupy().cuda.runtime.getDeviceCount()) if cuda_is_available() else 0


def synchronize() -> None:
    """Wait until the GPU has done all that it was given."""
    import_cupy().cuda.Device().synchronize()
