"""Losses that ask for a margin, as modules. `reduction`: "mean" (the default), "sum" or "none"."""

from __future__ import annotations

from collections.abc import Callable

from stepgrad.nn import functional as F
from stepgrad.nn.distance import PairwiseDistance
from stepgrad.nn.loss import OptionsLoss
from stepgrad.tensor import Tensor


class SoftMarginLoss(OptionsLoss):
    """ln(1 + e^(−t x)) for targets t of −1 and 1, of the shape of x.

    >>> import stepgrad as sg
    >>> sg.nn.SoftMarginLoss()(sg.tensor([2.0, -1.0]), sg.tensor([1.0, -1.0]))
    tensor(0.2201)
    """

    _function = staticmethod(F.soft_margin_loss)


class HingeEmbeddingLoss(OptionsLoss):
    """x where the target is 1, max(0, margin − x) where it is −1; x is a distance.

    >>> import stepgrad as sg
    >>> sg.nn.HingeEmbeddingLoss(reduction="none")(sg.tensor([0.3, 0.3]), sg.tensor([1.0, -1.0]))
    tensor([0.3000, 0.7000])
    """

    _function, _options = staticmethod(F.hinge_embedding_loss), ("margin",)

    def __init__(self, margin: float = 1.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.margin = margin


class MarginRankingLoss(OptionsLoss):
    """max(0, −t (x1 − x2) + margin) of tensors of one shape; t is 1 where x1 shall be the larger one.

    >>> import stepgrad as sg
    >>> sg.nn.MarginRankingLoss(margin=1.0)(sg.tensor([0.5]), sg.tensor([0.0]), sg.tensor([1.0]))
    tensor(0.5000)
    """

    _function, _options = staticmethod(F.margin_ranking_loss), ("margin",)

    def __init__(self, margin: float = 0.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.margin = margin


class MultiMarginLoss(OptionsLoss):
    """The hinge loss of many classes: scores (N, C) or (C), classes (N) or ().

    >>> import stepgrad as sg
    >>> sg.nn.MultiMarginLoss()(sg.tensor([[0.1, 0.2, 0.4, 0.8]]), sg.tensor([3]))
    tensor(0.3250)
    """

    _function, _options = staticmethod(F.multi_margin_loss), ("p", "margin", "weight")

    def __init__(
        self, p: int = 1, margin: float = 1.0, weight: Tensor | None = None, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction)
        self.p, self.margin = p, margin
        self.register_buffer("weight", weight)


class MultiLabelMarginLoss(OptionsLoss):
    """The hinge loss of several right classes: scores and targets (N, C) or (C); targets end with −1.

    >>> import stepgrad as sg
    >>> sg.nn.MultiLabelMarginLoss()(sg.tensor([[0.1, 0.2, 0.4, 0.8]]), sg.tensor([[3, 0, -1, 1]]))
    tensor(0.8500)
    """

    _function = staticmethod(F.multilabel_margin_loss)


class MultiLabelSoftMarginLoss(OptionsLoss):
    """The mean over classes of their binary cross entropies: scores and targets (N, C).

    >>> import stepgrad as sg
    >>> sg.nn.MultiLabelSoftMarginLoss()(sg.tensor([[2.0, -1.0]]), sg.tensor([[1.0, 0.0]]))
    tensor(0.2201)
    """

    _function, _options = staticmethod(F.multilabel_soft_margin_loss), ("weight",)

    def __init__(self, weight: Tensor | None = None, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)


class CosineEmbeddingLoss(OptionsLoss):
    """1 − cos where the target is 1, max(0, cos − margin) where it is −1: vectors (N, D), targets (N).

    >>> import stepgrad as sg
    >>> x = sg.tensor([[1.0, 0.0]])
    >>> sg.nn.CosineEmbeddingLoss()(x, sg.tensor([[1.0, 1.0]]), sg.tensor([1]))
    tensor(0.2929)
    """

    _function, _options = staticmethod(F.cosine_embedding_loss), ("margin",)

    def __init__(self, margin: float = 0.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.margin = margin


class TripletMarginLoss(OptionsLoss):
    """max(0, margin + d(anchor, positive) − d(anchor, negative)) of vectors (…, D), d their p-norm (Balntas
    and others, 2016).

    >>> import stepgrad as sg
    >>> anchor, near, far = sg.tensor([[0.0]]), sg.tensor([[0.5]]), sg.tensor([[1.0]])
    >>> sg.nn.TripletMarginLoss()(anchor, near, far)  # 1 + 0.5 − 1
    tensor(0.5000)
    """

    _function, _options = staticmethod(F.triplet_margin_loss), ("margin", "p", "eps", "swap")

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction)
        self.margin, self.p, self.eps, self.swap = margin, p, eps, swap


class TripletMarginWithDistanceLoss(OptionsLoss):
    """The triplet loss with a distance of one's own, a function of two tensors.

    >>> import stepgrad as sg
    >>> def distance(x, y):
    ...     return (x - y).abs().sum(-1)
    >>> loss = sg.nn.TripletMarginWithDistanceLoss(distance_function=distance)
    >>> loss(sg.tensor([[0.0]]), sg.tensor([[0.5]]), sg.tensor([[1.0]]))
    tensor(0.5000)
    """

    _function, _options = (
        staticmethod(F.triplet_margin_with_distance_loss),
        ("distance_function", "margin", "swap"),
    )

    def __init__(
        self,
        *,
        distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
        margin: float = 1.0,
        swap: bool = False,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction)
        self.distance_function = PairwiseDistance() if distance_function is None else distance_function
        self.margin, self.swap = margin, swap


__all__ = [
    "CosineEmbeddingLoss",
    "HingeEmbeddingLoss",
    "MarginRankingLoss",
    "MultiLabelMarginLoss",
    "MultiLabelSoftMarginLoss",
    "MultiMarginLoss",
    "SoftMarginLoss",
    "TripletMarginLoss",
    "TripletMarginWithDistanceLoss",
]
