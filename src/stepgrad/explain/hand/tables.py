"""Tables of a hand calculation: CSV, Markdown, and the rows that JSON objects are."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence

from stepgrad.explain.hand.entries import Entry, statements
from stepgrad.explain.hand.latex import without_latex
from stepgrad.explain.hand.numbers import array_in, number_in

_COLUMNS = {
    "name": (
        "quantity", "step", "node", "neuron", "단계", "뉴런", "노드",
        "name", "symbol", "what", "variable", "parameter", "weight", "양", "이름", "기호", "항목",
        "변수", "파라미터", "매개변수", "가중치",
    ),
    "formula": (
        "formula", "expression", "working", "calculation", "식", "수식", "계산", "계산식", "풀이", "계산과정",
    ),
    "value": ("value", "result", "answer", "number", "값", "결과", "답", "계산값", "결괏값"),
    "old": ("old", "before", "oldvalue", "이전", "기존", "기존값", "갱신전"),
    "new": ("new", "after", "updated", "newvalue", "이후", "새값", "갱신후", "갱신값"),
    "gradient": ("gradient", "grad", "기울기", "그레이디언트"),
}  # fmt: skip
_Row = tuple[int, Sequence[str], str]


def roles(head: Sequence[str]) -> dict[str, int] | None:
    """Return which column has which role, by the names in the head; None if it is no head."""
    cells = [re.sub(r"[\s*_`]", "", cell).lower() for cell in head]
    found = {role: i for role, names in _COLUMNS.items() for i, cell in enumerate(cells) if cell in names}
    return found if "name" in found and len(found) > 1 else None


def from_columns(place: int, cells: Mapping[str, str], text: str, updated: bool = False) -> Iterator[Entry]:
    """Yield what a row with cells of these roles states."""
    cells = {role: without_latex(cell.strip().strip("$`")).strip() for role, cell in cells.items()}
    name = cells.get("name", "")
    if not name:
        return
    if cells.get("formula") or cells.get("value"):
        parts = [part.strip() for part in re.split(r"[=≈]", cells.get("formula", "")) if part.strip()]
        value = cells.get("value", "")
        if value:
            parts.append(value)
        if len(parts) > 1 and parts[0] == name:
            parts.pop(0)
        yield from statements(place, name, parts, text, updated)
    for role, spelled in (("old", "{}"), ("gradient", "∂L/∂{}"), ("new", "{}'")):
        if cells.get(role):
            yield from statements(place, spelled.format(name), [cells[role]], text, updated)


def rows(table: Sequence[_Row]) -> Iterator[Entry]:
    """Yield what the rows of a table state: one with a head that names the columns, or of quantity, formula
    and value; one with a name above each number, or with names beside the rows and above the columns.
    """
    used: dict[str, int] | None = None
    head: Sequence[str] = ()
    for place, cells, text in table:
        if (found := roles(cells)) is not None:
            used, head = found, ()
        elif used is None and not any(map(_is_value, cells)) and len([c for c in cells if c.strip()]) > 1:
            if "=" in "".join(cells) or head:
                yield from _by_default(place, cells, text)
            else:
                head = cells
        elif used is None and head and len(head) == len(cells):
            yield from _below_head(place, cells, head, text)
        elif used is None:
            yield from _by_default(place, cells, text)
        else:
            named = {role: cells[i] for role, i in used.items() if i < len(cells)}
            made = list(from_columns(place, named, text))
            yield from made or [Entry(place, "", (), "", text)]


def _is_value(cell: str) -> bool:
    return bool(number_in(cell)) or array_in(cell) is not None


def _by_default(place: int, cells: Sequence[str], text: str) -> Iterator[Entry]:
    order = ("name", "value") if len(cells) == 2 else ("name", "formula", "value")
    if len(cells) > 1 and not _is_value(cells[0]):
        yield from from_columns(place, dict(zip(order, cells)), text)
    else:
        yield Entry(place, "", (), "", text)


def _below_head(place: int, cells: Sequence[str], head: Sequence[str], text: str) -> Iterator[Entry]:
    """Yield what a row says below a head of names: z with h1 above is z_h1."""
    beside = "" if _is_value(cells[0]) else cells[0].strip()
    first = 0 if _is_value(cells[0]) else 1
    values = [(above.strip(), cell) for above, cell in zip(head[first:], cells[first:]) if cell.strip()]
    if beside and len(values) == 1 and not re.fullmatch(r"\w*\d", values[0][0]):
        yield from statements(place, beside, [values[0][1]], text)
        return
    for above, cell in values:
        name = f"{beside}_{above}" if beside else above
        yield from statements(place, without_latex(name), [without_latex(cell)], text)


def is_csv(text: str) -> bool:
    """Whether a text looks like CSV: lines of as many cells each, more than one, without an equation."""
    lines = [line for line in text.splitlines() if line.strip()]
    delimiter = _delimiter(text)
    counts = {len(cells) for cells in csv.reader(lines, delimiter=delimiter)}
    has_equations = "=" in lines[0] or any(re.match(r"[^,;\t]*[=≈:]", line) for line in lines)
    return (
        len(counts) == 1 and counts.pop() > 1 and not has_equations and not text.startswith(("|", "#", "\\"))
    )


def _delimiter(text: str) -> str:
    return max(";,\t", key=text.lstrip().split("\n", 1)[0].count)


def csv_entries(text: str) -> Iterator[Entry]:
    """Yield what the rows of a CSV text state; commas within numbers are decimal where others part cells."""
    delimiter = _delimiter(text)
    table: list[_Row] = []
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    for cells in reader:
        if any(map(str.strip, cells)):
            if delimiter != ",":
                cells = [re.sub(r"(?<![\w,])([-−+]?\d+),(\d+)(?![\w,])", r"\1.\2", cell) for cell in cells]
            table.append((reader.line_num, cells, delimiter.join(cells)))
    yield from rows(table)


def markdown_rows(lines: Sequence[tuple[int, str]]) -> Iterator[Entry]:
    """Yield what the rows of a Markdown table state."""
    table: list[_Row] = []
    for place, line in lines:
        if not re.fullmatch(r"[|\s:-]+", line):
            inside = line.removesuffix("|")[1:]
            cells = [cell.replace(r"\|", "|").strip() for cell in re.split(r"(?<!\\)\|", inside)]
            table.append((place, [re.sub(r"^\*\*(.*)\*\*$", r"\1", cell) for cell in cells], line))
    yield from rows(table)
