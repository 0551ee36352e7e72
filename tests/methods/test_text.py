"""A tensor as text."""

import math

import numpy as np
import pytest

import stepgrad as sg
from stepgrad.errors import ArgumentError


@pytest.mark.parametrize(
    "made, text",
    [
        (lambda: sg.tensor(1.0), "tensor(1.)"),
        (lambda: sg.tensor(1), "tensor(1)"),
        (lambda: sg.tensor([0.5, 10.25]), "tensor([ 0.5000, 10.2500])"),
        (lambda: sg.tensor([1.0, -2.0]), "tensor([ 1., -2.])"),
        (lambda: sg.tensor([1e-6, 1.0]), "tensor([1.0000e-06, 1.0000e+00])"),
        (lambda: sg.tensor([1.0, 2000.0]), "tensor([1.0000e+00, 2.0000e+03])"),
        (lambda: sg.tensor([True, False]), "tensor([ True, False])"),
        (lambda: sg.tensor([1.0, math.nan, math.inf]), "tensor([1., nan, inf])"),
        (lambda: sg.tensor([math.nan]), "tensor([nan])"),
        (lambda: sg.tensor([]), "tensor([])"),
        (lambda: sg.zeros(0, 2), "tensor([], size=(0, 2))"),
        (lambda: sg.zeros(0, dtype=sg.int64), "tensor([], dtype=stepgrad.int64)"),
        (lambda: sg.tensor([1.0], dtype=sg.float64), "tensor([1.], dtype=stepgrad.float64)"),
        (lambda: sg.tensor([1], dtype=sg.int8), "tensor([1], dtype=stepgrad.int8)"),
        (lambda: sg.tensor([1.0], requires_grad=True), "tensor([1.], requires_grad=True)"),
        (lambda: sg.tensor([1.0], requires_grad=True) * 2, "tensor([2.], grad_fn=<mul>)"),
        (
            lambda: sg.tensor([[1.0, 2.5], [3.0, 4.0]]),
            "tensor([[1.0000, 2.5000],\n        [3.0000, 4.0000]])",
        ),
        (lambda: sg.nn.Parameter(sg.zeros(1)), "Parameter containing:\ntensor([0.], requires_grad=True)"),
    ],
)
def test_text(made, text):
    assert repr(made()) == text
    assert str(made()) == text


def test_large_tensors_are_shortened():
    text = repr(sg.zeros(2000))
    assert text == "tensor([0., 0., 0.,  ..., 0., 0., 0.])"


def test_format():
    assert f"{sg.tensor(1.23456):.2f}" == "1.23"
    assert f"{sg.tensor([1.0])}" == "tensor([1.])"


def test_options():
    x = sg.tensor([[1.5, 20000.0], [0.001, 3.0]])
    try:
        sg.set_printoptions(precision=2, sci_mode=False)
        assert str(x) == "tensor([[    1.50, 20000.00],\n        [    0.00,     3.00]])"
        sg.set_printoptions(profile="short")
        assert str(sg.arange(1001)) == "tensor([   0,    1,  ...,  999, 1000])"
        sg.set_printoptions(threshold=2, edgeitems=1)
        assert str(sg.arange(5)) == "tensor([0,  ..., 4])"
        sg.set_printoptions(profile="full", linewidth=20)
        assert str(sg.arange(5)) == "tensor([0, 1, 2, 3,\n        4])"
    finally:
        sg.set_printoptions(profile="default")
    assert str(sg.tensor([0.12345])) == "tensor([0.1235])"
    with pytest.raises(ArgumentError, match=r"no profile 'shrot'\. Did you mean 'short'"):
        sg.set_printoptions(profile="shrot")
    with pytest.raises(ArgumentError, match=r"no option 'presicion'\. Did you mean 'precision'"):
        sg.set_printoptions(presicion=3)


@pytest.mark.oracle
def test_texts_are_those_of_pytorch():
    torch = pytest.importorskip("torch")
    random = np.random.default_rng(0)
    kinds = [
        lambda shape: random.normal(size=shape).astype("float32"),
        lambda shape: random.normal(size=shape) * 10.0 ** random.integers(-6, 9),
        lambda shape: random.integers(-9, 9, shape).astype("float32"),
        lambda shape: random.integers(-(10**6), 10**6, shape),
        lambda shape: random.integers(0, 2, shape).astype(bool),
        lambda shape: np.where(random.random(shape) < 0.3, np.inf, random.integers(-3, 3, shape)),
        lambda shape: np.where(random.random(shape) < 0.3, np.nan, random.normal(size=shape)),
        lambda shape: np.zeros(shape, "float32"),
        lambda shape: random.integers(0, 200, shape).astype("uint8"),
        lambda shape: random.normal(size=shape).astype("float16"),
    ]
    shapes = [
        (),
        (1,),
        (7,),
        (30,),
        (2, 3),
        (0,),
        (0, 3),
        (2, 2, 3),
        (1100,),
        (40, 40),
        (3, 30, 20),
        (2, 1, 1, 5),
    ]
    for kind in kinds:
        for shape in shapes:
            array = np.asarray(kind(shape))
            expected = repr(torch.from_numpy(array.copy())).replace("dtype=torch.", "dtype=stepgrad.")
            assert repr(sg.from_numpy(array)) == expected
    x = torch.randn(3, 40, requires_grad=True)
    assert repr(sg.from_dlpack(x.detach()).requires_grad_()) == repr(x)
