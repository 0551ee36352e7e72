"""Transformers (Vaswani et al., 2017): layers of the encoder and the decoder, stacks of them, and both."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from stepgrad.errors import ArgumentError, ShapeError
from stepgrad.nn import functional as F
from stepgrad.nn import init
from stepgrad.nn.attention import MultiheadAttention
from stepgrad.nn.container import ModuleList
from stepgrad.nn.functional.attention import generate_square_subsequent_mask
from stepgrad.nn.linear import Linear
from stepgrad.nn.module import Module
from stepgrad.nn.normalization import Dropout, LayerNorm
from stepgrad.tensor import Tensor

Activation = Any


class _Layer(Module):
    """What layers of encoder and decoder share: attention, two linear maps, norms, dropout."""

    def __init__(
        self, d_model: int, nhead: int, dim_feedforward: int, dropout: float, activation: Activation,
        layer_norm_eps: float, batch_first: bool, norm_first: bool, bias: bool, made: dict[str, Any],
        is_decoder: bool,
    ) -> None:  # fmt: skip
        super().__init__()
        options = {"dropout": dropout, "batch_first": batch_first, "bias": bias, **made}
        self.self_attn = MultiheadAttention(d_model, nhead, **options)
        if is_decoder:
            self.multihead_attn = MultiheadAttention(d_model, nhead, **options)
        self.linear1 = Linear(d_model, dim_feedforward, bias=bias, **made)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias=bias, **made)
        self.norm_first = norm_first
        numbers = (1, 2, 3) if is_decoder else (1, 2)
        for i in numbers:
            setattr(self, f"norm{i}", LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **made))
        for i in numbers:
            setattr(self, f"dropout{i}", Dropout(dropout))
        self.activation = _activation(activation)

    def _around(self, x: Tensor, number: int, block: Callable[[Tensor], Tensor]) -> Tensor:
        """Return x plus what a block makes of it, with the norm before the block or after the sum."""
        norm, dropout = getattr(self, f"norm{number}"), getattr(self, f"dropout{number}")
        return x + dropout(block(norm(x))) if self.norm_first else norm(x + dropout(block(x)))

    def _feed_forward(self, x: Tensor) -> Tensor:
        return self.linear2(self.dropout(self.activation(self.linear1(x))))


class TransformerEncoderLayer(_Layer):
    """Self-attention and a network of two linear maps, each with a residual connection and layer norm::

        x ← norm1(x + dropout(attention(x, x, x)))
        x ← norm2(x + dropout(W₂ dropout(activation(W₁ x + b₁)) + b₂))

    or, with `norm_first`, x ← x + dropout(attention(norm1(x)…)), and so on (Xiong et al., 2020).

    Arguments: `d_model`, `nhead`, `dim_feedforward`, `dropout`, `activation` ("relu", "gelu" or a function),
    `layer_norm_eps`, `batch_first`, `norm_first`, `bias`. Input and output (length, batch, d_model), with
    `batch_first` (batch, length, d_model). A function as activation cannot be written to a model file.

    >>> import stepgrad as sg
    >>> layer = sg.nn.TransformerEncoderLayer(8, nhead=2, dim_feedforward=16, batch_first=True)
    >>> layer(sg.zeros(3, 5, 8)).shape
    (3, 5, 8)
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first,
            bias, {"device": device, "dtype": dtype}, is_decoder=False,
        )  # fmt: skip

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """Return the transformed sequence. Masks as in `MultiheadAttention`."""

        def attention(x: Tensor) -> Tensor:
            return self.self_attn(x, x, x, src_key_padding_mask, False, src_mask, is_causal=is_causal)[0]

        return self._around(self._around(src, 1, attention), 2, self._feed_forward)


class TransformerDecoderLayer(_Layer):
    """Self-attention, attention to the encoder's result (`memory`), and two linear maps, each with a residual
    connection and layer norm. Arguments as for `TransformerEncoderLayer`.

    >>> import stepgrad as sg
    >>> layer = sg.nn.TransformerDecoderLayer(8, nhead=2, dim_feedforward=16, batch_first=True)
    >>> layer(sg.zeros(3, 4, 8), memory=sg.zeros(3, 5, 8)).shape
    (3, 4, 8)
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first,
            bias, {"device": device, "dtype": dtype}, is_decoder=True,
        )  # fmt: skip

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Return the transformed sequence. Masks as in `MultiheadAttention`."""

        def to_itself(x: Tensor) -> Tensor:
            return self.self_attn(x, x, x, tgt_key_padding_mask, False, tgt_mask, is_causal=tgt_is_causal)[0]

        def to_memory(x: Tensor) -> Tensor:
            return self.multihead_attn(
                x, memory, memory, memory_key_padding_mask, False, memory_mask, is_causal=memory_is_causal
            )[0]

        x = self._around(self._around(tgt, 1, to_itself), 2, to_memory)
        return self._around(x, 3, self._feed_forward)


class TransformerEncoder(Module):
    """Several copies of an encoder layer, one after the other, and a norm at the end if one is given.

    The copies begin with the same weights, as in PyTorch. `enable_nested_tensor` and `mask_check` change
    nothing. `is_causal` says that the mask is the causal one; None finds out nothing more.

    >>> import stepgrad as sg
    >>> layer = sg.nn.TransformerEncoderLayer(8, nhead=2, dim_feedforward=16)
    >>> sg.nn.TransformerEncoder(layer, num_layers=3)(sg.zeros(5, 2, 8)).shape
    (5, 2, 8)
    """

    def __init__(
        self,
        encoder_layer: Module,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        super().__init__()
        self.layers = ModuleList([copy.deepcopy(encoder_layer) for _ in range(num_layers)])
        self.num_layers, self.norm = num_layers, norm

    def forward(
        self,
        src: Tensor,
        mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool | None = None,
    ) -> Tensor:
        """Return the transformed sequence. Masks as in `MultiheadAttention`."""
        for layer in self.layers:
            src = layer(src, mask, src_key_padding_mask, is_causal=bool(is_causal))
        return src if self.norm is None else self.norm(src)


class TransformerDecoder(Module):
    """Several copies of a decoder layer, one after the other, and a norm at the end if one is given.

    The copies begin with the same weights, as in PyTorch.

    >>> import stepgrad as sg
    >>> layer = sg.nn.TransformerDecoderLayer(d_model=8, nhead=2, batch_first=True)
    >>> sg.nn.TransformerDecoder(layer, num_layers=2)(sg.zeros(1, 5, 8), sg.zeros(1, 3, 8)).shape
    (1, 5, 8)
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        self.layers = ModuleList([copy.deepcopy(decoder_layer) for _ in range(num_layers)])
        self.num_layers, self.norm = num_layers, norm

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Return the transformed sequence. Masks as in `MultiheadAttention`."""
        for layer in self.layers:
            tgt = layer(
                tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask,
                bool(tgt_is_causal), memory_is_causal,
            )  # fmt: skip
        return tgt if self.norm is None else self.norm(tgt)


class Transformer(Module):
    """An encoder and a decoder.

    Arguments: `d_model`, `nhead`, `num_encoder_layers`, `num_decoder_layers`, `dim_feedforward`, `dropout`,
    `activation`, `custom_encoder` and `custom_decoder` (modules in place of the usual ones),
    `layer_norm_eps`, `batch_first`, `norm_first`, `bias`. Weights begin as Xavier's, uniform.

    >>> import stepgrad as sg
    >>> model = sg.nn.Transformer(8, 2, 1, 1, dim_feedforward=16)
    >>> model(sg.zeros(5, 3, 8), sg.zeros(4, 3, 8)).shape
    (4, 3, 8)
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = "relu",
        custom_encoder: Module | None = None,
        custom_decoder: Module | None = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        made = {"device": device, "dtype": dtype}
        options = (
            d_model,
            nhead,
            dim_feedforward,
            dropout,
            activation,
            layer_norm_eps,
            batch_first,
            norm_first,
        )

        def norm() -> LayerNorm:
            return LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **made)

        self.encoder = custom_encoder if custom_encoder is not None else TransformerEncoder(
            TransformerEncoderLayer(*options, bias, **made), num_encoder_layers, norm()
        )  # fmt: skip
        self.decoder = custom_decoder if custom_decoder is not None else TransformerDecoder(
            TransformerDecoderLayer(*options, bias, **made), num_decoder_layers, norm()
        )  # fmt: skip
        for parameter in self.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter)
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first

    def forward(
        self,
        src: Tensor,
        tgt: Tensor,
        src_mask: Tensor | None = None,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Return the decoder's result for `tgt`, given the encoder's for `src`."""
        along = 0 if self.batch_first or src.ndim == 2 else 1
        if src.ndim != tgt.ndim or src.shape[-1] != self.d_model or tgt.shape[-1] != self.d_model or (
            src.ndim == 3 and src.shape[along] != tgt.shape[along]
        ):  # fmt: skip
            raise ShapeError(
                f"Transformer takes src and tgt of {self.d_model} features and one batch, not "
                f"{list(src.shape)} and {list(tgt.shape)}."
            )
        memory = self.encoder(src, src_mask, src_key_padding_mask, is_causal=src_is_causal)
        return self.decoder(
            tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask, tgt_is_causal,
            memory_is_causal,
        )  # fmt: skip

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: Any = None, dtype: Any = None) -> Tensor:
        """Return numbers (sz, sz) to add to scores: 0 where j ≤ i, else −inf, so that nobody looks ahead."""
        return generate_square_subsequent_mask(sz, device, dtype)


def _activation(given: Activation) -> Callable[[Tensor], Tensor]:
    """Return an activation function by its name, or the function that was given."""
    if isinstance(given, str):
        if given not in ("relu", "gelu"):
            raise ArgumentError(f"activation is 'relu', 'gelu' or a function, not {given!r}.")
        return getattr(F, given)
    if not callable(given):
        raise ArgumentError(f"activation is 'relu', 'gelu' or a function, not {given!r}.")
    return given


__all__ = [
    "Transformer",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
]
