"""Predictions as a person reads them, in a console and in a notebook."""

import numpy
import pytest

from stepgrad.errors import ShapeError
from stepgrad.functions.creation import tensor
from stepgrad.train.table.predictions import Predictions, read_outputs


@pytest.fixture(autouse=True)
def english(monkeypatch):
    monkeypatch.setenv("STEPGRAD_LANG", "en")


def test_labels_and_percentages_are_shown_in_a_notebook(monkeypatch):
    shown = read_outputs(tensor([[0.0, 3.0], [1.0, -1.0]]), ["cat", "<dog>"])._repr_html_()
    assert "<td>&lt;dog&gt;</td>" in shown  # what stands in a table is text, never markup
    assert ">95.3%</td>" in shown
    assert ">88.1%</td>" in shown
    assert "95.3%, transparent 95.3%" in shown
    monkeypatch.setenv("STEPGRAD_LANG", "ko")
    assert "예측값" in read_outputs(tensor([[0.0, 3.0]]), ["a", "b"])._repr_html_()


def test_numbers_are_shown_without_a_probability():
    predictions = Predictions([], None, None, numpy.array([1234567.8, 2.5]))
    assert repr(predictions) == "row  predicted\n1    1,234,568\n2    2.5"
    assert "<td>1,234,568</td>" in predictions._repr_html_()
    assert "probability" not in predictions._repr_html_()


def test_of_many_rows_the_first_are_shown_and_the_others_counted():
    predictions = read_outputs(numpy.zeros((13, 1)), ["no", "yes"])
    assert len(predictions) == 13
    lines = repr(predictions).splitlines()
    assert lines[1].split() == ["1", "no", "50.0%"]
    assert len(lines) == 12
    assert lines[-1] == "and 3 more rows"
    assert predictions._repr_html_().endswith("<p>and 3 more rows</p>")


def test_no_rows():
    assert repr(read_outputs(numpy.zeros((0, 3)), "abc")) == "row  predicted  probability"
    assert "<tbody></tbody>" in Predictions([], None, None, numpy.zeros(0))._repr_html_()


@pytest.mark.parametrize("shape", [(2, 2), (3,), (2, 1), (2, 4)])
def test_outputs_that_do_not_fit_the_classes_are_refused(shape):
    with pytest.raises(
        ShapeError, match=r"outputs of shape .* do not fit 3 classes; give one row per sample"
    ):
        read_outputs(numpy.zeros(shape), ["a", "b", "c"])
