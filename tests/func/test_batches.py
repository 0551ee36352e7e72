"""`vmap`: dimensions of arguments and results, random numbers, gradients through it, messages."""

import pytest

import stepgrad as sg
from stepgrad.errors import ArgumentError, ShapeError
from stepgrad.func import grad, vmap


def test_dimensions():
    a, b = sg.arange(6.0).reshape(2, 3), sg.arange(6.0).reshape(3, 2)
    assert sg.equal(vmap(sg.dot, in_dims=(0, 1))(a, b), (a * b.T).sum(1))
    assert sg.equal(vmap(lambda x: x * 2, out_dims=1)(a), (a * 2).T)
    assert sg.equal(vmap(lambda x, y: x + y, in_dims=(0, None))(a, a[0]), a + a[0])
    assert sg.equal(
        vmap(lambda x, *, k: x + k)(a, k=sg.tensor([10.0, 20.0])), a + sg.tensor([[10.0], [20.0]])
    )


def test_trees():
    a = sg.arange(6.0).reshape(2, 3)
    found = vmap(lambda p, s: {"y": p["w"] * s, "n": (p["w"].sum(),)}, in_dims=({"w": 0}, None))(
        {"w": a}, 2.0
    )
    assert sg.equal(found["y"], a * 2)
    assert found["n"][0].tolist() == [3, 12]
    y, same = vmap(lambda x: (x, x[0] * 0), out_dims=(0, None))(a)
    assert (y.shape, same.shape) == ((2, 3), ())


def test_it_nests_and_has_gradients():
    x = sg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    y = vmap(vmap(lambda x: x**3))(x)
    y.sum().backward()
    assert sg.equal(x.grad, 3 * x.detach() ** 2)
    assert sg.equal(vmap(grad(lambda x: (x**2).sum()))(x.detach()), 2 * x.detach())


def test_random_numbers():
    x = sg.zeros(3)
    sg.manual_seed(0)
    different = vmap(lambda x: x + sg.rand(()), randomness="different")(x)
    assert len(set(different.tolist())) == 3
    same = vmap(lambda x: x + sg.rand(()), randomness="same")(x)
    assert len(set(same.tolist())) == 1
    with pytest.raises(ArgumentError, match="the function draws random numbers"):
        vmap(lambda x: x + sg.rand(()))(x)
    with pytest.raises(ArgumentError, match="randomness is 'error', 'same' or 'different', not 'no'"):
        vmap(sg.sin, randomness="no")


def test_messages():
    with pytest.raises(ShapeError, match=r"different numbers of samples: \[2, 3\] and \[3, 3\]"):
        vmap(sg.add)(sg.ones(2, 3), sg.ones(3, 3))
    with pytest.raises(ArgumentError, match=r"there is no dimension 1 in \[2\]"):
        vmap(sg.sin, in_dims=1)(sg.ones(2))
    with pytest.raises(ArgumentError, match="there is no dimension 0 in float"):
        vmap(sg.add)(sg.ones(2), 1.0)
    with pytest.raises(ShapeError, match="at least one argument"):
        vmap(sg.sin, in_dims=None)(sg.ones(2))
    with pytest.raises(ArgumentError, match="the function returned float; return tensors"):
        vmap(lambda x: 1.0)(sg.ones(2))
    with pytest.raises(ArgumentError, match=r"vmap: in_dims \(0, 0\) has another form than what it is for"):
        vmap(sg.sin, in_dims=(0, 0))(sg.ones(2))
