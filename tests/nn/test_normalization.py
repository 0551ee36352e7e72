"""Dropout, batch normalisation and layer normalisation against NumPy."""

import numpy as np
import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.autograd import gradcheck
from stepgrad.errors import ArgumentError, DtypeError, ShapeError

RANDOM = np.random.default_rng(0)


def normalised(x, axes, eps=1e-5):
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


def close(found, right):
    np.testing.assert_allclose(found.detach().numpy(), right, rtol=1e-12, atol=1e-13)


# --------------------------------------------------------------------------------------------- Dropout


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_drops_a_share_and_scales_the_rest(p):
    sg.manual_seed(0)
    x = sg.rand(100, 100, dtype=sg.float64) + 1
    y = nn.Dropout(p)(x).numpy()
    kept = y != 0
    assert kept.mean() == pytest.approx(1 - p, abs=0.02)
    np.testing.assert_allclose(y[kept], x.numpy()[kept] / (1 - p), rtol=1e-12)
    assert y.mean() == pytest.approx(x.numpy().mean(), rel=0.1)


def test_dropout_passes_gradients_where_it_passes_numbers():
    sg.manual_seed(0)
    x = sg.ones(50, requires_grad=True)
    y = nn.Dropout(0.5)(x)
    y.sum().backward()
    assert x.grad.tolist() == y.tolist()


def test_dropout_does_nothing_in_evaluation_and_for_p_0_and_everything_for_p_1():
    x = sg.rand(8)
    before = sg.get_rng_state()
    assert nn.Dropout(0.9).eval()(x) is x
    assert nn.Dropout(0.0)(x) is x
    assert sg.get_rng_state() == before
    assert nn.Dropout(1.0)(x).tolist() == [0] * 8
    assert nn.Dropout(0.5)(sg.zeros(0)).shape == (0,)


def test_dropout_is_a_stream_of_its_own():
    sg.manual_seed(5)
    x, module = sg.ones(20), nn.Dropout(0.5)
    first, second = module(x).tolist(), module(x).tolist()
    assert first != second
    numbers = sg.rand(3).tolist()
    sg.manual_seed(5)
    assert sg.rand(3).tolist() == numbers  # no dropout before it, and the same numbers
    assert module(x).tolist() == first
    assert module(x).tolist() == second


def test_dropout_in_place():
    sg.manual_seed(0)
    x = sg.ones(20)
    y = nn.Dropout(0.5, inplace=True)(x)
    assert y is x
    assert set(x.tolist()) == {0, 2}


def test_dropout_refuses_what_makes_no_sense():
    for p in (-0.1, 1.5, float("nan")):
        with pytest.raises(ArgumentError, match=f"a probability between 0 and 1, not {p}"):
            nn.Dropout(p)
    with pytest.raises(
        DtypeError, match="dropout scales what it keeps, so it takes floating point, not int64"
    ):
        nn.Dropout(0.3)(sg.ones(3, dtype=sg.int64))
    with pytest.raises(DtypeError, match="dropout takes a tensor, not list"):
        nn.Dropout(0.3)([1.0])


# ----------------------------------------------------------------------------------------- BatchNorm1d


@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 5), (1, 3, 2)])
def test_batch_norm_takes_the_statistics_of_the_batch_and_keeps_running_ones(shape):
    layer = nn.BatchNorm1d(3, dtype=sg.float64)
    weight, bias = RANDOM.normal(size=3), RANDOM.normal(size=3)
    layer.load_state_dict({"weight": weight, "bias": bias}, strict=False)
    axes, along = (0,) if len(shape) == 2 else (0, 2), (1, 3) + (1,) * (len(shape) - 2)
    mean, var = np.zeros(3), np.ones(3)
    for batches in (1, 2):
        x = RANDOM.normal(2, 3, shape)
        close(layer(sg.tensor(x)), normalised(x, axes) * weight.reshape(along) + bias.reshape(along))
        mean = 0.9 * mean + 0.1 * x.mean(axes)
        var = 0.9 * var + 0.1 * x.var(axes, ddof=1)  # with N - 1, as PyTorch does
        close(layer.running_mean, mean)
        close(layer.running_var, var)
        assert layer.num_batches_tracked.item() == batches
    layer.eval()
    x = RANDOM.normal(size=shape)
    expected = (x - mean.reshape(along)) / np.sqrt(var.reshape(along) + 1e-5)
    close(layer(sg.tensor(x)), expected * weight.reshape(along) + bias.reshape(along))
    close(layer.running_mean, mean)
    assert layer.num_batches_tracked.item() == 2


def test_batch_norm_without_momentum_averages_over_all_batches():
    layer = nn.BatchNorm1d(2, momentum=None, dtype=sg.float64)
    batches = [RANDOM.normal(i, 1 + i, (5, 2)) for i in range(4)]
    for x in batches:
        layer(sg.tensor(x))
    close(layer.running_mean, np.mean([x.mean(0) for x in batches], 0))
    close(layer.running_var, np.mean([x.var(0, ddof=1) for x in batches], 0))


@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_without_running_statistics_always_takes_those_of_the_batch(training):
    layer = nn.BatchNorm1d(2, track_running_stats=False, dtype=sg.float64).train(training)
    assert list(layer.state_dict()) == ["weight", "bias"]
    x = RANDOM.normal(2, 3, (5, 2))
    close(layer(sg.tensor(x)), normalised(x, 0))


def test_batch_norm_stops_tracking_when_told_so():
    layer = nn.BatchNorm1d(2, dtype=sg.float64)
    layer.track_running_stats = False
    x = RANDOM.normal(2, 3, (5, 2))
    close(layer(sg.tensor(x)), normalised(x, 0))
    assert layer.running_mean.tolist() == [0, 0]
    assert layer.num_batches_tracked.item() == 0
    close(layer.eval()(sg.tensor(x)), x / np.sqrt(1 + 1e-5))


def test_batch_norm_without_weight_or_bias():
    plain = nn.BatchNorm1d(2, affine=False)
    assert list(plain.parameters()) == []
    assert list(plain.state_dict()) == ["running_mean", "running_var", "num_batches_tracked"]
    assert nn.BatchNorm1d(2, bias=False).bias is None
    assert nn.BatchNorm1d(2, bias=False).weight.tolist() == [1, 1]


def test_gradients_of_batch_norm():
    x = sg.randn(5, 3, dtype=sg.float64, requires_grad=True)
    weight, bias = (sg.randn(3, dtype=sg.float64, requires_grad=True) for _ in range(2))
    assert gradcheck(
        lambda *a: nn.functional.batch_norm(a[0], None, None, *a[1:], training=True), (x, weight, bias)
    )
    running = sg.randn(3, dtype=sg.float64), sg.rand(3, dtype=sg.float64) + 0.5
    assert gradcheck(lambda *a: nn.functional.batch_norm(a[0], *running, *a[1:]), (x, weight, bias))


def test_a_batch_of_one_row_is_refused_and_changes_nothing():
    layer = nn.BatchNorm1d(3)
    for shape in ((1, 3), (1, 3, 1)):
        with pytest.raises(ShapeError, match=r"more than one value per channel.*drop_last=True\), or .eval"):
            layer(sg.ones(*shape))
    assert layer.num_batches_tracked.item() == 0
    assert layer.running_mean.tolist() == [0, 0, 0]
    assert layer(sg.ones(0, 3)).shape == (0, 3)
    assert layer.num_batches_tracked.item() == 1
    assert layer.running_mean.tolist() == [0, 0, 0]
    assert layer.eval()(sg.ones(1, 3)).shape == (1, 3)
    assert layer(sg.ones(0, 3)).shape == (0, 3)


@pytest.mark.parametrize("shape", [(3,), (2, 4), (2, 3, 4, 5)])
def test_batch_norm_names_the_shapes_that_it_takes(shape):
    with pytest.raises(ShapeError, match=r"BatchNorm1d of 3 channels takes \(N, C\) or \(N, C, L\), not \["):
        nn.BatchNorm1d(3)(sg.zeros(*shape))


def test_functional_batch_norm_needs_statistics_in_evaluation():
    with pytest.raises(ArgumentError, match="without training needs running_mean and running_var"):
        nn.functional.batch_norm(sg.zeros(2, 3), None, None)


def test_parameters_and_statistics_are_set_back():
    layer = nn.BatchNorm1d(2)
    layer(sg.rand(4, 2))
    with sg.no_grad():
        layer.weight.fill_(7)
        layer.bias.fill_(7)
    layer.reset_parameters()
    fresh = nn.BatchNorm1d(2).state_dict()
    assert {k: v.tolist() for k, v in layer.state_dict().items()} == {k: v.tolist() for k, v in fresh.items()}
    nn.BatchNorm1d(2, affine=False, track_running_stats=False).reset_parameters()


# ------------------------------------------------------------------------------------------- LayerNorm


@pytest.mark.parametrize(
    "shape, normal", [((4, 3), 3), ((2, 4, 3), 3), ((2, 4, 3), (4, 3)), ((3,), [3]), ((0, 3), 3)]
)
def test_layer_norm_normalises_the_last_dimensions(shape, normal):
    layer = nn.LayerNorm(normal, eps=1e-3, dtype=sg.float64)
    sizes = (normal,) if isinstance(normal, int) else tuple(normal)
    weight, bias = RANDOM.normal(size=sizes), RANDOM.normal(size=sizes)
    layer.load_state_dict({"weight": weight, "bias": bias})
    x = RANDOM.normal(2, 3, shape)
    axes = tuple(range(-len(sizes), 0))
    close(layer(sg.tensor(x)), normalised(x, axes, 1e-3) * weight + bias)
    if x.size:
        assert gradcheck(layer, (sg.tensor(x, requires_grad=True),))


def test_gradients_of_the_weights_of_layer_norm():
    x = sg.randn(2, 3, dtype=sg.float64)
    weight, bias = (sg.randn(3, dtype=sg.float64, requires_grad=True) for _ in range(2))
    assert gradcheck(lambda w, b: nn.functional.layer_norm(x, 3, w, b), (weight, bias))


def test_layer_norm_without_weight_or_bias():
    assert list(nn.LayerNorm(3, elementwise_affine=False).state_dict()) == []
    assert list(nn.LayerNorm(3, bias=False).state_dict()) == ["weight"]
    layer = nn.LayerNorm(3)
    with sg.no_grad():
        layer.weight.fill_(7)
    layer.reset_parameters()
    assert layer.weight.tolist() == [1, 1, 1]


def test_layer_norm_refuses_other_shapes():
    with pytest.raises(ShapeError, match=r"layer_norm over \[3\] does not fit an input of shape \[2, 4\]"):
        nn.LayerNorm(3)(sg.zeros(2, 4))
    with pytest.raises(ShapeError, match=r"layer_norm over \[2, 3\] does not fit"):
        nn.LayerNorm((2, 3))(sg.zeros(3))
    with pytest.raises(ShapeError, match=r"layer_norm over \[\]"):
        nn.LayerNorm(())(sg.zeros(3))
    with pytest.raises(DtypeError, match="layer_norm takes a tensor, not ndarray"):
        nn.LayerNorm(3)(np.zeros((2, 3)))
