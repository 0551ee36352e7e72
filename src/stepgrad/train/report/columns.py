"""How the columns of the table were read: kinds, and which columns are of each."""

from __future__ import annotations

from stepgrad.markup import Html, join, tag
from stepgrad.train.table.result import ReadColumn
from stepgrad.words.language import Words
from stepgrad.words.numbers import percent

_MOST_NAMES = 40
_LONGEST_NAME = 60


def columns_table(columns: list[ReadColumn], words: Words) -> Html | None:
    """Return a table with a row for each kind of column, and the names of the columns of that kind."""
    if not columns:
        return None
    kinds = {
        "number": words("numbers"),
        "long tail": words("numbers with a long tail; those far out are drawn in"),
        "boolean": words("yes or no"),
        "category": words("categories, each an input of its own"),
        "embedding": words("categories, learned as vectors"),
        "date": words("dates"),
        "indicator": words("only whether a cell is filled"),
        "left out": words("left out"),
    }
    rows = []
    for kind, text in kinds.items():
        names = [_name(column, words) for column in columns if column.kind == kind]
        if names:
            shown = join(
                [name for pair in zip([", "] * len(names), names) for name in pair][1 : 2 * _MOST_NAMES]
            )
            rest = len(names) - _MOST_NAMES
            more = f" {words('and {count:other column/other columns}', count=rest)}" if rest > 0 else None
            rows.append(tag("tr", tag("th", text, scope="row"), tag("td", shown, more)))
    title = tag("p", tag("b", words("How the columns were read")))
    return join([title, tag("div", tag("table", tag("tbody", *rows), class_="columns"), class_="scroll")])


def _name(column: ReadColumn, words: Words) -> Html:
    """Return the name of a column, and in small how many categories and missing cells it has."""
    facts = []
    if column.values:
        facts.append(words("{count} values", count=column.values))
    if column.missing:
        facts.append(words("{share} missing", share=percent(column.missing)))
    cut = column.name if len(column.name) <= _LONGEST_NAME else column.name[: _LONGEST_NAME - 1] + "…"
    return join([cut, " ", tag("small", f"({', '.join(facts)})")] if facts else [cut])
