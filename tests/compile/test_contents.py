"""Memory that changes within a step: what is read before and after, under several names and through views."""

from collections.abc import Callable
from typing import Any

import numpy
import pytest

import stepgrad as sg
from stepgrad.tensor import Tensor
from tests.autograd.test_inplace import CHANGES as IN_VIEWS
from tests.compile.changes import CHANGES
from tests.compile.compiled import assert_close, compiled_and_eager


def laid_out(array: numpy.ndarray, layout: str) -> Tensor:
    """A tensor of the numbers of `array` whose memory is arranged in one of four ways."""
    if layout == "by columns":
        return sg.from_numpy(numpy.array(array, order="F"))
    if layout == "with gaps":
        wide = numpy.zeros(tuple(2 * n for n in array.shape))
        part = wide[tuple(slice(None, None, 2) for _ in array.shape)]
        part[...] = array
        return sg.from_numpy(part)
    if layout == "backwards":
        return sg.from_numpy(array[::-1].copy()[::-1])
    return sg.from_numpy(array.copy())


@pytest.mark.parametrize("layout", ["by rows", "by columns", "with gaps", "backwards"])
@pytest.mark.parametrize("name", CHANGES)
def test_changes_in_place(name: str, layout: str):
    step, shapes = CHANGES[name]
    random = numpy.random.default_rng(1)
    arrays = [random.standard_normal(shape) for shape in shapes]
    own, others = ([laid_out(a, layout) for a in arrays] for _ in range(2))
    # In one layout what is changed are arguments, in the others what the step finds.
    f = sg.compile(sg.no_grad()(step) if layout == "by rows" else lambda: sg.no_grad()(step)(*own))
    for _ in range(3):
        native = tensors_of(f(*own) if layout == "by rows" else f())
        with sg.no_grad():
            eager = tensors_of(step(*others))
        for x, y in zip([*native, *own], [*eager, *others], strict=True):
            numpy.testing.assert_allclose(x.numpy(), y.numpy(), rtol=1e-12, atol=1e-12)
    assert not f.runs_eagerly


def tensors_of(result: Any) -> list[Tensor]:
    if result is None:
        return []
    return [result] if isinstance(result, Tensor) else list(result)


def test_a_part_changed_through_a_view():
    p = sg.ones(3, 4)

    def step() -> Tensor:
        p[0].mul_(2)
        p.t()[1:].add_(1)
        return p.sum()

    f = sg.compile(step)
    assert f().item() == 16 + 9
    assert f().item() == 45
    assert not f.runs_eagerly


@pytest.mark.parametrize("change", IN_VIEWS.values(), ids=IN_VIEWS)
def test_changes_through_views_with_gradients(change: Callable[[Tensor, Tensor], Any]):
    def step(x: Tensor, w: Tensor) -> tuple[Tensor, ...]:
        y = x * 1.5
        row = y[1]
        change(y, w)
        buffer = sg.zeros(3, 3, dtype=sg.float64)
        change(buffer, w)
        loss = (y * y * sg.arange(3)).sum() + (row * w[0]).sum() + buffer.sin().sum()
        return (y, row, buffer, *sg.autograd.grad(loss, (x, w)))

    numbers = numpy.random.default_rng(1).uniform(0.5, 1.5, (2, 3, 3))
    x, w = (sg.tensor(a, requires_grad=True) for a in numbers)
    native, eager = compiled_and_eager(step, [x, w])
    for ours, right in zip(native, eager, strict=True):
        assert_close(ours, right, 1e-12)


def test_tensors_that_share_a_part_of_their_memory_run_eagerly():
    whole = sg.ones(8)
    a, b = whole[:5], whole[3:]

    def step() -> Tensor:
        a.mul_(2)
        return (a.sum() + b.sum()) * 1

    f = sg.compile(step)
    with pytest.warns(UserWarning, match="share a part of the memory"):
        assert f().item() == 10 + 4 + 3
    assert f().item() == 20 + 8 + 3


def test_several_names_of_one_memory():
    p = sg.ones(4)
    other = sg.from_numpy(p.numpy())

    def step() -> tuple[Tensor, Tensor]:
        before = p.sum()
        other.mul_(2)
        return before, p.sum()

    f = sg.compile(step)
    assert [t.item() for t in f()] == [4, 8]
    assert [t.item() for t in f()] == [8, 16]
    # One of them goes elsewhere: from then on they are two.
    p.data = sg.ones(4)
    assert [t.item() for t in f()] == [4, 4]
    assert other.sum().item() == 32


@pytest.mark.parametrize(
    "change",
    [
        lambda y, w: y.detach().mul_(2),
        lambda y, w: y.data.clamp_(-1, 1).add_(3),
        lambda y, w: y.data[1:].mul_(2),
        lambda y, w: (y.data.mul_(2), y.mul_(3), y.data.add_(1)),
        lambda y, w: sg.no_grad()(y.mul_)(3),
        lambda y, w: (sg.no_grad()(y.mul_)(3), y.data.add_(1), sg.no_grad()(y[0].mul_)(3)),
    ],
)
def test_changes_past_the_history(change: Callable[[Tensor, Tensor], Any]):
    def step(x: Tensor, w: Tensor) -> tuple[Tensor, ...]:
        y = x + w
        other = y.detach()
        change(y, w)
        gx, gw = sg.autograd.grad((y * x.detach()).sum(), (x, w))
        x.grad = w.grad = None
        (x * w).sum().backward()
        assert x.grad is not None
        change(x.grad, w)
        return y, other * 1, y * 2, gx, gw, x.grad, x.grad + 1

    numbers = numpy.random.default_rng(1).uniform(0.5, 1.5, (2, 3, 3))
    x, w = (sg.tensor(a, requires_grad=True) for a in numbers)
    native, eager = compiled_and_eager(step, [x, w])
    for ours, right in zip(native, eager, strict=True):
        assert_close(ours, right, 1e-12)


def test_an_argument_changed_through_a_detached_view():
    def step(x: Tensor) -> tuple[Tensor, ...]:
        view = x.reshape(3)
        view.detach().add_(x + 1.0)
        return view * 1, x * 1

    x = sg.ones(3, requires_grad=True)
    f = sg.compile(step)
    for k in (3, 7):
        assert [t.tolist() for t in f(x)] == [[k] * 3] * 2
        assert x.tolist() == [k] * 3
    assert not f.runs_eagerly
