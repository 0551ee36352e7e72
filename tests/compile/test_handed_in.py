"""Compiled steps follow objects that are handed in, hooks, and whether NaN are looked for."""

import gc
import weakref
from dataclasses import dataclass, field, make_dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy
import pytest

import stepgrad as sg
from stepgrad import nn, optim
from stepgrad.errors import CaptureError, GradientError

X = sg.tensor([[1.0, -2.0, 0.5], [0.0, 1.0, 2.0]])


def update(model, optimizer, x):
    loss = model(x).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


def both(change, kind=optim.SGD):
    """Compare a step that is handed model and optimizer, eager and compiled, with a change in between."""
    losses = []
    for step in (update, sg.compile(update)):
        sg.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.0), nn.Linear(4, 1))
        optimizer = kind(model.parameters(), lr=0.1, weight_decay=0.1)
        for i in range(6):
            if i == 3:
                change(model, optimizer)
            losses.append(float(step(model, optimizer, X)))
    assert losses[6:] == pytest.approx(losses[:6], rel=1e-5)


def test_hyperparameters_of_an_optimizer_that_is_handed_in():
    both(lambda model, optimizer: optimizer.param_groups[0].update(weight_decay=5.0))


def test_attributes_of_a_model_that_is_handed_in():
    both(lambda model, optimizer: setattr(model[1], "p", 1.0))


def test_layers_of_a_model_that_is_handed_in():
    both(lambda model, optimizer: model.__setitem__(1, nn.Tanh()))


def test_attributes_of_an_object_that_is_handed_in():
    class Batch:
        x, factors = sg.ones(2), (2.0,)

    batch, compiled = Batch(), sg.compile(lambda batch: batch.x * batch.factors[0])
    for x, factor in ((1.0, 2.0), (1.0, 2.0), (3.0, 2.0), (3.0, 5.0), (3.0, 5.0)):
        if float(batch.x[0]) != x:
            batch.x = sg.full((2,), x)
        batch.factors = (factor,)
        assert compiled(batch).tolist() == [x * factor] * 2


@pytest.mark.parametrize("kind", ["register_hook", "register_post_accumulate_grad_hook"])
def test_hooks_on_parameters_that_come_and_go(kind):
    hook = (lambda g: g * 3) if kind == "register_hook" else (lambda p: p.grad.mul_(3))
    runs = []
    for compile in (lambda f: f, sg.compile):
        sg.manual_seed(0)
        model = nn.Linear(3, 1)
        optimizer = optim.SGD(model.parameters(), lr=0.01)
        step, runs = compile(lambda x, m=model, o=optimizer: update(m, o, x)), [*runs, []]
        handles = []
        for i in range(14):
            if i in (2, 5, 12):
                handles.append(getattr(model.weight, kind)(hook))
            if i in (8, 10):
                handles.pop().remove()
            runs[-1].append(float(step(X)))
    assert runs[1] == pytest.approx(runs[0], rel=1e-5)


@pytest.mark.parametrize("register", ["register_step_pre_hook", "register_step_post_hook"])
def test_hooks_of_an_optimizer_that_come_and_go(register):
    model = nn.Linear(3, 1)
    optimizer = optim.SGD(model.parameters(), lr=0.01)
    step = sg.compile(lambda x: update(model, optimizer, x))
    for _ in range(2):
        step(X)
        handle = getattr(optimizer, register)(lambda *_: None)
        with pytest.raises(CaptureError, match="SGD has hooks around its step"):
            step(X)
        handle.remove()


def test_while_anomalies_are_looked_for_calls_run_eagerly():
    x = sg.ones(2, requires_grad=True)

    def step(y):
        loss = ((x * y).sqrt() * 0).sum()
        (gradient,) = sg.autograd.grad(loss, x)
        return gradient

    compiled, y = sg.compile(step), sg.zeros(2)
    assert compiled(y).isnan().all()
    with sg.autograd.detect_anomaly(), pytest.raises(GradientError, match="the derivative of sqrt"):
        compiled(y)
    with sg.autograd.detect_anomaly(), pytest.raises(GradientError, match="the derivative of sqrt"):
        compiled.scan(y[None])
    assert compiled(y).isnan().all()


def test_a_step_that_looks_for_anomalies_runs_eagerly():
    x = sg.ones(2, requires_grad=True)

    def step(y):
        with sg.autograd.detect_anomaly():
            return sg.autograd.grad(((x * y).sqrt() * 0).sum(), x)[0]

    compiled = sg.compile(step)
    with pytest.warns(UserWarning, match="runs eagerly: it looks for NaN in derivatives"):
        compiled(sg.ones(2))
    with pytest.raises(GradientError, match="the derivative of sqrt"):
        compiled(sg.zeros(2))


def test_a_new_object_in_every_call_ends_in_eager_runs():
    class Batch:
        def __init__(self, x):
            self.x = x

    compiled = sg.compile(lambda batch, y: batch.x * y)
    with pytest.warns(UserWarning, match=r"compiled 16 times.* \(what is handed in\)"):
        results = [compiled(Batch(sg.full((2,), float(i))), sg.ones(2)).tolist() for i in range(20)]
    assert results == [[i, i] for i in range(20)]
    assert len(compiled.programs) == 16


@pytest.mark.parametrize(
    "first, second",
    [
        (numpy.float32(0.5), numpy.float32(0.25)), (numpy.int64(2), numpy.int64(3)),
        (Fraction(1, 2), Fraction(1, 4)), (0.0, -0.0), (1, 1.0), (True, 1),
    ],
    ids=str,
)  # fmt: skip
def test_numbers_of_any_kind_are_told_apart_by_their_value(first, second):
    def scaled(x, factor):
        return x / sg.tensor([float(factor)]), sg.tensor([factor == 1, type(factor) is int])

    compiled = sg.compile(scaled)
    x = sg.tensor([2.0])
    for factor in (first, second, first, second):
        now, before = compiled(x, type(factor)(factor)), scaled(x, factor)
        assert [y.tolist() for y in now] == [y.tolist() for y in before]
    assert not compiled.runs_eagerly
    assert len(compiled.programs) == 2


def test_one_program_for_equal_numbers_slices_and_nan():
    compiled = sg.compile(lambda x, *others: x[others[0]] * float(others[1]))
    for _ in range(20):
        assert compiled(sg.arange(4.0), slice(1, 3), numpy.float32(2)).tolist() == [2, 4]
        assert compiled(sg.arange(4.0), slice(0, None, 2), float("nan")).isnan().all()
    assert not compiled.runs_eagerly
    assert len(compiled.programs) == 2


@dataclass
class Batch:
    """What many programs hand to a step: a new object in every call."""

    x: sg.Tensor
    y: sg.Tensor
    scale: float = 1.0


@dataclass(frozen=True)
class Outcome:
    """What a step may return."""

    loss: sg.Tensor
    parts: dict[str, sg.Tensor]
    kind: str = "squared"


def squared(batch):
    errors = (batch.x * batch.scale - batch.y).square()
    return Outcome(errors.mean(), {"errors": errors})


def test_dataclasses_are_handed_in_and_returned_by_their_fields():
    compiled = sg.compile(squared)
    for i in range(40):
        batch = Batch(sg.randn(3), sg.randn(3), scale=float(i % 2))
        now, before = compiled(batch), squared(batch)
        assert (type(now), now.kind, [*now.parts]) == (Outcome, "squared", ["errors"])
        assert now.loss.allclose(before.loss)
        assert now.parts["errors"].allclose(before.parts["errors"])
    assert not compiled.runs_eagerly
    assert len(compiled.programs) == 2


def test_results_in_dataclasses_are_stacked_by_a_scan():
    compiled = sg.compile(lambda x: Outcome(x.sum(), {"twice": x * 2}))
    for _ in range(2):
        outcome = compiled.scan(sg.tensor([[1.0, 2.0], [3.0, 4.0]]))
        assert outcome.loss.tolist() == [3, 7]
        assert outcome.parts["twice"].tolist() == [[2, 4], [6, 8]]


def test_the_first_batch_is_let_go():
    compiled = sg.compile(squared)
    batch = Batch(sg.randn(3), sg.randn(3))
    living = [weakref.ref(batch), weakref.ref(batch.x), weakref.ref(compiled(batch)), weakref.ref(compiled)]
    del batch
    gc.collect()
    assert [ref() is None for ref in living] == [True, True, True, False]


def first_of(held):
    if isinstance(held, Batch):
        return held.x
    return held["x"] if isinstance(held, dict) else held[0]


@pytest.mark.parametrize(
    "hand", [lambda x: [x], lambda x: {"x": x}, lambda x: Batch(x, x)], ids=["list", "dict", "dataclass"]
)
def test_what_was_handed_in_and_is_given_another_tensor_of_the_same_kind(hand):
    def double(held):
        twice = first_of(held) * 2
        if isinstance(held, Batch):
            held.x = twice
        else:
            held["x" if isinstance(held, dict) else 0] = twice
        return twice.sum()

    compiled, seen = sg.compile(double), []
    with pytest.warns(UserWarning, match="runs eagerly"):
        seen = [(held, compiled(held).item()) for held in (hand(sg.ones(2)) for _ in range(3))]
    assert [(first_of(held).tolist(), total) for held, total in seen] == [([2, 2], 4)] * 3


def test_entries_that_a_step_exchanges():
    def exchange(held):
        held[0], held[1] = held[1], held[0]
        return held[0] - held[1]

    compiled, seen = sg.compile(exchange), []
    with pytest.warns(UserWarning, match="changes a list, dict or dataclass that it was handed"):
        seen = [
            (held, compiled(held).item()) for held in ([sg.tensor(1.0), sg.tensor(2.0)] for _ in range(3))
        ]
    assert [(held[0].item(), found) for held, found in seen] == [(2, 1)] * 3


def test_dataclasses_that_hold_each_other():
    @dataclass
    class Node:
        x: sg.Tensor
        parent: Any = None
        below: list[Any] = field(default_factory=list)

    root = Node(sg.ones(2))
    root.below = [Node(sg.full((2,), 3.0), root), Node(sg.full((2,), 5.0), root)]
    compiled = sg.compile(lambda node: node.x + sum((n.x * n.parent.x for n in node.below), sg.zeros(2)))
    for x in (1.0, 2.0):
        root.x = sg.full((2,), x)
        assert compiled(root).tolist() == [x + 8 * x] * 2


def test_what_dataclasses_hold_besides_their_fields():
    @dataclass
    class Counted:
        x: sg.Tensor
        factor: ClassVar[float] = 1.0

        def __post_init__(self):
            self.count, self.twice = len(self.x), self.x * 2

        def total(self):
            return (self.twice * self.factor).sum() / self.count

    compiled = sg.compile(lambda batch: batch.total())
    for x, factor in (([1.0, 2.0], 1.0), ([3.0, 4.0], 1.0), ([3.0, 4.0], 5.0), ([1.0, 2.0, 3.0], 5.0)):
        Counted.factor = factor
        for _ in range(2):
            batch = Counted(sg.tensor(x))
            assert compiled(batch).item() == pytest.approx(batch.total().item())
    assert not compiled.runs_eagerly


@pytest.mark.parametrize(
    "options", [{"slots": True}, {"frozen": True}, {"frozen": True, "slots": True}], ids=str
)
def test_dataclasses_of_every_make(options):
    made = make_dataclass("Made", [("x", sg.Tensor), ("n", float, 2.0)], **options)
    compiled = sg.compile(lambda batch: made(batch.x * batch.n, batch.n))
    for x in (1.0, 3.0, 5.0):
        result = compiled(made(sg.tensor([x])))
        assert (type(result), result.x.tolist(), result.n) == (made, [2 * x], 2.0)
    assert len(compiled.programs) == 1


def test_a_dataclass_of_what_a_training_consists_of_may_count():
    @dataclass
    class Training:
        model: nn.Module
        optimizer: optim.Optimizer
        epoch: int = 0

    @sg.compile
    def step(training, x):
        return update(training.model, training.optimizer, x)

    model = nn.Linear(3, 1)
    training = Training(model, optim.SGD(model.parameters(), lr=0.01))
    losses = []
    for training.epoch in range(40):
        losses.append(step(training, X).item())
    assert losses == sorted(losses, reverse=True)
    assert not step.runs_eagerly
    assert len(step.programs) == 1
