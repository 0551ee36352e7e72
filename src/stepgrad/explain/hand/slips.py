"""What a person may have done instead: each likely slip is made on purpose, to see whether it gives what they
wrote.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal
from operator import ne

from stepgrad.explain.expressions import Number
from stepgrad.explain.hand.derived import Quantities
from stepgrad.explain.hand.terms import (
    Applied,
    Named,
    Term,
    ids_in,
    inlined,
    replaced,
    term_of,
    text,
    value,
    variants,
)
from stepgrad.explain.line import Given, Line
from stepgrad.words.language import Words

_TEXTS = {
    "exp_sign": "e^z was taken in place of e^(−z)",
    "uphill": "the gradient was added; a step goes against it",
    "rate_forgotten": "the learning rate {right} is missing",
    "derivative_forgotten": "the derivative of the activation, {right}, is missing",
    "correction_forgotten": "the bias correction is missing: {right}",
    "power_forgotten": "a power is missing: {right}",
    "root_forgotten": "a root is missing: {right}",
    "complement": "{used} was taken in place of {right}",
    "bias_forgotten": "the bias {right} is missing",
    "activation_forgotten": "the activation function is missing; this is {used}",
    "activation_skipped": "{used} was used in place of {right}, which is computed from it",
    "of_the_sum": "the derivative was computed from {used}; it is a function of {right}",
    "sign": "a sign was lost or turned round",
    "factor_forgotten": "a factor is missing: {right}",
    "term_forgotten": "a term of the sum is missing: {right}",
    "transposed": "the weights were used transposed",
    "index": "an index is wrong: {used} in place of {right}",
    "older_value": "{used} was used in place of {right}",
    "mean_forgotten": "the mean was not taken: it is divided by {right}",
    "factor_two": "it is off by a factor of 2",
    "logarithm": "the logarithm to base 10 was taken in place of ln",
    "digits_swapped": "two digits are swapped",
    "decimal_point": "the decimal point is in another place",
    "rounded_early": "{right} was rounded too early, to {used}",
    "copied": "this is the value of {used}",
    "arithmetic": "the expression is right and gives {right}",
}
KINDS = tuple(_TEXTS)
"""The kinds of slips that are looked for, the likeliest first."""
IN_NUMBERS = ("digits_swapped", "decimal_point", "rounded_early", "copied", "arithmetic")
"""Those that lie in the numbers and not in the formula."""
_IN_WRITING = ("digits_swapped", "decimal_point")


@dataclass(frozen=True)
class Slip:
    """A slip that explains a wrong number: one of `KINDS`, and the symbols that its text names."""

    kind: str
    names: dict[str, str] = field(default_factory=dict)

    def text(self, words: Words) -> str:
        """Return what happened, as a phrase."""
        return words(_TEXTS[self.kind], **self.names)


WIDE = Context(prec=700)
"""Room for all digits of the largest and the smallest number of float64."""
_MOST_SWAPPED = 12  # numbers of which two may have changed places
_MOST_NEIGHBOURS = 100
Made = tuple[Slip, float]


class Slips:
    """Makes slips on one line of a worked step, with the numbers that a person has."""

    def __init__(
        self, quantities: Quantities, id: str, values: Callable[[str], float], written: Callable[[str], bool]
    ) -> None:
        self._quantities, self._id, self._values, self._written = quantities, id, values, written
        self._line: Line | Given = quantities[id]
        self._kind = self._line.kind if isinstance(self._line, Line) else ""
        worked = quantities.worked
        self._every: list[Line | Given] = [*worked.given, *worked.lines_of_step]
        term = term_of(self._line) if isinstance(self._line, Line) else None
        self.terms = [] if term is None else [term]
        if term is not None:
            multiplied = inlined(
                term, quantities, lambda id: written(id) or not id.startswith(("grad/", "local/"))
            )
            if multiplied != term:
                self.terms.append(multiplied)

    def from_written(self) -> list[Term]:
        """Return the formula, and what it is in the numbers that were written: L = ℓ is −ln(p₂)."""
        if not self.terms:
            return []
        through = inlined(self.terms[0], self._quantities, self._written)
        return self.terms if through in self.terms else [*self.terms, through]

    def explain(
        self, said: Decimal, expected: float, tolerance: float, is_computed: bool = False
    ) -> Slip | None:
        """Return the likeliest slip with which the line gives what was said; None if there is none.

        What a person's own formula gives (`is_computed`) is not right but written down wrongly.
        """
        found: dict[str, Slip] = {}
        for slip, number in self._all(said, expected):
            if is_computed and slip.kind in _IN_WRITING:
                continue
            close = tolerance if slip.kind != "rounded_early" else tolerance / 2
            if math.isfinite(number) and abs(number - float(said)) <= close * 1.01:
                found.setdefault(slip.kind, slip)
        # What a slip gives must differ from what is right, or it explains nothing.
        return next((found[kind] for kind in KINDS if kind in found), None)

    def _all(self, said: Decimal, expected: float) -> Iterator[Made]:
        for term in self.from_written():
            changed = self._changed if term in self.terms else self._misunderstood
            for slip, other in changed(term):
                yield slip, self._value(other)
            yield Slip("sign"), -self._value(term)
            yield from self._rounded(term, said)
        yield from self._as_a_whole(expected)
        yield from self._misread(said, expected)
        yield from self._copied(said)

    def _value(self, term: Term) -> float:
        return value(term, self._values)

    def _symbol(self, id: str) -> str:
        return self._quantities[id].symbol

    # ---------------------------------------------------------------------------- in the formula

    def _misunderstood(self, term: Term) -> Iterator[tuple[Slip, Term]]:
        """Yield the term with a function taken for another."""
        yield from ((Slip("exp_sign"), other) for other in variants(term, _turned_exponent))
        yield from ((Slip("logarithm"), other) for other in variants(term, _base_ten))
        yield from self._simpler(term)

    def _changed(self, term: Term) -> Iterator[tuple[Slip, Term]]:
        is_parameter = self._kind == "update" and "/" not in self._id.removeprefix("update/")
        kind = "uphill" if is_parameter else "sign"
        yield from ((Slip(kind), other) for other in variants(term, _turned_sign))
        yield from self._without_part(term)
        yield from self._other_places(term)
        yield from self._other_times(term)
        yield from self._misunderstood(term)
        yield from self._sums_for_activations(term)

    def _simpler(self, term: Term) -> Iterator[tuple[Slip, Term]]:
        """Yield the term without a power, a root or a bias correction, and with ln(1 − x) for ln(x)."""

        def change(part: Term) -> Iterator[Term]:
            if isinstance(part, Applied):
                for kind, other in _simplified(part):
                    used = text(other, self._symbol)
                    slips.append(Slip(kind, {"right": text(part, self._symbol), "used": used}))
                    yield other

        slips: list[Slip] = []
        for changed in variants(term, change):
            yield slips[-1], changed
        if self._id.partition("[")[0].endswith("_hat") and isinstance(term, Applied) and term.head == "/":
            yield (
                Slip("correction_forgotten", {"right": text(term.operands[1], self._symbol)}),
                term.operands[0],
            )
        raw = {id: id.replace("/m_hat", "/exp_avg").replace("/v_hat", "/exp_avg_sq") for id in ids_in(term)}
        raw = {id: other for id, other in raw.items() if other != id and other in self._quantities}
        if raw:
            names = {"right": ", ".join(map(self._symbol, raw))}
            yield Slip("correction_forgotten", names), replaced(term, _put_all(raw))

    def _without_part(self, term: Term) -> Iterator[tuple[Slip, Term]]:
        def drop(part: Term) -> Iterator[Term]:
            if isinstance(part, Applied) and part.head in ("+", "*") and len(part.operands) > 1:
                for i in range(len(part.operands)):
                    rest = (*part.operands[:i], *part.operands[i + 1 :])
                    dropped.append((part.head, part.operands[i]))
                    yield rest[0] if len(rest) == 1 else Applied(part.head, rest)

        dropped: list[tuple[str, Term]] = []
        for other in variants(term, drop):
            head, part = dropped[-1]
            yield self._missing(head, part), other

    def _missing(self, head: str, part: Term) -> Slip:
        ids = ids_in(part)
        if not ids and head == "*":
            number = self._value(part)
            if number == 2:
                return Slip("factor_two")
            if self._kind != "update" and 0 < number < 1 and abs(1 / number - round(1 / number)) < 1e-9:
                return Slip("mean_forgotten", {"right": str(round(1 / number))})
        names = {"right": text(part, self._symbol)}
        if head == "+":
            is_bias = isinstance(part, Named) and "bias" in part.id
            return Slip("bias_forgotten" if is_bias else "term_forgotten", names)
        if ids == ["given/lr"]:
            return Slip("rate_forgotten", names)
        if isinstance(part, Named) and part.id.startswith("local/"):
            return Slip("derivative_forgotten", names)
        return Slip("factor_forgotten", names)

    def _other_places(self, term: Term) -> Iterator[tuple[Slip, Term]]:
        """Yield the term with other indices: one number of the same tensor for another, or all transposed."""
        turned = replaced(term, self._transposed)
        if turned != term:
            yield Slip("transposed"), turned
        ids = ids_in(term)[:_MOST_SWAPPED]
        for i, id in enumerate(ids):
            for other in ids[i + 1 :]:
                if other.partition("[")[0] == id.partition("[")[0]:
                    names = {"right": self._symbol(id), "used": self._symbol(other)}
                    yield Slip("index", names), replaced(term, _put_all({id: other, other: id}))
        for id in ids_in(term):
            for other in self._neighbours(id):
                names = {"right": self._symbol(id), "used": self._symbol(other)}
                yield Slip("index", names), replaced(term, _put(id, other))

    def _transposed(self, part: Term) -> Term | None:
        if not isinstance(part, Named):
            return None
        match = re.search(r"\[(\d+),(\d+)\]$", part.id)
        other = "" if match is None else f"{part.id[: match.start()]}[{match[2]},{match[1]}]"
        return Named(other) if ".weight" in part.id and other in self._quantities else None

    def _neighbours(self, id: str) -> list[str]:
        """Return the other numbers of a tensor; of a large one those of which a single index differs."""
        path, _, places = id.partition("[")
        if not places:
            return []
        others = [each.id for each in self._every if each.id != id and each.id.partition("[")[0] == path]
        if len(others) < _MOST_NEIGHBOURS:
            return others
        own = places.split(",")
        return [
            other for other in others
            if sum(map(ne, other.partition("[")[2].split(","), own)) == 1
        ]  # fmt: skip

    def _other_times(self, term: Term) -> Iterator[tuple[Slip, Term]]:
        """Yield the term with parameters from before the update in place of those after it, and back."""
        for old, new in (("given/", "update/"), ("update/", "given/")):
            pairs = {id: new + id.removeprefix(old) for id in ids_in(term) if id.startswith(old)}
            pairs = {id: other for id, other in pairs.items() if other in self._quantities and id != self._id}
            if self._kind == "update":
                pairs.pop("given/" + self._id.removeprefix("update/"), None)
            for chosen in ({id: other} for id, other in pairs.items()):
                ((id, other),) = chosen.items()
                names = {"right": self._symbol(id), "used": self._symbol(other)}
                yield Slip("older_value", names), replaced(term, _put(id, other))
            if len(pairs) > 1:
                id, other = next(iter(pairs.items()))
                names = {"right": f"{self._symbol(id)}, …", "used": f"{self._symbol(other)}, …"}
                yield Slip("older_value", names), replaced(term, _put_all(pairs))

    def _sums_for_activations(self, term: Term) -> Iterator[tuple[Slip, Term]]:
        """Yield a term with the weighted sum in place of an activation."""
        for id in ids_in(term):
            line = self._quantities[id]
            if isinstance(line, Line) and len(line.references) == 1 and id.startswith("forward/"):
                before = line.references[0]
                names = {"right": self._symbol(id), "used": self._symbol(before)}
                kind = "of_the_sum" if self._kind == "local" else "activation_skipped"
                yield Slip(kind, names), replaced(term, _put(id, before))

    # ----------------------------------------------------------------------------- in the numbers

    def _rounded(self, term: Term, said: Decimal) -> Iterator[Made]:
        digits = max(_decimals(said), 1)
        for id in ids_in(term):
            exact = self._quantities[id].value
            for decimals in range(min(digits, 6) - 1, -1, -1):
                short = round_to(exact, decimals)
                if abs(short - exact) > 1e-12:
                    names = {"right": self._symbol(id), "used": f"{short:.{decimals}f}".replace("-", "−")}
                    yield Slip("rounded_early", names), self._value_with(term, id, short)

    def _value_with(self, term: Term, id: str, number: float) -> float:
        return value(term, lambda other: number if other == id else self._values(other))

    def _as_a_whole(self, expected: float) -> Iterator[Made]:
        targets = [each.id for each in self._quantities.worked.given if each.id.startswith("given/y")]
        rows = {re.split(r"[\[,\]]", id)[1] for id in targets if "[" in id}
        is_mean = self._id == "loss" or self._id.startswith("grad/")
        for count in {len(targets), len(rows)} - {0, 1} if is_mean else ():
            yield Slip("mean_forgotten", {"right": str(count)}), expected * count
        yield Slip("factor_two"), expected * 2
        yield Slip("factor_two"), expected / 2
        other = re.sub(r"\[(\d+),(\d+)\]$", r"[\2,\1]", self._id)
        if self._id != other and ".weight" in other and other in self._quantities:
            names = {"right": self._symbol(self._id), "used": self._symbol(other)}
            yield Slip("index", names), self._values(other)
        if isinstance(self._line, Line) and len(self._line.references) == 1 and self._kind == "forward":
            before = self._line.references[0]
            yield Slip("activation_forgotten", {"used": self._symbol(before)}), self._values(before)

    def _misread(self, said: Decimal, expected: float) -> Iterator[Made]:
        """Yield what comes of writing the right number down wrongly."""
        decimals = _decimals(said)
        right = f"{round_to(expected, decimals):.{decimals}f}"
        for i in range(len(right) - 1):
            a, b = right[i], right[i + 1]
            if a.isdigit() and b.isdigit() and a != b:
                yield Slip("digits_swapped"), float(right[:i] + b + a + right[i + 2 :])
        for power in (-2, -1, 1, 2):
            yield Slip("decimal_point"), expected * 10.0**power

    def _copied(self, said: Decimal) -> Iterator[Made]:
        if len(said.as_tuple().digits) >= 3:
            for each in self._every:
                if each.id != self._id:
                    yield Slip("copied", {"used": each.symbol}), self._values(each.id)


def round_to(number: float, decimals: int) -> float:
    """Return a number rounded half up, as on paper."""
    return float(Decimal(repr(number)).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP, WIDE))


def cut_to(number: float, decimals: int) -> float:
    """Return a number without the digits behind these decimals; 0.6477999999999999 is 0.6478."""
    return float(Decimal(f"{number:.14g}").quantize(Decimal(1).scaleb(-decimals), ROUND_DOWN, WIDE))


def _decimals(said: Decimal) -> int:
    exponent = said.as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0


def _put(id: str, other: str) -> Callable[[Term], Term | None]:
    return lambda part: Named(other) if isinstance(part, Named) and part.id == id else None


def _put_all(pairs: dict[str, str]) -> Callable[[Term], Term | None]:
    return lambda part: Named(pairs[part.id]) if isinstance(part, Named) and part.id in pairs else None


def _turned_exponent(part: Term) -> Iterator[Term]:
    if isinstance(part, Applied) and part.head == "exp":
        (inside,) = part.operands
        if isinstance(inside, Applied) and inside.head == "neg":
            yield Applied("exp", inside.operands)
        else:
            yield Applied("exp", (Applied("neg", (inside,)),))


def _turned_sign(part: Term) -> Iterator[Term]:
    """Yield a part with its sign turned: one that is negative, or a term or factor."""
    if isinstance(part, Applied) and part.head == "neg":
        yield part.operands[0]
    elif isinstance(part, Named) or (isinstance(part, Applied) and part.head == "*"):
        yield Applied("neg", (part,))


def _base_ten(part: Term) -> Iterator[Term]:
    if isinstance(part, Applied) and part.head == "log":
        yield Applied("/", (part, Number(math.log(10))))


def _simplified(part: Applied) -> Iterator[tuple[str, Term]]:
    """Yield what may be written in place of a power, a root, and the logarithm of x or 1 − x."""
    first = part.operands[0]
    if part.head == "**" and isinstance(part.operands[1], Number):
        yield "power_forgotten", first
    elif part.head == "sqrt":
        yield "root_forgotten", first
    elif part.head == "log":
        is_rest = isinstance(first, Applied) and first.head == "+" and first.operands[0] == Number(1)
        rest = first.operands[1] if is_rest and isinstance(first, Applied) else None
        turned = isinstance(rest, Applied) and rest.head == "neg"
        inside = rest.operands[0] if turned and isinstance(rest, Applied) else None
        other = Applied("+", (Number(1), Applied("neg", (first,)))) if inside is None else inside
        yield "complement", Applied("log", (other,))
