"""Steps that are true, and in which it is not easy to see that: the check has to find no fault."""

import pytest

import stepgrad as sg
from stepgrad import nn


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
