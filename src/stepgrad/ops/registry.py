"""The registry: every operation by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stepgrad.errors import ArgumentError, suggest

if TYPE_CHECKING:
    from stepgrad.ops.record import Op

REGISTRY: dict[str, Op] = {}


def find(name: str) -> Op:
    """Return the record called `name`. Raises `ArgumentError` with the nearest name if there is none."""
    try:
        return REGISTRY[name]
    except KeyError:
        raise ArgumentError(f"there is no operation {name!r}.{suggest(name, REGISTRY)}") from None
