"""Tables: named Python values in one place, as they were when the table was made.

What asks whether one of them is another object now is a guard, which is faster and does not know names
(see `stepgrad.compile.follow.guard`); each table says what it has to ask.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import chain
from math import copysign
from operator import is_
from types import CellType, FunctionType, MethodType
from typing import Any

from stepgrad.autograd.recording import hides_values
from stepgrad.tensor import Tensor

_PLAIN = (int, float, complex, str, bytes)
# A kind of question, as `Guard` names it, with what it is about.
Question = tuple[str, Any]


class Table:
    """Named values in one place: a base of those below.

    `free`: the names of which the value may change. Tensors that the step itself made are free too, and not
    held on to.
    """

    def __init__(self, what: str, free: Iterable[Any] = ()) -> None:
        self._what, self.free = what, set(free)
        named = self.named()
        if hides_values():
            self.free |= {name for name, x in named.items() if isinstance(x, Tensor) and x._node is not None}
        self._names = [*named]
        self._objects = [None if name in self.free else x for name, x in named.items()]

    def named(self) -> Mapping[Any, Any]:
        """Return the values as they are now."""
        raise NotImplementedError

    def questions(self) -> Iterator[Question]:
        """Yield what a guard is to ask."""
        raise NotImplementedError

    def put(self, name: Any, value: Any) -> None:
        """Give a name a value; here nothing, where Python cannot tell how."""

    def remove(self, name: Any) -> None:
        """Take a name away; here nothing."""

    def _before(self) -> Iterator[Any]:
        return chain(self._names, self._objects)

    def changes(self) -> Iterator[Any]:
        """Yield the names whose values are others now."""
        now = self.named()
        # Names may be tensors, which do not say whether they are equal.
        if len(now) == len(self._names) and all(map(is_, chain(now, now.values()), self._before())):
            return
        before = dict(zip(self._names, self._objects))
        for name in chain(now, (name for name in before if name not in now)):
            if name in self.free:
                continue
            if name not in now or name not in before or not same(now[name], before[name]):
                yield name

    def change(self) -> str:
        """Say which value is another one now; an empty text if none is."""
        for name in self.changes():
            key = str(name) if isinstance(name, (str, int, float)) else f"an entry ({type(name).__name__})"
            return f"{key.lstrip('_')} of {self._what}"
        return ""

    def restore(self) -> None:
        """Put the values back."""
        before = dict(zip(self._names, self._objects))
        for name in list(self.changes()):
            if name in before:
                self.put(name, before[name])
            else:
                self.remove(name)


class Entries(Table):
    """All entries of a dict or a list."""

    def __init__(self, what: str, place: Any, free: Iterable[Any] = ()) -> None:
        self.place = place
        super().__init__(what, free)

    def named(self) -> Mapping[Any, Any]:
        if isinstance(self.place, dict):
            return self.place
        return {f"entry {i}": value for i, value in enumerate(self.place)}

    def questions(self) -> Iterator[Question]:
        yield "places", (self.place, self.free)

    def restore(self) -> None:
        if isinstance(self.place, list):
            self.place[:] = [x if name in self.free else old for (name, x), old in self._with_old()]
        elif self.change():
            now = dict(self.place)
            self.place.clear()
            for name, old in zip(self._names, self._objects):
                self.place[name] = now.get(name, old) if name in self.free else old

    def _with_old(self) -> Iterator[tuple[tuple[str, Any], Any]]:
        now = self.named()
        for name, old in zip(self._names, self._objects):
            yield (name, now.get(name, old)), old


class Chosen(Table):
    """Entries of a dict with some names, which may be missing."""

    def __init__(
        self, what: str, place: dict[str, Any], names: Collection[str], free: Iterable[str] = ()
    ) -> None:
        self.place, self._chosen = place, tuple(names)
        super().__init__(what, free)

    def named(self) -> Mapping[Any, Any]:
        return chosen(self.place, self._chosen)

    def questions(self) -> Iterator[Question]:
        yield "entries", (self.place, tuple(name for name in self._chosen if name not in self.free))

    def put(self, name: Any, value: Any) -> None:
        self.place[name] = value

    def remove(self, name: Any) -> None:
        del self.place[name]


class Closure(Table):
    """What a function holds itself: variables of its surroundings, defaults, its code."""

    def __init__(self, function: FunctionType) -> None:
        self._function, self._cells = function, function.__closure__ or ()
        super().__init__(f"{function.__name__}()")

    def named(self) -> Mapping[Any, Any]:
        function = self._function
        held: dict[str, Any] = {"code": function.__code__, "defaults": function.__defaults__}
        held["defaults by name"] = function.__kwdefaults__
        cells = zip(function.__code__.co_freevars, self._cells)
        return held | {name: cell.cell_contents for name, cell in cells if is_filled(cell)}

    def questions(self) -> Iterator[Question]:
        yield "functions", self._function
        for cell in self._cells:
            yield "cells", cell


class Asked(Table):
    """Values that a function returns, as a dict. `questions`: what a guard asks instead of the function."""

    def __init__(
        self, what: str, ask: Callable[[], Mapping[Any, Any]], questions: Iterable[Question] | None = None
    ) -> None:
        self.named = ask  # type: ignore[method-assign]
        self._questions = [("others", lambda: ask().values())] if questions is None else [*questions]
        super().__init__(what)

    def questions(self) -> Iterator[Question]:
        yield from self._questions


def chosen(table: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return the entries with such names that are there."""
    return {name: table[name] for name in names if name in table}


def is_filled(cell: CellType) -> bool:
    """Return whether a variable of a closure has a value."""
    try:
        cell.cell_contents  # noqa: B018 - asked for to see whether it is there
    except ValueError:
        return False
    return True


def same(a: Any, b: Any) -> bool:
    """Return whether two values are the same object, equal numbers or texts, or tuples of such."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, (set, frozenset)):
        return a == b
    if isinstance(a, MethodType):  # made anew each time it is asked for
        return a == b
    if isinstance(a, float) and a == 0:
        return b == 0 and copysign(1, a) == copysign(1, b)
    return isinstance(a, _PLAIN) and bool(a == b)
