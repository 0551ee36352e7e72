"""Adadelta: steps in the units of the parameter, without a learning rate to choose."""

from __future__ import annotations

from typing import Any, ClassVar

from stepgrad.optim.limits import FLAG, NOT_NEGATIVE, PART, Limit
from stepgrad.optim.optimizer import Arrays, Optimizer
from stepgrad.optim.terms import accept_implementation, descent


class Adadelta(Optimizer):
    """Adadelta (Zeiler, 2012): the running size of earlier steps over that of the gradient, times it.

    With g the gradient and λ the weight decay::

        g ← −g                           if maximize
        g ← g + λ p                      if λ ≠ 0
        vₜ = ρ vₜ₋₁ + (1 − ρ) g²         mean of the square of the gradient, v₀ = 0
        Δ = √(uₜ₋₁ + ε) / √(vₜ + ε) · g
        uₜ = ρ uₜ₋₁ + (1 − ρ) Δ²         mean of the square of the step, u₀ = 0
        p ← p − lr · Δ

    Arguments: `params` (see `Optimizer`), `lr` ≥ 0, `rho` (ρ) in [0, 1], `eps` (ε) ≥ 0, `weight_decay`
    (λ) ≥ 0, `maximize`. `foreach` and `capturable` change nothing. State: `step`, `square_avg` (v),
    `acc_delta` (u). Raises `ArgumentError` for a hyperparameter out of its range.

    >>> import stepgrad as sg
    >>> w = sg.tensor([1.0], requires_grad=True)
    >>> optimizer = sg.optim.Adadelta([w], rho=0.0, eps=1.0)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w  # 1 − √1 / √(2² + 1) · 2
    tensor([0.1056], requires_grad=True)
    """

    limits: ClassVar[dict[str, Limit]] = {
        "lr": NOT_NEGATIVE,
        "rho": PART,
        "eps": NOT_NEGATIVE,
        "weight_decay": NOT_NEGATIVE,
        "maximize": FLAG,
    }

    def __init__(
        self,
        params: Any,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
        **implementation: Any,
    ) -> None:
        accept_implementation("Adadelta", implementation)
        super().__init__(
            params,
            {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize},
        )

    @staticmethod
    def start(**_: Any) -> dict[str, float]:
        """Return the state before the first step: means of 0."""
        return {"step": 0.0, "square_avg": 0.0, "acc_delta": 0.0}

    @staticmethod
    def update(
        xp: Any,
        p: Any,
        g: Any,
        state: Arrays,
        step: int | None,
        *,
        lr: float,
        rho: float,
        eps: float,
        weight_decay: float,
        maximize: bool,
    ) -> tuple[Any, Arrays]:
        """Return the parameter and the state after a step. See the class for the formulas."""
        g = descent(p, g, maximize, weight_decay)
        v = rho * state["square_avg"] + (1 - rho) * g * g
        delta = xp.sqrt(state["acc_delta"] + eps) / xp.sqrt(v + eps) * g
        u = rho * state["acc_delta"] + (1 - rho) * delta * delta
        return p - lr * delta, {"square_avg": v, "acc_delta": u}
