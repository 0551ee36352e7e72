"""The operations as functions on raw arrays: `xp.NAME(…)` computes the operation NAME with NumPy or CuPy.

The Tensor counterpart, which records a graph, is `autograd.engine.TENSORS`; both offer the same names.
"""

from __future__ import annotations

from functools import partial
from types import ModuleType
from typing import Any

import numpy

from stepgrad.arrays.special import erf
from stepgrad.ops.registry import find

# The scalar language: the functions in which elementwise operations are stated, with NumPy's (and CuPy's)
# names for them.
SCALAR = {
    "exp": "exp", "expm1": "expm1", "log": "log", "log1p": "log1p", "sqrt": "sqrt",
    "sin": "sin", "cos": "cos", "tanh": "tanh", "abs": "abs", "sign": "sign",
    "floor": "floor", "ceil": "ceil", "round": "rint", "trunc": "trunc",
    "maximum": "maximum", "minimum": "minimum", "where": "where", "isnan": "isnan", "isinf": "isinf",
    "logical_and": "logical_and", "logical_or": "logical_or", "logical_xor": "logical_xor",
    "logical_not": "logical_not",
}  # fmt: skip


class ArrayNamespace:
    """The operations, computing on raw arrays with the module `np`."""

    def __init__(self, np: ModuleType) -> None:
        self.np = np
        for name, numpy_name in SCALAR.items():
            setattr(self, name, getattr(np, numpy_name))
        self.erf = partial(erf, np)

    def __getattr__(self, name: str) -> Any:
        # The first use of an operation outside the scalar language: bind its forward and remember it.
        function = partial(find(name).forward, self.np)
        setattr(self, name, function)
        return function


NUMPY = ArrayNamespace(numpy)
_namespaces = {"numpy": NUMPY}


def namespace_of(np: ModuleType) -> ArrayNamespace:
    """Return the namespace that computes with `np` (NumPy or CuPy)."""
    if np is numpy:
        return NUMPY
    return _namespaces.setdefault(np.__name__, ArrayNamespace(np))
