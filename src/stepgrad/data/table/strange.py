"""Cells unlike those of the training rows: refused where they cannot be read, told of where they count as
something else.
"""

from __future__ import annotations

import numpy

from stepgrad.data.table.columns import Booleans, Column, Numbers, Texts
from stepgrad.data.table.inputs import (
    FARTHEST,
    UNKNOWN,
    CategoryInput,
    DateInput,
    EmbeddingInput,
    Input,
    NumberInput,
    as_codes,
    as_numbers,
    other_kind,
)


def refuse_misfits(each: Input, column: Column) -> None:
    """Raise `DataError` if a column of numbers, dates or booleans is one of texts here; it names the first
    cell that is to blame, and its row.
    """
    what = "numbers" if isinstance(each, NumberInput) else "dates" if isinstance(each, DateInput) else None
    if what is not None and isinstance(column, Texts) and not column.missing().all():
        raise other_kind(column, each.origin, what)


def unlike_training(each: Input, column: Column, rows: numpy.ndarray | None) -> list[str]:
    """Return sentences about missing cells, texts and numbers such as no training row has, and what they
    count as. `rows` are the places of the cells in their table, if they are not all.
    """
    return [*_gaps(each, column), *_unknown_texts(each, column, rows), *_far_numbers(each, column, rows)]


def _gaps(each: Input, column: Column) -> list[str]:
    gaps = int(column.missing().sum())
    if not gaps or getattr(each, "indicator", True):
        return []
    return [
        f"column '{each.origin}': {gaps:,} of {len(column):,} cells are missing, hardly any in training; "
        f"they count as the average."
    ]


def _unknown_texts(each: Input, column: Column, rows: numpy.ndarray | None) -> list[str]:
    if not isinstance(each, (CategoryInput, EmbeddingInput)):
        return []
    unknown = numpy.flatnonzero(as_codes(column, each.categories, each.origin) == UNKNOWN)
    if not len(unknown):
        return []
    codes, labels = column.rows(unknown[:1]).labels()
    return [
        f"column '{each.origin}': {len(unknown):,} of {_filled(column):,} cells hold what the network does "
        f"not know, such as '{labels[codes[0]]}' (row {_row(unknown, rows):,}); they count as none of its "
        f"categories."
    ]


def _far_numbers(each: Input, column: Column, rows: numpy.ndarray | None) -> list[str]:
    if not isinstance(each, NumberInput) or not isinstance(column, (Numbers, Booleans)):
        return []
    cells = as_numbers(column, each.origin)
    with numpy.errstate(over="ignore"):  # of what is farther than any number
        far = numpy.flatnonzero(abs(cells - each.mean) / each.scale > FARTHEST)
    if not len(far):
        return []
    return [
        f"column '{each.origin}': {len(far):,} of {_filled(column):,} cells are far beyond the numbers in "
        f"training, such as {float(cells[far[0]]):.6g} (row {_row(far, rows):,}); they count as "
        f"{FARTHEST:g} standard deviations from the mean."
    ]


def _filled(column: Column) -> int:
    return len(column) - int(column.missing().sum())


def _row(found: numpy.ndarray, rows: numpy.ndarray | None) -> int:
    """Return the number in its table, from 1, of the first row that was found."""
    return 1 + int(found[0] if rows is None else rows[found[0]])
