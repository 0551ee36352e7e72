"""Worked lines: a training step written out as a person would on paper, and checked."""

import sys
from types import ModuleType
from typing import Any

from stepgrad.explain.check import Checked, Fault
from stepgrad.explain.evaluate import evaluate
from stepgrad.explain.line import Given, Line
from stepgrad.explain.worked import Worked
from stepgrad.explain.writing import explain

__all__ = ["Checked", "Fault", "Given", "Line", "Worked", "evaluate", "explain"]


class _Callable(ModuleType):
    """This package, which can be called: once imported it stands in the way of the function as
    ``stepgrad.explain``.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Worked:
        return explain(*args, **kwargs)


sys.modules[__name__].__class__ = _Callable
