"""HTML and SVG elements as values: what is no `Html` is text and gets escaped, whatever it holds."""

from __future__ import annotations

from collections.abc import Iterable

_VOID = {"meta", "link", "img", "br", "col"}  # elements that have no end


# Done here, since the standard library's module for it takes longer to load than all the rest.
_ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})


class Html(str):
    """Text that is markup already. Only `tag`, `join` and the page's own style sheet make it."""

    __slots__ = ()


def tag(name: str, /, *children: object, **attributes: object) -> Html:
    """Return the element `name` with its children; those that are no `Html` are escaped, None is left out.

    Attributes: None is left out; `class_` is class, and other underscores are hyphens (``stroke_width``).

    >>> tag("p", "1 < 2 ", tag("b", "&"), class_="note")
    '<p class="note">1 &lt; 2 <b>&amp;</b></p>'
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{str(value).translate(_ESCAPED)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{join(children)}</{name}>")


def join(children: Iterable[object]) -> Html:
    """Return the children one after another, escaping those that are no `Html` and leaving out None.

    >>> join(["<script>", None, tag("br")])
    '&lt;script&gt;<br>'
    """
    return Html(
        "".join(
            child if isinstance(child, Html) else str(child).translate(_ESCAPED)
            for child in children
            if child is not None
        )
    )
