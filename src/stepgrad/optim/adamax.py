"""Adamax: Adam with the largest of the decayed gradients in place of the root of a mean."""

from __future__ import annotations

from typing import Any, ClassVar

from stepgrad.optim.limits import FLAG, NOT_NEGATIVE, TWO_FRACTIONS, Limit
from stepgrad.optim.optimizer import Arrays, Optimizer
from stepgrad.optim.terms import accept_implementation, descent


class Adamax(Optimizer):
    """Adamax (Kingma and Ba, 2015, section 7.1): Adam with the infinity norm.

    With g the gradient, λ the weight decay and t the number of the step, 1 at first::

        g ← −g                           if maximize
        g ← g + λ p                      if λ ≠ 0
        mₜ = β₁ mₜ₋₁ + (1 − β₁) g        mean of the gradient, m₀ = 0
        uₜ = max(β₂ uₜ₋₁, |g| + ε)       u₀ = 0
        p ← p − lr / (1 − β₁ᵗ) · mₜ / uₜ

    Arguments: `params` (see `Optimizer`), `lr` ≥ 0, `betas` = (β₁, β₂), each in [0, 1), `eps` (ε) ≥ 0,
    `weight_decay` (λ) ≥ 0, `maximize`. `foreach` and `capturable` change nothing. State: `step` (t),
    `exp_avg` (m), `exp_inf` (u). Raises `ArgumentError` for a hyperparameter out of its range.

    >>> import stepgrad as sg
    >>> w = sg.tensor([1.0, -3.0], requires_grad=True)
    >>> optimizer = sg.optim.Adamax([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w  # the first step has the length lr, whatever the gradient
    tensor([ 0.9000, -2.9000], requires_grad=True)
    """

    limits: ClassVar[dict[str, Limit]] = {
        "lr": NOT_NEGATIVE,
        "betas": TWO_FRACTIONS,
        "eps": NOT_NEGATIVE,
        "weight_decay": NOT_NEGATIVE,
        "maximize": FLAG,
    }

    def __init__(
        self,
        params: Any,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
        **implementation: Any,
    ) -> None:
        accept_implementation("Adamax", implementation)
        super().__init__(
            params,
            {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize},
        )

    @staticmethod
    def start(**_: Any) -> dict[str, float]:
        """Return the state before the first step."""
        return {"step": 0.0, "exp_avg": 0.0, "exp_inf": 0.0}

    @staticmethod
    def update(
        xp: Any,
        p: Any,
        g: Any,
        state: Arrays,
        step: int | None,
        *,
        lr: float,
        betas: tuple[float, float],
        eps: float,
        weight_decay: float,
        maximize: bool,
    ) -> tuple[Any, Arrays]:
        """Return the parameter and the state after step `step`. See the class for the formulas."""
        assert step is not None
        beta1, beta2 = betas
        g = descent(p, g, maximize, weight_decay)
        m = beta1 * state["exp_avg"] + (1 - beta1) * g
        u = xp.maximum(beta2 * state["exp_inf"], xp.abs(g) + eps)
        return p - (lr / (1 - beta1**step)) * m / u, {"exp_avg": m, "exp_inf": u}
