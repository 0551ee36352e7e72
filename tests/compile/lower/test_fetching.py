"""Memory that is fetched ahead: where, and that no bit depends on it."""

import numpy
import pytest

import stepgrad as sg
from stepgrad import nn, optim
from stepgrad.compile.lower.products import contract
from stepgrad.compile.lower.products import product as products
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


@pytest.mark.parametrize("width", [16, 32, 64])
@pytest.mark.parametrize("shape", [(20, 300, 37), (61, 256, 150), (9, 1000, 16)])
def test_what_a_tile_touches_is_fetched_between_its_products(width, shape):
    m, k, n = shape
    a, b = laid_out(numbers((m, k), "float32", 1), "columns"), numbers((k, n), "float32", 2)
    bias, start = numbers((n,), "float32", 3), numbers((m, n), "float32", 4)
    before, ahead = (Compiled(a, b, width, in_place=True, is_fetched=x) for x in (False, True))
    assert "prefetch" not in before.text
    assert ahead.text.count("call void @llvm.prefetch") >= ahead.plan.pitch_b * ahead.plan.bytes // 64
    numpy.testing.assert_array_equal(ahead(bias, start=start), before(bias, start=start))
    parts = [(i, i + 1) for i in range(ahead.plan.units)]
    numpy.testing.assert_array_equal(ahead(bias, parts, start=start), before(bias, start=start))


@pytest.mark.parametrize("shape", [(300, 90, 270), (60, 40, 300)])
def test_rows_side_by_side_are_packed_some_at_a_time(monkeypatch, shape):
    m, k, n = shape
    a, b, bias = (
        laid_out(numbers((m, k), "float32", 1), "columns"),
        numbers((k, n), "float32", 2),
        numbers((n,), "float32", 3),
    )
    before = Compiled(a, b, 64)(bias)
    monkeypatch.setattr(contract, "_FAR_BYTES", 16)
    packed = Compiled(a, b, 64)
    assert packed.plan.packs_a
    numpy.testing.assert_array_equal(packed(bias), before)
