"""The operations as functions on raw arrays: `xp.NAME(…)` computes the operation NAME with NumPy or CuPy.

The Tensor counterpart, which records a graph, is `autograd.engine.TENSORS`; both offer the same names.
"""

from __future__ import annotations

from functools import partial
from types import ModuleType
from typing import Any

import numpy

from stepgrad.arrays import bessel, gamma, special
from stepgrad.ops.registry import find

# The scalar language: the functions in which elementwise operations are stated, with NumPy's (and CuPy's)
# names for them.
SCALAR = {
    "exp": "exp", "expm1": "expm1", "log": "log", "log1p": "log1p", "sqrt": "sqrt",
    "sin": "sin", "cos": "cos", "tanh": "tanh", "abs": "abs",
    "floor": "floor", "ceil": "ceil", "round": "rint", "trunc": "trunc",
    "tan": "tan", "asin": "arcsin", "acos": "arccos", "atan": "arctan", "atan2": "arctan2", "sinh": "sinh",
    "cosh": "cosh", "asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh", "exp2": "exp2",
    "log2": "log2", "log10": "log10", "hypot": "hypot", "fmod": "fmod", "fmax": "fmax", "fmin": "fmin",
    "copysign": "copysign", "signbit": "signbit", "left_shift": "left_shift", "right_shift": "right_shift",
    "maximum": "maximum", "minimum": "minimum", "where": "where", "isnan": "isnan", "isinf": "isinf",
    "logical_and": "logical_and", "logical_or": "logical_or", "logical_xor": "logical_xor",
    "logical_not": "logical_not",
}  # fmt: skip
# Functions that NumPy does not have, stated in the functions above; computed in float64.
SPECIAL = {
    f.__name__: f
    for f in (
        special.erfc, special.erfcx, special.erfinv, special.ndtri, gamma.lgamma, gamma.digamma,
        gamma.polygamma, gamma.zeta, bessel.i0, bessel.i0e, bessel.i1, bessel.i1e,
    )
}  # fmt: skip


class ArrayNamespace:
    """The operations, computing on raw arrays with the module `np`."""

    def __init__(self, np: ModuleType) -> None:
        self.np = np
        for name, numpy_name in SCALAR.items():
            setattr(self, name, getattr(np, numpy_name))
        self.erf = partial(special.erf, np)
        for name, function in SPECIAL.items():
            setattr(self, name, partial(self._special, function))

    def sign(self, x: Any) -> Any:
        """−1, 0 or 1; 0 of NaN, as in PyTorch."""
        return self.np.subtract(x > 0, x < 0, dtype=x.dtype)

    def _special(self, function: Any, *inputs: Any) -> Any:
        """Compute a special function in float64, and give the result in the dtype of the arrays."""
        arrays = [x for x in inputs if hasattr(x, "dtype")]
        dtype = self.np.result_type(*(a.dtype for a in arrays)) if arrays else self.np.float64
        wide = (self.np.asarray(x, dtype=self.np.float64) if hasattr(x, "dtype") else x for x in inputs)
        return function(self, *wide).astype(dtype, copy=False)

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
