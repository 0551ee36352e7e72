"""Native training: many batches of a dataset in memory as one call of compiled code.

The step that is compiled gathers the rows of its batch, computes forward, loss and backward, clips, and
updates. A call runs some dozens of milliseconds of such steps, so that small networks pay no Python, and
progress, Ctrl-C and checkpoints stay alive.
"""

from __future__ import annotations

import importlib.util
import logging
import time
import warnings
from operator import is_
from typing import TYPE_CHECKING, Any

import numpy

from stepgrad.arrays import random
from stepgrad.compile.program import NotCompiled
from stepgrad.creation import from_numpy
from stepgrad.data.dataset import Subset, TensorDataset
from stepgrad.errors import IndexShapeError
from stepgrad.tensor import Tensor
from stepgrad.train.guard import all_finite

if TYPE_CHECKING:
    from stepgrad.compile.function import Compiled
    from stepgrad.train.trainer import Trainer

_log = logging.getLogger("stepgrad")
TARGET_SECONDS = 0.05


def rows_in_memory(dataset: Any) -> tuple[list[Tensor], numpy.ndarray | None] | None:
    """Return the tensors of a dataset in memory, and which rows of them it has (None: all); None for
    other datasets.
    """
    if type(dataset) is Subset:
        inner = rows_in_memory(dataset.dataset)
        if inner is None:
            return None
        chosen = numpy.asarray(dataset.indices, dtype="int64")
        return inner[0], chosen if inner[1] is None else inner[1][chosen]
    if type(dataset) is TensorDataset and not any(t.requires_grad for t in dataset.tensors):
        return list(dataset.tensors), None
    return None


class NativeSteps:
    """The compiled steps of a `Trainer` on a dataset in memory, one program for each size of batch."""

    def __init__(self, trainer: Trainer, tensors: list[Tensor], rows: numpy.ndarray | None) -> None:
        self._trainer, self._tensors, self._rows = trainer, tensors, rows
        self._compiled: dict[int, Compiled] = {}
        self._seconds_per_step = 0.0
        self.is_eager = False  # once it turned out that the step cannot be compiled

    def is_for(self, other: NativeSteps) -> bool:
        """Return whether these steps run on the same tensors as others would."""
        same = len(self._tensors) == len(other._tensors) and all(map(is_, self._tensors, other._tensors))
        if same:
            self._rows = other._rows
        return same

    def chunk(self, most: int) -> int:
        """Return how many steps to run in one call: as many as fill some dozens of milliseconds, but no
        more than `most`.
        """
        if self.is_eager or not self._seconds_per_step:
            return 1
        return max(1, min(most, int(TARGET_SECONDS / self._seconds_per_step)))

    def run(self, batches: list[numpy.ndarray]) -> list[float]:
        """Train on batches of one size, given as indices of the dataset; return their losses.

        Raises `NotFiniteError`, as the eager step does, before the step that is to blame changes anything.
        """
        order = [numpy.asarray(b, dtype="int64") if self._rows is None else self._rows[b] for b in batches]
        losses: list[float] = []
        if not any(self._trainer.optimizer.state.values()):
            # The optimizer's first step makes its state, and may differ from all others.
            losses.append(self._eager_step(order.pop(0), 0))
        if order:
            losses += self._run(order, len(losses))
        return losses

    def _run(self, order: list[numpy.ndarray], ahead: int) -> list[float]:
        size = len(order[0])
        compiled = self._compiled.get(size)
        if not self.is_eager and (compiled is None or not compiled.holds()):
            compiled = self._compile(size, order[0])
        if compiled is None or self.is_eager:
            return [self._eager_step(rows, ahead + i) for i, rows in enumerate(order)]
        began = time.perf_counter()
        losses = self._guarded(compiled, order, ahead)
        self._seconds_per_step = (time.perf_counter() - began) / len(order)
        return losses

    def _step(self, rows: Tensor) -> Tensor:
        *inputs, target = (t[rows] for t in self._tensors)
        return self._trainer.take_step(inputs, target)

    def _compile(self, size: int, rows: numpy.ndarray) -> Compiled | None:
        """Compile the step for batches of a size; return None, for good, if it cannot be."""
        from stepgrad.compile.capture import Capture
        from stepgrad.compile.function import Compiled

        began = time.perf_counter()
        try:
            capture = Capture(self._step, (from_numpy(rows.copy()),), {}, advance={0: size})
            if capture.is_first:
                raise NotCompiled("the optimizer makes new state after its first step")
            capture.undo()
            self._compiled[size] = Compiled(capture)
        except NotCompiled as reason:
            warnings.warn(f"training runs eagerly: {reason}.", stacklevel=2)
            self.is_eager = True
            return None
        _log.info("compiled the step for batches of %d in %.0f ms", size, 1e3 * (time.perf_counter() - began))
        return self._compiled[size]

    # ------------------------------------------------------------------------------------ guard

    def _guarded(self, compiled: Compiled, order: list[numpy.ndarray], ahead: int) -> list[float]:
        before = _Snapshot(compiled)
        try:
            (losses,) = compiled.run([from_numpy(numpy.concatenate(order))], len(order))
        except IndexShapeError:
            losses = numpy.array(
                [numpy.nan]
            )  # a class or an index that is not there: the eager step names it
        if numpy.isfinite(losses).all() and before.is_finite():
            return losses.reshape(-1).tolist()
        before.restore()
        if len(order) == 1:
            return [self._eager_step(order[0], ahead)]
        # One step at a time, to find the first that goes wrong and to stand right before it.
        return [self._guarded(compiled, [rows], ahead + i)[0] for i, rows in enumerate(order)]

    def _eager_step(self, rows: numpy.ndarray, ahead: int) -> float:
        return self._trainer.take_guarded_step([t[from_numpy(rows)] for t in self._tensors], ahead)


class _Snapshot:
    """What a compiled step changes: tensors and random streams, as they were."""

    def __init__(self, compiled: Compiled) -> None:
        self._tensors = compiled.written
        self._arrays = [t._array.copy() for t in self._tensors]
        self._random = random.get_rng_state()

    def is_finite(self) -> bool:
        """Return whether all parameters are finite now: a gradient that is not spoils them, also where no
        loss shows it.
        """
        return all(all_finite(t._array) for t in self._tensors if t.requires_grad)

    def restore(self) -> None:
        """Put everything back."""
        for tensor, array in zip(self._tensors, self._arrays, strict=True):
            tensor._array[...] = array
            tensor._version[0] += 1
        random.set_rng_state(self._random)


def native_steps(trainer: Trainer, loader: Any) -> tuple[NativeSteps | None, str]:
    """Return the native steps for a loader, or None and the reason why training runs eagerly."""
    found = rows_in_memory(loader.dataset)
    if found is None:
        return (
            None,
            f"the data are fetched one by one ({type(loader.dataset).__name__}); a TensorDataset lies in memory",
        )
    if not loader.gathers_by_index():
        return None, "the loader has a sampler, a collate_fn or workers of its own"
    if trainer.device is not None and trainer.device.type != "cpu":
        return None, f"native code is for the CPU, not for {trainer.device}"
    if any(t.device.type != "cpu" for t in found[0]):
        return None, "the data are not on the CPU"
    if not importlib.util.find_spec("llvmlite"):
        return None, "llvmlite is not installed"
    return NativeSteps(trainer, *found), ""
