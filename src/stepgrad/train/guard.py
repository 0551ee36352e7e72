"""The guard against NaN and infinity: it stops before the weights are touched, and says where it began."""

from __future__ import annotations

from typing import Any

import numpy

from stepgrad.arrays import devices, random
from stepgrad.autograd.recording import record
from stepgrad.errors import NotFiniteError
from stepgrad.nn.module import Module
from stepgrad.tensor import Tensor


def all_finite(array: Any) -> bool:
    """Return whether every element is finite. A finite sum proves it; only otherwise is each one looked
    at.
    """
    np = devices.module_of(array)
    with numpy.errstate(all="ignore"):
        total = np.add.reduce(array, axis=None)
    return bool(np.isfinite(total)) or bool(np.isfinite(array).all())


class Guard:
    """Watches the steps of a model: keeps what a step changes before its update, and explains what went
    wrong.
    """

    def __init__(self, model: Module) -> None:
        self._parameters = list(model.named_parameters())
        self._buffers = list(model.buffers())
        self._before: list[Any] = []
        self._random: dict[str, Any] = {}

    def begin(self) -> None:
        """Remember buffers (such as running statistics) and random streams before a step."""
        self._before = [b._array.copy() for b in self._buffers]
        self._random = random.get_rng_state()

    def check_gradients(self) -> str:
        """Return the name of the first parameter with a gradient that is not finite, or an empty text."""
        for name, p in self._parameters:
            if p.grad is not None and not all_finite(p.grad._array):
                return name
        return ""

    def fail(
        self, what: str, place: str, model: Module, loss: Any, inputs: list[Tensor], target: Tensor
    ) -> None:
        """Put buffers and random streams back and raise `NotFiniteError` that names the first operation
        to blame.
        """
        self._put_back()
        origin = _origin(model, loss, inputs, target)
        self._put_back()
        for _, p in self._parameters:
            p.grad = None
        raise NotFiniteError(
            f"{what} at {place}: {origin}. The weights are as they were before this step. Usual ways out: a lower "
            f"learning rate, clipping the gradients (clip_norm=1.0), scaled inputs."
        )

    def _put_back(self) -> None:
        for buffer, values in zip(self._buffers, self._before, strict=True):
            buffer._array[...] = values
        random.set_rng_state(self._random)


def _origin(model: Module, loss: Any, inputs: list[Tensor], target: Tensor) -> str:
    """Compute the step again, recording it, and describe the first value that is not finite."""
    for i, x in enumerate([*inputs, target]):
        if x.is_floating_point() and not all_finite(x._array):
            row = int(numpy.argwhere(~numpy.isfinite(devices.move(x._array, devices.CPU)))[0][0])
            which = "the target" if i == len(inputs) else f"input {i}" if len(inputs) > 1 else "the input"
            return f"{which} is not finite in row {row} of the batch"
    for name, p in model.named_parameters():
        if not all_finite(p._array):
            return f"the parameter {name} was not finite already"
    with record() as nodes:
        loss(model(*inputs), target).backward()
    for node in nodes:
        if node.dtype.kind == "f" and not all_finite(node.result):
            where = f" in {node.module}" if node.module else ""
            phase = " of the backward pass" if node.phase == "backward" else ""
            return f"the first such value comes from the operation {node.op.name}{where}{phase}"
    return "it did not show again when the step was repeated"
