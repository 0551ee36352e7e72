"""Faults that people make, planted into lines one at a time: the check has to find them."""

import copy
import dataclasses
import random

import numpy
import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.explain.expressions import Operation, Ref, function, negative, refs, value_of
from stepgrad.explain.notation import number_text, text_of
from stepgrad.ops import find
from tests.explain.examples import example

KINDS = ("sign", "index", "transpose", "missing term", "wrong reference")


def networks():
    sg.manual_seed(11)
    first = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 2)).double()
    second = nn.Sequential(nn.Linear(2, 2), nn.SiLU(), nn.Linear(2, 2), nn.Sigmoid()).double()
    x, y = sg.randn(2, 3, dtype=sg.float64), sg.tensor([1, 0])
    yield sg.explain(first, nn.CrossEntropyLoss(), sg.optim.AdamW(first.parameters(), lr=0.05), x, y)
    x, y = sg.randn(3, 2, dtype=sg.float64), sg.rand(3, 2, dtype=sg.float64)
    yield sg.explain(second, nn.BCELoss(), sg.optim.SGD(second.parameters(), lr=0.5, weight_decay=0.1), x, y)
    x, y = sg.randn(1, 2, dtype=sg.float64), sg.rand(1, 2, dtype=sg.float64)
    yield sg.explain(second, nn.MSELoss(), sg.optim.Adam(second.parameters(), lr=0.5), x, y)


def replaced(x, old, new):
    """An expression with one part, by identity, replaced by another."""
    if x is old:
        return new
    if isinstance(x, Operation):
        return Operation(x.head, tuple(replaced(part, old, new) for part in x.operands))
    return x


def parts(x):
    yield x
    if isinstance(x, Operation):
        for part in x.operands:
            yield from parts(part)


def with_fault(kind, expression, chance, others):
    """The expression with a fault of that kind, or None where it has no room for it."""
    used = refs(expression)
    if kind == "sign":
        part = chance.choice(
            [p for p in parts(expression) if not isinstance(p, Operation) or p.head != "neg"]
        )
        return replaced(expression, part, negative(part))
    if kind == "missing term":
        sums = [p for p in parts(expression) if isinstance(p, Operation) and p.head in ("+", "*")]
        if not sums:
            return None
        part = chance.choice(sums)
        left = list(part.operands)
        left.pop(chance.randrange(len(left)))
        return replaced(expression, part, function(part.head, *left))
    part = chance.choice(used) if used else None
    if part is None:
        return None
    shape = part.source.array.shape
    if kind == "index" and part.source.array.size > 1:
        return replaced(expression, part, Ref(part.source, (part.place + 1) % part.source.array.size))
    if kind == "transpose" and len(shape) == 2:
        i, j = numpy.unravel_index(part.place, shape)
        if i != j and j < shape[0] and i < shape[1]:
            return replaced(expression, part, Ref(part.source, int(numpy.ravel_multi_index((j, i), shape))))
    if kind == "wrong reference":
        return replaced(expression, part, chance.choice(others))
    return None


def faulty_line(worked, line, expression):
    """The line as it would stand with that expression: consistent in itself, and wrong."""
    source = worked.source
    names = {source.name_of(ref).text(): source.id_of(ref) for ref in refs(expression)}
    shown = {source.id_of(ref): number_text(ref.value, 17) for ref in refs(expression)}

    def by_name(leaf):
        return source.name_of(leaf).text() if isinstance(leaf, Ref) else number_text(leaf.value, 17)

    def by_number(leaf):
        return number_text(leaf.value, 17)

    value = value_of(expression)
    return dataclasses.replace(
        line,
        formula=text_of(expression, by_name),
        substituted=text_of(expression, by_number),
        value=value,
        text=number_text(value, 6),
        references=tuple(names.values()),
        names=names,
        shown=shown,
        expression=expression,
    )


def with_line(worked, line):
    changed = copy.copy(worked)
    changed.lines = [line if each.id == line.id else each for each in worked.lines]
    changed._by_id = {**worked._by_id, line.id: line}
    return changed


def planted(count):
    chance = random.Random(2024)
    works = list(networks())
    made = 0
    while made < count:
        kind, worked = KINDS[made % len(KINDS)], chance.choice(works)
        line = chance.choice([each for each in worked if each.expression is not None])
        others = [ref for each in worked if each.expression is not None for ref in refs(each.expression)]
        expression = with_fault(kind, line.expression, chance, others)
        if expression is None:
            continue
        wrong = value_of(expression)
        if not numpy.isfinite(wrong) or abs(wrong - line.value) <= 1e-6 * max(1, abs(line.value)):
            continue  # not a fault: it has the same value
        made += 1
        yield kind, with_line(worked, faulty_line(worked, line, expression)), line.id


def test_a_hundred_planted_faults_are_found():
    missed = []
    for kind, worked, id in planted(100):
        if worked.check().ok:
            missed.append(f"{kind} in {id}: {worked[id]}")
    assert len(missed) <= 1, "\n".join(missed)


def test_the_networks_without_faults_are_true():
    assert all(worked.check().ok for worked in networks())


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "silu"])
def test_a_wrong_derivative_in_a_record_is_found(monkeypatch, name):
    record = find(name)
    right = record.partials
    monkeypatch.setattr(record, "partials", lambda m, *inputs, **attrs: (-right(m, *inputs, **attrs)[0],))
    model = nn.Sequential(
        nn.Linear(2, 2), getattr(nn, {"silu": "SiLU"}.get(name, name.title()))(), nn.Linear(2, 1)
    )
    worked = sg.explain(model, nn.MSELoss(), None, [0.3, -0.2], [1.0])
    assert {fault.what for fault in worked.check().faults} == {"gradient"}


def test_an_optimizer_that_does_something_else_than_it_says(monkeypatch):
    worked = example()
    outcome = worked.step.again()
    outcome.parameters["2.bias"] += 0.001
    monkeypatch.setattr(worked.step, "again", lambda: outcome)
    faults = worked.check().faults
    assert [(fault.id, fault.what) for fault in faults] == [("update/2.bias[0]", "outcome")]


def test_a_forward_pass_after_the_update_that_gives_something_else(monkeypatch):
    worked = example()
    outcome = worked.step.again()
    changed = dataclasses.replace(outcome, loss_after=0.3, output_after=outcome.output_after - 0.001)
    monkeypatch.setattr(worked.step, "again", lambda: changed)
    assert [(fault.id, fault.what) for fault in worked.check().faults] == [
        ("after/3/a[0]", "outcome"),
        ("after/loss", "outcome"),
    ]
