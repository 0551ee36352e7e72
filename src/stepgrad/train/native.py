"""Native training: many batches of a dataset in memory as one call of compiled code.

The step that is compiled gathers the rows of its batch, computes forward, loss and backward, clips, and
updates. A call runs some dozens of milliseconds of such steps, so that small networks pay no Python, and
progress, Ctrl-C and checkpoints stay alive.

Where a step cannot be native, it is an eager one, and which steps these are depends on the step alone and
never on how many were run in one call. So a run that was resumed goes through the same ones.
"""

from __future__ import annotations

import importlib.util
import inspect
import logging
import time
import warnings
from collections.abc import Iterator
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any

import numpy

from stepgrad.autograd.snapshot import Snapshot
from stepgrad.compile.program.value import NotCompiled
from stepgrad.data.dataset import Subset, TensorDataset
from stepgrad.errors import CaptureError, IndexShapeError, StepgradError
from stepgrad.functions.creation import from_numpy
from stepgrad.optim.optimizer import Optimizer
from stepgrad.tensor import Tensor
from stepgrad.train.eager import EagerSteps, with_target
from stepgrad.train.guard import Tables
from stepgrad.train.watch import TrainerWatch, hooked

if TYPE_CHECKING:
    from stepgrad.compile.compiled import Compiled
    from stepgrad.train.trainer import Trainer

_log = logging.getLogger("stepgrad")
TARGET_SECONDS = 0.05
# The smaller batch that ends an epoch is compiled after so many epochs: a step of a small network takes a
# hundredth of the time that compiling takes.
REST_EPOCHS = 100
# A network is small if its weights times the rows of a batch are no more.
SMALL = 1_000_000


def rows_in_memory(dataset: Any) -> tuple[list[Tensor], numpy.ndarray | None] | None:
    """Return the tensors of a dataset in memory, and which rows of them it has (None: all).

    Returns None for a dataset that is not in memory.
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
    """The compiled steps of a `Trainer` on data in memory, one program for each size of batch."""

    def __init__(self, trainer: Trainer, tensors: list[Tensor], rows: numpy.ndarray | None) -> None:
        self._trainer, self._eager = trainer, EagerSteps(trainer)
        self._tensors = [Tensor._of(t._array) for t in tensors]
        self._rows = rows
        self._compiled: dict[int, Compiled] = {}
        self._before: dict[int, Snapshot] = {}
        self._watched: TrainerWatch | None = None
        self._state: Tables | None = None
        self._seconds_per_step = 0.0
        self._usual_size = 0
        self._has_begun = False  # whether a step was captured before
        self.is_eager = False  # once it turned out that the step cannot be compiled

    def move_to(self, other: NativeSteps) -> bool:
        """Go on with the data of others; return False if they are not alike, so that nothing can be kept.

        The code stays if shapes are the same, too, which is found out when it is used.
        """
        if [t.dtype for t in self._tensors] != [t.dtype for t in other._tensors]:
            return False
        for own, new in zip(self._tensors, other._tensors):
            own._array = new._array
        self._rows = other._rows
        return True

    # ------------------------------------------------------------------------------------ epoch

    def begin(self, loader: Any) -> Iterator[numpy.ndarray]:
        """Begin an epoch of the loader, and return an iterator over the indices of its batches."""
        if self._watched is None:
            self._eager.look_at_modules()
        self._usual_size = loader.batch_size if loader.batch_size and len(loader) > 1 else 0
        return loader.index_batches()

    def train(self, batches: Iterator[numpy.ndarray]) -> Iterator[tuple[list[float], int]]:
        """Train on batches; yield, after one or more steps, their losses, and the rows of each batch.

        Raises `NotFiniteError`, as the eager step does, before the step that is to blame changes anything;
        the steps before it have been yielded then.
        """
        while order := list(islice(batches, self._chunk())):
            self._forget_if_changed()
            for size, group in groupby(order, key=len):
                chosen = [numpy.asarray(b, "int64") if self._rows is None else self._rows[b] for b in group]
                for losses in self._run(chosen, size):
                    yield losses, size

    def _chunk(self) -> int:
        """Return how many steps to run next in one call: as many as fill some dozens of milliseconds."""
        most = self._trainer.most_steps_at_once()
        if self.is_eager or not self._seconds_per_step:
            return 1
        return max(1, min(most, int(TARGET_SECONDS / self._seconds_per_step)))

    def _run(self, order: list[numpy.ndarray], size: int) -> Iterator[list[float]]:
        for number, rows in enumerate(order):
            compiled = self._code(size, rows)
            if compiled is not None:
                yield from self._guarded(compiled, order[number:])
                return
            yield [self._eager_step(rows)]

    def _eager_step(self, rows: numpy.ndarray) -> float:
        batch = with_target([t[from_numpy(rows)] for t in self._tensors], None)
        return self._eager.step(batch, rows)

    def _guarded(self, compiled: Compiled, order: list[numpy.ndarray]) -> Iterator[list[float]]:
        size = len(order[0])
        before = self._before[size] = Snapshot(compiled.written, self._before.get(size), compiled.remember())
        losses = None
        try:
            losses = self._native_steps(compiled, order)
        except IndexShapeError:
            pass  # a class or an index that is not there: the eager step names it
        except BaseException:
            before.restore()
            raise
        if losses is not None and numpy.isfinite(losses).all() and not before.spoiled():
            yield losses.tolist()
            return
        before.restore()
        if len(order) == 1:
            yield [self._eager_step(order[0])]
            return
        # One step at a time, to find the one that goes wrong and to stand right before it.
        for rows in order:
            yield from self._guarded(compiled, [rows])

    def _native_steps(self, compiled: Compiled, order: list[numpy.ndarray]) -> numpy.ndarray:
        began = time.perf_counter()
        (losses,) = compiled.run([from_numpy(numpy.concatenate(order))], len(order))
        self._seconds_per_step = (time.perf_counter() - began) / len(order)
        return losses.reshape(-1)

    # ------------------------------------------------------------------------------------- code

    def _code(self, size: int, rows: numpy.ndarray) -> Compiled | None:
        """Return the code for batches of a size; None if the next step must be eager."""
        # The first step makes the optimizer's state; if it fails, there must be none.
        if self.is_eager or not self._trainer.step or self._is_rest(size):
            return None
        compiled = self._compiled.get(size)
        if compiled is None or not compiled.holds():
            compiled = self._compile(size, rows)
        return compiled

    def _is_rest(self, size: int) -> bool:
        """Return whether a batch is what remains at the end of an epoch, of which too few have come yet."""
        if size >= self._usual_size or self._trainer.epoch >= REST_EPOCHS:
            return False
        weights = sum(p.numel() for group in self._trainer.optimizer.param_groups for p in group["params"])
        return weights * size <= SMALL

    def _forget_if_changed(self) -> None:
        """Forget the code if something changed that it has as a constant."""
        if self._watched is None or self._state is None:
            return
        change = self._watched.change() or ("the state of the optimizer" if self._state.differ() else "")
        if change:
            _log.info("the step is compiled anew, since another value was given to %s", change)
            self._compiled.clear()
            self._before.clear()
            self._eager.look_at_modules()
            self._watched, self._state, self._has_begun = None, None, False

    def _compile(self, size: int, rows: numpy.ndarray) -> Compiled | None:
        """Compile the step for batches of a size.

        Returns None if it cannot be, now and ever, or if this one alone cannot: one in which an optimizer
        makes new state, or in which an error will be raised.
        """
        from stepgrad.compile.compiled import Compiled

        optimizer, modules = self._trainer.optimizer, self._eager.modules
        began = time.perf_counter()
        tables, watched = Tables(optimizer), TrainerWatch(self._trainer, modules)
        compiled = None
        try:
            capture = self._captured(size, rows, watched)
            compiled = None if capture is None else Compiled(capture)
        except (NotCompiled, CaptureError) as reason:
            self._give_up(str(reason))
        except StepgradError:
            pass  # the eager step raises it again
        except Exception as error:
            self._give_up(f"{type(error).__name__} while the step was compiled: {error}")
        finally:
            if compiled is None:
                tables.restore()
        if compiled is None:
            return None
        self._compiled[size] = compiled
        self._watched, self._state = watched, Tables(optimizer)
        _log.info("compiled the step for batches of %d in %.0f ms", size, 1e3 * (time.perf_counter() - began))
        return compiled

    def _give_up(self, reason: str) -> None:
        """Train eagerly from now on, and say why."""
        self.is_eager = True
        warnings.warn(f"training runs eagerly: {reason.rstrip('.')}.", stacklevel=_outside())

    def _captured(self, size: int, rows: numpy.ndarray, watched: TrainerWatch) -> Any:
        """Return the captured step, undone; None if it made new state and the next one will be another.

        Raises `NotCompiled` or `CaptureError` with the reason why the step cannot be compiled.
        """
        from stepgrad.compile.capture import Capture

        modules = self._eager.modules
        if (module := hooked(modules)) is not None:
            raise NotCompiled(f"{type(module).__name__} has a hook, which is to be called in every step")
        if type(self._trainer.optimizer).step is not Optimizer.step:
            raise NotCompiled(f"{type(self._trainer.optimizer).__name__} has a step() of its own, not a rule")
        if self._trainer.optimizer.has_hooks:
            raise NotCompiled("the optimizer has a hook, which is to be called in every step")
        try:
            step = watched.noting(self._step)
            capture = Capture(step, (from_numpy(rows.copy()),), {}, {0: size}, again=self._has_begun)
            capture.undo()
            if capture.reason is not None:
                raise capture.reason
            change = watched.changed()
            if read := watched.finish():
                raise NotCompiled(f"the step reads {read}, which would be the same in every run")
            if change and self._has_begun:
                raise NotCompiled(f"the step changes {change}, which compiled code could not")
        finally:
            watched.restore()
        self._has_begun = True
        # What it made, or set in Python, the eager step makes and sets as well, for a further one to find.
        return None if capture.is_first or change else capture

    def _step(self, rows: Tensor) -> Tensor:
        *inputs, target = (t[rows] for t in self._tensors)
        trainer = self._trainer
        self._eager.forget_gradients()
        loss = trainer.loss_of(inputs, target)
        loss.backward()
        trainer.clip()
        trainer.optimizer.step()
        trainer.after_update()
        return loss


def _outside() -> int:
    """Return the `stacklevel` of the first frame outside of stepgrad, for a warning raised by the caller."""
    level, frame = 1, inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").startswith("stepgrad."):
        level, frame = level + 1, frame.f_back
    return level - 1


def native_steps(trainer: Trainer, loader: Any) -> tuple[NativeSteps | None, str]:
    """Return native steps for a loader, or None and the reason why training runs eagerly."""
    found = rows_in_memory(loader.dataset)
    if found is None:
        kind = type(loader.dataset).__name__
        return None, f"the data are fetched one by one ({kind}); a TensorDataset lies in memory"
    if not loader.gathers_by_index():
        return None, "the loader has a collate_fn of its own, or no batches"
    if trainer.device is not None and trainer.device.type != "cpu":
        return None, f"native code is for the CPU, not for {trainer.device}"
    places = [t.device for t in (*found[0], *trainer.model.parameters()) if t.device.type != "cpu"]
    if places:
        return None, f"native code is for the CPU, not for {places[0]}"
    if not importlib.util.find_spec("llvmlite"):
        return None, "llvmlite is not installed"
    return NativeSteps(trainer, *found), ""
