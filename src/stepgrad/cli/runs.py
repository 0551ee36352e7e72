"""Run folders: a new one for each run, and the model or the settings of an old one."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from stepgrad.cli.problems import BadInput
from stepgrad.errors import suggest

if TYPE_CHECKING:
    from stepgrad.train.table.model import TableModel

RUNS = Path("runs")
REPORT_NAME = "report.html"
_TABLE = re.compile(r"(\.csv|\.tsv|\.txt|\.parquet|\.gz)+$", re.I)  # the ending of a table's name


@contextlib.contextmanager
def new_run(out: str | None, data: str | None) -> Iterator[Path]:
    """Make the folder of a new run: `out`, or ``runs/NAME-NUMBER`` with the next number for the name of the
    data.

    If the work inside fails before the first checkpoint, what it left is deleted, so that no half run stays
    behind; but a run that ended in NaN or infinity is kept, with what is known about that. Raises `BadInput`
    if `out` holds files already, `FileError` if the folder cannot be made.
    """
    from stepgrad.files.paths import file_error
    from stepgrad.train.table.config import NAME as config_name
    from stepgrad.train.table.failed import METRICS_NAME, is_failed
    from stepgrad.train.table.job import CHECKPOINTS_NAME

    made: list[Path] = []
    try:
        folder = _make_next(data, made) if out is None else _make_chosen(Path(out), made)
    except OSError as error:
        _remove(made)
        raise file_error(error, str(out or RUNS), "create the folder") from error
    try:
        yield folder
    except BaseException:
        if not has_checkpoint(folder) and not is_failed(folder):
            for name in (config_name, METRICS_NAME):
                (folder / name).unlink(missing_ok=True)
            _remove([*made, folder / CHECKPOINTS_NAME])
        raise


def _make_chosen(folder: Path, made: list[Path]) -> Path:
    if folder.is_dir() and any(folder.iterdir()):
        raise BadInput(
            f"'{folder}' is not empty, and a run never overwrites anything; choose another folder, or go on "
            f"with a run by --resume {folder}."
        )
    if folder.exists() and not folder.is_dir():
        raise BadInput(f"'{folder}' is a file; name a folder for the run.")
    _make(folder, made)
    return folder


def _make_next(data: str | None, made: list[Path]) -> Path:
    name = _TABLE.sub("", Path(data).name) if data else "digits"
    _make(RUNS, made)
    numbers = [int(path.name[len(name) + 1 :]) for path in RUNS.iterdir() if _is_numbered(path.name, name)]
    number = max(numbers, default=0)
    while True:  # two runs that start at the same moment get different numbers
        number += 1
        folder = RUNS / f"{name}-{number}"
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
            made.append(folder)
            return folder


def _is_numbered(folder: str, name: str) -> bool:
    return re.fullmatch(rf"{re.escape(name)}-\d+", folder) is not None


def _make(folder: Path, made: list[Path]) -> None:
    """Make a folder and those above it that are not there, and note which were made."""
    lacking = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    for parent in reversed(lacking):
        parent.mkdir()
        made.append(parent)


def _remove(folders: list[Path]) -> None:
    """Delete folders that are empty, the innermost first."""
    for folder in reversed(folders):
        with contextlib.suppress(OSError):
            folder.rmdir()


def load_model(run: str) -> tuple[TableModel, str]:
    """Return the model of a run, given its folder or its model file, and the path of that file.

    Raises `BadInput` if there is no such run, `FileError` if the file is damaged or holds something else.
    """
    from stepgrad.train.table.failed import is_failed
    from stepgrad.train.table.model import MODEL_NAME, TableModel

    path = Path(run)
    if path.is_dir():
        file = path / MODEL_NAME
        if not file.exists():
            if is_failed(path):
                raise BadInput(
                    f"the run in '{run}' ended in NaN or infinity and left no model; see: "
                    f"stepgrad doctor {run}"
                )
            if has_checkpoint(path):
                raise BadInput(
                    f"the run in '{run}' is not finished; finish it with: stepgrad train --resume {run}"
                )
            raise BadInput(
                f"'{run}' is not the folder of a finished run: it has no {MODEL_NAME}.{other_run(run)}"
            )
        path = file
    elif not path.exists():
        raise BadInput(f"there is no run '{run}'.{other_run(run)}")
    elif _TABLE.search(path.name):
        raise BadInput(f"'{run}' is a table; the run stands before it: RUN DATA.")
    return TableModel.load(path), os.fspath(path)


def has_checkpoint(folder: Path) -> bool:
    """Return whether the run in `folder` can go on from a checkpoint."""
    from stepgrad.train.checkpoint import checkpoint_paths
    from stepgrad.train.table.job import CHECKPOINTS_NAME

    return bool(checkpoint_paths(folder / CHECKPOINTS_NAME))


def check_run(run: str) -> Path:
    """Return the folder of a run to be resumed. Raises `BadInput` if there is none."""
    from stepgrad.train.table.config import NAME as config_name

    folder = Path(run)
    if not (folder / config_name).is_file():
        raise BadInput(f"there is no run to resume in '{run}'.{other_run(run)}")
    return folder


def other_run(run: str) -> str:
    """Return the run that was probably meant: a neighbour of a similar name."""
    path = Path(run)
    folder = path.parent if path.parent.is_dir() and path.parent != Path() else RUNS
    try:
        others = {other.name: os.fspath(other) for other in folder.iterdir() if other.is_dir()}
    except OSError:
        return ""
    others.pop(path.name, None)
    near = suggest(path.name, others)
    for name, other in others.items():
        if near == f" Did you mean '{name}'?":
            return f" Did you mean '{other}'?"
    return near
