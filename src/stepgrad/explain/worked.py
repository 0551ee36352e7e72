"""`Worked`: a training step written out, line by line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from stepgrad.errors import MissingNameError, suggest
from stepgrad.explain.expressions import Expression
from stepgrad.explain.names import Name
from stepgrad.words.language import Words, choose_language

if TYPE_CHECKING:
    from stepgrad.explain.check import Checked
    from stepgrad.explain.scalar import ScalarLayout
    from stepgrad.explain.step import Outcome, Step

KINDS = ("forward", "loss", "local", "chain", "update", "after")


@dataclass(frozen=True)
class Given:
    """A number that lines use and that has none: of the input, the target, a parameter, the optimizer.

    `text` is the number in full, `origin` what it belongs to ("input", "target", "parameter", "buffer",
    "state", "rate"; "computed" in the step, where it was not picked to be written out), `module` the path of
    the module that holds it, `label` what a person calls it, such as a column of a table.
    """

    id: str
    symbol: str
    value: float
    text: str
    origin: str
    module: str
    name: Name = field(repr=False)
    label: str = ""


@dataclass(frozen=True)
class Line:
    """One line: ``symbol = formula = substituted = text``.

    * `id`: stable, see docs/explain.md. `kind`: one of `KINDS`.
    * `symbol`: what is computed, as text (``z⁽¹⁾₁``). `formula`: from what, by name. `substituted`: the
      same with numbers. `text`: the value as it is printed; `value`: in full.
    * `op`: the operation's name in the registry. `module`: the path of the module that it belongs to, ""
      outside of any; `layer`: the number of the layer, 0 outside.
    * `references`: the ids of the lines and givens that the formula names, each once, in order.
    * `names`: the symbols in the formula, and the id of each.

    A line without a formula (a random number, a user's own function) has "" for formula and substituted.
    """

    id: str
    kind: str
    symbol: str
    formula: str
    substituted: str
    value: float
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


class Worked:
    """A training step written out: its lines in order, and the numbers that it starts from.

    Iterating gives the lines; ``worked[id]`` is a line or a given number. `symbols` says which id each
    symbol belongs to. `layout` is "scalar" or "matrix", `digits` the significant digits that are printed,
    `round_steps` the decimals to which every value was rounded before its next use (None: not at all).
    """

    def __init__(self, lines: list[Line], given: list[Given], source: ScalarLayout) -> None:
        self.lines, self.given = lines, given
        self.layout, self.digits, self.round_steps = "scalar", source.digits, source.round_steps
        self.source = source
        every: list[Line | Given] = [*self.given, *lines]
        self._by_id = {each.id: each for each in every}
        self.symbols = {each.symbol: each.id for each in every}

    @cached_property
    def after(self) -> Outcome:
        """The loss before and after the update, and the parameters after it."""
        return self.step.again()

    @property
    def modules(self) -> dict[str, str]:
        """Each module that computed something, by its path, as text: ``Linear(2, 2)``."""
        return self.step.modules

    @property
    def step(self) -> Step:
        """What was computed, as a graph of values."""
        return self.source.step

    def check(self) -> Checked:
        """Compute every line again from its text, and every gradient by central differences.

        See `stepgrad.explain.check`; `Checked.ok` says whether all is true.
        """
        from stepgrad.explain.check import check_worked

        return check_worked(self)

    def __iter__(self) -> Iterator[Line]:
        return iter(self.lines)

    def __len__(self) -> int:
        return len(self.lines)

    def __contains__(self, id: object) -> bool:
        return id in self._by_id

    def __getitem__(self, id: str) -> Any:
        """Return the line or the given number with this id. Raises `MissingNameError` if there is none."""
        try:
            return self._by_id[id]
        except KeyError:
            raise MissingNameError(f"there is no line {id!r}.{suggest(id, self._by_id)}") from None

    def of_kind(self, kind: str) -> list[Line]:
        """Return the lines of a kind, in order."""
        return [line for line in self.lines if line.kind == kind]

    def markdown(self, lang: str = "en") -> str:
        """Return the step as Markdown with formulas in LaTeX, in English or ("ko") Korean."""
        from stepgrad.explain.render.markdown import markdown

        return markdown(self, Words(lang))

    def html(self, lang: str = "en") -> str:
        """Return the step as one HTML page that opens offline."""
        from stepgrad.explain.render.page import page

        return page(self, Words(lang))

    def to_dict(self) -> dict[str, Any]:
        """Return the step as plain values, ready for JSON."""
        from stepgrad.explain.render.plain import plain

        return plain(self)

    def _repr_html_(self) -> str:
        from stepgrad.explain.render.page import fragment

        return fragment(self, Words(choose_language()))

    def __str__(self) -> str:
        return "\n".join(map(str, self.lines))

    def __repr__(self) -> str:
        return f"<Worked: {len(self.lines)} lines, {self.layout} layout>"
