"""The lines of a hand calculation in plain text, Markdown and LaTeX.

A line is cut into statements, a statement at its relations: ``name = side = side``. Signs within brackets
part nothing. A line that begins with a relation goes on with the statement before it.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace

from stepgrad.explain.hand.entries import Entry, statements
from stepgrad.explain.hand.latex import LINE_OF_MATRIX, with_lists, without_latex
from stepgrad.explain.hand.numbers import number_in, with_powers
from stepgrad.explain.hand.tables import markdown_rows

_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: " ", 0x3001: ",", 0xA0: " "}
_STRUCTURE = re.compile(r"```|~~~|[-=_*~]{3,}$|\\(?:documentclass|usepackage|maketitle|newcommand)\b")
_HEADING = re.compile(r"#+\s*(?!\d*\s*=)|\\(?:sub)*(?:section|paragraph|title)\*?\{")
_MARKER = re.compile(
    r"^(?:[-–—*+•·▪>○●◦‣▶※∴]\s+|[(\[]?(?:[A-Z]?\d{1,2}|[a-z]|[ivx]+)[.)\]]\s+|[①-⑳]\s*"
    r"|\d{1,2}(?:[.-]\d{1,2})+[.)]?\s+(?=[^\W\d]))+"
)
_BOLD = re.compile(r"(?<![^\s(>:,.;])\*\*(?=\S)(.+?)(?<=\S)\*\*(?![0-9A-Za-z(])|^\*\*|(?<=\S)\*\*$")
_COMMENT = re.compile(r"(?:\s(?:#|//)|(?<==)(\s*\S*\d)\s+(?:<--?|←))\s.*$")
_UPDATE = re.compile(
    r"(?i)\bupdat|갱신|업데이트|\bnew (?:weights|bias|param|value)|새(?:로운)? ?(?:가중치|편향|파라미터|값)"
)
_RELATION = re.compile(r":=|~=|←|<-(?=\s)|==?(?!>)|(?<![<>!])=(?!>)|[≈≅≒≃≡≐]|(?P<arrow>→|⇒|=>|[-−]+>)")
_SAYS = re.compile(
    r"(?:\s*:|\s+(?:is|equals|was)|(?<=[^\s])(?:은|는|이|가))\s*(?:약|대략|about|approximately|roughly|~)?\s+"
    r"(?=[-−+]?\s*[\d.([])"
)
_AHEAD = r"(?=[^=≈≅≒:;,]{1,60}(?:=|≈|≅|≒|:=|:\s*[-−\d.]|(?:은|는|이|가)\s+[-−\d]))"
_NEXT = re.compile(
    rf";|,\s*(?:and\s+|그리고\s+)?{_AHEAD}|(?<=[\d)\]])\.\s+{_AHEAD}|\s+(?:and|그리고|및|또한?),?\s+{_AHEAD}"
    rf"|(?<=[\d)\]])\s+\|\s+{_AHEAD}"
    rf"|\s*(?:이고|이며|고|며),?\s+{_AHEAD}|\s*(?:→|⇒|=>|[-−]+>|∴)\s*{_AHEAD}"
)
_GOES_ON = re.compile(r"[-−+·*/×]\s*[\d.(][^=≈]*(?:[=≈]\s*[-−\d.(]|$)")
_OPEN_ENDED = re.compile(r"[=≈+·×*/−-]\s*$")
_MOST_JOINED = 40  # lines of one list
_JOINED = "\x1e"


@dataclass
class _Statement:
    """A statement that the lines below may go on with."""

    place: int
    name: str
    sides: list[str]
    text: str
    updated: bool


def line_entries(text: str) -> list[Entry]:
    """Return what the lines and Markdown tables of a text state, in order; a line that states nothing that
    can be read has the name "".
    """
    reader = _Reader(re.search(r"\\(?:begin|d?frac|partial|cdot|times|\[|\()", text) is not None)
    for place, line in _logical_lines(text):
        reader.read(place, line.strip())
    reader.finish()
    return reader.entries


class _Reader:
    """Reads line after line."""

    def __init__(self, is_latex: bool) -> None:
        self._is_latex = is_latex
        self.entries: list[Entry] = []
        self._table: list[tuple[int, str]] = []
        self._open: _Statement | None = None
        self._below_update = False

    def read(self, place: int, line: str) -> None:
        """Read one line."""
        if not line:
            self._close()
        if line.startswith("|"):
            self._close()
            self._table.append((place, line))
            return
        self._close_table()
        if not line or _STRUCTURE.match(line):
            return
        if self._open is not None and _GOES_ON.match(line):
            parts = _cut(line[0] + _without_markup(line[1:], self._is_latex), _RELATION)[0]
            self._go_on([part.strip() for part in parts], line)
            return
        plain = _without_markup(line, self._is_latex)
        is_heading, has_relation = _HEADING.match(line) is not None, _RELATION.search(plain) is not None
        if is_heading or (not has_relation and _UPDATE.search(plain)):
            self._below_update = _UPDATE.search(plain) is not None
        if is_heading and not has_relation:
            self._close()
        elif plain:
            self._read_plain(place, plain, line)

    def finish(self) -> None:
        """Close what is open."""
        self._close()
        self._close_table()

    def _read_plain(self, place: int, plain: str, line: str) -> None:
        pieces = _pieces(plain)
        for piece in pieces:
            parts, signs = _cut(piece, _RELATION)
            if len(parts) == 1 and _RELATION.search(piece):  # all of it stands in parentheses
                parts, signs = re.split(_RELATION.pattern.replace("?P<arrow>", "?:"), piece), []
            if not signs[1:] and not (self._open and _OPEN_ENDED.search(self._open.sides[-1])):
                said = _SAYS.split(parts[0], maxsplit=1)
                parts, signs = [*said, *parts[1:]], [":"] * (len(said) - 1) + signs
            sides = [part.strip() for part in parts]
            if self._open is not None and (not sides[0] or _OPEN_ENDED.search(self._open.sides[-1])):
                self._go_on(sides, line)
            elif len(sides) == 1 or not sides[0]:
                self._close()
                self.entries.append(Entry(place, "", (), "", piece))
            else:
                self._close()
                self._begin(place, sides, signs, line if len(pieces) == 1 else piece)

    def _begin(self, place: int, sides: list[str], signs: list[str], text: str) -> None:
        name, *rest = sides
        updated = self._below_update or _UPDATE.search(name.rpartition(":")[0]) is not None
        while len(rest) > 1 and _is_arrow(signs, 1) and number_in(rest[0]) and number_in(rest[1]):
            # w = 0.4352 → 0.4514: first the old value, then the new one.
            self.entries.extend(statements(place, name, [rest.pop(0)], text, updated))
            signs.pop(0)
            updated = True
        self._open = _Statement(place, name, rest, text, updated)

    def _go_on(self, sides: list[str], line: str) -> None:
        """Append a line that goes on with the open statement."""
        assert self._open is not None
        first, *rest = sides
        if first:
            self._open.sides[-1] += " " + first
        self._open.sides.extend(rest)
        self._open.text += " " + line

    def _close(self) -> None:
        statement, self._open = self._open, None
        if statement is not None:
            sides = [side for side in statement.sides if side]
            if sides:
                self.entries.extend(
                    statements(statement.place, statement.name, sides, statement.text, statement.updated)
                )
            else:
                self.entries.append(Entry(statement.place, "", (), "", statement.text))

    def _close_table(self) -> None:
        entries = [replace(e, updated=self._below_update) for e in markdown_rows(self._table)]
        if self._table:
            self.entries.extend(entries)
            self._table = []


def _pieces(text: str) -> list[str]:
    """Return the statements in a line; "z1, z2 = …" is one."""
    parts, signs = _cut(text, _NEXT)
    pieces = [""]
    for part, sign in zip(parts, [*signs, ""]):
        pieces[-1] += part
        if sign.startswith(",") and not _RELATION.search(pieces[-1]) and not _SAYS.search(pieces[-1]):
            pieces[-1] += ", "
        else:
            pieces.append("")
    return [piece.strip() for piece in pieces if piece.strip(" ,.;")]


def _is_arrow(signs: list[str], place: int) -> bool:
    return place < len(signs) and signs[place] in ("→", "⇒", "=>", "->", "−>", "-->")


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines with their numbers; a matrix or list over several lines is in one."""
    lines = with_lists(text.translate(_FULL_WIDTH)).split("\n")
    place = 1
    for i in range(len(lines)):
        line, first = lines[i], place
        place += 1 + line.count(LINE_OF_MATRIX)
        if line == _JOINED:
            continue
        for j in range(i + 1, min(i + _MOST_JOINED, len(lines))):
            if not re.search(r"[=:]\s*(?:[\w.]+\()?\[", line) or line.count("[") <= line.count("]"):
                break
            line, lines[j] = f"{line} {lines[j].strip()}", _JOINED
        yield first, line.replace(LINE_OF_MATRIX, "")


def _without_markup(line: str, is_latex: bool) -> str:
    """Return a line as plain text: without LaTeX, Markdown, HTML and remarks."""
    if is_latex:
        line = re.sub(r"(?<!\\)%.*$", "", line)
    else:
        line = re.sub(r"(?<=\d)(?:\t+|[ ]{2,})(?=[^\W\d]\S*\s*[=≈])", "; ", line)
    line = re.sub(r"(\\sum|[Σ∑])((?:\\limits)?\s*_\s*)\{\s*([a-z])\s*=\s*1\s*\}", r"\1\2{\3}", line)
    line = re.sub(r"<su([bp])>(.*?)</su\1>", lambda m: f"_{m[2]}" if m[1] == "b" else f"^({m[2]})", line)
    line = re.sub(r"(?<=[\d}])\s*&\s*(?=[^\W\d]|\\[a-z])", "; ", line)
    line = re.sub(r"</?(?!br\b)[a-z]+(?:\s[^<>]*)?/?>", "", line)
    line = html.unescape(re.sub(r"<br\s*/?>", ";", re.sub(r"&(?!#?\w+;)", " ", line)))
    line = re.sub(r"\\(?:begin|end)\s*\{[^}]*\}(?:\[[^\]]*\])?|\\[()\[\]]|\$|`", " ", line)
    line = re.sub(r"\\\\(?:\[[^\]]*\])?", ";", line)
    line = re.sub(r"^(?:#+|\\(?:sub)*(?:section|paragraph|title)\*?)\s*", "", line.strip())
    line = _BOLD.sub(lambda m: m[1] or "", _MARKER.sub("", line))
    line = _COMMENT.sub(lambda m: m[1] or "", " " + without_latex(line))
    return unicodedata.normalize("NFC", with_powers(_MARKER.sub("", line.strip()))).strip()


def _cut(text: str, pattern: re.Pattern[str]) -> tuple[list[str], list[str]]:
    """Return the parts of a text between the places where `pattern` matches outside of brackets, and what
    stands in these places.
    """
    outside = _outside_of_brackets(text)
    parts, signs, start = [], [], 0
    for match in pattern.finditer(outside):
        parts.append(text[start : match.start()])
        signs.append(match[0].strip())
        start = match.end()
    return [*parts, text[start:]], signs


def _outside_of_brackets(text: str) -> str:
    """Return a text with what stands within brackets blotted out; the text itself if they do not match."""
    depth, shown = 0, []
    for sign in text:
        depth -= sign in ")]"
        shown.append("_" if depth > 0 else sign)
        depth += sign in "(["
        if depth < 0:
            return text
    return "".join(shown) if not depth else text
