"""Programs: equal values made once, numbers computed beforehand, nothing of which may change a bit; and
their schedule.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy
import pytest

import stepgrad as sg
from stepgrad.compile.program.builder import Builder
from stepgrad.compile.program.value import Value
from stepgrad.compile.schedule import live_values
from stepgrad.tensor import Tensor
from tests.compile.compiled import compiled_and_eager, vectors_of

# ------------------------------------------------------------------------------------------- building


def leaf(builder: Builder, shape: tuple[int, ...] = (3,), dtype: str = "float32") -> Value:
    return builder.leaf(object(), shape, dtype)


def test_equal_values_are_made_once():
    b = Builder()
    x, y = leaf(b), leaf(b)
    assert x is not y
    assert b.exp(x) is b.exp(x)
    assert x + y is x + y
    assert b.sum(x, dim=None, keepdim=False) is b.sum(x, dim=(0,), keepdim=False)
    assert b.clamp(x, low=0.0, high=1.0) is b.clamp(x, low=0.0, high=1.0)
    assert b.slice(x, index=(slice(1, None),)) is b.slice(x, index=(slice(1, None),))


def test_different_values_are_not_taken_for_equal():
    b = Builder()
    x, y = leaf(b), leaf(b)
    different = [
        x - y, y - x, b.exp(x), b.exp(y), x + 0.0, x + -0.0, x * 2, x * 2.5, b.clamp(x, low=0.0, high=1.0),
        b.clamp(x, low=-0.0, high=1.0), b.clamp(x, low=None, high=1.0), b.cast(x, dtype="float64"),
        b.cast(x, dtype="int64"), b.slice(x, index=(slice(1, None),)), b.slice(x, index=(slice(2, None),)),
        b.rand(shape=(3,), dtype="float32", stream=0, seed=0, position=0) if 0 in b.streams else x,
    ]  # fmt: skip
    assert len({id(v) for v in different}) == len(different)


def test_a_number_keeps_its_sign_and_its_type():
    b = Builder()
    assert b.number(0.0, "float32") is not b.number(-0.0, "float32")
    assert math.copysign(1, b.number(-0.0, "float32").number) == -1
    assert b.number(math.nan, "float32") is b.number(math.nan, "float32")
    assert len({id(b.number(1, d)) for d in ("bool", "int32", "int64", "float32", "float64")}) == 5
    assert b.number(0.1, "float32").number == float(numpy.float32(0.1))
    assert b.number(300, "uint8").number == 44


def test_an_array_of_one_number_is_a_number_unless_its_zeros_differ_in_sign():
    b = Builder()
    assert b.constant(numpy.full((2, 3), 7.0)).kind == "number"
    assert b.constant(numpy.array([0.0, -0.0])).kind == "leaf"
    assert b.constant(numpy.array([1.0, 2.0])).kind == "leaf"
    assert math.isnan(b.constant(numpy.array([math.nan, math.nan])).number)


def test_numbers_are_computed_beforehand_as_eager_mode_computes_them():
    b = Builder()
    for dtype in ("float32", "float64"):
        x = b.number(0.1, dtype, (2, 3))
        kind = numpy.dtype(dtype).type
        assert (x + 0.2).number == kind(0.1) + kind(0.2)
        assert (b.exp(x)).number == numpy.exp(kind(0.1))
        assert (x > 0).number is True
        assert b.sum(x, dim=None, keepdim=False).number == pytest.approx(0.6)
        assert b.sum(b.number(math.nan, dtype, (0,)), dim=None, keepdim=False).number == 0
        assert b.cast(b.number(2.7, dtype), dtype="int64").number == 2
        assert (b.number(1.0, dtype) / 0.0).number == math.inf
    assert (b.number(127, "int8") + b.number(1, "int8")).number == -128
    assert b.sum(b.number(2**62, "int64", (4,)), dim=None, keepdim=False).number == 0


def test_only_what_is_needed_lives():
    b = Builder()
    x = leaf(b)
    needed = b.exp(x) + 1
    b.log(x)
    names = [v.op.name for v in live_values([needed]) if v.op]
    assert names == ["exp", "add"]


# --------------------------------------------------------------------------------------- the same bits

STRANGE = (0.0, -0.0, 1.0, -1.5, math.inf, -math.inf, math.nan, 5e-324, 1e308, -1e-40)
SIMPLIFIED: dict[str, Callable[[Tensor], Any]] = {
    "times one": lambda x: [x * 1, 1 * x, x * 1.0, x / 1, x * sg.ones(10), x * True],
    "minus zero": lambda x: [x - 0, x - 0.0, x - -0.0, x + 0, x + -0.0, 0 - x, -0.0 - x, 0.0 + x],
    "times zero": lambda x: [x * 0, x * -0.0, 0 * x, x - x, x / x],
    "conditions": lambda x: [
        sg.where(sg.ones(10) > 0, x, 2.0),
        sg.where(sg.zeros(10) > 0, x, -x),
        x.relu(),
        x.clamp(0),
    ],
    "twice": lambda x: [x.neg().neg(), x.abs().abs(), x * x - x * x, (x + 1) - 1, (x + x) + (x + x)],
    "constants": lambda x: [
        x * sg.tensor([0.0, -0.0] * 5),
        x + sg.full((10,), -0.0),
        x * sg.full((10,), math.nan),
    ],
    "views": lambda x: [
        x.reshape(2, 5).reshape(10),
        x.flip(0).flip(0),
        x.reshape(2, 5).T.T,
        x.expand(3, 10).sum(0),
    ],
    "casts": lambda x: [x.float().double(), x.double().float(), x.to(x.dtype), x.bool().double()],
    "powers": lambda x: [x**1, x**2, x**0, x**-1, x.square(), x**0.5],
}


@pytest.mark.parametrize("dtype", [sg.float64, sg.float32])
@pytest.mark.parametrize("name", SIMPLIFIED)
def test_simplifications_do_not_change_a_bit(name: str, dtype: Any):
    with numpy.errstate(over="ignore"):
        x = sg.tensor(numpy.array(STRANGE), dtype=dtype)
    native, eager = compiled_and_eager(SIMPLIFIED[name], [x])
    for i, (found, expected) in enumerate(zip(native, eager, strict=True)):
        a, b = found.numpy(), expected.numpy()
        assert a.dtype == b.dtype
        numpy.testing.assert_array_equal(a, b, err_msg=f"{name}, {i}")
        there = ~numpy.isnan(b)
        numpy.testing.assert_array_equal(
            numpy.signbit(a)[there], numpy.signbit(b)[there], err_msg=f"{name}, {i}"
        )


# ------------------------------------------------------------------------------- what is seldom there


def test_booleans_added_to_booleans_stay_in_their_places():
    def step(x: Tensor, places: Tensor, added: Tensor) -> Any:
        rows = sg.stack([x, x]).index_add(1, places, sg.stack([added, added]))
        return x.index_put((places,), added, accumulate=True), x.scatter_add(0, places, added), rows

    x, added = sg.tensor([True, False, True] * 6), sg.tensor([True, True, False, True, False])
    native, eager = compiled_and_eager(step, [x, sg.tensor([0, 0, 5, 7, 8]), added])
    for ours, right in zip(native, eager, strict=True):
        numpy.testing.assert_array_equal(ours.numpy(), right.numpy())


@pytest.mark.parametrize("shape", [(0,), (2, 0), (2, 3, 0), (0, 3, 0)])
def test_a_linear_layer_of_no_inputs(shape: tuple[int, ...]):
    native, eager = compiled_and_eager(sg.nn.functional.linear, [sg.ones(shape), sg.ones(4, 0), sg.rand(4)])
    numpy.testing.assert_array_equal(native.numpy(), eager.numpy())


@pytest.mark.parametrize("dtype", [sg.bool, sg.uint8, sg.int32, sg.int64])
@pytest.mark.parametrize("value", [0, 1])
def test_largest_and_smallest_of_what_is_all_the_same(dtype: Any, value: int):
    def step(x: Tensor) -> list[Tensor]:
        return [f(x, d) for f in (sg.amax, sg.amin, sg.any, sg.all) for d in ((), 0, 1, (0, 2))]

    native, eager = compiled_and_eager(step, [sg.full((3, 7, 17), value, dtype=dtype)])
    for ours, right in zip(native, eager, strict=True):
        assert ours.dtype is right.dtype
        numpy.testing.assert_array_equal(ours.numpy(), right.numpy())


@pytest.mark.parametrize("width", [None, 16, 32])
@pytest.mark.parametrize("kind", ["int32", "int16", "uint8"])
def test_integers_that_are_cut_are_written_to_their_own_bytes_alone(kind: str, width: int | None):
    memory = numpy.full((40, 40), 77, kind)
    targets = [sg.from_numpy(row[: n + 1]) for n, row in enumerate(memory[:34])]

    def step(x: Tensor) -> None:
        for n, target in enumerate(targets):
            target.copy_(x[: n + 1])

    with vectors_of(width):
        compiled = sg.compile(step)
        compiled(sg.arange(40))
    assert compiled.programs
    for n, row in enumerate(memory):
        expected = [*range(n + 1), *[77] * (39 - n)] if n < 34 else [77] * 40
        numpy.testing.assert_array_equal(row, expected)
