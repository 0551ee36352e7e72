"""Layers that add elements at the ends of the last dimensions, as `stepgrad.nn.functional.pad` does."""

from __future__ import annotations

from typing import Any

from stepgrad.nn import functional as F
from stepgrad.nn.functional.sliding import sizes
from stepgrad.nn.module import Module
from stepgrad.tensor import Tensor


class _Pad(Module):
    _dims: int
    _mode: str

    def __init__(self, padding: Any) -> None:
        super().__init__()
        self.padding = sizes(self._get_name(), "padding", padding, 2 * self._dims, -(10**9))

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, sizes…) or (C, sizes…) → with more elements at the ends."""
        return F.pad(input, self.padding, self._mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPad(_Pad):
    _mode = "constant"

    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, sizes…) or (C, sizes…) → with `value` at the ends."""
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPad):
    """`value` before and after (N, C, L): `padding` is a number or a pair.

    >>> import stepgrad as sg
    >>> sg.nn.ConstantPad1d((1, 0), 9.0)(sg.tensor([[1.0, 2.0]]))
    tensor([[9., 1., 2.]])
    """

    _dims = 1


class ConstantPad2d(_ConstantPad):
    """`value` around (N, C, H, W): `padding` is a number, or (left, right, top, bottom).

    >>> import stepgrad as sg
    >>> sg.nn.ConstantPad2d((1, 0, 0, 1), 9.0)(sg.zeros(1, 1, 2))
    tensor([[[9., 0., 0.],
             [9., 9., 9.]]])
    """

    _dims = 2


class ConstantPad3d(_ConstantPad):
    """`value` around (N, C, D, H, W): `padding` is a number, or (left, right, top, bottom, front, back).

    >>> import stepgrad as sg
    >>> sg.nn.ConstantPad3d(1, 9.0)(sg.zeros(1, 2, 3, 4)).shape
    (1, 4, 5, 6)
    """

    _dims = 3


class ZeroPad1d(_Pad):
    """Zeros before and after (N, C, L).

    >>> import stepgrad as sg
    >>> sg.nn.ZeroPad1d((2, 1))(sg.tensor([[1.0, 2.0]]))
    tensor([[0., 0., 1., 2., 0.]])
    """

    _dims, _mode = 1, "constant"


class ZeroPad2d(_Pad):
    """Zeros around (N, C, H, W).

    >>> import stepgrad as sg
    >>> sg.nn.ZeroPad2d(1)(sg.ones(1, 1, 2))
    tensor([[[0., 0., 0., 0.],
             [0., 1., 1., 0.],
             [0., 0., 0., 0.]]])
    """

    _dims, _mode = 2, "constant"


class ZeroPad3d(_Pad):
    """Zeros around (N, C, D, H, W).

    >>> import stepgrad as sg
    >>> sg.nn.ZeroPad3d(1)(sg.ones(1, 2, 3, 4)).shape
    (1, 4, 5, 6)
    """

    _dims, _mode = 3, "constant"


class ReflectionPad1d(_Pad):
    """(N, C, L) mirrored at its ends, without the end itself.

    >>> import stepgrad as sg
    >>> sg.nn.ReflectionPad1d(1)(sg.tensor([[1.0, 2.0, 3.0]]))
    tensor([[2., 1., 2., 3., 2.]])
    """

    _dims, _mode = 1, "reflect"


class ReflectionPad2d(_Pad):
    """(N, C, H, W) mirrored at its edges, without the edge itself.

    >>> import stepgrad as sg
    >>> sg.nn.ReflectionPad2d((1, 1, 0, 0))(sg.tensor([[[1.0, 2.0, 3.0]]]))
    tensor([[[2., 1., 2., 3., 2.]]])
    """

    _dims, _mode = 2, "reflect"


class ReflectionPad3d(_Pad):
    """(N, C, D, H, W) mirrored at its edges, without the edge itself.

    >>> import stepgrad as sg
    >>> sg.nn.ReflectionPad3d(1)(sg.ones(1, 2, 3, 4)).shape
    (1, 4, 5, 6)
    """

    _dims, _mode = 3, "reflect"


class ReplicationPad1d(_Pad):
    """(N, C, L) with its ends repeated.

    >>> import stepgrad as sg
    >>> sg.nn.ReplicationPad1d(2)(sg.tensor([[1.0, 2.0]]))
    tensor([[1., 1., 1., 2., 2., 2.]])
    """

    _dims, _mode = 1, "replicate"


class ReplicationPad2d(_Pad):
    """(N, C, H, W) with its edges repeated.

    >>> import stepgrad as sg
    >>> sg.nn.ReplicationPad2d((1, 1, 0, 0))(sg.tensor([[[1.0, 2.0, 3.0]]]))
    tensor([[[1., 1., 2., 3., 3.]]])
    """

    _dims, _mode = 2, "replicate"


class ReplicationPad3d(_Pad):
    """(N, C, D, H, W) with its edges repeated.

    >>> import stepgrad as sg
    >>> sg.nn.ReplicationPad3d(1)(sg.ones(1, 2, 3, 4)).shape
    (1, 4, 5, 6)
    """

    _dims, _mode = 3, "replicate"


class CircularPad1d(_Pad):
    """(N, C, L) continued from its other end.

    >>> import stepgrad as sg
    >>> sg.nn.CircularPad1d(1)(sg.tensor([[1.0, 2.0, 3.0]]))
    tensor([[3., 1., 2., 3., 1.]])
    """

    _dims, _mode = 1, "circular"


class CircularPad2d(_Pad):
    """(N, C, H, W) continued from the other edge.

    >>> import stepgrad as sg
    >>> sg.nn.CircularPad2d((1, 1, 0, 0))(sg.tensor([[[1.0, 2.0, 3.0]]]))
    tensor([[[3., 1., 2., 3., 1.]]])
    """

    _dims, _mode = 2, "circular"


class CircularPad3d(_Pad):
    """(N, C, D, H, W) continued from the other edge.

    >>> import stepgrad as sg
    >>> sg.nn.CircularPad3d(1)(sg.ones(1, 2, 3, 4)).shape
    (1, 4, 5, 6)
    """

    _dims, _mode = 3, "circular"


__all__ = [
    "CircularPad1d", "CircularPad2d", "CircularPad3d", "ConstantPad1d", "ConstantPad2d", "ConstantPad3d",
    "ReflectionPad1d", "ReflectionPad2d", "ReflectionPad3d", "ReplicationPad1d", "ReplicationPad2d",
    "ReplicationPad3d", "ZeroPad1d", "ZeroPad2d", "ZeroPad3d",
]  # fmt: skip
