"""Attention of several heads, between given projections."""

from __future__ import annotations

import math
from typing import NamedTuple

from stepgrad.errors import ArgumentError, ShapeError
from stepgrad.functions.creation import zeros
from stepgrad.functions.joining import cat
from stepgrad.nn.functional.affine import linear
from stepgrad.nn.functional.attention import attend, checked_mask
from stepgrad.tensor import Tensor


class Projections(NamedTuple):
    """What makes queries, keys and values of the inputs, with PyTorch's names and shapes.

    `weight` (3 features, features), or the weights of the three one by one; `bias` (3 features); `bias_k` and
    `bias_v`, a key and a value more; `zero`, whether there are also a key and a value of 0.
    """

    weight: Tensor | None
    one_by_one: tuple[Tensor | None, Tensor | None, Tensor | None]
    bias: Tensor | None
    bias_k: Tensor | None
    bias_v: Tensor | None
    zero: bool

    def of(self, which: int, x: Tensor, features: int) -> Tensor:
        """Return queries (0), keys (1) or values (2): (batch, length, features)."""
        rows = slice(which * features, (which + 1) * features)
        bias = None if self.bias is None else self.bias[rows]
        if self.weight is not None:
            # Three products of slices of the weight: the gradient of slices of a result costs more.
            return linear(x, self.weight[rows], bias)
        weight = self.one_by_one[which]
        if weight is None:
            raise ArgumentError(
                "attention needs in_proj_weight, or with use_separate_proj_weight=True q_proj_weight, "
                "k_proj_weight and v_proj_weight."
            )
        return linear(x, weight, bias)

    def further(self, batch: int, like: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Return the keys and values that are added to those given."""
        features = like.shape[-1]
        found: list[tuple[Tensor, Tensor]] = []
        if self.bias_k is not None and self.bias_v is not None:
            found.append((self.bias_k.expand(batch, 1, features), self.bias_v.expand(batch, 1, features)))
        if self.zero:
            nothing = zeros(batch, 1, features, dtype=like.dtype, device=like.device)
            found.append((nothing, nothing))
        return found


def attend_heads(
    query: Tensor, key: Tensor, value: Tensor, heads: int, projections: Projections,
    padding: Tensor | None, mask: Tensor | None, dropout_p: float,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Return the heads' results side by side (batch, queries, features) and the weights of each head."""
    batch, queries, keys = len(query), query.shape[1], key.shape[1]
    features = query.shape[-1]
    q, k, v = (projections.of(i, x, features) for i, x in enumerate((query, key, value)))
    more = 0
    for own_k, own_v in projections.further(batch, q):
        k, v, more = cat([k, own_k], 1), cat([v, own_v], 1), more + 1
    both = _one_mask(padding, mask, heads, (batch, queries, keys), more, q)
    size = features // heads
    q, k, v = (x.reshape(batch, x.shape[1], heads, size).transpose(1, 2) for x in (q, k, v))
    y, weights = attend(q, k, v, both, dropout_p, 1 / math.sqrt(size))
    return y.transpose(1, 2).reshape(batch, queries, features), weights


def _one_mask(
    padding: Tensor | None, mask: Tensor | None, heads: int, sizes: tuple[int, int, int], more: int,
    query: Tensor,
) -> Tensor | None:  # fmt: skip
    """Return both masks as one, as `scaled_dot_product_attention` takes it; None if there is none.

    `more` keys, at the end, may always be looked at. Numbers to add are of the dtype of `query`.
    """
    batch, queries, keys = sizes
    found: Tensor | None = None
    for name, x, shapes, full in (
        ("key_padding_mask", padding, [(batch, keys)], (batch, 1, 1, keys)),
        (
            "attn_mask", mask, [(queries, keys), (batch * heads, queries, keys)],
            (batch if mask is not None and mask.ndim == 3 else 1, -1, queries, keys),
        ),
    ):  # fmt: skip
        if x is None:
            continue
        if x.shape not in shapes:
            raise ShapeError(
                f"MultiheadAttention needs {name} of shape {' or '.join(str(list(s)) for s in shapes)}, "
                f"not {list(x.shape)}."
            )
        x = checked_mask(x, query, "MultiheadAttention", name, "may not").reshape(full)
        if more:
            x = cat([x, zeros(*x.shape[:-1], more, dtype=x.dtype, device=x.device)], 3)
        x = ~x if x.dtype.name == "bool" else x
        found = x if found is None else _both(found, x)
    return found


def _both(a: Tensor, b: Tensor) -> Tensor:
    """Return two masks as one: booleans (True: may be looked at) or numbers to add."""
    kinds = [x.dtype.name == "bool" for x in (a, b)]
    if all(kinds):
        return a & b
    if not any(kinds):
        return a + b
    allowed, number = (a, b) if kinds[0] else (b, a)
    return number.masked_fill(~allowed, -math.inf)


def check_causal(is_causal: bool, mask: Tensor | None) -> None:
    """Raise ArgumentError where the mask that is said to be causal is not there."""
    if is_causal and mask is None:
        raise ArgumentError(
            "MultiheadAttention with is_causal=True needs the attn_mask as well, such as "
            "nn.Transformer.generate_square_subsequent_mask(queries)."
        )


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Return what `MultiheadAttention` computes, of parameters that are given, and if wanted the weights.

    `query` (queries, batch, features) or (queries, features), `key` and `value` likewise; the parameters as
    in `MultiheadAttention`, `in_proj_weight` (3 features, features) or, with `use_separate_proj_weight`, the
    weights of queries, keys and values one by one. Dropout of the weights happens while `training`.

    Raises `ShapeError`, `DtypeError` or `ArgumentError` for what does not fit, `ArgumentError` for
    `static_k`, `static_v`.

    >>> import stepgrad as sg
    >>> x, eye = sg.ones(3, 1, 2), sg.eye(2)
    >>> y, weights = multi_head_attention_forward(
    ...     x, x, x, 2, 1, sg.cat([eye, eye, eye]), None, None, None, False, 0.0, eye, None
    ... )
    >>> y.shape, weights[0, 0]
    ((3, 1, 2), tensor([0.3333, 0.3333, 0.3333]))
    """
    check_causal(is_causal, attn_mask)
    if static_k is not None or static_v is not None:
        raise ArgumentError("multi_head_attention_forward computes keys and values: static_k is None.")
    given = (query, key, value)
    if any(x.ndim != query.ndim or x.ndim not in (2, 3) for x in given) or (
        query.shape[-1] != embed_dim_to_check or embed_dim_to_check % num_heads
    ):
        raise ShapeError(
            f"multi_head_attention_forward takes query, key and value (length, batch, features) or (length, "
            f"features), {embed_dim_to_check} features for {num_heads} heads, not "
            f"{', '.join(str(list(x.shape)) for x in given)}."
        )
    has_batch = query.ndim == 3
    if not has_batch:
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    q, k, v = (x.transpose(0, 1) if has_batch else x.unsqueeze(0) for x in given)
    separate = (q_proj_weight, k_proj_weight, v_proj_weight)
    projections = Projections(
        None if use_separate_proj_weight else in_proj_weight, separate, in_proj_bias, bias_k, bias_v,
        add_zero_attn,
    )  # fmt: skip
    y, weights = attend_heads(
        q, k, v, num_heads, projections, key_padding_mask, attn_mask, dropout_p if training else 0.0
    )
    y = linear(y, out_proj_weight, out_proj_bias)
    y = y.transpose(0, 1) if has_batch else y.squeeze(0)
    return y, chosen_weights(weights, need_weights, average_attn_weights, has_batch)


def chosen_weights(weights: Tensor, wanted: bool, averaged: bool, has_batch: bool) -> Tensor | None:
    """Return the weights that a caller asked for, of (batch, heads, queries, keys)."""
    if not wanted:
        return None
    weights = weights.mean(1) if averaged else weights
    return weights if has_batch else weights.squeeze(0)


__all__ = ["multi_head_attention_forward"]
