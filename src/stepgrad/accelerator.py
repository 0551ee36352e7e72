"""The GPU, whatever its kind, as `torch.accelerator` tells of it: here one that CuPy sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stepgrad.arrays.devices import cuda_is_available, device
from stepgrad.names import teller


def is_available() -> bool:
    """Return whether there is a GPU that can be used."""
    return cuda_is_available()


def current_accelerator() -> device | None:
    """Return the device of the GPU, None where there is none."""
    return device("cuda") if cuda_is_available() else None


if not TYPE_CHECKING:
    __getattr__ = teller(__name__, globals())
