"""Recurrences: a cell applied to one time step after the other.

The results of all steps lie in one array, the states before the first step among them, so that the states
before each step are a view of it. The derivative goes back through time in a record of its own.
"""

from __future__ import annotations

from stepgrad.ops.called import at_step, called
from stepgrad.ops.cells import cell_named
from stepgrad.ops.contractions import transposed
from stepgrad.ops.namespace import namespace_of
from stepgrad.ops.record import composite
from stepgrad.ops.samples import Sample, integer, real


def _order(steps, reverse):
    """Return (step, place of the states before it, place of those after it) in the order of time."""
    forward = [(t, t, t + 1) for t in range(steps)]
    return [(t, t + 1, t) for t in reversed(range(steps))] if reverse else forward


def _blocks(xp, x, count):
    """Return the parts of the last dimension."""
    size = x.shape[-1] // count
    return [xp.slice(x, index=(Ellipsis, slice(k * size, (k + 1) * size))) for k in range(count)]


def _parts(x, count):
    """Return the parts of the last dimension of an array."""
    size = x.shape[-1] // count
    return [x[..., k * size : (k + 1) * size] for k in range(count)]


def _joined(xp, parts):
    return parts[0] if len(parts) == 1 else xp.cat(*parts, dim=parts[0].ndim - 1)


def _through_weights(x, weight, bias):
    p = x @ weight.T
    if bias is not None:
        p += bias
    return p


def _is_going(xp, lengths, t):
    """Return which rows of the batch have a step t, as a column; None if all have."""
    return None if lengths is None else xp.reshape(lengths > t, shape=(lengths.shape[0], 1))


@composite
class recurrence:
    """States of a cell over time: s_t = cell(x_t, W h_{t−1} + b, s_{t−1}).

    x of shape (T, N, gates · H), weight (gates · H, H), bias (gates · H) or None, start (states, N, H), the
    states before the first step, lengths (N) or None: a row whose length is reached keeps its states. The
    result has the shape (states, T + 1, N, H): the states before each step and after the last. With `reverse`
    time runs backwards, and the start lies at the end. `cell`: a name of `ops.cells.CELLS`.
    """

    promotes = None

    def forward(np, x, weight, bias, start, lengths, *, cell, reverse):
        m, cell = namespace_of(np), cell_named(cell)
        y = np.empty((cell.states, x.shape[0] + 1, *start.shape[1:]), x.dtype)
        y[:, x.shape[0] if reverse else 0] = start
        for t, before, after in _order(x.shape[0], reverse):
            states = [y[k, before] for k in range(cell.states)]
            p = _through_weights(states[0], weight, bias)
            a = cell.mixed(_parts(x[t], cell.gates), _parts(p, cell.gates))
            going = _is_going(m, lengths, t)
            for k, new in enumerate(cell.value(m, a, states)):
                y[k, after] = new if going is None else np.where(going, new, states[k])
        return y

    def expand(xp, x, weight, bias, start, lengths, *, cell, reverse):
        cell = cell_named(cell)
        states = [xp.slice(start, index=(k,)) for k in range(cell.states)]
        rows = [states]
        for t, _, _ in _order(x.shape[0], reverse):
            with at_step(t):
                p = called(xp.linear(states[0], weight, bias), "p")
                x_t = _blocks(xp, xp.slice(x, index=(t,)), cell.gates)
                new = cell.value(xp, cell.mixed(x_t, _blocks(xp, p, cell.gates)), states)
                going = _is_going(xp, lengths, t)
                if going is not None:
                    new = [xp.where(going, after, before) for after, before in zip(new, states, strict=True)]
                states = [called(one, name) for one, name in zip(new, cell.names, strict=True)]
            rows.append(states)
        shape = (1, 1, *start.shape[1:])
        rows = rows[::-1] if reverse else rows
        sequences = [
            xp.cat(*(xp.reshape(row[k], shape=shape) for row in rows), dim=1) for k in range(cell.states)
        ]
        return sequences[0] if cell.states == 1 else xp.cat(*sequences, dim=0)

    def vjp(xp, g, y, x, weight, bias, start, lengths, *, needs, cell, reverse):
        steps, rows, hidden = y.shape[1] - 1, y.shape[2], y.shape[3]
        kind = cell_named(cell)
        # The hidden states before each step.
        h = xp.slice(y, index=(0, slice(1, None) if reverse else slice(None, -1)))
        p = xp.linear(h, weight, bias)
        a = x + p if kind.inputs == kind.gates else _joined(
            xp, kind.mixed(_blocks(xp, x, kind.gates), _blocks(xp, p, kind.gates))
        )  # fmt: skip
        found = xp.recurrence_back(g, y, a, weight, lengths, cell=cell, reverse=reverse)
        size = steps * rows * kind.inputs * hidden
        ga = xp.reshape(xp.slice(found, index=(slice(0, size),)), shape=(steps, rows, kind.inputs * hidden))
        gp = ga if not kind.first else xp.slice(ga, index=(Ellipsis, slice(kind.first * hidden, None)))
        flat = xp.reshape(gp, shape=(steps * rows, kind.gates * hidden))
        gx = gw = gb = gs = None
        if needs[0]:
            gx = ga if not kind.first else _joined(xp, kind.of_x(_blocks(xp, ga, kind.inputs)))
        if needs[1]:
            gw = xp.matmul(transposed(xp, flat), xp.reshape(h, shape=(steps * rows, hidden)))
        if needs[2]:
            gb = xp.sum(flat, dim=(0,), keepdim=False)
        if needs[3]:
            gs = xp.reshape(xp.slice(found, index=(slice(size, None),)), shape=(kind.states, rows, hidden))
        return gx, gw, gb, gs, None

    reads = ("y", "x", "weight", "bias", "lengths")
    samples = [
        Sample(real(-1, 1, (3, 2, 2)), real(-1, 1, (2, 2)), real(-1, 1, (2,)), real(-1, 1, (1, 2, 2)), None,
               cell="tanh", reverse=False),
        Sample(real(-1, 1, (3, 2, 2)), real(-1, 1, (2, 2)), None, real(-1, 1, (1, 2, 2)), integer(1, 4, (2,)),
               cell="tanh", reverse=True),
        Sample(real(0.2, 1, (2, 3, 2)), real(0.1, 1, (2, 2)), None, real(0.1, 1, (1, 3, 2)), None,
               cell="relu", reverse=False),
        Sample(real(-1, 1, (2, 3, 8)), real(-1, 1, (8, 2)), None, real(-1, 1, (2, 3, 2)), None,
               cell="lstm", reverse=False),
        Sample(real(-1, 1, (3, 2, 4)), real(-1, 1, (4, 1)), real(-1, 1, (4,)), real(-1, 1, (2, 2, 1)),
               integer(1, 4, (2,)), cell="lstm", reverse=True),
        Sample(real(-1, 1, (2, 2, 6)), real(-1, 1, (6, 2)), real(-1, 1, (6,)), real(-1, 1, (1, 2, 2)), None,
               cell="gru", reverse=True),
        Sample(real(-1, 1, (3, 2, 3)), real(-1, 1, (3, 1)), None, real(-1, 1, (1, 2, 1)), integer(1, 4, (2,)),
               cell="gru", reverse=False),
    ]  # fmt: skip


@composite
class recurrence_back:
    """The gradients that flow back through time in a `recurrence`.

    g, y: gradient and result of the recurrence, (states, T + 1, N, H); a: the inputs of the cell in all
    steps, (T, N, inputs · H); weight and lengths as there. The result is one vector: the gradients of a, then
    those of the states before the first step.
    """

    promotes = None

    def forward(np, g, y, a, weight, lengths, *, cell, reverse):
        m, cell = namespace_of(np), cell_named(cell)
        states, steps = y.shape[0], y.shape[1] - 1
        found = np.empty(a.size + y[:, 0].size, a.dtype)
        ga, carried = found[: a.size].reshape(a.shape), found[a.size :].reshape(y[:, 0].shape)
        carried[:] = 0
        hidden = y.shape[-1]
        for t, before, after in reversed(_order(steps, reverse)):
            total = [g[k, after] + carried[k] for k in range(states)]
            into, back = cell.partials(m, _parts(a[t], cell.inputs), y[:, before], y[:, after], total)
            going = _is_going(m, lengths, t)
            for part, one in zip(_parts(ga[t], cell.inputs), into, strict=True):
                part[...] = one if going is None else np.where(going, one, 0)
            for k, one in enumerate(back):
                one = 0 if one is None else one
                carried[k] = one if going is None else np.where(going, one, total[k])
            carried[0] += ga[t][:, cell.first * hidden :] @ weight
        carried += g[:, steps if reverse else 0]
        return found

    def expand(xp, g, y, a, weight, lengths, *, cell, reverse):
        cell = cell_named(cell)
        states, steps = y.shape[0], y.shape[1] - 1
        carried = [None] * states
        found = [None] * steps
        for t, before, after in reversed(_order(steps, reverse)):
            s, new, total = ([xp.slice(z, index=(k, i)) for k in range(states)] for z, i in
                             ((y, before), (y, after), (g, after)))  # fmt: skip
            total = [x if c is None else x + c for x, c in zip(total, carried, strict=True)]
            a_t = _blocks(xp, xp.slice(a, index=(t,)), cell.inputs)
            with at_step(t):
                total[0] = called(total[0], "δh")
                into, carried = cell.partials(xp, a_t, s, new, total)
            going = _is_going(xp, lengths, t)
            if going is not None:
                into = [xp.where(going, x, 0.0) for x in into]
                carried = [
                    xp.where(going, 0.0 if x is None else x, z) for x, z in zip(carried, total, strict=True)
                ]
            found[t] = _joined(xp, into)
            p = xp.matmul(_joined(xp, into[cell.first :]), weight)
            carried[0] = p if carried[0] is None else carried[0] + p
        first = [xp.slice(g, index=(k, steps if reverse else 0)) for k in range(states)]
        first = [x if c is None else x + c for x, c in zip(first, carried, strict=True)]
        return xp.cat(*(xp.reshape(x, shape=(x.shape[0] * x.shape[1],)) for x in (*found, *first)), dim=0)

    samples = [
        Sample(real(shape=(2, 2, 2, 1)), real(-1, 1, (2, 2, 2, 1)), real(-1, 1, (1, 2, 4)),
               real(-1, 1, (4, 1)), None, cell="lstm", reverse=False),
        Sample(real(shape=(2, 3, 2, 1)), real(-1, 1, (2, 3, 2, 1)), real(-1, 1, (2, 2, 4)),
               real(-1, 1, (4, 1)), integer(1, 3, (2,)), cell="lstm", reverse=True),
        Sample(real(shape=(1, 3, 2, 2)), real(-1, 1, (1, 3, 2, 2)), real(-1, 1, (2, 2, 8)),
               real(-1, 1, (6, 2)), integer(1, 3, (2,)), cell="gru", reverse=False),
    ]  # fmt: skip
