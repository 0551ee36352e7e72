"""Steps that are true, and in which it is not easy to see that: the check has to find no fault."""

import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.errors import ArgumentError


class Through(nn.Module):
    """A layer, and a function of its result."""

    def __init__(self, function, features=4):
        super().__init__()
        self.layer = nn.Linear(3, features).double()
        self.function = function

    def forward(self, x):
        return self.function(self.layer(x))


def explained(model, loss, x, y, layout):
    return sg.explain(model, loss, sg.optim.SGD(model.parameters(), lr=0.1), x, y, layout=layout)


def no_gradient_through(z):
    with sg.no_grad():
        kept = z.tanh()
    return kept * z


PICKED = {
    "sort": lambda z: z.sort(dim=1)[0],
    "topk": lambda z: z.topk(2, dim=1)[0],
    "median": lambda z: z.median(dim=1)[0],
    "median of all": lambda z: z.median(),
    "kthvalue": lambda z: z.kthvalue(2, dim=1)[0],
    "quantile": lambda z: z.quantile(0.3, dim=1),
    "cummax": lambda z: z.cummax(dim=1)[0],
    "mode": lambda z: z.mode(dim=1)[0],
}
STOPPED = {
    "detach": lambda z: z.detach() * z,
    "no_grad": no_gradient_through,
    "straight through": lambda z: z + (z.round() - z).detach(),
}


@pytest.mark.parametrize("layout", ["scalar", "matrix"])
@pytest.mark.parametrize("name", [*PICKED, *STOPPED])
def test_what_picks_elements_and_what_stops_the_gradient(name, layout):
    sg.manual_seed(2)
    model = Through({**PICKED, **STOPPED}[name])
    x = sg.randn(2, 3, dtype=sg.float64)
    y = sg.randn(*model(x).shape, dtype=sg.float64)
    checked = explained(model, nn.MSELoss(), x, y, layout).check()
    assert checked.faults == []
    assert checked.gradients >= 4


@pytest.mark.parametrize("layout", ["scalar", "matrix"])
@pytest.mark.parametrize("padding", [0, -5])
def test_the_row_of_an_embedding_that_is_not_learned(padding, layout):
    sg.manual_seed(3)
    model = nn.Sequential(nn.Embedding(5, 3, padding_idx=padding), nn.Flatten(), nn.Linear(6, 1)).double()
    worked = explained(model, nn.MSELoss(), sg.tensor([[0, 2]]), sg.ones(1, 1), layout)
    checked = worked.check()
    assert checked.faults == []
    rows = [id for id in checked.left_out if id.startswith("grad/0.weight")]
    assert rows == []


@pytest.mark.parametrize("layout", ["scalar", "matrix"])
@pytest.mark.parametrize("target", [0.0, 1.0])
def test_a_loss_at_the_end_of_where_it_is_defined(target, layout):
    model = nn.Sequential(nn.Linear(1, 1), nn.Sigmoid()).double()
    with sg.no_grad():
        model[0].weight.fill_(40)
        model[0].bias.fill_(0)
    worked = explained(model, nn.BCELoss(), sg.ones(1, 1), sg.full((1, 1), target), layout)
    checked = worked.check()
    assert checked.faults == []
    assert [id.partition("[")[0] for id in checked.left_out] == ["grad/1/a"]  # at 1 + h there is no logarithm


@pytest.mark.parametrize("options", [{}, {"layout": "matrix"}, {"round_steps": 3}])
def test_a_number_that_is_none_in_the_input(options):
    sg.manual_seed(4)
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1)).double()
    x = sg.tensor([[float("nan"), 1.0]])
    worked = sg.explain(model, nn.MSELoss(), None, x, sg.ones(1, 1), **options)
    assert worked.check().faults == []
    assert all(line.formula for line in worked)
    if not options:
        assert worked["loss"].formula == "(ŷ − y)^2"


class TwoHeads(nn.Module):
    """Returns a dict of two outputs, and what it was handed."""

    def __init__(self):
        super().__init__()
        self.body, self.mean, self.spread = nn.Linear(2, 2), nn.Linear(2, 1), nn.Linear(2, 1)

    def forward(self, x):
        h = self.body(x).tanh()
        return {"x": x, "heads": [self.mean(h), self.spread(h)], "nothing": None}


def two_losses(output, y):
    mean, spread = output["heads"]
    return ((mean - y) ** 2).mean() + (spread**2).mean()


@pytest.mark.parametrize("layout", ["scalar", "matrix"])
def test_a_model_that_returns_several_tensors(layout):
    sg.manual_seed(2)
    model = TwoHeads()
    adam = sg.optim.Adam(model.parameters(), lr=0.1)
    worked = sg.explain(model, two_losses, adam, [[0.4, -1.2]], [[0.5]], layout=layout)
    wanted = {"ŷ_1", "ŷ_2", "ŷ_1′", "ŷ_2′"}
    assert wanted <= {symbol.replace("Ŷ", "ŷ") for symbol in worked.symbols}
    assert worked.check().ok
    assert r"\hat{y}_{1}" in worked.markdown() or r"\hat{Y}_{1}" in worked.markdown()
    assert worked.html()
    with sg.no_grad():
        assert worked["loss"].value == pytest.approx(
            two_losses(model(sg.tensor([[0.4, -1.2]])), 0.5).item(), rel=1e-6
        )


def test_the_outputs_of_a_recurrent_layer():
    sg.manual_seed(2)
    x, y = sg.randn(1, 2, 2), sg.randn(1, 2)
    worked = sg.explain(
        nn.GRU(2, 2, batch_first=True), lambda o, y: ((o[0][:, -1] - y) ** 2).mean(), None, x, y
    )
    assert worked.check().ok


def test_a_model_that_returns_no_tensor():
    class Name(nn.Linear):
        def forward(self, x):
            super().forward(x)
            return "name"

    with pytest.raises(ArgumentError, match=r"model that returns tensors that it computes, .* returns str"):
        sg.explain(Name(1, 1), nn.MSELoss(), None, [[1.0]], [[0.5]])
