"""What the engine's errors say of operations and their operands."""

from __future__ import annotations

from typing import Any

from stepgrad.errors import DeviceError, DtypeError, GradientError, IndexShapeError, ShapeError, StepgradError
from stepgrad.graph import Node
from stepgrad.ops.record import Op


def described(x: Any) -> str:
    """Return an operand as text: a tensor by dtype, shape and device."""
    if hasattr(x, "_array"):
        return f"{x.dtype.name}{list(x.shape)} on {x.device}"
    return "nothing" if x is None else repr(x)


def apart(op: Op, tensors: list[Any]) -> DeviceError:
    """Return the error for operands on different devices."""
    return DeviceError(
        f"{op.name} has operands on different devices: {', '.join(described(x) for x in tensors)}. "
        f"Move them to one with .to('{tensors[0].device}')."
    )


def explained(op: Op, inputs: tuple[Any, ...], attrs: dict[str, Any], error: Exception) -> StepgradError:
    """Return an error of NumPy as one that names the operation and its operands."""
    operands = ", ".join(
        f"{name}: {described(x)}"
        for name, x in zip((*op.input_names(), *("input",) * len(inputs)), inputs, strict=False)
    )
    details = "".join(f", {k}={v!r}" for k, v in attrs.items())
    kind = DtypeError if isinstance(error, (TypeError, OverflowError)) else ShapeError
    if isinstance(error, IndexError):
        kind = IndexShapeError
    return kind(f"{op.name} cannot take ({operands}{details}): {error}")


def freed(node: Node) -> GradientError:
    """Return the error for a graph that is walked a second time, or begins in native code."""
    if node.op.kind == "compiled":
        return GradientError(
            "a compiled function has computed this, without keeping how, so that it has no gradient. Compile "
            "the whole step (forward, loss, backward, update), return gradients from it, or call the "
            "function uncompiled; where no gradient is wanted, use detach() or no_grad()."
        )
    return GradientError(
        f"the graph through {node} has been freed by an earlier backward(). Keep it with "
        f"backward(retain_graph=True), or compute the forward pass again."
    )


def changed_since(node: Node) -> GradientError:
    """Return the error for a derivative that reads what is not in the memory any more."""
    return GradientError(
        f"the derivative of {node.op.name} needs a tensor that an in-place operation changed after it was "
        f"used (result: {node}). Use the operation that makes a new tensor, or change a .clone()."
    )


def made_without_history(view: Any) -> GradientError:
    """Return the error for a view that was made under no_grad() and is to have a history, or its base has."""
    return GradientError(
        f"this {described(view)} is a view that was made under no_grad(), and it or its base is changed in "
        f"place where gradients are recorded. Make the view outside of no_grad(), or change a .clone()."
    )
