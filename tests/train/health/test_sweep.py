"""Generated set-ups: faults are named, healthy networks are left alone, and proposed changes help."""

import math
from statistics import median

import pytest

import stepgrad as sg
from stepgrad.train import HealthCheck
from tests.train.health.setups import broken, healthy, overfitting, underfitting


def look(setup):
    return sg.health(
        setup.model, setup.loss, setup.optimizer, setup.x, setup.y, validation=setup.validation
    )  # fmt: skip


def run(setup, epochs=40, patience=None):
    check = HealthCheck(validation=setup.validation)
    trainer = sg.Trainer(
        setup.model, setup.loss, setup.optimizer, callbacks=check, progress=False, compile=False
    )
    trainer.fit((setup.x, setup.y), setup.validation, epochs=epochs, patience=patience)
    return check.health


@pytest.mark.slow
def test_faults_are_named_and_the_proposed_changes_help():
    missed, proposed = [], []
    for number in range(40):
        setup = broken(number)
        found = look(setup)
        named = [finding for finding in found.findings if finding.kind == setup.kind]
        if not named:
            missed.append((setup.text, found.kinds()))
        elif named[0].change is not None:
            trial = found.try_out(named[0])
            assert trial in found.trials[:-1]  # it was measured before it was proposed, with the same outcome
            proposed.append((trial.gain, setup.text))
    assert len(missed) <= 4, missed
    # The four variants of an operation that is not defined have none: no setting helps against them.
    assert len(proposed) >= 32, proposed
    assert min(proposed)[0] > 0.01, min(proposed)
    assert median(gain for gain, _ in proposed) > 0.5


@pytest.mark.slow
def test_healthy_networks_are_left_alone():
    alarms = [(setup.text, str(found)) for setup in map(healthy, range(100)) if not (found := look(setup))]
    assert len(alarms) <= 2, alarms


@pytest.mark.parametrize("number", range(4))
def test_overfitting_is_named_from_the_curves_and_weight_decay_helps(number):
    found = run(overfitting(number))
    assert found.kinds() == ["overfitting"]
    assert found.findings[0].numbers["last"] > 1.04 * found.findings[0].numbers["best"]
    trial = found.try_out()
    assert trial.rows == "validation"
    assert trial.gain > 0.1


@pytest.mark.parametrize("number", range(4))
def test_underfitting_is_named_with_what_helps(number):
    found = run(underfitting(number))
    assert found.kinds() == [underfitting(number).kind]
    assert found.findings[0].change.kind == ("hidden" if number < 2 else "no_decay")
    trial = found.try_out()
    assert math.isfinite(trial.start)
    assert trial.gain > 0.5


@pytest.mark.slow
def test_whole_runs():
    alarms = []
    for number in range(100):
        setup = healthy(1000 + number, run=True)
        found = run(setup, patience=8)
        if not found:
            alarms.append((setup.text, str(found)))
    assert len(alarms) <= 2, alarms
    more = [make(number) for make in (overfitting, underfitting) for number in range(4, 14)]
    missed = [setup.text for setup in more if setup.kind not in run(setup).kinds()]
    assert len(missed) <= 2, missed
