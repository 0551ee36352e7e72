"""A module as a function of its parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from stepgrad.errors import ArgumentError, MissingKeyError
from stepgrad.names import teller
from stepgrad.nn.module import Module
from stepgrad.tensor import Tensor


def functional_call(
    module: Module,
    parameter_and_buffer_dicts: Mapping[str, Tensor] | Sequence[Mapping[str, Tensor]],
    args: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Return ``module(*args, **kwargs)`` with other tensors in the place of its parameters and buffers.

    `parameter_and_buffer_dicts`: these by name, or several such tables; the others stay. `args`: one argument
    or a tuple. `tie_weights`: what is shared under two names is exchanged under both. `strict`: all are to be
    given. The module itself is not changed. Raises `MissingKeyError` for a name that the module does not have
    and with `strict` for one that is not given, `ArgumentError` for two values for one shared tensor.

    >>> import stepgrad as sg
    >>> layer = sg.nn.Linear(2, 1, bias=False)
    >>> functional_call(layer, {"weight": sg.tensor([[1.0, 10.0]])}, sg.tensor([3.0, 4.0]))
    tensor([43.])
    """
    tables = parameter_and_buffer_dicts
    given: dict[str, Any] = {}
    for table in [tables] if isinstance(tables, Mapping) else tables:
        for name, value in table.items():
            if name in given:
                raise ArgumentError(f"functional_call was given {name!r} twice.")
            given[name] = value
    arguments = () if args is None else args if isinstance(args, tuple) else (args,)
    with _exchanged(module, given, tie_weights, strict):
        return module(*arguments, **(kwargs or {}))


@contextmanager
def _exchanged(module: Module, given: dict[str, Any], tie_weights: bool, strict: bool) -> Iterator[None]:
    places: dict[str, tuple[dict[str, Any], str]] = {
        (f"{path}.{name}" if path else name): (table, name)
        for path, part in module.named_modules(remove_duplicate=False)
        for table in _tables(part)
        for name, value in table.items()
        if value is not None or (f"{path}.{name}" if path else name) in given
    }
    unknown, absent = given.keys() - places.keys(), places.keys() - given.keys()
    if unknown or (strict and absent):
        kind = type(module).__name__
        raise MissingKeyError(
            f"functional_call: {kind} has no {sorted(unknown)}."
            if unknown
            else f"functional_call with strict=True needs {sorted(absent)} of {kind} as well."
        )
    before = {name: table[last] for name, (table, last) in places.items()}
    chosen = {name: (value, id(before[name])) for name, value in given.items()}
    if tie_weights:
        shared = {key: value for value, key in chosen.values() if key != id(None)}
        for value, key in chosen.values():
            if shared.get(key, value) is not value:
                raise ArgumentError("functional_call was given two values for a tensor that is shared.")
        chosen = {n: (shared[id(x)], 0) for n, x in before.items() if id(x) in shared} | chosen
    try:
        for name, (value, _) in chosen.items():
            table, last = places[name]
            table[last] = value
        yield
    finally:
        for name in chosen:
            table, last = places[name]
            table[last] = before[name]


def _tables(module: Module) -> list[dict[str, Any]]:
    return [module.__dict__["_parameters"], module.__dict__["_buffers"]]


if not TYPE_CHECKING:
    __getattr__ = teller(__name__, globals())
