"""What a worked step is made of: its lines, and the numbers that they start from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from stepgrad.explain.expressions import Expression
from stepgrad.explain.names import Name

KINDS = ("forward", "loss", "local", "chain", "update", "after")


@dataclass(frozen=True)
class Given:
    """A number that lines use and that has none: of the input, the target, a parameter, the optimizer.

    `text` is the number in full, `origin` what it belongs to ("input", "target", "parameter", "buffer",
    "state", "rate"; "computed" in the step, where it was not picked to be written out), `module` the path of
    the module that holds it, `label` what a person calls it, such as a column of a table.

    >>> import stepgrad as sg
    >>> model = sg.nn.Linear(1, 1)
    >>> rate = sg.optim.SGD(model.parameters(), lr=0.5)
    >>> worked = sg.explain(model, sg.nn.MSELoss(), rate, [2.0], [1.0])
    >>> worked.given[0].symbol, worked.given[0].origin
    ('w⁽¹⁾', 'parameter')
    """

    id: str
    symbol: str
    value: Any
    text: str
    origin: str
    module: str
    name: Name = field(repr=False)
    label: str = ""


@dataclass(frozen=True)
class Line:
    """One line: ``symbol = formula = substituted = text``.

    * `id`: stable, see docs/explain.md. `kind`: one of `KINDS`; "after" is the forward pass with the new
      parameters.
    * `symbol`: what is computed, as text (``z⁽¹⁾₁``). `formula`: from what, by name. `substituted`: the
      same with numbers. `text`: the value as it is printed; `value`: in full, a number, or in the matrix
      layout an array.
    * `op`: the operation's name in the registry. `module`: the path of the module that it belongs to, ""
      outside of any; `layer`: the number of the layer, 0 outside.
    * `references`: the ids of the lines and givens that the formula names, each once, in order.
    * `names`: the symbols in the formula, and the id of each.

    A line without a formula (a random number, a user's own function) has "" for formula and substituted.

    >>> import stepgrad as sg
    >>> model = sg.nn.Linear(1, 1)
    >>> rate = sg.optim.SGD(model.parameters(), lr=0.5)
    >>> worked = sg.explain(model, sg.nn.MSELoss(), rate, [2.0], [1.0])
    >>> worked.lines[0].symbol, worked.lines[0].formula
    ('ŷ', 'w⁽¹⁾·x + b⁽¹⁾')
    """

    id: str
    kind: str
    symbol: str
    formula: str
    substituted: str
    value: Any
    text: str
    op: str
    module: str
    layer: int
    references: tuple[str, ...]
    names: dict[str, str] = field(repr=False)
    name: Name = field(repr=False)
    expression: Expression | None = field(repr=False)
    shown: dict[str, str] = field(repr=False)
    """The number that stands for each reference in `substituted`."""
    digits: int = field(repr=False)
    """The significant digits that `substituted` has."""

    def __str__(self) -> str:
        parts = [self.symbol, self.formula, self.substituted, self.text]
        kept = [part for i, part in enumerate(parts) if part and (not i or part != parts[i - 1])]
        return " = ".join(kept)
