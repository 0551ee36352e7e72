"""What textbooks call the values inside an operation: a record says it, worked lines show it.

>>> with names_noted() as names, at_step(1):
...     value = called([0.5], "h")
>>> list(names.values())
[([0.5], 'h_2')]
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


class _Noted(threading.local):
    names: dict[int, tuple[object, str]] | None = None
    step = ""


_NOTED = _Noted()


def called(x: T, name: str) -> T:
    """Return x, and note its name if somebody asks for names."""
    if _NOTED.names is not None:
        _NOTED.names[id(x)] = (x, name + _NOTED.step)
    return x


def is_asked() -> bool:
    """Return whether somebody asks for names now, and reads what is computed."""
    return _NOTED.names is not None


@contextmanager
def names_noted() -> Iterator[dict[int, tuple[object, str]]]:
    """Note the names of what is computed in this thread meanwhile: by each value's id, it and its name."""
    before, _NOTED.names = _NOTED.names, {}
    try:
        yield _NOTED.names
    finally:
        _NOTED.names = before


@contextmanager
def at_step(t: int) -> Iterator[None]:
    """Number the names with a time step, from 1."""
    _NOTED.step = f"_{t + 1}"
    try:
        yield
    finally:
        _NOTED.step = ""
