"""Predicted against actual numbers, one dot for each test row."""

from __future__ import annotations

import numpy

from stepgrad.markup import Html, join, tag
from stepgrad.train.report.axes import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Scale, frame, picture
from stepgrad.words.language import Words


def predicted_against_actual(
    actual: numpy.ndarray, predicted: numpy.ndarray, target: str, words: Words
) -> Html:
    """Return the dots of `actual` and `predicted` (each (N,), finite), with the line where they agree."""
    low = float(min(actual.min(), predicted.min()))
    high = float(max(actual.max(), predicted.max()))
    room = (high - low) * 0.03 or 1.0
    x = Scale(low - room, high + room, LEFT, WIDTH - RIGHT)
    y = Scale(low - room, high + room, HEIGHT - BOTTOM, TOP)
    ends = {"x1": x.at(x.low), "y1": y.at(y.low), "x2": x.at(x.high), "y2": y.at(y.high)}
    size = 3.6 if len(actual) < 200 else 2.6
    dots = [
        tag("circle", cx=f"{x.at(a):g}", cy=f"{y.at(p):g}", r=size)
        for a, p in zip(actual.tolist(), predicted.tolist())
    ]
    title = words("Predicted against actual {name}", name=target)
    drawing = picture(
        frame(x, y, words("actual {name}", name=target), words("predicted {name}", name=target)),
        tag("line", **ends, class_="agree"),
        tag("g", join(dots), class_="dots" if len(dots) <= 500 else "dots many"),
        title=title,
    )
    key = tag("span", tag("i", class_="key agree"), words("prediction = answer"))
    return tag("figure", tag("figcaption", tag("b", title), tag("span", key, class_="legend")), drawing)
