"""The engine: `apply` computes an operation and remembers it, `backward` walks back over what was remembered.

`apply` is the only place where a node is born. The tape holds raw arrays and the derivative rules run on raw
arrays; only when derivatives are themselves to be differentiated (`create_graph`) or recorded do the same
rules run on Tensors.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextvars import Context
from typing import TYPE_CHECKING, Any

import numpy

from stepgrad.arrays import devices, dtypes
from stepgrad.autograd.messages import apart, changed_since, explained, freed, made_without_history
from stepgrad.errors import DtypeError, GradientError, ShapeError, StepgradError
from stepgrad.graph import Node, ancestors
from stepgrad.ops.namespace import namespace_of
from stepgrad.ops.record import Absent, Composite, Op
from stepgrad.ops.registry import REGISTRY, find

if TYPE_CHECKING:
    from stepgrad.autograd.recording import Recording


class _State(threading.local):
    """What holds for the current thread."""

    grad_enabled = True
    phase = "forward"
    recorder: Recording | None = None
    module_path: tuple[str, ...] = ()
    anomaly: Any = None  # what looks for NaN in derivatives (anomaly.py)


state = _State()
_ndarray = numpy.ndarray
_NUMBERS = (float, int, bool)
# Where NumPy gives inf and nan without a warning, as IEEE 754 says and PyTorch does: running in a copy of
# this context costs a tenth of `numpy.errstate`.
_silent = Context()
_silent.run(numpy.seterr, all="ignore")
Tensor: Any = None  # set by tensor.py, which stands above this file


def set_tensor_class(tensor_class: type) -> None:
    """Tell the engine the class of its results. `tensor.py` calls this once."""
    global Tensor
    Tensor = tensor_class


# ---------------------------------------------------------------------------------------------- forward


def apply(op: Op, *inputs: Any, **attrs: Any) -> Any:
    """Compute `op` on tensors, numbers and None, and return the result as a Tensor that knows its node.

    Raises `ShapeError`, `DtypeError` or `DeviceError` naming the operation and its operands if they do not
    fit.
    """
    arrays = []
    requires_grad = False
    first_dtype = None
    fits = True
    np: Any = numpy
    for x in inputs:
        if isinstance(x, Tensor):
            a = x._array
            base = x._base
            if base is not None and x._base_seen != base._rebases and state.grad_enabled:
                follow(x)
            if x.requires_grad if base is None else x.__dict__.get("requires_grad", False):
                requires_grad = True
            if first_dtype is None:
                first_dtype = a.dtype
            elif a.dtype is not first_dtype:
                fits = False
            if type(a) is not _ndarray:
                np = None
            arrays.append(a)
        else:
            if x is not None and type(x) not in _NUMBERS:
                return apply(op, *(_operand(op, y) for y in inputs), **attrs)
            arrays.append(x)
    if np is None:
        np = _module_for(op, inputs)
    promotes = op.promotes
    if promotes is not None and not (fits and first_dtype is not None and first_dtype.kind == "f"):
        converted = _promoted(op, inputs, arrays)
        if converted is not None:
            return apply(op, *converted, **attrs)
    if op.kind == "function":  # the user's own code: its errors and warnings are the user's
        y = op.forward(np, *arrays, **attrs)
    else:
        try:
            y = _silent.copy().run(op.forward, np, *arrays, **attrs)
        except StepgradError:
            raise
        except (ValueError, IndexError, TypeError, OverflowError) as error:
            raise explained(op, inputs, attrs, error) from None
    if type(y) is not _ndarray and np is numpy:
        y = numpy.asarray(y)
    result = Tensor._of(y)
    if op.is_view and np.may_share_memory(y, arrays[0]):
        result._version = inputs[0]._version
        if op.differentiable:
            _set_base(result, inputs[0], op, attrs)
    requires_grad = requires_grad and op.differentiable and state.grad_enabled and y.dtype.kind == "f"
    if requires_grad or state.recorder is not None:
        result._node = _new_node(op, inputs, arrays, attrs, result, requires_grad)
        result.requires_grad = requires_grad
    return result


def _set_base(view: Any, source: Any, op: Op, attrs: dict[str, Any]) -> None:
    base = source if source._base is None else source._base
    view._viewed, view._base = (source, op, attrs), base
    view._base_seen = base._rebases if state.grad_enabled else ~base._rebases
    del view.requires_grad  # from now on the base is asked


def _new_node(
    op: Op, inputs: tuple[Any, ...], arrays: list[Any], attrs: dict[str, Any], result: Any,
    requires_grad: bool,
) -> Node:  # fmt: skip
    edges: list[Any] = []
    saved: list[Any] = []
    versions: list[Any] = []
    keeps, known, keeps_result = op.keeps, len(op.keeps), op.keeps_result
    if op.keeps_for is not None:
        wanted = [i for i, x in enumerate(inputs) if getattr(x, "requires_grad", False)]
        keeps = tuple(map(any, zip(*(op.keeps_for[i] for i in wanted)))) or keeps
        keeps_result = any(op.result_for[i] for i in wanted)
    recorder = state.recorder
    for i, x in enumerate(inputs):
        a = arrays[i]
        if x is None or type(x) in _NUMBERS:
            edges.append(None)
            saved.append(a)
            continue
        node = x._node
        if node is not None and (node.requires_grad or not x.requires_grad):
            edges.append(node)
        else:
            edges.append(x if x.requires_grad or recorder is not None else None)
        if (keeps[i] if i < known else op.keeps_rest) and requires_grad:
            saved.append(a)
            versions.append((x._version, x._version[0]))
        else:
            saved.append(Absent(a))
    y = result._array
    if keeps_result and requires_grad:
        versions.append((result._version, result._version[0]))
    node = Node(op, attrs, tuple(edges), tuple(saved), tuple(versions), y, requires_grad)
    node.phase = state.phase
    if not keeps_result:
        node.result = None
    if state.anomaly is not None:
        state.anomaly.remember(node)
    if recorder is not None:
        node.result = recorder.held(node, y)
        node.module = ".".join(state.module_path)
        recorder.add(node, result)
    return node


def _operand(op: Op, x: Any) -> Any:
    """Return an operand that is neither a Tensor nor a plain number as one that is."""
    if isinstance(x, Tensor) or x is None:
        return x
    if isinstance(x, (bool, int, float)):
        return bool(x) if isinstance(x, bool) else int(x) if isinstance(x, int) else float(x)
    if isinstance(x, _ndarray):
        return Tensor._of(numpy.asarray(x))
    if isinstance(x, numpy.generic) and x.dtype.kind in "biuf":
        return x.item()
    raise DtypeError(
        f"{op.name} takes tensors and numbers, not {type(x).__name__}. "
        f"Make a tensor of it with stepgrad.tensor(…)."
    )


def _promoted(op: Op, inputs: tuple[Any, ...], arrays: list[Any]) -> list[Any] | None:
    """Return the inputs brought to the type of the result, or None if they have it."""
    operands = [a for a in arrays if a is not None]
    to = dtypes.result_type(operands)
    if op.promotes == "floating" and not to.is_floating_point:
        to = dtypes.get_default_dtype()
    # The condition of `where` stays a boolean, and its two numbers make an array as numbers would elsewhere.
    skip = 1 if op.name == "where" else 0
    if skip:
        to = dtypes.result_type(operands[1:])
    converted, changed = [], False
    for i, (x, a) in enumerate(zip(inputs, arrays, strict=True)):
        if i >= skip and isinstance(x, Tensor) and a.dtype != to.numpy:
            x, changed = apply(find("cast"), x, dtype=to.numpy), True
        converted.append(x)
    if changed or any(isinstance(x, Tensor) for x in inputs[skip:]):
        return converted if changed else None
    number = numpy.asarray(converted[skip], dtype=to.numpy)
    converted[skip] = Tensor._of(devices.move(number, getattr(inputs[0], "device", devices.CPU)))
    return converted


def _module_for(op: Op, inputs: tuple[Any, ...]) -> Any:
    """Return the module that computes with arrays that are not all NumPy's, or raise `DeviceError`."""
    tensors = [x for x in inputs if isinstance(x, Tensor)]
    places = {str(x.device) for x in tensors}
    if len(places) > 1:
        raise apart(op, tensors)
    return devices.module_of(tensors[0]._array)


def follow(view: Any) -> None:
    """Give a view the history that its base has got since the view was made, by a change in place.

    Raises `GradientError` for one that was made under `no_grad`.
    """
    source, op, attrs = view._viewed
    if view._base_seen < 0:
        if ~view._base_seen != view._base._rebases:
            raise made_without_history(view)
        return
    if source._is_stale():
        follow(source)
    view._base_seen = view._base._rebases
    requires_grad = source.requires_grad
    if requires_grad or state.recorder is not None:
        view._node = _new_node(op, (source,), [source._array], attrs, view, requires_grad)
        view.requires_grad = requires_grad


def in_memory(op: Op, inputs: tuple[Any, ...], attrs: dict[str, Any], array: Any) -> Any:
    """Return what `apply` would, of an operation whose result is in the memory of `array` already."""
    for x in inputs:
        if x._is_stale():
            follow(x)
    result = Tensor._of(array)
    result._node = _new_node(op, inputs, [x._array for x in inputs], attrs, result, True)
    result.requires_grad = True
    return result


# --------------------------------------------------------------------------------------------- backward


class _TensorNamespace:
    """The operations as functions on Tensors: `xp.NAME(…)` applies the record NAME and records a graph."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        op = find(name)

        def function(*inputs: Any, **attrs: Any) -> Any:
            kind = attrs.get("dtype")
            if isinstance(kind, dtypes.dtype):
                # A rule says dtype=x.dtype; records know NumPy's types.
                attrs["dtype"] = kind.numpy
            return apply(op, *inputs, **attrs)

        setattr(self, name, function)
        return function


TENSORS = _TensorNamespace()


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
        y = None if y is None else Tensor._of(y, node)
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
    return Tensor._of(array, source)


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
    g = g if as_graph else Tensor._of(g)
    found = run_backward([y], [g], retain_graph=as_graph, create_graph=state.grad_enabled, targets=targets)
    each = iter(found if as_graph else [None if t is None else t._array for t in found])
    return tuple(next(each) if need else None for need in needs)


def _leaf(x: Any, need: bool) -> Any:
    if x is None or isinstance(x, (int, float, Absent, Tensor)):
        return x
    leaf = Tensor._of(x)
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
        seen = g if as_graph else Tensor._of(numpy.asarray(g) if isinstance(g, numpy.generic) else g)
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
        tensor.grad = Tensor._of(before._array + g)
    else:
        before._array += g
        before._version[0] += 1


def _owned(g: Any, tensor: Any, as_graph: bool) -> Any:
    """Return a gradient as a Tensor whose array nobody else holds, so that it may be changed in place."""
    if as_graph:
        if g.requires_grad and g._node is None:
            return g.clone()
        return Tensor._of(g._array.copy(), g._node)
    if getattr(g, "base", 0) is not None or isinstance(g, numpy.generic):
        np = devices.module_of(tensor._array)
        g = np.array(np.broadcast_to(g, tensor.shape), dtype=tensor._array.dtype)
    return Tensor._of(g)


def _finished(target: Any, g: Any, as_graph: bool) -> Any:
    """Return the gradient of a target as `run_backward` hands it out."""
    if g is None:
        return None
    if target.is_leaf:
        g = _through_hooks(target._hooks, g, as_graph)
    return g if as_graph else _owned(g, target, as_graph)


def operation(name: str) -> Callable[..., Any]:
    """Return the operation `name` as a function of Tensors."""
    return getattr(TENSORS, name)


__all__ = ["REGISTRY", "TENSORS", "apply", "operation", "run_backward", "set_tensor_class", "state"]
