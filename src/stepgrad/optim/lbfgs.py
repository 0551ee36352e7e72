"""L-BFGS: Newton's method with a curvature that is remembered from the last steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from stepgrad.autograd import enable_grad, no_grad
from stepgrad.autograd.recording import hides_values
from stepgrad.errors import ArgumentError, CaptureError
from stepgrad.functions.creation import zeros
from stepgrad.functions.joining import cat
from stepgrad.optim.limits import NOT_NEGATIVE, POSITIVE_COUNT, Limit, number_of
from stepgrad.optim.line_search import Point, strong_wolfe
from stepgrad.optim.optimizer import Optimizer

_LINE_SEARCH = Limit("None or 'strong_wolfe'", lambda x: x in (None, "strong_wolfe"))


class LBFGS(Optimizer):
    """L-BFGS (Liu and Nocedal, 1989): a quasi-Newton method for full batches and few parameters.

    Each iteration goes along d = −H g. H approximates the inverse of the Hessian by the last `history_size`
    pairs of s = change of the parameters, y = change of the gradient, with ρ = 1 / yᵀs (the two-loop
    recursion)::

        q ← −g;   for the pairs from new to old:  αᵢ = ρᵢ sᵢᵀq,  q ← q − αᵢ yᵢ
        d ← q · yᵀs / yᵀy of the newest pair
        for the pairs from old to new:  d ← d + (αᵢ − ρᵢ yᵢᵀd) sᵢ
        p ← p + t d                      t = lr, at first min(1, 1 / Σ|g|) lr; or by a line search

    `step(closure)` needs a closure that computes the loss and its gradients, and calls it several times.

    Arguments: `params` (see `Optimizer`; one group), `lr`, `max_iter`: iterations in a step, `max_eval`:
    calls of the closure in a step (5/4 `max_iter` when None), `tolerance_grad`: stop when no element of the
    gradient is larger, `tolerance_change`: stop when loss or parameters change less, `history_size`,
    `line_search_fn`: None or "strong_wolfe". State, that of the first parameter: `func_evals`, `n_iter`, `d`,
    `t`, `old_dirs` (y), `old_stps` (s), `ro` (ρ), `H_diag`, `prev_flat_grad`, `prev_loss`.

    Raises `ArgumentError` for a hyperparameter out of its range, more than one group or no closure, and
    `CaptureError` in a compiled step: how often the closure is called depends on values.

    >>> import stepgrad as sg
    >>> w = sg.tensor([1.0, -3.0], requires_grad=True)
    >>> optimizer = sg.optim.LBFGS([w], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = ((w - sg.tensor([2.0, 5.0])) ** 2).sum()
    ...     loss.backward()
    ...     return loss
    >>> _ = optimizer.step(closure)
    >>> w.detach().round(decimals=4)
    tensor([2., 5.])
    """

    elementwise = False
    limits: ClassVar[dict[str, Limit]] = {
        "lr": NOT_NEGATIVE,
        "max_iter": POSITIVE_COUNT,
        "max_eval": POSITIVE_COUNT,
        "tolerance_grad": NOT_NEGATIVE,
        "tolerance_change": NOT_NEGATIVE,
        "history_size": POSITIVE_COUNT,
        "line_search_fn": _LINE_SEARCH,
    }

    def __init__(
        self,
        params: Any,
        lr: float = 1.0,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "max_iter": max_iter,
                "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
                "tolerance_grad": tolerance_grad,
                "tolerance_change": tolerance_change,
                "history_size": history_size,
                "line_search_fn": line_search_fn,
            },
        )

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add the one group that there is. Raises `ArgumentError` for a second one."""
        if self.param_groups:
            raise ArgumentError(
                "LBFGS takes all parameters in one group, since it moves along one direction."
            )
        super().add_param_group(param_group)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take up to `max_iter` iterations. Return the loss before the first one."""
        if closure is None:
            raise ArgumentError("LBFGS.step needs a closure that computes the loss and its gradients.")
        if hides_values():
            raise CaptureError(
                "LBFGS decides by the values of losses how often it evaluates them, so its step cannot be "
                "compiled. Compile the closure, and call optimizer.step(closure) outside."
            )
        with no_grad():
            return self._step(enable_grad()(closure))

    def _step(self, evaluate: Callable[[], Any]) -> Any:
        group = self.param_groups[0]
        state = self.state[group["params"][0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        loss = evaluate()
        evaluations = 1
        value, gradient = float(loss), self._gradient()
        if float(gradient.abs().max()) > group["tolerance_grad"]:
            for iteration in range(1, group["max_iter"] + 1):
                state["n_iter"] += 1
                is_last = iteration == group["max_iter"]
                here = (value, gradient)
                moved = self._iterate(evaluate, state, group, here, group["max_eval"] - evaluations, is_last)
                if moved is None:
                    break
                value, gradient, calls = moved
                evaluations += calls
                if (
                    is_last
                    or evaluations >= group["max_eval"]
                    or self._is_done(state, group, value, gradient)
                ):
                    break
        state["func_evals"] += evaluations
        return loss

    def _iterate(
        self, evaluate: Callable[[], Any], state: dict[str, Any], group: dict[str, Any],
        here: tuple[float, Any], left: int, is_last: bool,
    ) -> tuple[float, Any, int] | None:  # fmt: skip
        """Move once. Return value, gradient and the number of calls; None where it does not go downwards."""
        value, gradient = here
        if state["n_iter"] == 1:
            state.update(d=-gradient, old_dirs=[], old_stps=[], ro=[], H_diag=1.0)
        else:
            _remember(state, gradient, group["history_size"])
            state["d"] = _direction(state, gradient)
        state.update(prev_flat_grad=gradient, prev_loss=value)
        direction = state["d"]
        length = number_of(group["lr"])
        if state["n_iter"] == 1:
            length *= min(1.0, 1.0 / float(gradient.abs().sum()))
        state["t"] = length
        slope = float(gradient @ direction)
        if slope > -group["tolerance_change"]:
            return None
        if group["line_search_fn"] is None:
            self._move(length, direction)
            if is_last:
                return value, gradient, 0
            return float(evaluate()), self._gradient(), 1
        places = [p.detach().clone() for p in group["params"]]

        def at(length: float) -> Point:
            self._move(length, direction)
            value = float(evaluate())
            for p, place in zip(group["params"], places):
                p.copy_(place)
            there = self._gradient()
            return Point(length, value, there, float(there @ direction))

        largest = float(direction.abs().max())
        found, calls = strong_wolfe(at, Point(0.0, value, gradient, slope), length, largest, left)
        state["t"] = found.length
        self._move(found.length, direction)
        return found.value, found.gradient, calls

    def _is_done(self, state: dict[str, Any], group: dict[str, Any], value: float, gradient: Any) -> bool:
        """Return whether there is nothing left to gain."""
        change = group["tolerance_change"]
        return (
            float(gradient.abs().max()) <= group["tolerance_grad"]
            or float(state["d"].abs().max()) * state["t"] <= change
            or abs(value - state["prev_loss"]) < change
        )

    def _gradient(self) -> Any:
        """Return the gradients of all parameters as one vector."""
        params = self.param_groups[0]["params"]
        return cat(
            [
                zeros(p.numel(), dtype=p.dtype, device=p.device)
                if p.grad is None
                else p.grad.detach().reshape(-1)
                for p in params
            ]
        )

    def _move(self, length: float, direction: Any) -> None:
        """Move all parameters along a direction."""
        begin = 0
        for p in self.param_groups[0]["params"]:
            end = begin + p.numel()
            p.add_(direction[begin:end].reshape(p.shape), alpha=length)
            begin = end


def _remember(state: dict[str, Any], gradient: Any, history_size: int) -> None:
    """Keep the last step and the change of the gradient along it, if the function curves upwards there."""
    y, s = gradient - state["prev_flat_grad"], state["d"] * state["t"]
    curvature = float(y @ s)
    if curvature <= 1e-10:
        return
    for name, value in (("old_dirs", y), ("old_stps", s), ("ro", 1.0 / curvature)):
        state[name] = [*state[name], value][-history_size:]
    state["H_diag"] = curvature / float(y @ y)


def _direction(state: dict[str, Any], gradient: Any) -> Any:
    """Return −H g by the two-loop recursion."""
    pairs = list(zip(state["old_dirs"], state["old_stps"], state["ro"], strict=True))
    d = -gradient
    alphas = []
    for y, s, ro in reversed(pairs):
        alphas.append(float(s @ d) * ro)
        d = d - alphas[-1] * y
    d = d * state["H_diag"]
    for (y, s, ro), alpha in zip(pairs, reversed(alphas), strict=True):
        d = d + (alpha - float(y @ d) * ro) * s
    return d
