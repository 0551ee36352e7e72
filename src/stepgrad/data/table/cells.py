"""What the text cells of a column mean: numbers, booleans, dates, or texts.

Every cell is looked at before a column is given its kind. A column is numbers or dates if at least
`TOLERANCE` of its filled cells are; the others count as missing and are named in a note. Anything else is
text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy

from stepgrad.data.table.columns import MISSING_CODE, Booleans, Column, Dates, Numbers, Texts, lean
from stepgrad.data.table.convert import MOMENT, text_codes

if TYPE_CHECKING:
    import polars

TOLERANCE = 0.99  # share of the filled cells that must be of a kind
WORTH_A_NOTE = 0.9  # a text column with that share of numbers gets a note that says which cells are none
EXAMPLES = 3
# Missing in every column. "None" and "-" are not among them, for they can be answers in a column of texts …
MISSING = [
    "",
    "NA",
    "N/A",
    "n/a",
    "#N/A",
    "<NA>",
    "na",
    "NaN",
    "nan",
    "NAN",
    "NaT",
    "NULL",
    "Null",
    "null",
    "?",
]
# … but among numbers, booleans and dates these too can only mean that there is none.
MISSING_AMONG_VALUES = {
    "-", "--", "---", "–", "—", ".", "..", "...", "…", "*", "none", "nil", "n.a.", "missing", "unknown",
    "not available", "#div/0!", "#value!", "#ref!", "#num!", "#name?", "없음", "결측",
}  # fmt: skip
_PAIRS = (
    ("false", "true"), ("no", "yes"), ("f", "t"), ("n", "y"), ("off", "on"),
    ("거짓", "참"), ("아니오", "예"), ("아니요", "예"),
)  # fmt: skip
_DIGITS_POINT = r"^[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][+-]?\d+)?$"
_DIGITS_COMMA = r"^[+-]?(?:[1-9]\d{0,2}(?:\.\d{3})+|\d+)(?:,\d+)?(?:[eE][+-]?\d+)?$"
_MONEY, _UNIT = r"^([+-]?)\s*[$€£¥₩]\s*", r"\s*[%€₩원]$"
_CLOCK = r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:[.,](\d{1,9}))?)?\s*([AaPp][Mm])?"
_TIME = rf"(?:(?:[T ]|, )\s*{_CLOCK}\s*(Z|[+-]\d\d:?\d\d)?)?$"
_MONTHS = {
    "jan": "1", "feb": "2", "mar": "3", "apr": "4", "may": "5", "jun": "6",
    "jul": "7", "aug": "8", "sep": "9", "oct": "10", "nov": "11", "dec": "12",
}  # fmt: skip
_MONTH = (
    r"((?i:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?))\.?"
)
_ORDERS = {
    "year-month-day": (r"^(\d{4})[-/.] ?(\d{1,2})[-/.] ?(\d{1,2})\.?" + _TIME, (0, 1, 2)),
    "day/month/year": (r"^(\d{1,2})[-/.] ?(\d{1,2})[-/.] ?(\d{4})" + _TIME, (2, 1, 0)),
    "month/day/year": (r"^(\d{1,2})[-/](\d{1,2})[-/](\d{4})" + _TIME, (2, 0, 1)),
    "day, name of the month, year": (r"^(\d{1,2})\.?[- ]?" + _MONTH + r"[-, ] ?(\d{4})" + _TIME, (2, 1, 0)),
    "name of the month, day, year": (r"^" + _MONTH + r" ?(\d{1,2}),? (\d{4})" + _TIME, (2, 0, 1)),
    "년 월 일": (r"^(\d{4})년 ?(\d{1,2})월 ?(\d{1,2})일" + _TIME, (0, 1, 2)),
}


class Kind(Protocol):
    """What a column of texts may turn out to be."""

    name: str
    style: str
    tolerance: float

    def parse(self, cells: polars.Series) -> tuple[numpy.ndarray, numpy.ndarray]:
        """Return (values, bad): the cells' values, and which cells are filled but not of this kind."""

    def finish(self, values: numpy.ndarray) -> Column:
        """Return the column made of the values of all blocks."""


class NumberKind:
    """Numbers, with a decimal point (1,234.5) or a decimal comma (1.234,5); a sign of money or percent may
    stand by.
    """

    name, tolerance = "numbers", TOLERANCE

    def __init__(self, decimal: str) -> None:
        self.style = decimal

    def parse(self, cells: polars.Series) -> tuple[numpy.ndarray, numpy.ndarray]:
        if self.style == ".":
            values = _floats(cells)
            rest = numpy.flatnonzero(numpy.isnan(values) & cells.is_not_null().to_numpy())
        else:
            values = numpy.full(len(cells), numpy.nan)
            rest = numpy.flatnonzero(cells.is_not_null().to_numpy())
        bad = numpy.zeros(len(cells), dtype=bool)
        if len(rest):
            left = cells.gather(rest)
            values[rest] = self._written_out(left)
            bad[rest] = numpy.isnan(values[rest]) & ~_missing_among_values(left)
        return lean(values), bad

    def _written_out(self, cells: polars.Series) -> numpy.ndarray:
        """Read numbers with grouped digits, a decimal comma, or a sign of money or percent."""
        plain = cells.str.replace("−", "-", literal=True).str.replace(_MONEY, "$1").str.replace(_UNIT, "")
        if self.style == ".":
            fits = plain.str.contains(_DIGITS_POINT)
            plain = plain.str.replace_all(",", "", literal=True)
        else:
            fits = plain.str.contains(_DIGITS_COMMA)
            plain = plain.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
        return numpy.where(fits.to_numpy(), _floats(plain), numpy.nan)

    def finish(self, values: numpy.ndarray) -> Column:
        return Numbers(values)


class BooleanKind:
    """Two words such as yes and no, in any case. Every filled cell must be one of them."""

    name, tolerance = "booleans", 1.0

    def __init__(self, pair: tuple[str, str]) -> None:
        self.pair = pair
        self.style = "/".join(pair)
        self.words = dict(enumerate(pair))
        self._seen: set[int] = set()

    def parse(self, cells: polars.Series) -> tuple[numpy.ndarray, numpy.ndarray]:
        different = cells.drop_nulls().unique(maintain_order=True)
        values, bad = numpy.full(len(cells), -1, dtype=numpy.int8), numpy.zeros(len(cells), dtype=bool)
        if len(different) > 50:  # spellings of two words are few
            return values, cells.is_not_null().to_numpy()
        for word in different:
            here = (cells == word).fill_null(False).to_numpy()
            folded = word.casefold()
            if folded in self.pair:
                value = self.pair.index(folded)
                values[here] = value
                if value not in self._seen:
                    self.words[value] = word
                    self._seen.add(value)
            elif folded not in MISSING_AMONG_VALUES:
                bad[here] = True
        return values, bad

    def finish(self, values: numpy.ndarray) -> Column:
        return Booleans(values, (self.words[0], self.words[1]))


class DateKind:
    """Days or moments, in one order of year, month and day, with four digits for the year. Zones are taken to
    UTC.
    """

    name, tolerance = "dates", TOLERANCE

    def __init__(self, order: str) -> None:
        self.style = order
        self.pattern, self.places = _ORDERS[order]

    def parse(self, cells: polars.Series) -> tuple[numpy.ndarray, numpy.ndarray]:
        import polars

        filled = cells.is_not_null()
        if self.style == "year-month-day":
            plain = cells.str.to_date("%Y-%m-%d", strict=False)
            if plain.null_count() == cells.null_count():
                return plain.cast(polars.Datetime("us")).to_numpy(), numpy.zeros(len(cells), dtype=bool)
        fits = cells.str.contains(self.pattern).fill_null(False)
        if not fits.any():
            nothing = numpy.full(len(cells), "NaT", dtype=MOMENT)
            return nothing, filled.to_numpy() & ~_missing_among_values(cells)
        groups = cells.str.extract_groups(self.pattern).struct.unnest()
        part = [groups.to_series(i) for i in range(groups.width)]
        year, month, day = (part[i] for i in self.places)
        # Names of months, in whatever length, are known by their first three letters; numbers stay.
        month = month.str.slice(0, 3).str.to_lowercase().replace(_MONTHS)
        text = year + "-" + month.str.zfill(2) + "-" + day.str.zfill(2)
        days = text.str.to_date("%Y-%m-%d", strict=False).cast(polars.Datetime("us")).to_numpy()
        values = days + _time_of_day(part[3:])
        missing = numpy.isnat(values) & filled.to_numpy()
        return values, missing & ~_missing_among_values(cells)

    def finish(self, values: numpy.ndarray) -> Column:
        return Dates(values)


class TextKind:
    """Texts, each different one a category."""

    name, style, tolerance = "texts", "", 0.0

    def __init__(self) -> None:
        self._place: dict[str, int] = {}

    def parse(self, cells: polars.Series) -> tuple[numpy.ndarray, numpy.ndarray]:
        codes, categories = text_codes(cells)
        place = [self._place.setdefault(text, len(self._place)) for text in categories]
        lookup = numpy.array([*place, MISSING_CODE], dtype=numpy.int32)
        return lookup[codes], numpy.zeros(len(cells), dtype=bool)

    def finish(self, values: numpy.ndarray) -> Column:
        """Return the column, its categories in alphabetical order whatever the order of the rows."""
        categories = sorted(self._place)
        lookup = numpy.full(len(categories) + 1, MISSING_CODE, dtype=numpy.int32)
        lookup[[self._place[text] for text in categories]] = numpy.arange(len(categories))
        return Texts(lookup[values], categories)


@dataclass
class Fit:
    """How the cells of a column fit one kind: how many are filled, how many of these are bad, and the first
    of those.
    """

    filled: int = 0
    bad: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, cells: polars.Series, bad: numpy.ndarray, first_row: int) -> None:
        """Count a block of cells; `first_row` is the number of its first row, from 1."""
        self.filled += len(cells) - cells.null_count()
        where = numpy.flatnonzero(bad)
        self.bad += len(where)
        for i in where[: EXAMPLES - len(self.examples)].tolist():
            self.examples.append(f"'{cells[i]}' (row {first_row + i:,})")

    @property
    def share(self) -> float:
        """The share of the filled cells that fit."""
        return 1.0 - self.bad / self.filled if self.filled else 1.0


def cleaned(block: polars.DataFrame) -> list[polars.Series]:
    """Return the columns of texts without surrounding space, and null for the cells that say that they are
    missing.
    """
    import polars

    text = polars.all().str.strip_chars()
    return block.select(polars.when(text.is_in(MISSING)).then(None).otherwise(text).name.keep()).get_columns()


def possible_kinds(decimal: str) -> list[Kind]:
    """Return what a column may be, the first that fits best being chosen; `decimal` is the file's likely
    decimal sign.
    """
    other = "," if decimal == "." else "."
    numbers = [NumberKind(decimal), NumberKind(other)]
    return [*numbers, *(BooleanKind(pair) for pair in _PAIRS), *(DateKind(order) for order in _ORDERS)]


def likely_decimal(columns: list[polars.Series]) -> str:
    """Return "," if some of the columns are numbers only with a decimal comma and none only with a point,
    else ".".
    """
    only = set()
    for cells in columns:
        share = {}
        for decimal in ".,":
            fit = Fit()
            fit.add(cells, NumberKind(decimal).parse(cells)[1], 1)
            share[decimal] = fit.share if fit.filled else 0.0
        if max(share.values()) >= TOLERANCE and share["."] != share[","]:
            only.add(max(share, key=share.__getitem__))
    return "," if only == {","} else "."


def is_number(text: str) -> bool:
    """Return whether a cell can be read as a number, with a decimal point or a decimal comma.

    >>> is_number("-0.5"), is_number("1.234,5 €"), is_number("five")
    (True, True, False)
    """
    plain = re.sub(_UNIT, "", re.sub(_MONEY, r"\1", text.strip().replace("−", "-")))
    return bool(re.match(_DIGITS_POINT, plain) or re.match(_DIGITS_COMMA, plain))


def is_date(text: str) -> bool:
    """Return whether a cell has the form of a date.

    >>> is_date("2024-02-29"), is_date("soon")
    (True, False)
    """
    return any(re.match(pattern, text.strip()) for pattern, _ in _ORDERS.values())


def _floats(cells: polars.Series) -> numpy.ndarray:
    import polars

    return numpy.array(cells.cast(polars.Float64, strict=False).fill_null(float("nan")).to_numpy())


def _missing_among_values(cells: polars.Series) -> numpy.ndarray:
    return cells.str.to_lowercase().is_in(list(MISSING_AMONG_VALUES)).fill_null(False).to_numpy()


def _time_of_day(part: list[Any]) -> numpy.ndarray:
    """Return the time of day in µs (timedelta64) from texts of hour, minute, second, fraction, am or pm, and
    zone.
    """
    import polars

    hour, minute, second = (part[i].cast(polars.Int64).fill_null(0).to_numpy() for i in range(3))
    fraction = part[3].fill_null("0").str.pad_end(9, "0").cast(polars.Int64).to_numpy() // 1000
    half = part[4].str.to_lowercase()
    afternoon, morning = ((half == word).fill_null(False).to_numpy() for word in ("pm", "am"))
    hour = numpy.where(afternoon & (hour < 12), hour + 12, numpy.where(morning & (hour == 12), 0, hour))
    zone = (
        part[5].str.replace("Z", "+0000", literal=True).str.replace(":", "", literal=True).fill_null("+0000")
    )
    ahead = (
        zone.str.slice(1, 2).cast(polars.Int64).to_numpy() * 60
        + zone.str.slice(3, 2).cast(polars.Int64).to_numpy()
    )
    ahead = numpy.where(zone.str.starts_with("-").to_numpy(), -ahead, ahead)
    microseconds = ((hour * 60 + minute - ahead) * 60 + second) * 1_000_000 + fraction
    return microseconds.astype("timedelta64[us]")
