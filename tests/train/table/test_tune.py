"""The search for settings: on validation rows alone, resumable, the same for the same seed."""

import sys

import numpy
import pytest

from stepgrad.data.table.frame import Table
from stepgrad.errors import ArgumentError, DataError, MissingPackageError
from stepgrad.train.table import tune
from stepgrad.train.table.job import Job
from stepgrad.train.table.search import read_search
from stepgrad.train.table.settings import TableSettings
from stepgrad.train.table.tune import tune_table

pytest.importorskip("optuna")

X = numpy.random.default_rng(2).normal(size=(90, 2))
TABLE = Table.from_arrays({"a": X[:, 0], "b": X[:, 1], "y": numpy.sin(2 * X[:, 0]) + X[:, 1]})
SETTINGS = TableSettings("y", epochs=4, hidden=(8,), seed=4)


def tried(result):
    return [(trial.values, trial.validation_loss) for trial in result.trials]


def test_the_search_looks_at_no_test_row_and_finds_a_lower_loss(monkeypatch):
    parts, part = [], Job.part

    def watched(job, rows):
        parts.append(set(rows.tolist()))
        return part(job, rows)

    monkeypatch.setattr(Job, "part", watched)
    seen = []

    def on_trial(trial, done):
        seen.append((trial.number, len(done)))
        test = set(Job.prepare(TABLE, SETTINGS).split.test.tolist())
        assert parts
        assert not any(test & rows for rows in parts)

    result = tune_table(TABLE, SETTINGS, trials=5, on_trial=on_trial)
    assert seen == [(i, i) for i in range(1, 6)]
    losses = [trial.validation_loss for trial in result.trials]
    assert result.best.validation_loss == min(losses) < losses[0]
    assert result.trials[0].values["lr"] == 2e-3  # the first is what `train_table` would choose
    assert result.run.settings.lr == result.best.values["lr"]
    assert result.run.settings.hidden == (8,)  # chosen, so not searched
    assert "layers" not in result.best.values
    # The last run is the trial again, before it is trained anew on all known rows.
    assert min(epoch["validation_loss"] for epoch in result.run.history) == result.best.validation_loss
    assert sum(result.importance.values()) == pytest.approx(1)
    assert set(result.importance) == set(result.best.values)


def test_an_interrupted_search_goes_on_to_the_same_trials(tmp_path):
    whole = tune_table(TABLE, SETTINGS, trials=4)

    def interrupt(trial, done):
        if trial.number == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune_table(TABLE, SETTINGS, tmp_path, trials=4, on_trial=interrupt)
    assert read_search(tmp_path)[:2] == (SETTINGS, 4)
    resumed = tune_table(TABLE, SETTINGS, tmp_path, trials=4, resume=True)
    assert tried(resumed) == tried(whole)
    assert resumed.importance == whole.importance
    assert resumed.run.to_json()["test"] == whole.run.to_json()["test"]
    with pytest.raises(ArgumentError, match="is finished, and its test rows are used; begin a new search"):
        tune_table(TABLE, SETTINGS, tmp_path, trials=9, resume=True)
    other = Table.from_arrays({"a": X[:, 0], "y": X[:, 1]})
    with pytest.raises(DataError, match="is not the one that the search in"):
        tune_table(other, SETTINGS, tmp_path, resume=True)


def test_layers_and_units_become_the_hidden_layers():
    result = tune_table(TABLE, TableSettings("y", epochs=1, refit=False), trials=2)
    values = result.best.values
    assert result.run.settings.hidden == (values["width"],) * values["layers"]


def test_a_trial_that_diverges_is_kept_and_never_the_best(monkeypatch):
    def diverge(settings, job, train, validation, honest=tune._try):
        found = honest(settings, job, train, validation)
        return (None, 0, 0.1) if settings.lr == 2e-3 else found

    monkeypatch.setattr(tune, "_try", diverge)
    result = tune_table(TABLE, SETTINGS, trials=3)
    assert result.trials[0].validation_loss is None
    assert result.best.number > 1
    assert result.to_json()["trials"][0]["validation_loss"] is None


def test_after_the_timeout_no_trial_begins():
    assert len(tune_table(TABLE, SETTINGS, trials=50, timeout=1e-6).trials) == 1


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"trials": 0}, "trials must be a whole number of at least 1, not 0"),
        ({"timeout": 0.0}, "timeout must be a number of seconds above 0, not 0.0"),
    ],
)
def test_impossible_limits_are_refused(changes, message):
    with pytest.raises(ArgumentError, match=message):
        tune_table(TABLE, SETTINGS, **changes)


def test_nothing_to_search_is_refused():
    with pytest.raises(ArgumentError, match="there is nothing to search"):
        tune_table(TABLE, TableSettings("y", hidden=(), lr=0.1))


def test_without_optuna_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'stepgrad\[tune\]'"):
        tune_table(TABLE, SETTINGS)
