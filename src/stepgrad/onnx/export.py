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
    batch_dim: int | None = 0,
) -> None:
    """Write a model as an ONNX file, with which other programs compute: onnxruntime, browsers, phones.

    `model` is a Module, which is exported as it computes in evaluation mode, or any function of tensors.
    `args` is an example: a Tensor, or a tuple of them for several arguments. The operations that the model
    does on it are written down, in the float type that they have; a choice that Python makes (``if``, a loop)
    stays as it is made for the example.

    The file takes batches of any size: `batch_dim` is the dimension of every argument that is the batch.
    With `batch_dim` None it takes the example's shapes alone. Parameters keep their `state_dict` names. The
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
    batch_dim: int | None,
) -> Any:
    """Return the ONNX model of what `model` does on `inputs`."""
    if batch_dim is None:
        traces = [traced(model, inputs)]
    else:
        _check_batch(inputs, batch_dim)
        traces = [traced(model, [_of_size(x, batch_dim, n) for x in inputs]) for n in BATCHES]
    leaves = {}
    if isinstance(model, Module):
        leaves = {id(x): name for name, x in model.state_dict(keep_vars=True).items()}
    translation = _Translation(traces, names, leaves, batch_dim)
    outputs = [translation.value(results) for results in zip(*(trace.outputs for trace in traces))]
    wanted = _named(output_names, len(outputs), "output")
    return translation.builder.model(dict(zip(wanted, outputs)), type(model).__name__)


def _check_batch(inputs: list[Tensor], batch_dim: int) -> None:
    for x in inputs:
        if not 0 <= batch_dim < x.ndim or x.shape[batch_dim] == 0:
            raise ArgumentError(
                f"the example of shape {list(x.shape)} has no batch in dimension {batch_dim}; name another "
                f"with batch_dim, or None to export for the example's shapes alone."
            )


def _of_size(x: Tensor, batch_dim: int, batch: int) -> Tensor:
    """Return an example of another batch size, with the same rows over and over."""
    rows = numpy.arange(batch) % x.shape[batch_dim]
    return Tensor._of(numpy.take(x._array, rows, axis=batch_dim))


class _Translation:
    """The graph of what a model did, in runs of several batch sizes; `leaves` names its parameters by id."""

    def __init__(
        self, traces: list[Trace], names: list[str], leaves: dict[int, str], batch_dim: int | None
    ) -> None:
        self.builder = Builder()
        self._leaves = leaves
        self._values: dict[Any, Value] = {}  # by the node of the first run, and the id of an input
        for name, given in zip(names, zip(*(trace.inputs for trace in traces))):
            shape = merged([x.shape for x in given], f"the shape of {name}")
            self._values[id(given[0])] = self.builder.input(name, shape, given[0]._array.dtype, batch_dim)
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
            else _number([n.saved[i] for n in nodes if n.saved is not None], where)
            for i in range(len(node.inputs))
        ]
        self.builder.module = f"/{node.module.replace('.', '/')}" if node.module else ""
        return self.builder.apply(node.op, *operands, **attrs)

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


def _number(found: Sequence[Any], where: str) -> Any:
    number = merged(found, f"a number in {where}")
    if isinstance(number, Size):
        raise ExportError(f"{where} computes with the batch size as a number, which is not exported.")
    return number
