"""The network of a step in matrices as a picture: of each layer the units that matter most to the loss."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy

from stepgrad.explain.line import Given, Line
from stepgrad.explain.names import Name
from stepgrad.explain.notation import number_text
from stepgrad.explain.render.labels import label_element, labels_of_inputs, picture, rest_element, unit_label
from stepgrad.markup import Html, tag
from stepgrad.words.language import Words

if TYPE_CHECKING:
    from stepgrad.explain.worked import Worked

_MOST_COLUMNS, _MOST_UNITS, _FEW = 14, 8, 6
_WIDTH, _HEIGHT, _RADIUS, _TOP, _MARGIN = 132, 104, 21, 34, 150
_DIGITS = 4


@dataclass
class _Column:
    """A line, or the input: its numbers (those of the first sample), the gradients, and the units drawn."""

    at: Line | Given
    values: numpy.ndarray
    slopes: numpy.ndarray | None
    labels: list[str]
    shown: list[int]
    x: float = 0

    @property
    def rest(self) -> int:
        return len(self.values) - len(self.shown)


def folded_drawing(worked: Worked, words: Words) -> Html | None:
    """Return the picture, None for a network whose layers are no rows of units."""
    columns = _columns(worked)
    if columns is None or not 2 <= len(columns) <= _MOST_COLUMNS:
        return None
    tallest = max(len(column.shown) + bool(column.rest) / 2 for column in columns)
    margin = _MARGIN if any(columns[0].labels) else 0
    for i, column in enumerate(columns):
        column.x = margin + _WIDTH / 2 + i * _WIDTH
    height, width = tallest * _HEIGHT + _TOP, margin + len(columns) * _WIDTH
    parts: list[Html] = []
    for before, column in pairwise(columns):
        parts += _edges(worked, before, column, tallest)
    for i, column in enumerate(columns):
        parts += _units(column, tallest, words, i == 0)
    return picture(parts, width, height, words)


def is_folded(worked: Worked) -> bool:
    """Return whether a picture leaves units out."""
    columns = _columns(worked) if worked.layout == "matrix" else None
    return columns is not None and any(column.rest for column in columns)


def _columns(worked: Worked) -> list[_Column] | None:
    named = labels_of_inputs(worked)
    classes = [] if worked.row is None else [each.label for each in worked.row.answers]
    ends: list[Line | Given] = [
        *(given for given in worked.given if given.origin == "input"),
        *(line for line in worked if line.kind == "forward"),
    ]
    columns = []
    for at in ends:
        values = _first_sample(worked, at.value)
        if values is None:
            return None
        gradient = f"grad/{at.id.removeprefix('forward/').removeprefix('given/')}"
        slopes = _first_sample(worked, worked[gradient].value) if gradient in worked else None
        labels = [named.get(_unit_name(at.name, i, len(values)).text(), "") for i in range(len(values))]
        if at.name.base.lower() == "ŷ" and len(classes) == len(values):
            labels = classes
        columns.append(_Column(at, values, slopes, labels, []))
    if "loss" in worked:
        columns.append(_Column(worked["loss"], numpy.atleast_1d(worked["loss"].value), None, [""], [0]))
    for column, after in reversed(list(zip(columns, [*columns[1:], None]))):
        column.shown = column.shown or _chosen(column, after)
    return columns


def _first_sample(worked: Worked, value: object) -> numpy.ndarray | None:
    array = numpy.asarray(value, dtype=float)
    if array.ndim == 2:
        return array[0]
    return array if array.ndim == 1 and worked.step.output.array.ndim < 2 else None


def _chosen(column: _Column, after: _Column | None) -> list[int]:
    """Return the units that are drawn: all of few, else the same as in the column that is computed from them
    one by one, or those that matter most.
    """
    count = len(column.values)
    if count <= _MOST_UNITS:
        return list(range(count))
    if (
        after is not None
        and len(after.values) == count
        and isinstance(after.at, Line)
        and after.at.op != "linear"
    ):
        return after.shown
    sizes = numpy.abs(column.values if column.slopes is None else column.values * column.slopes)
    return sorted(int(i) for i in numpy.argsort(-sizes, kind="stable")[:_FEW])


def _unit_name(name: Name, i: int, count: int) -> Name:
    base = name.base[:1].lower() + name.base[1:]
    return Name(base, name.layer, (i,) if count > 1 else ())


def _y(column: _Column, place: int, tallest: float) -> float:
    taken = len(column.shown) + bool(column.rest) / 2
    return _TOP + _HEIGHT / 2 + (place + (tallest - taken) / 2) * _HEIGHT


def _edges(worked: Worked, before: _Column, column: _Column, tallest: float) -> list[Html]:
    if before.at.id not in getattr(column.at, "references", ()) and column.at.id != "loss":
        return []
    weight = _weight(worked, column, before)
    largest = 1.0 if weight is None else float(numpy.abs(weight[numpy.ix_(column.shown, before.shown)]).max())
    made = []
    for j, unit in enumerate(column.shown):
        for i, source in enumerate(before.shown):
            is_apart = weight is None and len(before.values) == len(column.values) != 1
            if is_apart and unit != source and column.at.id != "loss":
                continue
            share = 0.5 if weight is None else abs(float(weight[unit, source])) / (largest or 1.0)
            sign = "" if weight is None or weight[unit, source] >= 0 else " minus"
            made.append(
                tag(
                    "line",
                    x1=before.x + _RADIUS,
                    y1=_y(before, i, tallest),
                    x2=column.x - _RADIUS,
                    y2=_y(column, j, tallest),
                    class_=f"edge{sign}",
                    style=f"stroke-width:{0.4 + 2 * share:.2f}" if weight is not None else None,
                    data_from=before.at.id,
                    data_to=column.at.id,
                )
            )
    return made


def _weight(worked: Worked, column: _Column, before: _Column) -> numpy.ndarray | None:
    """Return the matrix between two columns, if that is what stands between them."""
    for id in getattr(column.at, "references", ()):
        value = worked[id].value
        is_weight = isinstance(worked[id], Given) and worked[id].origin == "parameter"
        if is_weight and numpy.shape(value) == (len(column.values), len(before.values)):
            return numpy.asarray(value)
    return None


def _units(column: _Column, tallest: float, words: Words, is_first: bool) -> list[Html]:
    made = []
    gradient = f"grad/{column.at.id.removeprefix('forward/').removeprefix('given/')}"
    for place, i in enumerate(column.shown):
        x, y, count = column.x, _y(column, place, tallest), len(column.values)
        name = column.at.name if column.at.id == "loss" else _unit_name(column.at.name, i, count)
        parts = [
            tag("title", column.labels[i]) if column.labels[i] else None,
            tag("circle", cx=x, cy=y, r=_RADIUS, class_="neuron"),
            tag("text", label_element(name), x=x, y=y + 5, class_="symbol"),
            tag(
                "text", number_text(float(column.values[i]), _DIGITS), x=x, y=y - _RADIUS - 6, class_="value"
            ),
        ]
        made.append(tag("g", *parts, class_="v", data_id=column.at.id))
        if column.slopes is not None:
            slope = number_text(float(column.slopes[i]), _DIGITS)
            made.append(tag("text", slope, x=x, y=y + _RADIUS + 16, class_="slope v", data_id=gradient))
        place_of_label = (x - _RADIUS - 8, y + 4) if is_first else (x, y + _RADIUS + 32)
        made.append(unit_label(column.labels[i], *place_of_label, is_first))
    if column.rest:
        y = _y(column, len(column.shown), tallest) - _HEIGHT / 4
        made += rest_element(column.rest, column.x, y, words)
    return made
