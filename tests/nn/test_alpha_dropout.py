"""Dropout that keeps mean and variance."""

import numpy as np
import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.errors import ArgumentError, DtypeError, ShapeError
from stepgrad.nn import functional as F


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_mean_and_variance_stay(p):
    sg.manual_seed(0)
    x = sg.randn(400, 500, dtype=sg.float64)
    y = nn.AlphaDropout(p)(x)
    values = y.numpy()
    assert values.mean() == pytest.approx(0, abs=0.02)
    assert values.var() == pytest.approx(1, abs=0.03)
    lowest = -1.0507009873554805 * 1.6732632423543772
    scale = 1 / np.sqrt((1 - p) * (1 + p * lowest**2))
    dropped = np.isclose(values, lowest * scale * (1 - p))
    assert dropped.mean() == pytest.approx(p, abs=0.01)
    np.testing.assert_allclose(values[~dropped], (x.numpy() * scale - scale * lowest * p)[~dropped])


def test_whole_channels_are_dropped():
    sg.manual_seed(0)
    y = nn.FeatureAlphaDropout(0.5)(sg.randn(40, 50, 3, 2))
    same = (y == y[:, :, :1, :1]).reshape(40, 50, -1).all(2)
    assert same.float().mean().item() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("layer", [nn.AlphaDropout, nn.FeatureAlphaDropout])
def test_what_is_left_alone_and_what_is_refused(layer):
    x = sg.randn(3, 4)
    assert layer(0.5).eval()(x) is x
    assert layer(0.0)(x) is x
    assert layer(1.0)(x).tolist() == [[0] * 4] * 3
    copy = x * 1
    assert layer(0.5, inplace=True)(copy) is copy
    with pytest.raises(ArgumentError, match="Dropout needs a probability between 0 and 1, not 2"):
        layer(2)
    assert repr(layer(0.25)) == f"{layer.__name__}(p=0.25, inplace=False)"


def test_functions():
    x = sg.ones(3)
    assert F.alpha_dropout(x) is x
    with pytest.raises(ArgumentError, match="alpha_dropout needs a probability between 0 and 1, not -1"):
        F.alpha_dropout(x, -1, True)
    with pytest.raises(DtypeError, match=r"alpha_dropout scales what it keeps.* not int64"):
        F.alpha_dropout(sg.tensor([1]), 0.5, True)
    with pytest.raises(ShapeError, match=r"feature_alpha_dropout takes \(N, C, …\), not shape \[3\]"):
        F.feature_alpha_dropout(x, 0.5, True)
