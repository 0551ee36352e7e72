"""`Worked`: a training step written out, line by line."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

from stepgrad.errors import MissingNameError, suggest
from stepgrad.explain.line import Given, Line
from stepgrad.words.language import Words, choose_language

if TYPE_CHECKING:
    from stepgrad.explain.check import Checked
    from stepgrad.explain.matrix import MatrixLayout
    from stepgrad.explain.row import Row
    from stepgrad.explain.scalar import ScalarLayout
    from stepgrad.explain.step import Outcome, Step


class Worked:
    """A training step written out: its lines in order, and the numbers that it starts from.

    Iterating gives the lines; ``worked[id]`` is a line or a given number. `symbols` says which id each
    symbol belongs to. `layout` is "scalar" or "matrix", `digits` the significant digits that are printed,
    `round_steps` the decimals to which every value was rounded before its next use (None: not at all).
    `row` is the row of a table that the step was taken on, if it was (``stepgrad explain RUN``).

    >>> import stepgrad as sg
    >>> model = sg.nn.Linear(1, 1)
    >>> rate = sg.optim.SGD(model.parameters(), lr=0.5)
    >>> worked = sg.explain(model, sg.nn.MSELoss(), rate, [2.0], [1.0])
    >>> [line.kind for line in worked][:3]
    ['forward', 'loss', 'local']
    """

    def __init__(self, lines: list[Line], given: list[Given], source: ScalarLayout | MatrixLayout) -> None:
        self.lines, self.given = lines, given
        self.layout, self.digits, self.round_steps = source.kind, source.digits, source.round_steps
        self.source = source
        self.row: Row | None = None
        every: list[Line | Given] = [*self.given, *lines]
        self._by_id = {each.id: each for each in every}
        self.symbols = {each.symbol: each.id for each in every}

    @cached_property
    def after(self) -> Outcome:
        """The loss before and after the update, and the parameters after it."""
        return self.step.again()

    @property
    def ids(self) -> list[str]:
        """The ids of the given numbers and of the lines."""
        return list(self._by_id)

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
            if not isinstance(id, str):
                raise MissingNameError(
                    f"a line is named by its id, such as '{self.lines[0].id}', not {id!r}; by number: "
                    f"worked.lines[{id!r}]."
                ) from None
            raise MissingNameError(f"there is no line {id!r}.{suggest(id, self._by_id)}") from None

    @property
    def lines_of_step(self) -> list[Line]:
        """The lines of the step itself, without those of the forward pass that comes after the update."""
        return [line for line in self.lines if line.kind != "after"]

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
