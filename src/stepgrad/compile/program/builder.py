"""The program: what a step computes, as typed values in order, ready for the compiler.

A `Value` is one array of known shape and dtype: a leaf (an argument, a state slot, a constant), a number,
or an operation on other values. A `Builder` makes values; it offers every operation as a function and
values have operators, so the rules of the records (`expand`, `vjp`) run on values as they run on arrays.
Composites are expanded on the way, equal values are made once, and what can be computed beforehand is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy

from stepgrad.arrays import dtypes
from stepgrad.compile.program import indexing, recurrent, sliding
from stepgrad.compile.program.lifting import lifted_map, lifted_reduction
from stepgrad.compile.program.scans import SCANS
from stepgrad.compile.program.simplify import frozen, simplified
from stepgrad.compile.program.strides import reshaped_strides, row_major, viewed_strides
from stepgrad.compile.program.value import Constant, NotCompiled, Value
from stepgrad.ops.promotion import promoted
from stepgrad.ops.record import Op
from stepgrad.ops.registry import find

_COMPARISONS = {
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "logical_and",
    "logical_or",
    "logical_xor",
    "logical_not",
    "isnan",
    "isinf",
    "signbit",
}
# Of integers, these raise an error that depends on values: a negative exponent, a division by 0.
_FAILING = ("pow", "floor_divide", "trunc_divide", "remainder", "fmod")
# Operations whose values are made elsewhere.
_RULES = indexing.RULES | sliding.RULES | recurrent.RULES | SCANS
_REDUCTIONS = {"sum": "sum", "amax": "max", "amin": "min", "prod": "prod", "any": "any", "all": "all"}
# From so many numbers to less than so many results a reduction is done in two steps.
_LARGE_SUM, _FEW_SUMS = 1 << 16, 256


@dataclass
class Program:
    """A step: what it hands out (`outputs`), and what it writes where (`writes`: pairs of slot leaf and
    value).
    """

    outputs: list[Value]
    writes: list[tuple[Value, Value]]


class Builder:
    """Makes values. ``builder.exp(x)`` applies the operation exp; `values` holds all that were made, in
    order.
    """

    def __init__(self) -> None:
        self.values: list[Value] = []
        self._known: dict[Any, Value] = {}
        # The random streams that may be drawn from, by number: the leaf of the state, and the position at
        # the start.
        self.streams: dict[int, tuple[Value, int]] = {}

    def __getattr__(self, name: str) -> Callable[..., Value]:
        op = find(name)
        return lambda *inputs, **attrs: self.apply(op, *inputs, **attrs)

    # ------------------------------------------------------------------------------------ leaves

    def leaf(self, leaf: Any, shape: tuple[int, ...], dtype: Any) -> Value:
        """Return a value that comes from outside; `leaf` says from where."""
        return self.made("leaf", None, (), {"leaf": leaf}, shape, dtype)

    def number(self, number: Any, dtype: Any, shape: tuple[int, ...] = ()) -> Value:
        """Return a number, the same in every element of `shape`."""
        with numpy.errstate(all="ignore"):
            one = numpy.asarray(number).astype(dtype)
        return self.made("number", None, (), {"number": one.item()}, shape, one.dtype)

    def constant(self, array: numpy.ndarray) -> Value:
        """Return an array that is known beforehand."""
        first = array.reshape(-1)[:1]
        if array.size and array.tobytes() == first.tobytes() * array.size:
            return self.number(first[0], array.dtype, array.shape)
        return self.made("leaf", None, (), {"leaf": Constant(array)}, array.shape, array.dtype)

    def made(
        self,
        kind: str,
        op: Op | None,
        inputs: tuple[Value, ...],
        attrs: dict[str, Any],
        shape: Any,
        dtype: Any,
    ) -> Value:
        """Return a value of a kind; the one that was made of the same before, if there is one."""
        dtype = numpy.dtype(dtype)
        if dtype.char == "e":
            raise NotCompiled("float16 is not compiled")
        identity = (
            kind,
            op.name if op else "",
            tuple(x.key for x in inputs),
            frozen(attrs),
            tuple(shape),
            dtype.str,
        )
        if identity not in self._known:
            value = Value(self, kind, op, inputs, attrs, shape, dtype)
            self.values.append(value)
            self._known[identity] = value
        return self._known[identity]

    # -------------------------------------------------------------------------------- operations

    def apply(self, op: Op, *inputs: Any, **attrs: Any) -> Value:
        """Return the value of an operation on values and numbers. Raises `NotCompiled` for one that is
        not lowered.
        """
        if op.no_native:
            raise NotCompiled(f"the operation {op.name} is not compiled: {op.no_native}")
        if op.name in _RULES:
            return _RULES[op.name](self, *inputs, **attrs)
        if op.kind == "composite":
            operands = promoted(self, op, inputs)
            assert op.expand is not None
            return op.expand(self, *operands, **attrs)
        if op.kind == "elementwise":
            return self._elementwise(op, inputs, attrs)
        method = getattr(type(self), f"_{op.name}", None) or getattr(type(self), f"_{op.kind}", None)
        if method is None:
            raise NotCompiled(f"the operation {op.name} ({op.kind}) is not compiled")
        return method(self, op, *inputs, **attrs)

    def _elementwise(self, op: Op, inputs: tuple[Any, ...], attrs: dict[str, Any]) -> Value:
        operands = tuple(self._value(x, inputs) for x in promoted(self, op, inputs))
        shape = numpy.broadcast_shapes(*(x.shape for x in operands))
        if op.name == "cast":
            dtype = numpy.dtype(attrs["dtype"])
            if operands[0].dtype == dtype:
                return operands[0]
            if operands[0].kind == "number":
                return self.number(operands[0].number, dtype, shape)
        elif op.name in _COMPARISONS:
            dtype = numpy.dtype(bool)
        else:
            dtype = operands[-1].dtype if op.name == "where" else max((x.dtype for x in operands), key=_rank)
        if all(x.kind == "number" for x in operands):
            with numpy.errstate(all="ignore"):
                folded = op.forward(numpy, *(x.dtype.type(x.number) for x in operands), **attrs)
            return self.number(folded, dtype, shape)
        if op.name in _FAILING and dtype.kind != "f" and operands[1].kind != "number":
            raise NotCompiled(f"{op.name} of integers is an error for some values of the second operand")
        return (
            simplified(op, operands, shape, dtype)
            or lifted_map(self, op, operands, attrs, shape)
            or self.made("map", op, operands, attrs, shape, dtype)
        )

    def _value(self, x: Any, others: tuple[Any, ...]) -> Value:
        """Return a Python number as a value of the type that it takes beside the other operands."""
        if isinstance(x, Value):
            return x
        kinds = [o.dtype for o in others if isinstance(o, Value)]
        widest = max(kinds, key=_rank) if kinds else None
        if isinstance(x, bool):
            return self.number(x, bool)
        if isinstance(x, int):
            return self.number(x, widest if widest is not None and widest.kind != "b" else "int64")
        is_float = widest is not None and widest.kind == "f"
        return self.number(x, widest if is_float else dtypes.get_default_dtype().numpy)

    def _reduce(self, op: Op, x: Value, *, dim: Any, keepdim: bool) -> Value:
        if op.name not in (*_REDUCTIONS, "mean"):
            raise NotCompiled(f"the operation {op.name} is not compiled")
        dims = tuple(range(x.ndim)) if dim is None else tuple(dim)
        kept = tuple(1 if i in dims else n for i, n in enumerate(x.shape))
        shape = kept if keepdim else tuple(n for i, n in enumerate(x.shape) if i not in dims)
        count = 1
        for i in dims:
            count *= x.shape[i]
        if op.name == "mean":
            total = self._reduce(find("sum"), promoted(self, op, (x,))[0], dim=dim, keepdim=keepdim)
            return total / (float(count) if count else float("nan"))
        how = _REDUCTIONS[op.name]
        dtype = numpy.dtype(bool) if how in ("any", "all") else x.dtype
        if how in ("sum", "prod") and dtype.kind in "bi":
            # Small integers and booleans add up to large ones.
            dtype = numpy.dtype("int64")
        if dtype != x.dtype:
            x = self.cast(x, dtype=dtype)
        if x.kind == "number" and how == "sum":
            with numpy.errstate(all="ignore"):
                product = x.dtype.type(x.number) * x.dtype.type(count) if count else 0
            return self.number(product, x.dtype, shape)
        dims = tuple(i for i in dims if x.shape[i] != 1)
        if not dims:
            return self._reshape(find("reshape"), x, shape=shape)
        reduced = lifted_reduction(self, op, x, dims)
        if reduced is None:
            kept = tuple(n for i, n in enumerate(x.shape) if i not in dims)
            size = math.prod(kept)
            if len(dims) > 1 and x.size >= _LARGE_SUM and size < _FEW_SUMS and x.shape[min(dims)] > 3:
                # Few results of many numbers: first those of each entry of one dimension, for threads to
                # share.
                first = min(dims)
                rest = tuple(d for d in dims if d != first)
                x = self._reduce(op, x, dim=rest, keepdim=False)
                dims = (sum(d not in rest for d in range(first)),)
            reduced = self.made("reduce", op, (x,), {"how": how, "dims": dims}, kept, dtype)
        return self._reshape(find("reshape"), reduced, shape=shape)

    def _sum_to(self, op: Op, x: Value, *, shape: tuple[int, ...]) -> Value:
        if x.shape == tuple(shape):
            return x
        extra = x.ndim - len(shape)
        dims = (
            *range(extra),
            *(extra + i for i, n in enumerate(shape) if n == 1 and x.shape[extra + i] != 1),
        )
        total = self._reduce(find("sum"), x, dim=dims, keepdim=True) if dims else x
        return self._reshape(find("reshape"), total, shape=tuple(shape))

    def _argmax(self, op: Op, x: Value, *, dim: int | None, keepdim: bool) -> Value:
        dims = tuple(range(x.ndim)) if dim is None else (dim,)
        kept = tuple(n for i, n in enumerate(x.shape) if i not in dims)
        x = self.stored(x)
        found = self.made("special", op, (x,), {"dims": dims}, kept, "int64")
        shape = tuple(1 if i in dims else n for i, n in enumerate(x.shape)) if keepdim else kept
        return self._reshape(find("reshape"), found, shape=shape)

    _argmin = _argmax

    # ------------------------------------------------------------------------------------- views

    def _view(self, op: Any, x: Value, **attrs: Any) -> Value:
        # A byte per element, never touched, is enough for NumPy to work out the shape.
        shape = op.seen(numpy, numpy.broadcast_to(numpy.zeros((), "int8"), x.shape), **attrs).shape
        if x.kind == "number":
            return self.number(x.number, x.dtype, shape)
        return self.made("view", op, (x,), attrs, shape, x.dtype)

    def stored(self, x: Value) -> Value:
        """Return x as a value that has a place in memory, which a number has not."""
        return self.copied(x) if x.kind == "number" else x

    def copied(self, x: Value) -> Value:
        """Return x in memory of its own, in row-major order."""
        return self.made("map", find("cast"), (x,), {"dtype": x.dtype}, x.shape, x.dtype)

    def _reshape(self, op: Op, x: Value, *, shape: tuple[int, ...]) -> Value:
        if -1 in shape:
            shape = numpy.broadcast_to(numpy.zeros((), "int8"), x.shape).reshape(shape).shape
        if x.shape == tuple(shape):
            return x
        if x.kind == "number":
            return self.number(x.number, x.dtype, shape)
        if x.kind == "view" and x.op is op:
            return self._reshape(op, x.inputs[0], shape=shape)
        if x.size and reshaped_strides(x.shape, self.strides_of(x), tuple(shape)) is None:
            x = self.copied(x)
        return self.made("view", op, (x,), {"shape": tuple(shape)}, shape, x.dtype)

    def reshapes_freely(self, x: Value, shape: tuple[int, ...]) -> bool:
        """Return whether x can be seen in another shape where it lies."""
        return reshaped_strides(x.shape, self.strides_of(x), shape) is not None

    def copy_of(self, x: Value) -> Value:
        """Return a copy of x that nothing else uses."""
        value = Value(self, "map", find("cast"), (x,), {"dtype": x.dtype}, x.shape, x.dtype)
        self.values.append(value)
        return value

    def again(self, x: Value, inputs: tuple[Value, ...], shape: tuple[int, ...]) -> Value:
        """Return a value of its own that does with other inputs what x does."""
        value = Value(self, x.kind, x.op, inputs, x.attrs, shape, x.dtype)
        self.values.append(value)
        return value

    def rearranged(self, x: Value, view: Value, base: Value) -> Value:
        """Return x as `view` shows `base`."""
        if view is base:
            return x
        assert view.op is not None
        return self.apply(view.op, self.rearranged(x, view.inputs[0], base), **view.attrs)

    def strides_of(self, x: Value) -> tuple[int, ...]:
        """Return the strides in which a value lies in memory, if it does not stay in registers."""
        if x.kind == "leaf" and hasattr(x.attrs["leaf"], "strides"):
            return x.attrs["leaf"].strides
        if x.kind != "view":
            return row_major(x.shape)
        inner = self.strides_of(x.inputs[0])
        assert x.op is not None
        return viewed_strides(x.op, x.attrs, x.inputs[0].shape, inner, x.shape)[0]

    def _expand(self, op: Op, x: Value, *, shape: tuple[int, ...]) -> Value:
        return x if x.shape == tuple(shape) else self._view(op, x, shape=tuple(shape))

    def _as_strided(self, op: Op, x: Value, **where: Any) -> Value:
        in_order = x if x.kind == "number" or self.strides_of(x) == row_major(x.shape) else self.copied(x)
        return self._view(op, in_order, **where)

    def _flip(self, op: Op, x: Value, *, dims: tuple[int, ...]) -> Value:
        return self._view(op, x, dims=tuple(dims)) if dims else x

    def _permute(self, op: Op, x: Value, *, dims: tuple[int, ...]) -> Value:
        if dims == tuple(range(x.ndim)):
            return x
        if x.kind == "view" and x.op is op:
            inner = x.attrs["dims"]
            return self._permute(op, x.inputs[0], dims=tuple(inner[d] for d in dims))
        return self._view(op, x, dims=tuple(dims))

    def special(
        self, op: Op, inputs: tuple[Value, ...], attrs: dict[str, Any], shape: tuple[int, ...], dtype: Any
    ) -> Value:
        """Return what an operation with a kernel of its own makes of values that have a place in memory."""
        return self.made("special", op, tuple(map(self.stored, inputs)), attrs, shape, dtype)

    def _cat(self, op: Op, *parts: Value, dim: int) -> Value:
        operands = promoted(self, op, parts)
        shape = list(operands[0].shape)
        shape[dim] = sum(p.shape[dim] for p in operands)
        return self.made("special", op, tuple(operands), {"dim": dim}, shape, operands[0].dtype)

    # ------------------------------------------------------------------------------ contractions

    def _matmul(self, op: Op, a: Any, b: Any) -> Value:
        a, b = promoted(self, op, (a, b))
        batch = numpy.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        if a.shape[-1] == 0 or a.size == 0 or b.size == 0:
            return self.number(0, a.dtype, (*batch, a.shape[-2], b.shape[-1]))
        if a.ndim > 2 and b.ndim == 2:
            # A stack of matrices on the left is one tall matrix.
            flat = self._reshape(find("reshape"), a, shape=(a.size // a.shape[-1], a.shape[-1]))
            return self._reshape(
                find("reshape"), self._matmul(op, flat, b), shape=(*a.shape[:-1], b.shape[-1])
            )
        if a.dtype.kind != "f":
            return self._integer_product(a, b)
        operands = (self.stored(a), self.stored(b))
        return self.made("contract", op, operands, {}, (*batch, a.shape[-2], b.shape[-1]), a.dtype)

    def contraction(self, a: Value, b: Value, rows: int) -> Value:
        """Return the sums of products over k of a (batch, M…, K…) and b (batch, K, N): (batch, M, N).

        `rows`: how many dimensions M has. There may be no batch.
        """
        batch = b.shape[:-2]
        m, k = a.shape[len(batch) : len(batch) + rows], a.shape[len(batch) + rows :]
        flat = (*batch, math.prod(m), math.prod(k))
        if not a.size or not b.size or self.reshapes_freely(a, flat):
            return self._matmul(find("matmul"), self._reshape(find("reshape"), a, shape=flat), b)
        shape, operands = (*flat[:-1], b.shape[-1]), (self.stored(a), self.stored(b))
        return self.made("contract", find("matmul"), operands, {"rows": rows}, shape, a.dtype)

    def _integer_product(self, a: Value, b: Value) -> Value:
        """Return a matrix product of integers or booleans as a sum over products: no speed is needed
        there.
        """
        columns = self._reshape(find("reshape"), a, shape=(*a.shape, 1))
        rows = self._reshape(find("reshape"), b, shape=(*b.shape[:-2], 1, *b.shape[-2:]))
        total = self.sum(columns * rows, dim=(max(a.ndim, b.ndim) - 1,), keepdim=False)
        return self.cast(total, dtype=a.dtype)

    def _linear(self, op: Op, x: Value, weight: Value, bias: Value | None) -> Value:
        operands = promoted(self, op, (x, weight) if bias is None else (x, weight, bias))
        x, weight = operands[:2]
        shape = x.shape
        rows = math.prod(shape[:-1])
        flat = x if x.ndim == 2 else self._reshape(find("reshape"), x, shape=(rows, shape[-1]))
        y = self._matmul(find("matmul"), flat, self._permute(find("permute"), weight, dims=(1, 0)))
        if bias is not None:
            y = y + operands[2]
        return self._reshape(find("reshape"), y, shape=(*shape[:-1], weight.shape[0]))

    # --------------------------------------------------------------------------------- constants

    def _full(self, op: Op, *, shape: Any, value: Any, dtype: Any) -> Value:
        return self.number(value, dtype, tuple(shape))

    def _arange(self, op: Op, **attrs: Any) -> Value:
        return self.constant(op.forward(numpy, **attrs))

    def _eye(self, op: Op, like: Value, *, n: int) -> Value:
        return self.constant(numpy.eye(n, dtype=bool))

    def _one_hot(self, op: Op, x: Value, *, classes: int, dtype: Any) -> Value:
        column = self._reshape(find("reshape"), x, shape=(*x.shape, 1))
        return self.cast(
            column == self.constant(numpy.arange(classes).astype(x.dtype)), dtype=numpy.dtype(dtype)
        )

    # ------------------------------------------------------------------------------------ random

    def _rand(self, op: Op, *, shape: Any, dtype: Any, seed: int, stream: int, position: int) -> Value:
        if stream not in self.streams or numpy.dtype(dtype) == numpy.float16:
            raise NotCompiled("random numbers of a Generator of one's own, or in float16, are not compiled")
        state, start = self.streams[stream]
        return self.made("special", op, (state,), {"position": position - start}, tuple(shape), dtype)

    def _randn(self, op: Op, *, shape: Any, dtype: Any, **place: Any) -> Value:
        total = 1
        for n in shape:
            total *= n
        pairs = -(-total // 2)
        u = self._rand(find("rand"), shape=(2, pairs), dtype="float64", **place)
        first, second = self.slice(u, index=(0,)), self.slice(u, index=(1,))
        radius = self.sqrt(-2.0 * self.log1p(-first))
        angle = 2.0 * numpy.pi * second
        both = self.cat(radius * self.cos(angle), radius * self.sin(angle), dim=0)
        return self.reshape(
            self.cast(self.slice(both, index=(slice(0, total),)), dtype=numpy.dtype(dtype)), shape=shape
        )

    def _dropout_mask(self, op: Op, x: Value, *, p: float, **place: Any) -> Value:
        wide = "float64" if x.dtype == numpy.float64 else "float32"
        u = self._rand(find("rand"), shape=x.shape, dtype=wide, **place)
        kept = self.cast(u >= p, dtype=x.dtype)
        return kept * (x.dtype.type(1 / (1 - p)).item() if p < 1 else 0.0)


def _rank(dtype: numpy.dtype) -> tuple[int, int]:
    return ("bui".find(dtype.kind) + 1 if dtype.kind in "bui" else 9, dtype.itemsize)
