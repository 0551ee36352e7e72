"""Adam and AdamW: step sizes adapted to each number by running means of its gradient."""

from __future__ import annotations

from typing import Any, ClassVar

from stepgrad.ops.called import called, is_asked
from stepgrad.optim.limits import FLAG, NOT_NEGATIVE, TWO_FRACTIONS, Limit
from stepgrad.optim.optimizer import Arrays, Optimizer
from stepgrad.optim.terms import accept_implementation, descent


class Adam(Optimizer):
    """Adam (Kingma and Ba, 2015): the mean of the gradient over the root of the mean of its square.

    With g the gradient, λ the weight decay and t the number of the step, 1 at first::

        g ← −g                           if maximize
        g ← g + λ p                      if λ ≠ 0, not decoupled (L2 regularisation)
        p ← p − lr · λ · p               if λ ≠ 0, decoupled (AdamW)
        mₜ = β₁ mₜ₋₁ + (1 − β₁) g        mean of the gradient, m₀ = 0
        vₜ = β₂ vₜ₋₁ + (1 − β₂) g²       mean of its square, v₀ = 0
        m̂ = mₜ / (1 − β₁ᵗ)               corrected for starting at 0
        v̂ = vₜ / (1 − β₂ᵗ)               with max(v₁, …, vₜ) for vₜ if amsgrad (Reddi et al., 2018)
        p ← p − lr · m̂ / (√v̂ + ε)

    Arguments: `params` (see `Optimizer`), `lr` ≥ 0, `betas` = (β₁, β₂), each in [0, 1), `eps` = ε ≥ 0,
    `weight_decay` ≥ 0, `amsgrad`, `maximize`, `decoupled_weight_decay`. `foreach`, `fused` and `capturable`
    change nothing. State: `step` (t), `exp_avg` (m),
    `exp_avg_sq` (v) and, with amsgrad, `max_exp_avg_sq`, in shape and dtype of the parameter but for `step`.
    Raises `ArgumentError` for a hyperparameter out of its range.

    >>> import stepgrad as sg
    >>> w = sg.tensor([1.0, -3.0], requires_grad=True)
    >>> optimizer = sg.optim.Adam([w], lr=0.1)
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
        "amsgrad": FLAG,
        "maximize": FLAG,
        "decoupled_weight_decay": FLAG,
    }

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        decoupled_weight_decay: bool = False,
        **implementation: Any,
    ) -> None:
        accept_implementation(type(self).__name__, implementation)
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "amsgrad": amsgrad,
                "maximize": maximize,
                "decoupled_weight_decay": decoupled_weight_decay,
            },
        )

    @staticmethod
    def start(*, amsgrad: bool = False, **_: Any) -> dict[str, float]:
        """Return the state before the first step: means of 0."""
        names = ("step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq")
        return dict.fromkeys(names if amsgrad else names[:3], 0.0)

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
        amsgrad: bool,
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
        if amsgrad:
            v = new_state["max_exp_avg_sq"] = xp.maximum(state["max_exp_avg_sq"], v)
        if is_asked():  # as a person writes it, with m̂ and v̂
            mean = called(m / (1 - beta1**step), "m_hat")
            square = called(v / (1 - beta2**step), "v_hat")
            return p - lr * mean / (xp.sqrt(square) + eps), new_state
        # √v̂ as √v / √(1 − β₂ᵗ): the root of a number is taken once, and the bits are PyTorch's.
        root = xp.sqrt(v) / (1 - beta2**step) ** 0.5
        return p - (lr / (1 - beta1**step)) * m / (root + eps), new_state


class AdamW(Adam):
    """Adam with weight decay apart from the gradient (Loshchilov and Hutter, 2019).

    First p ← p − lr · λ · p, then Adam's step.

    Arguments as for `Adam`, with a `weight_decay` λ of 0.01 by default.

    >>> import stepgrad as sg
    >>> w = sg.tensor([1.0], requires_grad=True)
    >>> optimizer = sg.optim.AdamW([w], lr=0.1, weight_decay=0.5)
    >>> w.sum().backward()
    >>> optimizer.step()
    >>> w  # 1 − 0.1 · 0.5, and then Adam's 0.1
    tensor([0.8500], requires_grad=True)
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        **implementation: Any,
    ) -> None:
        more = {"maximize": maximize, "decoupled_weight_decay": True, **implementation}
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, **more)
