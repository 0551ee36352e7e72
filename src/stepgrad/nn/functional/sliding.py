"""What the functions with sliding dimensions have in common: their sizes, and batches of one."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from stepgrad.errors import ArgumentError, ShapeError
from stepgrad.nn.functional.checks import no_tensor
from stepgrad.tensor import Tensor


def sizes(name: str, what: str, value: Any, dims: int, least: int = 1) -> tuple[int, ...]:
    """Return a number, or one for each of `dims` dimensions, as a tuple. Raises `ArgumentError`."""
    given = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    try:
        found = tuple(operator.index(n) for n in given)
    except TypeError:
        raise ArgumentError(f"{name} needs integers as {what}, not {value!r}.") from None
    found = found * dims if len(found) == 1 else found
    if len(found) != dims or any(n < least for n in found):
        raise ArgumentError(
            f"{name} needs a {what} of {least} or more, or {dims} of them (one per dimension), not {value!r}."
        )
    return found


def check_input(name: str, x: Any, dims: int) -> None:
    """Raise an error unless x is a tensor (N, C, …) or (C, …) with `dims` sliding dimensions."""
    if not isinstance(x, Tensor):
        raise no_tensor(name, x)
    if x.ndim not in (dims + 1, dims + 2):
        raise ShapeError(
            f"{name} slides over the last {dims} of {dims + 2} dimensions (N, C, …), or of {dims + 1} "
            f"without a batch; this input has the shape {list(x.shape)}."
        )


def batched(input: Tensor, dims: int, function: Callable[[Tensor], Tensor]) -> Tensor:
    """Return ``function(x)`` for a batch (N, C, …); an input without N goes in as a batch of one."""
    return function(input) if input.ndim == dims + 2 else function(input.unsqueeze(0)).squeeze(0)


def check_lengths(
    name: str, x: Tensor, lengths: tuple[int, ...], size: tuple[int, ...], dilation: tuple[int, ...]
) -> None:
    """Raise `ShapeError` where a window does not fit even once into the padded `lengths`."""
    reach = [d * (k - 1) + 1 for k, d in zip(size, dilation, strict=True)]
    if any(k > n for k, n in zip(reach, lengths, strict=True)):
        raise ShapeError(
            f"{name} has windows of {reach} elements (size {list(size)}, dilation {list(dilation)}), more "
            f"than the {list(lengths)} of the input {list(x.shape)} with its padding."
        )
