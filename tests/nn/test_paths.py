"""Where a module stands: in the messages of errors, and in the nodes of a recording."""

import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.autograd.recording import record
from stepgrad.errors import ArgumentError, ShapeError


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(5, 2))
        self.layers = nn.ModuleList([nn.Linear(2, 2), nn.Linear(3, 2)])
        self.by_name = nn.ModuleDict({"good": nn.Linear(2, 2)})

    def forward(self, x, way):
        if way == "net":
            return self.net(x)
        if way == "one":
            return self.net[2](x)
        for layer in self.layers:
            x = layer(x)
        return x


class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = Block()

    def forward(self, x, way="net"):
        return self.block(x, way)


def test_an_error_names_the_path_from_the_model_that_was_called():
    outer, x = Outer(), sg.zeros(1, 2)
    layer = r"Linear\(in_features=5, out_features=2, bias=True\)"
    with pytest.raises(ShapeError, match=rf"\[1, 4\] \(weight \[2, 5\]\)\. \(in block.net.2: {layer}\)$"):
        outer(x)
    with pytest.raises(ShapeError, match=rf"\(in net.2: {layer}\)$"):
        outer.block(x, "net")
    with pytest.raises(ShapeError, match=rf"\(in 2: {layer}\)$"):
        outer.block.net(x)
    with pytest.raises(ShapeError, match=r"\(weight \[2, 5\]\)\.$"):
        outer.block.net[2](x)


def test_an_error_names_modules_that_stand_in_a_list_or_are_called_past_their_container():
    with pytest.raises(ShapeError, match=r"\(in block.layers.1: Linear\(in_features=3, "):
        Outer()(sg.zeros(1, 2), "list")
    with pytest.raises(ShapeError, match=r"\(in block.net.2: Linear\(in_features=5, "):
        Outer()(sg.zeros(1, 2), "one")


def test_an_error_names_a_module_that_is_not_part_of_the_caller():
    alone = nn.Linear(3, 1)

    class Net(nn.Module):
        def forward(self, x):
            return alone(x)

    with pytest.raises(ShapeError, match=r"\(in Linear: Linear\(in_features=3, "):
        Net()(sg.zeros(1, 2))


def test_the_module_itself_is_named_where_its_own_code_raises():
    class Picky(nn.Module):
        def forward(self, x):
            raise ArgumentError("no.")

        def extra_repr(self):
            return "taste=3"

    with pytest.raises(ArgumentError, match=r"^no. \(in 1: Picky\(taste=3\)\)$"):
        nn.Sequential(nn.Identity(), Picky())(1)


def modules_of(model, *args):
    with sg.no_grad(), record() as nodes:
        model(*args)
    return [(node.op.name, node.module) for node in nodes]


def test_recorded_nodes_know_their_module():
    outer = Outer()
    outer.block.net[2] = nn.Linear(4, 2)
    outer.block.layers[1] = nn.Linear(2, 2)
    x = sg.zeros(1, 2)
    assert modules_of(outer, x) == [
        ("linear", "block.net.0"), ("relu", "block.net.1"), ("linear", "block.net.2"),
    ]  # fmt: skip
    assert modules_of(outer, x, "list") == [("linear", "block.layers.0"), ("linear", "block.layers.1")]
    assert modules_of(outer, sg.zeros(1, 4), "one") == [("linear", "block.net.2")]
    assert not any("_recorded_name" in m.__dict__ for m in outer.modules())


def test_names_are_taken_back_after_an_error():
    outer = Outer()
    with pytest.raises(ShapeError), record():
        outer(sg.zeros(1, 2))
    assert not any("_recorded_name" in m.__dict__ for m in outer.modules())
    outer.block.layers[1] = nn.Linear(2, 2)
    assert modules_of(outer, sg.zeros(1, 2), "list")[0] == ("linear", "block.layers.0")
