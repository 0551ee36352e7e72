"""Methods that multiply matrices and vectors, alone and added to others."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy

from stepgrad.arrays import dtypes
from stepgrad.autograd.engine import apply
from stepgrad.errors import ArgumentError, ShapeError
from stepgrad.methods.base import TensorBase, one_dim
from stepgrad.ops.registry import REGISTRY

if TYPE_CHECKING:
    from stepgrad.tensor import Tensor


class ProductMethods(TensorBase):
    """Matrix products; the names and arguments are PyTorch's."""

    def _plus(self, product: Tensor, beta: float, alpha: float) -> Tensor:
        """Return beta · self + alpha · product; with beta 0, self does not count even where it is NaN."""
        product = product if alpha == 1 else product * alpha
        if beta == 0:
            return product.expand(_broadcast(self._array.shape, product.shape))
        return (self._as_tensor() if beta == 1 else self._as_tensor() * beta) + product

    def addmm(self, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
        """Return beta · self + alpha · mat1 mat2, of matrices.

        >>> import stepgrad as sg
        >>> sg.ones(2, 2).addmm(sg.eye(2), sg.eye(2), beta=0.5)
        tensor([[1.5000, 0.5000],
                [0.5000, 1.5000]])
        """
        return self._plus(mat1.mm(mat2), beta, alpha)

    def addmv(self, mat: Tensor, vec: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
        """Return beta · self + alpha · mat vec, of a matrix and a vector.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, 1.0]).addmv(sg.tensor([[1.0, 2.0], [3.0, 4.0]]), sg.tensor([1.0, 1.0]))
        tensor([4., 8.])
        """
        return self._plus(mat.mv(vec), beta, alpha)

    def addr(self, vec1: Tensor, vec2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
        """Return beta · self + alpha · the outer product of two vectors.

        >>> import stepgrad as sg
        >>> sg.zeros(2, 2).addr(sg.tensor([1.0, 2.0]), sg.tensor([3.0, 4.0]))
        tensor([[3., 4.],
                [6., 8.]])
        """
        return self._plus(vec1.outer(vec2), beta, alpha)

    def baddbmm(self, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
        """Return beta · self + alpha · batch1 batch2, of batches of matrices.

        >>> import stepgrad as sg
        >>> sg.ones(1, 2, 2).baddbmm(sg.ones(1, 2, 3), sg.ones(1, 3, 2))
        tensor([[[4., 4.],
                 [4., 4.]]])
        """
        return self._plus(batch1.bmm(batch2), beta, alpha)

    def addbmm(self, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
        """Return beta · self + alpha · the sum of the products of two batches of matrices.

        >>> import stepgrad as sg
        >>> sg.zeros(2, 2).addbmm(sg.ones(5, 2, 3), sg.ones(5, 3, 2))
        tensor([[15., 15.],
                [15., 15.]])
        """
        return self._plus(batch1.bmm(batch2).sum(0), beta, alpha)

    def vdot(self, other: Tensor) -> Tensor:
        """Return the inner product of two vectors.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, 2.0]).vdot(sg.tensor([3.0, 4.0]))
        tensor(11.)
        """
        return self._as_tensor().dot(other)

    def ger(self, vec2: Tensor) -> Tensor:
        """Return the outer product of two vectors.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, 2.0]).ger(sg.tensor([3.0, 4.0]))
        tensor([[3., 4.],
                [6., 8.]])
        """
        return self._as_tensor().outer(vec2)

    def inner(self, other: Tensor) -> Tensor:
        """Return the inner products over the last dimensions of both; with a number, the product.

        >>> import stepgrad as sg
        >>> sg.tensor([[1.0, 2.0], [3.0, 4.0]]).inner(sg.tensor([1.0, 1.0]))
        tensor([3., 7.])
        """
        x = self._as_tensor()
        if not x.ndim or not other.ndim:
            return x * other
        if x.shape[-1] != other.shape[-1]:
            raise ShapeError(f"inner of {list(x.shape)} and {list(other.shape)}: the last sizes differ.")
        return x.tensordot(other, ([-1], [-1]))

    def tensordot(self, other: Tensor, dims: Any = 2) -> Tensor:
        """Return the sum of products over pairs of dimensions: the last and first `dims`, or two lists.

        Raises `ShapeError` where the sizes of a pair differ.

        >>> import stepgrad as sg
        >>> sg.zeros(2, 3, 4).tensordot(sg.zeros(3, 4, 5)).shape
        (2, 5)
        """
        x = self._as_tensor()
        dims = dims._as_tensor().tolist() if isinstance(dims, TensorBase) else dims
        if isinstance(dims, int):
            if not 0 <= dims <= min(x.ndim, other.ndim):
                raise ArgumentError(
                    f"tensordot over {dims} dimensions of {list(x.shape)} and {list(other.shape)}."
                )
            pairs = (list(range(x.ndim - dims, x.ndim)), list(range(dims)))
        else:
            pairs = ([one_dim(d, x.ndim) for d in dims[0]], [one_dim(d, other.ndim) for d in dims[1]])
        mine, theirs = pairs
        for a, b in zip(mine, theirs, strict=True):
            # A size of 1 is repeated, as it is in other products.
            x = x.sum(a, keepdim=True) if x.shape[a] != 1 == other.shape[b] else x
            other = other.sum(b, keepdim=True) if other.shape[b] != 1 == x.shape[a] else other
        if [x.shape[d] for d in mine] != [other.shape[d] for d in theirs]:
            raise ShapeError(
                f"tensordot of {list(x.shape)} and {list(other.shape)}: sizes of {mine} and {theirs} differ."
            )
        rows = [d for d in range(x.ndim) if d not in mine]
        columns = [d for d in range(other.ndim) if d not in theirs]
        shape = (*(x.shape[d] for d in rows), *(other.shape[d] for d in columns))
        count = math.prod(x.shape[d] for d in mine)
        height, width = math.prod(shape[: len(rows)]), math.prod(shape[len(rows) :])
        left = x.permute(*rows, *mine) if x.ndim else x
        right = other.permute(*theirs, *columns) if other.ndim else other
        return (left.reshape(height, count) @ right.reshape(count, width)).reshape(shape)

    def kron(self, other: Tensor) -> Tensor:
        """Return Kronecker's product: each element of self times all of other.

        >>> import stepgrad as sg
        >>> sg.eye(2).kron(sg.tensor([[1.0, 2.0]]))
        tensor([[1., 2., 0., 0.],
                [0., 0., 1., 2.]])
        """
        x, n = self._as_tensor(), max(self._array.ndim, other.ndim)
        left, right = (t.reshape((1,) * (n - t.ndim) + t.shape) for t in (x, other))
        sizes = tuple(a * b for a, b in zip(left.shape, right.shape, strict=True))
        a = left.reshape(tuple(m for size in left.shape for m in (size, 1)))
        b = right.reshape(tuple(m for size in right.shape for m in (1, size)))
        return (a * b).reshape(sizes)

    def cross(self, other: Tensor, dim: int | None = None) -> Tensor:
        """Return the cross product along a dimension of length 3, by default the first one.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, 0.0, 0.0]).cross(sg.tensor([0.0, 1.0, 0.0]))
        tensor([0., 0., 1.])
        """
        x = self._as_tensor()
        if dim is None:
            shape = _broadcast(x.shape, other.shape)
            threes = [i for i, n in enumerate(shape) if n == 3]
            if not threes:
                raise ShapeError(f"cross finds no dimension of length 3 in {list(shape)}.")
            dim = threes[0] - len(shape)
        d = dim if dim < 0 else dim - max(x.ndim, other.ndim)
        if x.shape[d] != 3 or other.shape[d] != 3:
            raise ShapeError(
                f"cross takes vectors of 3, not {list(x.shape)} and {list(other.shape)} along {dim}."
            )
        return x.roll(-1, d) * other.roll(-2, d) - x.roll(-2, d) * other.roll(-1, d)

    def matrix_power(self, n: int) -> Tensor:
        """Return the n-th power of square matrices; of the inverse, if n is negative.

        >>> import stepgrad as sg
        >>> sg.tensor([[1.0, 1.0], [0.0, 1.0]]).matrix_power(3)
        tensor([[1., 3.],
                [0., 1.]])
        """
        x = self._as_tensor()
        if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
            raise ShapeError(f"matrix_power takes square matrices, not the shape {list(x.shape)}.")
        if n < 0:
            return x.inverse().matrix_power(-n)
        if n == 0:
            own = apply(REGISTRY["eye"], x, n=x.shape[-1]).to(dtypes.bool_)
            return x.masked_fill(own, 1).masked_fill(~own, 0)
        result = None
        while n:
            if n & 1:
                result = x if result is None else result @ x
            n >>= 1
            x = x @ x if n else x
        assert result is not None
        return result.clone() if result is self else result

    def cov(
        self, *, correction: int = 1, fweights: Tensor | None = None, aweights: Tensor | None = None
    ) -> Tensor:
        """Return the covariances of variables, one in each row, observed in the columns.

        `fweights`: how often each observation counts; `aweights`: how much.

        >>> import stepgrad as sg
        >>> sg.tensor([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]).cov()
        tensor([[ 1., -1.],
                [-1.,  1.]])
        """
        x = self._as_tensor()
        if x.ndim > 2:
            raise ShapeError(f"cov takes at most 2 dimensions, not the shape {list(x.shape)}.")
        rows = x.reshape(1, -1) if x.ndim < 2 else x
        rows = rows if rows.is_floating_point() else rows.to(dtypes.get_default_dtype())
        weights = fweights if aweights is None else aweights if fweights is None else fweights * aweights
        count: Any = rows.shape[1] if weights is None else weights.sum()
        if weights is None:
            centred = rows - rows.mean(1, keepdim=True)
            norm: Any = count - correction
        else:
            centred = rows - (rows * weights).sum(1, keepdim=True) / count
            norm = count - correction
            if correction and aweights is not None:
                norm = count - correction * (weights * aweights).sum() / count
        product = centred @ (centred if weights is None else centred * weights).T
        norm = norm if not isinstance(norm, TensorBase) else apply(REGISTRY["maximum"], norm, 0)
        product = product / (max(norm, 0) if isinstance(norm, int) else norm)
        return product.squeeze()

    def corrcoef(self) -> Tensor:
        """Return the correlations of variables, one in each row, observed in the columns; within [−1, 1].

        >>> import stepgrad as sg
        >>> sg.tensor([[1.0, 2.0, 3.0], [6.0, 4.0, 2.0]]).corrcoef()
        tensor([[ 1., -1.],
                [-1.,  1.]])
        """
        covariance = self.cov()
        if not covariance.ndim:
            return covariance / covariance
        spread = covariance.diagonal().sqrt()
        return (covariance / spread.unsqueeze(1) / spread).clamp(-1, 1)


def _broadcast(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    try:
        return tuple(numpy.broadcast_shapes(a, b))
    except ValueError:
        raise ShapeError(f"the shapes {list(a)} and {list(b)} do not broadcast.") from None
