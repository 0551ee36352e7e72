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
    # The sum of rows back to where an embedding took them from is said by its result.
    assert checked.left_out == ["grad/0.weight"]
    assert "take(W⁽¹⁾, " in worked["forward/2/z"].formula


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
    assert "forward/0/z" in checked.left_out
    assert checked.gradients > 100
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
