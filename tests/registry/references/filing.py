"""Where references are filed, and how one is stated for numbers.

`REFERENCES[name](*inputs, **attributes)` takes float64, int64 and boolean arrays, numbers and None.
"""

from collections.abc import Callable
from typing import Any

import numpy

Array = Any
REFERENCES: dict[str, Callable[..., Array]] = {}


def reference(function: Callable[..., Array]) -> Callable[..., Array]:
    """File a function under its name (a final underscore left out)."""
    REFERENCES[function.__name__.rstrip("_")] = function
    return function


def each(name: str, function: Callable[..., Any], dtype: str | None = "float64") -> None:
    """File a function of Python numbers as a reference that broadcasts; `dtype` None: that of its results."""

    def on_arrays(*inputs: Array, **attrs: Any) -> Array:
        arrays = numpy.broadcast_arrays(*inputs)
        values = [
            function(*(x.item() for x in numbers), **attrs) for numbers in zip(*(a.flat for a in arrays))
        ]
        return numpy.array(values, dtype=dtype).reshape(arrays[0].shape)

    REFERENCES[name] = on_arrays
