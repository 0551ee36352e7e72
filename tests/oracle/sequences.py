"""Modules and operations on sequences that are compared with PyTorch's."""

from collections.abc import Callable
from typing import Any

from stepgrad.nn import functional as F

SEQUENCE_MODULES = [
    "RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell", "MultiheadAttention", "Transformer",
    "TransformerEncoder", "TransformerEncoderLayer", "TransformerDecoderLayer",
]  # fmt: skip

SEQUENCE_OPERATIONS: dict[tuple[str, str], Callable[..., Any]] = {
    ("nn.functional.scaled_dot_product_attention", ""): F.scaled_dot_product_attention,
}

SEQUENCE_MISSING = {("nn.functional.scaled_dot_product_attention", ""): {"dropout_p=0.5": "random"}}
