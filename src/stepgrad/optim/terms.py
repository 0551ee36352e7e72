"""What several rules have in common: the direction of the gradient, and PyTorch's arguments that choose among
implementations.
"""

from __future__ import annotations

from typing import Any

from stepgrad.errors import ArgumentError, suggest

IMPLEMENTATIONS = ("foreach", "fused", "capturable")


def accept_implementation(owner: str, given: dict[str, Any]) -> None:
    """Let PyTorch's `foreach`, `fused` and `capturable` pass: they choose how the same step is computed.

    stepgrad has one way, which is taken over several parameters at once and can be compiled. Raises
    `ArgumentError` for ``differentiable=True`` and for any other name.

    >>> accept_implementation("Adam", {"foreach": True, "capturable": False})
    >>> accept_implementation("Adam", {"beta1": 0.9})
    Traceback (most recent call last):
    stepgrad.errors.ArgumentError: Adam has no argument 'beta1'.
    """
    for name, value in given.items():
        if name == "differentiable":
            if value:
                raise ArgumentError(
                    f"{owner} changes parameters in place and is not differentiable; to differentiate "
                    f"through an update, write it out with autograd.grad(…, create_graph=True)."
                )
        elif name not in IMPLEMENTATIONS:
            raise ArgumentError(f"{owner} has no argument {name!r}.{suggest(name, IMPLEMENTATIONS)}")


def is_off(number: Any) -> bool:
    """Return whether a hyperparameter is the number 0, and not one that changes from step to step.

    >>> is_off(0.0), is_off(0.9)
    (True, False)
    """
    return isinstance(number, (int, float)) and not number


def descent(p: Any, g: Any, maximize: bool, weight_decay: float) -> Any:
    """Return the gradient to go against: −g to maximize, plus weight_decay · p (L2 regularisation)."""
    if maximize:
        g = -g
    return g + weight_decay * p if weight_decay else g
