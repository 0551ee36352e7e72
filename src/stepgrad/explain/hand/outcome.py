"""What `check_work` finds: the first `Wrong` line, and a `Remark` on each that was not read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from stepgrad.explain.hand.entries import Entry
from stepgrad.explain.hand.slips import Slip
from stepgrad.words.language import Words

_TEXTS = {
    "not_read": "Line {line} was not read: {text}",
    "expression": "Line {line}: the value was checked, but this was not read: {text}",
    "arithmetic": "Line {line}: {text} is no quantity of the step; only the arithmetic was checked",
    "no_digit": "Line {line}: {text} has no significant digit, and was not checked",
    "next_step": "Line {line} is of the next step and was not checked: {text}",
    "output": "Line {line}: {text} was taken for the output, not for the target",
    "negative": "Line {line}: {text} was taken for the gradient with its sign turned",
}


@dataclass(frozen=True)
class Wrong:
    """A line of a hand calculation that is wrong.

    `entry` is the line, `id` and `symbol` the quantity ("" and what was written, for one that the step has
    not). `said` is what it says: its value, or the value that its expression gives, if `in_expression`.
    `expected` is what it should be, `text` that with as many digits as were written, `formula` what it is
    computed from. `slip` is what likely happened, None if no slip gives that number.
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
class Remark:
    """What has to be known of a line that is not wrong.

    `kind` "not_read": nothing in it was understood; "expression": the part `text` of it was not;
    "arithmetic": what it names is no quantity of the step; "no_digit": it says 0 for a number that is only
    smaller than the decimals written; "next_step": it is of the step after this one; "output": y
    was taken for ŷ; "negative": δ was taken for −∂L/∂z.
    """

    kind: str
    place: int
    text: str

    def sentence(self, words: Words) -> str:
        """Return it as a sentence."""
        return words(_TEXTS[self.kind], line=str(self.place), text=self.text)


@dataclass(frozen=True)
class WorkChecked:
    """What `check_work` found.

    `right`: how many values were right before the first wrong one; `wrong`: that one, None if there is none;
    `lines`: how many lines these values stand in. `unknown`: what was stated but not checked, because it was
    not understood, names no quantity of the step, or is of the next step; `words`: the lines that state
    nothing, such as sentences. `remarks` say what was not read of which line, and why. Lines after the first
    wrong one are not looked at.
    """

    right: int
    wrong: Wrong | None
    unknown: list[Entry] = field(default_factory=list)
    words: list[Entry] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    lines: int = 0

    @property
    def ok(self) -> bool:
        """Whether no line is wrong."""
        return self.wrong is None

    @property
    def is_complete(self) -> bool:
        """Whether no line is wrong, and everything that was stated was read and checked."""
        return self.ok and not self.unknown and all(r.kind in ("output", "negative") for r in self.remarks)

    @property
    def not_read(self) -> int:
        """How many lines were not checked, or not all of what they state; sentences do not count."""
        kinds = ("not_read", "expression", "arithmetic", "no_digit", "next_step")
        return len({remark.place for remark in self.remarks if remark.kind in kinds})
