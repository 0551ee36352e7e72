"""Functions of channels: dropout of whole ones, and their normalisation in each image."""

from __future__ import annotations

import math

from stepgrad.arrays import random as streams
from stepgrad.autograd.engine import apply
from stepgrad.autograd.modes import no_grad
from stepgrad.errors import ArgumentError, ShapeError
from stepgrad.functions.creation import zeros
from stepgrad.nn.functional.checks import no_tensor, placed
from stepgrad.nn.functional.normalizations import batch_norm
from stepgrad.ops.registry import REGISTRY
from stepgrad.tensor import Tensor


def _dropped(
    name: str, x: Tensor, p: float, training: bool, inplace: bool, dims: tuple[int, ...], unbatched: int
) -> Tensor:
    """Return x (N, C, …) with whole channels set to 0; with `unbatched` dimensions x is (C, …)."""
    if not 0 <= p <= 1:
        raise ArgumentError(f"{name} needs a probability between 0 and 1, not {p}.")
    if not isinstance(x, Tensor):
        raise no_tensor(name, x)
    if x.ndim not in dims:
        raise ShapeError(f"{name} takes {' or '.join(map(str, dims))} dimensions, not shape {list(x.shape)}.")
    if not training or p == 0:
        return x
    kept = 1 if x.ndim == unbatched else 2
    one = zeros(*x.shape[:kept], *(1,) * (x.ndim - kept), dtype=x.dtype, device=x.device)
    g = streams.dropout_generator
    blocks = streams.blocks_for(one.numel(), x.dtype)
    mask = apply(
        REGISTRY["dropout_mask"], one, p=float(p), seed=g.seed, stream=g.stream, position=g.take(blocks)
    )
    return placed(x, x * mask, inplace)


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Return x (N, C, L) or (C, L) with channels set to 0 with probability p, the others divided by 1 − p.

    Tompson and others, 2015. The random numbers come from the dropout stream (`stepgrad.manual_seed`).

    >>> import stepgrad as sg
    >>> seed = sg.manual_seed(0)
    >>> dropout1d(sg.ones(3, 2))
    tensor([[0., 0.],
            [2., 2.],
            [2., 2.]])
    """
    return _dropped("dropout1d", input, p, training, inplace, (2, 3), 2)


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Return x (N, C, H, W) with channels set to 0 with probability p, the others divided by 1 − p.

    Of three dimensions the first two count as (N, C), as in PyTorch.

    >>> import stepgrad as sg
    >>> seed = sg.manual_seed(0)
    >>> dropout2d(sg.ones(1, 3, 1, 2)).flatten(1)
    tensor([[0., 0., 2., 2., 2., 2.]])
    """
    return _dropped("dropout2d", input, p, training, inplace, (3, 4), 0)


def dropout3d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Return x (N, C, D, H, W) or (C, D, H, W) with channels set to 0 with probability p, the others
    divided by 1 − p.

    >>> import stepgrad as sg
    >>> seed = sg.manual_seed(0)
    >>> dropout3d(sg.ones(3, 1, 1, 2)).flatten(1)
    tensor([[0., 0.],
            [2., 2.],
            [2., 2.]])
    """
    return _dropped("dropout3d", input, p, training, inplace, (4, 5), 4)


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Return (x − mean) / √(var + ε) · weight + bias for each channel of each image of x (N, C, …).

    Ulyanov, Vedaldi and Lempitsky, 2016. With `use_input_stats` by the statistics of the image, whose means
    over the batch move the running ones by `momentum`; else by the running ones. Raises `ShapeError` for
    channels of one value. An empty input changes no statistics.

    >>> import stepgrad as sg
    >>> instance_norm(sg.tensor([[[1.0, 3.0], [5.0, 9.0]]]))
    tensor([[[-1.0000,  1.0000],
             [-1.0000,  1.0000]]])
    """
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    if input.ndim < 3 or math.prod(input.shape[2:]) == 1:
        raise ShapeError(
            f"instance norm needs more than one value per channel and image (N, C, …), not "
            f"{list(input.shape)}."
        )
    dims = tuple(range(2, input.ndim))
    if input.numel() and running_mean is not None and running_var is not None:
        with no_grad():
            own = input.detach()
            running_mean.mul_(1 - momentum).add_(own.mean(dims).mean(0), alpha=momentum)
            running_var.mul_(1 - momentum).add_(own.var(dims).mean(0), alpha=momentum)
    y = apply(REGISTRY["normalize"], input, dim=dims, eps=float(eps))
    return _scaled(y, weight, bias)


def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Return (x − mean) / √(var + ε) · weight + bias with the statistics of each group of channels of each
    image.

    Wu and He, 2018. x (N, C, …), `weight` and `bias` (C). Raises `ShapeError` if C is no multiple of the
    groups.

    >>> import stepgrad as sg
    >>> group_norm(sg.tensor([[1.0, 3.0, 5.0, 9.0]]), 2).round()
    tensor([[-1.,  1., -1.,  1.]])
    """
    if not isinstance(input, Tensor):
        raise no_tensor("group_norm", input)
    if input.ndim < 2 or num_groups < 1 or input.shape[1] % num_groups:
        raise ShapeError(
            f"group_norm takes (N, C, …) with channels in {num_groups} equal groups, not {list(input.shape)}."
        )
    rows = input.reshape(input.shape[0], num_groups, input.shape[1] // num_groups, *input.shape[2:])
    y = apply(REGISTRY["normalize"], rows, dim=tuple(range(2, rows.ndim)), eps=float(eps))
    return _scaled(y.reshape(input.shape), weight, bias)


def _scaled(y: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    along = (-1, *(1,) * (y.ndim - 2))
    y = y if weight is None else y * weight.reshape(along)
    return y if bias is None else y + bias.reshape(along)


__all__ = ["dropout1d", "dropout2d", "dropout3d", "group_norm", "instance_norm"]
