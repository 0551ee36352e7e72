"""``stepgrad train``: trains a network on a table, tests it, and writes the run's folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stepgrad.cli.help import Command
from stepgrad.cli.options import HiddenLayers, json_option, lang_option, quiet_option
from stepgrad.cli.output import Output, interrupted_code
from stepgrad.cli.problems import BadInput, check_column, read_data
from stepgrad.cli.runs import REPORT_NAME, check_run, has_checkpoint, new_run
from stepgrad.errors import FileError, NotFiniteError

if TYPE_CHECKING:
    from stepgrad.data.table.frame import Table
    from stepgrad.train.table.result import TableResult
    from stepgrad.train.table.settings import TableSettings

_DIGITS_TARGET = "digit"


def _complete_columns(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the columns of DATA that begin with what was typed, for the shell."""
    from stepgrad.data.table.records import Records
    from stepgrad.errors import StepgradError

    # While the command line is not complete, DATA may not have been recognised as an argument yet.
    data = next((word for word in (context.params.get("data"), *context.args) if word), None)
    try:
        return [name for name in Records(data).names if name.startswith(incomplete)] if data else []
    except StepgradError:
        return []


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
@click.option(
    "--target", "-t", metavar="COLUMN", shell_complete=_complete_columns, help="The column to predict."
)
@click.option(
    "--task", metavar="TASK", help="regression, binary or multiclass; found from the target by itself."
)
@click.option(
    "--hidden", metavar="64,64", type=HiddenLayers(), help="Units of the hidden layers; none: a linear model."
)
@click.option("--activation", metavar="NAME", help="relu, silu, gelu, tanh, sigmoid, elu or leaky_relu.")
@click.option("--optimizer", metavar="NAME", help="adamw, adam or sgd.")
@click.option("--lr", type=float, metavar="NUMBER", help="The learning rate.")
@click.option(
    "--weight-decay", type=float, metavar="NUMBER", help="How fast weights shrink that nothing holds up."
)
@click.option(
    "--dropout", type=float, metavar="SHARE", help="Share of the hidden units that a step leaves out."
)
@click.option("--batch-size", type=int, metavar="ROWS", help="Rows in one step.")
@click.option("--epochs", type=int, metavar="NUMBER", help="At most so many passes over the training rows.")
@click.option(
    "--patience", type=int, metavar="EPOCHS", help="Stop after so many epochs without progress; 0: never."
)
@click.option("--seed", type=int, metavar="NUMBER", help="The same seed gives the same result; 0 by default.")
@click.option("--device", metavar="NAME", help="cpu or cuda.")
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
        _refuse_others(chosen, data=data, out=out)
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
    if data is None and chosen.get("target", _DIGITS_TARGET) != _DIGITS_TARGET:
        raise BadInput(
            f"which file has the column '{chosen['target']}'? Name it: stepgrad train DATA --target COLUMN."
        )
    table = _table(data)
    if data is None:
        chosen["target"] = _DIGITS_TARGET
    elif "target" not in chosen:
        shown = ", ".join(f"'{name}'" for name in table.names[:12]) + (", …" if len(table.names) > 12 else "")
        raise BadInput(f"name the column to predict: --target COLUMN. The columns of '{data}' are {shown}.")
    check_column(table, chosen["target"])
    from stepgrad.train.table.settings import TableSettings

    settings = TableSettings(data=None if data is None else os.path.abspath(data), **chosen)
    with new_run(out, data) as folder:
        return _run(table, settings, folder, output, resume=False)


def _resume(folder: Path, output: Output) -> TableResult:
    from stepgrad.train.table.config import read_config

    settings, _ = read_config(folder)
    return _run(_table(settings.data), settings, folder, output, resume=True)


def _table(data: str | None) -> Table:
    if data is not None:
        return read_data(data)
    from stepgrad.data.builtin import builtin_path
    from stepgrad.data.table.read import read_table

    return read_table(builtin_path("digits"))


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
        lower = min((settings.lr or 0.01) / 10, 0.001)
        raise NotFiniteError(error.what, f"Choose a lower learning rate, such as --lr {lower:g}.") from None


def _tell_how_to_go_on(folder: Path, output: Output) -> None:
    from stepgrad.train.report.headline import command

    line = command("stepgrad", "train", "--resume", str(folder))
    output.tell(output.words("Resume with: {command}", command=line))


def _refuse_others(chosen: dict[str, Any], **others: str | None) -> None:
    given = [name for name, value in (chosen | others).items() if value is not None]
    if given:
        what = given[0].upper() if given[0] == "data" else f"--{given[0].replace('_', '-')}"
        raise BadInput(f"--resume goes on with the settings that the run was begun with; leave out {what}.")
