"""The target column as a network learns it: class numbers, or a standardised number and the way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy

from stepgrad.data.table.columns import Column
from stepgrad.data.table.described import differ
from stepgrad.data.table.inputs import as_numbers
from stepgrad.data.table.task import Task
from stepgrad.errors import DataError

SMALLEST, LARGEST = 1e-150, 1e150  # of numbers whose squares, and sums of these, float64 holds


@dataclass
class ClassTarget:
    """Classes as int64 numbers, in the order of `classes`."""

    kind: ClassVar[str] = "classes"
    origin: str
    classes: list[str]

    def flaw(self) -> str | None:
        """Return what cannot be in one that a file describes."""
        return None if len(self.classes) > 1 and differ(self.classes) else "its classes are not two or more"

    def values(self, column: Column) -> numpy.ndarray:
        """Return the class numbers. Raises `DataError` for a missing cell or a class that is not among
        `classes`.
        """
        codes, labels = column.labels()
        _refuse_missing(self.origin, column)
        unknown = [label for label in labels if label not in self.classes]
        if unknown:
            row = int(numpy.flatnonzero(codes == labels.index(unknown[0]))[0]) + 1
            raise DataError(
                f"the target '{self.origin}' is '{unknown[0]}' in row {row:,}, a class that the network "
                f"does not know; it knows {', '.join(self.classes[:8])}{', …' * (len(self.classes) > 8)}."
            )
        place = numpy.array([self.classes.index(label) for label in labels], dtype=numpy.int64)
        return place[codes]


@dataclass
class NumberTarget:
    """A number, standardised.

    `low` and `high` bound the predictions: the range of the training rows and a tenth of it on either
    side, so that a network cannot predict far beyond anything it has seen. Both are None where predictions
    have no bounds. A long upper tail is left as it is: learning the logarithm instead made the squared
    error larger on seven of nine tables.
    """

    kind: ClassVar[str] = "number"
    origin: str
    mean: float
    scale: float
    low: float | None
    high: float | None

    def flaw(self) -> str | None:
        """Return what cannot be in one that a file describes."""
        if self.low is None or self.high is None:
            has_limits = self.low is self.high
        else:
            has_limits = self.low < self.high
        return None if has_limits and self.scale > 0 else "its scale or its bounds are none"

    @classmethod
    def learn(cls, origin: str, column: Column, bounded: bool = True) -> NumberTarget:
        """Learn from the training rows. Raises `DataError` if the target has one value."""
        values = as_numbers(column, origin)
        spread = float(values.max() - values.min())
        if not spread:
            raise DataError(
                f"the target '{origin}' has one value in the training rows; there is nothing to learn."
            )
        if spread < SMALLEST:
            raise DataError(
                f"the target '{origin}' varies by {spread:.3g} only, and the squares of such numbers are 0; "
                f"multiply the column."
            )
        low, high = float(values.min()) - spread / 10, float(values.max()) + spread / 10
        bounds = (low, high) if bounded else (None, None)
        return cls(origin, float(values.mean()), float(values.std()), *bounds)

    def values(self, column: Column) -> numpy.ndarray:
        """Return the standardised target, float32. Raises `DataError` for a missing cell."""
        values = as_numbers(column, self.origin)
        _refuse_missing(self.origin, column)
        return ((values - self.mean) / self.scale).astype(numpy.float32)

    def original(self, outputs: numpy.ndarray) -> numpy.ndarray:
        """Return outputs of the network, shape (rows,), as float64 in the units of the target column."""
        values = outputs.astype(numpy.float64) * self.scale + self.mean
        return values if self.low is None else numpy.clip(values, self.low, self.high)

    def notes(self, values: numpy.ndarray) -> list[str]:
        """Return a sentence about those of the predicted `values` that are a bound, if there are some."""
        if self.low is None or self.high is None:
            return []
        bounded = int(((values == self.low) | (values == self.high)).sum())
        if not bounded:
            return []
        lie = "prediction lies" if bounded == 1 else "predictions lie"
        return [
            f"{bounded:,} {lie} at the limit of what the network predicts, {self.low:.6g} to "
            f"{self.high:.6g}: the range of '{self.origin}' in training and a tenth of it on either side."
        ]


def learn_target(origin: str, column: Column, task: Task, bounded: bool = True) -> ClassTarget | NumberTarget:
    """Return the target learned from the training rows; classes are those of the task, whether in these rows
    or not. `bounded`: whether predicted numbers stay near the range of these rows.
    """
    if task.kind == "regression":
        return NumberTarget.learn(origin, column, bounded)
    return ClassTarget(origin, list(task.classes))


def refuse_too_large(origin: str, column: Column) -> None:
    """Raise `DataError` for a number of the target of which the square is not finite, naming its row."""
    values = as_numbers(column, origin)
    beyond = numpy.flatnonzero(abs(values) > LARGEST)
    if len(beyond):
        raise DataError(
            f"the target '{origin}' is {values[beyond[0]]:.6g} in row {beyond[0] + 1:,}, of which the square "
            f"is not finite; divide the column."
        )


def _refuse_missing(origin: str, column: Column) -> None:
    missing = numpy.flatnonzero(column.missing())
    if len(missing):
        raise DataError(f"the target '{origin}' is missing in row {missing[0] + 1:,}; leave such rows out.")
