"""The page `report.html`: one file, without scripts, that opens offline and loads nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from stepgrad.markup import Html, join, tag
from stepgrad.train.report.columns import columns_table
from stepgrad.train.report.confusion import confusion_table
from stepgrad.train.report.curves import loss_curve, metric_curve
from stepgrad.train.report.examples import examples_section
from stepgrad.train.report.headline import command, data_name, headline_section, interval_text, task_name
from stepgrad.train.report.health import health_parts
from stepgrad.train.report.importance import importance_chart
from stepgrad.train.report.scatter import predicted_against_actual
from stepgrad.train.report.tuning import tuning_parts
from stepgrad.train.table.result import TableResult
from stepgrad.train.table.settings import TableSettings
from stepgrad.train.table.tune import TuneResult
from stepgrad.version import __version__
from stepgrad.words.language import Words
from stepgrad.words.numbers import layer_text, number, score_name, score_text

# Whatever the cells of a table may hold: the browser runs no script and asks no other machine for anything.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'"


def report_page(result: TableResult, words: Words, tuning: TuneResult | None = None) -> str:
    """Return the report of a finished run as an HTML document; with `tuning`, of the search as well."""
    title = words("{target} from {data}", target=result.target, data=data_name(result.settings))
    sections = [
        headline_section(result, words),
        None if tuning is None else section(words("The search for settings"), *tuning_parts(tuning, words)),
        section(words("How it learned"), _curves(result, words)),
        section(
            words("What it gets right and wrong"), _answers(result, words), *examples_section(result, words)
        ),
        _importance(result, words),
        _health(result, words),
        section(words("The data"), _data(result, words)),
        section(words("The network and its settings"), _network(result, words)),
        section(words("How to go on"), *_go_on(result, words)),
    ]
    kind = task_name(result.task, words)
    rows = words("{count:row/rows}", count=sum(result.rows.values()))
    return document(title, f"{kind} · {rows}", sections, words)


def document(title: str, about: str, sections: Sequence[Html | None], words: Words) -> str:
    """Return an HTML document that needs nothing else: a title, a line about it, and sections."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("link", rel="icon", href="data:,"),
        tag("title", f"{title} · stepgrad"),
        tag("style", Html(Path(__file__).with_name("style.css").read_text(encoding="utf-8"))),
    )
    header = tag(
        "header", tag("p", "stepgrad", class_="mark"), tag("h1", title), tag("p", about, class_="quiet")
    )
    footer = tag("footer", words("Written by stepgrad {version}.", version=__version__))
    body = tag("body", header, tag("main", *sections), footer)
    return f"<!doctype html>\n{tag('html', head, body, lang=words.language)}\n"


def section(title: str, *parts: object) -> Html:
    """Return a section of a report."""
    return tag("section", tag("h2", title), *parts, class_="card")


def _curves(result: TableResult, words: Words) -> Html:
    curves = [
        loss_curve(result.history, result.best_epoch, words),
        metric_curve(result.history, result.best_epoch, words),
    ]
    ended = words(
        "Training ended after epoch {epoch}: {reason}.", epoch=result.epochs, reason=_reason(result, words)
    )
    if result.refit_rows is None:
        kept = words("The weights of epoch {epoch} were kept.", epoch=result.best_epoch)
    else:
        kept = words(
            (
                "Then the network was trained anew for {epochs:epoch/epochs}, on the {rows} training and "
                "validation rows together."
            ),
            epochs=result.best_epoch,
            rows=result.refit_rows,
        )
    return join([tag("div", *curves, class_="pair"), tag("p", f"{ended} {kept}", class_="quiet")])


def _reason(result: TableResult, words: Words) -> str:
    return words.sentence(result.stopped)


def _answers(result: TableResult, words: Words) -> Html | None:
    scores = _scores(result, words)
    if result.confusion is not None:
        return tag("div", scores, confusion_table(result.confusion, result.classes, words), class_="beside")
    if result.actual is not None and result.predicted is not None and len(result.actual):
        dots = predicted_against_actual(result.actual, result.predicted, result.target, words)
        limits = words(
            "Predictions stay within the range of the training rows and a tenth of it on either side."
        )
        note = tag("p", limits, class_="quiet") if result.settings.bounded else None
        return join([tag("div", dots, tag("div", scores, note), class_="pair")])
    return scores


def _scores(result: TableResult, words: Words) -> Html:
    heads = (words("On the test rows"), words("network"), words("95% interval"), words("trivial answer"))
    rows = []
    for name, score in result.test.items():
        base = score_text(name, result.baseline.scores[name]) if name in result.baseline.scores else ""
        figures = (score_text(name, score.value), interval_text(name, score), base)
        cells = [tag("td", figure, class_="figure") for figure in figures]
        rows.append(tag("tr", tag("th", score_name(name, words), scope="row"), *cells))
    head = tag("tr", *(tag("th", text, scope="col") for text in heads))
    return tag("div", tag("table", tag("thead", head), tag("tbody", *rows), class_="scores"), class_="scroll")


def _importance(result: TableResult, words: Words) -> Html | None:
    if not result.importance:
        return None
    names = {"validation": "validation rows", "test": "test rows", "training": "training rows"}
    rows = words(names[result.importance_rows])
    text = words(
        (
            "Each column's cells were shuffled among the {rows} (permutation importance). The worse the "
            "predictions get, the more the network relies on the column; around zero, it does without."
        ),
        rows=rows,
    )
    columns = list(result.examples[0].cells) if result.examples else []
    chart = importance_chart(result.importance, columns, result.task == "regression", words)
    return section(words("The most important inputs"), tag("p", text, class_="quiet"), chart)


def _health(result: TableResult, words: Words) -> Html | None:
    if result.health is None:
        return None
    return section(words("The health of training"), *health_parts(result.health, words))


def _data(result: TableResult, words: Words) -> Html:
    total = sum(result.rows.values())
    parts, legend = [], []
    names = {"train": words("training"), "validation": words("validation"), "test": words("test")}
    for key, name in names.items():
        share = result.rows[key] / total if total else 0.0
        parts.append(tag("i", class_=f"part {key}", style=f"width:{share:.2%}", title=name))
        counted = words("{name}: {count:row/rows}", name=name, count=result.rows[key])
        legend.append(tag("span", tag("i", class_=f"key part {key}"), counted))
    reason = words.sentence(result.task_reason)
    task = words("{task}, because {reason}.", task=task_name(result.task, words), reason=reason)
    notes = [tag("li", words.sentence(note)) for note in result.notes]
    return join([
        tag("div", *parts, class_="split"),
        tag("p", *legend, class_="legend"),
        tag("p", tag("b", words("Task")), ": ", task),
        columns_table(result.columns, words),
        tag("ul", *notes, class_="notes") if notes else None,
    ])  # fmt: skip


def _network(result: TableResult, words: Words) -> Html:
    head = tag("tr", *(tag("th", words(text)) for text in ("layer", "output", "parameters")))
    rows = [
        tag(
            "tr",
            tag("td", tag("code", layer_text(layer.text))),
            tag("td", " × ".join(map(str, layer.output)), class_="figure"),
            tag("td", f"{layer.parameters:,}", class_="figure"),
        )
        for layer in result.layers
    ]
    total = tag(
        "tr", tag("th", words("together"), colspan="2"), tag("td", f"{result.parameters:,}", class_="figure")
    )
    layers = tag("table", tag("thead", head), tag("tbody", *rows), tag("tfoot", total), class_="layers")
    return tag("div", tag("div", layers, class_="scroll"), settings_table(result.settings), class_="network")


def settings_table(settings: TableSettings) -> Html:
    """Return the settings of a run, those that were chosen for the person too."""
    rows = [
        tag("tr", tag("th", tag("code", name), scope="row"), tag("td", _setting(value), class_="figure"))
        for name, value in asdict(settings).items()
        if value is not None
    ]
    return tag("div", tag("table", tag("tbody", *rows), class_="settings"), class_="scroll")


def _setting(value: object) -> str:
    if isinstance(value, (tuple, list)):
        return ", ".join(_setting(item) for item in value) or "–"
    return number(value, 6) if isinstance(value, float) else str(value)


def _go_on(result: TableResult, words: Words) -> list[Html]:
    if result.run is None or result.model is None:
        return [tag("p", words("This run was not written to a folder."))]
    predict = command("stepgrad", "predict", result.run, "new.csv", "-o", "predicted.csv")
    evaluate = command("stepgrad", "evaluate", result.run, "later.csv")
    python = (
        "from stepgrad.data.table import read_table\n"
        "from stepgrad.train import load_table_model\n\n"
        f"model = load_table_model({result.run!r})\n"
        'predictions = model.predict(read_table("new.csv"))\n'
        f"predictions.{'values' if result.task == 'regression' else 'labels'}[:5]"
    )
    return [
        tag("p", words("Predict rows whose answer is not known, and score rows whose answer is known:")),
        tag("pre", tag("code", f"{predict}\n{evaluate}")),
        tag("p", words("The model in Python:")),
        tag("pre", tag("code", python)),
    ]
