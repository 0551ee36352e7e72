"""`vmap`: a function of one sample made one of a batch."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from stepgrad.arrays import random
from stepgrad.errors import ArgumentError, ShapeError
from stepgrad.functions.joining import stack
from stepgrad.tensor import Tensor
from stepgrad.trees import filled, leaves, spread


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """Return a function that computes `func` for each index of a dimension of its arguments, and stacks.

    `in_dims`: along which dimension, for all arguments or in the form of the arguments; None for one that is
    the same each time. Keyword arguments go along dimension 0. `out_dims`: where the new dimension of the
    results is. `randomness`: "different" numbers each time, the "same" each time, or "error" for a function
    that draws some. Arguments and results are tensors in nested tuples, lists and dicts. The samples are
    computed one after the other, so `chunk_size` changes nothing.

    Raises `ShapeError` where the sizes of the dimensions differ, `ArgumentError` for results that are no
    tensors and for random numbers that were not allowed.

    >>> import stepgrad as sg
    >>> sg.vmap(sg.dot)(sg.tensor([[1.0, 2.0], [3.0, 4.0]]), sg.tensor([[1.0, 1.0], [10.0, 10.0]]))
    tensor([ 3., 70.])
    """
    del chunk_size
    if randomness not in ("error", "same", "different"):
        raise ArgumentError(f"vmap: randomness is 'error', 'same' or 'different', not {randomness!r}.")

    @wraps(func)
    def batched(*args: Any, **kwargs: Any) -> Any:
        dims = spread(in_dims, args, "vmap: in_dims") + [0] * len(leaves(kwargs))
        samples, count = _samples(leaves((args, kwargs)), dims)
        found = []
        start = random.get_rng_state()
        for i in range(count):
            if randomness == "same":
                random.set_rng_state(start)
            own = [part if isinstance(part, Tensor) or dim is None else part[i] for part, dim in samples]
            given, named = filled((args, kwargs), own)
            found.append(func(*given, **named))
            if randomness == "error" and random.get_rng_state() != start:
                raise ArgumentError(
                    "vmap: the function draws random numbers. Say randomness='different' for other numbers "
                    "for each sample, or 'same'."
                )
        return _stacked(found, out_dims)

    return batched


def _samples(given: list[Any], dims: list[Any]) -> tuple[list[Any], int]:
    """Return each argument taken apart along its dimension, with that; and how many samples there are."""
    samples: list[Any] = []
    sizes: dict[int, list[int]] = {}
    for x, dim in zip(given, dims, strict=True):
        if dim is None:
            samples.append((x, None))
            continue
        if not isinstance(x, Tensor) or not -x.ndim <= dim < x.ndim:
            what = list(x.shape) if isinstance(x, Tensor) else type(x).__name__
            raise ArgumentError(
                f"vmap: there is no dimension {dim} in {what}. Give None in in_dims for what is no batch."
            )
        sizes.setdefault(x.shape[dim], list(x.shape))
        samples.append((list(x.unbind(dim)), dim))
    if len(sizes) != 1 or 0 in sizes:
        shapes = " and ".join(map(str, sizes.values()))
        raise ShapeError(
            f"vmap: the arguments have different numbers of samples: {shapes}."
            if len(sizes) > 1
            else "vmap needs at least one argument with a dimension to go along, of at least one sample."
        )
    return samples, next(iter(sizes))


def _stacked(found: list[Any], out_dims: Any) -> Any:
    """Return the results of all samples as one, in the form of the first."""
    columns = list(zip(*map(leaves, found), strict=True))
    for column in columns:
        if not isinstance(column[0], Tensor):
            raise ArgumentError(f"vmap: the function returned {type(column[0]).__name__}; return tensors.")
    dims = spread(out_dims, found[0], "vmap: out_dims")
    both = zip(columns, dims, strict=True)
    return filled(found[0], [column[0] if dim is None else stack(column, dim) for column, dim in both])
