"""The cells of recurrent networks: what one time step does with numbers, in the scalar language.

A cell is stated for one number of the hidden state at a time. `a` are its inputs: what arrives from outside
and from the state before, through weights. Arrays, tensors, graph values and registers of native code can
all be handed over, so the loop over time exists once for each of these and not once for each cell.
"""

from __future__ import annotations

from typing import Any

from stepgrad.errors import ArgumentError
from stepgrad.ops.called import called


def _sigmoid(m: Any, x: Any) -> Any:
    return 1 / (1 + m.exp(-x))


class Cell:
    """What all cells share; the default is a cell whose inputs are the sums x + p.

    * `gates`: how many numbers x come from outside for each number of the state, and as many, p, from the
      state before. `states`: how many numbers are carried on; the first is the hidden state.
    * `inputs`: how many numbers `mixed` makes of x and p; `first`: which of them is the first that p is added
      to, all after it included.
    * `names`: what textbooks call the states.
    * `value(m, a, s)`: the new states. `partials(m, a, s, y, g)`: for gradients g of the new states y, those
      of a, and those of s, without the way by p.
    """

    gates = states = inputs = 1
    first = 0
    names = "h"

    @staticmethod
    def value(m: Any, a: Any, s: Any) -> Any:
        """Return the new states."""
        raise NotImplementedError

    @staticmethod
    def partials(m: Any, a: Any, s: Any, y: Any, g: Any) -> Any:
        """Return the gradients of the inputs and of the states before."""
        raise NotImplementedError

    @staticmethod
    def mixed(x: list[Any], p: list[Any]) -> list[Any]:
        """Return the inputs made of what comes from outside, and of what comes from the state."""
        return [one + other for one, other in zip(x, p, strict=True)]

    @staticmethod
    def of_x(a: list[Any]) -> list[Any]:
        """Return the gradients of x, given those of the inputs."""
        return a


class _Tanh(Cell):
    """h′ = tanh(x + p) (Elman, 1990)."""

    @staticmethod
    def value(m: Any, a: Any, s: Any) -> Any:
        return [m.tanh(a[0])]

    @staticmethod
    def partials(m: Any, a: Any, s: Any, y: Any, g: Any) -> Any:
        return [called(g[0] * (1 - y[0] * y[0]), "δa")], [None]


class _Relu(Cell):
    """h′ = max(x + p, 0)."""

    @staticmethod
    def value(m: Any, a: Any, s: Any) -> Any:
        return [m.maximum(a[0], 0.0)]

    @staticmethod
    def partials(m: Any, a: Any, s: Any, y: Any, g: Any) -> Any:
        return [called(m.where(a[0] > 0, g[0], 0.0), "δa")], [None]


class _Lstm(Cell):
    """i, f, o = σ(…), g = tanh(…); c′ = f c + i g, h′ = o tanh c′ (Hochreiter and Schmidhuber, 1997).

    The forget gate f is that of Gers, Schmidhuber and Cummins, 2000. Order of the gates: i, f, g, o.
    """

    gates, states, inputs = 4, 2, 4
    names = "hc"

    @staticmethod
    def gates_of(m: Any, a: Any) -> Any:
        """Return i, f, g and o."""
        i, f = called(_sigmoid(m, a[0]), "i"), called(_sigmoid(m, a[1]), "f")
        return i, f, called(m.tanh(a[2]), "g"), called(_sigmoid(m, a[3]), "o")

    @staticmethod
    def value(m: Any, a: Any, s: Any) -> Any:
        i, f, new, o = _Lstm.gates_of(m, a)
        c = f * s[1] + i * new
        return [o * m.tanh(c), c]

    @staticmethod
    def partials(m: Any, a: Any, s: Any, y: Any, g: Any) -> Any:
        i, f, new, o = _Lstm.gates_of(m, a)
        t = m.tanh(y[1])
        gc = called(g[1] + g[0] * o * (1 - t * t), "δc")
        into = called(gc * new * i * (1 - i), "δi"), called(gc * s[1] * f * (1 - f), "δf")
        back = called(gc * i * (1 - new * new), "δg"), called(g[0] * t * o * (1 - o), "δo")
        return [*into, *back], [None, gc * f]


class _Gru(Cell):
    """r, z = σ(…), n = tanh(xₙ + r pₙ), h′ = (1 − z) n + z h (Cho et al., 2014, with r after the product).

    Order of the gates: r, z, n; of the inputs: xₙ, r, z, pₙ.
    """

    gates, inputs, first = 3, 4, 1

    @staticmethod
    def value(m: Any, a: Any, s: Any) -> Any:
        _, z, new = _Gru.gates_of(m, a)
        return [new + z * (s[0] - new)]

    @staticmethod
    def gates_of(m: Any, a: Any) -> Any:
        """Return r, z and n."""
        r, z = called(_sigmoid(m, a[1]), "r"), called(_sigmoid(m, a[2]), "z")
        return r, z, called(m.tanh(a[0] + r * a[3]), "n")

    @staticmethod
    def partials(m: Any, a: Any, s: Any, y: Any, g: Any) -> Any:
        r, z, new = _Gru.gates_of(m, a)
        gn = called(g[0] * (1 - z) * (1 - new * new), "δn")
        gr = called(gn * a[3] * r * (1 - r), "δr")
        gz = called(g[0] * (s[0] - new) * z * (1 - z), "δz")
        return [gn, gr, gz, called(gn * r, "δp")], [g[0] * z]

    @staticmethod
    def mixed(x: list[Any], p: list[Any]) -> list[Any]:
        return [x[2], x[0] + p[0], x[1] + p[1], p[2]]

    @staticmethod
    def of_x(a: list[Any]) -> list[Any]:
        return [a[1], a[2], a[0]]


CELLS: dict[str, type[Cell]] = {"tanh": _Tanh, "relu": _Relu, "lstm": _Lstm, "gru": _Gru}


def cell_named(name: str) -> type[Cell]:
    """Return a cell. Raises `ArgumentError` for a name that is not there."""
    try:
        return CELLS[name]
    except KeyError:
        raise ArgumentError(f"there is no recurrent cell {name!r}; there are {', '.join(CELLS)}.") from None
