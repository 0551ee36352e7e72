"""The order in which a worked step is read: by layers, forward and backward side by side, then the update."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy

from stepgrad.explain.expressions import Expression, Number, Operation, Ref
from stepgrad.explain.line import Given, Line
from stepgrad.explain.names import Name
from stepgrad.explain.notation import array_text, literal_text, number_text
from stepgrad.words.language import Words
from stepgrad.words.numbers import layer_text

if TYPE_CHECKING:
    from stepgrad.explain.worked import Worked

_MOST_SHOWN = 36  # numbers of an array that are shown; of a larger one its corners
_ENDS, _MOST_TERMS = 3, 12  # terms shown of a sum of more than so many


@dataclass
class Part:
    """The lines of one layer, or of the loss (`layer` None): its title and its lines by direction."""

    title: str
    layer: int | None
    forward: list[Line] = field(default_factory=list)
    backward: list[Line] = field(default_factory=list)
    update: list[Line] = field(default_factory=list)
    after: list[Line] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many lines there are."""
        return len(self.forward) + len(self.backward) + len(self.update)


def parts_of(worked: Worked, words: Words) -> list[Part]:
    """Return the layers in the order of the forward pass, then the loss, each with its lines."""
    by_layer: dict[int | None, Part] = {}
    for line in worked:
        key = None if line.id.startswith(("loss", "after/loss")) else line.layer
        if key not in by_layer:
            by_layer[key] = Part("", key)
        part = by_layer[key]
        side = {
            "forward": part.forward,
            "loss": part.forward,
            "update": part.update,
            "after": part.after,
        }
        side.get(line.kind, part.backward).append(line)
    order = sorted(key for key in by_layer if key is not None)
    # What belongs to no layer, such as the step number of the optimizer, comes last.
    numbered = [key for key in order if key] + ([None] if None in by_layer else [])
    keys = [*numbered, *(key for key in order if not key)]
    for key in keys:
        by_layer[key].title = _title(worked, by_layer[key], words)
    return [by_layer[key] for key in keys]


def _title(worked: Worked, part: Part, words: Words) -> str:
    if part.layer is None:
        return words("Loss")
    paths = dict.fromkeys(
        line.module for line in (*part.forward, *part.backward, *part.update, *part.after) if line.module
    )
    names = ", ".join(module_text(worked, path) for path in paths)
    if not part.layer:
        return names or words("The optimizer")
    return words("Layer {number}: {modules}", number=part.layer, modules=names)


def module_text(worked: Worked, path: str) -> str:
    """Return what a module is, in short."""
    return layer_text(worked.modules.get(path, path))


def numbered(worked: Worked) -> dict[str, int]:
    """Return the number of each line by its id, from 1, in the order of computation."""
    return {line.id: i for i, line in enumerate(worked, 1)}


def uses(worked: Worked) -> dict[str, list[str]]:
    """Return for each id the ids of the lines that use it."""
    found: dict[str, list[str]] = {}
    for line in worked:
        for id in line.references:
            found.setdefault(id, []).append(line.id)
    return found


def given_text(worked: Worked, given: Given) -> str:
    """Return a given number as it is listed: with as many digits as lines have."""
    if worked.round_steps is not None:
        return given.text
    return array_text(numpy.asarray(given.value), worked.digits, _MOST_SHOWN)


def same_text(worked: Worked, given: Given, words: Words) -> str | None:
    """Return what is said of a large array whose numbers are all the same, None for another."""
    array = numpy.asarray(given.value)
    if array.size <= _MOST_SHOWN or not (array == array.flat[0]).all():
        return None
    shape = " × ".join(map(str, array.shape))
    value = number_text(float(array.flat[0]), worked.digits)
    return words("{value} everywhere, shape {shape}", value=value, shape=shape)


def value_text(worked: Worked, line: Line) -> str:
    """Return the value of a line as it is shown: of a large array the corners."""
    array = numpy.asarray(line.value)
    return array_text(array, worked.digits, _MOST_SHOWN) if array.size > _MOST_SHOWN else line.text


def is_cut(worked: Worked, line: Line) -> bool:
    """Return whether a line shows the corners of arrays alone, though it has all numbers in full."""
    used = [worked[id].value for id in line.shown if id in worked]
    return bool(line.substituted) and any(numpy.size(value) > _MOST_SHOWN for value in (line.value, *used))


def without_formula(line: Line, words: Words) -> str:
    """Return what is said of a line that shows its result alone, "" of others."""
    if line.formula:
        return ""
    return words("the result of {name}, which has no formula here", name=line.op or "?")


def givens_by_origin(worked: Worked) -> dict[str, list[Given]]:
    """Return the numbers that the step starts from, by what they belong to."""
    found: dict[str, list[Given]] = {}
    for given in worked.given:
        found.setdefault(given.origin, []).append(given)
    return {origin: found[origin] for origin in ORIGINS if origin in found}


def cut_givens(givens: list[Given], most: int, words: Words) -> tuple[list[Given], str]:
    """Return at most so many given numbers, of many those that are not 0, and what is said of the rest."""
    if len(givens) <= most:
        return givens, ""
    telling = [given for given in givens if numpy.any(given.value)]
    shown = telling[:most]
    text = "and {count} more, all 0" if len(telling) <= most else "and {count} more"
    return shown, words(text, count=len(givens) - len(shown))


ORIGINS = {
    "input": "Input",
    "target": "Target",
    "parameter": "Parameters",
    "rate": "Learning rate",
    "state": "State of the optimizer",
    "buffer": "Buffers of the model",
    "computed": "Computed elsewhere in the step",
    "constant": "Constants",
}


def shortened(x: Expression) -> tuple[Expression, int]:
    """Return an expression in which long sums are cut to their ends, and how many terms were left out."""
    if not isinstance(x, Operation):
        return x, 0
    operands, left_out = [], 0
    for operand in x.operands:
        short, count = shortened(operand)
        operands.append(short)
        left_out += count
    if x.head in ("+", "maximum", "minimum") and len(operands) > _MOST_TERMS:
        left_out += len(operands) - 2 * _ENDS
        operands = [*operands[:_ENDS], Operation("…", ()), *operands[-_ENDS:]]
    return Operation(x.head, tuple(operands)), left_out


class Leaves:
    """What stands for a leaf in the formula of a line, and with numbers put in."""

    def __init__(self, worked: Worked, line: Line) -> None:
        self._source, self._line, self._digits = worked.source, line, worked.digits

    def is_named(self, leaf: Ref | Number) -> bool:
        """Return whether a leaf has a name."""
        return isinstance(leaf, Ref) and self._source.is_named(leaf)

    def id(self, ref: Ref) -> str:
        """Return the id of a number."""
        return self._source.id_of(ref)

    def name(self, ref: Ref) -> Name:
        """Return the name of a number."""
        return self._source.name_of(ref)

    def number(self, leaf: Ref | Number) -> str:
        """Return the number as the line shows it."""
        if isinstance(leaf, Number):
            return literal_text(leaf.value, self._line.digits)
        array = leaf.source.array
        if self._source.kind == "matrix" and array.size > _MOST_SHOWN:
            return array_text(array, self._digits, _MOST_SHOWN)
        return (
            self._line.shown[self.id(leaf)] if self.is_named(leaf) else array_text(array, self._line.digits)
        )

    def text(self, leaf: Ref | Number) -> str:
        """Return the name as text, or the number of a leaf that has none."""
        if isinstance(leaf, Ref) and self.is_named(leaf):
            return self.name(leaf).text()
        return self.number(leaf)


def introduction(worked: Worked, words: Words) -> list[str]:
    """Return what a reader has to know about names and digits."""
    sentences = [
        words(
            "ŷ is what the network predicts, y the target, L the loss, η the learning rate; a prime (′) "
            "marks a value after the update."
        ),
        words("In names neurons and samples count from 1; in ids, as in Python, from 0."),
    ]
    if worked.round_steps is not None:
        sentences.append(
            words(
                "Every value is rounded to {count:decimal/decimals} before its next use.",
                count=worked.round_steps,
            )
        )
    return sentences


def outcome_text(worked: Worked, words: Words) -> str | None:
    """Return what the update did to the loss; None if there was no update."""
    if not any(line.kind == "update" for line in worked):
        return None
    if "loss" in worked and "after/loss" in worked:
        before, after = worked["loss"].text, worked["after/loss"].text
    else:
        values = worked.after.loss, worked.after.loss_after
        before, after = (number_text(value, worked.digits) for value in values)
    return words(
        "With the new parameters the loss on the same data is {after}; it was {before}.",
        after=after,
        before=before,
    )
