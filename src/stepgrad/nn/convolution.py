"""Convolutional layers, transposed ones, and the windows of images as columns."""

from __future__ import annotations

import math
from typing import Any

from stepgrad.errors import ArgumentError, ShapeError
from stepgrad.functions.creation import empty
from stepgrad.nn import functional as F
from stepgrad.nn import init
from stepgrad.nn.functional.sliding import sizes
from stepgrad.nn.module import Module
from stepgrad.nn.parameter import Parameter
from stepgrad.tensor import Tensor

_MODES = ("zeros", "reflect", "replicate", "circular")


class _Convolution(Module):
    """A weight (and bias) that slides over the last `_dims` dimensions, which `_function` names."""

    _dims: int
    _function: Any

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any,
        transposed: bool, output_padding: Any, groups: int, bias: bool, padding_mode: str, device: Any,
        dtype: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        name, dims = self._get_name(), self._dims
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ArgumentError(
                f"{name} needs channels that groups={groups} divides, not {in_channels} and {out_channels}."
            )
        if padding_mode not in _MODES:
            raise ArgumentError(f"{name} knows the padding modes {', '.join(_MODES)}, not {padding_mode!r}.")
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = sizes(name, "kernel_size", kernel_size, dims)
        self.stride = sizes(name, "stride", stride, dims)
        self.padding = padding if isinstance(padding, str) else sizes(name, "padding", padding, dims, 0)
        self.dilation = sizes(name, "dilation", dilation, dims)
        self.output_padding = sizes(name, "output_padding", output_padding, dims, 0)
        self.transposed, self.padding_mode = transposed, padding_mode
        if isinstance(padding, str) and padding not in ("valid", "same"):
            raise ArgumentError(
                f"{name} knows the paddings 'valid' and 'same', and numbers, not {padding!r}."
            )
        if padding == "same" and any(s != 1 for s in self.stride):
            raise ArgumentError(f"{name} with padding='same' needs a stride of 1, not {list(self.stride)}.")
        first, second = (in_channels, out_channels) if transposed else (out_channels, in_channels)
        place = {"device": device, "dtype": dtype}
        self.weight = Parameter(empty(first, second // groups, *self.kernel_size, **place))
        self.register_parameter("bias", Parameter(empty(out_channels, **place)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values, uniform in ±1/√(numbers that go into an output), as in PyTorch."""
        fan = self.weight.shape[1] * math.prod(self.kernel_size)
        bound = 1 / math.sqrt(fan) if fan else 0.0
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, sizes…) or (C, sizes…) → (N, out_channels, windows…) or without N."""
        padding: Any = self.padding
        if self.padding_mode != "zeros":
            input = F.pad(input, self._around(), mode=self.padding_mode)
            padding = 0
        return type(self)._function(
            input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups
        )

    def _around(self) -> list[int]:
        """Return how many elements come before and after each dimension, from the last one on."""
        around: list[int] = []
        for i in reversed(range(self._dims)):
            if isinstance(self.padding, str):
                total = self.dilation[i] * (self.kernel_size[i] - 1) if self.padding == "same" else 0
                around += [total // 2, total - total // 2]
            else:
                around += [self.padding[i]] * 2
        return around

    def extra_repr(self) -> str:
        text = (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        )
        zeros, ones = (0,) * self._dims, (1,) * self._dims
        shown = {
            "padding": (self.padding, zeros), "dilation": (self.dilation, ones),
            "output_padding": (self.output_padding, zeros), "groups": (self.groups, 1),
            "bias": (self.bias is not None, True), "padding_mode": (self.padding_mode, "zeros"),
        }  # fmt: skip
        return text + "".join(f", {k}={value}" for k, (value, usual) in shown.items() if value != usual)


class _Straight(_Convolution):
    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
        dilation: Any = 1, groups: int = 1, bias: bool = True, padding_mode: str = "zeros",
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, False, 0, groups, bias,
            padding_mode, device, dtype,
        )  # fmt: skip


class Conv1d(_Straight):
    """Convolution over (N, C, L): `stepgrad.nn.functional.conv1d` with a learned weight and bias.

    `padding` in elements at both ends, or "same" or "valid"; `padding_mode`: "zeros", "reflect",
    "replicate" or "circular". `weight` (out_channels, in_channels / groups, K) and `bias` (out_channels).

    >>> import stepgrad as sg
    >>> sg.nn.Conv1d(3, 8, 5, padding="same")(sg.zeros(2, 3, 20)).shape
    (2, 8, 20)
    """

    _dims, _function = 1, staticmethod(F.conv1d)


class Conv2d(_Straight):
    """Convolution over (N, C, H, W): `stepgrad.nn.functional.conv2d` with a learned weight and bias.

    Arguments as for `Conv1d`, each a number or a pair. `weight` (out_channels, in_channels / groups, K₁, K₂).

    >>> import stepgrad as sg
    >>> sg.nn.Conv2d(1, 16, 3, padding=1)
    Conv2d(1, 16, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
    """

    _dims, _function = 2, staticmethod(F.conv2d)


class Conv3d(_Straight):
    """Convolution over (N, C, D, H, W): `stepgrad.nn.functional.conv3d` with a learned weight and bias.

    Arguments as for `Conv1d`, each a number or three. `weight` (out_channels, in_channels / groups, K₁, K₂,
    K₃).

    >>> import stepgrad as sg
    >>> sg.nn.Conv3d(1, 2, 3)(sg.zeros(1, 1, 5, 6, 7)).shape
    (1, 2, 3, 4, 5)
    """

    _dims, _function = 3, staticmethod(F.conv3d)


class _Transposed(_Convolution):
    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
        output_padding: Any = 0, groups: int = 1, bias: bool = True, dilation: Any = 1,
        padding_mode: str = "zeros", device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        if padding_mode != "zeros":
            raise ArgumentError(
                f"{type(self).__name__} knows the padding mode 'zeros' alone, not {padding_mode!r}."
            )
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, True, output_padding, groups,
            bias, padding_mode, device, dtype,
        )  # fmt: skip

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        """(N, C, sizes…) → (N, out_channels, sizes…); `output_size` chooses among the sizes that a stride
        allows.
        """
        extra = self.output_padding if output_size is None else self._extra(input, tuple(output_size))
        return type(self)._function(
            input, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation
        )

    def _extra(self, x: Tensor, wanted: tuple[int, ...]) -> tuple[int, ...]:
        lengths, wanted = x.shape[x.ndim - self._dims :], wanted[len(wanted) - self._dims :]
        assert not isinstance(self.padding, str)
        parts = zip(lengths, self.stride, self.padding, self.dilation, self.kernel_size, strict=True)
        least = [(n - 1) * s - 2 * p + d * (k - 1) + 1 for n, s, p, d, k in parts]
        extra = tuple(w - n for w, n in zip(wanted, least, strict=False))
        if len(extra) != self._dims or any(not 0 <= e < s for e, s in zip(extra, self.stride)):
            most = [n + s - 1 for n, s in zip(least, self.stride)]
            raise ShapeError(
                f"{self._get_name()} of {list(x.shape)} makes sizes from {least} to {most}, not "
                f"{list(wanted)}."
            )
        return extra


class ConvTranspose1d(_Transposed):
    """Transposed convolution over (N, C, L): `stepgrad.nn.functional.conv_transpose1d`, with learned
    parameters.

    `weight` (in_channels, out_channels / groups, K) and `bias` (out_channels).

    >>> import stepgrad as sg
    >>> sg.nn.ConvTranspose1d(8, 3, 4, stride=2, padding=1)(sg.zeros(2, 8, 10)).shape
    (2, 3, 20)
    """

    _dims, _function = 1, staticmethod(F.conv_transpose1d)


class ConvTranspose2d(_Transposed):
    """Transposed convolution over (N, C, H, W): `stepgrad.nn.functional.conv_transpose2d`, with learned
    parameters.

    >>> import stepgrad as sg
    >>> sg.nn.ConvTranspose2d(2, 1, 2, stride=2)(sg.zeros(1, 2, 5, 5)).shape
    (1, 1, 10, 10)
    """

    _dims, _function = 2, staticmethod(F.conv_transpose2d)


class ConvTranspose3d(_Transposed):
    """Transposed convolution over (N, C, D, H, W): `stepgrad.nn.functional.conv_transpose3d`, with learned
    parameters.

    >>> import stepgrad as sg
    >>> sg.nn.ConvTranspose3d(2, 1, 2, stride=2)(sg.zeros(1, 2, 3, 3, 3)).shape
    (1, 1, 6, 6, 6)
    """

    _dims, _function = 3, staticmethod(F.conv_transpose3d)


class Unfold(Module):
    """The windows of images (N, C, H, W) as columns (N, C · K₁ · K₂, windows).

    >>> import stepgrad as sg
    >>> sg.nn.Unfold(2)(sg.zeros(1, 3, 4, 4)).shape
    (1, 12, 9)
    """

    def __init__(self, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> None:
        super().__init__()
        self.kernel_size, self.dilation, self.padding, self.stride = kernel_size, dilation, padding, stride

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C · K₁ · K₂, windows)."""
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, "
            f"stride={self.stride}"
        )


class Fold(Module):
    """Columns (N, C · K₁ · K₂, windows) added up to images (N, C, *output_size): the adjoint of `Unfold`.

    >>> import stepgrad as sg
    >>> sg.nn.Fold((4, 4), 2)(sg.zeros(1, 12, 9)).shape
    (1, 3, 4, 4)
    """

    def __init__(
        self, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
    ) -> None:
        super().__init__()
        self.output_size, self.kernel_size = output_size, kernel_size
        self.dilation, self.padding, self.stride = dilation, padding, stride

    def forward(self, input: Tensor) -> Tensor:
        """(N, C · K₁ · K₂, windows) → (N, C, *output_size)."""
        return F.fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return (
            f"output_size={self.output_size}, kernel_size={self.kernel_size}, dilation={self.dilation}, "
            f"padding={self.padding}, stride={self.stride}"
        )


__all__ = [
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "Fold",
    "Unfold",
]
