"""What an array is computed from, as an expression in arrays that have names, for the matrix layout.

What is known of each kind of record suffices, as for single numbers (`elements`); convolutions, windows and
embeddings are said as the products of matrices that they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy

from stepgrad.explain.array_language import (
    applied,
    entries_of,
    indexed,
    list_of,
    permuted,
    picked,
    ranges_of,
    reshaped,
    transposed,
    without_defaults,
)
from stepgrad.explain.elements import Elements
from stepgrad.explain.expressions import Expression, Number, Operation, Ref
from stepgrad.explain.quantities import Quantities
from stepgrad.explain.step import Value
from stepgrad.ops.record import Elementwise, Reduce
from stepgrad.ops.registry import find
from stepgrad.ops.symbol import Symbol

WHOLE = -1
"""The place of a `Ref` that stands for a whole array."""
_CHOICES = {"maximum", "minimum", "where", "clamp"}
_FOLDS = {"sum", "mean", "amax", "amin", "prod"}


class Form(NamedTuple):
    """An expression, and the shape of what it gives."""

    expression: Expression
    shape: tuple[int, ...]


class ArrayForms:
    """Makes the expressions of values. `patches(x, window)` names windows of an array, laid out as rows."""

    def __init__(
        self, quantities: Quantities, elements: Elements, patches: Callable[[Value, dict[str, Any]], Value]
    ) -> None:
        self._quantities, self._elements, self._patches = quantities, elements, patches

    def of(self, value: Any, at_root: bool = False) -> Form | None:
        """Return what a value is computed from; its name, if it has one and is not `at_root`. None if it
        cannot be said: random numbers, a decomposition, a user's own function.
        """
        if not isinstance(value, Value):
            return Form(Number(value), ())
        shape = value.array.shape
        if not at_root and shape and (value.is_data or value.array.dtype.kind == "b"):
            return Form(Ref(value, WHOLE) if value.is_data else _literal(value.array), shape)
        value = self._quantities.resolved(value)
        named = self._quantities.of(value)
        if not at_root and (named is not None or value.op is None or value.is_data):
            if not shape and named is None and (value.is_data or value.origin == "constant"):
                return Form(Number(value.array.item()), ())
            return Form(Ref(value, WHOLE), shape)
        assert value.op is not None
        if isinstance(value.op, Elementwise):
            return self._elementwise(value, at_root)
        made = self._formula(value)
        return None if made is None else Form(made, shape)

    def _formula(self, value: Value) -> Expression | None:
        op = value.op
        assert op is not None
        if op.name in _BY_NAME:
            return _BY_NAME[op.name](self, value)
        if isinstance(op, Reduce):
            return self._reduced(value)
        return self._moved(value) if op.kind in ("view", "gather") else None

    def _written(self, *values: Any) -> list[Expression] | None:
        """Return the expressions of values, None if one of them has none."""
        forms = [self.of(x) for x in values]
        return None if None in forms else [form.expression for form in forms if form is not None]

    # ----------------------------------------------------------------------------- element by element

    def _elementwise(self, value: Value, at_root: bool) -> Form | None:
        op, shape = value.op, value.array.shape
        assert isinstance(op, Elementwise)
        if not at_root and op.name in _CHOICES:
            for x in value.inputs:  # one that makes no difference
                if isinstance(x, Value) and numpy.array_equal(x.array, value.array):
                    return self.of(x)
        if op.name == "cast":
            return self.of(value.inputs[0])
        operands = {name: self._operand(x) for name, x in zip(op.input_names(), value.inputs)}
        written = self._elements.formula(value)
        if written is None or any(x is None for x in operands.values()):
            return None
        made = _from_symbol(written, operands)
        if made.shape == shape:
            return made
        return Form(Operation("expand", (made.expression, *map(Number, shape))), shape)

    def _operand(self, x: Any) -> Form | None:
        """Return an operand of an elementwise operation; one of equal numbers without a name is a number."""
        if isinstance(x, Value) and x.is_data and x.array.size and (x.array == x.array.flat[0]).all():
            return Form(Number(x.array.flat[0].item()), ())
        return self.of(x)

    # ---------------------------------------------------------------------------------------- products

    def _matmul(self, value: Value) -> Expression | None:
        made = self._written(*value.inputs)
        return None if made is None else Operation("@", tuple(made))

    def _linear(self, value: Value) -> Expression | None:
        made = self._written(*(x for x in value.inputs if x is not None))
        if made is None:
            return None
        x, weight, *bias = made
        product = Operation("@", (x, transposed(weight)))
        return Operation("+", (product, *bias)) if bias else product

    # ------------------------------------------------------------------------------------ convolutions

    def _convolution(self, value: Value) -> Expression | None:
        x, weight, bias = value.inputs
        made = self._written(*(each for each in (weight, bias) if each is not None))
        if made is None:
            return None
        sizes = _Sizes(value.array.shape, weight.array.shape, value.attrs["groups"])
        rows = sizes.rows(Ref(self._patches(x, _window(weight, value)), WHOLE))
        product: Expression = Operation("@", (rows, transposed(sizes.matrix(made[0]))))
        if bias is not None:
            product = Operation("+", (product, sizes.bias(made[1])))
        return reshaped(transposed(product), value.array.shape, ())

    def _convolution_weight(self, value: Value) -> Expression | None:
        g, x = value.inputs
        made = self._written(g)
        if made is None:
            return None
        attrs = {**value.attrs}
        sizes = _Sizes(g.array.shape, value.array.shape, attrs.pop("groups"))
        rows = sizes.rows(Ref(self._patches(x, attrs), WHOLE))
        products = Operation("@", (sizes.upstream(made[0], g.array.shape), rows))
        return reshaped(Operation("sum", (products, Number(0))), value.array.shape, ())

    def _convolution_input(self, value: Value) -> Expression | None:
        g, weight = value.inputs
        made = self._written(g, weight)
        if made is None:
            return None
        sizes = _Sizes(g.array.shape, weight.array.shape, value.attrs["groups"])
        rows = Operation("@", (transposed(sizes.upstream(made[0], g.array.shape)), sizes.matrix(made[1])))
        window = _window(weight, value)
        return Operation(
            "addpatches", (sizes.joined(rows), list_of(value.array.shape[1:]), *window_operands(window))
        )

    def _windows(self, value: Value) -> Expression | None:
        made = self._written(value.inputs[0])
        attrs = value.attrs
        return None if made is None else _windows_of(made[0], attrs["size"], attrs)

    def _add_windows(self, value: Value) -> Expression | None:
        made = self._written(value.inputs[0])
        return None if made is None else _windows_of(made[0], value.attrs["shape"], value.attrs, "addwindows")

    def _window_pick(self, value: Value) -> Expression | None:
        """Return the largest of each window, which is what is picked."""
        x, size, d = value.inputs[0], value.attrs["size"], len(value.attrs["size"])
        every = find("windows").forward(
            numpy, x.array, size=size, stride=value.attrs["stride"], dilation=value.attrs["dilation"]
        )
        dims = range(every.ndim - d, every.ndim)
        made = self._written(x)
        if made is None or not numpy.array_equal(every.max(tuple(dims)), value.array):
            return self._moved(value)
        return Operation("amax", (_windows_of(made[0], size, value.attrs), *map(Number, dims)))

    # ------------------------------------------------------------------------------------------- folds

    def _reduced(self, value: Value) -> Expression | None:
        op, form = value.op, self.of(value.inputs[0])
        assert op is not None
        if form is None:
            return None
        x, shape = form
        if op.name == "sum_to":
            return (
                x if value.array.shape == shape else Operation("sumto", (x, *map(Number, value.array.shape)))
            )
        if op.name not in _FOLDS:
            return None
        made = Operation(op.name, (x, *map(Number, value.attrs["dim"] or ())))
        return reshaped(made, value.array.shape, ()) if value.attrs["keepdim"] and value.array.ndim else made

    def _scanned(self, value: Value) -> Expression | None:
        made = self._written(value.inputs[0])
        if made is None:
            return None
        assert value.op is not None
        dim = Number(value.attrs["dim"])
        if value.op.name == "logcumsumexp":
            return Operation("log", (Operation("cumsum", (Operation("exp", tuple(made)), dim)),))
        return Operation(value.op.name, (*made, dim))

    # ---------------------------------------------------------------------------------------- positions

    def _view(self, value: Value) -> Expression | None:
        op, form = value.op, self.of(value.inputs[0])
        if form is None:
            return None
        assert op is not None
        x, source, shape = form.expression, value.inputs[0].array.shape, value.array.shape
        if op.name == "permute":
            return permuted(x, value.attrs["dims"])
        if op.name == "expand":
            return x if source == shape else Operation("expand", (x, *map(Number, shape)))
        return reshaped(x, shape, source)

    def _sliced(self, value: Value) -> Expression | None:
        chain = [value]  # parts of parts, down to what has a name
        while self._is_inner(chain[-1].inputs[0], ("slice", "flip")):
            chain.append(self._quantities.resolved(chain[-1].inputs[0]))
        made = self._written(chain[-1].inputs[0])
        if made is None:
            return None
        source = chain[-1].inputs[0].array.shape
        ranges = ranges_of((), source)
        for each in reversed(chain):
            ranges = picked(ranges, _index_of(each))
        found = tuple(len(each) for each in ranges if isinstance(each, range))
        return reshaped(indexed(made[0], entries_of(ranges, source)), value.array.shape, found)

    def _is_inner(self, x: Any, names: tuple[str, ...]) -> bool:
        """Whether a value is one of these operations, has no name, and adds no dimension."""
        whole = self._quantities.resolved(x)
        is_one = whole.op is not None and whole.op.name in names and not whole.attrs.get("fill", 0)
        named = self._quantities.of(whole) is not None or whole.is_data
        return is_one and not named and None not in whole.attrs.get("index", ())

    def _placed(self, value: Value) -> Expression | None:
        chain = [value]
        while self._is_inner(chain[-1].inputs[0], ("place",)):
            chain.append(self._quantities.resolved(chain[-1].inputs[0]))
        made, shape, fill = self._written(chain[-1].inputs[0]), value.array.shape, value.attrs.get("fill", 0)
        if made is None:
            return None
        if any(part is None for part in value.attrs["index"]):
            return self._moved(value)
        ranges = ranges_of((), shape)
        for each in chain:
            ranges = picked(ranges, each.attrs["index"])
        placed = Operation("place", (*made, list_of(shape), *entries_of(ranges, shape)))
        if not fill:
            return placed
        is_there = numpy.zeros(shape, dtype=bool)
        is_there[value.attrs["index"]] = True
        return Operation("where", (_literal(is_there), placed, Number(fill)))

    def _joined(self, value: Value) -> Expression | None:
        made = self._written(*value.inputs)
        return None if made is None else Operation("cat", (*made, Number(value.attrs["dim"])))

    def _embedded(self, value: Value) -> Expression | None:
        weight, index = value.inputs
        made = self._written(weight)
        if made is None:
            return None
        return Operation("@", (_one_hot(index.array, weight.array.shape[0]), made[0]))

    def _rows_added(self, value: Value) -> Expression | None:
        x, index = value.inputs
        made = self._written(x)
        if made is None:
            return None
        padding = value.attrs["padding_idx"]
        flat = index.array.reshape(-1)
        count, width = value.array.shape
        rows = _one_hot(flat if padding is None else numpy.where(flat == padding % count, -1, flat), count)
        return Operation("@", (transposed(rows), reshaped(made[0], (flat.size, width), x.array.shape)))

    def _replaced(self, value: Value) -> Expression | None:
        """Return an array in which other numbers stand at some places."""
        x, new, *indices = value.inputs
        made, shape = self._written(x, new), value.array.shape
        if made is None:
            return None
        spec = value.attrs["spec"]
        own = [each.array for each in indices]
        places = find("index").forward(numpy, numpy.arange(value.array.size).reshape(shape), *own, spec=spec)
        if value.attrs["accumulate"]:
            added = Operation("expand", (made[1], *map(Number, places.shape)))
            return Operation("+", (made[0], Operation("put", (added, _literal(places), *map(Number, shape)))))
        is_new = numpy.zeros(shape, dtype=bool)
        is_new.reshape(-1)[places] = True
        if isinstance(new, Value) and new.array.ndim:
            from_new = numpy.zeros(shape, dtype=numpy.int64)
            which = numpy.arange(new.array.size).reshape(new.array.shape)
            from_new.reshape(-1)[places] = numpy.broadcast_to(
                which.reshape(which.shape[max(0, which.ndim - places.ndim) :]), places.shape
            )
            made[1] = Operation("take", (made[1], _literal(from_new)))
        return Operation("where", (_literal(is_new), made[1], made[0]))

    def _moved(self, value: Value) -> Expression | None:
        """Return what is taken from the first operand, or added up of it, by positions."""
        made = self._written(value.inputs[0]) if value.inputs else None
        if made is None:
            return None
        positions = self._elements.positions(value)
        if positions is not None:
            return Operation("take", (*made, Ref(positions, WHOLE)))
        places = self._elements.destinations(value)
        if places is None:
            return None
        return Operation("put", (*made, Ref(places, WHOLE), *map(Number, value.array.shape)))


_BY_NAME: dict[str, Callable[[ArrayForms, Value], Expression | None]] = {
    "matmul": ArrayForms._matmul,
    "linear": ArrayForms._linear,
    "convolution": ArrayForms._convolution,
    "convolution_weight": ArrayForms._convolution_weight,
    "convolution_input": ArrayForms._convolution_input,
    "windows": ArrayForms._windows,
    "add_windows": ArrayForms._add_windows,
    "window_pick": ArrayForms._window_pick,
    "cumsum": ArrayForms._scanned,
    "cumprod": ArrayForms._scanned,
    "logcumsumexp": ArrayForms._scanned,
    "permute": ArrayForms._view,
    "expand": ArrayForms._view,
    "reshape": ArrayForms._view,
    "detach": ArrayForms._view,
    "slice": ArrayForms._sliced,
    "flip": ArrayForms._sliced,
    "place": ArrayForms._placed,
    "cat": ArrayForms._joined,
    "embedding": ArrayForms._embedded,
    "add_rows": ArrayForms._rows_added,
    "index_put": ArrayForms._replaced,
}


class _Sizes:
    """Shapes of a convolution as a product of matrices, for each group of channels one: outputs y (N, O, L…),
    weight (O, C, K…).
    """

    def __init__(self, y: Sequence[int], weight: Sequence[int], groups: int) -> None:
        self._count, self._outputs, self._groups = y[0], y[1], groups
        self._windows, self._depth = math.prod(y[2:]), math.prod(weight[1:])

    def rows(self, patches: Expression) -> Expression:
        """Return patches, (N, windows, depth), as a matrix for each group."""
        if self._groups == 1:
            return patches
        shape = (self._count, self._windows, self._groups, self._depth)
        return permuted(reshaped(patches, shape, ()), (0, 2, 1, 3))

    def joined(self, rows: Expression) -> Expression:
        """Return what `rows` takes apart."""
        if self._groups == 1:
            return rows
        shape = (self._count, self._windows, self._groups * self._depth)
        return reshaped(permuted(rows, (0, 2, 1, 3)), shape, ())

    def matrix(self, weight: Expression) -> Expression:
        """Return the weight as a matrix, (outputs, depth)."""
        outputs = self._outputs // self._groups
        lead = () if self._groups == 1 else (self._groups,)
        return reshaped(weight, (*lead, outputs, self._depth), ())

    def bias(self, bias: Expression) -> Expression:
        """Return the bias as what is added to each row."""
        if self._groups == 1:
            return bias
        return reshaped(bias, (self._groups, 1, self._outputs // self._groups), ())

    def upstream(self, g: Expression, shape: tuple[int, ...]) -> Expression:
        """Return the gradient of the outputs as matrices, (outputs, windows)."""
        lead = () if self._groups == 1 else (self._groups,)
        wanted = (self._count, *lead, self._outputs // self._groups, self._windows)
        return reshaped(g, wanted, shape)


def _index_of(value: Value) -> tuple[Any, ...]:
    """Return the index of a slice or a flip, without what adds a dimension."""
    if value.op is not None and value.op.name == "flip":
        back, dims = slice(None, None, -1), value.attrs["dims"]
        return tuple(back if i in dims else slice(None) for i in range(value.array.ndim))
    return tuple(part for part in value.attrs["index"] if part is not None)


def _window(weight: Value, value: Value) -> dict[str, Any]:
    """Return the windows of a convolution: their size and how they slide."""
    names = ("stride", "padding", "dilation")
    return {"size": weight.array.shape[2:], **{name: value.attrs[name] for name in names}}


def window_operands(window: dict[str, Any]) -> tuple[Expression, ...]:
    """Return size, stride, padding and dilation as operands, the last ones not where they say nothing."""
    pads = window["padding"]
    is_even = all(before == after for before, after in pads)
    padding = (
        list_of([before for before, _ in pads]) if is_even else Operation("list", tuple(map(list_of, pads)))
    )
    d = len(window["size"])
    return without_defaults(
        [list_of(window["size"]), list_of(window["stride"]), padding, list_of(window["dilation"])],
        [None, list_of([1] * d), list_of([0] * d), list_of([1] * d)],
    )


def _windows_of(
    x: Expression, size: Sequence[int], attrs: dict[str, Any], head: str = "windows"
) -> Expression:
    ones = list_of([1] * len(size))
    how = without_defaults([list_of(attrs["stride"]), list_of(attrs["dilation"])], [ones, ones])
    return Operation(head, (x, list_of(size), *how))


def _one_hot(index: numpy.ndarray, count: int) -> Expression:
    return Operation("onehot", (_literal(index), Number(count)))


def _literal(array: numpy.ndarray) -> Ref:
    return Ref(Value(numpy.asarray(array)), WHOLE)


def _from_symbol(x: Any, names: dict[str, Any]) -> Form:
    """Return the formula that a record gave, with the forms of its operands."""
    if not isinstance(x, Symbol):
        return Form(Number(x), ())
    if x.operands is None:
        return Form(*names[x.head])
    operands = [_from_symbol(y, names) for y in x.operands]
    arrays = sum(bool(form.shape) for form in operands)
    made = applied(x.head, [form.expression for form in operands], arrays > 1)
    chosen = next((form for form in operands if form.expression is made), None)
    if chosen is not None:  # the others say nothing
        return chosen
    return Form(made, numpy.broadcast_shapes(*(form.shape for form in operands)))
