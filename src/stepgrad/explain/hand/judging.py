"""`check_work`: a person's hand calculation beside the same step, worked out by the machine."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal

from stepgrad.errors import ArgumentError, DataError
from stepgrad.explain.hand.derived import Quantities
from stepgrad.explain.hand.entries import Entry, statements
from stepgrad.explain.hand.formula import Computed, Rounded, computed
from stepgrad.explain.hand.numbers import number_in
from stepgrad.explain.hand.outcome import Remark, WorkChecked, Wrong
from stepgrad.explain.hand.reading import read_work
from stepgrad.explain.hand.right import OwnNumbers, Said
from stepgrad.explain.hand.slips import IN_NUMBERS, Slip, round_to
from stepgrad.explain.hand.spelling import Spellings, canonical, endings
from stepgrad.explain.hand.terms import ids_in, numbers_in, term_of, value
from stepgrad.explain.line import Given, Line
from stepgrad.explain.worked import Worked

_MOST_READINGS = 16
_ENTRY_NAME = re.compile(r"[^\W\d]\S{0,20}")


def check_work(worked: Worked, text: str, kind: str | None = None, file_name: str = "") -> WorkChecked:
    """Find the first wrong line of a hand calculation of a step, what it should be, and the likely slip.

    `text` has lines ``name = expression = value`` (plain, Markdown, LaTeX) or is a table of quantity,
    formula, value (Markdown, CSV, JSON); `kind` and `file_name` are as in `read_work`. A number is right if
    it is, to within the digits written, what the step gives, or what follows from the numbers that the
    person wrote before, which may have been rounded. Expressions are computed too. What could not be read is
    in the `remarks` of the result, and not among what is right.

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
        self._worked, self._quantities = worked, Quantities(worked)
        self._spellings, self._own = Spellings(self._quantities), OwnNumbers(self._quantities)
        self._variables: dict[str, float] = {}  # names of the person's own, for what has none in the step
        given = (each.text.removeprefix("−") for each in worked.given if each.text[-1].isdigit())
        self._exact = {Decimal(number) for number in given}
        updates = {line.id.partition("[")[0]: line for line in worked.of_kind("update")}
        terms = [term for line in updates.values() if (term := term_of(line)) is not None]
        self._rates = set().union(*map(numbers_in, terms))  # numbers of the optimizer's rule, such as 0.999
        self._unknown: list[Entry] = []
        self._words: list[Entry] = []
        self._remarks: dict[Remark, None] = {}
        self._right = 0
        self._places: set[int] = set()

    def judge(self, entries: list[Entry]) -> WorkChecked:
        """Return what is wrong first."""
        wrong = next((found for entry in entries if (found := self._wrong_in(entry)) is not None), None)
        if not self._right and wrong is None:
            known = ", ".join([each.symbol for each in self._worked.lines][:8])
            raise DataError(f"no line names a quantity of this step; its quantities are {known}, ….")
        return WorkChecked(
            self._right, wrong, self._unknown, self._words, list(self._remarks), len(self._places)
        )

    def _wrong_in(self, entry: Entry) -> Wrong | None:
        """Judge one entry; return what is wrong with it, None if nothing is."""
        if entry.is_words:
            self._words.append(entry)
            return None
        entry, ids = self._named(entry)
        # What an expression without a value gives may depend on what its name means.
        meant = [(id, said) for id in ids if (said := self._said(entry, id)) is not None]
        if not meant:
            return self._arithmetic(entry)
        chosen = next((each for each in meant if self._own.is_right(*each)), None)
        if chosen is None and (blank := self._without_digit(entry, meant)):
            self._own.write_blank(blank)
            self._unknown.append(entry)
            self._remark("no_digit", entry, f"{entry.name} = {entry.value}".replace("-", "−"))
            return None
        if chosen is None and self._may_be_of_next_step(entry, ids):
            self._unknown.append(entry)
            self._remark("next_step", entry, entry.text)
            return None
        if chosen is None and self._spellings.is_vague(entry.name):
            return self._arithmetic(entry)
        wrong = None if chosen is None else self._wrong_expression(entry, *chosen)
        if (chosen is None or wrong is not None) and (parts := self._as_several(entry)):
            return next((found for each in parts if (found := self._wrong_in(each)) is not None), None)
        if chosen is None:
            every = [self._wrong(entry, *each) for each in meant]
            is_target = every[0].id.startswith("given/y")
            # Which one is meant shows where a slip in its formula gives the number.
            made = [w for w in every if w.slip is not None and w.slip.kind not in IN_NUMBERS]
            return made[0] if made and not is_target else every[0]
        if wrong is None:
            self._accept(entry, *chosen, ids)
        return wrong

    def _as_several(self, entry: Entry) -> list[Entry]:
        """Return the entries in z1 = 0.6478 z2 = 0.7225, which is no product where the first is right so;
        none, if it is not made so.
        """
        parts, start = [entry], 0
        for i, text in enumerate(entry.expressions):
            number, _, name = text.partition(" ")
            if name and number_in(number) and self._spellings.find(name):
                before = replace(parts.pop(), expressions=entry.expressions[start:i], value=number_in(number))
                start = i + 1
                parts += [before, replace(entry, name=name, expressions=entry.expressions[start:])]
        said = Said.written(parts[0].value) if len(parts) > 1 else None
        is_right = said and any(self._own.is_right(id, said) for id in self._named(parts[0])[1])
        return parts if is_right else []

    def _accept(self, entry: Entry, id: str, said: Said, ids: Sequence[str]) -> None:
        if entry.value:
            self._spellings.called[canonical(entry.name)] = id
            self._own.write(id, said)
        self._right += 1
        self._places.add(entry.place)
        is_target = any(other.startswith("given/y") for other in ids)
        if is_target and not isinstance(self._quantities[id], Given):
            self._remark("output", entry, entry.name)
        if id.startswith("negative/"):
            self._remark("negative", entry, entry.name)

    def _remark(self, kind: str, entry: Entry, text: str) -> None:
        self._remarks.setdefault(Remark(kind, entry.place, text))

    # -------------------------------------------------------------------------------- the meaning

    def _named(self, entry: Entry) -> tuple[Entry, list[str]]:
        """Return an entry and the ids of what its name may mean in its place, what was not written yet first.

        ``z1: 0.4 + 0.2`` and ``z1은 0.4 + 0.2`` are read as an equation where the whole is no name.
        """
        ids = self._spellings.find(entry.name)
        if not ids and (parts := re.split(r"(?:\s*:|(?<=\S)(?:은|는|이|가))\s+", entry.name, maxsplit=1))[1:]:
            ids = self._spellings.find(parts[0])
            if ids:
                entry = replace(entry, name=parts[0], expressions=(parts[1], *entry.expressions))
        if not ids and not entry.value and len(entry.expressions) > 1:
            # 0.4352 + 0.3545 − 0.1419 = 0.6478 = z1
            *before, last = entry.expressions
            if ids := self._spellings.find(last):
                (entry,) = statements(entry.place, last, [entry.name, *before], entry.text, entry.updated)
        if entry.updated or entry.expressions or re.search(":=|←|<-", entry.text):
            new = ["update/" + id.removeprefix("given/") for id in ids if id.startswith("given/")]
            ids = [*ids, *(id for id in new if id in self._worked)]
        if self._is_of_next_step(entry, ids):
            after = [f"after/{id.removeprefix('forward/')}" for id in ids]
            ids = [*ids, *(id for id in after if id in self._worked)]
        if not self._has_updates():  # then a prime may mean the derivative
            ids = [*(self._slope(id) or id for id in ids if id.startswith("after/")), *ids]
        # By y the target is meant before anything was computed, else rather the output.
        begun = entry.expressions or any(id.startswith("forward/") for id in self._own.ids())
        givens = [isinstance(self._quantities[id], Given) == bool(begun) for id in ids]
        order = sorted(range(len(ids)), key=lambda i: (ids[i] in self._own, givens[i]))
        return entry, [ids[i] for i in order]

    def _is_of_next_step(self, entry: Entry, ids: Sequence[str]) -> bool:
        """Whether a quantity is of the next forward pass: it is written a second time after parameters were
        updated, or below a heading that says so.
        """
        made = [id for id in ids if not isinstance(self._quantities[id], Given)]
        if entry.updated and made and all(id.startswith(("forward/", "loss", "after/")) for id in made):
            return True
        return bool(made) and all(id in self._own for id in made) and self._has_updates()

    def _may_be_of_next_step(self, entry: Entry, ids: Sequence[str]) -> bool:
        """Whether a number that is wrong may be none of this step: of the next one; or, before any update was
        written, one that is meant by a prime.
        """
        before = [id for id in ids if not id.startswith("after/")]
        return self._is_of_next_step(entry, before) if before else not self._has_updates()

    def _without_digit(self, entry: Entry, meant: Sequence[tuple[str, Said]]) -> str:
        """Return what is meant by a value such as 0.0000 that has none of its digits, "" if nothing is."""
        likely = meant if "." in entry.value else meant[:1]
        short = [each for each in likely if entry.value and self._own.has_no_digit(*each)]
        return next((each[0] for each in short if self._wrong_expression(entry, *each) is None), "")

    def _has_updates(self) -> bool:
        return any(id.startswith("update/") for id in self._own.ids())

    def _slope(self, after: str) -> str | None:
        """Return the derivative of a value of the forward pass by the only one that it is computed from."""
        id = "forward/" + after.removeprefix("after/")
        if id not in self._quantities:
            return None
        line = self._quantities[id]
        if not isinstance(line, Line) or len(line.references) != 1:
            return None
        return self._quantities.derivative(id, line.references[0])

    def _said(self, entry: Entry, id: str) -> Said | None:
        if entry.value:
            return Said.written(entry.value)
        for text in reversed(entry.expressions):
            readings = [Said.computed(c.value, c.slack) for c in self._readings(text, id, entry)]
            if readings:
                return next((said for said in readings if self._own.is_right(id, said)), readings[0])
        return None

    # ------------------------------------------------------------------------------- expressions

    def _readings(self, text: str, id: str, entry: Entry) -> Iterator[Computed]:
        """Yield what an expression for a quantity ("": for none) gives, the likeliest meaning of its names
        first.
        """
        used: set[str] = set()
        exact = self._exact
        if id:
            terms = self._own.slips(id).terms
            used = {other for term in terms for other in ids_in(term)}
            exact = exact | self._rates if id.startswith("update/") else exact
        meanings: dict[str, list[float]] = {}

        def first(name: str) -> float | None:
            if name not in meanings:
                meanings[name] = self._meanings(name, used)
            return meanings[name][0] if meanings[name] else None

        found = computed(text, first, exact, entry.element)
        if found is None:
            return
        yield found
        several = {name: numbers for name, numbers in meanings.items() if len(numbers) > 1}
        for chosen in itertools.islice(itertools.product(*several.values()), 1, _MOST_READINGS):
            other = {
                **{name: numbers[0] for name, numbers in meanings.items() if numbers},
                **dict(zip(several, chosen)),
            }
            if (found := computed(text, other.get, exact, entry.element)) is not None:
                yield found

    def _meanings(self, name: str, used: set[str]) -> list[float]:
        """Return the numbers that a name in an expression may stand for, the likeliest first."""
        if name in self._variables:
            return [self._variables[name]]
        # Before an equals sign δ alone is one of the deltas; in a formula it stands before δ(o).
        ids = [] if canonical(name) == "δ" else self._spellings.find(name)
        called = self._spellings.called.get(canonical(name))
        if called in ids:
            ids = [called]
        elif used.intersection(ids):
            ids = [id for id in ids if id in used or id.startswith("negative/")]
        order = sorted(ids, key=lambda id: (not id.startswith("given/y"), id not in self._own))
        return [self._own.rounded(id) for id in order]

    def _wrong_expression(self, entry: Entry, id: str, said: Said) -> Wrong | None:
        low, high = self._own.range(id, said)
        low, high = min(low, float(said.number)), max(high, float(said.number))
        for text in entry.expressions:
            readings = list(self._readings(text, id, entry))
            if not readings:
                self._remark("expression", entry, text)
                continue
            slacks = [said.tolerance * 1.01 + found.slack + 1e-9 for found in readings]
            if not any(low - s <= found.value <= high + s for found, s in zip(readings, slacks)):
                number = Said(Decimal(repr(readings[0].value)), slacks[0])
                return self._wrong(entry, id, number, in_expression=True)
        return None

    def _arithmetic(self, entry: Entry) -> Wrong | None:
        """Judge an entry that names no quantity of the step: whether its sides agree."""
        names = [name for name in endings(entry.name) if re.search(r"[-−+*/·^(√]|\d\s", name)]
        names = [] if self._spellings.find(entry.name) else names
        left = next(((name, found) for name in names if (found := [*self._readings(name, "", entry)])), None)
        name = left[0] if left else entry.name
        sides = [left[1]] if left else []
        unread = []
        for text in entry.expressions:
            if readings := [*self._readings(text, "", entry)]:
                sides.append(readings)
            else:
                unread.append(text)
        said = Said.written(entry.value) if entry.value else None
        if said is None and len(sides) > 1:
            last = sides.pop()[0]
            said = Said.computed(last.value, last.slack)
        if entry.value and said is not None and _ENTRY_NAME.fullmatch(entry.name):
            self._variables[entry.name] = Rounded.of(float(said.number), said.half)
        if said is None or not sides:
            self._unknown.append(entry)
            self._remark("not_read", entry, entry.text)
            return None
        for readings in sides:
            number, close = float(said.number), said.tolerance * 1.01 + 1e-9
            if not any(abs(each.value - number) <= close + each.slack for each in readings):
                right = readings[0].value
                text = rounded_text(right, said.decimals if entry.value else 6)
                shown = (entry.value or f"{number:.6g}").replace("-", "−")
                return Wrong(entry, "", name, shown, right, text, "", Slip("arithmetic", {"right": text}))
        if left is None or unread:
            self._unknown.append(entry)
            self._remark("arithmetic", entry, entry.name)
        else:
            self._places.add(entry.place)
        return None

    # ------------------------------------------------------------------------------------- wrong

    def _wrong(self, entry: Entry, id: str, said: Said, in_expression: bool = False) -> Wrong:
        each = self._quantities[id]
        expected = next((number for number, _ in self._own.following(id, said)), float(each.value))
        is_value = bool(entry.value) and not in_expression
        number = (
            entry.value if is_value else f"{float(said.number):.6g}".replace("inf", "∞").replace("nan", "NaN")
        )
        return Wrong(
            entry, id, each.symbol, number.replace("-", "−"), expected,
            rounded_text(expected, _decimals_shown(said) if is_value else 6),
            each.formula if isinstance(each, Line) else "",
            self._slip(entry, id, said, expected, in_expression), in_expression,
        )  # fmt: skip

    def _slip(self, entry: Entry, id: str, said: Said, expected: float, in_expression: bool) -> Slip | None:
        slips = self._own.slips(id)
        for other in (other for term in slips.terms for other in ids_in(term)):
            if other not in self._own or not self._own.is_coarse(other, said):
                continue
            numbers = (value(term, self._own.value) for term in slips.terms)
            if any(abs(number - float(said.number)) <= said.tolerance * 1.01 for number in numbers):
                own = self._own[other]
                used = rounded_text(float(own.number), own.decimals)
                return Slip("rounded_early", {"right": self._quantities[other].symbol, "used": used})
        tells = said.number.is_finite() and (bool(said.number) or in_expression)  # 0 may come of anything
        is_computed = bool(entry.value) and not in_expression and self._gives(entry, id, said)
        slip = slips.explain(said.number, expected, said.tolerance, is_computed) if tells else None
        if slip is None and entry.value and not in_expression and self._expression_is_right(entry, id, said):
            return Slip("arithmetic", {"right": rounded_text(expected, said.decimals)})
        return slip

    def _gives(self, entry: Entry, id: str, said: Said) -> bool:
        """Whether the last expression that can be read gives the value beside it."""
        for text in reversed(entry.expressions):
            if readings := list(self._readings(text, id, entry)):
                close, number = said.tolerance * 1.01, float(said.number)
                return any(abs(each.value - number) <= close + each.slack for each in readings)
        return False

    def _expression_is_right(self, entry: Entry, id: str, said: Said) -> bool:
        """Whether the last expression that can be read is right, so that its result was miscalculated."""
        for text in reversed(entry.expressions):
            readings = list(self._readings(text, id, entry))
            if readings:
                close = (Said(Decimal(repr(r.value)), said.tolerance + r.slack) for r in readings)
                return any(self._own.is_right(id, each) for each in close)
        return False


def _decimals_shown(said: Said) -> int:
    """Return with how many decimals what is right is told: as many as were written, of 0.2 and 0 more."""
    if not said.number:
        return 6
    return said.decimals if said.decimals > 1 else 4


def rounded_text(number: float, decimals: int) -> str:
    """Return a number rounded to decimals, with digits enough to tell it from 0."""
    if not math.isfinite(number):
        return str(number)
    shown = f"{round_to(number, decimals):.{decimals}f}"
    if not float(shown) and number:
        shown = f"{number:.4g}"
    return shown.replace("-", "−")
