"""The checks that every record must pass, each a function of a record and one of its samples.

They raise AssertionError or a stepgrad error where a record is wrong; `test_planted.py` makes sure of it.
"""

import math
import operator
import zlib
from collections.abc import Callable
from typing import Any

import mpmath
import numpy
import pytest
import scipy.special

from stepgrad import autograd
from stepgrad.autograd.engine import TENSORS, apply
from stepgrad.errors import LinAlgError
from stepgrad.ops import REGISTRY
from stepgrad.ops.namespace import NUMPY
from stepgrad.ops.record import Absent, Op, View
from stepgrad.ops.samples import Sample, Spec
from stepgrad.ops.symbol import Symbol, symbols
from stepgrad.tensor import Tensor
from tests.registry.references import REFERENCES

# Real inputs that a record deliberately gives no derivative for; asking for one is an error that names it.
WITHOUT_DERIVATIVE = {
    "binary_cross_entropy": ("weight",),
    "binary_cross_entropy_with_logits": ("weight", "pos_weight"),
    "nll_loss": ("weight",),
    "cross_entropy": ("weight",),
    "step": ("x",),
    "zeta": ("s",),
}

# Their only real input says on which device to compute.
CONSTANTS = ("constant", "random")


def refuses(op: Op) -> bool:
    """Whether a record has a derivative by none of its inputs and says why."""
    return WITHOUT_DERIVATIVE.get(op.name) == op.input_names()


def has_derivative(op: Op) -> bool:
    return op.differentiable and op.kind not in CONSTANTS and not refuses(op)


def cases(wanted: Callable[[Op], bool] = lambda op: True) -> list[Any]:
    """A pytest parameter (record, sample) for every sample of the records that are wanted."""
    return [
        pytest.param(op, sample, id=f"{op.name}-{i}")
        for op in REGISTRY.values()
        if wanted(op)
        for i, sample in enumerate(op.samples)
    ]


def drawn(op: Op, sample: Sample) -> list[Any]:
    """The inputs of a sample, the same ones in every run."""
    place = op.samples.index(sample)
    return sample.draw(numpy.random.default_rng(zlib.crc32(f"{op.name} {place}".encode())))


def wrapped(inputs: list[Any], dtype: str | None = None) -> list[Any]:
    """Arrays as tensors, real ones in `dtype`; numbers and None as they are."""
    return [
        x
        if not isinstance(x, numpy.ndarray)
        else Tensor._of(x.astype(dtype) if dtype and x.dtype.kind == "f" else x)
        for x in inputs
    ]


def input_name(op: Op, i: int) -> str:
    names = op.input_names()
    return names[i] if i < len(names) else "rest"


def leaves(op: Op, sample: Sample) -> tuple[list[Any], list[Tensor]]:
    """The operands of a sample, and those of them that have a derivative, which require a gradient."""
    operands = wrapped(drawn(op, sample))
    excluded = WITHOUT_DERIVATIVE.get(op.name, ())
    chosen = [
        x
        for i, x in enumerate(operands)
        if isinstance(x, Tensor) and x.is_floating_point() and input_name(op, i) not in excluded
    ]
    for x in chosen:
        x.requires_grad = True
    return operands, chosen


def assert_close(found: Any, expected: Any, rtol: float = 1e-12, atol: float = 1e-12) -> None:
    numpy.testing.assert_allclose(found, expected, rtol=rtol, atol=atol)


def upstream(y: Tensor, seed: int = 0) -> Tensor:
    """A gradient for a result."""
    return Tensor._of(numpy.asarray(numpy.random.default_rng(seed).uniform(0.5, 1.5, y.shape)))


# ------------------------------------------------------------------------------------------------- value


def check_value(op: Op, sample: Sample) -> None:
    """The value is that of the reference, whatever the memory layout, and the inputs are left alone."""
    inputs = drawn(op, sample)
    before = [x.copy() if isinstance(x, numpy.ndarray) else x for x in inputs]
    y = apply(op, *wrapped(inputs), **sample.attrs)
    expected = numpy.asarray(REFERENCES[op.name](*before, **sample.attrs))
    assert y.shape == expected.shape
    assert y._array.dtype.kind == expected.dtype.kind
    assert_close(y._array, expected)
    for x, old in zip(inputs, before, strict=True):
        numpy.testing.assert_array_equal(x, old)
    strided = [numpy.array(x, order="F") if isinstance(x, numpy.ndarray) else x for x in before]
    assert_close(apply(op, *wrapped(strided), **sample.attrs)._array, expected)


def check_dtype(op: Op, sample: Sample) -> None:
    """float32 and float16 in give float32 and float16 out, near the reference."""
    inputs = drawn(op, sample)
    expected = numpy.asarray(REFERENCES[op.name](*inputs, **sample.attrs))
    for dtype, tolerance in (("float32", 2e-5), ("float16", 3e-2)):
        y = apply(op, *wrapped(inputs, dtype), **sample.attrs)
        assert y._array.dtype == (dtype if expected.dtype.kind == "f" else expected.dtype)
        if op.kind not in ("random", "constant"):
            assert_close(y._array, expected, tolerance, tolerance)


def check_memory(op: Op, sample: Sample) -> None:
    """A view shares the memory of its input; anything else shares memory with no input."""
    operands = wrapped(drawn(op, sample))
    y = apply(op, *operands, **sample.attrs)
    shares = [numpy.shares_memory(y._array, x._array) for x in operands if isinstance(x, Tensor)]
    assert any(shares) == op.is_view


EXTREMES = (math.inf, -math.inf, math.nan, 1e308, -1e308, 5e-324, 0.0, -0.0, 1.0, -1.0)


def is_of_matrices(op: Op) -> bool:
    """Whether LAPACK computes an operation: of NaN there is no decomposition, but an error."""
    return op.source.rpartition(".")[2] in ("matrices", "factors")


def check_silence(op: Op, sample: Sample) -> None:
    """Overflow, division by zero and NaN pass without a warning, forwards and backwards."""
    if is_of_matrices(op):
        return
    inputs = drawn(op, sample)
    for shift in range(0, len(EXTREMES), 3):
        operands = []
        for x in inputs:
            if isinstance(x, numpy.ndarray) and x.dtype.kind == "f":
                x = numpy.resize(numpy.roll(EXTREMES, shift), x.shape)
            operands.append(x)
        y = apply(op, *(tensors := wrapped(operands)), **sample.attrs)
        if op.differentiable and not refuses(op) and y.is_floating_point():
            wanted = [x for x in tensors if isinstance(x, Tensor) and x.is_floating_point()]
            excluded = WITHOUT_DERIVATIVE.get(op.name, ())
            for i, x in enumerate(tensors):
                if isinstance(x, Tensor) and x.is_floating_point() and input_name(op, i) not in excluded:
                    x.requires_grad = True
            y = apply(op, *tensors, **sample.attrs)
            wanted = [x for x in wanted if x.requires_grad]
            autograd.grad(y, wanted, upstream(y))


# ------------------------------------------------------------------------------------------- derivatives


def as_meant(sample: Sample, operands: list[Any]) -> list[Any]:
    """Operands that stay symmetric when central differences move one of their elements."""
    return [
        (x + x.mT) / 2 if isinstance(spec, Spec) and spec.kind == "symmetric" else x
        for spec, x in zip(sample.inputs, operands, strict=True)
    ]


def check_first(op: Op, sample: Sample) -> None:
    """The first derivatives agree with central differences."""
    operands, chosen = leaves(op, sample)

    def function(*moved: Tensor) -> Tensor:
        rest = iter(moved)
        inputs = [next(rest) if any(x is c for c in chosen) else x for x in operands]
        return apply(op, *as_meant(sample, inputs), **sample.attrs)

    assert chosen
    autograd.gradcheck(function, chosen, eps=1e-6, atol=1e-7, rtol=1e-6)


def check_second(op: Op, sample: Sample) -> None:
    """The derivatives of the gradient, by the inputs and by the upstream gradient, agree with differences."""
    operands, chosen = leaves(op, sample)
    g = upstream(apply(op, *operands, **sample.attrs).detach()).requires_grad_()

    def gradient(*moved: Tensor) -> tuple[Tensor, ...]:
        rest = iter(moved[:-1])
        inputs = [next(rest) if any(x is c for c in chosen) else x for x in operands]
        y = apply(op, *as_meant(sample, inputs), **sample.attrs)
        return autograd.grad(y, moved[:-1], moved[-1], create_graph=True)

    autograd.gradcheck(gradient, (*chosen, g), eps=1e-6, atol=1e-6, rtol=1e-6)


def check_paths(op: Op, sample: Sample) -> None:
    """The gradient is the same on raw arrays and on tensors, for any memory layout of the upstream one."""
    operands, chosen = leaves(op, sample)
    y = apply(op, *operands, **sample.attrs)
    g = upstream(y)
    expected = [x._array for x in autograd.grad(y, chosen, g, retain_graph=True)]
    for found, x in zip(expected, chosen, strict=True):
        assert found.shape == x.shape
        assert found.dtype == x._array.dtype
    graph = autograd.grad(y, chosen, g, create_graph=True)
    strided = autograd.grad(y, chosen, Tensor._of(numpy.array(g._array, order="F")), retain_graph=True)
    for found, other, right in zip(graph, strided, expected, strict=True):
        assert_close(found._array, right)
        assert_close(other._array, right)
    one = Tensor._of(numpy.asarray(0.75))
    repeated = autograd.grad(y, chosen, one.expand(y.shape), retain_graph=True)
    whole = autograd.grad(y, chosen, one.expand(y.shape).clone())
    for found, right in zip(repeated, whole, strict=True):
        assert_close(found._array, right._array)


def check_gradient_dtype(op: Op, sample: Sample) -> None:
    """A float32 input has a float32 gradient, close to that in float64."""
    operands, chosen = leaves(op, sample)
    y = apply(op, *operands, **sample.attrs)
    g = upstream(y)
    expected = autograd.grad(y, chosen, g)
    places = [i for i, x in enumerate(operands) if any(x is c for c in chosen)]
    for dtype, tolerance in (("float32", 1e-4), ("float16", 8e-2)):
        small = wrapped([x._array if isinstance(x, Tensor) else x for x in operands], dtype)
        for i in places:
            small[i].requires_grad = True
        found = autograd.grad(apply(op, *small, **sample.attrs), [small[i] for i in places], g)
        for gx, right in zip(found, expected, strict=True):
            assert gx._array.dtype == dtype
            assert_close(gx._array, right._array, tolerance, tolerance)


def check_needs(op: Op, sample: Sample) -> None:
    """The derivative by one input is the same whether or not those by the others are wanted too."""
    operands, chosen = leaves(op, sample)
    y = apply(op, *operands, **sample.attrs)
    expected = autograd.grad(y, chosen, upstream(y))
    for x in chosen:
        x.requires_grad = False
    for x, right in zip(chosen, expected, strict=True):
        x.requires_grad = True
        y = apply(op, *operands, **sample.attrs)
        assert_close(autograd.grad(y, x, upstream(y))[0]._array, right._array)
        x.requires_grad = False


def arguments_of_vjp(op: Op, sample: Sample) -> tuple[Any, Any, list[Any], tuple[bool, ...]]:
    """What the engine hands to `vjp`: the upstream gradient, the result, the inputs, and which need one."""
    operands, chosen = leaves(op, sample)
    node = apply(op, *operands, **sample.attrs)._node
    y = apply(op, *operands, **sample.attrs)
    needs = tuple(any(x is c for c in chosen) for x in operands)
    return upstream(y)._array, node.result, list(node.saved), needs


def superfluous(op: Op) -> set[str]:
    """The inputs (and "y") that the record keeps although its `vjp` reads them for none of the samples."""
    arrays = {i for s in op.samples for i, x in enumerate(s.inputs) if isinstance(x, Spec)}
    kept = [n for n, keeps in zip(op.input_names(), op.keeps, strict=True) if keeps]
    names = {n for i, n in enumerate(op.input_names()) if n in kept and i in arrays}
    if op.keeps_result:
        names.add("y")
    for sample in op.samples:
        g, y, inputs, needs = arguments_of_vjp(op, sample)
        with numpy.errstate(all="ignore"):
            expected = op.vjp(NUMPY, g, y, *inputs, needs=needs, **sample.attrs)
            for name in list(names):
                hidden = [
                    Absent(x) if input_name(op, i) == name and isinstance(x, numpy.ndarray) else x
                    for i, x in enumerate(inputs)
                ]
                try:
                    found = op.vjp(NUMPY, g, None if name == "y" else y, *hidden, needs=needs, **sample.attrs)
                except (TypeError, AttributeError, ValueError, IndexError, LinAlgError):
                    names.discard(name)
                    continue
                for a, b in zip(found, expected, strict=True):
                    if (a is None) != (b is None) or (b is not None and not numpy.array_equal(a, b)):
                        names.discard(name)
    return names


# -------------------------------------------------------------------------------------------- composites


def check_expansion(op: Op, sample: Sample) -> None:
    """A composite's own forward and derivative are those of the operations in which it is stated."""
    operands, chosen = leaves(op, sample)
    expanded = op.expand(TENSORS, *operands, **sample.attrs)
    y = apply(op, *operands, **sample.attrs)
    assert_close(y._array, expanded._array)
    g = upstream(y)
    found, expected = autograd.grad(y, chosen, g), autograd.grad(expanded, chosen, g)
    for a, b in zip(found, expected, strict=True):
        assert_close(a._array, b._array, 1e-10, 1e-10)


# ------------------------------------------------------------------------------------ the scalar language


class Numbers:
    """The functions of the scalar language for Python numbers, in which formulas are evaluated."""

    exp, expm1, log, log1p, sqrt = math.exp, math.expm1, math.log, math.log1p, math.sqrt
    sin, cos, tanh, erf = math.sin, math.cos, math.tanh, math.erf
    abs, floor, ceil, trunc, round = abs, math.floor, math.ceil, math.trunc, round
    maximum, minimum, isnan, isinf = max, min, math.isnan, math.isinf
    sign = staticmethod(lambda x: (x > 0) - (x < 0))
    where = staticmethod(lambda condition, a, b: a if condition else b)
    logical_and = staticmethod(lambda a, b: bool(a) and bool(b))
    logical_or = staticmethod(lambda a, b: bool(a) or bool(b))
    logical_xor = staticmethod(lambda a, b: bool(a) != bool(b))
    logical_not = staticmethod(lambda x: not x)
    cast = staticmethod(lambda x, dtype=None: x)
    tan, asin, acos, atan, atan2 = math.tan, math.asin, math.acos, math.atan, math.atan2
    sinh, cosh, asinh, acosh, atanh = math.sinh, math.cosh, math.asinh, math.acosh, math.atanh
    exp2, log2, log10, hypot, fmod, copysign = (
        math.exp2, math.log2, math.log10, math.hypot, math.fmod, math.copysign,
    )  # fmt: skip
    fmax, fmin, left_shift, right_shift = max, min, operator.lshift, operator.rshift
    signbit = staticmethod(lambda x: math.copysign(1, x) < 0)
    floor_divide = staticmethod(lambda a, b: a // b)
    trunc_divide = staticmethod(lambda a, b: math.trunc(a / b))
    erfc, lgamma, erfcx, erfinv = math.erfc, math.lgamma, scipy.special.erfcx, scipy.special.erfinv
    ndtri, digamma, zeta = scipy.special.ndtri, scipy.special.digamma, scipy.special.zeta
    i0, i0e, i1, i1e = scipy.special.i0, scipy.special.i0e, scipy.special.i1, scipy.special.i1e
    polygamma = staticmethod(lambda n, x: float(mpmath.polygamma(n, x)))


FUNCTIONS = {name: getattr(Numbers, name) for name in vars(Numbers) if not name.startswith("__")}


def evaluated(text: str, **values: Any) -> Any:
    """What a formula gives for numbers."""
    return eval(text, {"__builtins__": {}, "inf": math.inf, "nan": math.nan} | FUNCTIONS, values)  # noqa: S307 - text of the records themselves


def numbers_of(op: Op, sample: Sample) -> list[dict[str, Any]]:
    """The inputs of a sample broadcast and taken element by element, by name."""
    arrays = numpy.broadcast_arrays(*drawn(op, sample))
    return [
        dict(zip(op.input_names(), (x.item() for x in element), strict=True))
        for element in zip(*(a.flat for a in arrays), strict=True)
    ]


def check_formula(op: Op, sample: Sample) -> None:
    """The formula, as text, evaluates to the value; so do `value` on numbers, and the partial derivatives."""
    text = op.formula(**sample.attrs)
    y = REFERENCES[op.name](*drawn(op, sample), **sample.attrs)
    names = op.input_names()
    partials = None
    if op.partials is not None:
        partials = op.partials(Symbol, *symbols(*names), Symbol("y"), **sample.attrs)
    for values, expected in zip(numbers_of(op, sample), y.flat, strict=True):
        assert_close(evaluated(text, **values), expected)
        assert_close(op.value(Numbers, *values.values(), **sample.attrs), expected)
        for i, d in enumerate(partials or ()):
            if d is not None and isinstance(drawn(op, sample)[i], numpy.ndarray):
                arrays = map(numpy.asarray, values.values())
                with numpy.errstate(invalid="ignore"):  # the logarithm in the derivative of a negative base
                    right = op.partials(NUMPY, *arrays, expected, **sample.attrs)[i]
                assert_close(evaluated(str(d), y=expected, **values), right)


# -------------------------------------------------------------------------------------------- reductions


def check_fold(op: Op, sample: Sample) -> None:
    """Folding one number after the other with init, combine and finish gives the value."""
    (x,) = drawn(op, sample)
    expected = numpy.asarray(REFERENCES[op.name](x, **sample.attrs))
    totals = numpy.full(expected.shape, op.init, dtype=object)
    shape, counts = fold_shape(op, sample, x.shape), numpy.zeros(expected.shape, dtype=int)
    flat = totals.reshape(shape)
    for place in numpy.ndindex(*x.shape):
        target = tuple(i if n > 1 else 0 for i, n in zip(place, shape, strict=True))
        flat[target] = op.combine(Numbers, flat[target], x[place].item())
        counts.reshape(shape)[target] += 1
    found = [op.finish(Numbers, total, count) for total, count in zip(totals.flat, counts.flat, strict=True)]
    assert_close(numpy.array(found, dtype=expected.dtype).reshape(expected.shape), expected)


def fold_shape(op: Op, sample: Sample, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of the result with reduced dimensions of length 1."""
    if "shape" in sample.attrs:
        return (1,) * (len(shape) - len(sample.attrs["shape"])) + sample.attrs["shape"]
    dim = sample.attrs["dim"]
    return tuple(1 if dim is None or i in dim else n for i, n in enumerate(shape))


def check_scan(op: Op, sample: Sample) -> None:
    """Folding one number after the other with init and combine gives every value on the way."""
    (x,) = drawn(op, sample)
    y, dim = REFERENCES[op.name](x, **sample.attrs), sample.attrs["dim"]
    rows, results = numpy.moveaxis(x, dim, -1), numpy.moveaxis(y, dim, -1)
    for where in numpy.ndindex(*rows.shape[:-1]):
        row, expected = rows[where], results[where]
        total: Any = op.init
        for number, right in zip(row.tolist(), expected, strict=True):
            total = op.combine(NUMPY, numpy.float64(total), numpy.float64(number))
            assert_close(total, right)


def real_inputs(sample: Sample) -> bool:
    """Whether a sample has an input with a derivative."""
    return any(isinstance(x, Spec) and x.kind == "real" for x in sample.inputs)


def check_put(op: View, sample: Sample) -> None:
    """What is put where a view shows it is what would be written through the view."""
    x, *_ = drawn(op, sample)
    expected = x.copy()
    shown = op.forward(numpy, expected, **sample.attrs)
    if (
        not shown.flags.writeable
        or numpy.unique(op.forward(numpy, places_like(x), **sample.attrs)).size < shown.size
    ):
        return  # elements are repeated
    value = numpy.random.default_rng(0).normal(size=shown.shape)
    shown[...] = value
    found = op.put(NUMPY, x, value, **sample.attrs)
    numpy.testing.assert_array_equal(found, expected)


def places_like(x: Any) -> Any:
    return numpy.arange(x.size).reshape(x.shape)
