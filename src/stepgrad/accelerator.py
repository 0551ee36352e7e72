"""The GPU, whatever its kind, as `torch.accelerator` tells of it: here one that CuPy sees."""

from __future__ import annotations

from stepgrad.arrays.devices import cuda_is_available, device


def is_available() -> bool:
    """Return whether there is a GPU that can be used."""
    return cuda_is_available()


def current_accelerator() -> device | None:
    """Return the device of the GPU, None where there is none."""
    return device("cuda") if cuda_is_available() else None
