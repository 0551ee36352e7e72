"""Pickles, read as data: numbers, texts, lists, tuples, dicts, and the few names that weights need.

A pickle is a program for a small stack machine (Python's `pickletools` lists its instructions). What makes
Python's own reader dangerous are four of them: GLOBAL imports any name, REDUCE and NEWOBJ call it, BUILD
changes any object. Here a name is looked up in the table that the caller hands over, and is nothing but a key
of it; a function that is called is one of that table, written in stepgrad; BUILD does nothing but drop the
attributes of a dict. There is no instruction that reaches anything else, and a pickle that tries is refused.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from stepgrad.errors import StepgradError
from stepgrad.files.header import UnreadableError, shown

MAX_DEPTH = 100
MAX_VALUES = 20_000_000
"""How many values a pickle may stand for, those that stand at several places counted at each of them."""

_KEYS = (str, int, float, bool, bytes, type(None))
_LONGEST_NAME = 1000
_MARK = object()


class PickleError(Exception):
    """A pickle that is damaged, or that holds what stepgrad does not build; the message says what."""


class Callee(NamedTuple):
    """A function of the table that a pickle may call, under the name that the pickle has for it."""

    name: str
    function: Callable[..., Any]


class Lacking(NamedTuple):
    """What a name of the table means that stepgrad does not have, and what to do instead."""

    what: str
    instead: str


def read_pickle(
    data: memoryview, at: int, names: Mapping[str, Any], persistent: Callable[[Any], Any]
) -> tuple[Any, int]:
    """Return the value of the pickle that begins at byte `at` of `data`, and where it ends.

    `names` gives for each full name that may stand in it, such as "torch.float32", the value that it means; a
    function there may be called by the pickle. `persistent` returns the value of a persistent id (how PyTorch
    refers to the memory of its tensors).

    Raises PickleError for anything else, before anything is called; UnreadableError where a name means
    something that is `Lacking`.

    >>> read_pickle(memoryview(b"\\x80\\x02]q\\x00(K\\x01K\\x02e."), 0, {}, str)
    ([1, 2], 12)
    """
    machine = _Machine(data, at, names, persistent)
    try:
        value = machine.run()
    except UnicodeDecodeError:
        raise PickleError("a text in it is not UTF-8") from None
    except (IndexError, ValueError, struct.error):
        raise PickleError("it has been cut, or an instruction in it has no operand") from None
    _check_size(value)
    return value, machine.at


class _Machine:
    """The stack machine: `run` carries out instruction after instruction until STOP."""

    def __init__(
        self, data: memoryview, at: int, names: Mapping[str, Any], persistent: Callable[[Any], Any]
    ) -> None:
        self.data, self.at, self.names, self.persistent = data, at, names, persistent
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        while True:
            code = bytes(self.take(1))
            if code == _STOP:
                return self.pop()
            action = _ACTIONS.get(code)
            if action is None:
                raise PickleError(
                    f"it has the instruction {code[0]:#04x}, which files of tensors do not need"
                )
            action(self)

    # ------------------------------------------------------------------------- bytes and the stack

    def take(self, count: int) -> memoryview:
        """Return the next bytes."""
        if count < 0 or self.at + count > len(self.data):
            raise IndexError
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, form: str) -> Any:
        """Return the next number, in a form of `struct`."""
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def line(self) -> str:
        """Return the text up to the next line feed."""
        length = bytes(self.data[self.at : self.at + _LONGEST_NAME]).index(b"\n")
        text = str(self.take(length), "utf-8")
        self.at += 1
        return text

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        value = self.stack.pop()
        if value is _MARK:
            raise IndexError
        return value

    def pop_to_mark(self) -> list[Any]:
        """Return what was pushed after the last mark, and drop it and the mark."""
        place = len(self.stack) - 1
        while self.stack[place] is not _MARK:
            place -= 1
            if place < 0:
                raise IndexError
        values = self.stack[place + 1 :]
        del self.stack[place:]
        return values

    def last(self, kind: type) -> Any:
        """Return the last value, which must be of a kind."""
        if type(self.stack[-1]) is not kind:
            raise PickleError(f"it adds items to a {type(self.stack[-1]).__name__}")
        return self.stack[-1]

    # --------------------------------------------------------------------------------- instructions

    def extend(self, values: list[Any]) -> None:
        """Append values to the list that is then last on the stack."""
        self.last(list).extend(values)

    def items(self, pairs: list[Any], target: dict[Any, Any]) -> dict[Any, Any]:
        """Put keys and values, one after the other, into a dict, and return it."""
        if len(pairs) % 2:
            raise IndexError
        for key, value in zip(pairs[::2], pairs[1::2]):
            target[checked_key(key)] = value
        return target

    def get(self, place: int) -> None:
        if place not in self.memo:
            raise PickleError(f"it refers to value {place}, which is not there")
        self.push(self.memo[place])

    def put(self, place: int) -> None:
        self.memo[place] = self.stack[-1]

    def find(self, module: Any, name: Any) -> None:
        """Push what a name means. Every name that is not in the table ends the reading."""
        full = f"{module}.{name}"
        if full not in self.names:
            raise PickleError(
                f"it holds {shown(full)}, and to make that Python would run code that the file names"
            )
        meant = self.names[full]
        if isinstance(meant, Lacking):
            raise UnreadableError(f"it holds {meant.what}, which stepgrad does not have. {meant.instead}")
        self.push(Callee(full, meant) if callable(meant) and not isinstance(meant, type) else meant)

    def call(self) -> None:
        arguments, callee = self.pop(), self.pop()
        if not isinstance(callee, Callee) or type(arguments) is not tuple:
            raise PickleError(f"it calls {shown(callee)}, which is no function that tensors need")
        try:
            self.push(callee.function(*arguments))
        except (TypeError, ValueError, AttributeError, KeyError, OverflowError, StepgradError) as error:
            raise PickleError(
                f"it calls {callee.name} with arguments that do not fit ({shown(str(error))})"
            ) from None

    def build(self) -> None:
        """Drop the attributes of the last value: of a dict, where PyTorch writes the versions of modules, or
        of what says itself that it can do without.
        """
        state = self.pop()
        if check := getattr(self.stack[-1], "check_state", None):
            check(state)
        else:
            self.last(dict)

    def text(self, length: int) -> None:
        self.push(str(self.take(length), "utf-8"))

    def integer(self, length: int) -> None:
        self.push(int.from_bytes(self.take(length), "little", signed=True))

    def tuple_of(self, count: int) -> None:
        if _MARK in self.stack[-count:] or len(self.stack) < count:
            raise IndexError
        self.stack[-count:] = [tuple(self.stack[-count:])]


def checked_key(key: Any) -> Any:
    """Return a dict's key, if it is a plain one: hashing a deep tuple could take for ever."""
    if type(key) in _KEYS or (type(key) is tuple and all(type(part) in _KEYS for part in key)):
        return key
    raise PickleError(f"it uses a {type(key).__name__} as the key of a dict")


_STOP = b"."
_ACTIONS: dict[bytes, Callable[[_Machine], Any]] = {
    b"\x80": lambda m: m.take(1),  # PROTO
    b"\x95": lambda m: m.take(8),  # FRAME
    b"(": lambda m: m.push(_MARK),
    b"0": lambda m: m.pop(),
    b"N": lambda m: m.push(None),
    b"\x88": lambda m: m.push(True),
    b"\x89": lambda m: m.push(False),
    b"J": lambda m: m.push(m.number("<i")),
    b"K": lambda m: m.push(m.number("<B")),
    b"M": lambda m: m.push(m.number("<H")),
    b"\x8a": lambda m: m.integer(m.number("<B")),
    b"\x8b": lambda m: m.integer(m.number("<i")),
    b"G": lambda m: m.push(m.number(">d")),
    b"X": lambda m: m.text(m.number("<I")),
    b"\x8c": lambda m: m.text(m.number("<B")),
    b"U": lambda m: m.text(m.number("<B")),  # a text of Python 2
    b"T": lambda m: m.text(m.number("<i")),
    b"B": lambda m: m.push(bytes(m.take(m.number("<I")))),
    b"C": lambda m: m.push(bytes(m.take(m.number("<B")))),
    b")": lambda m: m.push(()),
    b"t": lambda m: m.push(tuple(m.pop_to_mark())),
    b"\x85": lambda m: m.tuple_of(1),
    b"\x86": lambda m: m.tuple_of(2),
    b"\x87": lambda m: m.tuple_of(3),
    b"]": lambda m: m.push([]),
    b"l": lambda m: m.push(m.pop_to_mark()),
    b"a": lambda m: m.extend([m.pop()]),
    b"e": lambda m: m.extend(m.pop_to_mark()),
    b"}": lambda m: m.push({}),
    b"d": lambda m: m.push(m.items(m.pop_to_mark(), {})),
    b"s": lambda m: m.items([m.pop(), m.pop()][::-1], m.last(dict)),
    b"u": lambda m: m.items(m.pop_to_mark(), m.last(dict)),
    b"h": lambda m: m.get(m.number("<B")),
    b"j": lambda m: m.get(m.number("<I")),
    b"q": lambda m: m.put(m.number("<B")),
    b"r": lambda m: m.put(m.number("<I")),
    b"\x94": lambda m: m.put(len(m.memo)),
    b"c": lambda m: m.find(m.line(), m.line()),
    b"\x93": lambda m: m.find(*[m.pop(), m.pop()][::-1]),
    b"R": lambda m: m.call(),
    b"\x81": lambda m: m.call(),  # NEWOBJ: cls.__new__(cls, *arguments)
    b"b": lambda m: m.build(),
    b"Q": lambda m: m.push(m.persistent(m.pop())),
}


def _check_size(value: Any) -> None:
    """Raise PickleError for a value that is nested too deeply, holds itself, or, since a value may stand at
    many places, is larger than a memory once it is copied or printed.
    """
    counts: dict[int, int | None] = {}

    def count(part: Any, depth: int) -> int:
        if not isinstance(part, (list, tuple, dict)) or hasattr(part, "_fields"):
            return 1
        if id(part) in counts:
            known = counts[id(part)]
            if known is None:
                raise PickleError("it holds a value that holds itself")
            return known
        if depth > MAX_DEPTH:
            raise PickleError(f"its values are nested more than {MAX_DEPTH} deep")
        counts[id(part)] = None
        total = 1
        for inner in part.values() if isinstance(part, dict) else part:
            total += count(inner, depth + 1)
            if total > MAX_VALUES:
                raise PickleError(f"it stands for more than {MAX_VALUES:,} values")
        counts[id(part)] = total
        return total

    count(value, 0)
