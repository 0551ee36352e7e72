"""Which results are views, which change with their input and change it, and which are copies."""

from collections.abc import Callable
from typing import Any

import numpy
import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.errors import ArgumentError, ShapeError
from stepgrad.nn import functional as F
from tests.compile.compiled import compiled_and_eager

IMAGE = (1, 4, 3, 3)
COPIES: dict[str, tuple[tuple[int, ...], Callable[[Any], Any]]] = {
    "flip": ((2, 3), lambda x: x.flip(0)),
    "flip by no dimension": ((2, 3), lambda x: x.flip(())),
    "fliplr": ((2, 3), lambda x: x.fliplr()),
    "flipud": ((2, 3), lambda x: x.flipud()),
    **{f"rot90 by {k}": ((2, 3), lambda x, k=k: x.rot90(k)) for k in range(4)},
    "repeat": ((2, 2), lambda x: x.repeat(1, 1)),
    "repeat in a new dimension": ((2, 2), lambda x: x.repeat(3, 1, 1)),
    "tile": ((2, 2), lambda x: x.tile(1)),
    "repeat_interleave": ((2, 2), lambda x: x.repeat_interleave(1, 0)),
    "take of one": ((1,), lambda x: x.take(sg.tensor(0))),
    "pad": ((3,), lambda x: F.pad(x, (0, 0))),
    "pad that cuts off": ((3,), lambda x: F.pad(x, (0, -1))),
    "ConstantPad1d": ((2, 3), nn.ConstantPad1d(0, 0.0)),
    "ReplicationPad1d": ((2, 3), nn.ReplicationPad1d(0)),
    "ReflectionPad1d": ((2, 3), nn.ReflectionPad1d(0)),
    "interpolate to the same size": (IMAGE, lambda x: F.interpolate(x, (3, 3))),
    "interpolate by 1": (IMAGE, lambda x: F.interpolate(x, scale_factor=1, mode="bilinear")),
    "Upsample": (IMAGE, nn.Upsample(scale_factor=1)),
    "pixel_shuffle": (IMAGE, lambda x: F.pixel_shuffle(x, 1)),
    "pixel_unshuffle": (IMAGE, lambda x: F.pixel_unshuffle(x, 1)),
    "channel_shuffle": (IMAGE, lambda x: F.channel_shuffle(x, 1)),
    "unfold": (IMAGE, lambda x: F.unfold(x, 1)),
}
VIEWS: dict[str, tuple[tuple[int, ...], Callable[[Any], Any]]] = {
    "diagonal": ((3, 4), lambda x: x.diagonal(1)),
    "diagonal of other dimensions": ((3, 2, 4), lambda x: x.diagonal(-1, 2, 0)),
    "linalg.diagonal": ((2, 3, 3), sg.linalg.diagonal),
    "unfold along a dimension": ((4, 3), lambda x: x.unfold(0, 2, 2)),
    "as_strided": ((4, 3), lambda x: x.as_strided((2, 3), (4, 1), 2)),
    "expand without enlargement": ((1, 3), lambda x: x.expand(1, 3)),
    "expand by a dimension of length 1": ((3,), lambda x: x.expand(1, 3)),
    "broadcast_tensors": ((2, 3), lambda x: sg.broadcast_tensors(x, sg.zeros(3))[0]),
    "Tensor": ((3,), lambda x: sg.Tensor(x)),
    "transpose of a number": ((), lambda x: x.transpose(0, 0)),
}


def counted(shape: tuple[int, ...]) -> Any:
    return sg.arange(numpy.prod(shape, dtype=int)).reshape(shape).float()


@pytest.mark.parametrize("shape, function", COPIES.values(), ids=COPIES)
def test_copies(shape: tuple[int, ...], function: Callable[[Any], Any]):
    x = counted(shape)
    before = x.tolist()
    y = function(x)
    y.add_(10)
    assert x.tolist() == before

    def step(x: Any) -> Any:
        y = function(x)
        y.add_(10)
        return y, x + 0

    native, eager = compiled_and_eager(step, [x])
    for ours, right in zip(native, eager, strict=True):
        assert ours.tolist() == right.tolist()
    assert x.tolist() == before


@pytest.mark.parametrize("shape, function", VIEWS.values(), ids=VIEWS)
def test_views(shape: tuple[int, ...], function: Callable[[Any], Any]):
    x = counted(shape)
    shown = function(counted(shape))
    y = function(x)
    y.fill_(-1)
    places = shown.flatten().tolist()
    assert [i for i, v in enumerate(x.flatten().tolist()) if v == -1] == sorted(places)
    x.fill_(-2)
    assert set(y.flatten().tolist()) == {-2}


def test_a_diagonal_of_nothing():
    assert sg.zeros(0, 3).diagonal().shape == (0,)
    assert sg.zeros(2, 3).diagonal(5).shape == (0,)


def test_as_strided_of_a_view():
    x = sg.arange(6)
    assert x[1:].as_strided((2,), (2,)).tolist() == [1, 3]
    assert x[1:].as_strided((2,), (2,), 0).tolist() == [0, 2]
    assert x.view(2, 3).t().as_strided((2, 2), (1, 3)).tolist() == [[0, 3], [1, 4]]
    w = sg.rand(6, requires_grad=True)
    (w * 1)[2:].as_strided((2, 2), (1, 1)).sum().backward()
    assert w.grad.tolist() == [0, 0, 1, 2, 1, 0]


def test_what_as_strided_refuses():
    x = sg.zeros(2, 3)
    with pytest.raises(ShapeError, match=r"size \[2, 3\] and stride \[3, 1\] from 1 reaches element 6 of 6"):
        x.as_strided((2, 3), (3, 1), 1)
    with pytest.raises(ArgumentError, match="a size and a stride, 0 or more, for each dimension"):
        x.as_strided((2,), (3, 1))
