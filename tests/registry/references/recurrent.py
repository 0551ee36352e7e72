"""Recurrences, one number at a time."""

import math
from typing import Any

import numpy

from tests.registry.references.filing import Array, reference


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


GATES = {"tanh": 1, "relu": 1, "lstm": 4, "gru": 3}


def stepped(cell: str, x: list[float], p: list[float], s: list[float]) -> list[float]:
    if cell == "tanh":
        return [math.tanh(x[0] + p[0])]
    if cell == "relu":
        return [max(x[0] + p[0], 0.0)]
    if cell == "lstm":
        i, f, o = (sigmoid(x[k] + p[k]) for k in (0, 1, 3))
        c = f * s[1] + i * math.tanh(x[2] + p[2])
        return [o * math.tanh(c), c]
    r, z = (sigmoid(x[k] + p[k]) for k in (0, 1))
    return [(1 - z) * math.tanh(x[2] + r * p[2]) + z * s[0]]


@reference
def recurrence(
    x: Array, weight: Array, bias: Any, start: Array, lengths: Any, *, cell: str, reverse: bool
) -> Array:
    states, rows, hidden = start.shape
    steps = len(x)
    result = numpy.empty((states, steps + 1, rows, hidden))
    result[:, -1 if reverse else 0] = start
    for count in range(steps):
        t = steps - 1 - count if reverse else count
        before, after = (t + 1, t) if reverse else (t, t + 1)
        for n in range(rows):
            for i in range(hidden):
                places = [k * hidden + i for k in range(GATES[cell])]
                p = [
                    sum(weight[row, j] * result[0, before, n, j] for j in range(hidden))
                    + (0 if bias is None else bias[row])
                    for row in places
                ]
                s = result[:, before, n, i]
                is_over = lengths is not None and t >= lengths[n]
                result[:, after, n, i] = s if is_over else stepped(cell, list(x[t, n, places]), p, list(s))
    return result


def back(
    cell: str, a: list[float], s: list[float], y: list[float], g: list[float]
) -> tuple[list[float], list[float]]:
    """The gradients of the inputs, and those of the states before along the way that goes by no weight."""
    if cell == "tanh":
        return [g[0] * (1 - y[0] ** 2)], [0.0]
    if cell == "relu":
        return [g[0] if a[0] > 0 else 0.0], [0.0]
    if cell == "lstm":
        i, f, o, new = sigmoid(a[0]), sigmoid(a[1]), sigmoid(a[3]), math.tanh(a[2])
        c = g[1] + g[0] * o / math.cosh(y[1]) ** 2
        slopes = [i * sigmoid(-a[0]), f * sigmoid(-a[1]), 1 / math.cosh(a[2]) ** 2, o * sigmoid(-a[3])]
        factors = [c * new, c * s[1], c * i, g[0] * math.tanh(y[1])]
        return [x * d for x, d in zip(factors, slopes, strict=True)], [0.0, c * f]
    r, z = sigmoid(a[1]), sigmoid(a[2])
    inner = a[0] + r * a[3]
    n = g[0] * (1 - z) / math.cosh(inner) ** 2
    of_r = n * a[3] * r * sigmoid(-a[1])
    return [n, of_r, g[0] * (s[0] - math.tanh(inner)) * z * sigmoid(-a[2]), n * r], [g[0] * z]


@reference
def recurrence_back(
    g: Array, y: Array, a: Array, weight: Array, lengths: Any, *, cell: str, reverse: bool
) -> Array:
    states, steps, rows, hidden = y.shape[0], y.shape[1] - 1, y.shape[2], y.shape[3]
    inputs = a.shape[-1] // hidden
    found = numpy.zeros(a.shape)
    carried = numpy.zeros((states, rows, hidden))
    for count in range(steps):
        t = count if reverse else steps - 1 - count
        before, after = (t + 1, t) if reverse else (t, t + 1)
        total = g[:, after] + carried
        carried = numpy.zeros_like(carried)
        for n in range(rows):
            if lengths is not None and t >= lengths[n]:
                carried[:, n] = total[:, n]
                continue
            for i in range(hidden):
                places = [k * hidden + i for k in range(inputs)]
                into, rest = back(
                    cell, list(a[t, n, places]), list(y[:, before, n, i]), list(y[:, after, n, i]),
                    list(total[:, n, i]),
                )  # fmt: skip
                found[t, n, places] = into
                carried[:, n, i] += rest
            first = hidden if cell == "gru" else 0
            for row, value in enumerate(found[t, n, first:]):
                carried[0, n] += value * weight[row]
    carried += g[:, -1 if reverse else 0]
    return numpy.concatenate([found.reshape(-1), carried.reshape(-1)])
