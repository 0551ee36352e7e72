"""Losses that are negative logarithms of a likelihood, as modules. `reduction`: "mean", "sum" or "none"."""

from __future__ import annotations

from typing import Any

from stepgrad.nn import functional as F
from stepgrad.nn.loss import OptionsLoss, _Loss
from stepgrad.tensor import Tensor


class KLDivLoss(_Loss):
    """The Kullback-Leibler divergence of log-probabilities x from a target of one shape.

    `reduction` may be "batchmean", which divides the sum by the number of rows, too.

    >>> import stepgrad as sg
    >>> target = sg.tensor([0.5, 0.5])
    >>> sg.nn.KLDivLoss(reduction="sum")(sg.tensor([0.9, 0.1]).log(), target)  # Σ t ln(t / p)
    tensor(0.5108)
    """

    def __init__(self, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__("sum" if reduction == "batchmean" else reduction)
        self.reduction, self.log_target = reduction, log_target

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Two tensors of one shape → a number (or that shape)."""
        return F.kl_div(input, target, self.reduction, self.log_target)


class PoissonNLLLoss(OptionsLoss):
    """−ln of the probability of counts whose rate is eˣ, or x without `log_input`.

    >>> import stepgrad as sg
    >>> sg.nn.PoissonNLLLoss()(sg.tensor([0.0]), sg.tensor([3.0]))
    tensor(1.)
    """

    _function, _options = staticmethod(F.poisson_nll_loss), ("log_input", "full", "eps")

    def __init__(
        self, log_input: bool = True, full: bool = False, eps: float = 1e-8, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction)
        self.log_input, self.full, self.eps = log_input, full, eps


class GaussianNLLLoss(OptionsLoss):
    """−ln of the density of normal numbers: means, targets and variances.

    >>> import stepgrad as sg
    >>> sg.nn.GaussianNLLLoss()(sg.tensor([1.0]), sg.tensor([3.0]), sg.tensor([4.0]))  # ½ (ln 4 + 1)
    tensor(1.1931)
    """

    _function, _options = staticmethod(F.gaussian_nll_loss), ("full", "eps")

    def __init__(self, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.full, self.eps = full, eps


class CTCLoss(_Loss):
    """−ln of the probability that sequences are read as their targets, repeats and blanks left out.

    >>> import stepgrad as sg
    >>> log_probabilities = sg.zeros(3, 1, 2).log_softmax(2)  # 3 steps, 1 sequence, blank and 1 class
    >>> sg.nn.CTCLoss()(log_probabilities, sg.tensor([[1]]), sg.tensor([3]), sg.tensor([1]))  # −ln 6/8
    tensor(0.2877)
    """

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False) -> None:
        super().__init__(reduction)
        self.blank, self.zero_infinity = blank, zero_infinity

    def forward(self, log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any) -> Tensor:
        """(T, N, C), (N, S) and twice N lengths → a number (or (N))."""
        return F.ctc_loss(
            log_probs, targets, input_lengths, target_lengths,
            self.blank, self.reduction, self.zero_infinity,
        )  # fmt: skip


__all__ = ["CTCLoss", "GaussianNLLLoss", "KLDivLoss", "PoissonNLLLoss"]
