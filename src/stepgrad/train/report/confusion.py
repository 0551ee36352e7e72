"""What was taken for what: the confusion matrix as a coloured table."""

from __future__ import annotations

from stepgrad.markup import Html, tag
from stepgrad.words.language import Words
from stepgrad.words.numbers import percent

MOST_CLASSES = 20
_PAIRS = 12


def confusion_table(confusion: list[list[int]], classes: list[str], words: Words) -> Html:
    """Return the matrix of counts, actual classes in rows; with more than 20 classes, the most frequent
    mistakes.
    """
    if len(classes) > MOST_CLASSES:
        return _frequent_mistakes(confusion, classes, words)
    corner = tag("th", words("actual"), " ↓ ", words("predicted"), " →", class_="corner")
    names = [tag("th", name, scope="col") for name in classes]
    head = tag("tr", corner, *names, tag("th", words("right"), class_="aside", scope="col"))
    body = []
    for i, (name, row) in enumerate(zip(classes, confusion)):
        total = sum(row)
        cells = [_cell(count, total, i == j) for j, count in enumerate(row)]
        share = percent(row[i] / total) if total else "–"
        body.append(tag("tr", tag("th", name, scope="row"), *cells, tag("td", share, class_="aside")))
    table = tag("table", tag("thead", head), tag("tbody", *body), class_="confusion")
    return tag("div", table, class_="scroll")


def _cell(count: int, total: int, right: bool) -> Html:
    share = count / total if total else 0.0
    kind = "none" if not count else "hit" if right else "miss"
    deep = " deep" if share > 0.55 else ""
    # Only the opacity is set here, so that the style sheet chooses the colours for light and dark.
    shade = f"--share:{0.10 + 0.90 * share:.2f}" if count else None
    return tag("td", f"{count:,}" if count else "·", class_=kind + deep, style=shade)


def _frequent_mistakes(confusion: list[list[int]], classes: list[str], words: Words) -> Html:
    pairs = [
        (count, i, j) for i, row in enumerate(confusion) for j, count in enumerate(row) if count and i != j
    ]
    pairs.sort(key=lambda pair: (-pair[0], pair[1], pair[2]))
    if not pairs:
        return tag("p", words("Every test row was recognised."))
    head = tag("tr", *(tag("th", words(text)) for text in ("actual", "predicted", "test rows")))
    rows = [
        tag("tr", tag("td", classes[i]), tag("td", classes[j]), tag("td", f"{count:,}", class_="figure"))
        for count, i, j in pairs[:_PAIRS]
    ]
    title = words("The most frequent mistakes among {count} classes", count=len(classes))
    return tag(
        "div", tag("table", tag("caption", title), tag("thead", head), tag("tbody", *rows)), class_="scroll"
    )
