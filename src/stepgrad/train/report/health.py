"""What went wrong in training, in the report: findings, what was tried, and the layers over time."""

from __future__ import annotations

from stepgrad.markup import Html, tag
from stepgrad.train.health import Health
from stepgrad.train.health.measure import Measurement
from stepgrad.words.language import Words
from stepgrad.words.numbers import number, percent

_MOST_LOOKS = 6


def health_parts(health: Health, words: Words) -> list[Html]:
    """Return the parts of the section about the health of training."""
    parts = [_findings(health, words)] if health.findings else [tag("p", words("Nothing is wrong."))]
    if health.measurements:
        parts += [tag("h3", words("The layers while they learned")), _layers(health, words)]
    return parts


def _findings(health: Health, words: Words) -> Html:
    rows = []
    for finding in health.findings:
        tried = [tag("p", text) for text in health.tried(finding, words) if text]
        rows.append(
            tag(
                "li",
                tag("p", tag("b", finding.heading(words))),
                tag("p", finding.measured(words), " ", finding.cause(words)),
                *tried,
            )
        )
    return tag("ul", *rows, class_="notes")


def _layers(health: Health, words: Words) -> Html:
    """Return a table of the norms of the gradients over the epochs, and how far a typical step goes."""
    looks = _some(health.measurements)
    heads = [tag("th", words("epoch {epoch}", epoch=look.epoch), scope="col") for look in looks]
    first = words("layer"), words("gradient")
    head = tag(
        "tr", tag("th", " · ".join(first), scope="col"), *heads,
        tag("th", words("a typical step over the weights"), scope="col"),
    )  # fmt: skip
    rows = []
    for place, layer in enumerate(looks[-1].layers):
        norms = [number(look.layers[place].gradient, 2) for look in looks if place < len(look.layers)]
        typical = health.typical_update(layer.path)
        update = "" if typical is None else _share(typical)
        cells = [tag("td", text, class_="figure") for text in (*norms, update)]
        rows.append(tag("tr", tag("th", tag("code", f"{layer.path} {layer.kind}"), scope="row"), *cells))
    return tag("div", tag("table", tag("thead", head), tag("tbody", *rows), class_="layers"), class_="scroll")


def _share(update: float) -> str:
    return percent(update) if 1e-3 <= update <= 1 else number(update, 2)


def _some(measurements: list[Measurement]) -> list[Measurement]:
    """Return a few of the looks, evenly chosen, the first and the last among them."""
    count = min(_MOST_LOOKS, len(measurements))
    if count == 1:
        return measurements
    return [measurements[round(i * (len(measurements) - 1) / (count - 1))] for i in range(count)]
