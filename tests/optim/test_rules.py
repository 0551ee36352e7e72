"""The rules by hand: first steps worked out otherwise, arguments, state that is one number, resuming."""

import math

import numpy
import pytest

import stepgrad as sg
from stepgrad import optim
from stepgrad.errors import ArgumentError

RULES = [
    "SGD",
    "Adam",
    "AdamW",
    "Adagrad",
    "RMSprop",
    "Adadelta",
    "Adamax",
    "NAdam",
    "RAdam",
    "Rprop",
    "ASGD",
]
ALL = [*RULES, "Adafactor"]


def stepped(name, start, gradients, **hyperparameters):
    p = sg.tensor(start, dtype=sg.float64, requires_grad=True)
    optimizer = getattr(optim, name)([p], **hyperparameters)
    for g in gradients:
        p.grad = sg.tensor(g, dtype=sg.float64)
        optimizer.step()
    return p.tolist(), optimizer.state[p]


def test_adagrad_by_hand():
    p, state = stepped("Adagrad", [1.0], [[2.0], [1.0]], lr=0.5, lr_decay=1.0, eps=0.0)
    assert p == pytest.approx([1 - 0.5 * 2 / 2 - 0.25 * 1 / math.sqrt(5)])
    assert state["sum"].tolist() == [5.0]


def test_rprop_turns_back_with_half_the_step():
    p, state = stepped("Rprop", [1.0], [[2.0], [-0.1], [-3.0]], lr=0.1)
    # −0.1; at the turn no step, and the step size halved; then a step of that size.
    assert p == pytest.approx([1 - 0.1 + 0.05])
    assert state["step_size"].tolist() == pytest.approx([0.05])


def test_asgd_keeps_the_average():
    p, state = stepped("ASGD", [0.0], [[-1.0]] * 4, lr=1.0, lambd=0.0, t0=0)
    assert p == [4.0]
    # The average of 2, 3 and 4: that of the first step is replaced, as in PyTorch.
    assert state["ax"].tolist() == pytest.approx([3.0])
    assert (state["eta"].item(), state["mu"].item()) == (1.0, 0.25)


def test_radam_is_plain_at_first_and_adapted_later():
    plain, _ = stepped("RAdam", [1.0], [[3.0]] * 5, lr=0.1)
    assert plain == pytest.approx([1 - 5 * 0.3])
    adapted, _ = stepped("RAdam", [1.0], [[3.0]] * 6, lr=0.1)
    assert 0 < plain[0] - adapted[0] < 0.1


def test_muon_steps_are_nearly_orthogonal():
    p = sg.zeros(4, 6, dtype=sg.float64, requires_grad=True)
    optimizer = optim.Muon([p], lr=1.0, weight_decay=0.0, momentum=0.0)
    p.grad = sg.tensor(numpy.random.default_rng(0).normal(size=(4, 6)))
    optimizer.step()
    sizes = numpy.linalg.svd(p.detach().numpy(), compute_uv=False)
    assert sizes.min() > 0.6
    assert sizes.max() < 1.3


def test_muon_refuses_what_is_no_matrix():
    with pytest.raises(
        ArgumentError, match=r"takes matrices; parameter number 1 of the group has shape \[3\]"
    ):
        optim.Muon([sg.zeros(2, 2, requires_grad=True), sg.zeros(3, requires_grad=True)])


def test_adafactor_remembers_rows_and_columns():
    p = sg.ones(5, 3, 4, requires_grad=True)
    optimizer = optim.Adafactor([p])
    p.grad = sg.ones(5, 3, 4)
    optimizer.step()
    assert {n: x.shape for n, x in optimizer.state[p].items()} == {
        "step": (), "row_var": (5, 3, 1), "col_var": (5, 1, 4),
    }  # fmt: skip


@pytest.mark.parametrize("name", ALL)
def test_choices_of_implementation_change_nothing(name):
    results = [
        stepped(name, [1.0, 2.0], [[0.5, -1.0]] * 3, **more)[0]
        for more in ({}, {"foreach": True, "capturable": False, "fused": None})
    ]
    assert results[0] == results[1]


@pytest.mark.parametrize("name", ALL)
def test_other_arguments_are_refused(name):
    with pytest.raises(ArgumentError, match=f"{name} has no argument 'forech'. Did you mean 'foreach'?"):
        getattr(optim, name)([sg.zeros(1, requires_grad=True)], forech=True)
    with pytest.raises(ArgumentError, match=f"{name} changes parameters in place and is not differentiable"):
        getattr(optim, name)([sg.zeros(1, requires_grad=True)], differentiable=True)


WRONG = [
    ("Adagrad", {"lr_decay": -1.0}, "lr_decay to be a number of 0 or more, not -1.0"),
    ("RMSprop", {"centered": 1}, "centered to be True or False, not 1"),
    ("Adadelta", {"rho": 1.5}, r"rho to be a number in \[0, 1\], not 1.5"),
    ("Adamax", {"betas": (0.9, 1.0)}, r"betas to be two numbers in \[0, 1\), not \(0.9, 1.0\)"),
    ("NAdam", {"momentum_decay": -0.1}, "momentum_decay to be a number of 0 or more"),
    ("RAdam", {"eps": math.nan}, "eps to be a number of 0 or more, not nan"),
    ("Rprop", {"etas": (0.5, 0.9)}, r"etas to be \(η⁻, η⁺\) with 0 < η⁻ < 1 < η⁺"),
    ("Rprop", {"step_sizes": 1.0}, "step_sizes to be the smallest and the largest step"),
    ("ASGD", {"t0": "1"}, "t0 to be a finite number"),
    ("Adafactor", {"beta2_decay": 0.5}, "beta2_decay to be a number of 0 or less"),
    ("Adafactor", {"d": 0.5}, "d to be a number of 1 or more"),
    ("Adafactor", {"eps": (1.0,)}, r"eps to be \(ε₁, ε₂\)"),
    ("Muon", {"adjust_lr_fn": "other"}, "adjust_lr_fn to be None, 'original' or 'match_rms_adamw'"),
    ("Muon", {"ns_steps": 100}, "ns_steps to be a whole number from 0 to 99"),
    ("LBFGS", {"line_search_fn": "armijo"}, "line_search_fn to be None or 'strong_wolfe'"),
    ("LBFGS", {"max_iter": 0}, "max_iter to be a whole number of 1 or more"),
]


@pytest.mark.parametrize("name, hyperparameters, message", WRONG)
def test_hyperparameters_out_of_range(name, hyperparameters, message):
    with pytest.raises(ArgumentError, match=f"{name} needs {message}"):
        getattr(optim, name)([sg.zeros(1, 1, requires_grad=True)], **hyperparameters)


@pytest.mark.parametrize("name", ALL)
def test_a_float32_run_resumes_to_the_same_bits(name):
    def gradients(steps):
        for step in steps:
            yield sg.tensor(numpy.random.default_rng(step).normal(size=(3, 2)), dtype=sg.float32)

    def run(p, optimizer, steps):
        for g in gradients(steps):
            p.grad = g
            optimizer.step()

    make = getattr(optim, name)
    whole = sg.ones(3, 2, requires_grad=True)
    run(whole, make([whole], lr=0.01), range(6))
    first = sg.ones(3, 2, requires_grad=True)
    before = make([first], lr=0.01)
    run(first, before, range(3))
    second = first.detach().clone().requires_grad_()
    after = make([second], lr=0.01)
    after.load_state_dict(before.state_dict())
    run(second, after, range(3, 6))
    assert second.tolist() == whole.tolist()


@pytest.mark.parametrize("name", ["NAdam", "ASGD"])
def test_one_number_of_a_parameter_may_be_changed_from_outside(name):
    scalar = getattr(optim, name).scalars[0]
    ends = []
    for shape in ((2,), (100, 100)):  # together with others, and alone
        params = [sg.ones(shape, requires_grad=True) for _ in range(2)]
        optimizer = getattr(optim, name)(params)
        for step in range(3):
            for p in params:
                p.grad = sg.ones(shape)
            if step == 2:
                optimizer.state[params[1]][scalar].fill_(0.25)
            optimizer.step()
        ends.append([p.reshape(-1)[0].item() for p in params])
        assert ends[-1][0] != ends[-1][1]
    assert ends[0] == ends[1]
