"""The readable result of ``stepgrad train``: data, network, curve, score, files, and what to do next."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from stepgrad.cli.curve import TRAINING, VALIDATION, loss_lines
from stepgrad.cli.output import Output
from stepgrad.cli.runs import REPORT_NAME
from stepgrad.train.report.headline import (
    baseline_sentence,
    command,
    data_name,
    headline,
    interval_sentence,
    task_name,
)
from stepgrad.words.language import Words
from stepgrad.words.numbers import capitalised, duration, score_name, score_text

if TYPE_CHECKING:
    from stepgrad.train.table.result import TableResult

_WIDEST = 96


def print_summary(result: TableResult, output: Output) -> None:
    """Print the result of a finished run on stdout."""
    words, console = output.words, output.console()
    width = min(console.width, _WIDEST)
    rows = Table.grid(padding=(0, 2, 1, 0))
    rows.add_column(style="bold", no_wrap=True)
    rows.add_column(max_width=width - 12)
    rows.add_row(words("Data"), _data(result, words))
    rows.add_row(words("Network"), _network(result, words))
    rows.add_row(words("Training"), _training(result, words, width - 12))
    rows.add_row(words("Test"), _test(result, words))
    rows.add_row(words("Files"), _files(result, words))
    title = words("{target} from {data}", target=result.target, data=data_name(result))
    console.print()
    console.print(Text(title, style="bold blue"))
    console.print()
    console.print(rows)
    if result.run is not None:
        # Outside of the columns, so that a long command stays one line that can be copied.
        line = command("stepgrad", "predict", result.run, "new.csv", "-o", "predicted.csv")
        console.print(Text(words("Next: predict rows whose answer is not known"), style="bold"))
        console.print(Text(f"  {line}"), soft_wrap=True)


def _data(result: TableResult, words: Words) -> Group:
    counts = words(
        "{total:row/rows}: {train} for training, {validation} for validation, {test} for the test",
        total=sum(result.rows.values()),
        **result.rows,
    )
    reason = words.sentence(result.task_reason)
    task = words("{task}, because {reason}", task=task_name(result.task, words), reason=reason)
    notes = [Text(f"· {words.sentence(note)}", style="dim") for note in result.notes]
    return Group(Text(counts), Text(task), *notes)


def _network(result: TableResult, words: Words) -> Table:
    layers = Table.grid(padding=(0, 2))
    layers.add_column(overflow="fold")
    layers.add_column(justify="right", style="dim", no_wrap=True)
    layers.add_column(justify="right", no_wrap=True)
    layers.add_row(Text(words("layer"), "dim"), words("output"), Text(words("parameters"), "dim"))
    for layer in result.layers:
        shape = "×".join(map(str, layer.output))
        layers.add_row(Text(layer.text), shape, f"{layer.parameters:,}")
    layers.add_row("", words("together"), Text(f"{result.parameters:,}", "bold"))
    return layers


def _training(result: TableResult, words: Words, width: int) -> Group:
    parts: list[Any] = []
    lines = loss_lines(
        [epoch.get("loss") for epoch in result.history],
        [epoch.get("validation_loss") for epoch in result.history],
        min(width, 64),
    )
    if lines and _can_show("⣿┤"):
        legend = Text(words("loss"), "dim")
        legend.append("   ⠒⠒ ", VALIDATION).append(words("validation"))
        legend.append("   ⠂⠂ ", TRAINING).append(words("training"))
        parts = [legend, *lines]
    facts = words(
        "{epochs:epoch/epochs} in {time}, best after epoch {best}; {reason}",
        epochs=result.epochs,
        time=duration(result.seconds, words),
        best=result.best_epoch,
        reason=words.sentence(result.stopped),
    )
    parts.append(Text(facts))
    if result.refit_rows is not None:
        refit = words(
            "then trained anew for {epochs:epoch/epochs} on the {rows} training and validation rows together",
            epochs=result.best_epoch,
            rows=result.refit_rows,
        )
        parts.append(Text(refit))
    return Group(*parts)


def _test(result: TableResult, words: Words) -> Group:
    name, score = headline(result)
    first = Text(f"{capitalised(score_name(name, words))} ").append(score_text(name, score.value), "bold green")
    interval = interval_sentence(score, name, words)
    if interval:
        first.append(f"   {interval}")
    others = [
        f"{score_name(other, words)} {score_text(other, value.value)}"
        for other, value in result.test.items()
        if other != name
    ]
    return Group(first, Text(", ".join(others)), Text(capitalised(baseline_sentence(result, words)), "dim"))


def _files(result: TableResult, words: Words) -> Group | Text:
    if result.run is None:
        return Text("–")
    run = Path(result.run)
    return Group(
        Text.assemble((str(run / REPORT_NAME), "bold"), "  ", words("the whole story; open it in a browser"), overflow="fold"),
        Text(str(run / "model.safetensors"), overflow="fold"),
    )  # fmt: skip


def _can_show(signs: str) -> bool:
    """Whether stdout can be written these signs; an old Windows console cannot."""
    try:
        signs.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
