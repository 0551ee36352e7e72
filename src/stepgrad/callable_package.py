"""Packages that are called like the function in them that has their name."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any


class _CallablePackage(ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._function(*args, **kwargs)


def make_callable(package: str, function: Callable[..., Any]) -> None:
    """Let an imported package be called as `function`, with its signature and, below its own, its docstring.

    Python sets a package as an attribute of the one around it, where it takes the place of the function of
    that name: after ``import stepgrad.compile``, ``stepgrad.compile(f)`` calls the package, and
    ``help(stepgrad.compile)`` shows it.
    """
    module: Any = sys.modules[package]
    module.__class__ = _CallablePackage
    module._function = function
    module.__signature__ = inspect.signature(function)
    module.__doc__ = f"{module.__doc__}\n\n{inspect.getdoc(function)}"
