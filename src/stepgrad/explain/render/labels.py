"""What the pictures of a network share: the frame around one, and names in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stepgrad.explain.names import Name
from stepgrad.markup import Html, tag
from stepgrad.words.language import Words

if TYPE_CHECKING:
    from stepgrad.explain.worked import Worked

_LONGEST = 22  # signs of what stands beside a unit


def picture(parts: list[Html], width: float, height: float, words: Words) -> Html:
    """Return the parts as one drawing of `width` by `height` pixels, shown at most a quarter larger."""
    return tag(
        "svg",
        *parts,
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        style=f"max-width:{width * 1.25:.0f}px",
        role="img",
        aria_label=words("The network with the numbers of this step"),
        class_="drawing",
    )


def label_element(name: Name) -> Html:
    """Return a name with real sub- and superscripts."""
    places = [str(i + 1) for i in name.index]
    below = ("," if any(len(p) > 1 for p in places) else "").join(places)
    parts: list[object] = [tag("tspan", name.base)]
    if name.layer:
        parts.append(tag("tspan", f"({name.layer})", dy=-6, class_="small"))
    if below:
        parts.append(tag("tspan", below, dy=11 if name.layer else 5, class_="small"))
    return tag("tspan", *parts)


def labels_of_inputs(worked: Worked) -> dict[str, str]:
    """Return what the inputs of a row of a table are called, by their symbols."""
    cells = [] if worked.row is None else worked.row.cells
    return {each.symbol: each.label for cell in cells for each in cell.inputs}


def unit_label(text: str, x: float, y: float, is_input: bool) -> Html:
    """Return what a unit is called, as text that ends at x, or that has its middle there for no input."""
    if not text:
        return Html("")
    short = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    return tag("text", short, x=x, y=y, class_="called first" if is_input else "called")


def rest_element(count: int, x: float, y: float, words: Words) -> list[Html]:
    """Return what says that a column has more units than are drawn."""
    more = words("and {count:unit/units} more", count=count)
    return [tag("text", "⋮", x=x, y=y - 14, class_="rest"), tag("text", more, x=x, y=y + 6, class_="rest")]
