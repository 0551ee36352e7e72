"""Derivatives of functions as functions: their numbers by hand, what reaches tensors outside, messages."""

import pytest

import stepgrad as sg
from stepgrad import func
from stepgrad.errors import ArgumentError, GradientError, ShapeError


def cube(x):
    return (x**3).sum()


def test_derivatives_nest():
    x = sg.tensor(2.0)
    assert func.grad(cube)(x) == 12
    assert func.grad(func.grad(cube))(x) == 12
    assert func.grad(func.grad(func.grad(cube)))(x) == 6
    assert func.hessian(cube)(sg.tensor([1.0, 2.0])).tolist() == [[6, 0], [0, 12]]


def test_arguments_by_number_and_trees():
    def f(a, b, scale=1):
        return (a["w"] * b[0]).sum() * scale

    a, b = {"w": sg.tensor([1.0, 2.0])}, (sg.tensor([3.0, 4.0]),)
    found = func.grad(f, argnums=(0, 1))(a, b, scale=10)
    assert found[0]["w"].tolist() == [30, 40]
    assert found[1][0].tolist() == [10, 20]
    assert func.grad(f, argnums=-1)(a, b)[0].tolist() == [1, 2]


def test_what_needs_no_gradient_outside_has_no_graph():
    x = sg.tensor([1.0, 2.0])
    g, value = func.grad_and_value(cube)(x)
    assert (g.requires_grad, value.requires_grad, x.requires_grad) == (False, False, False)
    w = sg.tensor([3.0, 4.0], requires_grad=True)
    with sg.no_grad():
        assert not func.grad(cube)(w).requires_grad
    y, back = func.vjp(sg.sin, x)
    assert not y.requires_grad
    assert not back(sg.ones(2))[0].requires_grad


def test_derivatives_reach_tensors_outside():
    w = sg.tensor([3.0, 4.0], requires_grad=True)
    func.grad(cube)(w).sum().backward()
    assert w.grad.tolist() == [18, 24]
    w.grad = None
    func.grad(lambda x: (w * x**2).sum())(sg.tensor([1.0, 2.0])).sum().backward()
    assert w.grad.tolist() == [2, 4]
    w.grad = None
    func.jvp(lambda x: x**2, (w,), (sg.ones(2),))[1].sum().backward()
    assert w.grad.tolist() == [2, 2]


def test_aux():
    x = sg.tensor([1.0, 2.0])
    g, (value, aux) = func.grad_and_value(lambda x: (cube(x), {"x": x * 2}), has_aux=True)(x)
    assert (g.tolist(), value.item(), aux["x"].tolist()) == ([3, 12], 9, [2, 4])
    assert not aux["x"].requires_grad
    g, aux = func.jacrev(lambda x: (x * x, "text"), has_aux=True)(x)
    assert (g.tolist(), aux) == ([[2, 0], [0, 4]], "text")
    y, _, aux = func.vjp(lambda x: (x * x, x), x, has_aux=True)
    assert (y.tolist(), aux.tolist()) == ([1, 4], [1, 2])


def test_products_with_vectors():
    x, v = sg.tensor([1.0, 3.0]), sg.tensor([1.0, 10.0])
    y, along = func.linearize(lambda x: {"y": x**2, "s": x.sum()}, x)
    assert y["s"] == 4
    assert along(v)["y"].tolist() == [2, 60]
    assert along(v)["s"] == 11


def test_messages():
    x = sg.ones(2)
    with pytest.raises(GradientError, match=r"one number; here it is \[2\]"):
        func.grad(sg.sin)(x)
    with pytest.raises(GradientError, match="by floating point tensors, not by int64"):
        func.grad(cube)(sg.tensor(1))
    with pytest.raises(ArgumentError, match="grad: there is no argument 1, but 1 of them"):
        func.grad(cube, argnums=1)(x)
    with pytest.raises(ArgumentError, match="jvp takes the arguments as a tuple, not Tensor"):
        func.jvp(sg.sin, x, x)
    with pytest.raises(ShapeError, match=r"jvp: v has the shapes \[\[3\]\], not \[\[2\]\]"):
        func.jvp(sg.sin, (x,), (sg.ones(3),))
    with pytest.raises(ArgumentError, match=r"has_aux takes a function that returns \(value, aux\)"):
        func.grad(cube, has_aux=True)(x)
    with pytest.raises(ArgumentError, match="function of tensors to tensors, not float"):
        func.grad(lambda x: 1.0)(x)
    with pytest.raises(AttributeError, match="Did you mean 'hessian'"):
        _ = func.hesian
