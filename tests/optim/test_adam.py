"""Adam and AdamW against steps worked out by hand."""

import math

import pytest

import stepgrad as sg
from stepgrad.optim import Adam, AdamW


def walked(make, gradients, start=1.0):
    """The values of one parameter after each of the gradients, in float64."""
    p = sg.tensor([start], dtype=sg.float64, requires_grad=True)
    optimizer, values = make([p]), []
    for gradient in gradients:
        p.grad = sg.tensor([gradient], dtype=sg.float64)
        optimizer.step()
        values.append(p.item())
    return values, optimizer.state[p]


def test_three_steps():
    values, state = walked(lambda p: Adam(p, lr=0.1, betas=(0.5, 0.75), eps=0.0), (2.0, -2.0, 4.0))
    first = 1 - 0.1 * 2 / math.sqrt(4)  # m̂ = 2, v̂ = 4
    second = first - 0.1 * (-0.5 / 0.75) / math.sqrt(1.75 / 0.4375)
    third = second - 0.1 * (1.75 / 0.875) / math.sqrt(5.3125 / 0.578125)
    assert values == pytest.approx([first, second, third], rel=1e-14)
    assert state["exp_avg"].item() == 1.75
    assert state["exp_avg_sq"].item() == 5.3125
    assert state["step"].item() == 3


def test_epsilon_is_added_to_the_root():
    values, _ = walked(lambda p: Adam(p, lr=0.1, eps=3.0), (1.0,))
    assert values == pytest.approx([1 - 0.1 * 1 / (1 + 3)], rel=1e-14)


def test_amsgrad_keeps_the_largest_mean_square():
    make = lambda p: Adam(p, lr=0.1, betas=(0.0, 0.75), eps=0.0, amsgrad=True)  # noqa: E731
    values, state = walked(make, (4.0, 0.0, 1.0))
    assert state["exp_avg_sq"].item() == 0.75 * 3 + 0.25
    assert state["max_exp_avg_sq"].item() == 4
    first = 1 - 0.1 * 4 / math.sqrt(4 / 0.25)
    third = first - 0.1 * 1 / math.sqrt(4 / (1 - 0.75**3))
    assert values == pytest.approx([first, first, third], rel=1e-14)


def test_weight_decay_in_the_gradient_and_apart_from_it():
    # In the gradient it is normalised away at the first step; apart from it, the weight shrinks by lr · λ.
    inside, _ = walked(lambda p: Adam(p, lr=0.1, weight_decay=0.5, eps=0.0), (2.0,), start=10.0)
    apart, _ = walked(lambda p: AdamW(p, lr=0.1, weight_decay=0.5, eps=0.0), (2.0,), start=10.0)
    assert inside == pytest.approx([10 - 0.1], rel=1e-14)
    assert apart == pytest.approx([10 - 0.1 * 0.5 * 10 - 0.1], rel=1e-14)
    spelled_out = walked(
        lambda p: Adam(p, lr=0.1, weight_decay=0.5, eps=0.0, decoupled_weight_decay=True), (2.0,), start=10.0
    )
    assert spelled_out[0] == apart


def test_maximize_goes_up():
    up, _ = walked(lambda p: Adam(p, lr=0.1, maximize=True), (1.0, 2.0))
    down, _ = walked(lambda p: Adam(p, lr=0.1), (-1.0, -2.0))
    assert up == down


def test_adamw_decays_by_default():
    assert AdamW([sg.zeros(1, requires_grad=True)]).param_groups[0]["weight_decay"] == 0.01


def test_amsgrad_may_be_switched_on_later():
    p = sg.tensor([1.0], requires_grad=True)
    p.grad = sg.tensor([1.0])
    optimizer = Adam([p])
    optimizer.step()
    optimizer.param_groups[0]["amsgrad"] = True
    optimizer.step()
    assert optimizer.state[p]["max_exp_avg_sq"].item() == optimizer.state[p]["exp_avg_sq"].item()


def test_steps_are_counted_exactly_beyond_float32():
    p = sg.tensor([1.0], requires_grad=True)
    p.grad = sg.tensor([1.0])
    optimizer = Adam([p])
    optimizer.state[p]["step"] = 2**24
    optimizer.step()
    assert optimizer.state[p]["step"].item() == 2**24 + 1


def test_overflow_is_silent_and_stays_where_it_is():
    p = sg.tensor([1.0, 1.0], requires_grad=True)
    p.grad = sg.tensor([math.inf, 1.0])
    Adam([p], lr=0.1).step()
    assert math.isnan(p.tolist()[0])
    assert p.tolist()[1] == pytest.approx(0.9)
