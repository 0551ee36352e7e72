"""Methods that compute element by element: each is the operation of its name; their special cases."""

import math
import operator

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

import stepgrad as sg
from stepgrad.errors import ArgumentError, DtypeError

A = numpy.array([[-1.5, 0.25, 2.0], [0.5, -0.75, 3.0]])
B = numpy.array([0.5, 2.0, -1.25])

UNARY = {
    "neg": numpy.negative, "abs": numpy.abs, "sign": numpy.sign, "exp": numpy.exp, "expm1": numpy.expm1,
    "square": numpy.square, "reciprocal": numpy.reciprocal, "sin": numpy.sin, "cos": numpy.cos, "tanh":
    numpy.tanh, "floor": numpy.floor, "ceil": numpy.ceil, "trunc": numpy.trunc, "round": numpy.rint,
    "isnan": numpy.isnan, "isinf": numpy.isinf, "isfinite": numpy.isfinite, "logical_not":
    numpy.logical_not, "relu": lambda x: numpy.maximum(x, 0), "sigmoid": lambda x: 1 / (1 +
    numpy.exp(-x)), "erf": numpy.vectorize(math.erf),
}  # fmt: skip
POSITIVE = {
    "log": numpy.log,
    "log1p": numpy.log1p,
    "sqrt": numpy.sqrt,
    "rsqrt": lambda x: 1 / numpy.sqrt(x),
}
BINARY = {
    "add": numpy.add, "sub": numpy.subtract, "mul": numpy.multiply, "div": numpy.divide, "maximum":
    numpy.maximum, "minimum": numpy.minimum, "remainder": numpy.remainder, "eq": numpy.equal, "ne":
    numpy.not_equal, "lt": numpy.less, "le": numpy.less_equal, "gt": numpy.greater, "ge":
    numpy.greater_equal, "logical_and": numpy.logical_and, "logical_or": numpy.logical_or,
    "logical_xor": numpy.logical_xor,
}  # fmt: skip


@pytest.mark.parametrize("name", [*UNARY, *POSITIVE])
def test_of_one_tensor(name: str):
    array = numpy.abs(A) if name in POSITIVE else A
    expected = (UNARY | POSITIVE)[name](array)
    for found in (getattr(sg.tensor(array), name)(), getattr(sg, name, sg.Tensor.isfinite)(sg.tensor(array))):
        numpy.testing.assert_allclose(found.numpy(), expected, rtol=1e-14)


@pytest.mark.parametrize("name", BINARY)
def test_of_two_tensors(name: str):
    for other in (B, 0.5):
        wrapped = sg.tensor(B) if other is B else other
        expected = BINARY[name](A, other)
        numpy.testing.assert_array_equal(getattr(sg.tensor(A), name)(wrapped).numpy(), expected)
        numpy.testing.assert_array_equal(getattr(sg, name)(sg.tensor(A), wrapped).numpy(), expected)


SIGNS = (
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.eq,
    operator.ne, operator.lt, operator.le, operator.gt, operator.ge,
)  # fmt: skip


@pytest.mark.parametrize("sign", SIGNS, ids=lambda f: f.__name__)
def test_signs_from_both_sides(sign):
    x = sg.tensor(A)
    numpy.testing.assert_array_equal(sign(x, sg.tensor(B)).numpy(), sign(A, B))
    numpy.testing.assert_array_equal(sign(x, 2).numpy(), sign(A, 2))
    numpy.testing.assert_array_equal(sign(2.5, x).numpy(), sign(2.5, A))
    numpy.testing.assert_array_equal(sign(B, x).numpy(), sign(B, A))


def test_unary_signs():
    x = sg.tensor(A)
    assert (-x).equal(x.neg())
    assert (+x) is x
    assert abs(x).equal(x.abs())
    assert (~sg.tensor([True, False])).tolist() == [False, True]
    assert (~sg.tensor([1, -3])).tolist() == [-2, 2]
    with pytest.raises(ArgumentError, match=r"bitwise_not takes boolean tensors.*integers too"):
        ~sg.tensor([1.0])


def test_logic_of_booleans():
    p, q = sg.tensor([True, True, False, False]), sg.tensor([True, False, True, False])
    assert (p & q).tolist() == [True, False, False, False]
    assert (p | q).tolist() == [True, True, True, False]
    assert (p ^ q).tolist() == [False, True, True, False]
    assert (p & True).tolist() == p.tolist()
    for sign in (operator.and_, operator.or_, operator.xor):
        with pytest.raises(ArgumentError, match=r"takes boolean tensors, such as .*mind the parentheses"):
            sign(sg.tensor([1.0]), p)


@given(st.sampled_from([0, 1, 2, 3, -1, -2, 0.5, 2.0, 2.5, -0.5]))
def test_powers(exponent):
    array = numpy.abs(A)
    numpy.testing.assert_allclose((sg.tensor(array) ** exponent).numpy(), array**exponent, rtol=1e-14)
    numpy.testing.assert_allclose(sg.tensor(array).pow(exponent).numpy(), array**exponent, rtol=1e-14)
    numpy.testing.assert_allclose((2.0 ** sg.tensor(A)).numpy(), 2.0**A, rtol=1e-14)
    numpy.testing.assert_allclose(sg.tensor(array).pow(sg.tensor(B)).numpy(), array**B, rtol=1e-14)


def test_integers_have_no_negative_powers():
    assert (sg.tensor([2, 3]) ** 3).tolist() == [8, 27]
    assert (sg.tensor([2.0]) ** -1).item() == 0.5
    for call in (lambda: sg.tensor([2]) ** -1, lambda: 2 ** sg.tensor([1, -1])):
        with pytest.raises(ArgumentError, match=r"integers have no negative powers.*\.float\(\)"):
            call()


def test_gradients_of_powers_at_the_edges():
    def gradient(base, exponent):
        x = sg.tensor(base, dtype=sg.float64, requires_grad=True)
        (x**exponent).backward()
        return x.grad.item()

    assert gradient(0.0, 0) == 0
    assert gradient(0.0, 1) == 1
    assert gradient(0.0, 2) == 0
    assert gradient(0.0, 2.0) == 0
    assert gradient(-2.0, 3) == 12
    assert gradient(math.inf, 0) == 0
    e = sg.tensor([0.0, 1.0, 2.0], dtype=sg.float64, requires_grad=True)
    (sg.zeros(3, dtype=sg.float64) ** e).sum().backward()
    assert e.grad.tolist() == [0, 0, 0]
    e.grad = None
    (0.0**e).sum().backward()
    assert e.grad.tolist() == [0, 0, 0]


def test_alpha():
    x, y = sg.tensor([1.0]), sg.tensor([10.0])
    assert x.add(y, alpha=2).item() == 21
    assert x.sub(y, alpha=0.5).item() == -4
    assert x.add(3, alpha=2).item() == 7
    assert x.clone().add_(y, alpha=2).item() == 21
    assert x.clone().sub_(y, alpha=2).item() == -19


def test_rounding():
    x = sg.tensor([0.5, 1.5, 2.5, -0.5, 1.26])
    assert x.round().tolist() == [0, 2, 2, -0.0, 1]
    numpy.testing.assert_allclose(x.round(decimals=1).numpy(), [0.5, 1.5, 2.5, -0.5, 1.3], rtol=1e-6)
    assert sg.tensor([1234.0]).round(decimals=-2).item() == 1200
    assert sg.tensor([1, 2]).round().dtype is sg.int64
    with pytest.raises(ArgumentError, match="rounding_mode is None, 'floor' or 'trunc', not 'up'"):
        x.div(2, rounding_mode="up")


def test_clamp():
    x = sg.tensor([-2.0, 0.5, 3.0])
    assert x.clamp(0, 1).tolist() == [0, 0.5, 1]
    assert x.clamp(min=0).tolist() == [0, 0.5, 3]
    assert x.clip(max=1).tolist() == [-2, 0.5, 1]
    assert x.clamp(sg.tensor([-3.0, 1.0, 0.0]), sg.tensor(2.0)).tolist() == [-2, 1, 2]
    assert x.clamp(2, 1).tolist() == [1, 1, 1]
    assert sg.tensor([1, 5]).clamp(2, 4).dtype is sg.int64
    assert sg.tensor([1, 5]).clamp(1.5, 4).dtype is sg.float32
    with pytest.raises(ArgumentError, match="clamp needs min, max or both"):
        x.clamp()


def test_where_as_a_method():
    x = sg.tensor([1.0, 2.0])
    assert x.where(sg.tensor([True, False]), -x).tolist() == [1, -2]
    assert x.masked_fill(sg.tensor([True, False]), 9).tolist() == [9, 2]


def test_closeness():
    x = sg.tensor([1.0, math.inf, math.nan, -math.inf])
    y = sg.tensor([1.0 + 1e-7, math.inf, math.nan, math.inf])
    assert x.isclose(y).tolist() == [True, True, False, False]
    assert x.isclose(y, equal_nan=True).tolist() == [True, True, True, False]
    assert not x.allclose(x)
    assert x.allclose(x, equal_nan=True)
    assert sg.tensor([1.0]).allclose(sg.tensor([1.1]), rtol=0.2)
    assert sg.tensor([1.0]).equal(sg.tensor([1.0]))
    assert not sg.tensor([1.0]).equal(sg.tensor([[1.0]]))
    assert sg.equal(sg.tensor([1, 2]), sg.tensor([1, 2]))


def test_comparison_with_anything_else():
    x = sg.tensor([1.0])
    assert (x == None) is False  # noqa: E711 - what is tested
    assert (x != None) is True  # noqa: E711
    assert x != "text"
    assert x not in [None, "text"]
    assert 1.0 in x
    assert 2.0 not in x
    assert len({x, sg.tensor([1.0])}) == 2
    assert {x: 1}[x] == 1


def test_special_values_of_functions():
    assert sg.tensor([-1000.0, 1000.0]).sigmoid().tolist() == [0, 1]
    assert sg.tensor(4.0, dtype=sg.float64).tanh().item() == pytest.approx(0.999329, abs=1e-6)
    assert sg.tensor([0.0]).log().item() == -math.inf
    assert math.isnan(sg.tensor([-1.0]).log().item())
    assert math.isnan(sg.tensor([-1.0]).sqrt().item())
    assert (sg.tensor([1.0]) / 0).item() == math.inf
    assert sg.tensor([0.0]).relu().item() == 0
    x = sg.tensor([0.0], requires_grad=True)
    x.relu().backward()
    assert x.grad.item() == 0


NUMBERED = {"xlogy": lambda x, y: x * math.log(y), "xlog1py": lambda x, y: x * math.log1p(y)}


@pytest.mark.parametrize("name", NUMBERED)
@pytest.mark.parametrize("other", [2, 0.5, True])
@pytest.mark.parametrize("kind", [sg.float16, sg.float32, sg.float64, sg.int64, sg.uint8, sg.bool])
def test_a_number_takes_the_type_of_the_tensor_beside_it(name: str, other: float, kind: sg.dtype):
    x, function = sg.tensor([1, 3, 0]).to(kind), getattr(sg.special, name)
    found = function(x, other)
    assert found.dtype == (kind if kind.is_floating_point else sg.float32)
    assert found.tolist() == pytest.approx([NUMBERED[name](v, other) for v in x.tolist()], rel=2e-3)
    assert function(x[0], other).dtype == found.dtype
    assert function(other, x).dtype == found.dtype


@pytest.mark.parametrize("name", NUMBERED)
def test_the_derivative_beside_a_number_is_as_exact_as_the_tensor(name: str):
    x = sg.tensor([1.5, 0.0], dtype=sg.float64, requires_grad=True)
    (slope,) = sg.autograd.grad(getattr(sg.special, name)(x, 0.3).sum(), x, create_graph=True)
    assert slope.tolist() == pytest.approx([NUMBERED[name](1, 0.3)] * 2, rel=1e-14)
    (slope,) = sg.autograd.grad(getattr(sg.special, name)(x, -1.0).sum(), x)
    assert math.isnan(slope[0]) if name == "xlogy" else slope[0] == -math.inf
    assert slope[1] == 0


def test_the_sign_of_a_tensor_on_a_number_is_differentiated_twice():
    x = sg.tensor([-1.5, 2.0], requires_grad=True)
    (slope,) = sg.autograd.grad(sg.copysign(3.0, x).sum(), x, create_graph=True)
    assert slope.tolist() == [0, 0]


@pytest.mark.parametrize(
    "fill",
    [
        lambda x, value: sg.fill(x, value),
        lambda x, value: x.masked_fill(sg.tensor([True, True]), value),
        lambda x, value: x.index_fill(0, sg.tensor([0, 1]), value),
        lambda x, value: x.masked_fill_(sg.tensor([True, True]), value),
    ],
)
def test_what_is_filled_keeps_its_type(fill):
    whole, logical = sg.ones(2, dtype=sg.int32), sg.zeros(2, dtype=sg.bool)
    assert fill(whole.clone(), 2.7).equal(sg.tensor([2, 2], dtype=sg.int32))
    assert fill(whole.clone(), sg.tensor(-2.7)).equal(sg.tensor([-2, -2], dtype=sg.int32))
    assert fill(logical.clone(), 2).equal(sg.tensor([True, True]))
    assert fill(sg.ones(2), sg.tensor(0.5, dtype=sg.float64)).equal(sg.tensor([0.5, 0.5]))
    with pytest.raises(
        DtypeError, match=r"a tensor of int32 cannot be filled with -inf\. Convert it with \.float"
    ):
        fill(whole, -math.inf)


def test_signs_of_booleans_are_they_themselves():
    x = sg.tensor([True, False])
    assert x.sign().equal(x)
    assert x.sign() is not x
