"""Decompositions of matrices: Cholesky, eigenvalues, singular values, QR, LU.

A decomposition is one array: its factors stand one after the other in the last dimension, and are cut out
with `piece`. Derivatives: Giles (2008); Townsend, "Differentiating the singular value decomposition" (2016);
Roberts and Roberts, "QR and LQ decomposition matrix backpropagation algorithms" (2020).
"""

from __future__ import annotations

import math

from stepgrad.errors import LinAlgError
from stepgrad.ops.contractions import transposed
from stepgrad.ops.matrices import (
    LAPACK,
    NOT_IN_ONNX,
    diagonal,
    joined,
    lapack,
    lower,
    piece,
    positions,
    square,
    strictly_lower,
    upper,
)
from stepgrad.ops.record import routine
from stepgrad.ops.samples import Sample, real, symmetric


@routine
class cholesky:
    """L, lower triangular with L Lᵀ = A, of the lower triangle of a symmetric positive definite A."""

    promotes = "floating"

    def forward(np, x):
        square(x, "cholesky")
        return lapack(np, np.linalg.cholesky, x)

    def vjp(xp, g, y, x, *, needs):
        # L⁻ᵀ P L⁻¹, P the lower triangle of Lᵀ g with half of the diagonal; made symmetric, as A is.
        t = transposed(xp, y)
        inner = lower(xp, xp.matmul(t, g))
        inner = inner - 0.5 * diagonal(xp, inner)
        half = xp.solve(t, transposed(xp, xp.solve(t, transposed(xp, inner))))
        return (0.5 * (half + transposed(xp, half)),)

    reads = ("y",)
    no_native, no_onnx = LAPACK, NOT_IN_ONNX
    samples = [Sample(symmetric(3)), Sample(symmetric(2, (2,)))]


def eigh_sizes(n):
    """Return the shapes of what `eigh` joins: eigenvalues, eigenvectors."""
    return (n,), (n, n)


def _differences(xp, values):
    """Return 1 / (vⱼ − vᵢ) for row i and column j, 0 where the two are equal."""
    n = values.shape[-1]
    lead = tuple(values.shape[:-1])
    d = xp.reshape(values, shape=(*lead, 1, n)) - xp.reshape(values, shape=(*lead, n, 1))
    return xp.where(d == 0, 0.0, 1 / xp.where(d == 0, 1.0, d))


def _as_diagonal(xp, values):
    """Return matrices with a vector on the diagonal, as rows that are cut to it."""
    n = values.shape[-1]
    rows = xp.reshape(values, shape=(*values.shape[:-1], 1, n))
    return diagonal(xp, xp.expand(rows, shape=(*values.shape[:-1], n, n)))


@routine
class eigh:
    """Eigenvalues in rising order, then eigenvectors as columns, of symmetric matrices.

    One triangle is read, and the other taken to be the same; the gradient is a symmetric matrix.
    """

    promotes = "floating"

    def forward(np, x, *, upper):
        square(x, "eigh")
        which = "U" if upper else "L"
        return joined(np, x.shape[:-2], *lapack(np, lambda a: tuple(np.linalg.eigh(a, which)), x))

    def vjp(xp, g, y, x, *, needs, upper):
        sizes = eigh_sizes(x.shape[-1])
        (w, v), (gw, gv) = ([piece(xp, whole, i, sizes) for i in range(2)] for whole in (y, g))
        vt = transposed(xp, v)
        turn = xp.matmul(vt, gv)
        inner = 0.5 * (turn - transposed(xp, turn)) * _differences(xp, w) + _as_diagonal(xp, gw)
        return (xp.matmul(xp.matmul(v, inner), vt),)

    reads = ("y",)
    no_native, no_onnx = LAPACK, NOT_IN_ONNX
    samples = [Sample(symmetric(3), upper=False), Sample(symmetric(2, (2,)), upper=True)]


def svd_sizes(rows, columns, full):
    """Return the shapes of what `svd` joins: U, the singular values, Vᵀ."""
    count = min(rows, columns)
    return (rows, rows if full else count), (count,), (columns if full else count, columns)


def _cut(xp, x, count, dim):
    """Return the first `count` columns (dim −1) or rows (dim −2)."""
    index = (Ellipsis, slice(0, count)) if dim == -1 else (Ellipsis, slice(0, count), slice(None))
    return x if x.shape[dim] == count else xp.slice(x, index=index)


@routine
class svd:
    """U, singular values in falling order, Vᵀ with A = U S Vᵀ; all columns of U and rows of Vᵀ if `full`.

    What is more of U and Vᵀ with `full` is not determined by A, and has no derivative.
    """

    promotes = "floating"

    def forward(np, x, *, full):
        if x.size:
            parts = lapack(np, lambda a: tuple(np.linalg.svd(a, full_matrices=full)), x)
        else:
            u, s, vh = (np.zeros((*x.shape[:-2], *size), x.dtype) for size in svd_sizes(*x.shape[-2:], full))
            parts = (u + np.eye(*u.shape[-2:], dtype=x.dtype), s, vh + np.eye(*vh.shape[-2:], dtype=x.dtype))
        return joined(np, x.shape[:-2], *parts)

    def vjp(xp, g, y, x, *, needs, full):
        rows, columns = x.shape[-2:]
        sizes, count = svd_sizes(rows, columns, full), min(rows, columns)
        (u, s, vt), (gu, gs, gvt) = ([piece(xp, whole, i, sizes) for i in range(3)] for whole in (y, g))
        u, gu, vt, gvt = (_cut(xp, m, count, d) for m, d in ((u, -1), (gu, -1), (vt, -2), (gvt, -2)))
        ut, v, gv = transposed(xp, u), transposed(xp, vt), transposed(xp, gvt)
        across, down = (xp.reshape(s, shape=(*s.shape[:-1], *n)) for n in ((1, count), (count, 1)))
        differences = _differences(xp, s * s)
        turn_u, turn_v = xp.matmul(ut, gu), xp.matmul(vt, gv)
        inner = (turn_u - transposed(xp, turn_u)) * differences * across
        inner = inner + down * (turn_v - transposed(xp, turn_v)) * differences + _as_diagonal(xp, gs)
        ga = xp.matmul(xp.matmul(u, inner), vt)
        if rows > count:
            ga = ga + xp.matmul((gu - xp.matmul(u, turn_u)) / across, vt)
        if columns > count:
            ga = ga + transposed(xp, xp.matmul((gv - xp.matmul(v, turn_v)) / across, ut))
        return (ga,)

    reads = ("y",)
    no_native, no_onnx = LAPACK, NOT_IN_ONNX
    samples = [
        Sample(real(0, 2, (3, 3)), full=False),
        Sample(real(0, 2, (2, 4, 3)), full=False),
        Sample(real(0, 2, (2, 3)), full=False),
    ]


def qr_sizes(rows, columns, complete):
    """Return the shapes of what `qr` joins: Q, R."""
    middle = rows if complete else min(rows, columns)
    return (rows, middle), (middle, columns)


@routine
class qr:
    """Q with orthonormal columns, then R upper triangular, with A = Q R; all columns of Q if `complete`."""

    promotes = "floating"

    def forward(np, x, *, complete):
        mode = "complete" if complete else "reduced"
        return joined(np, x.shape[:-2], *lapack(np, lambda a: tuple(np.linalg.qr(a, mode)), x))

    def vjp(xp, g, y, x, *, needs, complete):
        rows, columns = x.shape[-2:]
        if complete and rows > columns:
            raise LinAlgError("qr has no derivative where it adds columns: use mode='reduced'.")
        sizes = qr_sizes(rows, columns, complete)
        (q, r), (gq, gr) = ([piece(xp, whole, i, sizes) for i in range(2)] for whole in (y, g))
        if rows >= columns:
            return (_qr_tall(xp, q, r, gq, gr),)
        # A = [X Y] = Q [U V]: X as if it were alone, Y = Q V.
        left, right = (Ellipsis, slice(0, rows)), (Ellipsis, slice(rows, None))
        extra = xp.matmul(xp.slice(x, index=right), transposed(xp, xp.slice(gr, index=right)))
        gx = _qr_tall(xp, q, xp.slice(r, index=left), gq + extra, xp.slice(gr, index=left))
        return (xp.cat(gx, xp.matmul(q, xp.slice(gr, index=right)), dim=x.ndim - 1),)

    no_native, no_onnx = LAPACK, NOT_IN_ONNX
    samples = [
        Sample(real(0.2, 2, (3, 3)), complete=False),
        Sample(real(0.2, 2, (2, 4, 3)), complete=False),
        Sample(real(0.2, 2, (2, 3)), complete=True),
    ]


def _qr_tall(xp, q, r, gq, gr):
    inner = xp.matmul(r, transposed(xp, gr)) - xp.matmul(transposed(xp, gq), q)
    below = strictly_lower(xp, inner)
    inner = below + transposed(xp, below) + diagonal(xp, inner)
    return transposed(xp, xp.solve(r, transposed(xp, gq + xp.matmul(q, inner))))


# ----------------------------------------------------------------------------------------------------- LU


def _eliminated(np, x):
    """Return L and U in one array, and the row that changed places with each (from 1 on, as LAPACK counts).

    Gauss' elimination; each step takes the largest pivot in its column.
    """
    y = x.astype("float32") if x.dtype.char == "e" else x.copy()
    rows, columns = x.shape[-2:]
    count = min(rows, columns)
    flat = y.reshape(math.prod(x.shape[:-2]), rows, columns)
    every = np.arange(len(flat))
    pivots = np.empty((len(flat), count), dtype="int32")
    for k in range(count):
        at = k + np.abs(flat[:, k:, k]).argmax(axis=1)
        pivots[:, k] = at + 1
        flat[every, k], flat[every, at] = flat[every, at].copy(), flat[every, k].copy()
        pivot = flat[:, k : k + 1, k]
        scale = flat[:, k + 1 :, k] / np.where(pivot == 0, 1, pivot)
        flat[:, k + 1 :, k] = scale
        flat[:, k + 1 :, k + 1 :] -= scale[:, :, None] * flat[:, k : k + 1, k + 1 :]
    return flat.reshape(x.shape).astype(x.dtype), pivots.reshape(*x.shape[:-2], count)


def permutation(np, pivots, rows):
    """Return the order in which pivots leave the rows: row i of P A is row order[i] of A."""
    flat = pivots.reshape(math.prod(pivots.shape[:-1]), pivots.shape[-1])
    order = np.tile(np.arange(rows), (len(flat), 1))
    every = np.arange(len(flat))
    for k in range(pivots.shape[-1]):
        at = flat[:, k] - 1
        order[every, k], order[every, at] = order[every, at].copy(), order[every, k].copy()
    return order.reshape(*pivots.shape[:-1], rows)


def unit_lower(xp, x):
    """Return L of L and U in one array: its lower triangle, with ones on the diagonal."""
    cut = _cut(xp, x, min(x.shape[-2:]), -1)
    row, column = positions(xp, cut)
    return xp.where(row == column, 1.0, strictly_lower(xp, cut))


@routine
class lu:
    """L, without its unit diagonal, and U in one matrix, with P A = L U and the P of `lu_pivots`."""

    promotes = "floating"

    def forward(np, x):
        return _eliminated(np, x)[0]

    def vjp(xp, g, y, x, *, needs):
        rows, columns = x.shape[-2:]
        count = min(rows, columns)
        head, rest = slice(0, count), slice(count, None)
        core = (Ellipsis, head, head)
        factor_l, factor_u = unit_lower(xp, y), upper(xp, _cut(xp, y, count, -2))
        l1, u1 = xp.slice(factor_l, index=core), xp.slice(factor_u, index=core)
        l1t, u1t = transposed(xp, l1), transposed(xp, u1)
        gl, gu = strictly_lower(xp, xp.slice(g, index=core)), upper(xp, xp.slice(g, index=core))
        more = None
        if rows > count:
            below = (Ellipsis, rest, slice(None))
            more = transposed(xp, xp.solve(u1, transposed(xp, xp.slice(g, index=below))))
            gu = gu - upper(xp, xp.matmul(transposed(xp, xp.slice(factor_l, index=below)), more))
        elif columns > count:
            right = (Ellipsis, rest)
            more = xp.solve(l1t, xp.slice(g, index=right))
            gl = gl - strictly_lower(xp, xp.matmul(more, transposed(xp, xp.slice(factor_u, index=right))))
        inner = strictly_lower(xp, xp.matmul(l1t, gl)) + upper(xp, xp.matmul(gu, u1t))
        ga = transposed(xp, xp.solve(u1, transposed(xp, xp.solve(l1t, inner))))
        if more is not None:
            ga = xp.cat(ga, more, dim=x.ndim - (2 if rows > count else 1))
        order = xp.argsort(xp.lu_order(x), dim=x.ndim - 2, descending=False)
        places = xp.expand(xp.reshape(order, shape=(*order.shape, 1)), shape=tuple(x.shape))
        return (xp.take_along(ga, places, dim=x.ndim - 2),)

    no_native, no_onnx = "it is a loop over pivots", NOT_IN_ONNX
    samples = [
        Sample(real(0.2, 2, (3, 3))),
        Sample(real(0.2, 2, (2, 4, 3))),
        Sample(real(0.2, 2, (2, 3))),
    ]


@routine
class lu_pivots:
    """The row (int32, from 1 on) that changes places with each in Gauss' elimination."""

    def forward(np, x):
        return _eliminated(np, x)[1]

    no_native, no_onnx = "it is a loop over pivots", NOT_IN_ONNX
    samples = [Sample(real(0.2, 2, (3, 3))), Sample(real(0.2, 2, (2, 4, 3)))]


@routine
class lu_order:
    """The order (int64) of the rows of A in L U: row i of P A is row order[i] of A."""

    def forward(np, x):
        return permutation(np, _eliminated(np, x)[1], x.shape[-2])

    no_native, no_onnx = "it is a loop over pivots", NOT_IN_ONNX
    samples = [Sample(real(0.2, 2, (3, 3))), Sample(real(0.2, 2, (2, 4, 3)))]
