"""What the pictures of a network share: the frame around one, and names in it."""

from __future__ import annotations

from stepgrad.explain.names import Name
from stepgrad.markup import Html, tag
from stepgrad.words.language import Words


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
