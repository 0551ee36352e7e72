"""Builds an ONNX graph from operations: each record says what it is there, or is taken apart until all do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from stepgrad.arrays import dtypes
from stepgrad.errors import ExportError
from stepgrad.onnx.sizes import BATCHES, Size, at, merged
from stepgrad.ops.promotion import promoted
from stepgrad.ops.record import Op
from stepgrad.ops.registry import find

OPSET = 20  # the first with Gelu; read by onnxruntime since 1.17
IR_VERSION = 9  # that of the same release
BATCH = "batch"


def _operator(name: str, swap: bool = False) -> Callable[..., Any]:
    def method(self: Value, other: Any) -> Value:
        operands = (other, self) if swap else (self, other)
        return self.builder.apply(find(name), *operands)

    return method


class Value:
    """A tensor of the graph: its name there, shape (integers, and sizes that depend on the batch), dtype."""

    def __init__(self, builder: Builder, name: str, shape: tuple[Any, ...], dtype: numpy.dtype) -> None:
        self.builder, self.name, self.shape, self.dtype = builder, name, shape, dtype
        self.ndim = len(shape)

    __add__, __radd__ = _operator("add"), _operator("add", True)
    __sub__, __rsub__ = _operator("sub"), _operator("sub", True)
    __mul__, __rmul__ = _operator("mul"), _operator("mul", True)
    __truediv__, __rtruediv__ = _operator("div"), _operator("div", True)
    __pow__, __rpow__ = _operator("pow"), _operator("pow", True)
    __lt__, __le__, __gt__, __ge__ = (_operator(name) for name in ("lt", "le", "gt", "ge"))
    __and__, __or__, __xor__ = (_operator(f"logical_{name}") for name in ("and", "or", "xor"))
    __eq__, __ne__ = _operator("eq"), _operator("ne")
    __hash__ = None  # type: ignore[assignment]

    def __neg__(self) -> Value:
        return self.builder.apply(find("neg"), self)

    def __bool__(self) -> bool:
        raise ExportError("a graph cannot branch on a value; use where.")


class Builder:
    """Makes the nodes of a graph. ``builder.exp(x)`` applies the operation exp, ``builder("Exp", x)`` is the
    ONNX operator: what the `onnx` functions of the records are written with.
    """

    def __init__(self) -> None:
        from onnx import helper, numpy_helper

        self._helper, self._numpy_helper = helper, numpy_helper
        self.nodes: list[Any] = []
        self.inputs: list[Value] = []
        self.module = ""  # the path of the module whose nodes are being made
        self._initializers: dict[str, numpy.ndarray] = {}
        self._constants: dict[Any, str] = {}
        self._names: set[str] = set()
        self._batch: str | None = None

    def __getattr__(self, name: str) -> Callable[..., Value]:
        op = find(name)
        return lambda *inputs, **attrs: self.apply(op, *inputs, **attrs)

    # ------------------------------------------------------------------------------- ONNX operators

    def __call__(self, operator: str, *inputs: Any, **attributes: Any) -> str:
        """Add a node of an ONNX operator with one output, and return the name of that.

        An input is a Value, the name of one, an array (which becomes a constant) or None.
        """
        output = self._new_name(operator.lower())
        names = [self.name_of(x) for x in inputs]
        while names and not names[-1]:
            names.pop()  # optional inputs that are not there
        node = self._helper.make_node(operator, names, [output], name=f"{self.module}/{output}", **attributes)
        self.nodes.append(node)
        return output

    def second(self, operator: str, *inputs: Any, **attributes: Any) -> str:
        """Add a node of an ONNX operator with two outputs, and return the name of the second."""
        first = self(operator, *inputs, **attributes)
        output = self._new_name(f"{first}_2")
        self.nodes[-1].output.append(output)
        return output

    def name_of(self, x: Any) -> str:
        """Return the name of an input of a node."""
        if x is None or isinstance(x, str):
            return x or ""
        return x.name if isinstance(x, Value) else self.constant(x)

    def constant(self, array: Any, name: str = "") -> str:
        """Return the name of an array that is known beforehand; equal ones without a name are one."""
        array = numpy.asarray(array)
        key = name or (array.tobytes(), array.shape, array.dtype.str)
        if key not in self._constants:
            self._constants[key] = self._new_name(name or "constant")
            self._initializers[self._constants[key]] = array
        return self._constants[key]

    def integers(self, *values: int) -> str:
        """Return the name of a vector of integers, such as axes."""
        return self.constant(numpy.array(values, "int64"))

    def sizes(self, shape: Any) -> str:
        """Return the name of a vector of integers that may depend on the batch size, such as a shape."""
        if not any(isinstance(n, Size) for n in shape):
            return self.integers(*shape)
        if self._batch is None:
            raise ExportError("a size depends on the batch, and there is no input that has it.")
        parts = []
        for n in shape:
            part = self._batch if isinstance(n, Size) else self.integers(n)
            if isinstance(n, Size) and n.factor != 1:
                part = self("Mul", part, self.integers(n.factor))
            if isinstance(n, Size) and n.offset:
                part = self("Add", part, self.integers(n.offset))
            parts.append(part)
        return parts[0] if len(parts) == 1 else self("Concat", *parts, axis=0)

    def new_shape(self, shape: Any) -> str:
        """Return the name of a shape for Reshape, which finds one size by itself."""
        unknown = [i for i, n in enumerate(shape) if isinstance(n, Size)]
        if len(unknown) == 1 and 0 not in shape and -1 not in shape:
            shape = [-1 if isinstance(n, Size) else n for n in shape]
        return self.sizes(shape)

    def scalar(self, number: Any, dtype: Any) -> str:
        """Return the name of a number that may depend on the batch size."""
        if not isinstance(number, Size):
            return self.number(number, dtype).name
        return self.as_type(self("Squeeze", self.sizes([number])), dtype)

    def zeros_like(self, x: Value, shape: Any) -> Value:
        """Return zeros of a shape, in the type of x."""
        return Value(self, self("Expand", self.number(0, x.dtype), self.sizes(shape)), tuple(shape), x.dtype)

    def shape_of(self, name: str, *inputs: Any, **attrs: Any) -> tuple[Any, ...]:
        """Return the shape that the result of an operation has, without making it."""
        return self._shape_and_dtype(find(name), list(inputs), attrs)[0]

    def as_type(self, x: Any, dtype: Any) -> str:
        """Return the name of `x` in another type."""
        if isinstance(x, Value) and x.dtype == dtype:
            return x.name
        return self("Cast", x, to=self._helper.np_dtype_to_tensor_dtype(numpy.dtype(dtype)))

    def unsupported(self, what: str) -> ExportError:
        """Return the error that ONNX has no counterpart for a use of an operation."""
        return ExportError(f"{what} cannot be exported to ONNX.")

    # ----------------------------------------------------------------------------------- operations

    def input(self, name: str, shape: tuple[Any, ...], dtype: Any, batch_dim: int | None = None) -> Value:
        """Add an input of the graph; `batch_dim` is the dimension in which it has the batch."""
        value = Value(self, self._new_name(name), shape, numpy.dtype(dtype))
        self.inputs.append(value)
        if batch_dim is not None and self._batch is None:
            self._batch = self("Shape", value, start=batch_dim, end=batch_dim + 1)
        return value

    def leaf(self, array: numpy.ndarray, name: str = "") -> Value:
        """Return the value of an array that is known beforehand: a parameter, a buffer, a constant."""
        return Value(self, self.constant(array, name), array.shape, array.dtype)

    def number(self, number: Any, dtype: Any) -> Value:
        """Return the value of a number."""
        with numpy.errstate(all="ignore"):
            return self.leaf(numpy.asarray(number).astype(dtype))

    def apply(self, op: Op, *inputs: Any, **attrs: Any) -> Value:
        """Return the value of an operation on values, numbers and None.

        Raises ExportError with the reason for one that cannot be exported.
        """
        if op.no_onnx:
            raise ExportError(f"the operation {op.name} cannot be exported to ONNX: {op.no_onnx}.")
        if op.kind in ("elementwise", "composite", "contract", "gather", "reduce", "scan", "routine"):
            inputs = tuple(promoted(self, op, inputs))
        if op.onnx is None:
            return self._taken_apart(op, inputs, attrs)
        operands = [self._value(x, inputs) if op.kind == "elementwise" else x for x in inputs]
        shape, dtype = self._shape_and_dtype(op, operands, attrs)
        if isinstance(op.onnx, str):
            name = self(op.onnx, *operands)
        else:
            name = self.name_of(op.onnx(self, *operands, **attrs))
        return Value(self, name, shape, dtype)

    def _taken_apart(self, op: Op, inputs: tuple[Any, ...], attrs: dict[str, Any]) -> Value:
        """Return the value of an operation that has no name in ONNX: its expansion, or its formula."""
        function = op.expand or getattr(op, "value", None)
        if function is None:
            raise ExportError(f"the operation {op.name} does not say what it is in ONNX.")
        return function(self, *inputs, **attrs)

    def _value(self, x: Any, others: tuple[Any, ...]) -> Any:
        """Return a Python number as a value of the type that it takes beside the other operands."""
        if not isinstance(x, (bool, int, float)):
            return x
        arrays = [numpy.empty((1,) * o.ndim, o.dtype) if isinstance(o, Value) else o for o in (x, *others)]
        return self.number(x, dtypes.result_type([o for o in arrays if o is not None]).numpy)

    def _shape_and_dtype(
        self, op: Op, operands: list[Any], attrs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], numpy.dtype]:
        """Return what the result is like: the operation is run on stand-ins, for each batch size."""
        results = []
        for batch in BATCHES:
            stand_ins = [_stand_in(x, batch) if isinstance(x, Value) else x for x in operands]
            concrete = {key: at(value, batch) for key, value in attrs.items()}
            with numpy.errstate(all="ignore"):
                results.append(numpy.asarray(op.forward(numpy, *stand_ins, **concrete)))
        return merged([y.shape for y in results], f"the shape of {op.name}"), results[0].dtype

    # ---------------------------------------------------------------------------------------- model

    def model(self, outputs: dict[str, Value], name: str) -> Any:
        """Return the ONNX model (a ModelProto) with the nodes so far; `outputs` gives its outputs names."""
        for output, value in outputs.items():
            # An output is made by a node of its own, so that its name is the one asked for.
            node = self._helper.make_node(
                "Identity", [value.name], [self._new_name(output)], name=f"/{output}"
            )
            self.nodes.append(node)
        nodes = _needed(self.nodes, set(outputs))
        used = {name for node in nodes for name in node.input}
        tensors = [
            self._numpy_helper.from_array(numpy.asarray(array, order="C"), key)
            for key, array in self._initializers.items()
            if key in used
        ]
        graph = self._helper.make_graph(
            nodes, name,
            [self._info(value, value.name) for value in self.inputs],
            [self._info(value, output) for output, value in outputs.items()],
            tensors,
        )  # fmt: skip
        opset = self._helper.make_opsetid("", OPSET)
        return self._helper.make_model(
            graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name="stepgrad"
        )

    def _info(self, value: Value, name: str) -> Any:
        shape = [BATCH if n == Size(1, 0) else None if isinstance(n, Size) else n for n in value.shape]
        kind = self._helper.np_dtype_to_tensor_dtype(value.dtype)
        return self._helper.make_tensor_value_info(name, kind, shape)

    def _new_name(self, name: str) -> str:
        new, number = name, 0
        while new in self._names:
            number += 1
            new = f"{name}_{number}"
        self._names.add(new)
        return new


def _stand_in(value: Value, batch: int) -> numpy.ndarray:
    """Return an array like a value: zeros as indices, ones as numbers."""
    one = numpy.ones((), value.dtype) if value.dtype.kind == "f" else numpy.zeros((), value.dtype)
    return numpy.broadcast_to(one, at(value.shape, batch))


def _needed(nodes: list[Any], wanted: set[str]) -> list[Any]:
    """Return the nodes, in order, that lead to outputs."""
    kept = []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            kept.append(node)
            wanted = wanted | set(node.input)
    return kept[::-1]
