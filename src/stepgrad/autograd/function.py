"""`Function`: an operation of one's own, with its own derivative."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from math import prod
from typing import Any

import numpy

from stepgrad.autograd import engine
from stepgrad.autograd.engine import apply, state
from stepgrad.autograd.modes import no_grad
from stepgrad.errors import ArgumentError, DtypeError, GradientError
from stepgrad.graph import Node
from stepgrad.ops.record import Absent, Op


class FunctionContext:
    """What `forward` leaves for `backward`: `save_for_backward(*tensors)`, and any attribute that it sets.

    It also says there which results have no derivative (`mark_non_differentiable`) and which arguments it
    changed in place (`mark_dirty`).
    """

    def __init__(self) -> None:
        self._saved: tuple[Any, ...] = ()
        self._connected: tuple[Any, ...] | None = None
        # For each saved tensor its place among the operands and results, or None if it is neither.
        self._places: tuple[int | None, ...] = ()
        # Of several results the differentiable ones travel; of each of the others, where it stands, itself.
        self._shapes: list[tuple[int, ...]] | None = None
        self._aside: list[Any] = []
        self._without_derivative: tuple[Any, ...] = ()
        self._dirty: tuple[Any, ...] = ()
        # For each result the place of the argument that it is, changed in place, or None.
        self._changed: list[int | None] = []
        self._materializes = True
        self.needs_input_grad: tuple[bool, ...] = ()

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors (or None) for `backward`, where they are `saved_tensors`."""
        self._saved = tensors

    def mark_non_differentiable(self, *tensors: Any) -> None:
        """Say which results have no derivative, such as indices; integers and booleans never have one.

        `backward` gets zeros for them.
        """
        self._without_derivative = tensors

    def mark_dirty(self, *tensors: Any) -> None:
        """Say which arguments `forward` changed in place and returns: they take on its history."""
        self._dirty = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Say whether `backward` gets zeros (True) or None for results without derivative."""
        self._materializes = value

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """The tensors kept, connected to the graph when second derivatives are computed."""
        return self._saved if self._connected is None else self._connected

    def _carries(self, result: Any) -> bool:
        """Return whether a result has a derivative."""
        kept = all(result is not t for t in self._without_derivative)
        return kept and result.dtype.is_floating_point

    def _locate(self, known: tuple[Any, ...]) -> None:
        """Hand the saved tensors that are operands or results over to the node, which frees them."""
        places = {id(t): i for i, t in enumerate(known)}
        self._places = tuple(places.get(id(t)) for t in self._saved)
        pairs = zip(self._saved, self._places, strict=True)
        self._saved = tuple(t if place is None else None for t, place in pairs)

    def _connect(self, known: list[Any]) -> None:
        """Make `saved_tensors` of the operands and results that the node kept, arrays or tensors."""
        found = (
            t if place is None else known[place] for t, place in zip(self._saved, self._places, strict=True)
        )
        self._connected = tuple(
            t if t is None or isinstance(t, engine.Tensor) else engine.Tensor._of(t) for t in found
        )


class _FunctionOp(Op):
    """The record of a user's Function: made per class, not registered; keeps all inputs and the result."""

    kind = "function"

    def __init__(self, function: type[Function]) -> None:
        self.name, self.__doc__, self.source = function.__name__, function.__doc__, function.__module__
        self.function = function
        self.keeps, self.keeps_for, self.keeps_rest, self.keeps_result = (), None, True, True
        self.differentiable = self.has_own_vjp = True

    def input_names(self) -> tuple[str, ...]:
        return ()

    def forward(self, np: Any, *arrays: Any, context: FunctionContext, arguments: tuple[Any, ...]) -> Any:
        operands = tuple(engine.Tensor._of(a) for a in arrays)
        rest = iter(operands)
        outer, state.grad_enabled = state.grad_enabled, False
        try:
            given = tuple(next(rest) if a is _TENSOR else a for a in arguments)
            if self.function.setup_context is Function.setup_context:
                result = self.function.forward(context, *given)
            else:
                result = self.function.forward(*given)
                self.function.setup_context(context, given, result)
        finally:
            state.grad_enabled = outer
        results = result if isinstance(result, tuple) else (result,)
        carried = [r for r in results if isinstance(r, engine.Tensor) and context._carries(r)]
        self._check_results(results, carried)
        for tensor in context._dirty:
            if all(tensor is not x for x in operands) or all(tensor is not r for r in results):
                raise ArgumentError(
                    f"{self.name}.forward: mark_dirty takes arguments that forward changed in place and "
                    f"returns."
                )
        changed = [(i, x) for i, x in enumerate(operands) if any(x is t for t in context._dirty)]
        context._changed = [next((i for i, x in changed if x is r), None) for r in results]
        context._locate((*operands, *carried))
        if result is results:
            # Several results travel as one flat array, which `Function.apply` takes apart.
            context._shapes = [r.shape for r in carried]
            context._aside = [None if any(r is c for c in carried) else r for r in results]
            return np.concatenate([r._array.reshape(-1) for r in carried] or [np.empty(0, "float32")])
        # An operand handed back must not share its memory with a tensor that has another history.
        return result._array.copy() if any(result is x for x in operands) else result._array

    def _check_results(self, results: tuple[Any, ...], carried: list[Any]) -> None:
        for r in results:
            if not isinstance(r, engine.Tensor):
                raise ArgumentError(
                    f"{self.name}.forward returned {type(r).__name__}; return a Tensor or a tuple of Tensors."
                )
        kinds = {r.dtype.name for r in carried}
        if len(kinds) > 1:
            raise DtypeError(
                f"{self.name}.forward returned tensors of {', '.join(sorted(kinds))}; return one dtype of "
                f"those that have a derivative."
            )

    def vjp(
        self, xp: Any, g: Any, y: Any, *inputs: Any, needs: Any, context: FunctionContext, arguments: Any
    ) -> tuple[Any, ...]:
        in_graph = isinstance(g, engine.Tensor)
        g = g if in_graph else engine.Tensor._of(numpy.asarray(g) if isinstance(g, numpy.generic) else g)
        gradients = [g] if context._shapes is None else _merged(context, _taken_apart(g, context._shapes))
        results = [y] if context._shapes is None or y is None else _taken_apart(y, context._shapes)
        context._connect([*inputs, *results])
        try:
            found = self.function.backward(context, *gradients)
        finally:
            context._connected = None
        found = found if isinstance(found, tuple) else (found,)
        while len(found) > len(arguments) and found[-1] is None:
            found = found[:-1]  # of arguments of forward that were left at their defaults
        if len(found) != len(arguments):
            raise GradientError(
                f"{self.name}.backward returned {len(found)} gradients for {len(arguments)} arguments of "
                f"forward; return one each, None for those that need none."
            )
        of_tensors = [x for x, a in zip(found, arguments, strict=True) if a is _TENSOR]
        return tuple(map(self._checked, of_tensors, inputs, [in_graph] * len(inputs)))

    def _checked(self, gradient: Any, x: Any, in_graph: bool) -> Any:
        if gradient is None:
            return None
        if not isinstance(gradient, engine.Tensor) or gradient.shape != x.shape:
            what = list(gradient.shape) if isinstance(gradient, engine.Tensor) else type(gradient).__name__
            raise GradientError(
                f"{self.name}.backward returned {what} as the gradient of an argument of shape "
                f"{list(x.shape)}."
            )
        # A view, because backward may return one tensor twice, or one that it keeps.
        return gradient if in_graph else gradient._array.view()


_TENSOR = object()  # marks the place of a tensor among the arguments


class Function:
    """Base of operations with a derivative of one's own: static methods `forward` and `backward`.

    ``MyFunction.apply(*arguments)`` calls them.

    `forward(ctx, *arguments)` gets tensors and anything else and returns a Tensor or a tuple of Tensors,
    those with a derivative of one dtype; `backward(ctx, *gradients)` gets a gradient per result and returns
    one per argument of `forward` (None for none). With a third static method,
    `setup_context(ctx, inputs, output)`, which saves what `backward` needs, `forward` gets the arguments
    alone.

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
    def forward(*args: Any) -> Any:
        """Compute the result, as ``forward(ctx, *arguments)``; a subclass defines it."""
        raise ArgumentError("a Function defines a static method forward(ctx, …).")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Save for `backward` what it needs of the arguments and the result of ``forward(*inputs)``; a
        subclass may define it.
        """
        raise ArgumentError("a Function without setup_context defines forward(ctx, …).")

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
        if result._node is not None:
            _forget_unsaved(result._node, context._places)
        if context._shapes is None:
            parts = [result.detach() if context._without_derivative else result]
        else:
            rest = iter(_taken_apart(result, context._shapes))
            parts = [next(rest) if aside is None else aside for aside in context._aside]
        for i, place in enumerate(context._changed):
            if place is not None:
                parts[i] = tensors[place]._become(parts[i])
        return parts[0] if context._shapes is None else tuple(parts)


def _forget_unsaved(node: Node, places: tuple[int | None, ...]) -> None:
    """Keep of the operands and the result of a Function only what its forward saved."""
    if not node.requires_grad:
        return
    count = len(node.inputs)
    kept = {count if i is not None and i >= count else i for i in places}
    node.versions = tuple(v for i, v in enumerate(node.versions) if i in kept)
    node.saved = tuple(a if i in kept else Absent(a) for i, a in enumerate(node.saved or ()))
    if count not in kept and state.recorder is None:
        node.result = None


class _Once(Function):
    """The identity of its first argument, which has no second derivative."""

    @staticmethod
    def forward(ctx: Any, gradient: Any, *_: Any) -> Any:
        return gradient

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        raise GradientError(
            "the second derivative of a Function whose backward is marked with once_differentiable."
        )


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Return a `backward` of a `Function` that computes without a graph: a derivative of it, the second one
    of the Function, raises `GradientError` instead of being wrong.

    >>> import stepgrad as sg
    >>> class Double(Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         return sg.from_numpy(2 * x.numpy())
    ...     @staticmethod
    ...     @once_differentiable
    ...     def backward(ctx, g):
    ...         return sg.from_numpy(2 * g.numpy())  # what happens in NumPy has no graph
    >>> x = sg.tensor([1.0], requires_grad=True)
    >>> sg.autograd.grad(Double.apply(x), x)
    (tensor([2.]),)
    """

    @wraps(backward)
    def once(ctx: Any, *gradients: Any) -> Any:
        in_graph = state.grad_enabled
        with no_grad():
            plain = [g.detach() if isinstance(g, engine.Tensor) else g for g in gradients]
            found = backward(ctx, *plain)
        if not in_graph:
            return found
        each = found if isinstance(found, tuple) else (found,)
        known = [x for x in (*gradients, *ctx.saved_tensors) if isinstance(x, engine.Tensor)]
        return tuple(g if g is None else _Once.apply(g, *known) for g in each)

    return once


def _merged(context: FunctionContext, gradients: list[Any]) -> list[Any]:
    """Return a gradient per result, of those without derivative zeros or None."""
    rest, fill = iter(gradients), context._materializes
    return [next(rest) if r is None else r.detach() * 0 if fill else None for r in context._aside]


def _taken_apart(flat: Any, shapes: list[tuple[int, ...]]) -> list[Any]:
    parts, start = [], 0
    for shape in shapes:
        size = prod(shape)
        parts.append(flat[start : start + size].reshape(shape))
        start += size
    return parts


__all__ = ["Function", "FunctionContext", "once_differentiable"]
