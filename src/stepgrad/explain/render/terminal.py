"""A worked step for a terminal, with rich."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stepgrad.explain.line import Line
from stepgrad.explain.notation import text_of
from stepgrad.explain.render.outline import (
    ORIGINS,
    Leaves,
    cut_givens,
    given_text,
    givens_by_origin,
    introduction,
    outcome_text,
    parts_of,
    same_text,
    shortened,
    value_text,
    without_formula,
)
from stepgrad.explain.render.row import terminal_row
from stepgrad.words.language import Words

if TYPE_CHECKING:
    from rich.text import Text

    from stepgrad.explain.worked import Worked

_MOST_GIVEN = 40
_COLOURS = {
    "forward": "cyan", "loss": "cyan", "local": "magenta", "chain": "magenta", "update": "green",
    "after": "cyan",
}  # fmt: skip


def terminal(worked: Worked, words: Words) -> list[Text]:
    """Return the whole step as texts to be printed one under the other."""
    from rich.text import Text

    made = [
        Text(words("A training step, worked out"), style="bold"),
        *map(Text, introduction(worked, words)),
        Text(),
    ]
    if worked.row:
        made += terminal_row(worked.row, worked.digits, words)
    for origin, givens in givens_by_origin(worked).items():
        text = Text(f"{words(ORIGINS[origin])}: ", style="bold")
        first, rest = cut_givens(givens, _MOST_GIVEN, words)
        shown = [
            f"{g.symbol} = {same_text(worked, g, words) or given_text(worked, g)}"
            + (f" ({g.label})" if g.label else "")
            for g in first
        ]
        text.append(", ".join([*shown, rest] if rest else shown), style="not bold")
        made.append(text)
    parts = parts_of(worked, words)
    for title, sections in (
        (words("Forward pass"), [(part.title, part.forward) for part in parts]),
        (words("Backward pass"), [(part.title, part.backward) for part in reversed(parts)]),
        (words("Update"), [(part.title, part.update) for part in reversed(parts)]),
        (words("After the update"), [(part.title, part.after) for part in parts]),
    ):
        if any(lines for _, lines in sections):
            made += [Text(), Text(title, style="bold underline")]
        for name, lines in sections:
            if lines:
                made += [Text(name, style="bold"), *(_line(worked, line, words) for line in lines)]
    outcome = outcome_text(worked, words)
    return made if outcome is None else [*made, Text(), Text(outcome, style="bold")]


def _line(worked: Worked, line: Line, words: Words) -> Text:
    from rich.text import Text

    text = Text("  ")
    text.append(line.symbol, style=f"bold {_COLOURS[line.kind]}")
    for step in steps(worked, line):
        text.append(" = ", style="dim")
        text.append(step)
    text.append(" = ", style="dim")
    text.append(value_text(worked, line), style="bold")
    note = without_formula(line, words)
    return text.append(f" ({note})", style="dim") if note else text


def steps(worked: Worked, line: Line) -> list[str]:
    """Return the formula of a line and the formula with numbers, long sums cut, without repetitions."""
    if line.expression is None:
        return []
    expression, left_out = shortened(line.expression)
    made = [line.formula, line.substituted]
    if left_out or worked.layout == "matrix":
        leaves = Leaves(worked, line)
        numbers = text_of(expression, leaves.number) if line.substituted else ""
        made = [text_of(expression, leaves.text), numbers]
    return [
        step for i, step in enumerate(made) if step and step != line.text and (not i or step != made[i - 1])
    ]
