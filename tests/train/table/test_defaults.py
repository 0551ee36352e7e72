"""The settings that are chosen where a person chose none."""

import pytest

from stepgrad.train.table.defaults import with_defaults
from stepgrad.train.table.settings import TableSettings


def test_what_a_person_chose_stays():
    chosen = TableSettings("y", hidden=(3,), lr=0.5, epochs=7, refit=False)
    settings = with_defaults(chosen, "regression", 100)
    assert (settings.hidden, settings.lr, settings.epochs, settings.refit) == ((3,), 0.5, 7, False)
    assert settings.optimizer == "adamw"


@pytest.mark.parametrize(
    "rows, expected",
    [(100, (32, 200, 0.3, True)), (1_000, (32, 192, 0.3, True)), (40_000, (256, 40, 0.01, False))],
)
def test_batches_epochs_decay_and_refit_depend_on_the_rows(rows, expected):
    s = with_defaults(TableSettings("y"), "multiclass", rows)
    assert (s.batch_size, s.epochs, s.weight_decay, s.refit) == expected


def test_a_large_regression_takes_relu_and_no_dropout():
    s = with_defaults(TableSettings("y"), "regression", 10_000)
    assert (s.activation, s.dropout, s.lr) == ("relu", 0.0, 3e-3)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_decay_that_is_added_to_the_gradient_is_a_hundredth(optimizer):
    s = with_defaults(TableSettings("y", optimizer=optimizer), "regression", 1_000)
    assert s.weight_decay == pytest.approx(
        with_defaults(TableSettings("y"), "regression", 1_000).weight_decay / 100
    )
    assert (
        with_defaults(TableSettings("y", optimizer=optimizer, weight_decay=0.5), "regression", 9).weight_decay
        == 0.5
    )
