"""Attributes of one module that are computed when they are read.

The module becomes an instance of a subclass made for it, in which they are properties.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stepgrad.nn.module import Module


def compute_attribute(
    module: Module,
    name: str,
    read: Callable[[Any], Any],
    write: Callable[[Any, Any], None] | None = None,
    prefix: str | None = None,
) -> None:
    """Make ``module.NAME`` what `read` returns for the module; assigning calls `write`.

    `prefix` is put before the name of the module's class.
    """
    _become(module, {**_computed(module), name: property(read, write)}, prefix)


def forget_attribute(module: Module, name: str) -> None:
    """Take back what `compute_attribute` did."""
    left = {key: value for key, value in _computed(module).items() if key != name}
    _become(module, left, None)


def _computed(module: Module) -> dict[str, property]:
    return vars(type(module)).get("_computed", {})


def _become(module: Module, computed: dict[str, property], prefix: str | None) -> None:
    own = vars(type(module))
    plain = own.get("_plain", type(module))
    prefix = own.get("_prefix", "") if prefix is None else prefix
    # A class of its own each time: copies of the module keep theirs.
    marks = {"_computed": computed, "_plain": plain, "_prefix": prefix, "__doc__": plain.__doc__}
    made = type(f"{prefix}{plain.__name__}", (plain,), {**computed, **marks})
    module.__class__ = made if computed else plain
