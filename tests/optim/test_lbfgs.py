"""L-BFGS and its line search: minima of known functions, and what it refuses."""

import math

import numpy
import pytest

import stepgrad as sg
from stepgrad.errors import ArgumentError, CaptureError
from stepgrad.optim import LBFGS
from stepgrad.optim.line_search import Point, strong_wolfe


def minimized(loss, start, steps=1, **hyperparameters):
    params = [sg.tensor(x, dtype=sg.float64, requires_grad=True) for x in start]
    optimizer = LBFGS(params, **hyperparameters)

    def closure():
        optimizer.zero_grad()
        value = loss(*params)
        value.backward()
        return value

    losses = [optimizer.step(closure).item() for _ in range(steps)]
    return params, losses, optimizer


def rosenbrock(x, y):
    return (1 - x) ** 2 + 100 * (y - x * x) ** 2


def test_the_minimum_of_rosenbrocks_valley():
    (x, y), _, optimizer = minimized(
        rosenbrock, [-1.2, 1.0], max_iter=100, tolerance_change=1e-14, line_search_fn="strong_wolfe"
    )
    assert (x.item(), y.item()) == pytest.approx((1.0, 1.0), abs=1e-6)
    state = optimizer.state[x]
    # SciPy's L-BFGS-B needs 36 iterations and 46 evaluations from here.
    assert state["n_iter"] < 50
    assert state["func_evals"] < 70


def test_a_quadratic_function_needs_few_iterations():
    a = numpy.diag([1.0, 4.0, 9.0])
    target = sg.tensor([1.0, -2.0, 3.0], dtype=sg.float64)
    (w,), losses, optimizer = minimized(
        lambda w: (w - target) @ sg.tensor(a) @ (w - target), [[0.0, 0.0, 0.0]], steps=2,
        line_search_fn="strong_wolfe",
    )  # fmt: skip
    assert w.tolist() == pytest.approx(target.tolist(), abs=1e-5)
    assert optimizer.state[w]["n_iter"] <= 12
    assert losses[1] < 1e-10


def test_several_parameters_move_together_and_one_without_a_gradient_stays():
    (a, b, c), _, _ = minimized(
        lambda a, b, c: ((a - 1) ** 2).sum() + (b - 2) ** 2, [[[0.0], [0.0]], 0.0, [7.0]]
    )
    assert a.tolist() == [[pytest.approx(1.0)], [pytest.approx(1.0)]]
    assert b.item() == pytest.approx(2.0)
    assert c.tolist() == [7.0]


def test_the_history_is_kept_short():
    (x, _), _, optimizer = minimized(rosenbrock, [-1.2, 1.0], history_size=3, line_search_fn="strong_wolfe")
    assert [len(optimizer.state[x][name]) for name in ("old_dirs", "old_stps", "ro")] == [3, 3, 3]


def test_a_minimum_is_left_alone():
    (x,), losses, optimizer = minimized(lambda x: x * x, [0.0], steps=2)
    assert (x.item(), losses) == (0.0, [0.0, 0.0])
    assert optimizer.state[x]["n_iter"] == 0


def test_a_state_goes_on_where_it_was():
    kwargs = {"line_search_fn": "strong_wolfe", "max_iter": 5}
    whole, _, _ = minimized(rosenbrock, [-1.2, 1.0], steps=4, **kwargs)
    half, _, before = minimized(rosenbrock, [-1.2, 1.0], steps=2, **kwargs)
    after = LBFGS(half, **kwargs)
    after.load_state_dict(before.state_dict())

    def closure():
        after.zero_grad()
        value = rosenbrock(*half)
        value.backward()
        return value

    for _ in range(2):
        after.step(closure)
    assert [p.item() for p in half] == [p.item() for p in whole]


def test_what_it_refuses():
    w, v = (sg.zeros(2, requires_grad=True) for _ in range(2))
    with pytest.raises(ArgumentError, match="takes all parameters in one group"):
        LBFGS([{"params": [w]}, {"params": [v]}])
    optimizer = LBFGS([w])
    with pytest.raises(ArgumentError, match="needs a closure that computes the loss and its gradients"):
        optimizer.step()

    def closure():
        optimizer.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    with pytest.raises(
        CaptureError, match=r"Compile the closure, and call optimizer.step\(closure\) outside"
    ):
        sg.compile(lambda: optimizer.step(closure))()


def test_a_compiled_closure():
    target = sg.tensor([1.0, -2.0])
    w = sg.zeros(2, requires_grad=True)
    optimizer = LBFGS([w])

    @sg.compile
    def closure():
        optimizer.zero_grad()
        loss = ((w - target) ** 2).sum()
        loss.backward()
        return loss, w.grad

    def evaluate():
        loss, w.grad = closure()
        return loss

    optimizer.step(evaluate)
    assert w.tolist() == pytest.approx([1.0, -2.0], abs=1e-5)


@pytest.mark.parametrize("first", [1e-3, 0.1, 1.0, 5.0, 50.0])
def test_the_line_search_meets_both_conditions(first):
    def at(t):
        value = -t / (t * t + 2)  # Moré and Thuente's first function
        slope = (t * t - 2) / (t * t + 2) ** 2
        return Point(t, value, None, slope)

    found, looked = strong_wolfe(at, at(0.0), first, 1.0, 25)
    assert found.value <= 1e-4 * found.length * -0.5
    assert abs(found.slope) <= 0.9 * 0.5
    assert looked < 15


def test_the_line_search_ends_on_a_line_without_a_bottom():
    found, looked = strong_wolfe(lambda t: Point(t, -t, None, -1.0), Point(0.0, 0.0, None, -1.0), 1.0, 1.0, 8)
    assert looked <= 9
    assert math.isfinite(found.length)
