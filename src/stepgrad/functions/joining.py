"""Functions of several tensors: joined, stacked, chosen from, as grids and as blocks."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy

from stepgrad.arrays import dtypes
from stepgrad.autograd.engine import apply
from stepgrad.errors import ArgumentError, DtypeError, ShapeError
from stepgrad.functions.creation import zeros
from stepgrad.methods.base import one_dim
from stepgrad.ops.registry import REGISTRY
from stepgrad.tensor import Tensor


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Return tensors joined along a dimension; the other sizes must agree.

    >>> import stepgrad as sg
    >>> sg.cat([sg.zeros(1, 2), sg.ones(1, 2)])
    tensor([[0., 0.],
            [1., 1.]])
    """
    given = _checked(tensors, "cat")
    parts = [t for t in given if t.shape != (0,)] or given
    return apply(REGISTRY["cat"], *parts, dim=one_dim(dim, parts[0].ndim))


concat = concatenate = cat


def _checked(tensors: Sequence[Tensor], name: str) -> list[Tensor]:
    given = list(tensors)
    for i, t in enumerate(given):
        if not isinstance(t, Tensor):
            raise DtypeError(f"{name} takes tensors; item {i} is {type(t).__name__}. Use stepgrad.tensor(…).")
    if not given:
        raise ArgumentError(f"{name} needs at least one tensor.")
    return given


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Return tensors of one shape joined along a new dimension.

    >>> import stepgrad as sg
    >>> sg.stack([sg.tensor([1, 2]), sg.tensor([3, 4])])
    tensor([[1, 2],
            [3, 4]])
    """
    parts = _checked(tensors, "stack")
    for i, t in enumerate(parts):
        if t.shape != parts[0].shape:
            raise ShapeError(
                f"stack needs equal shapes: tensor 0 has {parts[0].shape}, tensor {i} has {t.shape}."
            )
    return cat([t.unsqueeze(dim) for t in parts], one_dim(dim, parts[0].ndim + 1))


def where(condition: Tensor, input: Any = None, other: Any = None) -> Any:
    """Return `input` where the condition holds, else `other`.

    With the condition alone, return the indices where it holds: an int64 tensor per dimension.

    >>> import stepgrad as sg
    >>> x = sg.tensor([-2.0, 3.0])
    >>> sg.where(x > 0, x, 0.1 * x)
    tensor([-0.2000,  3.0000])
    >>> sg.where(x > 0)
    (tensor([1]),)
    """
    if input is None and other is None:
        array = condition._array
        return tuple(Tensor._of(i) for i in (array if array.ndim else array.reshape(1)).nonzero())
    return apply(REGISTRY["where"], condition, input, other)


def listed(tensors: tuple[Any, ...]) -> list[Tensor]:
    """Return tensors given one by one, or as one sequence."""
    single = len(tensors) == 1 and not isinstance(tensors[0], Tensor)
    return list(tensors[0] if single else tensors)


def _each(tensors: tuple[Any, ...], function: Any) -> Any:
    if len(tensors) == 1 and isinstance(tensors[0], Tensor):
        return function(tensors[0])
    return tuple(map(function, listed(tensors)))


def atleast_1d(*tensors: Any) -> Any:
    """Return tensors with at least 1 dimension; one tensor, or several as a tuple.

    >>> import stepgrad as sg
    >>> sg.atleast_1d(sg.tensor(5))
    tensor([5])
    """
    return _each(tensors, lambda x: x if x.ndim else x.reshape(1))


def atleast_2d(*tensors: Any) -> Any:
    """Return tensors with at least 2 dimensions, new ones in front; one tensor, or several as a tuple.

    >>> import stepgrad as sg
    >>> sg.atleast_2d(sg.tensor([1, 2]))
    tensor([[1, 2]])
    """
    return _each(tensors, lambda x: x if x.ndim >= 2 else x.reshape(1, -1))


def atleast_3d(*tensors: Any) -> Any:
    """Return tensors with at least 3 dimensions: a vector becomes (1, n, 1), a matrix (n, m, 1).

    >>> import stepgrad as sg
    >>> sg.atleast_3d(sg.tensor([1, 2])).shape
    (1, 2, 1)
    """

    def widened(x: Tensor) -> Tensor:
        if x.ndim >= 3:
            return x
        return x.unsqueeze(-1) if x.ndim == 2 else x.reshape(1, -1, 1)

    return _each(tensors, widened)


def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """Return tensors side by side: along the second dimension, vectors along the first.

    >>> import stepgrad as sg
    >>> sg.hstack([sg.tensor([1, 2]), sg.tensor([3])])
    tensor([1, 2, 3])
    """
    parts = [atleast_1d(t) for t in tensors]
    return cat(parts, 0 if parts and parts[0].ndim == 1 else 1)


def vstack(tensors: Sequence[Tensor]) -> Tensor:
    """Return tensors one above the other; vectors are rows.

    >>> import stepgrad as sg
    >>> sg.vstack([sg.tensor([1, 2]), sg.tensor([3, 4])])
    tensor([[1, 2],
            [3, 4]])
    """
    return cat([atleast_2d(t) for t in tensors], 0)


def dstack(tensors: Sequence[Tensor]) -> Tensor:
    """Return tensors behind each other, along the third dimension.

    >>> import stepgrad as sg
    >>> sg.dstack([sg.tensor([1, 2]), sg.tensor([3, 4])])
    tensor([[[1, 3],
             [2, 4]]])
    """
    return cat([atleast_3d(t) for t in tensors], 2)


def column_stack(tensors: Sequence[Tensor]) -> Tensor:
    """Return tensors side by side; vectors are columns.

    >>> import stepgrad as sg
    >>> sg.column_stack([sg.tensor([1, 2]), sg.tensor([3, 4])])
    tensor([[1, 3],
            [2, 4]])
    """
    return cat([t.reshape(-1, 1) if t.ndim < 2 else t for t in tensors], 1)


row_stack = vstack


def broadcast_shapes(*shapes: Any) -> tuple[int, ...]:
    """Return the shape that shapes broadcast to. Raises `ShapeError` if they do not.

    >>> import stepgrad as sg
    >>> sg.broadcast_shapes((5, 1), (3,))
    (5, 3)
    """
    try:
        return tuple(numpy.broadcast_shapes(*((s,) if isinstance(s, int) else tuple(s) for s in shapes)))
    except ValueError:
        listed = ", ".join(str(list(s)) for s in shapes)
        raise ShapeError(f"the shapes {listed} do not broadcast.") from None


def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """Return tensors expanded to the shape that they broadcast to.

    >>> import stepgrad as sg
    >>> a, b = sg.broadcast_tensors(sg.tensor([1, 2]), sg.tensor([[3], [4]]))
    >>> a, b
    (tensor([[1, 2],
            [1, 2]]), tensor([[3, 3],
            [4, 4]]))
    """
    given = listed(tensors)
    shape = broadcast_shapes(*(t.shape for t in given))
    return tuple(t.expand(shape) for t in given)


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """Return the coordinates of a grid: for each vector a tensor with a dimension for every vector.

    With `indexing` "xy" the first two dimensions are exchanged.

    >>> import stepgrad as sg
    >>> sg.meshgrid(sg.arange(2), sg.arange(3))[1]
    tensor([[0, 1, 2],
            [0, 1, 2]])
    """
    if indexing not in ("ij", "xy"):
        raise ArgumentError(f"meshgrid indexes by 'ij' or 'xy', not {indexing!r}.")
    given = [t.reshape(-1) for t in listed(tensors)]
    shape = tuple(t.shape[0] for t in given)
    grids = [t.reshape((-1,) + (1,) * (len(given) - 1 - i)).expand(shape) for i, t in enumerate(given)]
    return tuple(g.transpose(0, 1) for g in grids) if indexing == "xy" and len(given) > 1 else tuple(grids)


def cartesian_prod(*tensors: Any) -> Tensor:
    """Return every combination of one element from each vector, as rows.

    >>> import stepgrad as sg
    >>> sg.cartesian_prod(sg.tensor([1, 2]), sg.tensor([8, 9]))
    tensor([[1, 8],
            [1, 9],
            [2, 8],
            [2, 9]])
    """
    given = listed(tensors)
    if len(given) == 1:
        return given[0]
    return stack([g.reshape(-1) for g in meshgrid(*given)], 1)


def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """Return every choice of `r` elements of a vector, as rows.

    >>> import stepgrad as sg
    >>> sg.combinations(sg.tensor([1, 2, 3]))
    tensor([[1, 2],
            [1, 3],
            [2, 3]])
    """
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    places = list(choose(range(input.shape[0]), r))
    if not places or not r:
        return input[:0] if not r else input.reshape(-1)[:0].reshape(0, r)
    return input[places]


def block_diag(*tensors: Any) -> Tensor:
    """Return a matrix with matrices (vectors are rows) along its diagonal and 0 elsewhere.

    >>> import stepgrad as sg
    >>> sg.block_diag(sg.tensor([[1, 2], [3, 4]]), sg.tensor([5]))
    tensor([[1, 2, 0],
            [3, 4, 0],
            [0, 0, 5]])
    """
    blocks = [atleast_2d(t) for t in listed(tensors)]
    width, left, rows = sum(b.shape[1] for b in blocks), 0, []
    kind = dtypes.result_type([b._array for b in blocks])
    for block in blocks:
        if block.ndim > 2:
            raise ShapeError(f"block_diag takes at most 2 dimensions, not the shape {list(block.shape)}.")
        height, own = block.shape
        before, after = (
            zeros(height, n, dtype=kind, device=block.device) for n in (left, width - left - own)
        )
        rows.append(apply(REGISTRY["cat"], before, block, after, dim=1))
        left += own
    return apply(REGISTRY["cat"], *rows, dim=0)


__all__ = [
    "atleast_1d", "atleast_2d", "atleast_3d", "block_diag", "broadcast_shapes", "broadcast_tensors",
    "cartesian_prod", "cat", "column_stack", "combinations", "concat", "concatenate", "dstack", "hstack",
    "meshgrid", "row_stack", "stack", "vstack", "where",
]  # fmt: skip
