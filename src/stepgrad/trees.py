"""Nested tuples, lists, dicts and dataclasses, as functions and models take and return them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import fields
from typing import Any

from stepgrad.errors import ArgumentError
from stepgrad.tensor import Tensor


def leaves(tree: Any) -> list[Any]:
    """Return what is in nested tuples, lists, dicts and dataclasses (see `entries_of`), in order.

    >>> leaves({"a": 1, "b": (2, [3, None])})
    [1, 2, 3, None]
    """
    found: list[Any] = []
    _gather(tree, found, ())
    return found


def _gather(tree: Any, found: list[Any], within: tuple[int, ...]) -> None:
    # Into one list: one for each part would be copied at every level.
    if isinstance(tree, (tuple, list)):
        for part in tree:
            _gather(part, found, within)
    elif isinstance(tree, dict):
        for part in tree.values():
            _gather(part, found, within)
    elif (entries := entries_of(tree, within)) is not None:
        for part in entries.values():
            _gather(part, found, (*within, id(tree)))
    else:
        found.append(tree)


def entries_of(x: Any, within: tuple[int, ...] = ()) -> dict[str, Any] | None:
    """Return the fields of a dataclass that holds a tensor, and what else it holds, by name.

    None for what is none: dataclasses without a tensor live long, as settings or what a training consists of
    does, and are objects like others; so are modules. None, too, for those that are looked at already,
    `within` which this one stands.

    >>> import stepgrad as sg
    >>> from dataclasses import make_dataclass
    >>> entries_of(make_dataclass("Batch", ["x", "count"])(sg.ones(2), 2))
    {'x': tensor([1., 1.]), 'count': 2}
    """
    if not hasattr(type(x), "__dataclass_fields__") or hasattr(x, "_parameters") or id(x) in within:
        return None
    named = {field.name: getattr(x, field.name) for field in fields(x) if hasattr(x, field.name)}
    named |= getattr(x, "__dict__", {})
    return named if any(isinstance(value, Tensor) for value in named.values()) else None


def with_entries(x: Any, entries: dict[str, Any]) -> Any:
    """Return a copy of a dataclass, frozen or not, with other values of what `entries_of` gives."""
    changed = copy.copy(x)
    for name, value in entries.items():
        object.__setattr__(changed, name, value)
    return changed


def mapped(function: Callable[[Any], Any], tree: Any) -> Any:
    """Return the same tree with what `function` makes of each of its leaves.

    >>> mapped(lambda x: x * 10, {"a": 1, "b": (2, [3])})
    {'a': 10, 'b': (20, [30])}
    """
    if isinstance(tree, dict):
        return type(tree)((key, mapped(function, part)) for key, part in tree.items())
    if isinstance(tree, (tuple, list)):
        parts = [mapped(function, part) for part in tree]
        return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)
    if (entries := entries_of(tree)) is not None:
        return with_entries(tree, {name: mapped(function, part) for name, part in entries.items()})
    return function(tree)


def filled(tree: Any, values: Any) -> Any:
    """Return the same tree with the next of `values` at each leaf."""
    rest = iter(values)
    return mapped(lambda _: next(rest), tree)


def spread(prefix: Any, tree: Any, what: str) -> list[Any]:
    """Return for each leaf of `tree` what stands for it in `prefix`, a tree of the same form or less deep.

    Raises `ArgumentError` naming `what` where the two differ in form.

    >>> spread((0, None), ({"a": 1, "b": 2}, 3), "in_dims")
    [0, 0, None]
    """
    if not isinstance(prefix, (dict, tuple, list)):
        return [prefix] * len(leaves(tree))
    same = isinstance(tree, type(prefix)) or (isinstance(prefix, list) and isinstance(tree, tuple))
    if not same or len(prefix) != len(tree) or (isinstance(prefix, dict) and prefix.keys() != tree.keys()):
        raise ArgumentError(f"{what} {prefix!r} has another form than what it is for, {_form(tree)}.")
    pairs = ((prefix[k], tree[k]) for k in tree) if isinstance(tree, dict) else zip(prefix, tree, strict=True)
    return [x for a, b in pairs for x in spread(a, b, what)]


def _form(tree: Any) -> str:
    return f"{type(tree).__name__} of {len(tree)}" if hasattr(tree, "__len__") else type(tree).__name__
