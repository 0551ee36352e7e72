"""Scores and their intervals, also of very few rows."""

import json

import numpy
import pytest
from sklearn import metrics as judge

from stepgrad.train.table.result import Score, scores_to_json
from stepgrad.train.table.scores import class_scores, number_scores, wilson_interval

GENERATOR = numpy.random.default_rng(5)


def some_numbers(rows: int) -> tuple[numpy.ndarray, numpy.ndarray]:
    actual = GENERATOR.normal(size=rows)
    return actual + 0.3 * GENERATOR.normal(size=rows), actual


@pytest.mark.parametrize("rows", [2, 5, 300, 5000])
def test_numbers_are_scored_as_scikit_learn_scores_them(rows) -> None:
    values, actual = some_numbers(rows)
    scores = number_scores(values, actual, seed=0)
    assert scores["rmse"].value == pytest.approx(judge.root_mean_squared_error(actual, values))
    assert scores["mae"].value == pytest.approx(judge.mean_absolute_error(actual, values))
    assert scores["r2"].value == pytest.approx(judge.r2_score(actual, values))


def test_the_bootstrap_interval_is_about_that_of_the_normal_distribution() -> None:
    values, actual = some_numbers(2000)
    error = abs(values - actual)
    reach = 1.96 * error.std() / numpy.sqrt(len(error))
    score = number_scores(values, actual, seed=0)["mae"]
    assert score.low == pytest.approx(error.mean() - reach, abs=0.1 * reach)
    assert score.high == pytest.approx(error.mean() + reach, abs=0.1 * reach)


@pytest.mark.parametrize("rows, has_interval", [(1, False), (4, False), (5, True), (40, True)])
def test_few_rows_have_no_interval(rows, has_interval) -> None:
    for score in number_scores(*some_numbers(rows), seed=0).values():
        assert (score.low is not None, score.high is not None) == (has_interval, has_interval)
        assert score.method == "bootstrap"
        if has_interval:
            assert score.low < score.value < score.high


def test_one_row_has_no_r2() -> None:
    scores = number_scores(numpy.array([1.0]), numpy.array([3.0]), seed=0)
    assert (scores["rmse"].value, scores["mae"].value, scores["r2"].value) == (2.0, 2.0, None)
    said = scores_to_json(scores)
    assert json.dumps(said, allow_nan=False)
    assert said["r2"] is said["r2_interval"] is said["rmse_interval"] is None


def test_json_tells_a_score_without_intervals_from_one_that_lacks_its_interval() -> None:
    said = scores_to_json({"accuracy": Score(0.5, 0.1, 0.9, "Wilson"), "loss": Score(0.2)})
    assert said == {"accuracy": 0.5, "accuracy_interval": [0.1, 0.9], "loss": 0.2}


def test_classes_are_scored_as_scikit_learn_scores_them() -> None:
    chances = GENERATOR.dirichlet([1, 1, 1], size=60)
    codes = GENERATOR.integers(0, 3, 60)
    scores = class_scores(chances, codes)
    predicted = chances.argmax(axis=1)
    assert scores["accuracy"].value == judge.accuracy_score(codes, predicted)
    assert scores["f1"].value == pytest.approx(judge.f1_score(codes, predicted, average="macro"))
    assert scores["loss"].value == pytest.approx(judge.log_loss(codes, chances))
    two = chances[:, :2] / chances[:, :2].sum(axis=1, keepdims=True)
    auc = class_scores(two, codes % 2)["roc_auc"].value
    assert auc == pytest.approx(judge.roc_auc_score(codes % 2, two[:, 1]))


def test_a_class_that_the_model_does_not_know_is_wrong_and_left_out_of_the_loss() -> None:
    chances = numpy.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]])
    scores = class_scores(chances, numpy.array([0, 1, -1]))
    assert scores["accuracy"].value == pytest.approx(2 / 3)
    assert scores["loss"].value == pytest.approx(-numpy.log([0.9, 0.8]).mean())
    assert list(class_scores(chances, numpy.array([-1, -1, -1]))) == ["accuracy"]
    assert "roc_auc" not in class_scores(chances, numpy.array([0, 0, 0]))


def test_the_interval_of_a_single_row_is_wide() -> None:
    assert [wilson_interval(n, n)[1] for n in range(1, 200)] == [1.0] * 199
    assert [wilson_interval(0, n)[0] for n in range(1, 200)] == [0.0] * 199
    low, high = wilson_interval(1, 1)
    assert (round(low, 3), high) == (0.207, 1.0)
