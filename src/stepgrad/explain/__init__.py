"""Worked lines: a training step written out as a person would on paper, and checked."""

from stepgrad.callable_package import make_callable
from stepgrad.explain.check import Checked, Fault
from stepgrad.explain.evaluate import evaluate
from stepgrad.explain.line import Given, Line
from stepgrad.explain.worked import Worked
from stepgrad.explain.writing import explain

__all__ = ["Checked", "Fault", "Given", "Line", "Worked", "evaluate", "explain"]

make_callable(__name__, explain)
