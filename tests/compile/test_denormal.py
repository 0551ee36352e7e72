"""Denormal numbers as 0 or as numbers: a switch for compiled steps and for the thread that asks."""

import numpy
import pytest

import stepgrad as sg
from stepgrad import nn, optim
from stepgrad.compile import assemble, denormal

TINY = numpy.float32(1e-40)


@pytest.fixture(autouse=True)
def as_before():
    at_first = denormal.MODES.copy()
    yield
    sg.set_flush_denormal(False)
    denormal.MODES[:] = at_first


needs_a_mode = pytest.mark.skipif(not denormal.can_flush(), reason="this processor's mode cannot be set")


@needs_a_mode
def test_compiled_code_flushes_where_it_is_asked_to():
    double = sg.compile(lambda x: x * 2)
    x = sg.full((37,), TINY)
    assert (double(x).numpy() == 2 * TINY).all()
    assert sg.set_flush_denormal(True) is True
    assert (double(x).numpy() == 0).all()
    assert sg.set_flush_denormal(False) is True
    assert (double(x).numpy() == 2 * TINY).all()


@needs_a_mode
def test_a_step_that_changes_tensors_flushes_until_it_is_told_not_to():
    mean = sg.full((37,), TINY)

    def step(x):
        mean.mul_(0.5)
        return x * 2

    run, x = sg.compile(step), sg.full((5,), TINY)
    run(x)
    assert (run(x).numpy().view("int32") == 0).all()
    assert (mean.numpy().view("int32") == 0).all()
    assert (sg.compile(lambda x: x * 2)(x).numpy() == 2 * TINY).all()
    sg.set_flush_denormal(False)
    assert (run(x).numpy() == 2 * TINY).all()


@needs_a_mode
def test_eager_code_of_the_thread_that_asked():
    x = numpy.full(37, TINY)
    sg.set_flush_denormal(True)
    assert (sg.from_numpy(x) * 1).count_nonzero().item() == 0
    sg.set_flush_denormal(False)
    assert ((x * numpy.float32(1)) == TINY).all()


@needs_a_mode
@pytest.mark.parametrize("mode", [False, True])
def test_the_mode_of_the_thread_is_as_it_was_after_a_run(mode):
    x, double = numpy.full(37, TINY), sg.compile(lambda x: x * 2)
    sg.set_flush_denormal(not mode)
    denormal.MODES[:] = denormal._FLUSH if mode else 0
    assert (double(sg.full((37,), 1.0)).numpy() == 2).all()
    # Read as a part of the bits: a comparison would take it for 0 as well.
    assert bool(((x * numpy.float32(1)).view("int32") != 0).all()) is mode


@needs_a_mode
@pytest.mark.parametrize("mode", [False, True])
def test_means_that_fade_are_the_same_on_any_number_of_threads(monkeypatch, mode):
    monkeypatch.setattr(assemble, "WORK_FOR_THREADS", 0)
    before, results = sg.get_num_threads(), []
    try:
        for threads in (1, 2):
            sg.set_num_threads(threads)
            sg.manual_seed(0)
            sg.set_flush_denormal(mode)
            layer = nn.Linear(300, 400)
            with sg.no_grad():
                layer.bias[:200] = -1e6  # never active
            optimizer = optim.Adam(layer.parameters())
            x = sg.randn(3, 40, 300)

            def step(x, layer=layer, optimizer=optimizer):
                optimizer.zero_grad()
                loss = layer(x).relu().mean()
                loss.backward()
                optimizer.step()
                return loss

            run = sg.compile(step)
            run.scan(x)
            mean = optimizer.state[layer.weight]["exp_avg"]
            with sg.no_grad():
                mean[:200] = TINY
            run.scan(x)
            bits = mean.numpy().view("int32")
            assert bool((bits[:200] == 0).all()) is mode
            results.append((bits.copy(), layer.weight.detach().numpy().copy()))
    finally:
        sg.set_num_threads(before)
    for one, two in zip(*results, strict=True):
        numpy.testing.assert_array_equal(one, two)


def test_elsewhere_it_says_that_it_cannot(monkeypatch):
    monkeypatch.setattr(denormal.platform, "machine", lambda: "arm64")
    assert sg.set_flush_denormal(True) is False
    assert (sg.compile(lambda x: x * 2)(sg.full((5,), TINY)).numpy() == 2 * TINY).all()
