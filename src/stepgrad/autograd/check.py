"""Derivatives by central differences, and the comparison of exact derivatives with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from stepgrad.autograd import engine
from stepgrad.autograd.backward_pass import run_backward
from stepgrad.autograd.modes import enable_grad, no_grad
from stepgrad.errors import ArgumentError, GradientError


def numerical_gradient(function: Callable[..., Any], *inputs: Any, eps: float = 1e-6) -> tuple[Any, ...]:
    """Return the derivative of the sum of ``function(*inputs)`` by each input, from central differences.

    Inputs: float64 tensors. For each element (f(x + eps) − f(x − eps)) / (2 eps), whose error falls as eps²
    until rounding takes over. Integer inputs get None.

    >>> import stepgrad as sg
    >>> x = sg.tensor([1.0, 2.0], dtype=sg.float64)
    >>> numerical_gradient(lambda x: x * x, x)[0].round(decimals=6)
    tensor([2., 4.], dtype=stepgrad.float64)
    """
    result: list[Any] = []
    for i, x in enumerate(inputs):
        if not x.is_floating_point():
            result.append(None)
            continue
        rows = _differences(function, inputs, i, eps)
        result.append(engine.Tensor._of(rows.sum(axis=1).reshape(x.shape)))
    return tuple(result)


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Return True if the exact derivative of `func` agrees with central differences.

    `inputs`: float64 tensors; those that require a gradient are checked, every element against every element
    of the result: |exact − numerical| ≤ atol + rtol |numerical|. Computed a second time, the exact derivative
    may differ by `nondet_tol`. Raises `GradientError` naming the first that differs, or returns False with
    ``raise_exception=False``.

    PyTorch's other arguments change nothing. `check_undefined_grad`: each result is differentiated alone,
    anyway; `check_grad_dtypes`: a gradient has the dtype of its input; `fast_mode`: the whole Jacobian is
    compared; `masked`: no tensor is sparse; the others: derivatives forward and of batches are made of the
    same rules as those backward. Raises `ArgumentError` where both `check_forward_ad` and
    `check_backward_ad` are False, and for inputs that cannot be checked.

    >>> import stepgrad as sg
    >>> x = sg.rand(3, dtype=sg.float64, requires_grad=True)
    >>> sg.autograd.gradcheck(lambda x: x.sigmoid(), (x,))
    True
    """
    if not (check_forward_ad or check_backward_ad):
        raise ArgumentError(
            "gradcheck checks nothing with check_forward_ad and check_backward_ad both False."
        )
    inputs = tuple(inputs) if isinstance(inputs, (list, tuple)) else (inputs,)
    checked = [i for i, x in enumerate(inputs) if isinstance(x, engine.Tensor) and x.requires_grad]
    if not checked:
        raise ArgumentError("gradcheck needs at least one input with requires_grad=True.")
    for i in checked:
        if inputs[i].dtype.name != "float64":
            raise ArgumentError(
                f"gradcheck needs float64; input {i} is {inputs[i].dtype.name}. Use .double()."
            )
    found = _first_difference(func, inputs, checked, eps, (atol, rtol, nondet_tol))
    if found and raise_exception:
        raise GradientError(found)
    return not found


def _first_difference(
    func: Callable[..., Any], inputs: tuple[Any, ...], checked: list[int], eps: float,
    tolerances: tuple[float, float, float],
) -> str:  # fmt: skip
    """Return what the first wrong derivative is, "" if there is none."""
    atol, rtol, nondet_tol = tolerances
    exact, again = (_jacobians(func, inputs, checked) for _ in range(2))
    for i, jacobian, second in zip(checked, exact, again, strict=True):
        for other, absolute, relative, digits, how in (
            (second, nondet_tol, 0.0, 17, "computed a second time"),
            (_differences(func, inputs, i, eps), atol, rtol, 6, "by central differences"),
        ):
            wrong = ~numpy.isclose(jacobian, other, atol=absolute, rtol=relative, equal_nan=True)
            if wrong.any():
                element, output = (int(k[0]) for k in numpy.nonzero(wrong))
                return (
                    f"the derivative of output {output} with respect to element {element} of input {i} is "
                    f"{jacobian[element, output]:.{digits}g}, {how} {other[element, output]:.{digits}g}."
                )
    return ""


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """Return True if the second derivatives agree with central differences of the first derivatives.

    `grad_outputs`, one per result, weight the results; random numbers when None. Those that require a
    gradient are checked as the inputs are. `gen_non_contig_grad_outputs` changes nothing: operations take
    memory of any order. The other arguments as for `gradcheck`, which see for the errors.

    >>> import stepgrad as sg
    >>> x = sg.tensor([0.5, -1.0], dtype=sg.float64, requires_grad=True)
    >>> sg.autograd.gradgradcheck(lambda x: (x**3).sum(), x)
    True
    """
    inputs = tuple(inputs) if isinstance(inputs, (list, tuple)) else (inputs,)
    random = numpy.random.default_rng(0)
    if grad_outputs is not None:
        weights = list(grad_outputs) if isinstance(grad_outputs, (list, tuple)) else [grad_outputs]
    else:
        with no_grad():
            shapes = [tuple(y.shape) for y in _as_tuple(func(*inputs))]
        weights = [engine.Tensor._of(numpy.asarray(random.uniform(0.5, 1.5, s))) for s in shapes]
    targets = [i for i, x in enumerate(inputs) if isinstance(x, engine.Tensor) and x.requires_grad]

    def gradient(*operands: Any) -> Any:
        results = _as_tuple(func(*operands[: len(inputs)]))
        chosen, own = [operands[i] for i in targets], list(operands[len(inputs) :])
        found = run_backward(results, own, retain_graph=True, create_graph=True, targets=chosen)
        return tuple(g for g in found if g is not None)

    if not (check_fwd_over_rev or check_rev_over_rev):
        raise ArgumentError(
            "gradgradcheck checks nothing with check_fwd_over_rev and check_rev_over_rev both False."
        )
    return gradcheck(gradient, (*inputs, *weights), eps, atol, rtol, raise_exception, nondet_tol)


def _as_tuple(y: Any) -> tuple[Any, ...]:
    return y if isinstance(y, tuple) else (y,)


def _flat_outputs(function: Callable[..., Any], operands: tuple[Any, ...]) -> numpy.ndarray:
    with enable_grad():
        results = _as_tuple(function(*operands))
    return numpy.concatenate([numpy.asarray(y.detach()._array, dtype="float64").reshape(-1) for y in results])


def _differences(function: Callable[..., Any], inputs: tuple[Any, ...], i: int, eps: float) -> numpy.ndarray:
    """Return d(output) / d(input i) by central differences, of shape (elements of the input, outputs)."""
    rows = []
    flat = inputs[i]._array.reshape(-1)
    for element in range(flat.size):
        sides = []
        for step in (eps, -eps):
            moved = flat.copy()
            moved[element] += step
            operand = engine.Tensor._of(moved.reshape(inputs[i].shape))
            operand.requires_grad = inputs[i].requires_grad
            sides.append(_flat_outputs(function, (*inputs[:i], operand, *inputs[i + 1 :])))
        rows.append((sides[0] - sides[1]) / (2 * eps))
    width = _flat_outputs(function, inputs).size if not rows else rows[0].size
    return numpy.array(rows).reshape(flat.size, width)


def _jacobians(
    function: Callable[..., Any], inputs: tuple[Any, ...], checked: list[int]
) -> list[numpy.ndarray]:
    """Return d(outputs) / d(input) of each input checked, of shape (elements of the input, outputs)."""
    with enable_grad():
        results = _as_tuple(function(*inputs))
    columns: list[list[numpy.ndarray]] = [[] for _ in checked]
    for y in results:
        for k in range(y.numel()):
            seed = numpy.zeros(y.numel())
            seed[k] = 1
            weight = engine.Tensor._of(seed.reshape(tuple(y.shape)))
            targets = [inputs[i] for i in checked]
            if y.requires_grad:
                found = run_backward([y], [weight], retain_graph=True, create_graph=False, targets=targets)
            else:
                found = [None] * len(targets)
            for column, t, g in zip(columns, targets, found, strict=True):
                column.append(numpy.zeros(t.numel()) if g is None else numpy.array(g._array).reshape(-1))
    return [
        numpy.array(column).T.reshape(inputs[i].numel(), len(column))
        for column, i in zip(columns, checked, strict=True)
    ]
