"""Softmax and its kin as modules: activations along a dimension, each element of which needs all others."""

from __future__ import annotations

from stepgrad.errors import ShapeError
from stepgrad.nn import functional as F
from stepgrad.nn.activation import ActivationFunction
from stepgrad.nn.module import Module
from stepgrad.tensor import Tensor


class Softmax(ActivationFunction):
    """eˣⁱ / Σⱼ eˣʲ along `dim`: numbers in [0, 1] that add up to 1.

    A loss such as `CrossEntropyLoss` takes what goes into a softmax, and computes it itself.

    >>> import stepgrad as sg
    >>> sg.nn.Softmax(dim=1)(sg.tensor([[0.0, 1.0, 2.0], [0.0, 0.0, 0.0]]))
    tensor([[0.0900, 0.2447, 0.6652],
            [0.3333, 0.3333, 0.3333]])
    """

    _function, _options = staticmethod(F.softmax), ("dim",)

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim


class LogSoftmax(ActivationFunction):
    """ln softmax(x) along `dim`, without the overflow that the logarithm of a softmax would have.

    >>> import stepgrad as sg
    >>> sg.nn.LogSoftmax(dim=1)(sg.tensor([[0.0, 1000.0]]))
    tensor([[-1000.,     0.]])
    """

    _function, _options = staticmethod(F.log_softmax), ("dim",)

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim


class Softmin(ActivationFunction):
    """softmax(−x) along `dim`.

    >>> import stepgrad as sg
    >>> sg.nn.Softmin(dim=0)(sg.tensor([0.0, 1.0]))
    tensor([0.7311, 0.2689])
    """

    _function, _options = staticmethod(F.softmin), ("dim",)

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim


class Softmax2d(Module):
    """Softmax over the channels of (N, C, H, W) or (C, H, W), at each place of an image.

    >>> import stepgrad as sg
    >>> sg.nn.Softmax2d()(sg.zeros(2, 1, 3))[0]  # two channels
    tensor([[0.5000, 0.5000, 0.5000]])
    """

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) or (C, H, W) → the same shape. Raises `ShapeError` for other numbers of dimensions."""
        if input.ndim not in (3, 4):
            raise ShapeError(f"Softmax2d takes (N, C, H, W) or (C, H, W), not shape {list(input.shape)}.")
        return input.softmax(-3)


__all__ = ["LogSoftmax", "Softmax", "Softmax2d", "Softmin"]
