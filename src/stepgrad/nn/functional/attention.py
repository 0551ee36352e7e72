"""Attention: means of values, weighted by how well queries and keys agree."""

from __future__ import annotations

import math

import numpy

from stepgrad.errors import ArgumentError, DtypeError, ShapeError
from stepgrad.functions.creation import from_numpy, zeros
from stepgrad.nn.functional.dropouts import dropout
from stepgrad.tensor import Tensor


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Return softmax(Q Kᵀ · scale + mask) V (Vaswani et al., 2017): (…, queries, features of the values).

    * `query` (…, queries, features), `key` (…, keys, features), `value` (…, keys, any), of one dtype.
    * `attn_mask`, of a shape that broadcasts to (…, queries, keys): booleans, True where a query may look at
      a key, or numbers that are added, of the dtype of the query or float32. A query that may look at
      nothing gets 0.
    * `dropout_p`: the probability with which a weight is set to 0 (also while evaluating: pass 0 then).
    * `is_causal`: query i may look at the keys 0 … i.
    * `scale`: 1/√features when None.
    * `enable_gqa`: several heads of queries, dimension −3, share one of keys and values.

    Raises `ShapeError`, `DtypeError` or `ArgumentError` for what does not fit.

    >>> import stepgrad as sg
    >>> q, k, v = sg.zeros(1, 2), sg.zeros(3, 2), sg.tensor([[1.0], [2.0], [6.0]])
    >>> scaled_dot_product_attention(q, k, v)  # all keys agree as well: the mean
    tensor([[3.]])
    """
    _check(query, key, value)
    if is_causal and attn_mask is not None:
        raise ArgumentError("scaled_dot_product_attention takes attn_mask or is_causal, not both.")
    groups = _groups(query, key, value) if enable_gqa else 1
    if groups > 1:
        *lead, heads, rows, features = query.shape
        query = query.reshape(*lead, heads // groups, groups, rows, features)
        key, value = key.unsqueeze(-3), value.unsqueeze(-3)
    mask = causal_mask(query.shape[-2], key.shape[-2]) if is_causal else attn_mask
    if mask is not None:
        mask = checked_mask(mask, query, "scaled_dot_product_attention", "attn_mask", "may")
    factor = 1 / math.sqrt(query.shape[-1] or 1) if scale is None else scale
    result, _ = attend(query, key, value, mask, dropout_p, factor, can_be_empty=not is_causal)
    return result.flatten(-4, -3) if groups > 1 else result


def attend(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, dropout_p: float, scale: float,
    can_be_empty: bool = True,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Return the attended values and the weights. `mask` as in `scaled_dot_product_attention`;
    `can_be_empty`: whether it may leave a query nothing to look at.
    """
    scores = (query * scale) @ key.transpose(-2, -1)
    empty = None
    if mask is not None:
        if mask.dtype.name == "bool":
            hidden = ~mask
            # Softmax of −inf alone would be NaN, also in the derivative.
            empty = hidden.all(-1, keepdim=True) if can_be_empty else None
            if empty is not None:
                hidden = hidden & ~empty
            scores = scores.masked_fill(hidden, -math.inf)
        else:
            if can_be_empty:
                empty = (mask == -math.inf).all(-1, keepdim=True)
                mask = mask.masked_fill(empty, 0.0)
            scores = scores + mask
    weights = scores.softmax(-1)
    if empty is not None:
        weights = weights.masked_fill(empty, 0.0)
    if dropout_p:
        weights = dropout(weights, dropout_p)
    return weights @ value, weights


def checked_mask(mask: Tensor, query: Tensor, operation: str, name: str, says: str) -> Tensor:
    """Return a mask of booleans as it is, and numbers to add in the dtype of the query.

    Raises `DtypeError` for others: whether an integer 1 stands for True or is to be added, nobody knows.
    `says` is what a True does, "may" or "may not".
    """
    kind = mask.dtype.name
    if kind == "bool":
        return mask
    if kind not in (query.dtype.name, "float32"):
        raise DtypeError(
            f"{operation} takes {name} of booleans, True for what {says} be looked at, or of numbers to add, "
            f"which are {query.dtype.name} as the query is, not {kind}. "
            f"Convert it with .bool() or with .to(query.dtype)."
        )
    return mask.to(query.dtype)


def causal_mask(queries: int, keys: int) -> Tensor:
    """Return booleans (queries, keys): True where query i may look at key j, j ≤ i."""
    return from_numpy(numpy.tri(queries, keys, dtype=bool))


def generate_square_subsequent_mask(sz: int, device: object = None, dtype: object = None) -> Tensor:
    """Return numbers (sz, sz) to add to scores: 0 where j ≤ i, else −inf, so that nobody looks ahead.

    >>> generate_square_subsequent_mask(2)
    tensor([[0., -inf],
            [0., 0.]])
    """
    return zeros(sz, sz, device=device, dtype=dtype).masked_fill(~causal_mask(sz, sz), -math.inf)


def _check(query: Tensor, key: Tensor, value: Tensor) -> None:
    for name, x in (("query", query), ("key", key), ("value", value)):
        if not isinstance(x, Tensor) or not x.is_floating_point():
            kind = x.dtype.name if isinstance(x, Tensor) else type(x).__name__
            raise DtypeError(
                f"scaled_dot_product_attention takes floating point tensors; its {name} is {kind}."
            )
    if query.ndim < 2 or key.ndim < 2 or value.ndim < 2 or query.shape[-1] != key.shape[-1] or (
        key.shape[-2] != value.shape[-2]
    ):  # fmt: skip
        raise ShapeError(
            f"scaled_dot_product_attention takes query (…, queries, features), key (…, keys, features) and "
            f"value (…, keys, any), not {list(query.shape)}, {list(key.shape)} and {list(value.shape)}."
        )


def _groups(query: Tensor, key: Tensor, value: Tensor) -> int:
    """Return how many heads of queries share one of keys."""
    heads = [x.shape[-3] if x.ndim > 2 else 0 for x in (query, key, value)]
    if not heads[1] or heads[0] % heads[1] or heads[1] != heads[2]:
        raise ShapeError(
            f"enable_gqa needs heads in dimension −3, a multiple of those of keys and values, not "
            f"{heads[0]}, {heads[1]} and {heads[2]}."
        )
    return heads[0] // heads[1]


__all__ = ["scaled_dot_product_attention"]
