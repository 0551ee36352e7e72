"""What is measured, against numbers that are known another way."""

import math

import numpy as np
import pytest

import stepgrad as sg
from stepgrad import nn, optim
from stepgrad.train.health import measure
from stepgrad.train.health.case import make_case, untouched
from tests.train.runs import bits, plain_net, rich_net, table, trainer_of

# The 2-2-1 network of a textbook, worked by hand.
GOLDEN = {
    "0.weight": [[0.4352, 0.3545], [0.1951, 0.4835]], "0.bias": [-0.1419, 0.0439],
    "2.weight": [[-0.1725, 0.1129]], "2.bias": [-0.3043],
}  # fmt: skip


def golden_net():
    net = nn.Sequential(nn.Linear(2, 2), nn.Sigmoid(), nn.Linear(2, 1), nn.Sigmoid()).double()
    net.load_state_dict({name: sg.tensor(values, dtype=sg.float64) for name, values in GOLDEN.items()})
    return net


def look(model, loss, optimizer, x, y):
    return measure(make_case(model, loss, optimizer, x, y))


def test_the_gradient_norms_of_the_worked_example():
    net = golden_net()
    x, y = sg.tensor([[1.0, 1.0]], dtype=sg.float64), sg.tensor([[0.0]], dtype=sg.float64)
    seen = look(net, nn.BCELoss(), optim.SGD(net.parameters(), lr=1.0), x, y)
    assert [round(layer.gradient, 4) for layer in seen.layers] == [0.0332, 0.5702]
    assert [layer.path for layer in seen.layers] == ["0", "2"]
    assert seen.loss == pytest.approx(0.5368841905553434, abs=1e-12)
    first = seen.layers[0]
    assert first.weight == pytest.approx(
        np.sqrt(sum(np.sum(np.square(GOLDEN[f"0.{n}"])) for n in ("weight", "bias")))
    )
    # With a learning rate of 1 the update is the gradient.
    assert first.update == pytest.approx(first.gradient / first.weight)
    assert first.flow == pytest.approx(math.hypot(-0.016160061075902833, 0.010319305678560538))


def test_ten_sigmoids_let_a_quarter_to_the_tenth_through_at_most():
    net = nn.Sequential(nn.Linear(1, 1), *(nn.Sigmoid() for _ in range(10))).double()
    x, y = sg.randn(5, 1).double(), sg.zeros(5, 1).double()
    seen = look(net, nn.L1Loss(), None, x, y)
    assert 0 < seen.layers[0].flow <= 0.25**10  # |∂loss/∂ŷ| is 1
    assert seen.layers[0].update is None


def test_saturated_and_dead_units_are_counted():
    net = nn.Sequential(
        nn.Linear(1, 4), nn.ReLU(), nn.Linear(4, 2), nn.Sigmoid(), nn.Linear(2, 1), nn.Sigmoid()
    )
    with sg.no_grad():
        net[0].weight.copy_(sg.tensor([[1.0], [-1.0], [1.0], [0.0]]))
        net[0].bias.copy_(sg.tensor([0.0, 0.0, -9.0, -1.0]))  # the last two are below 0 for every row
        net[2].weight.zero_()
        net[2].bias.copy_(sg.tensor([0.0, 8.0]))  # the second one is at σ(8)
    seen = look(net, nn.MSELoss(), None, sg.linspace(-1, 1, 6).reshape(6, 1), sg.zeros(6, 1))
    relu, sigmoid = seen.activations  # the output's sigmoid leads to no weights
    assert (relu.op, relu.module, relu.units, relu.dead, relu.saturated) == ("relu", "1", 4, 2, 0.0)
    assert (sigmoid.op, sigmoid.units, sigmoid.dead, sigmoid.saturated) == ("sigmoid", 2, 0, 0.5)


def test_functions_of_a_module_of_ones_own_are_seen():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(3, 4), nn.Linear(4, 1)

        def forward(self, x):
            return self.second(nn.functional.relu(self.first(x) - 100))

    seen = look(Net(), nn.MSELoss(), None, sg.randn(8, 3), sg.randn(8, 1))
    assert [(a.op, a.dead) for a in seen.activations] == [("relu", 4)]
    assert seen.layers[0].gradient == 0


def test_the_inputs_are_looked_at():
    net = nn.Sequential(nn.Flatten(), nn.Linear(6, 3), nn.Tanh(), nn.Linear(3, 1))
    x = sg.rand(7, 2, 3) + 5
    (data,) = look(net, nn.MSELoss(), None, x, sg.randn(7, 1)).inputs
    assert (data.layer, data.one_sign) == ("1", True)
    a = x.numpy().astype("float64").reshape(7, 6)
    assert data.offset == pytest.approx((a.mean(0) ** 2).sum() / (a**2).mean(0).sum())
    assert data.largest == pytest.approx(a.max())
    assert not look(net, nn.MSELoss(), None, x - 5.5, sg.randn(7, 1)).inputs[0].one_sign


@pytest.mark.parametrize("make", [lambda p: optim.Adam(p), lambda p: optim.SGD(p, lr=0.1, momentum=0.9)])
def test_nothing_is_changed_by_looking(make):
    trainer = trainer_of(rich_net(), make)
    x, labels = table(rows=20)
    for _ in range(2):  # without and with a state of the optimizer
        before = bits(trainer)
        gradient = trainer.model[0].weight.grad = sg.ones(4, 4)
        trainer.model.eval()
        seen = look(trainer.model, trainer.loss, trainer.optimizer, x, labels)
        assert bits(trainer) == before
        assert trainer.model[0].weight.grad is gradient
        assert not trainer.model.training
        assert seen.layers[0].update > 0
        trainer.fit((x, labels), epochs=1)


def test_an_error_leaves_everything_as_it_was():
    trainer = trainer_of(rich_net())
    before = bits(trainer)
    case = make_case(trainer.model, trainer.loss, trainer.optimizer, *table(rows=20))

    def fail():
        with untouched(case):
            case.train(3)
            assert bits(trainer) != before
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert bits(trainer) == before


def test_an_optimizer_that_needs_a_closure_has_no_measured_update():
    class Lazy(optim.SGD):
        def step(self, closure=None):
            raise sg.errors.ArgumentError("step needs a closure.")

    net = plain_net()
    assert look(net, nn.CrossEntropyLoss(), Lazy(net.parameters()), *table()).layers[0].update is None


def test_the_first_value_that_is_not_finite():
    class Logarithm(nn.Module):
        def forward(self, x):
            return x.log()

    net = nn.Sequential(nn.Linear(2, 2), Logarithm(), nn.Linear(2, 1))
    with sg.no_grad():
        net[0].weight.copy_(-sg.eye(2))
        net[0].bias.zero_()
    seen = look(net, nn.MSELoss(), optim.SGD(net.parameters()), sg.tensor([[1.0, 2.0]]), sg.ones(1, 1))
    origin = seen.origin
    assert (origin.op, origin.module, origin.phase) == ("log", "1", "forward")
    assert math.isnan(origin.value)
    assert origin.inputs == ("float32[1, 2], -2 … -1",)


@pytest.mark.parametrize(
    "make, dead, saturated",
    [(nn.ReLU6, 2, 1.0), (nn.Hardtanh, 2, 1.0), (nn.Softsign, 0, 1.0), (nn.Hardsigmoid, 2, 1.0),
     (nn.Mish, 1, 0.0), (nn.Hardswish, 1, 0.0), (nn.SELU, 1, 0.0), (lambda: nn.PReLU(2), 0, 0.0)],
)  # fmt: skip
def test_units_that_are_flat_on_one_side_or_both(make, dead, saturated):
    net = nn.Sequential(nn.Linear(1, 2), make(), nn.Linear(2, 1))
    with sg.no_grad():
        net[0].bias.copy_(sg.tensor([-30.0, 30.0]))
    (seen,) = look(net, nn.MSELoss(), None, sg.randn(6, 1), sg.zeros(6, 1)).activations
    assert (seen.dead, seen.saturated) == (dead, saturated)


@pytest.mark.parametrize("make", [nn.Hardshrink, nn.Softshrink, nn.Tanhshrink, lambda: nn.GLU(1)])
def test_functions_that_are_flat_on_purpose_are_not_counted(make):
    net = nn.Sequential(nn.Linear(1, 4), make(), nn.Linear(2, 1))
    if not isinstance(net[1], nn.GLU):
        net[2] = nn.Linear(4, 1)
    assert look(net, nn.MSELoss(), None, sg.randn(6, 1), sg.zeros(6, 1)).activations == ()


def test_an_optimizer_that_computes_the_loss_several_times():
    net = nn.Linear(2, 1)
    x = sg.randn(20, 2)
    found = sg.health(net, nn.MSELoss(), optim.LBFGS(net.parameters()), x, x.sum(1, keepdim=True))
    assert found
    assert found.measurements[1].loss < 1e-3 < found.measurements[0].loss
