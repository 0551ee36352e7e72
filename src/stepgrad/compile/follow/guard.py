"""Whether Python values are still the very objects that they were: what is asked before each compiled step.

A module has a dozen of them, and the shortest Python needs forty nanoseconds for each, of which the whole
step of a small network takes a hundred. So native code asks, through the C interface of CPython.
"""

from __future__ import annotations

import ctypes
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from itertools import chain, repeat
from operator import is_
from types import CellType, FunctionType
from typing import Any

from stepgrad.compile.machine import Module

Place = dict[Any, Any] | list[Any]

# ``differ(checks, count)``: a check is a function, two arguments for it, and what it is to return; they end
# at the first that returns something else. ``contents`` is the function for a cell, which returns 0 for an
# empty one; its second argument is where the addresses of `_CELL` lie.
_TEXT = """
define i64 @differ(ptr %checks, i64 %count) nounwind {
entry:
  br label %check
check:
  %i = phi i64 [ 0, %entry ], [ %i.next, %call ]
  %is.end = icmp eq i64 %i, %count
  br i1 %is.end, label %same, label %call
call:
  %at = getelementptr [4 x ptr], ptr %checks, i64 %i
  %function = load ptr, ptr %at
  %a.at = getelementptr ptr, ptr %at, i64 1
  %a = load ptr, ptr %a.at
  %b.at = getelementptr ptr, ptr %at, i64 2
  %b = load ptr, ptr %b.at
  %before.at = getelementptr ptr, ptr %at, i64 3
  %before = load ptr, ptr %before.at
  %now = call ptr %function(ptr %a, ptr %b)
  %i.next = add i64 %i, 1
  %is.same = icmp eq ptr %now, %before
  br i1 %is.same, label %check, label %other
same:
  ret i64 0
other:
  ret i64 1
}

define ptr @contents(ptr %cell, ptr %functions) nounwind {
entry:
  %get = load ptr, ptr %functions
  %release.at = getelementptr ptr, ptr %functions, i64 1
  %release = load ptr, ptr %release.at
  %contents = call ptr %get(ptr %cell)
  call void %release(ptr %contents)
  ret ptr %contents
}
"""
_CELL = ("PyCell_Get", "Py_DecRef")
# What a function is made of, and how C asks for it: 0 stands for None.
_OF_FUNCTION = {
    "__code__": "PyFunction_GetCode",
    "__defaults__": "PyFunction_GetDefaults",
    "__kwdefaults__": "PyFunction_GetKwDefaults",
}


# From so many questions on they are put in native code, which takes some milliseconds to make.
PATIENCE = 8
_MISSING = object()


class Guard:
    """Dicts, lists, entries of dicts, contents of cells and what functions are made of, with the objects
    that they hold now.

    `places`: dicts and lists, each with the keys whose values need not be asked for. `entries`: dicts, each
    with keys of interest, which may be missing. `functions`: of which code and defaults are looked at.
    `others`: functions that return objects kept in another way, which are always asked in Python.
    """

    def __init__(
        self,
        places: Iterable[tuple[Place, Iterable[Any]]] = (),
        entries: Iterable[tuple[dict[str, Any], Iterable[str]]] = (),
        cells: Iterable[CellType] = (),
        functions: Iterable[FunctionType] = (),
        others: Iterable[Callable[[], Iterable[Any]]] = (),
    ) -> None:
        self._places, self._entries, self._cells = [*places], [*entries], [*cells]
        self._functions, self._others = [*functions], [*others]
        self._views = [p.values() if isinstance(p, dict) else p for p, _ in self._places]
        self._keys = [[*place] if isinstance(place, dict) else range(len(place)) for place, _ in self._places]
        self._before, self._others_before = self._now(), self._others_now()
        # Native code, and the memory that it reads: threads that ask at once may have made more than one.
        self._asked, self._kept = 0, list[Any]()
        # Asks whether one of them is another object now.
        self.differs: Callable[[], Any] = self._differs

    def _now(self) -> list[Any]:
        """Return all values, in an order that stays the same."""
        now = [*chain.from_iterable(self._views)]
        for table, names in self._entries:
            now += map(table.get, names, repeat(_MISSING))
        now += map(_contents, self._cells)
        for function in self._functions:
            now += [getattr(function, name) for name in _OF_FUNCTION]
        return now

    def _others_now(self) -> list[Any]:
        return [x for ask in self._others for x in ask()]

    def _differs(self) -> bool:
        asked = self._asked = self._asked + 1
        if asked == PATIENCE:
            self.differs = self._native() or self._differs
        return not _are_same(self._now(), self._before) or self._others_differ()

    def _others_differ(self) -> bool:
        return not _are_equal(self._others_now(), self._others_before)

    def _native(self) -> Callable[[], Any] | None:
        """Return a native function that says the same; None if there cannot be one."""
        interface = _interface()
        if interface is None or not all(map(_is_plain, self._places)):
            return None
        before, checks = iter(self._before), []
        for (place, free), keys in zip(self._places, self._keys):
            checks.append((interface.size, id(place), 0, len(keys)))
            for key, value in zip(keys, before):
                if isinstance(place, list):
                    checks.append((interface.item, id(place), key, id(value)))
                elif key not in free:
                    checks.append((interface.entry, id(place), id(key), id(value)))
        for table, names in self._entries:
            for name, value in zip(names, before):
                expected = 0 if value is _MISSING else id(value)
                checks.append((interface.entry, id(table), id(name), expected))
        for cell, value in zip(self._cells, before):
            expected = 0 if value is _MISSING else id(value)
            checks.append((interface.cell, id(cell), interface.of_cell, expected))
        for function in self._functions:
            for ask, value in zip(interface.of_function, before):
                checks.append((ask, id(function), 0, 0 if value is None else id(value)))
        memory = (ctypes.c_void_p * (4 * len(checks)))(*chain.from_iterable(checks))
        self._kept += interface, memory
        native = partial(interface.differ, ctypes.addressof(memory), len(checks))
        return native if not self._others else lambda: native() or self._others_differ()


def _are_same(now: list[Any], before: list[Any]) -> bool:
    return len(now) == len(before) and all(map(is_, now, before))


def _are_equal(now: list[Any], before: list[Any]) -> bool:
    """Return whether objects are the same, or equal bytes, which are made anew for each question."""
    return len(now) == len(before) and all(
        a is b or (type(a) is bytes and type(b) is bytes and a == b) for a, b in zip(now, before)
    )


def _contents(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return _MISSING


def _is_plain(entry: tuple[Place, Iterable[Any]]) -> bool:
    """Return whether no Python of a class runs where a dict or list is read."""
    place, _ = entry
    if type(place) is list:
        return True
    return type(place) in (dict, defaultdict) and all(map(_is_plain_key, place))


def _is_plain_key(key: Any) -> bool:
    """Return whether a key is found without Python code: a text, a number, or told apart by identity."""
    way: Any = type(key).__hash__
    return type(key) in (str, int) or way is object.__hash__


class _Interface:
    """The functions that checks are made of, by their addresses."""

    def __init__(self) -> None:
        self._module = Module(_TEXT)
        # Called with the GIL, unlike the steps.
        kind = ctypes.PYFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64)
        self.differ = kind(self._module.address("differ"))
        self._of_cell = (ctypes.c_void_p * len(_CELL))(*map(_address, _CELL))
        self.cell, self.of_cell = self._module.address("contents"), ctypes.addressof(self._of_cell)
        self.size, self.item = _address("PyObject_Size"), _address("PyList_GetItem")
        self.entry = _address("PyDict_GetItemWithError")
        self.of_function = [*map(_address, _OF_FUNCTION.values())]


def _address(name: str) -> int:
    address = ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value
    assert address is not None
    return address


@lru_cache(maxsize=1)
def _interface() -> _Interface | None:
    """Return what native code asks by; None where Python is another one, or runs threads side by side."""
    has_lock = getattr(sys, "_is_gil_enabled", lambda: True)()
    return _Interface() if sys.implementation.name == "cpython" and has_lock else None
