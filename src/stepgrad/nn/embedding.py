"""Tables of vectors: one for each integer, or one for each bag of them."""

from __future__ import annotations

from typing import Any

from stepgrad.errors import ArgumentError, ShapeError
from stepgrad.functions.creation import empty
from stepgrad.nn import functional as F
from stepgrad.nn import init
from stepgrad.nn.module import Module
from stepgrad.nn.parameter import Parameter
from stepgrad.tensor import Tensor


class _Table(Module):
    """What both have in common: `weight` (num_embeddings, embedding_dim), which starts normal."""

    # The options that the text shows where they differ from these values.
    _shown: tuple[tuple[str, Any], ...]
    padding_idx: int | None

    def _make(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None, _weight: Any, _freeze: bool,
        device: Any, dtype: Any,
    ) -> None:  # fmt: skip
        if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
            raise ArgumentError(f"padding_idx {padding_idx} is none of the {num_embeddings} rows.")
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = None if padding_idx is None else padding_idx % num_embeddings
        shape = (num_embeddings, embedding_dim)
        if _weight is not None:
            if tuple(_weight.shape) != shape:
                raise ShapeError(f"a table of {list(shape)} takes no weight of {list(_weight.shape)}.")
            self.weight = Parameter(_weight, requires_grad=not _freeze)
        else:
            self.weight = Parameter(empty(*shape, device=device, dtype=dtype), requires_grad=not _freeze)
            self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values; the row `padding_idx` is 0."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            init.zeros_(self.weight.detach()[self.padding_idx])

    @classmethod
    def from_pretrained(cls, embeddings: Tensor, freeze: bool = True, **options: Any) -> Any:
        """Return a table with the given vectors (count, features), which are not trained unless `freeze` is
        False.
        """
        if embeddings.ndim != 2:
            raise ShapeError(
                f"from_pretrained takes vectors (count, features), not {list(embeddings.shape)}."
            )
        made: Any = cls
        return made(*embeddings.shape, _weight=embeddings, _freeze=freeze, **options)

    def extra_repr(self) -> str:
        options = [(name, getattr(self, name), default) for name, default in self._shown]
        shown = [f", {name}={value!r}" for name, value, default in options if value != default]
        return f"{self.num_embeddings}, {self.embedding_dim}{''.join(shown)}"


class Embedding(_Table):
    """A table of vectors: integers (…) → (…, embedding_dim). `weight` (num_embeddings, embedding_dim)
    starts normal.

    The row `padding_idx` starts at 0 and is not trained. `max_norm`, `norm_type`, `scale_grad_by_freq` and
    `sparse` as in `functional.embedding`.

    >>> import stepgrad as sg
    >>> table = sg.nn.Embedding(10, 3)
    >>> table(sg.tensor([[1, 2, 4, 5], [4, 3, 2, 9]])).shape
    (2, 4, 3)
    """

    _shown = (
        ("padding_idx", None), ("max_norm", None), ("norm_type", 2.0), ("scale_grad_by_freq", False),
        ("sparse", False),
    )  # fmt: skip

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Tensor | None = None,
        _freeze: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.max_norm, self.norm_type = max_norm, norm_type
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse
        self._make(num_embeddings, embedding_dim, padding_idx, _weight, _freeze, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        """Integers (…) → (…, embedding_dim)."""
        return F.embedding(
            input, self.weight, self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq
        )


class EmbeddingBag(_Table):
    """A table of vectors of which each bag of integers gets the mean, sum or maximum (`mode`).

    Options as in `functional.embedding_bag`.

    >>> import stepgrad as sg
    >>> bags = sg.nn.EmbeddingBag(10, 3, mode="sum")
    >>> bags(sg.tensor([1, 2, 4, 5]), sg.tensor([0, 2])).shape  # two bags: rows 1, 2 and rows 4, 5
    (2, 3)
    """

    _shown = (
        ("max_norm", None), ("norm_type", 2.0), ("scale_grad_by_freq", False), ("mode", None),
        ("padding_idx", None),
    )  # fmt: skip

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Tensor | None = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device: Any = None,
        dtype: Any = None,
        *,
        _freeze: bool = False,
    ) -> None:
        super().__init__()
        self.max_norm, self.norm_type, self.mode = max_norm, norm_type, mode
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse
        self.include_last_offset = include_last_offset
        self._make(num_embeddings, embedding_dim, padding_idx, _weight, _freeze, device, dtype)

    def forward(
        self, input: Tensor, offsets: Tensor | None = None, per_sample_weights: Tensor | None = None
    ) -> Tensor:
        """Integers (bags, size), or (n) with offsets (bags) → (bags, embedding_dim)."""
        return F.embedding_bag(
            input, self.weight, offsets, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.mode,
            self.sparse, per_sample_weights, self.include_last_offset, self.padding_idx,
        )  # fmt: skip


__all__ = ["Embedding", "EmbeddingBag"]
