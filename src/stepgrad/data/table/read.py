"""Reading a table from a CSV or Parquet file, whatever its size, with types found from every row."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy

from stepgrad.data.table.cells import (
    WORTH_A_NOTE,
    DateKind,
    Fit,
    Kind,
    NumberKind,
    TextKind,
    cleaned,
    likely_decimal,
    possible_kinds,
)
from stepgrad.data.table.columns import Column, Numbers
from stepgrad.data.table.frame import Table
from stepgrad.data.table.records import Records, open_binary
from stepgrad.errors import DataError, FileError

if TYPE_CHECKING:
    import polars


def read_table(path: str | os.PathLike[str]) -> Table:
    """Read a table from a CSV file (also compressed with gzip) or a Parquet file.

    CSV: UTF-8 with or without byte order mark, UTF-16 with one, or CP949; separated by commas, semicolons,
    tabs or bars, found by itself; the first record names the columns. Cells may be quoted, also with line
    ends inside; "", "NA", "NaN", "null", "?" and the like are missing. A column is numbers (1234.5, 1,234.5
    or 1.234,5), booleans (true and false, yes and no, …), dates (2024-02-29, 29/2/2024, 29 Feb 2024,
    February 29, 2024 or 2024년 2월 29일, with a time or not) or texts; this is decided from all rows.
    Memory: the table itself, and a few tens of megabytes however long the file.

    What was decided for the reader is told in `table.notes`. Raises `FileError` if the file is missing, a
    folder or damaged, `DataError` if it holds no table, naming the line where possible.

    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "people.csv"
    >>> _ = path.write_text("name;height;born\\nAda;1,65;1815-12-10\\nKim;NA;1990-01-31\\n", encoding="utf-8")
    >>> table = read_table(path)
    >>> table.column("height").values.tolist(), table.column("born").values[1].item().year
    ([1.65, nan], 1990)
    """
    name = os.fspath(path)
    with open_binary(name) as file:
        is_parquet = file.read(4) == b"PAR1"
    table = _read_parquet(name) if is_parquet else _read_csv(name)
    if not len(table):
        raise DataError(f"'{name}' has column names but no rows.")
    return table


def _read_parquet(path: str) -> Table:
    import polars

    try:
        # One column at a time, so that never more than one is held twice.
        return Table.from_series(
            (name, polars.read_parquet(path, columns=[name]).to_series())
            for name in polars.read_parquet_schema(path)
        )
    except (polars.exceptions.PolarsError, OSError) as error:
        raise FileError(f"the Parquet file '{path}' is damaged: {str(error).splitlines()[0]}.") from None


def _read_csv(path: str) -> Table:
    records = Records(path)
    columns = [_ColumnReader(name) for name in records.names]
    decimal = ""
    for block, first_row in _numbered(records):
        decimal = decimal or likely_decimal([cells.head(1000) for cells in block])
        for column, cells in zip(columns, block, strict=True):
            column.add(cells, first_row, decimal)
    _look_again(records, columns, decimal)
    notes = [] if records.encoding == "UTF-8" else [f"'{path}' was read as {records.encoding}."]
    if all(_is_number(name) for name in records.names):
        notes.append(f"the first line of '{path}' was taken for column names, though it looks like data.")
    finished = {column.name: column.finish() for column in columns}
    return Table(finished, notes + [note for column in columns for note in column.notes])


def _numbered(records: Records) -> Iterator[tuple[list[polars.Series], int]]:
    """Return the blocks of the file as cleaned columns, each with the number of its first row, from 1."""
    row = 1
    for block in records.blocks():
        yield cleaned(block), row
        row += block.height


def _look_again(records: Records, columns: list[_ColumnReader], decimal: str) -> None:
    """Where some cells are not of the kind chosen at first, weigh every kind by all rows, and read those
    columns again.
    """
    unsure = {i: column for i, column in enumerate(columns) if column.fit.bad}
    if not unsure:
        return
    rivals = {i: [(kind, Fit()) for kind in possible_kinds(decimal)] for i in unsure}
    for block, first_row in _numbered(records):
        for i, fits in rivals.items():
            for kind, fit in fits:
                fit.add(block[i], kind.parse(block[i])[1], first_row)
    changed = {i: column for i, column in unsure.items() if column.settle(rivals[i])}
    if not changed:
        return
    for block, first_row in _numbered(records):
        for i, column in changed.items():
            column.add(block[i], first_row, decimal)


class _ColumnReader:
    """One column that is being read: the kind chosen for it, its values so far, and how well they fit."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.notes: list[str] = []
        self.fit = Fit()
        self._kind: Kind | None = None
        self._values: list[numpy.ndarray] = []
        self._empty_rows = 0  # before the first filled cell, while the kind is open

    def add(self, cells: polars.Series, first_row: int, decimal: str) -> None:
        """Add the next cells, choosing the kind at the first filled ones."""
        if self._kind is None:
            if cells.null_count() == len(cells):
                self._empty_rows += len(cells)
                return
            self._choose(_weigh(cells, first_row, decimal))
        self._append(cells, first_row)

    def settle(self, fits: list[tuple[Kind, Fit]]) -> bool:
        """Choose by `fits` over all rows; return whether the column must be read again, as another kind."""
        before = self._kind
        self.notes.clear()
        self._choose(fits)
        if _same(before, self._kind):
            self._kind = before
            return False
        self._values.clear()
        self.fit = Fit()
        return True

    def finish(self) -> Column:
        """Return the column, letting go of what it was made from."""
        if self._kind is None:
            return Numbers(numpy.full(self._empty_rows, numpy.nan, dtype=numpy.float32))
        if self.fit.bad:
            self.notes.append(
                f"column '{self.name}': {self.fit.bad:,} of {self.fit.filled:,} cells are not "
                f"{self._kind.name} and count as missing: {', '.join(self.fit.examples)}{_more(self.fit)}."
            )
        values = numpy.concatenate(self._values)
        self._values.clear()
        return self._kind.finish(values)

    def _append(self, cells: polars.Series, first_row: int) -> None:
        import polars

        assert self._kind is not None
        if self._empty_rows:
            nothing = polars.Series([None], dtype=polars.String).new_from_index(0, self._empty_rows)
            self._values.append(self._kind.parse(nothing)[0])
            self._empty_rows = 0
        values, bad = self._kind.parse(cells)
        self._values.append(values)
        self.fit.add(cells, bad, first_row)

    def _choose(self, fits: list[tuple[Kind, Fit]]) -> None:
        """Take the kind that fits best, if well enough, else text, and say in a note what a person may want
        to know.
        """
        best, fit = max(fits, key=lambda pair: pair[1].share)
        rivals = [kind for kind, other in fits if isinstance(kind, DateKind) and other.share == fit.share]
        if isinstance(best, DateKind) and len(rivals) > 1:
            self.notes.append(
                f"column '{self.name}' is text: its dates can be read as {rivals[0].style} and as "
                f"{rivals[1].style}; write them as 2024-12-31."
            )
            self._kind = TextKind()
        elif fit.share >= best.tolerance:
            self._kind = best
        else:
            if isinstance(best, (NumberKind, DateKind)) and fit.share >= WORTH_A_NOTE:
                self.notes.append(
                    f"column '{self.name}' is text, because {fit.bad:,} of {fit.filled:,} cells are not "
                    f"{best.name}: {', '.join(fit.examples)}{_more(fit)}."
                )
            self._kind = TextKind()


def _weigh(cells: polars.Series, first_row: int, decimal: str) -> list[tuple[Kind, Fit]]:
    """Return how each kind fits the cells; only the first kind that all of them fit, unless it is dates."""
    fits: list[tuple[Kind, Fit]] = []
    for kind in possible_kinds(decimal):
        fit = Fit()
        fit.add(cells, kind.parse(cells)[1], first_row)
        if not fit.bad and not isinstance(kind, DateKind):
            return [(kind, fit)]
        fits.append((kind, fit))
    return fits


def _same(one: Kind | None, other: Kind | None) -> bool:
    return one is not None and other is not None and (one.name, one.style) == (other.name, other.style)


def _more(fit: Fit) -> str:
    return ", …" if fit.bad > len(fit.examples) else ""


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True
