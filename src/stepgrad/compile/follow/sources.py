"""What yields something else each time that it is read: iterators, and generators of random numbers.

Compiled code would be handed the same for ever, so a step that reads one runs eagerly.
"""

from __future__ import annotations

import sys
from types import GeneratorType
from typing import Any

import numpy

from stepgrad.compile.follow.reach import is_from_library, loaded

_STAND_INS = ("weakref", "unittest.mock")  # which say that they have every method
# Where one generator is for all who call the functions of a module.
_MODULES = ("numpy.random", "random")


class Sources:
    """The sources found in the reach of a step, and how far each had gone on then."""

    def __init__(self) -> None:
        self._draws: list[_Draws] = []
        self._loaded = {name for name in _MODULES if name in sys.modules}
        for name in sorted(self._loaded):
            self._draws.append(_Draws(name, sys.modules[name]))
        self._generators: list[tuple[str, GeneratorType[Any, Any, Any], int]] = []
        self._iterators: list[tuple[str, Any]] = []

    def add(self, x: Any, name: str) -> None:
        """Take an object up if it is a source."""
        if isinstance(x, GeneratorType):
            self._generators.append((name, x, _place(x)))
        elif isinstance(x, (*loaded("random", "Random"), *loaded("numpy.random", "RandomState"))):
            self._draws.append(_Draws(name, x))
        elif isinstance(x, loaded("numpy.random", "Generator", "BitGenerator")):
            self._draws.append(_Draws(name, getattr(x, "bit_generator", x)))
        elif (
            is_from_library(type(x)) and hasattr(type(x), "__next__") and type(x).__module__ not in _STAND_INS
        ):
            # One of a list, a zip, a file: nothing tells how far it has gone.
            self._iterators.append((name, x))

    def read(self, names: set[str]) -> str:
        """Say what has been read since; an empty text if nothing was.

        Of an iterator that is not written in Python it is enough to be among the `names` that the functions
        entered use.
        """
        for name, generator, place in self._generators:
            if _place(generator) != place:
                return f"what a generator yields ({name})"
        for draws in self._draws:
            if draws.has_moved():
                return f"random numbers of {draws.name}"
        for name in _MODULES:
            if name in sys.modules and name not in self._loaded:
                return f"random numbers of {name}"
        for name, x in self._iterators:
            if is_read(name, names):
                return f"what an iterator yields ({name}, a {type(x).__name__})"
        return ""

    def restore(self) -> None:
        """Put the generators of random numbers back."""
        for draws in self._draws:
            if draws.has_moved():
                draws.restore()


def is_read(name: str, names: set[str]) -> bool:
    """Return whether an object is taken for read: by its name, or as a part of a container or an argument."""
    return name in names or name.startswith(("entry ", "object "))


class _Draws:
    """A generator of random numbers, Python's or NumPy's, or the module that has one; and its state."""

    def __init__(self, name: str, x: Any) -> None:
        self.name, self._x = name, x
        self._state = self._now()

    def _now(self) -> Any:
        for ask in ("getstate", "get_state"):
            if hasattr(self._x, ask):
                return getattr(self._x, ask)()
        return self._x.state

    def has_moved(self) -> bool:
        """Return whether numbers have been drawn since."""
        return _comparable(self._now()) != _comparable(self._state)

    def restore(self) -> None:
        """Have the same numbers drawn again."""
        for put in ("setstate", "set_state"):
            if hasattr(self._x, put):
                getattr(self._x, put)(self._state)
                return
        self._x.state = self._state


def _comparable(state: Any) -> Any:
    """Return a state, with arrays in it perhaps, as what can be compared at once."""
    if isinstance(state, dict):
        return {key: _comparable(value) for key, value in state.items()}
    if isinstance(state, tuple) and len(state) < 10:
        return tuple(map(_comparable, state))
    return state.tobytes() if isinstance(state, numpy.ndarray) else state


def _place(generator: GeneratorType[Any, Any, Any]) -> int:
    return -1 if generator.gi_frame is None else generator.gi_frame.f_lasti
