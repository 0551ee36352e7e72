"""Several modules of one kind as one function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stepgrad.errors import ArgumentError
from stepgrad.functions.joining import stack
from stepgrad.nn.module import Module


def stack_module_state(models: Sequence[Module]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the parameters of several modules of one class, stacked by name, and their buffers: what `vmap`
    of a `functional_call` takes.

    The stacked parameters are new leaves. Raises `ArgumentError` for none, for modules of different classes,
    and for some in training and others not.

    >>> import stepgrad as sg
    >>> parameters, buffers = stack_module_state([sg.nn.Linear(3, 2) for _ in range(5)])
    >>> {name: tuple(p.shape) for name, p in parameters.items()}
    {'weight': (5, 2, 3), 'bias': (5, 2)}
    """
    each = list(models)
    if not each or any(type(m) is not type(each[0]) or m.training != each[0].training for m in each):
        raise ArgumentError(
            "stack_module_state takes at least one module, all of one class, and all in training or none."
        )
    parameters, buffers = (
        {name: stack([x.detach() for x in column]) for name, column in zip(tables[0], _columns(tables))}
        for tables in ([dict(m.named_parameters()) for m in each], [dict(m.named_buffers()) for m in each])
    )
    kept = dict(each[0].named_parameters())
    return {name: p.requires_grad_(kept[name].requires_grad) for name, p in parameters.items()}, buffers


def _columns(tables: list[dict[str, Any]]) -> list[list[Any]]:
    return [[table[name] for table in tables] for name in tables[0]]
