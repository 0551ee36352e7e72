"""Adagrad: step sizes that shrink with the sum of all squared gradients."""

from __future__ import annotations

from typing import Any, ClassVar

from stepgrad.optim.limits import FLAG, NOT_NEGATIVE, Limit
from stepgrad.optim.optimizer import Arrays, Optimizer
from stepgrad.optim.terms import accept_implementation, descent


class Adagrad(Optimizer):
    """Adagrad (Duchi, Hazan and Singer, 2011): each number's rate falls as its squared gradients add up.

    With g the gradient, λ the weight decay, η the decay of the rate and t the number of the step::

        g ← −g                           if maximize
        g ← g + λ p                      if λ ≠ 0
        sₜ = sₜ₋₁ + g²                   s₀ = initial_accumulator_value
        p ← p − lr / (1 + (t − 1) η) · g / (√sₜ + ε)

    Arguments: `params` (see `Optimizer`), `lr`, `lr_decay` (η), `weight_decay` (λ),
    `initial_accumulator_value`, `eps` (ε), all ≥ 0; `maximize`. `foreach` and `fused` change nothing. State:
    `step` (t), `sum` (s). Raises `ArgumentError` for a hyperparameter out of its range.

    >>> import stepgrad as sg
    >>> w = sg.tensor([1.0, -3.0], requires_grad=True)
    >>> optimizer = sg.optim.Adagrad([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([ 0.5000, -2.5000], requires_grad=True)
    """

    limits: ClassVar[dict[str, Limit]] = {
        "lr": NOT_NEGATIVE,
        "lr_decay": NOT_NEGATIVE,
        "weight_decay": NOT_NEGATIVE,
        "initial_accumulator_value": NOT_NEGATIVE,
        "eps": NOT_NEGATIVE,
        "maximize": FLAG,
    }

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
        **implementation: Any,
    ) -> None:
        accept_implementation("Adagrad", implementation)
        super().__init__(
            params,
            {
                "lr": lr,
                "lr_decay": lr_decay,
                "eps": eps,
                "weight_decay": weight_decay,
                "initial_accumulator_value": initial_accumulator_value,
                "maximize": maximize,
            },
        )

    @staticmethod
    def start(*, initial_accumulator_value: float = 0.0, **_: Any) -> dict[str, float]:
        """Return the state before the first step."""
        return {"step": 0.0, "sum": initial_accumulator_value}

    @staticmethod
    def update(
        xp: Any,
        p: Any,
        g: Any,
        state: Arrays,
        step: int | None,
        *,
        lr: float,
        lr_decay: float,
        eps: float,
        weight_decay: float,
        initial_accumulator_value: float,
        maximize: bool,
    ) -> tuple[Any, Arrays]:
        """Return the parameter and the state after step `step`. See the class for the formulas."""
        assert step is not None
        g = descent(p, g, maximize, weight_decay)
        total = state["sum"] + g * g
        rate = lr / (1 + (step - 1) * lr_decay)
        return p - rate * g / (xp.sqrt(total) + eps), {"sum": total}
