"""The race to a loss: its arithmetic, and that both programs train the same thing."""

import numpy as np
import pytest

from benchmarks import diamonds, diamonds_torch
from stepgrad.train.table.defaults import with_defaults
from stepgrad.train.table.settings import TableSettings


def run(*curve, before=1.0):
    return {"before": before, "curve": [list(point) for point in curve]}


RUNS = {
    diamonds.OURS: {0: [run((1, 5), (2, 3), (3, 2))], 1: [run((1, 4), (3, 3), (5, 1))]},
    "slow": {0: [run((10, 4), (20, 3))], 1: [run((10, 3), (30, 2))]},
    "slower": {0: [run((11, 4), (33, 2.5))], 1: [run((12, 3), (24, 2.5))]},
}


def test_the_loss_is_the_lowest_that_every_run_reaches():
    assert diamonds.common_loss([run((1, 5), (2, 2), (3, 4)), run((1, 3), (2, 6))]) == 3


def test_time_counts_to_the_first_epoch_that_is_as_good():
    fall = run((1, 5), (2, 3), (3, 4), (4, 2), before=7)
    assert [diamonds.seconds_to(loss, fall) for loss in (5, 4, 3, 2)] == [1, 2, 2, 4]
    assert diamonds.fewest_epochs(3, fall) == 2
    assert diamonds.whole(3, fall) == 9


def test_the_ratio_is_to_the_better_of_the_others():
    # To 3 in the first seed: 2, 20, 33 s. To 2.5 in the second: 5, 30, 24 s. Medians: 25 and 28.5 s.
    assert diamonds.by_seed(RUNS, diamonds.seconds_to)["slower"] == {0: [33], 1: [24]}
    assert diamonds.ratio(RUNS, diamonds.seconds_to) == (20 / 2 + 30 / 5) / 2


def test_the_table_has_medians_and_ranges_over_the_seeds():
    head, ours, slow, _ = diamonds.rows_of(RUNS)
    assert head[:3] == ["", "training to the loss, s", "epochs to the loss"]
    assert ours[:3] == [diamonds.OURS, "3.5 (2–5)", "2.5 (2–3)"]
    assert slow[3] == "25 (20–30)"
    assert "**8 times**" in diamonds.page(RUNS)


def test_seeds_that_not_every_program_has_run_are_left_out():
    first = run((1, 2))
    results = {"0 ours": [first], "0 other": [first], "1 ours": [first], "1 other": []}
    assert diamonds.grouped(results) == {"ours": {0: [first]}, "other": {0: [first]}}


def test_the_script_trains_what_is_chosen_for_this_table():
    chosen = with_defaults(TableSettings(diamonds.TARGET), "regression", 37_758)
    script = diamonds_torch
    assert (chosen.hidden, chosen.batch_size, chosen.epochs) == (script.HIDDEN, script.BATCH, script.EPOCHS)
    assert (chosen.lr, chosen.weight_decay) == (script.LEARNING_RATE, script.WEIGHT_DECAY)
    assert (chosen.activation, chosen.optimizer, chosen.dropout, chosen.refit) == ("relu", "adamw", 0, False)


@pytest.fixture
def little(tmp_path):
    generator = np.random.default_rng(0)
    size, kind = generator.normal(size=300), generator.integers(0, 3, 300)
    lines = [f"{s:.4f},{'abc'[k]},{3 * s + k:.4f}" for s, k in zip(size, kind, strict=True)]
    path = tmp_path / "little.csv"
    path.write_text("\n".join(["size,kind,price", *lines]) + "\n", encoding="utf-8")
    return path


def test_stepgrad_notes_the_loss_of_every_epoch(little):
    found = diamonds.train(little, seed=1, epochs=4)
    seconds, losses = zip(*found["curve"], strict=True)
    assert len(losses) == 4
    assert losses[-1] < losses[0]
    assert 0 < seconds[0] < seconds[-1]
    assert found["before"] > 0


def test_the_script_is_handed_the_columns_that_stepgrad_prepares(little):
    arrays = diamonds.prepared(little, seed=1)
    assert tuple(arrays) == diamonds_torch.NAMES
    assert arrays["inputs"].shape == (210, 4)
    assert arrays["validation_targets"].shape == (45, 1)
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.float32)}
    assert arrays["targets"].std() == pytest.approx(1, abs=0.01)


@pytest.mark.oracle
def test_the_script_learns(little):
    arrays = diamonds.prepared(little, seed=1)
    losses = [loss for _, loss in diamonds_torch.train(arrays, seed=1, epochs=30, batch=16)["curve"]]
    assert len(losses) == 30
    assert min(losses) < losses[0] / 50
