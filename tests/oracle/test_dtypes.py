"""Result dtypes, indexing and text against PyTorch, over tables of operands."""

import itertools
import operator
from collections.abc import Callable
from typing import Any

import numpy
import pytest

import stepgrad as sg

pytestmark = pytest.mark.oracle

NAMES = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64")


@pytest.fixture(scope="module")
def torch() -> Any:
    import torch

    return torch


def operands(library: Any) -> dict[str, Any]:
    """Tensors of every dtype with and without dimensions, and Python numbers."""
    found: dict[str, Any] = {"True": True, "2": 2, "2.0": 2.0}
    for name in NAMES:
        found[f"{name}[]"] = library.ones((), dtype=getattr(library, name))
        found[f"{name}[2]"] = library.ones((2,), dtype=getattr(library, name))
    return found


def result(function: Callable[..., Any], *arguments: Any) -> str:
    try:
        y = function(*arguments)
    except (RuntimeError, TypeError, ValueError):
        return "error"
    return f"{y.dtype}".rpartition(".")[2] + str(list(y.shape))


BINARY = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "==": operator.eq,
    "<": operator.lt,
    "maximum": lambda a, b: a.maximum(b),
}


@pytest.mark.parametrize("sign", BINARY)
def test_promotion_table(sign: str, torch: Any):
    ours, theirs = operands(sg), operands(torch)
    wrong = {}
    for a, b in itertools.product(ours, repeat=2):
        tensors = "[" in a, "[" in b
        if not any(tensors) or (sign == "maximum" and not all(tensors)):
            continue
        expected, found = (result(BINARY[sign], x[a], x[b]) for x in (theirs, ours))
        if found != expected and not (expected == "error" and ("bool" in a + b or "True" in (a, b))):
            wrong[f"{a} {sign} {b}"] = (found, expected)
    assert not wrong


@pytest.mark.filterwarnings("ignore:.*degrees of freedom")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(), (2, 3)])
@pytest.mark.parametrize(
    "method",
    [
        "sum", "prod", "mean", "any", "all", "amax", "argmax", "var", "std", "exp", "sqrt", "abs",
        "sign", "floor", "neg", "square", "sigmoid", "relu", "reciprocal", "cos", "log", "isnan",
        "logical_not", "round",
    ],
)  # fmt: skip
def test_dtypes_of_methods(method: str, name: str, shape: tuple[int, ...], torch: Any):
    expected, found = (result(getattr(x.ones(shape, dtype=getattr(x, name)), method)) for x in (torch, sg))
    if name == "bool" and expected == "error":
        return  # PyTorch refuses some operations on booleans, stepgrad others
    assert found == expected


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [1, 0.5, -2.5, True, "0-d"])
def test_what_is_filled_keeps_its_dtype(name: str, value: Any, torch: Any):
    def filled(library: Any, how: str) -> tuple[str, list[Any]]:
        x = library.tensor([[1, 0], [0, 1]]).to(getattr(library, name))
        number = library.tensor(2.5) if value == "0-d" else value
        index = (library.tensor([[True, False]]),) if how.startswith("masked") else (1, library.tensor([0]))
        try:
            y = library.fill(x, number) if how == "fill" else getattr(x, how)(*index, number)
        except RuntimeError:
            return "error", []
        return str(y.dtype).rpartition(".")[2], y.tolist()

    for how in ("fill", "masked_fill", "index_fill", "masked_fill_", "index_fill_"):
        if name == "uint8" and value == -2.5:
            continue  # what no uint8 can hold depends on the machine
        assert filled(sg, how) == filled(torch, how), how


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n", [0, 1])
def test_powers_of_matrices(name: str, n: int, torch: Any):
    expected, found = (x.tensor([[1, 1], [0, 1]]).to(getattr(x, name)).matrix_power(n) for x in (torch, sg))
    assert str(found.dtype).rpartition(".")[2] == str(expected.dtype).rpartition(".")[2]
    assert found.tolist() == expected.tolist()


def test_where_and_clamp_and_pow(torch: Any):
    wrong = {}
    for a, b in itertools.product(operands(sg), repeat=2):
        for text, function in {
            "where": lambda x, a, b: x.where(x.tensor([True, False]), a, b),
            "pow": lambda x, a, b: x.pow(a, b) if hasattr(a, "dtype") else b.__rpow__(a),
            "clamp": lambda x, a, b: a.clamp(b) if not hasattr(b, "dtype") else x.zeros(0),
        }.items():
            if not ("[" in a or "[" in b) and text != "where":
                continue
            expected, found = (result(function, x, operands(x)[a], operands(x)[b]) for x in (torch, sg))
            of_booleans = "bool" in a + b and (expected == "error" or b == "True")
            if found != expected and not of_booleans:
                wrong[f"{text}({a}, {b})"] = (found, expected)
    assert not wrong


@pytest.mark.parametrize(
    "data",
    [1, 1.5, True, [1, 2], [1, 2.5], [True, 2], [True, 1.5], [], [[]], [[1], [2]], numpy.float64(1),
     numpy.ones(2), numpy.ones(2, "int16"), [numpy.float64(1)], numpy.array(True)],
    ids=repr,
)  # fmt: skip
def test_dtypes_of_data(data: Any, torch: Any):
    assert result(sg.tensor, data) == result(torch.tensor, data)


@pytest.mark.parametrize(
    "bounds", [(3,), (1, 4), (0, 1, 0.25), (1.5,), (5, 0, -2), (0, 1, 0.1), (0, 0)], ids=str
)
def test_ranges(bounds: tuple[float, ...], torch: Any):
    found, right = sg.arange(*bounds), torch.arange(*bounds)
    assert str(found.dtype).rpartition(".")[2] == str(right.dtype).rpartition(".")[2]
    numpy.testing.assert_allclose(found.numpy(), right.numpy(), rtol=2e-7)


INDICES: list[Any] = [
    0, -1, slice(1, None), (slice(None), 1), Ellipsis, None, (0, Ellipsis, None),
    (slice(0, 2), slice(None, None, 2)),
    [0, 2], ([0, 1], [2, 3]), (slice(None), [1, 1]), ([[0], [1]], [1, 2]), (Ellipsis, [0, 1]), (None, [0, 1]),
    (1, [0, 2]), ([0, 2], 1), True, False, (slice(None), None, [0, 1]),
]  # fmt: skip


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_indexing(index: Any, torch: Any):
    array = numpy.arange(60.0).reshape(3, 4, 5)
    found, right = sg.tensor(array)[index], torch.tensor(array)[index]
    numpy.testing.assert_array_equal(found.numpy(), right.numpy())
    ours, theirs = sg.tensor(array), torch.tensor(array)
    ours[index], theirs[index] = -1.0, -1.0
    numpy.testing.assert_array_equal(ours.numpy(), theirs.numpy())


TEXTS: list[Any] = [
    1, 1.5, [], [[]], [1, 2], [1.0, 2.0], [0.5, 100.25], [1e-8, 1.0], [1e9, 1.0], [float("nan"), 1.0],
    [float("inf"), 2.5], [[1.5, -2.5], [3.0, 4.0]], [True, False], [1e-5], [-1.0, 0.0], [1234567.0, 0.5],
    list(range(30)), [0.1] * 20, list(range(2000)), [[0.5] * 3] * 40,
]  # fmt: skip


@pytest.mark.parametrize("data", TEXTS, ids=lambda x: str(x)[:30])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_text(data: Any, dtype: str, torch: Any):
    if dtype == "int64" and not numpy.isfinite(numpy.asarray(data, dtype=float)).all():
        return
    found = repr(sg.tensor(data, dtype=getattr(sg, dtype)))
    right = repr(torch.tensor(data, dtype=getattr(torch, dtype)))
    assert found.replace("stepgrad.", "torch.").split() == right.split()
