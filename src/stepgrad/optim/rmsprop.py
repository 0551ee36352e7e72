"""RMSprop: the gradient over the root of the running mean of its square."""

from __future__ import annotations

from typing import Any, ClassVar

from stepgrad.optim.limits import FLAG, NOT_NEGATIVE, Limit
from stepgrad.optim.optimizer import Arrays, Optimizer
from stepgrad.optim.terms import accept_implementation, descent, is_off


class RMSprop(Optimizer):
    """RMSprop (Hinton's lecture 6e, 2012; centred: Graves, 2013): the gradient over its running size.

    With g the gradient, λ the weight decay and μ the momentum::

        g ← −g                           if maximize
        g ← g + λ p                      if λ ≠ 0
        vₜ = α vₜ₋₁ + (1 − α) g²         mean of its square, v₀ = 0
        aₜ = α aₜ₋₁ + (1 − α) g          if centered: its mean, a₀ = 0
        r = √vₜ + ε                      √(vₜ − aₜ²) + ε if centered
        p ← p − lr · g / r               if μ = 0
        bₜ = μ bₜ₋₁ + g / r              otherwise, b₀ = 0
        p ← p − lr · bₜ

    Arguments: `params` (see `Optimizer`), `lr`, `alpha` (α), `eps` (ε), `weight_decay` (λ), `momentum` (μ),
    all ≥ 0; `centered`, `maximize`. `foreach` and `capturable` change nothing. State: `step`, `square_avg`
    (v) and, where they are used, `momentum_buffer` (b) and `grad_avg` (a). Raises `ArgumentError` for a
    hyperparameter out of its range.

    >>> import stepgrad as sg
    >>> w = sg.tensor([1.0, -3.0], requires_grad=True)
    >>> optimizer = sg.optim.RMSprop([w], lr=0.01)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w  # the first mean is 0.01 g², so the step is 10 lr
    tensor([ 0.9000, -2.9000], requires_grad=True)
    """

    limits: ClassVar[dict[str, Limit]] = {
        "lr": NOT_NEGATIVE,
        "alpha": NOT_NEGATIVE,
        "eps": NOT_NEGATIVE,
        "weight_decay": NOT_NEGATIVE,
        "momentum": NOT_NEGATIVE,
        "centered": FLAG,
        "maximize": FLAG,
    }

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        *,
        maximize: bool = False,
        **implementation: Any,
    ) -> None:
        accept_implementation("RMSprop", implementation)
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "alpha": alpha,
                "eps": eps,
                "centered": centered,
                "weight_decay": weight_decay,
                "maximize": maximize,
            },
        )

    @staticmethod
    def start(*, momentum: float = 0.0, centered: bool = False, **_: Any) -> dict[str, float]:
        """Return the state before the first step: means of 0."""
        used = {"step": True, "square_avg": True, "momentum_buffer": momentum > 0, "grad_avg": centered}
        return {name: 0.0 for name, is_used in used.items() if is_used}

    @staticmethod
    def update(
        xp: Any,
        p: Any,
        g: Any,
        state: Arrays,
        step: int | None,
        *,
        lr: float,
        momentum: float,
        alpha: float,
        eps: float,
        centered: bool,
        weight_decay: float,
        maximize: bool,
    ) -> tuple[Any, Arrays]:
        """Return the parameter and the state after a step. See the class for the formulas."""
        g = descent(p, g, maximize, weight_decay)
        v = alpha * state["square_avg"] + (1 - alpha) * g * g
        new_state = {"square_avg": v}
        if centered:
            mean = new_state["grad_avg"] = alpha * state["grad_avg"] + (1 - alpha) * g
            v = v - mean * mean
        move = g / (xp.sqrt(v) + eps)
        if not is_off(momentum):
            move = new_state["momentum_buffer"] = momentum * state["momentum_buffer"] + move
        return p - lr * move, new_state
