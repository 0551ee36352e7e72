"""The perceptron: one threshold unit and the rule by which it learns."""

from __future__ import annotations

from typing import Any

from stepgrad.autograd.modes import no_grad
from stepgrad.errors import ArgumentError, ShapeError
from stepgrad.functions.creation import as_tensor, zeros
from stepgrad.nn import functional as F
from stepgrad.nn import init
from stepgrad.nn.module import Module
from stepgrad.nn.parameter import Parameter
from stepgrad.tensor import Tensor


class Perceptron(Module):
    """1 where w · x + b ≥ 0, else 0: x (…, in_features) → (…) (Rosenblatt, 1958).

    `weight` (in_features) and `bias` () start at 0; no `bias` with ``bias=False``. What it separates lies on
    the two sides of the line (plane, …) w · x + b = 0, so that XOR is beyond it (Minsky and Papert, 1969). It
    has no gradient, and learns by `learn` instead.

    >>> import stepgrad as sg
    >>> x = sg.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> unit = Perceptron(2)
    >>> unit.learn(x, sg.tensor([0, 0, 0, 1]))  # AND; how many mistakes each pass over the rows made
    [2, 3, 3, 2, 1, 0]
    >>> unit(x)
    tensor([0., 0., 0., 1.])
    """

    def __init__(self, in_features: int, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        if in_features < 1:
            raise ArgumentError(f"Perceptron needs one input at least, not {in_features}.")
        self.in_features = in_features
        place = {"device": device, "dtype": dtype}
        self.weight = Parameter(zeros(in_features, **place), requires_grad=False)
        self.register_parameter("bias", Parameter(zeros((), **place), requires_grad=False) if bias else None)

    def reset_parameters(self) -> None:
        """Set weight and bias to 0."""
        for parameter in self.parameters():
            init.zeros_(parameter)

    def forward(self, input: Tensor) -> Tensor:
        """x (…, in_features) → 0 or 1 (…)."""
        if input.shape[-1:] != (self.in_features,):
            raise ShapeError(f"this Perceptron takes (…, {self.in_features}), not {list(input.shape)}.")
        total = (input * self.weight).sum(-1)
        return F.step(total if self.bias is None else total + self.bias)

    def learn(self, x: Any, target: Any, rate: float = 1.0, passes: int = 100) -> list[int]:
        """Correct the weights row by row, w += rate (t − y) x and b += rate (t − y), until a pass over all
        rows makes no mistake, or for `passes` passes; return the number of mistakes in each pass.

        `x`: (N, in_features), `target`: N times 0 or 1. If a line separates the rows, the last number is 0,
        after finitely many corrections (Novikoff, 1962). Raises `ShapeError` or `ArgumentError` for other
        rows or targets.
        """
        x = as_tensor(x).to(self.weight.device, self.weight.dtype)
        target = as_tensor(target).to(x.device, x.dtype)
        if x.ndim != 2 or target.shape != x.shape[:1]:
            raise ShapeError(
                f"learn takes rows (N, {self.in_features}) and a target (N), not {list(x.shape)} and "
                f"{list(target.shape)}."
            )
        if not ((target == 0) | (target == 1)).all():
            raise ArgumentError("a Perceptron learns targets that are 0 or 1.")
        mistakes: list[int] = []
        with no_grad():
            while len(mistakes) < passes and 0 not in mistakes:
                mistakes.append(sum(self._correct(row, t, rate) for row, t in zip(x, target, strict=True)))
        return mistakes

    def _correct(self, row: Tensor, target: Tensor, rate: float) -> int:
        """Move the weights where a row is taken for the wrong class; return whether it was."""
        step = rate * (target - self(row))
        if step.item() == 0:
            return 0
        self.weight.add_(step * row)
        if self.bias is not None:
            self.bias.add_(step)
        return 1

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, bias={self.bias is not None}"


__all__ = ["Perceptron"]
