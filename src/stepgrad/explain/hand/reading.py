"""Reading a hand calculation: lines and tables in plain text, Markdown, LaTeX, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from stepgrad.errors import DataError

FORMATS = ("csv", "json", "markdown", "latex", "text")
_ENDINGS = {
    "csv": "csv", "tsv": "csv", "json": "json", "md": "markdown", "markdown": "markdown", "tex": "latex",
    "txt": "text",
}  # fmt: skip
_COLUMNS = {
    "name": ("quantity", "name", "symbol", "what", "variable", "양", "이름", "기호", "항목", "변수"),
    "formula": ("formula", "expression", "working", "calculation", "식", "수식", "계산", "계산식", "풀이"),
    "value": ("value", "result", "answer", "number", "값", "결과", "답", "계산값", "결괏값"),
}
_POWER_OF_TEN = r"(?:[eE]\s*|(?:[×·x*]|\\times|\\cdot)\s*10\s*\^?\s*)[{(]?\s*[-−+]?\s*\d+\s*[})]?"
_NUMBER = re.compile(rf"[-−+]?\s*(?:\d+(?:,\d{{3}})*(?:\.\d*)?|\.\d+)(?:\s*{_POWER_OF_TEN})?")


@dataclass(frozen=True)
class Entry:
    """One line of a hand calculation: ``name = expressions = value``.

    `place` counts lines from 1 (the entries, in JSON). `value` is the number as it was written, "" if there
    is none; `text` the whole line. `updated`: it stands where parameters after the update are written, below
    a heading that says so.
    """

    place: int
    name: str
    expressions: tuple[str, ...]
    value: str
    text: str
    updated: bool = False


def read_work(text: str, kind: str | None = None, file_name: str = "") -> list[Entry]:
    """Return the entries of a hand calculation.

    `kind`: one of `FORMATS`; by default the ending of `file_name` says it, or the text itself. Raises
    `DataError` for a text in which there is no entry, or JSON that cannot be read.
    """
    ending = file_name.rpartition(".")[2].lower()
    kind = kind or _ENDINGS.get(ending) or _kind_of(text)
    text = text.removeprefix("\ufeff")
    if kind == "json":
        entries = list(_json_entries(text))
    elif kind == "csv":
        entries = list(_csv_entries(text))
    else:
        entries = [*_table_entries(text), *_line_entries(text)]
        entries.sort(key=lambda entry: entry.place)
        below = _below_updates(text)
        entries = [replace(e, updated=True) if e.place in below else e for e in entries]
    if not entries:
        raise DataError(
            "there is no line such as z1 = 0.4352·1 + 0.3545·1 − 0.1419 = 0.6478 in it, and no table with "
            "columns quantity, formula, value."
        )
    return entries


def _kind_of(text: str) -> str:
    start = text.lstrip("\ufeff \n\t")
    if start.startswith(("{", "[")):
        return "json"
    first = start.split("\n", 1)[0]
    return "csv" if "," in first and "=" not in first and not first.startswith(("|", "#", "\\")) else "text"


def number_in(text: str) -> str:
    """Return a text that is a number, in the form that `float` reads, with all of its digits; else "".

    >>> number_in(" −0.3415 "), number_in("1.7×10^{-3}"), number_in("z1")
    ('-0.3415', '1.7e-3', '')
    """
    text = text.strip().strip("$").strip().rstrip(".,。").replace(r"\,", "")
    if text.startswith("(") and text.endswith(")"):
        text = text[1:-1]
    if not _NUMBER.fullmatch(text):
        return ""
    plain = re.sub(r"[\s{}()]|(?<=\d),(?=\d{3})", "", text).replace("−", "-")
    plain = re.sub(r"(?:[×·x*]|\\times|\\cdot)10\^?", "e", plain)
    return plain.replace("E", "e").removeprefix("+")


# ------------------------------------------------------------------------------------------ tables


def _from_columns(place: int, cells: dict[str, str], text: str) -> Entry | None:
    name, formula, value = (cells.get(column, "").strip() for column in ("name", "formula", "value"))
    if not name:
        return None
    parts = [part for part in re.split(r"[=≈]", formula) if part.strip()]
    number = number_in(value)
    if not number and parts and (number := number_in(parts[-1])):
        parts.pop()
    if value and not number_in(value):
        parts.append(value)
    if parts and parts[0].strip() == name:
        parts.pop(0)
    return Entry(place, name, tuple(part.strip() for part in parts), number, text)


def _roles(head: list[str]) -> dict[str, int] | None:
    """Return which column has which role, by the names in the head; None if it is no head."""
    cells = [re.sub(r"[\s*_`]", "", cell).lower() for cell in head]
    found = {role: i for role, names in _COLUMNS.items() for i, cell in enumerate(cells) if cell in names}
    return found if "name" in found and len(found) > 1 else None


def _default_roles(width: int) -> dict[str, int]:
    return {"name": 0, "value": 1} if width == 2 else {"name": 0, "formula": 1, "value": 2}


def _rows(rows: list[tuple[int, list[str], str]]) -> Iterator[Entry]:
    roles: dict[str, int] | None = None
    for place, cells, text in rows:
        if (found := _roles(cells)) is not None:
            roles = found
            continue
        used = roles or _default_roles(len(cells))
        named = {role: cells[i] for role, i in used.items() if i < len(cells)}
        if (entry := _from_columns(place, named, text)) is not None:
            yield entry


def _csv_entries(text: str) -> Iterator[Entry]:
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    rows = [(reader.line_num, cells, delimiter.join(cells)) for cells in reader if any(map(str.strip, cells))]
    yield from _rows(rows)


def _table_entries(text: str) -> Iterator[Entry]:
    rows = []
    for place, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if line.startswith("|") and not re.fullmatch(r"[|\s:-]+", line):
            cells = [cell.replace(r"\|", "|").strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            rows.append((place, cells, line))
    yield from _rows(rows)


# -------------------------------------------------------------------------------------------- JSON


_UPDATED = ("updated", "update", "after update", "갱신", "갱신 후")


class _Written(str):
    """A number of a JSON text with its digits as they were written."""


def _json_entries(text: str) -> Iterator[Entry]:
    try:
        content = json.loads(text, parse_float=_Written, parse_int=_Written)
    except ValueError as error:
        raise DataError(f"it is no JSON: {error}.") from None
    for place, (name, formula, value) in enumerate(_json_triples(content, "", False), 1):
        entry = _from_columns(place, {"name": name, "formula": formula, "value": value}, f"{name} = {value}")
        if entry is not None:
            yield entry


def _json_triples(content: Any, name: str, is_new: bool) -> Iterator[tuple[str, str, str]]:
    """Yield name, formula and value of everything in it; lists give indices to the name above them."""
    if isinstance(content, list):
        if content and all(isinstance(each, dict) for each in content):
            for each in content:
                yield from _json_triples(each, "", is_new)
        else:
            yield from _json_array(content, name, (), is_new)
        return
    if not isinstance(content, dict):
        yield (name + "'" * is_new, "", str(content))
        return
    keys = list(content)
    roles = _roles(keys) or (_roles(["name", *keys]) if name else None)
    if roles is not None:
        cells = [*([] if _roles(keys) else [name]), *map(str, content.values())]
        named = {role: cells[i] for role, i in roles.items()}
        yield (named["name"] + "'" * is_new, named.get("formula", ""), named.get("value", ""))
        return
    for key, value in content.items():
        group = key.strip().lower()
        inside = is_new or group in _UPDATED
        # What follows a step is another one.
        prefix = f"{group}/" if group.startswith("after") and isinstance(value, dict) else ""
        for each, formula, number in _json_triples(value, key, inside):
            yield (prefix + each, formula, number)


def _json_array(
    content: Any, name: str, index: tuple[int, ...], is_new: bool
) -> Iterator[tuple[str, str, str]]:
    if isinstance(content, list):
        for i, each in enumerate(content):
            yield from _json_array(each, name, (*index, i), is_new)
    else:
        yield (f"{name}[{','.join(map(str, index))}]" + "'" * is_new, "", str(content))


# ------------------------------------------------------------------------------------------- lines

_SKIPPED = re.compile(
    r"^(?:#|```|~~~|\\(?:begin|end|documentclass|usepackage|section|subsection|paragraph)\b|%|---|===)"
)
_EQUALS = re.compile(r"(?<![<>!:])=(?!=)|:=|≈|≅|\\approx\b|\\simeq\b|≒")
_NEXT = re.compile(
    r";|\\q?quad\b|,\s+(?=[^\s,=≈]+(?:\s+[^\s,=≈]+)?\s*[=≈])"
    r"|,?(?:\s+and|\s+그리고|\s*이고|\s*이며|\s+및),?\s+(?=[^\s,=≈]+\s*(?:[=≈]|:=))"
)
_BOLD = re.compile(r"(?<![^\s(>:,.;])\*\*(?=\S)(.+?)(?<=\S)\*\*(?![0-9A-Za-z(])|^\*\*|(?<=\S)\*\*$")
_UPDATE = re.compile(r"(?i)\bupdat|갱신|업데이트")
_HEADING = re.compile(r"^(?:#|\\(?:sub)*section|\\paragraph)")


def _below_updates(text: str) -> set[int]:
    """Return the places of the lines below a heading, or a line of words, that says that parameters are
    updated, up to the next heading.
    """
    places, is_below = set(), False
    for place, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        if _HEADING.match(bare) or ("=" not in bare and not bare.startswith("|") and _UPDATE.search(bare)):
            is_below = _UPDATE.search(bare) is not None
        elif is_below:
            places.add(place)
    return places


def _line_entries(text: str) -> Iterator[Entry]:
    for place, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        if not bare or bare.startswith("|") or _SKIPPED.match(bare):
            continue
        bare = re.sub(r"^(?:[-*+•>]|\d+[.)])\s+", "", bare)
        bare = _BOLD.sub(lambda m: m[1] or "", bare)
        bare = re.sub(r"\\\[|\\\]|\\\(|\\\)|\$|`|&|\\\\\s*(?:\[[^\]]*\])?\s*$", " ", bare)
        bare = re.sub(r"\\item\b|\\displaystyle\b", "", bare)
        for piece in _NEXT.split(bare):
            if (entry := _line_entry(place, piece)) is not None:
                yield entry


def _line_entry(place: int, line: str) -> Entry | None:
    parts = [part.strip() for part in _EQUALS.split(line)]
    if len(parts) < 2 or not parts[0]:
        return None
    name, *rest = parts
    *said, name = re.split(r"[:：]\s+", name)
    is_new = _UPDATE.search(" ".join(said)) is not None
    # A comment behind the number is no part of it.
    number = number_in(re.split(r"\s+(?:\(|#|//|←|<-)", rest[-1])[0])
    if number:
        rest.pop()
    return Entry(place, name.strip(), tuple(part for part in rest if part), number, line.strip(), is_new)
