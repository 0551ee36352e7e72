"""Linear algebra: inverses, solutions, determinants, exponentials of matrices, the last two dimensions.

NumPy's LAPACK computes the values; the derivatives are matrix products and other operations of this family
(Giles, "An extended collection of matrix derivative results for forward and reverse mode algorithmic
differentiation", 2008). Leading dimensions are a batch.
"""

from __future__ import annotations

import math

from stepgrad.errors import LinAlgError
from stepgrad.ops.contractions import transposed
from stepgrad.ops.record import routine
from stepgrad.ops.samples import Sample, real

LAPACK = "LAPACK computes it"
NOT_IN_ONNX = "ONNX has no linear algebra beyond products"


def lapack(np, function, *arrays):
    """Call a function of `numpy.linalg`; in float32 for float16, which LAPACK does not have."""
    kind = arrays[0].dtype
    if kind.char == "e":
        arrays = [a.astype("float32") for a in arrays]
    try:
        found = function(*arrays)
    except np.linalg.LinAlgError as error:
        shapes = ", ".join(str(list(a.shape)) for a in arrays)
        raise LinAlgError(f"linear algebra of {shapes} has no result: {error}.") from None
    if kind.char != "e":
        return found
    return tuple(f.astype(kind) for f in found) if isinstance(found, tuple) else found.astype(kind)


def square(x, name):
    """Raise `LinAlgError` unless x is a matrix with as many rows as columns, or a batch of them."""
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise LinAlgError(f"{name} takes square matrices, not the shape {list(x.shape)}.")


def positions(xp, x):
    """Return the row and the column of each element of matrices, as integers that broadcast."""
    rows, columns = (xp.arange(start=0, stop=n, step=1, dtype="int64") for n in x.shape[-2:])
    return xp.reshape(rows, shape=(-1, 1)), columns


def masked(xp, x, keeps):
    """Return matrices with 0 where ``keeps(row, column)`` does not hold."""
    return xp.where(keeps(*positions(xp, x)), x, 0.0)


def lower(xp, x):
    """Return the lower triangle of matrices, with the diagonal."""
    return masked(xp, x, lambda row, column: row >= column)


def strictly_lower(xp, x):
    """Return the lower triangle of matrices, without the diagonal."""
    return masked(xp, x, lambda row, column: row > column)


def upper(xp, x):
    """Return the upper triangle of matrices, with the diagonal."""
    return masked(xp, x, lambda row, column: row <= column)


def diagonal(xp, x):
    """Return matrices with 0 beside the diagonal."""
    return masked(xp, x, lambda row, column: row == column)


def _well(n=3, batch=()):
    """Return a matrix that is far from singular: its eigenvalues are near those of a triangle of ones."""
    return real(0.2, 0.9, (*batch, n, n))


@routine
class inv:
    """A⁻¹. dA = −A⁻ᵀ g A⁻ᵀ."""

    promotes = "floating"

    def forward(np, x):
        square(x, "inv")
        return lapack(np, np.linalg.inv, x)

    def vjp(xp, g, y, x, *, needs):
        t = transposed(xp, y)
        return (-xp.matmul(xp.matmul(t, g), t),)

    reads = ("y",)
    no_native, no_onnx = LAPACK, NOT_IN_ONNX
    samples = [Sample(_well()), Sample(_well(batch=(2,)))]


@routine
class solve:
    """X with A X = B, matrices that broadcast over leading dimensions. dB = A⁻ᵀ g, dA = −dB Xᵀ."""

    promotes = "floating"

    def forward(np, a, b):
        square(a, "solve")
        return lapack(np, np.linalg.solve, a, b)

    def vjp(xp, g, y, a, b, *, needs):
        gb = xp.solve(transposed(xp, a), g)
        ga = xp.sum_to(-xp.matmul(gb, transposed(xp, y)), shape=tuple(a.shape)) if needs[0] else None
        return ga, xp.sum_to(gb, shape=tuple(b.shape))

    reads = ("a", "y")
    no_native, no_onnx = LAPACK, NOT_IN_ONNX
    samples = [
        Sample(_well(), real(shape=(3, 2))),
        Sample(_well(batch=(2,)), real(shape=(3, 1))),
        Sample(_well(), real(shape=(2, 3, 2))),
    ]


def _cofactors(xp, x, y):
    """Return det(A) A⁻ᵀ, also where A is singular: there from the singular values."""
    n = x.shape[-1]
    sizes = ((n, n), (n,), (n, n))
    whole = xp.svd(x, full=False)
    u, s, vh = (piece(xp, whole, i, sizes) for i in range(3))
    rows = xp.reshape(s, shape=(*s.shape[:-1], 1, n))
    others = xp.prod(xp.where(xp.eye(x, n=n), 1.0, rows), dim=(s.ndim,), keepdim=False)
    signs = xp.reshape(xp.det(u) * xp.det(vh), shape=(*s.shape[:-1], 1, 1))
    singular = signs * xp.matmul(u * xp.reshape(others, shape=(*s.shape[:-1], 1, n)), vh)
    least, most = (xp.slice(s, index=(Ellipsis, slice(i, i + 1))) for i in (n - 1, 0))
    is_singular = xp.reshape(least <= 1e-9 * most, shape=(*s.shape[:-1], 1, 1))
    safe = xp.where(is_singular, xp.cast(xp.eye(x, n=n), dtype=x.dtype), x)
    regular = xp.reshape(y, shape=(*y.shape, 1, 1)) * transposed(xp, xp.inv(safe))
    return xp.where(is_singular, singular, regular)


@routine
class det:
    """The determinant. dA = g det(A) A⁻ᵀ, the cofactors, also where A is singular."""

    promotes = "floating"

    def forward(np, x):
        square(x, "det")
        return lapack(np, lambda a: np.asarray(np.linalg.det(a)), x)

    def vjp(xp, g, y, x, *, needs):
        if not x.shape[-1]:
            return (xp.where(x == x, 0.0, x),)
        return (xp.reshape(g, shape=(*g.shape, 1, 1)) * _cofactors(xp, x, y),)

    no_native, no_onnx = LAPACK, NOT_IN_ONNX
    samples = [Sample(_well()), Sample(_well(2, (2,)))]


@routine
class logabsdet:
    """ln |det A|, −∞ of a singular matrix. dA = g A⁻ᵀ."""

    promotes = "floating"

    def forward(np, x):
        square(x, "logabsdet")
        return lapack(np, lambda a: np.asarray(np.linalg.slogdet(a)[1]), x)

    def vjp(xp, g, y, x, *, needs):
        return (xp.reshape(g, shape=(*g.shape, 1, 1)) * transposed(xp, xp.inv(x)),)

    reads = ("x",)
    no_native, no_onnx = LAPACK, NOT_IN_ONNX
    samples = [Sample(_well()), Sample(_well(2, (2,)))]


@routine
class detsign:
    """The sign of the determinant: −1, 0 or 1. Its derivative is 0 wherever it has one."""

    promotes = "floating"

    def forward(np, x):
        square(x, "detsign")
        return lapack(np, lambda a: np.asarray(np.linalg.slogdet(a)[0]), x)

    def vjp(xp, g, y, x, *, needs):
        return (xp.where(x == x, 0.0, x),)

    reads = ("x",)
    no_native, no_onnx = LAPACK, NOT_IN_ONNX
    samples = [Sample(_well()), Sample(_well(2, (2,)))]


@routine
class pinv:
    """Moore and Penrose's inverse, of singular values above max(atol, rtol · the largest).

    With `hermitian`, by eigenvalues of the lower triangle of a symmetric matrix. The derivative is that of
    Golub and Pereyra (1973): dA = −Pᵀ g Pᵀ + (I − A P) gᵀ P Pᵀ + Pᵀ P gᵀ (I − P A).
    """

    promotes = "floating"

    def forward(np, x, *, atol, rtol, hermitian):
        if not x.size:
            return np.zeros((*x.shape[:-2], x.shape[-1], x.shape[-2]), dtype=x.dtype)
        if hermitian:
            s, u = lapack(np, lambda a: tuple(np.linalg.eigh(a)), x)
            vh = np.swapaxes(u, -1, -2)
        else:
            u, s, vh = lapack(np, lambda a: tuple(np.linalg.svd(a, full_matrices=False)), x)
        size = np.abs(s)
        counts = size > np.maximum(atol, rtol * size.max(-1, keepdims=True))
        scale = np.where(counts, 1 / np.where(counts, s, 1), 0).astype(x.dtype)
        return np.matmul(np.swapaxes(vh, -1, -2) * scale[..., None, :], np.swapaxes(u, -1, -2))

    def vjp(xp, g, y, x, *, needs, atol, rtol, hermitian):
        gt, yt = transposed(xp, g), transposed(xp, y)
        left = xp.matmul(gt, xp.matmul(y, yt))
        right = xp.matmul(xp.matmul(yt, y), gt)
        outside = left - xp.matmul(x, xp.matmul(y, left)) + right - xp.matmul(xp.matmul(right, y), x)
        return (outside - xp.matmul(xp.matmul(yt, g), yt),)

    no_native, no_onnx = LAPACK, NOT_IN_ONNX
    samples = [
        Sample(_well(), atol=0.0, rtol=1e-15, hermitian=False),
        Sample(real(0.2, 2, (2, 4, 3)), atol=0.0, rtol=1e-15, hermitian=False),
        Sample(real(0.2, 2, (2, 3)), atol=0.0, rtol=1e-15, hermitian=False),
    ]


# Numerators of Padé's approximation of degree 13 (Higham, "The scaling and squaring method for the matrix
# exponential revisited", 2005).
_PADE = [
    math.factorial(26 - k)
    * math.factorial(13)
    / (math.factorial(26) * math.factorial(k) * math.factorial(13 - k))
    for k in range(14)
]


@routine
class matrix_exp:
    """e^A = I + A + A²/2 + …, by scaling, Padé's approximation and squaring (Higham, 2005).

    Its derivative stands in the exponential of a block matrix (Najfeld and Havel, 1995).
    """

    promotes = "floating"

    def forward(np, x):
        square(x, "matrix_exp")
        if not x.size:
            return x.copy()
        return lapack(np, lambda a: _exponential(np, a), x)

    def vjp(xp, g, y, x, *, needs):
        n = x.shape[-1]
        t = transposed(xp, x)
        top = xp.cat(t, g, dim=x.ndim - 1)
        bottom = xp.cat(xp.where(x == x, 0.0, x), t, dim=x.ndim - 1)
        whole = xp.matrix_exp(xp.cat(top, bottom, dim=x.ndim - 2))
        return (xp.slice(whole, index=(Ellipsis, slice(0, n), slice(n, 2 * n))),)

    reads = ("x",)
    no_native = "it is a loop whose length depends on values"
    no_onnx = NOT_IN_ONNX
    samples = [Sample(_well()), Sample(real(-1, 1, (2, 2, 2)))]


def _exponential(np, x):
    norm = np.abs(x).sum(-2).max()
    # Degree 13 is exact to the last bits up to this norm.
    squarings = max(0, math.ceil(math.log2(norm / 5.37))) if 5.37 < norm < math.inf else 0
    scaled = x / 2.0**squarings
    own, powers = np.eye(x.shape[-1], dtype=x.dtype), scaled @ scaled
    even, odd, power = own, _PADE[1] * own, own
    for k in range(2, 14, 2):
        power = power @ powers
        even, odd = even + _PADE[k] * power, odd + _PADE[k + 1] * power
    odd = scaled @ odd
    y = np.linalg.solve(even - odd, even + odd).astype(x.dtype)
    for _ in range(squarings):
        y = y @ y
    return y


def piece(xp, whole, i, sizes):
    """Return the i-th of the arrays that stand one after the other in the last dimension."""
    start = sum(math.prod(size) for size in sizes[:i])
    part = xp.slice(whole, index=(Ellipsis, slice(start, start + math.prod(sizes[i]))))
    return xp.reshape(part, shape=(*whole.shape[:-1], *sizes[i]))


def joined(np, batch, *parts):
    """Return arrays one after the other in the last dimension, behind those of the batch."""
    return np.concatenate([p.reshape(*batch, math.prod(p.shape[len(batch) :])) for p in parts], axis=-1)
