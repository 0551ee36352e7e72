"""A worked step as one HTML file that opens offline: formulas in MathML, every number linked to its line."""

from __future__ import annotations

import base64
import hashlib
import itertools
from pathlib import Path
from typing import TYPE_CHECKING

from stepgrad.explain.expressions import Number, Ref
from stepgrad.explain.line import Given, Line
from stepgrad.explain.render.drawing import drawing
from stepgrad.explain.render.folded import is_folded
from stepgrad.explain.render.mathml import expression_elements, math_element, name_element, number_element
from stepgrad.explain.render.outline import (
    ORIGINS,
    Leaves,
    Part,
    given_text,
    givens_by_origin,
    introduction,
    is_cut,
    module_text,
    numbered,
    outcome_text,
    parts_of,
    same_text,
    shortened,
    value_text,
    without_formula,
)
from stepgrad.explain.render.row import cards
from stepgrad.markup import Html, tag
from stepgrad.version import __version__
from stepgrad.words.language import Words

if TYPE_CHECKING:
    from stepgrad.explain.worked import Worked

_MOST_OPEN = 200  # lines up to which every layer is unfolded
_MOST_GIVEN = 300
_MOST_ALIKE, _FIRST = 24, 6  # lines of one array in a row, beyond which all but the first are folded
_LONGEST_TITLE = 80


def page(worked: Worked, words: Words) -> str:
    """Return the whole step as an HTML document."""
    script, style = _file("page.js"), _file("page.css")
    document = tag("html", _head(words, script, style), _body(worked, words, script), lang=words.language)
    return f"<!doctype html>\n{document}\n"


def fragment(worked: Worked, words: Words) -> str:
    """Return the step as a part of another page, such as a notebook: without script, its style within."""
    return tag(
        "div", tag("style", Html(_file("page.css"))), tag("div", *_sections(worked, words), class_="step")
    )


def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _head(words: Words, script: str, style: str) -> Html:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; img-src data:; "
        "form-action 'none'; base-uri 'none'"
    )
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("link", rel="icon", href="data:,"),
        tag("title", f"{words('A training step, worked out')} · stepgrad"),
        tag("style", Html(style)),
    )


def _body(worked: Worked, words: Words, script: str) -> Html:
    hint = words("Click a number: here you see where it comes from and where it goes.")
    panel = tag(
        "aside",
        tag("p", hint, class_="quiet"),
        id="panel",
        data_from=words("comes from"),
        data_to=words("goes into"),
        data_given=words("given"),
        data_nowhere=words("nothing further"),
        aria_live="polite",
    )
    footer = tag("footer", words("Written by stepgrad {version}.", version=__version__))
    header = tag(
        "header",
        tag("p", "stepgrad", class_="mark"),
        tag("h1", words("A training step, worked out")),
        *(tag("p", sentence, class_="quiet") for sentence in introduction(worked, words)),
    )
    main = tag("main", header, *_sections(worked, words), footer)
    return tag("body", tag("div", main, panel, class_="step page"), tag("script", Html(script)))


def _sections(worked: Worked, words: Words) -> list[Html]:
    places = numbered(worked)
    is_open = len(worked) <= _MOST_OPEN
    parts = parts_of(worked, words)
    return [
        *(cards(worked.row, worked.digits, words) if worked.row else ()),
        _givens(worked, words),
        _picture(worked, words),
        *(_part(worked, part, places, is_open, words) for part in parts if part.count),
        _after(worked, parts, places, is_open, words),
    ]


def _after(worked: Worked, parts: list[Part], places: dict[str, int], is_open: bool, words: Words) -> Html:
    """Return what the update did to the loss, and the forward pass with the new parameters."""
    outcome = outcome_text(worked, words)
    if outcome is None:
        return Html("")
    lines = [line for part in parts for line in part.after]
    inside = tag("section", *_lines(worked, lines, places, words), class_="forward")
    counted = tag("span", words("{count:line/lines}", count=len(lines)), class_="quiet")
    summary = tag("summary", tag("h2", words("After the update")), counted)
    unfolded = tag("details", summary, inside, open="" if is_open else None, class_="after")
    return tag("section", unfolded if lines else None, tag("p", outcome, class_="outcome"), class_="card")


def _picture(worked: Worked, words: Words) -> Html:
    drawn = drawing(worked, words)
    if drawn is None:
        return Html("")
    legend = tag(
        "p",
        tag("span", words("forward: the value"), class_="key value"),
        tag("span", words("backward: the gradient of the loss"), class_="key slope"),
        tag("span", words("on a line: the weight"), class_="key weight")
        if 'class="weight' in drawn
        else None,
        class_="legend",
    )
    folded = None
    if is_folded(worked):
        text = (
            "Of layers with many units those are drawn that matter most to the loss: the largest product of "
            "value and gradient."
        )
        sign = words("Orange lines are negative weights; the thicker, the larger.")
        folded = tag("p", words(text), " ", sign, class_="quiet")
    heading = tag("h2", words("The network"))
    return tag("section", heading, tag("div", drawn, class_="scroll"), legend, folded, class_="card")


def _givens(worked: Worked, words: Words) -> Html:
    rows = []
    for origin, givens in givens_by_origin(worked).items():
        chips: list[Html] = [_chip(worked, given, words) for given in givens[:_MOST_GIVEN]]
        if len(givens) > _MOST_GIVEN:
            chips.append(
                tag("span", words("and {count} more", count=len(givens) - _MOST_GIVEN), class_="quiet")
            )
        rows.append(tag("dt", words(ORIGINS[origin])))
        rows.append(tag("dd", *chips))
    summary = tag("summary", tag("h2", words("What it starts from")))
    is_open = "" if len(worked.given) <= _MOST_OPEN else None
    return tag("details", summary, tag("dl", *rows, class_="givens"), class_="card", open=is_open)


def _chip(worked: Worked, given: Given, words: Words) -> Html:
    same = same_text(worked, given, words)
    shown = tag("mtext", same) if same else number_element(given_text(worked, given))
    equation = math_element(name_element(given.name), tag("mo", "="), shown)
    label = tag("small", given.label) if given.label else None
    title = given.text if len(given.text) < _LONGEST_TITLE else None
    return tag("span", equation, label, class_="chip v", data_id=given.id, title=title)


def _part(worked: Worked, part: Part, places: dict[str, int], is_open: bool, words: Words) -> Html:
    def column(title: str, lines: list[Line], kind: str) -> Html | None:
        if not lines:
            return None
        return tag("section", tag("h3", title), *_lines(worked, lines, places, words), class_=kind)

    pair = tag(
        "div",
        column(words("Forward"), part.forward, "forward"),
        column(words("Backward"), part.backward, "backward"),
        class_="pair" if part.forward and part.backward else None,
    )
    update = None
    if part.update:
        heading = tag("h3", words("Update"))
        inside = _lines(worked, part.update, places, words)
        update = tag(
            "details", tag("summary", heading), *inside, class_="updates", open="" if is_open else None
        )
    counted = tag("span", words("{count:line/lines}", count=part.count), class_="quiet")
    summary = tag("summary", tag("h2", part.title), counted)
    return tag("details", summary, pair, update, class_="card", open="" if is_open else None)


def _lines(worked: Worked, lines: list[Line], places: dict[str, int], words: Words) -> list[Html]:
    made = []
    module = None
    for _, alike in itertools.groupby(lines, key=lambda line: line.id.partition("[")[0]):
        group = list(alike)
        if group[0].module != module and group[0].module and group[0].kind in ("forward", "after"):
            module = group[0].module
            made.append(tag("p", tag("code", module), " ", module_text(worked, module), class_="module"))
        shown = [_line(worked, line, places[line.id], words) for line in group]
        few = _FIRST if len(shown) > _MOST_ALIKE else len(shown)
        made += shown[:few]
        if shown[few:]:
            summary = tag("summary", words("and {count} more", count=len(shown) - few))
            made.append(tag("details", summary, *shown[few:], class_="alike"))
    return made


def _line(worked: Worked, line: Line, number: int, words: Words) -> Html:
    name = _clickable(name_element(line.name), line.id)
    result = tag("mrow", number_element(value_text(worked, line)), class_="result v", data_id=line.id)
    steps, full = _steps(worked, line, words)
    reason = without_formula(line, words)
    note = tag("span", f" ({reason})", class_="quiet") if reason else None
    equals = tag("mo", "=")
    equations = [math_element(name)]
    for first, *rest in [*steps, [result]]:
        pieces = [math_element(equals, first), *(math_element(piece) for piece in rest)]
        # Where a line may be broken; the sign that begins a piece has its own space on both sides.
        equations.append(tag("span", Html("<wbr>".join(pieces)), class_="side"))
    return tag(
        "article",
        tag("span", number, class_="no"),
        tag("div", Html(" ".join(equations)), note, full, class_="maths"),
        tag("code", line.id, class_="id"),
        class_=f"line {line.kind}",
        tabindex=0,
        data_id=line.id,
        data_refs=" ".join(line.references),
    )


def _steps(worked: Worked, line: Line, words: Words) -> tuple[list[list[Html]], Html | None]:
    """Return the formula and the formula with numbers, each in parts, and in full what was cut from them."""
    if line.expression is None:
        return [], None
    expression, left_out = shortened(line.expression)
    leaves = Leaves(worked, line)

    def named(leaf: Ref | Number) -> Html:
        if isinstance(leaf, Number) or not leaves.is_named(leaf):
            return number_element(leaves.number(leaf))
        return _clickable(name_element(leaves.name(leaf)), leaves.id(leaf))

    def numbers(leaf: Ref | Number) -> Html:
        shown = number_element(leaves.number(leaf))
        is_named = isinstance(leaf, Ref) and leaves.is_named(leaf)
        return _clickable(shown, leaves.id(leaf)) if is_named and isinstance(leaf, Ref) else shown

    formula = expression_elements(expression, named, leaves.text)
    if not line.substituted:
        return [formula], None
    substituted = expression_elements(expression, numbers, leaves.number)
    steps = [formula] if line.formula == line.text else [formula, substituted]
    if line.substituted == line.text:
        steps = steps[:1] if line.formula != line.text else []
    if left_out:
        summary = tag("summary", words("all terms ({count} more)", count=left_out))
        return steps, tag("details", summary, tag("p", line.substituted, class_="full"), class_="terms")
    if is_cut(worked, line):
        full = f"{line.substituted} = {line.text}"
        summary = tag("summary", words("with all numbers"))
        return steps, tag("details", summary, tag("p", full, class_="full"), class_="terms")
    return steps, None


def _clickable(content: Html, id: str) -> Html:
    return tag("mrow", content, class_="v", data_id=id)
