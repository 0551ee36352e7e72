"""RAdam: Adam that takes plain steps until its estimate of the gradient's size can be trusted."""

from __future__ import annotations

from typing import Any, ClassVar

from stepgrad.optim.limits import FLAG, NOT_NEGATIVE, TWO_FRACTIONS, Limit
from stepgrad.optim.optimizer import Arrays, Optimizer
from stepgrad.optim.terms import accept_implementation, descent


class RAdam(Optimizer):
    """RAdam (Liu et al., 2020): Adam with the variance of its early steps rectified.

    With g the gradient, λ the weight decay and t the number of the step, 1 at first::

        g ← −g                           if maximize
        g ← g + λ p                      if λ ≠ 0, not decoupled
        p ← p − lr · λ · p               if λ ≠ 0, decoupled
        mₜ = β₁ mₜ₋₁ + (1 − β₁) g        mean of the gradient, m₀ = 0
        vₜ = β₂ vₜ₋₁ + (1 − β₂) g²       mean of its square, v₀ = 0
        ρ∞ = 2 / (1 − β₂) − 1,           ρₜ = ρ∞ − 2 t β₂ᵗ / (1 − β₂ᵗ)
        r = √((ρₜ − 4) (ρₜ − 2) ρ∞ / ((ρ∞ − 4) (ρ∞ − 2) ρₜ))
        a = r √(1 − β₂ᵗ) / (√vₜ + ε)     if ρₜ > 5, otherwise 1
        p ← p − lr · a · mₜ / (1 − β₁ᵗ)

    Arguments: `params` (see `Optimizer`), `lr` ≥ 0, `betas` = (β₁, β₂), each in [0, 1), `eps` (ε) ≥ 0,
    `weight_decay` (λ) ≥ 0, `decoupled_weight_decay`, `maximize`. `foreach` and `capturable` change nothing.
    State: `step` (t), `exp_avg` (m), `exp_avg_sq` (v). Raises `ArgumentError` for a hyperparameter out of
    its range.

    >>> import stepgrad as sg
    >>> w = sg.tensor([1.0, -3.0], requires_grad=True)
    >>> optimizer = sg.optim.RAdam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w  # the first steps are plain: p − lr · g
    tensor([ 0.8000, -2.4000], requires_grad=True)
    """

    limits: ClassVar[dict[str, Limit]] = {
        "lr": NOT_NEGATIVE,
        "betas": TWO_FRACTIONS,
        "eps": NOT_NEGATIVE,
        "weight_decay": NOT_NEGATIVE,
        "decoupled_weight_decay": FLAG,
        "maximize": FLAG,
    }

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
        **implementation: Any,
    ) -> None:
        accept_implementation("RAdam", implementation)
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "maximize": maximize,
                "decoupled_weight_decay": decoupled_weight_decay,
            },
        )

    @staticmethod
    def start(**_: Any) -> dict[str, float]:
        """Return the state before the first step: means of 0."""
        return {"step": 0.0, "exp_avg": 0.0, "exp_avg_sq": 0.0}

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
        decoupled_weight_decay: bool,
    ) -> tuple[Any, Arrays]:
        """Return the parameter and the state after step `step`. See the class for the formulas."""
        assert step is not None
        beta1, beta2 = betas
        g = descent(p, g, maximize, 0.0 if decoupled_weight_decay else weight_decay)
        if weight_decay and decoupled_weight_decay:
            p = p * (1 - lr * weight_decay)
        m = beta1 * state["exp_avg"] + (1 - beta1) * g
        v = beta2 * state["exp_avg_sq"] + (1 - beta2) * g * g
        new_state = {"exp_avg": m, "exp_avg_sq": v}
        move = lr / (1 - beta1**step) * m
        longest = 2 / (1 - beta2) - 1
        if longest <= 5:
            return p - move, new_state
        left = 1 - beta2**step
        length = longest - 2 * step * beta2**step / left
        # Before the length exceeds 5 the factor is not used; × 0 keeps its root from being that of a
        # negative number.
        is_long = length > 5
        part = is_long * (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
        adapted = (part * left) ** 0.5 / (xp.sqrt(v) + eps)
        return p - move * xp.where(is_long, adapted, 1.0), new_state
