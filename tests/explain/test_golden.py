"""The worked example: every quantity, in full and as a textbook of four decimals prints it."""

import math

import pytest

import stepgrad as sg
from stepgrad.explain.render.terminal import terminal
from stepgrad.words.language import Words
from tests.explain.examples import example

EXACT = {
    "forward/0/z": [0.6477999999999999, 0.7225],
    "forward/1/a": [0.6565145265936446, 0.6731572963701318],
    "forward/2/z": [-0.3415492970772158],
    "forward/3/a": [0.4154331834389303],
    "loss": 0.5368841905553434,
    "grad/3/a": [1.7106684328797],
    "local/3/a": [0.24284845353672638],
    "grad/2/z": [0.4154331834389303],
    "grad/2.weight": [[0.2727379197567001, 0.27965187858618734]],
    "grad/2.bias": [0.4154331834389303],
    "grad/1/a": [-0.07166222414321548, 0.04690240641025523],
    "local/1/a": [0.22550320296516732, 0.22001655071378634],
    "grad/0/z": [-0.016160061075902833, 0.010319305678560538],
    "grad/0.weight": [
        [-0.016160061075902833, -0.016160061075902833],
        [0.010319305678560538, 0.010319305678560538],
    ],
    "grad/0.bias": [-0.016160061075902833, 0.010319305678560538],
    "update/0.weight": [[0.4513600610759028, 0.3706600610759028], [0.18478069432143945, 0.47318069432143944]],
    "update/0.bias": [-0.12573993892409716, 0.03358069432143947],
    "update/2.weight": [[-0.4452379197567001, -0.16675187858618734]],
    "update/2.bias": [-0.7197331834389303],
    "after/0/z": [0.6962801832277085, 0.6915420829643184],
    "after/1/a": [0.6673625255579027, 0.6663098829432331],
    "after/2/z": [-1.1279767107432352],
    "after/3/a": [0.244534685023641],
    "after/loss": 0.2804214083479139,
}
TEXTBOOK = {
    "forward/0/z": ["0.6478", "0.7225"],
    "forward/1/a": ["0.6565", "0.6732"],
    "forward/2/z": ["−0.3415"],
    "forward/3/a": ["0.4154"],
    "grad/3/a": ["1.7106"],
    "local/3/a": ["0.2428"],
    "grad/2.weight[0,0]": "0.2727",
    "update/0.weight": [["0.4514", "0.3707"], ["0.1848", "0.4732"]],
    "update/0.bias": ["−0.1257", "0.0336"],
    "update/2.weight": [["−0.4452", "−0.1667"]],
    "update/2.bias": ["−0.7196"],
}


def flat(quantities):
    """``{id: number}`` of nested lists under the beginnings of ids."""
    found = {}

    def add(path, value, index):
        if isinstance(value, list):
            for i, part in enumerate(value):
                add(path, part, [*index, str(i)])
        else:
            found[path + (f"[{','.join(index)}]" if index else "")] = value

    for path, value in quantities.items():
        add(path, value, [])
    return found


def test_every_quantity_of_the_example():
    worked = example()
    expected = flat(EXACT)
    assert {line.id for line in worked} == set(expected)
    for id, value in expected.items():
        assert worked[id].value == pytest.approx(value, abs=1e-12), id


def test_four_decimals_as_in_a_textbook():
    worked = example(round_steps=4)
    for id, text in flat(TEXTBOOK).items():
        assert worked[id].text == text, str(worked[id])


@pytest.mark.parametrize(
    "options", [{}, {"digits": 3}, {"digits": 12}, {"round_steps": 4}, {"round_steps": 2}]
)
def test_the_example_is_true(options):
    checked = example(**options).check()
    assert not checked.faults
    assert checked.lines == len(flat(EXACT))
    assert not checked.left_out


def test_the_forward_pass_after_the_update_is_rounded_too():
    worked = example(round_steps=4)
    assert [str(line).rpartition(" = ")[2] for line in worked.of_kind("after")] == [
        "0.6964", "0.6916", "0.6674", "0.6663", "−1.1278", "0.2446", "0.2805",
    ]  # fmt: skip
    assert str(worked["after/loss"]).endswith(" = −(0·ln(0.2446) + (1 − 0)·ln(1 − 0.2446)) = 0.2805")


def test_numbers_of_a_rule_are_written_as_they_are_meant():
    worked = example(lambda model: sg.optim.Adam(model.parameters()), round_steps=4)
    line = worked["update/0.weight/exp_avg[0,0]"]
    assert line.substituted == "0.9·0 + 0.1·(−0.0162)"
    assert "9999" not in str(worked)


def test_the_moments_of_adam_are_corrected_in_lines_of_their_own():
    worked = example(lambda model: sg.optim.Adam(model.parameters(), lr=0.1))
    lines = [str(worked[f"update/2.bias{end}[0]"]) for end in ("/m_hat", "/v_hat", "")]
    assert lines == [
        "m̂_b⁽²⁾ = m_b⁽²⁾′/(1 − 0.9^t′) = 0.0415433/(1 − 0.9^1) = 0.415433",
        "v̂_b⁽²⁾ = v_b⁽²⁾′/(1 − 0.999^t′) = 0.000172585/(1 − 0.999^1) = 0.172585",
        "b⁽²⁾′ = b⁽²⁾ − η·m̂_b⁽²⁾/(√(v̂_b⁽²⁾) + 1e-8) = "
        "−0.3043 − 0.1·0.415433/(√(0.172585) + 1e-8) = −0.404300",
    ]
    assert r"\hat{m}^{(2)}_{\mathrm{b}}" in worked.markdown()
    assert worked.check().ok


def test_the_momentum_has_a_line_in_the_step_that_makes_it():
    worked = example(lambda model: sg.optim.SGD(model.parameters(), lr=1.0, momentum=0.9, weight_decay=0.1))
    ids = [line.id for line in worked.of_kind("update")]
    assert ids[:2] == ["update/2.weight/momentum_buffer[0,0]", "update/2.weight/momentum_buffer[0,1]"]
    assert len(ids) == 2 * 9
    assert [str(worked[f"update/2.bias{end}[0]"]) for end in ("/momentum_buffer", "")] == [
        "v_b⁽²⁾′ = ∂L/∂b⁽²⁾ + 0.1·b⁽²⁾ = 0.415433 + 0.1·(−0.3043) = 0.385003",
        "b⁽²⁾′ = b⁽²⁾ − η·v_b⁽²⁾′ = −0.3043 − 1·0.385003 = −0.689303",
    ]
    assert worked.check().ok
    plain = example(lambda model: sg.optim.SGD(model.parameters(), lr=1.0, momentum=0.9))
    assert str(plain["update/2.bias/momentum_buffer[0]"]) == "v_b⁽²⁾′ = ∂L/∂b⁽²⁾ = 0.415433"
    assert plain.check().ok


def test_the_text_of_lines():
    worked = example()
    assert str(worked["forward/0/z[0]"]) == (
        "z⁽¹⁾₁ = w⁽¹⁾₁₁·x₁ + w⁽¹⁾₁₂·x₂ + b⁽¹⁾₁ = 0.4352·1 + 0.3545·1 + (−0.1419) = 0.6478"
    )
    assert str(worked["local/3/a[0]"]) == ("∂ŷ/∂z⁽²⁾ = ŷ·(1 − ŷ) = 0.415433·(1 − 0.415433) = 0.242848")
    line = worked["grad/0.weight[1,0]"]
    assert (line.kind, line.op, line.module) == ("chain", "matmul", "0")
    assert line.references == ("grad/0/z[1]", "given/x[0]")
    assert worked.given[0].id == "given/0.weight[0,0]"


def test_updates_go_from_the_last_layer_to_the_first():
    worked = example()
    layers = [line.layer for line in worked.of_kind("update")]
    assert layers == [2] * 3 + [1] * 6
    assert [line.symbol for line in worked.of_kind("update")][:4] == ["w⁽²⁾₁′", "w⁽²⁾₂′", "b⁽²⁾′", "w⁽¹⁾₁₁′"]
    printed = "\n".join(map(str, terminal(worked, Words())))
    updates = printed.partition("After the update")[0].rpartition("Update\n")[2]
    assert 0 < updates.index("w⁽²⁾₂′ = ") < updates.index("b⁽²⁾′ = ") < updates.index("w⁽¹⁾₁₁′ = ")
    updates = worked.markdown().partition("## Update\n")[2].partition("## After the update")[0]
    assert 0 < updates.index("### Layer 2") < updates.index("### Layer 1")


@pytest.mark.parametrize("layout", ["scalar", "matrix"])
def test_updates_with_state_go_from_the_last_layer_that_computes_to_the_first(layout):
    class Backwards(sg.nn.Module):  # the layers are registered in another order than they compute in
        def __init__(self):
            super().__init__()
            self.last, self.first = sg.nn.Linear(2, 1), sg.nn.Linear(3, 2)

        def forward(self, x):
            return self.last(self.first(x).tanh())

    model = Backwards()
    optimizer = sg.optim.Adam(model.parameters())
    worked = sg.explain(model, sg.nn.MSELoss(), optimizer, [1.0, 2.0, 3.0], [1.0], layout=layout)
    updates = worked.of_kind("update")
    modules = list(dict.fromkeys(line.module for line in updates))
    assert modules == ["", "last", "first"]  # the number of the step, which both use, belongs to none
    assert updates[0].id == "update/step"
    written = {line.id for line in worked if not line.id.startswith("update/")}
    for line in updates:  # each after what it is computed from
        assert all(id in written or id.startswith("given/") for id in line.references)
        written.add(line.id)


def test_each_gradient_of_the_example_is_upstream_times_local():
    worked = example()
    assert len(worked.of_kind("chain")) == 14
    for line in worked.of_kind("chain"):
        upstream, *local = line.references  # no local one: the derivative by a bias is 1
        assert upstream.startswith("grad/")
        assert all(not id.startswith("grad/") for id in local)
        product = math.prod(worked[id].value for id in line.references)
        assert line.value == pytest.approx(product, rel=1e-12), str(line)
