"""The derivatives of outputs by inputs, against central differences."""

import numpy as np
import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.errors import ArgumentError, ShapeError
from tests.train.runs import bits, rich_net, trainer_of


@pytest.mark.parametrize("shape", [(5, 4), (3, 2, 4)])
def test_against_central_differences(shape):
    sg.manual_seed(0)
    width = int(np.prod(shape[1:]))
    net = nn.Sequential(
        nn.Flatten(), nn.Linear(width, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 3)
    ).double()
    x = np.random.default_rng(0).normal(size=shape)
    found = sg.sensitivity(net, x).numpy()
    assert found.shape == (shape[0], 3, *shape[1:])
    net.eval()
    h = 1e-5
    for place in np.ndindex(shape[1:]):
        up, down = x.copy(), x.copy()
        up[(slice(None), *place)] += h
        down[(slice(None), *place)] -= h
        with sg.no_grad():
            slope = (net(sg.from_numpy(up)).numpy() - net(sg.from_numpy(down)).numpy()) / (2 * h)
        np.testing.assert_allclose(found[(slice(None), slice(None), *place)], slope, atol=1e-9)


def test_the_model_stays_as_it_is():
    trainer = trainer_of(rich_net())
    before = bits(trainer)
    trainer.model.train()
    sg.sensitivity(trainer.model, sg.randn(5, 4, generator=sg.Generator(seed=1)))
    assert trainer.model.training
    assert all(p.grad is None for p in trainer.model.parameters())
    assert bits(trainer) == before


def test_an_input_that_does_not_matter_and_a_chosen_one():
    class First(nn.Module):
        def forward(self, x, z, codes):
            return 3 * x

    x, codes = sg.ones(2, 1), sg.zeros(2, 1, dtype=sg.int64)
    assert sg.sensitivity(First(), x, x, codes).flatten().tolist() == [3, 3]
    assert sg.sensitivity(First(), x, x, codes, of=1).flatten().tolist() == [0, 0]
    with pytest.raises(ArgumentError, match=r"3 inputs and of=2: float32, float32, int64"):
        sg.sensitivity(First(), x, x, codes, of=2)


def test_outputs_without_rows():
    class Total(nn.Module):
        def forward(self, x):
            return x.sum()

    with pytest.raises(ShapeError, match=r"outputs of its own, but its outputs have the shape \[\]"):
        sg.sensitivity(Total(), sg.ones(2, 1))
