"""Test rows that the network got right and wrong, with the cells that they have in the person's file."""

from __future__ import annotations

from stepgrad.markup import Html, tag
from stepgrad.train.report.images import brightest_value, image, side_of_image
from stepgrad.train.table.result import Example, TableResult
from stepgrad.words.language import Words
from stepgrad.words.numbers import number, percent

_COLUMNS = 10
_LONGEST_CELL = 40


def examples_section(result: TableResult, words: Words) -> list[Html]:
    """Return the wrong examples, then the right ones, each kind with its heading; as images where rows are
    images.
    """
    wrong = [example for example in result.examples if not example.right]
    right = [example for example in result.examples if example.right]
    if result.task == "regression":
        names = (words("Farthest from the answer"), words("Near the answer"))
        kinds = (("miss", wrong, ""), ("hit", right, ""))
    else:
        names = (words("Wrong answers"), words("Right answers"))
        kinds = (
            ("miss", wrong, words("Every test row was recognised.")),
            ("hit", right, words("None was right.")),
        )
    parts = []
    for name, (style, examples, none) in zip(names, kinds):
        if examples or none:
            parts.append(tag("h3", name))
            parts.append(_shown(examples, style, result, words) if examples else tag("p", none))
    return parts


def _shown(examples: list[Example], style: str, result: TableResult, words: Words) -> Html:
    columns = list(examples[0].cells)
    side = side_of_image(columns)
    if side is not None:
        return _images(examples, columns, side, style, words)
    return _table(examples, _most_important(columns, result), len(columns), style, words)


def _images(examples: list[Example], columns: list[str], side: int, style: str, words: Words) -> Html:
    brightest = brightest_value([example.cells for example in examples], columns)
    tiles = []
    for example in examples:
        alt = words("row {row}: answer {actual}", row=example.row, actual=example.actual)
        drawing = image(example.cells, columns, side, brightest, alt)
        answer = tag("b", example.predicted)
        if not example.right:
            answer = tag("span", answer, " ", tag("small", words("not {actual}", actual=example.actual)))
        sure = None if example.probability is None else tag("small", percent(example.probability))
        place = tag("small", words("row {row}", row=f"{example.row:,}"), class_="quiet")
        tiles.append(tag("figure", drawing, tag("figcaption", answer, sure, place), class_=f"tile {style}"))
    return tag("div", *tiles, class_="tiles")


def _most_important(columns: list[str], result: TableResult) -> list[str]:
    """Return the columns to show: all in their order if they are few, else the most important ones."""
    if len(columns) <= _COLUMNS:
        return columns
    ranked = [one.column for one in result.importance if one.column in columns]
    return (ranked + [name for name in columns if name not in ranked])[:_COLUMNS]


def _table(examples: list[Example], columns: list[str], count: int, style: str, words: Words) -> Html:
    is_number = examples[0].probability is None
    heads = [words("row"), words("actual"), words("predicted")]
    heads.append(words("off by") if is_number else words("probability"))
    head = tag("tr", *(tag("th", name, scope="col") for name in heads), *(_column(name) for name in columns))
    rows = []
    for example in examples:
        cells = [
            tag("td", f"{example.row:,}", class_="quiet"),
            tag("td", example.actual, class_="answer"),
            tag("td", example.predicted, class_=f"answer {style}"),
            tag(
                "td", _off_by(example) if is_number else percent(example.probability or 0.0), class_="figure"
            ),
        ]
        rows.append(tag("tr", *cells, *(_cell(example.cells[name]) for name in columns)))
    table = tag(
        "div", tag("table", tag("thead", head), tag("tbody", *rows), class_="examples"), class_="scroll"
    )
    if len(columns) == count:
        return table
    note = words("The {shown} most important of {count} columns.", shown=len(columns), count=count)
    return tag("div", table, tag("p", note, class_="quiet"))


def _column(name: str) -> Html:
    return tag(
        "th", _cut(name), scope="col", class_="data", title=name if len(name) > _LONGEST_CELL else None
    )


def _cell(cell: str) -> Html:
    if not cell:
        return tag("td", "–", class_="data missing")
    return tag("td", _cut(cell), class_="data", title=cell[:1000] if len(cell) > _LONGEST_CELL else None)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_CELL else text[: _LONGEST_CELL - 1] + "…"


def _off_by(example: Example) -> str:
    try:
        off = float(example.predicted.replace(",", "")) - float(example.actual.replace(",", ""))
    except ValueError:
        return ""
    return f"{'+' if off > 0 else '−' if off < 0 else ''}{number(abs(off))}"
