"""Tensors filled at random, changed in shape in place, and what is refused."""

import math

import numpy
import pytest

import stepgrad as sg
from stepgrad.errors import ArgumentError, GradientError, ShapeError

MANY = sg.zeros(20_000, dtype=sg.float64)


def filled(name, *args):
    generator = sg.Generator().manual_seed(3)
    return getattr(MANY.clone(), name)(*args, generator=generator).numpy()


def test_random_fills_have_the_moments_of_their_distributions():
    assert filled("bernoulli_", 0.3).mean() == pytest.approx(0.3, abs=0.02)
    assert filled("exponential_", 2.0).mean() == pytest.approx(0.5, abs=0.02)
    assert filled("geometric_", 0.25).mean() == pytest.approx(4, abs=0.1)
    assert filled("geometric_", 0.25).min() == 1
    assert numpy.median(filled("cauchy_", 1.0, 2.0)) == pytest.approx(1, abs=0.1)
    assert numpy.log(filled("log_normal_", 1.0, 0.5)).std() == pytest.approx(0.5, abs=0.02)
    drawn = filled("random_", 3, 7)
    assert set(drawn) == {3, 4, 5, 6}
    assert set(filled("random_", 2)) == {0, 1}
    assert sg.zeros(1000, dtype=sg.uint8).random_().max() > 200
    poisson = sg.poisson(MANY + 4, generator=sg.Generator().manual_seed(1)).numpy()
    assert (poisson.mean(), poisson.var()) == (pytest.approx(4, abs=0.1), pytest.approx(4, abs=0.2))
    assert math.isclose((MANY + 0.3).bernoulli().mean().item(), 0.3, abs_tol=0.02)
    assert sg.bernoulli(MANY, 1.0).mean() == 1
    assert sg.tensor([0.0, 1.0]).multinomial(3, replacement=True).tolist() == [1, 1, 1]


def test_streams_are_drawn_from():
    sg.manual_seed(5)
    first, second = sg.empty(3).exponential_(), sg.empty(3).exponential_()
    assert first.tolist() != second.tolist()
    sg.manual_seed(5)
    assert sg.empty(3).exponential_().tolist() == first.tolist()
    with sg.random.fork_rng():
        sg.random.seed()
    assert sg.empty(3).exponential_().tolist() == second.tolist()


def test_another_shape_in_place():
    x = sg.arange(6.0)
    assert x.resize_(2, 2) is x
    assert x.tolist() == [[0, 1], [2, 3]]
    assert x.resize_(5).tolist() == [0, 1, 2, 3, 0]
    w = sg.ones(2, 3, requires_grad=True)
    y = (w * sg.arange(3.0)).t_()
    (y[2] * 2).sum().backward()
    assert w.grad.tolist() == [[0, 0, 4], [0, 0, 4]]
    with pytest.raises(GradientError, match="a leaf that requires a gradient cannot change its shape"):
        w.unsqueeze_(0)
    with pytest.raises(GradientError, match=r"resize_\(\) of a tensor that requires a gradient"):
        y.resize_(1)


def test_types_on_a_gpu():
    assert not isinstance(sg.ones(1), sg.cuda.FloatTensor)
    assert repr(sg.cuda.LongTensor) == "stepgrad.cuda.LongTensor"
    assert sg.cuda.memory_allocated() >= 0


def test_what_is_refused():
    with pytest.raises(ShapeError, match=r"fill_diagonal_ takes a matrix, or more dimensions of one length"):
        sg.zeros(2, 2, 3).fill_diagonal_(1.0)
    with pytest.raises(ArgumentError, match=r"map_ of the shapes \[2\] and \[3\]"):
        sg.zeros(2).map_(sg.zeros(3), max)
    with pytest.raises(ShapeError, match=r"view of float32\[3\] as float64 needs bytes"):
        sg.zeros(3).view(sg.float64)
    with pytest.raises(TypeError, match=r"finfo takes a floating point type, not int64\. Use iinfo"):
        sg.finfo(sg.int64)
    with pytest.raises(TypeError, match="iinfo takes an integer type, not float32"):
        sg.iinfo(sg.float32)
    with pytest.raises(ValueError, match="the precision is 'highest', 'high' or 'medium', not 'low'"):
        sg.set_float32_matmul_precision("low")
    with pytest.raises(ValueError, match="poisson needs means"):
        sg.poisson(-sg.ones(1))


@pytest.mark.parametrize(
    "where, name, message",
    [
        (sg, "distributiom", "stepgrad has no 'distributiom'."),
        (sg, "nested", "stepgrad has no 'nested'."),
        (sg, "lstm", "it is stepgrad.nn.LSTM here"),
        (sg.version, "hip", "stepgrad.version has no 'hip'."),
        (sg.backends, "opt_einsum", "stepgrad.backends has no 'opt_einsum'."),
        (sg.utils, "mobile_optimizer", "stepgrad.utils has no 'mobile_optimizer'."),
        (sg.nn.utils.parametrize, "is_parametrised", "Did you mean 'is_parametrized'?"),
    ],
)
def test_missing_names(where, name, message):
    with pytest.raises(AttributeError) as caught:
        getattr(where, name)
    assert message in str(caught.value)
    assert "set_printoptions" not in str(caught.value)


@pytest.mark.parametrize(
    "name, arguments",
    [
        ("bernoulli_", (2.0,)), ("bernoulli_", (-0.1,)), ("bernoulli_", (sg.tensor([0.5, math.nan]),)),
        ("bernoulli", (1.5,)), ("exponential_", (0.0,)), ("exponential_", (-1.0,)), ("geometric_", (0.0,)),
        ("geometric_", (1.0,)), ("geometric_", (math.nan,)), ("cauchy_", (0.0, 0.0)),
        ("log_normal_", (0.0, -1.0)), ("normal_", (0.0, -1.0)), ("uniform_", (1.0, 0.0)),
        ("uniform_", (0.0, math.nan)), ("random_", (0,)), ("random_", (5, 5)),
    ],
)  # fmt: skip
def test_parameters_that_no_distribution_has(name, arguments):
    x = sg.tensor([7.0, 8.0])
    with pytest.raises(ArgumentError, match=r"need"):
        getattr(x, name)(*arguments)
    assert x.tolist() == [7.0, 8.0]


def test_functions_refuse_them_too():
    for draw in (
        lambda: sg.bernoulli(sg.tensor([2.0])),
        lambda: sg.bernoulli(sg.tensor([math.nan])),
        lambda: sg.normal(0.0, -1.0, (2,)),
        lambda: sg.normal(sg.zeros(2), sg.tensor([1.0, -1.0])),
        lambda: sg.randperm(-1),
        lambda: sg.nn.init.normal_(sg.zeros(2), std=-1.0),
    ):
        with pytest.raises(ArgumentError, match=r"need"):
            draw()


def test_a_compiled_step_draws_with_probabilities_that_it_is_handed():
    draw = sg.compile(lambda p: sg.bernoulli(p))
    assert draw(sg.tensor([0.0, 1.0])).tolist() == draw(sg.tensor([0.0, 1.0])).tolist() == [0.0, 1.0]
