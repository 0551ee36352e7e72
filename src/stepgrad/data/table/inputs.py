"""How each kind of column becomes inputs of a network: what is learned from training rows, and its use on any
rows.

Every class has the same face: `learn` looks at the training rows of a column and returns the input, or a
sentence that says why the column is of no use; `names` are the numbers that it gives, `numbers` returns them,
float64 of shape (rows, len(names)); `codes` returns the codes of an embedding. All fields are plain Python
values: they are the whole state, ready for JSON; `flaw` says what cannot be in those that a file describes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy

from stepgrad.data.table.cells import is_date, is_number
from stepgrad.data.table.columns import Booleans, Column, Dates, Numbers, Texts
from stepgrad.data.table.described import differ
from stepgrad.errors import DataError

ONE_HOT_LIMIT = 50  # categories; a column of more texts gets an embedding
FEWEST_ROWS_PER_CATEGORY = 2  # a rarer one counts as unknown
# An indicator of fewer missing cells, and of a smaller share, would only learn the answers of those rows.
FEWEST_GAPS, SMALLEST_SHARE_OF_GAPS = 5, 0.05
TAIL_BOUND, FARTHEST = 3.0, 100.0  # standard deviations
SMALLEST_REACH = 1e-290  # of a column, below which its numbers cannot be standardised
LONG_TAIL_SKEWNESS, LONG_TAIL_KURTOSIS = 1.0, 6.0  # a normal distribution has 0 and 3
_YEAR, _WEEK, _DAY = 365.2425, 7.0, 1.0  # periods of the cycles of a date, in days
_EPOCH = numpy.datetime64("1970-01-01", "us")
_MONDAY = 3.0  # 1970-01-01 was a Thursday


def tells_by_gaps(missing: numpy.ndarray) -> bool:
    """Return whether so many training rows lack a cell that an indicator can learn from them."""
    return bool(missing.sum() >= min(FEWEST_GAPS, SMALLEST_SHARE_OF_GAPS * len(missing)) > 0)


@dataclass
class NumberInput:
    """A column of numbers, standardised, with an indicator if enough training rows lack it.

    A missing cell counts as `middle`, the median. If `long_tailed`, the standardised z becomes
    z / √(1 + (z / 3)²), which is z near 0 and never leaves (-3, 3), so that a few cells far out neither hide
    the others nor drive the network. No z is taken to be beyond ±100.
    """

    kind: ClassVar[str] = "number"
    origin: str
    mean: float
    scale: float
    middle: float
    long_tailed: bool
    indicator: bool

    @classmethod
    def learn(cls, origin: str, column: Column) -> NumberInput | IndicatorInput | str:
        """Learn from the training rows."""
        cells = as_numbers(column, origin)
        values = cells[~numpy.isnan(cells)]
        some_missing = tells_by_gaps(numpy.isnan(cells))
        if not len(values):
            return "has no filled cell in the training rows"
        # Scaled by half of the range first, so that the square of a huge number does not overflow.
        middle, reach = values.min() / 2 + values.max() / 2, values.max() / 2 - values.min() / 2
        if reach < SMALLEST_REACH:
            if some_missing:
                return IndicatorInput(origin)
            return (
                "has numbers that differ by less than 1e-290"
                if reach
                else "has one value in the training rows"
            )
        mean = float(((values - middle) / reach).mean() * reach + middle)
        scale = float(((values - mean) / reach).std() * reach)
        long_tailed = _has_long_tail((values - mean) / scale)
        return cls(origin, mean, scale, float(numpy.median(values)), long_tailed, some_missing)

    @property
    def names(self) -> list[str]:
        """The names of the numbers."""
        return [self.origin, *([f"{self.origin} is missing"] if self.indicator else [])]

    def flaw(self) -> str | None:
        """Return what is wrong with it."""
        return None if self.scale > 0 else "its scale is not above 0"

    def numbers(self, column: Column) -> numpy.ndarray:
        """Return the prepared numbers."""
        cells = as_numbers(column, self.origin)
        missing = numpy.isnan(cells)
        cells[missing] = self.middle
        with numpy.errstate(over="ignore"):
            z = numpy.clip((cells - self.mean) / self.scale, -FARTHEST, FARTHEST)
        if self.long_tailed:
            z /= numpy.hypot(1.0, z / TAIL_BOUND)
        return numpy.column_stack([z, missing]) if self.indicator else z[:, None]


@dataclass
class IndicatorInput:
    """A column whose filled cells are all the same: only whether a cell is missing tells something."""

    kind: ClassVar[str] = "indicator"
    origin: str

    @property
    def names(self) -> list[str]:
        """The names of the numbers."""
        return [f"{self.origin} is missing"]

    def numbers(self, column: Column) -> numpy.ndarray:
        """Return the prepared numbers."""
        return column.missing()[:, None].astype(numpy.float64)


@dataclass
class BooleanInput:
    """A column of booleans: -1 and 1, 0 where missing, with an indicator if enough training rows lack it."""

    kind: ClassVar[str] = "boolean"
    origin: str
    words: list[str]
    indicator: bool

    @classmethod
    def learn(cls, origin: str, column: Column) -> BooleanInput | IndicatorInput | str:
        """Learn from the training rows."""
        assert isinstance(column, Booleans)
        some_missing = tells_by_gaps(column.missing())
        if len(column.labels()[1]) < 2:
            return IndicatorInput(origin) if some_missing else "has one value in the training rows"
        return cls(origin, list(column.words), some_missing)

    @property
    def names(self) -> list[str]:
        """The names of the numbers."""
        return [self.origin, *([f"{self.origin} is missing"] if self.indicator else [])]

    def flaw(self) -> str | None:
        """Return what is wrong with it."""
        return None if len(self.words) == 2 else "it has not two words"

    def numbers(self, column: Column) -> numpy.ndarray:
        """Return the prepared numbers. Texts are taken by their words, numbers if they are 0 and 1."""
        values = self._values(column)
        return numpy.column_stack([values, values == 0]) if self.indicator else values[:, None]

    def _values(self, column: Column) -> numpy.ndarray:
        if isinstance(column, Booleans):
            return numpy.where(column.missing(), 0.0, 2.0 * column.values - 1.0)
        words = ["0", "1"] if isinstance(column, Numbers) else [word.casefold() for word in self.words]
        codes, labels = column.labels()
        strange = [label for label in labels if label.casefold() not in words]
        if strange:
            raise DataError(
                f"column '{self.origin}' held booleans in training, but holds '{strange[0]}' here."
            )
        value = numpy.array([*(2.0 * words.index(label.casefold()) - 1.0 for label in labels), 0.0])
        return value[codes]


@dataclass
class CategoryInput:
    """A column of few texts: a number for each text, 1 where it stands and 0 elsewhere; two texts share one,
    -1 and 1.

    A text that no training row has, or hardly any, is 0 everywhere. Missing counts as a text if some training
    row lacks it.
    """

    kind: ClassVar[str] = "category"
    origin: str
    categories: list[str]
    indicator: bool

    @property
    def names(self) -> list[str]:
        """The names of the numbers."""
        shown = self.categories[1:] if len(self.categories) == 2 else self.categories
        missing = [f"{self.origin} is missing"] if self.indicator else []
        return [f"{self.origin} = {text}" for text in shown] + missing

    def flaw(self) -> str | None:
        """Return what is wrong with it."""
        return None if differ(self.categories) else "a category is there twice"

    def numbers(self, column: Column) -> numpy.ndarray:
        """Return the prepared numbers."""
        codes = as_codes(column, self.categories, self.origin)
        count = len(self.categories)
        # Rows of `table`: each text, then missing, then unknown, which the codes -2 and -1 find from the end.
        table = numpy.zeros((count + 2, len(self.names)))
        if count == 2:
            table[:2, 0] = -1.0, 1.0
        else:
            table[:count, :count] = numpy.eye(count)
        if self.indicator:
            table[count, -1] = 1.0
        return table[codes]


@dataclass
class EmbeddingInput:
    """A column of many texts: a code for each, 0 for all that are unknown or rare, the last for missing if
    there is one.

    `dimension` is the width of the embedding that the codes are meant for, 1.6 · size^0.56 up to 16. If
    `has_rare` is false, no training row has the code 0, so the embedding's first row is best set to zeros.
    """

    kind: ClassVar[str] = "embedding"
    origin: str
    categories: list[str]
    indicator: bool
    has_rare: bool
    names: ClassVar[list[str]] = []

    @property
    def size(self) -> int:
        """How many codes there are."""
        return 1 + len(self.categories) + self.indicator

    @property
    def dimension(self) -> int:
        """The width of the embedding."""
        return min(16, round(1.6 * self.size**0.56))

    def flaw(self) -> str | None:
        """Return what is wrong with it."""
        return None if differ(self.categories) else "a category is there twice"

    def codes(self, column: Column) -> numpy.ndarray:
        """Return the codes, int64 of shape (rows,)."""
        codes = as_codes(column, self.categories, self.origin)
        missing = len(self.categories) + 1 if self.indicator else 0
        return numpy.where(codes == MISSING, missing, codes + 1)


@dataclass
class DateInput:
    """A column of dates: the time elapsed, and its place in the year, the week and the day as points on
    circles.

    `used` are those of the numbers that vary in the training rows, `mean` and `scale` their standardisation.
    Missing cells are 0, the mean, with an indicator if enough training rows lack the date.
    """

    kind: ClassVar[str] = "date"
    origin: str
    used: list[str]
    mean: list[float]
    scale: list[float]
    indicator: bool

    @classmethod
    def learn(cls, origin: str, column: Column) -> DateInput | IndicatorInput | str:
        """Learn from the training rows."""
        missing = column.missing()
        if missing.all():
            return "has no filled cell in the training rows"
        parts = {name: values[~missing] for name, values in _date_parts(column, origin).items()}
        used = [name for name, values in parts.items() if numpy.ptp(values) > 1e-9]
        if not used:
            return IndicatorInput(origin) if tells_by_gaps(missing) else "has one value in the training rows"
        mean = [float(parts[name].mean()) for name in used]
        scale = [float(parts[name].std()) for name in used]
        return cls(origin, used, mean, scale, tells_by_gaps(missing))

    @property
    def names(self) -> list[str]:
        """The names of the numbers."""
        return [f"{self.origin}: {name}" for name in self.used] + [
            f"{self.origin} is missing"
        ] * self.indicator

    def flaw(self) -> str | None:
        """Return what is wrong with it."""
        known = _date_parts(Dates(numpy.empty(0, "datetime64[us]")), self.origin)
        if not self.used or not differ(self.used) or not known.keys() >= set(self.used):
            return "it uses other parts than a date has"
        lengths_fit = len(self.mean) == len(self.scale) == len(self.used)
        return None if lengths_fit and min(self.scale) > 0 else "its standardisation does not fit its parts"

    def numbers(self, column: Column) -> numpy.ndarray:
        """Return the prepared numbers."""
        parts = _date_parts(column, self.origin)
        values = (numpy.stack([parts[name] for name in self.used], axis=1) - self.mean) / self.scale
        missing = column.missing()
        values[missing] = 0.0
        return numpy.column_stack([values, missing]) if self.indicator else values


Input = NumberInput | IndicatorInput | BooleanInput | CategoryInput | EmbeddingInput | DateInput
KINDS: dict[str, type] = {
    each.kind: each
    for each in (NumberInput, IndicatorInput, BooleanInput, CategoryInput, EmbeddingInput, DateInput)
}
UNKNOWN, MISSING = -1, -2


def learn_texts(origin: str, column: Texts) -> Input | str:
    """Learn a column of texts from its training rows: one-hot for few texts, an embedding for many."""
    codes, labels = column.labels()
    missing = codes < 0
    counts = numpy.bincount(codes[~missing], minlength=len(labels))
    some_missing = tells_by_gaps(missing)
    if not labels:
        return "has no filled cell in the training rows"
    if len(labels) == 1:
        return IndicatorInput(origin) if some_missing else "has one value in the training rows"
    if counts.max() == 1 and len(labels) > 2:
        return "has a different text in every row, as a name has"
    kept = [text for text, count in zip(labels, counts, strict=True) if count >= FEWEST_ROWS_PER_CATEGORY]
    if len(kept) <= ONE_HOT_LIMIT:
        return CategoryInput(origin, kept, some_missing)
    return EmbeddingInput(origin, kept, some_missing, len(kept) < len(labels))


def as_numbers(column: Column, origin: str) -> numpy.ndarray:
    """Return the cells as a new float64 array, NaN where missing. Raises `DataError` for texts and dates."""
    if isinstance(column, Booleans):
        return numpy.where(column.missing(), numpy.nan, column.values.astype(numpy.float64))
    if not isinstance(column, Numbers):
        raise other_kind(column, origin, "numbers")
    return column.values.astype(numpy.float64)


def as_codes(column: Column, categories: list[str], origin: str) -> numpy.ndarray:
    """Return each cell's place among `categories`; `UNKNOWN` (-1) if it has none, `MISSING` (-2) if it is
    missing.
    """
    if isinstance(column, Dates):
        raise other_kind(column, origin, "texts")
    codes, labels = column.labels()
    place = {text: i for i, text in enumerate(categories)}
    lookup = numpy.array([*(place.get(label, UNKNOWN) for label in labels), MISSING], dtype=numpy.int64)
    return lookup[codes]


def _date_parts(column: Column, origin: str) -> dict[str, numpy.ndarray]:
    if not isinstance(column, Dates):
        if not column.missing().all():
            raise other_kind(column, origin, "dates")
        column = Dates(numpy.full(len(column), "NaT", dtype="datetime64[us]"))
    days = (column.values - _EPOCH) / numpy.timedelta64(1, "D")
    parts = {"time elapsed": days}
    for period, word, shift in ((_YEAR, "year", 0.0), (_WEEK, "week", _MONDAY), (_DAY, "day", 0.0)):
        angle = 2.0 * numpy.pi * ((days + shift) / period % 1.0)
        parts[f"sine of the {word}"] = numpy.sin(angle)
        parts[f"cosine of the {word}"] = numpy.cos(angle)
    return parts


def _has_long_tail(z: numpy.ndarray) -> bool:
    return bool(abs((z**3).mean()) > LONG_TAIL_SKEWNESS or (z**4).mean() > LONG_TAIL_KURTOSIS)


def other_kind(column: Column, origin: str, expected: str) -> DataError:
    """Return the error for a column that held `expected` ("numbers", "dates", "texts") in training; of texts
    it names the first cell that is to blame, and its row.
    """
    codes, labels = column.labels() if isinstance(column, Texts) else (numpy.empty(0), [])
    if labels:
        is_one = {"numbers": is_number, "dates": is_date}[expected]
        # Numbers and dates that stand there as texts are all to blame.
        wrong = [i for i, label in enumerate(labels) if not is_one(label)] or range(len(labels))
        row = numpy.flatnonzero(numpy.isin(codes, wrong))[0]
        return DataError(
            f"column '{origin}' held {expected} in training, but holds texts such as "
            f"'{labels[codes[row]]}' (row {row + 1:,}) here; correct its cells."
        )
    word = {Texts: "texts", Dates: "dates", Numbers: "numbers", Booleans: "booleans"}[type(column)]
    return DataError(
        f"column '{origin}' held {expected} in training, but holds {word} here; correct its cells."
    )
