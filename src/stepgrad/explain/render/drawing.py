"""The network of a worked step as a picture: each number a circle, its value above, its gradient below."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stepgrad.explain.line import Given, Line
from stepgrad.explain.notation import number_text
from stepgrad.explain.render.folded import folded_drawing
from stepgrad.explain.render.labels import label_element, picture
from stepgrad.markup import Html, tag
from stepgrad.words.language import Words

if TYPE_CHECKING:
    from stepgrad.explain.worked import Worked

_MOST_ROWS, _MOST_COLUMNS, _MOST_LABELS = 14, 14, 14
_WIDTH, _HEIGHT, _RADIUS, _TOP = 132, 92, 21, 34
_DIGITS = 4


@dataclass
class _Node:
    at: Line | Given
    x: float
    y: float


def drawing(worked: Worked, words: Words) -> Html | None:
    """Return the picture, None for a step of more numbers than a picture can show.

    Of a batch the first sample that has lines is drawn.
    """
    if worked.layout != "scalar":
        return folded_drawing(worked, words)
    columns = _columns(worked)
    if not 2 <= len(columns) <= _MOST_COLUMNS or max(map(len, columns)) > _MOST_ROWS:
        return None
    tallest = max(map(len, columns))
    nodes: dict[str, _Node] = {}
    for i, column in enumerate(columns):
        for j, each in enumerate(column):
            middle = (j + (tallest - len(column)) / 2) * _HEIGHT
            nodes[each.id] = _Node(each, _WIDTH / 2 + i * _WIDTH, _TOP + _HEIGHT / 2 + middle)
    width, height = len(columns) * _WIDTH, tallest * _HEIGHT + _TOP
    parts = [*_edges(worked, nodes), *(_node(worked, node) for node in nodes.values())]
    return picture(parts, width, height, words)


def _columns(worked: Worked) -> list[list[Line | Given]]:
    """Return the inputs, then the results of each operation, then the loss."""
    forward = [line for line in worked if line.kind == "forward"]
    sample = _first_sample(worked, forward)
    columns: dict[str, list[Line | Given]] = {}
    for line in forward:
        if _is_of(line.id, sample):
            columns.setdefault(line.id.partition("[")[0], []).append(line)
    used = {id for column in columns.values() for line in column for id in getattr(line, "references", ())}
    inputs: list[Line | Given] = [
        given for given in worked.given if given.origin == "input" and given.id in used
    ]
    if len(inputs) > _MOST_ROWS:
        inputs = []
    loss = [line for line in worked if line.id == "loss"]
    ends: list[list[Line | Given]] = [inputs, *columns.values(), [*loss]]
    return [column for column in ends if column]


def _first_sample(worked: Worked, forward: list[Line]) -> str | None:
    """Return the first index of the first line, if the step has a batch."""
    if len(worked.step.output.array.shape) < 2 or not forward:
        return None
    return forward[0].id.partition("[")[2].partition(",")[0]


def _is_of(id: str, sample: str | None) -> bool:
    return sample is None or id.partition("[")[2].partition(",")[0] == sample


def _edges(worked: Worked, nodes: dict[str, _Node]) -> list[Html]:
    made = []
    is_labelled = sum(len(_sources(worked, node, nodes)) for node in nodes.values()) <= _MOST_LABELS
    for node in nodes.values():
        for source in _sources(worked, node, nodes):
            begin = nodes[source]
            x1, x2 = begin.x + _RADIUS, node.x - _RADIUS
            made.append(
                tag(
                    "line",
                    x1=x1,
                    y1=begin.y,
                    x2=x2,
                    y2=node.y,
                    class_="edge",
                    data_from=source,
                    data_to=node.at.id,
                )
            )
            weight = _weight(worked, node.at, begin.at) if is_labelled else None
            if weight is not None:
                x, y = begin.x + 0.42 * (node.x - begin.x), begin.y + 0.42 * (node.y - begin.y)
                shown = number_text(weight.value, _DIGITS)
                made.append(tag("text", shown, x=x, y=y - 5, class_="weight v", data_id=weight.id))
    return made


def _sources(worked: Worked, node: _Node, nodes: dict[str, _Node]) -> list[str]:
    """Return the nodes that a node is computed from; the loss may use them through lines of its own."""
    found: dict[str, None] = {}
    pending = list(getattr(node.at, "references", ()))
    while pending:
        id = pending.pop(0)
        if id in nodes:
            found[id] = None
        elif id.startswith("loss/") and id in worked:
            pending.extend(getattr(worked[id], "references", ()))
    if not found and getattr(node.at, "kind", "") == "loss":  # by numbers that were not picked
        found = {id: None for id, other in nodes.items() if other.x == node.x - _WIDTH}
    return list(found)


def _weight(worked: Worked, node: Line | Given, source: Line | Given) -> Given | None:
    """Return the parameter that multiplies `source` in a line."""
    references = list(getattr(node, "references", ()))
    if source.id not in references:
        return None
    before = references.index(source.id) - 1
    given = worked[references[before]] if before >= 0 else None
    return given if isinstance(given, Given) and given.origin == "parameter" else None


def _node(worked: Worked, node: _Node) -> Html:
    at = node.at
    gradient = f"grad/{at.id.removeprefix('forward/').removeprefix('given/')}"
    parts = [
        tag("circle", cx=node.x, cy=node.y, r=_RADIUS, class_="neuron"),
        tag("text", label_element(at.name), x=node.x, y=node.y + 5, class_="symbol"),
        tag("text", number_text(at.value, _DIGITS), x=node.x, y=node.y - _RADIUS - 6, class_="value"),
    ]
    drawn = tag("g", *parts, class_="v", data_id=at.id)
    if gradient not in worked:
        return drawn
    slope = number_text(worked[gradient].value, _DIGITS)
    below = tag("text", slope, x=node.x, y=node.y + _RADIUS + 16, class_="slope v", data_id=gradient)
    return tag("g", drawn, below)
