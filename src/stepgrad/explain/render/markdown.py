"""A worked step as Markdown, its formulas in LaTeX."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stepgrad.explain.expressions import Number, Ref
from stepgrad.explain.line import Given, Line
from stepgrad.explain.notation import latex_of, number_latex
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
from stepgrad.explain.render.row import markdown_row
from stepgrad.words.language import Words

if TYPE_CHECKING:
    from stepgrad.explain.worked import Worked

_MOST_GIVEN = 60


def markdown(worked: Worked, words: Words) -> str:
    """Return the whole step: what it starts from, then layer by layer, then what the update did."""
    blocks = [f"# {words('A training step, worked out')}", *introduction(worked, words)]
    if worked.row:
        blocks += markdown_row(worked.row, worked.digits, words)
    blocks += [f"## {words('What it starts from')}", *_givens(worked, words)]
    parts = parts_of(worked, words)
    forward = [(part.title, part.forward) for part in parts if part.forward]
    backward = [(part.title, part.backward) for part in reversed(parts) if part.backward]
    update = [(part.title, part.update) for part in reversed(parts) if part.update]
    after = [(part.title, part.after) for part in parts if part.after]
    for title, sections in (
        (words("Forward pass"), forward),
        (words("Backward pass"), backward),
        (words("Update"), update),
        (words("After the update"), after),
    ):
        if sections:
            blocks.append(f"## {title}")
        for name, lines in sections:
            blocks += [f"### {name}", *(_line(worked, line, words) for line in lines)]
    outcome = outcome_text(worked, words)
    if outcome is not None:
        blocks.append(outcome)
    return "\n\n".join(blocks) + "\n"


def _givens(worked: Worked, words: Words) -> list[str]:
    made = []
    for origin, givens in givens_by_origin(worked).items():
        first, rest = cut_givens(givens, _MOST_GIVEN, words)
        shown = ", ".join(_given(worked, given, words) for given in first)
        made.append(f"**{words(ORIGINS[origin])}**: {shown}" + (f", {rest}" if rest else ""))
    return made


def _given(worked: Worked, given: Given, words: Words) -> str:
    label = f" ({given.label})" if given.label else ""
    same = same_text(worked, given, words)
    if same:
        return f"${given.name.latex()}$: {same}"
    return f"${given.name.latex()} = {number_latex(given_text(worked, given))}${label}"


def _line(worked: Worked, line: Line, words: Words) -> str:
    steps = [number_latex(value_text(worked, line))]
    if line.expression is not None:
        expression, _ = shortened(line.expression)
        leaves = Leaves(worked, line)

        def named(leaf: Ref | Number) -> str:
            is_named = isinstance(leaf, Ref) and leaves.is_named(leaf)
            return leaves.name(leaf).latex() if is_named and isinstance(leaf, Ref) else numbers(leaf)

        def numbers(leaf: Ref | Number) -> str:
            return number_latex(leaves.number(leaf))

        with_numbers = [latex_of(expression, numbers)] if line.substituted else []
        steps = [latex_of(expression, named), *with_numbers, *steps]
    different = [step for i, step in enumerate(steps) if not i or step != steps[i - 1]]
    rows = r" \\ &= ".join(different)
    note = without_formula(line, words)
    heading = f"`{line.id}`" + (f" ({note})" if note else "")
    equations = rf"\begin{{aligned}} {line.name.latex()} &= {rows} \end{{aligned}}"
    return f"{heading}\n\n$$\n{equations}\n$$"
