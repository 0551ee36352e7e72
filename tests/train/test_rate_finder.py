"""The learning-rate finder: what it finds, and that it leaves everything as it was."""

import math
from xml.etree import ElementTree

import numpy as np
import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.errors import ArgumentError, DataError
from stepgrad.train import find_rate


def problem(scale: float = 1.0):
    """Linear regression, whose loss curve along the largest eigenvalue of the Hessian is known."""
    random = np.random.default_rng(0)
    x = random.normal(size=(400, 3)).astype("float32") * np.array([1, 2, 3], "float32") * scale
    y = (x @ np.array([[1.0], [-1.0], [0.5]], "float32") + 2).astype("float32")
    whole = np.concatenate([x, np.ones((400, 1), "float32")], 1)
    largest = 2 * np.linalg.eigvalsh(whole.T @ whole / 400).max()
    return sg.tensor(x), sg.tensor(y), 2 / largest


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_the_range_ends_below_the_rate_at_which_descent_diverges(scale):
    x, y, bound = problem(scale)
    sg.manual_seed(0)
    model = nn.Linear(3, 1)
    found = find_rate(
        model, nn.MSELoss(), sg.optim.SGD(model.parameters(), lr=0.1), (x, y),
        lowest=bound * 1e-5, highest=bound * 1e3, steps=150, batch_size=400,
    )  # fmt: skip
    assert found.low < found.rate <= found.high
    assert 0.05 * bound < found.high < bound
    assert len(found.rates) == len(found.losses) == len(found.smoothed) < 150  # it came apart
    np.testing.assert_allclose(np.diff(np.log(found.rates)), math.log(1e8) / 149, rtol=1e-5)
    assert "a place to begin, not the best rate" in found.caution
    assert "still falling" not in found.caution
    assert str(found).startswith("learning rate ")


def everything(model, optimizer):
    state = {key: value.numpy().copy() for key, value in model.state_dict().items()}
    slots = optimizer.state_dict()
    slots["state"] = {
        k: {n: np.asarray(v).copy() if isinstance(v, sg.Tensor) else v for n, v in s.items()}
        for k, s in slots["state"].items()
    }
    return state, slots, sg.get_rng_state(), [part.training for part in model.modules()]


def test_everything_is_left_as_it_was():
    x, y, _ = problem()
    sg.manual_seed(1)
    model = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.ReLU(), nn.Linear(8, 1))
    optimizer = sg.optim.Adam(
        [{"params": model[0].parameters(), "lr": 0.02}, {"params": model[4].parameters()}], lr=0.01
    )
    for _ in range(3):
        optimizer.zero_grad()
        nn.MSELoss()(model(x), y).backward()
        optimizer.step()
    model[1].eval()
    loader = sg.data.DataLoader(sg.data.TensorDataset(x, y), batch_size=50, shuffle=True, seed=3)
    before, place = everything(model, optimizer), loader.state_dict()
    found = find_rate(model, nn.MSELoss(), optimizer, loader, steps=40)
    np.testing.assert_equal(everything(model, optimizer), before)
    assert loader.state_dict() == place
    assert [group["lr"] for group in optimizer.param_groups] == [0.02, 0.01]
    again = find_rate(model, nn.MSELoss(), optimizer, loader, steps=40)
    assert again == found


def test_what_goes_wrong_is_said():
    x, y, _ = problem()
    model = nn.Linear(3, 1)
    sgd = sg.optim.SGD(model.parameters(), lr=0.1)
    still = find_rate(model, nn.MSELoss(), sgd, (x, y), lowest=1e-5, highest=1e-3, batch_size=400)
    assert "still falling at the highest rate" in still.caution
    never = find_rate(model, lambda a, b: -nn.MSELoss()(a, b) * 0 + a.mean() * 0 + 1, sgd, (x, y), steps=10)
    assert "fell at no rate" in never.caution
    with pytest.raises(DataError, match="not finite, or comes apart, at the lowest rate"):
        find_rate(model, nn.MSELoss(), sgd, (x * math.inf, y))
    with pytest.raises(DataError, match="no rows"):
        find_rate(model, nn.MSELoss(), sgd, (x[:0], y[:0]))
    with pytest.raises(ArgumentError, match=r"0 < lowest < highest, not 1\.0 and 0\.1"):
        find_rate(model, nn.MSELoss(), sgd, (x, y), lowest=1.0, highest=0.1)
    with pytest.raises(ArgumentError, match="at least 10 steps, not 3"):
        find_rate(model, nn.MSELoss(), sgd, (x, y), steps=3)


def test_the_picture_is_an_svg_document():
    x, y, _ = problem()
    model = nn.Linear(3, 1)
    found = find_rate(model, nn.MSELoss(), sg.optim.SGD(model.parameters(), lr=0.1), (x, y))
    root = ElementTree.fromstring(found.svg())
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    kinds = [element.get("class") for element in root]
    assert {"range", "raw", "curve", "best"} <= set(kinds)
