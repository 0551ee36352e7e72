"""The table of a network's layers: shapes, parameters, products, memory, depth."""

from itertools import pairwise

import pytest

import stepgrad as sg
from stepgrad import nn, ops
from stepgrad.errors import ArgumentError, ShapeError
from stepgrad.nn import summaries


def mlp(*sizes):
    layers = []
    for a, b in pairwise(sizes):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def columns(found, *names):
    return [tuple(getattr(row, name) for name in names) for row in found.rows]


def test_a_network_of_layers():
    found = nn.summary(mlp(784, 256, 128, 10), (64, 784))
    assert columns(
        found, "path", "kind", "outputs", "parameters", "multiply_adds", "memory", "role", "depth"
    ) == [
        ("0", "Linear", ((64, 256),), 784 * 256 + 256, 64 * 784 * 256, 64 * 256 * 4, "hidden", 1),
        ("1", "ReLU", ((64, 256),), 0, 0, 64 * 256 * 4, "", 1),
        ("2", "Linear", ((64, 128),), 256 * 128 + 128, 64 * 256 * 128, 64 * 128 * 4, "hidden", 2),
        ("3", "ReLU", ((64, 128),), 0, 0, 64 * 128 * 4, "", 2),
        ("4", "Linear", ((64, 10),), 128 * 10 + 10, 64 * 128 * 10, 64 * 10 * 4, "output", 3),
    ]
    assert found.rows[0].text == "Linear(in_features=784, out_features=256, bias=True)"
    assert (found.parameters, found.trainable) == (235_146, 235_146)
    assert found.multiply_adds == 64 * (784 * 256 + 256 * 128 + 128 * 10)
    assert found.memory == 64 * 4 * (256 + 256 + 128 + 128 + 10)
    assert found.inputs == [(64, 784)]
    assert [row.path for row in found.hidden] == ["0", "2"]
    assert (found.depth, found.is_deep, found.not_called) == (3, True, [])
    assert found.by_depth() == {
        1: (200_960, 64 * 784 * 256, 2 * 65536),
        2: (32_896, 64 * 256 * 128, 2 * 32768),
        3: (1_290, 64 * 128 * 10, 2560),
    }


@pytest.mark.parametrize("hidden, is_deep", [((), False), ((8,), False), ((8, 8), True), ((8, 8, 8), True)])
def test_deep_is_two_hidden_layers_or_more(hidden, is_deep):
    found = nn.summary(mlp(4, *hidden, 2), (1, 4))
    assert len(found.hidden) == len(hidden)
    assert found.depth == len(hidden) + 1
    assert found.is_deep is is_deep


def test_the_text_is_a_table():
    net = mlp(3, 8, 8, 2)
    net[0].requires_grad_(False)
    net[2].bias.requires_grad_(False)
    assert repr(nn.summary(net, (5, 3))) == (
        "layer     role    output        parameters  multiply-adds  bytes\n"
        "input             5×3\n"
        "0 Linear  hidden  5×8            32 frozen            120    160\n"
        "1 ReLU            5×8                    0              0    160\n"
        "2 Linear  hidden  5×8     72 partly frozen            320    160\n"
        "3 ReLU            5×8                    0              0    160\n"
        "4 Linear  output  5×2                   18             80     40\n"
        "total                                  122            520    680\n"
        "2 hidden layers, depth 3: a deep network\n"
        "40 of the parameters are frozen"
    )
    assert str(nn.summary(nn.Linear(2, 1), (1, 2))).splitlines()[-1] == "no hidden layers, depth 1"
    assert str(nn.summary(mlp(2, 2, 1), (1, 2))).splitlines()[-1] == "1 hidden layer, depth 2"


class Branches(nn.Module):
    """A weight of its own, two ways side by side, a part that is not called, a result of several tensors."""

    def __init__(self):
        super().__init__()
        self.left = nn.Linear(4, 4)
        self.right = nn.ModuleList([nn.Linear(4, 4), nn.BatchNorm1d(4)])
        self.w = nn.ParameterList([sg.zeros(4, 2)])
        self.unused = nn.Linear(9, 9)

    def forward(self, x):
        y = self.left(x).relu()
        for module in self.right:
            x = module(x)
        return {"answer": (x + y) @ self.w[0], "both": (x, y)}


def test_branches_and_own_weights():
    found = nn.summary(Branches(), (2, 4))
    assert columns(found, "path", "role", "depth", "parameters", "multiply_adds", "outputs", "memory") == [
        ("", "output", 2, 8, 2 * 4 * 2, ((2, 2), (2, 4), (2, 4)), 16 + 32),
        ("left", "hidden", 1, 20, 2 * 4 * 4, ((2, 4),), 32),
        ("right.0", "hidden", 1, 20, 2 * 4 * 4, ((2, 4),), 32),
        ("right.1", "", 1, 8, 0, ((2, 4),), 32),
    ]
    assert found.depth == 2
    assert not found.is_deep
    assert found.parameters == 8 + 20 + 20 + 8 + 90
    assert found.not_called == ["unused.weight", "unused.bias"]
    assert str(found).endswith("2 hidden layers, depth 2\nnot called: unused.weight, unused.bias")


def test_products_of_two_inputs_are_counted_and_are_no_layer():
    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.query, self.key, self.out = (nn.Linear(4, 4) for _ in range(3))

        def forward(self, x):
            return self.out((self.query(x) @ self.key(x).transpose(-1, -2)).softmax(-1) @ x)

    found = nn.summary(Attention(), (2, 5, 4))
    assert columns(found, "path", "role", "multiply_adds", "memory") == [
        ("", "", 2 * 5 * 5 * 4 * 2, 0),  # what it returns is what `out` made
        ("query", "hidden", 2 * 5 * 4 * 4, 160),
        ("key", "hidden", 2 * 5 * 4 * 4, 160),
        ("out", "output", 2 * 5 * 4 * 4, 160),
    ]
    assert found.depth == 2


def test_a_shared_layer_counts_twice_and_its_parameters_once():
    layer = nn.Linear(3, 3)
    found = nn.summary(nn.Sequential(layer, nn.Tanh(), layer, nn.Flatten(), nn.Identity()), (2, 3))
    assert columns(found, "path", "parameters", "multiply_adds", "memory", "role", "depth") == [
        ("0", 12, 18, 24, "hidden", 1),
        ("1", 0, 0, 24, "", 1),
        ("0", 0, 18, 24, "output", 2),
        ("3", 0, 0, 0, "", 2),  # the same memory
        ("4", 0, 0, 0, "", 2),
    ]
    assert found.parameters == 12


def test_several_inputs_of_several_kinds():
    net = nn.EmbedColumns(nn.ModuleList([nn.Embedding(50, 4)]), mlp(7, 5, 1)).double()
    found = nn.summary(net, (8, 3), sg.zeros(8, 1, dtype=sg.int64))
    assert found.inputs == [(8, 3), (8, 1)]
    assert columns(found, "path", "role", "memory")[:2] == [
        ("embeddings.0", "", 8 * 4 * 8), ("body.0", "hidden", 8 * 5 * 8),
    ]  # fmt: skip
    assert nn.summary(nn.Linear(2, 3), sg.rand(2).numpy()).rows[0].outputs == ((3,),)
    assert nn.summary(nn.MSELoss(), (2, 3), (2, 3)).rows[0].outputs == ((),)


def test_the_model_stays_as_it_was():
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Dropout(0.5))
    net[1].eval()
    state = {name: x.tolist() for name, x in net.state_dict().items()}
    random = sg.get_rng_state()
    nn.summary(net, (1, 2))
    with pytest.raises(ShapeError, match="in 0: Linear"):
        nn.summary(net, (4, 3))
    assert [m.training for m in net.modules()] == [True, True, False, True]
    assert {name: x.tolist() for name, x in net.state_dict().items()} == state
    assert sg.get_rng_state() == random
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())


def test_what_is_no_input():
    with pytest.raises(ArgumentError, match=r"summary needs the inputs of the model or their shapes"):
        nn.summary(nn.Linear(2, 3))
    with pytest.raises(ArgumentError, match=r"a tensor or a shape such as \(64, 784\), not 2"):
        nn.summary(nn.Linear(2, 3), 2)


def test_the_products_of_every_contraction_are_counted():
    # A new contraction has to be known to the summary: how many products make one element of its result.
    assert {op.name for op in ops.REGISTRY.values() if op.kind == "contract"} == set(summaries.PRODUCTS)


def test_the_products_of_convolutions():
    layer = nn.Conv2d(4, 6, 3, groups=2)
    assert nn.summary(layer, (5, 4, 10, 8)).multiply_adds == 5 * 6 * 8 * 6 * (2 * 9)
    transposed = nn.ConvTranspose1d(4, 6, 3, stride=2)
    assert nn.summary(transposed, (5, 4, 10)).multiply_adds == 5 * 4 * 10 * (6 * 3)
