"""Measures against scikit-learn, and what they refuse."""

import numpy as np
import pytest
import sklearn.metrics as judge

import stepgrad as sg
from stepgrad.errors import ArgumentError, DataError, ShapeError
from stepgrad.train import metrics

GENERATOR = np.random.default_rng(0)
AVERAGES = ["binary", "macro", "weighted", "micro"]


def labels(classes, rows=60, seed=0):
    generator = np.random.default_rng(seed)
    return generator.integers(0, classes, rows), generator.integers(0, classes, rows)


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("seed", range(3))
def test_measures_of_classes(classes, seed):
    predicted, target = labels(classes, seed=seed)
    assert metrics.accuracy(predicted, target) == pytest.approx(judge.accuracy_score(target, predicted))
    matrix = metrics.confusion_matrix(predicted, target)
    assert (matrix == judge.confusion_matrix(target, predicted)).all()
    for average in AVERAGES if classes == 2 else AVERAGES[1:]:
        for ours, theirs in (
            (metrics.precision, judge.precision_score),
            (metrics.recall, judge.recall_score),
            (metrics.f1, judge.f1_score),
        ):
            expected = theirs(target, predicted, average=average)
            assert ours(predicted, target, average) == pytest.approx(expected), (ours, average)


@pytest.mark.parametrize(
    "predicted, target",
    [([0, 3, 1, 0], [0, 1, 1, 4]), ([2, 2, 2], [0, 1, 2]), ([0, 0, 0], [2, 2, 2]), ([1, 1], [1, 1])],
)
def test_classes_that_are_never_predicted_or_never_true_score_zero(predicted, target):
    for ours, theirs in (
        (metrics.precision, judge.precision_score),
        (metrics.recall, judge.recall_score),
        (metrics.f1, judge.f1_score),
    ):
        for average in AVERAGES[1:]:
            expected = theirs(target, predicted, average=average, zero_division=0)
            assert ours(predicted, target, average) == pytest.approx(expected), (ours, average)


def test_two_classes_of_which_one_is_all_there_is():
    for predicted, target in (([0, 0], [0, 0]), ([1, 0], [0, 0]), ([0, 0], [1, 0])):
        for ours, theirs in (
            (metrics.precision, judge.precision_score),
            (metrics.recall, judge.recall_score),
        ):
            assert ours(predicted, target) == theirs(target, predicted, zero_division=0)


@pytest.mark.parametrize("ties", [True, False])
def test_roc_auc(ties):
    scores = GENERATOR.normal(size=80)
    target = GENERATOR.integers(0, 2, 80)
    scores = scores.round(1) if ties else scores
    assert metrics.roc_auc(scores, target) == pytest.approx(judge.roc_auc_score(target, scores))
    assert metrics.roc_auc(sg.from_numpy(scores), sg.from_numpy(target)) == metrics.roc_auc(scores, target)


@pytest.mark.parametrize("k", [1, 2, 5, 9])
def test_top_k(k):
    scores = GENERATOR.normal(size=(50, 7))
    target = GENERATOR.integers(0, 7, 50)
    expected = judge.top_k_accuracy_score(target, scores, k=min(k, 7), labels=range(7)) if k < 7 else 1.0
    assert metrics.top_k(scores, target, k) == pytest.approx(expected)
    assert metrics.named(f"top_{k}")(scores, target) == pytest.approx(expected)


def test_measures_of_numbers():
    target = GENERATOR.normal(size=(40, 1)) * 10
    predicted = target + GENERATOR.normal(size=(40, 1))
    assert metrics.mse(predicted, target) == pytest.approx(judge.mean_squared_error(target, predicted))
    assert metrics.rmse(predicted, target) == pytest.approx(judge.root_mean_squared_error(target, predicted))
    assert metrics.mae(predicted, target) == pytest.approx(judge.mean_absolute_error(target, predicted))
    assert metrics.r2(predicted, target) == pytest.approx(judge.r2_score(target, predicted))
    assert metrics.sse(predicted, target) == pytest.approx(((predicted - target) ** 2).sum())


def test_the_textbook_numbers():
    predicted, target = [-1, 1, -1, 1], [0, 0, 0, 0]
    assert metrics.error(predicted, target) == 0
    assert metrics.sse(predicted, target) == 4
    assert metrics.mse(predicted, target) == 1
    assert metrics.rmse(predicted, target) == 1
    assert metrics.mae(predicted, target) == 1


def test_peak_signal_to_noise():
    image = GENERATOR.integers(0, 256, (8, 8))
    noisy = image + 16
    assert metrics.psnr(noisy, image, 255) == pytest.approx(20 * np.log10(255 / 16))
    assert metrics.psnr(noisy / 255, image / 255) == pytest.approx(metrics.psnr(noisy, image, 255))
    assert metrics.psnr(image, image) == np.inf
    with pytest.raises(ArgumentError, match="psnr needs a peak above 0, not 0"):
        metrics.psnr(noisy, image, 0)


def test_float32_is_summed_in_float64():
    target = np.full(10, 2.0**24, "float32")
    assert metrics.sse(target + 2, target) == 40
    assert metrics.r2(target + 2, target) == 0
    assert metrics.r2(target, target) == 1


# -------------------------------------------------------------------------- of a network's outputs


def test_classes_of_outputs():
    assert metrics.labels_of([[0.1, 0.9, 0], [3, 2, 1]]).tolist() == [1, 0]
    assert metrics.labels_of([[-1.0], [2.0]]).tolist() == [0, 1]
    assert metrics.labels_of([0.4, 0.6], threshold=0.5).tolist() == [0, 1]
    with pytest.raises(ShapeError, match=r"\(N, C\), \(N, 1\) or \(N\), not of shape \[2, 3, 4\]"):
        metrics.labels_of(np.zeros((2, 3, 4)))


@pytest.mark.parametrize("name", ["accuracy", "precision", "recall", "f1", "roc_auc"])
def test_named_measures_of_two_classes(name):
    logits = GENERATOR.normal(size=50)
    target = GENERATOR.integers(0, 2, 50)
    two = np.stack([-logits / 2, logits / 2], 1)
    expected = {
        "accuracy": judge.accuracy_score, "precision": judge.precision_score, "recall": judge.recall_score,
        "f1": judge.f1_score, "roc_auc": judge.roc_auc_score,
    }[name](target, logits if name == "roc_auc" else logits > 0)  # fmt: skip
    column = target[:, None].astype("float32")
    for outputs, targets in ((logits, target), (logits[:, None], column), (two, target)):
        assert metrics.named(name)(outputs, targets) == pytest.approx(expected)
    probabilities = 1 / (1 + np.exp(-logits))
    assert metrics.named(name, threshold=0.5)(probabilities, target) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["accuracy", "precision", "recall", "f1"])
def test_named_measures_of_many_classes(name):
    outputs = GENERATOR.normal(size=(50, 4))
    target = GENERATOR.integers(0, 4, 50)
    options = {} if name == "accuracy" else {"average": "macro"}
    theirs = getattr(judge, f"{name}_score")
    expected = theirs(target, outputs.argmax(1), **options)
    assert metrics.named(name)(outputs, target) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["r2", "rmse", "mae", "mse", "sse", "psnr"])
def test_named_measures_of_numbers(name):
    predicted, target = GENERATOR.normal(size=(2, 30, 1))
    assert metrics.named(name)(predicted, target) == getattr(metrics, name)(predicted, target)


# --------------------------------------------------------------------------------------- refusals


def test_an_unknown_name():
    with pytest.raises(
        ArgumentError, match=r"no metric 'acuracy'; known: accuracy, .* Did you mean 'accuracy'\?"
    ):
        metrics.named("acuracy")
    for name in ("top_0", "top_", "top_k", 3):
        with pytest.raises(ArgumentError, match="there is no metric"):
            metrics.named(name)


def test_shapes_that_differ():
    with pytest.raises(
        ShapeError, match=r"r2 compares shapes that are equal: predicted \[3, 1\], target \[3\]"
    ):
        metrics.r2(np.zeros((3, 1)), np.zeros(3))
    with pytest.raises(
        ShapeError, match=r"top_k takes scores \(N, C\) and classes \(N\), not \[3\] and \[3\]"
    ):
        metrics.top_k(np.zeros(3), np.zeros(3))
    with pytest.raises(ShapeError, match=r"one class for each row is asked of targets of shape \[2, 3\]"):
        metrics.named("accuracy")(np.zeros((2, 3)), np.zeros((2, 3)))
    with pytest.raises(
        ShapeError, match=r"a score for one of two classes is asked of outputs of shape \[2, 3\]"
    ):
        metrics.named("roc_auc")(np.zeros((2, 3)), np.zeros(2))


def test_data_without_a_value():
    for measure in (metrics.accuracy, metrics.f1, metrics.rmse, metrics.r2, metrics.roc_auc):
        with pytest.raises(DataError, match="of no rows does not exist"):
            measure([], [])
    with pytest.raises(DataError, match="top_k of no rows"):
        metrics.top_k(np.zeros((0, 3)), np.zeros(0))
    with pytest.raises(DataError, match="roc_auc needs rows of both classes"):
        metrics.roc_auc([0.1, 0.2], [1, 1])
    with pytest.raises(DataError, match="targets that are 0 or 1, and scores that are numbers"):
        metrics.roc_auc([0.1, 0.2, 0.3], [0, 1, 2])
    with pytest.raises(DataError, match="targets that are 0 or 1, and scores that are numbers"):
        metrics.roc_auc([0.1, float("nan")], [0, 1])


def test_what_is_no_class():
    for wrong in (-1, 0.5, float("nan")):
        with pytest.raises(DataError, match=rf"classes are numbered 0, 1, …; {wrong} is no class"):
            metrics.confusion_matrix([0, wrong], [0, 1])
    with pytest.raises(ArgumentError, match="confusion_matrix of 2 classes met class 2"):
        metrics.confusion_matrix([0, 2], [0, 1], classes=2)
    assert metrics.confusion_matrix([0], [0], classes=3).shape == (3, 3)
    with pytest.raises(ArgumentError, match="3 classes need average='macro', 'weighted' or 'micro'"):
        metrics.f1([0, 1, 2], [0, 1, 2])
    with pytest.raises(
        ArgumentError, match="average is 'binary', 'macro', 'weighted' or 'micro', not 'mean'"
    ):
        metrics.recall([0, 1], [0, 1], "mean")
