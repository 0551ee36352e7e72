"""The perceptron: gates by hand and by learning, what one unit cannot do, and what a layer between can."""

import itertools

import numpy as np
import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.errors import ArgumentError, GradientError, ShapeError

ROWS = sg.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
GATES = {"AND": [0, 0, 0, 1], "OR": [0, 1, 1, 1], "NAND": [1, 1, 1, 0], "NOR": [1, 0, 0, 0]}
XOR = [0, 1, 1, 0]
BY_HAND = {"AND": (0.5, 0.5, -0.7), "OR": (0.5, 0.5, -0.2), "NAND": (-0.5, -0.5, 0.7)}


def by_hand(name: str) -> nn.Perceptron:
    unit = nn.Perceptron(2)
    unit.load_state_dict({"weight": sg.tensor(BY_HAND[name][:2]), "bias": sg.tensor(BY_HAND[name][2])})
    return unit


@pytest.mark.parametrize("name", BY_HAND)
def test_gates_by_hand(name):
    assert by_hand(name)(ROWS).tolist() == GATES[name]


@pytest.mark.parametrize("name", GATES)
@pytest.mark.parametrize("rate", [1.0, 0.1])
def test_gates_by_learning(name, rate):
    unit = nn.Perceptron(2, dtype=sg.float64)
    mistakes = unit.learn(ROWS, GATES[name], rate)
    assert mistakes[-1] == 0
    assert 0 not in mistakes[:-1]
    assert unit(ROWS).tolist() == GATES[name]


@pytest.mark.parametrize("name", GATES)
def test_the_line_that_was_learned_separates_the_two_classes(name):
    unit = nn.Perceptron(2, dtype=sg.float64)
    unit.learn(ROWS, GATES[name])
    sides = ROWS.numpy() @ unit.weight.numpy() + unit.bias.item()
    assert ((sides >= 0) == np.array(GATES[name], dtype=bool)).all()


def test_the_rule():
    unit = nn.Perceptron(2, dtype=sg.float64)
    # At 0 the unit says 1, so a row of class 0 is a mistake: w = 0 − 0.5 · (2, 3), b = −0.5.
    assert unit.learn([[2.0, 3.0]], [0], rate=0.5, passes=1) == [1]
    assert unit.weight.tolist() == [-1, -1.5]
    assert unit.bias.item() == -0.5
    unit.reset_parameters()
    assert unit(ROWS).tolist() == [1, 1, 1, 1]


def test_the_bias_is_the_weight_of_a_constant_input_1():
    x = np.random.default_rng(0).normal(size=(40, 3))
    target = (x @ [1.0, -2.0, 0.5] > 0.3).astype(int)
    unit, wider = nn.Perceptron(3, dtype=sg.float64), nn.Perceptron(4, bias=False, dtype=sg.float64)
    with_one = np.hstack([x, np.ones((40, 1))])
    assert unit.learn(x, target, 0.5) == wider.learn(with_one, target, 0.5)
    assert unit(sg.tensor(x)).tolist() == wider(sg.tensor(with_one)).tolist() == target.tolist()
    assert [*unit.weight.tolist(), unit.bias.item()] == wider.weight.tolist()
    linear, without = nn.Linear(3, 2, dtype=sg.float64), nn.Linear(4, 2, bias=False, dtype=sg.float64)
    with sg.no_grad():
        without.weight.copy_(sg.cat([linear.weight, linear.bias[:, None]], 1))
    a, b = linear(sg.tensor(x)), without(sg.tensor(with_one))
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-15, atol=1e-15)


# -------------------------------------------------------------------------------------------------- XOR


def test_xor_cannot_be_learned_by_one():
    mistakes = nn.Perceptron(2).learn(ROWS, XOR, passes=200)
    assert len(mistakes) == 200
    assert min(mistakes) > 0


def test_xor_cannot_be_done_by_one():
    """The four conditions on w and b contradict one another; no weights of a grid meet them either."""
    # 0 wants b < 0; (0,1) w₂ + b ≥ 0; (1,0) w₁ + b ≥ 0; their sum w₁ + w₂ + 2b ≥ 0 and b < 0 make (1,1)
    # w₁ + w₂ + b > 0, which is class 1 and not 0.
    unit, grid = nn.Perceptron(2, dtype=sg.float64), np.linspace(-2, 2, 9)
    for w1, w2, b in itertools.product(grid, grid, grid):
        unit.load_state_dict({"weight": sg.tensor([w1, w2]), "bias": sg.tensor(b)})
        assert unit(ROWS).tolist() != XOR


def test_xor_is_done_by_or_nand_and_and():
    hidden = sg.stack([by_hand("OR")(ROWS), by_hand("NAND")(ROWS)], 1)
    assert by_hand("AND")(hidden).tolist() == XOR


@pytest.mark.parametrize("seed", range(20))
def test_xor_is_learned_by_two_units_and_one(seed):
    """With SiLU in the hidden layer from every seed; sigmoid and tanh stop in a local minimum from some."""
    sg.manual_seed(seed)
    net = nn.Sequential(nn.Linear(2, 2), nn.SiLU(), nn.Linear(2, 1))
    target = sg.tensor(XOR, dtype=sg.float32).unsqueeze(1)
    optimizer = sg.optim.Adam(net.parameters(), lr=0.1)

    @sg.compile
    def step():
        optimizer.zero_grad()
        loss = nn.functional.binary_cross_entropy_with_logits(net(ROWS), target)
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(400):
        loss = step()
    assert (net(ROWS) > 0).int().reshape(-1).tolist() == XOR
    assert loss.item() < 0.05


# --------------------------------------------------------------------------------------------- refusals


def test_it_has_no_gradient():
    with pytest.raises(GradientError, match=r"step has no derivative .* it is 0 on both sides of the step"):
        nn.Perceptron(2)(ROWS.clone().requires_grad_()).sum().backward()


def test_what_is_refused():
    with pytest.raises(ArgumentError, match="needs one input at least, not 0"):
        nn.Perceptron(0)
    with pytest.raises(ShapeError, match=r"this Perceptron takes \(…, 2\), not \[4, 3\]"):
        nn.Perceptron(2)(sg.zeros(4, 3))
    with pytest.raises(
        ShapeError, match=r"learn takes rows \(N, 2\) and a target \(N\), not \[4, 2\] and \[3\]"
    ):
        nn.Perceptron(2).learn(ROWS, [0, 1, 1])
    with pytest.raises(ArgumentError, match="learns targets that are 0 or 1"):
        nn.Perceptron(2).learn(ROWS, [-1, 1, 1, -1])


def test_it_is_saved_and_shown(tmp_path):
    unit = by_hand("NAND")
    sg.save(unit, tmp_path / "nand.safetensors")
    again = sg.load(tmp_path / "nand.safetensors")
    assert again(ROWS).tolist() == GATES["NAND"]
    assert repr(again) == "Perceptron(in_features=2, bias=True)"
