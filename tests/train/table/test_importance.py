"""Permutation importance, by a network of which the answer is known."""

import numpy
import pytest

from stepgrad import nn
from stepgrad.data.table.frame import Table
from stepgrad.data.table.prepare import Preparation
from stepgrad.data.table.task import find_task
from stepgrad.functions.creation import tensor
from stepgrad.train.table import importance
from stepgrad.train.table.fit import Part
from stepgrad.train.table.importance import permutation_importance
from stepgrad.train.table.model import TableModel

ROWS = 400
GENERATOR = numpy.random.default_rng(2)
A, B, C = GENERATOR.permuted(numpy.tile(numpy.linspace(-1, 1, ROWS), (3, 1)), axis=1)


def model_of(y, weights: list[list[float]], **columns) -> tuple[TableModel, Part]:
    """A linear network with these weights on a table with these columns, and all rows of it."""
    table = Table.from_arrays({**columns, "y": y})
    task = find_task(table, "y")
    preparation = Preparation.fit(table, "y", task, numpy.arange(ROWS), bounded=False)
    prepared = preparation.transform(table)
    layer = nn.Linear(prepared.numbers.shape[1], len(weights), bias=False)
    layer.load_state_dict({"weight": tensor(weights)})
    part = Part(prepared.numbers, prepared.codes, preparation.target_values(table))
    return TableModel(nn.Sequential(layer), preparation), part


def test_shuffling_costs_what_theory_says() -> None:
    # y = a + b/2 without noise. Shuffling x_j leaves errors w_j (x_j - x_j'), of the variance 2 w_j² in
    # standardised units; y itself has the variance 1 + 1/4 in units of a.
    model, part = model_of(A + B / 2, [[1 / 1.25**0.5, 0.5 / 1.25**0.5, 0.0]], a=A, b=B, c=C)
    found = {each.column: each for each in permutation_importance(model, part, seed=0)}
    noise = permutation_importance(model, part, seed=1)
    assert [each.column for each in noise] == ["a", "b", "c"]
    assert found["a"].loss_rise == pytest.approx(2 / 1.25, rel=0.1)
    assert found["b"].loss_rise == pytest.approx(0.5 / 1.25, rel=0.1)
    assert found["c"].loss_rise == 0.0
    # The rmse is in units of y, and was (nearly) 0.
    assert found["b"].score_drop == pytest.approx((2 * 0.25 * A.var()) ** 0.5, rel=0.15)


def test_classes_lose_accuracy() -> None:
    model, part = model_of(numpy.where(A > 0, "up", "down"), [[9.0, 0.0]], a=A, b=B)
    a, b = permutation_importance(model, part, seed=0)
    assert (a.column, b.column) == ("a", "b")
    assert a.score_drop == pytest.approx(0.5, abs=0.05)  # a coin is right in half of the rows
    assert b.score_drop == b.loss_rise == 0.0
    assert a.loss_rise > 1


def test_all_inputs_of_a_column_are_shuffled_together() -> None:
    kind = GENERATOR.choice(["p", "q", "r"], ROWS)
    y = numpy.select([kind == "p", kind == "q"], [1.0, 2.0], 3.0) + 0.001 * B
    model, part = model_of(y, [[-1.0, 0.0, 1.0]], kind=kind)
    assert part.numbers.shape[1] == 3
    (only,) = permutation_importance(model, part, seed=0)
    assert only.column == "kind"
    assert only.loss_rise > 0.5


def test_the_seed_decides_and_many_rows_are_sampled(monkeypatch) -> None:
    model, part = model_of(A + B / 2, [[0.9, 0.4]], a=A, b=B)
    once, again, other = (permutation_importance(model, part, seed) for seed in (3, 3, 4))
    assert once == again != other
    seen = []
    outputs = TableModel.outputs
    monkeypatch.setattr(
        TableModel, "outputs", lambda self, *arrays: seen.append(len(arrays[0])) or outputs(self, *arrays)
    )
    monkeypatch.setattr(importance, "_MOST_ROWS", 50)
    before = part.numbers.copy()
    permutation_importance(model, part, seed=0)
    assert set(seen) == {50}
    assert len(seen) == 1 + 2 * importance._REPEATS
    assert (part.numbers == before).all()
