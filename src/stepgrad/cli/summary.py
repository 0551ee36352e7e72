"""The readable result of ``stepgrad train``: data, network, curve, score, files, and what to do next."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Group
from rich.table import Table
from rich.text import Text

from stepgrad.cli.curve import TRAINING, VALIDATION, loss_lines
from stepgrad.cli.output import Output
from stepgrad.cli.runs import REPORT_NAME
from stepgrad.train.report.headline import baseline_sentence, command, data_name, interval_text, task_name
from stepgrad.train.report.tuning import best_trials, value_name, value_text
from stepgrad.words.language import Words
from stepgrad.words.numbers import duration, layer_text, percent, score_name, score_text

if TYPE_CHECKING:
    from stepgrad.train.table.result import Score, TableResult
    from stepgrad.train.table.tune import TuneResult

_WIDEST = 96
_MOST_NOTES = 6
_HEADLINE = "bold green"
_BAR = 30
_NARROW = 58  # columns, below which a table of scores has no room


def print_summary(result: TableResult, output: Output) -> None:
    """Print the result of a finished run on stdout."""
    words, width = output.words, min(output.console().width, _WIDEST)
    parts: dict[str, Any] = {
        words("Data"): _data(result, words),
        words("Network"): _network(result, words),
        words("Training"): _training(result, words, width - 12),
        words("Test"): _test(result, words, width - 12),
    }
    if result.run is not None:
        parts[words("Files")] = _files(Path(result.run), words)
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="bold", no_wrap=True)
    rows.add_column(max_width=width - 12, overflow="fold")
    for name, part in parts.items():
        rows.add_row(name, part)
        rows.add_row()
    title = words("{target} from {data}", target=result.target, data=data_name(result.settings))
    output.print(Text(title, style="bold blue"), "", rows)
    if result.run is not None:
        # Outside of the columns, so that a long command stays one line that can be copied.
        output.print(Text(words("Predict rows whose answer is not known:"), style="bold"))
        output.result(f"  {command('stepgrad', 'predict', result.run, 'new.csv', '-o', 'predicted.csv')}")


def print_search(search: TuneResult, output: Output) -> None:
    """Print the best trials of a search on stdout, and what mattered."""
    words = output.words
    names = list(search.best.values)
    heads = (words("trial"), words("validation loss"), *(value_name(name, words) for name in names))
    rows = [
        [str(trial.number), score_text("loss", trial.validation_loss)]
        + [value_text(trial.values[name]) for name in names]
        for trial in best_trials(search)
    ]
    table = Table.grid(padding=(0, 2))
    for head, *cells in zip(heads, *rows):  # heads break between words, numbers nowhere
        table.add_column(justify="right", overflow="fold", width=max(map(cell_len, [*head.split(), *cells])))
    table.add_row(*(Text(head, "dim") for head in heads))
    for i, row in enumerate(rows):
        table.add_row(*row, style=_HEADLINE if i == 0 else "")
    title = words("The best of {count:trial/trials} by validation loss", count=len(search.trials))
    output.print(Text(title, style="bold blue"), "", table, "")
    if search.importance:
        bars = Table.grid(padding=(0, 2))
        for name, share in search.importance.items():
            filled = ("█" if _can_show("█") else "#") * round(share * _BAR)
            bars.add_row(value_name(name, words), Text(percent(share)), Text(filled, "blue"))
        output.print(Text(words("What mattered"), "bold"), bars, "")


def _data(result: TableResult, words: Words) -> Group:
    counts = words(
        "{total:row/rows}: {train} for training, {validation} for validation, {test} for the test",
        total=sum(result.rows.values()),
        **result.rows,
    )
    reason = words.sentence(result.task_reason)
    task = words("{task}, because {reason}", task=task_name(result.task, words), reason=reason)
    notes = [Text(f"· {words.sentence(note)}", style="dim") for note in result.notes[:_MOST_NOTES]]
    if len(result.notes) > _MOST_NOTES:
        rest = words("{count:more note/more notes} in the report", count=len(result.notes) - _MOST_NOTES)
        notes.append(Text(f"· {rest}", style="dim"))
    return Group(Text(counts), Text(task), *notes)


def _network(result: TableResult, words: Words) -> Table:
    layers = Table.grid(padding=(0, 2))
    layers.add_column(overflow="fold")
    layers.add_column(justify="right", style="dim", no_wrap=True)
    layers.add_column(justify="right", no_wrap=True)
    layers.add_row(Text(words("layer"), "dim"), words("output"), Text(words("parameters"), "dim"))
    for layer in result.layers:
        shape = "×".join(map(str, layer.output))
        layers.add_row(Text(layer_text(layer.text)), shape, f"{layer.parameters:,}")
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


def _test(result: TableResult, words: Words, width: int) -> Group:
    scores = score_table(result.test, words, result.baseline.scores, words("trivial answer"), width)
    return Group(scores, Text(words("({baseline})", baseline=baseline_sentence(result, words)), "dim"))


def score_table(
    scores: dict[str, Score], words: Words, others: dict[str, float | None], other_name: str, width: int
) -> Any:
    """Return a table of scores with their intervals, and beside them those of another answer; a list where
    it is to be narrow.
    """
    if width < _NARROW:
        return _score_list(scores, words, others, other_name)
    table = Table.grid(padding=(0, 3))
    table.add_column()
    for _ in range(3):
        table.add_column(justify="right", no_wrap=True)
    heads = (words("score"), words("95% interval"), other_name)
    table.add_row("", *(Text(head, "dim") for head in heads))
    for i, (name, score) in enumerate(scores.items()):
        value = Text(score_text(name, score.value), _HEADLINE if i == 0 else "")
        other = score_text(name, others[name]) if name in others else ""
        table.add_row(score_name(name, words), value, interval_text(name, score), other)
    return table


def _score_list(
    scores: dict[str, Score], words: Words, others: dict[str, float | None], other_name: str
) -> Group:
    lines = []
    for i, (name, score) in enumerate(scores.items()):
        lines.append(
            Text.assemble(
                score_name(name, words), "  ", (score_text(name, score.value), _HEADLINE if i == 0 else "")
            )
        )
        if interval := interval_text(name, score):
            lines.append(Text(f"  {words('95% interval')}  {interval}", "dim"))
        if name in others:
            lines.append(Text(f"  {other_name}  {score_text(name, others[name])}", "dim"))
    return Group(*lines)


def _files(run: Path, words: Words) -> Group:
    report = Text(str(run / REPORT_NAME), "bold", overflow="fold")
    report.append("  ").append(words("the whole story; open it in a browser"), "not bold")
    return Group(report, Text(str(run / "model.safetensors"), overflow="fold"))


def _can_show(signs: str) -> bool:
    """Whether stdout can be written these signs; an old Windows console cannot."""
    try:
        signs.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
