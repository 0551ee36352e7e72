"""Methods that reduce, contract and normalise: sums, means, extremes, matrix products, softmax."""

from __future__ import annotations

from collections import namedtuple
from typing import TYPE_CHECKING, Any

from stepgrad.arrays import dtypes
from stepgrad.arrays.conversion import array_of
from stepgrad.autograd import engine
from stepgrad.autograd.engine import apply
from stepgrad.errors import ArgumentError, ShapeError
from stepgrad.methods.base import TensorBase, one_dim, some_dims
from stepgrad.methods.norms import vector_norm
from stepgrad.ops.reductions import kept_shape
from stepgrad.ops.registry import REGISTRY

if TYPE_CHECKING:
    from stepgrad.tensor import Tensor

_sum, _mean, _matmul = REGISTRY["sum"], REGISTRY["mean"], REGISTRY["matmul"]

Extreme = namedtuple("Extreme", "values indices")
Extreme.__doc__ = "The extreme `values` along a dimension, and their `indices` (int64)."


class ReductionMethods(TensorBase):
    """Along `dim`, an integer or several, or all dimensions when it is None. `keepdim` leaves length 1."""

    def sum(self, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
        """Return the sum of all elements, or along `dim`, an integer or several.

        `keepdim` keeps those dimensions, with length 1. Booleans and integers sum to int64, unless `dtype`
        says otherwise.

        >>> import stepgrad as sg
        >>> x = sg.tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> x.sum(), x.sum(0)
        (tensor(10.), tensor([4., 6.]))
        >>> x.sum(1, keepdim=True)
        tensor([[3.],
                [7.]])
        """
        return apply(_sum, self._wide(dtype), dim=some_dims(dim, self._array.ndim), keepdim=keepdim)

    def _wide(self, dtype: Any) -> Tensor:
        """Return the tensor in `dtype`, by default in its own if that is floating point, else in int64."""
        x = self._as_tensor()
        if dtype is None:
            return x if x._array.dtype.kind == "f" else x.long()
        return x.to(dtype)

    def mean(self, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
        """Return the mean; NaN of nothing. Raises `DtypeError` for integers without `dtype`, as PyTorch.

        >>> import stepgrad as sg
        >>> sg.tensor([[1.0, 2.0], [3.0, 4.0]]).mean(0)
        tensor([2., 3.])
        """
        x = self._as_tensor() if dtype is None else self._as_tensor().to(dtype)
        x._must_be_floating("mean")
        return apply(_mean, x, dim=some_dims(dim, x._array.ndim), keepdim=keepdim)

    def var(
        self, dim: Any = None, unbiased: bool = True, keepdim: bool = False, *, correction: int | None = None
    ) -> Tensor:
        """Return the variance: Σ (x − mean)² / (N − correction), correction 1 (unbiased) by default.

        >>> import stepgrad as sg
        >>> x = sg.tensor([1.0, 2.0, 3.0, 4.0])
        >>> x.var(), x.var(correction=0)
        (tensor(1.6667), tensor(1.2500))
        """
        return self._spread("var", dim, unbiased, keepdim, correction)

    def _spread(self, name: str, dim: Any, unbiased: bool, keepdim: bool, correction: int | None) -> Tensor:
        self._must_be_floating(name)
        if isinstance(dim, bool):  # var(False), as PyTorch takes it
            dim, unbiased = None, dim
        minus = (1 if unbiased else 0) if correction is None else correction
        dims = some_dims(dim, self._array.ndim)
        return apply(REGISTRY[name], self, dim=dims, keepdim=keepdim, correction=minus)

    def std(
        self, dim: Any = None, unbiased: bool = True, keepdim: bool = False, *, correction: int | None = None
    ) -> Tensor:
        """Return the standard deviation, the root of `var`.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, 3.0]).std(correction=0)
        tensor(1.)
        """
        return self._spread("std", dim, unbiased, keepdim, correction)

    def prod(self, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
        """Return the product. Booleans and integers multiply to int64, unless `dtype` says otherwise.

        >>> import stepgrad as sg
        >>> sg.tensor([2, 3, 4]).prod()
        tensor(24)
        """
        return apply(
            REGISTRY["prod"], self._wide(dtype), dim=some_dims(dim, self._array.ndim), keepdim=keepdim
        )

    def amax(self, dim: Any = None, keepdim: bool = False) -> Tensor:
        """Return the largest; elements that tie share the gradient.

        >>> import stepgrad as sg
        >>> sg.tensor([[1.0, 5.0], [7.0, 3.0]]).amax(1)
        tensor([5., 7.])
        """
        dims = some_dims(dim, self._array.ndim)
        self._must_not_be_empty("amax", dims)
        return apply(REGISTRY["amax"], self, dim=dims, keepdim=keepdim)

    def amin(self, dim: Any = None, keepdim: bool = False) -> Tensor:
        """Return the smallest; elements that tie share the gradient.

        >>> import stepgrad as sg
        >>> sg.tensor([[1.0, 5.0], [7.0, 3.0]]).amin(1)
        tensor([1., 3.])
        """
        dims = some_dims(dim, self._array.ndim)
        self._must_not_be_empty("amin", dims)
        return apply(REGISTRY["amin"], self, dim=dims, keepdim=keepdim)

    def max(self, dim: Any = None, keepdim: bool = False) -> Any:
        """Return the largest of all; with an integer `dim` (values, indices); with a tensor, `maximum`.

        >>> import stepgrad as sg
        >>> x = sg.tensor([[1.0, 5.0], [3.0, 2.0]])
        >>> x.max()
        tensor(5.)
        >>> values, indices = x.max(1)
        >>> values, indices
        (tensor([5., 3.]), tensor([1, 0]))
        """
        return self._extreme("max", dim, keepdim)

    def min(self, dim: Any = None, keepdim: bool = False) -> Any:
        """Return the smallest of all; with an integer `dim` (values, indices); with a tensor, `minimum`.

        >>> import stepgrad as sg
        >>> values, indices = sg.tensor([[1.0, 5.0], [3.0, 2.0]]).min(1)
        >>> values, indices
        (tensor([1., 2.]), tensor([0, 1]))
        """
        return self._extreme("min", dim, keepdim)

    def _extreme(self, which: str, dim: Any, keepdim: bool) -> Any:
        if isinstance(dim, TensorBase):
            return apply(REGISTRY[f"{which}imum"], self, dim)
        if dim is None:
            self._must_not_be_empty(which, None)
            return apply(REGISTRY[f"a{which}"], self, dim=None, keepdim=False)
        indices = self._arg(f"arg{which}", dim, True)
        along = one_dim(dim, self._array.ndim)
        if not self._array.ndim:
            return Extreme(self._as_tensor().clone(), indices)
        values = apply(REGISTRY["take_along"], self, indices, dim=along)
        return Extreme(values, indices) if keepdim else Extreme(values.squeeze(along), indices.squeeze(along))

    def argmax(self, dim: int | None = None, keepdim: bool = False) -> Tensor:
        """Return the index (int64) of the first largest, in the flattened tensor when `dim` is None.

        >>> import stepgrad as sg
        >>> sg.tensor([[1.0, 5.0], [3.0, 2.0]]).argmax(1)
        tensor([1, 0])
        """
        return self._arg("argmax", dim, keepdim)

    def argmin(self, dim: int | None = None, keepdim: bool = False) -> Tensor:
        """Return the index (int64) of the first smallest, in the flattened tensor when `dim` is None.

        >>> import stepgrad as sg
        >>> sg.tensor([4.0, 2.0, 3.0]).argmin()
        tensor(1)
        """
        return self._arg("argmin", dim, keepdim)

    def _arg(self, name: str, dim: int | None, keepdim: bool) -> Tensor:
        ndim = self._array.ndim
        along = None if dim is None else one_dim(dim, ndim)
        along = along if ndim else None
        self._must_not_be_empty(name, None if along is None else (along,))
        return apply(REGISTRY[name], self, dim=along, keepdim=keepdim and ndim > 0)

    def any(self, dim: Any = None, keepdim: bool = False) -> Tensor:
        """Return whether one element differs from 0: booleans, of uint8 0 or 1 in uint8.

        >>> import stepgrad as sg
        >>> sg.tensor([0.0, 2.0]).any()
        tensor(True)
        """
        return self._truth("any", dim, keepdim)

    def all(self, dim: Any = None, keepdim: bool = False) -> Tensor:
        """Return whether all elements differ from 0: booleans, of uint8 0 or 1 in uint8.

        >>> import stepgrad as sg
        >>> sg.tensor([[True, False], [True, True]]).all(1)
        tensor([False,  True])
        """
        return self._truth("all", dim, keepdim)

    def _truth(self, name: str, dim: Any, keepdim: bool) -> Tensor:
        found = apply(REGISTRY[name], self, dim=some_dims(dim, self._array.ndim), keepdim=keepdim)
        # PyTorch's masks were uint8 before there were booleans.
        return found.to(dtypes.uint8) if self._array.dtype.name == "uint8" else found

    def logsumexp(self, dim: Any, keepdim: bool = False) -> Tensor:
        """Return ln Σ eˣ, without overflow.

        >>> import stepgrad as sg
        >>> sg.tensor([1000.0, 1000.0]).logsumexp(0)  # 1000 + ln 2
        tensor(1000.6932)
        """
        return apply(REGISTRY["logsumexp"], self, dim=some_dims(dim, self._array.ndim), keepdim=keepdim)

    def norm(self, p: Any = 2, dim: Any = None, keepdim: bool = False) -> Tensor:
        """Return the p-norm (Σ |x|ᵖ)^(1/p): p a number ≥ 0, inf, -inf, or "fro" for 2.

        >>> import stepgrad as sg
        >>> x = sg.tensor([3.0, -4.0])
        >>> x.norm(), x.norm(1), x.norm(float("inf"))
        (tensor(5.), tensor(7.), tensor(4.))
        """
        dims = some_dims(dim, self._array.ndim)
        if p in ("fro", 2):
            return apply(REGISTRY["norm"], self, dim=dims, keepdim=keepdim)
        if p == "nuc":
            x = self._as_tensor()
            rows, columns = (-2, -1) if dim is None else (one_dim(d, x.ndim) for d in dim)
            total = x.movedim((rows, columns), (-2, -1))._svd(False).S.sum(-1)
            return total.reshape(kept_shape(x.shape, (rows % x.ndim, columns % x.ndim))) if keepdim else total
        if not isinstance(p, (int, float)):
            raise ArgumentError(f"norm takes a number, 'fro', 'nuc', inf or -inf as p, not {p!r}.")
        return vector_norm(self._as_tensor(), p, dim, keepdim)

    def softmax(self, dim: int, dtype: Any = None) -> Tensor:
        """Return eˣⁱ / Σⱼ eˣʲ along `dim`, without overflow: numbers in [0, 1] that add up to 1.

        >>> import stepgrad as sg
        >>> sg.tensor([[0.0, 0.0], [1000.0, 0.0]]).softmax(1)
        tensor([[0.5000, 0.5000],
                [1.0000, 0.0000]])
        """
        x = self._as_tensor() if dtype is None else self._as_tensor().to(dtype)
        along = one_dim(dim, x._array.ndim)
        return apply(REGISTRY["softmax"], x, dim=along) if x._array.ndim else x * 0 + 1

    def log_softmax(self, dim: int, dtype: Any = None) -> Tensor:
        """Return the logarithm of softmax along `dim`.

        >>> import stepgrad as sg
        >>> sg.tensor([0.0, 1000.0]).log_softmax(0)
        tensor([-1000.,     0.])
        """
        x = self._as_tensor() if dtype is None else self._as_tensor().to(dtype)
        along = one_dim(dim, x._array.ndim)
        return apply(REGISTRY["log_softmax"], x, dim=along) if x._array.ndim else x * 0

    # ------------------------------------------------------------------------------ products

    def matmul(self, other: Tensor) -> Tensor:
        """Return the matrix product, (…, n, k) and (…, k, m) → (…, n, m); leading dimensions broadcast.

        A vector (k) counts as a row on the left and as a column on the right; the result is without that
        dimension. Raises `ShapeError` that names both shapes if the inner sizes differ.

        >>> import stepgrad as sg
        >>> A = sg.tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> A @ A
        tensor([[ 7., 10.],
                [15., 22.]])
        >>> A @ sg.tensor([1.0, 10.0])
        tensor([21., 43.])
        >>> (sg.zeros(5, 2, 3) @ sg.zeros(3, 4)).shape
        (5, 2, 4)
        """
        if not isinstance(other, TensorBase):
            raise ArgumentError(f"matmul takes two tensors, not {type(other).__name__}.")
        a, b = self._as_tensor(), other
        if a.ndim == 0 or b.ndim == 0:
            raise ShapeError(
                f"matmul takes no 0-d tensor: {list(a.shape)} and {list(b.shape)}. Use * instead."
            )
        rows, columns = a.ndim == 1, b.ndim == 1
        if a.shape[-1] != b.shape[-1 if columns else -2]:
            raise ShapeError(
                f"matmul of {list(a.shape)} and {list(b.shape)}: the inner sizes {a.shape[-1]} and "
                f"{b.shape[-1 if columns else -2]} differ."
            )
        y = apply(_matmul, a.unsqueeze(0) if rows else a, b.unsqueeze(1) if columns else b)
        if columns:
            y = y.squeeze(-1)
        return y.squeeze(-1 if columns else -2) if rows else y

    def __matmul__(self, other: Tensor) -> Tensor:
        return self.matmul(other)

    def __rmatmul__(self, other: Any) -> Tensor:
        left = other if isinstance(other, TensorBase) else engine.Tensor._of(array_of(other))
        return left._as_tensor().matmul(self._as_tensor())

    def mm(self, other: Tensor) -> Tensor:
        """Return the product of two matrices.

        >>> import stepgrad as sg
        >>> sg.zeros(2, 3).mm(sg.zeros(3, 4)).shape
        (2, 4)
        """
        if self._array.ndim != 2 or other.ndim != 2:
            raise ShapeError(f"mm takes two matrices, not {list(self._array.shape)} and {list(other.shape)}.")
        return self.matmul(other)

    def mv(self, other: Tensor) -> Tensor:
        """Return the product of a matrix and a vector.

        >>> import stepgrad as sg
        >>> sg.tensor([[1.0, 2.0], [3.0, 4.0]]).mv(sg.tensor([1.0, 10.0]))
        tensor([21., 43.])
        """
        if self._array.ndim != 2 or other.ndim != 1:
            raise ShapeError(
                f"mv takes a matrix and a vector, not {list(self._array.shape)}, {list(other.shape)}."
            )
        return self.matmul(other)

    def bmm(self, other: Tensor) -> Tensor:
        """Return the products of two batches of matrices, (B, n, k) and (B, k, m).

        >>> import stepgrad as sg
        >>> sg.zeros(5, 2, 3).bmm(sg.zeros(5, 3, 4)).shape
        (5, 2, 4)
        """
        if self._array.ndim != 3 or other.ndim != 3 or self._array.shape[0] != other.shape[0]:
            raise ShapeError(f"bmm takes (B, n, k) and (B, k, m), not {self._array.shape} and {other.shape}.")
        return self.matmul(other)

    def dot(self, other: Tensor) -> Tensor:
        """Return the inner product of two vectors.

        >>> import stepgrad as sg
        >>> sg.tensor([1.0, 2.0]).dot(sg.tensor([3.0, 4.0]))
        tensor(11.)
        """
        if self._array.ndim != 1 or other.ndim != 1:
            raise ShapeError(f"dot takes two vectors, not {list(self._array.shape)} and {list(other.shape)}.")
        return self.matmul(other)

    def outer(self, other: Tensor) -> Tensor:
        """Return the outer product of two vectors.

        >>> import stepgrad as sg
        >>> sg.tensor([1, 2]).outer(sg.tensor([10, 20, 30]))
        tensor([[10, 20, 30],
                [20, 40, 60]])
        """
        if self._array.ndim != 1 or other.ndim != 1:
            raise ShapeError(
                f"outer takes two vectors, not {list(self._array.shape)} and {list(other.shape)}."
            )
        return self._as_tensor().unsqueeze(1) * other

    def _must_be_floating(self, name: str) -> None:
        if self._array.dtype.kind != "f":
            from stepgrad.errors import DtypeError

            raise DtypeError(
                f"{name} takes floating point numbers, not {dtypes.of(self._array).name}. "
                f"Convert with .float()."
            )

    def _must_not_be_empty(self, name: str, dims: tuple[int, ...] | None) -> None:
        shape = self._array.shape
        if not all(shape if dims is None else (shape[i] for i in dims)):
            raise ShapeError(f"{name} of nothing does not exist: the shape is {list(shape)}.")
