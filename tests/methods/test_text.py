"""A tensor as text."""

import math

import pytest

import stepgrad as sg


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
    assert text == "tensor([0., 0., 0., ..., 0., 0., 0.])"


def test_format():
    assert f"{sg.tensor(1.23456):.2f}" == "1.23"
    assert f"{sg.tensor([1.0])}" == "tensor([1.])"
