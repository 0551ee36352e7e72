import copy

import numpy
import pytest

import stepgrad as sg
from stepgrad.autograd.engine import TENSORS
from stepgrad.autograd.recording import record
from stepgrad.errors import ArgumentError, ShapeError
from stepgrad.ops.namespace import NUMPY
from stepgrad.ops.symbol import Symbol
from stepgrad.optim import SGD, Adam, AdamW, Optimizer

RULES = [
    (SGD, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    (Adam, {"amsgrad": True, "weight_decay": 0.01, "maximize": True}),
    (AdamW, {"lr": 0.01}),
]
SHAPES = [(3, 2), (3,), (), (0, 4), (40, 30)]


def parameters(seed=0, dtype="float32", shapes=SHAPES):
    generator = numpy.random.default_rng(seed)
    return [sg.from_numpy(numpy.asarray(generator.normal(size=s), dtype)).requires_grad_() for s in shapes]


def give_gradients(params, seed):
    generator = numpy.random.default_rng(seed)
    for p in params:
        p.grad = sg.tensor(generator.normal(size=p.shape), dtype=p.dtype)


def bits(optimizer):
    """Everything that a training run would go on from, as bytes."""
    parts = [p.detach().numpy().tobytes() for group in optimizer.param_groups for p in group["params"]]
    state = optimizer.state_dict()["state"]
    return parts + [(i, k, t.numpy().tobytes()) for i, own in state.items() for k, t in own.items()]


def train(optimizer, steps):
    params = [p for group in optimizer.param_groups for p in group["params"]]
    for step in steps:
        give_gradients(params, step)
        optimizer.step()


# ------------------------------------------------------------------------------------------- construction


def test_groups_and_defaults():
    a, b = sg.zeros(2, requires_grad=True), sg.zeros(3, requires_grad=True)
    optimizer = SGD([{"params": a, "lr": 0.5}, {"params": [b], "name": "head"}], lr=0.1, momentum=0.9)
    assert [(g["lr"], g["momentum"], len(g["params"])) for g in optimizer.param_groups] == [
        (0.5, 0.9, 1),
        (0.1, 0.9, 1),
    ]
    assert optimizer.param_groups[1]["name"] == "head", "keys of one's own are kept"
    assert "param_names" not in optimizer.param_groups[0]
    for p in (a, b):
        p.grad = sg.ones(p.shape)
    optimizer.step()
    assert a.tolist() == [-0.5] * 2
    assert b.tolist() == pytest.approx([-0.1] * 3)


def test_names_are_kept():
    pairs = [("w", sg.zeros(2, requires_grad=True)), ("b", sg.zeros(1, requires_grad=True))]
    optimizer = Adam([{"params": iter(pairs[:1])}, {"params": pairs[1:], "lr": 0.1}])
    assert [g["param_names"] for g in optimizer.param_groups] == [["w"], ["b"]]
    assert optimizer.param_groups[1]["params"] == [pairs[1][1]]


def leaf():
    return sg.zeros(2, requires_grad=True)


SAME = leaf()
BAD_PARAMETERS = [
    (list, "SGD got no parameters: the iterable is empty or was used up."),
    (lambda: leaf(), "takes an iterable of parameters, .* not a Tensor. Put one into a list."),
    (lambda: None, "takes an iterable of parameters, .* not a NoneType."),
    (lambda: {"params": [leaf()]}, "takes an iterable of parameters, .* not a dict"),
    (lambda: {leaf()}, "in an order that is always the same: a list, not a set."),
    (lambda: [leaf(), 3], "takes Tensors; parameter number 1 of the group is of type int."),
    (lambda: [("w", leaf()), leaf()], "takes names for all parameters of a group or for none, not for some."),
    (lambda: [{"params": [("w", leaf())]}, {"params": [leaf()]}], "all groups or of none."),
    (lambda: [("w", leaf() * 2)], "cannot change parameter w, which was computed by .*mul"),
    (lambda: [("w", sg.zeros(2, dtype=sg.int64))], "takes floating point parameters; w is int64."),
    (lambda: [SAME, SAME], "was given parameter number 1 of the group twice"),
    (lambda: [{"params": [("w", SAME)]}, {"params": [("v", SAME)]}], "was given parameter v twice"),
    (lambda: [{"lr": 1.0}], "takes groups as dicts with the key 'params', not {'lr': 1.0}."),
    (lambda: [{"params": 3}], "takes a Tensor or an iterable of them as 'params', not 3."),
]


@pytest.mark.parametrize("params, message", BAD_PARAMETERS)
def test_bad_parameters_are_named(params, message):
    with pytest.raises(ArgumentError, match=message):
        SGD(params())


def test_a_refused_group_is_not_added():
    optimizer = SGD([leaf()])
    with pytest.raises(ArgumentError):
        optimizer.add_param_group({"params": [leaf()], "lr": -1.0})
    assert len(optimizer.param_groups) == 1


def test_a_group_added_later_is_trained():
    a, b = leaf(), leaf()
    optimizer = Adam([a], lr=0.1)
    for p in (a, b):
        p.grad = sg.ones(2)
    optimizer.step()
    assert b.tolist() == [0.0, 0.0]
    optimizer.add_param_group({"params": [b], "lr": 1.0})
    optimizer.step()
    assert b.tolist() == pytest.approx([-1.0, -1.0])


def test_repr_shows_the_groups():
    assert "0: 1 parameters, lr=0.5, momentum=0.0" in repr(SGD([leaf()], lr=0.5))


# --------------------------------------------------------------------------------------------------- step


def test_the_closure_gives_the_loss_and_records_gradients():
    w = sg.tensor([3.0], requires_grad=True)
    optimizer = SGD([w], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    with sg.no_grad():
        assert optimizer.step(closure).item() == 9.0
    assert w.item() == pytest.approx(3 - 0.1 * 6)


def test_parameters_without_gradient_are_left_alone():
    a, b = leaf(), leaf()
    optimizer = Adam([a, b], lr=0.1)
    b.grad = sg.ones(2)
    optimizer.step()
    assert a.tolist() == [0.0, 0.0]
    assert list(optimizer.state_dict()["state"]) == [1]


def test_a_step_counts_as_a_change_in_place():
    w = sg.tensor([3.0], requires_grad=True)
    loss = (w * w).sum()
    loss.backward(retain_graph=True)
    SGD([w], lr=0.1).step()
    with pytest.raises(sg.StepgradError, match="in-place"):
        loss.backward()


def test_zero_grad():
    w = sg.tensor([3.0], requires_grad=True)
    optimizer = SGD([w])
    w.grad = sg.ones(1)
    kept = w.grad
    optimizer.zero_grad(set_to_none=False)
    assert kept.tolist() == [0.0]
    assert w.grad.tolist() == [0.0]
    optimizer.zero_grad()
    assert w.grad is None


def test_an_optimizer_without_a_rule_says_so():
    class Empty(Optimizer):
        pass

    with pytest.raises(
        ArgumentError, match=r"Empty has no rule: define update\(xp, p, g, state, step, …\) or step"
    ):
        Empty([leaf()], {}).step()


def test_an_optimizer_in_the_way_of_pytorch():
    class Lion(Optimizer):
        """Steps of one size in the direction of a running mean (Chen et al., 2023)."""

        def __init__(self, params, lr=0.1, beta=0.5):
            super().__init__(params, {"lr": lr, "beta": beta})

        @sg.no_grad()
        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is None:
                        continue
                    state = self.state[p]
                    if not state:
                        state["step"] = 0
                        state["mean"] = sg.zeros_like(p)
                    state["step"] += 1
                    state["mean"].mul_(group["beta"]).add_(p.grad * (1 - group["beta"]))
                    p.sub_(group["lr"] * state["mean"].sign())

    w = sg.tensor([1.0, -1.0], requires_grad=True)
    optimizer = Lion([w])
    for _ in range(3):
        optimizer.zero_grad()
        (w * w).sum().backward()
        optimizer.step()
    assert w.tolist() == pytest.approx([0.7, -0.7])
    saved = optimizer.state_dict()
    assert saved["state"][0]["step"] == 3
    other = Lion([sg.zeros(2, requires_grad=True)], lr=9.0)
    other.load_state_dict(saved)
    assert other.param_groups[0]["lr"] == 0.1
    [state] = other.state.values()
    assert state["mean"].tolist() == optimizer.state[w]["mean"].tolist()


# -------------------------------------------------------------------------------------------------- rules


def applied(optimizer, xp, wrap):
    group = optimizer.param_groups[0]
    hyperparameters = optimizer.hyperparameters(group)
    names = [name for name in optimizer.start(**hyperparameters) if name != "step"] or ["momentum_buffer"]
    generator = numpy.random.default_rng(1)
    arrays = {name: abs(generator.normal(size=5)) for name in ("p", "g", *names)}
    before = {name: array.copy() for name, array in arrays.items()}
    p, g, *state = (wrap(name, array) for name, array in arrays.items())
    new_p, new_state = optimizer.update(xp, p, g, dict(zip(names, state)), 3, **hyperparameters)
    for name, array in arrays.items():
        assert array.tobytes() == before[name].tobytes(), f"the rule changed {name}"
    assert list(new_state) == names
    return [new_p, *new_state.values()]


@pytest.mark.parametrize("rule, hyperparameters", RULES)
def test_one_rule_computes_records_and_becomes_text(rule, hyperparameters):
    optimizer = rule([leaf()], **hyperparameters)
    computed = applied(optimizer, NUMPY, lambda _, array: array)
    with record() as nodes, sg.no_grad():
        recorded = applied(optimizer, TENSORS, lambda _, array: sg.from_numpy(array))
    assert [t.numpy().tobytes() for t in recorded] == [a.tobytes() for a in computed]
    assert len(nodes) > 3
    texts = [str(s) for s in applied(optimizer, Symbol, lambda name, _: Symbol(name))]
    assert "p" in texts[0]
    assert "g" in texts[1]


@pytest.mark.parametrize("rule, hyperparameters", RULES)
def test_every_hyperparameter_has_a_limit(rule, hyperparameters):
    optimizer = rule([leaf()], **hyperparameters)
    assert optimizer.defaults.keys() == rule.limits.keys()


def test_a_rule_that_is_not_elementwise_sees_whole_parameters():
    class Normalised(Optimizer):
        elementwise = False

        def __init__(self, params, lr):
            super().__init__(params, {"lr": lr})

        @staticmethod
        def start(**_):
            return {"step": 0.0}

        @staticmethod
        def update(xp, p, g, state, step, *, lr):
            length = (g * g).sum() ** 0.5
            total = length + state["length"] if "length" in state else length
            return p - lr * g / length, {"length": total}

    a, b = sg.zeros(2, 2, requires_grad=True), sg.zeros(1, requires_grad=True)
    optimizer = Normalised([a, b], lr=1.0)
    for _ in range(2):
        a.grad, b.grad = sg.full((2, 2), 3.0), sg.full((1,), 5.0)
        optimizer.step()
    assert a.tolist() == [[-1.0, -1.0], [-1.0, -1.0]]
    assert b.tolist() == [-2.0]
    assert optimizer.state[a]["length"].item() == 12.0
    assert optimizer.state[b]["step"].item() == 2


# -------------------------------------------------------------------------------------------------- state


def test_the_layout_is_pytorchs():
    params = parameters()
    optimizer = Adam([{"params": params[:2]}, {"params": params[2:], "lr": 0.1}])
    train(optimizer, [1])
    saved = optimizer.state_dict()
    assert saved.keys() == {"state", "param_groups"}
    assert [g["params"] for g in saved["param_groups"]] == [[0, 1], [2, 3, 4]]
    assert [list(own) for own in saved["state"].values()] == [["step", "exp_avg", "exp_avg_sq"]] * 5
    assert all(isinstance(t, sg.Tensor) for own in saved["state"].values() for t in own.values())
    assert [own["exp_avg"].shape for own in saved["state"].values()] == SHAPES
    assert [own["step"].shape for own in saved["state"].values()] == [()] * 5
    assert saved["param_groups"][1]["betas"] == (0.9, 0.999)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rule, hyperparameters", RULES)
def test_a_run_that_goes_on_from_a_state_ends_in_the_same_bits(rule, hyperparameters, dtype):
    whole = rule(parameters(dtype=dtype), **hyperparameters)
    train(whole, range(7))
    first = rule(parameters(dtype=dtype), **hyperparameters)
    train(first, range(3))
    saved = copy.deepcopy(first.state_dict())
    clones = [p.detach().clone().requires_grad_() for p in first.param_groups[0]["params"]]
    second = rule(clones, lr=0.5)
    second.load_state_dict(saved)
    train(second, range(3, 7))
    assert bits(second) == bits(whole)


def test_a_loaded_state_is_a_copy():
    first = Adam(parameters())
    train(first, range(2))
    second = Adam(parameters())
    second.load_state_dict(first.state_dict())
    before = bits(first)
    train(second, range(2, 4))
    assert bits(first) == before


def test_a_loaded_state_takes_the_dtype_of_the_parameter():
    first = Adam(parameters(dtype="float64"))
    train(first, [0])
    second = Adam(parameters(dtype="float32"))
    second.load_state_dict(first.state_dict())
    own = second.state[second.param_groups[0]["params"][0]]
    assert (own["exp_avg"].dtype, own["step"].item()) == (sg.float32, 1)


def test_parameters_are_told_apart_by_name():
    def named(order):
        return [(n, sg.zeros(2, requires_grad=True)) for n in order]

    first = SGD(named("ab"), momentum=0.9)
    for i, p in enumerate(first.param_groups[0]["params"]):
        p.grad = sg.full((2,), float(i))
    first.step()
    second = SGD(named("ba"))
    second.load_state_dict(first.state_dict())
    buffers = [second.state[p]["momentum_buffer"].tolist() for p in second.param_groups[0]["params"]]
    assert buffers == [[1.0, 1.0], [0.0, 0.0]]
    assert second.param_groups[0]["param_names"] == ["b", "a"]
    third = SGD(named("ac"))
    with pytest.raises(ArgumentError, match=r"lacks the parameters \['c'\] and has \['b'\]"):
        third.load_state_dict(first.state_dict())
    by_position = first.state_dict()
    del by_position["param_groups"][0]["param_names"]
    third.load_state_dict(by_position)
    assert third.param_groups[0]["param_names"] == ["a", "c"]


def test_a_state_that_does_not_fit_changes_nothing():
    optimizer = Adam(parameters(), lr=0.1)
    train(optimizer, [0])
    before = bits(optimizer)
    good = optimizer.state_dict()
    with pytest.raises(ArgumentError, match="a dict with 'state' and 'param_groups'"):
        optimizer.load_state_dict({"state": {}})
    with pytest.raises(ArgumentError, match=r"its groups have \[1\] parameters, not \[5\]"):
        optimizer.load_state_dict(Adam([leaf()]).state_dict())
    with pytest.raises(ArgumentError, match="Adam needs betas to be two numbers"):
        optimizer.load_state_dict({**good, "param_groups": [{**good["param_groups"][0], "betas": (2, 2)}]})
    with pytest.raises(
        ShapeError, match=r"'exp_avg' of shape \[7\] belongs to a parameter of shape \[3, 2\]"
    ):
        optimizer.load_state_dict({**good, "state": {0: {**good["state"][0], "exp_avg": sg.zeros(7)}}})
    assert bits(optimizer) == before
    assert optimizer.param_groups[0]["lr"] == 0.1


def test_hyperparameters_that_a_state_lacks_stay():
    optimizer = SGD([leaf()], nesterov=True, momentum=0.9)
    optimizer.load_state_dict({"state": {}, "param_groups": [{"params": [0], "lr": 0.5}]})
    assert (optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["nesterov"]) == (0.5, True)


def test_a_copy_goes_its_own_way():
    optimizer = Adam(parameters())
    train(optimizer, range(2))
    other, before = copy.deepcopy(optimizer), bits(optimizer)
    assert bits(other) == before
    train(other, range(2, 4))
    assert bits(optimizer) == before
    train(optimizer, range(2, 4))
    assert bits(optimizer) == bits(other)
