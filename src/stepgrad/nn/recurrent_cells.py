"""The cells of RNN, LSTM and GRU as modules: one time step at a time."""

from __future__ import annotations

import math
from typing import Any

from stepgrad.autograd.engine import apply
from stepgrad.errors import ArgumentError, DtypeError, ShapeError
from stepgrad.functions.creation import empty, zeros
from stepgrad.functions.joining import stack
from stepgrad.nn import functional as F
from stepgrad.nn import init
from stepgrad.nn.module import Module
from stepgrad.nn.parameter import Parameter
from stepgrad.ops.cells import cell_named
from stepgrad.ops.registry import REGISTRY
from stepgrad.tensor import Tensor


def of_input(module: Module, mode: str, x: Tensor, end: str) -> tuple[Tensor, Tensor | None]:
    """Return what the gates get from the inputs, and the bias that is added to what they get from the state.

    That is one of the two biases for GRU, whose reset gate acts on it, and None for the others.
    """
    weight = getattr(module, f"weight_ih{end and f'_{end}'}")
    if not module.bias:
        return F.linear(x, weight), None
    of_input, of_state = (getattr(module, f"bias_{name}{end and f'_{end}'}") for name in ("ih", "hh"))
    if mode == "gru":
        return F.linear(x, weight, of_input), of_state
    return F.linear(x, weight, of_input + of_state), None


def start_of(states: tuple[Tensor, ...] | None, count: int, rows: int, hidden: int, like: Tensor) -> Tensor:
    """Return the states before the first step as one tensor (states, batch, hidden), 0 if there are none."""
    if states is None:
        return zeros(count, rows, hidden, dtype=like.dtype, device=like.device)
    return states[0].unsqueeze(0) if count == 1 else stack(list(states))


class RNNCellBase(Module):
    """What `RNNCell`, `LSTMCell` and `GRUCell` share: `weight_ih`, `weight_hh`, `bias_ih`, `bias_hh`.

    >>> import stepgrad as sg
    >>> isinstance(sg.nn.LSTMCell(2, 3), sg.nn.RNNCellBase)
    True
    """

    def __init__(
        self, mode: str, input_size: int, hidden_size: int, bias: bool, device: Any, dtype: Any
    ) -> None:
        super().__init__()
        if type(hidden_size) is not int or hidden_size < 1:
            raise ArgumentError(
                f"{type(self).__name__} needs a hidden_size of 1 or more, not {hidden_size!r}."
            )
        self.mode, self.input_size, self.hidden_size, self.bias = mode, input_size, hidden_size, bias
        gates = cell_named(mode).gates * hidden_size
        self.weight_ih = Parameter(empty(gates, input_size, device=device, dtype=dtype))
        self.weight_hh = Parameter(empty(gates, hidden_size, device=device, dtype=dtype))
        for name in ("bias_ih", "bias_hh"):
            given = Parameter(empty(gates, device=device, dtype=dtype)) if bias else None
            self.register_parameter(name, given)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def _step(self, x: Tensor, states: tuple[Tensor, ...] | None) -> tuple[Tensor, ...]:
        """Return the states after a step: x (batch, input_size) or (input_size)."""
        if not isinstance(x, Tensor):
            raise DtypeError(f"{type(self).__name__} takes a tensor, not {type(x).__name__}.")
        for name, size, given in [
            ("an input", self.input_size, x), *(("a state", self.hidden_size, s) for s in states or ())
        ]:  # fmt: skip
            if given.ndim not in (1, 2) or given.ndim != x.ndim or given.shape != (*x.shape[:-1], size):
                raise ShapeError(
                    f"{type(self).__name__} takes {name} of {size} numbers, (batch, {size}) or ({size}), not "
                    f"shape {list(given.shape)}."
                )
        if x.ndim == 1:
            x = x.unsqueeze(0)
            states = None if states is None else tuple(s.unsqueeze(0) for s in states)
            return tuple(s.squeeze(0) for s in self._step(x, states))
        gates, bias = of_input(self, self.mode, x, "")
        count = cell_named(self.mode).states
        start = start_of(states, count, x.shape[0], self.hidden_size, x)
        y = apply(
            REGISTRY["recurrence"], gates.unsqueeze(0), self.weight_hh, bias, start, None, cell=self.mode,
            reverse=False,
        )  # fmt: skip
        return tuple(y[k, 1] for k in range(count))

    def extra_repr(self) -> str:
        shown = f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False")
        return shown + (", nonlinearity=relu" if self.mode == "relu" else "")


class RNNCell(RNNCellBase):
    """One step of an `RNN`: h′ = tanh(W_ih x + b_ih + W_hh h + b_hh), or with ReLU.

    Input (batch, input_size) or (input_size), h (batch, hidden_size) or None for 0; returns h′.

    >>> import stepgrad as sg
    >>> sg.nn.RNNCell(3, 4)(sg.zeros(2, 3)).shape
    (2, 4)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ArgumentError(f"RNNCell needs nonlinearity to be 'tanh' or 'relu', not {nonlinearity!r}.")
        super().__init__(nonlinearity, input_size, hidden_size, bias, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """Return h′."""
        return self._step(input, None if hx is None else (hx,))[0]


class LSTMCell(RNNCellBase):
    """One step of an `LSTM`: input (batch, input_size), (h, c) or None for 0; returns (h′, c′).

    >>> import stepgrad as sg
    >>> h, c = sg.nn.LSTMCell(3, 4)(sg.zeros(2, 3))
    >>> h.shape, c.shape
    ((2, 4), (2, 4))
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__("lstm", input_size, hidden_size, bias, device, dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, ...]:
        """Return (h′, c′)."""
        return self._step(input, None if hx is None else tuple(hx))


class GRUCell(RNNCellBase):
    """One step of a `GRU`: input (batch, input_size), h (batch, hidden_size) or None for 0; returns h′.

    >>> import stepgrad as sg
    >>> sg.nn.GRUCell(3, 4)(sg.zeros(2, 3)).shape
    (2, 4)
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__("gru", input_size, hidden_size, bias, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """Return h′."""
        return self._step(input, None if hx is None else (hx,))[0]


__all__ = ["GRUCell", "LSTMCell", "RNNCell", "RNNCellBase"]
