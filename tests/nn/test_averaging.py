"""Averages of weights: updated inside of a compiled step as eagerly."""

import numpy
import pytest

import stepgrad as sg
from stepgrad import nn, optim
from stepgrad.nn import averaging

WAYS = {
    "mean": {},
    "moving": {"avg_fn": averaging.get_ema_avg_fn(0.9)},
    "moving, in place": {"multi_avg_fn": averaging.get_ema_multi_avg_fn(0.9)},
    "mean, in place, with buffers": {"multi_avg_fn": averaging.get_swa_multi_avg_fn(), "use_buffers": True},
}


def averaged(options, is_compiled):
    """Return the state of the average after six steps."""
    sg.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 1)).double()
    optimizer, average = optim.SGD(net.parameters(), lr=0.1), averaging.AveragedModel(net, **options)
    x, y = sg.randn(8, 3).double(), sg.randn(8, 1).double()

    def step(x, y):
        optimizer.zero_grad()
        nn.functional.mse_loss(net(x), y).backward()
        optimizer.step()
        average.update_parameters(net)

    run = sg.compile(step) if is_compiled else step
    for _ in range(6):
        run(x, y)
    assert not is_compiled or not run.runs_eagerly
    return average.state_dict()


@pytest.mark.parametrize("way", WAYS)
def test_in_a_compiled_step(way):
    eager, native = averaged(WAYS[way], False), averaged(WAYS[way], True)
    assert native["n_averaged"] == 6
    for name, x in eager.items():
        numpy.testing.assert_allclose(native[name].numpy(), x.numpy(), rtol=1e-12, atol=1e-15, err_msg=name)


def test_the_first_update_takes_the_weights_over():
    """What the function makes of the weights before counts for nothing, also where it is NaN."""
    net = nn.Linear(2, 1)
    average = averaging.AveragedModel(net, avg_fn=lambda own, new, n: own + (new - own) / n)
    net.weight.data.fill_(2.0)
    average.update_parameters(net)
    assert average.module.weight.tolist() == [[2.0, 2.0]]
    net.weight.data.fill_(4.0)
    average.update_parameters(net)
    assert average.module.weight.tolist() == [[4.0, 4.0]]
