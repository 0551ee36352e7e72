"""Scans: every total on the way along a dimension `dim` (≥ 0)."""

from __future__ import annotations

import math

import numpy as np

from stepgrad.ops.record import routine, scan
from stepgrad.ops.samples import Sample, real


def _each(low=-2.0, high=2.0, away_from=()):
    shapes = (((3, 4), 1), ((3, 4), 0), ((2, 3, 4), 1), ((0, 2), 0))
    return [Sample(real(low, high, shape, away_from), dim=dim) for shape, dim in shapes]


def backwards(xp, x, dim):
    """Return Σⱼ xⱼ over j ≥ i for each i along a dimension: what is yet to come, and x itself."""
    return xp.flip(xp.cumsum(xp.flip(x, dims=(dim,)), dim=dim), dims=(dim,))


def _run(ufunc, x, dim):
    """Return every total on the way: kept in float64 for float32, in float32 for float16."""
    kind = {"e": "float32", "f": "float64"}.get(x.dtype.char, x.dtype)
    return ufunc.accumulate(x, axis=dim, dtype=kind).astype(x.dtype, copy=False)


@scan
class cumsum:
    """Σⱼ xⱼ over j ≤ i along `dim`; float32 is added up in float64."""

    init = 0.0

    def combine(m, total, x):
        return total + x

    def forward(np, x, *, dim):
        return _run(np.add, x, dim)

    def vjp(xp, g, y, x, *, needs, dim):
        return (backwards(xp, g, dim),)

    def onnx(g, x, *, dim):
        return g("CumSum", x, np.array(dim))

    reads = ()
    samples = _each()


@scan
class cumprod:
    """Πⱼ xⱼ over j ≤ i along `dim`. The first derivative is exact also where some are 0, not the second."""

    init = 1.0

    def combine(m, total, x):
        return total * x

    def forward(np, x, *, dim):
        return _run(np.multiply, x, dim)

    def vjp(xp, g, y, x, *, needs, dim):
        # Before the first 0, Σ g y / x over what comes; at the first 0, the same with a 1 in its place; after
        # it nothing changes anything.
        zeros = xp.cumsum(xp.cast(x == 0, dtype=x.dtype), dim=dim)
        first = (x == 0) & (zeros == 1)
        patched = xp.where(first, 1.0, x)
        others = backwards(xp, g * xp.cumprod(patched, dim=dim), dim)
        before = backwards(xp, g * y, dim) / xp.where(zeros == 0, x, 1.0)
        return (xp.where(zeros == 0, before, xp.where(first, others, 0.0)),)

    no_onnx = "ONNX has no running product"
    samples = _each(0.5, 2)


@scan
class logcumsumexp:
    """ln Σⱼ e^xⱼ over j ≤ i along `dim`, without overflow."""

    promotes = "floating"
    init = -math.inf

    def combine(m, total, x):
        larger = m.maximum(total, x)
        distance = m.where(total == x, 0.0, m.abs(total - x))
        return larger + m.log1p(m.exp(-distance))

    def forward(np, x, *, dim):
        return np.logaddexp.accumulate(x, axis=dim)

    def vjp(xp, g, y, x, *, needs, dim):
        # e^x Σⱼ gⱼ e^(−yⱼ) over j ≥ i, without overflow: positive and negative gradients through logarithms.
        gradient = 0.0
        for sign in (1.0, -1.0):
            counts = (sign * g > 0) & (y > -math.inf)
            terms = xp.where(counts, xp.log(xp.where(counts, sign * g, 1.0)) - y, -math.inf)
            dims = {"dims": (dim,)}
            total = xp.flip(xp.logcumsumexp(xp.flip(terms, **dims), dim=dim), **dims)
            gradient = gradient + sign * xp.exp(total + x)
        return (gradient,)

    no_onnx = "ONNX has no running logarithm of a sum"
    samples = _each()


def _first_places(np, is_new, dim):
    """Return at each place the last place so far at which `is_new` holds."""
    shape = (-1,) + (1,) * (is_new.ndim - 1 - dim)
    places = np.where(is_new, np.arange(is_new.shape[dim]).reshape(shape), 0)
    return np.maximum.accumulate(places, axis=dim).astype("int64")


@routine
class cumargmax:
    """Where the largest so far stands along `dim`, the last of equal ones; NaN is the largest."""

    def forward(np, x, *, dim):
        largest = np.maximum.accumulate(x, axis=dim)
        return _first_places(np, (x == largest) | ((x != x) & (largest != largest)), dim)

    no_native = "a search along the way is not"
    no_onnx = "ONNX has no running search"
    samples = _each()


@routine
class cumargmin:
    """Where the smallest so far stands along `dim`, the last of equal ones; NaN is the smallest."""

    def forward(np, x, *, dim):
        smallest = np.minimum.accumulate(x, axis=dim)
        return _first_places(np, (x == smallest) | ((x != x) & (smallest != smallest)), dim)

    no_native = "a search along the way is not"
    no_onnx = "ONNX has no running search"
    samples = _each()
