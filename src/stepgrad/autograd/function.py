"""`Function`: an operation of one's own, with its own derivative."""

from __future__ import annotations

from typing import Any

from stepgrad.autograd import engine
from stepgrad.autograd.engine import apply, state
from stepgrad.errors import ArgumentError, GradientError
from stepgrad.ops.record import Op


class FunctionContext:
    """What `forward` leaves for `backward`: `save_for_backward(*tensors)`, and any attribute that it sets."""

    def __init__(self) -> None:
        self._saved: tuple[Any, ...] = ()
        self._operands: tuple[Any, ...] = ()
        self._shapes: list[tuple[int, ...]] | None = None
        self._differentiable: dict[int, Any] = {}
        self.needs_input_grad: tuple[bool, ...] = ()

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors (or None) for `backward`, where they are `saved_tensors`."""
        self._saved = tensors

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """The tensors kept, connected to the graph when second derivatives are computed."""
        return tuple(self._differentiable.get(id(t), t) for t in self._saved)


class _FunctionOp(Op):
    """The record of a user's Function. It is made per class, not registered, and keeps all inputs and the result."""

    kind = "function"
    quiet = True

    def __init__(self, function: type[Function]) -> None:
        self.name, self.__doc__, self.source = function.__name__, function.__doc__, function.__module__
        self.function = function
        self.keeps, self.keeps_rest, self.keeps_result, self.differentiable = (), True, True, True

    def input_names(self) -> tuple[str, ...]:
        return ()

    def forward(self, np: Any, *arrays: Any, context: FunctionContext, arguments: tuple[Any, ...]) -> Any:
        operands = tuple(engine.Tensor._of(a) for a in arrays)
        context._operands = operands
        rest = iter(operands)
        outer, state.grad_enabled = state.grad_enabled, False
        try:
            result = self.function.forward(context, *(next(rest) if a is _TENSOR else a for a in arguments))
        finally:
            state.grad_enabled = outer
        if isinstance(result, tuple):
            # Several results travel as one flat array, which `Function.apply` takes apart.
            context._shapes = [tuple(r.shape) for r in result]
            return np.concatenate([r._array.reshape(-1) for r in result])
        return result._array

    def vjp(
        self, xp: Any, g: Any, y: Any, *inputs: Any, needs: Any, context: FunctionContext, arguments: Any
    ) -> tuple[Any, ...]:
        is_tensor = isinstance(g, engine.Tensor)
        wrap = (lambda a: a) if is_tensor else engine.Tensor._of
        if is_tensor:
            context._differentiable = {id(t): x for t, x in zip(context._operands, inputs, strict=True)}
        gradients = [wrap(g)] if context._shapes is None else _taken_apart(wrap(g), context._shapes)
        found = self.function.backward(context, *gradients)
        found = found if isinstance(found, tuple) else (found,)
        if len(found) != len(arguments):
            raise GradientError(
                f"{self.name}.backward returned {len(found)} gradients for {len(arguments)} arguments of forward; "
                f"return one each, None for those that need none."
            )
        of_tensors = [x for x, a in zip(found, arguments, strict=True) if a is _TENSOR]
        return tuple(x if x is None or is_tensor else x._array for x in of_tensors)


_TENSOR = object()  # marks the place of a tensor among the arguments


class Function:
    """Base of operations with a derivative of one's own: static methods `forward` and `backward`, called by `apply`.

    `forward(ctx, *arguments)` gets tensors and anything else and returns a Tensor or a tuple of Tensors of one dtype;
    `backward(ctx, *gradients)` gets a gradient per result and returns one per argument of `forward` (None for none).

    >>> import stepgrad as sg
    >>> class Cube(sg.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x * x * x
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         (x,) = ctx.saved_tensors
    ...         return g * 3 * x * x
    >>> x = sg.tensor(2.0, requires_grad=True)
    >>> Cube.apply(x).backward(); x.grad
    tensor(12.)
    """

    _record: _FunctionOp

    @staticmethod
    def forward(ctx: Any, *args: Any) -> Any:
        """Compute the result; a subclass defines it."""
        raise ArgumentError("a Function defines a static method forward(ctx, …).")

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """Compute the gradients of the arguments; a subclass defines it."""
        raise GradientError("this Function has no static method backward(ctx, …), so it has no gradient.")

    @classmethod
    def apply(cls, *arguments: Any) -> Any:
        """Compute the function on `arguments` and remember it."""
        if "_record" not in cls.__dict__:
            cls._record = _FunctionOp(cls)
        context = FunctionContext()
        tensors = [a for a in arguments if isinstance(a, engine.Tensor)]
        context.needs_input_grad = tuple(isinstance(a, engine.Tensor) and a.requires_grad for a in arguments)
        places = tuple(_TENSOR if isinstance(a, engine.Tensor) else a for a in arguments)
        result = apply(cls._record, *tensors, context=context, arguments=places)
        return result if context._shapes is None else tuple(_taken_apart(result, context._shapes))


def _taken_apart(flat: Any, shapes: list[tuple[int, ...]]) -> list[Any]:
    parts, start = [], 0
    for shape in shapes:
        size = 1
        for n in shape:
            size *= n
        parts.append(flat[start : start + size].reshape(shape))
        start += size
    return parts


__all__ = ["Function", "FunctionContext"]
