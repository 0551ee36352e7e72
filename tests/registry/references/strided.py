"""References of views by strides: one element after the other."""

from typing import Any

import numpy

from tests.registry.references.filing import Array, reference


@reference
def diagonal(x: Array, *, offset: int) -> Array:
    places = [(i, i + offset) for i in range(x.shape[-2]) if 0 <= i + offset < x.shape[-1]]
    return numpy.stack([x[..., i, j] for i, j in places], -1)


def elements(size: tuple[int, ...], stride: tuple[int, ...], offset: int) -> Any:
    """Each place of the result, and which element lies there."""
    for place in numpy.ndindex(*size):
        yield place, offset + sum(i * s for i, s in zip(place, stride, strict=True))


@reference
def as_strided(x: Array, *, size: tuple[int, ...], stride: tuple[int, ...], offset: int) -> Array:
    y = numpy.empty(size)
    for place, at in elements(size, stride, offset):
        y[place] = x.ravel()[at]
    return y


@reference
def add_strided(x: Array, *, shape: tuple[int, ...], stride: tuple[int, ...], offset: int) -> Array:
    y = numpy.zeros(shape)
    for place, at in elements(x.shape, stride, offset):
        y.reshape(-1)[at] += x[place]
    return y
