"""Devices: the CPU through NumPy, NVIDIA GPUs through CuPy, by the same code."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy

from stepgrad.errors import DeviceError


class device:
    """Where an array lives: ``device("cpu")``, ``device("cuda")``, ``device("cuda:1")``.

    Attributes: `type` ("cpu" or "cuda") and `index` (an int for a GPU, None for the CPU). Raises
    `DeviceError` for another name; whether the GPU is there is found out when an array is put on it. In a
    ``with`` block it is the device of new tensors that name none.

    >>> device("cuda:1")
    device(type='cuda', index=1)
    >>> with device("cpu") as place:
    ...     get_default_device() is place
    True
    """

    __slots__ = ("index", "type")

    type: str
    index: int | None

    def __init__(self, name: str | device, index: int | None = None) -> None:
        if isinstance(name, device):
            self.type, self.index = name.type, name.index
            return
        kind, _, number = str(name).partition(":")
        if number.isdecimal():
            index = int(number)
        elif number:
            kind = ""
        if kind not in ("cpu", "cuda"):
            raise DeviceError(f"there is no device {str(name)!r}; use 'cpu', 'cuda' or 'cuda:0'.")
        self.type = kind
        self.index = None if kind == "cpu" else (index or 0)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            try:
                other = device(other)
            except DeviceError:
                return False
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __enter__(self) -> device:
        before = _default
        set_default_device(self)
        _outer.append(before)
        return self

    def __exit__(self, *_: object) -> None:
        global _default
        _default = _outer.pop()

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        where = "" if self.index is None else f", index={self.index}"
        return f"device(type='{self.type}'{where})"


CPU = device("cpu")
_default = CPU
_outer: list[device] = []
"""The default devices around the ``with`` blocks of devices that are open."""


def get_default_device() -> device:
    """Return the device of new tensors that name none.

    >>> import stepgrad as sg
    >>> sg.get_default_device()
    device(type='cpu')
    """
    return _default


def set_default_device(name: Any) -> None:
    """Make a device that of new tensors that name none. Raises `DeviceError` for one that is not there.

    >>> import stepgrad as sg
    >>> sg.set_default_device("cpu")
    >>> sg.zeros(1).device
    device(type='cpu')
    """
    global _default
    wanted = CPU if name is None else name if isinstance(name, device) else device(name)
    if wanted != CPU:
        import_cupy()
    _default = wanted


def import_cupy() -> ModuleType:
    """Return CuPy; raise `DeviceError` that says what to install where it, or a GPU, is missing."""
    try:
        import cupy
    except ImportError:
        raise DeviceError(
            "device 'cuda' needs CuPy, which is not installed: pip install 'stepgrad[cuda]' (for drivers of "
            "CUDA 12 and newer)."
        ) from None
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise DeviceError(f"device 'cuda' is not usable here: {error}. Use device 'cpu'.") from None
    if not count:
        raise DeviceError("no NVIDIA GPU is visible to CUDA. Use device 'cpu'.")
    return cupy


def device_of(array: Any) -> device:
    """Return the device on which a raw array lies."""
    if isinstance(array, numpy.ndarray):
        return CPU
    return device("cuda", int(array.device.id))


def module_of(array: Any) -> ModuleType:
    """Return the module that computes with a raw array: NumPy or CuPy."""
    return numpy if isinstance(array, (numpy.ndarray, numpy.generic)) else import_cupy()


def move(array: Any, to: device) -> Any:
    """Return `array` on device `to`: itself if it is there already, else a copy. Raises `DeviceError`."""
    here = device_of(array)
    if here == to:
        return array
    cupy = import_cupy()
    if to.type == "cpu":
        return cupy.asnumpy(array)
    assert to.index is not None
    if to.index >= (count := cupy.cuda.runtime.getDeviceCount()):
        raise DeviceError(f"there is no device '{to}': CUDA sees {count} GPU(s), numbered from 0.")
    with cupy.cuda.Device(to.index):
        return cupy.asarray(array)


def cuda_is_available() -> bool:
    """Return whether CuPy is installed and sees a GPU.

    >>> import stepgrad as sg
    >>> cuda_is_available() in (True, False)
    True
    """
    try:
        import_cupy()
    except DeviceError:
        return False
    return True
