"""Layers that need inputs of their own: each trains alike eager and compiled, and a model file gives it back
as it was.
"""

from collections.abc import Callable
from typing import Any

import numpy
import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.tensor import Tensor
from tests.nn.spatial_layers import LAYERS as SPATIAL_LAYERS


def normal(*shape: int) -> Tensor:
    return sg.tensor(numpy.random.default_rng(0).normal(size=shape), dtype=sg.float64)


class Compared(nn.Module):
    """A measure of how near the two halves of an affine map are."""

    def __init__(self, measure: nn.Module) -> None:
        super().__init__()
        self.map, self.measure = nn.Linear(3, 8), measure

    def forward(self, x: Tensor) -> Tensor:
        return self.measure(*self.map(x).chunk(2, 1))


# How a layer is made, and what it is called with.
LAYERS: dict[str, tuple[Callable[[], nn.Module], Callable[[], tuple[Any, ...]]]] = {
    "GLU": (lambda: nn.Sequential(nn.Linear(3, 8), nn.GLU()), lambda: (normal(5, 3),)),
    "RMSNorm": (lambda: nn.Sequential(nn.Linear(3, 4), nn.RMSNorm(4)), lambda: (normal(5, 3),)),
    "Bilinear": (lambda: nn.Bilinear(3, 2, 4), lambda: (normal(5, 3), normal(5, 2))),
    "Embedding": (
        lambda: nn.Sequential(nn.Embedding(5, 3, 1, max_norm=1.5, scale_grad_by_freq=True), nn.Linear(3, 2)),
        lambda: (sg.tensor([[0, 2], [2, 1]]),),
    ),
    "EmbeddingBag": (lambda: nn.EmbeddingBag(5, 3, mode="max"), lambda: (sg.tensor([[0, 2], [2, 1]]),)),
    "AlphaDropout": (lambda: nn.Sequential(nn.Linear(3, 4), nn.AlphaDropout()), lambda: (normal(5, 3),)),
    "FeatureAlphaDropout": (
        lambda: nn.Sequential(nn.Linear(3, 4), nn.FeatureAlphaDropout()),
        lambda: (normal(5, 2, 3),),
    ),
    "CosineSimilarity": (lambda: Compared(nn.CosineSimilarity()), lambda: (normal(5, 3),)),
    "PairwiseDistance": (lambda: Compared(nn.PairwiseDistance(3.0)), lambda: (normal(5, 3),)),
    "Softmax2d": (lambda: nn.Sequential(nn.Linear(3, 4), nn.Softmax2d()), lambda: (normal(2, 2, 5, 3),)),
}
LAYERS |= SPATIAL_LAYERS
named = pytest.mark.parametrize("name", LAYERS)


def trained(name: str, compiled: bool) -> tuple[list[float], nn.Module]:
    """The losses of three steps from one seed, and what they leave."""
    make, arguments = LAYERS[name]
    sg.manual_seed(0)
    module, inputs = make().double(), arguments()
    optimizer = sg.optim.SGD(module.parameters(), lr=0.1)

    def step(*inputs: Any) -> Tensor:
        optimizer.zero_grad()
        loss = (module(*inputs) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss

    run = sg.compile(step) if compiled else step
    sg.manual_seed(1)
    return [run(*inputs).item() for _ in range(3)], module


@named
def test_trains_eager_and_compiled(name):
    (eager, first), (native, second) = trained(name, False), trained(name, True)
    assert len(set(eager)) == 3, "the steps change nothing"
    assert native == pytest.approx(eager, rel=1e-10)
    for key, value in first.state_dict().items():
        numpy.testing.assert_allclose(second.state_dict()[key].numpy(), value.numpy(), rtol=1e-9, atol=1e-12)


@named
def test_comes_back_from_a_file(name, tmp_path):
    make, arguments = LAYERS[name]
    module, inputs = make().double().eval(), arguments()
    sg.save(module, tmp_path / "model.safetensors")
    again = sg.load(tmp_path / "model.safetensors", classes=[Compared])
    assert repr(again) == repr(module)
    assert again(*inputs).tolist() == module(*inputs).tolist()
