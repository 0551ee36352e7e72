"""`Entry`: one statement of a hand calculation, and how statements are made of a name and its sides."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stepgrad.explain.hand.numbers import array_in, number_and_words, number_before_words


@dataclass(frozen=True)
class Entry:
    """One statement of a hand calculation: ``name = expressions = value``.

    `place` counts lines from 1. `value` is the number as it was written, "" if there is none; `text` the
    whole line. `updated`: it stands where parameters after the update are written, below a heading that says
    so. `element`: which number of how many, in order, for a statement about a list. A line that makes no
    statement has the name "".
    """

    place: int
    name: str
    expressions: tuple[str, ...]
    value: str
    text: str
    updated: bool = False
    element: tuple[int, int] = (0, 1)

    @property
    def is_words(self) -> bool:
        """Whether it states nothing that could be checked: a heading, a sentence."""
        has_numbers = re.search(r"\d\s*[-+*/·×^.]\s*\d", self.text)
        return not (self.name or self.value or self.expressions or has_numbers)


def statements(
    place: int, name: str, sides: Sequence[str], text: str, updated: bool = False
) -> Iterator[Entry]:
    """Yield the statement ``name = side = side``, or one for each number of a list.

    >>> [(e.name, e.value) for e in statements(1, "h", ["[0.1, 0.2]"], "")]
    [('h[0]', '0.1'), ('h[1]', '0.2')]
    >>> [(e.name, e.value) for e in statements(1, "z1, z2", ["0.6478, 0.7225"], "")]
    [('z1', '0.6478'), ('z2', '0.7225')]
    >>> [(e.name, e.value) for e in statements(1, "y", ["0 so that: L", "0.5369"], "")]
    [('y', '0'), ('so that: L', '0.5369')]
    """
    start = 0
    for i, side in enumerate(sides[:-1]):
        number, words = number_and_words(side)
        if words and re.search(r"[^\W\d_]", re.sub(r"\(.*\)", "", words)):
            # z1 = 0.6478 and thus z2 = 0.7225: two statements with words between them.
            yield from _statement(place, name, [*sides[start:i], number], text, updated)
            name, start = words, i + 1
    yield from _statement(place, name, sides[start:], text, updated)


def _statement(place: int, name: str, sides: Sequence[str], text: str, updated: bool) -> Iterator[Entry]:
    name, last = name.strip(), sides[-1]
    names = [part.strip() for part in name.strip("()[] ").split(",")]
    is_tuple = len(names) > 1 and all(re.match(r"[^\W\d]", part) for part in names)
    array = array_in(last) or (array_in(f"({last})") if is_tuple else None)
    if array is None:
        number = number_before_words(last)
        expressions = tuple(sides[:-1] if number else sides)
        yield Entry(place, name, expressions, number, text, updated)
        return
    if not is_tuple or len(names) != len(array):
        names = [f"{name}[{','.join(map(str, index))}]" for index in array]
    for i, (each, cell) in enumerate(zip(names, array.values())):
        yield Entry(place, each, tuple(sides[:-1]), cell, text, updated, (i, len(array)))
