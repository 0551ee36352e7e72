"""The top of the report: the score on rows that the network has never seen, how sure it is, and what it
beats.
"""

from __future__ import annotations

import os
import re
import shlex
from pathlib import PurePath

from stepgrad.markup import Html, join, tag
from stepgrad.train.report.axes import Scale, picture, tick_text
from stepgrad.train.table.result import Score, TableResult
from stepgrad.train.table.settings import TableSettings
from stepgrad.words.language import Words
from stepgrad.words.numbers import LOWER_IS_BETTER, duration, number, percent, score_name, score_text

_PLAIN = re.compile(r"[\w@%+=:,./-]+")  # what no shell takes for more than letters
_WIDTH, _HEIGHT, _LINE = 460, 112, 58


def data_name(settings: TableSettings) -> str:
    """Return the name of the file that was trained on; "digits" is the table that comes along."""
    return PurePath(settings.data).name if settings.data else "digits"


def task_name(task: str, words: Words) -> str:
    """Return what a task is called."""
    names = {
        "regression": "regression",
        "binary": "binary classification",
        "multiclass": "multi-class classification",
    }
    return words(names[task])


def command(*parts: str) -> str:
    """Return a command line as it is typed in a shell; only what needs quotes has them.

    >>> command("stepgrad", "predict", "runs/집값-1", "my file.csv")
    "stepgrad predict runs/집값-1 'my file.csv'"
    """
    if os.name == "nt":
        from subprocess import list2cmdline

        return list2cmdline(parts)
    return " ".join(part if _PLAIN.fullmatch(part) else shlex.quote(part) for part in parts)


def score_sentence(result: TableResult, words: Words) -> str:
    """Return the test score in words."""
    name, score = headline(result)
    tested = result.rows["test"]
    if name == "accuracy":
        return words(
            (
                "The network gives the right answer for {right} of {count:test row/test rows}, none of "
                "which it was trained on."
            ),
            right=round(_defined(score.value) * tested),
            count=tested,
        )
    r2 = result.test.get("r2")
    text = words(
        (
            "On {count:test row/test rows}, none of which it was trained on, the network's predictions are "
            "off by {error} (root mean squared error)."
        ),
        count=tested,
        error=number(_defined(score.value)),
    )
    if r2 is None or r2.value is None or r2.value <= 0:
        return text
    explained = words("They explain {share} of the variance (R²).", share=percent(r2.value))
    return f"{text} {explained}"


def interval_text(name: str, score: Score) -> str:
    """Return the 95 % interval of a score, a dash where the rows are too few for one, and nothing for a score
    that never has one.
    """
    if score.low is None or score.high is None:
        return "" if score.method is None else "–"
    return f"{score_text(name, score.low)} – {score_text(name, score.high)}"


def interval_sentence(score: Score, name: str, words: Words) -> str | None:
    """Return the 95 % interval of a score in words, None if there is none."""
    if score.low is None or score.high is None:
        return None
    return words(
        "95% interval: {low} to {high}", low=score_text(name, score.low), high=score_text(name, score.high)
    )


def baseline_sentence(result: TableResult, words: Words) -> str:
    """Return what the trivial answer scores, in words."""
    name, _ = headline(result)
    value = score_text(name, result.baseline.scores[name])
    if name == "accuracy":
        return words("always answering '{answer}': {value}", answer=result.baseline.answer, value=value)
    return words("always answering the mean, {answer}: {value}", answer=_mean(result), value=value)


def headline(result: TableResult) -> tuple[str, Score]:
    """Return the first test score and its name."""
    return next(iter(result.test.items()))


def _defined(value: float | None) -> float:
    """Return the value of a headline, which every row has."""
    assert value is not None
    return value


def headline_section(result: TableResult, words: Words) -> Html:
    """Return the headline score, its interval and baseline as a picture, and the facts of the run."""
    name, score = headline(result)
    left = tag(
        "div",
        tag("p", score_text(name, score.value), class_="score"),
        tag("p", words("{name} on the test rows", name=score_name(name, words)), class_="what"),
        tag("p", score_sentence(result, words)),
    )
    right = _interval_picture(name, score, result, words)
    return tag("section", tag("div", left, right, class_="hero"), _facts(result, words), class_="card")


def _mean(result: TableResult) -> str:
    try:
        return number(float(result.baseline.answer))
    except ValueError:
        return result.baseline.answer


def _facts(result: TableResult, words: Words) -> Html:
    facts = [
        (f"{sum(result.rows.values()):,}", words("rows")),
        (f"{result.inputs:,}", words("inputs of the network")),
        (f"{result.parameters:,}", words("parameters")),
        (words("{best} of {epochs}", best=result.best_epoch, epochs=result.epochs), words("best epoch")),
        (duration(result.seconds, words), words("of training")),
    ]
    return tag(
        "dl", *(tag("div", tag("dd", value), tag("dt", name)) for value, name in facts), class_="facts"
    )


def _interval_picture(name: str, score: Score, result: TableResult, words: Words) -> Html:
    """Return a line with the baseline, the score and its interval on it; better is always to the right."""
    found, baseline = _defined(score.value), _defined(result.baseline.scores[name])
    low, high = score.low, score.high
    values = [found, baseline, *(value for value in (low, high) if value is not None)]
    if name in LOWER_IS_BETTER:
        scale = Scale(max(values) * 1.06 or 1.0, 0.0, 14, _WIDTH - 14)
    else:
        best = 1.0
        bottom = max(0.0, min(values) - 0.15 * (best - min(values)))
        scale = Scale(bottom, best, 14, _WIDTH - 14)
    parts = [tag("line", x1=14, x2=_WIDTH - 14, y1=_LINE, y2=_LINE, class_="axis")]
    for tick in scale.ticks(4):
        at = scale.at(tick)
        parts.append(tag("line", x1=at, x2=at, y1=_LINE, y2=_LINE + 4, class_="axis"))
        shown = f"{tick * 100:g}%" if name == "accuracy" else tick_text(tick)
        parts.append(tag("text", shown, x=at, y=_LINE + 17, class_="tick mid"))
    if low is not None and high is not None:
        parts.append(tag("line", x1=scale.at(low), x2=scale.at(high), y1=_LINE, y2=_LINE, class_="interval"))
    at = scale.at(found)
    parts.append(tag("circle", cx=at, cy=_LINE, r=6, class_="score-dot"))
    interval = interval_sentence(score, name, words)
    parts.append(_label(at, 22, score_text(name, found), "strong"))
    if interval:
        parts.append(_label(at, 39, interval, "label"))
    base = scale.at(baseline)
    parts.append(tag("line", x1=base, x2=base, y1=_LINE - 9, y2=_LINE + 9, class_="baseline"))
    parts.append(_label(base, _HEIGHT - 10, baseline_sentence(result, words), "label"))
    title = join([words("{name} on the test rows", name=score_name(name, words)), ": ", interval])
    return tag("div", picture(*parts, title=title, width=_WIDTH, height=_HEIGHT), class_="interval-picture")


def _label(at: float, y: float, text: str, style: str) -> Html:
    """Return a text at a place, aligned so that it stays within the picture."""
    if at < _WIDTH * 0.25:
        return tag("text", text, x=max(at - 6, 4), y=y, class_=style, text_anchor="start")
    if at > _WIDTH * 0.75:
        return tag("text", text, x=min(at + 6, _WIDTH - 4), y=y, class_=style, text_anchor="end")
    return tag("text", text, x=at, y=y, class_=f"{style} mid")
