"""Whether the lines of a worked step are true.

Two ways, neither of which is the way in which the lines were made: the text of every line is read again and
computed by `evaluate`, in decimal arithmetic, from the numbers that it prints; and every gradient is compared
with central differences of the loss, for which the forward pass is run again in extended precision.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy

from stepgrad.errors import ArgumentError
from stepgrad.explain.evaluate import (
    decimal,
    evaluate,
    evaluate_array,
    evaluate_floats,
    is_filled_in,
    sizes_of,
)
from stepgrad.explain.notation import array_text, arrays_agree, tolerance
from stepgrad.explain.step import Step, Value
from stepgrad.ops.namespace import NUMPY, SPECIAL
from stepgrad.ops.record import Composite, Elementwise
from stepgrad.ops.symbol import Symbol, symbols

if TYPE_CHECKING:
    from stepgrad.explain.line import Given, Line
    from stepgrad.explain.worked import Worked

_WIDE = numpy.longdouble
# The step of central differences that balances their error, h², with that of rounding, ε / h.
_STEP = float(numpy.finfo(_WIDE).eps) ** (1 / 3)
_CLOSE = 10 * _STEP**2
_MOST_CHECKED = 40  # numbers of one array, the largest
_FEWEST_CHECKED, _MOST_NUMBERS = 4, 4_000_000
_NARROW_KINDS = ("function", "routine")  # the user's own code, and LAPACK
_NARROW = 100 * float(numpy.finfo(numpy.float64).eps) / _STEP  # where a part of the way is in float64


@dataclass(frozen=True)
class Fault:
    """A line that is not true: its id, what was found wrong ("value", "reference", "operand", "gradient",
    "formula", "text", "outcome", "kind", "symbol", "operation", "module", "layer", "missing", "repeated";
    "given": a given number; "row": of the row of a table), what the line says and what it should say.

    >>> import stepgrad as sg
    >>> print(Fault("loss", "value", "2", "3"))
    loss: value 2, should be 3
    """

    id: str
    what: str
    said: str
    found: str

    def __str__(self) -> str:
        return f"{self.id}: {self.what} {self.said}, should be {self.found}"


@dataclass
class Checked:
    """What a check found: `lines` and `gradients` that were checked, `faults`, and the ids `left_out`: lines
    without a formula, and gradients where the loss has none: at a kink, or at the end of where it is defined.

    >>> import stepgrad as sg
    >>> model = sg.nn.Linear(1, 1)
    >>> rate = sg.optim.SGD(model.parameters(), lr=0.5)
    >>> checked = sg.explain(model, sg.nn.MSELoss(), rate, [2.0], [1.0]).check()
    >>> checked.ok, checked.faults
    (True, [])
    """

    lines: int = 0
    gradients: int = 0
    faults: list[Fault] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether no fault was found."""
        return not self.faults


def check_worked(worked: Worked) -> Checked:
    """Check every line of a worked step, and every gradient in it."""
    checked = Checked()
    every = {worked[id].symbol: worked[id].value for id in worked.ids} if worked.layout == "matrix" else {}
    known = {each.id for each in worked.given}
    for line in worked:
        fault = Fault(line.id, "repeated", line.id, "") if line.id in known else None
        fault = fault or _check_place(worked, line, known)
        known.add(line.id)
        if line.formula:
            checked.lines += 1
            fault = fault or _check_text(worked, line, every)
        else:
            checked.left_out.append(line.id)
        if fault is not None:
            checked.faults.append(fault)
    for given in worked.given:
        fault = _check_given(worked, given)
        if fault is not None:
            checked.faults.append(fault)
    written = {line.id for line in worked}
    for id in worked.source.written:
        if id not in written:
            checked.faults.append(Fault(id, "missing", "", "a line"))
    for name, said, found in () if worked.row is None else worked.row.faults():
        checked.faults.append(Fault(name, "row", said, found))
    if worked.round_steps is None:  # what is rounded at every step is neither the derivative nor the update
        _check_gradients(worked, checked)
        _check_outcome(worked, checked)
    return checked


def _check_place(worked: Worked, line: Line, known: set[str]) -> Fault | None:
    """Return what is wrong with what a line is, and with what it refers to: the lines before it and the given
    numbers, whose ids are `known`.
    """
    if line.symbol != line.name.text():
        return Fault(line.id, "symbol", line.symbol, line.name.text())
    if line.references != tuple(line.names.values()):
        return Fault(line.id, "reference", ", ".join(line.references), ", ".join(line.names.values()))
    for name, id in line.names.items():
        if id not in known:
            return Fault(line.id, "reference", id, "the id of a line before it or of a given number")
        if worked[id].symbol != name:
            return Fault(line.id, "reference", f"{name} for {id}", worked[id].symbol)
        if line.substituted and id not in line.shown:
            return Fault(line.id, "reference", id, ", ".join(line.shown))
    kinds = _kinds(worked, line)
    if line.kind not in kinds:
        return Fault(line.id, "kind", line.kind, " or ".join(kinds))
    return _check_owner(worked, line)


def _check_owner(worked: Worked, line: Line) -> Fault | None:
    """Return what is wrong with the operation, the module and the layer that a line is said to belong to."""
    own = worked.source.places.get(line.id)
    if own is None:  # a local derivative belongs where the value does that is differentiated
        parts = line.id.removeprefix("local/").split("]/")
        own = worked.source.places.get("forward/" + parts[0] + "]" * (len(parts) > 1))
    if own is None:
        return None
    quantity, _ = own
    op = quantity.value.op.name if quantity.value.op is not None else ""
    for what, said, found in (
        ("operation", line.op, op),
        ("module", line.module, quantity.module),
        ("layer", str(line.layer), str(quantity.layer)),
    ):
        if said != found:
            return Fault(line.id, what, said, found)
    return None


def _check_given(worked: Worked, given: Given) -> Fault | None:
    """Return what is wrong with the text of a given number or array, None if nothing is."""
    if worked.round_steps is not None or "…" in given.text:
        return None
    said, value = evaluate_array(given.text).astype(float), numpy.asarray(given.value, float)
    is_right = numpy.array_equal(said, value, equal_nan=True)
    return None if is_right else Fault(given.id, "given", given.text, str(given.value))


def _kinds(worked: Worked, line: Line) -> tuple[str, ...]:
    """Return the kinds that a line may be of. A gradient is by the chain rule where it names another."""
    quantity, _ = worked.source.places.get(line.id, (None, 0))
    if quantity is None:
        return ("local",)
    if quantity.kind != "chain":
        return (quantity.kind,)
    if not line.formula or any(id.startswith("grad/") for id in line.names.values()):
        return ("chain",) if line.formula else ("chain", "local")
    # Multiplied out, the gradient that it names may be a number that has another name.
    return ("local",) if worked.round_steps is None else ("local", "chain")


def _check_text(worked: Worked, line: Line, values: dict[str, Any]) -> Fault | None:
    """Return what is wrong with what a line says of numbers, or of arrays, written out or by name (`values`
    are those of the names).
    """
    if worked.layout != "matrix":
        return check_line(worked, line)
    return _check_arrays(worked, line) if line.substituted else _check_large(worked, line, values)


def _check_large(worked: Worked, line: Line, values: dict[str, Any]) -> Fault | None:
    """Return what is wrong with a line of arrays that are too large to be written out, None if nothing is.

    Its formula is computed in float64 from the arrays that it names.
    """
    try:
        found = evaluate_floats(line.formula, {name: values[name] for name in line.names})
    except (ArgumentError, ValueError) as error:
        return Fault(line.id, "text", line.formula, str(error))
    value = numpy.asarray(line.value)
    noise = 1e-12 * numpy.max(numpy.abs(value), initial=1e-300, where=numpy.isfinite(value))
    if found.shape != value.shape or not numpy.allclose(found, value, rtol=1e-8, atol=noise, equal_nan=True):
        return Fault(line.id, "value", line.text, str(found))
    return None


def _check_arrays(worked: Worked, line: Line) -> Fault | None:
    """Return what is wrong with a line of arrays, None if nothing is."""
    for id in line.names.values():
        used, text = worked[id], line.shown[id]
        if not arrays_agree(_decimals(used.value), evaluate_array(text), worked.digits):
            return Fault(line.id, "operand", f"{text} for {id}", str(used.value))
    try:
        found = evaluate_array(line.substituted)
        shown = {name: evaluate_array(line.shown[id]) for name, id in line.names.items()}
        by_name = evaluate_array(line.formula, shown)
    except (ArgumentError, ValueError) as error:
        return Fault(line.id, "text", line.substituted, str(error))
    printed = evaluate_array(line.text)
    if (
        not arrays_agree(found, printed, worked.digits)
        and not arrays_agree(
            # Where large numbers cancel, what is left is what float64 rounded off.
            found,
            printed,
            worked.digits,
            sizes_of(line.substituted),
        )
        and not _agree_in_float64(line.substituted, printed, worked.digits)
    ):
        return Fault(line.id, "value", line.text, str(found))
    if not (arrays_agree(by_name, found, worked.digits) and _is_filled_in(line)):
        return Fault(line.id, "formula", line.formula, line.substituted)
    if not arrays_agree(_decimals(line.value), printed, worked.digits):
        return Fault(line.id, "value", line.text, str(line.value))
    return None


def _agree_in_float64(text: str, printed: numpy.ndarray, digits: int) -> bool:
    """Whether a line is true in float64, where next to −1e30 a 1 is nothing."""
    return arrays_agree(_decimals(evaluate_floats(text, {})), printed, digits)


def _decimals(value: Any) -> numpy.ndarray:
    return evaluate_array(array_text(numpy.asarray(value), 17))


def check_line(worked: Worked, line: Line) -> Fault | None:
    """Return what is wrong with one line, None if nothing is.

    The substituted text must give the printed value to within its last digit, and be the formula with the
    numbers of the ids that it refers to; where a number was rounded, to within the last digit of that.
    """
    try:
        found = evaluate(line.substituted)
        by_name = evaluate(line.formula, {name: line.shown[id] for name, id in line.names.items()})
    except (ArgumentError, KeyError) as error:
        return Fault(line.id, "text", line.substituted, str(error))
    for id in line.names.values():
        used, text = worked[id], line.shown[id]
        if not _agree(decimal(text), Decimal(repr(used.value)), text, worked):
            return Fault(line.id, "operand", f"{text} for {id}", repr(used.value))
    if not _agree(found, decimal(line.text), line.text, worked):
        return Fault(line.id, "value", line.text, f"{found:.12g}")
    if not _same(found, by_name):
        return Fault(line.id, "formula", f"{by_name:.12g}", f"{found:.12g}")
    if not _is_filled_in(line):  # what is multiplied by 0 does not show in the value
        return Fault(line.id, "formula", line.formula, line.substituted)
    if not _agree(decimal(line.text), Decimal(repr(line.value)), line.text, worked):
        return Fault(line.id, "value", line.text, repr(line.value))
    return None


def _is_filled_in(line: Line) -> bool:
    """Return whether the numbers in a line are those that stand for the names in its formula."""
    return is_filled_in(
        line.formula, {name: line.shown[id] for name, id in line.names.items()}, line.substituted
    )


def _agree(a: Decimal, b: Decimal, printed: str, worked: Worked) -> bool:
    if not a.is_finite() or not b.is_finite():
        return str(a) == str(b)
    if worked.round_steps is not None:
        return abs(a - b) <= Decimal(1).scaleb(-worked.round_steps)
    return abs(a - b) <= tolerance(printed, worked.digits)


def _same(a: Decimal, b: Decimal) -> bool:
    if not a.is_finite() or not b.is_finite():
        return str(a) == str(b)
    return abs(a - b) <= Decimal("1e-9") * max(abs(a), abs(b), Decimal("1e-300"))


# ------------------------------------------------------------------------------------------ gradients


def _check_gradients(worked: Worked, checked: Checked) -> None:
    known = worked.source.places
    wanted: dict[int, tuple[Value, list[tuple[Line, int]]]] = {}
    for line in worked:
        quantity, place = known.get(line.id, (None, 0))
        if quantity is not None and quantity.kind == "chain" and quantity.of is not None:
            places = [place] if place >= 0 else _largest(line.value)
            own = wanted.setdefault(id(quantity.of), (quantity.of, []))[1]
            own.extend((line, each) for each in places)
    for value, lines in wanted.values():
        replay = Replay(worked.step, value)
        for line, place in lines[: replay.affordable]:
            said = float(numpy.asarray(line.value).reshape(-1)[place if numpy.ndim(line.value) else 0])
            with numpy.errstate(all="ignore"):
                slope, is_kink = replay.slope(place)
            # Of a loss that is NaN nothing has a derivative; what does not meet the NaN may be finite.
            if is_kink or (numpy.isnan(slope) and not numpy.isnan(said)):
                checked.left_out.append(line.id)
                continue
            checked.gradients += 1
            is_right = abs(slope - said) <= 1e-9 + 1e-8 * abs(slope) + replay.error
            if not is_right and not numpy.isnan(slope):
                checked.faults.append(Fault(line.id, "gradient", repr(said), repr(slope)))


def _largest(array: Any) -> list[int]:
    """Return the flat positions of the largest numbers of an array, of a large one not all."""
    sizes = -numpy.abs(numpy.asarray(array)).reshape(-1)
    return [int(i) for i in numpy.argsort(sizes, kind="stable")[:_MOST_CHECKED]]


def _check_outcome(worked: Worked, checked: Checked) -> None:
    """Compare the loss, the new parameters, and what these give, with the same step taken unwatched."""
    outcome = worked.step.again()
    after = {}
    if worked.step.after:
        resolved = worked.source.quantities.resolved
        after[id(resolved(worked.step.output_after))] = outcome.output_after
        after[id(resolved(worked.step.loss_after))] = numpy.asarray(outcome.loss_after)
    for line in worked:
        expected: Any = outcome.loss if line.id == "loss" else None
        quantity, place = worked.source.places.get(line.id, (None, 0))
        if quantity is not None and quantity.kind in ("update", "after"):
            array = after.get(id(quantity.value))
            if quantity.kind == "update":
                array = outcome.parameters.get(quantity.path.removeprefix("update/"))
            expected = array if array is None or place < 0 else array.reshape(-1)[place]
        if expected is not None and not numpy.allclose(
            line.value, expected, rtol=1e-9, atol=1e-9, equal_nan=True
        ):
            checked.faults.append(Fault(line.id, "outcome", repr(line.value), repr(expected)))


class Replay:
    """The forward pass of a step, run again in extended precision with one number changed."""

    def __init__(self, step: Step, changed: Value) -> None:
        self._step, self._changed = step, changed
        self._base: dict[int, Any] = {}
        self._order = _after(step.loss, changed)
        self._narrow = {id(value) for value in self._order if _is_narrow(value)}

    @property
    def error(self) -> float:
        """How far a slope may be off that was found."""
        size = max(1.0, abs(float(self._step.loss.array.reshape(-1)[0])))
        return size * (_NARROW if self._narrow else _CLOSE)

    @property
    def affordable(self) -> int:
        """How many slopes to look at: of a large network fewer."""
        numbers = sum(x.array.size for value in self._order for x in value.inputs if isinstance(x, Value))
        return max(_FEWEST_CHECKED, _MOST_NUMBERS // max(numbers, 1))

    def slope(self, place: int) -> tuple[float, bool]:
        """Return the derivative of the loss by one number of `changed`, by central differences, and whether
        the slopes to the left and to the right differ, or the loss is not defined on one side.
        """
        size = max(1.0, abs(float(self._changed.array.reshape(-1)[place])))
        h = _WIDE(_STEP * size)
        low, middle, high = (self._loss(place, d) for d in (-h, _WIDE(0), h))
        if numpy.isfinite(middle) and not (numpy.isfinite(low) and numpy.isfinite(high)):
            return float("nan"), True
        left, right = (middle - low) / h, (high - middle) / h
        is_kink = abs(left - right) > 1e-3 * max(abs(left), abs(right), _WIDE(1e-6))
        return float((high - low) / (2 * h)), bool(is_kink)

    def _loss(self, place: int, change: Any) -> Any:
        changed = self._changed.array.astype(_WIDE)
        changed.reshape(-1)[place] += change
        made: dict[int, Any] = {id(self._changed): changed}
        with numpy.errstate(all="ignore"):
            for value in self._order:
                inputs = [self._operand(x, made) for x in value.inputs]
                if value.op is not None and value.op.name == "embedding":
                    inputs[0] = self._padding_kept(value, inputs[0])
                made[id(value)] = self._computed(value, inputs)
        return self._operand(self._step.loss, made).reshape(-1)[0]

    def _computed(self, value: Value, inputs: list[Any]) -> Any:
        """Run an operation in extended precision, in float64 where it knows nothing wider."""
        if id(value) not in self._narrow:
            try:
                return _computed(value, inputs)
            except TypeError:
                self._narrow.add(id(value))
        narrow = [x.astype(numpy.float64) if getattr(x, "dtype", None) == _WIDE else x for x in inputs]
        return _computed(value, narrow).astype(_WIDE)

    def _padding_kept(self, value: Value, table: Any) -> Any:
        """Return the table of an embedding with the row that gets no gradient as it was."""
        row = value.attrs["padding_idx"]
        if row is None:
            return table
        kept = table.copy()
        kept[row] = value.inputs[0].array[row]
        return kept

    def _operand(self, x: Any, made: dict[int, Any]) -> Any:
        if not isinstance(x, Value):
            return x
        if id(x) in made:
            return made[id(x)]
        if id(x) not in self._base:
            self._base[id(x)] = x.array.astype(_WIDE) if x.array.dtype.kind == "f" else x.array
        return self._base[id(x)]


def _is_narrow(value: Value) -> bool:
    """Return whether an operation computes in float64 whatever it is handed."""
    if isinstance(value.op, Elementwise):
        names = symbols(*value.op.input_names())
        formula = value.op.value(Symbol, *names, **value.attrs)
        return isinstance(formula, Symbol) and bool(formula.heads() & SPECIAL.keys())
    return value.op is not None and value.op.kind in _NARROW_KINDS


def _computed(value: Value, inputs: list[Any]) -> Any:
    """Run an operation in extended precision."""
    op = value.op
    assert op is not None
    if op.kind == "random":
        return value.array
    if op.name == "cast":  # to a type that is narrower than what is computed with here
        return inputs[0] if value.array.dtype.kind == "f" else op.forward(numpy, *inputs, **value.attrs)
    form = op.expand if isinstance(op, Composite) and op.expand is not None else None
    if form is not None:
        return numpy.asarray(form(NUMPY, *inputs, **value.attrs))
    return numpy.asarray(op.forward(numpy, *inputs, **value.attrs))


def _after(loss: Value, changed: Value) -> list[Value]:
    """Return the values that depend on `changed` and lead to the loss, in order.

    What stops the gradient (`detach`, `no_grad`, the places at which sorting puts numbers) is a constant.
    """
    depends: dict[int, bool] = {id(changed): True}
    order: list[Value] = []
    stack: list[tuple[Value, bool]] = [(loss, False)]
    while stack:
        value, ready = stack.pop()
        inputs = [x for x in value.inputs if isinstance(x, Value)]
        if ready:
            depends[id(value)] = not value.is_stopped and any(depends[id(x)] for x in inputs)
            if depends[id(value)]:
                order.append(value)
        elif id(value) not in depends:
            depends[id(value)] = False
            stack.append((value, True))
            stack.extend((x, False) for x in inputs if id(x) not in depends)
    return order
