"""What is right: the exact number, and what follows from the numbers that a person has written before."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial

from stepgrad.explain.expressions import Number
from stepgrad.explain.hand.derived import Quantities
from stepgrad.explain.hand.formula import Rounded
from stepgrad.explain.hand.slips import WIDE, Slips, cut_to, round_to
from stepgrad.explain.hand.terms import Named, Term, ids_in, replaced, value
from stepgrad.explain.line import Given, Line

_MOST_COARSE = 3  # significant digits of a number that may spoil those that are computed from it
_ENOUGH_PLACES = 4  # decimals of a number that was not rounded too early, however few digits they are
_FEWEST_PLACES = 3  # decimals to which a given number may be rounded
_ROUNDED = ("input", "target", "parameter")  # given numbers that may be
_LARGEST_EXPONENT = 300  # of a number that float64 has
_MANY = 3  # digits, or decimals, with which a number may have been cut off in place of rounded
_MOST_VARIED = 40  # numbers in a formula whose rounding is followed
_MOST_EXACT = 6  # digits, the last of which is right in numbers from paper; of more it may be off by one
_NOISE = 1e-12  # by how much of itself a number of float64 may be off, after a few operations


@dataclass(frozen=True)
class Said:
    """A number as it was written: its value, and how far one may be off who writes so many digits.

    `away` is how far it may be off on the side away from 0, where nothing can come of cutting digits off.
    """

    number: Decimal
    tolerance: float
    away: float = math.inf

    @classmethod
    def written(cls, text: str) -> Said | None:
        """Return the number that was written so; None for one that is none."""
        number = Decimal(text)
        exponent = number.as_tuple().exponent
        if not isinstance(exponent, int) or max(abs(exponent), abs(number.adjusted())) > _LARGEST_EXPONENT:
            return None
        # With few digits, one that is off by more than half of the last has been rounded wrongly; with many,
        # it may have been cut off.
        share = 1.0 if len(number.as_tuple().digits) >= _MANY or -exponent >= _MANY else 0.5
        noise = _NOISE * abs(float(number))
        away = 0.5 if len(number.as_tuple().digits) <= _MOST_EXACT else 1.0
        return cls(number, max(share * 10.0**exponent, noise), max(away * 10.0**exponent, noise))

    @classmethod
    def computed(cls, number: float, slack: float) -> Said:
        """Return what an expression gives, which may be off by `slack`."""
        return cls(Decimal(repr(number)), slack + 1e-6 * abs(number) + 1e-9)

    @property
    def digits(self) -> int:
        """How many significant digits it has."""
        return len(self.number.as_tuple().digits) if self.number else 1

    @property
    def decimals(self) -> int:
        """How many digits it has behind the point."""
        exponent = self.number.as_tuple().exponent
        return max(-exponent, 0) if isinstance(exponent, int) else 0

    @property
    def half(self) -> float:
        """Half of one in its last digit."""
        return 0.5 * 10.0**-self.decimals if self.decimals > 1 else 0.0


class OwnNumbers:
    """The numbers that a person has written, and what follows from them."""

    def __init__(self, quantities: Quantities) -> None:
        self.quantities = quantities
        self._own: dict[str, Said] = {}
        self._blank: set[str] = set()

    def __contains__(self, id: str) -> bool:
        return id in self._own

    def __getitem__(self, id: str) -> Said:
        return self._own[id]

    def ids(self) -> list[str]:
        """Return the ids of what was written, in order."""
        return list(self._own)

    def write(self, id: str, said: Said) -> None:
        """Note what was written for a quantity, with the zeros at its end: 1.75 may be 1.750."""
        number = said.number
        exact = [self.quantities[id].value, *(number for number, _ in self.following(id, said))]
        for _ in range(6):
            decimals = Said(number, 0.0).decimals + 1
            if not any(math.isfinite(x) and round_to(x, decimals) == float(number) for x in exact):
                break
            number = number.quantize(Decimal(1).scaleb(-decimals), context=WIDE)
        self._own[id] = replace(said, number=number)

    def value(self, id: str) -> float:
        """Return the person's number, the exact one where there is none."""
        return float(self._own[id].number) if id in self._own else float(self.quantities[id].value)

    def rounded(self, id: str) -> Rounded:
        """Return the person's number, and how far it may be off."""
        return Rounded.of(self.value(id), self._half(id))

    def _half(self, id: str) -> float:
        """Return how far a number may be off by rounding: not at all, if it is the exact one."""
        own = self._own.get(id)
        is_exact = own is None or abs(float(own.number) - self.quantities[id].value) < 1e-12
        return 0.0 if own is None or is_exact else own.half

    def slips(self, id: str) -> Slips:
        """Return what makes slips on a line with the person's numbers."""
        return Slips(self.quantities, id, self.value, self.__contains__)

    def is_right(self, id: str, said: Said) -> bool:
        """Whether a number is right for a quantity."""
        number = float(said.number)
        if not said.number.is_finite():
            return number == self.quantities[id].value
        if not said.number and math.isfinite(
            said.away
        ):  # 0 as it was written says how many decimals, no more
            exact = [self.quantities[id].value, *(other for other, _ in self.following(id, said))]
            return any(abs(other) <= _NOISE for other in exact)
        low, high = self.range(id, said)
        if not low - said.tolerance * 1.01 <= number <= high + said.tolerance * 1.01:
            return False
        away = min(said.away, said.tolerance) * 1.01
        if (low if number < 0 else -high) - away <= -abs(number):
            return True
        return any(abs(other - number) < away / 10 for other in self._rounded_on_the_way(id, said))

    def write_blank(self, id: str) -> None:
        """Note that 0 was written for a quantity that is not 0: what follows from it is hardly known."""
        self._blank.add(id)

    def has_no_digit(self, id: str, said: Said) -> bool:
        """Whether 0 was written for a number that is not 0 and has no other digit in so many decimals."""
        return not said.number and abs(self.quantities[id].value) <= said.tolerance

    def _rounded_on_the_way(self, id: str, said: Said) -> Iterator[float]:
        """Yield what a formula gives to one who writes it and every number on the way with as many decimals,
        rounded or cut off.
        """
        terms = self.slips(id).from_written() if isinstance(self.quantities[id], Line) else []
        for term, shorter in itertools.product(terms, (round_to, cut_to)):
            found = value(term, self.value, partial(shorter, decimals=said.decimals))
            if math.isfinite(found):
                yield shorter(found, said.decimals)

    def range(self, id: str, said: Said) -> tuple[float, float]:
        """Return between which numbers the right ones lie: the exact one, and those from what was written."""
        exact = float(self.quantities[id].value)
        found = [(exact, 0.0), *self.following(id, said)]
        found = [(x, slack) for x, slack in found if math.isfinite(x)]
        return min((x - slack for x, slack in found), default=exact), max(
            (x + slack for x, slack in found), default=exact
        )

    def following(self, id: str, said: Said) -> Iterator[tuple[float, float]]:
        """Yield what a formula gives with the person's own numbers, where they are fine enough, and how far
        that may be off because more digits were carried along than written.
        """
        if not isinstance(self.quantities[id], Line):
            return

        def number(other: str) -> float:
            own = self._own.get(other)
            is_used = own is not None and not self.is_coarse(other, said)
            return float(own.number) if own is not None and is_used else float(self.quantities[other].value)

        places = min([said.decimals, *self._usual_decimals()])

        def rounded(other: str) -> float:
            given = self.quantities[other]
            is_rounded = isinstance(given, Given) and given.origin in _ROUNDED and other not in self._own
            return round_to(given.value, places) if is_rounded and abs(given.value) < 1e9 else number(other)

        def blank(other: str) -> float:
            return 0.0 if other in self._blank else number(other)

        terms = self.slips(id).from_written()
        yield from ((value(term, number), self._slack(term, number, said)) for term in terms)
        if self._blank:  # 0 may be carried on where that changes no more than the last digit
            near = 2 * said.tolerance
            left_out = (value(term, blank) for term in terms)
            yield from ((x, 0.0) for x in left_out if abs(x - self.quantities[id].value) <= near)
        if (
            places >= _FEWEST_PLACES
        ):  # who computes with four decimals has the input and the weights with four
            yield from ((value(term, rounded), 0.0) for term in terms)

    def _slack(self, term: Term, number: Callable[[str], float], said: Said) -> float:
        """Return how far a formula may be off because its numbers are rounded."""
        own = [id for id in ids_in(term) if id in self._own and not self.is_coarse(id, said)]
        middle, total = value(term, number), 0.0
        for id in own[:_MOST_VARIED]:
            moved = number(id) + self._half(id)
            other = value(replaced(term, _put(id, moved)), number)
            total += abs(other - middle) if math.isfinite(other) else 0.0
        return total

    def _usual_decimals(self) -> list[int]:
        """Return how many decimals the person writes most often, as a list; nothing before the first line."""
        counts = Counter(own.decimals for own in self._own.values())
        return [places for places, _ in counts.most_common(1)]

    def is_coarse(self, id: str, said: Said) -> bool:
        """Whether a number was rounded so much that what is computed from it cannot have the digits said."""
        own = self._own[id]
        if abs(float(own.number) - self.quantities[id].value) < 1e-9:
            return False
        if own.decimals >= _ENOUGH_PLACES:
            return False
        return own.digits <= min(_MOST_COARSE, said.digits - 1) and own.decimals < said.decimals


def _put(id: str, number: float) -> Callable[[Term], Term | None]:
    return lambda part: Number(number) if isinstance(part, Named) and part.id == id else None
