"""Dividing the rows of a table into training, validation and test parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy

from stepgrad.arrays.random import stream
from stepgrad.data.table.columns import Column, Numbers
from stepgrad.data.table.task import Task
from stepgrad.errors import ArgumentError, DataError

FRACTIONS = (0.7, 0.15, 0.15)
FEWEST_ROWS = 10
_STRATA = 10  # of a numeric target: rows from the low to the high end go to every part


@dataclass(frozen=True, eq=False)
class Split:
    """Row numbers (int64, rising, from 0) of the training, validation and test part, and notes for the
    person.
    """

    train: numpy.ndarray
    validation: numpy.ndarray
    test: numpy.ndarray
    notes: list[str] = field(default_factory=list)


def split_rows(
    target: Column,
    task: Task,
    fractions: Sequence[float] = FRACTIONS,
    seed: int = 0,
    name: str = "the target",
) -> Split:
    """Split the rows whose target is filled, so that each part has about the same mix of classes or range of
    numbers.

    `fractions` are those of training, validation and test; they sum to 1, and the last two may be 0. The same
    seed gives the same split on every machine. Every class has at least one training row. Raises
    `ArgumentError` for impossible fractions and `DataError` for fewer than 10 rows with a target.

    >>> split = split_rows(Numbers(numpy.arange(100.0)), Task("regression", ""), seed=1)
    >>> len(split.train), len(split.validation), len(split.test)
    (70, 15, 15)
    """
    _check_fractions(fractions)
    present = numpy.flatnonzero(~target.missing())
    notes = []
    if len(present) < len(target):
        gone = len(target) - len(present)
        notes.append(f"{gone:,} of {len(target):,} rows are left out because {name} is missing.")
    refuse_few_rows(target, name)
    strata = _strata(target, task)[present]
    random = stream(seed, "split")
    order = numpy.lexsort((random.permutation(len(present)), strata))
    offsets = random.random((2,)).astype(numpy.float64)
    test = _deal(len(order), fractions[2], offsets[0])
    validation = numpy.zeros(len(order), dtype=bool)
    validation[~test] = _deal(int((~test).sum()), fractions[1] / (fractions[0] + fractions[1]), offsets[1])
    part = numpy.where(test, 2, numpy.where(validation, 1, 0))
    if task.classes:
        _give_each_class_a_training_row(part, strata[order])
        notes += _lone_classes(strata, task)
    chosen = present[order]
    train, validation, test = (numpy.sort(chosen[part == i]) for i in range(3))
    return Split(train, validation, test, notes)


def refuse_few_rows(target: Column, name: str = "the target") -> None:
    """Raise `DataError` if fewer than 10 rows have a target."""
    present = len(target) - int(target.missing().sum())
    if present < FEWEST_ROWS:
        have = "row has" if present == 1 else "rows have"
        raise DataError(f"only {present} {have} {name}; training needs at least {FEWEST_ROWS}.")


def _strata(target: Column, task: Task) -> numpy.ndarray:
    if task.classes:
        return target.labels()[0]
    if not isinstance(target, Numbers):
        raise DataError("regression needs a target of numbers.")
    # Missing targets sort last, so that the ranks of the others are those among themselves.
    ranks = numpy.empty(len(target), dtype=numpy.int64)
    ranks[numpy.argsort(target.values, kind="stable")] = numpy.arange(len(target))
    present = int((~target.missing()).sum())
    return ranks * _STRATA // max(present, 1)


def _deal(count: int, fraction: float, offset: float) -> numpy.ndarray:
    """Choose `fraction` of `count` places at even distances, so that any run of places gets its share to
    within one.
    """
    marks = numpy.floor((numpy.arange(count + 1) + offset) * fraction + 1e-9)
    return numpy.diff(marks) > 0


def _give_each_class_a_training_row(part: numpy.ndarray, classes: numpy.ndarray) -> None:
    trained = numpy.unique(classes[part == 0])
    for lacking in numpy.setdiff1d(classes, trained):
        rows = numpy.flatnonzero(classes == lacking)
        part[rows[numpy.argmin(part[rows])]] = 0  # rather from validation than from test


def _lone_classes(codes: numpy.ndarray, task: Task) -> list[str]:
    counts = numpy.bincount(codes, minlength=len(task.classes))
    lone = [label for label, count in zip(task.classes, counts, strict=True) if count == 1]
    if not lone:
        return []
    shown = ", ".join(f"'{label}'" for label in lone[:5]) + (", …" if len(lone) > 5 else "")
    many = "a class has" if len(lone) == 1 else f"{len(lone)} classes have"
    return [f"{many} a single row, which goes into training: {shown}."]


def _check_fractions(fractions: Sequence[float]) -> None:
    fits = len(fractions) == 3 and min(fractions) >= 0 and fractions[0] > 0 and abs(sum(fractions) - 1) < 1e-6
    if not fits:
        raise ArgumentError(
            "the fractions of training, validation and test must be three numbers that sum to 1, not "
            f"{tuple(fractions)}."
        )
