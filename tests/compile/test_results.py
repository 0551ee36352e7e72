"""What a compiled function returns: the same kinds of things as the function itself."""

import collections
import gc
import weakref

import pytest

import stepgrad as sg
from stepgrad import nn, optim

X = sg.tensor([1.0, 2.0])


class Named(dict):
    title = ""


class Row(list):
    pass


def _named(x):
    result = Named(a=x * 2)
    result.title = "twice"
    return result


@pytest.mark.parametrize(
    "make",
    [
        lambda x: collections.OrderedDict(b=x * 2, a=x),
        lambda x: collections.defaultdict(list, b=x * 2),
        _named,
        lambda x: Row([x, x * 2]),
        lambda x: {"a": [x * 2, (x * 3, "text")]},
    ],
)
def test_kinds_of_containers(make):
    compiled, eager = sg.compile(make), make(X)
    for _ in range(3):
        result = compiled(X)
        assert type(result) is type(eager)
        assert str(result) == str(eager)
        assert getattr(result, "title", "") == getattr(eager, "title", "")
    assert len(compiled.programs) == 1


def test_what_is_handed_in_is_handed_back():
    held = sg.tensor([5.0, 6.0])

    def step(x, y):
        x.add_(1)
        return x, y, held, [x * 2]

    compiled = sg.compile(step)
    for _ in range(3):
        x, y = sg.tensor([1.0, 2.0]), sg.tensor([3.0])
        first, second, third, (last,) = compiled(x, y)
        assert first is x
        assert second is y
        assert third is held
        assert x.tolist() == [2, 3]
        assert last.tolist() == [4, 6]
    checked = sg.compile(step, check=True)
    for _ in range(2):
        assert checked(x, y)[0] is x


def test_a_generator_is_no_step():
    def step(x):
        yield x * 2

    compiled = sg.compile(step)
    with pytest.warns(UserWarning, match="it returns a generator, whose parts are computed after"):
        assert next(compiled(X)).tolist() == [2, 4]
    assert next(compiled(2 * X)).tolist() == [4, 8]


def test_a_gradient_through_a_compiled_function_is_refused():
    weight = nn.Parameter(sg.ones(2))
    compiled = sg.compile(lambda x: (x * weight).sum())
    for _ in range(3):
        result = compiled(X)
        assert result.requires_grad
        assert result.item() == 3
        with pytest.raises(sg.errors.GradientError, match="a compiled function has computed this, without"):
            (result * 2 + weight.sum()).backward()
    assert weight.grad is None
    with sg.no_grad():
        assert not compiled(X).requires_grad


def test_a_gradient_for_an_argument_is_refused():
    compiled = sg.compile(lambda x: x * 3)
    x = sg.ones(2, requires_grad=True)
    with pytest.raises(sg.errors.GradientError, match="Compile the whole step"):
        compiled(x).sum().backward()


def test_the_loss_of_a_training_step_has_no_history():
    weight = nn.Parameter(sg.ones(2))
    optimizer = optim.SGD([weight], lr=0.1)

    @sg.compile
    def step(x):
        optimizer.zero_grad()
        y = x * weight
        loss = y.square().sum()
        loss.backward()
        optimizer.step()
        return loss, y

    for _ in range(3):
        loss, y = step(X)
        assert not loss.requires_grad
        assert not y.requires_grad


def test_the_arguments_of_the_first_call_are_let_go():
    compiled = sg.compile(lambda x, y: (x.add_(1), y * 2)[1])
    x, y = sg.ones(100), sg.ones(100)
    compiled(x, y)
    held = [weakref.ref(t) for t in (x, y)]
    del x, y
    gc.collect()
    assert [ref() for ref in held] == [None, None]
    assert compiled(sg.ones(100), sg.ones(100)).sum().item() == 200


def test_a_change_of_an_argument_is_seen_by_a_backward_outside():
    weight = nn.Parameter(sg.ones(2))
    compiled = sg.compile(lambda x: x.add_(1))
    for _ in range(3):
        x = sg.ones(2)
        loss = (x * weight).sum()
        compiled(x)
        with pytest.raises(sg.errors.GradientError, match="changed"):
            loss.backward()
