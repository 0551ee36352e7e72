"""Columns made of what other libraries hold: NumPy arrays, lists, pandas and polars series."""

from __future__ import annotations

import datetime
import numbers
from typing import Any

import numpy

from stepgrad.data.table.columns import MISSING_CODE, Booleans, Column, Dates, Numbers, Texts, lean
from stepgrad.errors import DataError

MOMENT = "datetime64[us]"
_NESTED = (list, tuple, dict, set, numpy.ndarray)
_MISSING_TYPES = {"NAType", "NaTType", "NoneType"}  # pandas' own, told by name so that pandas is not imported


def column_from_values(values: Any, name: str = "") -> Column:
    """Return the column of a one-dimensional array, list, or pandas series. Its type decides what it becomes.

    Raises `DataError` naming the column if the values have more than one dimension or are of no usable type.

    >>> column_from_values([True, None]).values
    array([ 1, -1], dtype=int8)
    """
    array = values if isinstance(values, numpy.ndarray) else _as_array(values)
    if array.ndim != 1:
        raise DataError(f"column '{name}' must have one dimension, not the shape {array.shape}.")
    kind = array.dtype.kind
    if kind == "b":
        return Booleans(array.astype(numpy.int8))
    if kind in "iuf":
        return Numbers(lean(array.astype(numpy.float64)))
    if kind == "M":
        return Dates(array.astype(MOMENT))
    if kind == "m":
        return Numbers(_seconds(array))
    if kind in "OUT":
        return _column_from_objects(array.tolist(), name)
    raise DataError(
        f"column '{name}' has the type {array.dtype}, which is neither number, text, boolean nor date."
    )


def column_from_polars(series: Any) -> Column | None:
    """Return the column of a polars series, or None if its type is of no use (lists, structures, bytes,
    times).
    """
    import polars

    kind = series.dtype
    if kind == polars.Null:
        return Numbers(numpy.full(len(series), numpy.nan, dtype=numpy.float32))
    if kind == polars.Boolean:
        return Booleans(series.cast(polars.Int8).fill_null(-1).to_numpy())
    if kind.is_numeric():
        values = series.cast(polars.Float64).fill_null(float("nan")).to_numpy()
        return Numbers(lean(values))
    if kind in (polars.Date, polars.Datetime):
        if getattr(kind, "time_zone", None):
            series = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return Dates(series.cast(polars.Datetime("us")).to_numpy())
    if kind == polars.Duration:
        return Numbers(_seconds(series.cast(polars.Duration("us")).to_numpy()))
    if kind in (polars.String, polars.Categorical, polars.Enum):
        texts = series.cast(polars.String)
        # An empty text is a missing cell, as it is in a CSV file.
        return Texts(*text_codes(texts.set(texts == "", None)))
    return None


def text_codes(texts: Any) -> tuple[numpy.ndarray, list[str]]:
    """Return (codes int32, categories in alphabetical order) of a polars series of texts; null has the code
    -1.
    """
    import polars

    categories = texts.drop_nulls().unique().sort()
    codes = texts.cast(polars.Enum(categories)).to_physical().cast(polars.Int32).fill_null(MISSING_CODE)
    return codes.to_numpy(), categories.to_list()


def _as_array(values: Any) -> numpy.ndarray:
    kind = getattr(getattr(values, "dtype", None), "kind", None)
    if isinstance(kind, str) and kind in "biufMm" and isinstance(values.dtype, numpy.dtype):
        return numpy.asarray(values)
    items = values.tolist() if hasattr(values, "tolist") else list(values)
    array = numpy.empty(len(items), dtype=object)
    array[:] = items
    return array


def _seconds(durations: numpy.ndarray) -> numpy.ndarray:
    seconds = durations / numpy.timedelta64(1, "s")
    return lean(seconds.astype(numpy.float64))


def _column_from_objects(cells: list[Any], name: str) -> Column:
    nested = next((cell for cell in cells if isinstance(cell, _NESTED)), None)
    if nested is not None:
        raise DataError(
            f"column '{name}' has cells of type {type(nested).__name__}; a cell is one number, text, or date."
        )
    cells = [None if type(c).__name__ in _MISSING_TYPES or c == "" or c != c else c for c in cells]
    present = [cell for cell in cells if cell is not None]
    if present and all(isinstance(cell, (bool, numpy.bool_)) for cell in present):
        return Booleans(numpy.array([-1 if c is None else int(c) for c in cells], dtype=numpy.int8))
    if all(isinstance(cell, numbers.Real) or type(cell).__name__ == "Decimal" for cell in present):
        return Numbers(lean(numpy.array([numpy.nan if c is None else float(c) for c in cells])))
    if all(isinstance(cell, datetime.date) for cell in present):
        return Dates(numpy.array(["NaT" if c is None else _moment(c) for c in cells], dtype=MOMENT))
    texts = [None if c is None else str(c) for c in cells]
    categories = sorted({text for text in texts if text is not None})
    place: dict[str | None, int] = {text: i for i, text in enumerate(categories)}
    place[None] = MISSING_CODE
    return Texts(numpy.array([place[text] for text in texts], dtype=numpy.int32), categories)


def _moment(day: datetime.date) -> datetime.date:
    if isinstance(day, datetime.datetime) and day.tzinfo is not None:
        return day.astimezone(datetime.UTC).replace(tzinfo=None)
    return day
