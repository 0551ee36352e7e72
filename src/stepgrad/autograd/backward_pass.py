"""The way back: from the gradient of a result to those of what it was computed from.

The derivative rules of the records run on raw arrays; only when derivatives are themselves to be
differentiated (`create_graph`) or recorded do the same rules run on Tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy

from stepgrad.arrays import devices, dtypes
from stepgrad.autograd import engine
from stepgrad.autograd.engine import TENSORS, apply, follow, state
from stepgrad.autograd.messages import changed_since, freed
from stepgrad.errors import GradientError, ShapeError
from stepgrad.graph import Node, ancestors
from stepgrad.ops.namespace import namespace_of
from stepgrad.ops.record import Absent, Composite, Op
from stepgrad.ops.registry import find

_ndarray = numpy.ndarray


def run_backward(
    roots: Sequence[Any],
    gradients: Sequence[Any],
    *,
    retain_graph: bool,
    create_graph: bool,
    targets: Sequence[Any] | None = None,
) -> list[Any]:
    """Walk back from `roots`, whose gradients are given as Tensors.

    Without `targets` the gradients of leaves are added to their ``.grad``; with `targets` (tensors) their
    gradients are returned, None where none flows, and nothing else is touched. With `create_graph` the
    gradients are Tensors with a graph of their own.
    """
    as_graph = create_graph or state.recorder is not None
    pending: dict[Any, Any] = {}
    wanted = None if targets is None else {_source(t): i for i, t in enumerate(targets)}
    for root, g in zip(roots, gradients, strict=True):
        # A view, because the array of `g` belongs to whoever handed it in.
        _accumulate(pending, _source(root), g if as_graph else g._array.view())
    nodes = [n for n in ancestors(s for s in pending if isinstance(s, Node)) if n.requires_grad]
    leads = None if wanted is None else _leading_to(nodes, wanted)
    outer = (state.grad_enabled, state.phase, state.anomaly)
    state.grad_enabled, state.phase = create_graph, "backward"
    try:
        with numpy.errstate(all="ignore"):
            for node in reversed(nodes):
                g = pending.get(node) if wanted is not None and node in wanted else pending.pop(node, None)
                if g is None:
                    continue
                g = _hooked(node, g, as_graph)
                if wanted is not None and node in wanted:
                    pending[node] = g
                _back_through(node, g, pending, leads, as_graph)
                if not retain_graph and state.recorder is None and (leads is None or node in leads):
                    node.saved = node.result = None
        if wanted is None:
            for leaf, g in pending.items():
                _add_to_leaf(leaf, g, as_graph)
            return []
        assert targets is not None
        return [_finished(t, pending.get(_source(t)), as_graph) for t in targets]
    finally:
        state.grad_enabled, state.phase, state.anomaly = outer


def _source(tensor: Any) -> Any:
    """Return what gradients of a tensor belong to: its node, or itself if it is a leaf."""
    if tensor._is_stale():
        follow(tensor)
    return tensor if tensor.is_leaf else tensor._node


def _leading_to(nodes: list[Node], wanted: dict[Any, int]) -> set[Node]:
    """Return the nodes from which a wanted node or leaf is reached."""
    leads: set[Node] = set()
    for node in nodes:
        if any(x is not None and (x in wanted or x in leads) for x in node.inputs):
            leads.add(node)
    return leads


def _back_through(
    node: Node, g: Any, pending: dict[Any, Any], leads: set[Node] | None, as_graph: bool
) -> None:
    """Compute the gradients of a node's inputs from that of its result, and add them to what is pending."""
    if leads is not None and node not in leads:
        return
    needs = tuple(x is not None and x.requires_grad for x in node.inputs)
    saved = node.saved
    if saved is None:
        raise freed(node)
    for counter, version in node.versions:
        if counter[0] != version:
            raise changed_since(node)
    op, y = node.op, node.result
    if as_graph:
        inputs = tuple(map(_rewrapped, saved, node.inputs))
        y = None if y is None else engine.Tensor._of(y, node)
        xp: Any = TENSORS
    else:
        inputs = saved
        xp = namespace_of(numpy if type(g) is _ndarray else devices.module_of(g))
    watch = state.anomaly
    if watch is not None:
        state.anomaly = None  # the parts of a composite were called by stepgrad, not by the user
    if op.vjp is not None:
        found = op.vjp(xp, g, y, *inputs, needs=needs, **node.attrs)
    else:
        found = _through_expansion(op, g, inputs, needs, node.attrs, as_graph)
    if watch is not None:
        watch.check(node, found)
    for i, (x, need, gx) in enumerate(zip(node.inputs, needs, found, strict=True)):
        if not need:
            continue
        if gx is not None:
            # Passed on as it is: the same array must not be added to in place in two places.
            _accumulate(pending, x, gx.view() if gx is g and isinstance(gx, _ndarray) else gx)
        elif op.has_own_vjp and op.kind != "function":
            raise GradientError(
                f"{op.name} has no derivative with respect to its input {op.input_names()[i]!r}, which "
                f"requires a gradient{op.why_not and f': {op.why_not}'}. Use .detach() on it."
            )


def _rewrapped(array: Any, source: Any) -> Any:
    """Return a saved array as the Tensor that it was."""
    if source is not None and not isinstance(source, Node):
        return source
    if isinstance(array, Absent):
        described = Absent(array)
        described.dtype = dtypes.of(array)
        return described
    if array is None or isinstance(array, (int, float)):
        return array
    return engine.Tensor._of(array, source)


def _through_expansion(
    op: Op, g: Any, inputs: tuple[Any, ...], needs: tuple[bool, ...], attrs: dict[str, Any], as_graph: bool
) -> tuple[Any, ...]:
    """Differentiate a composite through the operations that it is stated in."""
    assert isinstance(op, Composite)
    assert op.expand is not None
    outer = state.grad_enabled
    state.grad_enabled = True
    try:
        # A view of each input, so that the walk back stops there and not at what made it.
        operands = [
            apply(find("reshape"), x, shape=tuple(x.shape)) if as_graph and need else _leaf(x, need)
            for x, need in zip(inputs, needs, strict=True)
        ]
        y = op.expand(TENSORS, *operands, **attrs)
    finally:
        state.grad_enabled = outer
    targets = [x for x, need in zip(operands, needs, strict=True) if need]
    g = g if as_graph else engine.Tensor._of(g)
    found = run_backward([y], [g], retain_graph=as_graph, create_graph=state.grad_enabled, targets=targets)
    each = iter(found if as_graph else [None if t is None else t._array for t in found])
    return tuple(next(each) if need else None for need in needs)


def _leaf(x: Any, need: bool) -> Any:
    if x is None or isinstance(x, (int, float, Absent, engine.Tensor)):
        return x
    leaf = engine.Tensor._of(x)
    leaf.requires_grad = need
    return leaf


def _accumulate(pending: dict[Any, Any], source: Any, g: Any) -> None:
    before = pending.get(source)
    pending[source] = g if before is None else before + g


def _hooked(node: Node, g: Any, as_graph: bool) -> Any:
    """Let the hooks of a node's tensor see, and replace, its gradient; keep it if that was asked for."""
    g = _through_hooks(node.hooks, g, as_graph)
    keeper = None if node.retained is None else node.retained()
    if keeper is not None:
        _store(keeper, g, as_graph)
        g = g if as_graph else g.view()
    return g


def _through_hooks(hooks: list[Callable[..., Any]] | None, g: Any, as_graph: bool) -> Any:
    """Return what the hooks make of a gradient."""
    for hook in list(hooks or ()):
        seen = g if as_graph else engine.Tensor._of(numpy.asarray(g) if isinstance(g, numpy.generic) else g)
        changed = hook(seen)
        # A view from here on, because the hook may have kept the tensor that it saw.
        seen = seen if changed is None else changed
        if seen.shape != g.shape:
            raise ShapeError(
                f"a hook returned a gradient of shape {list(seen.shape)} for one of shape {list(g.shape)}."
            )
        g = seen if as_graph else seen._array.view()
    return g


def _add_to_leaf(leaf: Any, g: Any, as_graph: bool) -> None:
    if isinstance(leaf, Node):
        return
    _store(leaf, _through_hooks(leaf._hooks, g, as_graph), as_graph)
    for hook in leaf._after_accumulation or ():
        hook(leaf)


def _store(tensor: Any, g: Any, as_graph: bool) -> None:
    """Add a gradient to ``.grad`` of a tensor."""
    before = tensor.grad
    if before is None:
        tensor.grad = _owned(g, tensor, as_graph)
    elif as_graph:
        if state.recorder is not None and (before._node is None or before._node not in state.recorder):
            state.recorder.added_to.append(before)
        tensor.grad = before + g
    elif before._node is not None:
        tensor.grad = engine.Tensor._of(before._array + g)
    else:
        before._array += g
        before._version[0] += 1


def _owned(g: Any, tensor: Any, as_graph: bool) -> Any:
    """Return a gradient as a Tensor whose array nobody else holds, so that it may be changed in place."""
    if as_graph:
        if g.requires_grad and g._node is None:
            return g.clone()
        return engine.Tensor._of(g._array.copy(), g._node)
    if getattr(g, "base", 0) is not None or isinstance(g, numpy.generic):
        np = devices.module_of(tensor._array)
        g = np.array(np.broadcast_to(g, tensor.shape), dtype=tensor._array.dtype)
    return engine.Tensor._of(g)


def _finished(target: Any, g: Any, as_graph: bool) -> Any:
    """Return the gradient of a target as `run_backward` hands it out."""
    if g is None:
        return None
    if target.is_leaf:
        g = _through_hooks(target._hooks, g, as_graph)
    return g if as_graph else _owned(g, target, as_graph)
