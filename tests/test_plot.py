"""Pictures: what they show, as numbers."""

import numpy
import pytest

import stepgrad as sg
from stepgrad import nn, plot
from stepgrad.errors import ArgumentError, ShapeError


def lines_of(figure):
    return {line.get_label(): line.get_xydata() for line in figure.axes[0].lines}


@pytest.mark.parametrize("given", ["sigmoid", nn.Sigmoid, nn.Sigmoid(), lambda x: x.sigmoid()])
def test_an_activation_with_its_derivative(given):
    drawn = list(lines_of(plot.activation(given, -4, 4)).values())[-2:]
    x = drawn[0][:, 0]
    y = 1 / (1 + numpy.exp(-x))
    assert (x[0], x[-1]) == (-4, 4)
    numpy.testing.assert_allclose(drawn[0][:, 1], y, rtol=1e-12)
    numpy.testing.assert_allclose(drawn[1][:, 1], y * (1 - y), rtol=1e-12)


def test_every_activation_can_be_drawn():
    from tests.explain.networks import ACTIVATIONS, ARGUMENTS

    for name, made in ACTIVATIONS.items():
        if name == "GLU":
            continue  # halves its input
        figure = plot.activation(made(*ARGUMENTS.get(name, ())))
        assert "derivative" in lines_of(figure)


def test_a_step_has_no_derivative_to_be_drawn():
    assert set(lines_of(plot.activation(nn.Step()))) & {"Step()", "derivative"} == {"Step()"}


def test_a_picture_can_be_written(tmp_path):
    plot.activation("gelu").savefig(tmp_path / "gelu.png")
    assert (tmp_path / "gelu.png").read_bytes().startswith(b"\x89PNG")


def test_the_line_of_a_perceptron():
    x, y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 0, 0, 1]
    unit = nn.Perceptron(2)
    unit.learn(sg.tensor(x), sg.tensor(y))
    axes = plot.separation(unit, x, y).axes[0]
    border = axes.collections[1].get_paths()[0].vertices
    w, b = unit.weight.numpy(), unit.bias.item()
    # A step is 0 or 1 at the points of the grid, so its border lies within half a cell of the line.
    cell = float(numpy.diff(axes.get_xlim())[0]) / 240
    assert numpy.abs((border @ w + b) / numpy.hypot(*w)).max() < cell
    numpy.testing.assert_array_equal(axes.collections[2].get_offsets(), x[:3])
    numpy.testing.assert_array_equal(axes.collections[3].get_offsets(), x[3:])


def test_logits_and_several_classes():
    sg.manual_seed(0)
    x = sg.rand(30, 2)
    line = nn.Linear(2, 1)
    line.load_state_dict({"weight": sg.tensor([[1.0, -2.0]]), "bias": sg.tensor([0.3])})
    axes = plot.separation(line, x, (x[:, 0] > 0.5).long()).axes[0]
    border = axes.collections[1].get_paths()[0].vertices
    outputs = border @ line.weight.detach().numpy().T + line.bias.item()
    assert numpy.abs(outputs).max() < 1e-6
    assert len(plot.separation(nn.Linear(2, 3), x, sg.randint(0, 3, (30,))).axes[0].collections) == 4


def test_the_loss_over_two_weights_and_the_ways_down():
    sg.manual_seed(0)
    x = sg.rand(20, 2, dtype=sg.float64)
    y = x @ sg.tensor([[2.0], [-1.0]], dtype=sg.float64)
    model = nn.Linear(2, 1, bias=False).double()
    before = model.weight.tolist()
    ways = {"SGD": lambda p: sg.optim.SGD(p, lr=0.5), "Adam": lambda p: sg.optim.Adam(p, lr=0.3)}
    figure = plot.loss_surface(model, nn.MSELoss(), x, y, ("weight[0,0]", "weight[0,1]"), ways, steps=60)
    drawn = lines_of(figure)
    for name in ways:
        assert drawn[name].shape == (61, 2)
        numpy.testing.assert_allclose(drawn[name][0], before[0])
        assert numpy.abs(drawn[name][-1] - [2, -1]).max() < 0.5
    assert model.weight.tolist() == before
    # The first step of gradient descent, worked out another way.
    w = numpy.array(before[0])
    g = 2 * (x.numpy() @ w - y.numpy()[:, 0]) @ x.numpy() / 20
    numpy.testing.assert_allclose(drawn["SGD"][1], w - 0.5 * g, rtol=1e-9)


def test_two_weights_of_a_deeper_network_move_alone():
    sg.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    names = ("0.weight[1,0]", "2.bias[0]")
    ways = {"SGD": lambda p: sg.optim.SGD(p, lr=0.2)}
    figure = plot.loss_surface(model, nn.MSELoss(), sg.rand(9, 2), sg.rand(9, 1), names, ways, steps=4)
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == names


def test_a_way_of_lbfgs_with_two_weights_of_three():
    sg.manual_seed(0)
    x = sg.rand(30, 3, dtype=sg.float64)
    model = nn.Linear(3, 1, bias=False).double()
    y = x @ sg.tensor([[2.0], [-1.0], [0.5]], dtype=sg.float64)
    names = ("weight[0,0]", "weight[0,2]")
    for search in (None, "strong_wolfe"):
        ways = {"LBFGS": lambda p, search=search: sg.optim.LBFGS(p, lr=1, line_search_fn=search)}
        way = lines_of(plot.loss_surface(model, nn.MSELoss(), x, y, names, ways, steps=6))["LBFGS"]
        # Where it ends is what least squares find for the two, the third as it is.
        rest = y.numpy()[:, 0] - x.numpy()[:, 1] * model.weight[0, 1].item()
        best = numpy.linalg.lstsq(x.numpy()[:, [0, 2]], rest, rcond=None)[0]
        numpy.testing.assert_allclose(way[-1], best, atol=1e-4)


@pytest.mark.parametrize("rate", [5.0, 50.0, 1e200])
def test_a_way_that_diverges_leaves_the_picture(rate):
    sg.manual_seed(0)
    x = sg.randn(40, 2)
    model = nn.Linear(2, 1, bias=False)
    ways = {
        "too large": lambda p: sg.optim.SGD(p, lr=rate),
        "right": lambda p: sg.optim.SGD(p, lr=0.1),
    }
    y = x.sum(1, keepdim=True)
    figure = plot.loss_surface(model, nn.MSELoss(), x, y, ("weight[0,0]", "weight[0,1]"), ways, steps=200)
    low, high = figure.axes[0].get_xlim()
    assert 6 <= high - low < 9  # `reach` to either side of the start and of the way that ends at 1
    drawn = lines_of(figure)
    assert drawn["right"].shape == (201, 2)
    assert len(drawn["too large"]) < 10
    figure.canvas.draw()


def over(*weights):
    return plot.loss_surface(nn.Linear(2, 1), nn.MSELoss(), [[1.0, 2.0]], [[1.0]], weights)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: plot.activation("sigmod"), ArgumentError, "no activation 'sigmod'. Did you mean 'sigmoid'?"),
        (lambda: plot.activation("relu", 2, 1), ArgumentError, "low has to be below high"),
        (lambda: plot.separation(nn.Linear(2, 1), [[1.0]], [1]), ShapeError, "takes points (N, 2) and N"),
        (lambda: over("w[0]", "bias[0]"), ArgumentError, "the model has no parameter 'w'"),
        (lambda: over("weight[0]", "bias[0]"), ArgumentError, "no number of weight, whose shape is [1, 2]"),
    ],
)
def test_what_cannot_be_drawn(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert message in str(caught.value)
