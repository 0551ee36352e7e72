"""Initial values: bounds, moments, fans, orthogonality, and that the same seed gives the same."""

import math

import numpy as np
import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.errors import ArgumentError, ShapeError
from stepgrad.nn import init


@pytest.fixture(autouse=True)
def seed():
    sg.manual_seed(1)


def values(fill, *args, shape=(200, 300), **options):
    x = sg.zeros(*shape)
    assert fill(x, *args, **options) is x
    return x.numpy()


def test_constants():
    assert values(init.zeros_).any() == 0
    assert (values(init.ones_) == 1).all()
    assert (values(init.constant_, 2.5) == 2.5).all()
    assert values(init.eye_, shape=(2, 3)).tolist() == [[1, 0, 0], [0, 1, 0]]
    with pytest.raises(ShapeError, match=r"eye_ takes a matrix, not shape \[2\]"):
        init.eye_(sg.zeros(2))


def check_uniform(x, low, high):
    assert x.min() >= low
    assert x.max() < high
    assert x.min() == pytest.approx(low, abs=(high - low) * 1e-3)
    assert x.max() == pytest.approx(high, abs=(high - low) * 1e-3)
    assert x.mean() == pytest.approx((low + high) / 2, abs=(high - low) * 0.01)
    assert x.std() == pytest.approx((high - low) / math.sqrt(12), rel=0.01)


def check_normal(x, mean, std):
    assert x.mean() == pytest.approx(mean, abs=0.02 * std)
    assert x.std() == pytest.approx(std, rel=0.01)
    inside = np.abs(x - mean) < std
    assert inside.mean() == pytest.approx(0.6827, abs=0.01)


def test_uniform_and_normal():
    check_uniform(values(init.uniform_), 0, 1)
    check_uniform(values(init.uniform_, -3, 5), -3, 5)
    check_normal(values(init.normal_), 0, 1)
    check_normal(values(init.normal_, 2, 0.5), 2, 0.5)
    assert (values(init.uniform_, 2, 2) == 2).all()
    assert (values(init.normal_, 2, 0) == 2).all()
    with pytest.raises(ArgumentError, match="uniform_ needs a <= b, not 3 and 1"):
        init.uniform_(sg.zeros(2), 3, 1)
    with pytest.raises(ArgumentError, match="normal_ needs a standard deviation >= 0, not -1"):
        init.normal_(sg.zeros(2), 0, -1)


# A weight (out, in, …) = (30, 20, 5, 2): 200 inputs and 300 outputs of each unit.
FIELD = (30, 20, 5, 2)


def test_fans_count_the_field():
    assert init.fans(sg.zeros(3, 2)) == (2, 3)
    assert init.fans(sg.zeros(*FIELD)) == (200, 300)
    with pytest.raises(ShapeError, match=r"a weight of shape \[3\] has no fan"):
        init.xavier_uniform_(sg.zeros(3))


@pytest.mark.parametrize("shape", [(300, 200), FIELD])
def test_xavier(shape):
    bound = 2 * math.sqrt(6 / 500)
    x = values(init.xavier_uniform_, gain=2, shape=shape)
    assert np.abs(x).max() < bound
    assert np.abs(x).max() == pytest.approx(bound, rel=0.01)
    assert x.std() == pytest.approx(bound / math.sqrt(3), rel=0.02)
    assert values(init.xavier_normal_, gain=2, shape=shape).std() == pytest.approx(
        2 * math.sqrt(2 / 500), rel=0.02
    )


@pytest.mark.parametrize("mode, fan", [("fan_in", 200), ("fan_out", 300)])
@pytest.mark.parametrize(
    "kind, a, gain", [("leaky_relu", 0, math.sqrt(2)), ("leaky_relu", 1, 1), ("relu", 0, math.sqrt(2))]
)
def test_kaiming(mode, fan, kind, a, gain):
    options = {"a": a, "mode": mode, "nonlinearity": kind, "shape": (300, 200)}
    x = values(init.kaiming_uniform_, **options)
    assert np.abs(x).max() < gain * math.sqrt(3 / fan)
    assert x.std() == pytest.approx(gain / math.sqrt(fan), rel=0.02)
    check_normal(values(init.kaiming_normal_, **options), 0, gain / math.sqrt(fan))


def test_kaiming_with_the_slope_root_5_is_the_default_of_linear():
    x = values(init.kaiming_uniform_, a=math.sqrt(5), shape=(100, 400))
    assert np.abs(x).max() == pytest.approx(1 / 20, rel=0.01)


def test_gains():
    gains = {"linear": 1, "conv2d": 1, "sigmoid": 1, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 0.75}
    assert {name: init.calculate_gain(name) for name in gains} == gains
    assert init.calculate_gain("leaky_relu") == pytest.approx(math.sqrt(2 / 1.0001))
    assert init.calculate_gain("leaky_relu", 0.5) == pytest.approx(math.sqrt(2 / 1.25))
    with pytest.raises(ArgumentError, match="no gain is known for 'softsign'; known: linear, "):
        init.calculate_gain("softsign")
    with pytest.raises(ArgumentError, match="mode is 'fan_in' or 'fan_out', not 'both'"):
        init.kaiming_normal_(sg.zeros(2, 2), mode="both")


def test_empty_weights_stay_empty():
    fills = (
        init.xavier_uniform_,
        init.xavier_normal_,
        init.kaiming_uniform_,
        init.kaiming_normal_,
        init.orthogonal_,
    )
    for fill in fills:
        for shape in ((0, 3), (3, 0), (0, 0)):
            assert fill(sg.zeros(*shape)).shape == shape


@pytest.mark.parametrize("shape", [(4, 4), (3, 8), (8, 3), (4, 3, 2)])
def test_orthogonal(shape):
    x = sg.zeros(*shape, dtype=sg.float64)
    w = init.orthogonal_(x, gain=3).numpy().reshape(shape[0], -1)
    product = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    np.testing.assert_allclose(product, 9 * np.eye(min(w.shape)), atol=1e-12)
    for wrong in (sg.zeros(3), sg.zeros(())):
        with pytest.raises(ShapeError, match="orthogonal_ takes 2 dimensions or more"):
            init.orthogonal_(wrong)


def test_orthogonal_has_no_preferred_sign():
    diagonal = [init.orthogonal_(sg.zeros(2, 2)).numpy()[0, 0] > 0 for _ in range(200)]
    assert 70 < sum(diagonal) < 130


def test_sparse():
    x = values(init.sparse_, 0.25, std=2.0, shape=(10, 4000))
    assert ((x == 0).sum(0) == 3).all()
    check_normal(x[x != 0], 0, 2)
    assert len({tuple(column) for column in (x == 0).T}) > 50
    assert (values(init.sparse_, 1.0, shape=(3, 2)) == 0).all()
    with pytest.raises(ShapeError, match=r"sparse_ takes a matrix, not shape \[2\]"):
        init.sparse_(sg.zeros(2), 0.1)
    with pytest.raises(ArgumentError, match="sparsity between 0 and 1, not 2"):
        init.sparse_(sg.zeros(2, 2), 2)


@pytest.mark.parametrize("size", [(3,), (3, 5), (3, 3, 3)])
@pytest.mark.parametrize("groups", [1, 2])
def test_dirac_lets_channels_pass(size, groups):
    weight = sg.zeros(4, 3, *size)
    init.dirac_(weight, groups)
    per_group = 4 // groups
    for i in range(4):
        expected = np.zeros((3, *size))
        if i % per_group < 3:
            expected[(i % per_group, *(n // 2 for n in size))] = 1
        np.testing.assert_array_equal(weight[i].numpy(), expected)


def test_dirac_is_the_identity_of_a_convolution():
    layer = nn.Conv2d(3, 3, 3, padding=1, bias=False)
    init.dirac_(layer.weight)
    x = sg.randn(2, 3, 5, 6)
    np.testing.assert_allclose(layer(x).detach().numpy(), x.numpy())
    with pytest.raises(ShapeError, match=r"weight of a convolution, not shape \[2, 2\]"):
        init.dirac_(sg.zeros(2, 2))
    with pytest.raises(ArgumentError, match="3 groups do not divide 4 output channels"):
        init.dirac_(sg.zeros(4, 2, 3), 3)


def test_truncated_normal():
    x = values(init.trunc_normal_, shape=(60000,))
    assert np.abs(x).max() <= 2
    assert x.mean() == pytest.approx(0, abs=0.01)
    # The deviation of a normal number within ±2: √(1 − 4 φ(2) / (2 Φ(2) − 1)).
    density, inside = math.exp(-2) / math.sqrt(2 * math.pi), math.erf(math.sqrt(2))
    assert x.std() == pytest.approx(math.sqrt(1 - 4 * density / inside), abs=0.01)
    shifted = values(init.trunc_normal_, mean=1, std=0.1, a=0.9, b=5, shape=(1000,))
    assert 0.9 <= shifted.min() < 0.91
    for bounds in ((2, 1), (1, 1)):
        with pytest.raises(ArgumentError, match="needs a < b and std > 0"):
            init.trunc_normal_(sg.zeros(2), a=bounds[0], b=bounds[1])
    with pytest.raises(ArgumentError, match="std=0"):
        init.trunc_normal_(sg.zeros(2), std=0)
    with pytest.raises(ArgumentError, match=r"deviation 1.0 only the share .* lies within \[10, 12\]"):
        init.trunc_normal_(sg.zeros(2), a=10, b=12)


def sparse(tensor, generator=None):
    return init.sparse_(tensor, 0.3, generator=generator)


RANDOM = [
    init.uniform_, init.normal_, init.trunc_normal_, init.xavier_uniform_, init.xavier_normal_,
    init.kaiming_uniform_, init.kaiming_normal_, init.orthogonal_, sparse,
]  # fmt: skip


@pytest.mark.parametrize("fill", RANDOM, ids=lambda f: f.__name__)
def test_the_same_seed_gives_the_same_numbers(fill):
    sg.manual_seed(7)
    first = values(fill, shape=(4, 3)).tolist()
    second = values(fill, shape=(4, 3)).tolist()
    sg.manual_seed(7)
    assert values(fill, shape=(4, 3)).tolist() == first != second
    own = [values(fill, shape=(4, 3), generator=sg.Generator().manual_seed(9)).tolist() for _ in range(2)]
    assert own[0] == own[1] != first


@pytest.mark.parametrize("fill", RANDOM, ids=lambda f: f.__name__)
def test_parameters_are_filled_without_history(fill):
    p = nn.Parameter(sg.zeros(3, 4))
    fill(p)
    assert p.is_leaf
    assert p.requires_grad
    assert p.grad_fn is None
    assert p.detach().abs().sum().item() > 0


@pytest.mark.parametrize("fill", [*RANDOM, init.ones_, init.eye_], ids=lambda f: f.__name__)
def test_within_skipped_tensors_and_streams_stay_as_they_are(fill):
    x, before = sg.zeros(3, 3), sg.get_rng_state()
    with init.skipped():
        assert fill(x) is x
        with init.skipped():
            pass
        fill(x)
    assert x.tolist() == [[0.0] * 3] * 3
    assert sg.get_rng_state() == before
    assert fill(x).abs().sum().item() > 0


def test_skipped_ends_with_an_error_too():
    def failing():
        with init.skipped():
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        failing()
    assert init.ones_(sg.zeros(1)).item() == 1


def test_layers_made_within_skipped():
    with init.skipped():
        linear, table, norm = nn.Linear(2, 3), nn.Embedding(4, 2, padding_idx=0), nn.BatchNorm1d(2)
    assert float(linear.weight.abs().sum() + table.weight.abs().sum()) == 0
    assert norm.running_var.tolist() == norm.weight.tolist() == [1, 1]
