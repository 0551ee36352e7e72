"""A table: named columns of numbers, texts, booleans or dates, each with room for missing cells.

A `Table` knows nothing of the library or the file it came from, so that everything above it (finding the
task, splitting, preparing) is written once. Its columns are in `columns.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy

from stepgrad.data.table.columns import Column
from stepgrad.data.table.convert import column_from_polars, column_from_values
from stepgrad.errors import DataError, suggest


class Table:
    """Columns of equal length under different names, in order.

    `notes` are sentences for a person about what was decided when the table was read; `unusable` has the
    names and types of columns that were left out then. Raises `DataError` if the columns have different
    lengths or there is none.

    >>> table = Table.from_arrays({"size": [1.5, 2.0, None], "colour": ["red", None, "blue"]})
    >>> len(table), table.names, table.column("colour").texts()
    (3, ['size', 'colour'], ['red', None, 'blue'])
    """

    def __init__(
        self,
        columns: Mapping[str, Column],
        notes: Iterable[str] = (),
        unusable: Mapping[str, str] | None = None,
    ) -> None:
        self.columns: dict[str, Column] = dict(columns)
        self.notes: list[str] = list(notes)
        self.unusable: dict[str, str] = dict(unusable or {})
        lengths = {name: len(column) for name, column in self.columns.items()}
        if not lengths:
            raise DataError("a table needs at least one column.")
        if len(set(lengths.values())) > 1:
            listed = ", ".join(f"'{name}' {length:,}" for name, length in lengths.items())
            raise DataError(f"the columns of a table need the same number of rows, not {listed}.")

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __iter__(self) -> Iterator[tuple[str, Column]]:
        return iter(self.columns.items())

    @property
    def names(self) -> list[str]:
        """The names of the columns, in order."""
        return list(self.columns)

    def column(self, name: str) -> Column:
        """Return the column of that name. Raises `DataError` with the nearest name if there is none."""
        try:
            return self.columns[name]
        except KeyError:
            pass
        if name in self.unusable:
            raise DataError(
                f"column '{name}' has the type {self.unusable[name]}, which a network cannot use; make it "
                f"numbers, texts, booleans or dates."
            )
        shown = ", ".join(f"'{other}'" for other in self.names[:12])
        shown += ", …" if len(self.names) > 12 else ""
        raise DataError(f"there is no column '{name}'.{suggest(name, self.names)} The columns are {shown}.")

    def rows(self, indices: numpy.ndarray | Sequence[int]) -> Table:
        """Return the table of the chosen rows, in that order; `indices` are integers or a boolean mask."""
        chosen = numpy.asarray(indices)
        return Table({name: column.rows(chosen) for name, column in self}, self.notes, self.unusable)

    def without(self, *names: str) -> Table:
        """Return the table without the columns named, which need not all be there."""
        kept = {name: column for name, column in self if name not in names}
        return Table(kept, self.notes, self.unusable)

    @classmethod
    def from_arrays(cls, columns: Mapping[str, Any]) -> Table:
        """Return a table of arrays or lists by name; None, NaN, NaT and "" are missing cells.

        The kind of a column follows from its type alone: texts that look like numbers stay texts.
        """
        return cls({str(name): column_from_values(values, str(name)) for name, values in columns.items()})

    @classmethod
    def from_pandas(cls, frame: Any) -> Table:
        """Return the table of a pandas `DataFrame`; its index is left out."""
        refuse_repeated([str(name) for name in frame.columns], "the DataFrame")
        return cls.from_arrays({str(name): frame.iloc[:, i] for i, name in enumerate(frame.columns)})

    @classmethod
    def from_polars(cls, frame: Any) -> Table:
        """Return the table of a polars `DataFrame`; columns of lists, structures or bytes are left out with a
        note.
        """
        return cls.from_series((name, frame[name]) for name in frame.columns)

    @classmethod
    def from_series(cls, series: Iterable[tuple[str, Any]]) -> Table:
        """Return the table of polars series by name, each of which is let go of before the next is asked for;
        those that a network cannot use are left out with a note.
        """
        columns, unusable = {}, {}
        for name, cells in series:
            column = column_from_polars(cells)
            if column is None:
                unusable[name] = str(cells.dtype)
            else:
                columns[name] = column
        if not columns:
            raise DataError("the table has no column that a network can use.")
        return cls(columns, unusable_notes(unusable), unusable)


def unusable_notes(unusable: Mapping[str, str]) -> list[str]:
    """Return a sentence for each column that is left out for its type, given by their names."""
    return [
        f"column '{name}' is left out: a network cannot use its type {kind}."
        for name, kind in unusable.items()
    ]


def refuse_repeated(names: Sequence[str], where: str) -> None:
    """Raise `DataError` if a name stands there twice."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise DataError(f"{where} has two columns named '{name}'; rename one of them.")
        seen.add(name)
