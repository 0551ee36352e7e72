"""``stepgrad tune``: searches settings on the validation rows, then trains with the best and tests once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stepgrad.cli.choices import chosen_table, refuse_others, setting_options, table_of
from stepgrad.cli.help import Command
from stepgrad.cli.options import json_option, lang_option, quiet_option
from stepgrad.cli.output import Output, interrupted_code
from stepgrad.cli.problems import BadInput
from stepgrad.cli.runs import REPORT_NAME, new_run, other_run

if TYPE_CHECKING:
    from stepgrad.data.table.frame import Table
    from stepgrad.train.table.search import Trial
    from stepgrad.train.table.settings import TableSettings
    from stepgrad.train.table.tune import TuneResult


@click.command(
    cls=Command,
    short_help="Searches the best settings for a table.",
    help=(
        "Tries many networks on a table, chooses the one with the lowest loss on the validation rows, and "
        "only then tests it, once. Searched are hidden layers, units, activation, learning rate, dropout and "
        "weight decay; what you choose yourself is not searched. The folder is a run's, as train writes it."
    ),
    arguments=[("DATA", "A CSV or Parquet file. Without it: handwritten digits, which come along.")],
    examples=[
        ("stepgrad tune houses.csv --target price", "30 trials"),
        ("stepgrad tune houses.csv --target price --trials 100 --timeout 3600", "at most an hour"),
        ("stepgrad tune houses.csv --target price --hidden 64,64", "other settings for this network"),
        ("stepgrad tune --resume runs/houses-1", "goes on after Ctrl-C or a power cut"),
    ],
)
@click.argument("data", required=False, type=click.Path())
@setting_options
@click.option("--trials", type=click.IntRange(min=1), metavar="NUMBER", help="How many networks to try.")
@click.option("--timeout", type=float, metavar="SECONDS", help="Begin no trial after so many seconds.")
@click.option(
    "--out", metavar="FOLDER", type=click.Path(), help="The run's folder; by default runs/NAME-NUMBER."
)
@click.option("--resume", metavar="RUN", type=click.Path(), help="Go on with an interrupted search.")
@json_option
@quiet_option
@lang_option
@click.pass_obj
def tune(
    output: Output,
    /,
    data: str | None,
    trials: int | None,
    timeout: float | None,
    out: str | None,
    resume: str | None,
    **choices: Any,
) -> None:
    """Search, then say what was found."""
    from stepgrad.train.table.search import SEARCH_NAME, read_search
    from stepgrad.train.table.tune import TRIALS

    chosen = {name: value for name, value in choices.items() if value is not None}
    if resume is not None:
        refuse_others(chosen, data=data, out=out)
        folder = Path(resume)
        if not (folder / SEARCH_NAME).is_file():
            raise BadInput(f"there is no search to resume in '{resume}'.{other_run(resume)}")
        settings, begun, _ = read_search(folder)
        result = _tune(table_of(settings), settings, folder, output, trials or begun, timeout, resume=True)
    else:
        table, settings = chosen_table(data, chosen, "tune")
        with new_run(out, data) as folder:
            result = _tune(table, settings, folder, output, trials or TRIALS, timeout, resume=False)
    if output.json:
        output.json_object(result.to_json())
    elif output.quiet:
        output.result(result.run.run or "")
    else:
        from stepgrad.cli.summary import print_search, print_summary

        print_search(result, output)
        print_summary(result.run, output)


def _tune(
    table: Table,
    settings: TableSettings,
    folder: Path,
    output: Output,
    trials: int,
    timeout: float | None,
    resume: bool,
) -> TuneResult:
    from stepgrad.cli.progress import RunProgress
    from stepgrad.train.interrupts import terminations
    from stepgrad.train.report import write_report
    from stepgrad.train.report.headline import command
    from stepgrad.train.table.search import SEARCH_NAME
    from stepgrad.train.table.tune import tune_table

    def tell(trial: Trial, done: list[Trial]) -> None:
        output.note(_progress(trial, done, trials, output))

    callbacks = [] if output.quiet else [RunProgress(output.words)]
    try:
        with terminations():
            result = tune_table(table, settings, folder, trials, timeout, resume, tell, callbacks)
            write_report(result.run, folder / REPORT_NAME, output.words.language, result)
            return result
    except KeyboardInterrupt as error:
        if not (folder / SEARCH_NAME).is_file():
            raise
        output.tell(output.words("Interrupted; the trials that are done are kept."))
        line = command("stepgrad", "tune", "--resume", str(folder))
        output.tell(output.words("Resume with: {command}", command=line))
        raise click.exceptions.Exit(interrupted_code(error)) from None


def _progress(trial: Trial, done: list[Trial], trials: int, output: Output) -> str:
    from stepgrad.words.numbers import duration, number

    words = output.words
    losses = [each.validation_loss for each in done if each.validation_loss is not None]
    parts = [words("trial {number}/{trials}", number=trial.number, trials=trials)]
    if trial.validation_loss is None:
        parts.append(words("diverged"))
    else:
        parts.append(words("validation {value}", value=number(trial.validation_loss, 3)))
    if losses:
        parts.append(words("best {value}", value=number(min(losses), 3)))
    return ", ".join([*parts, duration(trial.seconds, words)])
