"""Helpers around parameters: clipping of gradients, parameters as one vector."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from stepgrad.autograd.modes import no_grad
from stepgrad.errors import ArgumentError, NotFiniteError, ShapeError
from stepgrad.functions.creation import tensor
from stepgrad.functions.joining import cat
from stepgrad.names import teller
from stepgrad.nn.utils import fusion, parametrizations, parametrize, rnn, stateless
from stepgrad.nn.utils.fusion import (
    fuse_conv_bn_eval,
    fuse_conv_bn_weights,
    fuse_linear_bn_eval,
    fuse_linear_bn_weights,
)
from stepgrad.nn.utils.norms import remove_spectral_norm, remove_weight_norm, spectral_norm, weight_norm
from stepgrad.tensor import Tensor


def _gradients(parameters: Any) -> list[Tensor]:
    found = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    return [p.grad for p in found if p.grad is not None]


def get_total_norm(
    tensors: Tensor | Iterable[Tensor], norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> Tensor:
    """Return the norm of all tensors as if they were one vector.

    Raises `NotFiniteError` for a norm of NaN or infinity with `error_if_nonfinite`.

    >>> import stepgrad as sg
    >>> sg.nn.utils.get_total_norm([sg.tensor([3.0]), sg.tensor([4.0])])
    tensor(5.)
    """
    each, norm_type = [tensors] if isinstance(tensors, Tensor) else list(tensors), float(norm_type)
    if not each:
        return tensor(0.0)
    norms = [x.norm(norm_type) for x in each]
    if norm_type == math.inf:
        total = norms[0] if len(norms) == 1 else cat([n.reshape(1) for n in norms]).max()
    else:
        total = cat([n.reshape(1) for n in norms]).norm(norm_type)
    if error_if_nonfinite and not math.isfinite(total.item()):
        raise NotFiniteError(f"the norm of the gradients is {total.item()}, so they cannot be clipped.")
    return total


def clip_grads_with_norm_(parameters: Tensor | Iterable[Tensor], max_norm: float, total_norm: Tensor) -> None:
    """Scale all gradients, in place, by max_norm / (total_norm + 1e-6), at most 1.

    >>> import stepgrad as sg
    >>> w = sg.tensor([1.0, 1.0], requires_grad=True)
    >>> w.grad = sg.tensor([3.0, 4.0])
    >>> clip_grads_with_norm_([w], 1.0, sg.tensor(5.0))
    >>> w.grad
    tensor([0.6000, 0.8000])
    """
    if not max_norm >= 0:
        raise ArgumentError(f"clip_grad_norm_ needs a norm >= 0, not {max_norm}.")
    with no_grad():
        factor = (max_norm / (total_norm + 1e-6)).clamp(max=1.0)
        for g in _gradients(parameters):
            g.mul_(factor.to(g.dtype))


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> Tensor:
    """Scale all gradients, in place, so that their common norm is at most `max_norm`; return the norm before.

    As in PyTorch the factor is max_norm / (norm + 1e-6), at most 1. Raises `NotFiniteError` for a norm of
    NaN or infinity with `error_if_nonfinite`.

    >>> import stepgrad as sg
    >>> w = sg.tensor([3.0, 4.0], requires_grad=True)
    >>> (w * w).sum().backward()  # the gradient is (6, 8), its norm 10
    >>> sg.nn.utils.clip_grad_norm_([w], max_norm=1.0)
    tensor(10.)
    >>> w.grad
    tensor([0.6000, 0.8000])
    """
    with no_grad():
        found = [parameters] if isinstance(parameters, Tensor) else list(parameters)
        total = get_total_norm(_gradients(found), norm_type, error_if_nonfinite)
        clip_grads_with_norm_(found, max_norm, total)
    return total


clip_grad_norm = clip_grad_norm_  # PyTorch's older name


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Clip every element of the gradients, in place, to ±clip_value.

    >>> import stepgrad as sg
    >>> w = sg.tensor([3.0, 4.0], requires_grad=True)
    >>> (w * w).sum().backward()  # the gradient is (6, 8), its norm 10
    >>> sg.nn.utils.clip_grad_value_([w], 7.0)
    >>> w.grad
    tensor([6., 7.])
    """
    if clip_value < 0:
        raise ArgumentError(f"clip_grad_value_ needs a value >= 0, not {clip_value}.")
    with no_grad():
        for g in _gradients(parameters):
            g.clamp_(-clip_value, clip_value)


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """Return all parameters, flattened and joined, as one vector.

    >>> import stepgrad as sg
    >>> sg.nn.utils.parameters_to_vector(sg.nn.Linear(3, 2).parameters()).shape
    (8,)
    """
    return cat([p.reshape(-1) for p in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Copy a vector that `parameters_to_vector` made back into the parameters; their dtypes stay.

    >>> import stepgrad as sg
    >>> layer = sg.nn.Linear(1, 1)
    >>> sg.nn.utils.vector_to_parameters(sg.tensor([2.0, 5.0]), layer.parameters())
    >>> layer.weight.item(), layer.bias.item()
    (2.0, 5.0)
    """
    targets = list(parameters)
    total = sum(p.numel() for p in targets)
    if vec.shape != (total,):
        raise ShapeError(f"the parameters take a vector of {total} elements, not shape {list(vec.shape)}.")
    start = 0
    with no_grad():
        for p in targets:
            p.copy_(vec[start : start + p.numel()].reshape(p.shape))
            start += p.numel()


__all__ = [
    "clip_grad_norm_",
    "clip_grad_value_",
    "clip_grads_with_norm_",
    "fuse_conv_bn_eval",
    "fuse_conv_bn_weights",
    "fuse_linear_bn_eval",
    "fuse_linear_bn_weights",
    "fusion",
    "get_total_norm",
    "parameters_to_vector",
    "parametrizations",
    "parametrize",
    "remove_spectral_norm",
    "remove_weight_norm",
    "rnn",
    "spectral_norm",
    "stateless",
    "vector_to_parameters",
    "weight_norm",
]

if not TYPE_CHECKING:
    __getattr__ = teller(__name__, globals())
