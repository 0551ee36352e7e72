"""`Variable`, which PyTorch's users wrapped around tensors before version 0.4."""

from __future__ import annotations

from typing import Any


def Variable(data: Any, requires_grad: bool = False) -> Any:
    """Return a leaf that shares the memory of a tensor: ``data.detach().requires_grad_(requires_grad)``.

    >>> import stepgrad as sg
    >>> sg.autograd.Variable(sg.ones(2), requires_grad=True)
    tensor([1., 1.], requires_grad=True)
    """
    return data.detach().requires_grad_(requires_grad)
