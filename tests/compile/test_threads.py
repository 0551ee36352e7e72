"""Steps on one thread and on several: the same bits; and steps too small for several."""

import numpy
import pytest

import stepgrad as sg
from stepgrad import nn, optim
from stepgrad.compile import assemble
from tests.compile.compiled import vectors_of


@pytest.fixture
def eager_threads(monkeypatch):
    """Threads are used however little there is to do."""
    monkeypatch.setattr(assemble, "WORK_FOR_THREADS", 0)
    monkeypatch.setattr(assemble, "SHARED_WORK", 0)
    before = sg.get_num_threads()
    yield
    sg.set_num_threads(before)


# Batch, widths: one shallow update of many rows, a deep one, odd sizes, a batch of one.
SHAPES = [(5, (70, 130, 3)), (96, (40, 72, 10)), (33, (17, 90, 1)), (1, (64, 65, 2))]


def trained(shape, threads, compile=True):
    sg.set_num_threads(threads)
    sg.manual_seed(0)
    batch, (inputs, hidden, outputs) = shape
    model = nn.Sequential(nn.Linear(inputs, hidden), nn.Tanh(), nn.Dropout(0.2), nn.Linear(hidden, outputs))
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    x, y = sg.randn(4, batch, inputs), sg.randn(4, batch, outputs)

    def step(x, y):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    run = sg.compile(step) if compile else step
    losses = run.scan(x, y).numpy() if compile else numpy.array([step(*pair).item() for pair in zip(x, y)])
    if compile:
        native = run.programs[0].native
        assert native._is_shared
        assert sum(kernel.is_shared for kernel in native.kernels) >= 3
    return [losses, *(p.detach().numpy() for p in model.parameters())]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("width", [16, 64])
def test_threads_do_not_change_a_bit(eager_threads, shape, width):
    with vectors_of(width):
        alone = trained(shape, 1)
        for threads in (2, 3):
            for a, b in zip(alone, trained(shape, threads)):
                assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_they_are_the_eager_numbers(eager_threads, shape):
    for native, eager in zip(trained(shape, 2), trained(shape, 2, compile=False)):
        numpy.testing.assert_allclose(native, eager, rtol=2e-4, atol=2e-5)


def test_a_small_step_stays_on_one_thread():
    run = sg.compile(lambda x: (x @ x).relu())
    run(sg.ones(64, 64))
    assert not run.programs[0].native._is_shared
    run = sg.compile(lambda x: (x @ x).relu())
    run(sg.ones(400, 400))
    assert run.programs[0].native._is_shared
