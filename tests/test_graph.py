"""`Node` and `Graph`: printed, walked, checked."""

import pytest

import stepgrad as sg
from stepgrad.errors import ArgumentError, GradientError
from stepgrad.graph import Graph, ancestors


def test_a_graph_prints_one_line_a_node():
    x = sg.tensor([[1.0, 2.0]])
    w = sg.tensor([[3.0], [4.0]], requires_grad=True)
    b = sg.tensor(0.5, requires_grad=True)
    y = (x @ w + b).sigmoid().sum(0)
    assert str(sg.graph(y, {"w": w, "b": b})).splitlines() == [
        "w : leaf float32[2, 1]",
        "b : leaf float32[]",
        "%1 = matmul(constant float32[1, 2], w) : float32[1, 1]",
        "%2 = add(%1, b) : float32[1, 1]",
        "%3 = sigmoid(%2) : float32[1, 1]",
        "%4 = sum(%3, dim=(0,), keepdim=False) : float32[1]",
    ]


def test_leaves_without_names_are_numbered():
    x, y = sg.ones(1, requires_grad=True), sg.ones(2, requires_grad=True)
    graph = sg.graph(x * y * 3 + y)
    assert list(graph.leaves()) == ["leaf1", "leaf2"]
    assert graph.leaves()["leaf2"] is y
    assert str(graph).splitlines()[-2:] == [
        "%2 = mul(%1, 3) : float32[2]",
        "%3 = add(%2, leaf2) : float32[2]",
    ]


def test_a_graph_can_be_walked():
    x = sg.ones(2, requires_grad=True)
    y = x.exp()
    z = y * y + x
    graph = sg.graph(z)
    assert len(graph) == 3
    exp, mul, add = graph
    assert [n.name() for n in graph] == ["exp", "mul", "add"]
    assert exp.inputs == (x,)
    assert mul.inputs == (exp, exp)
    assert add.inputs[0] is mul
    assert add.next_functions == ((mul, 0), (None, 0))
    assert z.grad_fn is add
    assert repr(mul) == "<mul → stepgrad.float32[2]>"
    assert ancestors([mul]) == [exp, mul]


def test_a_recorded_graph_marks_the_backward_nodes():
    x = sg.tensor(2.0, requires_grad=True)
    with sg.autograd.recording.record() as nodes:
        x.exp().backward()
    lines = str(Graph(list(nodes), {"x": x})).splitlines()
    assert lines[1] == "%1 = exp(x) : float32[]"
    assert any(line.endswith("[backward]") for line in lines)
    assert lines[-1].startswith("%3 = mul(")


def test_a_graph_out_of_order_is_refused():
    x = sg.ones(2, requires_grad=True)
    nodes = list(sg.graph(x.exp() * 2))
    Graph(nodes).check()
    with pytest.raises(ArgumentError, match=r"not in order: <mul .* comes before <exp .*, which it uses"):
        Graph(nodes[::-1])


def test_no_graph_without_gradients():
    with pytest.raises(
        GradientError, match="no graph led to this tensor: compute it from tensors with requires_grad"
    ):
        sg.graph(sg.ones(2) * 2)
    for what in (3, None, [sg.ones(1)], sg.nn.Linear(1, 1)):
        with pytest.raises(ArgumentError, match=f"takes a Tensor .*, not {type(what).__name__}; of a model"):
            sg.graph(what)


def test_a_graph_that_was_freed_still_prints():
    x = sg.ones(2, requires_grad=True)
    y = (x * 2).sum()
    y.backward()
    assert str(sg.graph(y, {"x": x})).startswith("x : leaf float32[2]\n%1 = mul(x, ")


def test_a_graph_goes_through_composites_and_functions():
    class Twice(sg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    x = sg.ones(1, 2, requires_grad=True)
    text = str(sg.graph(Twice.apply(x).softmax(1), {"x": x}))
    assert "%1 = Twice(x" in text
    assert "%2 = softmax(%1, dim=1)" in text


def test_a_graph_as_plain_values():
    import json

    x = sg.tensor([[1.0, 2.0]])
    w = sg.tensor([[3.0], [4.0]], requires_grad=True)
    said = json.loads(json.dumps(sg.graph((x @ w).sigmoid().sum(0), {"w": w}).to_dict()))
    assert said["leaves"] == [{"name": "w", "shape": [2, 1], "dtype": "float32"}]
    assert [(n["name"], n["operation"], n["inputs"]) for n in said["nodes"]] == [
        ("%1", "matmul", ["constant float32[1, 2]", "w"]),
        ("%2", "sigmoid", ["%1"]),
        ("%3", "sum", ["%2"]),
    ]
    assert said["nodes"][2]["attributes"] == {"dim": "(0,)", "keepdim": "False"}


def test_a_graph_as_a_picture():
    import xml.etree.ElementTree as ElementTree

    from stepgrad import nn

    sg.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    loss = nn.MSELoss()(model(sg.rand(4, 2)), sg.rand(4, 1))
    x = loss * model[0].weight.sum()  # a long edge
    graph = sg.graph(x, dict(model.named_parameters()))
    root = ElementTree.fromstring(graph.svg())
    space = "{http://www.w3.org/2000/svg}"
    texts = [t.text for t in root.iter(f"{space}text")]
    assert {"0.weight", "2.bias", "linear", "tanh", "mse_loss", "mul"} <= set(texts)
    boxes = [{k: float(v) for k, v in r.attrib.items()} for r in root.iter(f"{space}rect")]
    assert len(boxes) == len(graph) + len(graph.leaves())
    for i, a in enumerate(boxes):
        for b in boxes[:i]:
            apart_x = abs(a["x"] + a["width"] / 2 - b["x"] - b["width"] / 2) >= (a["width"] + b["width"]) / 2
            assert apart_x or a["y"] != b["y"], "two boxes lie on one another"
    edges = [p for p in root.iter(f"{space}path") if "marker-end" in p.attrib]
    assert len(edges) == sum(len({id(x) for x in node.inputs if x is not None}) for node in graph)
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    assert all(b["x"] >= 0 and b["x"] + b["width"] <= width and b["y"] + b["height"] <= height for b in boxes)
    assert graph._repr_html_() == graph.svg()


def test_names_in_a_picture_are_escaped():
    x = sg.ones(2, requires_grad=True)
    assert "&lt;b&gt;" in sg.graph(x * 2, {"<b>": x}).svg()
