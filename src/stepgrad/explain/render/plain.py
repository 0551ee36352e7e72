"""A worked step as plain values, ready for JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy

if TYPE_CHECKING:
    from stepgrad.explain.worked import Worked


VERSION = 1


def plain(worked: Worked) -> dict[str, Any]:
    """Return the whole step as dicts, lists, texts and numbers."""
    lines = [
        {
            "id": line.id,
            "kind": line.kind,
            "symbol": line.symbol,
            "formula": line.formula,
            "substituted": line.substituted,
            "value": _number(line.value),
            "text": line.text,
            "operation": line.op,
            "module": line.module,
            "layer": line.layer,
            "references": list(line.references),
        }
        for line in worked
    ]
    given = [
        {
            "id": each.id,
            "symbol": each.symbol,
            "value": _number(each.value),
            "text": each.text,
            "origin": each.origin,
            "module": each.module,
            **({"label": each.label} if each.label else {}),
        }
        for each in worked.given
    ]
    after = (
        {"loss": _number(worked.after.loss_after)} if any(line.kind == "update" for line in worked) else None
    )
    return {
        "version": VERSION,
        "layout": worked.layout,
        "digits": worked.digits,
        "round_steps": worked.round_steps,
        "modules": worked.modules,
        **({"row": asdict(worked.row)} if worked.row else {}),
        "given": given,
        "lines": lines,
        "after": after,
    }


def _number(value: Any) -> Any:
    """Return a number, or nested lists of them, as JSON has them; NaN and the infinities as texts."""
    if numpy.ndim(value):
        return [_number(part) for part in value]
    return float(value) if abs(value) < float("inf") else str(float(value))
