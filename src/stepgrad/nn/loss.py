"""Loss functions as modules. `reduction`: "mean" (the default), "sum" or "none"."""

from __future__ import annotations

from stepgrad.nn import functional as F
from stepgrad.nn.functional.checks import check_reduction
from stepgrad.nn.module import Module
from stepgrad.tensor import Tensor


class _Loss(Module):
    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        check_reduction(reduction)
        self.reduction = reduction


class MSELoss(_Loss):
    """The squared error (x − t)².

    >>> import stepgrad as sg
    >>> sg.nn.MSELoss()(sg.tensor([1.0, 2.0]), sg.tensor([0.0, 0.0]))
    tensor(2.5000)
    """

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        """Two tensors of one shape → a number (or that shape)."""
        return F.mse_loss(x, target, self.reduction)


class L1Loss(_Loss):
    """The absolute error |x − t|."""

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        """Two tensors of one shape → a number (or that shape)."""
        return F.l1_loss(x, target, self.reduction)


class HuberLoss(_Loss):
    """Squared where |x − t| ≤ δ, absolute beyond (Huber, 1964)."""

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        self.delta = delta

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        """Two tensors of one shape → a number (or that shape)."""
        return F.huber_loss(x, target, self.reduction, self.delta)


class SmoothL1Loss(_Loss):
    """Squared where |x − t| < β, absolute beyond (Girshick, 2015)."""

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        self.beta = beta

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        """Two tensors of one shape → a number (or that shape)."""
        return F.smooth_l1_loss(x, target, self.reduction, self.beta)


class BCELoss(_Loss):
    """Binary cross entropy of probabilities in [0, 1]; each logarithm is kept above −100."""

    def __init__(self, weight: Tensor | None = None, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        """Two tensors of one shape → a number (or that shape)."""
        return F.binary_cross_entropy(x, target, self.weight, self.reduction)


class BCEWithLogitsLoss(_Loss):
    """Binary cross entropy of σ(x), computed from logits without overflow; `pos_weight` weights the
    positive class.
    """

    def __init__(
        self, weight: Tensor | None = None, reduction: str = "mean", pos_weight: Tensor | None = None
    ) -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        """Two tensors of one shape → a number (or that shape)."""
        return F.binary_cross_entropy_with_logits(x, target, self.weight, self.reduction, self.pos_weight)


class NLLLoss(_Loss):
    """The negative of the log-probability of the target class."""

    def __init__(
        self, weight: Tensor | None = None, ignore_index: int = -100, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        """Log-probabilities (N, C, …) and classes (N, …) → a number (or (N, …))."""
        return F.nll_loss(x, target, self.weight, self.ignore_index, self.reduction)


class CrossEntropyLoss(_Loss):
    """Cross entropy of softmax(x) with classes (integers) or with probabilities."""

    def __init__(
        self,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        """Logits (N, C, …) and classes (N, …), or probabilities (N, C, …) → a number (or (N, …))."""
        return F.cross_entropy(
            x, target, self.weight, self.ignore_index, self.reduction, self.label_smoothing
        )


__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "HuberLoss",
    "L1Loss",
    "MSELoss",
    "NLLLoss",
    "SmoothL1Loss",
]
