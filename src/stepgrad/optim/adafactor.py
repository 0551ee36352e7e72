"""Adafactor: a memory of one row and one column in place of one number for each number."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy

from stepgrad.optim.limits import FLAG, NOT_NEGATIVE, Limit
from stepgrad.optim.optimizer import Arrays, Optimizer
from stepgrad.optim.terms import accept_implementation, descent

_NOT_POSITIVE = Limit("a number of 0 or less", lambda x: type(x) in (int, float) and x <= 0)
_AT_LEAST_1 = Limit("a number of 1 or more", lambda x: type(x) in (int, float) and x >= 1)
_EPS = Limit(
    "(ε₁, ε₂), two numbers of 0 or more, or None for ε₁",
    lambda x: (
        isinstance(x, tuple)
        and len(x) == 2
        and (x[0] is None or NOT_NEGATIVE.holds(x[0]))
        and NOT_NEGATIVE.holds(x[1])
    ),
)


class Adafactor(Optimizer):
    """Adafactor (Shazeer and Stern, 2018): squared gradients remembered as the product of rows and columns.

    With g the gradient, λ the weight decay and t the number of the step, 1 at first::

        g ← −g                           if maximize
        α = max(ε₂, RMS(p)) · min(lr, 1 / √t)
        p ← p − lr · λ · p
        β = 1 − t^τ
        r ← β r + (1 − β) mean of g² along rows,    c likewise along columns, both 0 at first
        v = r c / max(mean of r, ε₁)     for a matrix, or a stack of them
        v ← β v + (1 − β) g²             for a vector or a number
        u = g / √max(v, ε₁²)
        p ← p − α u / max(1, RMS(u) / d)

    RMS(x) is the root of the mean of x².

    Arguments: `params` (see `Optimizer`), `lr` ≥ 0, `beta2_decay` (τ) ≤ 0, `eps` = (ε₁, ε₂), both ≥ 0; None
    for ε₁ stands for the precision of the dtype; `d` ≥ 1, `weight_decay` (λ) ≥ 0, `maximize`. `foreach`
    changes nothing. State: `step` (t) and `row_var` (r) and `col_var` (c), or `variance` (v). Raises
    `ArgumentError` for a hyperparameter out of its range.

    >>> import stepgrad as sg
    >>> w = sg.ones(3, 4, requires_grad=True)
    >>> optimizer = sg.optim.Adafactor([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w[0], [list(x.shape) for x in optimizer.state[w].values()]
    (tensor([0.9000, 0.9000, 0.9000, 0.9000], grad_fn=<...>), [[], [3, 1], [1, 4]])
    """

    elementwise = False
    limits: ClassVar[dict[str, Limit]] = {
        "lr": NOT_NEGATIVE,
        "beta2_decay": _NOT_POSITIVE,
        "eps": _EPS,
        "d": _AT_LEAST_1,
        "weight_decay": NOT_NEGATIVE,
        "maximize": FLAG,
    }

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
        **implementation: Any,
    ) -> None:
        accept_implementation("Adafactor", implementation)
        super().__init__(
            params,
            {
                "lr": lr,
                "beta2_decay": beta2_decay,
                "eps": eps,
                "d": d,
                "weight_decay": weight_decay,
                "maximize": maximize,
            },
        )

    @staticmethod
    def start(**_: Any) -> dict[str, float]:
        """Return the state before the first step; rows and columns appear with it."""
        return {"step": 0.0}

    @staticmethod
    def update(
        xp: Any,
        p: Any,
        g: Any,
        state: Arrays,
        step: int | None,
        *,
        lr: float,
        beta2_decay: float,
        eps: tuple[float | None, float],
        d: float,
        weight_decay: float,
        maximize: bool,
    ) -> tuple[Any, Arrays]:
        """Return the parameter and the state after step `step`. See the class for the formulas."""
        assert step is not None
        eps1 = eps[0] if eps[0] is not None else _precision(p)
        g = descent(p, g, maximize, 0.0)
        rate = xp.maximum(_rms(xp, p), eps[1]) * xp.cast(xp.minimum(lr, step**-0.5), dtype=p.dtype)
        if weight_decay:
            p = p * (1 - lr * weight_decay)
        new = step**beta2_decay
        squares, new_state = g * g, {}
        if g.ndim > 1:
            for name, dim in (("row_var", g.ndim - 1), ("col_var", g.ndim - 2)):
                mean = new * xp.mean(squares, dim=(dim,), keepdim=True)
                new_state[name] = mean if name not in state else (1 - new) * state[name] + mean
            row, column = new_state["row_var"], new_state["col_var"]
            v = row * column / xp.maximum(xp.mean(row, dim=(g.ndim - 2,), keepdim=True), eps1)
        else:
            mean = new * squares
            v = new_state["variance"] = (
                mean if "variance" not in state else (1 - new) * state["variance"] + mean
            )
        move = g / xp.sqrt(xp.maximum(v, eps1 * eps1))
        return p - rate * move / xp.maximum(_rms(xp, move) / d, 1.0), new_state


def _rms(xp: Any, x: Any) -> Any:
    return xp.sqrt(xp.mean(x * x, dim=None, keepdim=False))


def _precision(x: Any) -> float:
    """Return the distance from 1 to the next larger number of a type."""
    return float(numpy.finfo(getattr(x.dtype, "numpy", x.dtype)).eps)
