"""Numbers as JSON can hold them: NaN and infinity, which it has not, as text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

_NAMES = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def plain_numbers(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a dict with each number that is not finite as its name.

    >>> plain_numbers({"loss": math.inf, "step": 3})
    {'loss': 'inf', 'step': 3}
    """
    return {
        name: str(value) if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in values.items()
    }


def true_numbers(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a dict with the numbers that `plain_numbers` named.

    >>> true_numbers({"loss": "inf", "step": 3})
    {'loss': inf, 'step': 3}
    """
    return {name: _NAMES.get(v, v) if isinstance(v, str) else v for name, v in values.items()}
