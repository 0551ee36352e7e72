"""Functions that make tensors of random numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy

from stepgrad.arrays import dtypes
from stepgrad.arrays import random as streams
from stepgrad.errors import ArgumentError, DtypeError
from stepgrad.functions.creation import create, options_like, placed
from stepgrad.methods.base import as_shape
from stepgrad.methods.chances import check_deviation
from stepgrad.tensor import Tensor


def rand(
    *size: Any, generator: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Return numbers uniform in [0, 1), of a shape given one by one or as one sequence.

    They follow `stepgrad.manual_seed`, or `generator`.

    >>> import stepgrad as sg
    >>> sg.rand(2, 3).shape
    (2, 3)
    """
    return _random("rand", size, generator, dtype, device, requires_grad)


def randn(
    *size: Any, generator: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Return standard normal numbers, of a shape given one by one or as one sequence.

    They follow `stepgrad.manual_seed`, or `generator`.

    >>> import stepgrad as sg
    >>> _ = sg.manual_seed(0)
    >>> x = sg.randn(3)
    >>> _ = sg.manual_seed(0)
    >>> bool((x == sg.randn(3)).all())
    True
    """
    return _random("randn", size, generator, dtype, device, requires_grad)


def rand_like(
    input: Tensor,
    *,
    generator: Any = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return numbers uniform in [0, 1) in shape, dtype and device of `input`.

    >>> import stepgrad as sg
    >>> sg.rand_like(sg.zeros(2, 3)).shape
    (2, 3)
    """
    made = rand(input.shape, generator=generator, **options_like(input, dtype, device))
    return made.requires_grad_(requires_grad)


def randn_like(
    input: Tensor,
    *,
    generator: Any = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return standard normal numbers in shape, dtype and device of `input`.

    >>> import stepgrad as sg
    >>> sg.randn_like(sg.zeros(2, 3)).shape
    (2, 3)
    """
    made = randn(input.shape, generator=generator, **options_like(input, dtype, device))
    return made.requires_grad_(requires_grad)


def _random(name: str, size: Any, generator: Any, dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    shape = as_shape(size)
    kind = dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype)
    if not kind.is_floating_point:
        raise DtypeError(f"{name} makes floating point numbers, not {kind.name}. Use randint for integers.")
    count = math.prod(shape)
    blocks = streams.blocks_for(count, kind) if name == "rand" else streams.normal_blocks(count)
    return create(name, (shape,), kind, device, requires_grad, **streams.reserved(generator, blocks))


def randint(
    low: Any = 0,
    high: Any = None,
    size: Any = None,
    *,
    generator: Any = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return integers uniform in [low, high): randint(high, size) or randint(low, high, size).

    >>> import stepgrad as sg
    >>> sg.randint(1, 7, (1000,)).unique()  # dice
    tensor([1, 2, 3, 4, 5, 6])
    """
    if size is None:
        low, high, size = 0, low, high
    elif high is None:
        low, high = 0, low
    if size is None:
        raise ArgumentError("randint takes (high, size) or (low, high, size).")
    g = generator or streams.default_generator
    made = Tensor._of(g.integers(low, high, as_shape((size,))))
    return placed(made if dtype is None else made.to(dtype), device, requires_grad)


def randperm(
    n: int, *, generator: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Return the integers 0 … n-1 in random order, as int64 by default.

    >>> import stepgrad as sg
    >>> sg.randperm(4).sort().values
    tensor([0, 1, 2, 3])
    """
    if n < 0:
        raise ArgumentError(f"randperm needs n ≥ 0, not {n}.")
    made = Tensor._of((generator or streams.default_generator).permutation(n))
    return placed(made if dtype is None else made.to(dtype), device, requires_grad)


def normal(
    mean: Any = 0.0,
    std: Any = 1.0,
    size: Any = None,
    *,
    generator: Any = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return normal numbers of the given mean and standard deviation: numbers, with the shape `size`, or
    tensors, whose shape the result has.

    >>> import stepgrad as sg
    >>> sg.normal(10.0, 0.0, (2,))
    tensor([10., 10.])
    """
    if size is None:
        given = [x for x in (mean, std) if isinstance(x, Tensor)]
        if not given:
            raise ArgumentError("normal takes a size, or a tensor as mean or std, which gives the shape.")
        size = numpy.broadcast_shapes(*(x.shape for x in given))
    check_deviation("normal", std)
    made = randn(size, generator=generator, dtype=dtype, device=device) * std + mean
    return made.requires_grad_() if requires_grad else made


def bernoulli(input: Tensor, p: float | None = None, *, generator: Any = None) -> Tensor:
    """Return 1 with the probability that each element of `input` is, or with probability `p`, else 0.

    >>> import stepgrad as sg
    >>> sg.bernoulli(sg.tensor([0.0, 1.0]))
    tensor([0., 1.])
    """
    return input.bernoulli(p, generator=generator)


def poisson(input: Tensor, *, generator: Any = None) -> Tensor:
    """Return Poisson-distributed numbers whose means are the elements of `input`, in its dtype.

    Each is the number of events before the time `mean` that come at exponentially distributed distances.

    >>> import stepgrad as sg
    >>> sg.poisson(sg.tensor([0.0, 0.0]))
    tensor([0., 0.])
    """
    rates = numpy.asarray(input.detach().cpu()._array, dtype="float64")
    if not (rates >= 0).all():
        raise ArgumentError("poisson needs means ≥ 0.")
    g = generator or streams.default_generator
    counts, left = numpy.zeros(rates.shape), rates.copy()
    while True:
        left = left + numpy.log1p(-g.random(rates.shape, dtypes.float64))
        if not (left > 0).any():
            return Tensor._of(counts.astype(input._array.dtype)).to(input.device)
        counts += left > 0


def randint_like(
    input: Tensor,
    low: int,
    high: int | None = None,
    *,
    generator: Any = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return integers uniform in [low, high), or in [0, low), in shape, dtype and device of `input`.

    >>> import stepgrad as sg
    >>> sg.randint_like(sg.tensor([1, 2]), 1)
    tensor([0, 0])
    """
    low, high = (0, low) if high is None else (low, high)
    made = randint(low, high, input.shape, generator=generator, **options_like(input, dtype, device))
    return made.requires_grad_(requires_grad)


def multinomial(
    input: Tensor, num_samples: int, replacement: bool = False, *, generator: Any = None
) -> Tensor:
    """Return `num_samples` indices (int64) drawn with probabilities proportional to the rows of `input`.

    >>> import stepgrad as sg
    >>> sg.multinomial(sg.tensor([0.0, 0.0, 5.0]), 1)
    tensor([2])
    """
    return input.multinomial(num_samples, replacement, generator=generator)


__all__ = [
    "bernoulli", "multinomial", "normal", "poisson", "rand", "rand_like", "randint", "randint_like",
    "randn", "randn_like", "randperm",
]  # fmt: skip
