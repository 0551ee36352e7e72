"""Multi-head attention."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from typing import Any

from stepgrad.errors import ArgumentError, ShapeError
from stepgrad.functions.creation import empty
from stepgrad.nn import init
from stepgrad.nn.functional.multi_head import Projections, attend_heads, check_causal, chosen_weights
from stepgrad.nn.linear import Linear
from stepgrad.nn.module import Module
from stepgrad.nn.parameter import Parameter
from stepgrad.tensor import Tensor


class MultiheadAttention(Module):
    """Attention of several heads, each with projections of its own (Vaswani et al., 2017)::

        head_i = softmax(Q W_qᵢᵀ (K W_kᵢᵀ)ᵀ / √d + mask) V W_vᵢᵀ,   result = [head_1 … head_h] W_oᵀ + b

    Arguments: `embed_dim` (of queries and results, a multiple of `num_heads`), `num_heads`, `dropout` (of the
    weights), `bias`, `add_bias_kv` (a learned key and value more), `add_zero_attn` (a key and value of 0
    more), `kdim`, `vdim` (features of keys and values, `embed_dim` when None), `batch_first`. Parameters
    have PyTorch's names: `in_proj_weight` (3 embed_dim, embed_dim), or `q_proj_weight`, `k_proj_weight` and
    `v_proj_weight` where kdim or vdim differ, `in_proj_bias`, `bias_k`, `bias_v`, and `out_proj`.

    >>> import stepgrad as sg
    >>> attention = sg.nn.MultiheadAttention(8, num_heads=2, batch_first=True)
    >>> x = sg.zeros(3, 5, 8)
    >>> y, weights = attention(x, x, x)
    >>> y.shape, weights.shape
    ((3, 5, 8), (3, 5, 5))
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if embed_dim < 1 or num_heads < 1 or embed_dim % num_heads:
            raise ArgumentError(
                f"MultiheadAttention needs an embed_dim that its heads share evenly, not {embed_dim} for "
                f"{num_heads}."
            )
        self.embed_dim, self.num_heads, self.dropout = embed_dim, num_heads, dropout
        self.kdim, self.vdim = kdim or embed_dim, vdim or embed_dim
        self.head_dim, self.batch_first, self.add_zero_attn = (
            embed_dim // num_heads,
            batch_first,
            add_zero_attn,
        )
        made = {"device": device, "dtype": dtype}
        is_one = self.kdim == self.vdim == embed_dim
        sizes = {"q": embed_dim, "k": self.kdim, "v": self.vdim}
        if is_one:
            self.in_proj_weight = Parameter(empty(3 * embed_dim, embed_dim, **made))
        for name, size in sizes.items():
            own = None if is_one else Parameter(empty(embed_dim, size, **made))
            self.register_parameter(f"{name}_proj_weight", own)
        if not is_one:
            self.register_parameter("in_proj_weight", None)
        self.register_parameter("in_proj_bias", Parameter(empty(3 * embed_dim, **made)) if bias else None)
        self.out_proj = Linear(embed_dim, embed_dim, bias=bias, **made)
        for name in ("bias_k", "bias_v"):
            self.register_parameter(name, Parameter(empty(1, 1, embed_dim, **made)) if add_bias_kv else None)
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        for name in ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"):
            if getattr(self, name) is not None:
                init.xavier_uniform_(getattr(self, name))
        if self.in_proj_bias is not None:
            init.zeros_(self.in_proj_bias)
            init.zeros_(self.out_proj.bias)
        if self.bias_k is not None:
            init.xavier_normal_(self.bias_k)
            init.xavier_normal_(self.bias_v)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Return the result and, if wanted, the weights.

        * `query` (queries, batch, embed_dim), `key` (keys, batch, kdim), `value` (keys, batch, vdim); with
          `batch_first` the batch comes first; without a batch, two dimensions each.
        * `key_padding_mask` (batch, keys): True for keys that nobody may look at, or numbers to add.
        * `attn_mask` (queries, keys) or (batch · heads, queries, keys): True where a query may *not* look at
          a key, or numbers to add. A query that may look at nothing gets 0.
        * `need_weights`, `average_attn_weights`: weights (batch, queries, keys), the mean over the heads, or
          those of each, (batch, heads, queries, keys).
        * `is_causal`: says that `attn_mask` is the causal one, which must be there.

        Numbers to add are of the dtype of the query, or float32. Raises `ShapeError`, `DtypeError` or
        `ArgumentError` for what does not fit.
        """
        check_causal(is_causal, attn_mask)
        self._check(query, key, value)
        if query.ndim == 2:
            padding = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
            q, k, v = (x.unsqueeze(0) for x in (query, key, value))
            y, weights = self._attended(q, k, v, padding, attn_mask)
            y = y.squeeze(0)
        else:
            given = (query, key, value)
            q, k, v = given if self.batch_first else (x.transpose(0, 1) for x in given)
            y, weights = self._attended(q, k, v, key_padding_mask, attn_mask)
            y = y if self.batch_first else y.transpose(0, 1)
        return y, chosen_weights(weights, need_weights, average_attn_weights, query.ndim == 3)

    def _check(self, *given: Tensor) -> None:
        sizes = (self.embed_dim, self.kdim, self.vdim)
        shapes = [x.shape for x in given]
        if any(len(s) != len(shapes[0]) or len(s) not in (2, 3) or s[-1] != n for s, n in zip(shapes, sizes)):
            order = "(batch, length, features)" if self.batch_first else "(length, batch, features)"
            raise ShapeError(
                f"MultiheadAttention takes query, key and value {order} or (length, features), with "
                f"{sizes[0]}, {sizes[1]} and {sizes[2]} features, not "
                f"{', '.join(str(list(s)) for s in shapes)}."
            )

    def _attended(
        self, query: Tensor, key: Tensor, value: Tensor, padding: Tensor | None, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """Return the result (batch, queries, embed_dim) and the weights of each head."""
        one_by_one = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        projections = Projections(
            self.in_proj_weight, one_by_one, self.in_proj_bias, self.bias_k, self.bias_v, self.add_zero_attn
        )
        drop = self.dropout if self.training else 0.0
        y, weights = attend_heads(query, key, value, self.num_heads, projections, padding, mask, drop)
        return self.out_proj(y), weights


class SDPBackend(IntEnum):
    """Ways to compute attention that PyTorch's scripts choose from; stepgrad has one of its own."""

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4


@contextmanager
def sdpa_kernel(backends: SDPBackend | Sequence[SDPBackend], set_priority: bool = False) -> Iterator[None]:
    """Accept a choice among ways to compute attention; the numbers are the same in all of them."""
    del backends, set_priority
    yield


__all__ = ["MultiheadAttention"]
