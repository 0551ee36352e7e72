"""Reading a hand calculation: lines and tables in plain text, Markdown, LaTeX, CSV and JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from stepgrad.errors import DataError
from stepgrad.explain.hand.entries import Entry, statements
from stepgrad.explain.hand.lines import line_entries
from stepgrad.explain.hand.numbers import with_points
from stepgrad.explain.hand.tables import csv_entries, from_columns, is_csv, roles

FORMATS = ("csv", "json", "markdown", "latex", "text")
_ENDINGS = {
    "csv": "csv", "tsv": "csv", "json": "json", "md": "markdown", "markdown": "markdown", "tex": "latex",
    "txt": "text",
}  # fmt: skip


def read_work(text: str, kind: str | None = None, file_name: str = "") -> list[Entry]:
    """Return the entries of a hand calculation; a line that states nothing that can be read has one without
    a name.

    `kind`: one of `FORMATS`; by default the ending of `file_name` says it, or the text itself. Raises
    `DataError` for a text that is empty, in which nothing is stated, or JSON that cannot be read.
    """
    ending = file_name.rpartition(".")[2].lower()
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise DataError("it is empty.")
    kind = kind or _ENDINGS.get(ending) or _kind_of(text)
    if kind == "json":
        entries = list(_json_entries(text))
    elif kind == "csv":
        entries = list(csv_entries(text))
    else:
        entries = line_entries(with_points(text))
    if not any(entry.name for entry in entries):
        raise DataError(
            "there is no line such as z1 = 0.4352·1 + 0.3545·1 − 0.1419 = 0.6478 in it, and no table with "
            "columns quantity, formula, value."
        )
    return entries


def _kind_of(text: str) -> str:
    start = text.lstrip("\ufeff \n\t")
    if re.match(r"\{\s*\"|\[\s*[\[{\"\d]", start):
        return "json"
    return "csv" if is_csv(start) else "text"


# -------------------------------------------------------------------------------------------- JSON


_GROUPS = {
    r"(?i)update[sd]?|after\b.*|after_.*|new|갱신.*": "{}'",
    r"(?i)grad(?:ient)?s?|기울기": "∂L/∂{}",
}
"""What a group's name makes of the names in it."""
_LEAF = re.compile(r'"(?:[^"\\]|\\.)*"(\s*:)?|-?\d[\d.eE+-]*|\b(?:true|false|null)\b')


class _Written(str):
    """A value of a JSON text with its digits as they were written, and the line that it stands in."""

    place = 0


def _json_entries(text: str) -> Iterator[Entry]:
    try:
        content = json.loads(text, parse_float=_Written, parse_int=_Written)
    except (ValueError, RecursionError) as error:
        raise DataError(f"it is no JSON: {error}.") from None
    places = (text.count("\n", 0, leaf.start()) + 1 for leaf in _LEAF.finditer(text) if not leaf[1])
    yield from _json_statements(_placed(content, places), "", "{}")


def _placed(content: Any, places: Iterator[int]) -> Any:
    """Return what a JSON text holds with each value as a `_Written`."""
    if isinstance(content, list):
        return [_placed(each, places) for each in content]
    if isinstance(content, dict):
        return {key: _placed(each, places) for key, each in content.items()}
    written = _Written(content if isinstance(content, str) else json.dumps(content))
    written.place = next(places, 0)
    return written


def _json_statements(content: Any, name: str, form: str) -> Iterator[Entry]:
    """Yield what everything in it states; lists give indices to the name above them. `form` says what the
    group makes of names: "{}'" those of new values.
    """
    if isinstance(content, list):
        if content and all(isinstance(each, dict) for each in content):
            for each in content:
                yield from _json_statements(each, "", form)
        else:
            yield from _json_array(content, name, (), form)
    elif isinstance(content, dict):
        yield from _json_object(content, name, form)
    else:
        sides = [side for side in re.split(r"[=≈]", content) if side.strip()] or [content]
        yield from statements(content.place, _named(name, form), sides, f"{name} = {content}")


def _json_object(content: dict[str, Any], name: str, form: str) -> Iterator[Entry]:
    keys = list(content)
    found = roles(keys) or (roles(["name", *keys]) if name else None)
    if found is not None and not any(isinstance(each, dict) for each in content.values()):
        values = [*([] if roles(keys) else [name]), *content.values()]
        cells = {role: values[i] for role, i in found.items()}
        place = max((each.place for each in content.values() if isinstance(each, _Written)), default=0)
        named = _named(str(cells.pop("name")), form)
        plain = {role: _as_text(cell) for role, cell in cells.items()}
        text = f"{named} = {' = '.join(plain.values())}"
        yield from from_columns(place, {"name": named, **plain}, text)
        return
    for key, value in content.items():
        inside = next((made for group, made in _GROUPS.items() if re.fullmatch(group, key.strip())), form)
        yield from _json_statements(value, key, inside)


def _named(name: str, form: str) -> str:
    return form.format(name) if name and not name.startswith(("d", "∂")) else name


def _as_text(content: Any) -> str:
    return f"[{', '.join(map(_as_text, content))}]" if isinstance(content, list) else str(content)


def _json_array(content: Any, name: str, index: tuple[int, ...], form: str) -> Iterator[Entry]:
    if isinstance(content, list):
        for i, each in enumerate(content):
            yield from _json_array(each, name, (*index, i), form)
    elif isinstance(content, dict):
        yield from _json_statements(content, "", form)
    else:
        yield from _json_statements(content, f"{name}[{','.join(map(str, index))}]", form)
