"""Dropout."""

from __future__ import annotations

from stepgrad.arrays import random as streams
from stepgrad.autograd.engine import apply
from stepgrad.errors import ArgumentError, DtypeError
from stepgrad.nn.functional.checks import no_tensor, placed
from stepgrad.ops.registry import REGISTRY
from stepgrad.tensor import Tensor


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Return x with elements set to 0 with probability p and the others divided by 1 − p; x itself if not
    `training`.

    Srivastava and others, 2014. The random numbers come from the dropout stream (`stepgrad.manual_seed`).

    >>> import stepgrad as sg
    >>> set(dropout(sg.ones(1000), 0.5).tolist())
    {0.0, 2.0}
    """
    if not 0 <= p <= 1:
        raise ArgumentError(f"dropout needs a probability between 0 and 1, not {p}.")
    if not training or p == 0:
        return input
    if not isinstance(input, Tensor):
        raise no_tensor("dropout", input)
    if not input.is_floating_point():
        raise DtypeError(f"dropout scales what it keeps, so it takes floating point, not {input.dtype.name}.")
    g = streams.dropout_generator
    blocks = streams.blocks_for(input.numel(), input.dtype)
    mask = apply(
        REGISTRY["dropout_mask"], input, p=float(p), seed=g.seed, stream=g.stream, position=g.take(blocks)
    )
    return placed(input, input * mask, inplace)


__all__ = ["dropout"]
