"""Capturing a step takes little more memory than the step, and memory that is used again confuses nothing."""

import tracemalloc

import numpy

import stepgrad as sg
from stepgrad import nn


def test_what_an_update_computes_is_let_go_while_it_is_captured():
    model = nn.Linear(512, 512)
    optimizer = sg.optim.Adam(model.parameters())
    x = sg.randn(2, 512)

    @sg.compile
    def step(x):
        optimizer.zero_grad()
        loss = model(x).square().mean()
        loss.backward()
        optimizer.step()
        return loss

    tracemalloc.start()
    step(x)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # The two moments, copies of them and of the weight to undo the run, the gradient, three results of Adam:
    # nine times the weight. With every result held it would be 22 times.
    assert peak < 12 * 4 * model.weight.numel()


def test_memory_that_is_used_again():
    x = sg.arange(4096.0)

    @sg.compile
    def step(x):
        total = sg.zeros(())
        for i in range(6):
            first = x * (i + 1)
            shown = first.view(64, 64)
            first.add_(1)
            total = total + shown[0].sum() + first.sum()
            del first, shown
            second = x - i
            other = second.view(64, 64).t()
            second.mul_(2)
            total = total + other[1].sum()
            del second, other
        return total

    numpy.testing.assert_allclose(step(x).numpy(), step.function(x).numpy(), rtol=1e-6)
    assert not step.runs_eagerly
