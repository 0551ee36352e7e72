"""PyTorch's checkpoints of activations, which trade time for memory there. Here they only call.

What a network keeps for its backward pass is kept as usual; the numbers are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from stepgrad.errors import ArgumentError


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Any = None,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    preserve_rng_state: bool = True,
    **kwargs: Any,
) -> Any:
    """Return ``function(*args, **kwargs)``. The options are PyTorch's and make no difference.

    >>> import stepgrad as sg
    >>> x = sg.tensor([1.0, 2.0], requires_grad=True)
    >>> checkpoint(lambda x: (x * x).sum(), x, use_reentrant=False).backward()
    >>> x.grad
    tensor([2., 4.])
    """
    del use_reentrant, context_fn, determinism_check, debug, early_stop, preserve_rng_state
    return function(*args, **kwargs)


def checkpoint_sequential(
    functions: Iterable[Callable[[Any], Any]],
    segments: int,
    input: Any,
    use_reentrant: bool | None = None,
    preserve_rng_state: bool = True,
) -> Any:
    """Return what `functions` (a `Sequential`, or a list), one after the other, make of `input`.

    Raises `ArgumentError` for `segments` below 1.
    """
    del use_reentrant, preserve_rng_state
    if not segments >= 1:
        raise ArgumentError(f"checkpoint_sequential takes 1 segment or more, not {segments}.")
    for function in functions:
        input = function(input)
    return input


__all__ = ["checkpoint", "checkpoint_sequential"]
