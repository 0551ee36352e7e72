"""A graph as a picture in SVG: layers from the leaves down to the result, drawn with as few crossings as a
few sweeps find (Sugiyama, Tagawa and Toda, 1981).

Each node stands one layer below the lowest of its inputs. An edge over several layers passes through points
that take part in the ordering, so that it runs between the boxes and not behind them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from stepgrad.markup import Html, tag

if TYPE_CHECKING:
    from stepgrad.graph import Graph

_SWEEPS = 8
_ROW, _GAP, _HEIGHT, _MARGIN, _POINT = 76, 26, 40, 14, 12
_LETTER = 7.3  # the width of one, about
_STYLE = """
.stepgrad-graph text { font: 13px system-ui, "Segoe UI", sans-serif; text-anchor: middle; fill: #17202c; }
.stepgrad-graph .kind { font-size: 10.5px; fill: #667284; }
.stepgrad-graph rect { fill: #fff; stroke: #2f6fde; }
.stepgrad-graph .leaf rect { fill: #eaf1fe; stroke: #9db8e8; }
.stepgrad-graph .backward rect { stroke: #d9730d; }
.stepgrad-graph .update rect { stroke: #14855f; }
.stepgrad-graph path { fill: none; stroke: #667284; }
"""


@dataclass
class _Box:
    """A leaf, a node, or a point through which a long edge passes (without a text)."""

    row: int
    title: str = ""
    kind: str = ""
    shade: str = ""
    above: list[_Box] = field(default_factory=list)
    below: list[_Box] = field(default_factory=list)
    x: float = 0.0

    @property
    def width(self) -> float:
        return max(64.0, _LETTER * max(len(self.title), len(self.kind) * 0.8) + 22) if self.title else _POINT


def picture(graph: Graph) -> str:
    """Return the picture as the text of an SVG element."""
    rows = _ordered(_rows(graph))
    for row in rows:
        _packed(row)
    for sweep in range(_SWEEPS):
        for row in rows if sweep % 2 == 0 else reversed(rows):
            _centred(row, upwards=sweep % 2 == 0)
    left = min(box.x - box.width / 2 for row in rows for box in row) - _MARGIN
    right = max(box.x + box.width / 2 for row in rows for box in row) + _MARGIN
    height = len(rows) * _ROW - (_ROW - _HEIGHT) + 2 * _MARGIN
    boxes = [box for row in rows for box in row]
    drawn = [_edge(box, below, left) for box in boxes if box.title for below in box.below]
    drawn += [_box(box, left) for box in boxes if box.title]
    arrow = tag(
        "marker", tag("path", d="M0,0 L7,3 L0,6", fill="none", stroke="#667284"),
        id="stepgrad-arrow", viewBox="0 0 8 6", refX=7, refY=3, markerWidth=8, markerHeight=7, orient="auto",
    )  # fmt: skip
    return tag(
        "svg", tag("style", Html(_STYLE)), tag("defs", arrow), *drawn,
        xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {right - left:.0f} {height}",
        width=f"{right - left:.0f}", height=height, class_="stepgrad-graph", role="img",
    )  # fmt: skip


def _rows(graph: Graph) -> list[list[_Box]]:
    """Return the boxes by rows, with the points of long edges among them."""
    box_of: dict[int, _Box] = {}
    leaves = graph.leaves()
    for name, leaf in leaves.items():
        box_of[id(leaf)] = _Box(0, name, f"{leaf.dtype.name}{list(leaf.shape)}", "leaf")
    edges: list[tuple[_Box, _Box]] = []
    for node in graph.nodes:
        inputs = [box_of[id(x)] for x in dict.fromkeys(x for x in node.inputs if x is not None)]
        row = 1 + max((box.row for box in inputs), default=0)
        shape = "×".join(map(str, node.shape)) or "1"
        shown = f"{shape} · {node.module}" if node.module else shape
        box = box_of[id(node)] = _Box(row, node.op.name, shown, node.phase)
        edges.extend((x, box) for x in inputs)
    # A leaf stands right above its first use.
    for box in list(box_of.values()):
        uses = [to.row for begin, to in edges if begin is box]
        if box.shade == "leaf" and uses:
            box.row = min(uses) - 1
    rows: list[list[_Box]] = [[] for _ in range(1 + max((box.row for box in box_of.values()), default=0))]
    for box in box_of.values():
        rows[box.row].append(box)
    for begin, end in edges:
        last = begin
        for row in range(begin.row + 1, end.row):
            point = _Box(row)
            _join(last, point)
            rows[row].append(point)
            last = point
        _join(last, end)
    return [row for row in rows if row]


def _join(above: _Box, below: _Box) -> None:
    above.below.append(below)
    below.above.append(above)


def _ordered(rows: list[list[_Box]]) -> list[list[_Box]]:
    """Return the rows with boxes in an order of few crossings: each at the middle of its neighbours."""
    for sweep in range(_SWEEPS):
        place = {id(box): i for row in rows for i, box in enumerate(row)}
        for row in rows if sweep % 2 == 0 else reversed(rows):
            wanted = {}
            for i, box in enumerate(row):
                near = box.above if sweep % 2 == 0 else box.below
                wanted[id(box)] = sum(place[id(other)] for other in near) / len(near) if near else i
            row.sort(key=lambda box: wanted[id(box)])
            place.update({id(box): i for i, box in enumerate(row)})
    return rows


def _packed(row: Sequence[_Box]) -> None:
    """Put the boxes of a row side by side around 0."""
    total = sum(box.width for box in row) + _GAP * (len(row) - 1)
    x = -total / 2
    for box in row:
        box.x = x + box.width / 2
        x += box.width + _GAP


def _centred(row: Sequence[_Box], upwards: bool) -> None:
    """Move the boxes of a row towards the middle of their neighbours, without changing their order."""
    wanted = []
    for box in row:
        near = (box.above if upwards else box.below) or box.above or box.below
        wanted.append(sum(other.x for other in near) / len(near) if near else box.x)
    for box, x in zip(row, wanted):
        box.x = x
    for _ in range(2):
        for a, b in pairwise(row):
            _apart(a, b)
        for a, b in zip(reversed(row[:-1]), reversed(row[1:])):
            _apart(a, b)
    for a, b in pairwise(row):
        b.x = max(b.x, a.x + (a.width + b.width) / 2 + _GAP)


def _apart(a: _Box, b: _Box) -> None:
    """Push two neighbours apart, each by half of what they lack."""
    lack = a.x + (a.width + b.width) / 2 + _GAP - b.x
    if lack > 0:
        a.x, b.x = a.x - lack / 2, b.x + lack / 2


def _box(box: _Box, left: float) -> Html:
    x, y = box.x - left, _MARGIN + box.row * _ROW
    frame = tag(
        "rect", x=round(x - box.width / 2, 1), y=y, width=round(box.width, 1), height=_HEIGHT,
        rx=18 if box.shade == "leaf" else 7,
    )  # fmt: skip
    title = tag("text", box.title, x=round(x, 1), y=y + 18)
    kind = tag("text", box.kind, x=round(x, 1), y=y + 32, class_="kind")
    return tag("g", frame, title, kind, class_=box.shade)


def _edge(box: _Box, below: _Box, left: float) -> Html:
    """Return the curve from a box through the points of a long edge to the box below."""
    points: list[tuple[float, float]] = [(box.x - left, _MARGIN + box.row * _ROW + _HEIGHT)]
    while not below.title:
        middle = _MARGIN + below.row * _ROW + _HEIGHT / 2
        points.append((below.x - left, middle))
        below = below.below[0]
    points.append((below.x - left, _MARGIN + below.row * _ROW))
    curve = f"M{points[0][0]:.1f},{points[0][1]:.1f}"
    for (x1, y1), (x2, y2) in pairwise(points):
        half = (y1 + y2) / 2
        curve += f" C{x1:.1f},{half:.1f} {x2:.1f},{half:.1f} {x2:.1f},{y2:.1f}"
    return tag("path", d=curve, marker_end="url(#stepgrad-arrow)")
