"""Which columns the network needs: bars, or a map where the columns are the pixels of an image."""

from __future__ import annotations

from stepgrad.markup import Html, tag
from stepgrad.train.report.axes import picture
from stepgrad.train.report.images import side_of_image
from stepgrad.train.table.result import InputImportance
from stepgrad.words.language import Words
from stepgrad.words.numbers import number

_BARS = 15
_PIXEL = 12


def importance_chart(
    importance: list[InputImportance], columns: list[str], is_regression: bool, words: Words
) -> Html:
    """Return the columns with how much worse predictions get without them, the most important first.

    `columns` are those of the table, in their order, also the ones that the network does not use.
    """
    # The error is what a person understands; where shuffling never changes it, the loss tells columns apart.
    by_error = any(one.score_drop > 0 for one in importance)
    sizes = {one.column: one.score_drop if by_error else one.loss_rise for one in importance}
    if (side := side_of_image(columns)) is not None:
        return _map(columns, side, sizes, words)
    ranked = sorted(importance, key=lambda one: (-sizes[one.column], -one.loss_rise))
    largest = max(max(sizes.values()), 1e-12)
    rows = []
    for one in ranked[:_BARS]:
        size = sizes[one.column]
        width = f"width:{max(size, 0) / largest * 100:.1f}%"
        bar = tag("td", tag("i", class_="bar", style=width), class_="track")
        shown = _text(size, by_error, is_regression, words)
        rows.append(tag("tr", tag("th", one.column, scope="row"), bar, tag("td", shown, class_="figure")))
    heading = _heading(by_error, is_regression, words)
    head = tag("tr", tag("th", words("column"), scope="col"), tag("th", heading, scope="col", colspan="2"))
    table = tag("table", tag("thead", head), tag("tbody", *rows), class_="bars")
    rest = len(ranked) - _BARS
    more = (
        tag("p", words("and {count:other column/other columns}", count=rest), class_="quiet")
        if rest > 0
        else None
    )
    return tag("div", table, more)


def _heading(by_error: bool, is_regression: bool, words: Words) -> str:
    if not by_error:
        return words("rise of the loss")
    return words("rise of the root mean squared error") if is_regression else words("fall of the accuracy")


def _text(size: float, by_error: bool, is_regression: bool, words: Words) -> str:
    if by_error and not is_regression:
        return words("{points} points", points=f"{size * 100:z.1f}".replace("-", "−"))
    return number(size, 3)


def _map(columns: list[str], side: int, sizes: dict[str, float], words: Words) -> Html:
    largest = max(max(sizes.values()), 1e-12)
    pixels = []
    for i, name in enumerate(columns):
        place = {"x": i % side * _PIXEL, "y": i // side * _PIXEL, "width": _PIXEL, "height": _PIXEL}
        pixels.append(
            tag(
                "rect",
                _pixel_title(name, sizes.get(name)),
                **place,
                fill_opacity=_opacity(sizes.get(name, 0.0), largest),
            )
        )
    title = words("The pixels that the network looks at: the stronger the colour, the more important")
    extent = side * _PIXEL
    drawing = picture(tag("g", *pixels, class_="heat"), title=title, width=extent, height=extent)
    return tag("figure", drawing, tag("figcaption", title, class_="below"), class_="map")


def _pixel_title(name: str, size: float | None) -> Html:
    """Return what the mouse shows over a pixel: its column and its importance, if the network uses it."""
    return tag("title", name if size is None else f"{name}: {number(size, 2)}")


def _opacity(size: float, largest: float) -> str:
    return f"{max(size, 0) / largest:.2f}"
