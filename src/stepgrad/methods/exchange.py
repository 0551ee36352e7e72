"""How other packages look at a tensor's memory: NumPy's array interface, and DLPack."""

from __future__ import annotations

from typing import Any

import numpy

from stepgrad.autograd import engine
from stepgrad.autograd.recording import check_readable
from stepgrad.errors import DeviceError, GradientError, MissingNameError
from stepgrad.methods.base import TensorBase


class ExchangeMethods(TensorBase):
    """What other packages ask a tensor for, to share its memory."""

    def numpy(self, *, force: bool = False) -> Any:
        """Return the numbers as a NumPy array that shares memory.

        With `force`, of any tensor, as ``.detach().cpu().numpy()``. Otherwise raises `GradientError` for a
        tensor that requires a gradient, `DeviceError` for one on a GPU.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, 2.0]).numpy()
        array([1., 2.], dtype=float32)
        """
        if force:
            return self._as_tensor().detach().cpu().numpy()
        if self.requires_grad:
            raise GradientError("numpy() of a tensor that requires a gradient. Use .detach().numpy().")
        if not hasattr(self._array, "__array_interface__"):
            raise DeviceError(
                f"numpy() of a tensor on {self._as_tensor().device}. Use .detach().cpu().numpy()."
            )
        check_readable(self)
        return self._array

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        array = self.numpy() if dtype is None else self.numpy().astype(dtype, copy=False)
        return array.copy() if copy else array

    @property
    def __array_interface__(self) -> dict[str, Any]:
        """NumPy's array interface (version 3): shape, type and address. Not there where `numpy()` raises."""
        if self.requires_grad or not hasattr(self._array, "__array_interface__"):
            why = "requires a gradient" if self.requires_grad else "lies on a GPU"
            raise MissingNameError(f"a tensor that {why} has no __array_interface__. Use .detach().cpu().")
        return self.numpy().__array_interface__

    # NumPy hands `array * tensor` to the tensor rather than take it apart.
    __array_priority__ = 1000

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        """Return what a function of NumPy, such as ``numpy.sqrt(x)``, made of this tensor, as a tensor."""
        return engine.Tensor._of(numpy.asarray(array))

    def __dlpack__(
        self, *, stream: Any = None, max_version: Any = None, dl_device: Any = None, copy: bool | None = None
    ) -> Any:
        """Return a DLPack capsule of the memory (data-apis.org), which one consumer may take.

        Raises `GradientError` for a tensor that requires a gradient, `BufferError` for a device on which it
        is not.

        >>> import numpy, stepgrad as sg
        >>> x = sg.zeros(3)
        >>> numpy.from_dlpack(x)[0] = 5.0
        >>> x
        tensor([5., 0., 0.])
        """
        if self.requires_grad:
            raise GradientError("__dlpack__() of a tensor that requires a gradient. Use .detach().")
        check_readable(self)
        return self._array.__dlpack__(stream=stream, max_version=max_version, dl_device=dl_device, copy=copy)

    def __dlpack_device__(self) -> tuple[int, int]:
        """Return DLPack's numbers for the device: (1, 0) for the CPU, (2, index) for a GPU."""
        kind, index = self._array.__dlpack_device__()
        return int(kind), int(index)
