"""Mistakes of the person that are found before any work is done: exit code 2."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from stepgrad.errors import DataError, FileError

if TYPE_CHECKING:
    from stepgrad.data.table.frame import Table


class BadInput(click.UsageError):
    """A value on the command line that names nothing: a file, a column, a run."""


def read_data(path: str) -> Table:
    """Read the table that the person named. Raises `BadInput` if there is no such file, else as `read_table`
    does.
    """
    from stepgrad.data.table.read import read_table

    try:
        return read_table(path)
    except FileError as error:
        if os.path.isfile(path):
            raise
        raise BadInput(str(error)) from None


def check_column(table: Table, name: str) -> None:
    """Raise `BadInput` naming the nearest column if the table has none of that name."""
    if name not in table.names:
        try:
            table.column(name)
        except DataError as error:
            raise BadInput(str(error)) from None
