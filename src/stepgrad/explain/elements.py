"""One number of a result as an expression in numbers of the operands, for any operation of the registry.

What is known of each kind of record suffices: the formula of an elementwise operation (run on symbols), the
fold of a reduction, the index map of a view or a gathering (found by sending positions through it in place of
numbers), the products of a contraction (found by sending positions through its derivative), the fold of a
scan, one step of it. A composite is its expansion. No operation is named here; one that fits none of this is
shown as its result.
"""

from __future__ import annotations

from typing import Any

import numpy

from stepgrad.autograd.modes import no_grad
from stepgrad.autograd.recording import record
from stepgrad.explain.expressions import (
    LANGUAGE,
    ZERO,
    Expression,
    Number,
    Ref,
    function,
    plus,
    times,
)
from stepgrad.explain.step import Value, Values
from stepgrad.graph import Node
from stepgrad.ops.called import names_noted
from stepgrad.ops.namespace import NUMPY
from stepgrad.ops.record import Composite, Elementwise, Reduce, Scan
from stepgrad.ops.symbol import Symbol, symbols
from stepgrad.tensor import Tensor

_AGREES = 1e-9  # relative; between a value and what its textbook form gives


class Elements:
    """Takes values apart: `of(value, place)` is one number of a value by numbers of the values that it was
    made of.
    """

    def __init__(self, values: Values) -> None:
        self._values = values
        self._maps: dict[int, Any] = {}
        self._expansions: dict[int, Value | None] = {}
        self._kept: list[Value] = []  # so that ids stay theirs
        self._called: dict[str, list[Value]] = {}

    def of(self, value: Value, place: int) -> Expression | None:
        """Return the expression of the number at the flat position `place`; its leaves are numbers of the
        operands. None if the operation has no formula: random numbers, a user's own function.
        """
        op = value.op
        if op is None:
            return None
        if op.kind == "constant" or (value.array.dtype.kind != "f" and value.is_data):
            return Number(value.array.reshape(-1)[place].item())
        if isinstance(op, Elementwise):
            return self._elementwise(value, place)
        if isinstance(op, Composite):
            expanded = self.expansion(value)
            return None if expanded is None else Ref(expanded, place)
        if op.kind in ("view", "gather"):
            return self._moved(value, place)
        if op.kind == "contract":
            return self._contracted(value, place)
        if isinstance(op, Reduce):
            return self._reduced(value, place)
        if isinstance(op, Scan):
            return _scanned(value, place)
        return None

    def is_map(self, value: Value) -> bool:
        """Return whether each number of a value is one number of an operand, or 0."""
        return (
            value.op is not None and value.op.kind in ("view", "gather") and self._sources(value) is not None
        )

    # --------------------------------------------------------------------------------- elementwise

    def formula(self, value: Value) -> Any:
        """Return the formula of an elementwise operation, a `Symbol` or a number: as a textbook has it where
        this gives the same numbers. None if it has a function that no line can compute again.
        """
        op = value.op
        assert isinstance(op, Elementwise)
        names = symbols(*op.input_names())
        arguments = [name if isinstance(x, Value) else x for name, x in zip(names, value.inputs)]
        is_as_written = op.written is not None and self._agrees(value, op.written)
        form = op.written if is_as_written else op.value
        assert form is not None
        made = form(Symbol, *arguments, **value.attrs)
        return None if isinstance(made, Symbol) and not made.heads() <= LANGUAGE else made

    def _elementwise(self, value: Value, place: int) -> Expression | None:
        op = value.op
        assert op is not None
        if op.name == "cast":  # which changes the type of a number and not the number
            return self._operand(value, 0, place)
        written = self.formula(value)
        if written is None:
            return None
        operands = {name: self._operand(value, i, place) for i, name in enumerate(op.input_names())}
        return _from_symbol(written, operands)

    def _operand(self, value: Value, i: int, place: int) -> Expression:
        """Return the number of input i that meets the result's number at `place`."""
        x = value.inputs[i]
        if not isinstance(x, Value):
            return Number(x)
        if x.array.shape == value.array.shape:
            return leaf(x, place)
        where = numpy.unravel_index(place, value.array.shape)[value.array.ndim - x.array.ndim :]
        own = tuple(int(k) if n > 1 else 0 for k, n in zip(where, x.array.shape))
        return leaf(x, int(numpy.ravel_multi_index(own, x.array.shape)) if own else 0)

    def _agrees(self, value: Value, written: Any) -> bool:
        inputs = [x.array if isinstance(x, Value) else x for x in value.inputs]
        with numpy.errstate(all="ignore"):
            found = written(NUMPY, *inputs, **value.attrs)
        return bool(numpy.allclose(found, value.array, rtol=_AGREES, atol=1e-300, equal_nan=True))

    # -------------------------------------------------------------------------------------- sums

    def _reduced(self, value: Value, place: int) -> Expression | None:
        op, x = value.op, value.inputs[0]
        assert isinstance(op, Reduce)
        if not hasattr(op, "combine"):
            return None
        key = id(value)
        if key not in self._maps:
            self._keep(value)
            self._maps[key] = _groups(value, x.array)
        terms = [leaf(x, int(i)) for i in numpy.flatnonzero(self._maps[key] == place)]
        head = op.combine(Symbol, Symbol("total"), Symbol("x")).head
        if head == "+":
            folded = plus(*terms)
        elif head == "*":
            folded = times(*terms)
        else:
            folded = terms[0] if len(terms) == 1 else function(head, *terms)
        finished = op.finish(Symbol, Symbol("total"), len(terms))
        return _from_symbol(finished, {"total": folded})

    def _contracted(self, value: Value, place: int) -> Expression | None:
        """Return the sum of products behind a number of a contraction.

        Its derivative with respect to one operand is linear in the other. So with positions in place of the
        other's numbers, the derivative says which number meets which.
        """
        op = value.op
        assert op is not None
        assert op.vjp is not None
        arrays = [x.array if isinstance(x, Value) else x for x in value.inputs]
        g = numpy.zeros(value.array.shape)
        g.reshape(-1)[place] = 1
        first, second, *rest = arrays
        needs = tuple(x is not None for x in arrays)
        positions = numpy.arange(1.0, second.size + 1).reshape(second.shape)
        met = op.vjp(NUMPY, g, value.array, first, positions, *rest, needs=needs, **value.attrs)
        x, other = value.inputs[:2]
        pairs = met[0].reshape(-1)
        products = [(leaf(x, int(i)), leaf(other, int(pairs[i]) - 1)) for i in numpy.flatnonzero(pairs)]
        # A weight is written in front of what it weighs.
        weighs = value.phase in ("forward", "after") and (
            other.origin == "parameter" or other.phase == "update"
        )
        terms = [times(b, a) if weighs else times(a, b) for a, b in products]
        for operand, gradient in zip(value.inputs[2:], met[2:]):
            if isinstance(operand, Value):
                terms.extend(leaf(operand, int(i)) for i in numpy.flatnonzero(gradient.reshape(-1)))
        return plus(*terms)

    # -------------------------------------------------------------------------------------- maps

    def _moved(self, value: Value, place: int) -> Expression | None:
        sources = self._sources(value)
        if sources is None:
            return None
        terms = [leaf(value.inputs[i], j) for i, j in sources[place]]
        return plus(*terms) if terms else ZERO

    def _sources(self, value: Value) -> list[list[tuple[int, int]]] | None:
        """Return for each number of the result the numbers of the operands that it is the sum of."""
        key = id(value)
        if key not in self._maps:
            self._keep(value)
            self._maps[key] = _by_taking(value) or _by_adding(value)
        return self._maps[key]

    def positions(self, value: Value) -> Value | None:
        """Return the flat position in the first operand from which each number of a value is taken, None if
        it is no such choice.
        """
        sources = self._sources(value)
        if sources is None or any(len(each) != 1 or each[0][0] for each in sources):
            return None
        flat = [each[0][1] for each in sources]
        return Value(numpy.array(flat, dtype=numpy.int64).reshape(value.array.shape))

    def destinations(self, value: Value) -> Value | None:
        """Return the flat position in a value to which each number of its first operand is added, −1 if to
        none; None if it is no such sum.
        """
        sources = self._sources(value)
        if sources is None or any(i for each in sources for i, _ in each):
            return None
        went = numpy.full(value.inputs[0].array.size, -1, dtype=numpy.int64)
        for place, each in enumerate(sources):
            for _, j in each:
                if went[j] >= 0:
                    return None
                went[j] = place
        return Value(went.reshape(value.inputs[0].array.shape))

    def _keep(self, value: Value) -> None:
        self._kept.append(value)

    # -------------------------------------------------------------------------------- composites

    def expansion(self, value: Value) -> Value | None:
        """Return the value that stands for a composite in the operations that it is stated in, as a textbook
        writes them where the record says so and the numbers allow it.
        """
        key = id(value)
        if key not in self._expansions:
            self._keep(value)
            op = value.op
            assert isinstance(op, Composite)
            forms = [form for form in (op.written, op.expand) if form is not None]
            traced = (self._traced(value, form) for form in forms)
            self._expansions[key] = next((found for found in traced if found is not None), None)
        return self._expansions[key]

    def _traced(self, value: Value, form: Any) -> Value | None:
        """Run a form of a composite on its operands and return its result, if it has the same numbers."""
        from stepgrad.autograd.engine import TENSORS

        known = {}
        operands = []
        for x in value.inputs:
            tensor = Tensor._of(x.array) if isinstance(x, Value) else x
            operands.append(tensor)
            if isinstance(x, Value):
                known[id(tensor)] = x
        with no_grad(), names_noted() as names, record() as nodes:
            result = form(TENSORS, *operands, **value.attrs)
        if not numpy.allclose(result._array, value.array, rtol=_AGREES, atol=1e-300, equal_nan=True):
            return None
        called = {x._node.order: name for x, name in names.values() if isinstance(x, Tensor) and x._node}
        made: dict[int, Value] = {}
        for node in nodes:
            inputs = []
            for x, saved in zip(node.inputs, node.saved or ()):
                if isinstance(x, Node):
                    inputs.append(made[x.order])
                elif x is None:
                    is_number = isinstance(saved, (bool, int, float, type(None)))
                    inputs.append(saved if is_number else Value(numpy.asarray(saved)))
                else:
                    inputs.append(known[id(x)] if id(x) in known else Value(x._array))
            each = self._values.make(node.op, tuple(inputs), node.attrs, numpy.asarray(node.result))
            if each.order < 0:
                each.order, each.phase = value.order, value.phase
                each.module, each.in_loss = value.module, value.in_loss
            name = called.get(node.order, "")
            made[node.order] = self._with_name(each, name) if name else each
        return made[result._node.order]

    def _with_name(self, value: Value, name: str) -> Value:
        """Return a value that has a name, or the one of that name with the same numbers: what the backward
        pass computes again is the value of the forward pass.
        """
        known = self._called.setdefault(name, [])
        for other in known:
            if other.array.shape == value.array.shape and numpy.allclose(
                other.array, value.array, rtol=1e-12, atol=0
            ):
                return other
        value.called = name
        known.append(value)
        return value


def leaf(value: Value, place: int) -> Expression:
    """Return one number of a value as a leaf; integers, booleans and constants as they are."""
    is_whole = value.is_data and value.array.dtype.kind != "f"
    if is_whole or (value.op is None and value.origin in ("", "constant")):
        return Number(value.array.reshape(-1)[place].item())
    return Ref(value, place)


def _from_symbol(x: Any, names: dict[str, Expression]) -> Expression:
    """Return the formula that a record gave, with expressions for its names."""
    if not isinstance(x, Symbol):
        return Number(x)
    if x.operands is None:
        return names[x.head]
    return function(x.head, *(_from_symbol(y, names) for y in x.operands))


def _scanned(value: Value, place: int) -> Expression:
    """Return a running total: the one before it, and the next number."""
    op, x = value.op, value.inputs[0]
    assert isinstance(op, Scan)
    index = list(numpy.unravel_index(place, value.array.shape))
    own = leaf(x, place)
    if not index[value.attrs["dim"]]:
        return own
    index[value.attrs["dim"]] -= 1
    before = Ref(value, int(numpy.ravel_multi_index(index, value.array.shape)))
    return _from_symbol(op.combine(Symbol, *symbols("total", "x")), {"total": before, "x": own})


def _groups(value: Value, x: numpy.ndarray) -> numpy.ndarray:
    """Return for each number of a reduction's operand, flat, which result it goes into."""
    attrs = value.attrs
    results = numpy.arange(value.array.size)
    if "shape" in attrs:  # a sum back to the shape before a broadcast
        shape = (1,) * (x.ndim - len(attrs["shape"])) + tuple(attrs["shape"])
    else:
        dim = range(x.ndim) if attrs["dim"] is None else attrs["dim"]
        shape = tuple(1 if i in dim else n for i, n in enumerate(x.shape))
    return numpy.broadcast_to(results.reshape(shape), x.shape).reshape(-1)


def _by_taking(value: Value) -> list[list[tuple[int, int]]] | None:
    """Send positions through an operation in place of numbers: they say where each number comes from."""
    assert value.op is not None
    arrays: list[Any] = []
    starts: list[tuple[int, int]] = []
    total = 0
    for i, x in enumerate(value.inputs):
        if isinstance(x, Value) and x.array.dtype.kind == "f":
            arrays.append(numpy.arange(total, total + x.array.size).reshape(x.array.shape))
            starts.append((total, i))
            total += x.array.size
        else:
            arrays.append(x.array if isinstance(x, Value) else x)
    try:
        found = numpy.asarray(value.op.forward(numpy, *arrays, **value.attrs)).reshape(-1)
    except (TypeError, ValueError, IndexError):
        return None
    if found.dtype.kind not in "iu" or (found.size and not 0 <= found.min() <= found.max() < total):
        return None
    flat = numpy.concatenate([value.inputs[i].array.reshape(-1) for _, i in starts])
    if not numpy.array_equal(flat[found], value.array.reshape(-1), equal_nan=True):
        return None
    sources = []
    for position in found.tolist():
        start, i = max(pair for pair in starts if pair[0] <= position)
        sources.append([(i, position - start)])
    return sources


def _by_adding(value: Value) -> list[list[tuple[int, int]]] | None:
    """Send positions of the result through the derivative: they say where each number of the operand goes."""
    assert value.op is not None
    x = value.inputs[0]
    arrays = [y.array if isinstance(y, Value) else y for y in value.inputs]
    positions = numpy.arange(1.0, value.array.size + 1).reshape(value.array.shape)
    if value.op.vjp is None:
        return None
    needs = (True,) + (False,) * (len(arrays) - 1)
    try:
        went = value.op.vjp(NUMPY, positions, value.array, *arrays, needs=needs, **value.attrs)[0].reshape(-1)
    except (TypeError, ValueError, IndexError):
        return None
    if went.size and not 0 <= went.min() <= went.max() <= value.array.size:
        return None
    sources: list[list[tuple[int, int]]] = [[] for _ in range(value.array.size)]
    total = numpy.zeros(value.array.size)
    for i, position in enumerate(went.astype(int).tolist()):
        if position:
            sources[position - 1].append((0, i))
            total[position - 1] += x.array.reshape(-1)[i]
    is_sum = numpy.allclose(total, value.array.reshape(-1), rtol=_AGREES, equal_nan=True)
    return sources if is_sum else None
