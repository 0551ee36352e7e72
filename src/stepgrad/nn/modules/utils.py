"""One number for each dimension, from one number for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any


def _ntuple(n: int) -> Callable[[Any], tuple[Any, ...]]:
    """Return a function that repeats a number n times and leaves several as they are, as a tuple.

    >>> _ntuple(2)(3), _ntuple(2)([3, 5])
    ((3, 3), (3, 5))
    """

    def parse(x: Any) -> tuple[Any, ...]:
        return tuple(x) if isinstance(x, Iterable) else (x,) * n

    return parse


_single, _pair, _triple, _quadruple = map(_ntuple, (1, 2, 3, 4))
