"""References of windows, convolutions and pooling: plain loops over windows and places."""

import math
from collections.abc import Iterator
from typing import Any

import numpy

from tests.registry.references.filing import Array, reference

Place = tuple[int, ...]


def windows_of(lengths: Place, size: Place, stride: Place, dilation: Place) -> Place:
    """How many windows fit, found by trying."""
    found = []
    for n, k, s, d in zip(lengths, size, stride, dilation, strict=True):
        found.append(sum(start + (k - 1) * d < n for start in range(0, n, s)))
    return tuple(found)


def elements(
    lengths: Place, size: Place, stride: Place, dilation: Place
) -> Iterator[tuple[Place, Place, Place]]:
    """Each window, each place in it, and the element that lies there."""
    for window in numpy.ndindex(*windows_of(lengths, size, stride, dilation)):
        for place in numpy.ndindex(*size):
            steps = zip(window, place, stride, dilation, strict=True)
            yield window, place, tuple(o * s + k * d for o, k, s, d in steps)


@reference
def windows(x: Array, *, size: Place, stride: Place, dilation: Place) -> Array:
    lead, lengths = x.shape[: x.ndim - len(size)], x.shape[x.ndim - len(size) :]
    y = numpy.empty((*lead, *windows_of(lengths, size, stride, dilation), *size))
    for window, place, at in elements(lengths, size, stride, dilation):
        y[(..., *window, *place)] = x[(..., *at)]
    return y


@reference
def add_windows(x: Array, *, shape: Place, stride: Place, dilation: Place) -> Array:
    d = len(shape)
    y = numpy.zeros((*x.shape[: x.ndim - 2 * d], *shape))
    for window in numpy.ndindex(*x.shape[x.ndim - 2 * d : x.ndim - d]):
        for place in numpy.ndindex(*x.shape[x.ndim - d :]):
            steps = zip(window, place, stride, dilation, strict=True)
            y[(..., *(o * s + k * e for o, k, s, e in steps))] += x[(..., *window, *place)]
    return y


@reference
def window_argmax(x: Array, *, size: Place, stride: Place, dilation: Place) -> Array:
    every = windows(x, size=size, stride=stride, dilation=dilation)
    rows = every.reshape(*every.shape[: x.ndim], -1)
    y = numpy.empty(rows.shape[:-1], "int64")
    for place in numpy.ndindex(*y.shape):
        y[place] = rows[place].tolist().index(max(rows[place]))
    return y


@reference
def window_pick(x: Array, index: Array, *, size: Place, stride: Place, dilation: Place) -> Array:
    every = windows(x, size=size, stride=stride, dilation=dilation)
    y = numpy.empty(index.shape)
    for place in numpy.ndindex(*index.shape):
        y[place] = every[place].flat[index[place]]
    return y


@reference
def window_put(x: Array, index: Array, *, shape: Place, size: Place, stride: Place, dilation: Place) -> Array:
    every = numpy.zeros((*x.shape, *size))
    for place in numpy.ndindex(*x.shape):
        every[(*place, *numpy.unravel_index(index[place], size))] = x[place]
    return add_windows(every, shape=shape, stride=stride, dilation=dilation)


@reference
def max_pool(x: Array, *, size: Place, stride: Place, dilation: Place) -> Array:
    every = windows(x, size=size, stride=stride, dilation=dilation)
    return every.max(axis=tuple(range(x.ndim, every.ndim)))


@reference
def sum_pool(x: Array, *, size: Place, stride: Place, dilation: Place) -> Array:
    every = windows(x, size=size, stride=stride, dilation=dilation)
    y = numpy.empty(every.shape[: x.ndim])
    for place in numpy.ndindex(*y.shape):
        y[place] = math.fsum(every[place].flat)
    return y


def products(lengths: Place, size: Place, **attrs: Any) -> Iterator[tuple[Place, Place, Place]]:
    """The elements as `elements` gives them, counted without the padding; those in it are left out."""
    before, after = zip(*attrs["padding"], strict=True)
    padded = tuple(n + b + a for n, b, a in zip(lengths, before, after, strict=True))
    for window, place, at in elements(padded, size, attrs["stride"], attrs["dilation"]):
        inside = tuple(i - b for i, b in zip(at, before, strict=True))
        if all(0 <= i < n for i, n in zip(inside, lengths, strict=True)):
            yield window, place, inside


def channels(outputs: int, inputs: int, groups: int) -> Iterator[tuple[int, int, int]]:
    """Which output channel meets which input channel, and at which place of the weight."""
    for o in range(outputs):
        for c in range(inputs // groups):
            yield o, o // (outputs // groups) * (inputs // groups) + c, c


@reference
def convolution(x: Array, weight: Array, bias: Array, **attrs: Any) -> Array:
    size, lengths = weight.shape[2:], x.shape[2:]
    padded = tuple(n + b + a for n, (b, a) in zip(lengths, attrs["padding"], strict=True))
    counts = windows_of(padded, size, attrs["stride"], attrs["dilation"])
    y = numpy.zeros((len(x), len(weight), *counts))
    for window, place, at in products(lengths, size, **attrs):
        for o, c, k in channels(len(weight), x.shape[1], attrs["groups"]):
            y[(slice(None), o, *window)] += x[(slice(None), c, *at)] * weight[(o, k, *place)]
    return y if bias is None else y + bias.reshape(-1, *(1,) * len(size))


@reference
def convolution_input(g: Array, weight: Array, *, shape: Place, **attrs: Any) -> Array:
    inputs = weight.shape[1] * attrs["groups"]
    x = numpy.zeros((len(g), inputs, *shape))
    for window, place, at in products(shape, weight.shape[2:], **attrs):
        for o, c, k in channels(len(weight), inputs, attrs["groups"]):
            x[(slice(None), c, *at)] += g[(slice(None), o, *window)] * weight[(o, k, *place)]
    return x


@reference
def convolution_weight(g: Array, x: Array, *, size: Place, **attrs: Any) -> Array:
    w = numpy.zeros((g.shape[1], x.shape[1] // attrs["groups"], *size))
    for window, place, at in products(x.shape[2:], size, **attrs):
        for o, c, k in channels(len(w), x.shape[1], attrs["groups"]):
            w[(o, k, *place)] += (g[(slice(None), o, *window)] * x[(slice(None), c, *at)]).sum()
    return w
