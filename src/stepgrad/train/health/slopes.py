"""How much each output of a network changes with each of its inputs, row by row."""

from __future__ import annotations

from typing import Any

from stepgrad.autograd.gradients import grad
from stepgrad.autograd.modes import enable_grad
from stepgrad.errors import ArgumentError, ShapeError
from stepgrad.functions.creation import as_tensor, zeros_like
from stepgrad.functions.joining import stack
from stepgrad.nn.module import Module
from stepgrad.tensor import Tensor
from stepgrad.train.evaluation import EvaluationMode


def sensitivity(model: Module, *inputs: Any, of: int = 0) -> Tensor:
    """Return the derivatives of the outputs of a model with respect to one of its inputs, for every row.

    * `inputs`: what the model takes, tensors or arrays with one row per sample, (N, …).
    * `of`: the number of the input; it must be of a floating point dtype.

    The outputs are (N, O…) in all; the result is (N, O, …), where O counts the outputs of a row and … is the
    shape of the input's row: ``s[n, o, i]`` = ∂yₙₒ / ∂xₙᵢ. The model runs in evaluation mode, so that a row's
    outputs depend on that row alone, and stays as it is. O backward passes.

    Raises `ArgumentError` for an input that has no derivative, `ShapeError` for outputs that have no rows.

    >>> import stepgrad as sg
    >>> line = sg.nn.Linear(2, 1, bias=False)
    >>> _ = line.load_state_dict({"weight": sg.tensor([[3.0, -1.0]])})
    >>> sg.sensitivity(line, sg.ones(2, 2))
    tensor([[[ 3., -1.]],
            [[ 3., -1.]]])
    """
    tensors = [as_tensor(x).detach() for x in inputs]
    if not 0 <= of < len(tensors) or not tensors[of].dtype.is_floating_point:
        raise ArgumentError(
            f"sensitivity needs an input of numbers to differentiate by; there are "
            f"{len(tensors)} inputs and of={of}: {', '.join(t.dtype.name for t in tensors)}."
        )
    x = tensors[of] = tensors[of].requires_grad_()
    with EvaluationMode(model), enable_grad():
        outputs = model(*tensors)
        if not outputs.ndim or outputs.shape[0] != x.shape[0]:
            raise ShapeError(
                f"sensitivity takes a model that gives each of the {x.shape[0]} rows outputs of its own, but "
                f"its outputs have the shape {list(outputs.shape)}."
            )
        flat = outputs.reshape(outputs.shape[0], -1)
        found = [_row(flat[:, i].sum(), x) for i in range(flat.shape[1])]
    return stack(found, 1)


def _row(total: Tensor, x: Tensor) -> Tensor:
    if not total.requires_grad:
        return zeros_like(x)
    (g,) = grad(total, x, retain_graph=True, allow_unused=True)
    return zeros_like(x) if g is None else g
