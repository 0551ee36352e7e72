"""Linear algebra under the names of `torch.linalg`.

Matrices are the last two dimensions; leading ones are a batch. A result that does not exist, such as the
inverse of a singular matrix, is a `LinAlgError`. What torch returns as a named tuple is one here.

>>> import stepgrad as sg
>>> sg.linalg.solve(sg.tensor([[2.0, 0.0], [1.0, 4.0]]), sg.tensor([2.0, 9.0]))
tensor([1., 2.])
"""

from __future__ import annotations

import math
from collections import namedtuple
from typing import TYPE_CHECKING, Any

import numpy

from stepgrad.autograd.engine import TENSORS, apply
from stepgrad.errors import ArgumentError, LinAlgError, ShapeError
from stepgrad.functions.norms import matrix_norm, norm, vector_norm
from stepgrad.functions.numerical import vander as _vander
from stepgrad.functions.products import multi_dot
from stepgrad.methods.base import one_dim
from stepgrad.methods.matrices import QR, SVD, Eigh, LUFactors, SlogDet, triangular_solution
from stepgrad.names import teller
from stepgrad.ops import factors
from stepgrad.ops.registry import REGISTRY
from stepgrad.tensor import Tensor

WithInfo = namedtuple("WithInfo", "result info")
PLU = namedtuple("PLU", "P L U")
LeastSquares = namedtuple("LeastSquares", "solution residuals rank singular_values")

inv = Tensor.inverse
det = Tensor.det
matrix_exp = Tensor.matrix_exp
matrix_power = Tensor.matrix_power


def _info(x: Tensor) -> Tensor:
    """Return 0 (int32) for each matrix: its result is there."""
    return Tensor._of(numpy.zeros(x.shape[:-2], "int32"))


def inv_ex(A: Tensor, *, check_errors: bool = False) -> WithInfo:
    """Return (inverse, info), info 0. Unlike torch's, raises `LinAlgError` for a singular matrix.

    >>> import stepgrad as sg
    >>> inverse, info = inv_ex(sg.tensor([[2.0, 0.0], [0.0, 4.0]]))
    >>> inverse, info
    (tensor([[0.5000, 0.0000],
            [0.0000, 0.2500]]), tensor(0, dtype=stepgrad.int32))
    """
    return WithInfo(inv(A), _info(A))


def slogdet(A: Tensor) -> SlogDet:
    """Return (sign, logabsdet) of the determinant.

    >>> import stepgrad as sg
    >>> A = sg.tensor([[4.0, 0.0], [0.0, 9.0]])
    >>> sg.linalg.slogdet(A).sign
    tensor(1.)
    """
    return A.slogdet()


# ------------------------------------------------------------------------------------------ decompositions


def cholesky(A: Tensor, *, upper: bool = False) -> Tensor:
    """Return L, lower triangular with L Lᵀ = A, or Lᵀ; A is symmetric positive definite.

    >>> import stepgrad as sg
    >>> A = sg.tensor([[4.0, 0.0], [0.0, 9.0]])
    >>> sg.linalg.cholesky(A)
    tensor([[2., 0.],
            [0., 3.]])
    """
    made = apply(REGISTRY["cholesky"], A)
    return made.mT if upper else made


def cholesky_ex(A: Tensor, *, upper: bool = False, check_errors: bool = False) -> WithInfo:
    """Return (L, info), info 0. Unlike torch's, raises `LinAlgError` for a matrix that has no factor.

    >>> import stepgrad as sg
    >>> factor, info = cholesky_ex(sg.tensor([[4.0, 2.0], [2.0, 5.0]]))
    >>> factor, info
    (tensor([[2., 0.],
            [1., 2.]]), tensor(0, dtype=stepgrad.int32))
    """
    return WithInfo(cholesky(A, upper=upper), _info(A))


def qr(A: Tensor, mode: str = "reduced") -> QR:
    """Return (Q, R) with orthonormal columns Q and R upper triangular; modes "reduced", "complete", "r".

    >>> import stepgrad as sg
    >>> Q, R = sg.linalg.qr(sg.rand(5, 3))
    >>> Q.shape, R.shape
    ((5, 3), (3, 3))
    """
    return A._qr(mode)


def svd(A: Tensor, full_matrices: bool = True, *, driver: str | None = None) -> SVD:
    """Return (U, S, Vh) with A = U diag(S) Vh, S in falling order.

    >>> import stepgrad as sg
    >>> U, S, Vh = sg.linalg.svd(sg.rand(5, 3), full_matrices=False)
    >>> U.shape, S.shape, Vh.shape
    ((5, 3), (3,), (3, 3))
    """
    return A._svd(full_matrices)


def svdvals(A: Tensor, *, driver: str | None = None) -> Tensor:
    """Return the singular values in falling order.

    >>> import stepgrad as sg
    >>> A = sg.tensor([[4.0, 0.0], [0.0, 9.0]])
    >>> sg.linalg.svdvals(A)
    tensor([9., 4.])
    """
    return A._svd(False).S


def eigh(A: Tensor, UPLO: str = "L") -> Eigh:
    """Return (eigenvalues in rising order, eigenvectors as columns) of a symmetric matrix.

    >>> import stepgrad as sg
    >>> A = sg.tensor([[4.0, 0.0], [0.0, 9.0]])
    >>> values, vectors = sg.linalg.eigh(A)
    >>> values
    tensor([4., 9.])
    """
    return A._eigh(UPLO)


def eigvalsh(A: Tensor, UPLO: str = "L") -> Tensor:
    """Return the eigenvalues of a symmetric matrix in rising order.

    >>> import stepgrad as sg
    >>> A = sg.tensor([[4.0, 0.0], [0.0, 9.0]])
    >>> sg.linalg.eigvalsh(A)
    tensor([4., 9.])
    """
    return A._eigh(UPLO).eigenvalues


def lu_factor(A: Tensor, *, pivot: bool = True) -> LUFactors:
    """Return (LU, pivots): L (its diagonal is 1) and U in one matrix, and the rows that changed places.

    >>> import stepgrad as sg
    >>> packed, pivots = lu_factor(sg.tensor([[1.0, 2.0], [4.0, 6.0]]))
    >>> packed, pivots
    (tensor([[4.0000, 6.0000],
            [0.2500, 0.5000]]), tensor([2, 2], dtype=stepgrad.int32))
    """
    return A.lu(pivot)


def lu_factor_ex(
    A: Tensor, *, pivot: bool = True, check_errors: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """Return (LU, pivots, info), info 0.

    >>> import stepgrad as sg
    >>> packed, pivots, info = lu_factor_ex(sg.tensor([[1.0, 2.0], [4.0, 6.0]]))
    >>> info
    tensor(0, dtype=stepgrad.int32)
    """
    return (*A.lu(pivot), _info(A))


def lu(A: Tensor, *, pivot: bool = True) -> PLU:
    """Return (P, L, U) with A = P L U.

    >>> import stepgrad as sg
    >>> A = sg.tensor([[4.0, 0.0], [0.0, 9.0]])
    >>> P, L, U = sg.linalg.lu(A)
    >>> U
    tensor([[4., 0.],
            [0., 9.]])
    """
    return PLU(*lu_unpack(*lu_factor(A, pivot=pivot)))


def lu_unpack(
    LU_data: Tensor, LU_pivots: Tensor, unpack_data: bool = True, unpack_pivots: bool = True
) -> tuple[Tensor, Tensor, Tensor]:
    """Return (P, L, U) of what `lu_factor` gives.

    >>> import stepgrad as sg
    >>> P, L, U = lu_unpack(*lu_factor(sg.tensor([[1.0, 2.0], [4.0, 6.0]])))
    >>> P @ L @ U
    tensor([[1., 2.],
            [4., 6.]])
    """
    rows = LU_data.shape[-2]
    nothing = LU_data.detach().reshape(-1)[:0]
    p, lower, above = nothing, nothing, nothing
    if unpack_pivots:
        order = factors.permutation(numpy, LU_pivots.detach().numpy(), rows)
        turned = order[..., None, :] == numpy.arange(rows)[:, None]
        p = Tensor._of(turned.astype(LU_data._array.dtype))
    if unpack_data:
        lower = factors.unit_lower(TENSORS, LU_data)
        above = LU_data[..., : min(LU_data.shape[-2:]), :].triu()
    return p, lower, above


def householder_product(A: Tensor, tau: Tensor) -> Tensor:
    """Return the first columns of the product of Householder's reflections, as `geqrf` gives them.

    >>> import stepgrad as sg
    >>> householder_product(sg.tensor([[-5.0], [0.5]]), sg.tensor([1.6]))
    tensor([[-0.6000],
            [-0.8000]])
    """
    rows, columns = A.shape[-2:]
    own = Tensor._of(numpy.eye(rows, columns, dtype=A._array.dtype)).expand(A.shape)
    return A.ormqr(tau, own)


# ------------------------------------------------------------------------------------------------ solutions


def _is_vector(A: Tensor, B: Tensor) -> bool:
    return B.ndim == 1 or (B.ndim == A.ndim - 1 and B.shape == A.shape[:-1])


def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """Return X with A X = B (or X A = B), B a vector, matrices, or a batch of either.

    Raises `LinAlgError` for a singular matrix, `ShapeError` where the shapes do not fit.

    >>> import stepgrad as sg
    >>> A = sg.tensor([[4.0, 0.0], [0.0, 9.0]])
    >>> sg.linalg.solve(A, sg.tensor([8.0, 9.0]))
    tensor([2., 1.])
    """
    if left and _is_vector(A, B):
        return apply(REGISTRY["solve"], A, B.unsqueeze(-1)).squeeze(-1)
    return apply(REGISTRY["solve"], A, B) if left else apply(REGISTRY["solve"], A.mT, B.mT).mT


def solve_ex(A: Tensor, B: Tensor, *, left: bool = True, check_errors: bool = False) -> WithInfo:
    """Return (solution, info), info 0. Unlike torch's, raises `LinAlgError` for a singular matrix.

    >>> import stepgrad as sg
    >>> solution, info = solve_ex(sg.tensor([[2.0, 0.0], [0.0, 4.0]]), sg.tensor([2.0, 8.0]))
    >>> solution, info
    (tensor([1., 2.]), tensor(0, dtype=stepgrad.int32))
    """
    return WithInfo(solve(A, B, left=left), _info(A))


def solve_triangular(
    A: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> Tensor:
    """Return X with A X = B (or X A = B) for a triangular A; the other triangle is not read.

    >>> import stepgrad as sg
    >>> A = sg.tensor([[1.0, 2.0], [0.0, 4.0]])
    >>> sg.linalg.solve_triangular(A, sg.tensor([[5.0], [8.0]]), upper=True)
    tensor([[1.],
            [2.]])
    """
    if left:
        return triangular_solution(A, B, upper, False, unitriangular)
    return triangular_solution(A, B.mT, upper, True, unitriangular).mT


def lu_solve(LU: Tensor, pivots: Tensor, B: Tensor, *, left: bool = True, adjoint: bool = False) -> Tensor:
    """Return X with A X = B (or X A = B, or with Aᵀ), from what `lu_factor` gives for A.

    >>> import stepgrad as sg
    >>> packed, pivots = lu_factor(sg.tensor([[1.0, 2.0], [4.0, 6.0]]))
    >>> lu_solve(packed, pivots, sg.tensor([[5.0], [16.0]]))
    tensor([[1.],
            [2.]])
    """
    if left and not adjoint:
        return B.lu_solve(LU, pivots)
    p, lower, above = lu_unpack(LU, pivots)
    whole = p @ lower @ above
    return solve(whole.mT if adjoint else whole, B, left=left)


def pinv(
    A: Tensor, rcond: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None
) -> Tensor:
    """Return Moore and Penrose's inverse; singular values up to max(atol, rtol · the largest) count as 0.

    `rtol` is by default max(m, n) times the distance of 1 to the next number, or 0 if `atol` is given.

    >>> import stepgrad as sg
    >>> sg.linalg.pinv(sg.tensor([[2.0], [2.0]]))
    tensor([[0.2500, 0.2500]])
    """
    bounds = _bounds(A, rcond if rtol is None else rtol, atol)
    return apply(REGISTRY["pinv"], A, hermitian=hermitian, **bounds)


def _bounds(A: Tensor, rtol: Any, atol: Any) -> dict[str, Any]:
    usual = 0.0 if atol is not None else max(A.shape[-2:], default=0) * float(numpy.finfo(A._array.dtype).eps)
    found = {"atol": 0.0 if atol is None else atol, "rtol": usual if rtol is None else rtol}
    return {k: v.detach().numpy()[..., None] if isinstance(v, Tensor) else float(v) for k, v in found.items()}


def lstsq(A: Tensor, B: Tensor, rcond: float | None = None, *, driver: str | None = None) -> LeastSquares:
    """Return (solution, residuals, rank, singular values) of min ‖A X − B‖.

    What a driver of LAPACK ("gelsy" by default) does not find is empty; residuals need full rank and more
    rows than columns.

    >>> import stepgrad as sg
    >>> A = sg.tensor([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
    >>> line = sg.linalg.lstsq(A, sg.tensor([[1.0], [3.0], [5.0]])).solution
    >>> line.round(decimals=3)  # 1 + 2 x
    tensor([[1.],
            [2.]])
    """
    how = driver or "gelsy"
    if how not in ("gels", "gelsy", "gelss", "gelsd"):
        raise ArgumentError(f"lstsq has the drivers gels, gelsy, gelss and gelsd, not {driver!r}.")
    vector = _is_vector(A, B)
    right = B.unsqueeze(-1) if vector else B
    solution = pinv(A) @ right
    rank, residuals = matrix_rank(A), solution.reshape(-1)[:0]
    if how != "gelsy" and A.shape[-2] > A.shape[-1] and bool((rank._array == A.shape[-1]).all()):
        residuals = (A @ solution - right).square().sum(-2)
    values = svdvals(A).detach() if how in ("gelss", "gelsd") else residuals.detach().reshape(-1)[:0]
    rank = rank.reshape(-1)[:0] if how == "gels" else rank
    return LeastSquares(solution.squeeze(-1) if vector else solution, residuals, rank, values)


def tensorinv(A: Tensor, ind: int = 2) -> Tensor:
    """Return the inverse for `tensordot` over the first `ind` dimensions.

    >>> import stepgrad as sg
    >>> A = sg.eye(4).reshape(2, 2, 4) * 2
    >>> tensorinv(A).shape
    (4, 2, 2)
    """
    lead, rest = A.shape[:ind], A.shape[ind:]
    if ind < 1 or math.prod(lead) != math.prod(rest):
        raise ShapeError(f"tensorinv: {list(lead)} and {list(rest)} have different numbers of elements.")
    return inv(A.reshape(math.prod(lead), math.prod(rest))).reshape(*rest, *lead)


def tensorsolve(A: Tensor, B: Tensor, dims: Any = None) -> Tensor:
    """Return X with tensordot(A, X, X.ndim) = B; the dimensions `dims` of A are moved to its end first.

    >>> import stepgrad as sg
    >>> A = sg.eye(4).reshape(2, 2, 4) * 2
    >>> tensorsolve(A, sg.tensor([[2.0, 4.0], [6.0, 8.0]]))
    tensor([1., 2., 3., 4.])
    """
    moved = A
    if dims is not None:
        gone = [one_dim(d, A.ndim) for d in dims]
        moved = A.movedim(gone, list(range(A.ndim - len(gone), A.ndim)))
    rest = moved.shape[B.ndim :]
    if math.prod(rest) != B.numel():
        raise ShapeError(f"tensorsolve: {list(rest)} unknowns for {B.numel()} equations.")
    return solve(moved.reshape(-1, math.prod(rest)), B.reshape(-1)).reshape(rest)


# --------------------------------------------------------------------- ranks, and what else there is


def cond(A: Tensor, p: Any = None) -> Tensor:
    """Return the condition number: the norm of the matrix times that of its inverse; inf if there is none.

    >>> import stepgrad as sg
    >>> A = sg.tensor([[4.0, 0.0], [0.0, 9.0]])
    >>> sg.linalg.cond(A)
    tensor(2.2500)
    """
    if p in (None, 2, -2):
        values = svdvals(A)
        if not values.numel():
            return values.sum(-1)
        first, last = values[..., 0], values[..., -1]
        return last / first if p == -2 else first / last
    try:
        return matrix_norm(A, p) * matrix_norm(inv(A), p)
    except LinAlgError:
        return matrix_norm(A, p) * math.inf


def matrix_rank(
    A: Tensor, tol: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None
) -> Tensor:
    """Return how many singular values are above max(atol, rtol · the largest): see `pinv`.

    >>> import stepgrad as sg
    >>> sg.linalg.matrix_rank(sg.ones(3, 3))
    tensor(1)
    """
    bounds = _bounds(A, rtol, tol if atol is None else atol)
    values = svdvals(A.detach())._array
    largest = values[..., :1] if values.shape[-1] else numpy.zeros((*values.shape[:-1], 1))
    return Tensor._of(
        numpy.asarray((values > numpy.maximum(bounds["atol"], bounds["rtol"] * largest)).sum(-1))
    )


# --------------------------------------------------------------------------------------- vectors and views


def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """Return the inner products of vectors along a dimension.

    >>> import stepgrad as sg
    >>> sg.linalg.vecdot(sg.tensor([[1.0, 2.0], [3.0, 4.0]]), sg.tensor([1.0, 10.0]))
    tensor([21., 43.])
    """
    return (x * y).sum(dim)


def cross(input: Tensor, other: Tensor, *, dim: int = -1) -> Tensor:
    """Return the cross products of vectors of 3 along a dimension.

    >>> import stepgrad as sg
    >>> sg.linalg.cross(sg.tensor([1.0, 0.0, 0.0]), sg.tensor([0.0, 1.0, 0.0]))
    tensor([0., 0., 1.])
    """
    return input.cross(other, dim)


def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Return the diagonals of matrices, by default of the last two dimensions.

    >>> import stepgrad as sg
    >>> A = sg.tensor([[4.0, 0.0], [0.0, 9.0]])
    >>> sg.linalg.diagonal(A)
    tensor([4., 9.])
    """
    return A.diagonal(offset, dim1, dim2)


def vander(x: Tensor, *, N: int | None = None) -> Tensor:
    """Return the powers 1, x, x², … of the elements of vectors, as columns.

    >>> import stepgrad as sg
    >>> sg.linalg.vander(sg.tensor([2.0, 3.0]), N=3)
    tensor([[1., 2., 4.],
            [1., 3., 9.]])
    """
    x = x if x.ndim else x.reshape(1)
    if x.ndim == 1:
        return _vander(x, N, increasing=True)
    count = x.shape[-1] if N is None else N
    powers = [x.unsqueeze(-1) ** i for i in range(count)]
    return apply(REGISTRY["cat"], *powers, dim=x.ndim)


matmul = Tensor.matmul

__all__ = [
    "LinAlgError", "cholesky", "cholesky_ex", "cond", "cross", "det", "diagonal", "eigh", "eigvalsh",
    "householder_product", "inv", "inv_ex", "lstsq", "lu", "lu_factor", "lu_factor_ex", "lu_solve",
    "lu_unpack", "matmul", "matrix_exp", "matrix_norm", "matrix_power", "matrix_rank", "multi_dot",
    "norm", "pinv", "qr", "slogdet", "solve", "solve_ex", "solve_triangular", "svd", "svdvals",
    "tensorinv", "tensorsolve", "vander", "vecdot", "vector_norm",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__ = teller(__name__, globals())
