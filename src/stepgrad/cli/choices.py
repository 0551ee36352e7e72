"""What a person chooses about a run on a table: the options that `train` and `tune` have in common."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from stepgrad.cli.options import HiddenLayers
from stepgrad.cli.problems import BadInput, check_column, read_data

if TYPE_CHECKING:
    from stepgrad.data.table.frame import Table
    from stepgrad.train.table.settings import TableSettings

F = TypeVar("F", bound=Callable[..., Any])
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


_OPTIONS = (
    click.option(
        "--target", "-t", metavar="COLUMN", shell_complete=_complete_columns, help="The column to predict."
    ),
    click.option(
        "--task", metavar="TASK", help="regression, binary or multiclass; found from the target by itself."
    ),
    click.option(
        "--hidden",
        metavar="64,64",
        type=HiddenLayers(),
        help="Units of the hidden layers; none: a linear model.",
    ),
    click.option("--activation", metavar="NAME", help="relu, silu, gelu, tanh, sigmoid, elu or leaky_relu."),
    click.option("--optimizer", metavar="NAME", help="adamw, adam or sgd."),
    click.option("--lr", type=float, metavar="NUMBER", help="The learning rate."),
    click.option(
        "--weight-decay", type=float, metavar="NUMBER", help="How fast weights shrink that nothing holds up."
    ),
    click.option(
        "--dropout", type=float, metavar="SHARE", help="Share of the hidden units that a step leaves out."
    ),
    click.option("--batch-size", type=int, metavar="ROWS", help="Rows in one step."),
    click.option(
        "--epochs", type=int, metavar="NUMBER", help="At most so many passes over the training rows."
    ),
    click.option(
        "--patience", type=int, metavar="EPOCHS", help="Stop after so many epochs without progress; 0: never."
    ),
    click.option(
        "--seed", type=int, metavar="NUMBER", help="The same seed gives the same result; 0 by default."
    ),
    click.option("--device", metavar="NAME", help="cpu or cuda."),
)


def setting_options(function: F) -> F:
    """Add an option for each setting; they reach the command as named arguments, None where not chosen."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def chosen_table(data: str | None, chosen: dict[str, Any], command: str) -> tuple[Table, TableSettings]:
    """Read the table that a person named, or the digits, and return it with their settings.

    Raises `BadInput` if there is no such file or column, or no column was named.
    """
    if data is None and chosen.get("target", _DIGITS_TARGET) != _DIGITS_TARGET:
        raise BadInput(
            f"which file has the column '{chosen['target']}'? Name it: stepgrad {command} DATA "
            "--target COLUMN."
        )
    table = _read(data)
    if data is None:
        chosen["target"] = _DIGITS_TARGET
    elif "target" not in chosen:
        shown = ", ".join(f"'{name}'" for name in table.names[:12]) + (", …" if len(table.names) > 12 else "")
        raise BadInput(f"name the column to predict: --target COLUMN. The columns of '{data}' are {shown}.")
    check_column(table, chosen["target"])
    from stepgrad.train.table.settings import TableSettings

    return table, TableSettings(data=None if data is None else os.path.abspath(data), **chosen)


def table_of(settings: TableSettings) -> Table:
    """Read the table that a run or a search was begun with."""
    return _read(settings.data)


def refuse_others(chosen: dict[str, Any], **others: Any) -> None:
    """Raise `BadInput` if anything was chosen beside ``--resume``."""
    given = [name for name, value in (chosen | others).items() if value is not None]
    if given:
        what = given[0].upper() if given[0] == "data" else f"--{given[0].replace('_', '-')}"
        raise BadInput(f"--resume goes on with the settings that the run was begun with; leave out {what}.")


def _read(data: str | None) -> Table:
    if data is not None:
        return read_data(data)
    from stepgrad.data.builtin import builtin_path
    from stepgrad.data.table.read import read_table

    return read_table(builtin_path("digits"))
