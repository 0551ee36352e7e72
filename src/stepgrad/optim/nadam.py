"""NAdam: Adam with Nesterov's momentum."""

from __future__ import annotations

from typing import Any, ClassVar

from stepgrad.optim.limits import FLAG, NOT_NEGATIVE, TWO_FRACTIONS, Limit
from stepgrad.optim.optimizer import Arrays, Optimizer
from stepgrad.optim.terms import accept_implementation, descent


class NAdam(Optimizer):
    """NAdam (Dozat, 2016): Adam that looks ahead along its momentum, which grows from β₁ / 2 towards β₁.

    With g the gradient, λ the weight decay, ψ the momentum decay and t the number of the step, 1 at first::

        g ← −g                           if maximize
        g ← g + λ p                      if λ ≠ 0, not decoupled
        p ← p − lr · λ · p               if λ ≠ 0, decoupled
        μₜ = β₁ (1 − 0.96^(t ψ) / 2),    Πₜ = Πₜ₋₁ μₜ, Π₀ = 1
        mₜ = β₁ mₜ₋₁ + (1 − β₁) g        mean of the gradient, m₀ = 0
        vₜ = β₂ vₜ₋₁ + (1 − β₂) g²       mean of its square, v₀ = 0
        r = √(vₜ / (1 − β₂ᵗ)) + ε
        p ← p − lr (1 − μₜ) / (1 − Πₜ) · g / r − lr μₜ₊₁ / (1 − Πₜ μₜ₊₁) · mₜ / r

    Arguments: `params` (see `Optimizer`), `lr` ≥ 0, `betas` = (β₁, β₂), each in [0, 1), `eps` (ε) ≥ 0,
    `weight_decay` (λ) ≥ 0, `momentum_decay` (ψ) ≥ 0, `decoupled_weight_decay`, `maximize`. `foreach` and
    `capturable` change nothing. State: `step` (t), `mu_product` (Π, one number), `exp_avg` (m), `exp_avg_sq`
    (v). Raises `ArgumentError` for a hyperparameter out of its range.

    >>> import stepgrad as sg
    >>> w = sg.tensor([1.0, -3.0], requires_grad=True)
    >>> optimizer = sg.optim.NAdam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([ 0.8944, -2.8944], requires_grad=True)
    """

    scalars: ClassVar[tuple[str, ...]] = ("mu_product",)
    limits: ClassVar[dict[str, Limit]] = {
        "lr": NOT_NEGATIVE,
        "betas": TWO_FRACTIONS,
        "eps": NOT_NEGATIVE,
        "weight_decay": NOT_NEGATIVE,
        "momentum_decay": NOT_NEGATIVE,
        "decoupled_weight_decay": FLAG,
        "maximize": FLAG,
    }

    def __init__(
        self,
        params: Any,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
        **implementation: Any,
    ) -> None:
        accept_implementation("NAdam", implementation)
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "momentum_decay": momentum_decay,
                "decoupled_weight_decay": decoupled_weight_decay,
                "maximize": maximize,
            },
        )

    @staticmethod
    def start(**_: Any) -> dict[str, float]:
        """Return the state before the first step: means of 0 and an empty product."""
        return {"step": 0.0, "mu_product": 1.0, "exp_avg": 0.0, "exp_avg_sq": 0.0}

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
        momentum_decay: float,
        decoupled_weight_decay: bool,
        maximize: bool,
    ) -> tuple[Any, Arrays]:
        """Return the parameter and the state after step `step`. See the class for the formulas."""
        assert step is not None
        beta1, beta2 = betas
        g = descent(p, g, maximize, 0.0 if decoupled_weight_decay else weight_decay)
        if weight_decay and decoupled_weight_decay:
            p = p * (1 - lr * weight_decay)
        mu = beta1 * (1 - 0.5 * 0.96 ** (step * momentum_decay))
        mu_next = beta1 * (1 - 0.5 * 0.96 ** ((step + 1) * momentum_decay))
        product = state["mu_product"] * mu
        m = beta1 * state["exp_avg"] + (1 - beta1) * g
        v = beta2 * state["exp_avg_sq"] + (1 - beta2) * g * g
        root = xp.sqrt(v / (1 - beta2**step)) + eps
        of_gradient = lr * (1 - mu) / (1 - product)
        of_mean = lr * mu_next / (1 - product * mu_next)
        new_state = {"mu_product": product, "exp_avg": m, "exp_avg_sq": v}
        return p - (of_gradient * g + of_mean * m) / root, new_state
