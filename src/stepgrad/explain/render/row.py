"""The row of a table that a step was taken on, in a page, in a terminal and in Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stepgrad.explain.notation import number_text
from stepgrad.markup import Html, tag
from stepgrad.words.language import Words
from stepgrad.words.numbers import number, percent

if TYPE_CHECKING:
    from rich.text import Text

    from stepgrad.explain.row import Answer, Became, Cell, Row

_MARKS = ("category", "boolean", "indicator")
_MOST_ANSWERS = 20


class Piece(NamedTuple):
    """What a cell became, for reading: its name, its value, and the formula or the words for it."""

    symbol: str
    formula: str
    value: str
    note: str = ""


def pieces(cell: Cell, digits: int, words: Words) -> list[Piece]:
    """Return the inputs that a cell became; of marks, those that are not 0."""
    if cell.kind == "unused":
        return [Piece("", "", "", words("not used by the network"))]
    shown = [each for each in cell.inputs if each.value or cell.kind not in _MARKS]
    made = [
        Piece(each.symbol, each.formula, number_text(each.value, digits), _note(cell, each, words))
        for each in shown
    ]
    rest = len(cell.inputs) - len(shown)
    if rest and not shown:
        return [Piece("", "", "", words("{count:input/inputs} of this column: 0", count=rest))]
    if rest:
        note = words("{count:more input/more inputs} of this column: 0", count=rest)
        made.append(Piece("", "", "", note))
    return made


def _note(cell: Cell, each: Became, words: Words) -> str:
    if cell.stand_in and each is cell.inputs[0]:
        return words("the cell is empty: the median {value} stands in", value=cell.stand_in)
    if cell.kind == "embedding":
        return words("the row of its embedding")
    if cell.kind == "date":
        return words("{label}, scaled", label=each.label)
    return "" if each.formula else each.label


def heading(row: Row, words: Words) -> str:
    """Return the heading of the row."""
    return words("Row {number} of the table", number=row.number)


def answer_rows(row: Row, words: Words) -> list[list[str]]:
    """Return the answers as cells of a table: what it is, before the update, after it, and whether it is
    wanted. Of many classes those with the highest probabilities, and the one that is wanted.
    """
    kept = sorted(row.answers, key=lambda each: (not each.is_target, -each.before))[:_MOST_ANSWERS]
    shown = [each for each in row.answers if each in kept]
    return [_answer(row, each, words) for each in shown]


def _answer(row: Row, each: Answer, words: Words) -> list[str]:
    def text(value: float | None) -> str:
        return "–" if value is None else percent(value) if row.is_class else number(value, 6)

    wanted = words("the target") if row.is_class else words("the target: {value}", value=row.expected)
    return [each.label, text(each.before), text(each.after), wanted if each.is_target else ""]


def answer_heads(row: Row, words: Words) -> list[str]:
    """Return the heads of that table."""
    first = words("class") if row.is_class else words("predicted column")
    return [first, words("before the update"), words("after the update"), ""]


def how_answered(row: Row) -> list[str]:
    """Return the formula of the answer that is wanted, with numbers, if there is one."""
    return [
        f"{each.label} = {each.formula} = {number_text(each.before, 6)}"
        for each in row.answers
        if each.is_target and each.formula and len(row.answers) <= _MOST_ANSWERS
    ]


def cards(row: Row, digits: int, words: Words) -> list[Html]:
    """Return the row and the answers as cards of a page."""
    body = []
    for cell in row.cells:
        parts = pieces(cell, digits, words)
        for i, piece in enumerate(parts):
            own = (
                tag("th", cell.column, scope="row", rowspan=len(parts)),
                tag("td", cell.text or tag("i", words("empty")), rowspan=len(parts)),
            )
            equation = " = ".join(filter(None, (piece.symbol, piece.formula)))
            result = tag("b", f" = {piece.value}") if piece.symbol else None
            note = tag("span", f" {piece.note}", class_="quiet") if piece.note else None
            body.append(tag("tr", *(own if not i else ()), tag("td", equation, result, note)))
    heads = [words("column"), words("in the row"), words("input of the network")]
    head = tag("thead", tag("tr", *(tag("th", text, scope="col") for text in heads)))
    table = tag("div", tag("table", head, tag("tbody", *body), class_="row"), class_="scroll")
    is_open = "" if len(body) <= 24 else None
    first = tag("details", tag("summary", tag("h2", heading(row, words))), table, class_="card", open=is_open)
    return [first, _answers(row, words)]


def _answers(row: Row, words: Words) -> Html:
    head = tag("tr", *(tag("th", text, scope="col") for text in answer_heads(row, words)))
    body = []
    for label, before, after, wanted in answer_rows(row, words):
        cells = [tag("td", text, class_="value") for text in (before, after)]
        kind = "wanted" if wanted else None
        body.append(tag("tr", tag("th", label, scope="row"), *cells, tag("td", wanted), class_=kind))
    table = tag("table", tag("thead", head), tag("tbody", *body), class_="row")
    how = [tag("p", tag("code", text)) for text in how_answered(row)]
    return tag(
        "section",
        tag("h2", words("What the network answers: {column}", column=row.target)),
        tag("div", table, *how, class_="scroll"),
        class_="card",
    )


def terminal_row(row: Row, digits: int, words: Words) -> list[Text]:
    """Return the row and the answers as texts."""
    from rich.text import Text

    made = [Text(heading(row, words), style="bold")]
    names = _padded([cell.column for cell in row.cells])
    texts = _padded([cell.text or words("empty") for cell in row.cells])
    for cell, name, own in zip(row.cells, names, texts):
        text = Text(f"  {name}  {own}  ")
        for i, piece in enumerate(pieces(cell, digits, words)):
            text.append("; " if i else "")
            if piece.symbol:
                text.append(piece.symbol, style="bold cyan")
                text.append(f" = {piece.formula}" if piece.formula else "")
                text.append(" = ")
                text.append(piece.value, style="bold")
            note = f" ({piece.note})" if piece.symbol and piece.note else piece.note
            text.append(note, style="dim")
        made.append(text)
    made += [Text(), Text(words("What the network answers: {column}", column=row.target), style="bold")]
    rows = [answer_heads(row, words), *answer_rows(row, words)]
    columns = [_padded(list(column)) for column in zip(*rows)]
    for i, cells in enumerate(rows):
        line = "  " + "  ".join(column[i] for column in columns).rstrip()
        made.append(Text(line, style="dim" if not i else "bold" if cells[-1] else ""))
    made += [Text(f"  {text}") for text in how_answered(row)]
    return [*made, Text()]


def _padded(texts: list[str]) -> list[str]:
    """Return texts with spaces behind them, so that all are as wide on a terminal."""
    from rich.cells import cell_len

    width = max(map(cell_len, texts), default=0)
    return [text + " " * (width - cell_len(text)) for text in texts]


def markdown_row(row: Row, digits: int, words: Words) -> list[str]:
    """Return the row and the answers as Markdown."""
    heads = [words("column"), words("in the row"), words("input of the network")]
    lines = []
    for cell in row.cells:
        for i, piece in enumerate(pieces(cell, digits, words)):
            equation = " = ".join(filter(None, (piece.symbol, piece.formula, piece.value)))
            own = [cell.column, cell.text or f"*{words('empty')}*"] if not i else ["", ""]
            lines.append([*own, f"{equation} {piece.note}".strip()])
    return [
        f"## {heading(row, words)}",
        _table(heads, lines),
        f"## {words('What the network answers: {column}', column=row.target)}",
        _table(answer_heads(row, words), answer_rows(row, words)),
        *how_answered(row),
    ]


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
