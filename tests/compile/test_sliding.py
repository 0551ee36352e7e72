"""Images in native code: layouts, views that are lifted, and matrices that lie across each other."""

from collections.abc import Callable
from typing import Any

import numpy
import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.compile.program.lifting import _groups
from stepgrad.nn import functional as F
from stepgrad.tensor import Tensor
from tests.compile.compiled import assert_close, compiled_and_eager, vectors_of


def normal(*shape: int, seed: int = 0) -> Tensor:
    return sg.tensor(numpy.random.default_rng(seed).standard_normal(shape))


def same(step: Callable[..., Any], *tensors: Tensor, tolerance: float = 1e-11) -> None:
    native, eager = compiled_and_eager(step, list(tensors))
    for i, (x, y) in enumerate(zip(native, eager, strict=True)):
        assert_close(x, y, tolerance, f"result {i}")


def gradients(function: Callable[..., Tensor]) -> Callable[..., list[Tensor]]:
    """A step that returns the value of a function and its derivatives by all that it takes."""

    def step(*tensors: Tensor) -> list[Tensor]:
        leaves = [x.detach().requires_grad_() for x in tensors]
        y = function(*leaves)
        return [y, *sg.autograd.grad((y * y).sum(), leaves)]

    return step


@pytest.mark.parametrize("width", [16, 32, None])
@pytest.mark.parametrize("stride", [1, 2])
def test_convolutions_for_every_width_of_vectors(width: int | None, stride: int):
    def function(x: Tensor, w: Tensor, b: Tensor, v: Tensor) -> Tensor:
        y = F.conv2d(x, w, b, padding=1).relu()
        return F.max_pool2d(F.conv2d(y, v, stride=stride, padding=1).tanh(), 2)

    with vectors_of(width):
        shapes = ((3, 3, 9, 12), (5, 3, 3, 3), (5,), (7, 5, 3, 3))
        same(gradients(function), *(normal(*shape, seed=i) for i, shape in enumerate(shapes)))


STEPS: dict[str, Callable[..., Tensor]] = {
    "overlapping windows": lambda x: F.max_pool2d(F.avg_pool2d(x, 3, 1, 1), 3, 2, 1),
    "windows apart": lambda x: F.max_pool2d(x, 2, 3),
    "large windows": lambda x: F.max_pool2d(x, 8, 1) + F.avg_pool2d(x, 8, 1),
    "a wide batch of small images": lambda x: F.max_pool2d(x.reshape(-1, 1, 5, 4), 2),
    "residual": lambda x: x + F.conv2d(x, sg.ones(4, 4, 3, 3, dtype=x.dtype), padding=1).relu(),
    "normalised": lambda x: F.batch_norm(
        F.conv2d(x, sg.ones(4, 4, 1, 1, dtype=x.dtype) * x.mean()), None, None, training=True
    ),
    "flattened": lambda x: F.conv2d(x, sg.ones(3, 4, 3, 3, dtype=x.dtype)).flatten(1).softmax(1),
    "in another order": lambda x: F.conv2d(x, sg.ones(3, 4, 3, 3, dtype=x.dtype)).transpose(1, 3) + 1,
    "one row": lambda x: F.conv2d(x[:, :, :1], sg.ones(3, 4, 1, 3, dtype=x.dtype)).sum(3),
    "two orders meet": lambda x: (
        F.conv2d(x, sg.ones(10, 4, 1, 1, dtype=x.dtype)).transpose(1, 2)
        * F.conv2d(x, sg.ones(10, 4, 1, 1, dtype=x.dtype))
    ),
}


@pytest.mark.parametrize("name", STEPS)
def test_images_of_any_layout(name: str):
    function = STEPS[name]
    same(gradients(function), normal(2, 4, 10, 12))
    same(gradients(lambda x: function(x.permute(0, 3, 1, 2))), normal(2, 10, 12, 4))


def test_large_transpositions():
    def step(x: Tensor, y: Tensor) -> list[Tensor]:
        return [
            x.T.contiguous() * 2,
            x + y.T,
            y.T - x,
            (x.T + y).exp().sum(0),
            x.reshape(33, 2, 100).permute(2, 0, 1) + 1,
        ]

    same(step, normal(66, 100), normal(100, 66, seed=1))


def test_sums_of_many_numbers_to_few():
    def step(x: Tensor) -> list[Tensor]:
        return [
            x.sum((0, 2, 3)),
            x.mean(),
            x.amax((0, 3)),
            x.permute(0, 2, 3, 1).sum((0, 1, 2)),
            (x * x).sum((1, 2, 3)),
        ]

    same(step, normal(16, 4, 40, 40), tolerance=1e-12)


def test_bits_do_not_depend_on_the_number_of_threads():
    sg.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 8, 3, padding=1)
    )

    def step(x: Tensor) -> list[Tensor]:
        return [*sg.autograd.grad((net(x) ** 2).sum(), list(net.parameters()))]

    x, found = normal(32, 1, 28, 28).float(), []
    before = sg.get_num_threads()
    try:
        for count in (1, 2, 3):
            sg.set_num_threads(count)
            found.append([g.numpy().tobytes() for g in sg.compile(step)(x)])
    finally:
        sg.set_num_threads(before)
    assert found[0] == found[1] == found[2]


def test_the_same_shape_of_two_others_is_no_copy():
    """Both lie in rows: what one shows of its memory, the other shows as well."""

    def step(x: Tensor, y: Tensor) -> Tensor:
        return (x.exp().reshape(6, 8) * (y + 1).reshape(6, 8)).sum(1)

    x, y = normal(2, 3, 8), normal(48, seed=1)
    same(lambda x, y: [step(x, y)], x, y)
    compiled = sg.compile(step)
    compiled(x, y)
    assert [k.name for k in compiled.programs[0].native.kernels] == ["k0_reduce"]


def test_the_dimensions_of_reshaped_arrays_in_groups():
    def sizes(old: tuple[int, ...], new: tuple[int, ...]) -> Any:
        groups = _groups(old, new)
        return groups and [([old[d] for d in a], [new[d] for d in b]) for a, b in groups]

    assert sizes((12, 5), (3, 4, 5)) == [([12], [3, 4]), ([5], [5])]
    assert sizes((2, 3, 4), (4, 6)) == [([2, 3, 4], [4, 6])]
    assert sizes((6, 1, 4), (1, 6, 4)) == [([6, 1], [1, 6]), ([4], [4])]
    assert sizes((1,), ()) == [([1], [])]
    assert sizes((0, 3), (3, 0)) is None
