"""Tables with predictions: the person's own rows and cells, and two columns more, as CSV or Parquet."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy

from stepgrad.cli.problems import BadInput
from stepgrad.errors import suggest

if TYPE_CHECKING:
    import polars

    from stepgrad.data.table.columns import Column
    from stepgrad.data.table.frame import Table

SUFFIXES = (".csv", ".parquet")
_ROWS_AT_ONCE = 50_000


def check_output(path: str, data: str) -> None:
    """Raise `BadInput` if predictions cannot go to `path`: another suffix than .csv or .parquet, or the data
    themselves.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise BadInput(
            f"'{path}' ends in neither .csv nor .parquet, which decides how it is written."
            f"{suggest(suffix, SUFFIXES)}"
        )
    if os.path.exists(path) and os.path.exists(data) and os.path.samefile(path, data):
        raise BadInput(f"'{path}' is the file that is read; write the predictions to another one.")


def rows_with(path: str, table: Table, added: dict[str, polars.Series], as_text: bool) -> polars.DataFrame:
    """Return the rows of the file at `path`, read as `table`, with the columns `added`.

    With `as_text` the cells of a CSV file are exactly those of the file ("007" stays "007"); else they are
    what they were read as: numbers, booleans, dates and texts. Parquet columns always stay what they are.
    """
    import polars

    with open(path, "rb") as file:
        is_parquet = file.read(4) == b"PAR1"
    if is_parquet:
        frame = polars.read_parquet(path)
    elif as_text:
        frame = _text_cells(path)
    else:
        frame = polars.DataFrame([_series(name, column) for name, column in table])
    return frame.with_columns(
        [series.alias(_free_name(name, frame.columns)) for name, series in added.items()]
    )


def write_csv(frame: polars.DataFrame, file: BinaryIO) -> None:
    """Write a table as CSV in UTF-8, part by part, so that a closed pipe is noticed."""
    header = True
    for part in frame.iter_slices(_ROWS_AT_ONCE):
        file.write(part.write_csv(include_header=header).encode())
        header = False
    file.flush()


def write_table(frame: polars.DataFrame, path: str) -> None:
    """Write a table to a .csv or .parquet file, whole or not at all. Raises `FileError` if it cannot be
    written.
    """
    from stepgrad.files.atomic import write_atomically

    if Path(path).suffix.lower() == ".parquet":
        # Into memory first: of a full disk polars raises an error of its own, without the cause.
        content = io.BytesIO()
        frame.write_parquet(content)
        write_atomically(path, content.getvalue())
    else:
        write_atomically(path, lambda file: write_csv(frame, file))


def _text_cells(path: str) -> polars.DataFrame:
    import polars

    from stepgrad.data.table.records import Records

    records = Records(path)
    frame = polars.concat(list(records.blocks()))
    frame.columns = records.names
    return frame


def _series(name: str, column: Column) -> polars.Series:
    import polars

    from stepgrad.data.table.columns import Booleans, Dates, Texts

    if isinstance(column, Texts):
        return polars.Series(name, column.texts(), dtype=polars.String)
    if isinstance(column, Booleans):
        values = polars.Series(name, column.values == 1)
        return values.set(polars.Series(column.missing()), None)
    if isinstance(column, Dates):
        moments = polars.Series(name, column.values)
        days = column.values.astype("datetime64[D]").astype(column.values.dtype)
        only_days = ((days == column.values) | column.missing()).all()
        return moments.cast(polars.Date) if only_days else moments
    series = polars.Series(name, column.values.astype(numpy.float64)).fill_nan(None)
    present = column.values[~column.missing()]
    whole = len(present) and (present == numpy.round(present)).all() and abs(present).max() < 2**53
    return series.cast(polars.Int64) if whole else series


def _free_name(name: str, taken: list[str]) -> str:
    free, number = name, 2
    while free in taken:
        free, number = f"{name}_{number}", number + 1
    return free
