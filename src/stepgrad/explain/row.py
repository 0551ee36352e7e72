"""The row of a person's table that a step was taken on: what it became, and what the network answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy

from stepgrad.data.table.columns import Booleans, Column, Numbers, cell_text, number_text
from stepgrad.data.table.frame import Table
from stepgrad.data.table.inputs import EmbeddingInput, NumberInput
from stepgrad.data.table.prepare import Preparation, Prepared
from stepgrad.data.table.target import ClassTarget
from stepgrad.explain import notation
from stepgrad.explain.evaluate import evaluate
from stepgrad.explain.names import Name

_DIGITS = (6, 9, 12, 17)  # tried one after the other until a formula gives its value
_CLOSE = 5e-6  # relative: prepared numbers are float32, and printed with six digits


@dataclass(frozen=True)
class Became:
    """One input that a cell became: its `name` in the step, what it is called, its value, and the `formula`
    that gives it from the cell ("" where it is a mark, 0 or 1).
    """

    symbol: str
    label: str
    value: float
    formula: str = ""


@dataclass(frozen=True)
class Cell:
    """A cell of the row as the person wrote it ("" if it is empty), and the inputs that it became.

    `kind` is that of the preparation: "number", "category", "boolean", "date", "embedding", "indicator", or
    "unused" for a column that the network does not use. `stand_in`: what counts in place of an empty cell.
    """

    column: str
    text: str
    kind: str
    inputs: tuple[Became, ...] = ()
    stand_in: str = ""


@dataclass(frozen=True)
class Answer:
    """What the network says of one class, or of the number that it predicts (`label` is the column).

    `before` and `after` are the output, and what it means: a probability, or a number in the units of the
    column; `after` is None without an update. `formula` gives the probability or number before. `is_target`:
    whether it is what the row is compared with.
    """

    label: str
    before: float
    after: float | None
    formula: str
    is_target: bool


@dataclass(frozen=True)
class Row:
    """A row of a table, `number` counted from 1, with its cells, the column `target`, and the answers."""

    number: int
    target: str
    expected: str
    cells: tuple[Cell, ...]
    answers: tuple[Answer, ...]
    is_class: bool

    def faults(self) -> list[tuple[str, str, str]]:
        """Return what is not true: where, what is said, and what its formula gives."""
        found = []
        said = [(each.symbol, each.value, each.formula) for cell in self.cells for each in cell.inputs]
        said += [(each.label, each.before, each.formula) for each in self.answers]
        for name, value, formula in said:
            if formula and not _gives(formula, value):
                found.append((name, f"{value:.9g}", f"{evaluate(formula):.9g}"))
        return found


def _gives(formula: str, value: float) -> bool:
    return abs(float(evaluate(formula)) - value) <= _CLOSE * max(abs(value), 1e-3)


def read_cells(preparation: Preparation, table: Table, prepared: Prepared) -> tuple[Cell, ...]:
    """Return the cells of a table of one row, and what `prepared` made of them."""
    has_codes = prepared.codes.shape[1] > 0
    base = "x1" if has_codes else "x"
    cells, done, embedded = [], 0, 0
    known = {each.origin: each for each in preparation.columns}
    places: dict[str, tuple[int, int]] = {}
    for each in preparation.columns:
        places[each.origin] = done, embedded
        done, embedded = done + len(each.names), embedded + isinstance(each, EmbeddingInput)
    for name, column in table:
        if name == preparation.target.origin:
            continue
        text = cell_text(column, 0)
        if name not in known:
            cells.append(Cell(name, text, "unused"))
            continue
        own, (first, code) = known[name], places[name]
        if isinstance(own, EmbeddingInput):
            symbol = _symbol("x2", code, prepared.codes.shape[1])
            value = int(prepared.codes[0, code])
            cells.append(Cell(name, text, own.kind, (Became(symbol, name, value),)))
            continue
        inputs = [
            Became(
                _symbol(base, first + i, prepared.numbers.shape[1]),
                label,
                float(prepared.numbers[0, first + i]),
            )
            for i, label in enumerate(own.names)
        ]
        stand_in = ""
        if isinstance(own, NumberInput):
            inputs[0], stand_in = _scaled(own, inputs[0], column), "" if text else number_text(own.middle)
        cells.append(Cell(name, text, own.kind, tuple(inputs), stand_in))
    return tuple(cells)


def _symbol(base: str, place: int, count: int) -> str:
    return Name(base, index=(place,) if count > 1 else ()).text()


def _scaled(own: NumberInput, made: Became, column: Column) -> Became:
    """Return a standardised number with its formula, in as many digits as it takes."""
    cell = own.middle if column.missing()[0] else float(_number(column))
    formula = standardised(cell, own.mean, own.scale, made.value, own.long_tailed)
    if formula:
        return Became(made.symbol, made.label, made.value, formula)
    return made  # so far out that it counts as the farthest


def standardised(cell: float, mean: float, scale: float, value: float, is_long_tailed: bool = False) -> str:
    """Return how a number of a column became `value`, in as many digits as it takes; "" if it did not so.

    >>> standardised(31.0, 23.5, 5.0, 1.5)
    '(31 − 23.5)/5'
    """
    for digits in _DIGITS:
        x, middle, width = (notation.number_text(v, digits) for v in (cell, mean, scale))
        x = f"({x})" if x.startswith("−") else x
        minus = f"+ {middle[1:]}" if middle.startswith("−") else f"− {middle}"
        formula = f"({x} {minus})/{width}"
        if is_long_tailed:
            formula = f"{formula}/√(1 + ({formula}/3)^2)"
        if _gives(formula, value):
            return formula
    return ""


def _number(column: Column) -> Any:
    assert isinstance(column, Numbers | Booleans)
    return column.values[0]


def read_answers(
    preparation: Preparation, before: numpy.ndarray, after: numpy.ndarray | None, expected: Any
) -> tuple[Answer, ...]:
    """Return what outputs (1, outputs) mean; `expected` is the class number, or nothing of a number."""
    target = preparation.target
    shown = [notation.number_text(v, 9) for v in before[0]]
    signed = [f"({text})" if text.startswith("−") else text for text in shown]
    if not isinstance(target, ClassTarget):
        values = [None if x is None else float(target.original(x[:, 0])[0]) for x in (before, after)]
        mean, scale = (notation.number_text(v, 9) for v in (target.mean, target.scale))
        formula = f"{signed[0]}·{scale} + {mean}"
        assert values[0] is not None
        is_bound = not _gives(formula, values[0])
        return (Answer(target.origin, values[0], values[1], "" if is_bound else formula, True),)
    chances = [None if x is None else _chances(x[0]) for x in (before, after)]
    assert chances[0] is not None
    if len(signed) == 1:
        formulas = [f"1 − 1/(1 + e^(−{signed[0]}))", f"1/(1 + e^(−{signed[0]}))"]
    else:
        total = " + ".join(f"e^{text}" for text in signed)
        formulas = [f"e^{text}/({total})" for text in signed]
    return tuple(
        Answer(
            label, float(chances[0][i]), None if chances[1] is None else float(chances[1][i]), formulas[i],
            i == expected,
        )
        for i, label in enumerate(target.classes)
    )  # fmt: skip


def _chances(outputs: numpy.ndarray) -> numpy.ndarray:
    logits = numpy.array([0.0, outputs[0]]) if len(outputs) == 1 else outputs
    powers = numpy.exp(logits - logits.max())
    return powers / powers.sum()
