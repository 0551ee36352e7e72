"""Constants and random numbers: operations that make tensors from attributes."""

from __future__ import annotations

import numpy
import numpy as np

from stepgrad.arrays import dtypes
from stepgrad.arrays import random as streams
from stepgrad.arrays.memory import aligned_zeros
from stepgrad.ops.record import constant, random
from stepgrad.ops.samples import Sample, integer, real

_RANDOM = "its random numbers are a function of seed and position, which ONNX does not have"


@constant
class full:
    """`shape` times the number `value`."""

    def forward(np, *, shape, value, dtype):
        # Parameters and the state of optimizers are made here: compiled steps read them in vectors.
        y = aligned_zeros(shape, dtype) if np is numpy else np.zeros(shape, dtype=dtype)
        # Zeros that nobody looks at take no memory; −0 is another number.
        if value or np.signbit(value):
            y[...] = value
        return y

    def onnx(g, *, shape, value, dtype):
        return g("Expand", g.number(value, dtype), g.sizes(shape))

    samples = [Sample(shape=(2, 3), value=1.5, dtype="float64")]


@constant
class arange:
    """start, start + step, … below `stop`."""

    def forward(np, *, start, stop, step, dtype):
        return np.arange(start, stop, step, dtype=dtype)

    def onnx(g, *, start, stop, step, dtype):
        ends = (g.scalar(n, dtype) for n in (start, stop, step))
        return g("Range", *ends)

    samples = [Sample(start=0, stop=5, step=2, dtype="int64")]


@constant
class eye:
    """Whether row and column are equal: (n, n) booleans."""

    def forward(np, like, *, n):
        return np.eye(n, dtype=bool)

    def onnx(g, like, *, n):
        return np.eye(n, dtype=bool)

    samples = [Sample(real(), n=3)]


@constant
class one_hot:
    """1 in the column that the integer names, 0 in the others: (…, classes)."""

    def forward(np, x, *, classes, dtype):
        return (x[..., None] == np.arange(classes)).astype(dtype)

    def onnx(g, x, *, classes, dtype):
        column = g("Unsqueeze", x, g.integers(-1))
        return g.as_type(g("Equal", column, np.arange(classes, dtype=x.dtype)), dtype)

    samples = [Sample(integer(0, 3, (2, 3)), classes=3, dtype="float64")]


@random
class rand:
    """Numbers uniform in [0, 1): Philox at (seed, stream, position)."""

    def forward(np, *, shape, dtype, seed, stream, position):
        return np.asarray(streams.uniform(seed, stream, position, shape, dtypes.as_dtype(dtype)))

    no_onnx = _RANDOM
    samples = [Sample(shape=(3,), dtype="float64", seed=1, stream=2, position=3)]


@random
class randn:
    """Standard normal numbers: Philox at (seed, stream, position)."""

    def forward(np, *, shape, dtype, seed, stream, position):
        return np.asarray(streams.normal(seed, stream, position, shape, dtypes.as_dtype(dtype)))

    no_onnx = _RANDOM
    samples = [Sample(shape=(3,), dtype="float64", seed=1, stream=2, position=3)]


@random
class dropout_mask:
    """1 / (1 − p) with probability 1 − p, else 0, in the dtype and shape of x: where a uniform number is ≥ p.

    Of a float32 or float16 x, the uniform numbers are float32 (multiples of 2⁻²⁴).
    """

    def forward(np, x, *, p, seed, stream, position):
        wide = dtypes.float64 if x.dtype == np.float64 else dtypes.float32
        u = np.asarray(streams.uniform(seed, stream, position, x.shape, wide))
        return (u >= p) * x.dtype.type(1 / (1 - p) if p < 1 else 0)

    no_onnx = _RANDOM
    samples = [Sample(real(), p=0.25, seed=1, stream=2, position=3)]
