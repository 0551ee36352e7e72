"""Formulas as they are set: TeX takes them, and a power, a transpose or an index stands on its whole base."""

import pytest
from hypothesis import HealthCheck, given, note, settings

import stepgrad as sg
from stepgrad import nn
from stepgrad.explain.evaluate import evaluate
from tests.explain.examples import example
from tests.explain.networks import cases
from tests.explain.render.latex_rules import faults, formulas


class Attention(nn.Module):
    """Attention of a sequence to itself."""

    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x):
        return self.attention(x, x, x)[0]


class Recurrent(nn.Module):
    """Embedded words through an LSTM."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(4, 2)
        self.cell = nn.LSTM(2, 2, batch_first=True)

    def forward(self, x):
        return self.cell(self.embedding(x))[0]


def convolutions():
    return nn.Sequential(
        nn.Conv2d(1, 2, 2), nn.BatchNorm2d(2), nn.GELU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(2, 3)
    )


MODELS = {
    "attention": (Attention, lambda: sg.rand(1, 2, 4), lambda: sg.rand(1, 2, 4)),
    "recurrent": (Recurrent, lambda: sg.tensor([[0, 1]]), lambda: sg.rand(1, 2, 2)),
    "convolutions": (convolutions, lambda: sg.rand(2, 1, 3, 3), lambda: sg.rand(2, 3)),
}


def assert_valid(worked):
    found = formulas(worked.markdown())
    assert len(found) >= len(worked)
    for formula in found:
        assert not faults(formula), formula


@pytest.mark.parametrize("layout", ["scalar", "matrix"])
@pytest.mark.parametrize("name", MODELS)
def test_formulas_of_layers_are_valid(name, layout):
    sg.manual_seed(0)
    model, x, y = (make() for make in MODELS[name])
    optimizer = sg.optim.Adam(model.parameters(), lr=1e-5)
    assert_valid(sg.explain(model, nn.MSELoss(), optimizer, x, y, layout=layout))


@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(cases())
def test_formulas_of_random_steps_are_valid(case):
    note(case.text)
    for layout in ("scalar", "matrix"):
        assert_valid(sg.explain(case.model, case.loss, case.optimizer, case.x, case.y, layout=layout))


@pytest.mark.parametrize(
    "formula",
    [r"W^{(1)}^{\top}", "z^{(1)}_{11}^{2}", r"3 \times 10^{-5}^{2}", r"W_{a}_{[:4]}", "w^{1}'", "{x"],
)
def test_what_tex_refuses_is_found(formula):
    assert faults(formula)


def adam(model):
    return sg.optim.Adam(model.parameters(), lr=1e-3)


def test_a_derivative_is_squared_as_a_whole():
    worked = example(adam)
    line = next(line for line in worked if "∂L/∂w⁽¹⁾₁₁)^2" in line.formula)
    assert "(∂L/∂w⁽¹⁾₁₁)^2" in str(line)
    values = {symbol: worked[id].value for symbol, id in line.names.items()}
    assert float(evaluate(line.formula, values)) == pytest.approx(line.value, rel=1e-12)
    assert worked.check().ok
    assert r"\left(\frac{\partial L}{\partial w^{(1)}_{11}}\right)^{2}" in worked.markdown()
    page = worked.html()
    assert "</mfrac></mrow></mrow><mn>2</mn>" not in page
    assert "<msup><mrow><mrow><mo>(</mo>" in page


def test_a_number_with_a_power_of_ten_is_squared_as_a_whole():
    sg.manual_seed(0)
    model = nn.Sequential(nn.Linear(1, 1)).double()
    worked = sg.explain(model, nn.MSELoss(), adam(model), [1e-6], [0.5])
    squared = [line for line in worked if ")^2" in line.substituted and "e-" in line.substituted]
    assert squared
    assert worked.check().ok
    assert r"\times 10^{-7}\right)^{2}" in worked.markdown()


def test_a_transpose_and_a_part_stand_on_the_whole_name():
    text = example(layout="matrix").markdown()
    assert r"{W^{(1)}}^{\top}" in text
    sg.manual_seed(0)
    worked = sg.explain(Attention(), nn.MSELoss(), None, sg.rand(1, 2, 4), sg.rand(1, 2, 4), layout="matrix")
    assert r"_{\mathrm{in\_proj}}}_{[:4]}" in worked.markdown()


def test_a_whole_number_of_few_digits_takes_no_more_digits_than_it_needs():
    model = nn.Sequential(nn.Linear(1, 2)).double()
    model.load_state_dict(
        {
            "0.weight": sg.tensor([[7.15938231493801], [1.2345678901]], dtype=sg.float64),
            "0.bias": sg.zeros(2, dtype=sg.float64),
        }
    )
    worked = sg.explain(model, nn.CrossEntropyLoss(), None, sg.ones(1, 1), sg.tensor([0]), digits=3)
    assert worked.check().ok
    line = next(line for line in worked if line.formula.startswith("e^"))
    assert line.text == "1290"
    assert line.substituted == "e^7.16 + e^1.23"
