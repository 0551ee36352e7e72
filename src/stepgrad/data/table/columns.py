"""Columns: numbers, texts, booleans or dates, each with room for missing cells.

They are NumPy arrays in their leanest form that loses nothing: float32 where it holds every value exactly
(else float64), int32 codes for texts, int8 for booleans.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy

from stepgrad.errors import DataError

MISSING_CODE = -1


@dataclass(frozen=True, eq=False)
class Numbers:
    """A column of numbers: `values` float32 or float64 of shape (rows,), NaN where a cell is missing.

    >>> Numbers(numpy.array([1.0, numpy.nan])).missing()
    array([False,  True])
    """

    values: numpy.ndarray

    def __len__(self) -> int:
        return len(self.values)

    def missing(self) -> numpy.ndarray:
        """Return which cells are missing, a boolean array."""
        return numpy.isnan(self.values)

    def rows(self, indices: numpy.ndarray) -> Numbers:
        """Return the column of the chosen rows."""
        return Numbers(self.values[indices])

    def labels(self) -> tuple[numpy.ndarray, list[str]]:
        """Return (codes, labels): each different value is a label, in rising order; code -1 is missing.

        >>> Numbers(numpy.array([3.0, 0.5, 3.0])).labels()
        (array([1, 0, 1]), ['0.5', '3'])
        """
        present = ~self.missing()
        different, inverse = numpy.unique(self.values[present], return_inverse=True)
        codes = numpy.full(len(self), MISSING_CODE, dtype=numpy.int64)
        codes[present] = inverse
        return codes, [number_text(value) for value in different.tolist()]


@dataclass(frozen=True, eq=False)
class Texts:
    """A column of texts: `codes` int32 of shape (rows,) pointing into `categories`, -1 where a cell is
    missing.

    >>> Texts(numpy.array([1, 0, -1], dtype=numpy.int32), ["no", "yes"]).texts()
    ['yes', 'no', None]
    """

    codes: numpy.ndarray
    categories: list[str]

    def __len__(self) -> int:
        return len(self.codes)

    def missing(self) -> numpy.ndarray:
        """Return which cells are missing, a boolean array."""
        return self.codes < 0

    def rows(self, indices: numpy.ndarray) -> Texts:
        """Return the column of the chosen rows. All categories stay, also those without a row."""
        return Texts(self.codes[indices], self.categories)

    def texts(self) -> list[str | None]:
        """Return the cells as Python texts, None where missing."""
        return [self.categories[code] if code >= 0 else None for code in self.codes.tolist()]

    def labels(self) -> tuple[numpy.ndarray, list[str]]:
        """Return (codes, labels): each text that some row has is a label, in alphabetical order; code -1 is
        missing.
        """
        counts = numpy.bincount(self.codes[self.codes >= 0], minlength=len(self.categories))
        used = sorted(numpy.flatnonzero(counts).tolist(), key=self.categories.__getitem__)
        # One more place at the end, so that the code -1 of a missing cell finds -1 there.
        place = numpy.full(len(self.categories) + 1, MISSING_CODE, dtype=numpy.int64)
        place[used] = numpy.arange(len(used))
        return place[self.codes], [self.categories[i] for i in used]


@dataclass(frozen=True, eq=False)
class Booleans:
    """A column of yes or no: `values` int8 of shape (rows,), 1, 0, or -1 where a cell is missing.

    `words` are the two words of the file, false first, which predictions are written with.

    >>> Booleans(numpy.array([1, 0, 1], dtype=numpy.int8), ("no", "yes")).labels()
    (array([1, 0, 1]), ['no', 'yes'])
    """

    values: numpy.ndarray
    words: tuple[str, str] = ("false", "true")

    def __len__(self) -> int:
        return len(self.values)

    def missing(self) -> numpy.ndarray:
        """Return which cells are missing, a boolean array."""
        return self.values < 0

    def rows(self, indices: numpy.ndarray) -> Booleans:
        """Return the column of the chosen rows."""
        return replace(self, values=self.values[indices])

    def labels(self) -> tuple[numpy.ndarray, list[str]]:
        """Return (codes, labels): the words that some row has, false first; code -1 is missing."""
        used = [value for value in (0, 1) if (self.values == value).any()]
        place = numpy.full(3, MISSING_CODE, dtype=numpy.int64)
        place[used] = numpy.arange(len(used))
        return place[self.values], [self.words[value] for value in used]


@dataclass(frozen=True, eq=False)
class Dates:
    """A column of days or moments: `values` datetime64[us] of shape (rows,), NaT where a cell is missing.

    >>> Dates(numpy.array(["2024-02-29", "NaT"], dtype="datetime64[us]")).missing()
    array([False,  True])
    """

    values: numpy.ndarray

    def __len__(self) -> int:
        return len(self.values)

    def missing(self) -> numpy.ndarray:
        """Return which cells are missing, a boolean array."""
        return numpy.isnat(self.values)

    def rows(self, indices: numpy.ndarray) -> Dates:
        """Return the column of the chosen rows."""
        return Dates(self.values[indices])

    def labels(self) -> tuple[numpy.ndarray, list[str]]:
        """Dates are not labels: raises `DataError`."""
        raise DataError(
            "dates cannot be predicted; choose another target, or make it a number, such as days since a day."
        )


Column: TypeAlias = Numbers | Texts | Booleans | Dates


def number_text(value: float) -> str:
    """Return a number as a label: whole numbers without a decimal point.

    >>> number_text(3.0), number_text(0.1)
    ('3', '0.1')
    """
    return str(int(value)) if value.is_integer() else repr(value)


def lean(values: numpy.ndarray) -> numpy.ndarray:
    """Return float64 `values` as float32 if that loses nothing, else as they are.

    >>> lean(numpy.array([1.0, 0.5])).dtype, lean(numpy.array([0.1])).dtype
    (dtype('float32'), dtype('float64'))
    """
    # An overflow gives infinity, which differs from the value, so such a column stays float64.
    with numpy.errstate(over="ignore"):
        small = values.astype(numpy.float32)
    return small if numpy.array_equal(small, values, equal_nan=True) else values


def cell_text(column: Column, row: int) -> str:
    """Return a cell as text, "" if it is missing.

    >>> cell_text(Numbers(numpy.array([3.0, 0.5])), 0)
    '3'
    """
    if column.missing()[row]:
        return ""
    if isinstance(column, Numbers):
        return number_text(float(column.values[row]))
    if isinstance(column, Texts):
        return column.categories[column.codes[row]]
    if isinstance(column, Booleans):
        return column.words[column.values[row]]
    day, _, time = str(column.values[row].astype("datetime64[s]")).partition("T")
    return day if time == "00:00:00" else f"{day} {time}"
