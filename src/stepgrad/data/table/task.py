"""What there is to learn about a target column: a number, one of two classes, or one of many."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy

from stepgrad.data.table.cells import is_number
from stepgrad.data.table.columns import Booleans, Column, Dates, Numbers, Texts
from stepgrad.data.table.frame import Table
from stepgrad.errors import ArgumentError, DataError, suggest

TASKS = ("regression", "binary", "multiclass")
FEW_CLASSES = 10  # whole numbers with at most so many different values are taken for classes …
ROWS_PER_CLASS = 5  # … if there are so many rows to each on average


@dataclass(frozen=True)
class Task:
    """A task: its `kind` ("regression", "binary" or "multiclass"), the `reason` for it, and the `classes` it
    has.

    `classes` are labels in order, two for "binary", none for "regression".
    """

    kind: str
    reason: str
    classes: list[str] = field(default_factory=list)

    def flaw(self) -> str | None:
        """Return what cannot be in one that a file describes."""
        count = len(self.classes)
        fits = {"regression": count == 0, "binary": count == 2, "multiclass": count > 1}
        return None if fits.get(self.kind) else f"{count} classes are no task of the kind '{self.kind}'"


def find_task(table: Table, target: str, override: str | None = None) -> Task:
    """Find the task from the target column, or check the one that the person asked for.

    Texts and booleans are classes; so are numbers of two values, and whole numbers of up to ten values with
    five rows or more to each; other numbers are regression. Raises `DataError` if there is nothing to learn
    (no filled cell, one value, texts that hardly ever repeat, dates) or if the column does not fit
    `override`, `ArgumentError` if that is no task.

    >>> table = Table.from_arrays({"price": [1.5, 2.25, 9.0, 7.0], "sold": [True, False, True, False]})
    >>> find_task(table, "sold").kind, find_task(table, "price").kind
    ('binary', 'regression')
    """
    if override is not None and override not in TASKS:
        raise ArgumentError(
            f"there is no task '{override}'.{suggest(override, TASKS)} Tasks are {', '.join(TASKS)}."
        )
    column = table.column(target)
    if isinstance(column, Dates):
        raise DataError(
            f"the target '{target}' is a date, which cannot be predicted; make it a number, such as its days."
        )
    codes, labels = column.labels()
    _refuse_nothing_to_learn(target, codes, labels)
    if override is None:
        kind, reason = _natural_task(target, column, codes, labels)
    else:
        kind, reason = override, f"you asked for {override}"
        _refuse_misfit(target, column, override, labels)
    if kind == "regression":
        return Task(kind, reason)
    _refuse_endless_classes(target, column, codes, labels)
    return Task(kind, reason, labels)


def _natural_task(target: str, column: Column, codes: numpy.ndarray, labels: list[str]) -> tuple[str, str]:
    count, rows = len(labels), int((codes >= 0).sum())
    if count == 2:
        return "binary", f"'{target}' has two values, {labels[0]} and {labels[1]}"
    if isinstance(column, (Texts, Booleans)):
        return "multiclass", f"'{target}' has {count} different texts"
    if count <= FEW_CLASSES and rows >= ROWS_PER_CLASS * count and _are_whole(column):
        return (
            "multiclass",
            f"'{target}' has only {count} different whole numbers; ask for regression if it is a quantity",
        )
    return "regression", f"'{target}' is a number with {count:,} different values"


def _are_whole(column: Column) -> bool:
    assert isinstance(column, Numbers)
    values = column.values[~column.missing()]
    return bool((values == numpy.round(values)).all())


def _refuse_nothing_to_learn(target: str, codes: numpy.ndarray, labels: list[str]) -> None:
    if not labels:
        raise DataError(f"every cell of the target '{target}' is missing; choose another target.")
    if len(labels) == 1:
        raise DataError(
            f"the target '{target}' is always '{labels[0]}': there is nothing to learn; choose another."
        )


def _refuse_misfit(target: str, column: Column, task: str, labels: list[str]) -> None:
    if task == "regression" and not isinstance(column, Numbers):
        what = f"texts such as '{labels[0]}'" if isinstance(column, Texts) else "booleans"
        raise DataError(
            f"the target '{target}' holds {what}, so regression is impossible; leave the task open."
        )
    if task == "binary" and len(labels) != 2:
        shown = ", ".join(labels[:5]) + (", …" if len(labels) > 5 else "")
        raise DataError(
            f"the target '{target}' has {len(labels):,} values ({shown}), a binary task needs exactly two."
        )


def _refuse_endless_classes(target: str, column: Column, codes: numpy.ndarray, labels: list[str]) -> None:
    rows = int((codes >= 0).sum())
    if rows >= 2 * len(labels):
        return
    message = (
        f"the target '{target}' has {len(labels):,} different values in {rows:,} rows; classes that hardly "
        "ever repeat cannot be learned."
    )
    if isinstance(column, Numbers):
        raise DataError(f"{message} Ask for regression.")
    odd = [label for label in labels if not is_number(label)]
    if 0 < len(odd) < len(labels) / 2:
        row = int(numpy.flatnonzero(codes == labels.index(odd[0]))[0]) + 1
        raise DataError(
            f"{message} If it is a number, correct the cells that are none, such as '{odd[0]}' (row {row:,})."
        )
    raise DataError(f"{message} Choose another target.")
