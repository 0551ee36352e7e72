"""The matrix layout: one line for each array, as true as those of single numbers."""

import dataclasses

import numpy
import pytest
from hypothesis import HealthCheck, given, note, settings

import stepgrad as sg
from stepgrad import nn
from stepgrad.errors import ArgumentError
from stepgrad.explain.evaluate import evaluate, sizes_of
from tests.explain.examples import example
from tests.explain.networks import cases
from tests.explain.test_operations import First
from tests.explain.test_planted_faults import with_line


def assert_true(worked):
    checked = worked.check()
    assert not checked.faults, "\n".join(
        f"{fault} | {worked[fault.id]}"[:600] for fault in checked.faults[:3]
    )
    assert len(worked) + len(worked.given) == len(worked.symbols), "two arrays have one name"
    place = {line.id: i for i, line in enumerate(worked)}
    for line in worked:
        assert all(place.get(id, -1) < place[line.id] for id in line.references), f"{line} comes too early"
    return checked


@pytest.mark.slow
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(cases())
def test_every_line_of_a_random_step_is_true(case):
    note(case.text)
    worked = sg.explain(case.model, case.loss, case.optimizer, case.x, case.y, layout="matrix")
    checked = assert_true(worked)
    assert checked.lines > len(checked.left_out)


def test_the_example_in_matrices():
    worked = example(layout="matrix")
    assert str(worked["forward/0/z"]) == (
        "z⁽¹⁾ = x·W⁽¹⁾ᵀ + b⁽¹⁾ = [1, 1]·[[0.4352, 0.3545], [0.1951, 0.4835]]ᵀ + [−0.1419, 0.0439] = "
        "[0.6478, 0.7225]"
    )
    assert worked["grad/0/z"].formula == "∂L/∂a⁽¹⁾ ⊙ (a⁽¹⁾ ⊙ (1 − a⁽¹⁾))"
    expected = [[0.4513600610759028, 0.3706600610759028], [0.18478069432143945, 0.47318069432143944]]
    numpy.testing.assert_allclose(worked["update/0.weight"].value, expected, atol=1e-12)
    assert not assert_true(worked).left_out


def test_layers_of_other_kinds():
    sg.manual_seed(1)
    model = nn.Sequential(nn.Embedding(5, 3), nn.Flatten(), nn.Linear(6, 4), nn.LayerNorm(4), nn.Linear(4, 3))
    x, y = sg.tensor([[0, 1], [4, 1]]), sg.tensor([2, 0])
    worked = sg.explain(
        model, nn.CrossEntropyLoss(), sg.optim.Adam(model.parameters()), x, y, layout="matrix"
    )
    checked = assert_true(worked)
    assert not checked.left_out
    assert "onehot([[0, 1], [4, 1]], 5)·W⁽¹⁾" in worked["forward/2/z"].formula
    assert worked["grad/0.weight"].formula == "onehot([0, 1, 4, 1], 5)ᵀ·reshape(H3, 4, 3)"


def test_a_convolution_is_a_product_of_matrices():
    sg.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 2)
    )
    sgd = sg.optim.SGD(model.parameters(), lr=0.1)
    worked = sg.explain(
        model, nn.CrossEntropyLoss(), sgd, sg.randn(1, 1, 4, 4), sg.tensor([1]), layout="matrix"
    )
    assert all(worked[id].formula for id in assert_true(worked).left_out)  # at kinks
    assert worked["forward/0/patches"].formula == "patches(X, [3, 3], [1, 1], [1, 1])"
    assert worked["forward/0/patches"].value.shape == (1, 16, 9)
    product = "reshape((P⁽¹⁾·reshape(W⁽¹⁾, 2, 9)ᵀ + b⁽¹⁾)ᵀ, 1, 2, 4, 4)"
    assert worked["forward/0/convolution"].formula == product
    assert worked["forward/2/max_pool"].formula == "amax(windows(A⁽¹⁾, [2, 2], [2, 2]), 4, 5)"
    assert worked["grad/0.weight"].formula == "reshape(sum(reshape(∂L/∂Z⁽¹⁾, 1, 2, 16)·P⁽¹⁾, 0), 2, 1, 3, 3)"
    assert worked["grad/1/a"].formula.startswith("put(∂L/∂H⁽¹⁾, [")
    for id in ("forward/0/patches", "grad/1/a"):
        wrong = dataclasses.replace(worked[id], value=worked[id].value + 0.5)
        assert not with_line(worked, wrong).check().ok


def test_a_recurrence_is_written_out_step_by_step():
    class Last(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.out = nn.LSTM(2, 2), nn.Linear(2, 2)

        def forward(self, x):
            return self.out(self.rnn(x)[0][-1])

    sg.manual_seed(0)
    model = Last()
    sgd = sg.optim.SGD(model.parameters(), lr=0.1)
    worked = sg.explain(model, nn.CrossEntropyLoss(), sgd, sg.randn(3, 1, 2), sg.tensor([1]), layout="matrix")
    assert not assert_true(worked).left_out
    formulas = {line.symbol: line.formula for line in worked}
    assert formulas["F_2⁽¹⁾"] == "1/(1 + e^(−(Z⁽¹⁾[1, :, 2:4] + P_2⁽¹⁾[:, 2:4])))"
    assert formulas["C_2⁽¹⁾"] == "F_2⁽¹⁾ ⊙ C_1⁽¹⁾ + I_2⁽¹⁾ ⊙ G_2⁽¹⁾"
    assert formulas["H_3⁽¹⁾"] == "O_3⁽¹⁾ ⊙ tanh(C_3⁽¹⁾)"
    assert formulas["δi_2"] == "δc_2 ⊙ G_2⁽¹⁾ ⊙ I_2⁽¹⁾ ⊙ (1 − I_2⁽¹⁾)"


def test_a_gated_recurrence_of_many_steps_stays_short():
    sg.manual_seed(0)
    model = First(nn.GRU(1, 1))
    worked = sg.explain(model, lambda y: y.sum(), None, sg.randn(20, 1, 1), None, layout="matrix")
    assert max(len(line.formula) for line in worked if line.kind == "forward" and line.op != "cat") < 120
    assert_true(worked)


def test_a_large_step_is_written_in_matrices_by_itself():
    sg.manual_seed(1)
    model = nn.Sequential(nn.Linear(40, 30), nn.ReLU(), nn.Linear(30, 3))
    worked = sg.explain(
        model,
        nn.CrossEntropyLoss(),
        sg.optim.SGD(model.parameters(), lr=0.1),
        sg.rand(2, 40),
        sg.tensor([1, 2]),
    )
    assert worked.layout == "matrix"
    line = worked["forward/0/z"]
    assert line.formula == "X·W⁽¹⁾ᵀ + b⁽¹⁾"
    assert line.substituted == ""
    assert line.value.shape == (2, 30)
    checked = assert_true(worked)
    assert not checked.left_out
    assert checked.gradients > 100
    wrong = line.value.copy()
    wrong[1, 17] += 1e-6
    changed = with_line(worked, dataclasses.replace(line, value=wrong))
    assert [(fault.id, fault.what) for fault in changed.check().faults] == [("forward/0/z", "value")]
    assert len(worked.html()) < 500_000
    one = sg.explain(
        model, nn.CrossEntropyLoss(), None, sg.rand(2, 40), sg.tensor([1, 2]), layer=2, layout="matrix"
    )
    assert {line.layer for line in one} == {0, 2}


def test_planted_faults_are_found():
    sg.manual_seed(3)
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2)).double()
    x, y = sg.randn(2, 2, dtype=sg.float64), sg.rand(2, 2, dtype=sg.float64)
    worked = sg.explain(model, nn.MSELoss(), sg.optim.SGD(model.parameters(), lr=0.1), x, y, layout="matrix")
    for line in worked:
        for text in (line.substituted.replace("−", "", 1), line.substituted.replace("ᵀ", "", 1)):
            if text != line.substituted:
                changed = with_line(worked, dataclasses.replace(line, substituted=text))
                assert not changed.check().ok, text
        if line.kind in ("chain", "update"):
            changed = with_line(worked, dataclasses.replace(line, value=line.value + 0.01))
            assert not changed.check().ok


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_matrices_are_rendered(lang):
    worked = example(layout="matrix")
    text = worked.html(lang)
    assert text.count("<mtable>") > 20
    assert r"\begin{bmatrix} 0.4352 & 0.3545 \\ 0.1951 & 0.4835 \end{bmatrix}^{\top}" in worked.markdown(lang)
    assert worked.to_dict()["lines"][0]["value"] == pytest.approx([0.6478, 0.7225])


@pytest.mark.parametrize(
    "options, message",
    [
        ({"layout": "matrix", "round_steps": 4}, "round_steps works with layout='scalar'"),
        ({"layout": "matrix", "neuron": 0}, "they go with layout='scalar'"),
        ({"layout": "rows"}, "layout is 'auto', 'scalar' or 'matrix', not 'rows'"),
    ],
)
def test_what_does_not_go_together(options, message):
    with pytest.raises(ArgumentError, match=message):
        example(**options)


def test_what_cancels_is_true_to_the_size_of_what_was_added():
    """The gradient of a bias before batch norm is 0, and in float64 what is rounded off."""
    sg.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2)).double()
    sgd = sg.optim.SGD(model.parameters(), lr=0.1)
    x, y = sg.randn(5, 3).double(), sg.randn(5, 2).double()
    worked = sg.explain(model, nn.MSELoss(), sgd, x, y, layout="matrix")
    assert numpy.abs(worked["grad/0.bias"].value).max() < 1e-15
    assert_true(worked)
    line = worked["grad/0.bias"]
    false = with_line(worked, dataclasses.replace(line, text="[1e-14, 0, 0, 0]"))
    assert [(fault.id, fault.what) for fault in false.check().faults] == [("grad/0.bias", "value")]


def test_the_size_of_a_sum_leaves_functions_as_they_are():
    assert sizes_of("2·(3 − 1) − 1/(−4)").item() == evaluate("8.25")
    assert sizes_of("e^(−(2)) − (1 − 2)^2·ln(0.5)").item() == evaluate("e^(−2) − ln(0.5)")
    assert sizes_of("[[1, −2]]·[[3, −4]]ᵀ").tolist() == [[11]]
