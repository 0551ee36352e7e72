"""Scans as values: every total on the way along a dimension, by a kernel of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stepgrad.compile.program.value import Value
from stepgrad.ops.promotion import promoted
from stepgrad.ops.record import Op, Scan
from stepgrad.ops.registry import REGISTRY


def _rule(op: Op) -> Callable[..., Value]:
    def scanned(builder: Any, x: Value, *, dim: int) -> Value:
        (x,) = promoted(builder, op, (x,))
        made: Value = builder.special(op, (x,), {"dim": dim}, x.shape, x.dtype)
        return made

    return scanned


SCANS = {name: _rule(op) for name, op in REGISTRY.items() if isinstance(op, Scan)}
