"""Turning a table into the arrays that a network takes, by what was learned from the training rows alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy

from stepgrad.data.table.columns import Booleans, Column, Numbers, Texts
from stepgrad.data.table.described import described, differ, has_type
from stepgrad.data.table.frame import Table, unusable_notes
from stepgrad.data.table.inputs import (
    KINDS,
    BooleanInput,
    DateInput,
    EmbeddingInput,
    Input,
    NumberInput,
    learn_texts,
)
from stepgrad.data.table.strange import refuse_misfits, unlike_training
from stepgrad.data.table.target import ClassTarget, NumberTarget, learn_target, refuse_too_large
from stepgrad.data.table.task import Task
from stepgrad.errors import DataError, suggest_all

VERSION = 1
# Names that a column of row numbers or keys goes by.
_KEY_NAME = re.compile(
    r"(?i:(.*[ _.-])?(id|idx|index|no|nr|key|row|rownames|uuid|번호|순번|연번)|#|unnamed \d+)"
    r"|.*[a-z](Id|ID)"
)


@dataclass(frozen=True, eq=False)
class Prepared:
    """Inputs of a network: `numbers` float32 (rows, D), `codes` int64 (rows, K) for K embeddings, and
    `notes`.
    """

    numbers: numpy.ndarray
    codes: numpy.ndarray
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class PreparedColumn:
    """One input of the network: its `name`, the column that it comes from (`origin`), and its place.

    `array` is "numbers" or "codes", `position` the column in that array of `Prepared`.
    """

    name: str
    origin: str
    array: str
    position: int


class Preparation:
    """How the columns of a table become the inputs and the target of a network.

    `columns` has one input for each column that is used, `target` the target, `task` the `Task`; `notes` say
    which columns were left out, and why.

    >>> table = Table.from_arrays({"size": [1.0, 2.0, 3.0], "price": [1.0, 3.0, 5.0]})
    >>> preparation = Preparation.fit(table, "price", Task("regression", "a number"), numpy.arange(3))
    >>> preparation.transform(table).numbers.shape, preparation.target_values(table).dtype.name
    ((3, 1), 'float32')
    >>> Preparation.from_config(preparation.to_config()).to_config() == preparation.to_config()
    True
    """

    def __init__(
        self,
        columns: list[Input],
        target: ClassTarget | NumberTarget,
        task: Task,
        notes: list[str] | None = None,
    ) -> None:
        self.columns = columns
        self.target = target
        self.task = task
        self.notes = list(notes or [])

    @classmethod
    def fit(
        cls, table: Table, target: str, task: Task, rows: numpy.ndarray, bounded: bool = True
    ) -> Preparation:
        """Learn from the given rows of the table, which must have a target.

        `bounded`: whether predicted numbers stay within the range of the target in these rows and a tenth of
        it on either side. Raises `DataError` if no column is of use, or if a cell is infinite.
        """
        answers = _finite(table.column(target), target, "the target")
        if task.kind == "regression":
            refuse_too_large(target, answers)
        learned = learn_target(target, answers.rows(rows), task, bounded)
        columns, notes = [], []
        for name, column in table:
            if name == target:
                continue
            found = _learn(name, column, rows)
            if isinstance(found, str):
                notes.append(f"column '{name}' is left out: it {found}.")
            else:
                columns.append(found)
        if not columns:
            reasons = " ".join([*unusable_notes(table.unusable), *notes]) or "The table has no other column."
            raise DataError(f"no column is left to predict '{target}' from. {reasons}")
        return cls(columns, learned, task, notes)

    @property
    def width(self) -> int:
        """How many numbers a row becomes, its codes apart."""
        return sum(len(each.names) for each in self.columns)

    @property
    def inputs(self) -> list[PreparedColumn]:
        """Every input of the network and the column that it comes from: first the numbers, then the codes."""
        numbers = [(name, each.origin) for each in self.columns for name in each.names]
        codes = [(each.origin, each.origin) for each in self.embeddings]
        return [PreparedColumn(*pair, "numbers", i) for i, pair in enumerate(numbers)] + [
            PreparedColumn(*pair, "codes", i) for i, pair in enumerate(codes)
        ]

    @property
    def embeddings(self) -> list[EmbeddingInput]:
        """The columns that need an embedding, in the order of `Prepared.codes`; each knows its size and
        dimension.
        """
        return [each for each in self.columns if isinstance(each, EmbeddingInput)]

    def transform(self, table: Table, rows: numpy.ndarray | None = None) -> Prepared:
        """Prepare the given rows, or all.

        The table may have other columns and another order. Raises `DataError` if a column is not there, holds
        another kind of cells than in training, or is infinite somewhere.
        """
        self._refuse_absent_columns(table)
        count = len(table) if rows is None else len(rows)
        numbers = numpy.empty((count, self.width), dtype=numpy.float32)
        codes = numpy.empty((count, len(self.embeddings)), dtype=numpy.int64)
        notes, done, embedded = [], 0, 0
        for each in self.columns:
            column = _finite(table.columns[each.origin], each.origin)
            refuse_misfits(each, column)
            column = column if rows is None else column.rows(rows)
            if isinstance(each, EmbeddingInput):
                codes[:, embedded] = each.codes(column)
                embedded += 1
            else:
                numbers[:, done : done + len(each.names)] = each.numbers(column)
                done += len(each.names)
            notes += unlike_training(each, column, rows)
        return Prepared(numbers, codes, notes)

    def target_values(self, table: Table, rows: numpy.ndarray | None = None) -> numpy.ndarray:
        """Return the target of the given rows, or all: int64 class numbers, or standardised float32, shape
        (rows,).
        """
        column = table.column(self.target.origin)
        return self.target.values(column if rows is None else column.rows(rows))

    def to_config(self) -> dict[str, Any]:
        """Return everything as a dict of plain values that JSON keeps exactly."""
        return {
            "version": VERSION,
            "task": asdict(self.task),
            "target": {"kind": self.target.kind, **asdict(self.target)},
            "columns": [{"kind": each.kind, **asdict(each)} for each in self.columns],
            "notes": list(self.notes),
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Preparation:
        """Return the preparation that `to_config` described. Raises `DataError` if the description is
        damaged.
        """
        if not isinstance(config, Mapping):
            raise DataError(
                f"the description of the preparation is damaged ({type(config).__name__}: it is no object)."
            )
        if config.get("version") != VERSION:
            raise DataError(
                f"the preparation has version {config.get('version')!r}, this stepgrad reads {VERSION}; "
                "use the stepgrad that wrote it."
            )
        targets = {each.kind: each for each in (ClassTarget, NumberTarget)}
        try:
            columns = [_from_config(each, KINDS) for each in config["columns"]]
            target = _from_config(config["target"], targets)
            task, notes = described(Task, config["task"]), config["notes"]
            _refuse_flaws(columns, target, task, notes)
            return cls(columns, target, task, notes)
        except DataError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(
                f"the description of the preparation is damaged ({type(error).__name__}: {error})."
            ) from None

    def _refuse_absent_columns(self, table: Table) -> None:
        absent = [each.origin for each in self.columns if each.origin not in table.columns]
        if absent:
            listed = ", ".join(f"'{name}'" for name in absent)
            known = {each.origin for each in self.columns}
            others = [name for name in table.names if name not in known]
            raise DataError(
                f"the table lacks {listed}, which the network needs.{suggest_all(absent, others)}"
            )


def _learn(name: str, column: Column, rows: numpy.ndarray) -> Input | str:
    column = _finite(column, name).rows(rows)
    if isinstance(column, Numbers):
        if _KEY_NAME.fullmatch(name) and _is_key(column):
            return "numbers the rows, each with a number of its own"
        return NumberInput.learn(name, column)
    if isinstance(column, Texts):
        return learn_texts(name, column)
    learn: Callable[[str, Column], Input | str] = (
        BooleanInput.learn if isinstance(column, Booleans) else DateInput.learn
    )
    return learn(name, column)


def _is_key(column: Numbers) -> bool:
    values = column.values
    if column.missing().any() or (values != numpy.round(values)).any():
        return False
    return len(numpy.unique(values)) == len(values)


def _finite(column: Column, name: str, what: str = "column") -> Column:
    """Return the column itself, or refuse it for an infinite cell, named by its row in the whole table."""
    if isinstance(column, Numbers):
        infinite = numpy.flatnonzero(numpy.isinf(column.values))
        if len(infinite):
            raise DataError(
                f"{what} '{name}' is {column.values[infinite[0]]} in row {infinite[0] + 1:,}; a network "
                "needs finite numbers: correct the cell or leave it empty."
            )
    return column


def _from_config(config: Mapping[str, Any], kinds: Mapping[str, type]) -> Any:
    values = dict(config)
    kind = values.pop("kind")
    if kind not in kinds:
        raise DataError(f"the preparation has a column of the unknown kind '{kind}'; use a newer stepgrad.")
    return described(kinds[kind], values)


def _refuse_flaws(
    columns: list[Input], target: ClassTarget | NumberTarget, task: Task, notes: object
) -> None:
    """Raise `ValueError` if parts that a file describes do not go together."""
    names = [each.origin for each in columns]
    classes = target.classes if isinstance(target, ClassTarget) else []
    if not names or not differ([*names, target.origin]):
        raise ValueError("there is no column, or one is there twice")
    if classes != task.classes:
        raise ValueError("the target has other classes than the task")
    if not has_type(notes, list[str]):
        raise ValueError("its notes are no list of texts")
