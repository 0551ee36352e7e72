"""What a person does with parameters and optimizers between the calls of a compiled step."""

import copy
import warnings
from typing import Any

import numpy
import pytest

import stepgrad as sg
from stepgrad import nn, optim
from stepgrad.compile.follow.watch import Watch

STEPS = 8


def freeze(model, optimizer, kept):
    model[0].requires_grad_(False)


def freeze_and_thaw(model, optimizer, kept):
    model[0].requires_grad_(not model[0].weight.requires_grad)


def go_back(model, optimizer, kept):
    if kept:
        optimizer.load_state_dict(kept.pop())
    kept.append(copy.deepcopy(optimizer.state_dict()))


def forget_the_state(model, optimizer, kept):
    optimizer.state.clear()


def forget_a_part_of_the_state(model, optimizer, kept):
    optimizer.state[model[2].weight].clear()


def put_another_tensor_there(model, optimizer, kept):
    own = optimizer.state[model[2].weight]
    for name, value in own.items():
        if value.ndim:
            own[name] = sg.ones_like(value)


def train_fewer(model, optimizer, kept):
    optimizer.param_groups[0]["params"] = list(model[2].parameters())


def train_fewer_in_place(model, optimizer, kept):
    optimizer.param_groups[0]["params"][:1] = []


def add_a_group(model, optimizer, kept):
    if not kept:
        head = list(model[2].parameters())
        optimizer.param_groups[0]["params"] = list(model[0].parameters())
        kept.append(optimizer.add_param_group({"params": head, "lr": 0.3}))


def remove_a_group(model, optimizer, kept):
    add_a_group(model, optimizer, kept)
    if len(kept) == 2:
        optimizer.param_groups.pop()
    kept.append(None)


CHANGES = [
    freeze, freeze_and_thaw, go_back, forget_the_state, forget_a_part_of_the_state, put_another_tensor_there,
    train_fewer, train_fewer_in_place, add_a_group, remove_a_group,
]  # fmt: skip


class Scaled(optim.Optimizer):
    """Momentum as PyTorch's users write it, with a `step` of its own."""

    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr, "momentum": 0.9})

    @sg.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    own = self.state[p]
                    if "velocity" not in own:
                        own["velocity"] = sg.zeros_like(p)
                    own["velocity"].mul_(group["momentum"]).add_(p.grad)
                    p.add_(own["velocity"], alpha=-group["lr"])


class Counting(Scaled):
    """The same with a count in Python, on which the step depends."""

    @sg.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                own = self.state[p]
                own["step"] = own.get("step", 0) + 1
                p.add_(p.grad, alpha=-group["lr"] / own["step"])


def a_step(model, optimizer, also=lambda: None):
    def step(x, t):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), t)
        loss.backward()
        optimizer.step()
        also()
        return loss

    return step


def trained(make, change, compile, when=(3, 6)):
    """Return the weights after some steps, and the step."""
    sg.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    x, t = sg.randn(STEPS, 5, 3, dtype=sg.float64), sg.randn(STEPS, 5, 2, dtype=sg.float64)
    optimizer = make(model.parameters())
    step: Any = a_step(model, optimizer)
    if compile:
        step = sg.compile(step)
    kept: list[Any] = []
    for i in range(STEPS):
        if i in when:
            change(model, optimizer, kept)
        step(x[i], t[i])
    return [p.detach().numpy() for p in model.parameters()], step


def compared(make, change, when=(3, 6)):
    right, _ = trained(make, change, False, when)
    found, step = trained(make, change, True, when)
    for a, b in zip(right, found):
        numpy.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-12)
    return step


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam], ids=lambda kind: kind.__name__)
def test_a_change_between_calls(kind, change):
    options = {"momentum": 0.9} if kind is optim.SGD else {}
    step = compared(lambda params: kind(params, lr=0.1, **options), change)
    assert not step.runs_eagerly


def test_what_goes_back_and_forth_is_compiled_once_each():
    step = compared(lambda params: optim.SGD(params, lr=0.1), freeze_and_thaw, range(1, STEPS))
    assert len(step.programs) == 2


def slower(model, optimizer, kept):
    optimizer.param_groups[0]["lr"] *= 0.5


def test_the_rate_of_an_optimizer_with_a_step_of_its_own():
    step = compared(lambda params: Scaled(params, lr=0.1), slower)
    assert len(step.programs) == 3


def test_a_rate_in_a_tensor_is_read_in_every_step():
    rates = []

    def made(params):
        rates.append(sg.tensor(0.1, dtype=sg.float64))
        return optim.SGD(params, lr=rates[-1])

    def slower_still(model, optimizer, kept):
        rates[-1].mul_(0.5)

    step = compared(made, slower_still, range(1, STEPS))
    assert len(step.programs) == 1


def test_a_rate_in_a_tensor_that_the_step_changes_runs_eagerly():
    rate, weight = sg.tensor(0.1), sg.ones(2, requires_grad=True)
    optimizer = optim.SGD([weight], lr=rate)
    step = sg.compile(a_step(lambda x: weight * x, optimizer, lambda: rate.mul_(0.5)))
    with pytest.warns(UserWarning, match="asks for the value of a tensor that it changes"):
        step(sg.ones(2), sg.zeros(2))
    step(sg.ones(2), sg.zeros(2))
    assert rate.item() == pytest.approx(0.025)
    assert weight.tolist() == pytest.approx([0.9 * 0.95] * 2)


def test_a_count_in_the_state_runs_eagerly():
    with pytest.warns(UserWarning, match=r"the step changes step of parameter 0 of optimizer \(Counting\)"):
        compared(lambda params: Counting(params, lr=0.1), slower)


def test_a_rate_that_the_step_itself_changes_runs_eagerly():
    found = []
    for compile in (False, True):
        weight = sg.ones(2, requires_grad=True)
        optimizer = optim.SGD([weight], lr=0.1)

        def decay(optimizer=optimizer):
            optimizer.param_groups[0]["lr"] *= 0.5

        step = a_step(lambda x, weight=weight: weight * x, optimizer, decay)
        if compile:
            step = sg.compile(step)
            with pytest.warns(UserWarning, match=r"the step changes lr of .* \(SGD\)"):
                step(sg.ones(2), sg.zeros(2))
        for _ in range(4 - compile):
            step(sg.ones(2), sg.zeros(2))
        found.append((weight.tolist(), optimizer.param_groups[0]["lr"]))
    assert found[0] == found[1]


def test_an_optimizer_of_a_deep_model_is_followed():
    """However many modules are found before it."""
    model = nn.Sequential(*(nn.Identity() for _ in range(300)))
    optimizer = optim.SGD([sg.ones(1, requires_grad=True)], lr=1.0)
    watch = Watch({"model": model, "optimizer": optimizer})
    assert watch.change() == ""
    optimizer.param_groups[0]["weight_decay"] = 0.5
    assert watch.change() == "weight_decay of optimizer (SGD)"


def test_steps_that_share_an_optimizer_and_train_other_parameters():
    """Each parameter counts its own steps, of which Adam's first ones depend much."""
    found = []
    for compile in (False, True):
        sg.manual_seed(0)
        trunk, heads = nn.Linear(3, 4).double(), nn.ModuleList(nn.Linear(4, 1).double() for _ in range(2))
        optimizer = optim.Adam([*trunk.parameters(), *heads.parameters()], lr=0.1)
        steps: list[Any] = [a_step(nn.Sequential(trunk, nn.Tanh(), head), optimizer) for head in heads]
        if compile:
            steps = [sg.compile(step) for step in steps]
        for i in range(12):
            steps[i % 2 or i > 8](sg.randn(5, 3, dtype=sg.float64), sg.randn(5, 1, dtype=sg.float64))
        found.append([p.detach().numpy() for p in [*trunk.parameters(), *heads.parameters()]])
    for a, b in zip(*found):
        numpy.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-12)
    assert [len(step.programs) for step in steps] == [2, 1]


def test_other_modules_that_are_trained_do_not_matter():
    model, other = nn.Linear(2, 2), nn.Linear(2, 2)
    optimizer = optim.SGD([{"params": model.parameters()}, {"params": other.parameters()}], lr=0.1)
    step = sg.compile(a_step(model, optimizer))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(20):
            other.requires_grad_(not other.weight.requires_grad)
            step(sg.ones(2, 2), sg.zeros(2, 2))
    assert len(step.programs) == 1
