"""The search for settings: the loss of each trial, which settings mattered, and the best trials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stepgrad.markup import Html, join, tag
from stepgrad.train.report.axes import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Scale,
    frame,
    picture,
    scale_for,
)
from stepgrad.words.language import Words
from stepgrad.words.numbers import number, percent

if TYPE_CHECKING:
    from stepgrad.train.table.search import Trial
    from stepgrad.train.table.tune import TuneResult

BEST = 10


def tuning_parts(tuning: TuneResult, words: Words) -> list[Html | None]:
    """Return the text, the pictures and the table of a search."""
    text = words(
        "{count:trial/trials}: each was trained on the training rows and judged by its loss on the "
        "validation rows alone. The test rows were used once, at the end, for the best.",
        count=len(tuning.trials),
    )
    charts = [_trials(tuning, words), importance_bars(tuning.importance, words)]
    return [tag("p", text, class_="quiet"), tag("div", *charts, class_="pair"), _table(tuning, words)]


def best_trials(tuning: TuneResult) -> list[Trial]:
    """Return the best ten trials, the lowest validation loss first."""
    finite = [trial for trial in tuning.trials if trial.validation_loss is not None]
    return sorted(finite, key=lambda trial: (trial.validation_loss, trial.number))[:BEST]


def value_name(name: str, words: Words) -> str:
    """Return what a searched setting is called."""
    names = {
        "layers": "hidden layers",
        "width": "units in each",
        "activation": "activation",
        "lr": "learning rate",
        "dropout": "dropout",
        "weight_decay": "weight decay",
    }
    return words(names[name])


def value_text(value: Any) -> str:
    """Return a value that was tried, numbers with three digits."""
    return number(value, 3) if isinstance(value, float) else str(value)


def _trials(tuning: TuneResult, words: Words) -> Html:
    """Return a dot for the loss of each trial, and the line of the lowest so far."""
    points = [(trial.number, trial.validation_loss) for trial in tuning.trials]
    finite = [(number, loss) for number, loss in points if loss is not None]
    x = Scale(1, max(len(tuning.trials), 2), LEFT, WIDTH - RIGHT)
    y = scale_for([loss for _, loss in finite], HEIGHT - BOTTOM, TOP, from_zero=True)
    dots = [tag("circle", cx=x.at(at), cy=y.at(loss), r=3.6) for at, loss in finite]
    steps, lowest = [], finite[0][1]
    for at, loss in finite:
        steps.append(f"H{x.at(at):g}")
        lowest = min(lowest, loss)
        steps.append(f"V{y.at(lowest):g}")
    way = f"M{x.at(finite[0][0]):g} {y.at(finite[0][1]):g}{''.join(steps)}H{x.at(x.high):g}"
    best = tuning.best
    assert best.validation_loss is not None
    text = words("trial {trial}: {value}", trial=best.number, value=number(best.validation_loss))
    mark = tag(
        "circle",
        tag("title", text),
        cx=x.at(best.number),
        cy=y.at(best.validation_loss),
        r=5,
        class_="best-dot",
    )
    label = words("{name}, logarithmic", name=words("validation loss")) if y.logarithmic else None
    title = words("The validation loss of each trial")
    drawing = picture(
        frame(x, y, words("trial"), label or words("validation loss"), whole_x=True),
        tag("path", d=way, class_="curve"),
        tag("g", join(dots), class_="dots"),
        mark,
        title=title,
    )
    lowest_key = tag("span", tag("i", class_="key valid"), words("lowest so far"))
    best_key = tag("span", tag("i", class_="key best"), text)
    legend = tag("span", lowest_key, best_key, class_="legend")
    return tag("figure", tag("figcaption", tag("b", title), legend), drawing)


def importance_bars(importance: dict[str, float], words: Words) -> Html | None:
    """Return a bar for each setting: the share of the differences between the trials that it explains."""
    if not importance:
        return None
    largest = max(max(importance.values()), 1e-12)
    rows = []
    for name, share in importance.items():
        bar = tag("i", class_="bar", style=f"width:{max(share, 0) / largest * 100:.1f}%")
        figure = tag("td", percent(share), class_="figure")
        rows.append(
            tag("tr", tag("th", value_name(name, words), scope="row"), tag("td", bar, class_="track"), figure)
        )
    title = tag("p", tag("b", words("What mattered")))
    text = words(
        "The share of the differences between the trials that a setting explains (functional ANOVA)."
    )
    note = tag("p", text, class_="quiet")
    return tag("div", title, tag("table", tag("tbody", *rows), class_="bars"), note)


def _table(tuning: TuneResult, words: Words) -> Html:
    names = list(tuning.best.values)
    heads = [words("trial"), words("validation loss"), *(value_name(name, words) for name in names)]
    rows = []
    for trial in best_trials(tuning):
        assert trial.validation_loss is not None
        cells = [number(trial.validation_loss), *(value_text(trial.values[name]) for name in names)]
        figures = [tag("td", cell, class_="figure") for cell in cells]
        rows.append(tag("tr", tag("th", str(trial.number), scope="row"), *figures))
    head = tag("tr", *(tag("th", text, scope="col") for text in heads))
    return tag("div", tag("table", tag("thead", head), tag("tbody", *rows), class_="scores"), class_="scroll")
