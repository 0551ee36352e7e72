"""``stepgrad train``: trains a network on a table, tests it, and writes the run's folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stepgrad.cli.choices import chosen_table, refuse_others, setting_options, table_of
from stepgrad.cli.help import Command
from stepgrad.cli.options import json_option, lang_option, quiet_option
from stepgrad.cli.output import Output, interrupted_code
from stepgrad.cli.runs import REPORT_NAME, check_run, has_checkpoint, new_run
from stepgrad.errors import FileError, NotFiniteError

if TYPE_CHECKING:
    from stepgrad.data.table.frame import Table
    from stepgrad.train.table.result import TableResult
    from stepgrad.train.table.settings import TableSettings


@click.command(
    cls=Command,
    short_help="Trains a network on a table.",
    help=(

            "Trains a network that predicts one column of a table from the others, tests it on rows that it "
            "has not seen, and writes a folder with the model and a report. What you do not choose is "
            "chosen from the data."

    ),
    arguments=[
        ("DATA", (
            "A CSV file (UTF-8 or CP949; commas, semicolons or tabs) or a Parquet file. Without it: "
            "handwritten digits, which come along."
        )),
    ],
    examples=[
        ("stepgrad train", "handwritten digits"),
        ("stepgrad train houses.csv --target price", "your own table"),
        (
            "stepgrad train houses.csv --target price --hidden 128,64 --seed 7"
        , "another network, another split"),
        ("stepgrad train --resume runs/houses-1", "goes on after Ctrl-C or a power cut"),
    ],
)  # fmt: skip
@click.argument("data", required=False, type=click.Path())
@setting_options
@click.option(
    "--out", metavar="FOLDER", type=click.Path(), help="The run's folder; by default runs/NAME-NUMBER."
)
@click.option(
    "--resume", metavar="RUN", type=click.Path(), help="Go on with an interrupted run, to the same result."
)
@json_option
@quiet_option
@lang_option
@click.pass_obj
def train(output: Output, /, data: str | None, out: str | None, resume: str | None, **choices: Any) -> None:
    """Train, then say what came out."""
    chosen = {name: value for name, value in choices.items() if value is not None}
    if resume is not None:
        refuse_others(chosen, data=data, out=out)
        result = _resume(check_run(resume), output)
    else:
        result = _train(data, out, chosen, output)
    if output.json:
        output.json_object(result.to_json())
    elif output.quiet:
        output.result(result.run or "")
    else:
        from stepgrad.cli.summary import print_summary

        print_summary(result, output)


def _train(data: str | None, out: str | None, chosen: dict[str, Any], output: Output) -> TableResult:
    table, settings = chosen_table(data, chosen, "train")
    with new_run(out, data) as folder:
        return _run(table, settings, folder, output, resume=False)


def _resume(folder: Path, output: Output) -> TableResult:
    from stepgrad.train.table.config import read_config

    settings, _ = read_config(folder)
    return _run(table_of(settings), settings, folder, output, resume=True)


def _run(table: Table, settings: TableSettings, folder: Path, output: Output, resume: bool) -> TableResult:
    from stepgrad.cli.progress import RunProgress
    from stepgrad.train.interrupts import terminations
    from stepgrad.train.report import write_report
    from stepgrad.train.table.job import train_table

    callbacks = [] if output.quiet else [RunProgress(output.words)]
    try:
        with terminations():
            result = train_table(table, settings, folder, callbacks, resume)
            write_report(result, folder / REPORT_NAME, output.words.language)
            return result
    except KeyboardInterrupt as error:
        if not has_checkpoint(folder):
            raise
        output.tell(output.words("Interrupted; the checkpoint is saved."))
        _tell_how_to_go_on(folder, output)
        raise click.exceptions.Exit(interrupted_code(error)) from None
    except FileError as error:
        if not has_checkpoint(folder):
            raise
        output.error(str(error))
        output.tell(output.words("The last checkpoint is unharmed."))
        _tell_how_to_go_on(folder, output)
        raise click.exceptions.Exit(error.exit_code) from None
    except NotFiniteError as error:
        _say_not_finite(error, settings, folder, output)
        raise click.exceptions.Exit(error.exit_code) from None


def _say_not_finite(error: NotFiniteError, settings: TableSettings, folder: Path, output: Output) -> None:
    """Write the report of a run that ended in NaN or infinity, and say which learning rate would do."""
    from stepgrad.train.report import write_failed_report
    from stepgrad.train.report.headline import command
    from stepgrad.train.table.failed import is_failed, read_failed

    failed = read_failed(folder) if is_failed(folder) else None
    lower = (failed and failed.lower_rate) or min((settings.lr or 0.01) / 10, 0.001)
    output.error(str(NotFiniteError(error.what, f"Choose a lower learning rate, such as --lr {lower:g}.")))
    if failed is not None:
        write_failed_report(failed, folder / REPORT_NAME, output.words.language)
        line = command("stepgrad", "doctor", str(folder))
        output.tell(output.words("What went wrong is in {path}: {command}", path=folder, command=line))


def _tell_how_to_go_on(folder: Path, output: Output) -> None:
    from stepgrad.train.report.headline import command

    line = command("stepgrad", "train", "--resume", str(folder))
    output.tell(output.words("Resume with: {command}", command=line))
