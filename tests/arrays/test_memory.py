"""Memory that begins at a line of the cache."""

import numpy
import pytest

import stepgrad as sg
from stepgrad.arrays.memory import aligned_zeros


@pytest.mark.parametrize("dtype", ["float32", "float64", "bool"])
@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (3, 5), (256,), (33, 57), (2, 1000)])
def test_zeros_of_any_shape(shape, dtype):
    x = aligned_zeros(shape, dtype)
    assert (x.shape, x.dtype, x.flags.c_contiguous, x.flags.writeable) == (shape, dtype, True, True)
    assert not x.any()
    x[...] = 1
    assert x.all()
    assert x.nbytes < 1024 or x.ctypes.data % 64 == 0


def test_what_a_compiled_step_trains_begins_at_a_line():
    layers = [sg.nn.Linear(31, 33) for _ in range(4)]
    optimizer = sg.optim.Adam(p for layer in layers for p in layer.parameters())

    def step(x):
        optimizer.zero_grad()
        sum(layer(x).sum() for layer in layers).backward()
        optimizer.step()

    sg.compile(step)(sg.ones(2, 31))
    for layer in layers:
        state = optimizer.state[layer.weight]
        for x in (layer.weight, state["exp_avg"], state["exp_avg_sq"]):
            assert x.detach().numpy().ctypes.data % 64 == 0


def test_full_keeps_values_and_signs():
    assert numpy.array_equal(sg.full((20, 20), 2.5).numpy(), numpy.full((20, 20), 2.5, "float32"))
    assert numpy.signbit(sg.full((20, 20), -0.0).numpy()).all()
