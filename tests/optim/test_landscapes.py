"""Descent on surfaces whose minima and saddles are known: Hessian signs, and learning rates compared."""

from collections.abc import Callable

import numpy as np
import pytest

import stepgrad as sg


def quartic(x: sg.Tensor) -> sg.Tensor:
    """x⁴ − 2 x² + 0.5 x: a local minimum near 0.93, the global one near −1.06."""
    return x**4 - 2 * x**2 + 0.5 * x


def saddle(w: sg.Tensor) -> sg.Tensor:
    return w[0] ** 2 - w[1] ** 2 + 0.25 * w[1] ** 4


def hessian(function: Callable[[sg.Tensor], sg.Tensor], at: list[float]) -> np.ndarray:
    w = sg.tensor(at, dtype=sg.float64, requires_grad=True)
    (g,) = sg.autograd.grad(function(w), w, create_graph=True)
    return np.array([sg.autograd.grad(g[i], w, retain_graph=True)[0].tolist() for i in range(len(at))])


def descended(
    function: Callable[[sg.Tensor], sg.Tensor], start: list[float], rate: float, steps: int
) -> sg.Tensor:
    w = sg.tensor(start, dtype=sg.float64, requires_grad=True)
    optimizer = sg.optim.SGD([w], lr=rate)
    for _ in range(steps):
        optimizer.zero_grad()
        function(w).backward()
        optimizer.step()
    return w.detach()


def test_descent_ends_in_the_minimum_on_whose_side_it_began():
    low, high = (descended(lambda w: quartic(w[0]), [start], 0.05, 200) for start in (-0.5, 0.5))
    stationary = np.roots([4, 0, -4, 0.5])
    for found, expected in ((low, stationary.min()), (high, stationary.max())):
        assert found.item() == pytest.approx(expected)
        assert hessian(lambda w: quartic(w[0]), found.tolist())[0, 0] > 0
    assert quartic(low).item() < quartic(high).item()
    assert hessian(lambda w: quartic(w[0]), [sorted(stationary)[1]])[0, 0] < 0


def test_a_saddle_has_curvatures_of_both_signs_and_holds_descent_that_begins_on_its_ridge():
    assert np.linalg.eigvalsh(hessian(saddle, [0.0, 0.0])) == pytest.approx([-2, 2])
    assert descended(saddle, [1.0, 0.0], 0.1, 200).tolist() == pytest.approx([0, 0], abs=1e-9)
    away = descended(saddle, [1.0, 1e-3], 0.1, 200).tolist()
    assert away == pytest.approx([0, np.sqrt(2)], abs=1e-6)
    assert (np.linalg.eigvalsh(hessian(saddle, away)) > 0).all()


def test_rates_too_small_right_and_too_large():
    # Of x², whose curvature is 2, a rate r multiplies x by 1 − 2 r in each step.
    ends = {r: abs(descended(lambda w: (w * w).sum(), [1.0], r, 20).item()) for r in (0.001, 0.4, 0.99, 1.1)}
    for rate, end in ends.items():
        assert end == pytest.approx(abs(1 - 2 * rate) ** 20)
    assert ends[0.4] < 1e-9 < 0.6 < ends[0.99] < ends[0.001] < 1 < 30 < ends[1.1]
