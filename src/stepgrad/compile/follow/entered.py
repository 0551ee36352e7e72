"""Which functions a step enters while it runs, and with which objects."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Callable, Iterator
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_GENERATOR, CO_VARARGS, CO_VARKEYWORDS
from types import CodeType, FrameType, FunctionType
from typing import Any

from stepgrad.compile.follow.reach import is_library, names_in, words_in

_PAUSES = CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR
# The operand of the instruction at which a frame is entered, in its lowest bits: 0 where it begins.
_WHERE = 3


class Entered:
    """The functions written by a person that were entered, by their code.

    `enter` is called with the first frame of each code and whether the function was made meanwhile by
    another one, `meet` with each object that a function is handed and that did not begin to exist meanwhile.
    """

    def __init__(self, enter: Callable[[FrameType, bool], None], meet: Callable[[Any, str], None]) -> None:
        self._enter, self._meet = enter, meet
        # By identity: to compare code takes as long as to read it.
        self.codes: dict[int, CodeType] = {}
        self._others: dict[int, CodeType] = {}
        # Code within that of functions entered.
        self._made: set[int] = set()
        # Objects made meanwhile, and frames of generators that began meanwhile.
        self._born: set[int] = set()
        self._begun: set[int] = set()
        # A generator from before that went on.
        self.went_on = ""

    def during(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function as one that notes what is entered."""

        def noted(*args: Any, **kwargs: Any) -> Any:
            before = sys.getprofile()
            sys.setprofile(self._note)
            try:
                return function(*args, **kwargs)
            finally:
                if before is None or callable(before):
                    sys.setprofile(before)
                else:
                    before.enable()  # cProfile's, which is no function

        return noted

    def _note(self, frame: FrameType, event: str, _: Any) -> None:
        if event != "call":
            return
        code = frame.f_code
        key = id(code)
        if key in self._others:
            return
        if key not in self.codes:
            module = frame.f_globals.get("__name__") or ""
            if is_library(module):
                if module.startswith("stepgrad.data.") and code.co_name == "__iter__":
                    self.went_on = "what a DataLoader yields"
                self._others[key] = code
                return
            if _is_aside(frame):
                return
            self.codes[key] = code
            self._made.update(map(id, _codes_in(code)))
            self._enter(frame, key in self._made)
        if code.co_flags & _PAUSES:
            self._note_pausing(frame)
        arguments = list(_arguments_of(frame))
        if code.co_name == "__init__" and arguments:
            self._born.add(id(arguments[0][1]))
        for name, x in arguments:
            if id(x) not in self._born:
                self._meet(x, name)

    def _note_pausing(self, frame: FrameType) -> None:
        """Tell a generator that begins from one that goes on."""
        begins = not frame.f_code.co_code[frame.f_lasti + 1] & _WHERE
        if begins:
            self._begun.add(id(frame))
        elif id(frame) not in self._begun:
            self.went_on = f"what a generator yields ({frame.f_code.co_name})"

    def names(self) -> set[str]:
        """Return the names of variables and attributes that the functions entered use."""
        found: set[str] = set()
        for code in self.codes.values():
            found.update(names_in(code), code.co_freevars)
        return found

    def words(self) -> set[str]:
        """Return the texts in the functions entered, which may be keys."""
        return {word for code in self.codes.values() for word in words_in(code)}

    def functions(self, known: set[int]) -> list[FunctionType]:
        """Return the living functions with variables of their surroundings that were entered, but for those
        with `known` code, by identity, and those that others made which were entered.
        """
        wanted = [c for key, c in self.codes.items() if c.co_freevars and key not in known | self._made]
        if not wanted:
            return []
        return [x for x in gc.get_referrers(*wanted) if isinstance(x, FunctionType)]


def _is_aside(frame: FrameType | None) -> bool:
    """Return whether a function runs since memory is collected, which no step asks for."""
    collecting = [x.__code__ for x in gc.callbacks if isinstance(x, FunctionType)]
    while frame is not None:
        if frame.f_code.co_name == "__del__" or any(frame.f_code is code for code in collecting):
            return True
        frame = frame.f_back
    return False


def _codes_in(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes_in(constant)


def _arguments_of(frame: FrameType) -> Iterator[tuple[str, Any]]:
    """Yield what a function was called with, by position and by name."""
    code, here = frame.f_code, frame.f_locals
    count = code.co_argcount + code.co_kwonlyargcount
    for name in code.co_varnames[:count]:
        yield name, here.get(name)
    for flag in (CO_VARARGS, CO_VARKEYWORDS):
        if code.co_flags & flag:
            name = code.co_varnames[count]
            further, count = here.get(name, ()), count + 1
            for x in further.values() if isinstance(further, dict) else further:
                yield name, x


def weakly(x: Any) -> Callable[[], Any] | None:
    """Return a function that returns an object as long as something else holds it; None if there is none."""
    try:
        return weakref.ref(x)
    except TypeError:
        return None
