"""In-place forms store what the method returns."""

import numpy
import pytest

import stepgrad as sg
from stepgrad.errors import GradientError, ShapeError
from stepgrad.methods.stored import StoredMethods

ONE = [
    "abs", "ceil", "floor", "round", "trunc", "frac", "exp2", "expm1", "log", "log1p", "log2",
    "log10", "rsqrt", "square", "reciprocal", "sin", "cos", "tan", "sinc", "asin", "acos", "atan",
    "sinh", "cosh", "asinh", "atanh", "erf", "erfc", "erfinv", "lgamma", "digamma", "i0", "logit",
    "deg2rad", "rad2deg", "tril", "triu",
]  # fmt: skip


@pytest.mark.parametrize("name", ONE)
def test_of_one(name: str):
    array = numpy.random.default_rng(0).uniform(0.1, 0.9, (3, 3))
    x = sg.tensor(array)
    assert getattr(x, f"{name}_")() is x
    numpy.testing.assert_array_equal(x.numpy(), getattr(sg.tensor(array), name)().numpy())


def test_of_several():
    x = sg.zeros(2, 3)
    assert x.scatter_(1, sg.tensor([[0], [2]]), 1.0).tolist() == [[1, 0, 0], [0, 0, 1]]
    assert x.addcmul_(sg.ones(2, 3), sg.ones(2, 3), value=2).tolist() == [[3, 2, 2], [2, 2, 3]]
    assert x.lerp_(sg.zeros(2, 3), 0.5).tolist() == [[1.5, 1, 1], [1, 1, 1.5]]
    assert x.index_fill_(1, sg.tensor([1]), 0).sum().item() == 5


def test_the_history_goes_on():
    w = sg.tensor([1.0, 2.0], requires_grad=True)
    y = w * 3
    y.sin_()
    y.sum().backward()
    numpy.testing.assert_allclose(w.grad.numpy(), 3 * numpy.cos([3.0, 6.0]), rtol=1e-6)
    with pytest.raises(GradientError, match="a leaf that requires a gradient cannot be changed in place"):
        w.sin_()


def test_a_shape_stays():
    with pytest.raises(ShapeError, match=r"cannot change the shape \[2\] to \[3, 2\]"):
        sg.ones(2).hypot_(sg.ones(3, 2))


def test_each_is_there_for_a_method():
    for name in vars(StoredMethods):
        if name.endswith("_") and not name.startswith("_"):
            assert hasattr(sg.Tensor, name[:-1]), name
