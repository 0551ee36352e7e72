"""The target column as a network learns it: class numbers, or a standardised number and the way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy

from stepgrad.data.table.columns import Column
from stepgrad.data.table.inputs import as_numbers
from stepgrad.data.table.task import Task
from stepgrad.errors import DataError


@dataclass
class ClassTarget:
    """Classes as int64 numbers, in the order of `classes`."""

    kind: ClassVar[str] = "classes"
    origin: str
    classes: list[str]

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
    side, so that a network cannot predict far beyond anything it has seen. A long upper tail is left as
    it is: learning the logarithm instead made the squared error larger on seven of nine tables.
    """

    kind: ClassVar[str] = "number"
    origin: str
    mean: float
    scale: float
    low: float
    high: float

    @classmethod
    def learn(cls, origin: str, column: Column) -> NumberTarget:
        """Learn from the training rows. Raises `DataError` if the target has one value."""
        values = as_numbers(column, origin)
        if values.min() == values.max():
            raise DataError(
                f"the target '{origin}' has one value in the training rows; there is nothing to learn."
            )
        margin = (values.max() - values.min()) / 10
        low, high = float(values.min() - margin), float(values.max() + margin)
        return cls(origin, float(values.mean()), float(values.std()), low, high)

    def values(self, column: Column) -> numpy.ndarray:
        """Return the standardised target, float32. Raises `DataError` for a missing cell."""
        values = as_numbers(column, self.origin)
        _refuse_missing(self.origin, column)
        return ((values - self.mean) / self.scale).astype(numpy.float32)

    def original(self, outputs: numpy.ndarray) -> numpy.ndarray:
        """Return outputs of the network, shape (rows,), as float64 in the units of the target column."""
        values = outputs.astype(numpy.float64) * self.scale + self.mean
        return numpy.clip(values, self.low, self.high)


def learn_target(origin: str, column: Column, task: Task) -> ClassTarget | NumberTarget:
    """Return the target learned from the training rows; classes are those of the task, whether in these rows
    or not.
    """
    if task.kind == "regression":
        return NumberTarget.learn(origin, column)
    return ClassTarget(origin, list(task.classes))


def _refuse_missing(origin: str, column: Column) -> None:
    missing = numpy.flatnonzero(column.missing())
    if len(missing):
        raise DataError(f"the target '{origin}' is missing in row {missing[0] + 1:,}; leave such rows out.")
