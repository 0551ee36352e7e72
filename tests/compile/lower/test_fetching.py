"""Memory that is fetched ahead: where, and that no bit depends on it."""

import numpy
import pytest

import stepgrad as sg
from stepgrad import nn, optim
from stepgrad.compile.lower import contract, products
from tests.compile.lower.test_contract import LAYOUTS, Compiled, laid_out, numbers


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("rows", [1, 16])
def test_vectors_a_page_apart(monkeypatch, layout, rows):
    a, b = numbers((rows, 90), "float32", 1), laid_out(numbers((90, 70), "float32", 2), layout)
    bias = numbers((70,), "float32", 3)
    before = Compiled(a, b, 64)
    assert not before.plan.fetches_b
    for name in ("MUCH_MEMORY", "_PAGE"):
        monkeypatch.setattr(contract, name, 0)
    ahead = Compiled(a, b, 64)
    assert ahead.plan.fetches_b == (layout == "rows" and rows > 1)
    numpy.testing.assert_array_equal(ahead(bias), before(bias))


@pytest.mark.parametrize(
    "shape, is_fetched",
    [
        ((16, 2048, 2048), True),
        ((1, 2048, 2048), False),  # memory is the limit
        ((512, 2048, 2048), False),  # packed
        ((16, 128, 2048), False),  # little
        ((16, 8192, 64), False),  # near
    ],
)
def test_what_is_fetched(shape, is_fetched):
    m, k, n = shape
    a, b = numpy.broadcast_to(numpy.float32(1), (m, k)), numpy.zeros((k, n), "float32")
    assert Compiled(a, b, 64).plan.fetches_b is is_fetched


def updated(batch):
    sg.manual_seed(0)
    layer = nn.Linear(70, 90)
    optimizer = optim.Adam(layer.parameters())
    x = sg.randn(5, batch, 70)

    def step(x):
        optimizer.zero_grad()
        loss = layer(x).square().mean()
        loss.backward()
        optimizer.step()
        return loss

    run = sg.compile(step)
    run.scan(x)
    return run.programs[0].native.text.count("call void @llvm.prefetch"), layer.weight.detach().numpy()


@pytest.mark.parametrize("batch", [1, 16, 300])
def test_updates_of_much_memory(monkeypatch, batch):
    count, weight = updated(batch)
    assert count == 0
    monkeypatch.setattr(products, "MUCH_MEMORY", 0)
    count, same = updated(batch)
    assert count >= 3
    assert weight.tobytes() == same.tobytes()
