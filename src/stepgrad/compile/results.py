"""What a step returns: tensors, or lists, tuples, dicts and dataclasses of them, made anew after each run."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import numpy

from stepgrad.compile.program.value import NotCompiled
from stepgrad.tensor import Tensor
from stepgrad.trees import entries_of, with_entries

# Makes the result of a run from the arrays of its outputs and the arguments.
Form = Callable[[list[Any], list[Tensor]], Any]


def made_anew(result: Any, of_tensor: Callable[[Tensor], Form]) -> Form:
    """Return how to make a result like the one of the recorded run; `of_tensor` says it for each tensor.

    Raises `NotCompiled` for what goes on after the step has ended.
    """
    if isinstance(result, Tensor):
        return of_tensor(result)
    if isinstance(result, dict):
        entries = {k: made_anew(x, of_tensor) for k, x in result.items()}
        if type(result) is dict:
            return lambda *run: {k: part(*run) for k, part in entries.items()}
        empty = _emptied(result)
        return lambda *run: _filled(empty, {k: part(*run) for k, part in entries.items()})
    if isinstance(result, (list, tuple)):
        parts, kind = [made_anew(x, of_tensor) for x in result], type(result)
        if hasattr(result, "_fields"):
            return lambda *run: kind(*(part(*run) for part in parts))
        if kind is list or isinstance(result, tuple):
            return lambda *run: kind(part(*run) for part in parts)
        empty = _emptied(result)
        return lambda *run: _filled(empty, [part(*run) for part in parts])
    if (fields := entries_of(result)) is not None:
        named = {name: made_anew(x, of_tensor) for name, x in fields.items()}
        bare = with_entries(result, dict.fromkeys(fields))  # the recorded tensors are let go
        return lambda *run: with_entries(bare, {name: part(*run) for name, part in named.items()})
    if isinstance(result, (Iterator, Awaitable)):
        raise NotCompiled(
            f"it returns a {type(result).__name__}, whose parts are computed after the step has ended; "
            f"return a list"
        )
    return lambda *_: result


def _emptied(container: Any) -> Any:
    """Return a list or dict of a class of one's own without its entries."""
    empty = copy.copy(container)
    empty.clear()
    return empty


def _filled(empty: Any, entries: Any) -> Any:
    filled = copy.copy(empty)
    (filled.extend if isinstance(filled, list) else filled.update)(entries)
    return filled


def stacked_results(results: list[Any], rest: Any = None) -> Any:
    """Return results (tensors, or tuples, lists and dicts of them) stacked; `rest` is stacked already and
    follows.
    """
    first = results[0]
    if isinstance(first, Tensor):
        stacked = numpy.stack([r.detach()._array for r in results])
        return Tensor._of(stacked if rest is None else numpy.concatenate([stacked, rest._array]))
    if isinstance(first, dict):
        return {k: stacked_results([r[k] for r in results], None if rest is None else rest[k]) for k in first}
    if isinstance(first, (list, tuple)):
        parts = [
            stacked_results([r[i] for r in results], None if rest is None else rest[i])
            for i in range(len(first))
        ]
        return type(first)(parts)
    if (fields := entries_of(first)) is not None:
        rests = None if rest is None else entries_of(rest)
        return with_entries(first, stacked_results([entries_of(r) for r in results], rests) if fields else {})
    return first
