"""Stochastic gradient descent, plain and with momentum."""

from __future__ import annotations

from typing import Any, ClassVar

from stepgrad.errors import ArgumentError
from stepgrad.optim.limits import FLAG, NOT_NEGATIVE, NUMBER, Limit
from stepgrad.optim.optimizer import Arrays, Optimizer
from stepgrad.optim.terms import accept_implementation, descent, is_off


class SGD(Optimizer):
    """Stochastic gradient descent (Robbins and Monro, 1951), with momentum (Polyak, 1964; Nesterov, 1983).

    With g the gradient, λ the weight decay, μ the momentum and τ the dampening::

        g ← −g                           if maximize
        g ← g + λ p                      if λ ≠ 0
        v₁ = g                           if μ ≠ 0, at the first step
        vₜ = μ vₜ₋₁ + (1 − τ) g          if μ ≠ 0, afterwards
        g ← g + μ vₜ                     if nesterov (the form of Sutskever et al., 2013, with PyTorch's v)
        g ← vₜ                           if μ ≠ 0, otherwise
        p ← p − lr · g

    Arguments: `params` (see `Optimizer`), `lr` ≥ 0, `momentum` ≥ 0, `dampening`, `weight_decay` ≥ 0,
    `nesterov` (needs a momentum and no dampening), `maximize`. `foreach` and `fused` change nothing. State:
    `momentum_buffer` (v), in shape and dtype of the parameter. Raises `ArgumentError` for a hyperparameter
    out of its range.

    >>> import stepgrad as sg
    >>> w = sg.tensor([1.0], requires_grad=True)
    >>> optimizer = sg.optim.SGD([w], lr=0.1, momentum=0.9)
    >>> for _ in range(2):
    ...     optimizer.zero_grad()
    ...     (w * w).sum().backward()
    ...     optimizer.step()
    >>> w.item()  # 1 − 0.1 · 2 = 0.8, then 0.8 − 0.1 · (0.9 · 2 + 1.6)
    0.46...
    """

    limits: ClassVar[dict[str, Limit]] = {
        "lr": NOT_NEGATIVE,
        "momentum": NOT_NEGATIVE,
        "dampening": NUMBER,
        "weight_decay": NOT_NEGATIVE,
        "nesterov": FLAG,
        "maximize": FLAG,
    }

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        **implementation: Any,
    ) -> None:
        accept_implementation("SGD", implementation)
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "dampening": dampening,
                "weight_decay": weight_decay,
                "nesterov": nesterov,
                "maximize": maximize,
            },
        )

    def check_group(self, group: dict[str, Any]) -> None:
        """Raise `ArgumentError` for a hyperparameter out of its range, or `nesterov` without momentum."""
        super().check_group(group)
        if group["nesterov"] and (group["momentum"] == 0 or group["dampening"] != 0):
            raise ArgumentError(
                f"SGD needs a momentum above 0 and a dampening of 0 for nesterov=True, not "
                f"momentum={group['momentum']} and dampening={group['dampening']}."
            )

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
        dampening: float,
        weight_decay: float,
        nesterov: bool,
        maximize: bool,
    ) -> tuple[Any, Arrays]:
        """Return the parameter and the state after a step. See the class for the formulas."""
        g = descent(p, g, maximize, weight_decay)
        if is_off(momentum):
            return p - lr * g, {}
        v = state.get("momentum_buffer")
        if v is None:
            v = g
        else:
            v = momentum * v + ((1 - dampening) * g if dampening else g)
        return p - lr * (g + momentum * v if nesterov else v), {"momentum_buffer": v}
