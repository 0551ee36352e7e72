"""The matrix layout: every layer's numbers as one array, one line for each."""

from __future__ import annotations

from typing import Any

import numpy

from stepgrad.errors import ArgumentError
from stepgrad.explain.array_forms import WHOLE, ArrayForms, window_operands
from stepgrad.explain.elements import Elements
from stepgrad.explain.evaluate import evaluate_array
from stepgrad.explain.evaluate_arrays import ARRAY_FUNCTIONS
from stepgrad.explain.expressions import Expression, Number, Operation, Ref, refs
from stepgrad.explain.line import Given, Line
from stepgrad.explain.names import Name
from stepgrad.explain.notation import array_text, arrays_agree, literal_text, text_of
from stepgrad.explain.quantities import Quantities, Quantity
from stepgrad.explain.selection import Selection
from stepgrad.explain.step import Step, Value

MOST_NUMBERS = 600  # in a line, up to which it is written out with numbers
_MOST_SHOWN = 60  # of the value of a line that is not
_MOST_DIGITS = 17


class MatrixLayout:
    """Makes one line for each quantity, and the given arrays that they use."""

    kind = "matrix"

    def __init__(self, step: Step, digits: int, round_steps: int | None) -> None:
        if round_steps is not None:
            raise ArgumentError("round_steps works with layout='scalar': a textbook rounds number by number.")
        self.step, self.digits, self.round_steps = step, digits, round_steps
        self.elements = Elements(step.values)
        self.quantities = Quantities(step, self.elements)
        self.places: dict[str, tuple[Quantity, int]] = {}
        self.written: tuple[str, ...] = ()  # the ids of the lines, in order
        self._used: dict[str, Ref] = {}
        self._names: dict[str, int] = {}
        self._forms = ArrayForms(self.quantities, self.elements, self._patches)
        self._patches_of: dict[tuple[int, str], Value] = {}
        self._rows: dict[str, Expression] = {}  # of the lines of patches, by their paths
        self._pending: list[Quantity] = []  # which come before the line that uses them
        self._owner: Quantity

    def write(self, selection: Selection) -> tuple[list[Line], list[Given]]:
        """Return the lines of what was selected, and the arrays without a line that they use."""
        if selection.sample is not None or selection.neuron is not None or selection.path is not None:
            raise ArgumentError("sample, neuron and path pick single numbers: they go with layout='scalar'.")
        layer = None if selection.layer is None else self.quantities.number_of(selection.layer)
        wanted = [q for q in self.quantities.lines if layer is None or q.layer in (0, layer)]
        lines: list[Line] = []
        for quantity in wanted:
            line = self._line(quantity)
            pending, self._pending = self._pending, []
            lines += [*map(self._line, pending), line]
        self.written = tuple(line.id for line in lines)
        for value in self.step.data:
            if value.is_data:
                self._used.setdefault(self.quantities.leaf(value).path, Ref(value, WHOLE))
        return lines, [self._given(id, ref) for id, ref in self._used.items() if id not in self.written]

    # -------------------------------------------------------------------------------- expressions

    def expression(self, quantity: Quantity) -> Expression | None:
        """Return what a quantity is computed from, in arrays that have names; None if it cannot be said."""
        value = quantity.value
        if quantity.path in self._rows:
            return self._rows[quantity.path]
        if self.quantities.of(value) is not quantity:
            return Ref(value, WHOLE)
        self._owner = quantity
        form = self._forms.of(value, at_root=True)
        return None if form is None else form.expression

    def _patches(self, x: Value, window: dict[str, Any]) -> Value:
        """Return the windows of an array as rows, and have them named in a line of their own."""
        x = self.quantities.resolved(x)
        key = (id(x), repr(sorted(window.items())))
        if key not in self._patches_of:
            form = self._forms.of(x)
            operands = window_operands(window)
            expression = Operation("patches", (Ref(x, WHOLE) if form is None else form.expression, *operands))
            sizes = [[int(n) for n in numpy.ravel(window[name])] for name in ("size", "stride")]
            rows = ARRAY_FUNCTIONS["patches"](x.array, *sizes, window["padding"], window["dilation"])
            value = Value(rows)
            value.origin = "rows"
            known = self.quantities.of(x)
            kind = known.kind if known is not None and known.kind != "given" else self._owner.kind
            quantity = self.quantities.add_rows(value, kind, self._owner)
            self._rows[quantity.path] = expression
            self._pending.append(quantity)
            self._patches_of[key] = value
        return self._patches_of[key]

    # -------------------------------------------------------------------------------------- lines

    def _line(self, quantity: Quantity) -> Line:
        value, name = quantity.value, self.name_of(Ref(quantity.value, WHOLE), quantity)
        expression = self.expression(quantity)
        if expression is not None and value.array.ndim and not refs(expression):
            expression = Operation("expand", (expression, *map(Number, value.array.shape)))
        names: dict[str, str] = {}
        formula, substituted, digits = "", "", self.digits
        text, shown = array_text(value.array, digits, MOST_NUMBERS), {}
        if expression is not None:
            used = [ref for ref in refs(expression) if self.is_named(ref)]
            for ref in used:
                names[self.name_of(ref).text()] = id = self.id_of(ref)
                self._used.setdefault(id, ref)
            sizes = [value.array.size, *(ref.source.array.size for ref in refs(expression))]
            if all(sizes) and sum(sizes) <= MOST_NUMBERS:
                substituted, digits = self._numbers(expression, value.array, text)
                shown = {self.id_of(ref): array_text(ref.source.array, digits) for ref in used}
            else:
                text, digits = array_text(value.array, digits, _MOST_SHOWN), _MOST_DIGITS
            formula = text_of(expression, lambda leaf: self._named(leaf, digits))
        kind = quantity.kind
        if kind == "chain" and not any(id.startswith("grad/") for id in names.values()):
            kind = "local"
        self.places[quantity.path] = (quantity, WHOLE)
        number = float(value.array) if value.array.ndim == 0 else value.array
        return Line(
            quantity.path, kind, name.text(), formula, substituted, number, text,
            value.op.name if value.op else "", quantity.module, quantity.layer, tuple(names.values()), names,
            name, expression, shown, digits,
        )  # fmt: skip

    def _named(self, leaf: Ref | Number, digits: int) -> str:
        if isinstance(leaf, Ref) and self.is_named(leaf):
            return self.name_of(leaf).text()
        return _shown(leaf, digits)

    def _numbers(self, expression: Expression, result: numpy.ndarray, text: str) -> tuple[str, int]:
        """Return the text with numbers, with as many digits as it takes for it to give what is printed."""
        wanted = evaluate_array(text)
        substituted = ""
        for digits in (*range(self.digits, _MOST_DIGITS, 3), _MOST_DIGITS):

            def shown(leaf: Ref | Number, digits: int = digits) -> str:
                return _shown(leaf, digits)

            substituted = text_of(expression, shown)
            if arrays_agree(evaluate_array(substituted), wanted, self.digits):
                return substituted, digits
        return substituted, _MOST_DIGITS

    # -------------------------------------------------------------------------------------- names

    def name_of(self, ref: Ref, quantity: Quantity | None = None) -> Name:
        """Return the name of an array: in capitals if it has rows and columns."""
        known = quantity or self.quantities.of(ref.source) or self.quantities.leaf(ref.source)
        name = known.name
        first = name.base[:1] if name.base[:1] == "δ" else name.base[:1].upper()
        capital = Name(first + name.base[1:], name.layer, (), name.prime, name.kind, name.of)
        if ref.source.array.ndim < 2 or name.base == "ℓ":
            return name
        return capital if self._names.setdefault(capital.text(), id(known)) == id(known) else name

    def id_of(self, ref: Ref) -> str:
        """Return the id of an array."""
        return (self.quantities.of(ref.source) or self.quantities.leaf(ref.source)).path

    def is_named(self, ref: Ref) -> bool:
        """Return whether an array has a name, and is not written as its numbers."""
        return not _is_literal(ref.source)

    def _given(self, id: str, ref: Ref) -> Given:
        value, known = ref.source, self.quantities.of(ref.source) or self.quantities.leaf(ref.source)
        origin = "computed" if value.op is not None else value.origin
        number = float(value.array) if value.array.ndim == 0 else value.array
        name = self.name_of(ref)
        return Given(
            id,
            name.text(),
            number,
            array_text(value.array, _MOST_DIGITS, MOST_NUMBERS),
            origin,
            known.module,
            name,
        )


def _shown(leaf: Ref | Number, digits: int) -> str:
    """Return a leaf as its numbers."""
    return (
        array_text(leaf.source.array, digits) if isinstance(leaf, Ref) else literal_text(leaf.value, digits)
    )


def _is_literal(value: Value) -> bool:
    """Return whether an array is written as its numbers, having no name."""
    return value.is_data or (value.op is None and value.origin in ("", "constant"))
