"""Faults that people make, planted into lines one at a time: the check has to find them."""

import dataclasses
import random

import numpy
import pytest

import stepgrad as sg
from stepgrad import nn
from stepgrad.explain.expressions import Operation, Ref, function, negative, refs, value_of
from stepgrad.explain.line import KINDS as KINDS_OF_LINES
from stepgrad.explain.notation import number_text, text_of
from stepgrad.explain.worked import Worked
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
    return with_lines(worked, [line if each.id == line.id else each for each in worked.lines])


def with_lines(worked, lines):
    return Worked(lines, worked.given, worked.source)


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


def small(layout, **options):
    model = nn.Sequential(nn.Linear(2, 2), nn.Sigmoid(), nn.Linear(2, 2)).double()
    optimizer = sg.optim.Adam(model.parameters(), lr=0.1)
    x, y = sg.randn(3, 2, dtype=sg.float64), sg.tensor([1, 0, 1])
    return sg.explain(model, nn.CrossEntropyLoss(), optimizer, x, y, layout=layout, **options)


@pytest.fixture(scope="module", params=["scalar", "matrix", "rounded"])
def worked(request):
    sg.manual_seed(5)
    if request.param == "rounded":
        return example(round_steps=4)
    return small(request.param)


def missed(worked, faulty, what):
    """The ids of the lines whose fault was not found, each planted alone."""
    ids = []
    for line in faulty:
        found = with_line(worked, line).check().faults
        if not any((fault.id, fault.what) == (line.id, what) for fault in found):
            ids.append(line.id)
    return ids


def some(lines, count=12):
    return random.Random(7).sample(lines, min(count, len(lines)))


def test_references_alone(worked):
    chance = random.Random(8)
    lines = some([line for line in worked if line.references])
    wrong, dropped, added = [], [], []
    for line in lines:
        i = chance.randrange(len(line.references))
        before, after = line.references[:i], line.references[i + 1 :]
        other = next(id for id in worked.ids if id not in line.references)
        wrong.append(dataclasses.replace(line, references=(*before, other, *after)))
        dropped.append(dataclasses.replace(line, references=(*before, *after)))
        added.append(dataclasses.replace(line, references=(*line.references, other)))
    assert missed(worked, wrong + dropped + added, "reference") == []


def test_names_alone(worked):
    chance = random.Random(9)
    faulty = []
    for line in some([line for line in worked if line.names]):
        name = chance.choice(list(line.names))
        for other in (next(id for id in worked.ids if id not in line.references), "no/such/line"):
            faulty.append(dataclasses.replace(line, names={**line.names, name: other}))
    assert missed(worked, faulty, "reference") == []


def test_names_and_references_of_another_number_or_of_a_later_line(worked):
    chance = random.Random(10)
    faulty = []
    for line in some([line for line in worked.lines[:-1] if line.names]):
        name = chance.choice(list(line.names))
        for other in (next(id for id in worked.ids if id not in line.references), worked.lines[-1].id):
            names = {**line.names, name: other}
            faulty.append(dataclasses.replace(line, names=names, references=tuple(names.values())))
    assert missed(worked, faulty, "reference") == []


def test_kinds_and_symbols(worked):
    lines = some(worked.lines)
    is_loose = worked.round_steps is not None  # where a chain may be multiplied out to one number
    faulty = [
        dataclasses.replace(line, kind=kind)
        for line in lines
        for kind in KINDS_OF_LINES
        if kind != line.kind and not (is_loose and {kind, line.kind} == {"local", "chain"})
    ]
    assert missed(worked, faulty, "kind") == []
    symbols = [dataclasses.replace(line, symbol="q") for line in [*lines, worked["loss"]]]
    assert missed(worked, symbols, "symbol") == []


def test_operations_modules_and_layers(worked):
    for what, field in (("operation", "op"), ("module", "module"), ("layer", "layer")):
        other = {getattr(line, field) for line in worked}
        faulty = [
            dataclasses.replace(line, **{field: next(x for x in other if x != getattr(line, field))})
            for line in some(worked.lines)
        ]
        assert missed(worked, faulty, what) == []


def test_lines_that_are_there_twice(worked):
    for line in some(worked.lines, 4):
        faults = with_lines(worked, [*worked.lines, line]).check().faults
        assert [(fault.id, fault.what) for fault in faults] == [(line.id, "repeated")]


def test_the_text_of_a_given_number():
    worked = small("scalar")
    given = next(each for each in worked.given if each.origin == "parameter")
    wrong = dataclasses.replace(given, text=given.text[:-1] + str((int(given.text[-1]) + 3) % 10))
    others = [wrong if each is given else each for each in worked.given]
    faults = Worked(worked.lines, others, worked.source).check().faults
    assert [(fault.id, fault.what) for fault in faults] == [(given.id, "given")]


def test_lines_that_are_not_there(worked):
    for count in (1, 2, 5):
        left_out = [line.id for line in worked.lines[-count:]]
        faults = with_lines(worked, worked.lines[:-count]).check().faults
        assert [fault.id for fault in faults if fault.what == "missing"] == left_out
    for line in some(worked.lines):
        faults = with_lines(worked, [each for each in worked if each is not line]).check().faults
        assert (line.id, "missing") in [(fault.id, fault.what) for fault in faults]


def test_lines_before_what_they_use(worked):
    i = next(i for i, line in enumerate(worked.lines[1:], 1) if worked.lines[0].id in line.references)
    lines = [*worked.lines[1 : i + 1], worked.lines[0], *worked.lines[i + 1 :]]
    assert "reference" in {fault.what for fault in with_lines(worked, lines).check().faults}


@pytest.mark.parametrize("options", [{"sample": 1}, {"layer": 1}, {"path": "0.weight[0,1]"}])
def test_a_selection_has_the_lines_that_were_selected(options):
    worked = small("scalar", **options)
    assert worked.check().ok
    faults = with_lines(worked, worked.lines[:-1]).check().faults
    assert (worked.lines[-1].id, "missing") in [(fault.id, fault.what) for fault in faults]


def test_the_steps_without_a_fault_are_true(worked):
    assert worked.check().faults == []


@pytest.mark.parametrize("layout", ["scalar", "matrix"])
def test_a_wrong_number_beside_a_factor_of_nought(layout):
    model = nn.Sequential(nn.Linear(2, 1)).double()
    with sg.no_grad():
        model[0].weight[...] = sg.tensor([[-0.903, 0.5]])
    worked = sg.explain(model, nn.MSELoss(), None, [[0.0, 1.0]], [[1.0]], layout=layout)
    line = next(line for line in worked if "0.903" in line.substituted)
    planted = dataclasses.replace(line, substituted=line.substituted.replace("0.903", "0.703"))
    faults = with_line(worked, planted).check().faults
    assert [(fault.id, fault.what) for fault in faults] == [(line.id, "formula")]
