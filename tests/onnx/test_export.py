"""Models as ONNX files: every batch size, every module, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.errors import ArgumentError, CaptureError, ExportError
from stepgrad.nn import functional as F
from tests.onnx.running import run

onnx = pytest.importorskip("onnx")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.onnx"


def check(path: Path, model, *example: sg.Tensor, batches=(1, 2, 9), **options) -> None:
    """The file of a model computes what the model does, for batches of several sizes."""
    sg.onnx.export(model, example, path, **options)
    proto = onnx.load(path)
    onnx.checker.check_model(proto, full_check=True)
    names = [value.name for value in proto.graph.input]
    for batch in batches:
        given = [
            sg.tensor(np.resize(x.numpy(), (batch, *x.shape[1:])) * (1 if x.dtype is sg.int64 else 1.5))
            for x in example
        ]
        with sg.no_grad():
            expected = model(*given)
        expected = expected if isinstance(expected, tuple) else (expected,)
        for found in run(proto, {name: x.numpy() for name, x in zip(names, given)}):
            assert len(found) == len(expected)
            for a, b in zip(found, expected):
                assert a.shape == b.shape
                assert a.dtype == b.numpy().dtype
                np.testing.assert_allclose(a, b.numpy(), rtol=1e-4, atol=1e-5)


MODULES = {
    "mlp": lambda: nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3), nn.Softmax(1)),
    "normalised": lambda: nn.Sequential(
        nn.BatchNorm1d(6), nn.Dropout(), nn.Linear(6, 4, bias=False), nn.GELU()
    ),
    "layer norm": lambda: nn.Sequential(nn.LayerNorm(6), nn.SiLU(), nn.PReLU(), nn.LogSoftmax(-1)),
    "shapes": lambda: nn.Sequential(nn.Unflatten(1, (2, 3)), nn.Linear(3, 5), nn.Flatten(), nn.Tanh()),
    "identity": nn.Identity,
}


@pytest.mark.parametrize("name", MODULES)
def test_modules(path, name):
    sg.manual_seed(0)
    check(path, MODULES[name]().eval(), sg.randn(4, 6))


def test_embeddings(path):
    class Words(nn.Module):
        def __init__(self):
            super().__init__()
            self.rows = nn.Embedding(7, 4)
            self.out = nn.Linear(12, 7)

        def forward(self, x):
            return self.out(self.rows(x).flatten(1))

    check(path, Words(), sg.tensor([[0, 1, 6], [2, 2, 3]]))


def test_sizes_that_depend_on_the_batch_in_many_ways(path):
    def function(x):
        batch, width = x.shape
        pairs = x.view(batch, 2, width // 2).transpose(0, 1).reshape(2 * batch, 3)
        ones = sg.ones(batch, 3)
        rows = sg.arange(batch).unsqueeze(1)
        mean = x.sum() / batch + rows.sum() * (2 * batch + 1)
        return (
            mean,
            sg.cat([pairs, ones]),
            pairs[:batch] + rows,
            x.expand(2, batch, width).sum(0),
            x[batch - 1],
        )

    check(path, function, sg.randn(4, 6))


def test_attention_by_hand(path):
    sg.manual_seed(1)
    mask = sg.tensor(np.tril(np.ones((5, 5), bool)))
    linear = nn.Linear(8, 24)

    def attention(x):
        batch = x.shape[0]
        q, k, v = (t.view(batch, 5, 2, 4).transpose(1, 2) for t in linear(x).split(8, 2))
        weights = (q @ k.transpose(2, 3) / 2).masked_fill(~mask, float("-inf")).softmax(-1)
        return (weights @ v).transpose(1, 2).reshape(batch, 5, 8)

    check(path, attention, sg.randn(2, 5, 8))


def test_losses_and_several_inputs(path):
    check(path, lambda x, t: F.cross_entropy(x, t), sg.randn(4, 3), sg.tensor([0, 2, 1, 1]))
    check(path, lambda x, t: F.mse_loss(x, t, reduction="none"), sg.randn(4, 3), sg.randn(4, 3))


def test_changes_in_place_of_what_the_model_made(path):
    def function(x):
        y = x * 2
        y += 1
        y[:, 1:3] = 0.0
        y[:, 0] = y[:, 3] + 1
        return y.relu_() if hasattr(y, "relu_") else y

    check(path, function, sg.randn(4, 6))


def test_a_batch_in_another_dimension(path):
    linear = nn.Linear(3, 2)
    sg.onnx.export(linear, sg.randn(5, 2, 3), path, batch_dim=1)
    x = np.ones((5, 4, 3), "f4")
    for (found,) in run(onnx.load(path), {"input": x}):
        np.testing.assert_allclose(found, linear(sg.tensor(x)).detach().numpy(), rtol=1e-5)


RECURRENT = {
    "lstm": lambda: nn.LSTM(3, 4, 2, batch_first=True, bidirectional=True),
    "projected": lambda: nn.LSTM(3, 4, proj_size=2, batch_first=True),
    "gru": lambda: nn.GRU(3, 4, batch_first=True),
    "rnn": lambda: nn.RNN(3, 4, 2, nonlinearity="relu", batch_first=True),
}


@pytest.mark.parametrize("name", RECURRENT)
def test_recurrent_layers(path, name):
    sg.manual_seed(0)
    layer = RECURRENT[name]()
    check(path, lambda x: layer(x)[0], sg.randn(2, 5, 3))


@pytest.mark.parametrize("cell", [nn.RNNCell, nn.GRUCell, nn.LSTMCell])
def test_recurrent_cells(path, cell):
    layer = cell(3, 4)
    if cell is nn.LSTMCell:
        check(path, lambda x, h, c: layer(x, (h, c)), sg.randn(2, 3), sg.randn(2, 4), sg.randn(2, 4))
    else:
        check(path, layer, sg.randn(2, 3), sg.randn(2, 4))


def test_states_whose_batch_is_another_dimension(path):
    layer = nn.GRU(3, 4, batch_first=True)
    sg.onnx.export(
        lambda x, h: layer(x, h)[0], (sg.randn(2, 5, 3), sg.randn(1, 2, 4)), path, batch_dim=(0, 1)
    )
    x, h = sg.randn(3, 5, 3), sg.randn(1, 3, 4)
    with sg.no_grad():
        expected = layer(x, h)[0].numpy()
    for (found,) in run(onnx.load(path), {"input_0": x.numpy(), "input_1": h.numpy()}):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_a_convolutional_network(path):
    sg.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.MaxPool2d(2),
        nn.Conv2d(4, 8, 3, groups=2, stride=2), nn.PReLU(8), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Dropout(0.5), nn.Linear(8, 10),
    ).eval()  # fmt: skip
    check(path, net, sg.randn(2, 1, 12, 12))


def test_the_shapes_of_the_example_alone(path):
    sg.onnx.export(lambda x: x.sum() / x.shape[0], sg.ones(4, 2), path, batch_dim=None)
    graph = onnx.load(path).graph
    assert [d.dim_value for d in graph.input[0].type.tensor_type.shape.dim] == [4, 2]
    for (found,) in run(onnx.load(path), {"input": np.ones((4, 2), "f4")}):
        assert found == 2


def test_names(path):
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    sg.onnx.export(model, sg.zeros(1, 2), path, input_names=["x"], output_names=["price"])
    proto = onnx.load(path)
    assert [v.name for v in proto.graph.input] == ["x"]
    assert [v.name for v in proto.graph.output] == ["price"]
    assert proto.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    assert proto.graph.output[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    assert {t.name for t in proto.graph.initializer} == {"0.weight", "0.bias", "1.weight", "1.bias"}
    assert {node.name for node in proto.graph.node} >= {"/0/gemm", "/1/gemm_1"}
    assert [o.version for o in proto.opset_import] == [20]


def test_the_model_stays_as_it_is(path):
    model = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout()).train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    state = sg.get_rng_state()
    sg.onnx.export(model, sg.randn(4, 2), path)
    assert all(part.training for part in model.modules())
    assert all((value == before[key]).all() for key, value in model.state_dict().items())
    assert sg.get_rng_state() != state  # randn above drew
    sg.set_rng_state(state)


def test_the_same_model_gives_the_same_bytes(path, tmp_path):
    model = MODULES["normalised"]().eval()
    sg.onnx.export(model, sg.ones(2, 6), path)
    sg.onnx.export(model, sg.ones(3, 6), tmp_path / "again.onnx")
    assert path.read_bytes() == (tmp_path / "again.onnx").read_bytes()


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("calls", sg.zeros(()))

    def forward(self, x):
        self.calls.add_(1)
        return x * self.calls


REFUSED = {
    "random": (lambda x: x + sg.rand_like(x), ExportError, "rand cannot be exported to ONNX: its random"),
    "a value": (lambda x: x * 2 if x.sum() > 0 else x, CaptureError, "asks for the value"),
    "no tensor": (lambda x: 3, ExportError, "returns tensors, not int"),
    "a mask": (lambda x: x[x > 0], ExportError, "mask"),
    "a share of the rows": (lambda x: x.sum() * (1 / len(x)), ExportError, "a number in mul depends"),
    "another path": (lambda x: x.exp() if x.shape[0] == 5 else x.cos(), ExportError, "other operations"),
    "more operations": (
        lambda x: sum(x[i] for i in range(len(x))),
        ExportError,
        "other operations|depends on",
    ),
    "state": (Counting(), ExportError, r"changes a tensor of shape \[\] in place that was there before"),
    "numpy": (
        lambda x: x + sg.tensor(np.arange(len(x)))[:, None],
        ExportError,
        "depends on the batch without",
    ),
    "a square": (
        lambda x: x.expand(len(x), *x.shape).reshape(-1),
        ExportError,
        "shape of reshape|shape of expand",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_said_is_refused(path, case):
    model, error, message = REFUSED[case]
    with pytest.raises(error, match=message):
        sg.onnx.export(model, sg.ones(2, 3), path)
    assert not path.exists()


def test_wrong_arguments(path):
    linear = nn.Linear(2, 3)
    with pytest.raises(ArgumentError, match=r"takes an example of Tensors.*not list"):
        sg.onnx.export(linear, [[1.0]], path)
    with pytest.raises(ArgumentError, match="no batch in dimension 0"):
        sg.onnx.export(linear, sg.zeros(()), path)
    with pytest.raises(ArgumentError, match="input_names needs 1 different names"):
        sg.onnx.export(linear, sg.zeros(1, 2), path, input_names=["a", "b"])
    with pytest.raises(ArgumentError, match="batch_dim names 2 dimensions for 1 arguments"):
        sg.onnx.export(linear, sg.zeros(1, 2), path, batch_dim=(0, 0))


def test_looking_at_changed_memory_in_another_way_is_refused(path):
    def function(x):
        y = x * 2
        view = y.view(-1)
        y += 1
        return view.exp()

    with pytest.raises(ExportError, match="changes memory in place"):
        sg.onnx.export(function, sg.ones(2, 3), path)
