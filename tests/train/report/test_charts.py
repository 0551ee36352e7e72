"""The pictures: curves, confusion matrix, dots, bars."""

import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest

from stepgrad.train.report.confusion import confusion_table
from stepgrad.train.report.curves import loss_curve, metric_curve
from stepgrad.train.report.importance import importance_chart
from stepgrad.train.report.scatter import predicted_against_actual
from stepgrad.train.table.result import InputImportance
from stepgrad.words.language import Words

WORDS = Words()


def epochs(*pairs, **more):
    return [
        {"epoch": i, "loss": loss, "validation_loss": validation, **more}
        for i, (loss, validation) in enumerate(pairs, start=1)
    ]


def paths(html: str) -> list[str]:
    return [element.get("d") for element in ElementTree.fromstring(html).iter("path")]


def test_a_curve_has_a_point_for_each_epoch_and_falls_on_the_page():
    train, valid = paths(loss_curve(epochs((1.0, 1.2), (0.5, 0.8), (0.2, 0.7)), 3, WORDS))
    points = [tuple(map(float, point.split())) for point in train[1:].split("L")]
    assert len(points) == 3
    heights = [y for _, y in points]
    assert heights == sorted(heights)  # y grows downwards
    assert len(valid[1:].split("L")) == 3


def test_the_best_epoch_is_marked():
    html = loss_curve(epochs((1.0, 1.2), (0.5, 0.8), (0.2, 0.9)), 2, WORDS)
    assert "epoch 2: 0.8" in html
    assert "best epoch" in html


@pytest.mark.parametrize(
    "history",
    [
        epochs((1.0, None), (0.5, None)),
        epochs((1.0, 1.0)),
        epochs((math.nan, math.inf), (0.5, 0.4)),
        epochs((math.nan, math.nan)),
        epochs((0.0, 0.0), (0.0, 0.0)),
    ],
)
def test_odd_histories_are_drawn_without_numbers_that_are_none(history):
    html = loss_curve(history, 1, WORDS)
    assert "nan" not in html
    assert "inf" not in html
    ElementTree.fromstring(html)


def test_a_metric_is_drawn_where_there_is_one():
    assert metric_curve(epochs((1.0, 1.0)), 1, WORDS) is None
    html = metric_curve(epochs((1.0, 1.0), (0.5, 0.5), validation_accuracy=0.75), 1, WORDS)
    assert "Accuracy over the epochs" in html


def test_the_confusion_matrix_shows_counts_and_the_share_that_is_right():
    html = confusion_table([[8, 2], [0, 0]], ["no", "yes"], WORDS)
    rows = re.findall(r"<tr>(.*?)</tr>", html)[1:]
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in rows]
    assert cells == [["8", "2", "80.0%"], ["·", "·", "–"]]
    assert 'class="hit deep"' in html
    assert 'class="miss"' in html


def test_many_classes_give_the_most_frequent_mistakes():
    confusion = np.diag([5] * 30)
    confusion[3, 7], confusion[9, 1] = 4, 2
    html = confusion_table(confusion.tolist(), [f"class {i}" for i in range(30)], WORDS)
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", html)]
    assert rows[1:] == [["class 3", "class 7", "4"], ["class 9", "class 1", "2"]]
    assert "Every test row" in confusion_table(np.diag([5] * 30).tolist(), ["a"] * 30, WORDS)


def test_dots_of_equal_answer_and_prediction_lie_on_the_line():
    values = np.array([0.0, 5.0, 10.0])
    html = predicted_against_actual(values, values, "<price>", WORDS)
    assert "&lt;price&gt;" in html
    svg = ElementTree.fromstring(html).find("svg")
    line = svg.find("line[@class='agree']")
    x1, y1, x2, y2 = (float(line.get(key)) for key in ("x1", "y1", "x2", "y2"))
    for circle in svg.iter("circle"):
        share = (float(circle.get("cx")) - x1) / (x2 - x1)
        assert float(circle.get("cy")) == pytest.approx(y1 + share * (y2 - y1), abs=0.2)


def test_one_value_alone_is_drawn():
    value = np.array([3.0])
    assert "<circle" in predicted_against_actual(value, value, "x", WORDS)


def test_bars_are_as_long_as_the_columns_are_important():
    importance = [
        InputImportance("a", 1.0, 0.2),
        InputImportance("b", 0.5, 0.1),
        InputImportance("c", 0, -0.01),
    ]
    html = importance_chart(importance, ["a", "b", "c"], False, WORDS)
    assert re.findall(r"width:([\d.]+)%", html) == ["100.0", "50.0", "0.0"]
    assert re.findall(r"([−\d.]+) points", html) == ["20.0", "10.0", "−1.0"]


def test_there_is_no_minus_before_a_zero():
    importance = [InputImportance("a", 0.3, 0.2), InputImportance("b", 0.0, -0.0003)]
    html = importance_chart(importance, ["a", "b"], False, WORDS)
    assert re.findall(r"([−\d.]+) points", html) == ["20.0", "0.0"]


def test_where_no_answer_changes_the_loss_ranks_the_columns():
    importance = [InputImportance("a", 0.3, 0.0), InputImportance("b", 0.1, 0.0)]
    html = importance_chart(importance, ["a", "b"], False, WORDS)
    assert "rise of the loss" in html
    assert re.findall(r'<th scope="row">(.)</th>', html) == ["a", "b"]


def test_of_many_columns_the_rest_is_counted():
    importance = [InputImportance(f"c{i}", 1.0, 0.1) for i in range(40)]
    html = importance_chart(importance, [f"c{i}" for i in range(40)], True, WORDS)
    assert html.count('class="bar"') == 15
    assert "and 25 other columns" in html


def test_pixels_are_a_map_in_their_own_order_with_those_that_are_not_used():
    columns = [f"p{r}{c}" for r in range(8) for c in range(8)]
    used = [InputImportance(name, 1.0, 0.1) for name in reversed(columns[1:])]
    html = importance_chart(used, columns, False, WORDS)
    rects = list(ElementTree.fromstring(html).iter("rect"))
    assert len(rects) == 64
    assert (rects[0].find("title").text, rects[0].get("fill-opacity")) == ("p00", "0.00")
    assert rects[9].get("x") == rects[9].get("y") == "12"
