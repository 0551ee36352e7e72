"""Rprop: step sizes of their own for all numbers, adapted by the sign of the gradient alone."""

from __future__ import annotations

from typing import Any, ClassVar

from stepgrad.optim.limits import FLAG, NOT_NEGATIVE, POSITIVE, Limit
from stepgrad.optim.optimizer import Arrays, Optimizer
from stepgrad.optim.terms import accept_implementation, descent

_ETAS = Limit(
    "(η⁻, η⁺) with 0 < η⁻ < 1 < η⁺",
    lambda x: isinstance(x, tuple) and len(x) == 2 and all(map(POSITIVE.holds, x)) and x[0] < 1 < x[1],
)
_SIZES = Limit(
    "the smallest and the largest step, two numbers of 0 or more",
    lambda x: isinstance(x, tuple) and len(x) == 2 and all(map(NOT_NEGATIVE.holds, x)),
)


class Rprop(Optimizer):
    """Resilient backpropagation (Riedmiller and Braun, 1993): for full batches.

    With g the gradient and g′ the one before, 0 at first, for each number::

        g ← −g                           if maximize
        Δ ← min(η⁺ Δ, Δ_max)             if g g′ > 0; Δ = lr at first
        Δ ← max(η⁻ Δ, Δ_min), g ← 0      if g g′ < 0: it went too far
        p ← p − sign(g) Δ

    Arguments: `params` (see `Optimizer`), `lr` ≥ 0 (the first step size), `etas` = (η⁻, η⁺), `step_sizes` =
    (Δ_min, Δ_max), `maximize`. `foreach` and `capturable` change nothing. State: `step`, `prev` (g′),
    `step_size` (Δ). Raises `ArgumentError` for a hyperparameter out of its range.

    >>> import stepgrad as sg
    >>> w = sg.tensor([1.0, -3.0], requires_grad=True)
    >>> optimizer = sg.optim.Rprop([w], lr=0.1)
    >>> for _ in range(2):
    ...     optimizer.zero_grad()
    ...     (w * w).sum().backward()
    ...     optimizer.step()
    >>> w  # steps of 0.1 and, the sign being the same, 0.12
    tensor([ 0.7800, -2.7800], requires_grad=True)
    """

    limits: ClassVar[dict[str, Limit]] = {
        "lr": NOT_NEGATIVE,
        "etas": _ETAS,
        "step_sizes": _SIZES,
        "maximize": FLAG,
    }

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        maximize: bool = False,
        **implementation: Any,
    ) -> None:
        accept_implementation("Rprop", implementation)
        super().__init__(params, {"lr": lr, "etas": etas, "step_sizes": step_sizes, "maximize": maximize})

    @staticmethod
    def start(*, lr: float = 1e-2, **_: Any) -> dict[str, float]:
        """Return the state before the first step: steps of the length lr."""
        return {"step": 0.0, "prev": 0.0, "step_size": lr}

    @staticmethod
    def update(
        xp: Any,
        p: Any,
        g: Any,
        state: Arrays,
        step: int | None,
        *,
        lr: float,
        etas: tuple[float, float],
        step_sizes: tuple[float, float],
        maximize: bool,
    ) -> tuple[Any, Arrays]:
        """Return the parameter and the state after a step. See the class for the formulas."""
        (shrink, grow), (smallest, largest) = etas, step_sizes
        g = descent(p, g, maximize, 0.0)
        agreement = g * state["prev"]
        grown, shrunk = grow * state["step_size"], shrink * state["step_size"]
        size = xp.where(agreement > 0, grown, xp.where(agreement < 0, shrunk, state["step_size"]))
        size = xp.minimum(xp.maximum(size, smallest), largest)
        g = xp.where(agreement < 0, 0.0, g)
        return p - xp.sign(g) * size, {"prev": g, "step_size": size}
