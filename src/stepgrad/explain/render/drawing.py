"""The network of a worked step as a picture: each number a circle, its value above, its gradient below."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stepgrad.explain.line import Given, Line
from stepgrad.explain.notation import number_text
from stepgrad.explain.render.folded import folded_drawing
from stepgrad.explain.render.labels import label_element, labels_of_inputs, picture, rest_element, unit_label
from stepgrad.markup import Html, tag
from stepgrad.words.language import Words

if TYPE_CHECKING:
    from stepgrad.explain.worked import Worked

_MOST_ROWS, _MOST_COLUMNS, _MOST_LABELS, _FEW = 14, 14, 14, 6
_WIDTH, _HEIGHT, _RADIUS, _TOP, _MARGIN = 132, 92, 21, 34, 150
_DIGITS = 4
# Where on its line the label of a weight may stand, the best first; and how much room it takes.
_ON_LINE = (0.32, 0.42, 0.22, 0.52, 0.62, 0.72)
_SIGN_WIDTH, _LINE_HEIGHT = 6.5, 14


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
    called, rest = labels_of_inputs(worked), _inputs_left_out(worked, columns[0])
    margin = _MARGIN if any(each.symbol in called for each in columns[0]) else 0
    tallest = max(map(len, columns))
    nodes: dict[str, _Node] = {}
    for i, column in enumerate(columns):
        for j, each in enumerate(column):
            middle = (j + (tallest - len(column)) / 2) * _HEIGHT
            nodes[each.id] = _Node(each, margin + _WIDTH / 2 + i * _WIDTH, _TOP + _HEIGHT / 2 + middle)
    width, height = margin + len(columns) * _WIDTH, tallest * _HEIGHT + _TOP + _HEIGHT / 2 * bool(rest)
    parts = [*_edges(worked, nodes), *(_node(worked, node) for node in nodes.values())]
    for each in columns[0]:
        node = nodes[each.id]
        parts.append(unit_label(called.get(each.symbol, ""), node.x - _RADIUS - 8, node.y + 4, True))
    if rest:
        last = nodes[columns[0][-1].id]
        parts += rest_element(rest, last.x, last.y + 0.7 * _HEIGHT, words)
    return picture(parts, width, height, words)


def _columns(worked: Worked) -> list[list[Line | Given]]:
    """Return the inputs, then the results of each operation, then the loss."""
    forward = [line for line in worked if line.kind == "forward"]
    sample = _first_sample(worked, forward)
    columns: dict[str, list[Line | Given]] = {}
    for line in forward:
        if _is_of(line.id, sample):
            columns.setdefault(line.id.partition("[")[0], []).append(line)
    inputs = _inputs(worked, [line for line in forward if _is_of(line.id, sample)])
    if len(inputs) > _MOST_ROWS:
        inputs = _that_matter(worked, inputs, forward)
    loss = [line for line in worked if line.id == "loss"]
    ends: list[list[Line | Given]] = [inputs, *columns.values(), [*loss]]
    return [column for column in ends if column]


def _inputs(worked: Worked, lines: list[Line]) -> list[Line | Given]:
    """Return the given inputs that the lines are computed from."""
    used = {id for line in lines for id in line.references}
    return [given for given in worked.given if given.origin == "input" and given.id in used]


def _that_matter(worked: Worked, inputs: list[Line | Given], forward: list[Line]) -> list[Line | Given]:
    """Return of many inputs that whose weight was picked; where all were, those with the largest products."""
    sizes: dict[str, float] = {}
    picked: set[str] = set()
    for line in forward:
        for given in inputs:
            weight = _weight(worked, line, given)
            if weight is not None:
                sizes[given.id] = max(sizes.get(given.id, 0.0), abs(weight.value * given.value))
                if _is_picked(worked, weight):
                    picked.add(given.id)
    largest = sorted(sizes, key=lambda id: -sizes[id])
    chosen = picked if len(picked) <= _FEW else set(largest[:_FEW])
    return [given for given in inputs if given.id in chosen]


def _inputs_left_out(worked: Worked, column: list[Line | Given]) -> int:
    """Return how many inputs of the lines are not in the first column."""
    if not all(each.id.startswith("given/") for each in column):
        return 0
    forward = [line for line in worked if line.kind == "forward"]
    sample = _first_sample(worked, forward)
    return len(_inputs(worked, [line for line in forward if _is_of(line.id, sample)])) - len(column)


def _is_picked(worked: Worked, weight: Given) -> bool:
    """Return whether the gradient of a weight is written out."""
    return weight.id.replace("given/", "grad/", 1) in worked


def _first_sample(worked: Worked, forward: list[Line]) -> str | None:
    """Return the first index of the first line, if the step has a batch."""
    if len(worked.step.output.array.shape) < 2 or not forward:
        return None
    return forward[0].id.partition("[")[2].partition(",")[0]


def _is_of(id: str, sample: str | None) -> bool:
    return sample is None or id.partition("[")[2].partition(",")[0] == sample


def _edges(worked: Worked, nodes: dict[str, _Node]) -> list[Html]:
    """Return the lines between the numbers, then the weights upon them: all of few, else those picked."""
    lines, ends, weights = [], [], []
    for node in nodes.values():
        for source in _sources(worked, node, nodes):
            begin = nodes[source]
            weight = _weight(worked, node.at, begin.at)
            ends.append((begin, node))
            weights.append(weight)
    drawn = [weight for weight in weights if weight is not None]
    many = len(drawn) > _MOST_LABELS
    picked = sum(_is_picked(worked, weight) for weight in drawn)
    is_path = picked <= _FEW and picked < len(drawn)
    boxes: list[tuple[float, float, float]] = []
    labels = []
    for (begin, node), weight in zip(ends, weights):
        is_marked = is_path and weight is not None and _is_picked(worked, weight)
        lines.append(
            tag(
                "line",
                x1=begin.x + _RADIUS,
                y1=begin.y,
                x2=node.x - _RADIUS,
                y2=node.y,
                class_="edge path" if is_marked else "edge",
                data_from=begin.at.id,
                data_to=node.at.id,
            )
        )
        if weight is not None and (is_marked or not many):
            shown = number_text(weight.value, _DIGITS)
            x, y = _free_place(begin, node, len(shown) * _SIGN_WIDTH, boxes)
            labels.append(tag("text", shown, x=x, y=y + 4, class_="weight v", data_id=weight.id))
    return [*lines, *labels]


def _free_place(
    begin: _Node, end: _Node, width: float, boxes: list[tuple[float, float, float]]
) -> tuple[float, float]:
    """Return the middle of a label on the line between two circles that covers no other label, if there is
    room: near the crossing of two lines nobody could tell whose it is.
    """
    first, last = begin.x + _RADIUS, end.x - _RADIUS
    places = [(first + t * (last - first), begin.y + t * (end.y - begin.y)) for t in _ON_LINE]

    def is_free(x: float, y: float) -> bool:
        return all(abs(x - a) > (width + w) / 2 or abs(y - b) > _LINE_HEIGHT for a, b, w in boxes)

    x, y = next((place for place in places if is_free(*place)), places[0])
    boxes.append((x, y, width))
    return x, y


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
