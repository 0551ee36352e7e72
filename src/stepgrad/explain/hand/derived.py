"""The quantities of a worked step, and those that a person writes though the step has no line for them: the
derivative of any value by any other, one output's share in the loss, a gradient with its sign turned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy

from stepgrad.explain.expressions import (
    ONE,
    ZERO,
    Expression,
    Number,
    Operation,
    Ref,
    function,
    negative,
    over,
    plus,
    refs,
    times,
    value_of,
)
from stepgrad.explain.line import Given, Line
from stepgrad.explain.names import Name
from stepgrad.explain.notation import number_text, text_of
from stepgrad.explain.worked import Worked

_DIGITS = 6


@dataclass(eq=False)
class _Held:
    """The number that a `Ref` to a line stands for."""

    array: numpy.ndarray


class Quantities:
    """The lines and given numbers of a worked step by their ids, and lines derived from them."""

    def __init__(self, worked: Worked) -> None:
        self.worked = worked
        self.every: list[Line | Given] = [*worked.given, *worked.lines]
        self._derived: dict[str, Line] = {}
        self._held: dict[str, Ref] = {}

    def __contains__(self, id: str) -> bool:
        return id in self._derived or id in self.worked

    def __getitem__(self, id: str) -> Line | Given:
        """Return the line or given number with this id."""
        found: Line | Given = self._derived[id] if id in self._derived else self.worked[id]
        return found

    def activation(self, id: str) -> str | None:
        """Return the id of what is computed from this value alone, in the forward pass."""
        users = [line.id for line in self._users.get(id, ()) if set(line.references) == {id}]
        return users[0] if len(users) == 1 else None

    def negative(self, id: str) -> str:
        """Return the id of a value with its sign turned."""
        return self._made(f"negative/{id}", self[id].name, negative(self._ref(id)), "−" + self[id].symbol)

    @cached_property
    def shares(self) -> list[Line]:
        """What each of several losses contributes to the loss, their mean: E₁ = ℓ₁/2."""
        if "loss" not in self.worked:
            return []
        loss: Line = self.worked["loss"]
        if len(loss.references) < 2:
            return []
        made = []
        for id in loss.references:
            by = self._differentiated(loss, id)
            if by is not None and not refs(by) and value_of(by) not in (0, 1):
                name = Name("E", 0, self[id].name.index)
                made.append(self._made(f"share/{id}", name, times(by, self._ref(id))))
        return [self._derived[id] for id in made]

    def derivative(self, of: str, by: str) -> str | None:
        """Return the id of the derivative of one value by another; None if it does not depend on it or its
        formula cannot be differentiated.

        Where the first is not computed from the second directly, it is the sum, over all values computed from
        the second, of its derivative by that one times that one's derivative by the second.
        """
        known = "grad/" + by.removeprefix("forward/").removeprefix("given/")
        if of == "loss" and known in self.worked:
            return known
        direct = self._locals.get((of, by))
        if direct is not None:
            return direct
        id = f"derivative/{of}/{by}".replace("[", "(").replace("]", ")")
        if id in self._derived:
            return id
        line = self[of]
        if not isinstance(line, Line) or of == by or by not in self:
            return None
        expression = self._by_chain(of, by)
        if expression is None:
            return None
        name = self[by].name
        named = name.gradient() if of == "loss" else name.by(line.name)
        return self._made(id, named, expression, f"∂{line.symbol}/∂{self[by].symbol}")

    # --------------------------------------------------------------------------------- the formulas

    def _by_chain(self, of: str, by: str) -> Expression | None:
        terms = []
        line = self[of]
        assert isinstance(line, Line)
        between = [
            user.id for user in self._users.get(by, ()) if user.id != of and self._depends(of, user.id)
        ]
        if by in line.references:
            direct = self._differentiated(line, by)
            if direct is None:
                return None
            terms.append(direct)
        elif not between:
            return None
        for middle in between:
            if middle in line.references and by in line.references:
                continue
            pair = self.derivative(of, middle), self.derivative(middle, by)
            if pair[0] is None or pair[1] is None:
                return None
            terms.append(times(*(self._factor(id) for id in pair if id is not None)))
        return plus(*terms) if terms else None

    def _factor(self, id: str) -> Expression:
        """Return a derivative by name, or the single name or number that it is: ∂z/∂w = a."""
        line = self._derived.get(id)
        if line is not None and isinstance(line.expression, Ref | Number):
            return line.expression
        return self._ref(id)

    def _differentiated(self, line: Line, by: str) -> Expression | None:
        """Return the derivative of a line's own formula by something that it names."""
        if line.expression is None or len(refs(line.expression)) != len(line.references):
            return None
        named = {ref: self._ref(id) for ref, id in zip(refs(line.expression), line.references)}
        try:
            return differentiated(_renamed(line.expression, named), self._ref(by))
        except NotImplementedError:
            return None

    def _depends(self, of: str, on: str) -> bool:
        return of == on or any(self._depends(of, user.id) for user in self._users.get(on, ()))

    @cached_property
    def _users(self) -> dict[str, list[Line]]:
        """The lines of the forward pass and the loss that are computed from each value."""
        users: dict[str, list[Line]] = {}
        for line in [*self.worked.lines, *self.shares]:
            if line.kind in ("forward", "loss") or line.id.startswith("share/"):
                for id in line.references:
                    users.setdefault(id, []).append(line)
        return users

    @cached_property
    def _locals(self) -> dict[tuple[str, str], str]:
        """The lines with a derivative, by the value that is differentiated and the one by which."""
        ids = {each.name: each.id for each in self.every if each.name.kind == "value" and not each.name.prime}
        found = {}
        for line in self.worked.lines:
            name = line.name
            if name.kind == "local" and name.of in ids:
                by = Name(name.base, name.layer, name.index)
                if by in ids:
                    found[ids[name.of], ids[by]] = line.id
        return found

    def _ref(self, id: str) -> Ref:
        if id not in self._held:
            self._held[id] = Ref(_Held(numpy.array(float(self[id].value))), 0)
        return self._held[id]

    def _made(self, id: str, name: Name, expression: Expression, symbol: str = "") -> str:
        used = refs(expression)
        ids = {ref: next(id for id, held in self._held.items() if held == ref) for ref in used}
        names = {self[ids[ref]].symbol: ids[ref] for ref in used}

        def shown(leaf: Ref | Number) -> str:
            return self[ids[leaf]].symbol if isinstance(leaf, Ref) else number_text(leaf.value, _DIGITS)

        number = value_of(expression)
        self._derived[id] = Line(
            id, "local", symbol or name.text(), text_of(expression, shown), "", number,
            number_text(number, _DIGITS), "", "", 0, tuple(ids.values()), names, name, expression, {},
            _DIGITS,
        )  # fmt: skip
        return id


def _renamed(x: Expression, named: Mapping[Ref, Ref]) -> Expression:
    if isinstance(x, Operation):
        return Operation(x.head, tuple(_renamed(y, named) for y in x.operands))
    return named[x] if isinstance(x, Ref) else x


def differentiated(x: Expression, by: Ref) -> Expression:
    """Return the derivative of an expression by one of its leaves.

    Raises `NotImplementedError` for a function that is not one of + − · / ^ e^x ln √ tanh.
    """
    if not isinstance(x, Operation):
        return ONE if x == by else ZERO
    parts = [differentiated(y, by) for y in x.operands]
    if all(part == ZERO for part in parts):
        return ZERO
    a, d = x.operands[0], parts[0]
    if x.head == "+":
        return plus(*parts)
    if x.head == "neg":
        return negative(d)
    if x.head == "*":
        others = [(*x.operands[:i], *x.operands[i + 1 :]) for i in range(len(parts))]
        return plus(*(times(part, *rest) for part, rest in zip(parts, others)))
    if x.head == "/":
        b = x.operands[1]
        if parts[1] == ZERO:
            return over(d, b)
        return plus(over(d, b), negative(over(times(a, parts[1]), function("**", b, Number(2)))))
    if x.head == "**" and isinstance(x.operands[1], Number):
        power = x.operands[1].value
        return times(x.operands[1], function("**", a, Number(power - 1)), d)
    if x.head == "exp":
        return times(x, d)
    if x.head == "log":
        return over(d, a)
    if x.head == "sqrt":
        return over(d, times(Number(2), x))
    if x.head == "tanh":
        return times(plus(ONE, negative(function("**", x, Number(2)))), d)
    raise NotImplementedError(x.head)
