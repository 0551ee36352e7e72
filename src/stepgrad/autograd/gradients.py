"""`backward` and `grad`: gradients added to the leaves, or returned."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from stepgrad.arrays import devices
from stepgrad.autograd import engine
from stepgrad.autograd.backward_pass import run_backward
from stepgrad.autograd.engine import TENSORS, state
from stepgrad.errors import ArgumentError, GradientError, ShapeError


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """Add the derivative of the sum of `tensors`, weighted by `grad_tensors`, to ``.grad`` of the leaves.

    `tensors`: a Tensor or several; one with more than one element needs its weights in `grad_tensors`, of the
    same shape. `retain_graph` keeps the graph for another backward; `create_graph` (which implies it) makes
    the gradients differentiable; `inputs` restricts the leaves. Raises `GradientError` where there is no
    graph.

    >>> import stepgrad as sg
    >>> x = sg.tensor([1.0, 2.0], requires_grad=True)
    >>> sg.autograd.backward(x * x, sg.tensor([1.0, 10.0]))
    >>> x.grad
    tensor([ 2., 40.])
    """
    roots = _as_list(tensors)
    weights = _weights(roots, grad_tensors)
    retain = create_graph if retain_graph is None else retain_graph
    _note_ends(roots, retain)
    if inputs is None:
        run_backward(roots, weights, retain_graph=retain, create_graph=create_graph)
        return
    leaves = _as_list(inputs)
    found = run_backward(roots, weights, retain_graph=retain, create_graph=create_graph, targets=leaves)
    for leaf, g in zip(leaves, found, strict=True):
        if g is not None:
            leaf.grad = g if leaf.grad is None else leaf.grad + g
            for hook in leaf._after_accumulation or ():
                hook(leaf)


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Any, ...]:
    """Return the derivatives of the sum of `outputs`, weighted by `grad_outputs`, with respect to `inputs`.

    Returns a tuple with a Tensor per input, of its shape. Raises `GradientError` if an input does not need a
    gradient or did not take part, unless `allow_unused` (then None, or zeros with `materialize_grads`).
    `only_inputs` changes nothing, as in PyTorch. With `is_grads_batched` each weight has a further dimension
    at the front, and so has each derivative.

    >>> import stepgrad as sg
    >>> x = sg.tensor(2.0, requires_grad=True)
    >>> (dx,) = sg.autograd.grad(x**3, x, create_graph=True)
    >>> sg.autograd.grad(dx, x)
    (tensor(12.),)
    """
    roots, targets = _as_list(outputs), _as_list(inputs)
    if is_grads_batched:
        rows = zip(*_as_list(grad_outputs), strict=True)
        options = (create_graph, True, allow_unused, False, materialize_grads)
        found = [grad(roots, targets, list(row), True, *options) for row in rows]
        columns = zip(*found, strict=True)
        return tuple(None if c[0] is None else TENSORS.cat(*(g[None] for g in c), dim=0) for c in columns)
    for i, t in enumerate(targets):
        if not t.requires_grad:
            raise GradientError(
                f"input {i} of grad() does not require a gradient: {t.dtype.name}{list(t.shape)}."
            )
    retain = create_graph if retain_graph is None else retain_graph
    weights = _weights(roots, grad_outputs)
    _note_ends(roots, retain)
    found = run_backward(roots, weights, retain_graph=retain, create_graph=create_graph, targets=targets)
    if materialize_grads:
        found = [_zeros(t) if g is None else g for t, g in zip(targets, found, strict=True)]
    elif not allow_unused:
        for i, g in enumerate(found):
            if g is None:
                raise GradientError(
                    f"input {i} of grad() did not take part in the outputs. "
                    f"Pass allow_unused=True to get None for it."
                )
    return tuple(found)


def _note_ends(roots: list[Any], retain: bool) -> None:
    """Tell a recording of which tensors the graph will be used up."""
    if state.recorder is not None and not retain:
        state.recorder.ends += [root._node for root in roots if root._node is not None]


def _as_list(tensors: Any) -> list[Any]:
    return (
        [tensors] if isinstance(tensors, engine.Tensor) or not isinstance(tensors, Iterable) else [*tensors]
    )


def _zeros(t: Any) -> Any:
    return TENSORS.full(shape=tuple(t.shape), value=0, dtype=t._array.dtype)


def _one_like(root: Any) -> Any:
    """Return the gradient from which a walk back starts by itself, recorded as part of that walk."""
    if state.recorder is None:
        return engine.Tensor._of(devices.module_of(root._array).ones_like(root._array))
    outer, state.phase = state.phase, "backward"
    try:
        one = TENSORS.full(shape=tuple(root.shape), value=1, dtype=root._array.dtype)
        return one.to(root.device)
    finally:
        state.phase = outer


def _weights(roots: list[Any], weights: Any) -> list[Any]:
    given: Sequence[Any] = [None] * len(roots) if weights is None else _as_list(weights)
    if len(given) != len(roots):
        raise ArgumentError(f"{len(roots)} tensor(s) need as many gradients to start from, not {len(given)}.")
    result = []
    for root, weight in zip(roots, given, strict=True):
        if not root.requires_grad:
            raise GradientError(
                "this tensor does not require a gradient: nothing that led to it does. Create the inputs or "
                "parameters with requires_grad=True, and compute outside of no_grad(). What compile(module) "
                "returns has gradients in training mode alone; better compile the whole step, backward() "
                "and optimizer.step() included."
            )
        if weight is None:
            if root.numel() != 1:
                raise GradientError(
                    f"backward() without weights starts from one number, not from shape {list(root.shape)}. "
                    f"Reduce it, for example with .mean(), or pass gradient= of that shape."
                )
            weight = _one_like(root)
        elif not isinstance(weight, engine.Tensor):
            raise ArgumentError(f"a gradient to start from is a tensor, not {type(weight).__name__}.")
        elif tuple(weight.shape) != tuple(root.shape):
            raise ShapeError(f"a gradient of shape {list(weight.shape)} does not fit {list(root.shape)}.")
        result.append(weight if weight._array.dtype == root._array.dtype else weight.to(root.dtype))
    return result
