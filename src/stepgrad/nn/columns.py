"""The module that a network on a table with many texts begins with."""

from __future__ import annotations

from stepgrad.functions.joining import cat
from stepgrad.nn.container import ModuleList
from stepgrad.nn.module import Module
from stepgrad.tensor import Tensor


class EmbedColumns(Module):
    """Embeds each column of codes, joins the vectors to the columns of numbers, and hands the whole to
    `body`.

    `embeddings` holds one `Embedding` for each column of codes (Guo and Berkhahn, "Entity embeddings of
    categorical variables", 2016). `body` takes (rows, D + the sum of their widths) and gives the output.
    PyTorch has no such module.

    >>> import stepgrad as sg
    >>> from stepgrad import nn
    >>> net = nn.EmbedColumns(nn.ModuleList([nn.Embedding(50, 4)]), nn.Linear(3 + 4, 1))
    >>> net(sg.zeros(8, 3), sg.zeros(8, 1, dtype=sg.int64)).shape
    (8, 1)
    """

    def __init__(self, embeddings: ModuleList, body: Module) -> None:
        super().__init__()
        self.embeddings = embeddings
        self.body = body

    def forward(self, numbers: Tensor, codes: Tensor) -> Tensor:
        """numbers (rows, D), codes (rows, K) of integers → what `body` gives."""
        vectors = [embedding(codes[:, i]) for i, embedding in enumerate(self.embeddings)]
        return self.body(cat([numbers, *vectors], 1))


__all__ = ["EmbedColumns"]
