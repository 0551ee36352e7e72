"""Every operation, forwards and with its first derivatives, in native code against eager; driven by the
registry.
"""

import re
from collections.abc import Callable
from typing import Any

import numpy
import pytest

import stepgrad as sg
from stepgrad.autograd.engine import apply
from stepgrad.nn import functional as F
from stepgrad.ops import REGISTRY, find
from stepgrad.ops.record import Op
from stepgrad.ops.samples import Sample, integer, real
from stepgrad.tensor import Tensor
from tests.compile.compiled import assert_close, compiled_and_eager
from tests.registry import checks


class Doubled(sg.autograd.Function):
    """A function of one's own, of which only Python knows what it does."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x * 2

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return g * 2


def added(x: Tensor) -> Tensor:
    y = x.clone()
    y[x > 0] += 1
    return y


# What is not compiled and runs eagerly, with the reason that the warning gives. Nothing else may be missing.
NOT_COMPILED: dict[str, tuple[Callable[..., Tensor], str]] = {
    "elements picked by a mask": (lambda x, i: x[x > 0], "a boolean mask has a shape that depends on values"),
    "elements picked by a mask and added to": (
        lambda x, i: added(x),
        "a boolean mask has a shape that depends on values",
    ),
    "a derivative through a mask": (
        lambda x, i: x[x > 0].sum(),
        "a boolean mask has a shape that depends on values",
    ),
    "integers to the power of integers": (lambda x, i: i**i, "pow of integers is an error for some values"),
    "integers divided by integers": (
        lambda x, i: i // i,
        "floor_divide of integers is an error for some values",
    ),
    "what that leaves": (lambda x, i: i % i, "remainder of integers is an error for some values"),
    "float16": (lambda x, i: x.half().float(), "float16 is not compiled"),
    "a Function of one's own": (
        lambda x, i: Doubled.apply(x) + 1,
        "Doubled has no formula that could be compiled",
    ),
}

# float32: errors add up over the elements of a sum, and exp enlarges that of its operand, so that more
# than the last place may differ from eager; in units of the last place of the largest number of a result.
FLOAT32_ULP = {
    "gelu_tanh": 24,
    "cross_entropy_probabilities": 24,
    "var": 24,
    "std": 24,
    "softmax": 24,
    "log_softmax": 24,
}
FLOAT32_ULP_OF_OTHERS = 12


def drawn_step(op: Op, samples: list[Sample], dtype: str) -> tuple[Callable[..., Any], list[Tensor]]:
    """A step that applies an operation to each sample and differentiates it, and the tensors that it
    takes.
    """
    calls, tensors = [], []
    for sample in samples:
        operands, attributes = checks.wrapped(drawn(op, sample), dtype), dict(sample.attrs)
        for i, x in enumerate(operands):
            excluded = checks.WITHOUT_DERIVATIVE.get(op.name, ())
            if isinstance(x, Tensor) and x.is_floating_point():
                x.requires_grad = op.differentiable and checks.input_name(op, i) not in excluded
        if attributes.get("dtype") == "float64":
            attributes["dtype"] = numpy.dtype(dtype)
        calls.append((operands, attributes))
        tensors += [x for x in operands if isinstance(x, Tensor)]

    def step(*tensors: Tensor) -> list[list[Tensor]]:
        rest = iter(tensors)
        return [
            value_and_gradients(op, [next(rest) if isinstance(x, Tensor) else x for x in xs], a)
            for xs, a in calls
        ]

    return step, tensors


def drawn(op: Op, sample: Sample) -> list[Any]:
    return checks.drawn(op, sample) if sample in op.samples else sample.draw(numpy.random.default_rng(7))


def value_and_gradients(op: Op, operands: list[Any], attributes: dict[str, Any]) -> list[Tensor]:
    y = (
        drawn_at_random(op, operands, attributes)
        if op.kind == "random"
        else apply(op, *operands, **attributes)
    )
    wanted = [x for x in operands if isinstance(x, Tensor) and x.requires_grad]
    if not y.requires_grad:
        return [y]
    upstream = numpy.random.default_rng(0).uniform(0.5, 1.5, y.shape).astype(y._array.dtype)
    return [y, *sg.autograd.grad(y, wanted, Tensor._of(numpy.asarray(upstream)))]


def drawn_at_random(op: Op, operands: list[Any], attributes: dict[str, Any]) -> Tensor:
    """Random operations as the library calls them: from a stream whose position moves on."""
    if op.name == "dropout_mask":
        return F.dropout(operands[0], attributes["p"], training=True)
    make = sg.rand if op.name == "rand" else sg.randn
    return make(
        *attributes["shape"],
        dtype=sg.float64 if numpy.dtype(attributes["dtype"]).itemsize == 8 else sg.float32,
    )


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("op", [op for op in REGISTRY.values() if not op.no_native], ids=lambda op: op.name)
def test_native_is_eager(op: Op, dtype: str):
    # In float32 two samples are enough: what differs between the others are shapes.
    step, tensors = drawn_step(op, op.samples if dtype == "float64" else op.samples[:2], dtype)
    check(op, step, tensors, dtype)


@pytest.mark.parametrize("op", [op for op in REGISTRY.values() if op.no_native], ids=lambda op: op.name)
def test_what_is_not_native_says_why_and_runs_eagerly(op: Op):
    step, tensors = drawn_step(op, op.samples, "float64")
    f = sg.compile(step)
    with pytest.warns(UserWarning, match=rf"{op.name} is not compiled: {re.escape(op.no_native)}"):
        found = f(*tensors)
    for values, right in zip(found, step(*tensors), strict=True):
        for x, y in zip(values, right, strict=True):
            numpy.testing.assert_array_equal(x._array, y._array)


def check(op: Op, step: Callable[..., Any], tensors: list[Tensor], dtype: str) -> None:
    ulp = FLOAT32_ULP.get(op.name, FLOAT32_ULP_OF_OTHERS)
    tolerance = 1e-12 if dtype == "float64" else ulp * 2.0**-24
    for i, (native, eager) in enumerate(zip(*compiled_and_eager(step, tensors), strict=True)):
        for x, y, what in zip(native, eager, ("value", *["gradient"] * len(eager)), strict=False):
            assert_close(x, y, tolerance, f"{op.name}, sample {i}, {what}")


# --------------------------------------------------------------------------- what the samples leave out

INDEX_SPECS = [
    (("tensor", 1), 1, (3, 4)),
    ((1, "tensor"), 1, (3, 4)),
    ((slice(1, None), "tensor"), 1, (3, 4)),
    (("tensor", slice(0, 3, 2)), 1, (3, 4)),
    ((None, "tensor"), 1, (3, 4)),
    ((Ellipsis, "tensor"), 1, (3, 4)),
    (("tensor", Ellipsis), 1, (3, 4)),
    (("tensor", slice(None), "tensor"), 2, (3, 4, 5)),
    ((slice(None), "tensor", "tensor"), 2, (3, 4, 5)),
    ((0, slice(None), "tensor"), 1, (3, 4, 5)),
    (("tensor", None, "tensor"), 2, (3, 4, 5)),
    ((-1, "tensor", slice(1, 4)), 1, (3, 4, 5)),
    (("tensor", Ellipsis, "tensor"), 2, (3, 4)),
]


def index_samples() -> list[Sample]:
    return [
        Sample(real(shape=shape), *[integer(-3, 3, (2, 2))] * count, spec=spec)
        for spec, count, shape in INDEX_SPECS
    ]


@pytest.mark.parametrize("dtype", ["float64"])
def test_an_index_of_slices_integers_and_tensors(dtype: str):
    step, tensors = drawn_step(find("index"), index_samples(), dtype)
    check(find("index"), step, tensors, dtype)


@pytest.mark.parametrize("accumulate", [False, True])
def test_index_put_of_slices_integers_and_tensors(accumulate: bool):
    op, samples = find("index_put"), []
    for sample in index_samples():
        x, *indices = sample.draw(numpy.random.default_rng(1))
        picked = find("index").forward(numpy, x, *indices, spec=sample.attrs["spec"])
        for shape in (picked.shape, picked.shape[1:]):
            value = real(shape=shape)
            samples.append(
                Sample(
                    sample.inputs[0],
                    value,
                    *sample.inputs[1:],
                    spec=sample.attrs["spec"],
                    accumulate=accumulate,
                )
            )
    step, tensors = drawn_step(op, samples, "float64")
    if not accumulate:
        # Which of several numbers stays at a place is not differentiated the same way twice: values alone.
        for x in tensors:
            x.requires_grad = False
    check(op, step, tensors, "float64")


INTEGER_STEPS: dict[str, Callable[..., Any]] = {
    "sums": lambda x: [x.sum(), x.sum(0), x.sum(1, keepdim=True), x.prod(1), x.sum(dtype=sg.int64)],
    "extremes": lambda x: [x.amax(), x.amin(0), x.max(1).values, x.min(1).indices, x.argmax(), x.argmin(1)],
    "logic": lambda x: [x.any(), x.all(1), (x > 2).any(0), (x == x).all(), x.bool().sum(1)],
    "arithmetic": lambda x: [
        x + x,
        x * 3,
        x - 1,
        -x,
        x.abs(),
        x**3,
        x // 3,
        x % 3,
        x.clamp(1, 5),
        sg.maximum(x, x * 2),
    ],
    "mixed": lambda x: [
        x / 2,
        x * 0.5,
        x + True,
        x.float().mean(),
        sg.where(x > 2, x, -x),
        sg.where(x > 2, 1.5, x),
    ],
    "views": lambda x: [
        x.T + 1,
        x.flip(0) * 2,
        x[1:, ::2] + x[:-1, 1::2],
        sg.cat([x, x * 2]),
        x.reshape(-1)[::3] * 1,
    ],
    "casts": lambda x: [
        x.to(d) for d in (sg.bool, sg.int8, sg.int16, sg.int32, sg.int64, sg.float32, sg.float64, sg.uint8)
    ],
    "indices": lambda x: [
        x[(x[0] % 3).long()],
        sg.gather(x, 1, x % 4),
        F.one_hot(x[0] % 3, 3),
        x.float()[(x[:, 0] % 3).long()],
    ],
}


@pytest.mark.parametrize("dtype", [sg.int64, sg.int32, sg.int16, sg.int8, sg.uint8])
def test_integers(dtype: Any):
    x = sg.tensor(numpy.random.default_rng(0).integers(0, 7, (3, 4)), dtype=dtype)
    assert_exact(lambda x: [y for part in INTEGER_STEPS.values() for y in part(x)], [x])


def test_booleans():
    def step(x: Tensor, y: Tensor) -> list[Tensor]:
        return [
            x & y,
            x | y,
            x ^ y,
            ~x,
            x + y,
            x * y,
            x == y,
            x.sum(),
            x.sum(0),
            x.any(1),
            x.all(),
            x.float().mean(),
            x < y,
            sg.where(x, y, ~y),
            x.int() + y,
            x * 2,
            x * 0.5,
            sg.maximum(x, y),
            x.T,
            sg.cat([x, y]),
            x[1:] & y[:-1],
            x.argmax(1),
            sg.where(x, 1.0, 2.0),
            sg.where(x, 1, 2),
            x.amax(0),
            x.prod(0),
        ]

    random = numpy.random.default_rng(0)
    assert_exact(step, [sg.tensor(random.integers(0, 2, (3, 4)).astype(bool)) for _ in range(2)])


def test_numbers_that_are_no_ordinary_numbers():
    def step(x: Tensor) -> list[Tensor]:
        return [
            x.isnan(),
            x.isinf(),
            x.amax(),
            x.amax(0),
            x.amin(1),
            x.argmax(),
            x.argmin(1),
            x.sum(1),
            x.any(0),
            x.all(1),
            x.sign(),
            x.relu(),
            x.clamp(-1, 1),
            x.round(),
            x // 0.3,
            x % 0.3,
            x == x,
            sg.where(x > 0, x, 0.0),
            x * 0,
            x - x,
            x.abs(),
            x / x,
            sg.maximum(x, x.flip(0)),
            sg.minimum(x, x.flip(1)),
            x.bool(),
            x % x.flip(0),
            x // x.flip(1),
            -x,
            x.floor(),
            x.trunc(),
        ]

    values = [numpy.nan, numpy.inf, -numpy.inf, 0.0, -0.0, 1.5, -1.5, 2.5, 1e300, -1e-320, 5e-324, 1.0]
    for dtype in (sg.float64, sg.float32):
        with numpy.errstate(over="ignore"):
            assert_exact(step, [sg.tensor(numpy.array(values).reshape(3, 4), dtype=dtype)])


def test_searching_over_dimensions():
    def step(x: Tensor) -> list[Tensor]:
        y = x.permute(2, 0, 1)
        found = [x.argmax(), y.argmax(), y.argmin(keepdim=True), x[:, ::2].argmax(1), x.flip(0).argmin()]
        return found + [
            getattr(x, name)(d, keepdim=k)
            for name in ("argmax", "argmin")
            for d in range(3)
            for k in (False, True)
        ]

    # Few values, so that there are ties: the first counts.
    assert_exact(step, [sg.tensor(numpy.random.default_rng(0).integers(0, 4, (3, 4, 5)).astype("float32"))])


def test_products_of_integers_and_booleans():
    def step(i: Tensor, b: Tensor) -> list[Tensor]:
        stacks = i.reshape(3, 2, 2)
        return [
            i @ i.T,
            i.T @ i,
            stacks @ stacks,
            stacks @ stacks.reshape(3, 1, 2, 2),
            i.int() @ i.int().T,
            b @ b.T,
            i.to(sg.int8) @ i.to(sg.int8).T,
            i @ sg.ones(4, 2, dtype=sg.int64),
        ]

    random = numpy.random.default_rng(0)
    assert_exact(
        step,
        [sg.tensor(random.integers(-9, 9, (3, 4))), sg.tensor(random.integers(0, 2, (3, 4)).astype(bool))],
    )


def test_contractions_of_numbers_made_inside():
    def step(x: Tensor) -> list[Tensor]:
        return [
            x @ sg.ones(4, 2),
            sg.full((2, 3), 0.5) @ x,
            sg.zeros(3, 0) @ sg.zeros(0, 2) + x[:, :2],
            sg.ones(3, 4).argmax(1),
        ]

    native, eager = compiled_and_eager(step, [sg.tensor(numpy.random.default_rng(0).standard_normal((3, 4)))])
    for x, y in zip(native, eager, strict=True):
        assert_close(x, y, 1e-6, "contraction")


def test_a_mask_that_is_written_to():
    def step(x: Tensor, v: Tensor) -> list[Tensor]:
        a, b, c, d = (x.clone() for _ in range(4))
        a[x > 0] = 0.0
        b[x > 0] = 7
        c[x[:, 0] > 0] = v
        d[x[:, 0] > 0] = -1.0
        return [a, b, c, d]

    random = numpy.random.default_rng(0)
    assert_exact(step, [sg.tensor(random.standard_normal((3, 4))), sg.tensor(random.standard_normal(4))])


def assert_exact(step: Callable[..., Any], tensors: list[Tensor]) -> None:
    """Native and eager results have the same dtypes, shapes and bits (sums of real numbers aside, within
    1e-6).
    """
    native, eager = compiled_and_eager(step, tensors)
    for i, (x, y) in enumerate(zip(native, eager, strict=True)):
        assert_close(x, y, 1e-6 if y.is_floating_point() else 0, f"result {i}")


# ------------------------------------------------------------------------------------------- exceptions


@pytest.mark.parametrize("name", NOT_COMPILED)
def test_what_is_not_compiled_says_so_once_and_runs_eagerly(name: str):
    step, reason = NOT_COMPILED[name]
    x, i = sg.tensor([1.5, -2.0, 3.0]), sg.tensor([1, 2, 3])
    f = sg.compile(step)
    with pytest.warns(UserWarning, match=reason) as warned:
        first = f(x, i)
    assert len(warned) == 1
    assert "runs eagerly" in str(warned[0].message)
    for y in (first, f(x, i)):  # the second time without a warning
        numpy.testing.assert_array_equal(y.numpy(), step(x, i).numpy())
