"""Derivatives of functions as wholes: Jacobians, Hessians, and their products with vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from stepgrad.autograd import engine
from stepgrad.autograd.engine import TENSORS
from stepgrad.autograd.gradients import grad
from stepgrad.autograd.modes import enable_grad
from stepgrad.errors import ArgumentError, GradientError, ShapeError

# A Tensor, or a tuple of Tensors.
Tensors = Any


def jacobian(
    func: Callable[..., Tensors],
    inputs: Tensors,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """Return the derivatives of every element of ``func(*inputs)`` by every element of the inputs.

    For an output of shape (A…) and an input of shape (B…) that is a Tensor (A…, B…); a tuple of these for a
    tuple of inputs, and of the former for a tuple of outputs. `create_graph` makes the derivatives
    differentiable. What does not depend on an input has zeros, or with `strict` raises `GradientError`.
    `vectorize` and `strategy` are PyTorch's and make no difference to the numbers.

    >>> import stepgrad as sg
    >>> jacobian(lambda x: x**2, sg.tensor([1.0, 3.0]))
    tensor([[2., 0.],
            [0., 6.]])
    """
    del vectorize, strategy
    with enable_grad():
        given, is_one_input = _given(inputs, create_graph, "jacobian")
        outputs, is_one_output = _outputs(func(*given), "jacobian")
        rows = [rows_of(out, given, create_graph, strict) for out in outputs]
    found = [_handed_back(row, is_one_input, create_graph) for row in rows]
    return found[0] if is_one_output else tuple(found)


def hessian(
    func: Callable[..., Any],
    inputs: Tensors,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """Return the second derivatives of a function of one number: (B…, B…) for an input of shape (B…), and for
    a tuple of inputs a tuple of tuples, by the first input and the second.

    Raises `GradientError` if ``func(*inputs)`` is not one number, or with `strict` where it does not depend
    on an input.

    >>> import stepgrad as sg
    >>> hessian(lambda x: x.prod(), sg.tensor([2.0, 5.0]))
    tensor([[0., 1.],
            [1., 0.]])
    """
    del vectorize, outer_jacobian_strategy

    def slopes(*given: Any) -> tuple[Any, ...]:
        return jacobian(lambda *x: _one_number(func(*x), "hessian"), given, create_graph=True, strict=strict)

    given = inputs if isinstance(inputs, tuple) else (inputs,)
    found = jacobian(slopes, given, create_graph=create_graph, strict=strict)
    return found if isinstance(inputs, tuple) else found[0][0]


def vjp(
    func: Callable[..., Tensors],
    inputs: Tensors,
    v: Tensors = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """Return ``func(*inputs)`` and the product vᵀJ of a vector, shaped as the outputs, with the Jacobian.

    `v` may be left out where the output is one number. Raises `ShapeError` for one of another shape.

    >>> import stepgrad as sg
    >>> vjp(lambda x: x**2, sg.tensor([1.0, 3.0]), sg.tensor([1.0, 10.0]))
    (tensor([1., 9.]), tensor([ 2., 60.]))
    """
    with enable_grad():
        given, is_one_input = _given(inputs, create_graph, "vjp")
        outputs, is_one_output = _outputs(func(*given), "vjp")
        weights = _vector(v, outputs, "vjp", "outputs")
        found = products(outputs, given, weights, create_graph, strict)
    return (
        _handed_back(outputs, is_one_output, create_graph),
        _handed_back(found, is_one_input, create_graph),
    )


def jvp(
    func: Callable[..., Tensors],
    inputs: Tensors,
    v: Tensors = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """Return ``func(*inputs)`` and the product Jv of the Jacobian with a vector, shaped as the inputs.

    It is the derivative of uᵀJ by u, which is linear in u. `v` may be left out where there is one number as
    input. Raises `ShapeError` for one of another shape.

    >>> import stepgrad as sg
    >>> jvp(lambda x: x**2, sg.tensor([1.0, 3.0]), sg.tensor([1.0, 10.0]))
    (tensor([1., 9.]), tensor([ 2., 60.]))
    """
    with enable_grad():
        given, _ = _given(inputs, create_graph, "jvp")
        vector = _vector(v, given, "jvp", "inputs")
        outputs, is_one = _outputs(func(*given), "jvp")
        u = [_zeros(out).requires_grad_() for out in outputs]
        slopes = products(outputs, given, u, True, strict)
        found = products(slopes, u, vector, create_graph, strict)
    return _handed_back(outputs, is_one, create_graph), _handed_back(found, is_one, create_graph)


def vhp(
    func: Callable[..., Any],
    inputs: Tensors,
    v: Tensors = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """Return ``func(*inputs)``, one number, and the product vᵀH of a vector, shaped as the inputs, with the
    Hessian.

    >>> import stepgrad as sg
    >>> vhp(lambda x: x.prod(), sg.tensor([2.0, 5.0]), sg.tensor([1.0, 10.0]))
    (tensor(10.), tensor([10.,  1.]))
    """
    with enable_grad():
        given, is_one_input = _given(inputs, create_graph, "vhp")
        vector = _vector(v, given, "vhp", "inputs")
        output = _one_number(func(*given), "vhp")
        slopes = products([output], given, None, True, strict)
        found = products(slopes, given, vector, create_graph, strict)
    return output if create_graph else output.detach(), _handed_back(found, is_one_input, create_graph)


def hvp(
    func: Callable[..., Any],
    inputs: Tensors,
    v: Tensors = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """Return ``func(*inputs)``, one number, and the product Hv of the Hessian with a vector, shaped as the
    inputs: as H is symmetric, the same as `vhp`.

    >>> import stepgrad as sg
    >>> hvp(lambda x: (x**3).sum(), sg.tensor([1.0, 2.0]), sg.tensor([1.0, 10.0]))
    (tensor(9.), tensor([  6., 120.]))
    """
    return vhp(func, inputs, v, create_graph, strict)


# ------------------------------------------------------------------------------------------- parts


def _given(inputs: Tensors, create_graph: bool, name: str) -> tuple[list[Any], bool]:
    """Return the inputs as Tensors to differentiate by, and whether there was one alone."""
    each, is_one = _outputs(inputs, name, "inputs")
    return [differentiated(x) if create_graph else x.detach().requires_grad_() for x in each], is_one


def differentiated(x: Any) -> Any:
    """Return a stand-in for a tensor that belongs to one call: a view, through which derivatives lead on to
    the tensor if it requires them, else a leaf.
    """
    return x.view_as(x) if x.requires_grad else x.detach().requires_grad_()


def _outputs(value: Tensors, name: str, what: str = "outputs of the function") -> tuple[list[Any], bool]:
    each = list(value) if isinstance(value, (tuple, list)) else [value]
    for x in each:
        if not isinstance(x, engine.Tensor):
            raise ArgumentError(
                f"{name}: the {what} are a Tensor or a tuple of Tensors, not {type(x).__name__}."
            )
    return each, not isinstance(value, (tuple, list))


def _one_number(value: Any, name: str) -> Any:
    if not isinstance(value, engine.Tensor) or value.numel() != 1:
        shape = list(value.shape) if isinstance(value, engine.Tensor) else type(value).__name__
        raise GradientError(f"{name} takes a function whose value is one number; here it is {shape}.")
    return value.reshape(())


def _vector(v: Tensors, like: Sequence[Any], name: str, what: str) -> list[Any]:
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            raise ArgumentError(f"{name} needs v, shaped as the {what}: they are more than one number.")
        return [TENSORS.full(shape=tuple(like[0].shape), value=1, dtype=like[0]._array.dtype)]
    each, _ = _outputs(v, name, "parts of v")
    if [tuple(x.shape) for x in each] != [tuple(x.shape) for x in like]:
        raise ShapeError(
            f"{name}: v has the shape {[list(x.shape) for x in each]}, the {what} have "
            f"{[list(x.shape) for x in like]}."
        )
    return each


def rows_of(output: Any, inputs: list[Any], create_graph: bool, strict: bool = False) -> list[Any]:
    """Return for each input the derivatives of one output by it."""
    flat = output.reshape(-1)
    rows = [products([flat[i]], inputs, None, create_graph, strict) for i in range(flat.numel())]
    if not rows:
        return [TENSORS.full(shape=(*output.shape, *x.shape), value=0, dtype=x._array.dtype) for x in inputs]
    return [
        TENSORS.cat(*(row.reshape(-1) for row in column), dim=0).reshape((*output.shape, *x.shape))
        for column, x in zip(zip(*rows), inputs, strict=True)
    ]


def products(
    outputs: Sequence[Any],
    inputs: list[Any],
    weights: Sequence[Any] | None,
    create_graph: bool,
    strict: bool = False,
) -> list[Any]:
    """Return the derivatives of the outputs by the inputs, zeros where there is no dependence."""
    places = [i for i, out in enumerate(outputs) if out.requires_grad]
    if strict and len(places) < len(outputs):
        raise GradientError("with strict=True, every output must depend on the inputs.")
    found: Sequence[Any] = [None] * len(inputs)
    if places:
        found = grad(
            [outputs[i] for i in places], inputs, None if weights is None else [weights[i] for i in places],
            retain_graph=True, create_graph=create_graph, allow_unused=True,
        )  # fmt: skip
    if strict and any(g is None for g in found):
        raise GradientError("with strict=True, the outputs must depend on every input.")
    return [_zeros(x) if g is None else g for x, g in zip(inputs, found, strict=True)]


def _zeros(x: Any) -> Any:
    return TENSORS.full(shape=tuple(x.shape), value=0, dtype=x._array.dtype).to(x.device)


def _handed_back(found: Sequence[Any], is_one: bool, create_graph: bool) -> Any:
    made = tuple(x if create_graph else x.detach() for x in found)
    return made[0] if is_one else made


__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]
