"""Checked runs of steps that amplify rounding, and of such that are wrong as well."""

import numpy
import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.compile import check
from stepgrad.compile.lower import loops
from stepgrad.compile.machine import has_amx
from stepgrad.errors import DifferenceError
from stepgrad.nn import functional as F


def step_of(norm, optimizer, **options):
    """A training step whose gradients of some biases are 0 but for rounding, and its data."""
    sg.manual_seed(2)
    model = nn.Sequential(nn.Linear(128, 256), norm(256), nn.ReLU(), nn.Linear(256, 4))
    updated = optimizer(model.parameters(), **options)

    def step(x, y):
        updated.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        updated.step()
        return loss

    return step, sg.randn(200, 128), sg.randint(0, 4, (200,))


@pytest.mark.parametrize("norm", [nn.LayerNorm, nn.BatchNorm1d])
@pytest.mark.parametrize(
    "optimizer, options",
    [(sg.optim.AdamW, {"lr": 1e-2}), (sg.optim.RMSprop, {}), (sg.optim.SGD, {"lr": 0.1, "momentum": 0.9})],
)
def test_amplified_rounding_is_no_fault(norm, optimizer, options):
    step, x, y = step_of(norm, optimizer, **options)
    checked = sg.compile(step, check=True)
    losses = [checked(x, y).item() for _ in range(4)]
    step, x, y = step_of(norm, optimizer, **options)
    assert losses == [step(x, y).item() for _ in range(4)]  # the eager results, from the same state each time


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "exp", "log"])
def test_a_fault_beside_amplified_rounding_is_found(monkeypatch, name):
    original = loops.Evaluator.compute

    def wrong(self, value):
        found = original(self, value)
        return found * 1.01 if value.op is not None and value.op.name == name else found

    monkeypatch.setattr(loops.Evaluator, "compute", wrong)
    step, x, y = step_of(nn.BatchNorm1d, sg.optim.AdamW)
    checked = sg.compile(step, check=True)
    with pytest.raises(DifferenceError, match=r"The first operation that differs is .*fault of stepgrad"):
        checked(x, y)


def test_what_counts_as_rounding():
    right = numpy.linspace(-1, 1, 100, dtype="float32")
    still, moved = numpy.zeros(100), numpy.zeros(100)
    moved[:3] = 0.5
    assert not check.is_rounding(right, right + numpy.float32(0.1), still)
    found = right.copy()
    found[[0, 7, 9]] += 0.4  # as many others as were moved
    assert check.is_rounding(right, found, moved)
    found[[11, 12]] += 0.4
    assert not check.is_rounding(right, found, moved)
    found = right.copy()
    found[0] += 50
    assert not check.is_rounding(right, found, moved)
    found[0] = numpy.nan
    assert not check.is_rounding(right, found, moved)
    assert not check.is_rounding(right, right.astype("float64"), moved)
    flags, turned = numpy.zeros(100, bool), numpy.zeros(100)
    turned[:2] = 1
    assert check.is_rounding(flags, numpy.arange(100) < 4, turned)
    assert not check.is_rounding(flags, numpy.arange(100) < 5, turned)


@pytest.mark.skipif(not has_amx(), reason="only AMX gives NaN for infinity")
def test_an_infinity_that_amx_loses_is_no_fault():
    checked = sg.compile(lambda x: (x @ x).sub(1).tanh(), check=True)
    with pytest.raises(DifferenceError, match=r"matmul .*AMX.*STEPGRAD_AMX=0") as caught:
        checked(sg.full((256, 256), float("inf")))
    assert "fault of stepgrad" not in str(caught.value)
