"""The report of a run that ended in NaN or infinity: where, why, what helps, and how far it came."""

from __future__ import annotations

from stepgrad.markup import Html, tag
from stepgrad.train.report.curves import loss_curve
from stepgrad.train.report.headline import command, data_name
from stepgrad.train.report.health import health_parts
from stepgrad.train.report.page import document, section, settings_table
from stepgrad.train.table.failed import BEFORE_NAME, FailedRun
from stepgrad.words.language import Words


def failed_page(run: FailedRun, words: Words) -> str:
    """Return the report as an HTML document."""
    title = words("{target} from {data}", target=run.settings.target, data=data_name(run.settings))
    lead = tag("p", words("Training ended in NaN or infinity; nothing was tested."))
    sections = [
        section(words("What went wrong"), lead, *health_parts(run.health, words)),
        section(words("How it learned"), loss_curve(run.history, 0, words)) if run.history else None,
        section(words("The network and its settings"), settings_table(run.settings)),
        section(words("How to go on"), *_go_on(run, words)),
    ]
    return document(title, words("a run that ended in NaN or infinity"), sections, words)


def _go_on(run: FailedRun, words: Words) -> list[Html]:
    settings = run.settings
    parts = ["stepgrad", "train"]
    parts += [settings.data, "--target", settings.target] if settings.data else []
    for name in ("hidden", "activation", "optimizer"):
        value = getattr(settings, name)
        parts += [f"--{name}", value if isinstance(value, str) else ",".join(map(str, value)) or "none"]
    rate = run.lower_rate
    again = command(*parts, *([] if rate is None else ["--lr", f"{rate:g}"]))
    weights = words(
        "The weights as they were before the step that went wrong are in {path}.",
        path=f"{run.folder}/{BEFORE_NAME}",
    )
    said = [tag("p", words("Train again with a lower learning rate:")), tag("pre", tag("code", again))]
    return [*(said if rate is not None else []), tag("p", weights)]
