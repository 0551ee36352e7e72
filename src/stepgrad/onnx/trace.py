"""A model as a list of operations: what it records when it is run on an example."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy

from stepgrad.autograd.modes import no_grad
from stepgrad.autograd.recording import Recording, record
from stepgrad.errors import ExportError
from stepgrad.graph import Node
from stepgrad.tensor import Tensor
from stepgrad.trees import leaves


class Trace(NamedTuple):
    """One run: its nodes, the tensors it was given, and for each result the node or the tensor."""

    nodes: list[Node]
    inputs: list[Tensor]
    outputs: list[Any]


def traced(model: Callable[..., Any], inputs: list[Tensor]) -> Trace:
    """Return what `model` computes of `inputs`, recorded without looking at values.

    Raises CaptureError where the model asks for a value, ExportError where it changes one of its tensors or
    returns something else than tensors in tuples, lists and dicts.
    """
    with no_grad(), record(values_hidden=True) as recording:
        recording.arguments = {id(x) for x in inputs}
        try:
            result = model(*inputs)
            _check_writes(recording)
            outputs = [x if x._node is None else x._node for x in _tensors(result)]
            return Trace(list(recording), inputs, outputs)
        finally:
            recording.undo()


def _tensors(result: Any) -> list[Tensor]:
    found = leaves(result)
    for x in found:
        if not isinstance(x, Tensor):
            raise ExportError(f"an exported model returns tensors, not {type(x).__name__}.")
    return found


def _check_writes(recording: Recording) -> None:
    """Raise ExportError for a change in place that a graph of values cannot say: of a tensor that was there
    before, or of memory that is looked at afterwards in another way.
    """
    for (place, before), (tensor, node) in zip(recording.places, recording.writes):
        if before is None:
            raise ExportError(
                f"the model changes a tensor of shape {list(tensor.shape)} in place that was there before it "
                f"was called ({node.op.name}); an ONNX graph keeps nothing from call to call."
            )
        nodes = list(recording)
        others = {
            other
            for other in nodes[:place]
            if other is not before
            and other is not node
            and numpy.may_share_memory(other.result, tensor._array)
        }
        for later in nodes[place:]:
            if others.intersection(x for x in later.inputs if isinstance(x, Node)):
                raise ExportError(
                    f"the model changes memory in place ({node.op.name}) that {later} looks at in another "
                    f"way; use the operation that makes a new tensor."
                )
