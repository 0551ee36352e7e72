"""`export`: a model as an ONNX file, from the operations that it does on an example."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Any

import numpy

from stepgrad.errors import ArgumentError, ExportError, MissingPackageError
from stepgrad.files.atomic import write_atomically
from stepgrad.graph import Node
from stepgrad.nn.module import Module
from stepgrad.onnx.builder import Builder, Value
from stepgrad.onnx.sizes import BATCHES, Size, merged
from stepgrad.onnx.trace import Trace, traced
from stepgrad.tensor import Tensor


def export(
    model: Callable[..., Any],
    args: Any,
    path: str | os.PathLike[str],
    *,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    batch_dim: int | Sequence[int | None] | None = 0,
) -> None:
    """Write a model as an ONNX file, with which other programs compute: onnxruntime, browsers, phones.

    `model` is a Module, which is exported as it computes in evaluation mode, or any function of tensors.
    `args` is an example: a Tensor, or a tuple of them for several arguments. The operations that the model
    does on it are written down, in the float type that they have; a choice that Python makes (``if``, a loop)
    stays as it is made for the example.

    The file takes batches of any size: `batch_dim` is the dimension that is the batch, of every argument or,
    as a sequence, of each; None for one that has no batch. With `batch_dim` None it takes the example's
    shapes alone. Parameters keep their `state_dict` names. The
    file is checked by ONNX's own checker, with strict inference of shapes, before it is written whole.

    Raises MissingPackageError without the package onnx, ExportError naming the operation that ONNX cannot
    say, CaptureError where the model asks for a value of a tensor, FileError when the file cannot be written.

    >>> import tempfile, stepgrad as sg
    >>> model = sg.nn.Sequential(sg.nn.Linear(4, 8), sg.nn.ReLU(), sg.nn.Linear(8, 3))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sg.onnx.export(model, sg.zeros(1, 4), f"{folder}/model.onnx")
    """
    onnx = _onnx()
    inputs = _inputs(args)
    names = _named(input_names, len(inputs), "input")
    modes = [(part, part.training) for part in model.modules()] if isinstance(model, Module) else []
    try:
        for part, _ in modes:
            part.training = False
        proto = _model(model, inputs, names, output_names, batch_dim)
    finally:
        for part, mode in modes:
            part.training = mode
    onnx.checker.check_model(proto, full_check=True)
    write_atomically(path, proto.SerializeToString(deterministic=True))


def _onnx() -> Any:
    try:
        import onnx
    except ImportError:
        raise MissingPackageError(
            "export to ONNX needs the package onnx, which is not installed: pip install 'stepgrad[onnx]'."
        ) from None
    return onnx


def _inputs(args: Any) -> list[Tensor]:
    given = args if isinstance(args, (tuple, list)) else (args,)
    for x in given:
        if not isinstance(x, Tensor):
            raise ArgumentError(
                f"export takes an example of Tensors, such as stepgrad.zeros(1, 4), or a tuple of them for "
                f"several arguments, not {type(x).__name__}."
            )
    return [x.detach() for x in given]


def _named(names: Sequence[str] | None, count: int, kind: str) -> list[str]:
    if names is None:
        return [kind] if count == 1 else [f"{kind}_{i}" for i in range(count)]
    if len(names) != count or len(set(names)) != count:
        raise ArgumentError(f"{kind}_names needs {count} different names, got {list(names)}.")
    return list(names)


def _model(
    model: Callable[..., Any],
    inputs: list[Tensor],
    names: list[str],
    output_names: Sequence[str] | None,
    batch_dim: int | Sequence[int | None] | None,
) -> Any:
    """Return the ONNX model of what `model` does on `inputs`."""
    dims = _batch_dims(inputs, batch_dim)
    if all(dim is None for dim in dims):
        traces = [traced(model, inputs)]
    else:
        traces = [traced(model, [_of_size(x, d, n) for x, d in zip(inputs, dims)]) for n in BATCHES]
    leaves = {}
    if isinstance(model, Module):
        leaves = {id(x): name for name, x in model.state_dict(keep_vars=True).items()}
    translation = _Translation(traces, names, leaves, dims)
    outputs = [translation.value(results) for results in zip(*(trace.outputs for trace in traces))]
    wanted = _named(output_names, len(outputs), "output")
    return translation.builder.model(dict(zip(wanted, outputs)), type(model).__name__)


def _batch_dims(inputs: list[Tensor], batch_dim: int | Sequence[int | None] | None) -> list[int | None]:
    """Return for each input the dimension that is the batch."""
    dims = [batch_dim] * len(inputs) if batch_dim is None or isinstance(batch_dim, int) else list(batch_dim)
    if len(dims) != len(inputs):
        raise ArgumentError(f"batch_dim names {len(dims)} dimensions for {len(inputs)} arguments.")
    for x, dim in zip(inputs, dims):
        if dim is not None and (not 0 <= dim < x.ndim or x.shape[dim] == 0):
            raise ArgumentError(
                f"the example of shape {list(x.shape)} has no batch in dimension {dim}; name another with "
                f"batch_dim, or None to export for the example's shapes alone."
            )
    return dims


def _of_size(x: Tensor, dim: int | None, batch: int) -> Tensor:
    """Return an example of another batch size, with the same rows over and over."""
    if dim is None:
        return x
    return Tensor._of(numpy.take(x._array, numpy.arange(batch) % x.shape[dim], axis=dim))


class _Translation:
    """The graph of what a model did, in runs of several batch sizes; `leaves` names its parameters by id."""

    def __init__(
        self, traces: list[Trace], names: list[str], leaves: dict[int, str], dims: list[int | None]
    ) -> None:
        self.builder = Builder()
        self._leaves = leaves
        self._values: dict[Any, Value] = {}  # by the node of the first run, and the id of an input
        for name, dim, given in zip(names, dims, zip(*(trace.inputs for trace in traces))):
            shape = merged([x.shape for x in given], f"the shape of {name}")
            self._values[id(given[0])] = self.builder.input(name, shape, given[0]._array.dtype, dim)
        for nodes in zip_longest(*(trace.nodes for trace in traces)):
            self._values[nodes[0]] = self._applied(nodes)

    def _applied(self, nodes: tuple[Node, ...]) -> Value:
        """Return the value of an operation, given its node in each run."""
        node = nodes[0]
        if any(other is None or node is None or other.op is not node.op for other in nodes):
            raise ExportError(
                f"the model does other operations for batches of other sizes: "
                f"{', '.join(map(str, nodes))} for {', '.join(map(str, BATCHES))}. "
                f"Export with batch_dim=None, for the example's size alone."
            )
        if node.op.kind == "function":
            raise ExportError(f"the Function {node.op.name} has no formula that ONNX could have.")
        where = f"{node.op.name} in {node.module}" if node.module else node.op.name
        attrs = {key: merged([n.attrs[key] for n in nodes], f"{key} of {where}") for key in node.attrs}
        operands = [
            self.value([n.inputs[i] for n in nodes])
            if node.inputs[i] is not None
            else self._number([n.saved[i] for n in nodes if n.saved is not None], where)
            for i in range(len(node.inputs))
        ]
        self.builder.module = f"/{node.module.replace('.', '/')}" if node.module else ""
        try:
            return self.builder.apply(node.op, *operands, **attrs)
        except TypeError as error:  # a rule that needs a size as an integer
            if "'Size'" not in str(error):
                raise
            raise ExportError(
                f"{where} cannot be said for a batch of any size. Is the batch another dimension "
                f"(batch_dim)? batch_dim=None exports for the example's size alone."
            ) from error

    def value(self, found: Sequence[Any]) -> Value:
        """Return the value of a node, of a tensor given to the model, or of one that it has."""
        x = found[0]
        key = x if isinstance(x, Node) else id(x)
        if key in self._values:
            return self._values[key]
        nan = x.is_floating_point()
        if not all(y is x or numpy.array_equal(y._array, x._array, equal_nan=nan) for y in found):
            raise ExportError(
                f"the model makes a tensor of shape {list(x.shape)} that depends on the batch without an "
                f"operation that says how. Export with batch_dim=None, for the example's size alone."
            )
        return self.builder.leaf(numpy.asarray(x._array), self._leaves.get(id(x), ""))

    def _number(self, found: Sequence[Any], where: str) -> Any:
        """Return a number that an operation takes; one that depends on the batch size is computed."""
        number = merged(found, f"a number in {where}")
        if not isinstance(number, Size):
            return number
        return Value(self.builder, self.builder.scalar(number, "int64"), (), numpy.dtype("int64"))
