"""`check_work`: a person's hand calculation beside the same step, worked out by the machine."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from stepgrad.errors import ArgumentError, DataError
from stepgrad.explain.hand.formula import Lookup, computed
from stepgrad.explain.hand.reading import Entry, read_work
from stepgrad.explain.hand.slips import Slip, Slips, round_to
from stepgrad.explain.hand.spelling import Spellings, canonical
from stepgrad.explain.hand.terms import ids_in, value
from stepgrad.explain.line import Given, Line
from stepgrad.explain.worked import Worked

_MOST_COARSE = 3  # significant digits of a number that may spoil those that are computed from it
_ENOUGH_PLACES = 4  # decimals of a number that was not rounded too early, however few digits they are
_FEWEST_PLACES = 3  # decimals to which a given number may be rounded
_ROUNDED = ("input", "target", "parameter")  # given numbers that may be


@dataclass(frozen=True)
class Wrong:
    """A line of a hand calculation that is wrong.

    `entry` is the line, `id` and `symbol` the quantity. `said` is what it says: its value, or the value that
    its expression gives, if `in_expression`. `expected` is what it should be, `text` that with as many digits
    as were written, `formula` what it is computed from. `slip` is what likely happened, None if no slip gives
    that number.
    """

    entry: Entry
    id: str
    symbol: str
    said: str
    expected: float
    text: str
    formula: str
    slip: Slip | None
    in_expression: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        slip = None if self.slip is None else {"kind": self.slip.kind, **self.slip.names}
        return {
            "line": self.entry.place, "text": self.entry.text, "id": self.id, "symbol": self.symbol,
            "said": self.said, "expected": self.expected, "in_expression": self.in_expression, "slip": slip,
        }  # fmt: skip


@dataclass(frozen=True)
class WorkChecked:
    """What `check_work` found: how many lines were right before the first wrong one, that one (None if all
    are right), and the lines that name no quantity of the step.
    """

    right: int
    wrong: Wrong | None
    unknown: list[Entry] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether no line is wrong."""
        return self.wrong is None


@dataclass(frozen=True)
class _Said:
    """A number as it was written: its value, and how far one may be off who writes so many digits."""

    number: Decimal
    tolerance: float

    @property
    def digits(self) -> int:
        """How many significant digits it has."""
        return len(self.number.as_tuple().digits) if self.number else 1

    @property
    def decimals(self) -> int:
        """How many digits it has behind the point."""
        exponent = self.number.as_tuple().exponent
        return max(-exponent, 0) if isinstance(exponent, int) else 0


def check_work(worked: Worked, text: str, kind: str | None = None, file_name: str = "") -> WorkChecked:
    """Find the first wrong line of a hand calculation of a step, what it should be, and the likely slip.

    `text` has lines ``name = expression = value`` (plain, Markdown, LaTeX) or is a table of quantity,
    formula, value (Markdown, CSV, JSON); `kind` and `file_name` are as in `read_work`. A number is right if
    it is, to within the digits written, what the step gives, or what follows from the numbers that the
    person wrote before, which may have been rounded. Expressions are computed too, where they can be read.

    Raises `DataError` for a text without lines, or in which no line names a quantity of the step;
    `ArgumentError` for a step in another layout than "scalar".

    >>> import stepgrad as sg
    >>> model = sg.nn.Sequential(sg.nn.Linear(1, 1), sg.nn.Sigmoid())
    >>> for p in model.parameters():
    ...     _ = p.data.fill_(0.5)
    >>> worked = sg.explain(model, sg.nn.BCELoss(), sg.optim.SGD(model.parameters(), lr=1.0), [1.0], [0.0])
    >>> checked = check_work(worked, "z = 0.5*1 + 0.5 = 1\\ny_hat = 1/(1 + e^1) = 0.2689")
    >>> checked.right, checked.wrong.symbol, checked.wrong.text, checked.wrong.slip.kind
    (1, 'ŷ', '0.7311', 'exp_sign')
    """
    if worked.layout != "scalar":
        raise ArgumentError(
            f"check_work takes a step in which every number has a line, not the {worked.layout} layout; make "
            f"it with explain(…, layout='scalar')."
        )
    return _Judge(worked).judge(read_work(text, kind, file_name))


class _Judge:
    """Goes through the lines with the numbers that the person has written so far."""

    def __init__(self, worked: Worked) -> None:
        self._worked, self._spellings = worked, Spellings(worked)
        self._own: dict[str, _Said] = {}
        self._called: dict[str, str] = {}  # what each name that was written turned out to mean
        self._exact = {
            Decimal(each.text.replace("−", "-")) for each in worked.given if each.text[-1].isdigit()
        }

    def judge(self, entries: list[Entry]) -> WorkChecked:
        """Return what is wrong first."""
        unknown, right = [], 0
        for entry in entries:
            ids = self._in_order(self._meanings(entry))
            # What an expression without a value gives may depend on what its name means.
            meant = [(id, said) for id in ids if (said := self._said(entry, id)) is not None]
            chosen = next((each for each in meant if self._is_right(*each)), None)
            if not meant or (chosen is None and self._may_be_of_next_step(entry, ids)):
                unknown.append(entry)
                continue
            if chosen is None:
                return WorkChecked(right, self._wrong(entry, *meant[0]), unknown)
            wrong = self._wrong_expression(entry, *chosen)
            if wrong is not None:
                return WorkChecked(right, wrong, unknown)
            self._called[canonical(entry.name)] = chosen[0]
            if entry.value:
                self._own[chosen[0]] = self._with_zeros(*chosen)
            right += 1
        if not right:
            known = ", ".join([each.symbol for each in self._worked.lines][:8])
            raise DataError(f"no line names a quantity of this step; its quantities are {known}, ….")
        return WorkChecked(right, None, unknown)

    def _meanings(self, entry: Entry) -> list[str]:
        """Return the ids of what the name of an entry may mean in its place."""
        found = self._spellings.find(entry.name)
        lower = canonical(entry.name).partition("∂L/∂")[2]
        if self._called.get(lower, "").startswith("loss/"):
            # By ŷ the person means a probability inside the loss, of which the step has no gradient.
            return [id for id in found if not id.startswith("grad/")]
        if entry.updated or entry.expressions or ":=" in entry.text:
            new = ["update/" + id.removeprefix("given/") for id in found if id.startswith("given/")]
            found = [*found, *(id for id in new if id in self._worked)]
        if self._is_of_next_step(entry, found):
            after = [f"after/{id.removeprefix('forward/')}" for id in found]
            return [*found, *(id for id in after if id in self._worked)]
        return found

    def _is_of_next_step(self, entry: Entry, ids: list[str]) -> bool:
        """Whether a quantity is of the next forward pass: it is written a second time after parameters were
        updated, or below a heading that says so.
        """
        if entry.updated and all(id.startswith(("forward/", "loss", "after/")) for id in ids):
            return True
        return all(id in self._own for id in ids) and any(id.startswith("update/") for id in self._own)

    def _may_be_of_next_step(self, entry: Entry, ids: list[str]) -> bool:
        """Whether a number that is wrong may be none of this step: of the next one; or, before any update was
        written, a derivative that is meant by a prime.
        """
        before = [id for id in ids if not id.startswith("after/")]
        if not before:
            return not any(id.startswith("update/") for id in self._own)
        return self._is_of_next_step(entry, before)

    def _in_order(self, ids: list[str]) -> list[str]:
        """Return what a name may mean, what was not written yet first."""
        return sorted(ids, key=lambda id: (id in self._own, isinstance(self._worked[id], Given)))

    def _said(self, entry: Entry, id: str) -> _Said | None:
        if entry.value:
            number = Decimal(entry.value)
            exponent = number.as_tuple().exponent
            if not isinstance(exponent, int):
                return None
            # With few digits, one that is off by more than half of the last has been rounded wrongly; with
            # many, it may have been cut off.
            share = 1.0 if len(number.as_tuple().digits) >= 3 else 0.5
            return _Said(number, share * 10.0**exponent)
        for text in reversed(entry.expressions):
            found = computed(text, self._lookup(id), self._exact)
            if found is not None:
                return _Said(Decimal(repr(found.value)), found.slack + 1e-6 * abs(found.value) + 1e-9)
        return None

    # ------------------------------------------------------------------------------------- right

    def _is_right(self, id: str, said: _Said) -> bool:
        if not said.number.is_finite():
            return float(said.number) == self._worked[id].value
        low, high = self._range(id, said)
        return low - said.tolerance * 1.01 <= float(said.number) <= high + said.tolerance * 1.01

    def _range(self, id: str, said: _Said) -> tuple[float, float]:
        """Return between which numbers the right ones lie: the exact one, and those from what was written."""
        each = self._worked[id]
        found = [each.value, *self._from_own(id, said)]
        found = [x for x in found if math.isfinite(x)]
        return (min(found), max(found)) if found else (each.value, each.value)

    def _from_own(self, id: str, said: _Said) -> Iterator[float]:
        """Yield what a formula gives with the person's own numbers, where they are fine enough."""
        if not isinstance(self._worked[id], Line):
            return

        def number(other: str) -> float:
            own = self._own.get(other)
            return (
                self._value(other) if own is None or self._is_coarse(own, other, said) else float(own.number)
            )

        places = min([said.decimals, *self._usual_decimals()])

        def rounded(other: str) -> float:
            given = self._worked[other]
            is_rounded = isinstance(given, Given) and given.origin in _ROUNDED and other not in self._own
            return round_to(given.value, places) if is_rounded and abs(given.value) < 1e9 else number(other)

        terms = Slips(self._worked, id, self._value, self._is_written).from_written()
        yield from (value(term, number) for term in terms)
        if (
            places >= _FEWEST_PLACES
        ):  # who computes with four decimals has the input and the weights with four
            yield from (value(term, rounded) for term in terms)

    def _usual_decimals(self) -> list[int]:
        """Return how many decimals the person writes most often, as a list; nothing before the first line."""
        counts = Counter(own.decimals for own in self._own.values())
        return [places for places, _ in counts.most_common(1)]

    def _is_coarse(self, own: _Said, id: str, said: _Said) -> bool:
        """Whether a number was rounded so much that what is computed from it cannot have the digits said."""
        if abs(float(own.number) - self._worked[id].value) < 1e-9:
            return False
        if own.decimals >= _ENOUGH_PLACES:
            return False
        return own.digits <= min(_MOST_COARSE, said.digits - 1) and own.decimals < said.decimals

    def _with_zeros(self, id: str, said: _Said) -> _Said:
        """Return a number with the zeros at its end that were not written: 1.75 may be 1.750."""
        number = said.number
        exact = [*self._from_own(id, said), self._worked[id].value]
        for _ in range(6):
            decimals = _Said(number, 0.0).decimals + 1
            if not any(math.isfinite(x) and round_to(x, decimals) == float(number) for x in exact):
                break
            number = number.quantize(Decimal(1).scaleb(-decimals))
        return _Said(number, said.tolerance)

    def _value(self, id: str) -> float:
        return self._worked[id].value

    def _own_value(self, id: str) -> float:
        own = self._own.get(id)
        return self._worked[id].value if own is None else float(own.number)

    def _is_written(self, id: str) -> bool:
        return id in self._own

    # ------------------------------------------------------------------------------- expressions

    def _lookup(self, id: str) -> Lookup:
        """Return what a name in an expression for a quantity stands for."""
        used = {
            other
            for term in Slips(self._worked, id, self._value, self._is_written).terms
            for other in ids_in(term)
        }

        def lookup(name: str) -> float | None:
            found = self._spellings.find(name)
            for chosen in (
                [id for id in found if id in used],
                [id for id in found if id in self._own],
                found,
            ):
                if len(chosen) == 1:
                    return self._own_value(chosen[0])
            return None

        return lookup

    def _wrong_expression(self, entry: Entry, id: str, said: _Said) -> Wrong | None:
        for text in entry.expressions:
            found = computed(text, self._lookup(id), self._exact)
            if found is None:
                continue
            low, high = self._range(id, said)
            low, high = min(low, float(said.number)), max(high, float(said.number))
            slack = said.tolerance * 1.01 + found.slack + 1e-9
            if not low - slack <= found.value <= high + slack:
                number = _Said(Decimal(repr(found.value)), slack)
                return self._wrong(entry, id, number, in_expression=True)
        return None

    # ------------------------------------------------------------------------------------- wrong

    def _wrong(self, entry: Entry, id: str, said: _Said, in_expression: bool = False) -> Wrong:
        each = self._worked[id]
        expected = next(iter(self._from_own(id, said)), each.value)
        decimals = said.decimals if entry.value and not in_expression else 6
        formula = each.formula if isinstance(each, Line) else ""
        number = (
            entry.value
            if entry.value and not in_expression
            else f"{float(said.number):.6g}".replace("inf", "∞")
        )
        return Wrong(
            entry, id, each.symbol, number.replace("-", "−"), expected, _rounded_text(expected, decimals),
            formula, self._slip(entry, id, said, expected, in_expression), in_expression,
        )  # fmt: skip

    def _slip(self, entry: Entry, id: str, said: _Said, expected: float, in_expression: bool) -> Slip | None:
        slips = Slips(self._worked, id, self._own_value, self._is_written)
        for other in (other for term in slips.terms for other in ids_in(term)):
            own = self._own.get(other)
            if own is not None and self._is_coarse(own, other, said) and self._follows(slips, said):
                used = _rounded_text(float(own.number), own.decimals)
                return Slip("rounded_early", {"right": self._worked[other].symbol, "used": used})
        finite = said.number.is_finite()
        slip = slips.explain(said.number, expected, said.tolerance) if finite else None
        if slip is None and entry.value and not in_expression and self._expression_is_right(entry, id, said):
            return Slip("arithmetic", {"right": _rounded_text(expected, said.decimals)})
        return slip

    def _follows(self, slips: Slips, said: _Said) -> bool:
        """Whether a number is what comes of the person's own, however coarse they are."""
        numbers = (value(term, self._own_value) for term in slips.terms)
        return any(abs(number - float(said.number)) <= said.tolerance * 1.01 for number in numbers)

    def _expression_is_right(self, entry: Entry, id: str, said: _Said) -> bool:
        """Whether the last expression that can be read is right, so that its result was miscalculated."""
        for text in reversed(entry.expressions):
            found = computed(text, self._lookup(id), self._exact)
            if found is not None:
                close = _Said(Decimal(repr(found.value)), said.tolerance + found.slack)
                return self._is_right(id, close)
        return False


def _rounded_text(number: float, decimals: int) -> str:
    if not math.isfinite(number):
        return str(number)
    shown = f"{round_to(number, decimals):.{decimals}f}"
    if not float(shown) and number:
        shown = f"{number:.4g}"
    return shown.replace("-", "−")
