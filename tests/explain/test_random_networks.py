"""Every line of every step is true: random networks, losses and optimizers."""

import pytest
from hypothesis import HealthCheck, given, note, settings

import stepgrad as sg
from stepgrad import nn
from tests.explain.networks import ACTIVATIONS, LOSSES, OPTIMIZERS, Case, cases, made


def assert_true(case: Case, **options):
    worked = sg.explain(case.model, case.loss, case.optimizer, case.x, case.y, layout="scalar", **options)
    checked = worked.check()
    assert not checked.faults, "\n".join(f"{fault} | {worked[fault.id]}" for fault in checked.faults[:5])
    assert len(worked) + len(worked.given) == len(worked.symbols), "two quantities have one name"
    place = {line.id: i for i, line in enumerate(worked)}
    for line in worked:
        assert all(place.get(id, -1) < place[line.id] for id in line.references), f"{line} comes too early"
    return worked, checked


def test_there_is_something_to_test():
    assert len(ACTIVATIONS) > 20
    assert len(LOSSES) >= 8
    assert len(OPTIMIZERS) > 5


def check_random_step(case):
    note(case.text)
    _, checked = assert_true(case)
    assert checked.lines
    assert len(checked.left_out) <= checked.lines


FEW = settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@FEW
@given(cases())
def test_every_line_of_a_random_step_is_true(case):
    check_random_step(case)


@pytest.mark.slow
@settings(FEW, max_examples=200)
@given(cases())
def test_every_line_of_200_random_steps_is_true(case):
    check_random_step(case)


@pytest.mark.slow
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(cases())
def test_every_line_with_rounded_steps_is_true(case):
    note(case.text)
    assert_true(case, round_steps=4)


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_every_optimizer_from_its_third_step(name):
    sg.manual_seed(1)
    linear = nn.Linear(3, 2, bias=name != "Muon")
    case = made([linear], nn.MSELoss(), "MSELoss", OPTIMIZERS[name], {}, 2, 2, name)
    worked, checked = assert_true(case)
    assert not checked.left_out
    assert {line.id for line in worked.of_kind("update")} >= {
        f"update/0.weight[{i},{j}]" for i in range(2) for j in range(3)
    }
