"""Pooling layers: each is the function of `stepgrad.nn.functional` of the same name with fixed arguments."""

from __future__ import annotations

from typing import Any

from stepgrad.nn import functional as F
from stepgrad.nn.functional.sliding import sizes
from stepgrad.nn.module import Module
from stepgrad.tensor import Tensor


class _MaxPool(Module):
    _function: Any

    def __init__(
        self, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
        return_indices: bool = False, ceil_mode: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.dilation = padding, dilation
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def forward(self, input: Tensor) -> Any:
        """(N, C, sizes…) or (C, sizes…) → the largest of each window; with `return_indices` a pair."""
        return type(self)._function(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            self.return_indices,
        )

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPool):
    """The largest element of each window of (N, C, L).

    >>> import stepgrad as sg
    >>> sg.nn.MaxPool1d(2)(sg.tensor([[1.0, 3.0, 2.0, 0.0]]))
    tensor([[3., 2.]])
    """

    _function = staticmethod(F.max_pool1d)


class MaxPool2d(_MaxPool):
    """The largest element of each window of (N, C, H, W).

    >>> import stepgrad as sg
    >>> sg.nn.MaxPool2d(2)(sg.zeros(1, 16, 28, 28)).shape
    (1, 16, 14, 14)
    """

    _function = staticmethod(F.max_pool2d)


class MaxPool3d(_MaxPool):
    """The largest element of each window of (N, C, D, H, W).

    >>> import stepgrad as sg
    >>> sg.nn.MaxPool3d(2)(sg.zeros(1, 1, 4, 4, 6)).shape
    (1, 1, 2, 2, 3)
    """

    _function = staticmethod(F.max_pool3d)


class _MaxUnpool(Module):
    _dims: int
    _function: Any

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        name, dims = self._get_name(), self._dims
        self.kernel_size = sizes(name, "kernel_size", kernel_size, dims)
        self.stride = sizes(name, "stride", kernel_size if stride is None else stride, dims)
        self.padding = sizes(name, "padding", padding, dims, 0)

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        """Values and their indices, as a max pool returns them → zeros with the values in their places."""
        return type(self)._function(input, indices, self.kernel_size, self.stride, self.padding, output_size)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpool):
    """Zeros (N, C, L) with the values of a `MaxPool1d` where they were.

    >>> import stepgrad as sg
    >>> y, places = sg.nn.MaxPool1d(2, return_indices=True)(sg.tensor([[1.0, 3.0, 2.0, 0.0]]))
    >>> sg.nn.MaxUnpool1d(2)(y, places)
    tensor([[0., 3., 2., 0.]])
    """

    _dims, _function = 1, staticmethod(F.max_unpool1d)


class MaxUnpool2d(_MaxUnpool):
    """Zeros (N, C, H, W) with the values of a `MaxPool2d` where they were.

    >>> import stepgrad as sg
    >>> y, places = sg.nn.MaxPool2d(2, return_indices=True)(sg.zeros(1, 1, 4, 6))
    >>> sg.nn.MaxUnpool2d(2)(y, places).shape
    (1, 1, 4, 6)
    """

    _dims, _function = 2, staticmethod(F.max_unpool2d)


class MaxUnpool3d(_MaxUnpool):
    """Zeros (N, C, D, H, W) with the values of a `MaxPool3d` where they were.

    >>> import stepgrad as sg
    >>> y, places = sg.nn.MaxPool3d(2, return_indices=True)(sg.zeros(1, 1, 2, 4, 6))
    >>> sg.nn.MaxUnpool3d(2)(y, places).shape
    (1, 1, 2, 4, 6)
    """

    _dims, _function = 3, staticmethod(F.max_unpool3d)


class _AvgPool(Module):
    _function: Any
    divisor_override: int | None

    def __init__(
        self, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
        count_include_pad: bool = True, divisor_override: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.ceil_mode = padding, ceil_mode
        self.count_include_pad, self.divisor_override = count_include_pad, divisor_override

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, sizes…) or (C, sizes…) → the mean of each window."""
        return type(self)._function(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad,
            self.divisor_override,
        )  # fmt: skip

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool1d(_AvgPool):
    """The mean of each window of (N, C, L).

    >>> import stepgrad as sg
    >>> sg.nn.AvgPool1d(2)(sg.tensor([[1.0, 3.0, 2.0, 0.0]]))
    tensor([[2., 1.]])
    """

    def __init__(
        self, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:  # fmt: skip
        stride = kernel_size if stride is None else stride
        size = sizes("AvgPool1d", "kernel_size", kernel_size, 1)
        between = sizes("AvgPool1d", "stride", stride, 1)
        around = sizes("AvgPool1d", "padding", padding, 1, 0)
        super().__init__(size, between, around, ceil_mode, count_include_pad)

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, L) or (C, L) → the mean of each window."""
        return F.avg_pool1d(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad
        )


class AvgPool2d(_AvgPool):
    """The mean of each window of (N, C, H, W).

    >>> import stepgrad as sg
    >>> sg.nn.AvgPool2d(2)(sg.tensor([[[1.0, 3.0], [5.0, 7.0]]]))
    tensor([[[4.]]])
    """

    _function = staticmethod(F.avg_pool2d)


class AvgPool3d(_AvgPool):
    """The mean of each window of (N, C, D, H, W).

    >>> import stepgrad as sg
    >>> sg.nn.AvgPool3d(2)(sg.zeros(1, 1, 4, 4, 6)).shape
    (1, 1, 2, 2, 3)
    """

    _function = staticmethod(F.avg_pool3d)


class _LPPool(Module):
    _function: Any

    def __init__(
        self, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
    ) -> None:
        super().__init__()
        self.norm_type, self.kernel_size, self.stride = norm_type, kernel_size, stride
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, sizes…) or (C, sizes…) → (Σ xᵖ)^(1/p) of each window."""
        return type(self)._function(
            input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode
        )

    def extra_repr(self) -> str:
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPool):
    """(Σ xᵖ)^(1/p) of each window of (N, C, L).

    >>> import stepgrad as sg
    >>> sg.nn.LPPool1d(2, 2)(sg.tensor([[3.0, 4.0]]))
    tensor([[5.]])
    """

    _function = staticmethod(F.lp_pool1d)


class LPPool2d(_LPPool):
    """(Σ xᵖ)^(1/p) of each window of (N, C, H, W).

    >>> import stepgrad as sg
    >>> sg.nn.LPPool2d(2, 2)(sg.zeros(1, 1, 4, 6)).shape
    (1, 1, 2, 3)
    """

    _function = staticmethod(F.lp_pool2d)


class LPPool3d(_LPPool):
    """(Σ xᵖ)^(1/p) of each window of (N, C, D, H, W).

    >>> import stepgrad as sg
    >>> sg.nn.LPPool3d(2, 2)(sg.zeros(1, 1, 4, 4, 6)).shape
    (1, 1, 2, 2, 3)
    """

    _function = staticmethod(F.lp_pool3d)


class _AdaptiveAvgPool(Module):
    _function: Any

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, sizes…) or (C, sizes…) → means over `output_size` windows."""
        return type(self)._function(input, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """Means of (N, C, L) over `output_size` windows that cover L evenly.

    >>> import stepgrad as sg
    >>> sg.nn.AdaptiveAvgPool1d(2)(sg.tensor([[1.0, 2.0, 3.0]]))
    tensor([[1.5000, 2.5000]])
    """

    _function = staticmethod(F.adaptive_avg_pool1d)


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """Means of (N, C, H, W) over `output_size` windows that cover H and W evenly.

    >>> import stepgrad as sg
    >>> sg.nn.AdaptiveAvgPool2d(1)(sg.zeros(2, 512, 7, 7)).shape
    (2, 512, 1, 1)
    """

    _function = staticmethod(F.adaptive_avg_pool2d)


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """Means of (N, C, D, H, W) over `output_size` windows that cover D, H and W evenly.

    >>> import stepgrad as sg
    >>> sg.nn.AdaptiveAvgPool3d(1)(sg.zeros(1, 8, 3, 4, 5)).shape
    (1, 8, 1, 1, 1)
    """

    _function = staticmethod(F.adaptive_avg_pool3d)


class _AdaptiveMaxPool(Module):
    _function: Any

    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size, self.return_indices = output_size, return_indices

    def forward(self, input: Tensor) -> Any:
        """(N, C, sizes…) or (C, sizes…) → the largest of `output_size` windows; with `return_indices` a
        pair.
        """
        return type(self)._function(input, self.output_size, self.return_indices)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """The largest of (N, C, L) in `output_size` windows that cover L evenly.

    >>> import stepgrad as sg
    >>> sg.nn.AdaptiveMaxPool1d(2)(sg.tensor([[1.0, 2.0, 3.0]]))
    tensor([[2., 3.]])
    """

    _function = staticmethod(F.adaptive_max_pool1d)


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """The largest of (N, C, H, W) in `output_size` windows that cover H and W evenly.

    >>> import stepgrad as sg
    >>> sg.nn.AdaptiveMaxPool2d((2, 3))(sg.zeros(1, 8, 5, 7)).shape
    (1, 8, 2, 3)
    """

    _function = staticmethod(F.adaptive_max_pool2d)


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """The largest of (N, C, D, H, W) in `output_size` windows that cover D, H and W evenly.

    >>> import stepgrad as sg
    >>> sg.nn.AdaptiveMaxPool3d(1)(sg.zeros(1, 8, 3, 4, 5)).shape
    (1, 8, 1, 1, 1)
    """

    _function = staticmethod(F.adaptive_max_pool3d)


class _FractionalMaxPool(Module):
    _function: Any

    def __init__(
        self, kernel_size: Any, output_size: Any = None, output_ratio: Any = None,
        return_indices: bool = False, _random_samples: Tensor | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.kernel_size, self.output_size, self.output_ratio = kernel_size, output_size, output_ratio
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)

    def forward(self, input: Tensor) -> Any:
        """(N, C, sizes…) or (C, sizes…) → the largest of windows at random places."""
        return type(self)._function(
            input,
            self.kernel_size,
            self.output_size,
            self.output_ratio,
            self.return_indices,
            self._random_samples,
        )


class FractionalMaxPool2d(_FractionalMaxPool):
    """The largest of windows at random places of (N, C, H, W) (Graham, 2014).

    >>> import stepgrad as sg
    >>> sg.nn.FractionalMaxPool2d(2, output_ratio=0.7)(sg.zeros(1, 1, 10, 10)).shape
    (1, 1, 7, 7)
    """

    _function = staticmethod(F.fractional_max_pool2d)


class FractionalMaxPool3d(_FractionalMaxPool):
    """The largest of windows at random places of (N, C, D, H, W) (Graham, 2014).

    >>> import stepgrad as sg
    >>> sg.nn.FractionalMaxPool3d(2, output_size=3)(sg.zeros(1, 1, 8, 8, 8)).shape
    (1, 1, 3, 3, 3)
    """

    _function = staticmethod(F.fractional_max_pool3d)


class LocalResponseNorm(Module):
    """x / (k + α/size Σ x²)^β over `size` neighbouring channels (Krizhevsky, Sutskever and Hinton, 2012).

    >>> import stepgrad as sg
    >>> sg.nn.LocalResponseNorm(2)(sg.zeros(1, 4, 3, 3)).shape
    (1, 4, 3, 3)
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, …) → the same shape."""
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


__all__ = [
    "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d", "AvgPool1d", "AvgPool2d", "AvgPool3d", "FractionalMaxPool2d", "FractionalMaxPool3d",
    "LPPool1d", "LPPool2d", "LPPool3d", "LocalResponseNorm", "MaxPool1d", "MaxPool2d", "MaxPool3d",
    "MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d",
]  # fmt: skip
