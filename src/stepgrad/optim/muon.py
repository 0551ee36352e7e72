"""Muon: steps that are (nearly) orthogonal matrices."""

from __future__ import annotations

from typing import Any, ClassVar

from stepgrad.errors import ArgumentError
from stepgrad.ops.contractions import transposed
from stepgrad.optim.limits import COUNT, FLAG, NOT_NEGATIVE, NUMBER, Limit
from stepgrad.optim.optimizer import Arrays, Optimizer

_THREE = Limit("three numbers", lambda x: isinstance(x, tuple) and len(x) == 3 and all(map(NUMBER.holds, x)))
_ADJUST = Limit("None, 'original' or 'match_rms_adamw'", lambda x: x in (None, "original", "match_rms_adamw"))
_STEPS = Limit("a whole number from 0 to 99", lambda x: COUNT.holds(x) and x < 100)


class Muon(Optimizer):
    """Muon (Jordan et al., 2024): momentum, orthogonalised by Newton and Schulz's iteration, for matrices.

    With g the gradient (A rows, B columns), μ the momentum and λ the weight decay::

        mₜ = μ mₜ₋₁ + (1 − μ) g          m₀ = 0
        u = (1 − μ) g + μ mₜ             if nesterov, otherwise mₜ
        u ← u / max(‖u‖, ε)
        u ← a u + (b G + c G²) u         `ns_steps` times, with G = u uᵀ: singular values go towards 1
        p ← p − lr · λ · p
        p ← p − lr · √max(1, A / B) · u  `adjust_lr_fn` None or "original";
                                         lr · 0.2 √max(A, B) for "match_rms_adamw" (Moonshot AI, 2025)

    The iteration runs in the parameter's own dtype; PyTorch's runs in bfloat16, so that its steps differ by
    about 1%. For hidden weights: give biases, embeddings and the last layer to AdamW.

    Arguments: `params` (matrices; see `Optimizer`), `lr` ≥ 0, `weight_decay` (λ) ≥ 0, `momentum` (μ) ≥ 0,
    `nesterov`, `ns_coefficients` = (a, b, c), `eps` (ε) ≥ 0, `ns_steps` < 100, `adjust_lr_fn`. State:
    `momentum_buffer` (m). Raises `ArgumentError` for a parameter that is no matrix and for a hyperparameter
    out of its range.

    >>> import stepgrad as sg
    >>> w = sg.eye(2).requires_grad_()
    >>> optimizer = sg.optim.Muon([w], lr=0.1, weight_decay=0.0)
    >>> (3 * w).sum().backward()
    >>> optimizer.step()
    >>> bool((w < sg.eye(2)).all())
    True
    """

    elementwise = False
    limits: ClassVar[dict[str, Limit]] = {
        "lr": NOT_NEGATIVE,
        "weight_decay": NOT_NEGATIVE,
        "momentum": NOT_NEGATIVE,
        "nesterov": FLAG,
        "ns_coefficients": _THREE,
        "eps": NOT_NEGATIVE,
        "ns_steps": _STEPS,
        "adjust_lr_fn": _ADJUST,
    }

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "weight_decay": weight_decay,
                "momentum": momentum,
                "nesterov": nesterov,
                "ns_coefficients": ns_coefficients,
                "eps": eps,
                "ns_steps": ns_steps,
                "adjust_lr_fn": adjust_lr_fn,
            },
        )

    def check_group(self, group: dict[str, Any]) -> None:
        """Raise `ArgumentError` for a hyperparameter out of its range, or a parameter that is no matrix."""
        super().check_group(group)
        for i, parameter in enumerate(group["params"]):
            if parameter.ndim != 2:
                raise ArgumentError(
                    f"Muon takes matrices; parameter number {i} of the group has shape "
                    f"{list(parameter.shape)}. Give it to another optimizer, such as AdamW."
                )

    @staticmethod
    def start(**_: Any) -> dict[str, float]:
        """Return the state before the first step."""
        return {"momentum_buffer": 0.0}

    @staticmethod
    def update(
        xp: Any,
        p: Any,
        g: Any,
        state: Arrays,
        step: int | None,
        *,
        lr: float,
        weight_decay: float,
        momentum: float,
        nesterov: bool,
        ns_coefficients: tuple[float, float, float],
        eps: float,
        ns_steps: int,
        adjust_lr_fn: str | None,
    ) -> tuple[Any, Arrays]:
        """Return the parameter and the state after a step. See the class for the formulas."""
        m = momentum * state["momentum_buffer"] + (1 - momentum) * g
        move = (1 - momentum) * g + momentum * m if nesterov else m
        rows, columns = p.shape
        factor = max(1.0, rows / columns) ** 0.5
        if adjust_lr_fn == "match_rms_adamw":
            factor = 0.2 * max(rows, columns) ** 0.5
        move = orthogonalized(xp, move, ns_coefficients, ns_steps, eps)
        return p * (1 - lr * weight_decay) - lr * factor * move, {"momentum_buffer": m}


def orthogonalized(xp: Any, u: Any, coefficients: tuple[float, float, float], steps: int, eps: float) -> Any:
    """Return a matrix with the singular vectors of u and singular values near 1 (Newton and Schulz)."""
    a, b, c = coefficients
    is_tall = u.shape[0] > u.shape[1]
    # The smaller of the two products.
    u = transposed(xp, u) if is_tall else u
    u = u / xp.maximum(xp.sqrt(xp.sum(u * u, dim=None, keepdim=False)), eps)
    for _ in range(steps):
        gram = xp.matmul(u, transposed(xp, u))
        u = a * u + xp.matmul(b * gram + c * xp.matmul(gram, gram), u)
    return transposed(xp, u) if is_tall else u
