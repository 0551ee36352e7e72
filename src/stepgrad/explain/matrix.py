"""The matrix layout: every layer's numbers as one array, one line for each."""

from __future__ import annotations

from typing import Any

import numpy

from stepgrad.errors import ArgumentError
from stepgrad.explain.elements import Elements
from stepgrad.explain.evaluate import evaluate_array
from stepgrad.explain.expressions import Expression, Number, Operation, Ref, refs
from stepgrad.explain.line import Given, Line
from stepgrad.explain.names import Name
from stepgrad.explain.notation import array_text, arrays_agree, literal_text, text_of
from stepgrad.explain.quantities import Quantities, Quantity
from stepgrad.explain.selection import Selection
from stepgrad.explain.step import Step, Value
from stepgrad.ops.record import Elementwise, Reduce
from stepgrad.ops.symbol import Symbol

WHOLE = -1
"""The place of a `Ref` that stands for a whole array."""
MOST_NUMBERS = 600  # in a line, up to which it is written out with numbers
_MOST_SHOWN = 60  # of the value of a line that is not
_MOST_DIGITS = 17
_CHOICES = {"maximum", "minimum", "where", "clamp"}
_FOLDS = {"sum", "mean", "amax", "amin", "prod"}


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
        self._used: dict[str, Ref] = {}
        self._names: dict[str, int] = {}

    def write(self, selection: Selection) -> tuple[list[Line], list[Given]]:
        """Return the lines of what was selected, and the arrays without a line that they use."""
        if selection.sample is not None or selection.neuron is not None or selection.path is not None:
            raise ArgumentError("sample, neuron and path pick single numbers: they go with layout='scalar'.")
        layer = None if selection.layer is None else self.quantities.number_of(selection.layer)
        wanted = [q for q in self.quantities.lines if layer is None or q.layer in (0, layer)]
        lines = [self._line(quantity) for quantity in wanted]
        written = {line.id for line in lines}
        for value in self.step.data:
            if value.is_data:
                self._used.setdefault(self.quantities.leaf(value).path, Ref(value, WHOLE))
        return lines, [self._given(id, ref) for id, ref in self._used.items() if id not in written]

    # -------------------------------------------------------------------------------- expressions

    def expression(self, quantity: Quantity) -> Expression | None:
        """Return what a quantity is computed from, in arrays that have names; None if it cannot be said."""
        value = quantity.value
        if self.quantities.of(value) is not quantity:
            return Ref(value, WHOLE)
        return self._of(value, at_root=True)

    def _of(self, value: Any, at_root: bool = False) -> Expression | None:
        if not isinstance(value, Value):
            return Number(value)
        value = self.quantities.resolved(value)
        named = self.quantities.of(value)
        if not at_root and (named is not None or value.op is None or value.is_data):
            if value.array.ndim == 0 and named is None and (value.is_data or value.origin == "constant"):
                return Number(value.array.item())
            return Ref(value, WHOLE)
        op = value.op
        assert op is not None
        if isinstance(op, Elementwise):
            return self._elementwise(value, at_root)
        if op.kind == "contract":
            return self._contracted(value)
        if isinstance(op, Reduce):
            return self._reduced(value)
        return self._moved(value)

    def _elementwise(self, value: Value, at_root: bool) -> Expression | None:
        op = value.op
        assert isinstance(op, Elementwise)
        if not at_root and op.name in _CHOICES:
            for x in value.inputs:  # one that makes no difference
                if isinstance(x, Value) and numpy.array_equal(x.array, value.array):
                    return self._of(x)
        if op.name == "cast":
            return self._of(value.inputs[0])
        operands = {name: self._operand(x) for name, x in zip(op.input_names(), value.inputs)}
        written = self.elements.formula(value)
        if written is None or any(x is None for x in operands.values()):
            return None
        return self._from_symbol(written, operands)

    def _operand(self, x: Any) -> Expression | None:
        """Return an operand of an elementwise operation; one of equal numbers without a name is a number."""
        if isinstance(x, Value) and x.is_data and x.array.size and (x.array == x.array.flat[0]).all():
            return Number(x.array.flat[0].item())
        return self._of(x)

    def _from_symbol(self, x: Any, names: dict[str, Any]) -> Expression:
        if not isinstance(x, Symbol):
            return Number(x)
        if x.operands is None:
            return names[x.head]
        return _apply(x.head, [self._from_symbol(y, names) for y in x.operands])

    def _contracted(self, value: Value) -> Expression | None:
        op = value.op
        assert op is not None
        operands = [None if x is None else self._of(x) for x in value.inputs]
        if any(made is None and x is not None for made, x in zip(operands, value.inputs)):
            return None
        if op.name == "matmul":
            a, b = operands
            assert a is not None
            assert b is not None
            return Operation("@", (a, b))
        if op.name == "linear":
            x, weight, bias = operands
            assert x is not None
            assert weight is not None
            product = Operation("@", (x, Operation("ᵀ", (weight,))))
            return product if bias is None else Operation("+", (product, bias))
        return None

    def _reduced(self, value: Value) -> Expression | None:
        op, x = value.op, self._of(value.inputs[0])
        assert op is not None
        if x is None:
            return None
        if op.name == "sum_to":
            return Operation("sumto", (x, *map(Number, value.attrs["shape"])))
        if op.name not in _FOLDS:
            return None
        dims = value.attrs["dim"] or ()
        made = Operation(op.name, (x, *map(Number, dims)))
        if value.attrs["keepdim"] and value.array.ndim:
            return Operation("reshape", (made, *map(Number, value.array.shape)))
        return made

    def _moved(self, value: Value) -> Expression | None:
        op = value.op
        assert op is not None
        x = self._of(value.inputs[0]) if value.inputs else None
        if op.kind not in ("view", "gather") or x is None:
            return None
        source, shape = value.inputs[0].array.shape, value.array.shape
        if op.name == "permute":
            last = (*range(len(shape) - 2), len(shape) - 1, len(shape) - 2)
            dims = value.attrs["dims"]
            return Operation("ᵀ", (x,)) if dims == last else Operation("permute", (x, *map(Number, dims)))
        if op.name in ("reshape", "expand"):
            return x if source == shape else Operation(op.name, (x, *map(Number, shape)))
        positions = self.elements.positions(value)
        return None if positions is None else Operation("take", (x, Ref(positions, WHOLE)))

    # -------------------------------------------------------------------------------------- lines

    def _line(self, quantity: Quantity) -> Line:
        value, name = quantity.value, self.name_of(Ref(quantity.value, WHOLE), quantity)
        expression = self.expression(quantity)
        if expression is not None and not refs(expression):
            expression = None
        names: dict[str, str] = {}
        formula, substituted, digits = "", "", self.digits
        text, shown = array_text(value.array, digits, MOST_NUMBERS), {}
        if expression is not None:
            used = [ref for ref in refs(expression) if self.is_named(ref)]
            for ref in used:
                names[self.name_of(ref).text()] = id = self.id_of(ref)
                self._used.setdefault(id, ref)
            if value.array.size + sum(ref.source.array.size for ref in refs(expression)) <= MOST_NUMBERS:
                substituted, digits = self._numbers(expression, value.array, text)
                shown = {self.id_of(ref): array_text(ref.source.array, digits) for ref in used}
            else:
                text = array_text(value.array, digits, _MOST_SHOWN)
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
        capital = Name(name.base[:1].upper() + name.base[1:], name.layer, (), name.prime, name.kind, name.of)
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


def _apply(head: str, operands: list[Expression]) -> Expression:
    """Return an operation on arrays; products of arrays go element by element."""
    if head == "-":
        return Operation("+", (operands[0], _apply("neg", [operands[1]])))
    if head == "*":
        kept = [x for x in operands if x != Number(1)]
        if len(kept) < 2:
            return kept[0] if kept else Number(1)
        if len(kept) == 2 and kept[0] == kept[1]:
            return Operation("**", (kept[0], Number(2)))
        arrays = sum(_is_array(x) for x in kept)
        return Operation("⊙" if arrays > 1 else "*", tuple(kept))
    if head == "/" and operands[1] == Number(1):
        return operands[0]
    if head == "log1p":
        return Operation("log", (Operation("+", (Number(1), operands[0])),))
    if head == "expm1":
        return Operation("+", (Operation("exp", (operands[0],)), Number(-1)))
    if head == "cast":
        return operands[0]
    if head == "where" and isinstance(operands[0], Number):
        return operands[1 if operands[0].value else 2]
    if head == "+" and Number(0) in operands:
        rest = [x for x in operands if x != Number(0)]
        return rest[0] if rest else Number(0)
    return Operation(head, tuple(operands))


def _is_array(x: Expression) -> bool:
    if isinstance(x, Operation):
        if x.head in ("sum", "mean", "amax", "amin", "prod") and len(x.operands) == 1:
            return False
        return any(_is_array(part) for part in x.operands)
    return isinstance(x, Ref) and x.source.array.ndim > 0
