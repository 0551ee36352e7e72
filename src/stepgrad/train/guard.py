"""The guard against NaN and infinity: a step that goes wrong is undone, and the message says where it
began.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from operator import is_not
from typing import TYPE_CHECKING, Any

import numpy

from stepgrad.arrays import devices
from stepgrad.autograd.recording import record
from stepgrad.autograd.snapshot import Snapshot, all_finite
from stepgrad.errors import NotFiniteError
from stepgrad.graph import Node
from stepgrad.nn.module import Module
from stepgrad.ops.record import Absent
from stepgrad.optim.limits import number_of
from stepgrad.optim.optimizer import Optimizer
from stepgrad.tensor import Tensor

if TYPE_CHECKING:
    from stepgrad.train.trainer import Trainer


class Tables:
    """Which tensors stand in the state of an optimizer and in the buffers of modules.

    A step may put others there: an optimizer in its first step, or a module that replaces a buffer.
    """

    def __init__(self, optimizer: Optimizer, modules: Iterable[Module] = ()) -> None:
        buffers = [module._buffers for module in modules]
        tables = [*buffers, optimizer.state, *optimizer.state.values()]
        self._optimizer, self._state = optimizer, optimizer.state
        self._kept = [(table, dict(table)) for table in tables if isinstance(table, dict)]

    def differ(self) -> bool:
        """Return whether others stand there now."""
        return self._optimizer.state is not self._state or any(
            len(table) != len(entries) or any(map(is_not, table.values(), entries.values()))
            for table, entries in self._kept
        )

    def restore(self) -> None:
        """Put back the tensors that stood there."""
        for table, entries in self._kept:
            table.clear()
            table.update(entries)

    def tensors(self) -> list[Tensor]:
        """Return the tensors that stood there, buffers first."""
        return [t for _, entries in self._kept for t in entries.values() if isinstance(t, Tensor)]


class Undo:
    """Undoes a step: parameters and buffers of `modules`, the optimizer's state, random streams.

    `spare`: an earlier one that is not needed any more.
    """

    def __init__(self, optimizer: Optimizer, modules: list[Module], spare: Undo | None = None) -> None:
        self._parameters = [p for module in modules for p in module._parameters.values() if p is not None]
        self._tables = Tables(optimizer, modules)
        kept = [*self._parameters, *self._tables.tensors()]
        self._values: Snapshot = Snapshot(kept, None if spare is None else spare._values)
        self._modules = modules

    def restore(self) -> None:
        """Put everything back; forget the gradients."""
        self._tables.restore()
        self._values.restore()
        for p in self._parameters:
            p.grad = None

    def spoiled(self) -> list[Tensor]:
        """Return the parameters and buffers that the step made infinite or NaN."""
        buffers = [b for module in self._modules for b in module._buffers.values() if b is not None]
        return self._values.spoiled([*self._parameters, *buffers])


class Problem(Exception):
    """What is not finite in a step, in words that `explain` continues."""


def check_gradients(modules: list[Module]) -> None:
    """Raise `Problem` if a gradient is not finite."""
    for module in modules:
        for p in module._parameters.values():
            if p is not None and p.grad is not None and not all_finite(p.grad._array):
                raise Problem("a gradient is not finite")


def check_update(trainer: Trainer, before: Undo) -> None:
    """Raise `Problem` if the step made a parameter or a buffer infinite or NaN, out of finite gradients."""
    wrong = before.spoiled()
    for name, tensor in [*trainer.model.named_parameters(), *trainer.model.named_buffers()] if wrong else ():
        if not any(tensor is t for t in wrong):
            continue
        if tensor.grad is None:
            raise Problem(f"the step makes the buffer {name} infinite")
        reaches = float(abs(devices.move(tensor.grad._array, devices.CPU)).max())
        rate = number_of(trainer.optimizer.param_groups[0]["lr"])
        raise Problem(
            f"the update makes the parameter {name} infinite (its gradient reaches {reaches:.3g}, the "
            f"learning rate is {rate:.3g})"
        )


def explain(
    trainer: Trainer, problem: Problem, modules: list[Module], parts: list[Tensor], rows: numpy.ndarray | None
) -> NotFiniteError:
    """Return the error for a step that was undone; it names the first operation or input to blame.

    `rows`: which rows of the data the batch has, if known.
    """
    before = Undo(trainer.optimizer, modules)
    try:
        origin = given_origin(trainer.model, parts, rows) or _wrong_value(trainer, parts)
    finally:
        before.restore()
    found = (
        ""
        if origin is None
        else f": {origin}"
        if origin.given
        else f": the first such value comes from {origin}"
    )
    error = NotFiniteError(
        f"{problem} in {trainer.place()}{found}.",
        "The weights are as they were before this step. Usual ways out: a lower learning rate, clipping the "
        "gradients (clip_norm=1.0), scaled inputs.",
    )
    error.origin, error.problem = origin, str(problem)
    error.epoch, error.batch, error.step = trainer.epoch + 1, trainer.batches[0] + 1, trainer.step + 1
    return error


def given_origin(model: Module, parts: list[Tensor], rows: numpy.ndarray | None = None) -> Origin | None:
    """Return which input, target or parameter is not finite before anything is computed; None if none is.

    `parts`: (inputs…, target). `rows`: which rows of the data they are; without it, those of a batch.
    """
    for i, x in enumerate(parts):
        if not all_finite(x._array):
            values = devices.move(x._array, devices.CPU)
            at = tuple(numpy.argwhere(~numpy.isfinite(values))[0])
            row = int(at[0]) if at else 0
            place = f"row {row} of the batch" if rows is None else f"row {int(rows[row])} of the data"
            which = "the target" if i == len(parts) - 1 else f"input {i}" if len(parts) > 2 else "the input"
            return Origin("", "", "forward", float(values[at]), (), f"{which} is not finite in {place}")
    for name, p in model.named_parameters():
        if not all_finite(p._array):
            return Origin(
                "", "", "forward", _worst(p._array), (), f"the parameter {name} was not finite already"
            )
    return None


def _wrong_value(trainer: Trainer, parts: list[Tensor]) -> Origin | None:
    """Compute the step again, recording it, and return where the first value that is not finite came from."""
    *inputs, target = parts
    with record() as nodes:
        trainer.loss_of(inputs, target).backward()
    return first_not_finite(nodes)


@dataclass(frozen=True)
class Origin:
    """Where the first value of a step that is not finite came from: an operation, or what was given.

    * `op`: the name of the operation. `module`: the path of the module that called it, "" for the loss.
      `phase`: "forward" or "backward". `value`: the value that it made.
    * `inputs`: each of its inputs that are still known, as text: kind, shape, and the range of its values.
    * `given`: which input or parameter was not finite before anything was computed; `op` is "" then.

    >>> str(Origin("log", "1", "forward", float("-inf"), ("float32[8, 3], 0 … 2.5",)))
    'the operation log in 1 (its input: float32[8, 3], 0 … 2.5)'
    """

    op: str
    module: str
    phase: str
    value: float
    inputs: tuple[str, ...]
    given: str = ""

    def __str__(self) -> str:
        if self.given:
            return self.given
        where = f" in {self.module}" if self.module else ""
        phase = " of the backward pass" if self.phase == "backward" else ""
        given = f" (its input{'s' * (len(self.inputs) > 1)}: {'; '.join(self.inputs)})" * bool(self.inputs)
        return f"the operation {self.op}{where}{phase}{given}"


def first_not_finite(nodes: Iterable[Node]) -> Origin | None:
    """Return where the first value that is not finite was made, of those that spoil a result of the nodes.

    Results are the loss, which comes last in the forward pass, and what no other node of the backward pass
    takes. An infinity on the way that leaves them finite, such as that in 1 / (1 + e⁹⁹⁹), is not meant. None
    if all results are finite.
    """
    recorded = list(nodes)
    taken = {x for node in recorded for x in node.inputs if isinstance(x, Node)}
    results = {node for node in recorded if node.phase != "forward" and node not in taken}
    results.update([node for node in recorded if node.phase == "forward"][-1:])
    spoiled: set[Node] = set()
    for node in reversed(recorded):
        if (node in spoiled or node in results) and _is_wrong(node):
            spoiled.update([node, *(x for x in node.inputs if isinstance(x, Node))])
        else:
            spoiled.discard(node)
    for node in recorded:
        if node in spoiled:
            inputs = [_described(x, i, node) for i, x in enumerate(node.inputs)]
            return Origin(
                node.op.name, node.module, node.phase, _worst(node.result), tuple(filter(None, inputs))
            )
    return None


def _is_wrong(node: Node) -> bool:
    return node.dtype.kind == "f" and node.result is not None and not all_finite(node.result)


def _worst(array: Any) -> float:
    """Return the first element that is not finite."""
    values = devices.move(array, devices.CPU).reshape(-1)
    return float(values[~numpy.isfinite(values)][0])


def _described(x: Any, i: int, node: Node) -> str:
    """Return an input of a node as text: a number, or kind, shape, the range of its finite values and how
    many others there are; empty if it is gone.
    """
    saved = None if node.saved is None else node.saved[i]
    array = x.result if isinstance(x, Node) else saved if x is None else x._array
    if isinstance(array, (int, float)):
        return f"{array:g}"
    if array is None or isinstance(array, Absent) or not array.size:
        return ""
    kind = f"{array.dtype}{list(array.shape)}"
    values = devices.move(array, devices.CPU)
    finite = values[numpy.isfinite(values)]
    counts = {"NaN": int(numpy.isnan(values).sum()), "inf": int(numpy.isinf(values).sum())}
    parts = [f"{count} {name}" for name, count in counts.items() if count]
    if finite.size:
        low, high = float(finite.min()) + 0.0, float(finite.max()) + 0.0  # no −0
        parts.insert(0, f"{low:.4g} … {high:.4g}" if low != high else f"{low:.4g}")
    return ", ".join([kind, *parts])
