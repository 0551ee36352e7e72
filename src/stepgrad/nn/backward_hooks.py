"""Hooks on the backward pass of a module: they see the gradients of its outputs and of its inputs.

What goes into the module and what comes out passes a gate: an identity that hands the gradients of all
tensors to the hooks at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stepgrad.autograd.function import Function
from stepgrad.errors import ArgumentError
from stepgrad.tensor import Tensor

Gradients = tuple[Tensor | None, ...]


class _Gate(Function):
    """Tensors as they are; their gradients pass the function `handed`."""

    @staticmethod
    def forward(ctx: Any, handed: Callable[[Gradients], Gradients], *tensors: Tensor) -> Any:
        ctx.handed = handed
        return tensors if len(tensors) > 1 else tensors[0]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return (None, *ctx.handed(gradients))


class Gates:
    """The gates of one call of a module."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self._inputs: int | None = None  # how many arguments the module was called with
        self._places: list[int] = []  # which of them have a gradient
        self._of_outputs: Gradients | None = None

    def enter(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the arguments of the module, which have passed the first gate."""
        self._inputs = len(args)
        self._places = _with_gradient(args)
        return _through(args, self._places, self._at_inputs)

    def leave(self, result: Any) -> Any:
        """Return the result of the module, a tensor or a tuple or list, which has passed the second gate."""
        if isinstance(result, Tensor):
            return _through((result,), _with_gradient((result,)), self._at_outputs)[0]
        if type(result) in (tuple, list):
            passed = _through(tuple(result), _with_gradient(result), self._at_outputs)
            return type(result)(passed)
        return result

    def _at_outputs(self, gradients: Gradients) -> Gradients:
        for hook in list(self._module._backward_pre_hooks):
            gradients = _replaced(hook(self._module, gradients), gradients)
        self._of_outputs = gradients
        if not self._places:  # no gradient is going to reach the first gate
            self._call((None,) * (self._inputs or 0))
        return gradients

    def _at_inputs(self, gradients: Gradients) -> Gradients:
        if self._of_outputs is None:  # a second derivative, which came from elsewhere
            return gradients
        each: list[Tensor | None] = [None] * (self._inputs or 0)
        for place, gradient in zip(self._places, gradients, strict=True):
            each[place] = gradient
        found = self._call(tuple(each))
        return tuple(found[place] for place in self._places)

    def _call(self, of_inputs: Gradients) -> Gradients:
        for hook in list(self._module._backward_hooks):
            of_inputs = _replaced(hook(self._module, of_inputs, self._of_outputs), of_inputs)
        self._of_outputs = None
        return of_inputs


def _with_gradient(values: Any) -> list[int]:
    return [i for i, x in enumerate(values) if isinstance(x, Tensor) and x.requires_grad]


def _through(
    values: tuple[Any, ...], places: list[int], handed: Callable[[Gradients], Gradients]
) -> tuple[Any, ...]:
    """Return values of which those at `places` have passed a gate."""
    if not places:
        return values
    passed = _Gate.apply(handed, *(values[i] for i in places))
    each = iter(passed if isinstance(passed, tuple) else (passed,))
    return tuple(next(each) if i in places else x for i, x in enumerate(values))


def _replaced(found: Any, gradients: Gradients) -> Gradients:
    """Return what a hook returned in place of the gradients; them, if it returned None."""
    if found is None:
        return gradients
    found = found if isinstance(found, tuple) else (found,)
    if len(found) != len(gradients):
        raise ArgumentError(
            f"a hook on the backward pass returned {len(found)} gradients for {len(gradients)}; return a "
            f"tuple of as many, or None to leave them as they are."
        )
    return found
