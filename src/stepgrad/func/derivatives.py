"""Derivatives of functions as functions: of one number, of vectors, and their products with vectors.

A function is called with stand-ins for the arguments to differentiate by. The derivatives are part of a
graph where something outside requires gradients: an argument, or a tensor that the function reads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from stepgrad.autograd.functional import differentiated, products, rows_of
from stepgrad.autograd.modes import enable_grad, is_grad_enabled
from stepgrad.errors import ArgumentError, GradientError, ShapeError
from stepgrad.graph import Node, ancestors
from stepgrad.tensor import Tensor
from stepgrad.trees import filled, leaves, mapped

# A number of an argument, or several.
Arguments = int | tuple[int, ...]


class _Call:
    """One call of a function with stand-ins for its `inputs` (trees of Tensors).

    `given`: the stand-ins; `value`, `aux`: what the function returned; `outputs`: the tensors in the value;
    `in_graph`: whether derivatives are to be differentiable.
    """

    def __init__(self, name: str, func: Callable[..., Any], inputs: Any, has_aux: bool) -> None:
        self.name, self.inputs, outside = name, inputs, is_grad_enabled()
        each = leaves(inputs)
        for x in each:
            if not isinstance(x, Tensor) or not x.is_floating_point():
                what = x.dtype.name if isinstance(x, Tensor) else type(x).__name__
                raise GradientError(f"{name} differentiates by floating point tensors, not by {what}.")
        with enable_grad():
            self.given = [differentiated(x) for x in each]
            found = func(filled(inputs, self.given))
        if has_aux and not (isinstance(found, tuple) and len(found) == 2):
            raise ArgumentError(f"{name} with has_aux takes a function that returns (value, aux).")
        self.aux: Any = None
        self.value, self.aux = found if has_aux else (found, None)
        self.has_aux, self.outputs = has_aux, leaves(self.value)
        for y in self.outputs:
            if not isinstance(y, Tensor):
                raise ArgumentError(f"{name} takes a function of tensors to tensors, not {type(y).__name__}.")
        self.in_graph = outside and self._reads_others()

    def _reads_others(self) -> bool:
        """Return whether a tensor outside, which requires gradients, led to the outputs."""
        own = {id(x) for x in self.given}
        if any(not x.is_leaf for x in self.given):
            return True
        nodes = ancestors(y._node for y in self.outputs if y._node is not None)
        edges = [x for node in nodes for x in node.inputs] + [y for y in self.outputs if y.is_leaf]
        return any(
            not isinstance(x, (Node, type(None))) and x.requires_grad and id(x) not in own for x in edges
        )

    def handed_out(self, tree: Any) -> Any:
        """Return tensors as the caller gets them: without the graph, where that is of this call alone."""
        return mapped(lambda x: x if self.in_graph or not isinstance(x, Tensor) else x.detach(), tree)

    def products(self, weights: Sequence[Any] | None, in_graph: bool) -> list[Any]:
        """Return the derivatives of the outputs, weighted, by each input."""
        with enable_grad():
            return products(self.outputs, self.given, weights, in_graph)

    def with_aux(self, *found: Any) -> Any:
        """Return what was found, and the aux if the function returned one."""
        found = (*found, self.handed_out(self.aux)) if self.has_aux else found
        return found if len(found) > 1 else found[0]


def _picked(argnums: Arguments, name: str, args: tuple[Any, ...]) -> Any:
    """Return the arguments to differentiate by, one or a tuple."""
    for i in argnums if isinstance(argnums, tuple) else (argnums,):
        if not isinstance(i, int) or not -len(args) <= i < len(args):
            raise ArgumentError(f"{name}: there is no argument {i!r}, but {len(args)} of them.")
    return tuple(args[i] for i in argnums) if isinstance(argnums, tuple) else args[argnums]


def _called(
    name: str, func: Callable[..., Any], argnums: Arguments, args: Any, kwargs: Any, has_aux: bool = False
) -> _Call:
    def inside(picked: Any) -> Any:
        given = list(args)
        pairs = zip(argnums, picked, strict=True) if isinstance(argnums, tuple) else [(argnums, picked)]
        for i, x in pairs:
            given[i] = x
        return func(*given, **kwargs)

    return _Call(name, inside, _picked(argnums, name, args), has_aux)


def grad_and_value(
    func: Callable[..., Any], argnums: Arguments = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Return a function that gives the derivative of `func`, whose value is one number, and the value.

    `argnums`: by which arguments, a number or a tuple; each is a tensor or a tuple, list or dict of tensors,
    and its derivative has the same form. With `has_aux` the function returns (value, aux), and what comes
    back is (derivative, (value, aux)). Raises `GradientError` for a value that is not one number.

    >>> import stepgrad as sg
    >>> grad_and_value(lambda p, x: (p["w"] * x).sum())({"w": sg.ones(2)}, sg.tensor([3.0, 4.0]))
    ({'w': tensor([3., 4.])}, tensor(7.))
    """

    @wraps(func)
    def derived(*args: Any, **kwargs: Any) -> Any:
        call = _called("grad", func, argnums, args, kwargs, has_aux)
        if len(call.outputs) != 1 or call.outputs[0] is not call.value or call.value.numel() != 1:
            shapes = " and ".join(str(list(y.shape)) for y in call.outputs)
            raise GradientError(f"grad takes a function whose value is one number; here it is {shapes}.")
        found = filled(call.inputs, call.products(None, call.in_graph))
        return found, call.with_aux(call.handed_out(call.value))

    return derived


def grad(func: Callable[..., Any], argnums: Arguments = 0, has_aux: bool = False) -> Callable[..., Any]:
    """Return the derivative of a function whose value is one number, as a function: see `grad_and_value`.

    >>> import stepgrad as sg
    >>> grad(grad(sg.sin))(sg.tensor(0.5))
    tensor(-0.4794)
    """
    both = grad_and_value(func, argnums, has_aux)

    @wraps(func)
    def derived(*args: Any, **kwargs: Any) -> Any:
        found, value = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return derived


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """Return ``func(*primals)`` and a function of v that gives vᵀJ for each of the `primals`, a tuple.

    v has the form of the result. With `has_aux` the aux comes third.

    >>> import stepgrad as sg
    >>> y, back = vjp(lambda x: x**2, sg.tensor([1.0, 3.0]))
    >>> back(sg.tensor([1.0, 10.0]))
    (tensor([ 2., 60.]),)
    """
    call = _Call("vjp", lambda given: func(*given), primals, has_aux)

    def back(v: Any, retain_graph: bool = True, create_graph: bool | None = None) -> Any:
        del retain_graph
        weights = _fitting("vjp", v, call.outputs)
        outside = call.in_graph or any(w.requires_grad for w in weights)
        in_graph = is_grad_enabled() and outside if create_graph is None else create_graph
        return filled(primals, call.products(weights, in_graph))

    value = call.handed_out(call.value)
    return (value, back, call.handed_out(call.aux)) if has_aux else (value, back)


def jvp(
    func: Callable[..., Any], primals: Any, tangents: Any, *, strict: bool = False, has_aux: bool = False
) -> Any:
    """Return ``func(*primals)`` and the product Jv of its Jacobian with the `tangents`, shaped as `primals`.

    It is the derivative of uᵀJ by u, which is linear in u. `strict` changes nothing. With `has_aux` the aux
    comes third.

    >>> import stepgrad as sg
    >>> jvp(lambda x: x**2, (sg.tensor([1.0, 3.0]),), (sg.tensor([1.0, 10.0]),))
    (tensor([1., 9.]), tensor([ 2., 60.]))
    """
    del strict
    value, along, call = _linear(func, primals, has_aux, "jvp")
    return call.with_aux(value, along(tangents))


def linearize(func: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """Return ``func(*primals)`` and a function of tangents that gives Jv, the Jacobian at `primals`.

    >>> import stepgrad as sg
    >>> y, along = linearize(lambda x: x**2, sg.tensor([1.0, 3.0]))
    >>> along(sg.tensor([1.0, 10.0]))
    tensor([ 2., 60.])
    """
    value, along, _ = _linear(func, primals, False, "linearize")
    return value, lambda *tangents: along(tangents)


def _linear(
    func: Callable[..., Any], primals: Any, has_aux: bool, name: str
) -> tuple[Any, Callable[[Any], Any], _Call]:
    if not isinstance(primals, tuple):
        raise ArgumentError(f"{name} takes the arguments as a tuple, not {type(primals).__name__}.")
    call = _Call(name, lambda given: func(*given), primals, has_aux)
    u = [y.detach().mul(0).requires_grad_() for y in call.outputs]
    slopes = call.products(u, True)

    def along(tangents: Any) -> Any:
        v = _fitting(name, tangents, call.given)
        in_graph = is_grad_enabled() and (call.in_graph or any(x.requires_grad for x in v))
        with enable_grad():
            return filled(call.value, products(slopes, u, v, in_graph))

    return call.handed_out(call.value), along, call


def _fitting(name: str, v: Any, like: list[Any]) -> list[Any]:
    each = leaves(v)
    shapes = [list(x.shape) if isinstance(x, Tensor) else type(x).__name__ for x in each]
    if shapes != [list(x.shape) for x in like]:
        raise ShapeError(f"{name}: v has the shapes {shapes}, not {[list(x.shape) for x in like]}.")
    return each


def jacrev(
    func: Callable[..., Any],
    argnums: Arguments = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """Return a function that gives the derivatives of every number that `func` returns by every number of the
    arguments `argnums`.

    For a result of shape (A…) and an argument of shape (B…) that is a Tensor (A…, B…); trees of results and
    arguments give trees of these. One row is computed after the other; `chunk_size` changes nothing. With
    `has_aux` the function returns (value, aux), and (derivatives, aux) comes back.

    >>> import stepgrad as sg
    >>> jacrev(lambda x: x**2)(sg.tensor([1.0, 3.0]))
    tensor([[2., 0.],
            [0., 6.]])
    """
    del chunk_size

    @wraps(func)
    def derived(*args: Any, **kwargs: Any) -> Any:
        call = _called("jacrev", func, argnums, args, kwargs, has_aux)
        with enable_grad():
            found = [filled(call.inputs, rows_of(y, call.given, call.in_graph)) for y in call.outputs]
        return call.with_aux(filled(call.value, found))

    return derived


def jacfwd(
    func: Callable[..., Any],
    argnums: Arguments = 0,
    has_aux: bool = False,
    *,
    randomness: str = "error",
) -> Callable[..., Any]:
    """Return what `jacrev` returns: derivatives are computed from the results backward here as well.

    `randomness` changes nothing: the function is called once.

    >>> import stepgrad as sg
    >>> sg.func.jacfwd(lambda x: x**2)(sg.tensor([1.0, 3.0]))
    tensor([[2., 0.],
            [0., 6.]])
    """
    del randomness
    return jacrev(func, argnums, has_aux=has_aux)


def hessian(func: Callable[..., Any], argnums: Arguments = 0) -> Callable[..., Any]:
    """Return a function that gives the second derivatives of `func`: for a result of shape (A…) and an
    argument of shape (B…) a Tensor (A…, B…, B…).

    >>> import stepgrad as sg
    >>> hessian(lambda x: x.prod())(sg.tensor([2.0, 5.0]))
    tensor([[0., 1.],
            [1., 0.]])
    """
    return jacrev(jacrev(func, argnums), argnums)
