"""Layers that find out from the first input how many inputs they have."""

import numpy as np
import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.errors import ArgumentError

LAYERS = [
    (lambda: nn.LazyLinear(3), lambda: nn.Linear(5, 3), (2, 4, 5)),
    (lambda: nn.LazyLinear(3, bias=False), lambda: nn.Linear(5, 3, bias=False), (5,)),
    (lambda: nn.LazyConv1d(4, 3, groups=2), lambda: nn.Conv1d(6, 4, 3, groups=2), (2, 6, 9)),
    (lambda: nn.LazyConv2d(4, 3, padding=1), lambda: nn.Conv2d(5, 4, 3, padding=1), (5, 6, 7)),
    (lambda: nn.LazyConv3d(4, 2), lambda: nn.Conv3d(5, 4, 2), (2, 5, 3, 3, 3)),
    (lambda: nn.LazyConvTranspose1d(4, 3), lambda: nn.ConvTranspose1d(5, 4, 3), (2, 5, 6)),
    (lambda: nn.LazyConvTranspose2d(4, 3), lambda: nn.ConvTranspose2d(5, 4, 3), (2, 5, 6, 6)),
    (lambda: nn.LazyConvTranspose3d(4, 2), lambda: nn.ConvTranspose3d(5, 4, 2), (2, 5, 2, 2, 2)),
    (lambda: nn.LazyBatchNorm1d(), lambda: nn.BatchNorm1d(5), (4, 5)),
    (lambda: nn.LazyBatchNorm2d(momentum=0.3), lambda: nn.BatchNorm2d(5, momentum=0.3), (4, 5, 2, 2)),
    (lambda: nn.LazyBatchNorm3d(affine=False), lambda: nn.BatchNorm3d(5, affine=False), (4, 5, 2, 2, 1)),
]  # fmt: skip
layers = pytest.mark.parametrize("lazy, whole, shape", LAYERS, ids=lambda x: "" if callable(x) else str(x))


@layers
def test_after_the_first_input_it_is_the_ordinary_layer(lazy, whole, shape, tmp_path):
    x = sg.randn(*shape)
    layer = lazy()
    assert all(p.numel() == 0 for p in layer.parameters())
    assert isinstance(layer, type(whole()))
    sg.manual_seed(3)
    y = layer(x)
    sg.manual_seed(3)
    ordinary = whole()
    assert type(layer) is type(ordinary)
    assert repr(layer) == repr(ordinary)
    assert y.tolist() == ordinary(x).tolist()
    assert {k: v.tolist() for k, v in layer.state_dict().items()} == {
        k: v.tolist() for k, v in ordinary.state_dict().items()
    }
    sg.save(layer, tmp_path / "layer.safetensors")
    assert repr(sg.load(tmp_path / "layer.safetensors")) == repr(ordinary)


def test_an_optimizer_made_before_trains_the_same_parameters():
    net = nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.LazyLinear(1)).double()
    parameters = list(net.parameters())
    optimizer = sg.optim.SGD(parameters, lr=0.1)
    x = sg.randn(8, 3, dtype=sg.float64)
    net(x).square().mean().backward()
    before = net[0].weight.tolist()
    optimizer.step()
    assert net[0].weight.tolist() != before
    assert all(a is b for a, b in zip(net.parameters(), parameters, strict=True))
    assert net[0].weight.dtype is sg.float64
    compiled = sg.compile(lambda x: net(x))
    np.testing.assert_allclose(compiled(x).detach().numpy(), net(x).detach().numpy())


def test_what_it_shows_before():
    assert repr(nn.LazyLinear(3)) == "LazyLinear(in_features=0, out_features=3, bias=True)"
    assert {k: v.shape for k, v in nn.LazyBatchNorm1d().state_dict().items()} == {
        "weight": (0,), "bias": (0,), "running_mean": (0,), "running_var": (0,), "num_batches_tracked": (),
    }  # fmt: skip


def test_a_compiled_step_needs_to_know():
    net = nn.LazyLinear(3)
    with pytest.raises(
        ArgumentError, match=r"LazyLinear does not know its number of inputs yet. Call the model once"
    ):
        sg.compile(lambda x: net(x))(sg.zeros(2, 5))
