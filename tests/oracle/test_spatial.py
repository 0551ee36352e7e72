"""What PyTorch's databases leave out of convolutions, pooling and resizing: drawn settings, and samples
handed in.
"""

import itertools
from typing import Any

import numpy
import pytest

import stepgrad as sg
from stepgrad.nn import functional as F
from tests.oracle.translate import compare, to_stepgrad

pytestmark = pytest.mark.oracle


@pytest.fixture(scope="module")
def torch() -> Any:
    return pytest.importorskip("torch")


def drawn(torch: Any, *shapes: tuple[int, ...]) -> list[Any]:
    random = numpy.random.default_rng(0)
    return [torch.tensor(random.standard_normal(shape), requires_grad=True) for shape in shapes]


def assert_same_call(torch: Any, name: str, tensors: list[Any], *args: Any, **kwargs: Any) -> None:
    ours = [to_stepgrad(x) for x in tensors]
    theirs = getattr(torch.nn.functional, name)(*tensors, *args, **kwargs)
    wanted = [x for x in tensors if x is not None and x.requires_grad]
    compare(
        theirs,
        getattr(F, name)(*ours, *args, **kwargs),
        wanted,
        [x for x in ours if x is not None and x.requires_grad],
    )


SIZES = (9, 8, 7)


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("transposed", [False, True])
def test_convolutions_of_every_setting(dims: int, transposed: bool, torch: Any):
    settings = itertools.product((1, 2, 3), (0, 1), (1, 2), (1, 2), (1, 2, 3))
    for stride, padding, dilation, groups, size in settings:
        x, weight, bias = drawn(torch, (2, 4, *SIZES[:dims]), (4, 4 // groups, *(size,) * dims), (4,))
        name = f"conv_transpose{dims}d" if transposed else f"conv{dims}d"
        more: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        if transposed:
            more["output_padding"] = max(stride, dilation) - 1
        assert_same_call(torch, name, [x, weight, bias], **more)


@pytest.mark.parametrize("name", ["max_pool", "avg_pool"])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_pooling_of_every_setting(name: str, dims: int, torch: Any):
    for size, stride, padding, ceil in itertools.product((1, 2, 3), (None, 1, 2), (0, 1), (False, True)):
        if padding > size // 2:
            continue
        more: list[dict[str, Any]] = [{"count_include_pad": True}, {"count_include_pad": False}]
        if name == "max_pool":
            more = [{"dilation": 1}, {"dilation": 2, "return_indices": True}]
        for kwargs in more:
            if "dilation" in kwargs and 2 * padding > kwargs["dilation"] * (size - 1) + 1:
                continue
            kwargs = {"stride": stride, "padding": padding, "ceil_mode": ceil, **kwargs}
            assert_same_call(torch, f"{name}{dims}d", drawn(torch, (2, 3, *SIZES[:dims])), size, **kwargs)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("align_corners", [False, True])
def test_antialiased_resizing(mode: str, align_corners: bool, torch: Any):
    for size in ((3, 4), (5, 19), (16, 2), (12, 13)):
        images = drawn(torch, (2, 3, 11, 13))
        kwargs = {"size": size, "mode": mode, "align_corners": align_corners, "antialias": True}
        assert_same_call(torch, "interpolate", images, **kwargs)


@pytest.mark.parametrize("dims", [2, 3])
def test_fractional_pooling_with_samples(dims: int, torch: Any):
    samples = torch.tensor(numpy.random.default_rng(1).uniform(size=(2, 3, dims)))
    for kwargs in ({"output_size": (4, 3, 5)[:dims]}, {"output_ratio": (0.6,) * dims}, {"output_size": 1}):
        x = drawn(torch, (2, 3, 9, 8, 10)[: dims + 2])
        kwargs |= {"return_indices": True, "kernel_size": (2, 3, 2)[:dims]}
        theirs = getattr(torch.nn.functional, f"fractional_max_pool{dims}d")(
            *x, **kwargs, _random_samples=samples
        )
        ours = [to_stepgrad(t) for t in x]
        name = f"fractional_max_pool{dims}d"
        compare(theirs, getattr(F, name)(*ours, **kwargs, _random_samples=to_stepgrad(samples)), x, ours)


def test_ties_and_numbers_that_are_none(torch: Any):
    for values in (
        [1.0, 1.0, 0.0, 1.0],
        [numpy.nan, 2.0, numpy.nan, 1.0],
        [-numpy.inf] * 4,
        [2.0, numpy.nan, 3.0, 3.0],
    ):
        x = torch.tensor(values, dtype=torch.float64).reshape(1, 2, 2).requires_grad_()
        assert_same_call(torch, "max_pool2d", [x], 2, return_indices=False)
        if not numpy.isnan(values).any():
            assert_same_call(torch, "max_pool2d", [x], 2, return_indices=True)


@pytest.mark.parametrize("dims", [2, 3])
def test_places_of_a_grid(dims: int, torch: Any):
    theta, image = drawn(torch, (2, dims, dims + 1), (2, 3, 5, 6, 4)[: dims + 2])
    for align_corners in (False, True):
        size = (2, 3, 4, 5, 6)[: dims + 2]
        assert_same_call(torch, "affine_grid", [theta], size, align_corners=align_corners)
        grid = torch.nn.functional.affine_grid(theta.detach() * 2, size, align_corners=align_corners)
        for padding in ("zeros", "border", "reflection"):
            kwargs = {"padding_mode": padding, "align_corners": align_corners}
            assert_same_call(torch, "grid_sample", [image, grid.clone().requires_grad_()], **kwargs)


def every_layer(nn: Any) -> Any:
    """Layers as a person writes them, with the arguments that their texts show."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.Conv2d(2, 4, (3, 5), 2, (1, 2), 2, 2, False, "circular"),
        nn.Conv1d(2, 4, 3, padding="same"), nn.ConvTranspose2d(2, 4, 3, 2, 1, 1),
        nn.ConvTranspose3d(2, 4, 3, bias=False), nn.MaxPool2d(2), nn.MaxPool1d(3, 2, 1, ceil_mode=True),
        nn.AvgPool1d(2), nn.AvgPool2d((2, 3), 1), nn.AvgPool3d(2), nn.LPPool2d(2, 3),
        nn.AdaptiveAvgPool2d(1), nn.AdaptiveAvgPool2d((None, 7)), nn.AdaptiveMaxPool1d(3),
        nn.MaxUnpool2d(2), nn.FractionalMaxPool2d(2, output_ratio=0.5), nn.ConstantPad2d(1, 0.5),
        nn.ZeroPad2d((1, 2, 3, 4)), nn.ReflectionPad1d(2), nn.ReplicationPad3d(1), nn.CircularPad2d(1),
        nn.Upsample(scale_factor=2), nn.Upsample((3, 4), mode="bilinear"),
        nn.UpsamplingNearest2d(scale_factor=2), nn.UpsamplingBilinear2d((4, 4)), nn.PixelShuffle(2),
        nn.PixelUnshuffle(2), nn.ChannelShuffle(2), nn.Fold((4, 5), 2), nn.Unfold(3, stride=2),
        nn.LocalResponseNorm(5), nn.BatchNorm2d(3), nn.BatchNorm3d(3, bias=False), nn.InstanceNorm1d(3),
        nn.InstanceNorm2d(3, affine=True, track_running_stats=True), nn.GroupNorm(2, 4), nn.Dropout1d(),
        nn.Dropout2d(0.1), nn.Dropout3d(0.2, True),
    )  # fmt: skip


def test_every_layer_has_the_text_and_the_state_of_pytorch(torch: Any):
    ours, theirs = every_layer(sg.nn), every_layer(torch.nn)
    assert repr(ours) == repr(theirs)
    shapes = [{key: tuple(value.shape) for key, value in net.state_dict().items()} for net in (ours, theirs)]
    assert shapes[0] == shapes[1]


def test_first_values_have_the_range_of_pytorchs(torch: Any):
    for name, args in (("Conv2d", (3, 200, 5)), ("ConvTranspose2d", (200, 6, 3)), ("Conv1d", (8, 100, 3))):
        theirs, ours = getattr(torch.nn, name)(*args), getattr(sg.nn, name)(*args)
        bound = theirs.weight.abs().max().item()  # of many numbers the largest is near the bound
        assert ours.weight.abs().max().item() == pytest.approx(bound, rel=0.1)
        for bias in (theirs.bias, ours.bias):  # of few it is somewhere below
            assert 0.1 * bound < bias.abs().max().item() < 1.1 * bound
        assert ours.weight.std().item() == pytest.approx(theirs.weight.std().item(), rel=0.2)
