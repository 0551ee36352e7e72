"""The exceptions of stepgrad, each with the exit code that the command line gives it.

Every message names the thing that is wrong and the way out. The classes also inherit from the built-in
exception that PyTorch users would catch (`RuntimeError` for shapes, `ValueError` for arguments), so
existing `except` clauses work.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any


class StepgradError(Exception):
    """Base of all errors that stepgrad raises on purpose. `exit_code` is 1 (run error) or 2 (wrong usage)."""

    exit_code = 1


class ShapeError(StepgradError, RuntimeError):
    """Operands whose shapes do not fit."""


class IndexShapeError(ShapeError, IndexError):
    """An index or a dimension outside of its tensor; caught by ``except IndexError`` as well."""


class LinAlgError(ShapeError):
    """A matrix for which a result of linear algebra does not exist: singular, not square, not positive."""


class DtypeError(StepgradError, TypeError):
    """A data type that an operation does not take."""


class DeviceError(StepgradError, RuntimeError):
    """Operands on different devices, or a device that is not there."""

    exit_code = 2


class GradientError(StepgradError, RuntimeError):
    """A gradient that was asked for and does not exist."""


class CaptureError(StepgradError, RuntimeError):
    """A step that cannot be captured, because what it does depends on values that change."""


class DifferenceError(StepgradError, ArithmeticError):
    """Compiled code that gives other numbers than the operations one at a time, found by ``check=True``."""


class ExportError(StepgradError, RuntimeError):
    """A model or an operation that another program's format cannot express."""


class ArgumentError(StepgradError, ValueError):
    """An argument out of its range."""

    exit_code = 2


class StateError(ArgumentError, RuntimeError):
    """A state whose names or shapes are not those of the module that is to take it."""


class DataError(StepgradError, ValueError):
    """Data that cannot be used as they are: a table, a column, a cell, a target."""


class FileError(StepgradError, OSError):
    """A file that is missing, damaged, of another kind, or cannot be written."""


class MissingNameError(StepgradError, AttributeError):
    """A name that is not there, such as a class that a model file needs and nobody declared."""


class MissingKeyError(StepgradError, KeyError):
    """A key that a container does not have."""

    __str__ = Exception.__str__  # KeyError would show the message in quotes


class MissingPackageError(StepgradError, ImportError):
    """A package that is needed here and not installed; the message names the extra that brings it."""


class WorkerError(StepgradError, RuntimeError):
    """A data-loading process that raised, was killed, or does not answer."""


class NotFiniteError(StepgradError, FloatingPointError):
    """A NaN or an infinity in the loss, a gradient or a weight.

    `what` is the message without the ways out. Where a `Trainer` raised it: `origin` is where the first such
    value came from, an object with `op`, `module`, `phase`, `value`, `inputs`, and `given` (which input or
    parameter was not finite from the start), None if it was the update itself; `problem` is what is not
    finite; `epoch`, `batch` and `step` count from 1.
    """

    origin: Any = None
    problem = ""
    epoch = batch = step = 0

    def __init__(self, what: str, ways_out: str = "") -> None:
        super().__init__(f"{what} {ways_out}".rstrip())
        self.what = what


def suggest_file(path: str | os.PathLike[str]) -> str:
    """Return a suggestion as `suggest` does: a neighbour of a file that is not there, under a similar name.

    The endings of the names do not make them similar: "nofile.csv" is not meant by who has "i.csv".
    """
    from difflib import get_close_matches

    folder, name = os.path.split(os.fspath(path))
    try:
        others = os.listdir(folder or ".")
    except OSError:
        return ""
    stem = name.split(".")[0].casefold()
    others = [other for other in others if get_close_matches(stem, [other.split(".")[0].casefold()])]
    return suggest(name, others)


def suggest(name: str, names: Iterable[str]) -> str:
    """Return ``" Did you mean 'price'?"`` for the closest of `names`, or an empty string if none is close.

    >>> suggest("prise", ["price", "carat"])
    " Did you mean 'price'?"
    >>> suggest("zzz", ["price", "carat"])
    ''
    """
    near = _nearest(name, list(names))
    return f" Did you mean '{near}'?" if near else ""


def suggest_all(absent: Iterable[str], names: Iterable[str]) -> str:
    """Return a suggestion as `suggest` does for each of several names that are not there, if one is close.

    >>> suggest_all(["prise", "zzz", "color"], ["price", "colour"])
    " Did you mean 'price', 'colour'?"
    """
    there = list(names)
    near = dict.fromkeys(f"'{found}'" for name in absent if (found := _nearest(name, there)))
    return f" Did you mean {', '.join(near)}?" if near else ""


def _nearest(name: str, names: list[str]) -> str:
    from difflib import get_close_matches

    folded = {other.casefold(): other for other in names}
    near = get_close_matches(name, names, n=1)
    near = near or [folded[each] for each in get_close_matches(name.casefold(), list(folded), n=1)]
    return near[0] if near else ""
