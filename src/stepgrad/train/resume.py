"""What a checkpoint of a `Trainer` holds, and going on from it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stepgrad.errors import ArgumentError, FileError
from stepgrad.files.paths import checked_path, file_error
from stepgrad.train.callbacks import Callback
from stepgrad.train.checkpoint import (
    checkpoint_path,
    checkpoint_paths,
    delete_older,
    newest_checkpoint,
    read_checkpoint,
    write_checkpoint,
)

if TYPE_CHECKING:
    from stepgrad.train.trainer import Trainer


def save(trainer: Trainer, folder: str | os.PathLike[str], keep: int) -> Path:
    """Write everything that a resumed run needs; delete older checkpoints but for the newest `keep`.

    Raises `FileError` if that fails; the checkpoints before it are then unharmed.
    """
    try:
        os.makedirs(checked_path(folder), exist_ok=True)
    except OSError as error:
        raise file_error(error, checked_path(folder), "create the folder") from error
    path = checkpoint_path(folder, trainer.step)
    write_checkpoint(path, trainer.model, trainer.optimizer, extra=trainer.state_dict(), **_schedule(trainer))
    delete_older(folder, trainer.step, keep)
    return path


def resume(trainer: Trainer, folder: str | os.PathLike[str]) -> bool:
    """Bring a trainer to the newest checkpoint in `folder`; return False if there is none.

    Raises `FileError` if all are damaged, or the newest does not fit the trainer.
    """
    newest = newest_checkpoint(folder)
    if newest is None:
        if damaged := checkpoint_paths(folder):
            raise FileError(
                f"cannot resume: of the checkpoints in '{folder}' ({len(damaged)}) none is undamaged. Delete "
                f"them to begin anew."
            )
        return False
    found = read_checkpoint(newest)
    trainer.check_state(found.extra, str(newest))
    found.restore(trainer.model, trainer.optimizer, **_schedule(trainer))
    trainer.load_state_dict(found.extra)
    return True


def check_unused(folder: str | os.PathLike[str], step: int) -> None:
    """Raise `ArgumentError` if `folder` has checkpoints beyond `step`: of another run, to be mistaken for
    this one's.
    """
    if any(path > checkpoint_path(folder, step) for path in checkpoint_paths(folder)):
        raise ArgumentError(
            f"'{folder}' holds the checkpoints of an earlier run. Go on with it by fit(…, resume=True), "
            f"choose another folder, or delete them."
        )


def _schedule(trainer: Trainer) -> dict[str, Any]:
    return {} if trainer.schedule is None else {"schedule": trainer.schedule}


def states_of(callbacks: list[Callback]) -> list[tuple[str, dict[str, Any]]]:
    """Return the class name and the state of each callback that has one."""
    states = ((type(callback).__name__, callback.state_dict()) for callback in callbacks)
    return [(name, state) for name, state in states if state]


def load_states(callbacks: list[Callback], states: list[tuple[str, dict[str, Any]]]) -> None:
    """Hand each state to the next callback of its class. Raises `ArgumentError` if there is none."""
    waiting = iter(callbacks)
    for name, state in states:
        callback = next((c for c in waiting if type(c).__name__ == name), None)
        if callback is None:
            raise ArgumentError(
                f"the checkpoint has the state of a callback {name}, which this Trainer lacks; "
                f"give it the callbacks of the run that it resumes, in their order."
            )
        callback.load_state_dict(state)
