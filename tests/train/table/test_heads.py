"""What the output of a network means, by task: a number, a sigmoid, a softmax, of raw outputs each."""

import numpy
import pytest

from stepgrad import nn
from stepgrad.data.table.frame import Table
from stepgrad.train import read_outputs
from stepgrad.train.table.job import train_table
from stepgrad.train.table.model import load_table_model
from stepgrad.train.table.settings import TableSettings

SIZES = numpy.linspace(-1.0, 1.0, 60)
TARGETS = {
    "regression": (3 * SIZES + 1).tolist(),
    "binary": ["big" if size > 0.2 else "small" for size in SIZES],
    "multiclass": [["low", "middle", "top"][int(i)] for i in numpy.arange(60) // 20],
}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    made = {}
    for task, target in TARGETS.items():
        folder = tmp_path_factory.mktemp(task)
        table = Table.from_arrays({"size": SIZES, "y": target})
        train_table(table, TableSettings("y", hidden=(4,), lr=0.05, epochs=40), folder)
        made[task] = load_table_model(folder)
    return made


def outputs_of(model):
    prepared = model.preparation.transform(Table.from_arrays({"size": SIZES}))
    return model.outputs(prepared.numbers, prepared.codes)


@pytest.mark.parametrize("task, width", [("regression", 1), ("binary", 1), ("multiclass", 3)])
def test_the_network_ends_in_a_linear_layer_of_the_tasks_width(models, task, width):
    model = models[task]
    assert model.task == task
    last = model.network[-1]  # trained on raw outputs: the loss has the sigmoid or the softmax in it
    assert isinstance(last, nn.Linear)
    assert last.out_features == width
    outputs = outputs_of(model)
    assert outputs.shape == (60, width)
    assert outputs.min() < 0 < outputs.max()  # as no sigmoid or softmax gives them


def test_regression_has_the_identity_as_its_head(models):
    model = models["regression"]
    target = model.preparation.target
    outputs = outputs_of(model)[:, 0]
    found = model.predict(Table.from_arrays({"size": SIZES}))
    assert found.labels is None
    assert found.probabilities is None
    # The mean and the spread of the target are given back to it, and nothing else is done.
    slope, at_zero = numpy.polyfit(outputs, found.values, 1)
    numpy.testing.assert_allclose(found.values, slope * outputs + at_zero, rtol=1e-12, atol=1e-12)
    numpy.testing.assert_allclose(found.values, target.original(outputs))
    assert numpy.abs(found.values - TARGETS["regression"]).mean() < 0.5


def test_two_classes_have_a_sigmoid_as_their_head(models):
    model = models["binary"]
    logits = outputs_of(model)[:, 0]
    found = model.predict(Table.from_arrays({"size": SIZES}))
    numpy.testing.assert_allclose(found.probabilities[:, 1], 1 / (1 + numpy.exp(-logits)), rtol=1e-12)
    assert found.labels == [model.classes[int(logit > 0)] for logit in logits]  # the same without the sigmoid
    assert numpy.mean([a == b for a, b in zip(found.labels, TARGETS["binary"])]) > 0.9


def test_many_classes_have_a_softmax_as_their_head(models):
    model = models["multiclass"]
    logits = outputs_of(model)
    found = model.predict(Table.from_arrays({"size": SIZES}))
    powers = numpy.exp(logits)
    numpy.testing.assert_allclose(found.probabilities, powers / powers.sum(1, keepdims=True), rtol=1e-12)
    assert found.labels == [model.classes[i] for i in logits.argmax(1)]  # the same without the softmax
    assert numpy.mean([a == b for a, b in zip(found.labels, TARGETS["multiclass"])]) > 0.9


def test_labels_of_random_logits_need_no_head():
    random = numpy.random.default_rng(0)
    many, one = random.normal(size=(500, 7)) * 5, random.normal(size=(500, 1)) * 5
    assert read_outputs(many, "abcdefg").labels == ["abcdefg"[i] for i in many.argmax(1)]
    assert read_outputs(one, "ab").labels == ["ab"[int(logit > 0)] for logit in one[:, 0]]
