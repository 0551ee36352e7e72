"""Curves over the epochs of a run: the loss, and a metric if there is one."""

from __future__ import annotations

import math
from typing import Any

from stepgrad.markup import Html, join, tag
from stepgrad.train.report.axes import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Scale,
    frame,
    picture,
    scale_for,
)
from stepgrad.words.language import Words
from stepgrad.words.numbers import capitalised, number, score_name

_NOT_METRICS = {"epoch", "step", "lr", "seconds", "loss", "validation_loss"}


def loss_curve(history: list[dict[str, Any]], best_epoch: int, words: Words) -> Html:
    """Return the curves of the training and the validation loss, the best epoch marked."""
    series = {words("training"): ("train", "loss"), words("validation"): ("valid", "validation_loss")}
    return _curves(history, series, words("loss"), best_epoch, words, from_zero=True)


def metric_curve(history: list[dict[str, Any]], best_epoch: int, words: Words) -> Html | None:
    """Return the curve of the first metric in the history, None if there is none."""
    name = next(
        (key for key in history[0] if key not in _NOT_METRICS and key.startswith("validation_")), None
    )
    if name is None:
        return None
    metric = name.removeprefix("validation_")
    series = {words("validation"): ("valid", name)}
    if metric in history[0]:
        series = {words("training"): ("train", metric), **series}
    return _curves(history, series, score_name(metric, words), best_epoch, words, from_zero=False)


def _curves(
    history: list[dict[str, Any]],
    series: dict[str, tuple[str, str]],
    label: str,
    best_epoch: int,
    words: Words,
    from_zero: bool,
) -> Html:
    points = {key: _points(history, key) for _, key in series.values()}
    shown = {name: pair for name, pair in series.items() if points[pair[1]]}
    values = [value for key in points for _, value in points[key]]
    if not values:
        return tag("p", words("There are no finite values to draw."), class_="quiet")
    x = Scale(1, max(len(history), 2), LEFT, WIDTH - RIGHT)
    y = scale_for(values, HEIGHT - BOTTOM, TOP, from_zero)
    y_label = words("{name}, logarithmic", name=label) if y.logarithmic else label
    lines = [_line(points[key], x, y, style) for style, key in shown.values()]
    last = next(reversed(shown.values()))[1]
    mark = _best(dict(points[last]).get(best_epoch), best_epoch, x, y, words)
    title = words("{name} over the epochs", name=capitalised(label))
    drawing = picture(frame(x, y, words("epoch"), y_label, whole_x=True), *lines, mark, title=title)
    entries = [tag("span", tag("i", class_=f"key {style}"), name) for name, (style, _) in shown.items()]
    if mark:
        entries.append(tag("span", tag("i", class_="key best"), words("best epoch")))
    return tag("figure", tag("figcaption", tag("b", title), tag("span", *entries, class_="legend")), drawing)


def _points(history: list[dict[str, Any]], key: str) -> list[tuple[int, float]]:
    pairs = ((epoch["epoch"], epoch.get(key)) for epoch in history)
    return [(epoch, value) for epoch, value in pairs if value is not None and math.isfinite(value)]


def _line(points: list[tuple[int, float]], x: Scale, y: Scale, style: str) -> Html:
    if len(points) == 1:
        return tag("circle", cx=x.at(points[0][0]), cy=y.at(points[0][1]), r=3, class_=f"dot {style}")
    way = "L".join(f"{x.at(epoch):g} {y.at(value):g}" for epoch, value in points)
    return tag("path", d=f"M{way}", class_=f"curve {style}")


def _best(value: float | None, epoch: int, x: Scale, y: Scale, words: Words) -> Html | None:
    if value is None:
        return None
    at_x, at_y = x.at(epoch), y.at(value)
    text = words("epoch {epoch}: {value}", epoch=epoch, value=number(value))
    line = tag("line", x1=at_x, x2=at_x, y1=TOP, y2=HEIGHT - BOTTOM, class_="best-line")
    anchor = "end" if at_x > WIDTH * 0.6 else "start"
    offset = -8 if anchor == "end" else 8
    label = tag("text", text, x=at_x + offset, y=TOP - 4, class_="tick", text_anchor=anchor)
    return join([line, tag("circle", tag("title", text), cx=at_x, cy=at_y, r=4.5, class_="best-dot"), label])
