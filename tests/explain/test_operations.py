"""Every operation of the registry in a step of its own, and layers of every family."""

import dataclasses

import numpy
import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.autograd.engine import apply
from stepgrad.explain.expressions import LANGUAGE
from stepgrad.ops import REGISTRY
from stepgrad.ops.namespace import NUMPY
from stepgrad.ops.symbol import Symbol, symbols

# Said by their result: what is put at places that indices name.
WITHOUT_FORMULA = {"ctc_loss", "reduce_along"}
# No derivative by an operand of the samples, or none at all; those of a symmetric matrix, of which a central
# difference would change one number alone.
REFUSED = {"cholesky", "eigh", "step", "zeta"}
OPERATIONS = [
    op for op in REGISTRY.values()
    if op.differentiable and op.samples and op.kind not in ("function", "random") and op.name not in REFUSED
]  # fmt: skip


class Operation(nn.Module):
    """An operation whose floating point operands are parameters."""

    def __init__(self, op, operands, attrs):
        super().__init__()
        self.op, self.attrs, self.operands = op, attrs, []
        for i, operand in enumerate(operands):
            if isinstance(operand, numpy.ndarray) and operand.dtype.kind == "f":
                self.register_parameter(f"p{i}", nn.Parameter(sg.tensor(operand)))
                self.operands.append(f"p{i}")
            else:
                self.operands.append(sg.tensor(operand) if isinstance(operand, numpy.ndarray) else operand)

    def forward(self, _):
        operands = [getattr(self, x) if isinstance(x, str) else x for x in self.operands]
        return apply(self.op, *operands, **self.attrs)


def weighted_sum(output):
    """A loss to which every number contributes differently."""
    return (output * sg.sin(sg.arange(output.numel(), dtype=sg.float64) + 1).reshape(output.shape)).sum()


def assert_true(model, x, loss=weighted_sum, y=None, layout="scalar"):
    optimizer = sg.optim.SGD(model.parameters(), lr=0.1) if list(model.parameters()) else None
    worked = sg.explain(model, loss, optimizer, x, y, layout=layout)
    checked = worked.check()
    assert not checked.faults, "\n".join(f"{fault} | {worked[fault.id]}" for fault in checked.faults[:3])
    place = {line.id: i for i, line in enumerate(worked)}
    for line in worked:
        assert all(place.get(id, -1) < place[line.id] for id in line.references), f"{line} comes too early"
    return worked, checked


# Of these a step has thousands of lines.
LONG = {"convolution", "convolution_input", "convolution_weight", "ctc_loss"}


@pytest.mark.parametrize(
    "op",
    [pytest.param(op, marks=[pytest.mark.slow] if op.name in LONG else []) for op in OPERATIONS],
    ids=lambda op: op.name,
)
def test_an_operation_in_a_step_of_its_own(op):
    sample = op.samples[0]
    model = Operation(op, sample.draw(numpy.random.default_rng(0)), sample.attrs)
    worked, checked = assert_true(model, [1.0])
    if op.name not in WITHOUT_FORMULA:
        assert all(worked[id].formula or without_formula(worked[id]) for id in checked.left_out)
    assert checked.gradients


@pytest.mark.parametrize(
    "op",
    [pytest.param(op, marks=[pytest.mark.slow] if op.name == "ctc_loss" else []) for op in OPERATIONS],
    ids=lambda op: op.name,
)
def test_an_operation_in_matrices(op):
    sample = op.samples[0]
    model = Operation(op, sample.draw(numpy.random.default_rng(0)), sample.attrs)
    worked, checked = assert_true(model, [1.0], layout="matrix")
    for id in checked.left_out:
        line = worked[id]
        assert line.formula or any(map(without_formula, computed_with(worked, line))), id
    assert checked.gradients


def computed_with(worked, line):
    """A line, and what is computed in it without a name."""
    quantity, _ = worked.source.places[line.id]
    values = [quantity.value]
    while values:
        value = worked.source.quantities.resolved(values.pop())
        if value.op is not None and value.op.kind not in ("random", "function"):
            yield dataclasses.replace(line, op=value.op.name)
            values += [x for x in value.inputs if hasattr(x, "op")]


def without_formula(line):
    """Whether a line may be shown by its result: a routine on whole arrays, or a function that the evaluator
    does not know.
    """
    op = REGISTRY[line.op]
    if op.name in WITHOUT_FORMULA:
        return True
    if op.kind == "elementwise":
        attributes = op.samples[0].attrs
        return not op.value(Symbol, *symbols(*op.input_names()), **attributes).heads() <= LANGUAGE
    return op.kind == "routine"


@pytest.mark.parametrize("op", [op for op in REGISTRY.values() if op.written], ids=lambda op: op.name)
def test_the_textbook_form_of_a_record_gives_its_value(op):
    for sample in op.samples:
        operands = sample.draw(numpy.random.default_rng(1))
        with numpy.errstate(all="ignore"):
            found = op.written(NUMPY, *operands, **sample.attrs)
        numpy.testing.assert_allclose(found, op.forward(numpy, *operands, **sample.attrs), rtol=1e-9)


class First(nn.Module):
    """The first result of a module that returns several."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x)[0]


class Called(nn.Module):
    """A function of a linear layer and its input, as people write them in `forward`."""

    def __init__(self, function):
        super().__init__()
        self.function, self.linear = function, nn.Linear(3, 2)

    def forward(self, x):
        return self.function(self.linear, x)


LAYERS = {
    "convolution": (
        lambda: nn.Sequential(nn.Conv2d(1, 2, 2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2)),
        (1, 1, 3, 3),
    ),
    "strides and padding": (lambda: nn.Conv2d(1, 1, 3, padding=1, stride=2), (1, 1, 4, 4)),
    "transposed convolution": (lambda: nn.ConvTranspose2d(1, 1, 2), (1, 1, 2, 2)),
    "pooling": (lambda: nn.Sequential(nn.Conv2d(1, 1, 1), nn.MaxPool2d(2), nn.AvgPool2d(2)), (1, 1, 4, 4)),
    "groups of channels": (
        lambda: nn.Sequential(
            nn.Conv2d(4, 4, 3, padding=(0, 1), groups=2), nn.ConvTranspose2d(4, 2, 2, groups=2)
        ),
        (2, 4, 3, 3),
    ),
    "windows that overlap": (
        lambda: nn.Sequential(
            nn.Conv1d(1, 2, 3, dilation=2, padding=2), nn.MaxPool1d(3, 2), nn.AvgPool1d(2, 1)
        ),
        (1, 1, 7),
    ),
    "batch norm": (lambda: nn.Sequential(nn.BatchNorm2d(1), nn.Conv2d(1, 1, 1)), (2, 1, 2, 2)),
    "group norm": (lambda: nn.GroupNorm(1, 2), (2, 2, 2)),
    "RNN": (lambda: First(nn.RNN(2, 2)), (2, 1, 2)),
    "LSTM": (lambda: First(nn.LSTM(2, 2)), (2, 1, 2)),
    "GRU": (lambda: First(nn.GRU(2, 2)), (2, 1, 2)),
    "RNN backwards too": (lambda: First(nn.RNN(2, 2, nonlinearity="relu", bidirectional=True)), (2, 2, 2)),
    "attention": (lambda: nn.TransformerEncoderLayer(4, 2, 3, dropout=0.0, batch_first=True), (1, 3, 4)),
    "a layer used twice": (lambda: Called(lambda linear, x: linear(x)[:, :1] * linear(x + 1).sum()), (2, 3)),
    "picking and joining": (
        lambda: Called(lambda linear, x: sg.cat([linear(x)[sg.tensor([1, 0, 1])], linear(x) * 2]).amax(1)),
        (2, 3),
    ),
    "reductions": (
        lambda: Called(lambda f, x: f(x).norm() + f(x).std() + f(x).var(0).sum() + f(x).prod()),
        (2, 3),
    ),
    "changes in place": (lambda: Called(lambda linear, x: linear(x).relu_().mul_(2).add_(1)), (2, 3)),
    "choices": (lambda: Called(lambda f, x: sg.where(f(x) > 0, f(x) ** 2, f(x) ** 3)), (2, 3)),
    "products of matrices": (lambda: Called(lambda f, x: (x @ f.weight.T) @ (x @ f.weight.T).T), (2, 3)),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer(name):
    sg.manual_seed(4)
    make, shape = LAYERS[name]
    _, checked = assert_true(make(), sg.randn(*shape))
    assert checked.gradients
    assert len(checked.left_out) < checked.lines / 5


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_in_matrices(name):
    sg.manual_seed(4)
    make, shape = LAYERS[name]
    _, checked = assert_true(make(), sg.randn(*shape), layout="matrix")
    assert checked.gradients
    assert not checked.left_out


class Square(sg.autograd.Function):
    """A user's own operation, of which nothing is known but its result."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        return g * 2 * ctx.saved_tensors[0]


def test_an_own_function_is_shown_by_its_result():
    worked, checked = assert_true(Called(lambda linear, x: Square.apply(linear(x))), sg.randn(2, 3))
    own = [line for line in worked if line.op == "Square" and line.kind in ("forward", "after")]
    assert len(own) == 2 * 4
    assert set(checked.left_out) == {line.id for line in own}
    assert str(own[0]) == f"{own[0].symbol} = {own[0].text}"
