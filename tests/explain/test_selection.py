"""What the reader picks of a large step, and what stands outside of it."""

import itertools

import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.errors import ArgumentError, MissingNameError
from tests.explain.examples import example


@pytest.fixture(scope="module")
def large():
    sg.manual_seed(0)
    sizes = (784, 256, 128, 10)
    layers = [part for a, b in itertools.pairwise(sizes) for part in (nn.Linear(a, b), nn.ReLU())]
    model = nn.Sequential(*layers[:-1])
    return model, sg.optim.Adam(model.parameters()), sg.rand(4, 784), sg.tensor([3, 1, 4, 1])


def explained(large, **options):
    model, optimizer, x, y = large
    return sg.explain(model, nn.CrossEntropyLoss(), optimizer, x, y, **options)


def test_a_path_goes_from_one_weight_to_the_loss(large):
    worked = explained(large, path="0.weight[3,17]")
    assert [line.id.partition("[")[0] for line in worked.of_kind("update")] == [
        "update/step", "update/0.weight/exp_avg", "update/0.weight/exp_avg_sq",
        "update/0.weight/m_hat", "update/0.weight/v_hat", "update/0.weight",
    ]  # fmt: skip
    chain = [line.id for line in worked if line.kind == "chain"]
    assert chain[-1] == "grad/0.weight[3,17]"
    assert [id.partition("[")[0] for id in chain[:-1]] == ["grad/3/a", "grad/2/z", "grad/1/a", "grad/0/z"]
    assert len(worked) < 40
    checked = worked.check()
    assert not checked.faults
    assert checked.gradients >= 4


def test_a_path_through_a_chosen_sample(large):
    worked = explained(large, path="2.weight[5,7]", sample=2)
    own = [line.id for line in worked if line.kind in ("forward", "chain") and "weight" not in line.id]
    assert own
    assert all("[2," in id for id in own)


def test_a_layer_a_neuron_and_a_sample(large):
    worked = explained(large, layer=3, neuron=2, sample=1)
    assert [line.id for line in worked.of_kind("forward")] == ["forward/4/z[1,2]"]
    assert {line.id for line in worked if line.id.startswith("grad/4.weight")} == {
        f"grad/4.weight[2,{i}]" for i in range(128)
    }
    assert "update/4.bias[2]" in worked
    assert "update/4.bias[3]" not in worked
    assert not worked.check().faults
    # The same layer by the path of its module.
    again = explained(large, layer="4", neuron=2, sample=1)
    assert [line.id for line in again] == [line.id for line in worked]


def test_what_is_not_written_out_is_given(large):
    worked = explained(large, layer=3, neuron=2, sample=1)
    outside = worked["forward/3/a[1,0]"]
    assert outside.origin == "computed"
    assert outside.id in worked["forward/4/z[1,2]"].references


def test_a_step_that_nobody_would_read_is_refused(large):
    with pytest.raises(ArgumentError, match=r"1,420,\d+ numbers to write out, more than anybody reads"):
        explained(large, layout="scalar")


@pytest.mark.parametrize(
    "options, message",
    [
        ({"path": "0.weigh[0,0]"}, "such as 0.weight[0,1], not '0.weigh[0,0]'. Did you mean '0.weight'?"),
        ({"path": "0.weight"}, "path is one weight by its name and indices"),
        ({"path": "0.weight[2,0]"}, "0.weight has the shape [2, 2]; there is no [2, 0] in it"),
        (
            {"layer": 3},
            "there is no layer 3; layers are numbered 1 to 2, or named by their paths: 0, 1, 2, 3.",
        ),
        ({"neuron": 2}, "there is no neuron 2"),
        ({"sample": 0}, "sample 0 is none of the 1"),
        ({"digits": 1}, "digits is a whole number from 2 to 15, not 1"),
        ({"round_steps": 0}, "round_steps is a whole number from 1 to 15, not 0"),
    ],
)
def test_a_pick_that_is_not_there(options, message):
    with pytest.raises(ArgumentError) as error:
        example(**options)
    assert message in str(error.value)


def test_a_line_that_is_not_there():
    with pytest.raises(MissingNameError, match=r"there is no line 'forward/0/z\[5\]'. Did you mean"):
        example()["forward/0/z[5]"]
    with pytest.raises(MissingNameError, match=r"a line is named by its id, .*, not 0; by number: worked"):
        example()[0]


def test_optimizers_without_a_rule():
    model = nn.Linear(1, 1)

    class Plain(sg.optim.Optimizer):
        """A step by operations in place, as in PyTorch."""

        def __init__(self, params):
            super().__init__(params, {})

        def step(self):
            with sg.no_grad():
                for group in self.param_groups:
                    for p in group["params"]:
                        p.sub_(p.grad * 0.5)

    worked = sg.explain(model, nn.MSELoss(), Plain(model.parameters()), [1.0], [2.0])
    assert worked["update/weight[0,0]"].formula == "w⁽¹⁾ − ∂L/∂w⁽¹⁾·0.5"
    assert worked.check().ok
    other = sg.optim.SGD(sg.nn.Linear(1, 1).parameters())
    with pytest.raises(ArgumentError, match="the optimizer has none of the parameters of the model"):
        sg.explain(sg.nn.Linear(1, 1), sg.nn.MSELoss(), other, [1.0], [1.0])
    with pytest.raises(ArgumentError, match=r"takes an optimizer of stepgrad\.optim, or None, not 0\.1"):
        sg.explain(sg.nn.Linear(1, 1), sg.nn.MSELoss(), 0.1, [1.0], [1.0])
    with pytest.raises(ArgumentError, match="LBFGS runs the model as often as it likes"):
        sg.explain(model, nn.MSELoss(), sg.optim.LBFGS(model.parameters()), [1.0], [2.0])


def test_nothing_of_the_caller_changes():
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5), nn.BatchNorm1d(2), nn.Linear(2, 1))
    optimizer = sg.optim.Adam(model.parameters())
    before = {name: t.tolist() for name, t in model.state_dict().items()}
    random, state = sg.get_rng_state(), dict(optimizer.state)
    x, y = sg.tensor([[1.0, 2.0], [0.5, -1.0]]), sg.zeros(2, 1)
    assert sg.explain(model, nn.MSELoss(), optimizer, x, y).check().ok
    assert {name: t.tolist() for name, t in model.state_dict().items()} == before
    assert all(p.grad is None for p in model.parameters())
    assert sg.get_rng_state() == random
    assert dict(optimizer.state) == state


def test_the_corrected_moments_of_a_neuron_are_those_of_its_weights():
    model = nn.Sequential(nn.Linear(5, 2), nn.Tanh(), nn.Linear(2, 1))
    adam = sg.optim.Adam(model.parameters())
    worked = sg.explain(model, nn.MSELoss(), adam, sg.rand(1, 5), sg.ones(1, 1), neuron=1, layer=1)
    for end in ("exp_avg", "exp_avg_sq", "m_hat", "v_hat"):
        of = [line.id for line in worked if line.id.startswith(f"update/0.weight/{end}[")]
        assert of == [f"update/0.weight/{end}[1,{i}]" for i in range(5)]
    assert not [given.id for given in worked.given if "hat" in given.id]
    assert worked.check().ok
