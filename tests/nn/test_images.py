"""What convolutions, pools, pads and norms of images refuse, and what they do beside computing."""

from collections.abc import Callable
from typing import Any

import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.errors import ArgumentError, DtypeError, ShapeError
from stepgrad.nn import functional as F

X = sg.ones(2, 4, 6, 6)
REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "no tensor": (lambda: F.conv2d([1.0], X), DtypeError, "conv2d takes a tensor, not list"),
    "dimensions": (
        lambda: F.conv2d(sg.ones(2, 4), X),
        ShapeError,
        r"conv2d slides over the last 2 of 4 dimensions \(N, C, …\).*shape \[2, 4\]",
    ),
    "channels": (
        lambda: nn.Conv2d(3, 5, 3)(X),
        ShapeError,
        r"weight \[5, 3, 3, 3\] \(groups=1\) for 3 input channels; this input \[2, 4, 6, 6\] has 4",
    ),
    "window": (
        lambda: F.conv2d(X, sg.ones(1, 4, 7, 3)),
        ShapeError,
        r"windows of \[7, 3\] elements .* more than the \[6, 6\]",
    ),
    "bias": (lambda: F.conv2d(X, sg.ones(5, 4, 1, 1), sg.ones(4)), ShapeError, r"\(5,\), not \[4\]"),
    "same": (
        lambda: F.conv2d(X, sg.ones(1, 4, 3, 3), stride=2, padding="same"),
        ArgumentError,
        "padding='same' needs a stride of 1",
    ),
    "padding": (lambda: F.conv2d(X, sg.ones(1, 4, 3, 3), padding="full"), ArgumentError, "not 'full'"),
    "stride": (
        lambda: F.conv2d(X, sg.ones(1, 4, 3, 3), stride=(1, 2, 3)),
        ArgumentError,
        r"a stride of 1 or more, or 2 of them \(one per dimension\), not \(1, 2, 3\)",
    ),
    "groups": (lambda: nn.Conv2d(3, 4, 3, groups=2), ArgumentError, "channels that groups=2 divides"),
    "padding mode": (lambda: nn.Conv1d(1, 1, 1, padding_mode="full"), ArgumentError, "zeros, reflect"),
    "transposed padding mode": (
        lambda: nn.ConvTranspose1d(1, 1, 1, padding_mode="reflect"),
        ArgumentError,
        "'zeros' alone",
    ),
    "output padding": (
        lambda: F.conv_transpose2d(X, sg.ones(4, 1, 3, 3), output_padding=1),
        ArgumentError,
        "output_padding below the stride or the dilation",
    ),
    "output size": (
        lambda: nn.ConvTranspose2d(4, 1, 3, stride=2)(X, output_size=(20, 20)),
        ShapeError,
        r"sizes from \[13, 13\] to \[14, 14\], not \[20, 20\]",
    ),
    "pool padding": (lambda: F.max_pool2d(X, 2, padding=2), ArgumentError, "at most half a window"),
    "pool window": (lambda: F.avg_pool2d(X, 7), ShapeError, "more than the"),
    "divisor": (lambda: F.avg_pool2d(X, 2, divisor_override=0), ArgumentError, "not 0"),
    "unpool": (lambda: F.max_unpool2d(X, sg.zeros(2, 4, 6, 5).long(), 2), ShapeError, "an index per element"),
    "fractional": (lambda: F.fractional_max_pool2d(X, 2), ArgumentError, "output_size or output_ratio"),
    "pad": (lambda: F.pad(X, (1, 2, 3)), ArgumentError, "two numbers for each dimension"),
    "pad mode": (lambda: F.pad(X, (1, 1), "around"), ArgumentError, "not 'around'"),
    "reflection": (lambda: F.pad(X, (6, 0), "reflect"), ShapeError, "at most 5 elements"),
    "cut": (lambda: F.pad(X, (-4, -3)), ShapeError, "cannot take"),
    "fold": (lambda: F.fold(sg.ones(1, 8, 4), (3, 4), 2), ShapeError, r"takes \(N, C · 4, 6\)"),
    "resize": (lambda: F.interpolate(X, mode="linear", size=3), ArgumentError, "the modes nearest"),
    "size": (lambda: F.interpolate(X), ArgumentError, "either size or scale_factor"),
    "corners": (
        lambda: F.interpolate(X, 3, align_corners=True),
        ArgumentError,
        "align_corners for linear, bilinear",
    ),
    "shuffle": (lambda: F.pixel_shuffle(X, 3), ShapeError, "a multiple of 9 channels"),
    "unshuffle": (lambda: F.pixel_unshuffle(X, 4), ShapeError, "multiples of it"),
    "channel shuffle": (lambda: F.channel_shuffle(X, 3), ShapeError, "3 equal groups"),
    "grid": (lambda: F.grid_sample(X, sg.zeros(2, 3, 3, 3)), ShapeError, "grid_sample takes"),
    "grid mode": (
        lambda: F.grid_sample(X, sg.zeros(2, 3, 3, 2), mode="area"),
        ArgumentError,
        "knows bilinear, nearest",
    ),
    "affine": (lambda: F.affine_grid(sg.ones(1, 2, 2), (1, 1, 2, 2)), ShapeError, r"theta \(N, 2, 3\)"),
    "group norm": (lambda: F.group_norm(X, 3), ShapeError, "channels in 3 equal groups"),
    "groups of channels": (lambda: nn.GroupNorm(3, 4), ArgumentError, "4 channels in 3 groups"),
    "instance norm": (lambda: F.instance_norm(sg.ones(2, 3, 1)), ShapeError, "more than one value"),
    "instance norm shape": (lambda: nn.InstanceNorm2d(3)(sg.ones(2)), ShapeError, r"takes \(N, C, H, W\)"),
    "batch norm": (lambda: nn.BatchNorm2d(4)(sg.ones(2, 4)), ShapeError, r"takes \(N, C, H, W\), not"),
    "dropout": (lambda: F.dropout2d(X, 2.0), ArgumentError, "between 0 and 1"),
    "dropout shape": (lambda: F.dropout1d(X), ShapeError, "2 or 3 dimensions"),
    "unfold": (lambda: X.unfold(3, 7, 1), ShapeError, "windows of 0 to 6 elements"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_says_why(name: str):
    call, kind, message = REFUSED[name]
    with pytest.raises(kind, match=message):
        call()


def test_dropout_of_channels_keeps_or_drops_whole_ones():
    sg.manual_seed(0)
    y = F.dropout2d(sg.ones(50, 8, 3, 3), 0.25)
    values = y.flatten(2)
    assert bool((values == values[..., :1]).all())
    assert sorted(set(values.flatten().tolist())) == pytest.approx([0.0, 1 / 0.75])
    assert 0.6 < float((values[..., 0] != 0).float().mean()) < 0.9
    assert F.dropout2d(X, 0.5, training=False) is X


def test_images_without_a_batch():
    one = X[0]
    for layer in (nn.Conv2d(4, 3, 3), nn.ConvTranspose2d(4, 2, 3), nn.MaxPool2d(2), nn.InstanceNorm2d(4)):
        assert layer(one).tolist() == layer(X)[0].tolist()


def test_the_largest_of_several_has_the_gradient_alone():
    x = sg.tensor([[1.0, 1.0], [1.0, 0.0]]).reshape(1, 2, 2).requires_grad_()
    F.max_pool2d(x, 2).sum().backward()
    assert x.grad.tolist() == [[[1.0, 0.0], [0.0, 0.0]]]
