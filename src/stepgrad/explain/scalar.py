"""The scalar layout: every number by its own name, one line for each."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import numpy

from stepgrad.explain.elements import Elements
from stepgrad.explain.evaluate import evaluate
from stepgrad.explain.expressions import (
    Expression,
    Number,
    Operation,
    Ref,
    function,
    negative,
    plus,
    refs,
    size,
    times,
    value_of,
    without_guards,
)
from stepgrad.explain.line import Given, Line
from stepgrad.explain.names import Name
from stepgrad.explain.notation import decimal_text, literal_text, number_text, text_of, tolerance
from stepgrad.explain.quantities import Quantities, Quantity
from stepgrad.explain.selection import Selection, places_of
from stepgrad.explain.step import Step, Value

_MOST_WHOLE = 100  # whole numbers of the data that are listed
_MOST_DIGITS = 17  # which say a float64 exactly
_ROUNDED_GIVEN = ("parameter", "input", "target", "buffer", "state")


class ScalarLayout:
    """Makes the lines of single numbers, each when it is asked for, and the given numbers that they use."""

    kind = "scalar"

    def __init__(self, step: Step, digits: int, round_steps: int | None) -> None:
        self.step, self.digits, self.round_steps = step, digits, round_steps
        self.elements = Elements(step.values)
        self.quantities = Quantities(step, self.elements)
        self.places: dict[str, tuple[Quantity, int]] = {}
        self.written: tuple[str, ...] = ()  # the ids of the lines, in order
        self._used: dict[str, Ref] = {}
        self._locals: dict[tuple[int, int, int, int], Quantity] = {}
        self._products: dict[Ref, Expression] = {}
        self._rounded: dict[Ref, Decimal] = {}
        self._settled: dict[Ref, float] = {}

    def write(self, selection: Selection) -> tuple[list[Line], list[Given]]:
        """Return the lines of what was selected, and the numbers without a line that they use."""
        lines = [line for place in places_of(self, selection) for line in self.lines_of(*place)]
        self.written = tuple(line.id for line in lines)
        for value in self.step.data:
            if value.array.dtype.kind != "f":  # written as numbers in the lines, so by no name
                for place in range(min(value.array.size, _MOST_WHOLE)):
                    ref = Ref(value, place)
                    self._used.setdefault(self.id_of(ref), ref)
        return lines, [self._given(id, ref) for id, ref in self._used.items() if id not in self.written]

    def lines_of(self, quantity: Quantity, place: int) -> list[Line]:
        """Return the lines that say what one number of a quantity is: the local derivatives that it needs
        and have not been written yet, then its own.
        """
        expression = self.expression(quantity, place)
        before: list[Line] = []
        if expression is not None and quantity.kind == "chain" and quantity.of is not None:
            expression, found = self._with_locals(expression, quantity, place)
            before = [self._line(each, where, inside, "local") for each, where, inside in found]
        kind = quantity.kind
        if kind == "chain" and expression is not None and not self._has_gradient(expression):
            kind = "local"  # the derivative of the loss itself
        if self.round_steps is not None and quantity.kind == "chain" and expression is not None:
            expression = self._multiplied_out(expression, Ref(quantity.value, place))
        return [*before, self._line(quantity, place, expression, kind)]

    # -------------------------------------------------------------------------------- expressions

    def expression(self, quantity: Quantity, place: int) -> Expression | None:
        """Return what one number of a quantity is computed from, in numbers that have names."""
        if self.quantities.of(quantity.value) is not quantity:
            return Ref(quantity.value, place)  # another name for the same number
        found = self.elements.of(quantity.value, place)
        if found is None:
            return None
        return self._inlined(found, at_root=quantity.kind in ("forward", "loss", "after"))

    def _inlined(self, x: Expression, at_root: bool = False) -> Expression:
        """Return an expression in which numbers without a name are written out."""
        if isinstance(x, Operation):
            operands = [self._inlined(operand) for operand in x.operands]
            made = (
                function(x.head, *operands)
                if x.head in ("+", "*", "neg", "/")
                else Operation(x.head, tuple(operands))
            )
            return made if at_root else without_guards(made)
        if isinstance(x, Number):
            return x
        value = self.quantities.resolved(x.source)
        if value.op is None or self.quantities.of(value) is not None:
            return Ref(value, x.place)
        found = self.elements.of(value, x.place)
        if found is None:
            return Number(x.value)
        return self._inlined(found, at_root)

    def _has_gradient(self, x: Expression) -> bool:
        return any(self._is_gradient(ref) for ref in refs(x))

    def _is_gradient(self, ref: Ref) -> bool:
        known = self.quantities.of(ref.source)
        return known is not None and known.kind == "chain"

    def _with_locals(
        self, x: Expression, quantity: Quantity, place: int
    ) -> tuple[Expression, list[tuple[Quantity, int, Expression]]]:
        """Split what multiplies each upstream gradient off, where it is a formula and not just a number: the
        local derivative, which gets a line of its own.
        """
        found: list[tuple[Quantity, int, Expression]] = []
        rest: list[Expression] = []
        by_upstream: dict[Ref, list[Expression]] = {}
        for term in x.operands if isinstance(x, Operation) and x.head == "+" else (x,):
            upstream, local = self._split(term)
            if upstream is None:
                rest.append(term)
            else:
                by_upstream.setdefault(upstream, []).append(local)
        for upstream, locals_ in by_upstream.items():
            local = plus(*locals_)
            rest.append(times(upstream, self._as_line(upstream, local, quantity, place, found)))
        return plus(*rest), found

    def _split(self, term: Expression) -> tuple[Ref | None, Expression]:
        """Return the upstream gradient in a term and what it is multiplied by."""
        minus = isinstance(term, Operation) and term.head == "neg"
        inside = term.operands[0] if minus and isinstance(term, Operation) else term
        factors = inside.operands if isinstance(inside, Operation) and inside.head == "*" else (inside,)
        upstream = [f for f in factors if isinstance(f, Ref) and self._is_gradient(f)]
        rest = [f for f in factors if not (isinstance(f, Ref) and self._is_gradient(f))]
        if len(upstream) != 1 or any(self._has_gradient(f) for f in rest):
            return None, term
        local = times(*rest) if rest else Number(1)
        return upstream[0], negative(local) if minus else local

    def _as_line(
        self, upstream: Ref, local: Expression, quantity: Quantity, place: int, found: list[Any]
    ) -> Expression:
        """Return the name of a local derivative that is worth a line, itself if it is not."""
        of = self.quantities.of(upstream.source)
        owner = None if of is None or of.of is None else self.quantities.of(of.of)
        inside = local.operands[0] if isinstance(local, Operation) and local.head == "neg" else local
        if size(inside) < 1 or owner is None or quantity.of is None:
            return local
        by = self.quantities.of(quantity.of) or self.quantities.leaf(quantity.of)
        made, is_new = self._local(owner, upstream.place, by, place, local)
        if is_new:
            found.append((made, 0, local))
        return Ref(made.value, 0)

    def _local(
        self, owner: Quantity, place: int, by: Quantity, by_place: int, local: Expression
    ) -> tuple[Quantity, bool]:
        """Return the quantity ∂owner/∂by of two numbers, and whether it is new."""
        key = (id(owner.value), place, id(by.value), by_place)
        if key in self._locals:
            return self._locals[key], False
        value = Value(numpy.array(value_of(local)))
        value.op, value.module, value.origin = owner.value.op, owner.value.module, "local"
        path = f"local/{owner.id_at(place).removeprefix('forward/')}"
        if any(k[:2] == key[:2] for k in self._locals):
            path += "/" + by.id_at(by_place).removeprefix("forward/").removeprefix("given/")
        name = owner.name_at(place).by(by.name_at(by_place))
        quantity = Quantity(value, "local", path, name, layer=owner.layer, module=owner.module)
        self._locals[key] = self.quantities.add_local(quantity)
        return quantity, True

    def _multiplied_out(self, x: Expression, own: Ref) -> Expression:
        """Return a gradient with the gradients in it replaced by the products that they are, as a textbook
        writes the chain rule: so that rounding is done on local derivatives and not on what is passed on.
        """
        made = _replaced(x, self._products)
        is_product = (
            isinstance(made, Operation)
            and made.head in ("*", "neg")
            and not any(
                isinstance(part, Operation) and part.head not in ("*", "neg") for part in _factors(made)
            )
        )
        if is_product or isinstance(made, Ref):
            self._products[own] = made
        return made

    # -------------------------------------------------------------------------------------- lines

    def _line(self, quantity: Quantity, place: int, expression: Expression | None, kind: str) -> Line:
        value = quantity.value
        name = quantity.name if quantity.kind == "local" else quantity.name_at(place)
        number = float(value.array.reshape(-1)[place])
        own_id = quantity.path if quantity.kind == "local" else quantity.id_at(place)
        names: dict[str, str] = {}
        shown: dict[str, str] = {}
        formula, substituted, digits = "", "", self.digits
        if expression is None:
            text = self._rounded_text(Ref(value, place), Decimal(repr(number)))
        else:
            used = refs(expression)
            for ref in used:
                names[self.name_of(ref).text()] = id = self.id_of(ref)
                self._used.setdefault(id, ref)
            substituted, text, numbers, digits, number = self._numbers(expression, Ref(value, place), number)
            formula = self._formula(expression, digits)
            shown = {self.id_of(ref): numbers[ref] for ref in used}
        if kind != "local" or quantity.kind != "local":
            self.places[own_id] = (quantity, place)
        if self.round_steps is not None:
            number = float(self._rounded[Ref(value, place)])
        return Line(
            own_id, kind, name.text(), formula, substituted, number, text, value.op.name if value.op else "",
            quantity.module, quantity.layer, tuple(names.values()), names, name, expression, shown,
            digits,
        )  # fmt: skip

    def _formula(self, expression: Expression, digits: int) -> str:
        def named(leaf: Ref | Number) -> str:
            return self.name_of(leaf).text() if isinstance(leaf, Ref) else literal_text(leaf.value, digits)

        return text_of(expression, named)

    def _numbers(
        self, expression: Expression, own: Ref, number: float
    ) -> tuple[str, str, dict[Ref, str], int, float]:
        """Return the text with numbers, the text of the value, the text of each operand, the digits used,
        and the value.

        With as many digits as it takes for the text to give the value that is printed.
        """
        operands = refs(expression)
        if self.round_steps is not None:
            texts = {ref: self._rounded_operand(ref) for ref in operands}
            substituted = _substituted(expression, texts, _MOST_DIGITS)
            return substituted, self._rounded_text(own, evaluate(substituted)), texts, _MOST_DIGITS, number
        text = number_text(number, self.digits)
        for digits in range(self.digits, _MOST_DIGITS + 1):
            texts = {ref: number_text(self._settled.get(ref, ref.value), digits) for ref in operands}
            substituted = _substituted(expression, texts, digits)
            found = evaluate(substituted)
            if not found.is_finite() or not numpy.isfinite(number):
                return substituted, text, texts, digits, number
            if abs(found - Decimal(text.replace("−", "-"))) <= tolerance(text, self.digits):
                return substituted, text, texts, digits, number
        # Terms that cancel leave nothing but the rounding of float64: the text is right, not the float.
        largest = max((abs(ref.value) for ref in operands), default=0.0)
        noise = sum(abs(self._settled[ref] - ref.value) for ref in operands if ref in self._settled)
        if abs(float(found) - number) <= 1e-12 * max(largest, 1e-300) + 1e3 * noise:
            number = self._settled[own] = float(found)
            text = number_text(number, self.digits)
        return substituted, text, texts, digits, number

    def _rounded_operand(self, ref: Ref) -> str:
        if ref not in self._rounded:
            exact = Decimal(repr(ref.value))
            is_rounded = ref.source.op is not None or ref.source.origin in _ROUNDED_GIVEN
            self._rounded[ref] = rounded(exact, self.round_steps or 0) if is_rounded else exact.normalize()
        return _text_of_rounded(self._rounded[ref])

    def _rounded_text(self, own: Ref, found: Decimal) -> str:
        if self.round_steps is None:
            return number_text(float(found), self.digits)
        self._rounded[own] = rounded(found, self.round_steps)
        return _text_of_rounded(self._rounded[own])

    # -------------------------------------------------------------------------------------- names

    def name_of(self, ref: Ref) -> Name:
        """Return the name of a number."""
        quantity = self._quantity(ref)
        return quantity.name if quantity.kind == "local" else quantity.name_at(ref.place)

    def id_of(self, ref: Ref) -> str:
        """Return the id of a number."""
        quantity = self._quantity(ref)
        return quantity.path if quantity.kind == "local" else quantity.id_at(ref.place)

    def _quantity(self, ref: Ref) -> Quantity:
        return self.quantities.of(ref.source) or self.quantities.leaf(ref.source)

    def is_named(self, ref: Ref) -> bool:
        """Return whether a number has a name: here all of them."""
        return True

    def _given(self, id: str, ref: Ref) -> Given:
        """Return a number that lines use and that has no line."""
        name, source = self.name_of(ref), ref.source
        text = (
            number_text(ref.value, _MOST_DIGITS) if self.round_steps is None else self._rounded_operand(ref)
        )
        origin = "computed" if source.op is not None else source.origin
        return Given(id, name.text(), ref.value, text, origin, self._quantity(ref).module, name)


def rounded(value: Decimal, decimals: int) -> Decimal:
    """Return a number rounded half up to so many decimals, as a person does it; one that would become 0 keeps
    as many significant digits instead. NaN and ∞ stay what they are.

    >>> rounded(Decimal("0.65651"), 4), rounded(Decimal("-0.00001234"), 2)
    (Decimal('0.6565'), Decimal('-0.000012'))
    >>> rounded(Decimal("0.22002"), 4), rounded(Decimal("0.220"), 4)
    (Decimal('0.2200'), Decimal('0.22'))
    """
    if not value.is_finite():
        return value
    made = value.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    if made.is_zero() and not value.is_zero():
        made = value.quantize(Decimal(1).scaleb(value.adjusted() - decimals + 1), ROUND_HALF_UP)
    return made.normalize() if made == value else made


def _text_of_rounded(value: Decimal) -> str:
    return decimal_text(value) if value.is_finite() else number_text(float(value), _MOST_DIGITS)


def _substituted(x: Expression, texts: dict[Ref, str], digits: int) -> str:
    def shown(leaf: Ref | Number) -> str:
        return texts[leaf] if isinstance(leaf, Ref) else literal_text(leaf.value, digits)

    return text_of(x, shown)


def _replaced(x: Expression, by: dict[Ref, Expression]) -> Expression:
    if isinstance(x, Ref):
        return by.get(x, x)
    if isinstance(x, Operation):
        return function(x.head, *(_replaced(operand, by) for operand in x.operands))
    return x


def _factors(x: Operation) -> Iterable[Any]:
    for operand in x.operands:
        yield operand
        if isinstance(operand, Operation):
            yield from _factors(operand)
