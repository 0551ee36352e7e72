"""Names in a picture."""

from __future__ import annotations

from stepgrad.explain.names import Name
from stepgrad.markup import Html, tag


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
