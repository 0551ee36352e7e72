"""Whether test rows are used a second time: by another run on the same rows, or by scoring them again.

Test rows say how good a network is on rows that nobody chose it by. Each further use that a person draws
conclusions from makes their score rosier than the truth, so that it is reported; nothing is forbidden.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy

from stepgrad.errors import ArgumentError, FileError
from stepgrad.train.table.config import NAME as CONFIG_NAME
from stepgrad.train.table.config import read_config
from stepgrad.train.table.model import MODEL_NAME
from stepgrad.train.table.settings import TableSettings

_log = logging.getLogger("stepgrad")
_BYTES = 8  # of a mark: two different rows of a million have the same one once in 40 million tables
_MOST_MARKS = 1_000
_RECORD = "test_rows"
_FINISHED = (CONFIG_NAME, MODEL_NAME)  # the files of a run that was tested


def mark_test_rows(numbers: numpy.ndarray, codes: numpy.ndarray) -> dict[str, str]:
    """Return an entry for the record of a model by which `warn_of_second_use` knows its test rows again,
    given as they go into the network: `numbers` (N, D) and `codes` (N, K).

    It holds checksums of at most 1,000 rows, and nothing of their cells. Where fewer than half of the rows
    differ from all others, as in a table of few categories, rows cannot be told apart and it is empty.
    """
    shown = numpy.linspace(0, len(numbers) - 1, min(len(numbers), _MOST_MARKS)).round().astype(int)
    marks = _marks(numbers[shown], codes[shown])
    if 2 * len(set(marks)) < len(marks):
        return {}
    return {_RECORD: base64.b64encode(b"".join(sorted(set(marks)))).decode("ascii")}


def warn_of_second_use(record: Mapping[str, Any], numbers: numpy.ndarray, codes: numpy.ndarray) -> None:
    """Log a warning if prepared rows are those that the model with this `record` was tested on: if they hold
    at least half of the marked test rows, or test rows are at least half of them.
    """
    known = base64.b64decode(record.get(_RECORD, ""))
    tested = {known[i : i + _BYTES] for i in range(0, len(known), _BYTES)}
    if not tested:
        return
    marks = _marks(numbers, codes)
    again = [mark for mark in marks if mark in tested]
    if 2 * len(again) >= len(marks) or 2 * len(set(again)) >= len(tested):
        _log.warning(
            "rows of the run's test are scored a second time: a network that is chosen by their score has no "
            "test any more; choose by the validation loss, and test on new rows."
        )


def note_other_runs(folder: Path, settings: TableSettings, fingerprint: str) -> list[str]:
    """Return a sentence if a finished run beside `folder` was tested on the rows that this run will be
    tested on: the same table, target, fractions and seed.
    """
    for other in sorted(folder.absolute().parent.iterdir()):
        if other == folder.absolute() or not all((other / name).is_file() for name in _FINISHED):
            continue
        with contextlib.suppress(FileError, ArgumentError, TypeError):  # it may be of another version
            theirs, checksum = read_config(other)
            if checksum == fingerprint and _part(theirs) == _part(settings):
                return [
                    f"the run '{other.name}' was tested on the same rows: choose between the two by the "
                    f"validation loss, since a test score that one chooses by is too good."
                ]
    return []


def _part(settings: TableSettings) -> tuple[Any, ...]:
    """Return what decides which rows are test rows, besides the table."""
    return settings.target, settings.task, settings.fractions, settings.seed


def _marks(numbers: numpy.ndarray, codes: numpy.ndarray) -> list[bytes]:
    rows = zip(numpy.ascontiguousarray(numbers), numpy.ascontiguousarray(codes))
    return [hashlib.blake2b(a.tobytes() + b.tobytes(), digest_size=_BYTES).digest() for a, b in rows]
