"""Objects from plain values that a file describes. A file may have been made by anyone, so that each value
is held against the type of its field.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import fields
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")


def described(cls: type[T], values: Mapping[str, Any]) -> T:
    """Return an object of a dataclass with such values for its fields.

    Raises `TypeError` for a field that is missing or unknown, and `ValueError` for a value of another type:
    numbers are finite; a list, a dict and a union name what they may hold. Fields with rules of their own
    have them checked by a method `flaw`, which returns a sentence, or None.
    """
    kinds = get_type_hints(cls)
    hints = {field.name: kinds[field.name] for field in fields(cls)}  # type: ignore[arg-type]
    for name, value in values.items():
        if name in hints and not has_type(value, hints[name]):
            raise ValueError(f"{cls.__name__} cannot have {str(value)[:40]!r} for {name}")
    made = cls(**values)
    flaw = made.flaw() if hasattr(made, "flaw") else None
    if flaw:
        raise ValueError(f"{cls.__name__}: {flaw}")
    return made


def has_type(value: object, hint: Any) -> bool:
    """Return whether a value is one of a type that JSON has: str, bool, int, a finite float, None, lists,
    dicts with texts as keys, and unions of these.

    >>> has_type([1.5, 2], list[float]), has_type(float("nan"), float), has_type(None, int | None)
    (True, False, True)
    """
    if hint is Any:
        return True
    if get_origin(hint) is list:
        return isinstance(value, list) and all(has_type(item, get_args(hint)[0]) for item in value)
    if get_origin(hint) is dict:
        kind = get_args(hint)[1]
        return isinstance(value, dict) and all(
            isinstance(key, str) and has_type(item, kind) for key, item in value.items()
        )
    if isinstance(hint, UnionType):
        return any(has_type(value, each) for each in get_args(hint))
    if hint is float:
        largest = sys.float_info.max
        return type(value) in (int, float) and -largest <= value <= largest  # type: ignore[operator]
    return type(value) is (NoneType if hint is None else hint)


def differ(texts: list[str]) -> bool:
    """Return whether no text is there twice."""
    return len(set(texts)) == len(texts)
