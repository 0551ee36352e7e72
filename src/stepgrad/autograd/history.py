"""Results that a gradient could be wanted of, though nothing remembers how they were computed."""

from __future__ import annotations

from typing import Any

from stepgrad.autograd import engine
from stepgrad.graph import Node
from stepgrad.ops.record import Op


class _CompiledOp(Op):
    """Stands where native code has computed something: not registered, without a derivative."""

    kind = "compiled"

    def __init__(self) -> None:
        self.name, self.source = "compiled", __name__
        self.keeps, self.keeps_for, self.keeps_rest, self.keeps_result = (), None, False, False
        self.differentiable, self.has_own_vjp = True, True

    def input_names(self) -> tuple[str, ...]:
        return ()


_COMPILED = _CompiledOp()


def without_history(array: Any) -> Any:
    """Return a tensor that requires gradients, as it would if it had been computed eagerly; a backward that
    arrives at it raises `GradientError`.
    """
    tensor = engine.Tensor._of(array)
    tensor.requires_grad = True
    tensor._node = Node(_COMPILED, {}, (), None, (), array, True)
    return tensor
