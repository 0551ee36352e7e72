"""The record of a run."""

import pytest

from stepgrad.errors import ArgumentError
from stepgrad.train import History


def test_rows_and_columns():
    epochs = [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25, "validation_loss": 0.3}]
    history = History(epochs)
    assert len(history) == 2
    assert list(history) == epochs
    assert history[0]["loss"] == 0.5
    assert history[-1:] == epochs[1:]
    assert history["loss"] == [0.5, 0.25]
    assert history["validation_loss"] == [None, 0.3]


def test_a_column_that_is_not_there():
    history = History([{"epoch": 1, "validation_loss": 0.5}])
    with pytest.raises(
        ArgumentError, match=r"no column 'val_loss'; it has epoch, .* Did you mean 'validation_loss'\?"
    ):
        history["val_loss"]
    assert History()["loss"] == []


def test_its_text():
    assert repr(History()) == "<History of 0 epochs: empty; stopped: not yet>"
    history = History([{"epoch": 1, "loss": 0.51234, "validation_loss": 2.0}])
    history.stopped = "all 1 epochs done"
    assert (
        repr(history) == "<History of 1 epochs: loss=0.5123, validation_loss=2; stopped: all 1 epochs done>"
    )
