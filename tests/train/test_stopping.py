"""Early stopping: what counts as better, when training ends, which weights stay."""

import math
import sys
import types

import numpy as np
import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.arrays import devices
from stepgrad.errors import ArgumentError
from stepgrad.train.stopping import EarlyStopping


def run(values, **options):
    """Look at values until it says stop; return the reason, the epoch, and the weight that was kept."""
    net = nn.Linear(1, 1, bias=False)
    stopping = EarlyStopping(**options)
    reason, epoch = "", 0
    for epoch, value in enumerate(values, 1):
        net.weight.data.fill_(epoch)
        if reason := stopping.look(value, epoch, net):
            break
    stopping.restore(net)
    return reason, epoch, net.weight.item(), stopping.best_epoch


def test_patience_counts_epochs_since_the_best():
    assert run([3, 2, 1, 2, 2, 2, 0], patience=3) == ("no improvement for 3 epochs", 6, 3, 3)
    assert run([3, 4], patience=1) == ("no improvement for 1 epoch", 2, 1, 1)
    assert run([3, 2, 1], patience=1) == ("", 3, 3, 3)


def test_an_improvement_must_be_larger_than_min_delta():
    values = [1.0, 0.95, 0.9, 0.85]
    assert run(values, patience=2, min_delta=0.1) == ("no improvement for 2 epochs", 3, 1, 1)
    assert run(values, patience=2, min_delta=0.08)[3] == 3


def test_tolerance():
    assert run([3, 0.5, 0.2, 0.1], tolerance=0.3) == ("below the tolerance 0.3", 3, 3, 3)
    assert run([3, 0.3], tolerance=0.3)[0] == ""
    larger = run([0.5, 0.9, 0.96], tolerance=0.95, monitor="validation_accuracy")
    assert larger == ("above the tolerance 0.95", 3, 3, 3)


@pytest.mark.parametrize("monitor", ["validation_accuracy", "validation_r2", "validation_mine"])
def test_larger_is_better(monitor):
    assert run([1, 3, 2, 2], patience=2, monitor=monitor) == ("no improvement for 2 epochs", 4, 2, 2)


@pytest.mark.parametrize(
    "name", ["loss", "validation_loss", "validation_rmse", "validation_mae", "validation_sse"]
)
def test_smaller_is_better(name):
    assert run([2, 1, 3, 3], patience=2, monitor=name)[3] == 2


def test_a_nan_is_never_better():
    nan = math.nan
    assert run([nan, 2, nan, nan], patience=2) == ("no improvement for 2 epochs", 4, 2, 2)
    assert run([nan, nan, nan], patience=2) == ("no improvement for 2 epochs", 2, 2, 0)
    assert run([math.inf, 1, 2], patience=1)[3] == 2
    assert run([math.inf, math.inf], patience=2)[3] == 1


def test_epochs_before_are_not_counted():
    net = nn.Linear(1, 1)
    stopping = EarlyStopping(2, epoch=10)
    assert stopping.look(math.nan, 11, net) == ""
    assert stopping.look(math.nan, 12, net) == "no improvement for 2 epochs"


def test_without_patience_no_weights_are_kept():
    assert run([1, 2, 3]) == ("", 3, 3, 1)


def test_buffers_are_kept_too():
    net = nn.BatchNorm1d(2)
    stopping = EarlyStopping(3)
    stopping.look(1.0, 1, net)
    net(sg.randn(8, 2))
    version = net.running_mean._version[0]
    stopping.restore(net)
    assert net.num_batches_tracked.item() == 0
    assert net.running_mean.tolist() == [0, 0]
    assert net.running_mean._version[0] > version


def test_the_state_goes_on():
    net = nn.Linear(1, 1, bias=False)
    one, two = EarlyStopping(2), EarlyStopping(2)
    for epoch, value in ((1, 3.0), (2, 4.0)):
        net.weight.data.fill_(epoch)
        one.look(value, epoch, net)
    two.load_state_dict(one.state_dict())
    assert two.look(3.5, 3, net) == one.look(3.5, 3, net) == "no improvement for 2 epochs"
    two.restore(net)
    assert net.weight.item() == 1


def test_the_state_is_on_the_cpu(monkeypatch):
    class OnGPU(np.ndarray):
        """A stand-in for CuPy's arrays."""

        device = types.SimpleNamespace(id=0)

    def move(array, to):
        return np.array(array) if to == "cpu" else array.view(OnGPU)

    monkeypatch.setitem(sys.modules, "cupy", types.ModuleType("cupy"))
    monkeypatch.setattr(devices, "move", move)
    net = nn.Linear(2, 1)
    net.weight._array = net.weight._array.view(OnGPU)
    stopping = EarlyStopping(2)
    stopping.look(1.0, 1, net)
    assert isinstance(stopping.best_state["weight"], OnGPU)
    state = stopping.state_dict()
    assert all(type(array) is np.ndarray for array in state["best_state"].values())
    again = EarlyStopping(2)
    again.load_state_dict(state)
    net.weight._array[...] = 0
    again.restore(net)
    assert isinstance(net.weight._array, OnGPU)
    assert (net.weight._array == state["best_state"]["weight"]).all()


def test_arguments_out_of_range():
    for patience in (0, -1, 1.5, "3"):
        with pytest.raises(ArgumentError, match="patience counts epochs, at least 1, not "):
            EarlyStopping(patience)
    for min_delta in (-0.1, math.nan):
        with pytest.raises(ArgumentError, match="min_delta is at least 0, not "):
            EarlyStopping(2, min_delta)
