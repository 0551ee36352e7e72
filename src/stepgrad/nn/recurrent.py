"""Recurrent layers: RNN, LSTM and GRU over sequences.

The part of the gates that comes from the inputs is one product for all time steps; only what comes from the
state before goes step by step, in one operation (`ops.recurrent`).
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy

from stepgrad.autograd.engine import apply
from stepgrad.errors import ArgumentError, DtypeError, ShapeError
from stepgrad.functions.creation import empty, from_numpy, zeros
from stepgrad.functions.joining import cat, stack
from stepgrad.nn import functional as F
from stepgrad.nn import init
from stepgrad.nn.module import Module
from stepgrad.nn.parameter import Parameter
from stepgrad.nn.recurrent_cells import of_input, start_of
from stepgrad.nn.utils.rnn import PackedSequence, places
from stepgrad.ops.cells import cell_named
from stepgrad.ops.registry import REGISTRY
from stepgrad.tensor import Tensor


class RNNBase(Module):
    """What `RNN`, `LSTM` and `GRU` share: layers, directions, weights with PyTorch's names, and the run.

    Layer k has `weight_ih_lk` (gates · hidden, inputs), `weight_hh_lk` (gates · hidden, hidden), `bias_ih_lk`
    and `bias_hh_lk` (gates · hidden), the way back the same with `_reverse`; all start uniform in ±1/√hidden.

    >>> import stepgrad as sg
    >>> isinstance(sg.nn.LSTM(2, 3), sg.nn.RNNBase)
    True
    """

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.mode, self.input_size, self.hidden_size = mode, input_size, hidden_size
        self.num_layers, self.bias, self.batch_first = num_layers, bias, batch_first
        self.dropout, self.bidirectional, self.proj_size = dropout, bidirectional, proj_size
        self._check_arguments()
        self.dropout = float(dropout)
        self._create_weights(device, dtype)
        self.reset_parameters()

    def _check_arguments(self) -> None:
        owner = type(self).__name__
        for name, size in (("hidden_size", self.hidden_size), ("num_layers", self.num_layers)):
            if type(size) is not int or size < 1:
                raise ArgumentError(f"{owner} needs {name} to be a whole number of 1 or more, not {size!r}.")
        if not 0 <= self.dropout <= 1:
            raise ArgumentError(f"{owner} needs dropout to be a probability, not {self.dropout!r}.")
        if not 0 <= self.proj_size < self.hidden_size or (self.proj_size and self.mode != "lstm"):
            raise ArgumentError(
                f"{owner} needs proj_size to be 0, or for LSTM less than hidden_size, not {self.proj_size!r}."
            )
        if self.dropout and self.num_layers == 1:
            warnings.warn(
                f"{owner} drops out between layers, of which there is one: dropout={self.dropout} does "
                f"nothing.",
                stacklevel=4,
            )

    def _create_weights(self, device: Any, dtype: Any) -> None:
        gates = cell_named(self.mode).gates * self.hidden_size
        outputs = self.proj_size or self.hidden_size
        for layer in range(self.num_layers):
            inputs = outputs * self._directions if layer else self.input_size
            for end in self._ends(layer):
                shapes: dict[str, tuple[int, ...]]
                shapes = {"weight_ih": (gates, inputs), "weight_hh": (gates, outputs)}
                if self.bias:
                    shapes |= {"bias_ih": (gates,), "bias_hh": (gates,)}
                if self.proj_size:
                    shapes["weight_hr"] = (self.proj_size, self.hidden_size)
                for name, shape in shapes.items():
                    setattr(self, f"{name}_{end}", Parameter(empty(*shape, device=device, dtype=dtype)))

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    def _ends(self, layer: int) -> list[str]:
        """Return what the names of a layer's weights end with, one for each direction."""
        return [f"l{layer}", f"l{layer}_reverse"][: self._directions]

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def flatten_parameters(self) -> None:
        """Do nothing: PyTorch's arrangement of weights for cuDNN is not needed here."""

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The weights of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_names()]

    @property
    def _flat_weights_names(self) -> list[str]:
        """The names of all weights: PyTorch's private list, which textbooks initialise from."""
        return [name for names in self._all_names() for name in names]

    def _all_names(self) -> list[list[str]]:
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
        ends = [end for layer in range(self.num_layers) for end in self._ends(layer)]
        return [[f"{n}_{e}" for n in names if f"{n}_{e}" in self._parameters] for e in ends]

    # --------------------------------------------------------------------------------------- run

    def _run(self, input: Any, states: tuple[Tensor, ...] | None) -> tuple[Any, tuple[Tensor, ...]]:
        """Return the outputs and the last states, in the form in which the input came."""
        if isinstance(input, PackedSequence):
            return self._run_packed(input, states)
        self._check_input(input, (2, 3))
        if input.ndim == 2:
            states = None if states is None else tuple(s.unsqueeze(1) for s in states)
            output, last = self._layers(input.unsqueeze(1), self._started(states, 1, input), None)
            return output.squeeze(1), tuple(s.squeeze(1) for s in last)
        x = input.transpose(0, 1) if self.batch_first else input
        output, last = self._layers(x, self._started(states, x.shape[1], input), None)
        return output.transpose(0, 1) if self.batch_first else output, last

    def _run_packed(
        self, packed: PackedSequence, states: tuple[Tensor, ...] | None
    ) -> tuple[PackedSequence, tuple[Tensor, ...]]:
        self._check_input(packed.data, (2,))
        lengths = packed.lengths()
        if states is not None and packed.sorted_indices is not None:
            states = tuple(s.index_select(1, packed.sorted_indices) for s in states)
        started = self._started(states, len(lengths), packed.data)
        output, last = self._layers(packed.data, started, lengths)
        if packed.unsorted_indices is not None:
            last = tuple(s.index_select(1, packed.unsorted_indices) for s in last)
        return packed._replace(data=output), last

    def _check_input(self, x: Any, dimensions: tuple[int, ...]) -> None:
        owner = type(self).__name__
        if not isinstance(x, Tensor):
            raise DtypeError(f"{owner} takes a tensor or a PackedSequence, not {type(x).__name__}.")
        if x.ndim not in dimensions or x.shape[-1] != self.input_size or not x.shape[0]:
            order = "(batch, steps, features)" if self.batch_first else "(steps, batch, features)"
            raise ShapeError(
                f"{owner} takes {order} or (steps, features), with {self.input_size} features and at least "
                f"one step, not shape {list(x.shape)}."
            )
        weight: Tensor = self.weight_ih_l0
        if x.dtype is not weight.dtype:
            raise DtypeError(
                f"{owner} has weights of {weight.dtype.name} and got an input of {x.dtype.name}. Convert it "
                f"with .to({weight.dtype})."
            )

    def _started(
        self, states: tuple[Tensor, ...] | None, rows: int, like: Tensor
    ) -> tuple[Tensor, ...] | None:
        """Return the states before the first step after a look at their shapes."""
        if states is None:
            return None
        for i, state in enumerate(states):
            size = (self.hidden_size if i else self.proj_size or self.hidden_size,)
            right = (self.num_layers * self._directions, rows, *size)
            if state.shape != right:
                raise ShapeError(
                    f"{type(self).__name__} needs {('h_0', 'c_0')[i]} of shape {list(right)} (layers × "
                    f"directions, batch, hidden), not {list(state.shape)}."
                )
        return states

    def _layers(
        self, x: Tensor, states: tuple[Tensor, ...] | None, lengths: numpy.ndarray | None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the outputs of the last layer, and the last states of all, each stacked.

        x (steps, batch, features), or packed (rows, features) with `lengths`.
        """
        last: list[tuple[Tensor, ...]] = []
        for layer in range(self.num_layers):
            outputs = []
            for direction, end in enumerate(self._ends(layer)):
                k = layer * self._directions + direction
                before = None if states is None else tuple(s[k] for s in states)
                output, after = self._direction(x, end, before, lengths, reverse=direction == 1)
                outputs.append(output)
                last.append(after)
            x = outputs[0] if len(outputs) == 1 else cat(outputs, outputs[0].ndim - 1)
            if self.dropout and layer < self.num_layers - 1:
                x = F.dropout(x, self.dropout, self.training)
        return x, tuple(stack(list(parts)) for parts in zip(*last))

    def _direction(
        self, x: Tensor, end: str, states: tuple[Tensor, ...] | None, lengths: numpy.ndarray | None,
        reverse: bool,
    ) -> tuple[Tensor, tuple[Tensor, ...]]:  # fmt: skip
        """Return the outputs of one layer in one direction, and its last states."""
        weight: Tensor = getattr(self, f"weight_hh_{end}")
        gates, bias = of_input(self, self.mode, x, end)
        if lengths is not None:
            gates = _padded(gates, lengths)
        projection: Tensor | None = None
        if self.proj_size:
            # h = W_hr m, so the gates get W_hh W_hr m: the recurrence is that of m, the state before W_hr.
            # Its first step is given what W_hh makes of h_0.
            projection = getattr(self, f"weight_hr_{end}")
            if states is not None:
                gates = gates + _first_step(gates, lengths, reverse) * F.linear(states[0], weight)
                states = (zeros(*states[1].shape, dtype=x.dtype, device=x.device), states[1])
            weight = weight @ projection
        start = start_of(states, cell_named(self.mode).states, gates.shape[1], self.hidden_size, x)
        kept = None if lengths is None else from_numpy(lengths)
        y = apply(REGISTRY["recurrence"], gates, weight, bias, start, kept, cell=self.mode, reverse=reverse)
        output, final = (y[0, :-1], y[:, 0]) if reverse else (y[0, 1:], y[:, -1])
        after = tuple(final[k] for k in range(len(final)))
        if projection is not None:
            output, after = F.linear(output, projection), (F.linear(after[0], projection), after[1])
        if lengths is not None:
            flat = output.reshape(-1, output.shape[-1])
            output = flat[from_numpy(places(lengths))]
        return output, after

    def extra_repr(self) -> str:
        shown = [str(self.input_size), str(self.hidden_size)]
        for name, usual in (
            ("proj_size", 0), ("num_layers", 1), ("bias", True), ("batch_first", False), ("dropout", 0.0),
            ("bidirectional", False),
        ):  # fmt: skip
            if getattr(self, name) != usual:
                shown.append(f"{name}={getattr(self, name)}")
        return ", ".join(shown)


def _padded(packed: Tensor, lengths: numpy.ndarray) -> Tensor:
    """Return packed rows as (longest, sequences, …); what stands where a sequence is over does not matter."""
    index = numpy.zeros((int(lengths[0]), len(lengths)), "int64")
    index.reshape(-1)[places(lengths)] = numpy.arange(len(packed))
    return packed[from_numpy(index)]


def _first_step(gates: Tensor, lengths: numpy.ndarray | None, reverse: bool) -> Tensor:
    """Return 1 where a row has its first step, else 0: (steps, batch or 1, 1)."""
    steps = numpy.arange(gates.shape[0])[:, None]
    first = numpy.array([len(steps)] if lengths is None else lengths)[None, :] - 1 if reverse else 0
    return from_numpy((steps == first)[..., None].astype(gates.dtype.name))


class RNN(RNNBase):
    """A recurrent network (Elman, 1990): h_t = tanh(W_ih x_t + b_ih + W_hh h_{t−1} + b_hh), or with ReLU.

    Input (steps, batch, input_size), with `batch_first` (batch, steps, input_size), one sequence (steps,
    input_size), or a `PackedSequence`; h_0 (layers × directions, batch, hidden_size) or None for 0. Returns
    the outputs of the last layer, (steps, batch, directions × hidden_size), and h_n, shaped like h_0.

    Arguments: `input_size`, `hidden_size`, `num_layers`, `nonlinearity` ("tanh" or "relu"), `bias`,
    `batch_first`, `dropout` (between layers), `bidirectional`. Raises `ShapeError` or `DtypeError` for what
    does not fit.

    >>> import stepgrad as sg
    >>> output, h = sg.nn.RNN(3, 4, num_layers=2)(sg.zeros(5, 2, 3))
    >>> output.shape, h.shape
    ((5, 2, 4), (2, 2, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ArgumentError(f"RNN needs nonlinearity to be 'tanh' or 'relu', not {nonlinearity!r}.")
        super().__init__(
            nonlinearity, input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional,
            device=device, dtype=dtype,
        )  # fmt: skip
        self.nonlinearity = nonlinearity

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        """Return the outputs and h_n."""
        output, (h,) = self._run(input, None if hx is None else (hx,))
        return output, h


class LSTM(RNNBase):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997; Gers, Schmidhuber and Cummins, 2000)::

        i, f, o = σ(W x_t + b + V h_{t−1} + d)   each with weights of its own
        g = tanh(W x_t + b + V h_{t−1} + d)
        c_t = f c_{t−1} + i g,   h_t = o tanh(c_t)

    Input (steps, batch, input_size), with `batch_first` (batch, steps, input_size), one sequence (steps,
    input_size), or a `PackedSequence`; (h_0, c_0), each (layers × directions, batch, hidden_size), or None
    for 0. Returns the outputs of the last layer, (steps, batch, directions × hidden_size), and (h_n, c_n).

    Arguments: `input_size`, `hidden_size`, `num_layers`, `bias`, `batch_first`, `dropout` (between layers),
    `bidirectional`, `proj_size`: h_t = W_hr (o tanh(c_t)) has so many numbers (Sak, Senior and Beaufays,
    2014). The order of the gates in the weights is i, f, g, o. Raises `ShapeError` or `DtypeError` for what
    does not fit.

    >>> import stepgrad as sg
    >>> output, (h, c) = sg.nn.LSTM(3, 4, bidirectional=True)(sg.zeros(5, 2, 3))
    >>> output.shape, h.shape, c.shape
    ((5, 2, 8), (2, 2, 4), (2, 2, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            "lstm", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size,
            device, dtype,
        )  # fmt: skip

    def forward(self, input: Any, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Any, tuple[Tensor, ...]]:
        """Return the outputs and (h_n, c_n)."""
        if hx is not None and (not isinstance(hx, (tuple, list)) or len(hx) != 2):
            raise ArgumentError("LSTM takes its states as a pair (h_0, c_0).")
        return self._run(input, None if hx is None else tuple(hx))


class GRU(RNNBase):
    """Gated recurrent units (Cho et al., 2014), with the reset gate after the product, as in PyTorch::

        r, z = σ(W x_t + b + V h_{t−1} + d)      each with weights of its own
        n = tanh(W x_t + b + r (V h_{t−1} + d))
        h_t = (1 − z) n + z h_{t−1}

    Input, h_0, results and arguments as for `RNN`, without `nonlinearity`. The order of the gates in the
    weights is r, z, n.

    >>> import stepgrad as sg
    >>> output, h = sg.nn.GRU(3, 4, batch_first=True)(sg.zeros(2, 5, 3))
    >>> output.shape, h.shape
    ((2, 5, 4), (1, 2, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            "gru", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional,
            device=device, dtype=dtype,
        )  # fmt: skip

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        """Return the outputs and h_n."""
        output, (h,) = self._run(input, None if hx is None else (hx,))
        return output, h


__all__ = ["GRU", "LSTM", "RNN", "RNNBase"]
