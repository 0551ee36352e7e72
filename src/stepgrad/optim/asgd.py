"""ASGD: gradient descent that keeps the average of where it has been."""

from __future__ import annotations

from typing import Any, ClassVar

from stepgrad.optim.limits import FLAG, NOT_NEGATIVE, NUMBER, Limit
from stepgrad.optim.optimizer import Arrays, Optimizer
from stepgrad.optim.terms import accept_implementation, descent


class ASGD(Optimizer):
    """Averaged stochastic gradient descent (Polyak and Juditsky, 1992; with the rate of Bottou, 2012).

    With g the gradient, δ the weight decay and t the number of the step, 1 at first::

        g ← −g                           if maximize
        g ← g + δ p                      if δ ≠ 0
        p ← p (1 − λ η) − η g            η = lr at first
        a ← a + μ (p − a)                the average; μ = 1 at first
        η ← lr / (1 + λ lr t)^α,         μ ← 1 / max(1, t − t₀)

    The average is in the state: ``optimizer.state[p]["ax"]``.

    Arguments: `params` (see `Optimizer`), `lr` ≥ 0, `lambd` (λ), `alpha` (α), `t0` (t₀: where averaging
    begins), `weight_decay` (δ) ≥ 0, `maximize`. `foreach` and `capturable` change nothing. State: `step` (t),
    `eta` (η, one number), `mu` (μ, one number), `ax` (a). Raises `ArgumentError` for a hyperparameter out of
    its range.

    >>> import stepgrad as sg
    >>> w = sg.tensor([1.0], requires_grad=True)
    >>> optimizer = sg.optim.ASGD([w], lr=0.1, lambd=0.0, t0=0)
    >>> for _ in range(2):
    ...     optimizer.zero_grad()
    ...     (w * w).sum().backward()
    ...     optimizer.step()
    >>> w, optimizer.state[w]["ax"]
    (tensor([0.6400], requires_grad=True), tensor([0.6400]))
    """

    scalars: ClassVar[tuple[str, ...]] = ("eta", "mu")
    limits: ClassVar[dict[str, Limit]] = {
        "lr": NOT_NEGATIVE,
        "lambd": NUMBER,
        "alpha": NUMBER,
        "t0": NUMBER,
        "weight_decay": NOT_NEGATIVE,
        "maximize": FLAG,
    }

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
        **implementation: Any,
    ) -> None:
        accept_implementation("ASGD", implementation)
        super().__init__(
            params,
            {
                "lr": lr,
                "lambd": lambd,
                "alpha": alpha,
                "t0": t0,
                "weight_decay": weight_decay,
                "maximize": maximize,
            },
        )

    @staticmethod
    def start(*, lr: float = 1e-2, **_: Any) -> dict[str, float]:
        """Return the state before the first step."""
        return {"step": 0.0, "eta": lr, "mu": 1.0, "ax": 0.0}

    @staticmethod
    def update(
        xp: Any,
        p: Any,
        g: Any,
        state: Arrays,
        step: int | None,
        *,
        lr: float,
        lambd: float,
        alpha: float,
        t0: float,
        weight_decay: float,
        maximize: bool,
    ) -> tuple[Any, Arrays]:
        """Return the parameter and the state after step `step`. See the class for the formulas."""
        assert step is not None
        g = descent(p, g, maximize, weight_decay)
        eta = state["eta"]
        p = p * (1 - lambd * eta) - eta * g
        average = state["ax"] + state["mu"] * (p - state["ax"])
        return p, {
            "eta": lr / (1 + lambd * lr * step) ** alpha,
            "mu": 1 / xp.maximum(step - t0, 1.0),
            "ax": average,
        }
