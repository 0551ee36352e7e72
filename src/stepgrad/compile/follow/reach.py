"""What leads from Python values to others: names that code uses, attributes, contents of containers."""

from __future__ import annotations

import contextlib
import dis
import functools
import sys
import weakref
from collections import ChainMap, UserDict, UserList, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from gc import get_referents
from pathlib import Path
from types import (
    CodeType,
    MappingProxyType,
    MemberDescriptorType,
    ModuleType,
    SimpleNamespace,
)
from typing import Any

import numpy

# What a person may ask of stepgrad's schedules and scalers, and the attributes that lie behind it.
_BEHIND = {"get_last_lr": ("_last_lr",), "get_scale": ("_scale", "_enabled"), "scale": ("_scale", "_enabled")}
_KEPT_BY_HAND = ("stepgrad.optim.lr_scheduler", "stepgrad.optim.swa_utils", "stepgrad.amp")
_WEAK = (weakref.WeakValueDictionary, weakref.WeakKeyDictionary)
# Instructions that ask for a variable, or a module, by name.
_GLOBAL = {"LOAD_GLOBAL", "LOAD_NAME", "IMPORT_NAME", "STORE_GLOBAL", "DELETE_GLOBAL"}
_NOTHING = object()


def is_library(module: str | None) -> bool:
    """Return whether a module, by its name, is Python's own, NumPy's or stepgrad's. What `exec` made is in
    none.
    """
    top = (module or "").partition(".")[0]
    return top in ("stepgrad", "numpy") or (top in sys.stdlib_module_names and top != "__main__")


def is_from_library(x: Any) -> bool:
    """Return whether a function or a class is Python's own, NumPy's or stepgrad's."""
    module = getattr(x, "__module__", None)
    return is_library(module if isinstance(module, str) else None)


@functools.cache
def is_installed(package: str) -> bool:
    """Return whether a package, by the name of its outermost module, was installed: others wrote it, and a
    step reaches much more of it than it reads.
    """
    spec = getattr(sys.modules.get(package), "__spec__", None)
    origin = getattr(spec, "origin", None) or ""
    return not {"site-packages", "dist-packages"}.isdisjoint(Path(origin).parts)


def is_own(x: Any) -> bool:
    """Return whether a function, a class or a module is a person's: neither a library's nor installed."""
    name = x.__name__ if isinstance(x, ModuleType) else getattr(x, "__module__", None)
    return is_own_module(name if isinstance(name, str) else "")


def is_own_module(name: str) -> bool:
    """Return whether a module, by its name, is a person's."""
    return not is_library(name) and not is_installed(name.partition(".")[0])


def is_namespace(x: Any) -> bool:
    """Return whether an object of a library is one whose attributes a person sets or asks for."""
    if isinstance(x, SimpleNamespace) or type(x).__module__.startswith(_KEPT_BY_HAND):
        return True
    return any((k.__module__, k.__name__) == ("argparse", "Namespace") for k in type(x).__mro__)


def names_in(code: CodeType) -> Iterator[str]:
    """Return the names of globals and attributes that code uses, functions inside included, and words that
    `getattr` and `hasattr` may be handed.
    """
    yield from code.co_names
    for name in code.co_names:
        yield from _BEHIND.get(name, ())
    yield from words_asked_in(code)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from names_in(constant)
        elif isinstance(constant, tuple):  # attributes that `match` asks for
            yield from (x for x in constant if isinstance(x, str) and x.isidentifier())


def variables_in(code: CodeType) -> Iterator[str]:
    """Return the names of the global variables and modules that code uses, functions inside included."""
    for instruction in dis.get_instructions(code):
        if instruction.opname in _GLOBAL:
            yield str(instruction.argval)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from variables_in(constant)


def words_asked_in(code: CodeType) -> list[str]:
    """Return the words that `getattr` and `hasattr` may be handed, names that may be missing."""
    if {"getattr", "hasattr"}.isdisjoint(code.co_names):
        return []
    return [x for x in code.co_consts if isinstance(x, str) and x.isidentifier()]


def words_in(code: CodeType) -> Iterator[str]:
    """Return the texts in code, which may be keys."""
    for constant in code.co_consts:
        if isinstance(constant, (tuple, frozenset)):
            yield from (x for x in constant if isinstance(x, str))
        elif isinstance(constant, str):
            yield constant
        elif isinstance(constant, CodeType):
            yield from words_in(constant)


def dict_of(x: Any) -> dict[str, Any] | None:
    """Return the attributes that an object holds in a dict; None if it has none."""
    try:
        held = object.__getattribute__(x, "__dict__")
    except AttributeError:
        return None
    return held if type(held) is dict else None


def dict_of_class(kind: type) -> dict[str, Any]:
    """Return the dict of a class, of which `vars` is a view."""
    held: list[Any] = [x for x in get_referents(vars(kind)) if type(x) is dict]
    return held[0]


def slots_of(x: Any) -> set[str]:
    """Return the names for which an object has slots, filled or not."""
    kinds = (kind for kind in type(x).__mro__ if not is_from_library(kind))
    return {name for kind in kinds for name, x in vars(kind).items() if isinstance(x, MemberDescriptorType)}


def in_slots(x: Any, names: Iterable[str]) -> dict[str, Any]:
    """Return what stands in the slots of an object that have such names."""
    found: dict[str, Any] = {}
    for kind in type(x).__mro__:
        for name, member in vars(kind).items() if not is_from_library(kind) else ():
            if name in names and isinstance(member, MemberDescriptorType):
                with contextlib.suppress(AttributeError):  # an empty slot
                    found.setdefault(name, member.__get__(x))
    return found


def contents_of(x: Any) -> Callable[[], Mapping[Any, Any]] | None:
    """Return a function that returns what a container holds now, by names; None if `x` is no container that
    has to be asked so.
    """
    if isinstance(x, (set, frozenset)):
        return lambda: {element: element for element in list(x)}
    if isinstance(x, deque):
        return lambda: {f"entry {i}": value for i, value in enumerate(list(x))}
    if isinstance(x, MappingProxyType):
        return lambda: dict(x)
    if isinstance(x, ContextVar):
        return lambda: {"value": x.get(_NOTHING)}
    if isinstance(x, weakref.ref):
        return lambda: {"referent": x()}
    if isinstance(x, (bytearray, *loaded("array", "array"))):
        held: Any = x
        return lambda: {"bytes": bytes(held)}
    return None


def numbers_of(x: numpy.ndarray) -> Mapping[str, Any]:
    """Return the numbers of an array as bytes, and how they lie."""
    return {"numbers": x.tobytes(), "shape": x.shape, "dtype": x.dtype.str}


def holder_of(x: Any) -> dict[str, Any] | None:
    """Return the attributes in which a container that Python's library wrote in Python holds its contents."""
    if isinstance(x, (UserDict, UserList, ChainMap, *_WEAK, *loaded("queue", "Queue"))):
        return {key: value for key, value in vars(x).items() if key in ("data", "maps", "queue")}
    return None


def wrapped_in(x: Any) -> Any:
    """Return the function that one of `functools.cache` calls; None if `x` is none."""
    return x.__wrapped__ if isinstance(x, functools._lru_cache_wrapper) else None


def loaded(module: str, *names: str) -> tuple[type[Any], ...]:
    """Return classes of a module that is loaded; none of one that is not, of which there are no objects."""
    return tuple(getattr(sys.modules[module], name) for name in names) if module in sys.modules else ()
