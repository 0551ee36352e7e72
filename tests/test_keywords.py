"""Other names of arguments: NumPy's, `size`, `input` and `out`."""

import inspect

import pytest

import stepgrad as sg
from stepgrad.errors import ArgumentError, DtypeError, GradientError, ShapeError
from stepgrad.keywords import _has_other_names, _other_names

X = sg.arange(6.0).reshape(2, 3)


def test_dimensions_in_numpys_names():
    assert X.sum(1, keepdims=True).tolist() == [[3.0], [12.0]]
    assert X.argmax(axis=1).tolist() == [2, 2]
    assert sg.max(X, axis=0).values.tolist() == [3.0, 4.0, 5.0]
    assert sg.cat([X, X], axis=1).shape == (2, 6)
    assert sg.stack([X, X], axis=2).shape == (2, 3, 2)
    assert X.softmax(axis=1).sum(axis=1).tolist() == [1.0, 1.0]
    with pytest.raises(TypeError, match="unexpected keyword argument 'axis'"):
        sg.nn.functional.softmax(X, axis=1)
    with pytest.raises(ArgumentError, match=r"sum\(\) was given 'axis' and 'dim': they are the same\."):
        X.sum(dim=1, axis=1)


def test_a_shape_by_name():
    assert sg.zeros(size=(2, 3)).shape == sg.rand(size=(2, 3)).shape == (2, 3)
    assert X.reshape(shape=(3, 2)).shape == sg.reshape(input=X, shape=(3, 2)).shape == (3, 2)
    assert X.view(size=(6,)).shape == (6,)
    assert X.expand(size=(4, 2, 3)).shape == (4, 2, 3)
    assert X.repeat(repeats=(2, 1)).shape == (4, 3)
    assert [len(part) for part in sg.split(X, split_size_or_sections=[1, 1])] == [1, 1]


def test_the_first_argument_by_name():
    assert sg.sum(input=X, dim=1).tolist() == [3.0, 12.0]
    assert sg.add(input=X, other=X, alpha=-1).tolist() == [[0.0] * 3] * 2
    assert sg.zeros_like(input=X, memory_format=sg.preserve_format).tolist() == [[0.0] * 3] * 2


def test_what_has_the_result():
    out = sg.zeros(2)
    assert sg.sum(X, 1, out=out) is out
    assert out.tolist() == [3.0, 12.0]
    empty = sg.empty(0)
    assert sg.exp(X * 0, out=empty) is empty
    assert empty.shape == (2, 3)
    pair = (sg.empty(0), sg.empty(0, dtype=sg.int64))
    assert sg.max(X, 1, out=pair).indices is pair[1]
    assert pair[0].tolist() == [2.0, 5.0]
    with pytest.raises(ShapeError, match=r"sum\(\): out has the shape \[3\], the result \[2\]\."):
        sg.sum(X, 1, out=sg.zeros(3))
    with pytest.raises(DtypeError, match="a float32 result cannot be stored in a int64 tensor"):
        sg.sum(X, 1, out=sg.zeros(2, dtype=sg.int64))
    with pytest.raises(GradientError, match=r"exp\(\) with out= has no derivative"):
        sg.exp(sg.ones(2, requires_grad=True), out=sg.zeros(2))
    with pytest.raises(TypeError, match="unexpected keyword argument 'out'"):
        sg.reshape(X, (6,), out=out)


def test_a_file_as_f(tmp_path):
    sg.save(obj={"a": X}, f=tmp_path / "x.pt")
    assert sg.load(f=tmp_path / "x.pt")["a"].tolist() == X.tolist()
    assert sg.save.__name__ == "save"


def test_errors_have_the_public_name():
    with pytest.raises(TypeError, match=r"Tensor\.sum\(\) got an unexpected keyword argument 'along'"):
        X.sum(along=1)
    with pytest.raises(TypeError, match=r"Tensor\.exp\(\) takes 1 positional argument"):
        X.exp(3)


def test_what_is_made_requires_a_gradient():
    for made in (
        sg.normal(0, 1, (2, 1), requires_grad=True),
        sg.randn_like(X, requires_grad=True),
        sg.randperm(3, dtype=sg.float32, requires_grad=True),
        sg.randint(3, (2,), dtype=sg.float32, requires_grad=True),
    ):
        assert made.requires_grad
        assert made.is_leaf


def test_methods_that_take_other_names_are_found_at_import():
    methods = {
        name: inspect.unwrap(method)
        for name, method in inspect.getmembers(sg.Tensor, inspect.isfunction)
        if not name.startswith("_")
    }
    having = {name for name, method in methods.items() if _other_names(method, name, False)}
    assert having == {name for name, method in methods.items() if _has_other_names(method, name)}
    assert {"sum", "reshape"} < having
    assert "exp" not in having
