"""Methods of linear algebra: inverses, determinants, solutions, decompositions of matrices."""

from __future__ import annotations

import math
from collections import namedtuple
from typing import TYPE_CHECKING, Any

import numpy

from stepgrad.autograd.engine import TENSORS, apply
from stepgrad.errors import ArgumentError, LinAlgError
from stepgrad.methods.base import TensorBase
from stepgrad.ops import factors
from stepgrad.ops.matrices import piece
from stepgrad.ops.registry import REGISTRY

if TYPE_CHECKING:
    from stepgrad.tensor import Tensor

QR = namedtuple("QR", "Q R")
SVD = namedtuple("SVD", "U S Vh")
Eigh = namedtuple("Eigh", "eigenvalues eigenvectors")
SlogDet = namedtuple("SlogDet", "sign logabsdet")
LUFactors = namedtuple("LUFactors", "LU pivots")
Solution = namedtuple("Solution", "solution cloned_coefficient")


class MatrixMethods(TensorBase):
    """Of the last two dimensions; leading ones are a batch. Raises `LinAlgError` where no result exists."""

    def inverse(self) -> Tensor:
        """Return the inverse of square matrices.

        >>> import stepgrad as sg
        >>> sg.tensor([[2.0, 0.0], [0.0, 4.0]]).inverse()
        tensor([[0.5000, 0.0000],
                [0.0000, 0.2500]])
        """
        return apply(REGISTRY["inv"], self)

    def det(self) -> Tensor:
        """Return the determinant of square matrices.

        >>> import stepgrad as sg
        >>> sg.tensor([[2.0, 0.0], [0.0, 4.0]]).det()
        tensor(8.)
        """
        return apply(REGISTRY["det"], self)

    def logdet(self) -> Tensor:
        """Return the logarithm of the determinant; nan where that is negative, −inf where it is 0.

        >>> import stepgrad as sg
        >>> sg.tensor([[2.0, 0.0], [0.0, 3.0]]).logdet()
        tensor(1.7918)
        """
        negative = apply(REGISTRY["detsign"], self).detach() < 0
        return apply(REGISTRY["where"], negative, math.nan, apply(REGISTRY["logabsdet"], self))

    def slogdet(self) -> SlogDet:
        """Return (sign, logabsdet) of the determinant, which does not overflow.

        >>> import stepgrad as sg
        >>> sign, logabsdet = sg.tensor([[0.0, 2.0], [3.0, 0.0]]).slogdet()
        >>> sign, logabsdet
        (tensor(-1.), tensor(1.7918))
        """
        return SlogDet(apply(REGISTRY["detsign"], self), apply(REGISTRY["logabsdet"], self))

    def pinverse(self, rcond: float = 1e-15) -> Tensor:
        """Return Moore and Penrose's inverse; singular values up to rcond · the largest count as 0.

        >>> import stepgrad as sg
        >>> sg.tensor([[2.0, 0.0], [0.0, 4.0], [0.0, 0.0]]).pinverse()
        tensor([[0.5000, 0.0000, 0.0000],
                [0.0000, 0.2500, 0.0000]])
        """
        return apply(REGISTRY["pinv"], self, atol=0.0, rtol=float(rcond), hermitian=False)

    def matrix_exp(self) -> Tensor:
        """Return the matrix exponential I + A + A²/2 + …

        >>> import stepgrad as sg
        >>> sg.tensor([[0.0, 1.0], [0.0, 0.0]]).matrix_exp()
        tensor([[1., 1.],
                [0., 1.]])
        """
        return apply(REGISTRY["matrix_exp"], self)

    # ------------------------------------------------------------------------------- decompositions

    def cholesky(self, upper: bool = False) -> Tensor:
        """Return L, lower triangular with L Lᵀ = A, or with `upper` Lᵀ, of the upper triangle of A.

        >>> import stepgrad as sg
        >>> sg.tensor([[4.0, 2.0], [2.0, 5.0]]).cholesky()
        tensor([[2., 0.],
                [1., 2.]])
        """
        x = self._as_tensor()
        made = apply(REGISTRY["cholesky"], x.mT if upper else x)
        return made.mT if upper else made

    def cholesky_inverse(self, upper: bool = False) -> Tensor:
        """Return the inverse of the matrix of which this is the Cholesky factor.

        >>> import stepgrad as sg
        >>> sg.tensor([[2.0, 0.0], [1.0, 2.0]]).cholesky_inverse()
        tensor([[ 0.3125, -0.1250],
                [-0.1250,  0.2500]])
        """
        x = self._triangle_of(upper)
        return (x.mT @ x if upper else x @ x.mT).inverse()

    def cholesky_solve(self, L: Tensor, upper: bool = False) -> Tensor:
        """Return X with A X = self, L the Cholesky factor of A.

        >>> import stepgrad as sg
        >>> L = sg.tensor([[2.0, 0.0], [1.0, 2.0]])
        >>> sg.tensor([[4.0], [7.0]]).cholesky_solve(L)
        tensor([[0.3750],
                [1.2500]])
        """
        factor = L._triangle_of(upper)
        lower = factor.mT if upper else factor
        return apply(REGISTRY["solve"], lower.mT, apply(REGISTRY["solve"], lower, self))

    def _triangle_of(self, upper: bool) -> Tensor:
        """Return one triangle of a factor. The gradient, as PyTorch's, is that of all elements."""
        x = self._as_tensor()
        other = x.detach().tril(-1) if upper else x.detach().triu(1)
        return x - other

    def qr(self, some: bool = True) -> QR:
        """Return (Q, R); with `some` false Q is square.

        >>> import stepgrad as sg
        >>> q, r = sg.tensor([[3.0, 1.0], [4.0, 2.0]]).qr()
        >>> (q @ r).round(decimals=4)
        tensor([[3., 1.],
                [4., 2.]])
        """
        return self._qr("reduced" if some else "complete")

    def _qr(self, mode: str) -> QR:
        if mode not in ("reduced", "complete", "r"):
            raise ArgumentError(f"qr has the modes 'reduced', 'complete' and 'r', not {mode!r}.")
        complete = mode == "complete"
        sizes = factors.qr_sizes(*self._sides(), complete)
        both = apply(REGISTRY["qr"], self, complete=complete)
        q, r = (piece(TENSORS, both, i, sizes) for i in range(2))
        return QR(q.reshape(-1)[:0].detach() if mode == "r" else q, r)

    def _sides(self) -> tuple[int, int]:
        if self._array.ndim < 2:
            raise LinAlgError(f"this takes matrices, not the shape {list(self._array.shape)}.")
        rows, columns = self._array.shape[-2:]
        return rows, columns

    def svd(self, some: bool = True, compute_uv: bool = True) -> Any:
        """Return (U, S, V), V with singular vectors as columns; `stepgrad.linalg.svd` gives Vᵀ.

        >>> import stepgrad as sg
        >>> u, s, v = sg.tensor([[3.0, 0.0], [0.0, 2.0]]).svd()
        >>> s
        tensor([3., 2.])
        """
        u, s, vh = self._svd(full=not some)
        return SVD(u, s, vh.mT) if compute_uv else SVD(u * 0, s, vh.mT * 0)

    def _svd(self, full: bool) -> SVD:
        sizes = factors.svd_sizes(*self._sides(), full)
        both = apply(REGISTRY["svd"], self, full=full)
        return SVD(*(piece(TENSORS, both, i, sizes) for i in range(3)))

    def _eigh(self, UPLO: str) -> Eigh:
        if UPLO.upper() not in ("L", "U"):
            raise ArgumentError(f"UPLO is 'L' or 'U', not {UPLO!r}.")
        both = apply(REGISTRY["eigh"], self, upper=UPLO.upper() == "U")
        sizes = factors.eigh_sizes(self._sides()[0])
        return Eigh(*(piece(TENSORS, both, i, sizes) for i in range(2)))

    def lu(self, pivot: bool = True, get_infos: bool = False) -> Any:
        """Return (LU, pivots): L and U in one matrix, and the rows that changed places, from 1 on.

        >>> import stepgrad as sg
        >>> packed, pivots = sg.tensor([[1.0, 2.0], [4.0, 6.0]]).lu()
        >>> packed, pivots
        (tensor([[4.0000, 6.0000],
                [0.2500, 0.5000]]), tensor([2, 2], dtype=stepgrad.int32))
        """
        if not pivot:
            raise ArgumentError("lu without pivots is not in stepgrad.")
        made = LUFactors(apply(REGISTRY["lu"], self), apply(REGISTRY["lu_pivots"], self))
        infos = numpy.zeros(self._array.shape[:-2], "int32")
        return (*made, type(made.LU)._of(infos)) if get_infos else made

    def lu_solve(self, LU_data: Tensor, LU_pivots: Tensor) -> Tensor:
        """Return X with A X = self, from the LU decomposition of A.

        >>> import stepgrad as sg
        >>> packed, pivots = sg.tensor([[1.0, 2.0], [4.0, 6.0]]).lu()
        >>> sg.tensor([[5.0], [16.0]]).lu_solve(packed, pivots)
        tensor([[1.],
                [2.]])
        """
        lower, above = factors.unit_lower(TENSORS, LU_data), LU_data.triu()
        order = _order(LU_pivots, LU_data.shape[-2])
        rows = order.unsqueeze(-1).expand(*_lead(order, self), *self._array.shape[-2:])
        right = self._as_tensor().expand(rows.shape)
        permuted = apply(REGISTRY["take_along"], right, rows, dim=right.ndim - 2)
        return apply(REGISTRY["solve"], above, apply(REGISTRY["solve"], lower, permuted))

    def triangular_solve(
        self, A: Tensor, upper: bool = True, transpose: bool = False, unitriangular: bool = False
    ) -> Solution:
        """Return (X with A X = self, A); A is triangular, or its transpose is meant.

        >>> import stepgrad as sg
        >>> solution, _ = sg.tensor([[4.0], [2.0]]).triangular_solve(sg.tensor([[2.0, 1.0], [0.0, 1.0]]))
        >>> solution
        tensor([[1.],
                [2.]])
        """
        return Solution(triangular_solution(A, self._as_tensor(), upper, transpose, unitriangular), A.clone())

    def ormqr(self, tau: Tensor, other: Tensor, left: bool = True, transpose: bool = False) -> Tensor:
        """Return Q other (or other Q, or with Qᵀ), Q the product of Householder's reflections in self.

        >>> import stepgrad as sg
        >>> sg.tensor([[-5.0], [0.5]]).ormqr(sg.tensor([1.6]), sg.tensor([[3.0], [4.0]]))
        tensor([[-5.],
                [ 0.]])
        """
        x, count = self._as_tensor(), tau.shape[-1]
        # Reflections that meet `other` one after the other; their order is that of Q or of Qᵀ.
        forwards = left == transpose
        y = other if left else other.mT
        y = y if count else y + x.sum() * 0
        for i in range(count) if forwards else reversed(range(count)):
            y = _reflected(x, tau, i, y)
        return y if left else y.mT


def _lead(order: Any, x: Any) -> tuple[int, ...]:
    return tuple(numpy.broadcast_shapes(order.shape[:-1], x._array.shape[:-2]))


def _order(pivots: Tensor, rows: int) -> Tensor:
    """Return the order of rows that pivots lead to."""
    from stepgrad.methods.ordering import readable

    return type(pivots)._of(factors.permutation(numpy, readable(pivots), rows))


def triangular_solution(a: Any, b: Tensor, upper: bool, transpose: bool, unit: bool) -> Tensor:
    """Return X with A X = B for the upper or lower triangle A, with ones on its diagonal if `unit`."""
    triangle = a.triu(1 if unit else 0) if upper else a.tril(-1 if unit else 0)
    if unit:
        own = apply(REGISTRY["eye"], a, n=a.shape[-1])
        triangle = triangle + own.to(a.dtype)
    return apply(REGISTRY["solve"], triangle.mT if transpose else triangle, b)


def _reflected(x: Tensor, tau: Tensor, i: int, y: Tensor) -> Tensor:
    """Return (I − τ v vᵀ) y, v the i-th of Householder's vectors: 1 in place i, below it column i of x."""
    rows = y.shape[-2]
    place = x._counted(rows)
    column = x[..., i]
    if column.shape[-1] < rows:
        column = apply(
            REGISTRY["cat"], column, y[..., 0].detach()[..., column.shape[-1] :] * 0, dim=column.ndim - 1
        )
    v = apply(REGISTRY["where"], place == i, 1.0, apply(REGISTRY["where"], place > i, column, 0.0)).unsqueeze(
        -1
    )
    return y - (tau[..., i, None, None] * v) @ (v.mT @ y)
